//! The Transaction Table: every accepted request, where it came from, where its
//! parts went, and what was answered. It maps requested to initiated
//! transactions one to one, and results travel back along it, never by address.
//! Answered requests stay for the duplicate window, so that a repetition gets
//! the same answer and has no second effect (wire profile, 1 and 7.5).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::element::{Element, RequestId, Time, Token};
use crate::ssp::address::Address;
use crate::store::Write;

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A peer's transaction.
    Peer {
        /// The peer.
        peer: String,
        /// Its transaction id.
        id: String,
    },
    /// A service element of this node.
    Element {
        /// Which.
        element: Element,
        /// Its own name for the request.
        token: Token,
    },
}

/// Where a part of a request went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// To a peer, under our transaction id.
    Peer {
        /// The peer.
        peer: String,
        /// Our transaction id.
        id: String,
    },
    /// To a service element of this node.
    Element {
        /// Which.
        element: Element,
        /// Our name for it.
        request: RequestId,
    },
    /// Nowhere: answered by the SAP itself.
    Here,
}

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it went.
    pub place: Place,
    /// Whom it concerns.
    pub targets: Vec<Address>,
    /// The answer, as XML, once it is there.
    pub answer: Option<String>,
    /// When the peer acknowledged it. Known in this run only.
    #[serde(skip)]
    pub acknowledged: Option<Time>,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Waits for answers.
    Pending,
    /// Answered with 202: this node took over the delivery.
    TakenOver,
    /// Over. The answer that was given, as XML; `None` for a notice.
    Answered(Option<String>),
}

/// One accepted request: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it came from.
    pub origin: Origin,
    /// The primitive's name.
    pub name: String,
    /// When it was accepted.
    pub received: Time,
    /// When it is given up.
    pub expires: Time,
    /// Where it went.
    pub parts: Vec<Part>,
    /// How far it is.
    pub state: State,
    /// The message's id.
    pub message: Option<String>,
    /// Who sent the message, if a report was asked for.
    pub report_to: Option<Address>,
    /// Who asks, where the answer says whether he then stands at a peer (`standing`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<super::standing::Asker>,
    /// The message, as XML, where members of its group are to get it from us (`members`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Whom the message is for in groups of a peer that leaves members to us (`members`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<super::members::Circle>,
    /// Where the message went, once it is answered, if a report was asked for (`asked`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<super::asked::SentTo>,
    /// The notice that waits for the answer (`who_left`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<super::who_left::Waiting>,
    /// Of requestor and content, to notice a loop.
    #[serde(default)]
    pub fingerprint: u64,
}

/// The table. Bounded by what its users accept.
#[derive(Debug, Default)]
pub struct Table {
    records: HashMap<u64, Record>,
    by_origin: HashMap<Origin, u64>,
    by_place: HashMap<Place, u64>,
    by_fingerprint: HashMap<u64, u64>,
    /// Pending records by origin peer.
    pending: HashMap<String, usize>,
    last: u64,
}

/// Prefix of all records.
pub const PREFIX: &str = "sap/in/";

impl Table {
    /// A number never used before, even before a restart.
    pub fn next_number(&mut self, now: Time) -> u64 {
        self.last = (self.last + 1).max(now.0 << 20);
        self.last
    }

    /// Takes back a record written before a restart.
    pub fn restore(&mut self, number: u64, record: Record) {
        self.last = self.last.max(number);
        for part in &record.parts {
            if let Place::Element { request, .. } = part.place {
                self.last = self.last.max(request.0);
            }
        }
        self.index(number, record);
    }

    /// Adds a record.
    pub fn insert(&mut self, number: u64, record: Record) -> Write {
        let write = Write::put_json(key(number), &record);
        self.index(number, record);
        write
    }

    /// A record.
    pub fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(&number)
    }

    /// Changes a record.
    pub fn update(&mut self, number: u64, change: impl FnOnce(&mut Record)) -> Option<Write> {
        let record = self.records.get_mut(&number)?;
        let was_pending = record.state == State::Pending;
        change(record);
        let write = Write::put_json(key(number), record);
        if was_pending && record.state != State::Pending {
            if let Origin::Peer { peer, .. } = &record.origin
                && let Some(count) = self.pending.get_mut(peer)
            {
                *count = count.saturating_sub(1);
            }
            if self.by_fingerprint.get(&record.fingerprint) == Some(&number) {
                self.by_fingerprint.remove(&record.fingerprint);
            }
        }
        Some(write)
    }

    /// Ends a record: what remains is the answer, for a repetition of the request.
    /// Parts are forgotten, except those for which `keep` says that somebody asks
    /// later where they went.
    pub fn close(
        &mut self,
        number: u64,
        answer: Option<String>,
        keep: impl Fn(&Place) -> bool,
    ) -> Option<Write> {
        let record = self.records.get_mut(&number)?;
        if record.report_to.is_some() {
            record.sent = super::asked::sent_to(record);
        }
        for part in &mut record.parts {
            self.by_place.remove(&part.place);
            part.answer = None;
        }
        record.parts.retain(|part| keep(&part.place));
        record.kept = None;
        record.circle = None;
        record.waiting = None;
        self.update(number, |record| record.state = State::Answered(answer))
    }

    /// A part goes out again under another id.
    pub fn move_part(&mut self, number: u64, from: &Place, to: Place) -> Option<Write> {
        let record = self.records.get_mut(&number)?;
        let part = record.parts.iter_mut().find(|part| part.place == *from)?;
        part.place = to.clone();
        part.acknowledged = None;
        self.by_place.remove(from);
        self.by_place.insert(to, number);
        Some(Write::put_json(key(number), record))
    }

    /// After a restart with a clock that was put back: no record is of the future.
    pub fn set_right(&mut self, now: Time) {
        for record in self.records.values_mut() {
            let ahead = record.received.since(now);
            record.received = Time(record.received.0 - ahead);
            record.expires = Time(record.expires.0.saturating_sub(ahead));
        }
    }

    /// Notes that a peer has acknowledged a part.
    pub fn acknowledged(&mut self, number: u64, place: &Place, now: Time) {
        let parts = self
            .records
            .get_mut(&number)
            .map(|record| &mut record.parts);
        if let Some(part) = parts
            .into_iter()
            .flatten()
            .find(|part| part.place == *place)
        {
            part.acknowledged = Some(now);
        }
    }

    /// Forgets a record.
    pub fn remove(&mut self, number: u64) -> Option<Write> {
        self.update(number, |record| {
            if record.state == State::Pending {
                record.state = State::Answered(None);
            }
        })?;
        let record = self.records.remove(&number)?;
        self.by_origin.remove(&record.origin);
        for part in &record.parts {
            self.by_place.remove(&part.place);
        }
        Some(Write::delete(key(number)))
    }

    /// The record of a request that came from there.
    pub fn by_origin(&self, origin: &Origin) -> Option<u64> {
        self.by_origin.get(origin).copied()
    }

    /// The record one of whose parts went there.
    pub fn by_place(&self, place: &Place) -> Option<u64> {
        self.by_place.get(place).copied()
    }

    /// A pending request with the same requestor and content.
    pub fn by_fingerprint(&self, fingerprint: u64) -> Option<&Record> {
        self.by_fingerprint
            .get(&fingerprint)
            .and_then(|number| self.records.get(number))
    }

    /// Unanswered requests of a peer.
    pub fn pending_of(&self, peer: &str) -> usize {
        self.pending.get(peer).copied().unwrap_or(0)
    }

    /// All records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.records
            .iter()
            .map(|(number, record)| (*number, record))
    }

    fn index(&mut self, number: u64, record: Record) {
        self.by_origin.insert(record.origin.clone(), number);
        for part in &record.parts {
            if part.place != Place::Here {
                self.by_place.insert(part.place.clone(), number);
            }
        }
        if record.state == State::Pending {
            if let Origin::Peer { peer, .. } = &record.origin {
                *self.pending.entry(peer.clone()).or_default() += 1;
            }
            self.by_fingerprint.insert(record.fingerprint, number);
        }
        self.records.insert(number, record);
    }
}

fn key(number: u64) -> String {
    format!("{PREFIX}{number:020}")
}
