//! Handshakes that a peer opens (wire profile, 6.6 and 6.7).

use std::net::IpAddr;

use super::Role;
use crate::sap::association::handshake::{Failure, Responder, Step};
use crate::sap::element::Time;
use crate::sap::verdict::Verdict;
use crate::sap::{Peer, Random, Sap};
use crate::ssp::primitive::session::{LoginResponse, SendSecretToken};
use crate::ssp::{Code, Mode, Status};
use crate::text::IdShown;

/// Between two resets of the same lost session, or two handshakes in place of an abandoned one
/// (6.7).
const ONCE_A_MINUTE: u64 = 60_000;
/// Lost sessions of one peer that are reset in a minute; it has no more than a few.
const MAX_RESETS: usize = 8;

impl Sap {
    pub(super) fn first_step(
        &mut self,
        peer: &Peer,
        id: &str,
        token: &SendSecretToken,
        from: Option<IpAddr>,
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
        if let Err(verdict) = self.make_room(peer, from, now) {
            return verdict;
        }
        let times = (settings.session_ttl, settings.handshake_timeout);
        let (mut responder, step) = Responder::start(
            peer.presented(&settings.domain),
            peer,
            id,
            token,
            times,
            &self.random,
            now,
        );
        responder.from = from;
        if let Some(state) = self.peers.get_mut(&peer.domain) {
            state.responders.push(responder);
        }
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
        // A peer that wants to be left alone is, whoever begins a login in its name.
        let held = state.held && now < state.login_not_before;
        let counter =
            *failure != Failure::Digest && !held && !state.last_counter.is_some_and(lately);
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
    /// (deployed-server, 4), and logs in ourselves.
    pub(in crate::sap) fn reset_lost_session(&mut self, domain: &str, session: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        state
            .resets
            .retain(|_, last| now.since(*last) < ONCE_A_MINUTE);
        if state.resets.contains_key(session) || state.resets.len() >= MAX_RESETS {
            return;
        }
        state.resets.insert(session.to_owned(), now);
        tracing::info!(
            ssp.peer = domain,
            ssp.session = %IdShown(session),
            "telling the peer to forget a session that we have lost"
        );
        self.make_forget(domain, session, now);
        self.want_session(domain, now);
    }

    /// Makes a peer that knows no logout forget a session, by a refusal under the number in its
    /// id (deployed-server, 4).
    pub(in crate::sap) fn make_forget(&mut self, domain: &str, session: &str, now: Time) {
        let number = session.split('@').next().unwrap_or_default().to_owned();
        let primitive = LoginResponse {
            session: None,
            time_to_live: Some(0),
            status: Status::new(Code::INVALID_SESSION),
            redirects: None,
        };
        let step = Step {
            number: 6,
            mode: Mode::Response,
            id: number.clone(),
            primitive: primitive.into(),
            at: now,
        };
        self.post_once(domain, &Role::Responder(number), &step, now);
    }

    pub(super) fn responder_of(
        &mut self,
        domain: &str,
        id: &str,
    ) -> Option<(&mut Responder, &Random)> {
        let responders = &mut self.peers.get_mut(domain)?.responders;
        let responder = responders.iter_mut().find(|responder| responder.id == id)?;
        Some((responder, &self.random))
    }
}
