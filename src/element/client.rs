//! What a client of the home domain says and hears: one JSON object each, told apart by
//! `"do"` and `"event"`.
//!
//! ```text
//! {"do":"message","to":"bob@b.test","text":"hello","report":true}
//! {"event":"sent","id":"…","to":"wv:bob@b.test","status":200}
//! ```
//!
//! Addresses may be given without `wv:`, and without domain if they are of this domain.
//!
//! Messages, reports and refusals come with a number and wait, on disk, until one client of the
//! user has acknowledged that number: a message is delivered by that, not by being written to a
//! socket. A client that goes away leaves what it did not acknowledge to the next one. A client is
//! told only so much ahead of its acknowledgements.
//!
//! ```text
//! {"event":"message","number":6963200000000,"id":"…","from":"wv:carol@b.test","text":"hi",…}
//! {"do":"ack","number":6963200000000}
//! ```

use serde::{Deserialize, Serialize};

use crate::imps::Primitive;
use crate::imps::address::Address;

pub use super::event::{
    ContactEntry, Detail, Event, Known, Standing, SubscriptionState, WatcherEntry, said,
};

/// Names a client session; chosen by whoever opens it, never used twice in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub u64);

/// What a client session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Takes {
    /// Everything that waits for the user and comes for them.
    #[default]
    Everything,
    /// Only what becomes of the messages it sends itself: what waits for the user stays.
    OwnAnswers,
}

/// Why the session of a client is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// There is no such user.
    Unknown,
    /// The user has too many sessions.
    TooMany,
}

/// Availability of a user (presence-attributes, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Ready to communicate.
    #[default]
    Available,
    /// Disturb only if necessary.
    Discreet,
    /// Not to be disturbed.
    NotAvailable,
}

impl Availability {
    /// The value of `UserAvailability`.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Discreet => "DISCREET",
            Self::NotAvailable => "NOT_AVAILABLE",
        }
    }

    /// By value of `UserAvailability`.
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::Available, Self::Discreet, Self::NotAvailable]
            .into_iter()
            .find(|value| value.as_wire() == text)
    }
}

/// What a client wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Send a text. Answered by [`Event::Sent`] when the recipient's side has answered.
    Message {
        /// The recipient.
        to: Address,
        /// The text, plain.
        text: String,
        /// Whether a delivery report is wanted.
        #[serde(default)]
        report: bool,
        /// Message id, printable ASCII, unique for all time; made up if absent. A message sent
        /// again under its id is delivered once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Ask anything that a user may ask, by a primitive with this user as requestor: it goes
    /// wherever its service is provided, in this domain or in another. Answered by
    /// [`Event::Answer`], to this client alone: if the client goes away before, nobody hears it.
    /// So messages are none of these, and go by [`Command::Message`].
    Request {
        /// Chosen by the client, at most 128 bytes; comes back with the answer.
        id: String,
        /// As XML.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// What came under this number has been taken: it is not told again, and a message is
    /// delivered with that. The only command that is not answered.
    Ack {
        /// The number of the event.
        number: u64,
    },
    /// Change one's own presence. What is absent stays.
    Presence {
        /// Availability; back to available at each first login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        availability: Option<Availability>,
        /// Status text; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// One of the moods of presence-attributes, 3.5, in any case; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mood: Option<String>,
        /// Nickname; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<String>,
    },
    /// Watch a user's presence from now on.
    Subscribe {
        /// The publisher.
        user: Address,
    },
    /// Stop watching.
    Unsubscribe {
        /// The publisher.
        user: Address,
    },
    /// Decide who sees one's presence, asked or unasked.
    Authorize {
        /// The user decided about.
        user: Address,
        /// Whether presence is shown, or denied.
        accept: bool,
    },
    /// Forget a decision; the next subscription asks again.
    CancelAuthorization {
        /// The user decided about.
        user: Address,
    },
    /// List contacts and watched users. Answered by [`Event::Contacts`].
    Contacts,
    /// Put a user on the contact list, which authorizes them to see one's presence.
    AddContact {
        /// The contact.
        user: Address,
        /// A name of one's own for them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Take a user off the contact list.
    RemoveContact {
        /// The contact.
        user: Address,
    },
    /// List those who watch one's presence. Answered by [`Event::Watchers`].
    Watchers,
    /// Ask for a user's presence once. Answered by [`Event::Presence`].
    GetPresence {
        /// The publisher.
        user: Address,
    },
    /// Take no more messages from a user.
    Block {
        /// The sender.
        user: Address,
    },
    /// Take messages again.
    Unblock {
        /// The sender.
        user: Address,
    },
    /// Ask whether a user exists. Answered by [`Event::Verified`].
    Verify {
        /// The user asked about.
        user: Address,
    },
}

impl Command {
    /// The command's name, as in `"do"`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Request { .. } => "request",
            Self::Ack { .. } => "ack",
            Self::Presence { .. } => "presence",
            Self::Subscribe { .. } => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Authorize { .. } => "authorize",
            Self::CancelAuthorization { .. } => "cancel_authorization",
            Self::Contacts => "contacts",
            Self::AddContact { .. } => "add_contact",
            Self::RemoveContact { .. } => "remove_contact",
            Self::Watchers => "watchers",
            Self::GetPresence { .. } => "get_presence",
            Self::Block { .. } => "block",
            Self::Unblock { .. } => "unblock",
            Self::Verify { .. } => "verify",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn commands_are_short_to_write() {
        let read = |text| serde_json::from_str::<Command>(text).unwrap();
        assert_eq!(
            read(r#"{"do":"message","to":"Bob@b.test","text":"hi"}"#),
            Command::Message {
                to: Address::new("wv:bob@b.test"),
                text: "hi".to_owned(),
                report: false,
                id: None,
            }
        );
        assert_eq!(read(r#"{"do":"contacts"}"#), Command::Contacts);
        assert_eq!(
            read(r#"{"do":"presence","availability":"not_available"}"#),
            Command::Presence {
                availability: Some(Availability::NotAvailable),
                text: None,
                mood: None,
                alias: None,
            }
        );
    }

    #[test]
    fn the_name_of_a_command_is_its_tag() {
        for text in [
            r#"{"do":"watchers"}"#,
            r#"{"do":"cancel_authorization","user":"a@b"}"#,
            r#"{"do":"get_presence","user":"a@b"}"#,
            r#"{"do":"add_contact","user":"a@b"}"#,
            r#"{"do":"verify","user":"a@b"}"#,
        ] {
            let command: Command = serde_json::from_str(text).unwrap();
            let value: serde_json::Value = serde_json::to_value(&command).unwrap();
            assert_eq!(value["do"], command.name());
        }
    }
}
