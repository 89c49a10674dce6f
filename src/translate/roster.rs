//! Rosters (RFC 6121, 2) as those who are on contact lists (xmpp-mapping, 3.3).

use std::collections::{BTreeMap, BTreeSet};

use minidom::Element;
use serde::{Deserialize, Serialize};
use xmpp_parsers::jid::Jid;

use super::Translator;
use super::stanza::{attribute, element, ns, text_element};
use crate::imps::Address;

/// Whether presence is seen, by whom (RFC 6121, 2.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscription {
    /// Neither sees the other.
    #[default]
    None,
    /// The owner sees the contact.
    To,
    /// The contact sees the owner.
    From,
    /// Both see each other.
    Both,
}

/// Somebody whom a user keeps as a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// What the owner calls them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The groups in which they are; none: the default list.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// What the roster says of presence.
    #[serde(skip)]
    pub subscription: Subscription,
}

/// Contacts, by address.
pub type Contacts = BTreeMap<Address, Contact>;

impl Subscription {
    fn named(text: Option<&str>) -> Self {
        match text {
            Some("to") => Self::To,
            Some("from") => Self::From,
            Some("both") => Self::Both,
            _ => Self::None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
        }
    }

    /// Whether the contact sees the owner.
    pub fn is_seen(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }

    /// The same where the contact does not see the owner.
    #[must_use]
    pub fn unseen(self) -> Self {
        match self {
            Self::None | Self::From => Self::None,
            Self::To | Self::Both => Self::To,
        }
    }

    /// The same where the contact sees the owner.
    #[must_use]
    pub fn seen(self) -> Self {
        match self {
            Self::None | Self::From => Self::From,
            Self::To | Self::Both => Self::Both,
        }
    }
}

/// The question for a roster.
pub fn question() -> Element {
    element("query", ns::ROSTER).build()
}

/// Who is in a roster, as far as they have addresses: services and rooms are left out.
pub fn contacts(query: &Element, translator: &Translator) -> Contacts {
    let items = query.children().filter(|item| item.is("item", ns::ROSTER));
    let contact = |item: &Element| {
        let jid = Jid::new(item.attr("jid")?).ok()?;
        if jid.node().is_none() || jid.is_full() || translator.is_room(&jid) {
            return None;
        }
        let groups = item
            .children()
            .filter(|child| child.is("group", ns::ROSTER));
        let groups = groups.map(Element::text).filter(|group| !group.is_empty());
        let name = item.attr("name").filter(|name| !name.is_empty());
        let contact = Contact {
            name: name.map(str::to_owned),
            groups: groups.collect(),
            subscription: Subscription::named(item.attr("subscription")),
        };
        Some((translator.address(&jid).ok()?, contact))
    };
    items.filter_map(contact).collect()
}

/// Sets a contact, or takes them out of the roster; `None` if they have no JID. Each goes alone (RFC
/// 6121, 2.1.5). What presence is shared is said only where it becomes another than it was.
pub fn change(
    user: &Address,
    (contact, was): (Option<&Contact>, Subscription),
    translator: &Translator,
) -> Option<Element> {
    let jid = translator.jid(user).ok()?.to_string();
    let mut item = attribute(element("item", ns::ROSTER), "jid", &jid);
    match contact {
        Some(contact) => {
            if let Some(name) = &contact.name {
                item = attribute(item, "name", name);
            }
            if contact.subscription != was {
                item = attribute(item, "subscription", contact.subscription.as_str());
            }
            for group in &contact.groups {
                item = item.append(text_element("group", ns::ROSTER, group));
            }
        }
        None => item = attribute(item, "subscription", "remove"),
    }
    Some(element("query", ns::ROSTER).append(item.build()).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(items: &str) -> Element {
        format!("<query xmlns='jabber:iq:roster'>{items}</query>")
            .parse()
            .unwrap()
    }

    #[test]
    fn contacts_of_a_roster_are_read_and_written_the_same() {
        let translator = Translator::new("home.example", &["village.example"]);
        let roster = query(
            "<item jid='bob@village.example' name='Bob' subscription='both'>\
             <group>Friends</group><group>Work</group></item>\
             <item jid='vic@home.example' subscription='from'/>",
        );
        let contacts = contacts(&roster, &translator);
        let bob = Address::new("bob@village.example");
        assert_eq!(contacts.len(), 2);
        assert_eq!(contacts[&bob].name.as_deref(), Some("Bob"));
        assert_eq!(contacts[&bob].subscription, Subscription::Both);
        let written: Vec<Element> = contacts
            .iter()
            .filter_map(|(user, contact)| {
                change(user, (Some(contact), Subscription::None), &translator)
            })
            .flat_map(|query| query.children().cloned().collect::<Vec<_>>())
            .collect();
        let items: Vec<Element> = roster.children().cloned().collect();
        assert_eq!(written, items);
        let removal = change(&bob, (None, Subscription::Both), &translator).unwrap();
        let item = removal.children().next().unwrap();
        assert_eq!(item.attr("subscription"), Some("remove"));
    }

    #[test]
    fn what_is_no_user_is_no_contact() {
        let translator = Translator::new("home.example", &["village.example"]);
        let roster = query(
            "<item jid='village.example'/><item jid='club@conference.home.example'/>\
             <item jid='bob@village.example/phone'/><item jid='bob\\2fparty@village.example'/>\
             <item/><item jid='@'/>",
        );
        assert_eq!(contacts(&roster, &translator), Contacts::new());
    }
}
