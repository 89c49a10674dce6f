//! What is said on the control socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{Slot, Wanted};
use crate::home::{Delivery, Takes, ToClient, UserRecord};

/// A request. Not `Debug`: some carry passwords.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The node in one object: [`Status`](super::Status).
    Status,
    /// All peers: [`PeerView`](crate::sap::PeerView).
    Peers,
    /// All sessions: [`SessionRow`](super::SessionRow).
    Sessions,
    /// All routes: where the users of each domain are.
    Routes,
    /// The Service Table.
    Services {
        /// This peer's part only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// Asks a peer what it offers; then the same as `Services`.
    Discover {
        /// The peer's domain.
        peer: String,
        /// What this domain offers, which is reached through the peer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Seconds until it is given up.
        #[serde(default = "half_a_minute")]
        timeout: u64,
    },
    /// Tries whether a peer answers: [`ProbeView`](crate::sap::service::ProbeView).
    Probe {
        /// The peer's domain.
        peer: String,
        /// By a keep-alive, or by a message to its echo user.
        probe: ProbeKind,
        /// Seconds until it is given up.
        #[serde(default = "half_a_minute")]
        timeout: u64,
    },
    /// The newest rows of the Transaction Table.
    Transactions {
        /// How many at most.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// What waits for peers, oldest first.
    Queue {
        /// What waits for this peer only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        /// How many at most.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// What became of messages: [`Explained`](super::Explained).
    Explain {
        /// Of this message or transaction, with what happened step by step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Those sent or received by this user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Of the last so many milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// How many messages at most, the newest.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// Everything that happens from now on.
    Trace {
        /// With this peer only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        /// What this user sends or gets only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Of this transaction or message only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transaction: Option<String>,
    },
    /// Makes a user of the home domain.
    UserAdd {
        /// The part of the address before the domain.
        user: String,
        /// The password in clear text; it is kept as a hash.
        password: String,
    },
    /// Names of all users.
    UserList,
    /// One user: their profile, and whether they are online.
    UserShow {
        /// The part of the address before the domain.
        user: String,
    },
    /// Removes a user, with all that is kept for them.
    UserRemove {
        /// The part of the address before the domain.
        user: String,
    },
    /// Changes a password.
    UserPasswd {
        /// The part of the address before the domain.
        user: String,
        /// The new password.
        password: String,
    },
    /// Ends the sessions of all clients of a user; how many there were.
    ClientDisconnect {
        /// The part of the address before the domain.
        user: String,
    },
    /// Makes many users: [`Imported`](super::Imported).
    UserImport {
        /// As many as are made together; see [`UserRecord`].
        users: Vec<UserRecord>,
        /// Whether those who exist are changed instead of refused.
        #[serde(default)]
        update: bool,
    },
    /// Users in the order of their names: [`UserRecord`].
    UserExport {
        /// The name after which to begin; empty: from the first one.
        #[serde(default)]
        after: String,
        /// How many at most; [`MAX_EXPORTED`](super::MAX_EXPORTED) is the most.
        #[serde(default = "hundred")]
        limit: usize,
    },
    /// Changes what is named of a user.
    UserSet {
        /// The user, and what is to be changed.
        user: UserRecord,
    },
    /// Makes a group of the provider.
    GroupAdd {
        /// The part of the address between `/` and `@`.
        group: String,
        /// Its properties, as on the wire; unless they say otherwise, search finds it by its name.
        #[serde(default)]
        properties: BTreeMap<String, String>,
        /// Addresses of those who administer it.
        #[serde(default)]
        admins: Vec<String>,
    },
    /// All groups: [`GroupView`](crate::home::GroupView).
    GroupList,
    /// One group, with its properties and members.
    GroupShow {
        /// Its address, or the name of one of the provider's.
        group: String,
    },
    /// Ends a group, whoever owns it.
    GroupRemove {
        /// Its address, or the name of one of the provider's.
        group: String,
    },
    /// The contact lists of a user, or one of them: [`ListView`](crate::home::ListView).
    ListShow {
        /// The part of the address before the domain.
        user: String,
        /// The list's name; all of them if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<String>,
    },
    /// Makes a contact list.
    ListCreate {
        /// The part of the address before the domain.
        user: String,
        /// The name within the list's address.
        list: String,
        /// A name for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display: Option<String>,
    },
    /// Deletes a contact list.
    ListDelete {
        /// The part of the address before the domain.
        user: String,
        /// The part of the list's address between `/` and `@`.
        list: String,
    },
    /// Puts somebody on a contact list, or names them anew.
    ListAdd {
        /// The part of the address before the domain.
        user: String,
        /// The part of the list's address between `/` and `@`.
        list: String,
        /// Address of who is put on it.
        member: String,
        /// The user's own name for them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nick: Option<String>,
    },
    /// Takes somebody off a contact list.
    ListRemove {
        /// The part of the address before the domain.
        user: String,
        /// The part of the list's address between `/` and `@`.
        list: String,
        /// Address of who is taken off it.
        member: String,
    },
    /// Ends all sessions with a peer: [`LoggedOut`](crate::sap::LoggedOut), when it has
    /// answered or two seconds are over.
    Logout {
        /// The peer's domain.
        peer: String,
        /// What the peer is told; nothing: no reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Logs in to a peer now, and waits: `{"state":"up"}`, or `{"state":"down","error":"why"}`.
    Connect {
        /// The peer's domain.
        peer: String,
    },
    /// A client session.
    Chat {
        /// The user's name, or address.
        user: String,
        /// The user's password, in clear text; who is an operator needs none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// What the session is for.
        #[serde(default)]
        takes: Takes,
        /// How messages come to it.
        #[serde(default)]
        delivery: Delivery,
    },
    /// What is logged: [`LevelsView`](crate::node::LevelsView), after it was changed, if that is wanted.
    Log {
        /// Directives that hold from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        set: Option<String>,
        /// For how long; nothing: until something else is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Those of the configuration hold again.
        #[serde(default)]
        reset: bool,
    },
    /// Reads the configuration again.
    Reload,
    /// Drains and ends the process.
    Stop,
}

/// How a peer is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// By a `KeepAliveRequest`.
    KeepAlive,
    /// By a message to its echo user.
    Echo,
}

fn hundred() -> usize {
    100
}

fn half_a_minute() -> u64 {
    30
}

/// What a user's client may say besides [`FromClient`](crate::home::FromClient): it is no matter of
/// the home domain's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Share {
    /// It has a file to share. Answered by [`Shared`], or a `Status` under the same id.
    Share {
        /// Chosen by the client.
        id: String,
        /// Its name, type and size, and for how long and for whom.
        #[serde(flatten)]
        wanted: Wanted,
    },
}

/// The answer to [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Shared {
    /// There is room for it.
    Slot {
        /// As the client chose it.
        id: String,
        /// Where it may be uploaded.
        #[serde(flatten)]
        slot: Slot,
    },
}

/// A line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The answer; the last line.
    Result {
        /// As the request wants it.
        result: Value,
    },
    /// Why not; the last line.
    Error {
        /// The reason, in words.
        error: String,
    },
    /// Something that happened.
    Trace {
        /// A [`Trace`](crate::sap::Trace).
        trace: Value,
    },
    /// So many traces were lost because the client was too slow.
    Lagged {
        /// Traces that were dropped because the reader was too slow.
        lagged: u64,
    },
    /// What a user's client is told.
    Event(ToClient),
    /// Where a user's client may upload a file, once.
    Slot(Shared),
}

impl Line {
    pub(super) fn result(value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(result) => Self::Result { result },
            Err(error) => Self::error(error),
        }
    }

    pub(super) fn error(why: impl std::fmt::Display) -> Self {
        Self::Error {
            error: why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_short_to_write() {
        for text in [
            r#"{"do":"status"}"#,
            r#"{"do":"queue"}"#,
            r#"{"do":"trace","peer":"b.test"}"#,
            r#"{"do":"chat","user":"a","takes":"own_answers"}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_ok(), "{text}");
        }
        assert!(serde_json::from_str::<Request>(r#"{"do":"queue","pear":1}"#).is_err());
    }

    #[test]
    fn lines_are_told_apart() {
        let read = |text| serde_json::from_str::<Line>(text).unwrap();
        assert!(matches!(read(r#"{"error":"no"}"#), Line::Error { .. }));
        assert!(matches!(read(r#"{"result":[1]}"#), Line::Result { .. }));
        let event = r#"{"event":"opened","user":"wv:a@b","waiting":0}"#;
        assert!(matches!(read(event), Line::Event(ToClient::Opened { .. })));
    }
}
