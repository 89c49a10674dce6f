//! An SSP user in a room of XMPP.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::element::{RequestId, Time};
use crate::gateway::shared::Shared;
use crate::imps::Address;
use crate::imps::common::Property;
use crate::translate::Translator;
use crate::translate::room::{Affiliation, names};

/// Who is where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: Address,
    pub(super) user: Address,
}

impl Key {
    /// Whether there is nothing between the room's domain and this side.
    pub(super) fn is_denied(&self, shared: &Shared) -> bool {
        let room = shared.translator.jid(&self.group);
        room.is_ok_and(|room| !shared.gate.may_talk(room.domain().as_str()))
    }
}

/// How far a visit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The room is asked to let the user in.
    Entering,
    /// The room has the user.
    Inside,
    /// The room is told that the user leaves.
    Leaving,
    /// The user is not there any more.
    Over,
}

/// The request to enter, until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) id: RequestId,
    pub(super) until: Time,
    /// Whether who is there is to be told.
    pub(super) wants_list: bool,
    /// Whether the user has chosen the name.
    pub(super) is_named: bool,
    /// The room is to be made, and the user stays in it, or does not.
    #[serde(default)]
    pub(super) makes: Option<bool>,
}

/// An occupant whom the user sees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What the SSP side calls them.
    pub(super) name: String,
    pub(super) affiliation: Affiliation,
    /// Who they are, as bare JID, if the room shows it.
    pub(super) jid: Option<String>,
}

impl Seen {
    /// What it takes, roughly, with its nickname.
    pub(super) fn bytes(&self) -> usize {
        2 * self.name.len() + self.jid.as_ref().map_or(0, String::len) + 64
    }
}

/// An SSP user in a room; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visit {
    pub(super) component: String,
    /// The nickname.
    pub(super) nick: String,
    pub(super) state: State,
    /// Whether the user is told of changes.
    pub(super) subscribes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Waiting>,
    /// The request to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leaves: Option<RequestId>,
    /// How a room that is to be made is to be set up; a restart leaves it as it is.
    #[serde(skip)]
    pub(super) wanted: Vec<Property>,
    /// Who is there, by nickname.
    #[serde(skip)]
    pub(super) names: BTreeMap<String, Seen>,
    /// Those of them whom the room has shown since it was last asked to show all.
    #[serde(skip)]
    pub(super) shown: BTreeSet<String>,
    /// Whether all who are there are known.
    #[serde(skip)]
    pub(super) is_complete: bool,
    /// Whether the room has said lately that the user is inside.
    #[serde(skip)]
    pub(super) is_sure: bool,
    /// What the user is.
    #[serde(skip)]
    pub(super) affiliation: Affiliation,
    #[serde(skip)]
    pub(super) topic: Option<String>,
    /// The id of the message that sets the topic, until the room has told it to all.
    #[serde(skip)]
    pub(super) sets_topic: Option<String>,
    /// How often in a row it was tried in vain to come in.
    #[serde(skip)]
    pub(super) tries: u32,
    /// The id of the question whether the user is still there.
    #[serde(skip)]
    pub(super) ping: Option<String>,
}

impl Visit {
    /// Whether somebody is in the room, as its owner if `owns`, as far as the user sees; `None` is the
    /// user.
    pub(super) fn has(&self, jid: Option<&str>, owns: bool) -> bool {
        let is_like = |affiliation: Affiliation| !owns || affiliation == Affiliation::Owner;
        let Some(jid) = jid else {
            return is_like(self.affiliation);
        };
        let mut names = self.names.values();
        names.any(|seen| seen.jid.as_deref() == Some(jid) && is_like(seen.affiliation))
    }

    /// Of one who wants to come in.
    pub(super) fn new(component: String, nick: String, subscribes: bool) -> Self {
        Self {
            component,
            nick,
            state: State::Entering,
            subscribes,
            waiting: None,
            leaves: None,
            wanted: Vec::new(),
            names: BTreeMap::new(),
            shown: BTreeSet::new(),
            is_complete: false,
            is_sure: false,
            affiliation: Affiliation::None,
            topic: None,
            sets_topic: None,
            tries: 0,
            ping: None,
        }
    }

    /// What the SSP side is to call an occupant: names that are too long are cut, and stay apart.
    pub(super) fn name_of(&self, nick: &str, translator: &Translator) -> String {
        if let Some(seen) = self.names.get(nick) {
            return seen.name.clone();
        }
        let name = translator.screen_name(nick);
        if name == nick {
            return name;
        }
        names::marked(&name, nick, translator)
    }

    /// The nickname of whom the SSP side calls so.
    pub(super) fn nick_of(&self, name: &str) -> Option<&str> {
        let name = name.trim();
        if let Some((nick, _)) = self.names.get_key_value(name) {
            return Some(nick);
        }
        let mut names = self.names.iter();
        let found = names.find(|(_, seen)| seen.name == name);
        found.map(|(nick, _)| nick.as_str())
    }

    /// Who is there, the user first.
    pub(super) fn listed(&self) -> Vec<String> {
        let own = self.names.get(&self.nick);
        let own = own.map_or_else(|| self.nick.clone(), |own| own.name.clone());
        let others = self.names.iter().filter(|(nick, _)| **nick != self.nick);
        let others = others.map(|(_, seen)| seen.name.clone());
        std::iter::once(own).chain(others).collect()
    }
}
