//! The responder's side of a handshake (wire profile, 6.6).
//!
//! ```text
//! their token ──▶ R1 token returned ── their digest ──▶ R2 login sent ── their session ──▶ R3
//! ```

use std::net::IpAddr;
use std::time::Duration;

use super::digest::{digest, new_token, verify};
use super::initiator::{refusal, shorter};
use super::progress::is_foreign;
use super::{Failure, Progress, Step};
use crate::element::{Time, seconds};
use crate::imps::primitive::session::{LoginRequest, LoginResponse, SendSecretToken, Token};
use crate::imps::{Address, Code, Status};
use crate::sap::association::record::SessionRecord;
use crate::sap::random::Random;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::ssp::Mode;

/// A handshake that the peer opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responder {
    own_domain: String,
    /// N, the peer's transaction id; with the peer's domain it names the handshake.
    pub id: String,
    token: Token,
    their_token: Token,
    /// The last step we sent, for a repeated question.
    last: Step,
    state: State,
    /// What we announce, and the smaller of that and theirs.
    own_ttl: Duration,
    ttl: Duration,
    timeout: Duration,
    /// When the handshake has failed for lack of progress.
    pub deadline: Time,
    /// Where its first step came from, if the transport knows.
    pub from: Option<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// R1: the token is returned, the peer's digest is awaited.
    TokenReturned,
    /// R2: the digest is sent, the peer's session id is awaited.
    LoginSent,
    /// R3, with our own session id.
    Established(SessionId),
}

impl Responder {
    /// Step 1: answers with step 2, whose transaction id is our own.
    pub fn start(
        own_domain: &str,
        peer: &Peer,
        id: &str,
        theirs: &SendSecretToken,
        (ttl, timeout): (Duration, Duration),
        random: &Random,
        now: Time,
    ) -> (Self, Step) {
        let token = new_token(random);
        let primitive = SendSecretToken {
            service: Address::service(own_domain),
            protocol: Some("WV-SSP".to_owned()),
            version: Some(peer.dialect.version.clone()),
            token: token.clone(),
        };
        let step = Step {
            number: 2,
            mode: Mode::Response,
            id: random.hex(8),
            primitive: primitive.into(),
            at: now.plus(Duration::from_millis(peer.dialect.handshake_pause)),
        };
        let responder = Self {
            own_domain: own_domain.to_owned(),
            id: id.to_owned(),
            token,
            their_token: theirs.token.clone(),
            last: step.clone(),
            state: State::TokenReturned,
            own_ttl: ttl,
            ttl,
            timeout,
            deadline: now.plus(timeout),
            from: None,
        };
        (responder, step)
    }

    /// Whether our step of this number is the last one, still without its answer:
    /// only then may it be repeated.
    pub fn awaits(&self, step: u8) -> bool {
        self.last.number == step
    }

    /// Whether the digest was right: only the peer itself could know our token.
    pub fn is_proven(&self) -> bool {
        self.state != State::TokenReturned
    }

    /// Our session id, once there is one.
    pub fn session(&self) -> Option<&SessionId> {
        match &self.state {
            State::Established(own_id) => Some(own_id),
            State::TokenReturned | State::LoginSent => None,
        }
    }

    /// Step 1 once more, with the same transaction id: the answer is repeated if
    /// it is the same question and the answer is out. Another token under the same
    /// id is an attack or a peer that restarted; the first handshake stands.
    pub fn token_again(&self, theirs: &SendSecretToken, now: Time) -> Progress {
        if self.state == State::TokenReturned
            && theirs.token == self.their_token
            && self.last.at <= now
        {
            Progress::Send(self.last.clone())
        } else {
            Progress::Wait
        }
    }

    /// Takes in step 3: the peer's digest.
    pub fn login(&mut self, peer: &Peer, theirs: &LoginRequest, now: Time) -> Progress {
        match &self.state {
            State::TokenReturned if !verify(&theirs.digest, &self.token, &peer.password) => {
                Progress::Failed(
                    Failure::Digest,
                    Some(self.step(6, refusal(Code::UNAUTHORIZED), now)),
                )
            }
            State::TokenReturned => {
                self.ttl = shorter(self.ttl, theirs.time_to_live);
                self.state = State::LoginSent;
                self.deadline = now.plus(self.timeout);
                let primitive = LoginRequest {
                    service: Address::service(&self.own_domain),
                    time_to_live: Some(seconds(self.ttl)),
                    digest: digest(&self.their_token, &peer.password),
                };
                self.last = self.step(4, primitive, now);
                Progress::Send(self.last.clone())
            }
            State::LoginSent => Progress::Send(self.last.clone()),
            State::Established(_) => Progress::Wait,
        }
    }

    /// Step 5: the session stands; step 6 tells the peer.
    pub fn response(
        &mut self,
        peer: &Peer,
        theirs: &LoginResponse,
        random: &Random,
        now: Time,
    ) -> Progress {
        if !theirs.status.code.is_success() {
            return Progress::Failed(
                Failure::Refused {
                    code: theirs.status.code,
                    redirects: theirs.redirects.clone().unwrap_or_default(),
                },
                None,
            );
        }
        match (&self.state, &theirs.session) {
            (State::Established(_), _) => Progress::Send(self.last.clone()),
            (State::LoginSent, Some(peer_id)) if is_foreign(peer, peer_id) => {
                Progress::Failed(Failure::ForeignSession, None)
            }
            (State::LoginSent, Some(peer_id)) => {
                let own_id = SessionId::from(format!("{}@{}", random.hex(8), self.own_domain));
                let ttl = shorter(self.ttl, theirs.time_to_live);
                self.state = State::Established(own_id.clone());
                self.deadline = now.plus(self.timeout);
                let primitive = LoginResponse {
                    session: Some(own_id.as_str().to_owned()),
                    time_to_live: Some(seconds(ttl)),
                    status: Status::ok(),
                    redirects: None,
                };
                self.last = self.step(6, primitive, now);
                let record = SessionRecord {
                    peer: peer.domain.clone(),
                    own_id,
                    peer_id: peer_id.as_str().into(),
                    established: now,
                    ttl,
                    opened_by_us: false,
                    own_ttl: self.own_ttl,
                    url: None,
                    url_until: None,
                    from: None,
                    last_in: now,
                    last_out: now,
                };
                Progress::Established(record, Some(self.last.clone()))
            }
            _ => Progress::Failed(
                Failure::Misbehaved("step 5 out of order or without a session id"),
                None,
            ),
        }
    }

    fn step(&self, number: u8, primitive: impl Into<crate::imps::Primitive>, at: Time) -> Step {
        Step {
            number,
            mode: Mode::Response,
            id: self.id.clone(),
            primitive: primitive.into(),
            at,
        }
    }
}
