//! What became of each message, for `wvgate explain`.
//!
//! The steps of messages are gathered in memory and written together, one record a second or as
//! soon as there are enough of them, so that remembering costs no commit of its own. A process
//! that is killed loses what happened to messages in its last second, never the messages. The
//! records are a log: pieces of what happened, oldest first, and whoever wants a message's
//! history puts its pieces together. The log is bounded by age, bytes and number; its oldest
//! records go first.

mod piece;
mod story;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::element::{Degraded, Element, Outcome, Time};
use crate::node::elements::{origin_name, place_name, word};
use crate::sap::is_shard;
use crate::sap::transaction::history::{Step, What};
use crate::store::Write;

use piece::shortened;
pub use piece::{Answer, End, Leg, Piece, Report, plain, short};
pub use story::{Part, Present, Story, in_words, means, status};

/// Prefix of the records.
pub const PREFIX: &str = "node/history/";

/// What was gathered is written after so long.
const GATHER: Duration = Duration::from_secs(1);
/// Or when it is so large, in bytes.
const ENOUGH: usize = 256 << 10;
/// If it cannot be written, no more than this is kept in memory, in bytes.
const TOO_MUCH: usize = 1 << 20;
/// Pieces in the log at most; our choice.
const MOST: usize = 1_000_000;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For so long; zero: nothing is.
    pub time: Duration,
    /// Bytes in the store.
    pub bytes: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(3 * 86_400),
            bytes: 64 << 20,
        }
    }
}

/// The histories of messages.
#[derive(Debug, Default)]
pub struct History {
    keep: Keep,
    /// Not yet written, by message.
    pending: HashMap<String, Piece>,
    pending_bytes: usize,
    /// When the first of them happened.
    since: Option<Time>,
    /// Nothing is written before.
    not_before: Time,
    /// Steps that were not kept because the store took none.
    pub lost: u64,
    log: VecDeque<Batch>,
    bytes: usize,
    pieces: usize,
}

/// A record of the log.
#[derive(Debug, Clone, Copy)]
struct Batch {
    number: u64,
    time: Time,
    bytes: usize,
    pieces: usize,
}

impl History {
    /// An empty history.
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Takes note of a record written before a restart; its content stays in the store.
    ///
    /// # Errors
    /// It is no such record.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let number = key.strip_prefix(PREFIX).and_then(|key| key.parse().ok());
        let number = number.ok_or_else(|| format!("{key} is no record of histories"))?;
        let pieces = memchr::memchr_iter(b'\n', value).count();
        // A record that cannot be read is the first to go.
        let time = time_of(value).unwrap_or_default();
        self.add(Batch {
            number,
            time,
            bytes: value.len(),
            pieces,
        });
        Ok(())
    }

    /// After a restart: nothing is of the future, if the clock was put back.
    pub fn start(&mut self, now: Time) {
        for batch in &mut self.log {
            batch.time = batch.time.min(now);
        }
    }

    /// Takes note of a step.
    pub fn note(&mut self, step: Step) {
        let Step {
            message,
            time,
            what,
        } = step;
        self.change(message, time, |piece| match what {
            What::Received {
                origin,
                sender,
                expires,
                parts,
            } => {
                // What came from another shard is told of there.
                if !is_shard(origin.name()) {
                    let (from, transaction) = origin_name(&origin);
                    piece.from = Some(short(from));
                    piece.transaction = transaction.map(short);
                }
                piece.sender = sender.map(|sender| shortened(sender.into()));
                piece.received = Some(time);
                piece.expires = Some(expires);
                for part in parts {
                    let (place, transaction) = place_name(&part.place);
                    if let Some(leg) = piece.leg(place, transaction) {
                        leg.to
                            .extend(part.to.into_iter().map(|to| shortened(to.into())));
                        leg.since = Some(time);
                        leg.answer = part.refused.map(|said| Answer {
                            time,
                            code: said.code,
                            reason: said.reason.map(shortened),
                            here: true,
                        });
                    }
                }
            }
            What::Taken(place) => {
                let (place, transaction) = place_name(&place);
                if let Some(leg) = piece.leg(place, transaction) {
                    leg.taken.get_or_insert(time);
                }
            }
            What::Ended(ended) => {
                let (place, transaction) = place_name(&ended.place);
                if let Some(leg) = piece.leg(place, transaction) {
                    leg.answer.get_or_insert(Answer {
                        time,
                        code: ended.result.code,
                        reason: ended.result.reason.map(shortened),
                        here: ended.here,
                    });
                }
            }
            What::TakenOver => piece.taken_over = piece.taken_over.or(Some(time)),
            What::Reported { by, result } => {
                let mut later = Piece::default();
                later.reports.push(Report {
                    time,
                    by: by.map(|by| shortened(by.into())),
                    code: result.code,
                    reason: result.reason.map(shortened),
                });
                piece.merge(later);
            }
        });
    }

    /// Takes note of how a copy ended in an element of this node.
    pub fn note_outcome(&mut self, message: &str, element: Element, outcome: Outcome, time: Time) {
        let (what, code) = words(outcome);
        self.change(message.to_owned(), time, |piece| {
            let mut later = Piece::default();
            if let Some(leg) = later.leg(word(element), None) {
                let what = what.to_owned();
                leg.ends.push(End { time, what, code });
            }
            piece.merge(later);
        });
    }

    fn change(&mut self, message: String, time: Time, change: impl FnOnce(&mut Piece)) {
        if self.keep.time.is_zero() {
            return;
        }
        if self.pending_bytes >= TOO_MUCH {
            self.lost += 1;
            return;
        }
        let (before, piece) = match self.pending.entry(shortened(message)) {
            Entry::Occupied(known) => (known.get().bytes(), known.into_mut()),
            // A new one counts from nothing.
            Entry::Vacant(new) => {
                let piece = Piece::new(new.key());
                (0, new.insert(piece))
            }
        };
        change(piece);
        self.pending_bytes += piece.bytes().saturating_sub(before);
        self.since.get_or_insert(time);
    }

    /// When [`History::flush`] wants to be called.
    pub fn next(&self) -> Option<Time> {
        let gathered = self.since.map(|since| {
            if self.pending_bytes >= ENOUGH {
                since
            } else {
                since.plus(GATHER)
            }
        });
        let oldest = self.log.front();
        let over = oldest.map(|batch| {
            batch
                .time
                .plus(self.keep.time.max(Duration::from_millis(1)))
        });
        let next = gathered.into_iter().chain(over).min();
        next.map(|next| next.max(self.not_before))
    }

    /// It cannot be written now: it is tried again later.
    pub fn wait(&mut self, now: Time) {
        self.not_before = now.plus(GATHER);
    }

    /// What was gathered, as a record, and which records are forgotten.
    pub fn flush(&mut self, now: Time) -> Vec<Write> {
        let mut writes = Vec::new();
        self.since = None;
        self.pending_bytes = 0;
        if !self.pending.is_empty() {
            let mut value = format!("{}\n", now.0).into_bytes();
            let pieces = self.pending.len();
            for (_, piece) in self.pending.drain() {
                // Texts and numbers can always be written.
                let _ = serde_json::to_writer(&mut value, &piece);
                value.push(b'\n');
            }
            self.pending.shrink_to(1024);
            let last = self.log.back().map_or(0, |batch| batch.number);
            let batch = Batch {
                number: now.0.max(last + 1),
                time: now,
                bytes: value.len(),
                pieces,
            };
            writes.push(Write::put(key(batch.number), value));
            self.add(batch);
        }
        while let Some(oldest) = self.log.front().copied() {
            let old = now.after(oldest.time) >= self.keep.time;
            if !(old || self.bytes > self.keep.bytes || self.pieces > MOST) {
                break;
            }
            self.log.pop_front();
            self.bytes -= oldest.bytes;
            self.pieces -= oldest.pieces;
            writes.push(Write::delete(key(oldest.number)));
        }
        writes
    }

    /// What is not yet written.
    pub fn pending(&self) -> impl Iterator<Item = &Piece> {
        self.pending.values()
    }

    /// Bytes in the store.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, batch: Batch) {
        self.bytes += batch.bytes;
        self.pieces += batch.pieces;
        self.log.push_back(batch);
    }
}

/// The pieces of a record. What cannot be read is left out.
pub fn pieces(record: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(record).unwrap_or_default();
    text.lines().skip(1)
}

/// When a record was written.
pub fn time_of(record: &[u8]) -> Option<Time> {
    let end = record.iter().position(|byte| *byte == b'\n')?;
    std::str::from_utf8(&record[..end])
        .ok()?
        .parse()
        .ok()
        .map(Time)
}

fn key(number: u64) -> String {
    Write::numbered(PREFIX, number)
}

/// How a copy of a message ended, in words.
pub fn outcome(outcome: Outcome) -> String {
    match words(outcome) {
        (what, Some(code)) => format!("ended: {what}, {}", status(code, None)),
        (what, None) => format!("ended: {what}"),
    }
}

fn words(outcome: Outcome) -> (&'static str, Option<u16>) {
    match outcome {
        Outcome::Delivered => ("delivered", None),
        Outcome::Relayed => ("relayed", None),
        Outcome::Expired => ("expired", Some(542)),
        Outcome::Refused(code) => ("refused", Some(code)),
        Outcome::Degraded(Degraded::PlainText) => ("delivered as plain text", None),
        Outcome::Degraded(Degraded::Reference) => ("delivered as a reference", None),
        Outcome::Repeated => ("not delivered again, its recipient has it already", None),
        Outcome::Untranslatable => ("dropped, it has no counterpart on the other side", None),
    }
}

#[cfg(test)]
mod tests;
