//! Which contents of what waits for a user are in memory. All are on disk; those that a client of
//! the user has still to be told are in memory too, as far as there is room, so that what is told
//! at once is never read, and what was read ahead is read once.

use std::collections::BTreeMap;

use crate::element::Time;
use crate::imps::Primitive;

use super::body::Body;
use super::notice;

/// What a client is told of something that waits.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// The content of a message that waits.
    Message(Body),
    /// What became of the user's own: as it is told.
    Notice(Primitive),
}

impl Content {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(body) => body.bytes(),
            Self::Notice(primitive) => notice::bytes(primitive),
        }
    }
}

/// The contents in memory of one user, by the numbers by which clients know them.
#[derive(Debug, Default)]
pub(super) struct Held {
    contents: BTreeMap<u64, Content>,
    bytes: usize,
    /// The read that is under way.
    reading: Option<u64>,
    /// What could not be read is not tried before.
    not_before: Option<Time>,
}

impl Held {
    pub(super) fn get(&self, number: u64) -> Option<&Content> {
        self.contents.get(&number)
    }

    /// Whether nothing is in memory, nor on the way there.
    pub(super) fn is_empty(&self) -> bool {
        self.contents.is_empty() && self.reading.is_none()
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a content in memory.
    pub(super) fn insert(&mut self, number: u64, content: Content) {
        self.remove(number);
        self.bytes += content.bytes();
        self.contents.insert(number, content);
    }

    pub(super) fn remove(&mut self, number: u64) {
        let content = self.contents.remove(&number);
        self.bytes -= content.as_ref().map_or(0, Content::bytes);
    }

    /// The lowest number.
    pub(super) fn first(&self) -> Option<u64> {
        self.contents.first_key_value().map(|(number, _)| *number)
    }

    /// The highest number.
    pub(super) fn last(&self) -> Option<u64> {
        self.contents.last_key_value().map(|(number, _)| *number)
    }

    /// Whether something may be read now: one read is under way at a time.
    pub(super) fn may_read(&self, now: Time) -> bool {
        self.reading.is_none() && self.not_before.is_none_or(|at| at <= now)
    }

    /// A read has begun.
    pub(super) fn read(&mut self, number: u64) {
        self.reading = Some(number);
    }

    /// A read has ended. Says whether it is the one that is waited for.
    pub(super) fn has_read(&mut self, number: u64) -> bool {
        self.reading.take_if(|reading| *reading == number).is_some()
    }

    /// Nothing is read before this time.
    pub(super) fn pause(&mut self, until: Time) {
        self.not_before = Some(until);
    }
}
