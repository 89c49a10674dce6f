//! The initiator's side of a handshake (wire profile, 6.6).
//!
//! ```text
//! I1 token sent ── their token ──▶ I2 login sent ── their digest ──▶ I3 logged in ── their session ──▶ I4
//! ```

use super::digest::{digest, new_token, verify};
use super::progress::is_foreign;
use super::{Failure, Progress, Step};
use std::time::Duration;

use crate::element::{Time, seconds};
use crate::imps::primitive::session::{LoginRequest, LoginResponse, SendSecretToken, Token};
use crate::imps::{Address, Code, Status};
use crate::sap::association::record::SessionRecord;
use crate::sap::random::Random;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::ssp::Mode;

/// A handshake that we opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiator {
    own_domain: String,
    /// N: carried by steps 1 and 3 to 6.
    pub id: String,
    token: Token,
    state: State,
    /// What we announce, and the smaller of that and theirs.
    own_ttl: Duration,
    ttl: Duration,
    timeout: Duration,
    /// When the handshake has failed for lack of progress.
    pub deadline: Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// I1: the token is sent, the peer's is awaited.
    TokenSent,
    /// I2: the digest is sent, the peer's is awaited.
    LoginSent,
    /// I3, with our own session id, since when.
    LoggedIn(SessionId, Time),
}

impl Initiator {
    /// Opens a handshake: step 1.
    pub fn start(
        own_domain: &str,
        peer: &Peer,
        ttl: Duration,
        timeout: Duration,
        random: &Random,
        now: Time,
    ) -> (Self, Step) {
        let token = new_token(random);
        let initiator = Self {
            own_domain: own_domain.to_owned(),
            id: random.hex(8),
            token: token.clone(),
            state: State::TokenSent,
            own_ttl: ttl,
            ttl,
            timeout,
            deadline: now.plus(timeout),
        };
        let primitive = SendSecretToken {
            service: Address::service(own_domain),
            protocol: Some("WV-SSP".to_owned()),
            version: Some(peer.dialect.version.clone()),
            token,
        };
        let step = Step {
            number: 1,
            mode: Mode::Request,
            id: initiator.id.clone(),
            primitive: primitive.into(),
            at: now,
        };
        (initiator, step)
    }

    /// Whether our step of this number is the last one, still without its answer:
    /// only then may it be repeated. An id that a peer has dealt with is fatal to
    /// the deployed server's login.
    pub fn awaits(&self, step: u8) -> bool {
        let last = match self.state {
            State::TokenSent => 1,
            State::LoginSent => 3,
            State::LoggedIn(..) => 5,
        };
        step == last
    }

    /// Whether our own session id has been out for less than this, so that the
    /// peer may use the session before its step 6 has arrived.
    pub fn just_logged_in(&self, now: Time, within: Duration) -> bool {
        matches!(self.state, State::LoggedIn(_, since) if now.after(since) < within)
    }

    /// Takes in step 2: the peer's token.
    pub fn token(&mut self, peer: &Peer, theirs: &SendSecretToken, now: Time) -> Progress {
        if self.state != State::TokenSent {
            // A repetition: our step 3 is out already.
            return Progress::Wait;
        }
        self.state = State::LoginSent;
        self.deadline = now.plus(self.timeout);
        let primitive = LoginRequest {
            service: Address::service(&self.own_domain),
            time_to_live: Some(seconds(self.ttl)),
            digest: digest(&theirs.token, &peer.password),
        };
        let pause = Duration::from_millis(peer.dialect.handshake_pause);
        Progress::Send(self.step(3, primitive, now.plus(pause)))
    }

    /// Takes in step 4: the peer's digest.
    pub fn login(
        &mut self,
        peer: &Peer,
        theirs: &LoginRequest,
        random: &Random,
        now: Time,
    ) -> Progress {
        match self.state {
            State::TokenSent => Progress::Failed(Failure::Misbehaved("step 4 before step 2"), None),
            State::LoggedIn(..) => Progress::Wait,
            State::LoginSent if !verify(&theirs.digest, &self.token, &peer.password) => {
                Progress::Failed(
                    Failure::Digest,
                    Some(self.step(5, refusal(Code::UNAUTHORIZED), now)),
                )
            }
            State::LoginSent => {
                let session = SessionId::from(format!("{}@{}", random.hex(8), self.own_domain));
                self.ttl = shorter(self.ttl, theirs.time_to_live);
                self.state = State::LoggedIn(session.clone(), now);
                self.deadline = now.plus(self.timeout);
                let primitive = LoginResponse {
                    session: Some(session.as_str().to_owned()),
                    time_to_live: Some(seconds(self.ttl)),
                    status: Status::ok(),
                    redirects: None,
                };
                Progress::Send(self.step(5, primitive, now))
            }
        }
    }

    /// Step 6, or a refusal at any point.
    pub fn response(&mut self, peer: &Peer, theirs: &LoginResponse, now: Time) -> Progress {
        if !theirs.status.code.is_success() {
            return Progress::Failed(
                Failure::Refused {
                    code: theirs.status.code,
                    redirects: theirs.redirects.clone().unwrap_or_default(),
                },
                None,
            );
        }
        let (State::LoggedIn(own_id, _), Some(peer_id)) = (&self.state, &theirs.session) else {
            return Progress::Failed(
                Failure::Misbehaved("step 6 out of order or without a session id"),
                None,
            );
        };
        if is_foreign(peer, peer_id) {
            return Progress::Failed(Failure::ForeignSession, None);
        }
        let record = SessionRecord {
            peer: peer.domain.clone(),
            own_id: own_id.clone(),
            peer_id: peer_id.as_str().into(),
            established: now,
            ttl: shorter(self.ttl, theirs.time_to_live),
            opened_by_us: true,
            own_ttl: self.own_ttl,
            url: None,
            url_until: None,
            from: None,
            last_in: now,
            last_out: now,
        };
        Progress::Established(record, None)
    }

    fn step(&self, number: u8, primitive: impl Into<crate::imps::Primitive>, at: Time) -> Step {
        Step {
            number,
            mode: Mode::Request,
            id: self.id.clone(),
            primitive: primitive.into(),
            at,
        }
    }
}

/// A `LoginResponse` that ends a handshake.
pub(super) fn refusal(code: Code) -> LoginResponse {
    LoginResponse {
        session: None,
        time_to_live: Some(0),
        status: Status::new(code),
        redirects: None,
    }
}

/// The smaller of our time to live and theirs, in seconds. 0 means that they did not say.
pub(super) fn shorter(ours: Duration, theirs: Option<u32>) -> Duration {
    match theirs {
        None | Some(0) => ours,
        Some(theirs) => ours.min(Duration::from_secs(theirs.into())),
    }
}
