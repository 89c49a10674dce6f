//! Drives the handshakes of all peers (wire profile, 6.5 to 6.9).

use super::element::Time;
use super::posting::PendingStep;
use super::receive::Verdict;
use super::session::{Failure, Initiator, Progress, Responder, SessionRecord, Step};
use super::{Count, Effect, Peer, Posted, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::session::LoginResponse;
use crate::ssp::{Address, Code, Mode, Primitive, Status};

/// Which handshake of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Ours.
    Initiator,
    /// The peer's, with its transaction id.
    Responder(String),
}

/// Handshakes one peer may have open at once; glare needs two.
const MAX_RESPONDERS: usize = 8;
/// First back-off after a failed handshake and its longest (6.6).
const BACK_OFF: u64 = 10_000;
const LONGEST_BACK_OFF: u64 = 600_000;
/// Redirects followed in a row (6.8).
const MAX_REDIRECTS: u32 = 3;
/// Between two resets of a peer's lost session, or two handshakes in place of an
/// abandoned one (6.7).
const ONCE_A_MINUTE: u64 = 60_000;
/// A session may be used so long before the step that tells its id (6.6, I3).
const HOLD: u64 = 5_000;

impl Sap {
    /// Sees to it that a session comes about even if there is nothing to send.
    pub(super) fn want_session(&mut self, domain: &str, now: Time) {
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
        let busy = state.initiator.is_some()
            || !state.responders.is_empty()
            || state.ready_session().is_some();
        if busy || now < state.login_not_before {
            return;
        }
        self.initiate(&peer, now);
    }

    fn initiate(&mut self, peer: &Peer, now: Time) {
        let settings = self.settings.clone();
        let (initiator, step) = Initiator::start(
            &settings.domain,
            peer,
            settings.session_ttl,
            settings.handshake_timeout,
            &mut self.random,
            now,
        );
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.transaction = initiator.id,
            "opening a session"
        );
        if let Some(state) = self.peers.get_mut(&peer.domain) {
            state.initiator = Some(initiator);
        }
        self.send_step(&peer.domain, Role::Initiator, step, now);
        self.schedule_peer(&peer.domain, now);
    }

    fn send_step(&mut self, domain: &str, role: Role, step: Step, now: Time) {
        self.post_step(
            PendingStep {
                peer: domain.to_owned(),
                role,
                step,
                attempt: 0,
            },
            now,
        );
    }

    /// A setup message of a peer.
    pub(super) fn setup(
        &mut self,
        transaction: &Transaction,
        client_names: &[String],
        now: Time,
    ) -> Verdict {
        if transaction.id.is_empty() {
            // An answer without an id ends the deployed server's process.
            tracing::warn!(ssp.primitive = %transaction.name, "setup message without transaction id");
            return Verdict::Malformed;
        }
        let primitive = match transaction.primitive() {
            Ok(primitive) => primitive,
            Err(error) => {
                tracing::warn!(ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "unusable setup message: {error}");
                return Verdict::Malformed;
            }
        };
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
            tracing::warn!(
                ssp.transaction = transaction.id, ssp.primitive = %transaction.name,
                service = service.as_ref().map_or("", Address::as_str),
                "setup message of a domain that is no peer, or of no open handshake"
            );
            return Verdict::Forbidden;
        };
        if peer
            .client_name
            .as_ref()
            .is_some_and(|name| !client_names.contains(name))
        {
            tracing::warn!(
                ssp.peer = peer.domain,
                "setup message without the peer's client certificate"
            );
            return Verdict::Forbidden;
        }
        let (role, progress) = match (&primitive, transaction.mode) {
            (Primitive::SendSecretToken(token), Mode::Request) => {
                return self.first_step(&peer, &transaction.id, token, now);
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
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.primitive = primitive.name(),
                    "not a setup primitive"
                );
                return Verdict::Forbidden;
            }
        };
        self.progress(&peer, role, progress, now);
        Verdict::Accepted
    }

    fn first_step(
        &mut self,
        peer: &Peer,
        id: &str,
        token: &crate::ssp::primitive::session::SendSecretToken,
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
        if state.responders.len() >= MAX_RESPONDERS {
            tracing::warn!(ssp.peer = peer.domain, "too many handshakes open");
            return Verdict::Busy(Some(10_000));
        }
        let times = (settings.session_ttl, settings.handshake_timeout);
        let (responder, step) = Responder::start(
            &settings.domain,
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

    fn progress(&mut self, peer: &Peer, role: Role, progress: Progress, now: Time) {
        match progress {
            Progress::Wait => {}
            Progress::Send(step) => self.send_step(&peer.domain, role, step, now),
            Progress::Established(record, step) => self.established(peer, role, record, step, now),
            Progress::Failed(failure, step) => {
                if let Some(step) = step {
                    self.post_once(&peer.domain, &step);
                }
                self.handshake_failed(peer, &role, &failure, now);
            }
        }
    }

    fn established(
        &mut self,
        peer: &Peer,
        role: Role,
        record: SessionRecord,
        step: Option<Step>,
        now: Time,
    ) {
        let own_id = record.own_id.clone();
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.session = own_id,
            peer_session = record.peer_id,
            "session established"
        );
        let write = record.put();
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let was_up = state.ready_session().is_some();
        state.add_session(record, step.is_none());
        state.wanted = false;
        state.login_failures = 0;
        state.login_not_before = Time::default();
        (state.redirects, state.closed) = (0, 0);
        state.outbox.not_before = Time::default();
        state.last_error = None;
        if role == Role::Initiator {
            state.initiator = None;
            state.redirect = None;
        }
        self.effect(Effect::Write(write));
        self.count(Count::HandshakeDone);
        match step {
            Some(step) => self.send_step(&peer.domain, role, step, now),
            None => self.session_ready(&peer.domain, was_up, now),
        }
        self.schedule_peer(&peer.domain, now);
    }

    fn session_ready(&mut self, domain: &str, was_up: bool, now: Time) {
        if !was_up {
            self.effect(Effect::PeerState(domain.to_owned(), true));
            self.services_due(domain, now);
        }
        self.pump(domain, now);
    }

    /// The fate of a posted step.
    pub(super) fn step_posted(&mut self, mut pending: PendingStep, outcome: &Posted, now: Time) {
        let Some(peer) = self.peer_settings(&pending.peer) else {
            return;
        };
        if !self.role_is_alive(&pending) {
            return;
        }
        let why = match outcome {
            Posted::Acknowledged => {
                // Step 6 acknowledged: the peer knows our session id.
                if let (Role::Responder(id), 6) = (&pending.role, pending.step.number) {
                    self.responder_done(&peer.domain, id, now);
                }
                return;
            }
            // Unlike a closed connection these are not a matter of timing.
            Posted::Refused {
                status: status @ (400 | 403 | 413 | 415),
                ..
            } => {
                pending.attempt = usize::MAX;
                format!("HTTP {status}")
            }
            Posted::Refused { status, .. } => format!("HTTP {status}"),
            Posted::Closed => "connection closed without an answer".to_owned(),
            Posted::Failed(why) => why.clone(),
        };
        let Some(wait) = peer.dialect.handshake_retries.get(pending.attempt).copied() else {
            let failure = Failure::NotAcknowledged {
                step: pending.step.number,
                why,
            };
            return self.handshake_failed(&peer, &pending.role.clone(), &failure, now);
        };
        pending.attempt += 1;
        pending.step.at = now.plus_millis(wait);
        self.post_step(pending, now);
    }

    fn responder_done(&mut self, domain: &str, id: &str, now: Time) {
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

    /// Whether the step still waits for its answer.
    pub(super) fn role_is_alive(&self, pending: &PendingStep) -> bool {
        self.peers
            .get(&pending.peer)
            .is_some_and(|state| match &pending.role {
                Role::Initiator => state.initiator.as_ref().is_some_and(|initiator| {
                    initiator.id == pending.step.id && initiator.awaits(pending.step.number)
                }),
                Role::Responder(id) => state
                    .responders
                    .iter()
                    .any(|responder| responder.id == *id && responder.awaits(pending.step.number)),
            })
    }

    pub(super) fn expire_handshakes(&mut self, domain: &str, now: Time) {
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
        let jitter = self.random.below(BACK_OFF / 4);
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let mut unusable = None;
        let known = match role {
            Role::Initiator => state.initiator.take().is_some(),
            Role::Responder(id) => match state.responders.iter().position(|r| r.id == *id) {
                Some(at) => {
                    // A session whose id the peer never acknowledged cannot be used,
                    // unless it has used it itself in the meantime.
                    let responder = state.responders.remove(at);
                    unusable = responder
                        .session()
                        .and_then(|own| state.session_mut(own))
                        .filter(|session| !session.ready)
                        .map(|session| session.record.own_id.clone());
                    true
                }
                None => false,
            },
        };
        if !known {
            return;
        }
        state.last_error = Some(failure.to_string());
        tracing::warn!(ssp.peer = peer.domain, role = ?role, "handshake failed: {failure}");
        let mut redirected = false;
        match role {
            Role::Initiator => {
                state.redirect = None;
                let redirect = match failure {
                    Failure::Refused { redirects, .. } => {
                        redirects.iter().find(|url| peer.redirects.contains(url))
                    }
                    _ => None,
                };
                if let (Some(url), true) = (redirect, state.redirects < MAX_REDIRECTS) {
                    state.redirects += 1;
                    state.redirect = Some(url.clone());
                    state.login_not_before = now;
                    redirected = true;
                } else {
                    state.redirects = 0;
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
            }
            Role::Responder(_) => {
                // The peer may wait for ever; a session of ours frees its queue (6.7).
                let counter = state
                    .last_counter
                    .is_none_or(|last| now.since(last) >= ONCE_A_MINUTE);
                if counter && *failure != Failure::Digest {
                    state.last_counter = Some(now);
                    state.login_not_before = now;
                }
                if let Some(own_id) = unusable {
                    self.drop_session(&peer.domain, &own_id);
                }
                if counter && *failure != Failure::Digest {
                    self.want_session(&peer.domain, now);
                }
            }
        }
        self.count(Count::HandshakeFailed);
        if redirected {
            self.connect(&peer.domain, now);
        }
        self.pump(&peer.domain, now);
        self.schedule_peer(&peer.domain, now);
    }

    /// Tells a peer that keeps using a session we have lost to forget it
    /// (deployed-server, section 4), and logs in ourselves.
    pub(super) fn reset_lost_session(&mut self, domain: &str, session: &str, now: Time) {
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
            ssp.session = session,
            "telling the peer to forget a session that we have lost"
        );
        self.post_once(
            domain,
            &Step {
                number: 6,
                mode: Mode::Response,
                id: number,
                primitive: primitive.into(),
                at: now,
            },
        );
        self.want_session(domain, now);
    }

    /// Whether the peer may use a session before its last step has reached us.
    pub(super) fn awaits_last_step(&self, domain: &str, now: Time) -> bool {
        self.peers
            .get(domain)
            .and_then(|state| state.initiator.as_ref())
            .is_some_and(|initiator| initiator.just_logged_in(now, HOLD))
    }

    /// The peer with an open handshake of this transaction id. `LoginResponse` does
    /// not say who sends it; if it brings a session id, that has the peer's domain,
    /// which tells apart peers that number their handshakes alike.
    fn handshake_owner(&self, transaction: &Transaction, primitive: &Primitive) -> Option<String> {
        let owns = |state: &super::peer::PeerState| match transaction.mode {
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
        if let Some(named) = named
            && self.peers.get(&named).is_some_and(owns)
        {
            return Some(named);
        }
        self.peers
            .iter()
            .find(|(_, state)| owns(state))
            .map(|(domain, _)| domain.clone())
    }

    /// Our handshake with a peer; step 2 is matched by domain only.
    fn initiator(&mut self, domain: &str) -> Option<&mut Initiator> {
        self.peers.get_mut(domain)?.initiator.as_mut()
    }

    fn initiator_of(
        &mut self,
        domain: &str,
        id: &str,
    ) -> Option<(&mut Initiator, &mut super::Random)> {
        let initiator = self
            .peers
            .get_mut(domain)?
            .initiator
            .as_mut()
            .filter(|initiator| initiator.id == id)?;
        Some((initiator, &mut self.random))
    }

    fn responder_of(
        &mut self,
        domain: &str,
        id: &str,
    ) -> Option<(&mut Responder, &mut super::Random)> {
        let responders = &mut self.peers.get_mut(domain)?.responders;
        let responder = responders.iter_mut().find(|responder| responder.id == id)?;
        Some((responder, &mut self.random))
    }
}
