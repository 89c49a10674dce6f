//! When we log in to a peer, and what keeps us from it.

use std::time::Duration;

use crate::element::Time;

/// First back-off after a failed handshake and its longest (6.6).
pub(super) const BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(600);
/// A peer that answers 403 in each new session is logged in to after so much more each time, and
/// after so much at most; as after failed handshakes (wire profile, 6.6).
const FORBIDDEN_STEP: Duration = Duration::from_secs(10);
const LONGEST_FORBIDDEN: Duration = Duration::from_secs(600);
/// A login of ours waits so long for those of others that may not be the peer's;
/// our choice, some times what a handshake takes.
const YIELD: Duration = Duration::from_secs(3);
/// A peer that logs out may be starting anew: it is left alone for so long;
/// our choice.
const AFTER_LOGOUT: Duration = Duration::from_secs(2);
/// Between two handshakes in place of an abandoned one of the peer's (6.7).
const ONCE_A_MINUTE: Duration = Duration::from_secs(60);

/// When we log in to one peer.
#[derive(Debug, Default)]
pub(super) struct LoginTimes {
    /// A session is to come about even with an empty queue.
    pub(super) wanted: bool,
    /// Handshakes of ours that failed in a row.
    failures: u32,
    not_before: Time,
    /// The peer has disconnected us and said so, and until when it wants to be left alone.
    held: bool,
    /// It was disconnected and may not log in before.
    barred_until: Time,
    /// Since when a login of ours waits for those of others that may be the peer's.
    yielding: Option<Time>,
    /// Our last handshake begun in place of an abandoned one of the peer's.
    last_counter: Option<Time>,
    /// Sessions in a row whose first post was answered 403.
    forbidden: u32,
}

impl LoginTimes {
    pub(super) fn not_before(&self) -> Time {
        self.not_before
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn have_failed(&self) -> bool {
        self.failures > 0
    }

    /// Whether one waits for logins of others to end.
    pub(super) fn is_yielding(&self) -> bool {
        self.yielding.is_some()
    }

    /// When one that waits for those of others does so no more.
    pub(super) fn yields_until(&self) -> Option<Time> {
        self.yielding.map(|since| since.plus(YIELD))
    }

    /// Whether the peer's own handshakes go before ours; strangers in its name, not for long.
    pub(super) fn yields(&mut self, proven: bool, open: bool, now: Time) -> bool {
        if proven {
            return true;
        }
        if !open {
            self.yielding = None;
            return false;
        }
        now.after(*self.yielding.get_or_insert(now)) < YIELD
    }

    /// Notes that a login has begun.
    pub(super) fn begun(&mut self) {
        self.yielding = None;
    }

    /// There is a session.
    pub(super) fn succeeded(&mut self) {
        self.wanted = false;
        self.failures = 0;
        self.not_before = Time::default();
        self.held = false;
    }

    /// One has failed for good; `jitter` is added to the wait.
    pub(super) fn failed(&mut self, jitter: Duration, now: Time) {
        self.failures = self.failures.saturating_add(1);
        let wait = BACK_OFF.saturating_mul(self.failures).min(LONGEST_BACK_OFF);
        // The first failure is usually a neighbour that is just starting.
        let wait = if self.failures == 1 { wait / 10 } else { wait };
        self.not_before = now.plus(wait + jitter);
    }

    /// The next one may be now.
    pub(super) fn at_once(&mut self, now: Time) {
        self.not_before = now;
    }

    /// Nothing of before keeps us from one now.
    pub(super) fn lift(&mut self) {
        self.not_before = Time::default();
        self.failures = 0;
        self.held = false;
        self.forbidden = 0;
    }

    /// The configuration is another: as [`LoginTimes::lift`], but who was disconnected for a flood
    /// serves the pause.
    pub(super) fn begin_anew(&mut self) {
        self.lift();
        self.not_before = self.barred_until;
    }

    /// A session we had granted is not known to the peer. Once may happen; a peer that knows
    /// none of the sessions it grants must not be asked for ever new ones without a pause.
    pub(super) fn forbidden(&mut self, now: Time) {
        let wait = FORBIDDEN_STEP.saturating_mul(self.forbidden);
        self.not_before = now.plus(wait.min(LONGEST_FORBIDDEN));
        self.forbidden = self.forbidden.saturating_add(1);
    }

    /// The peer knows its session.
    pub(super) fn not_forbidden(&mut self) {
        self.forbidden = 0;
    }

    /// One side has logged out: the peer is left alone for a moment.
    pub(super) fn rest(&mut self, now: Time) {
        self.not_before = self.not_before.max(now.plus(AFTER_LOGOUT));
    }

    /// The peer has disconnected us, for so long.
    pub(super) fn hold(&mut self, wait: Duration, now: Time) {
        self.not_before = now.plus(wait);
        self.held = !wait.is_zero();
    }

    /// The peer is not to come before, nor are we.
    pub(super) fn bar(&mut self, until: Time) {
        self.barred_until = until;
        self.not_before = self.not_before.max(until);
    }

    /// For how long the peer may not log in yet.
    pub(super) fn barred(&self, now: Time) -> Option<Duration> {
        (now < self.barred_until).then(|| self.barred_until.after(now))
    }

    /// Whether a handshake of the peer that came to nothing is followed by one of ours, now.
    pub(super) fn counters(&mut self, now: Time) -> bool {
        let lately = |last| now.after(last) < ONCE_A_MINUTE;
        // A peer that wants to be left alone is, whoever begins a login in its name.
        let held = self.held && now < self.not_before;
        if held || self.last_counter.is_some_and(lately) {
            return false;
        }
        self.last_counter = Some(now);
        self.not_before = now;
        true
    }
}
