//! What a user is to be told of their own messages, when a client takes it: delivery reports,
//! and refusals. It waits on disk until one has acknowledged it.
//!
//! A refusal that the client which sent the message has not acknowledged waits as a
//! `DeliveryStatusReport` too. It is what a client of any protocol can be told at any time: a
//! response belongs to a request of the session that has gone.

use serde::Deserialize;

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{MessageInfo, MetaInfo, Recipient, Sender, User, UserId};
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport, SendMessageResponse};
use crate::imps::status::{Code, DetailedResult, Status};
use crate::ssp::envelope::decode_fragment;
use crate::text::cut;

use super::core::Asker;

/// Bytes of what others say with a status that are kept.
const MAX_SAID: usize = 512;
/// Details of a status, and users of each, that are kept.
const MAX_DETAILS: usize = 16;

/// What is known of a primitive that waits until a client has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// When it is dropped.
    pub(super) until: Time,
    /// The message of the user that it is about.
    pub(super) about: Option<String>,
    /// Bytes of the primitive.
    pub(super) bytes: usize,
    /// The one client that is told, as long as it is there: by the answer to its request.
    pub(super) only: Option<Asker>,
}

/// The record of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// When it is dropped.
    pub(super) until: Time,
    pub(super) primitive: Primitive,
}

impl Kept {
    /// What is known of it as long as it waits.
    pub(super) fn notice(&self, only: Option<Asker>) -> Notice {
        let about = match &self.primitive {
            Primitive::DeliveryStatusReport(report) => report.info.message_id.clone(),
            _ => None,
        };
        Notice {
            until: self.until,
            about,
            bytes: bytes(&self.primitive),
            only,
        }
    }

    /// As it is written.
    pub(super) fn record(&self) -> impl serde::Serialize + use<> {
        serde_json::json!({"until": self.until, "primitive": self.primitive.to_xml(None)})
    }
}

/// About how many bytes something that is kept takes up.
pub(super) fn bytes(primitive: &Primitive) -> usize {
    crate::element::client::bytes(primitive) + 64
}

/// The answer to a message, as a report tells it.
pub(super) fn response(report: &DeliveryStatusReport) -> SendMessageResponse {
    SendMessageResponse {
        message_id: report.info.message_id.clone().unwrap_or_default(),
        status: report.result.status.clone(),
    }
}

/// Tells a user what became of a message of theirs. `from` is the recipient, if there was one only.
pub(super) fn report(
    to: &Address,
    id: String,
    status: &Status,
    from: Option<Address>,
) -> DeliveryStatusReport {
    DeliveryStatusReport {
        meta: Some(MetaInfo::of_server(to.domain())),
        result: DeliveryResult {
            status: said(status),
        },
        time: None,
        info: MessageInfo {
            message_id: Some(id),
            uri: None,
            content_type: None,
            content_name: None,
            content_size: None,
            validity: None,
            recipients: vec![Recipient::User(User::new(to.clone()))],
            recipient_display: None,
            sender: from.map(|from| Sender::user(User::new(from))),
            date_time: None,
        },
    }
}

/// A status of others, as far as it is passed on.
pub(super) fn said(status: &Status) -> Status {
    let words = |words: Option<&str>| words.map(|words| cut(words, MAX_SAID).to_owned());
    let details = status.details.iter().take(MAX_DETAILS);
    let details = details.map(|detail| DetailedResult {
        description: words(detail.words()),
        users: detail.users.iter().take(MAX_DETAILS).cloned().collect(),
        groups: detail.groups.iter().take(MAX_DETAILS).cloned().collect(),
        ..DetailedResult::new(detail.code)
    });
    Status {
        description: words(status.words()),
        details: details.collect(),
        ..Status::new(status.code)
    }
}

/// A notice as it is kept, or was kept before there were primitives in it.
#[derive(Deserialize)]
pub(super) struct Record {
    until: Time,
    primitive: Option<String>,
    event: Option<Event>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Sent {
        id: String,
        to: Address,
        status: u16,
        description: Option<String>,
        #[serde(default)]
        details: Vec<Detail>,
    },
    Report {
        id: String,
        status: u16,
        description: Option<String>,
        to: Option<Address>,
    },
}

#[derive(Deserialize)]
struct Detail {
    status: u16,
    description: Option<String>,
    #[serde(default)]
    users: Vec<Address>,
}

impl Record {
    /// The notice for a user.
    pub(super) fn read(self, user: &Address) -> Result<Kept, String> {
        let primitive = match (self.primitive, self.event) {
            (Some(text), _) => {
                decode_fragment(text.as_bytes()).map_err(|error| error.to_string())?
            }
            (None, Some(event)) => event.report(user).into(),
            (None, None) => return Err("it says nothing".to_owned()),
        };
        Ok(Kept {
            until: self.until,
            primitive,
        })
    }
}

impl Event {
    fn report(self, user: &Address) -> DeliveryStatusReport {
        let (id, status, description, details, from) = match self {
            Self::Sent {
                id,
                to,
                status,
                description,
                details,
            } => (id, status, description, details, Some(to)),
            Self::Report {
                id,
                status,
                description,
                to,
            } => (id, status, description, Vec::new(), to),
        };
        let details = details.into_iter().map(|detail| DetailedResult {
            description: detail.description,
            users: detail
                .users
                .into_iter()
                .map(|user| UserId { user })
                .collect(),
            ..DetailedResult::new(Code(detail.status))
        });
        let status = Status {
            description,
            details: details.collect(),
            ..Status::new(Code(status))
        };
        report(user, id, &status, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_before_there_were_primitives_is_read() {
        let alice = Address::new("alice@home.test");
        let read = |text: &str| {
            let record: Record = serde_json::from_str(text).unwrap();
            let notice = record.read(&alice).unwrap();
            assert_eq!(notice.until, Time(1_900_000_000_000));
            // What is read is written in the new form.
            let again = serde_json::to_string(&notice.record()).unwrap();
            let record: Record = serde_json::from_str(&again).unwrap();
            assert_eq!(record.read(&alice).unwrap(), notice);
            match notice.primitive {
                Primitive::DeliveryStatusReport(report) => *report,
                other => panic!("{other:?}"),
            }
        };
        let sent = read(
            r#"{"until":1900000000000,"event":{"event":"sent","id":"a-1","to":"wv:zoe@far.test","status":900,"details":[{"status":427,"description":"Who?","users":["wv:zoe@far.test"]}]}}"#,
        );
        assert_eq!(sent.info.message_id.as_deref(), Some("a-1"));
        let status = &sent.result.status;
        assert_eq!(
            (status.code, status.details[0].code),
            (Code(900), Code(427))
        );
        assert_eq!(status.details[0].words(), Some("Who?"));
        let zoe = Address::new("zoe@far.test");
        assert_eq!(status.details[0].users[0].user, zoe);
        assert_eq!(sent.info.sender.unwrap().user.unwrap().user, zoe);
        assert_eq!(sent.info.recipients[0].address(), &alice);
        let report = read(
            r#"{"until":1900000000000,"event":{"event":"report","id":"a-2","status":200,"description":"Fetched"}}"#,
        );
        assert_eq!(report.info.message_id.as_deref(), Some("a-2"));
        assert_eq!(report.result.status.words(), Some("Fetched"));
        assert_eq!(report.info.sender, None);
    }
}
