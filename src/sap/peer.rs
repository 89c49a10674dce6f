//! What the SAP holds of one peer.

use serde::Serialize;

use super::Sap;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::element::Time;
use super::ending::Leaving;
use super::flood::Allowance;
use super::handshake::Role;
use super::outbox::{Outbox, Totals};
use super::quiet::Quiet;
use super::reach::Reach;
use super::redirect::Redirect;
use super::session::{Initiator, Responder, SessionRecord};
use super::trouble::Troubles;
use super::upkeep::KeepAlive;

/// A session and whether it may be used for sending: not before the peer has
/// acknowledged the step that tells it our session id.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) record: SessionRecord,
    pub(super) ready: bool,
    /// Our `LogoutRequest` that waits for its answer: it is not used any more.
    pub(super) logout: Option<String>,
    /// Our `KeepAliveRequest` that waits for its answer.
    pub(super) keep_alive: Option<KeepAlive>,
}

impl Session {
    /// 30 s before the end, but at least half of the time to live (wire profile, 11.1).
    pub(super) fn keep_alive_at(&self) -> Time {
        let ttl = self.record.ttl;
        self.record
            .last_out
            .plus_millis(ttl.saturating_sub(30_000).max(ttl / 2))
    }

    pub(super) fn ends_at(&self) -> Time {
        self.record
            .last_out
            .max(self.record.last_in)
            .plus_millis(self.record.ttl)
    }
}

/// State of one peer.
#[derive(Debug)]
pub(super) struct PeerState {
    pub(super) sessions: Vec<Session>,
    pub(super) initiator: Option<Initiator>,
    pub(super) responders: Vec<Responder>,
    pub(super) outbox: Outbox,
    /// Expiry of the queue's first item to expire.
    pub(super) next_expiry: Option<Time>,
    /// Handshakes of ours that failed in a row.
    pub(super) login_failures: u32,
    pub(super) login_not_before: Time,
    /// The peer has disconnected us and said so, and until when it wants to be left alone.
    pub(super) held: bool,
    /// A session is to come about even with an empty queue.
    pub(super) wanted: bool,
    /// Where the peer redirected our next handshake, and further addresses of the list.
    pub(super) redirect: Option<Redirect>,
    pub(super) further: VecDeque<Redirect>,
    /// Redirects in a row, and the last one.
    pub(super) redirects: u32,
    pub(super) last_redirect: Time,
    /// We log out.
    pub(super) leaving: Option<Leaving>,
    /// It was refused requests because too much of it is open.
    pub(super) owes: bool,
    /// Connections closed without an answer in a row.
    pub(super) closed: u32,
    /// Sessions in a row whose first post was answered 403.
    pub(super) forbidden: u32,
    /// Sessions we have lost and the peer was told to forget, and when.
    pub(super) resets: BTreeMap<String, Time>,
    /// Our last handshake begun in place of an abandoned one of the peer's.
    pub(super) last_counter: Option<Time>,
    pub(super) last_error: Option<String>,
    /// When this peer is looked after next.
    pub(super) scheduled: Option<Time>,
    pub(super) allowance: Allowance,
    /// It was disconnected and may not log in before.
    pub(super) barred_until: Time,
    /// Since when a login of ours waits for those of others that may be the peer's.
    pub(super) yielding: Option<Time>,
    /// Where the last handshake came from that was certainly the peer's.
    pub(super) at_home: Option<IpAddr>,
    /// What the log says of it.
    pub(super) quiet: Quiet,
    /// Whether it is reached.
    pub(super) reach: Reach,
    /// What of it never became a message.
    pub(super) troubles: Troubles,
    /// From where its sessions were used.
    pub(super) seen: super::network::Seen,
}

/// A peer as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerView {
    /// Its domain.
    pub domain: String,
    /// Its dialect.
    pub dialect: String,
    /// `up`, `away` (there is a session, but it is not reached), `logging in`, `held` (it disconnected us and wants to be left alone), `down` or
    /// `idle`.
    pub state: &'static str,
    /// Without a session: no login of ours before, milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// Sessions.
    pub sessions: usize,
    /// Transactions waiting to be posted.
    pub queued: usize,
    /// Posts under way.
    pub posting: usize,
    /// Unanswered requests of the peer.
    pub pending: usize,
    /// Bodies of it above `ssp.max_message` since the start.
    pub too_large: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// A session as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// The peer.
    pub peer: String,
    /// Our id.
    pub own_id: String,
    /// The peer's id.
    pub peer_id: String,
    /// Milliseconds since the epoch.
    pub established: Time,
    /// Milliseconds since the epoch.
    pub last_in: Time,
    /// Milliseconds since the epoch.
    pub last_out: Time,
    /// Milliseconds.
    pub ttl: u64,
    /// Whether we opened it, or the peer.
    pub opened_by_us: bool,
}

impl PeerState {
    pub(super) fn new(domain: &str, totals: &Arc<Totals>) -> Self {
        Self {
            sessions: Vec::new(),
            initiator: None,
            responders: Vec::new(),
            outbox: Outbox::new(domain).sharing(totals),
            next_expiry: None,
            login_failures: 0,
            login_not_before: Time::default(),
            held: false,
            wanted: false,
            redirect: None,
            further: VecDeque::new(),
            redirects: 0,
            last_redirect: Time::default(),
            leaving: None,
            owes: false,
            closed: 0,
            forbidden: 0,
            resets: BTreeMap::new(),
            last_counter: None,
            last_error: None,
            scheduled: None,
            allowance: Allowance::default(),
            barred_until: Time::default(),
            yielding: None,
            at_home: None,
            quiet: Quiet::default(),
            reach: Reach::default(),
            troubles: Troubles::default(),
            seen: super::network::Seen::default(),
        }
    }

    pub(super) fn add_session(&mut self, record: SessionRecord, ready: bool) {
        self.sessions.push(Session {
            record,
            ready,
            logout: None,
            keep_alive: None,
        });
        self.sessions
            .sort_by_key(|session| session.record.established);
    }

    /// The session to send on: the most recently established one.
    pub(super) fn ready_session(&self) -> Option<&Session> {
        self.sessions
            .iter()
            .rev()
            .find(|session| session.ready && session.logout.is_none())
    }

    /// Takes a handshake out. Whether there was one; and the session that came of it
    /// and cannot be used, because the peer never acknowledged its id and has not used
    /// it in the meantime.
    pub(super) fn abandon(&mut self, role: &Role) -> (bool, Option<String>) {
        let Role::Responder(id) = role else {
            return (self.initiator.take().is_some(), None);
        };
        let Some(at) = self.responders.iter().position(|r| r.id == *id) else {
            return (false, None);
        };
        let responder = self.responders.remove(at);
        let session = responder.session().and_then(|own| self.session_mut(own));
        let unusable = session.filter(|session| !session.ready);
        (true, unusable.map(|session| session.record.own_id.clone()))
    }

    pub(super) fn session_mut(&mut self, own_id: &str) -> Option<&mut Session> {
        self.sessions
            .iter_mut()
            .find(|session| session.record.own_id == own_id)
    }
}

impl Sap {
    /// All peers.
    pub fn peer_views(&self) -> Vec<PeerView> {
        let view = |(domain, state): (&String, &PeerState)| PeerView {
            domain: domain.clone(),
            dialect: self
                .settings
                .peers
                .get(domain)
                .map_or_else(String::new, |peer| peer.dialect.name.clone()),
            state: if state.ready_session().is_some() && state.reach.is_away() {
                "away"
            } else if state.ready_session().is_some() {
                "up"
            } else if state.initiator.is_some() || !state.responders.is_empty() {
                "logging in"
            } else if state.held {
                "held"
            } else if state.login_failures > 0 {
                "down"
            } else {
                "idle"
            },
            not_before: Some(state.login_not_before)
                .filter(|at| *at > Time::default() && state.ready_session().is_none()),
            sessions: state.sessions.len(),
            queued: state.outbox.len(),
            posting: state.outbox.posts(),
            pending: self.table.pending_of(domain),
            too_large: state.troubles.too_large,
            last_error: state
                .last_error
                .clone()
                .or_else(|| state.troubles.shown().map(str::to_owned)),
        };
        self.peers.iter().map(view).collect()
    }

    /// All sessions.
    pub fn session_views(&self) -> Vec<SessionView> {
        let sessions = self.peers.values().flat_map(|peer| &peer.sessions);
        sessions
            .map(|session| SessionView {
                peer: session.record.peer.clone(),
                own_id: session.record.own_id.clone(),
                peer_id: session.record.peer_id.clone(),
                established: session.record.established,
                last_in: session.record.last_in,
                last_out: session.record.last_out,
                ttl: session.record.ttl,
                opened_by_us: session.record.opened_by_us,
            })
            .collect()
    }
}
