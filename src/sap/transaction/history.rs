//! What becomes of each message, told step by step for `wvgate explain`.

use super::record::{Origin, Part, Place, Record};
use crate::element::Time;
use crate::imps::primitive::Name;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::neighbour::is_shard;
use crate::sap::note::{About, Note};
pub use crate::sap::presented_as::domain_of;
use crate::sap::watch::Direction;
use crate::ssp::envelope::{Transaction, decode_fragment};

/// Recipients told of one part, at most; our choice.
const TOLD: usize = 8;

/// A step on the way of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The message's id; that of its transaction where it has none.
    pub message: String,
    /// When it happened.
    pub time: Time,
    /// Taken, handed on, answered, ended: with what belongs to it.
    pub what: What,
}

/// What happened to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It came in, and its parts went on.
    Received {
        /// The peer or element it came from.
        origin: Origin,
        /// The user who sent it.
        sender: Option<Address>,
        /// Until when it is valid.
        expires: Time,
        /// Where its parts went.
        parts: Vec<Sent>,
    },
    /// The next hop has taken a part, by HTTP.
    Taken(Place),
    /// A part was answered, or ends without an answer.
    Ended(Ended),
    /// The requestor was told 202: this node answers for it.
    TakenOver,
    /// A delivery report about it came through.
    Reported {
        /// Who reports, usually the recipient.
        by: Option<Address>,
        /// The status that was given.
        result: Said,
    },
}

/// A part on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where it went.
    pub place: Place,
    /// For whom, the first of many.
    pub to: Vec<Address>,
    /// Set if it was refused here at once.
    pub refused: Option<Said>,
}

/// The end of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Where it had gone.
    pub place: Place,
    /// The status that was given.
    pub result: Said,
    /// Whether this node says so, because the other side did not or could not.
    pub here: bool,
}

/// A status: its code, and what else was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The status code.
    pub code: u16,
    /// In words, if it is no success.
    pub reason: Option<String>,
}

impl Step {
    fn new(message: String, what: What, now: Time) -> Self {
        Self {
            message,
            time: now,
            what,
        }
    }

    /// A request was accepted, if it is a message or a report about one.
    pub(super) fn accepted(record: &Record, transaction: &Transaction, now: Time) -> Option<Self> {
        let what = match transaction.name.known() {
            Some(Name::SendMessageRequest) => {
                let (origin, expires) = (record.origin.clone(), record.expires);
                // What goes to another shard is told of there.
                let parts = record
                    .parts
                    .iter()
                    .filter(|part| !is_elsewhere(&part.place));
                let parts = parts.map(sent).collect();
                received(transaction, origin, expires, parts)
            }
            Some(Name::DeliveryStatusReport) if !is_shard(record.origin.name()) => What::Reported {
                by: transaction.peek.sender.clone(),
                result: said(&transaction.raw),
            },
            _ => return None,
        };
        let message = name_of(transaction.peek.message_id.as_deref(), &record.origin);
        Some(Self::new(message, what, now))
    }

    /// A message goes nowhere.
    pub(super) fn refused(
        origin: &Origin,
        transaction: &Transaction,
        status: &Status,
        now: Time,
    ) -> Self {
        let to = transaction.peek.recipients.iter().take(TOLD);
        let part = Sent {
            place: Place::Here,
            to: to.cloned().collect(),
            refused: Some(of_status(status)),
        };
        let message = name_of(transaction.peek.message_id.as_deref(), origin);
        let what = received(transaction, origin.clone(), now, vec![part]);
        Self::new(message, what, now)
    }

    /// A part of a message was answered, by who has it.
    pub(super) fn answered(
        record: &Record,
        place: &Place,
        answer: &Body,
        now: Time,
    ) -> Option<Self> {
        Self::ended(record, place, now, false, || said_in(answer))
    }

    /// A part of a message will get no answer, with the code for it.
    pub(super) fn failed(record: &Record, place: &Place, code: Code, now: Time) -> Option<Self> {
        let result = || Said {
            code: code.0,
            reason: None,
        };
        Self::ended(record, place, now, true, result)
    }

    fn ended(
        record: &Record,
        place: &Place,
        now: Time,
        here: bool,
        result: impl FnOnce() -> Said,
    ) -> Option<Self> {
        if is_elsewhere(place) {
            return None;
        }
        Self::of(record, now, || {
            What::Ended(Ended {
                place: place.clone(),
                result: result(),
                here,
            })
        })
    }

    /// A peer has taken a part of a message.
    pub(super) fn taken(record: &Record, place: &Place, now: Time) -> Option<Self> {
        Self::of(record, now, || What::Taken(place.clone()))
    }

    /// The requestor of a message was told 202.
    pub(super) fn taken_over(record: &Record, now: Time) -> Option<Self> {
        Self::of(record, now, || What::TakenOver)
    }

    fn of(record: &Record, now: Time, what: impl FnOnce() -> What) -> Option<Self> {
        record
            .is_message()
            .then(|| Self::new(name(record), what(), now))
    }
}

/// A request was refused, and why.
pub(super) fn refusal_noted(
    origin: &Origin,
    transaction: &Transaction,
    status: &Status,
    now: Time,
) -> Note {
    let why = status.description.as_deref().unwrap_or_default();
    let peek = &transaction.peek;
    let (peer, transaction_id) = match origin {
        Origin::Peer { peer, id } if !is_shard(peer) => (Some(peer.real()), Some(id.as_str())),
        _ => (None, None),
    };
    let about = About {
        peer,
        session: None,
        transaction: transaction_id,
        message: peek.message_id.as_deref(),
        user: peek.user.as_ref().map(Address::as_str),
    };
    let mut what = format!("refused with {} {why}", status.code);
    what.truncate(what.trim_end().len());
    let at = (now, Direction::Here);
    Note::new(at, transaction.name.clone(), what, about, [])
}

fn is_elsewhere(place: &Place) -> bool {
    matches!(place, Place::Peer { peer, .. } if is_shard(peer))
}

fn received(transaction: &Transaction, origin: Origin, expires: Time, parts: Vec<Sent>) -> What {
    let peek = &transaction.peek;
    What::Received {
        origin,
        sender: peek.sender.clone().or_else(|| peek.user.clone()),
        expires,
        parts,
    }
}

fn sent(part: &Part) -> Sent {
    Sent {
        place: part.place.clone(),
        to: part.targets.iter().take(TOLD).cloned().collect(),
        refused: part.answer.as_ref().map(said_in),
    }
}

fn name(record: &Record) -> String {
    name_of(record.message.as_deref(), &record.origin)
}

/// What a message is called: by its id, else by its transaction's.
fn name_of(message: Option<&str>, origin: &Origin) -> String {
    match (message, origin) {
        (Some(message), _) => message.to_owned(),
        (None, Origin::Peer { id, .. }) => id.to_string(),
        (None, Origin::Element { token, .. }) => token.0.to_string(),
    }
}

/// The status in an answer or report. A success is found without reading all of it.
pub fn said(raw: &[u8]) -> Said {
    let code = success(raw);
    if let Some(code) = code {
        return Said { code, reason: None };
    }
    let Ok(primitive) = decode_fragment(raw) else {
        return Said {
            code: Code::INTERNAL.0,
            reason: None,
        };
    };
    said_by(&primitive)
}

/// The code of the first status, if it is one of full success.
fn success(raw: &[u8]) -> Option<u16> {
    let at = memchr::memmem::find(raw, b"<Status ")? + 8;
    let code = raw.get(at..)?.strip_prefix(b"code=")?;
    match code.get(1..5)? {
        b"200\"" | b"200'" => Some(200),
        b"202\"" | b"202'" => Some(202),
        _ => None,
    }
}

/// What an answer says; see [`said`].
pub fn said_in(answer: &Body) -> Said {
    match answer {
        Body::Raw(xml) => said(xml.as_bytes()),
        Body::Typed(_) => answer.primitive().map_or_else(
            |_| Said {
                code: Code::INTERNAL.0,
                reason: None,
            },
            |primitive| said_by(&primitive),
        ),
    }
}

fn said_by(primitive: &Primitive) -> Said {
    let ok = || Said {
        code: Code::OK.0,
        reason: None,
    };
    match primitive {
        Primitive::DeliveryStatusReport(report) => of_status(&report.result.status),
        other => other.verdict().map_or_else(ok, of_status),
    }
}

/// With one failure in its details, that one says more than "multiple errors".
fn of_status(status: &Status) -> Said {
    let mut said = Said {
        code: status.code.0,
        reason: status.description.clone(),
    };
    if let [detail] = status.details.as_slice() {
        said.code = detail.code.0;
        said.reason = detail.description.clone().or(said.reason);
    }
    said
}
