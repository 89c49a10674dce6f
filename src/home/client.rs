//! What a client of the home domain says and hears: one JSON object each, told apart by
//! `"do"` and `"event"`.
//!
//! ```text
//! {"do":"message","to":"bob@b.test","text":"hello","report":true}
//! {"event":"sent","id":"…","to":"wv:bob@b.test","status":200}
//! ```
//!
//! Addresses may be given without `wv:`, and without domain if they are of this domain.

use serde::{Deserialize, Serialize};

use crate::sap::element::Time;
use crate::ssp::address::Address;
use crate::ssp::status::{Code, Status};

/// Names a client session; chosen by whoever opens it, never used twice in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub u64);

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
        /// To whom.
        to: Address,
        /// The text.
        text: String,
        /// Whether a delivery report is wanted.
        #[serde(default)]
        report: bool,
        /// Message id, printable ASCII, unique for all time; made up if absent. A message sent
        /// again under its id is delivered once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Change one's own presence. What is absent stays.
    Presence {
        /// Availability; back to available at each first login.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        availability: Option<Availability>,
        /// Status text; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// One of the moods of presence-attributes 3.5, in any case; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mood: Option<String>,
        /// Nickname; empty clears it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<String>,
    },
    /// Watch a user's presence from now on.
    Subscribe {
        /// Whose.
        user: Address,
    },
    /// Stop watching.
    Unsubscribe {
        /// Whose presence.
        user: Address,
    },
    /// Decide who sees one's presence, asked or unasked.
    Authorize {
        /// About whom.
        user: Address,
        /// Granted or denied.
        accept: bool,
    },
    /// Forget a decision; the next subscription asks again.
    CancelAuthorization {
        /// About whom.
        user: Address,
    },
    /// List contacts and watched users. Answered by [`Event::Contacts`].
    Contacts,
    /// Put a user on the contact list, which authorizes him to see one's presence.
    AddContact {
        /// Whom.
        user: Address,
        /// A name of one's own for him.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Take a user off the contact list.
    RemoveContact {
        /// Whom.
        user: Address,
    },
    /// List those who watch one's presence. Answered by [`Event::Watchers`].
    Watchers,
    /// Ask for a user's presence once. Answered by [`Event::Presence`].
    GetPresence {
        /// Whose.
        user: Address,
    },
    /// Take no more messages from a user.
    Block {
        /// From whom.
        user: Address,
    },
    /// Take messages again.
    Unblock {
        /// From whom.
        user: Address,
    },
    /// Ask whether a user exists. Answered by [`Event::Verified`].
    Verify {
        /// Which.
        user: Address,
    },
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session is open; what waited for the user follows.
    Ready {
        /// Whose session.
        user: Address,
        /// How many messages follow.
        waiting: usize,
    },
    /// A message has come.
    Message {
        /// Its id.
        id: String,
        /// A user or a group.
        from: Address,
        /// The name to show for the sender, where one is given: the screen name in a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The text; empty for content that is no text.
        text: String,
        /// MIME type.
        content_type: String,
        /// Content that is no text, in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// Where the content is, if it is not here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
        /// When it came, if it had to wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delayed: Option<Time>,
    },
    /// The recipient's side has answered to a message.
    Sent {
        /// Which message.
        id: String,
        /// To whom.
        to: Address,
        /// 200 taken; else why not.
        status: u16,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Who was not reached, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        details: Vec<Detail>,
    },
    /// A delivery report.
    Report {
        /// About which message.
        id: String,
        /// 200 delivered; else what became of it.
        status: u16,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The recipient of the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Address>,
    },
    /// A watched user's presence, as far as it is known.
    Presence {
        /// Whose.
        user: Address,
        /// The presence.
        #[serde(flatten)]
        presence: Known,
    },
    /// Somebody wants to see one's presence: answer with [`Command::Authorize`].
    AuthorizationRequest {
        /// Who.
        user: Address,
    },
    /// Contacts and watched users.
    Contacts {
        /// By address.
        contacts: Vec<ContactEntry>,
    },
    /// Those who watch one's presence.
    Watchers {
        /// By address.
        watchers: Vec<WatcherEntry>,
    },
    /// Whether a user exists.
    Verified {
        /// Which user.
        user: Address,
        /// 200 he does; else why it cannot be said or that he does not.
        status: u16,
    },
    /// A command without an answer of its own was done.
    Done {
        /// Its name, as in `"do"`.
        command: String,
        /// Whom it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Address>,
    },
    /// A command could not be done.
    Error {
        /// Its name, as in `"do"`.
        command: String,
        /// Whom it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Address>,
        /// Why not (status-codes).
        status: u16,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
}

/// Recipients that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The code.
    pub status: u16,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Address>,
}

/// What is known of another user's presence. `None`: unknown or not shown to us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    /// Whether any value is shown to us.
    #[serde(default)]
    pub authorized: bool,
    /// Logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<bool>,
    /// Availability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Status text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Mood, as on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mood: Option<String>,
    /// Nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// One line of the contact list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactEntry {
    /// Who.
    pub user: Address,
    /// One's own name for him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// On the contact list; else only watched or blocked.
    pub contact: bool,
    /// Blocked.
    pub blocked: bool,
    /// How far watching him has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionState>,
    /// What was last heard of him.
    #[serde(flatten)]
    pub presence: Known,
}

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Asked for; nothing has been shown.
    Pending,
    /// Values come.
    Active,
}

/// One watcher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherEntry {
    /// Who.
    pub user: Address,
    /// What he may see.
    pub state: Standing,
}

/// What somebody may see of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything he asked for.
    Authorized,
    /// Nothing, by decision.
    Denied,
    /// Nothing until the user has decided.
    Pending,
    /// Nothing, and the user was not asked.
    Unknown,
}

impl Command {
    /// The command's name, as in `"do"`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
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

impl Event {
    /// A command was done.
    pub(super) fn done(command: &str, user: Option<&Address>) -> Self {
        Self::Done {
            command: command.to_owned(),
            user: user.cloned(),
        }
    }

    /// A command was refused.
    pub(super) fn error(
        command: &str,
        user: Option<&Address>,
        status: Code,
        description: impl Into<String>,
    ) -> Self {
        Self::Error {
            command: command.to_owned(),
            user: user.cloned(),
            status: status.0,
            description: Some(description.into()),
        }
    }

    /// The answer to a message that this node has no room for.
    pub fn no_room(id: Option<String>, to: Address) -> Self {
        let status = Status::new(Code::QUEUE_FULL).because("There is no room for messages now.");
        Self::sent(id.unwrap_or_default(), to, &status)
    }

    /// The answer to a message.
    pub(super) fn sent(id: String, to: Address, status: &Status) -> Self {
        Self::Sent {
            id,
            to,
            status: status.code.0,
            description: status.description.clone(),
            details: status
                .details
                .iter()
                .map(|detail| Detail {
                    status: detail.code.0,
                    description: detail.description.clone(),
                    users: detail.users.iter().map(|id| id.user.clone()).collect(),
                })
                .collect(),
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

    #[test]
    fn events_are_flat_and_readable_back() {
        let event = Event::Presence {
            user: Address::new("bob@b.test"),
            presence: Known {
                authorized: true,
                online: Some(true),
                availability: Some(Availability::Discreet),
                ..Known::default()
            },
        };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"event":"presence","user":"wv:bob@b.test","authorized":true,"online":true,"availability":"discreet"}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
