//! The Transaction Table: every accepted request, where it came from, where its
//! parts went, and what was answered. It maps requested to initiated
//! transactions one to one, and results travel back along it, never by address.
//! Answered requests stay for the duplicate window, so that a repetition gets
//! the same answer and has no second effect (wire profile, 1 and 7.5).

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use super::index::Index;
use super::record::{Origin, Place, Record, State};
use super::remembered::Remembered;
use super::row;
use super::sent;
use crate::element::Time;
use crate::sap::body::Body;
use crate::sap::presented_as::PeerId;
use crate::sap::settings::Shards;
use crate::store::Write;
use rustc_hash::FxHashMap;

/// The table. Bounded by what its users accept, in number and bytes.
#[derive(Debug)]
pub struct Table {
    /// Rows that wait for something, by numbers of our own, which nobody else chooses.
    rows: FxHashMap<u64, Box<Row>>,
    /// Those that were answered.
    remembered: Remembered,
    by_origin: Index,
    by_place: Index,
    by_fingerprint: HashMap<u64, u64>,
    /// By the peer they come from.
    shares: HashMap<PeerId, Share>,
    /// Of all elements of ours.
    own: Share,
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
    /// How many rows there are.
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

/// And what a part takes besides its texts.
const PART: usize = 192;

/// Prefix of all records.
pub const PREFIX: &str = "sap/in/";

impl Default for Table {
    fn default() -> Self {
        Self::new(Shards::ONE)
    }
}

impl Table {
    /// An empty one, of this shard.
    pub fn new(shards: Shards) -> Self {
        Self {
            rows: FxHashMap::default(),
            remembered: Remembered::default(),
            by_origin: Index::default(),
            by_place: Index::default(),
            by_fingerprint: HashMap::new(),
            shares: HashMap::new(),
            own: Share::default(),
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

    /// Takes back a record written before a restart, of so many bytes.
    pub fn restore(&mut self, number: u64, mut record: Record, bytes: usize) {
        self.last = self.last.max(number);
        for part in &record.parts {
            if let Place::Element { request, .. } = part.place {
                self.last = self.last.max(request.0);
            }
        }
        let names = &mut self.remembered.names;
        if let Origin::Peer { peer, .. } = &mut record.origin {
            names.share(peer);
        }
        for part in &mut record.parts {
            if let Place::Peer { peer, .. } = &mut part.place {
                names.share(peer);
            }
        }
        let size = size_of_row(bytes, &record);
        self.index(number, record, size);
    }

    /// Adds a row under this number.
    pub fn insert(&mut self, number: u64, record: Record) -> Write {
        let (write, size) = kept(number, &record);
        let write = write.as_new();
        self.index(number, record, size);
        write
    }

    /// The record of this number, made for who asks if it was answered.
    pub fn get(&self, number: u64) -> Option<Cow<'_, Record>> {
        let open = self.open(number).map(Cow::Borrowed);
        open.or_else(|| self.remembered.get(number).map(Cow::Owned))
    }

    /// The record of this number, if it waits for something.
    pub fn open(&self, number: u64) -> Option<&Record> {
        self.rows.get(&number).map(|row| &row.record)
    }

    /// Whether there is a record of this number.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.rows.contains_key(&number) || self.remembered.contains(number)
    }

    /// Changes a record that waits for something.
    pub fn update(&mut self, number: u64, change: impl FnOnce(&mut Record)) -> Option<Write> {
        let row = self.rows.get_mut(&number)?;
        let (before, size) = (row.record.state.clone_kind(), row.size);
        change(&mut row.record);
        let (write, mut new_size) = kept(number, &row.record);
        if matches!(row.record.state, State::Answered(_)) {
            new_size = self.remembered.keep(number, &row.record);
        }
        row.size = new_size;
        let record = &row.record;
        let share = share_of(&mut self.shares, &mut self.own, &record.origin);
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
        if matches!(record.state, State::Answered(_)) {
            self.rows.remove(&number);
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
            self.by_place.remove(&part.place, number);
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
        let record = self.open(number)?;
        let part = record.parts.iter().position(|part| part.place == *from)?;
        self.by_place.remove(from, number);
        let rows = (&self.rows, &self.remembered);
        self.by_place.insert(&to, number, is_at(rows, &to));
        self.update(number, |record| {
            record.parts[part].place = to;
            record.parts[part].acknowledged = None;
        })
    }

    /// After a restart with a clock that was put back: no record is of the future.
    pub fn set_right(&mut self, now: Time) {
        for row in self.rows.values_mut() {
            row.record.set_right(now);
        }
        let numbers: Vec<u64> = self.remembered.numbers().collect();
        for number in numbers {
            let ahead = |record: &Record| record.received > now;
            if self.remembered.get(number).as_ref().is_some_and(ahead)
                && let Some((mut record, before)) = self.remembered.take(number)
            {
                record.set_right(now);
                let size = self.remembered.keep(number, &record);
                let share = share_of(&mut self.shares, &mut self.own, &record.origin);
                for share in [share, &mut self.all] {
                    share.answered.sub(before);
                    share.answered.add(size);
                }
            }
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

    /// Forgets a record: what it was.
    pub fn remove(&mut self, number: u64) -> Option<(Record, Write)> {
        let (record, size) = match self.rows.remove(&number) {
            Some(row) => (row.record, row.size),
            None => self.remembered.take(number)?,
        };
        let share = share_of(&mut self.shares, &mut self.own, &record.origin);
        for share in [share, &mut self.all] {
            share.of(&record.state).sub(size);
        }
        if self.by_fingerprint.get(&record.fingerprint) == Some(&number) {
            self.by_fingerprint.remove(&record.fingerprint);
        }
        // The same origin may have a newer row.
        self.by_origin.remove(&record.origin, number);
        for part in &record.parts {
            self.by_place.remove(&part.place, number);
        }
        Some((record, Write::delete(key(number))))
    }

    /// The record of a request that came from there.
    pub fn by_origin(&self, origin: &Origin) -> Option<u64> {
        let rows = (&self.rows, &self.remembered);
        self.by_origin.find(origin, is_from(rows, origin))
    }

    /// The record one of whose parts went there.
    pub fn by_place(&self, place: &Place) -> Option<u64> {
        let rows = (&self.rows, &self.remembered);
        self.by_place.find(place, is_at(rows, place))
    }

    /// A pending request with the same requestor and content.
    pub fn by_fingerprint(&self, fingerprint: u64) -> Option<&Record> {
        self.by_fingerprint
            .get(&fingerprint)
            .and_then(|number| self.open(*number))
    }

    /// Unanswered requests of a peer.
    pub fn pending_of(&self, peer: &str) -> usize {
        self.pending(peer).number
    }

    /// Unanswered requests of a peer.
    pub fn pending(&self, peer: &str) -> Sum {
        if peer.is_empty() {
            return self.own.pending;
        }
        let share = self.shares.get(peer);
        share.map_or_else(Sum::default, |share| share.pending)
    }

    /// Bytes that a record takes that waits for something, about.
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
        let shares = shares.map(|(peer, share)| (peer.as_str(), share));
        let shares = shares.chain([("", &self.own)]);
        let largest = shares.max_by_key(|(_, share)| measure(&share.answered));
        largest.map(|(origin, _)| origin)
    }

    /// Records that wait for something, in no order.
    pub fn all_open(&self) -> impl Iterator<Item = (u64, &Record)> {
        self.rows.iter().map(|(number, row)| (*number, &row.record))
    }

    /// Records that were answered, in no order.
    pub(super) fn all_answered(&self) -> impl Iterator<Item = (u64, Record)> {
        let numbers = self.remembered.numbers();
        numbers.filter_map(|number| Some((number, self.remembered.get(number)?)))
    }

    /// The newest records, at most so many, the newest first.
    pub fn newest(&self, most: usize) -> Vec<(u64, Cow<'_, Record>)> {
        let open = self.rows.keys().copied();
        let mut numbers: Vec<u64> = open.chain(self.remembered.numbers()).collect();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        let rows = numbers.into_iter().take(most);
        rows.filter_map(|number| Some((number, self.get(number)?)))
            .collect()
    }

    fn index(&mut self, number: u64, record: Record, mut size: usize) {
        let origin = &record.origin;
        let rows = (&self.rows, &self.remembered);
        self.by_origin.insert(origin, number, is_from(rows, origin));
        for part in &record.parts {
            let place = &part.place;
            if *place != Place::Here {
                self.by_place.insert(place, number, is_at(rows, place));
            }
        }
        let is_answered = matches!(record.state, State::Answered(_));
        if is_answered {
            size = self.remembered.keep(number, &record);
        }
        let share = share_of(&mut self.shares, &mut self.own, &record.origin);
        for share in [share, &mut self.all] {
            share.of(&record.state).add(size);
        }
        if record.state == State::Pending {
            self.by_fingerprint.insert(record.fingerprint, number);
        }
        if !is_answered {
            self.rows.insert(number, Box::new(Row { record, size }));
        }
    }
}

/// Where all rows are, open and answered.
type All<'r> = (&'r FxHashMap<u64, Box<Row>>, &'r Remembered);

fn share_of<'s>(
    shares: &'s mut HashMap<PeerId, Share>,
    own: &'s mut Share,
    origin: &Origin,
) -> &'s mut Share {
    match origin {
        Origin::Peer { peer, .. } => shares.entry(peer.clone()).or_default(),
        Origin::Element { .. } => own,
    }
}

fn is_from<'r>((rows, remembered): All<'r>, origin: &'r Origin) -> impl Fn(u64) -> bool + use<'r> {
    move |number| match rows.get(&number) {
        Some(row) => row.record.origin == *origin,
        None => remembered.is_from(number, origin),
    }
}

fn is_at<'r>((rows, remembered): All<'r>, place: &'r Place) -> impl Fn(u64) -> bool + use<'r> {
    let is_there = |record: &Record| record.part_at(place).is_some();
    move |number| match rows.get(&number) {
        Some(row) => is_there(&row.record),
        None => remembered.get(number).as_ref().is_some_and(is_there),
    }
}

fn kept(number: u64, record: &Record) -> (Write, usize) {
    let value = row::written(record);
    let size = size_of_row(value.len(), record);
    (Write::put(key(number), value), size)
}

/// Bytes of a row that is written as so many, about.
fn size_of_row(written: usize, record: &Record) -> usize {
    written + record.parts.len() * PART + OVERHEAD
}

fn key(number: u64) -> String {
    Write::numbered(PREFIX, number)
}
