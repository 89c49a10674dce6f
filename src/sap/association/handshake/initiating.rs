//! Handshakes that we open (wire profile, 6.6 and 6.8).

use super::Role;
use super::room::YIELD;
use crate::sap::association::PeerState;
use crate::sap::association::handshake::{Initiator, Responder};
use crate::sap::element::Time;
use crate::sap::{Peer, Random, Sap};

/// First back-off after a failed handshake and its longest (6.6).
const BACK_OFF: u64 = 10_000;
const LONGEST_BACK_OFF: u64 = 600_000;
/// A session may be used so long before the step that tells its id (6.6, I3).
const HOLD: u64 = 5_000;

impl Sap {
    /// Sees to it that a session comes about even if there is nothing to send.
    pub(in crate::sap) fn want_session(&mut self, domain: &str, now: Time) {
        if let Some(state) = self.peers.get_mut(domain) {
            state.wanted = state.ready_session().is_none();
        }
        self.connect(domain, now);
        self.schedule_peer(domain, now);
    }

    /// Opens a handshake unless one is open, a session stands, or it is too early.
    pub fn connect(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        // Theirs go before ours, but strangers in their name not for long.
        let theirs = if state.responders.iter().any(Responder::is_proven) {
            true
        } else if state.responders.is_empty() {
            state.yielding = None;
            false
        } else {
            now.since(*state.yielding.get_or_insert(now)) < YIELD
        };
        // While we log out, nobody logs in.
        let busy = theirs
            || state.initiator.is_some()
            || state.ready_session().is_some()
            || state.leaving.is_some();
        if busy || now < state.login_not_before || self.token_is_awaited(&peer) {
            return;
        }
        self.initiate(&peer, now);
    }

    /// A new handshake at the address to which the peer has sent us.
    pub(in crate::sap) fn log_in_elsewhere(&mut self, peer: &Peer, now: Time) {
        let free = |state: &PeerState| state.initiator.is_none() && state.leaving.is_none();
        if self.token_is_awaited(peer) {
            if let Some(state) = self.peers.get_mut(&peer.domain) {
                state.wanted = true;
            }
        } else if self.peers.get(&peer.domain).is_some_and(free) {
            self.initiate(peer, now);
        }
    }

    fn initiate(&mut self, peer: &Peer, now: Time) {
        if self.closing {
            return;
        }
        let settings = self.settings.clone();
        let (initiator, step) = Initiator::start(
            peer.presented(&settings.domain),
            peer,
            settings.session_ttl,
            settings.handshake_timeout,
            &self.random,
            now,
        );
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.transaction = initiator.id,
            "opening a session"
        );
        if let Some(state) = self.peers.get_mut(&peer.domain) {
            state.initiator = Some(initiator);
            state.yielding = None;
            state.redirect = state.redirect.take().filter(|to| to.counts(now));
        }
        self.send_step(&peer.domain, Role::Initiator, step, now);
        self.schedule_peer(&peer.domain, now);
    }

    /// The next login of ours, after one that has failed for good.
    pub(super) fn back_off(&mut self, domain: &str, now: Time) {
        let jitter = self.random.below(BACK_OFF / 4);
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        state.redirect = None;
        state.further.clear();
        state.login_failures = state.login_failures.saturating_add(1);
        let wait = BACK_OFF
            .saturating_mul(u64::from(state.login_failures))
            .min(LONGEST_BACK_OFF);
        // The first failure is usually a neighbour that is just starting.
        let wait = if state.login_failures == 1 {
            wait / 10
        } else {
            wait
        };
        state.login_not_before = now.plus_millis(wait + jitter);
    }

    /// Whether the peer may use a session before its last step has reached us.
    pub(in crate::sap) fn awaits_last_step(&self, domain: &str, now: Time) -> bool {
        self.peers
            .get(domain)
            .and_then(|state| state.initiator.as_ref())
            .is_some_and(|initiator| initiator.just_logged_in(now, HOLD))
    }

    /// Our handshake with a peer; step 2 is matched by domain only.
    pub(super) fn initiator(&mut self, domain: &str) -> Option<&mut Initiator> {
        self.peers.get_mut(domain)?.initiator.as_mut()
    }

    pub(super) fn initiator_of(
        &mut self,
        domain: &str,
        id: &str,
    ) -> Option<(&mut Initiator, &Random)> {
        let initiator = self
            .peers
            .get_mut(domain)?
            .initiator
            .as_mut()
            .filter(|initiator| initiator.id == id)?;
        Some((initiator, &self.random))
    }
}
