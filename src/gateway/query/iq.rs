//! Questions of XMPP that the gateway answers itself: who are you, are you
//! there, what time is it (xmpp-mapping, 8 and 11; presence-attributes, 2.3, 2.4).

use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use crate::imps::datetime::DateTime;
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::translate::presence::location::tzo;
use crate::translate::stanza::{attribute, element, ns, text_element};
use crate::translate::{Mode, Translator};

/// The payload of a result.
pub(super) enum Answer {
    Empty,
    With(Element),
}

/// The answer to a question to `to`, of whom the asker may know `known`, at `date`; `None` if it is
/// not understood.
pub(super) fn answer(
    question: &Element,
    to: &Jid,
    known: Option<&PresenceSubList>,
    date: DateTime,
    translator: &Translator,
) -> Option<Answer> {
    let is_user = to.node().is_some();
    match (question.name(), question.ns().as_str()) {
        ("ping", ns::PING) => Some(Answer::Empty),
        ("query", ns::DISCO_INFO) if question.attr("node").is_none() => {
            Some(Answer::With(disco_info(to, known, translator)))
        }
        ("query", ns::DISCO_ITEMS) if question.attr("node").is_none() => {
            Some(Answer::With(element("query", ns::DISCO_ITEMS).build()))
        }
        ("query", ns::VERSION) => Some(Answer::With(version(known))),
        ("time", ns::TIME) => {
            let zone = known.and_then(|known| {
                let zone = known.get(&AttributeName::TimeZone)?;
                tzo(zone.field("Zone")?)
            });
            // Only the gateway's own clock is known without the attribute.
            if zone.is_none() && is_user {
                return None;
            }
            let zone = zone.unwrap_or_else(|| "+00:00".to_owned());
            let utc = date.to_string();
            let time = element("time", ns::TIME)
                .append(text_element("tzo", ns::TIME, &zone))
                .append(text_element("utc", ns::TIME, &utc));
            Some(Answer::With(time.build()))
        }
        _ => None,
    }
}

fn disco_info(to: &Jid, known: Option<&PresenceSubList>, translator: &Translator) -> Element {
    let is_user = to.node().is_some();
    let info = known.and_then(|known| known.get(&AttributeName::ClientInfo));
    let mut identities = Vec::new();
    if is_user {
        identities.push(identity("account", "registered", None, None));
        if to.is_full() {
            let table = &translator.mappings.presence;
            let field = |name: &str| info.and_then(|info: &Attribute| info.field(name));
            let kind = field("ClientType").map_or("web", |kind| table.client_to_xmpp(kind));
            let language = field("Language").map(|code| table.language_to_xmpp(code));
            let producer = field("ClientProducer");
            identities.push(identity("client", kind, producer, language));
        }
    } else {
        let (category, kind) = match translator.mode {
            Mode::Names => ("server", "im"),
            Mode::Gateway => ("gateway", "imps"),
        };
        identities.push(identity(category, kind, Some("Wireless Village"), None));
    }
    let mut features = vec![ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION];
    if is_user {
        features.push(ns::RECEIPTS);
    }
    let features = features
        .into_iter()
        .map(|name| attribute(element("feature", ns::DISCO_INFO), "var", name).build());
    element("query", ns::DISCO_INFO)
        .append_all(identities)
        .append_all(features)
        .build()
}

/// RFC 6120, 8.4: the answer to a question of a kind that is not known here.
pub(in crate::gateway) fn not_understood() -> StanzaError {
    let (kind, condition) = (ErrorType::Cancel, DefinedCondition::ServiceUnavailable);
    let mut error = StanzaError::new(kind, condition, "en", "");
    error.texts.clear();
    error
}

fn identity(category: &str, kind: &str, name: Option<&str>, language: Option<&str>) -> Element {
    let mut identity = attribute(element("identity", ns::DISCO_INFO), "category", category);
    identity = attribute(identity, "type", kind);
    if let Some(name) = name {
        identity = attribute(identity, "name", name);
    }
    if let Some(language) = language
        && let Ok(name) = xso::exports::rxml::NcName::try_from("lang")
    {
        identity = identity.attr_ns(xso::exports::rxml::Namespace::XML, name, language);
    }
    identity.build()
}

/// The client's if it is known, else the gateway's.
fn version(known: Option<&PresenceSubList>) -> Element {
    let info = known.and_then(|known| known.get(&AttributeName::ClientInfo));
    let field = |name: &str| {
        let text = info.and_then(|info| info.field(name));
        text.filter(|text| !text.is_empty())
    };
    let query = element("query", ns::VERSION);
    let Some(name) = field("ClientProducer") else {
        return query
            .append(text_element("name", ns::VERSION, "wvgate"))
            .append(text_element(
                "version",
                ns::VERSION,
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
    };
    let version = field("ClientVersion").unwrap_or("");
    let device: Vec<&str> = ["DevManufacturer", "Model"]
        .into_iter()
        .filter_map(field)
        .collect();
    let query = query
        .append(text_element("name", ns::VERSION, name))
        .append(text_element("version", ns::VERSION, version));
    if device.is_empty() {
        return query.build();
    }
    query
        .append(text_element("os", ns::VERSION, &device.join(" ")))
        .build()
}
