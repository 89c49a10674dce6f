//! What room services and rooms tell of themselves, to one who looks for rooms.

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use super::criteria::RoomCriterion;
use crate::imps::Address;
use crate::translate::Translator;
use crate::translate::stanza::{child_text, ns};

/// Rooms that are taken of the list of one service; our choice.
const MAX_LISTED: usize = 1000;

/// A room that may be what is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Where it is.
    pub jid: BareJid,
    /// What SSP calls it.
    pub group: Address,
    /// Its name for people.
    pub name: Option<String>,
    /// What is talked about there; else what it says about itself.
    pub topic: Option<String>,
}

impl Room {
    /// A room of which nothing is known yet; `None` if it is no group.
    pub fn at(jid: BareJid, translator: &Translator) -> Option<Self> {
        let group = translator.group(&jid.clone().into()).ok()?;
        group.resource_part()?;
        Some(Self {
            jid,
            group,
            name: None,
            topic: None,
        })
    }

    /// Takes in what the room answers to disco#info.
    pub fn hear(&mut self, info: &Element) {
        let identity = |c: &Element| c.is("identity", ns::DISCO_INFO);
        let mut identities = info.children().filter(|c| identity(c));
        let name = identities.find_map(|identity| identity.attr("name"));
        self.name = name.map(str::to_owned).or_else(|| self.name.take());
        let form = info.get_child("x", ns::DATA_FORMS);
        let field = |var: &str| {
            let mut fields = form?.children();
            child_text(
                fields.find(|field| field.attr("var") == Some(var))?,
                "value",
            )
        };
        let topic = field("muc#roominfo_subject");
        self.topic = topic.or_else(|| field("muc#roominfo_description"));
    }

    /// Whether it is like that, as far as the room can say it itself; what is not known does not
    /// fit.
    pub fn fits(&self, criterion: &RoomCriterion) -> bool {
        let has = |text: Option<&str>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(part))
        };
        match criterion {
            RoomCriterion::Id(part) => has(Some(self.group.as_str()), part),
            RoomCriterion::Name(part) => has(self.name.as_deref(), part),
            RoomCriterion::Topic(part) => has(self.topic.as_deref(), part),
            RoomCriterion::Owner(_) | RoomCriterion::Joined(_) => true,
        }
    }
}

/// The rooms that a service lists.
pub fn listed(items: &Element, translator: &Translator) -> Vec<Room> {
    let items = items.children().filter(|c| c.is("item", ns::DISCO_ITEMS));
    let rooms = items.filter_map(|item| {
        let jid = Jid::new(item.attr("jid")?).ok()?.to_bare();
        jid.node()?;
        let mut room = Room::at(jid, translator)?;
        room.name = item.attr("name").map(str::to_owned);
        Some(room)
    });
    rooms.take(MAX_LISTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_told_apart_by_what_they_say_of_themselves() {
        let translator = Translator::new("home.example", &["village.example"]);
        let items = "<query xmlns='http://jabber.org/protocol/disco#items'>\
             <item jid='tea@conference.home.example' name='Tea and cakes'/><item jid='conference.home.example'/>\
             <item jid='alice\\2fclub@conference.home.example'/><item/></query>";
        let mut rooms = listed(&items.parse().unwrap(), &translator);
        let groups: Vec<&str> = rooms.iter().map(|room| room.group.as_str()).collect();
        assert_eq!(
            groups,
            ["wv:/tea@home.example", "wv:alice/club@home.example"]
        );
        let part = |text: &str| text.to_owned();
        assert!(rooms[0].fits(&RoomCriterion::Name(part("cake"))));
        assert!(rooms[1].fits(&RoomCriterion::Id(part("alice/"))));
        assert!(!rooms[1].fits(&RoomCriterion::Name(part("club"))));
        let topic = RoomCriterion::Topic(part("assam"));
        assert!(!rooms[0].fits(&topic));
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' name='Tea'/>\
             <x xmlns='jabber:x:data'><field var='muc#roominfo_subject'><value>Assam or not</value></field></x></query>";
        rooms[0].hear(&info.parse().unwrap());
        assert!(rooms[0].fits(&topic));
        assert!(!rooms[0].fits(&RoomCriterion::Name(part("cake"))));
    }
}
