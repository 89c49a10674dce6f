//! Numbers that are never given twice, and times to come back.

use std::collections::{BTreeMap, BTreeSet};

use sha1::{Digest, Sha1};

use crate::sap::{Act, Time};
use crate::store::Write;

/// Numbers reserved with one write.
const BLOCK: u64 = 1000;

/// Counts up for ever: outbox entries, tokens and generated ids share it. What
/// was reserved and not used before a restart is skipped.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u64,
    reserved: u64,
    seed: u64,
}

impl Numbers {
    pub(super) const KEY: &'static str = "gateway/next";

    pub(super) fn new(seed: u64) -> Self {
        Self {
            next: 1,
            reserved: 1,
            seed,
        }
    }

    /// After a restart: goes on behind all that was reserved.
    pub(super) fn restore(&mut self, value: &[u8]) -> Result<(), String> {
        let reserved: u64 = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        self.next = reserved;
        self.reserved = reserved;
        Ok(())
    }

    pub(super) fn next(&mut self, out: &mut Vec<Act>) -> u64 {
        if self.next >= self.reserved {
            self.reserved = self.next + BLOCK;
            out.push(Act::Write(Write::put_json(Self::KEY, &self.reserved)));
        }
        self.next += 1;
        self.next - 1
    }

    /// An id for a stanza or message, 16 hex digits.
    pub(super) fn id(&mut self, out: &mut Vec<Act>) -> String {
        let mut hash = Sha1::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.next(out).to_be_bytes());
        let mut id = String::with_capacity(16);
        for byte in &hash.finalize()[..8] {
            id.extend(char::from_digit(u32::from(byte >> 4), 16));
            id.extend(char::from_digit(u32::from(byte & 15), 16));
        }
        id
    }
}

/// When to look after what; each thing has one time at most.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeSet<(Time, T)>,
    at: BTreeMap<T, Time>,
}

impl<T: Ord + Clone> Timers<T> {
    pub(super) fn new() -> Self {
        Self {
            due: BTreeSet::new(),
            at: BTreeMap::new(),
        }
    }

    /// Looks after `thing` at `at`, or earlier if that was arranged already.
    pub(super) fn by(&mut self, at: Time, thing: T) {
        match self.at.get(&thing) {
            Some(known) if *known <= at => return,
            Some(known) => {
                self.due.remove(&(*known, thing.clone()));
            }
            None => {}
        }
        self.due.insert((at, thing.clone()));
        self.at.insert(thing, at);
    }

    /// Something that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let (_, thing) = self.due.pop_first()?;
        self.at.remove(&thing);
        Some(thing)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_do_not_repeat_across_a_restart() {
        let mut out = Vec::new();
        let mut numbers = Numbers::new(7);
        let first: Vec<u64> = (0..1500).map(|_| numbers.next(&mut out)).collect();
        assert_eq!(out.len(), 2);
        let Some(Act::Write(Write::Put { value, .. })) = out.last() else {
            panic!("a write");
        };
        let mut again = Numbers::new(8);
        again.restore(value).unwrap();
        assert!(again.next(&mut Vec::new()) > *first.last().unwrap());
        assert_ne!(numbers.id(&mut out), numbers.id(&mut out));
    }

    #[test]
    fn a_thing_is_due_once_at_its_earliest_time() {
        let mut timers = Timers::new();
        timers.by(Time(20), "a");
        timers.by(Time(10), "a");
        timers.by(Time(30), "a");
        timers.by(Time(15), "b");
        assert_eq!(timers.next(), Some(Time(10)));
        assert_eq!(timers.pop(Time(9)), None);
        assert_eq!(timers.pop(Time(30)), Some("a"));
        assert_eq!(timers.pop(Time(30)), Some("b"));
        assert_eq!(timers.pop(Time(30)), None);
    }
}
