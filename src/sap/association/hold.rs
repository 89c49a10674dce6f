//! When a peer is not logged in to, why not, and what ends that: an operator's word, or another
//! configuration.

use crate::sap::association::PeerState;
use crate::sap::association::handshake::Responder;
use crate::sap::element::Time;
use crate::sap::{Peer, Sap};

/// A login that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// There is a session.
    Stands,
    /// It is under way, or waits for its turn.
    UnderWay,
    /// It has failed, for this reason.
    Failed(String),
}

impl PeerState {
    /// Nothing of before keeps us from a login now.
    fn lift_hold(&mut self) {
        self.login_not_before = Time::default();
        self.login_failures = 0;
        self.held = false;
        self.forbidden = 0;
        self.outbox.forgive();
        self.last_error = None;
    }
}

impl Sap {
    /// Logs in to a peer now, whatever has kept us from it, unless there is a session.
    pub fn connect_now(&mut self, domain: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        if state.initiator.is_some() {
            return;
        }
        if state.ready_session().is_some() {
            // A session may stand while the peer is away.
            state.outbox.forgive();
            self.knock(domain, now);
            return self.pump(domain, now);
        }
        state.lift_hold();
        self.want_session(domain, now);
    }

    /// What became of a login.
    pub fn login(&self, domain: &str) -> Login {
        let Some(state) = self.peers.get(domain) else {
            return Login::Failed("there is no such peer".to_owned());
        };
        match (state.ready_session().is_some(), state.reach.is_away()) {
            (true, _) if state.reach.is_tried() => return Login::UnderWay,
            (true, false) => return Login::Stands,
            (true, true) => {
                let why = state.last_error.as_deref().unwrap_or_default();
                return Login::Failed(format!("there is one, but the peer is not reached: {why}"));
            }
            (false, _) => {}
        }
        let waits = state.leaving.is_some()
            || state.yielding.is_some()
            || self
                .peer_settings(domain)
                .is_some_and(|peer| self.token_is_awaited(&peer));
        let theirs = state.responders.iter().any(Responder::is_proven);
        if state.initiator.is_some() || theirs || (waits && state.wanted && !self.closing) {
            return Login::UnderWay;
        }
        Login::Failed(match &state.last_error {
            Some(why) => why.clone(),
            None if self.closing => "this node is about to stop".to_owned(),
            None => "the session ended at once".to_owned(),
        })
    }

    /// After another configuration was taken over: what kept us from a peer may be mended.
    pub(in crate::sap) fn begin_anew(&mut self, peer: &Peer, now: Time) {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        if state.ready_session().is_none() && state.initiator.is_none() {
            state.lift_hold();
            // Who was disconnected for a flood serves the pause.
            state.login_not_before = state.barred_until;
        }
        if peer.connect_always {
            self.want_session(&peer.domain, now);
        }
    }
}
