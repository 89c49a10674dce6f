//! How much a peer may ask: its rate, and the end of a session in which it is exceeded
//! for too long (wire profile, 11.1: disconnection for overload).

use crate::sap::element::Time;
use crate::sap::{Peer, Sap};
use crate::ssp::{Code, Status};

/// Who is refused is told to come again after so long: milliseconds; our choice.
pub(in crate::sap) const LATER: u64 = 1_000;
/// A flood has ended when nothing came too early for so long: milliseconds; our choice.
const CALM: u64 = 10_000;
/// Who was disconnected may log in again after so long: seconds; our choice.
const PAUSE: u32 = 60;
const REASON: &str = "too many requests for too long";

/// What a peer may still ask, and how it takes a refusal.
#[derive(Debug, Default)]
pub(in crate::sap) struct Allowance {
    /// Thousandths of a request, and since when that is known.
    left: u64,
    since: Time,
    /// The last refusal.
    refused: Option<Time>,
    /// First and last post that came earlier after a refusal than it was told.
    flood: Option<(Time, Time)>,
}

impl Allowance {
    /// Whether so many requests more keep to the rate; a second's worth may come
    /// in one burst.
    fn takes(&mut self, requests: usize, per_second: u32, now: Time) -> bool {
        let (rate, requests) = (u64::from(per_second), requests as u64);
        let gained = now.since(self.since).saturating_mul(rate);
        let left = self.left.saturating_add(gained);
        self.left = left.min(rate.saturating_mul(1000));
        self.since = now;
        let enough = self.left >= requests.min(rate).saturating_mul(1000);
        if enough {
            self.left = self.left.saturating_sub(requests.saturating_mul(1000));
        }
        enough
    }

    /// Notes a refusal; for how long the peer has not heeded them: milliseconds.
    fn refused(&mut self, now: Time) -> u64 {
        let last = self.refused.replace(now);
        if last.is_none_or(|last| now.since(last) >= LATER) {
            return 0;
        }
        let going_on = self.flood.filter(|(_, last)| now.since(*last) < CALM);
        let (begun, _) = going_on.unwrap_or((now, now));
        self.flood = Some((begun, now));
        now.since(begun)
    }
}

impl Sap {
    /// Whether so many requests more are faster than the peer may send. One that goes on
    /// so for too long is disconnected.
    pub(in crate::sap) fn is_too_fast(&mut self, peer: &Peer, requests: usize, now: Time) -> bool {
        let (Some(rate), Some(state)) = (peer.max_rate, self.peers.get_mut(peer.real())) else {
            return false;
        };
        if state.allowance.takes(requests, rate, now) {
            return false;
        }
        let flooding = state.allowance.refused(now);
        tracing::debug!(ssp.peer = peer.domain, "the peer sends faster than it may");
        self.count_refusal(Code::UNAVAILABLE.0);
        let borne = peer.max_flood.is_none_or(|most| flooding < most);
        // Who does not understand it may never log in again by itself.
        if !borne && peer.dialect.logout {
            let settings = self.settings.clone();
            for identity in settings.identities_of(&peer.domain) {
                self.disconnect_flooder(identity, now);
            }
        }
        true
    }

    fn disconnect_flooder(&mut self, peer: &Peer, now: Time) {
        let domain = &peer.domain;
        tracing::warn!(ssp.peer = domain, "disconnecting the peer: {REASON}");
        let sessions = self.peers.get(domain).into_iter().flat_map(|p| &p.sessions);
        let ready: Vec<String> = sessions
            .filter(|session| session.ready)
            .map(|session| session.record.own_id.clone())
            .collect();
        for session in ready {
            let status = Status {
                try_again: Some(PAUSE),
                ..Status::new(Code::UNAVAILABLE).because(REASON)
            };
            self.disconnect(peer, &session, status, now);
        }
        self.end_open(domain, now);
        self.drop_sessions(domain);
        if let Some(state) = self.peers.get_mut(domain) {
            let until = now.plus_seconds(u64::from(PAUSE));
            state.barred_until = until;
            state.login_not_before = state.login_not_before.max(until);
            state.leaving = None;
            state.last_error = Some(format!("disconnected: {REASON}"));
            state.allowance.flood = None;
        }
        self.schedule_peer(domain, now);
    }
}
