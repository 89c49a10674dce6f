//! A WV user's client as service discovery shows it (presence-attributes, 2.3; XEP-0030, 0115).

use minidom::Element;
use xmpp_parsers::caps::{compute_disco, hash_caps};
use xmpp_parsers::disco::{DiscoInfoResult, Identity};
use xmpp_parsers::hashes::Algo;

use crate::imps::common::{ClientId, encode_base64};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::text::cut;
use crate::translate::Translator;
use crate::translate::stanza::{attribute, clean, element, ns};

/// What a client is, for XEP-0115: all those behind the gateway are of one make.
pub const NODE: &str = "urn:x-imps:gateway";

/// The longest name of a client, bytes; our choice.
const MAX_NAME: usize = 256;

/// Nodes of PEP of which a client wants to hear (XEP-0163).
pub const WANTED: [&str; 5] = [
    ns::MOOD,
    ns::ACTIVITY,
    ns::GEOLOC,
    ns::NICK,
    ns::AVATAR_METADATA,
];

/// The `ClientInfo` of the client that appears under a resource.
pub fn info_of<'l>(
    translator: &Translator,
    list: &'l PresenceSubList,
    resource: &str,
) -> Option<&'l Attribute> {
    let is_of = |attribute: &&Attribute| match attribute.client() {
        None => true,
        Some(url) => {
            let client = ClientId {
                url: url.to_owned(),
                application: None,
            };
            let name = translator.resource(&client);
            name.is_some_and(|name| name.as_str() == resource)
        }
    };
    let mut infos = list.attributes.iter();
    infos.find(|a| a.name == AttributeName::ClientInfo && a.is_valid() && is_of(a))
}

/// The answer to disco#info at a resource of a user of whom `list` may be known.
pub fn disco(
    translator: &Translator,
    list: Option<&PresenceSubList>,
    resource: &str,
) -> DiscoInfoResult {
    let table = &translator.mappings.presence;
    let info = list.and_then(|list| info_of(translator, list, resource));
    let field = |name: &str| {
        let text = info.and_then(|info: &Attribute| info.field(name))?;
        (!text.is_empty()).then(|| clean(cut(text, MAX_NAME)))
    };
    let kind = field("ClientType").map_or("web", |kind| table.client_to_xmpp(&kind));
    let language = field("Language").map(|code| table.language_to_xmpp(&code).to_owned());
    let identity = Identity {
        category: "client".to_owned(),
        type_: kind.to_owned(),
        lang: language,
        name: field("ClientProducer"),
    };
    let own = [
        ns::DISCO_INFO,
        ns::DISCO_ITEMS,
        ns::PING,
        ns::VERSION,
        ns::RECEIPTS,
        ns::CAPS,
    ];
    let own = own.iter().map(|name| (*name).to_owned());
    let wanted = WANTED.iter().map(|node| format!("{node}+notify"));
    DiscoInfoResult {
        node: None,
        identities: vec![identity],
        features: own.chain(wanted).collect(),
        extensions: Vec::new(),
    }
}

/// The hash that stands for an answer, as XEP-0115 writes it.
pub fn hash(disco: &DiscoInfoResult) -> String {
    let hash = hash_caps(&compute_disco(disco), Algo::Sha_1);
    hash.map(|hash| encode_base64(&hash.hash))
        .unwrap_or_default()
}

/// The element in presence that names a hash.
pub fn caps(hash: &str) -> Element {
    let caps = attribute(element("c", ns::CAPS), "hash", "sha-1");
    let caps = attribute(caps, "node", NODE);
    attribute(caps, "ver", hash).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_answer_and_another_for_another_client() {
        let translator = Translator::new("home.example", &["village.example"]);
        let plain = disco(&translator, None, "imps");
        assert_eq!(plain.identities[0].type_, "web");
        assert!(
            plain
                .features
                .contains("http://jabber.org/protocol/mood+notify")
        );
        let mut info = Attribute::value(AttributeName::ClientInfo, "");
        info.fields = vec![
            crate::imps::presence::Item::text("ClientType", "MOBILE_PHONE"),
            crate::imps::presence::Item::text("ClientProducer", "ABC"),
        ];
        let list = PresenceSubList {
            attributes: vec![info],
        };
        let phone = disco(&translator, Some(&list), "imps");
        assert_eq!(phone.identities[0].type_, "phone");
        assert_ne!(hash(&plain), hash(&phone));
        // SHA-1 in base64.
        assert_eq!(hash(&plain).len(), 28);
        assert_eq!(caps(&hash(&plain)).attr("node"), Some(NODE));
    }
}
