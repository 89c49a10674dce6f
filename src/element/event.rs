//! What a client of the home domain hears; `"event"` tells the kinds apart.
//!
//! What must not be lost has a `number` and is told until one client of the user has acknowledged
//! it ([`Command::Ack`](super::client::Command::Ack)); the rest answers a command, or shows a
//! state that can be asked for again.

use serde::{Deserialize, Serialize};

use super::{Skew, Time};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::status::{Code, Status};
use crate::text::cut;

use super::client::Availability;

/// Bytes of what others say with a status that are passed on.
const MAX_SAID: usize = 512;
/// Details of a status, and users of each, that are passed on.
const MAX_DETAILS: usize = 16;
/// Counted for each event, and for each entry of a list, besides its texts.
const PART: usize = 64;

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session is open; what waited for the user follows.
    Ready {
        /// The user whose session it is.
        user: Address,
        /// How many messages follow.
        waiting: usize,
    },
    /// A message has come.
    Message {
        /// To acknowledge it with. The same message has the same number, whenever it is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The id of the message.
        id: String,
        /// The user or group that sent it.
        from: Address,
        /// The name to show for the sender, where one is given: the screen name in a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The text; empty for content that is no text.
        text: String,
        /// MIME type of the content.
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
        /// To acknowledge it with, if it is kept until that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The id of the message.
        id: String,
        /// The recipient of the message.
        to: Address,
        /// 200 taken by the recipient's side; 202 waits on the way; else why not.
        status: u16,
        /// What was said with the status, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Who was not reached, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        details: Vec<Detail>,
    },
    /// A delivery report.
    Report {
        /// To acknowledge it with, if it is kept until that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The id of the message that it is about.
        id: String,
        /// 200 delivered; else what became of it.
        status: u16,
        /// What was said with the status, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The recipient of the message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Address>,
    },
    /// A watched user's presence, as far as it is known.
    Presence {
        /// The publisher.
        user: Address,
        /// What is known of it.
        #[serde(flatten)]
        presence: Known,
    },
    /// Somebody wants to see one's presence: answer with `Command::Authorize`.
    AuthorizationRequest {
        /// To acknowledge it with, so that more can follow; the question stands until it is decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The user who asks.
        user: Address,
    },
    /// Contacts and watched users.
    Contacts {
        /// In order of address.
        contacts: Vec<ContactEntry>,
    },
    /// Those who watch one's presence.
    Watchers {
        /// In order of address.
        watchers: Vec<WatcherEntry>,
    },
    /// Whether a user exists.
    Verified {
        /// The user asked about.
        user: Address,
        /// 200: they do; else why it cannot be said, or that they do not.
        status: u16,
    },
    /// The answer to [`Command::Request`](super::client::Command::Request).
    Answer {
        /// As the client chose it.
        id: String,
        /// As XML.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// A command without an answer of its own was done.
    Done {
        /// Its name, as in `"do"`.
        command: String,
        /// The user it was about, if it was about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Address>,
    },
    /// A command could not be done.
    Error {
        /// Its name, as in `"do"`.
        command: String,
        /// The user it was about, if it was about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Address>,
        /// Why not (status-codes).
        status: u16,
        /// What was said with the status, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
}

/// Recipients that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The status code.
    pub status: u16,
    /// What was said with the status, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The recipients; none if the other side did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Address>,
}

/// What is known of another user's presence. `None`: unknown or not shown to us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    /// Whether any value is shown to us.
    #[serde(default)]
    pub authorized: bool,
    /// Whether the user is logged in.
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
    /// The user.
    pub user: Address,
    /// One's own name for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// On the contact list; else only watched or blocked.
    pub contact: bool,
    /// Whether their messages are refused.
    pub blocked: bool,
    /// How far watching them has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionState>,
    /// What was last heard of them.
    #[serde(flatten)]
    pub presence: Known,
}

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Asked for; nothing has been shown.
    Pending,
    /// Authorized: values come.
    Active,
}

/// Somebody who watches the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherEntry {
    /// The user.
    pub user: Address,
    /// What they may see.
    pub state: Standing,
}

/// What somebody may see of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Everything that was asked for.
    Authorized,
    /// Nothing, by decision.
    Denied,
    /// Nothing until the user has decided.
    Pending,
    /// Nothing, and the user was not asked.
    Unknown,
}

impl Event {
    /// A command was done.
    pub fn done(command: &str, user: Option<&Address>) -> Self {
        Self::Done {
            command: command.to_owned(),
            user: user.cloned(),
        }
    }

    /// A command was refused.
    pub fn error(
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
    pub fn sent(id: String, to: Address, status: &Status) -> Self {
        let details = status.details.iter().take(MAX_DETAILS);
        Self::Sent {
            number: None,
            id,
            to,
            status: status.code.0,
            description: status.words().map(said),
            details: details
                .map(|detail| Detail {
                    status: detail.code.0,
                    description: detail.words().map(said),
                    users: detail
                        .users
                        .iter()
                        .take(MAX_DETAILS)
                        .map(|id| id.user.clone())
                        .collect(),
                })
                .collect(),
        }
    }

    /// The number to acknowledge it with, if it has one.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Message { number, .. }
            | Self::Sent { number, .. }
            | Self::Report { number, .. }
            | Self::AuthorizationRequest { number, .. } => *number,
            _ => None,
        }
    }

    /// The event with this number.
    #[must_use]
    pub fn numbered(mut self, new: u64) -> Self {
        if let Self::Message { number, .. }
        | Self::Sent { number, .. }
        | Self::Report { number, .. }
        | Self::AuthorizationRequest { number, .. } = &mut self
        {
            *number = Some(new);
        }
        self
    }

    /// With its dates by the wall clock.
    #[must_use]
    pub fn by_wall_clock(mut self, skew: Skew) -> Self {
        if let Self::Message {
            delayed: Some(arrived),
            ..
        } = &mut self
        {
            *arrived = skew.wall(*arrived);
        }
        self
    }

    /// The message that it is about, if it tells what became of one.
    pub fn message_id(&self) -> Option<&str> {
        match self {
            Self::Sent { id, .. } | Self::Report { id, .. } => Some(id),
            _ => None,
        }
    }

    /// About how many bytes it takes up: its texts, and something for each of its parts.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let about = |user: &Option<Address>| user.as_ref().map_or(0, |user| user.as_str().len());
        let shown = |known: &Known| text(&known.text) + text(&known.mood) + text(&known.alias);
        PART + match self {
            Self::Message {
                id,
                from,
                name,
                text: content,
                content_type,
                data,
                uri,
                ..
            } => {
                let known = id.len() + from.as_str().len() + content_type.len();
                known + content.len() + text(name) + text(data) + text(uri)
            }
            Self::Sent {
                id,
                to,
                description,
                details,
                ..
            } => {
                let detail = |detail: &Detail| {
                    let users = detail.users.iter().map(|user| PART + user.as_str().len());
                    PART + text(&detail.description) + users.sum::<usize>()
                };
                let details: usize = details.iter().map(detail).sum();
                id.len() + to.as_str().len() + text(description) + details
            }
            Self::Report {
                id,
                description,
                to,
                ..
            } => id.len() + text(description) + about(to),
            Self::Presence { user, presence } => user.as_str().len() + shown(presence),
            Self::Contacts { contacts } => {
                let entry = |entry: &ContactEntry| {
                    let presence = shown(&entry.presence);
                    2 * PART + entry.user.as_str().len() + text(&entry.name) + presence
                };
                contacts.iter().map(entry).sum()
            }
            Self::Watchers { watchers } => {
                let entry = |entry: &WatcherEntry| PART + entry.user.as_str().len();
                watchers.iter().map(entry).sum()
            }
            Self::Error {
                user, description, ..
            } => about(user) + text(description),
            Self::Done { user, .. } => about(user),
            Self::Answer { id, primitive } => id.len() + primitive.to_xml(None).len(),
            Self::Ready { user, .. }
            | Self::AuthorizationRequest { user, .. }
            | Self::Verified { user, .. } => user.as_str().len(),
        }
    }
}

/// What was said with a status, as far as it is passed on.
pub fn said(text: &str) -> String {
    cut(text, MAX_SAID).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

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
