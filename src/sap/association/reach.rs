//! Whether a peer is reached, which is not the same as having a session with it: a session may
//! stand for days while the peer is away.
//!
//! Posts tell it by the way. Where nothing is posted, and this node serves somebody who may watch
//! the peer's users, a connection is tried now and then.

use crate::element::Time;

/// A peer of whom nothing was heard for so long is tried: milliseconds; our choice.
const SILENCE: u64 = 10_000;
/// One post that fails is no absence; after so long it is: milliseconds; our choice.
const ABSENCE: u64 = 5_000;

/// What is known of the way to a peer.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// When something last came from it, or reached it.
    heard: Time,
    /// Since when it is not reached.
    away: Option<Time>,
    /// Its users' watchers were told.
    told: bool,
    /// When it was last tried.
    tried: Time,
    trying: bool,
}

impl Reach {
    pub(super) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether a connection is being tried.
    pub(super) fn is_tried(&self) -> bool {
        self.trying
    }

    /// When there is something to do, if there is a session.
    pub(super) fn due(&self) -> Option<Time> {
        let absent = self.away.filter(|_| !self.told);
        let absent = absent.map(|since| since.plus_millis(ABSENCE));
        let silent = self.heard.max(self.tried).plus_millis(SILENCE);
        let silent = (!self.trying).then_some(silent);
        absent.into_iter().chain(silent).min()
    }

    /// Something came from it, or reached it. Since then it was away, if it was; and whether
    /// that was told.
    pub(super) fn heard(&mut self, now: Time) -> Option<bool> {
        self.heard = now;
        self.away.take()?;
        Some(std::mem::take(&mut self.told))
    }

    /// It could not be reached. Whether that is new.
    pub(super) fn lost(&mut self, now: Time) -> bool {
        let new = self.away.is_none();
        self.away.get_or_insert(now);
        new
    }

    /// Since when it is not reached, if that is to be told now.
    pub(super) fn gone(&mut self, now: Time) -> Option<Time> {
        let absent = |since: &Time| now.since(*since) >= ABSENCE;
        let gone = self.away.filter(absent).filter(|_| !self.told);
        self.told |= gone.is_some();
        gone
    }

    /// Whether a connection is to be tried, because nothing was heard for a while.
    pub(super) fn is_silent(&self, now: Time) -> bool {
        now.since(self.heard.max(self.tried)) >= SILENCE && !self.trying
    }

    /// Tries a connection; false if one is being tried.
    pub(super) fn try_it(&mut self, now: Time) -> bool {
        if std::mem::replace(&mut self.trying, true) {
            return false;
        }
        self.tried = now;
        true
    }

    /// What was tried has ended.
    pub(super) fn tried(&mut self) {
        self.trying = false;
    }
}
