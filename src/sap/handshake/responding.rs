//! Handshakes that a peer opens (wire profile, 6.6 and 6.7).

use super::Role;
use crate::sap::element::Time;
use crate::sap::receive::Verdict;
use crate::sap::session::{Failure, Responder, Step};
use crate::sap::{Peer, Random, Sap};
use crate::ssp::primitive::session::{LoginResponse, SendSecretToken};
use crate::ssp::{Code, Mode, Status};
use crate::text::IdShown;

/// Handshakes one peer may have open at once; glare needs two.
const MAX_RESPONDERS: usize = 8;
/// Between two resets of a peer's lost session, or two handshakes in place of an
/// abandoned one (6.7).
const ONCE_A_MINUTE: u64 = 60_000;

impl Sap {
    pub(super) fn first_step(
        &mut self,
        peer: &Peer,
        id: &str,
        token: &SendSecretToken,
        now: Time,
    ) -> Verdict {
        let settings = self.settings.clone();
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return Verdict::Forbidden;
        };
        if let Some(responder) = state.responders.iter().find(|responder| responder.id == id) {
            let progress = responder.token_again(token, now);
            self.progress(peer, Role::Responder(id.to_owned()), progress, now);
            return Verdict::Accepted;
        }
        if now < state.barred_until {
            return Verdict::Busy(Some(state.barred_until.since(now)));
        }
        if state.responders.len() >= MAX_RESPONDERS {
            tracing::warn!(ssp.peer = peer.domain, "too many handshakes open");
            return Verdict::Busy(Some(10_000));
        }
        let times = (settings.session_ttl, settings.handshake_timeout);
        let (responder, step) = Responder::start(
            peer.presented(&settings.domain),
            peer,
            id,
            token,
            times,
            &mut self.random,
            now,
        );
        state.responders.push(responder);
        self.send_step(&peer.domain, Role::Responder(id.to_owned()), step, now);
        self.schedule_peer(&peer.domain, now);
        Verdict::Accepted
    }

    pub(super) fn responder_done(&mut self, domain: &str, id: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let was_up = state.ready_session().is_some();
        let Some(at) = state.responders.iter().position(|r| r.id == id) else {
            return;
        };
        let responder = state.responders.remove(at);
        if let Some(session) = responder.session().and_then(|own| state.session_mut(own)) {
            session.ready = true;
        }
        self.session_ready(domain, was_up, now);
    }

    /// A handshake of the peer has failed, and with it perhaps a session whose id it
    /// never acknowledged. It may wait for ever; a session of ours frees its queue
    /// (6.7).
    pub(super) fn abandoned(
        &mut self,
        peer: &Peer,
        failure: &Failure,
        unusable: Option<String>,
        now: Time,
    ) {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let lately = |last| now.since(last) < ONCE_A_MINUTE;
        let counter = *failure != Failure::Digest && !state.last_counter.is_some_and(lately);
        if counter {
            state.last_counter = Some(now);
            state.login_not_before = now;
        }
        if let Some(own_id) = unusable {
            self.drop_session(&peer.domain, &own_id);
        }
        if counter {
            self.want_session(&peer.domain, now);
        }
    }

    /// Tells a peer that keeps using a session we have lost to forget it
    /// (deployed-server, section 4), and logs in ourselves.
    pub(in crate::sap) fn reset_lost_session(&mut self, domain: &str, session: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        if state
            .last_reset
            .is_some_and(|last| now.since(last) < ONCE_A_MINUTE)
        {
            return;
        }
        state.last_reset = Some(now);
        let number = session.split('@').next().unwrap_or_default().to_owned();
        let primitive = LoginResponse {
            session: None,
            time_to_live: Some(0),
            status: Status::new(Code::INVALID_SESSION),
            redirects: None,
        };
        tracing::info!(
            ssp.peer = domain,
            ssp.session = %IdShown(session),
            "telling the peer to forget a session that we have lost"
        );
        let step = Step {
            number: 6,
            mode: Mode::Response,
            id: number.clone(),
            primitive: primitive.into(),
            at: now,
        };
        self.post_once(domain, &Role::Responder(number), &step, now);
        self.want_session(domain, now);
    }

    pub(super) fn responder_of(
        &mut self,
        domain: &str,
        id: &str,
    ) -> Option<(&mut Responder, &mut Random)> {
        let responders = &mut self.peers.get_mut(domain)?.responders;
        let responder = responders.iter_mut().find(|responder| responder.id == id)?;
        Some((responder, &mut self.random))
    }
}
