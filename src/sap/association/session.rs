//! The sessions with one peer.

use std::time::Duration;

use crate::element::Time;
use crate::sap::association::keep_alive::KeepAlive;
use crate::sap::association::record::SessionRecord;
use crate::sap::session_id::SessionId;
use crate::sap::settings::dialect::Dialect;

/// A session is kept alive so long before its end (wire profile, 11.1).
const EARLY: Duration = Duration::from_secs(30);

/// A session and whether it may be used for sending: not before the peer has
/// acknowledged the step that tells it our session id.
#[derive(Debug, Clone)]
pub struct Session {
    /// What is kept of it.
    pub record: SessionRecord,
    pub(super) ready: bool,
    /// Our `LogoutRequest` that waits for its answer: it is not used any more.
    pub(super) logout: Option<String>,
    /// Our `KeepAliveRequest` that waits for its answer.
    pub(super) keep_alive: Option<KeepAlive>,
}

impl Session {
    /// A little before the end, but at least after half of the time to live (wire profile, 11.1).
    pub(super) fn keep_alive_at(&self) -> Time {
        let ttl = self.record.ttl;
        self.record
            .last_out
            .plus(ttl.saturating_sub(EARLY).max(ttl / 2))
    }

    pub(super) fn ends_at(&self) -> Time {
        self.record
            .last_out
            .max(self.record.last_in)
            .plus(self.record.ttl)
    }

    /// Whether something may be sent in it.
    pub(super) fn is_usable(&self) -> bool {
        self.ready && self.logout.is_none()
    }

    /// Whether a transaction id is that of a question of ours about the session.
    fn asked(&self, id: &str) -> bool {
        self.logout.as_deref() == Some(id) || self.keep_alive.as_ref().is_some_and(|k| k.id == id)
    }
}

/// All sessions with one peer, in the order in which they were established.
#[derive(Debug, Default)]
pub struct Sessions(Vec<Session>);

impl Sessions {
    pub(super) fn add(&mut self, record: SessionRecord, ready: bool) {
        self.0.push(Session {
            record,
            ready,
            logout: None,
            keep_alive: None,
        });
        self.0.sort_by_key(|session| session.record.established);
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The session to send on: the most recently established one.
    pub fn usable(&self) -> Option<&Session> {
        self.0.iter().rev().find(|session| session.is_usable())
    }

    pub(super) fn usable_mut(&mut self) -> Option<&mut Session> {
        self.0.iter_mut().rev().find(|session| session.is_usable())
    }

    /// Our ids of those whose ids the peer has.
    pub(super) fn ready(&self) -> Vec<SessionId> {
        let ready = self.0.iter().filter(|session| session.ready);
        ready.map(|session| session.record.own_id.clone()).collect()
    }

    pub(super) fn get(&self, own_id: &SessionId) -> Option<&Session> {
        self.0
            .iter()
            .find(|session| session.record.own_id == *own_id)
    }

    pub(super) fn get_mut(&mut self, own_id: &SessionId) -> Option<&mut Session> {
        let mut sessions = self.0.iter_mut();
        sessions.find(|session| session.record.own_id == *own_id)
    }

    /// Our id of the session that has this id at the peer.
    pub fn own_id_of(&self, peer_id: &str) -> Option<&SessionId> {
        let mut sessions = self.0.iter();
        let found = sessions.find(|session| session.record.peer_id == *peer_id);
        found.map(|session| &session.record.own_id)
    }

    /// Whether the peer has our id of a session.
    pub fn is_ready(&self, own_id: &SessionId) -> bool {
        self.get(own_id).is_some_and(|session| session.ready)
    }

    /// Whether a transaction id is that of a keep-alive or logout of ours that is not answered
    /// yet.
    pub fn have_asked(&self, id: &str) -> bool {
        self.0.iter().any(|session| session.asked(id))
    }

    /// Our id of the session that this logout of ours ends.
    pub(super) fn logged_out_by(&self, id: &str) -> Option<SessionId> {
        let logout = |session: &&Session| session.logout.as_deref() == Some(id);
        let session = self.0.iter().find(logout);
        session.map(|session| session.record.own_id.clone())
    }

    /// The session that this keep-alive of ours is about, which is not asked about any more.
    pub(super) fn kept_alive_by(&mut self, id: &str) -> Option<(&mut Session, KeepAlive)> {
        let asked =
            |session: &&mut Session| session.keep_alive.as_ref().is_some_and(|k| k.id == id);
        let session = self.0.iter_mut().find(asked)?;
        let asked = session.keep_alive.take()?;
        Some((session, asked))
    }

    pub(super) fn remove(&mut self, own_id: &SessionId) -> Option<Session> {
        let mut sessions = self.0.iter();
        let at = sessions.position(|session| session.record.own_id == *own_id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn take(&mut self) -> Vec<Session> {
        std::mem::take(&mut self.0)
    }

    /// Our ids of those that were idle for their time to live.
    pub(super) fn ended(&self, now: Time) -> Vec<SessionId> {
        let ended = self.0.iter().filter(|session| session.ends_at() <= now);
        ended.map(|session| session.record.own_id.clone()).collect()
    }

    /// If there are more than so many: one that the peer has never used, else the one out of use
    /// longest, but not the newest.
    pub(super) fn too_many(&self, most: usize) -> Option<&Session> {
        let (_, others) = self.0.split_last()?;
        (others.len() >= most).then(|| out_of_use(others)).flatten()
    }

    /// Forgets what is more than so many; those that are forgotten.
    pub(super) fn cut(&mut self, most: usize) -> Vec<SessionRecord> {
        let mut forgotten = Vec::new();
        while self.0.len() > most
            && let Some(oldest) = out_of_use(&self.0)
        {
            let own_id = oldest.record.own_id.clone();
            forgotten.extend(self.remove(&own_id).map(|session| session.record));
        }
        forgotten
    }

    /// After a restart. Nothing could come while the node was away, so the time in
    /// which a session must be used begins anew; and a clock that was put back must
    /// not make anything wait for what has been.
    pub(super) fn set_right(&mut self, now: Time) {
        for Session { record, .. } in &mut self.0 {
            record.last_in = now;
            record.last_out = record.last_out.min(now);
            record.established = record.established.min(now);
        }
    }

    /// When one of them must be looked after.
    pub(super) fn due(&self, dialect: &Dialect) -> Option<Time> {
        let keep_alive = self.usable().filter(|_| dialect.keep_alive);
        let keep_alive = keep_alive.map(Session::keep_alive_at);
        let ends = self.0.iter().filter(|_| dialect.sessions_expire);
        ends.map(Session::ends_at).chain(keep_alive).min()
    }
}

/// Of these sessions one that the peer has never used, else the one out of use longest.
fn out_of_use(sessions: &[Session]) -> Option<&Session> {
    sessions.iter().min_by_key(|session| {
        let record = &session.record;
        let used = record.last_in > record.established;
        (used, record.last_in.max(record.last_out))
    })
}
