//! The handshakes with one peer (wire profile, 6.5 to 6.9): ours and theirs, one state machine
//! each, and their steps on the way.

pub mod digest;
pub mod initiator;
pub mod progress;
pub mod responder;
pub(in crate::sap) mod room;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

pub use initiator::Initiator;
pub use progress::{Failure, Progress, Step};
pub use responder::Responder;

use crate::element::Time;
use crate::imps::primitive::session::{LoginResponse, SendSecretToken};
use crate::imps::{Code, Primitive, Status};
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::redirect::Redirects;
use crate::sap::post::Posted;
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::ssp::Mode;
use steps::{Landed, PendingStep, Steps};

/// A session may be used so long before the step that tells its id (6.6, I3).
const HOLD: Duration = Duration::from_secs(5);
/// Between two resets of the same lost session (6.7).
const ONCE_A_MINUTE: Duration = Duration::from_secs(60);
/// Lost sessions of one peer that are reset in a minute; it has no more than a few.
const MAX_RESETS: usize = 8;

/// Which handshake of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// This node opened it.
    Initiator,
    /// The peer's, with its transaction id.
    Responder(String),
}

impl Role {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder(_) => "responder",
        }
    }
}

/// What the end of a step's post says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StepFate {
    /// Nothing to tell: a step before the last, one that is posted again, or one of a handshake that is over.
    Nothing,
    /// The peer has the last step of this handshake of its own, and with it our session id.
    Done(String),
    /// The handshake has failed.
    Failed(Role, Failure),
}

/// All handshakes with one peer.
#[derive(Debug)]
pub(in crate::sap) struct Handshakes {
    initiator: Option<Initiator>,
    responders: Vec<Responder>,
    steps: Steps,
    /// Where handshakes of this node go, if the peer has redirected them.
    pub(super) redirects: Redirects,
    /// Sessions we have lost and the peer was told to forget, and when.
    resets: BTreeMap<SessionId, Time>,
    /// Where the last handshake came from that was certainly the peer's.
    at_home: Option<IpAddr>,
}

impl Handshakes {
    pub(super) fn new(id: PeerId) -> Self {
        Self {
            initiator: None,
            responders: Vec::new(),
            steps: Steps::new(id),
            redirects: Redirects::default(),
            resets: BTreeMap::new(),
            at_home: None,
        }
    }

    /// What is to be reported, all at once.
    pub(super) fn events(&mut self) -> &mut VecDeque<Event> {
        &mut self.steps.events
    }

    /// Whether one of ours is open.
    pub(super) fn ours(&self) -> bool {
        self.initiator.is_some()
    }

    /// Whether one of the peer's is open.
    pub(super) fn theirs(&self) -> bool {
        !self.responders.is_empty()
    }

    /// Whether one is open that is certainly the peer's.
    pub(super) fn proven(&self) -> bool {
        self.responders.iter().any(Responder::is_proven)
    }

    /// Whether one is open to which a setup message of this mode and id belongs.
    pub(in crate::sap) fn has(&self, mode: Mode, id: &str) -> bool {
        match mode {
            Mode::Response => self.initiator.as_ref().is_some_and(|i| i.id == id),
            Mode::Request => self.responders.iter().any(|r| r.id == id),
        }
    }

    /// Whether ours waits for the peer's token, which does not say to whom it is given (6.1).
    pub(in crate::sap) fn awaits_token(&self) -> bool {
        self.initiator.as_ref().is_some_and(|i| i.awaits(1))
    }

    /// Whether the peer may use a session before its last step has reached us.
    pub(in crate::sap) fn awaits_last_step(&self, now: Time) -> bool {
        let initiator = self.initiator.as_ref();
        initiator.is_some_and(|initiator| initiator.just_logged_in(now, HOLD))
    }

    /// When one of them has failed for lack of progress.
    pub(super) fn deadline(&self) -> Option<Time> {
        let theirs = self.responders.iter().map(|responder| responder.deadline);
        let ours = self.initiator.iter().map(|initiator| initiator.deadline);
        theirs.chain(ours).min()
    }

    /// Those that have failed for lack of progress.
    pub(super) fn late(&self, now: Time) -> Vec<Role> {
        let theirs = self.responders.iter().filter(|r| r.deadline <= now);
        let theirs = theirs.map(|responder| Role::Responder(responder.id.clone()));
        let ours = self.initiator.iter().filter(|i| i.deadline <= now);
        theirs.chain(ours.map(|_| Role::Initiator)).collect()
    }

    /// Opens a handshake of this node.
    pub(super) fn open(&mut self, peer: &Peer, shared: &Shared, now: Time) {
        let settings = &shared.settings;
        let (initiator, step) = Initiator::start(
            peer.presented(&settings.domain),
            peer,
            settings.session_ttl,
            settings.handshake_timeout,
            &shared.random,
            now,
        );
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.transaction = initiator.id,
            "opening a session"
        );
        self.initiator = Some(initiator);
        self.redirects.begun(now);
        self.send(peer, Role::Initiator, step, shared, now);
    }

    /// What follows from step 1 of the peer if it was sent before.
    pub(super) fn repeated(
        &self,
        id: &str,
        token: &SendSecretToken,
        now: Time,
    ) -> Option<Progress> {
        let mut responders = self.responders.iter();
        let responder = responders.find(|responder| responder.id == id)?;
        Some(responder.token_again(token, now))
    }

    /// Answers step 1 of the peer.
    pub(super) fn respond(
        &mut self,
        peer: &Peer,
        (id, token): (&str, &SendSecretToken),
        from: Option<IpAddr>,
        shared: &Shared,
        now: Time,
    ) {
        let settings = &shared.settings;
        let times = (settings.session_ttl, settings.handshake_timeout);
        let (mut responder, step) = Responder::start(
            peer.presented(&settings.domain),
            peer,
            id,
            token,
            times,
            &shared.random,
            now,
        );
        responder.from = from;
        self.responders.push(responder);
        self.send(peer, Role::Responder(id.to_owned()), step, shared, now);
    }

    /// What follows from a setup message; `None` if it belongs to no open handshake.
    pub(super) fn take(
        &mut self,
        peer: &Peer,
        (mode, id): (Mode, &str),
        primitive: &Primitive,
        shared: &Shared,
        now: Time,
    ) -> Option<(Role, Progress)> {
        if mode == Mode::Request {
            let mut responders = self.responders.iter_mut();
            let responder = responders.find(|responder| responder.id == id)?;
            let progress = match primitive {
                Primitive::LoginRequest(login) => responder.login(peer, login, now),
                Primitive::LoginResponse(response) => {
                    responder.response(peer, response, &shared.random, now)
                }
                _ => return None,
            };
            return Some((Role::Responder(id.to_owned()), progress));
        }
        let initiator = self.initiator.as_mut()?;
        let progress = match primitive {
            // Step 2 has an id of its own: it is matched by domain only.
            Primitive::SendSecretToken(token) => initiator.token(peer, token, now),
            _ if initiator.id != id => return None,
            Primitive::LoginRequest(login) => initiator.login(peer, login, &shared.random, now),
            Primitive::LoginResponse(response) => initiator.response(peer, response, now),
            _ => return None,
        };
        Some((Role::Initiator, progress))
    }

    /// Ours has led to a session.
    pub(super) fn done(&mut self) {
        self.initiator = None;
    }

    /// Takes one out. Whether there was one, and the session that came of it.
    pub(super) fn abandon(&mut self, role: &Role) -> (bool, Option<SessionId>) {
        let Role::Responder(id) = role else {
            return (self.initiator.take().is_some(), None);
        };
        let Some(at) = self.responders.iter().position(|r| r.id == *id) else {
            return (false, None);
        };
        let responder = self.responders.remove(at);
        (true, responder.session().cloned())
    }

    /// Forgets all handshakes.
    pub(super) fn clear(&mut self) {
        self.initiator = None;
        self.responders.clear();
        self.steps.clear();
    }

    /// The one that gives way to one more, begun at this address; `None`: there is room.
    pub(super) fn who_gives_way(&self, from: Option<IpAddr>) -> Option<String> {
        room::who_gives_way(&self.responders, from, self.at_home)
    }

    /// Whether there are so many steps 2 on their way that the link has no room for more.
    pub(super) fn link_is_full(&self) -> bool {
        self.steps.tokens() >= room::TOKENS
    }

    /// The digest in one of the peer's was right. The one that gives way to it, if there are
    /// too many of these.
    pub(super) fn is_proven(&mut self, id: &str) -> Option<String> {
        let responder = self.responders.iter().find(|r| r.id == id);
        let from = responder.and_then(|responder| responder.from);
        self.at_home = from.map(room::neighbourhood);
        let proven = || self.responders.iter().filter(|r| r.is_proven());
        (proven().count() > room::PROVEN)
            .then(|| proven().next().map(|oldest| oldest.id.clone()))
            .flatten()
    }

    /// Sends a step, when its time has come.
    pub(super) fn send(&mut self, peer: &Peer, role: Role, step: Step, shared: &Shared, now: Time) {
        let attempt = 0;
        let pending = PendingStep {
            role,
            step,
            attempt,
        };
        self.post(peer, pending, shared, now);
    }

    /// Sends a step that is never repeated.
    pub(super) fn send_once(
        &mut self,
        peer: &Peer,
        role: &Role,
        step: &Step,
        shared: &Shared,
        now: Time,
    ) {
        let url = self.redirects.url(now).filter(|_| *role == Role::Initiator);
        self.steps.post_once(step, peer, url, shared);
    }

    fn post(&mut self, peer: &Peer, pending: PendingStep, shared: &Shared, now: Time) {
        let ours = pending.role == Role::Initiator;
        let url = self.redirects.url(now).filter(|_| ours);
        self.steps.post(pending, peer, url, shared, now);
    }

    /// When the next step may be posted.
    pub(super) fn next_step(&self) -> Option<Time> {
        self.steps.next()
    }

    /// Posts the next step that waits for its time.
    pub(super) fn step_due(&mut self, peer: Option<&Peer>, shared: &Shared) {
        if let Some(pending) = self.steps.take_next()
            && let Some(peer) = peer
            && self.is_alive(&pending)
        {
            let at = pending.step.at;
            self.post(peer, pending, shared, at);
        }
    }

    /// Whether a post is one of a step.
    pub(super) fn is_posting(&self, number: u64) -> bool {
        self.steps.is_posting(number)
    }

    /// A post has ended; `None` if it was none of a step.
    pub(super) fn posted(
        &mut self,
        number: u64,
        outcome: &Posted,
        peer: Option<&Peer>,
        shared: &Shared,
        now: Time,
    ) -> Option<StepFate> {
        let pending = self.steps.take_posted(number)?;
        let Some(peer) = peer.filter(|_| self.is_alive(&pending)) else {
            return Some(StepFate::Nothing);
        };
        Some(match pending.landed(outcome, peer, now) {
            // Step 6 acknowledged: the peer knows our session id.
            Landed::Acknowledged(PendingStep {
                role: Role::Responder(id),
                step: Step { number: 6, .. },
                ..
            }) => StepFate::Done(id),
            Landed::Acknowledged(_) => StepFate::Nothing,
            Landed::Again(pending) => {
                self.post(peer, pending, shared, now);
                StepFate::Nothing
            }
            Landed::Failed(pending, why) => {
                let step = pending.step.number;
                StepFate::Failed(pending.role, Failure::NotAcknowledged { step, why })
            }
        })
    }

    /// Whether a step still waits for its answer.
    fn is_alive(&self, pending: &PendingStep) -> bool {
        let number = pending.step.number;
        match &pending.role {
            Role::Initiator => self
                .initiator
                .as_ref()
                .is_some_and(|i| i.id == pending.step.id && i.awaits(number)),
            Role::Responder(id) => self
                .responders
                .iter()
                .any(|r| r.id == *id && r.awaits(number)),
        }
    }

    /// Whether a session that we have lost is to be reset now.
    pub(super) fn may_reset(&mut self, session: &SessionId, now: Time) -> bool {
        self.resets
            .retain(|_, last| now.after(*last) < ONCE_A_MINUTE);
        if self.resets.contains_key(session) || self.resets.len() >= MAX_RESETS {
            return false;
        }
        self.resets.insert(session.clone(), now);
        true
    }

    /// Makes a peer that knows no logout forget a session, by a refusal under the number in its
    /// id (deployed-server, 4).
    pub(super) fn make_forget(
        &mut self,
        peer: &Peer,
        session: &SessionId,
        shared: &Shared,
        now: Time,
    ) {
        let number = session
            .as_str()
            .split('@')
            .next()
            .unwrap_or_default()
            .to_owned();
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
        self.send_once(peer, &Role::Responder(number), &step, shared, now);
    }
}
