//! What is asked for cards and profiles.

use minidom::Element;

use super::{VCARD4, VCARD4_NODE};
use crate::translate::stanza::{attribute, child_text, element, ns};

/// Asks for the card in the old form.
pub fn temp() -> Element {
    element("vCard", ns::VCARD).build()
}

/// Asks for the card in the new form, which is published by PEP.
pub fn vcard4() -> Element {
    let items = attribute(element("items", ns::PUBSUB), "node", VCARD4_NODE);
    let items = attribute(items, "max_items", "1");
    element("pubsub", ns::PUBSUB).append(items.build()).build()
}

/// Asks what somebody is.
pub fn info() -> Element {
    element("query", ns::DISCO_INFO).build()
}

/// Asks who may see where somebody is.
pub fn location() -> Element {
    attribute(element("query", ns::DISCO_INFO), "node", ns::GEOLOC).build()
}

/// The new form of a card in what PEP answers.
pub fn published(pubsub: &Element) -> Option<&Element> {
    let items = pubsub.get_child("items", ns::PUBSUB)?;
    items
        .get_child("item", ns::PUBSUB)?
        .get_child("vcard", VCARD4)
}

/// Whether somebody is an account, as disco#info has it.
pub fn is_account(info: &Element) -> bool {
    let account = |c: &Element| c.name() == "identity" && c.attr("category") == Some("account");
    info.children().any(account)
}

/// Who may see a node, as `Allowed`, `Ask` or `Denied` (xmpp-mapping, 9).
pub fn access(info: &Element) -> &'static str {
    let form = info.get_child("x", ns::DATA_FORMS);
    let mut fields = form.into_iter().flat_map(Element::children);
    let model = fields.find(|field| field.attr("var") == Some("pubsub#access_model"));
    let model = model.and_then(|field| child_text(field, "value"));
    match model.unwrap_or_default().as_str() {
        "open" | "presence" => "Allowed",
        "whitelist" | "authorize" | "roster" => "Ask",
        _ => "Denied",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_see_a_node_is_in_what_it_tells_of_itself() {
        for (model, status) in [
            ("presence", "Allowed"),
            ("whitelist", "Ask"),
            ("", "Denied"),
        ] {
            let info = format!(
                "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'>\
                 <field var='pubsub#access_model'><value>{model}</value></field></x></query>"
            );
            assert_eq!(access(&info.parse().unwrap()), status);
        }
        let items = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'><item id='current'>\
                     <vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/></item></items></pubsub>";
        assert!(published(&items.parse().unwrap()).is_some());
        let account = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='account' type='registered'/></query>";
        assert!(is_account(&account.parse().unwrap()));
    }
}
