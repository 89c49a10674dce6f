//! Times to come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::element::Time;

/// When to look after what; each thing has one time at most.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeSet<(Time, T)>,
    at: BTreeMap<T, Time>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self {
            due: BTreeSet::new(),
            at: BTreeMap::new(),
        }
    }
}

impl<T: Ord + Clone> Timers<T> {
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

    /// Looks after `thing` at `at`, if there is a time for it.
    pub(super) fn by_any(&mut self, at: Option<Time>, thing: T) {
        if let Some(at) = at {
            self.by(at, thing);
        }
    }

    /// Looks after `thing` at `at`, and not before.
    pub(super) fn put_off(&mut self, at: Time, thing: T) {
        if let Some(known) = self.at.remove(&thing) {
            self.due.remove(&(known, thing.clone()));
        }
        self.by(at, thing);
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
    use super::*;

    #[test]
    fn a_thing_is_due_once_at_its_earliest_time() {
        let mut timers = Timers::default();
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
