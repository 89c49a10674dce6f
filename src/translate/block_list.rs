//! Block lists of XMPP users at their server (XEP-0191; xmpp-mapping, 10).

use minidom::Element;
use xmpp_parsers::jid::Jid;

use super::Translator;
use super::stanza::{attribute, element, ns};
use crate::imps::Address;
use crate::imps::common::ScreenName;

/// Somebody who is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked {
    /// A user.
    User(Address),
    /// A room: all who write by it.
    Group(Address),
    /// One occupant of a room.
    ScreenName(ScreenName),
}

impl Blocked {
    /// The JID that stands for them on a list, if they have one.
    pub fn jid(&self, translator: &Translator) -> Option<String> {
        match self {
            Self::User(address) | Self::Group(address) => {
                translator.jid(address).ok().map(|jid| jid.to_string())
            }
            Self::ScreenName(name) => translator.occupant(name).ok().map(|jid| jid.to_string()),
        }
    }
}

/// The question for a list.
pub fn question() -> Element {
    element("blocklist", ns::BLOCKING).build()
}

/// Who is on a list, as far as they have addresses: whole domains are left out, and
/// single clients, for more would be blocked in their stead.
pub fn blocked(list: &Element, translator: &Translator) -> Vec<Blocked> {
    let items = list.children().filter(|item| item.is("item", ns::BLOCKING));
    let one = |item: &Element| {
        let jid = Jid::new(item.attr("jid")?).ok()?;
        jid.node()?;
        if !translator.is_room(&jid) {
            if jid.resource().is_some() {
                return None;
            }
            return Some(Blocked::User(translator.address(&jid).ok()?));
        }
        let group = translator.group(&jid).ok()?;
        Some(match jid.resource() {
            Some(nick) => Blocked::ScreenName(ScreenName {
                group,
                name: nick.to_string(),
            }),
            None => Blocked::Group(group),
        })
    };
    items.filter_map(one).collect()
}

/// Puts those who have a JID on the list, or takes them off; `None` if nobody has.
pub fn change<'b>(
    entries: impl IntoIterator<Item = &'b Blocked>,
    is_on: bool,
    translator: &Translator,
) -> Option<Element> {
    let name = if is_on { "block" } else { "unblock" };
    let jids = entries.into_iter();
    let jids = jids.filter_map(|entry| entry.jid(translator));
    let items = jids.map(|jid| attribute(element("item", ns::BLOCKING), "jid", &jid).build());
    let items: Vec<Element> = items.collect();
    // An empty list of those who are let in again would let in all.
    (!items.is_empty()).then(|| element(name, ns::BLOCKING).append_all(items).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_blocked_is_read_and_written_the_same() {
        let translator = Translator::new("home.example", &["village.example"]);
        let list: Element = "<blocklist xmlns='urn:xmpp:blocking'>\
             <item jid='bob@village.example'/><item jid='village.example'/>\
             <item jid='tim@village.example/phone'/>\
             <item jid='bob\\2fparty@village.example'/>\
             <item jid='bob\\2fparty@village.example/Wicked Vicky'/></blocklist>"
            .parse()
            .unwrap();
        let blocked = blocked(&list, &translator);
        let party = Address::new("bob/party@village.example");
        let vicky = ScreenName {
            group: party.clone(),
            name: "Wicked Vicky".to_owned(),
        };
        assert_eq!(
            blocked,
            [
                Blocked::User(Address::new("bob@village.example")),
                Blocked::Group(party),
                Blocked::ScreenName(vicky),
            ]
        );
        let change = change(&blocked, true, &translator).unwrap();
        let jids: Vec<_> = change
            .children()
            .filter_map(|item| item.attr("jid"))
            .collect();
        let written: Vec<_> = list
            .children()
            .filter_map(|item| item.attr("jid"))
            .collect();
        assert_eq!(change.name(), "block");
        assert_eq!(jids, [written[0], written[3], written[4]]);
    }

    #[test]
    fn nobody_is_let_in_by_an_empty_list() {
        let translator = Translator::new("home.example", &["village.example"]);
        assert_eq!(super::change(&[], false, &translator), None);
    }
}
