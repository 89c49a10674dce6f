//! Whether a peer is reached, which is not the same as having a session with it: a session may
//! stand for days while the peer is away.
//!
//! Posts tell it by the way. Where nothing is posted, and this node serves somebody who may watch
//! the peer's users, a connection is tried now and then.

use crate::sap::association::posting::Flight;
use crate::sap::element::Time;
use crate::sap::presented_as::domain_of;
use crate::sap::{Effect, Knock, Posted, Sap};

/// A peer of whom nothing was heard for so long is tried: milliseconds; our choice.
const SILENCE: u64 = 10_000;
/// One post that fails is no absence; after so long it is: milliseconds; our choice.
const ABSENCE: u64 = 5_000;

/// What is known of the way to a peer.
#[derive(Debug, Default)]
pub(in crate::sap) struct Reach {
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
    pub(in crate::sap) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether a connection is being tried.
    pub(in crate::sap) fn is_tried(&self) -> bool {
        self.trying
    }

    /// When there is something to do, if there is a session.
    pub(in crate::sap) fn due(&self) -> Option<Time> {
        let absent = self.away.filter(|_| !self.told);
        let absent = absent.map(|since| since.plus_millis(ABSENCE));
        let silent = self.heard.max(self.tried).plus_millis(SILENCE);
        let silent = (!self.trying).then_some(silent);
        absent.into_iter().chain(silent).min()
    }
}

impl Sap {
    /// Something came from the peer, or reached it.
    pub(in crate::sap) fn heard_from(&mut self, domain: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        state.reach.heard = now;
        if state.reach.away.take().is_none() {
            return;
        }
        tracing::info!(ssp.peer = domain, "the peer is reached again");
        if std::mem::take(&mut state.reach.told) && state.ready_session().is_some() {
            self.effect(Effect::PeerState(domain_of(domain).to_owned(), true));
        }
    }

    /// The peer could not be reached.
    pub(in crate::sap) fn not_reached(&mut self, domain: &str, why: &str, now: Time) {
        if let Some(state) = self.peers.get_mut(domain)
            && state.reach.away.is_none()
        {
            state.reach.away = Some(now);
            state.last_error = Some(why.to_owned());
        }
    }

    /// Tells those who watch its users that a peer is away, though a session stands; and tries a
    /// connection to one of whom nothing was heard for a while.
    pub(in crate::sap) fn look_after_reach(&mut self, domain: &str, now: Time) {
        if self.closing || self.settings.visiting.is_some() || !self.looks_after_users() {
            return;
        }
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        if state.ready_session().is_none() {
            return;
        }
        let reach = &mut state.reach;
        let absent = |since: &Time| now.since(*since) >= ABSENCE;
        let gone = reach.away.filter(absent).filter(|_| !reach.told);
        reach.told |= gone.is_some();
        let silent = now.since(reach.heard.max(reach.tried)) >= SILENCE && !reach.trying;
        if let Some(since) = gone {
            let why = state.last_error.as_deref().unwrap_or_default();
            tracing::warn!(
                ssp.peer = domain,
                "the peer is away, though there is a session: {why}"
            );
            self.effect(Effect::PeerAway(domain_of(domain).to_owned(), since));
        }
        if silent {
            self.knock(domain, now);
        }
    }

    /// Tries a connection to a peer, unless one is being tried.
    pub(in crate::sap) fn knock(&mut self, domain: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        if std::mem::replace(&mut state.reach.trying, true) {
            return;
        }
        state.reach.tried = now;
        let number = self.numbers.next();
        let flight = Flight::Reach(domain.to_owned());
        self.flights.insert(number, flight);
        let peer = domain_of(domain).to_owned();
        self.effect(Effect::Knock(Knock { peer, number }));
    }

    /// Whether it matters here that a silent peer is away.
    pub(in crate::sap) fn looks_after_users(&self) -> bool {
        self.settings.routes.any_local()
    }

    /// What became of a connection that was tried.
    pub(in crate::sap) fn reach_tried(&mut self, domain: &str, outcome: &Posted, now: Time) {
        if let Some(state) = self.peers.get_mut(domain) {
            state.reach.trying = false;
        }
        match outcome {
            Posted::Failed(why) => {
                self.not_reached(domain, why, now);
                if let Some(state) = self.peers.get_mut(domain) {
                    state.last_error = Some(why.clone());
                }
            }
            _ => {
                self.heard_from(domain, now);
                self.pump(domain, now);
            }
        }
        self.schedule_peer(domain, now);
    }
}
