//! An association as an operator sees it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::element::{Spans, Time, millis};
use crate::sap::association::Association;
use crate::sap::association::outbox::Item;
use crate::sap::association::session::Session;
use crate::sap::association::traffic::Traffic;
use crate::sap::session_id::SessionId;

/// A peer, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerView {
    /// The domain of the peer.
    pub domain: String,
    /// Name of the dialect.
    pub dialect: String,
    /// `up`, `away` (there is a session, but it is not reached), `logging in`, `held` (it disconnected us and wants to be left alone), `down` or
    /// `idle`.
    pub state: &'static str,
    /// Without a session: no login of ours before, milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Number of sessions.
    pub sessions: usize,
    /// Transactions waiting to be posted.
    pub queued: usize,
    /// How many posts are under way.
    pub posting: usize,
    /// Unanswered requests of the peer.
    pub pending: usize,
    /// Bodies of it above `ssp.max_message` since the start.
    pub too_large: u64,
    /// Since when the oldest transaction waits to be posted, milliseconds since the epoch; nothing if
    /// none waits, or that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// What went to it and came from it since the start.
    pub traffic: Traffic,
    /// How long requests that were handed on to it were here until it had answered them, since the
    /// start.
    #[serde(skip)]
    pub answers: Spans,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

impl PeerView {
    /// Of an association, of so many unanswered requests, and with how long the peer took to answer.
    pub(in crate::sap) fn of(it: &Association, (pending, answers): (usize, Spans)) -> Self {
        let (up, logins, troubles) = (it.is_up(), it.contact.logins(), it.conduct.troubles());
        Self {
            domain: it.id().as_str().to_owned(),
            dialect: it
                .peer()
                .map_or_else(String::new, |peer| peer.dialect.name.clone()),
            state: if up && it.contact.is_away() {
                "away"
            } else if up {
                "up"
            } else if logins.handshakes().ours() || logins.handshakes().theirs() {
                "logging in"
            } else if logins.times.is_held() {
                "held"
            } else if logins.times.have_failed() {
                "down"
            } else {
                "idle"
            },
            not_before: Some(logins.times.not_before()).filter(|at| *at > Time::default() && !up),
            sessions: it.sessions().len(),
            queued: it.outbox().len(),
            posting: it.outbox().posts(),
            pending,
            too_large: troubles.too_large(),
            oldest: it.outbox().oldest(),
            traffic: it.conduct.traffic(),
            answers,
            last_error: it
                .contact
                .last_error()
                .or_else(|| troubles.shown())
                .map(str::to_owned),
        }
    }
}

/// A session, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// The domain of the peer.
    pub peer: String,
    /// The session id that this node issued.
    pub own_id: SessionId,
    /// The session id that the peer issued.
    pub peer_id: SessionId,
    /// Milliseconds since the epoch.
    pub established: Time,
    /// Milliseconds since the epoch.
    pub last_in: Time,
    /// Milliseconds since the epoch.
    pub last_out: Time,
    /// Time to live; shown in milliseconds.
    #[serde(with = "millis")]
    pub ttl: Duration,
    /// Whether we opened it, or the peer.
    pub opened_by_us: bool,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        let record = &session.record;
        Self {
            peer: record.peer.clone(),
            own_id: record.own_id.clone(),
            peer_id: record.peer_id.clone(),
            established: record.established,
            last_in: record.last_in,
            last_out: record.last_out,
            ttl: record.ttl,
            opened_by_us: record.opened_by_us,
        }
    }
}

/// What everything in a peer's outbox waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The peer's domain.
    pub peer: String,
    /// Whether there is a session to send over.
    pub session: bool,
    /// Whether a login is under way.
    pub logging_in: bool,
    /// When it is tried again, if not now: milliseconds since the epoch.
    pub next_try: Option<Time>,
    /// The last thing that went wrong, if nothing went well since.
    pub because: Option<String>,
    /// Transactions in the outbox.
    pub queued: usize,
}

impl Wait {
    /// Of an association.
    pub(in crate::sap) fn of(it: &Association, now: Time) -> Self {
        let (session, logins) = (it.is_up(), it.contact.logins());
        let next = if session {
            it.outbox().health().not_before()
        } else {
            logins.times.not_before()
        };
        Self {
            peer: it.id().real().to_owned(),
            session,
            logging_in: logins.handshakes().ours() || logins.handshakes().theirs(),
            next_try: (next > now).then_some(next),
            because: it.contact.last_error().map(str::to_owned),
            queued: it.outbox().len(),
        }
    }
}

/// A message in a peer's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The item without its content.
    pub item: Item,
    /// Whether it is being posted.
    pub posting: bool,
    /// What it waits for.
    pub wait: Wait,
}
