//! An XMPP user in a group.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xmpp_parsers::presence::Presence;

use crate::element::Time;
use crate::imps::Address;
use crate::translate::room::Affiliation;

/// How far an occupant is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The group is asked to let them in.
    #[default]
    Joining,
    /// The group has them.
    Joined,
    /// The group is told that they have left, until it says so.
    Leaving,
    /// They have left, to come in under another name.
    Renaming {
        /// Under which nickname they were.
        nick: String,
        /// The same as the group has it.
        name: String,
    },
    /// The other name was taken: they come back under the one they had.
    Returning,
}

/// One client of an occupant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Whether it was shown the room.
    pub(super) inside: bool,
    /// What it asked for and has not been answered.
    #[serde(skip)]
    pub(super) asking: Option<Asking>,
    /// Until when what comes may be of the past, and since when it wants that.
    #[serde(skip)]
    pub(super) past: Option<(Time, Time)>,
    /// Whether it has still to hear the subject.
    #[serde(skip)]
    pub(super) awaits_subject: bool,
}

/// To enter a room, or another name in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asking {
    /// The name wanted.
    pub(super) nick: String,
    /// The id of the stanza.
    pub(super) id: Option<String>,
}

/// An XMPP user in a group; one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Occupant {
    /// The user as the group knows them.
    pub(super) user: Address,
    /// The nickname.
    pub(super) nick: String,
    /// The same as the group has it.
    pub(super) name: String,
    pub(super) state: State,
    /// Their clients, by resource.
    #[serde(default)]
    pub(super) sessions: BTreeMap<String, Session>,
    /// The group is asked now, under this token.
    #[serde(skip)]
    pub(super) asked: Option<u64>,
    /// Whether the group has said lately that they are joined.
    #[serde(skip)]
    pub(super) is_sure: bool,
    /// Whether a client waits for what becomes of it.
    #[serde(skip)]
    pub(super) is_waited_for: bool,
    /// Whether they were made to leave in order to join.
    #[serde(skip)]
    pub(super) is_again: bool,
    /// Whether the group was made for them.
    #[serde(skip)]
    pub(super) is_new: bool,
    /// The welcome that they have still to hear.
    #[serde(skip)]
    pub(super) welcome: Option<String>,
}

impl Occupant {
    /// One who is to join.
    pub(super) fn new(user: Address, nick: String, name: String) -> Self {
        Self {
            user,
            nick,
            name,
            state: State::Joining,
            sessions: BTreeMap::new(),
            asked: None,
            is_sure: false,
            is_waited_for: false,
            is_again: false,
            is_new: false,
            welcome: None,
        }
    }

    /// The nickname under which the others see them.
    pub(super) fn shown_as(&self) -> &str {
        match &self.state {
            State::Renaming { nick, .. } => nick,
            _ => &self.nick,
        }
    }

    /// Whether there is nothing to be done about them.
    pub(super) fn is_settled(&self) -> bool {
        self.state == State::Joined && self.is_sure
    }
}

/// Who is shown in a room; one record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// What the group calls them.
    pub(super) name: String,
    #[serde(default)]
    pub(super) affiliation: Affiliation,
    /// Who they are, as bare JID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jid: Option<String>,
    /// Whether they are an XMPP user here, whom only moderators see.
    #[serde(default)]
    pub(super) is_own: bool,
    /// What they say of themselves.
    #[serde(skip)]
    pub(super) said: Option<Box<Presence>>,
}

impl Seen {
    /// What it takes, roughly, with its nickname.
    pub(super) fn bytes(&self) -> usize {
        2 * self.name.len() + self.jid.as_ref().map_or(0, String::len)
    }
}
