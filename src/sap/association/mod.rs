//! What the SAP holds of one peer.

pub(in crate::sap) mod handshake;
pub(in crate::sap) mod hold;
pub(in crate::sap) mod keep_alive;
pub(in crate::sap) mod logout;
pub mod outbox;
pub(in crate::sap) mod posting;
pub(in crate::sap) mod quiet;
pub(in crate::sap) mod rate_limit;
pub(in crate::sap) mod reach;
pub mod record;
pub(in crate::sap) mod redirect;
pub(in crate::sap) mod trouble;

use serde::Serialize;

use crate::sap::Sap;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::sap::association::handshake::Role;
use crate::sap::association::handshake::{Initiator, Responder};
use crate::sap::association::keep_alive::KeepAlive;
use crate::sap::association::logout::Leaving;
use crate::sap::association::outbox::{Outbox, Totals};
use crate::sap::association::quiet::Quiet;
use crate::sap::association::rate_limit::Allowance;
use crate::sap::association::reach::Reach;
use crate::sap::association::record::SessionRecord;
use crate::sap::association::redirect::Redirect;
use crate::sap::association::trouble::Troubles;
use crate::sap::element::Time;

/// A session and whether it may be used for sending: not before the peer has
/// acknowledged the step that tells it our session id.
#[derive(Debug, Clone)]
pub(in crate::sap) struct Session {
    pub(in crate::sap) record: SessionRecord,
    pub(in crate::sap) ready: bool,
    /// Our `LogoutRequest` that waits for its answer: it is not used any more.
    pub(in crate::sap) logout: Option<String>,
    /// Our `KeepAliveRequest` that waits for its answer.
    pub(in crate::sap) keep_alive: Option<KeepAlive>,
}

impl Session {
    /// 30 s before the end, but at least half of the time to live (wire profile, 11.1).
    pub(in crate::sap) fn keep_alive_at(&self) -> Time {
        let ttl = self.record.ttl;
        self.record
            .last_out
            .plus_millis(ttl.saturating_sub(30_000).max(ttl / 2))
    }

    pub(in crate::sap) fn ends_at(&self) -> Time {
        self.record
            .last_out
            .max(self.record.last_in)
            .plus_millis(self.record.ttl)
    }
}

/// State of one peer.
#[derive(Debug)]
pub(in crate::sap) struct PeerState {
    pub(in crate::sap) sessions: Vec<Session>,
    pub(in crate::sap) initiator: Option<Initiator>,
    pub(in crate::sap) responders: Vec<Responder>,
    pub(in crate::sap) outbox: Outbox,
    /// Expiry of the queue's first item to expire.
    pub(in crate::sap) next_expiry: Option<Time>,
    /// Handshakes of ours that failed in a row.
    pub(in crate::sap) login_failures: u32,
    pub(in crate::sap) login_not_before: Time,
    /// The peer has disconnected us and said so, and until when it wants to be left alone.
    pub(in crate::sap) held: bool,
    /// A session is to come about even with an empty queue.
    pub(in crate::sap) wanted: bool,
    /// Where the peer redirected our next handshake, and further addresses of the list.
    pub(in crate::sap) redirect: Option<Redirect>,
    pub(in crate::sap) further: VecDeque<Redirect>,
    /// Redirects in a row, and the last one.
    pub(in crate::sap) redirects: u32,
    pub(in crate::sap) last_redirect: Time,
    /// We log out.
    pub(in crate::sap) leaving: Option<Leaving>,
    /// It was refused requests because too much of it is open.
    pub(in crate::sap) owes: bool,
    /// Connections closed without an answer in a row.
    pub(in crate::sap) closed: u32,
    /// Sessions in a row whose first post was answered 403.
    pub(in crate::sap) forbidden: u32,
    /// Sessions we have lost and the peer was told to forget, and when.
    pub(in crate::sap) resets: BTreeMap<String, Time>,
    /// Our last handshake begun in place of an abandoned one of the peer's.
    pub(in crate::sap) last_counter: Option<Time>,
    pub(in crate::sap) last_error: Option<String>,
    /// When this peer is looked after next.
    pub(in crate::sap) scheduled: Option<Time>,
    pub(in crate::sap) allowance: Allowance,
    /// It was disconnected and may not log in before.
    pub(in crate::sap) barred_until: Time,
    /// Since when a login of ours waits for those of others that may be the peer's.
    pub(in crate::sap) yielding: Option<Time>,
    /// Where the last handshake came from that was certainly the peer's.
    pub(in crate::sap) at_home: Option<IpAddr>,
    /// What the log says of it.
    pub(in crate::sap) quiet: Quiet,
    /// Whether it is reached.
    pub(in crate::sap) reach: Reach,
    /// What of it never became a message.
    pub(in crate::sap) troubles: Troubles,
    /// From where its sessions were used.
    pub(in crate::sap) seen: crate::sap::network::Seen,
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
    pub(in crate::sap) fn new(domain: &str, totals: &Arc<Totals>) -> Self {
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
            seen: crate::sap::network::Seen::default(),
        }
    }

    pub(in crate::sap) fn add_session(&mut self, record: SessionRecord, ready: bool) {
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
    pub(in crate::sap) fn ready_session(&self) -> Option<&Session> {
        self.sessions
            .iter()
            .rev()
            .find(|session| session.ready && session.logout.is_none())
    }

    /// Takes a handshake out. Whether there was one; and the session that came of it
    /// and cannot be used, because the peer never acknowledged its id and has not used
    /// it in the meantime.
    pub(in crate::sap) fn abandon(&mut self, role: &Role) -> (bool, Option<String>) {
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

    pub(in crate::sap) fn session_mut(&mut self, own_id: &str) -> Option<&mut Session> {
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
