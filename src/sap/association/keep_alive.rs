//! The life of a session: kept alive, expired, dropped (wire profile, 6.9 and 11.1).

use crate::sap::association::Session;
use crate::sap::association::outbox::Item;
use crate::sap::association::record::SessionRecord;
use crate::sap::element::Time;
use crate::sap::presented_as::domain_of;
use crate::sap::{Effect, Peer, Sap};
use crate::ssp::common::MetaInfo;
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::session::{KeepAliveRequest, KeepAliveResponse};
use crate::ssp::{Code, Mode, Primitive, Status};
use crate::text::IdShown;

/// A `KeepAliveRequest` of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sap) struct KeepAlive {
    pub(in crate::sap) id: String,
    /// The new time to live it asks for, milliseconds.
    asked: Option<u64>,
}

impl Sap {
    /// Keeps the session with a peer alive when it is idle, and tells the peer of a
    /// time to live of ours that has changed.
    pub(in crate::sap) fn keep_alive(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        if !peer.dialect.keep_alive {
            return;
        }
        let ours = self.settings.session_ttl;
        let Some(session) = self.peers.get(domain).and_then(|p| p.ready_session()) else {
            return;
        };
        let lives = session.ends_at() > now || !peer.dialect.sessions_expire;
        let idle = session.keep_alive_at() <= now && lives;
        let announced = session.record.own_ttl;
        let asked = (announced != 0 && announced != ours && ours >= 1000).then_some(ours);
        if !idle && (asked.is_none() || session.keep_alive.is_some()) {
            return;
        }
        let own_id = session.record.own_id.clone();
        let request = KeepAliveRequest {
            time_to_live: asked.map(seconds),
            meta: Some(MetaInfo::of_server(peer.presented(&self.settings.domain))),
        };
        let id = self.numbers.id();
        let item = Item {
            mode: Mode::Request,
            id: id.clone(),
            name: "KeepAliveRequest".to_owned(),
            raw: Primitive::from(request).to_xml(Some(peer.dialect.style())),
            conversation: None,
            expires: now.plus_millis(self.settings.response_timeout),
            message: None,
            via: None,
        };
        let state = self.peers.get_mut(domain);
        if let Some(session) = state.and_then(|state| state.session_mut(&own_id)) {
            session.record.last_out = now;
            session.keep_alive = Some(KeepAlive { id, asked });
        }
        self.enqueue(domain, item, now);
    }

    /// The answer to a `KeepAliveRequest` or `LogoutRequest` of ours; false if it is
    /// none.
    pub(in crate::sap) fn session_answer(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return false;
        };
        let id = transaction.id.as_str();
        let logout =
            |session: &&crate::sap::association::Session| session.logout.as_deref() == Some(id);
        if let Some(session) = state.sessions.iter().find(logout) {
            let own_id = session.record.own_id.clone();
            self.logged_off(&peer.domain, &own_id, now);
            return true;
        }
        let asked = |kept: &KeepAlive| kept.id == id;
        let mut sessions = state.sessions.iter_mut();
        let Some(session) = sessions.find(|s| s.keep_alive.as_ref().is_some_and(asked)) else {
            return false;
        };
        let asked = session.keep_alive.take().and_then(|kept| kept.asked);
        let (code, granted) = match transaction.primitive() {
            Ok(Primitive::KeepAliveResponse(answer)) => (answer.status.code, answer.time_to_live),
            Ok(Primitive::Status(status)) => (status.code, None),
            _ => return true,
        };
        let granted = granted.filter(|seconds| *seconds > 0);
        let granted = granted.map(|seconds| u64::from(seconds) * 1000);
        match (code, asked) {
            (Code::INVALID_SESSION, _) => {
                let own_id = session.record.own_id.clone();
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = %IdShown(&own_id),
                    "the peer does not know the session; logging in anew"
                );
                self.drop_session(&peer.domain, &own_id);
                self.pump(&peer.domain, now);
            }
            (Code::NOT_ACCEPTED, Some(asked)) => {
                // The old value stays, and we do not ask for this one again.
                session.record.own_ttl = asked;
                let write = session.record.put();
                self.write([write]);
            }
            (code, asked) if code.is_success() => {
                let ours = asked.unwrap_or(session.record.ttl);
                let ttl = granted.map_or(ours, |granted| granted.min(ours));
                if asked.is_some() || ttl != session.record.ttl {
                    session.record.own_ttl = asked.unwrap_or(session.record.own_ttl);
                    session.record.ttl = ttl;
                    let write = session.record.put();
                    self.write([write]);
                }
            }
            _ => {}
        }
        self.schedule_peer(&peer.domain, now);
        true
    }

    /// The answer to a peer's `KeepAliveRequest`: a new value is taken if it is not
    /// longer than what we announce. `None`: the session is not there any more.
    pub(in crate::sap) fn kept_alive(
        &mut self,
        peer: &Peer,
        session: &str,
        request: &KeepAliveRequest,
        now: Time,
    ) -> Option<KeepAliveResponse> {
        let longest = self.settings.session_ttl;
        let wanted = request.time_to_live;
        let wanted = wanted.map(|seconds| u64::from(seconds) * 1000);
        let state = self.peers.get_mut(&peer.domain)?;
        let record = &mut state.session_mut(session)?.record;
        let (mut code, mut changed) = (Code::OK, None);
        match wanted {
            Some(wanted) if wanted == record.ttl => {}
            Some(wanted) if wanted >= 1000 && wanted <= longest => {
                record.ttl = wanted;
                changed = Some(record.put());
            }
            Some(_) => code = Code::NOT_ACCEPTED,
            None => {}
        }
        let ttl = record.ttl;
        self.write(changed);
        self.schedule_peer(&peer.domain, now);
        Some(KeepAliveResponse {
            time_to_live: Some(seconds(ttl)),
            status: Status::new(code),
        })
    }

    /// Forgets all sessions with a peer, which is not told.
    pub fn drop_sessions(&mut self, domain: &str) -> usize {
        let Some(state) = self.peers.get_mut(domain) else {
            return 0;
        };
        let dropped = std::mem::take(&mut state.sessions);
        self.write(dropped.iter().map(|session| session.record.delete()));
        if !dropped.is_empty() {
            self.perhaps_down(domain);
        }
        dropped.len()
    }

    /// Sessions are gone: with the last one of all identities the peer is not reached.
    fn perhaps_down(&mut self, domain: &str) {
        let peer = domain_of(domain);
        let all = self.peers.range(peer.to_owned()..);
        let mut identities = all.take_while(|(name, _)| domain_of(name) == peer);
        if identities.all(|(_, state)| state.ready_session().is_none()) {
            self.effect(Effect::PeerState(peer.to_owned(), false));
        }
    }

    pub(in crate::sap) fn drop_session(&mut self, domain: &str, own_id: &str) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let is_it = |session: &crate::sap::association::Session| session.record.own_id == own_id;
        let Some(at) = state.sessions.iter().position(is_it) else {
            return;
        };
        let session = state.sessions.remove(at);
        let none_left = state.ready_session().is_none();
        if none_left {
            let settings = self.settings.peers.get(domain);
            state.wanted |= settings.is_some_and(|peer| peer.connect_always);
        }
        self.effect(Effect::Write(session.record.delete()));
        // A node that stops tells its own side nothing: it will be back.
        if none_left && !self.closing {
            self.perhaps_down(domain);
        }
    }

    pub(in crate::sap) fn expire_sessions(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        if !peer.dialect.sessions_expire {
            return;
        }
        let sessions = self.peers.get(domain).map(|state| &state.sessions);
        let ended = sessions
            .into_iter()
            .flatten()
            .filter(|s| s.ends_at() <= now);
        let ended: Vec<String> = ended.map(|s| s.record.own_id.clone()).collect();
        for own_id in ended {
            tracing::info!(
                ssp.peer = domain,
                ssp.session = %IdShown(&own_id),
                "session was idle for its time to live and ends"
            );
            // It may come again whenever it likes.
            let status = Status {
                try_again: Some(0),
                ..Status::new(Code::SESSION_EXPIRED)
            };
            self.disconnect(&peer, &own_id, status, now);
            self.drop_session(domain, &own_id);
        }
    }

    /// Ends the sessions that are one peer's too many: those that it has never used first, then
    /// those out of use longest. The newest stays.
    pub(in crate::sap) fn limit_sessions(&mut self, peer: &Peer, now: Time) {
        let most = self.settings.max_sessions.max(1);
        loop {
            let Some(state) = self.peers.get_mut(&peer.domain) else {
                return;
            };
            let Some((_, others)) = state.sessions.split_last() else {
                return;
            };
            if others.len() < most {
                return;
            }
            let Some(oldest) = out_of_use(others) else {
                return;
            };
            let (own_id, peer_id) = (oldest.record.own_id.clone(), oldest.record.peer_id.clone());
            let known = oldest.ready;
            if let Some(left_out) = state.quiet.due("sessions", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = %IdShown(&own_id),
                    left_out,
                    "the peer has more than {most} sessions: one out of use ends"
                );
            }
            if known && peer.dialect.logout {
                // It may come again whenever it likes.
                let status = Status {
                    try_again: Some(0),
                    ..Status::new(Code::SESSION_EXPIRED).because("too many sessions")
                };
                self.disconnect(peer, &own_id, status, now);
            } else if known && peer.dialect.reset_lost_session {
                self.make_forget(&peer.domain, &peer_id, now);
            }
            self.drop_session(&peer.domain, &own_id);
        }
    }

    /// Forgets what is more than one peer may have at a start, when nobody can be told yet.
    pub(in crate::sap) fn forget_sessions(&mut self, domain: &str) {
        let most = self.settings.max_sessions.max(1);
        let mut forgotten = Vec::new();
        if let Some(state) = self.peers.get_mut(domain) {
            while state.sessions.len() > most
                && let Some(oldest) = out_of_use(&state.sessions)
            {
                let record = oldest.record.clone();
                state.sessions.retain(|s| s.record.own_id != record.own_id);
                forgotten.push(record.delete());
            }
        }
        if !forgotten.is_empty() {
            let sessions = forgotten.len();
            tracing::warn!(
                ssp.peer = domain,
                sessions,
                "sessions beyond {most} forgotten"
            );
        }
        self.write(forgotten);
    }

    /// After a restart. Nothing could come while the node was away, so the time in
    /// which a session must be used begins anew; and a clock that was put back must
    /// not make anything wait for what has been.
    pub(in crate::sap) fn set_right(&mut self, now: Time) {
        let sessions = self.peers.values_mut().flat_map(|p| &mut p.sessions);
        for SessionRecord {
            last_in,
            last_out,
            established,
            ..
        } in sessions.map(|session| &mut session.record)
        {
            *last_in = now;
            *last_out = (*last_out).min(now);
            *established = (*established).min(now);
        }
        self.table.set_right(now);
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

fn seconds(millis: u64) -> u32 {
    u32::try_from(millis / 1000).unwrap_or(u32::MAX)
}
