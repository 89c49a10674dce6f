//! The Transaction Table: every accepted request, where it came from, where its
//! parts went, and what was answered. It maps requested to initiated
//! transactions one to one, and results travel back along it, never by address.
//! Answered requests stay for the duplicate window, so that a repetition gets
//! the same answer and has no second effect (wire profile, 1 and 7.5).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::sent::{self, SentTo};
use crate::element::{Element, RequestId, Time, Token};
use crate::imps::address::Address;
use crate::imps::primitive::{AnyName, Name};
use crate::sap::body::Body;
use crate::sap::dialect::{Asker, Circle, Waiting};
use crate::sap::presented_as::domain_of;
use crate::sap::settings::Shards;
use crate::store::Write;

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Origin {
    /// A peer's transaction.
    Peer {
        /// The domain of the peer.
        peer: String,
        /// Its transaction id.
        id: String,
    },
    /// A service element of this node.
    Element {
        /// The service element.
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
        /// The domain of the peer.
        peer: String,
        /// Our transaction id.
        id: String,
    },
    /// To a service element of this node.
    Element {
        /// The service element.
        element: Element,
        /// The number that the element knows it by.
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
    /// The answer, once it is there.
    pub answer: Option<Body>,
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
    /// Over. The answer that was given; `None` for a notice.
    Answered(Option<Body>),
}

/// One accepted request: a row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it came from.
    pub origin: Origin,
    /// The primitive's name.
    pub name: AnyName,
    /// When it was accepted.
    pub received: Time,
    /// When it is given up.
    pub expires: Time,
    /// Where it went.
    pub parts: Vec<Part>,
    /// What it waits for, or that it is answered.
    pub state: State,
    /// The message's id.
    pub message: Option<String>,
    /// Who sent the message, if a report was asked for.
    pub report_to: Option<Address>,
    /// Who asks, where the answer says whether they then stand at a peer (`dialect::memberships`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<Asker>,
    /// The message, as XML, where members of its group are to get it from us (`dialect::group_copies`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Whom the message is for in groups of a peer that leaves members to us (`dialect::group_copies`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Circle>,
    /// Where the message went, once it is answered, if a report was asked for (`sent`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<SentTo>,
    /// The notice that waits for the answer (`dialect::unnamed_leave`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Of requestor and content, to notice a loop.
    #[serde(default)]
    pub fingerprint: u64,
    /// Of sender, recipients and content of a message, to notice a repetition under another
    /// transaction id (`dialect::message_ids`).
    #[serde(default)]
    pub content: u64,
    /// The peer that asked, in another shard of this node, in its identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asking: Option<String>,
}

/// The table. Bounded by what its users accept, in number and bytes.
#[derive(Debug)]
pub struct Table {
    rows: HashMap<u64, Row>,
    by_origin: HashMap<Origin, u64>,
    by_place: HashMap<Place, u64>,
    by_fingerprint: HashMap<u64, u64>,
    /// By origin: a peer, or an element of ours.
    shares: HashMap<String, Share>,
    all: Share,
    last: u64,
    shards: Shards,
}

#[derive(Debug)]
struct Row {
    record: Record,
    /// Of the record as it is kept, and of its place in the indices, about.
    size: usize,
}

/// Number and bytes of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Number of rows.
    pub number: usize,
    /// Bytes of the rows, roughly.
    pub bytes: usize,
}

impl Sum {
    fn add(&mut self, size: usize) {
        self.number += 1;
        self.bytes += size;
    }

    fn sub(&mut self, size: usize) {
        self.number = self.number.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

/// Rows by how far they are.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    pending: Sum,
    taken_over: Sum,
    answered: Sum,
}

impl Share {
    fn of(&mut self, state: &State) -> &mut Sum {
        match state {
            State::Pending => &mut self.pending,
            State::TakenOver => &mut self.taken_over,
            State::Answered(_) => &mut self.answered,
        }
    }
}

/// What a row takes besides its record, about: three indices and a timer.
const OVERHEAD: usize = 512;

/// Prefix of all records.
pub const PREFIX: &str = "sap/in/";

impl Default for Table {
    fn default() -> Self {
        Self::new(Shards::ONE)
    }
}

impl Table {
    /// That of a shard.
    pub fn new(shards: Shards) -> Self {
        Self {
            rows: HashMap::new(),
            by_origin: HashMap::new(),
            by_place: HashMap::new(),
            by_fingerprint: HashMap::new(),
            shares: HashMap::new(),
            all: Share::default(),
            last: 0,
            shards,
        }
    }

    /// A number never used before, even before a restart.
    pub fn next_number(&mut self, now: Time) -> u64 {
        self.last = self.shards.number((self.last + 1).max(now.0 << 20));
        self.last
    }

    /// Takes back a record written before a restart, of so many bytes of JSON.
    pub fn restore(&mut self, number: u64, record: Record, bytes: usize) {
        self.last = self.last.max(number);
        for part in &record.parts {
            if let Place::Element { request, .. } = part.place {
                self.last = self.last.max(request.0);
            }
        }
        self.index(number, record, bytes + OVERHEAD);
    }

    /// Adds a row under this number.
    pub fn insert(&mut self, number: u64, record: Record) -> Write {
        let (write, size) = kept(number, &record);
        self.index(number, record, size);
        write
    }

    /// The record of this number.
    pub fn get(&self, number: u64) -> Option<&Record> {
        self.rows.get(&number).map(|row| &row.record)
    }

    /// Changes a record.
    pub fn update(&mut self, number: u64, change: impl FnOnce(&mut Record)) -> Option<Write> {
        let row = self.rows.get_mut(&number)?;
        let (before, size) = (row.record.state.clone_kind(), row.size);
        change(&mut row.record);
        let (write, new_size) = kept(number, &row.record);
        row.size = new_size;
        let record = &row.record;
        let share = share_of(&mut self.shares, &record.origin);
        for share in [share, &mut self.all] {
            share.of(&before).sub(size);
            share.of(&record.state).add(new_size);
        }
        if before == State::Pending
            && record.state != State::Pending
            && self.by_fingerprint.get(&record.fingerprint) == Some(&number)
        {
            self.by_fingerprint.remove(&record.fingerprint);
        }
        Some(write)
    }

    /// A part was answered, and with it the request, which is closed next: that is written.
    pub(super) fn answer(&mut self, number: u64, part: usize, answer: Body) {
        let row = self.rows.get_mut(&number);
        if let Some(part) = row.and_then(|row| row.record.parts.get_mut(part)) {
            part.answer = Some(answer);
        }
    }

    /// Ends a record: what remains is the answer, for a repetition of the request.
    /// Parts are forgotten, except those for which `keep` says that somebody asks
    /// later where they went.
    pub fn close(
        &mut self,
        number: u64,
        answer: Option<Body>,
        keep: impl Fn(&Place) -> bool,
    ) -> Option<Write> {
        let record = &mut self.rows.get_mut(&number)?.record;
        if record.report_to.is_some() {
            record.sent = sent::sent_to(record);
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
        let record = &self.rows.get(&number)?.record;
        let part = record.parts.iter().position(|part| part.place == *from)?;
        self.by_place.remove(from);
        self.by_place.insert(to.clone(), number);
        self.update(number, |record| {
            record.parts[part].place = to;
            record.parts[part].acknowledged = None;
        })
    }

    /// After a restart with a clock that was put back: no record is of the future.
    pub fn set_right(&mut self, now: Time) {
        for Row { record, .. } in self.rows.values_mut() {
            let ahead = record.received.since(now);
            record.received = Time(record.received.0 - ahead);
            record.expires = Time(record.expires.0.saturating_sub(ahead));
        }
    }

    /// Notes that a peer has acknowledged a part.
    pub fn acknowledged(&mut self, number: u64, place: &Place, now: Time) {
        let row = self.rows.get_mut(&number);
        let parts = row.map(|row| &mut row.record.parts);
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
        let Row { record, size } = self.rows.remove(&number)?;
        let share = share_of(&mut self.shares, &record.origin);
        for share in [share, &mut self.all] {
            share.of(&record.state).sub(size);
        }
        if self.by_fingerprint.get(&record.fingerprint) == Some(&number) {
            self.by_fingerprint.remove(&record.fingerprint);
        }
        // The same origin may have a newer row.
        if self.by_origin.get(&record.origin) == Some(&number) {
            self.by_origin.remove(&record.origin);
        }
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
            .and_then(|number| self.get(*number))
    }

    /// Unanswered requests of a peer.
    pub fn pending_of(&self, peer: &str) -> usize {
        self.pending(peer).number
    }

    /// Unanswered requests of a peer.
    pub fn pending(&self, peer: &str) -> Sum {
        self.shares
            .get(peer)
            .map_or_else(Sum::default, |share| share.pending)
    }

    /// Bytes that a record takes, about.
    pub(super) fn size_of(&self, number: u64) -> usize {
        self.rows.get(&number).map_or(0, |row| row.size)
    }

    /// Requests of all origins whose delivery was taken over.
    pub fn taken_over(&self) -> Sum {
        self.all.taken_over
    }

    /// Answered requests of all origins.
    pub fn answered(&self) -> Sum {
        self.all.answered
    }

    /// The origin of most of what is remembered of answered requests, if that is more than
    /// `most`.
    pub fn remembers_too_much(&self, most: Sum) -> Option<&str> {
        let all = self.all.answered;
        let measure: fn(&Sum) -> usize = if all.bytes > most.bytes {
            |sum| sum.bytes
        } else if all.number > most.number {
            |sum| sum.number
        } else {
            return None;
        };
        let shares = self.shares.iter();
        let largest = shares.max_by_key(|(_, share)| measure(&share.answered));
        largest.map(|(origin, _)| origin.as_str())
    }

    /// All records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.rows.iter().map(|(number, row)| (*number, &row.record))
    }

    fn index(&mut self, number: u64, record: Record, size: usize) {
        self.by_origin.insert(record.origin.clone(), number);
        for part in &record.parts {
            if part.place != Place::Here {
                self.by_place.insert(part.place.clone(), number);
            }
        }
        let share = share_of(&mut self.shares, &record.origin);
        for share in [share, &mut self.all] {
            share.of(&record.state).add(size);
        }
        if record.state == State::Pending {
            self.by_fingerprint.insert(record.fingerprint, number);
        }
        self.rows.insert(number, Row { record, size });
    }
}

impl Part {
    /// The peer it went to.
    pub(super) fn peer(&self) -> Option<&str> {
        self.place.at_peer().map(|(peer, _)| peer)
    }
}

impl Record {
    /// Whether it is a message.
    pub(super) fn is_message(&self) -> bool {
        self.name == Name::SendMessageRequest
    }

    /// Whether it was answered with a failure. Who has no answer does not know.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&self.state, State::Answered(Some(answer)) if answer.has_failed())
    }

    /// Its transactions with peers: the peer, and our id.
    pub(super) fn at_peers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().filter_map(|part| part.place.at_peer())
    }

    /// Those that are not answered.
    pub(super) fn at_peers_open(&self) -> impl Iterator<Item = (&str, &str)> {
        let open = self.parts.iter().filter(|part| part.answer.is_none());
        open.filter_map(|part| part.place.at_peer())
    }

    /// The part that went there.
    pub(super) fn part_at(&self, place: &Place) -> Option<&Part> {
        self.parts.iter().find(|part| part.place == *place)
    }
}

impl Place {
    /// A transaction with a peer, under our id.
    pub(in crate::sap) fn at(peer: &str, id: &str) -> Self {
        Self::Peer {
            peer: peer.to_owned(),
            id: id.to_owned(),
        }
    }

    pub(super) fn at_peer(&self) -> Option<(&str, &str)> {
        match self {
            Self::Peer { peer, id } => Some((peer, id)),
            _ => None,
        }
    }
}

impl Origin {
    /// The peer, or what stands for all elements of ours.
    pub fn name(&self) -> &str {
        match self {
            Self::Peer { peer, .. } => peer,
            Self::Element { .. } => "",
        }
    }

    /// Whether a peer has posted it, in whatever identity.
    pub(in crate::sap) fn is_of(&self, domain: &str) -> bool {
        matches!(self, Self::Peer { peer, .. } if domain_of(peer) == domain)
    }
}

impl State {
    /// The state without its answer.
    pub(super) fn clone_kind(&self) -> Self {
        match self {
            Self::Pending => Self::Pending,
            Self::TakenOver => Self::TakenOver,
            Self::Answered(_) => Self::Answered(None),
        }
    }
}

fn share_of<'s>(shares: &'s mut HashMap<String, Share>, origin: &Origin) -> &'s mut Share {
    shares.entry(origin.name().to_owned()).or_default()
}

fn kept(number: u64, record: &Record) -> (Write, usize) {
    let write = Write::put_json(key(number), record);
    let size = match &write {
        Write::Put { value, .. } => value.len(),
        Write::Delete { .. } => 0,
    };
    (write, size + OVERHEAD)
}

fn key(number: u64) -> String {
    format!("{PREFIX}{number:020}")
}
