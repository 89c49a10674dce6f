//! The home domain's access point: what the clients of users say and hear, whatever protocol each
//! of them speaks. A protocol is a codec of these two types and knows nothing else of the domain.
//!
//! A client hands over primitives of its user: requests with that user as requestor. Each goes to
//! the SAP and is routed by the Service Table like any other, so its service may be here or at
//! another domain. What is for the user comes as a primitive too:
//!
//! | primitive | comes as | what it tells |
//! |---|---|---|
//! | the answer to a request | [`ToClient::Answer`] | to the client that asked |
//! | `NewMessage` | [`ToClient::Take`] | a message |
//! | `MessageNotification` | [`ToClient::Take`] | that a message waits, in place of it ([`Delivery`]) |
//! | `DeliveryStatusReport` | [`ToClient::Take`] | what became of a message of the user's |
//! | `PresenceAuthRequest` | [`ToClient::Take`] | somebody wants to see the user's presence |
//! | `InviteRequest` | [`ToClient::Take`] | an invitation; in each session, until it is answered |
//! | `InviteResponse`, `CancelInviteRequest` | [`ToClient::Take`] | the answer to an invitation of the user's; that one of somebody else's was withdrawn |
//! | `PresenceNotification` | [`ToClient::Now`] | presence of somebody whom the user watches |
//! | `GroupChangeNotice`, `LeaveGroupIndication` | [`ToClient::Now`] | who came, went, or what changed in a group; that the user has to leave it |
//! | `Status` | [`ToClient::Now`] | a subscription that was accepted (202) has failed in the end |
//!
//! What has a number waits, on disk, until one client of the user has acknowledged that number: a
//! message is delivered by that, not by being written to a socket. A client that goes away leaves
//! what it did not acknowledge to the next one. A client is told only so much ahead of its
//! acknowledgements. A notification that is acknowledged is not told again to that client, and the
//! message goes on waiting: until it was fetched by `GetMessageRequest` and that answer is
//! acknowledged, or it is rejected or forwarded, or has come to another client.
//!
//! As lines of JSON, told apart by `"do"` and `"event"`, with the primitives as their XML:
//!
//! ```text
//! {"do":"request","id":"1","primitive":"<SendMessageRequest>…"}
//! {"event":"answer","id":"1","primitive":"<SendMessageResponse messageID=\"m1\">…"}
//! {"event":"take","number":6963200000000,"primitive":"<NewMessage>…"}
//! {"do":"ack","number":6963200000000}
//! ```

use serde::{Deserialize, Serialize};

use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{MessageInfo, Recipient};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::primitive::profile::Terminal;
use crate::imps::status::{Code, Status};

pub use super::delivery::{Delivery, Method};

/// Counted for each thing told, and for each part of it, besides its texts.
const PART: usize = 64;

/// Names a client session; chosen by whoever opens it, never used twice in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientKey(pub u64);

/// What a client session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// Everything that waits for the user and comes for them.
    #[default]
    Everything,
    /// Only what becomes of the messages it sends itself: what waits for the user stays.
    OwnAnswers,
}

/// What a client does. For elements at [`Edge::Clients`](super::Edge::Clients).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum FromClient {
    /// It comes as a user, whose password was checked. Answered by [`ToClient::Opened`] or
    /// [`ToClient::Over`].
    #[serde(skip)]
    Open {
        /// The local part of the user's address.
        user: String,
        /// What the session is for.
        takes: Takes,
        /// How messages come to it.
        delivery: Delivery,
    },
    /// A request of its user. Answered by [`ToClient::Answer`], some of them after a while. What
    /// becomes of a message is kept for the user if the client has gone by then; any other answer
    /// is for this client alone.
    Request {
        /// Chosen by the client, at most 128 bytes; comes back with the answer.
        id: String,
        /// With the user as requestor.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// What it is, as far as it says so; it is in its user's profile while the session is open. Not
    /// answered.
    #[serde(skip)]
    Describe {
        /// The client as a terminal; without a `url` it gets one.
        terminal: Box<Terminal>,
    },
    /// What came under this number has been taken: it is not told again, and a message is
    /// delivered with that. Not answered.
    Ack {
        /// The number under which it was told.
        number: u64,
    },
    /// It has gone: nothing is told to it any more.
    #[serde(skip)]
    Close,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ToClient {
    /// The session is open; what waited for the user follows.
    Opened {
        /// The user whose session it is.
        user: Address,
        /// How many messages follow.
        waiting: usize,
        /// What is known of those whom the user watches: a `PresenceNotification`, in which a
        /// value without attributes is of somebody who shows nothing yet. Absent if nobody is
        /// watched.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            with = "super::xml::optional"
        )]
        watched: Option<Box<Primitive>>,
    },
    /// The answer to a request.
    Answer {
        /// As the client chose it.
        id: String,
        /// To acknowledge it with, if it must not be lost. That a message was not taken comes
        /// without acknowledgement to another client of the user, as a report. A message that was
        /// fetched waits until it is acknowledged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        /// The response, or a `Status`.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// Something that waits until it is acknowledged.
    Take {
        /// To acknowledge it with. The same thing has the same number, whenever it is told.
        number: u64,
        /// The primitive, as the client would get it by SSP.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// Something that is worth nothing later.
    Now {
        /// The primitive, as the client would get it by SSP.
        #[serde(with = "super::xml")]
        primitive: Box<Primitive>,
    },
    /// The session is over; nothing follows.
    Over {
        /// What ended the session.
        why: Over,
    },
}

/// Why the session of a client is over, or was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// There is no such user.
    Unknown,
    /// The user has too many sessions.
    TooMany,
    /// The user was removed.
    Removed,
    /// The account is disabled.
    Disabled,
    /// What is kept of the user cannot be read now.
    Unavailable,
    /// The client lagged too far behind the user's other clients.
    Behind,
}

impl Over {
    /// The same as a status.
    pub fn status(self) -> Status {
        let (code, why) = match self {
            Self::Unknown => (Code::UNKNOWN_USER, "There is no such user."),
            Self::TooMany => (Code::UNAVAILABLE, "The user has too many sessions."),
            Self::Removed => (Code::UNKNOWN_USER, "The user was removed."),
            Self::Disabled => (Code::FORBIDDEN, "The account is disabled."),
            Self::Unavailable => (Code::UNAVAILABLE, "The account is temporarily unavailable."),
            Self::Behind => (
                Code::QUEUE_FULL,
                "The session took too little for too long.",
            ),
        };
        Status::new(code).because(why)
    }
}

impl FromClient {
    /// The answer to a message for which this node has no room; `None` if it is no message.
    pub fn no_room(&self) -> Option<ToClient> {
        let Self::Request { id, primitive } = self else {
            return None;
        };
        let Primitive::SendMessageRequest(message) = primitive.as_ref() else {
            return None;
        };
        let response = SendMessageResponse {
            message_id: message.info.message_id.clone().unwrap_or_default(),
            status: Status::new(Code::QUEUE_FULL).because("There is no room for messages now."),
        };
        Some(ToClient::answer(id.clone(), response))
    }
}

impl ToClient {
    /// An answer that need not be acknowledged.
    pub fn answer(id: String, primitive: impl Into<Primitive>) -> Self {
        Self::Answer {
            id,
            number: None,
            primitive: Box::new(primitive.into()),
        }
    }

    /// Something that is worth nothing later.
    pub fn now(primitive: impl Into<Primitive>) -> Self {
        Self::Now {
            primitive: Box::new(primitive.into()),
        }
    }

    /// The number to acknowledge it with, if it has one.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Answer { number, .. } => *number,
            Self::Take { number, .. } => Some(*number),
            Self::Opened { .. } | Self::Now { .. } | Self::Over { .. } => None,
        }
    }

    /// About how many bytes it takes up: its texts, and something for each of its parts.
    pub fn bytes(&self) -> usize {
        PART + match self {
            Self::Opened { user, watched, .. } => {
                user.as_str().len() + watched.as_deref().map_or(0, bytes)
            }
            Self::Answer { id, primitive, .. } => id.len() + bytes(primitive),
            Self::Take { primitive, .. } | Self::Now { primitive } => bytes(primitive),
            Self::Over { .. } => 0,
        }
    }
}

/// About how many bytes a primitive takes up. The frequent ones are not printed for that.
pub fn bytes(primitive: &Primitive) -> usize {
    match primitive {
        Primitive::NewMessage(message) => {
            let content = message.content.as_ref();
            let content = content.map_or(0, |c| c.bytes.len() + c.content_type.len());
            about(&message.info) + content
        }
        Primitive::SendMessageResponse(response) => {
            response.message_id.len() + said(&response.status)
        }
        Primitive::DeliveryStatusReport(report) => {
            about(&report.info) + said(&report.result.status)
        }
        Primitive::Status(status) => said(status),
        other => other.to_xml(None).len(),
    }
}

fn about(info: &MessageInfo) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let recipient = |recipient: &Recipient| recipient.address().as_str().len();
    let sender = info.sender.as_ref().map_or(0, |sender| {
        let user = sender.user.as_ref().map(|user| &user.user);
        let group = sender.group.as_ref().map(|group| &group.group);
        let named = user.or(group).map_or(0, |address| address.as_str().len());
        let display = sender.display.as_ref();
        let shown = display.and_then(|display| display.screen_name.as_ref());
        named + shown.map_or(0, |shown| shown.name.len())
    });
    text(&info.message_id)
        + text(&info.uri)
        + text(&info.content_type)
        + sender
        + info.recipients.iter().map(recipient).sum::<usize>()
}

fn said(status: &Status) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let details = status.details.iter().map(|detail| {
        let users = detail.users.iter();
        let users = users.map(|id| PART + id.user.as_str().len());
        PART + text(&detail.description) + users.sum::<usize>()
    });
    text(&status.description) + details.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_is_one_line() {
        let read = |text| serde_json::from_str::<FromClient>(text).unwrap();
        assert_eq!(
            read(r#"{"do":"ack","number":7}"#),
            FromClient::Ack { number: 7 }
        );
        let line = r#"{"do":"request","id":"1","primitive":"<GetListRequest></GetListRequest>"}"#;
        let FromClient::Request { id, primitive } = read(line) else {
            panic!("no request");
        };
        assert_eq!((&*id, primitive.name()), ("1", "GetListRequest"));
        // Who comes and goes is the connection's business.
        for text in [r#"{"do":"close"}"#, r#"{"do":"open","user":"a"}"#] {
            assert!(serde_json::from_str::<FromClient>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_client_hears_is_one_line_and_readable_back() {
        let status = Box::new(Primitive::status(Code::OK));
        for (told, line) in [
            (
                ToClient::Opened {
                    user: Address::new("bob@b.test"),
                    waiting: 1,
                    watched: None,
                },
                r#"{"event":"opened","user":"wv:bob@b.test","waiting":1}"#,
            ),
            (
                ToClient::answer("1".to_owned(), Status::ok()),
                r#"{"event":"answer","id":"1","primitive":"<Status code=\"200\"/>"}"#,
            ),
            (
                ToClient::Take {
                    number: 5,
                    primitive: status,
                },
                r#"{"event":"take","number":5,"primitive":"<Status code=\"200\"/>"}"#,
            ),
            (
                ToClient::Over { why: Over::Behind },
                r#"{"event":"over","why":"behind"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&told).unwrap(), line);
            assert_eq!(serde_json::from_str::<ToClient>(line).unwrap(), told);
        }
    }
}
