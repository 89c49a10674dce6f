//! Drives the handshakes of all peers (wire profile, 6.5 to 6.9): ours
//! ([`initiating`]), theirs ([`responding`]), and what both have in common.

pub mod digest;
mod initiating;
pub mod initiator;
mod posting;
pub mod progress;
pub mod responder;
mod responding;
pub(in crate::sap) mod room;
mod steps;

pub use initiator::Initiator;
pub use progress::{Failure, Progress, Step};
pub use responder::Responder;

use crate::sap::association::logout::AWAY;
use crate::sap::association::reach::Reach;
use crate::sap::association::record::SessionRecord;
use crate::sap::element::Time;
use crate::sap::presented_as::domain_of;
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::{Count, Effect, Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::{Address, Mode, Primitive};
use crate::text::{IdShown, Shown};

/// Which handshake of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sap) enum Role {
    /// Ours.
    Initiator,
    /// The peer's, with its transaction id.
    Responder(String),
}

impl Role {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder(_) => "responder",
        }
    }
}

impl Sap {
    /// A setup message of a peer.
    pub(in crate::sap) fn setup(
        &mut self,
        transaction: &Transaction,
        facts: &Facts,
        now: Time,
    ) -> Verdict {
        if self.closing {
            return Verdict::Busy(Some(AWAY));
        }
        if transaction.id.is_empty() {
            // An answer without an id ends the deployed server's process.
            if let Some(left_out) = self.quiet.due("setup without id", now) {
                tracing::warn!(ssp.primitive = %Shown(&transaction.name), left_out, "setup message without transaction id");
            }
            return Verdict::Malformed;
        }
        let primitive = match transaction.primitive() {
            Ok(primitive) => primitive,
            Err(error) => {
                if let Some(left_out) = self.quiet.due("unusable setup", now) {
                    tracing::warn!(
                        ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), left_out,
                        "unusable setup message: {}", Shown(&error.to_string())
                    );
                }
                return Verdict::Malformed;
            }
        };
        let kept = match &primitive {
            Primitive::SendSecretToken(p) => p.token.0.len(),
            _ => 0,
        };
        if kept > room::MAX_TOKEN {
            if let Some(left_out) = self.quiet.due("long token", now) {
                tracing::warn!(
                    ssp.transaction = %Shown(&transaction.id), ssp.primitive = %transaction.name,
                    bytes = kept, left_out, "setup message with a token that is too long"
                );
            }
            return Verdict::Malformed;
        }
        let service = match &primitive {
            Primitive::SendSecretToken(p) => Some(p.service.clone()),
            Primitive::LoginRequest(p) => Some(p.service.clone()),
            _ => None,
        };
        let domain = match &service {
            Some(service) => self
                .settings
                .peer_of(service.domain())
                .map(|peer| peer.domain.clone()),
            None => self.handshake_owner(transaction, &primitive),
        };
        let Some(peer) = domain
            .as_deref()
            .and_then(|domain| self.peer_settings(domain))
        else {
            if let Some(left_out) = self.quiet.due("stranger", now) {
                tracing::warn!(
                    ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                    service = %Shown(service.as_ref().map_or("", Address::as_str)), left_out,
                    "setup message of a domain that is no peer, or of no open handshake"
                );
            }
            return Verdict::Forbidden;
        };
        if peer
            .client_name
            .as_ref()
            .is_some_and(|name| !facts.client_names.contains(name))
        {
            if let Some(left_out) = self.due_of(&peer.domain, "certificate", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    left_out,
                    "setup message without the peer's client certificate"
                );
            }
            return Verdict::Forbidden;
        }
        if !peer.is_from(facts.remote) {
            if let Some(left_out) = self.due_of(&peer.domain, "elsewhere", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    remote = facts.remote.map(tracing::field::display),
                    left_out,
                    "setup message from an address that is none of the peer's"
                );
            }
            return Verdict::Forbidden;
        }
        let id = &transaction.id;
        let peer = self.identity_addressed(peer, facts.host.as_deref(), |state| {
            let mut ours = state.initiator.iter();
            match (&primitive, transaction.mode) {
                // Step 2 has an id of its own.
                (Primitive::SendSecretToken(_), Mode::Response) => ours.any(|i| i.awaits(1)),
                (_, Mode::Response) => ours.any(|i| i.id == *id),
                (_, Mode::Request) => state.responders.iter().any(|r| r.id == *id),
            }
        });
        let (role, progress) = match (&primitive, transaction.mode) {
            (Primitive::SendSecretToken(token), Mode::Request) => {
                return self.first_step(&peer, &transaction.id, token, facts.remote, now);
            }
            (Primitive::SendSecretToken(token), Mode::Response) => {
                let Some(initiator) = self.initiator(&peer.domain) else {
                    return Verdict::Forbidden;
                };
                (Role::Initiator, initiator.token(&peer, token, now))
            }
            (Primitive::LoginRequest(login), Mode::Response) => {
                let Some((initiator, random)) = self.initiator_of(&peer.domain, &transaction.id)
                else {
                    return Verdict::Forbidden;
                };
                (Role::Initiator, initiator.login(&peer, login, random, now))
            }
            (Primitive::LoginResponse(response), Mode::Response) => {
                let Some((initiator, _)) = self.initiator_of(&peer.domain, &transaction.id) else {
                    return Verdict::Forbidden;
                };
                (Role::Initiator, initiator.response(&peer, response, now))
            }
            (Primitive::LoginRequest(login), Mode::Request) => {
                let Some((responder, _)) = self.responder_of(&peer.domain, &transaction.id) else {
                    return Verdict::Forbidden;
                };
                (
                    Role::Responder(transaction.id.clone()),
                    responder.login(&peer, login, now),
                )
            }
            (Primitive::LoginResponse(response), Mode::Request) => {
                let Some((responder, random)) = self.responder_of(&peer.domain, &transaction.id)
                else {
                    return Verdict::Forbidden;
                };
                (
                    Role::Responder(transaction.id.clone()),
                    responder.response(&peer, response, random, now),
                )
            }
            _ => {
                if let Some(left_out) = self.due_of(&peer.domain, "no setup", now) {
                    tracing::warn!(
                        ssp.peer = peer.domain,
                        ssp.primitive = %Shown(primitive.name()),
                        left_out,
                        "not a setup primitive"
                    );
                }
                return Verdict::Forbidden;
            }
        };
        let progress = match progress {
            Progress::Established(mut record, step) => {
                record.from = facts.remote;
                Progress::Established(record, step)
            }
            other => other,
        };
        let proven = matches!((&role, &progress), (Role::Responder(_), Progress::Send(step)) if step.number == 4);
        self.progress(&peer, role, progress, now);
        if proven {
            self.proven(&peer, &transaction.id, now);
        }
        Verdict::Accepted
    }

    fn progress(&mut self, peer: &Peer, role: Role, progress: Progress, now: Time) {
        match progress {
            Progress::Wait => {}
            Progress::Send(step) => {
                self.send_step(&peer.domain, role.clone(), step, now);
                self.let_others_log_in(peer, &role, now);
            }
            Progress::Established(record, step) => self.established(peer, role, record, step, now),
            Progress::Failed(failure, step) => {
                if let Some(step) = step {
                    self.post_once(&peer.domain, &role, &step, now);
                }
                self.handshake_failed(peer, &role, &failure, now);
            }
        }
    }

    fn established(
        &mut self,
        peer: &Peer,
        role: Role,
        mut record: SessionRecord,
        step: Option<Step>,
        now: Time,
    ) {
        let own_id = record.own_id.clone();
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.session = %IdShown(&own_id),
            peer_session = %IdShown(&record.peer_id),
            "session established"
        );
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        if role == Role::Initiator {
            state.initiator = None;
            state.further.clear();
            if let Some(redirect) = &state.redirect {
                record.url = Some(redirect.url.clone());
                record.url_until = redirect.until;
            }
            state.redirect = state.redirect.take().filter(|to| to.until.is_some());
        }
        let write = record.put();
        let was_up = state.ready_session().is_some();
        state.add_session(record, step.is_none());
        state.wanted = false;
        state.login_failures = 0;
        state.login_not_before = Time::default();
        state.held = false;
        state.closed = 0;
        state.outbox.forgive();
        state.last_error = None;
        self.effect(Effect::Write(write));
        self.count(Count::HandshakeDone);
        match step {
            Some(step) => self.send_step(&peer.domain, role, step, now),
            None => self.session_ready(&peer.domain, was_up, now),
        }
        self.limit_sessions(peer, now);
        self.schedule_peer(&peer.domain, now);
    }

    /// A session may be used for sending from now on.
    pub(in crate::sap) fn session_ready(&mut self, domain: &str, was_up: bool, now: Time) {
        if let Some(state) = self.peers.get_mut(domain) {
            state.reach = Reach::default();
        }
        self.heard_from(domain, now);
        if !was_up {
            self.effect(Effect::PeerState(domain_of(domain).to_owned(), true));
            self.services_due(domain, now);
        }
        self.pump(domain, now);
        self.schedule_peer(domain, now);
    }

    pub(in crate::sap) fn expire_handshakes(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        let Some(state) = self.peers.get(domain) else {
            return;
        };
        let mut late: Vec<Role> = state
            .responders
            .iter()
            .filter(|responder| responder.deadline <= now)
            .map(|responder| Role::Responder(responder.id.clone()))
            .collect();
        late.extend(
            state
                .initiator
                .iter()
                .filter(|initiator| initiator.deadline <= now)
                .map(|_| Role::Initiator),
        );
        for role in late {
            self.handshake_failed(&peer, &role, &Failure::TimedOut, now);
        }
    }

    fn handshake_failed(&mut self, peer: &Peer, role: &Role, failure: &Failure, now: Time) {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let (known, unusable) = state.abandon(role);
        if !known {
            return;
        }
        state.last_error = Some(failure.to_string());
        tracing::warn!(
            ssp.peer = peer.domain,
            role = role.as_str(),
            "handshake failed: {failure}"
        );
        self.count(Count::HandshakeFailed);
        let redirected = match (failure, role) {
            (Failure::Refused { redirects, .. }, _) => self.redirected(peer, redirects, now),
            (Failure::NotAcknowledged { .. } | Failure::TimedOut, Role::Initiator) => {
                self.next_address(&peer.domain, now)
            }
            _ => false,
        };
        match role {
            Role::Initiator if redirected => {}
            Role::Initiator => self.back_off(&peer.domain, now),
            Role::Responder(_) => self.abandoned(peer, failure, unusable, now),
        }
        if redirected {
            self.log_in_elsewhere(peer, now);
        }
        self.pump(&peer.domain, now);
        self.schedule_peer(&peer.domain, now);
        self.let_others_log_in(peer, role, now);
    }

    /// The peer with an open handshake of this transaction id. `LoginResponse` does
    /// not say who sends it; if it brings a session id, that has the peer's domain,
    /// which tells apart peers that number their handshakes alike.
    fn handshake_owner(&self, transaction: &Transaction, primitive: &Primitive) -> Option<String> {
        let owns = |state: &crate::sap::association::PeerState| match transaction.mode {
            Mode::Response => state
                .initiator
                .as_ref()
                .is_some_and(|initiator| initiator.id == transaction.id),
            Mode::Request => state
                .responders
                .iter()
                .any(|responder| responder.id == transaction.id),
        };
        let named = match primitive {
            Primitive::LoginResponse(response) => response
                .session
                .as_deref()
                .and_then(|session| session.split_once('@'))
                .and_then(|(_, domain)| self.settings.peer_of(&domain.to_ascii_lowercase()))
                .map(|peer| peer.domain.clone()),
            _ => None,
        };
        if let Some(named) = named {
            let mut identities = self.settings.identities_of(&named);
            let owner = identities.find(|peer| self.peers.get(&peer.domain).is_some_and(owns));
            if let Some(owner) = owner {
                return Some(owner.domain.clone());
            }
        }
        self.peers
            .iter()
            .find(|(_, state)| owns(state))
            .map(|(domain, _)| domain.clone())
    }
}
