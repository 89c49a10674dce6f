//! Deadlines in order. One that is of no use any more need not be removed: who set it
//! checks when it has come.

use std::collections::BTreeSet;

use crate::element::Time;

/// Deadlines of things of one kind.
#[derive(Debug)]
pub(super) struct Deadlines<T>(BTreeSet<(Time, T)>);

impl<T: Ord> Default for Deadlines<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Deadlines<T> {
    pub(super) fn set(&mut self, at: Time, what: T) {
        self.0.insert((at, what));
    }

    /// Takes a deadline back, if it was set for exactly this time.
    pub(super) fn cancel(&mut self, at: Time, what: T) {
        self.0.remove(&(at, what));
    }

    /// The next deadline, if there is one.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes one that has come.
    pub(super) fn due(&mut self, now: Time) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, what)| what)
    }
}
