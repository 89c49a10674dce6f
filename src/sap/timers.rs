//! Deadlines, in order. A timer that is of no use any more is not removed: who
//! set it checks when it fires.

use super::association::handshake::room::YIELD;
use super::deadlines::Deadlines;
use super::element::Time;
use super::{Count, Effect, Sap};
use crate::ssp::Code;

/// What a deadline is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A request should have been answered.
    Answer(u64),
    /// A request is given up.
    GiveUp(u64),
    /// An answered request may be forgotten.
    Forget(u64),
    /// A handshake step may be posted.
    Step(u64),
    /// A peer has something to do: handshake deadline, queue, expiry, keep-alive.
    Peer(String),
}

/// All deadlines.
pub(super) type Timers = Deadlines<Timer>;

impl Sap {
    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        while let Some(at) = self.next_timeout().filter(|at| *at <= now) {
            if self.timers.next() == Some(at) {
                match self.timers.due(now) {
                    Some(Timer::Answer(number)) => self.answer_due(number, now),
                    Some(Timer::GiveUp(number)) => self.give_up(number, now),
                    Some(Timer::Forget(number)) => match self.forget(number) {
                        Some(write) => self.effect(Effect::Write(write)),
                        None => self.forget_asked(number, now),
                    },
                    Some(Timer::Step(step)) => self.step_due(step),
                    Some(Timer::Peer(domain)) => self.peer_due(&domain, now),
                    None => {}
                }
            } else if self.services.next_timeout() == Some(at) {
                if let Some(peer) = self.services.due(now) {
                    self.services_due(&peer, now);
                }
            } else {
                self.profiles.timeout(now);
                self.drive_profiles();
            }
        }
    }

    /// When [`Sap::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let services = self.services.next_timeout();
        let others = services.into_iter().chain(self.profiles.next_timeout());
        self.timers.next().into_iter().chain(others).min()
    }

    /// Looks after one peer and sets the next time to do so.
    fn peer_due(&mut self, domain: &str, now: Time) {
        if let Some(state) = self.peers.get_mut(domain) {
            state.scheduled = None;
        }
        self.expire_leaving(domain, now);
        self.expire_handshakes(domain, now);
        self.expire_queue(domain, now);
        self.expire_sessions(domain, now);
        self.keep_alive(domain, now);
        self.look_after_reach(domain, now);
        self.pump(domain, now);
        self.schedule_peer(domain, now);
    }

    /// Sets the timer of a peer to the next thing that can happen there.
    pub(super) fn schedule_peer(&mut self, domain: &str, now: Time) {
        let (settings, Some(state)) = (&self.settings, self.peers.get(domain)) else {
            return;
        };
        let dialect = settings.peers.get(domain).map(|peer| &peer.dialect);
        let mut next: Option<Time> = None;
        let mut at = |time: Time| next = Some(next.map_or(time, |n| n.min(time)));
        if let Some(initiator) = &state.initiator {
            at(initiator.deadline);
        }
        for responder in &state.responders {
            at(responder.deadline);
        }
        if !state.outbox.is_empty() && state.outbox.not_before() > now {
            at(state.outbox.not_before());
        }
        if (state.wanted || !state.outbox.is_empty())
            && state.ready_session().is_none()
            && state.login_not_before > now
        {
            at(state.login_not_before);
        }
        if let Some(since) = state.yielding.filter(|_| state.ready_session().is_none()) {
            at(since.plus_millis(YIELD));
        }
        if let Some(expiry) = state.next_expiry {
            at(expiry);
        }
        if let Some(dialect) = dialect {
            if let Some(session) = state.ready_session().filter(|_| dialect.keep_alive) {
                at(session.keep_alive_at());
            }
            for session in state.sessions.iter().filter(|_| dialect.sessions_expire) {
                at(session.ends_at());
            }
        }
        if let Some(due) = state.reach.due()
            && state.ready_session().is_some()
            && settings.visiting.is_none()
            && !self.closing
            && self.looks_after_users()
        {
            at(due);
        }
        if let Some(leaving) = &state.leaving {
            at(leaving.until);
        }
        if let Some(delayed) = state.outbox.next_delayed(now) {
            at(delayed);
        }
        let Some(time) = next.map(|time| time.max(now.plus_millis(1))) else {
            return;
        };
        // One timer a peer; a later one comes when this one has fired.
        if let Some(state) = self.peers.get_mut(domain)
            && state.scheduled.is_none_or(|scheduled| scheduled > time)
        {
            state.scheduled = Some(time);
            self.timers.set(time, Timer::Peer(domain.to_owned()));
        }
    }

    pub(super) fn expire_queue(&mut self, domain: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        if state.next_expiry.is_none_or(|expiry| expiry > now) {
            return;
        }
        let (items, writes) = state.outbox.expire(now);
        state.next_expiry = state.outbox.next_expiry();
        self.write(writes);
        for item in items {
            let code = if item.name == "SendMessageRequest" {
                Code::EXPIRED
            } else {
                Code::TIMEOUT
            };
            self.item_lost(domain, &item, code, now);
        }
    }

    /// Refuses with a counted code.
    pub(super) fn count_refusal(&mut self, code: u16) {
        self.count(Count::Refused(code));
    }
}
