//! The end of sessions: logout in both roles, and disconnection (wire profile, 11.1).

use serde::Serialize;

use crate::sap::association::posting::Flight;
use crate::sap::element::Time;
use crate::sap::transaction::{Place, State};
use crate::sap::{Effect, Peer, Sap};
use crate::ssp::common::MetaInfo;
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::session::{Disconnect, LogoutRequest};
use crate::ssp::primitive::{self, Routing};
use crate::ssp::{Code, Mode, Primitive, Status};
use crate::store::Write;
use crate::text::{IdShown, Shown};

/// Milliseconds after which a peer may come again to a node that is stopping; our choice.
pub(in crate::sap) const AWAY: u64 = 1_000;
/// Prefix of the records that name the peers to log in to after the next start.
pub(in crate::sap) const COME_BACK: &str = "sap/come-back/";
/// For so long a logout may take: milliseconds; our choice.
const FAREWELL: u64 = 2_000;
/// A peer that logs out may be starting anew: it is left alone for so long,
/// milliseconds; our choice.
const AFTER_LOGOUT: u64 = 2_000;
/// Back-off after a `Disconnect` that says nothing else (11.1): milliseconds.
const DISCONNECTED: u64 = 600_000;

/// A logout of ours.
#[derive(Debug)]
pub(in crate::sap) struct Leaving {
    reason: Option<String>,
    /// What waited has been posted.
    pub(in crate::sap) flushed: bool,
    /// Then the sessions end whatever the peer says.
    pub(in crate::sap) until: Time,
}

/// What a logout was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoggedOut {
    /// So many sessions end.
    pub sessions: usize,
    /// The peer is told; else they are only forgotten.
    pub told: bool,
}

impl Sap {
    /// The node is about to stop: from now on peers are told to come again later with
    /// new requests, and nobody is logged in to. Answers are still taken.
    pub fn drain(&mut self) {
        self.closing = true;
    }

    /// Whether the node is about to stop.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether a message would bring something new to a node about to stop.
    pub(in crate::sap) fn is_too_late(&self, transactions: &[Transaction]) -> bool {
        let ends = |name: &str| matches!(name, "LogoutRequest" | "Disconnect");
        let new = |t: &Transaction| t.mode == Mode::Request && !ends(&t.name);
        self.closing && transactions.iter().any(new)
    }

    /// Says whether the store has hardly any room. While it has, peers are told to come again later
    /// with requests; sessions are kept up, and answers taken, so that what is under way ends.
    pub fn set_crowded(&mut self, crowded: bool) {
        self.crowded = crowded;
    }

    /// Whether a message would bring something to keep to a node without room for it.
    pub(in crate::sap) fn is_too_much(&self, transactions: &[Transaction]) -> bool {
        let keeps = |t: &Transaction| {
            let hop = |facts: &primitive::Facts| facts.routing == Routing::Hop;
            t.mode == Mode::Request && !primitive::facts(&t.name).is_some_and(hop)
        };
        self.crowded && transactions.iter().any(keeps)
    }

    /// Ends all sessions with a peer. One that understands it is told; that takes two
    /// seconds at most.
    pub fn log_out(&mut self, domain: &str, reason: Option<&str>, now: Time) -> LoggedOut {
        let sessions = self.peers.get(domain).map_or(0, |p| p.sessions.len());
        let told = self.can_log_out(domain);
        self.end_open(domain, now);
        if told {
            self.leave(domain, reason, now);
        } else {
            self.drop_sessions(domain);
            self.come_back(domain, now);
        }
        LoggedOut { sessions, told }
    }

    /// Logs out from all peers that understand it, and remembers to log in to them
    /// after the next start.
    pub fn log_out_everywhere(&mut self, reason: &str, now: Time) {
        let domains: Vec<String> = self
            .peers
            .keys()
            .filter(|domain| self.can_log_out(domain))
            .cloned()
            .collect();
        for domain in &domains {
            let key = format!("{COME_BACK}{domain}");
            let value = b"1".to_vec();
            self.effect(Effect::Write(Write::Put { key, value }));
            self.end_open(domain, now);
        }
        for domain in &domains {
            self.leave(domain, Some(reason), now);
        }
    }

    /// Whether a logout of ours is under way.
    pub fn is_leaving(&self) -> bool {
        self.peers.values().any(|state| state.leaving.is_some())
    }

    fn can_log_out(&self, domain: &str) -> bool {
        let peer = self.settings.peers.get(domain);
        let state = self.peers.get(domain);
        peer.is_some_and(|peer| peer.dialect.logout)
            && state.is_some_and(|state| state.ready_session().is_some())
    }

    fn leave(&mut self, domain: &str, reason: Option<&str>, now: Time) {
        if let Some(state) = self.peers.get_mut(domain) {
            state.leaving = Some(Leaving {
                reason: reason.map(str::to_owned),
                flushed: false,
                until: now.plus_millis(FAREWELL),
            });
        }
        self.pump(domain, now);
        self.schedule_peer(domain, now);
    }

    /// Posts our `LogoutRequest`s when nothing else is under way that they could
    /// overtake.
    pub(in crate::sap) fn say_goodbye(&mut self, domain: &str, now: Time) {
        let (Some(peer), Some(state)) = (self.peer_settings(domain), self.peers.get(domain)) else {
            return;
        };
        let Some(leaving) = state.leaving.as_ref().filter(|_| state.outbox.posts() == 0) else {
            return;
        };
        let request = LogoutRequest {
            reason: leaving.reason.clone(),
            meta: Some(MetaInfo::of_server(peer.presented(&self.settings.domain))),
        };
        let request = Primitive::from(request);
        let usable = state.sessions.iter();
        let usable: Vec<String> = usable
            .filter(|session| session.ready && session.logout.is_none())
            .map(|session| session.record.own_id.clone())
            .collect();
        for session in usable {
            tracing::info!(ssp.peer = domain, ssp.session = %IdShown(&session), "logging out");
            let id = self.numbers.id();
            let flight = Flight::Goodbye {
                peer: domain.to_owned(),
                session: session.clone(),
            };
            self.post_in_session(&peer, &session, Mode::Request, &id, &request, flight, now);
            let state = self.peers.get_mut(domain);
            if let Some(known) = state.and_then(|state| state.session_mut(&session)) {
                known.logout = Some(id);
            }
        }
    }

    /// The fate of our `LogoutRequest`. What did not arrive is not answered.
    pub(in crate::sap) fn goodbye_posted(
        &mut self,
        domain: &str,
        session: &str,
        taken: bool,
        now: Time,
    ) {
        if !taken {
            self.logged_off(domain, session, now);
        }
    }

    /// Our `LogoutRequest` was answered, or will not be.
    pub(in crate::sap) fn logged_off(&mut self, domain: &str, session: &str, now: Time) {
        let wanted = self.peers.get(domain).is_some_and(|state| state.wanted);
        self.drop_session(domain, session);
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        // We wanted it so: no login before there is something to send.
        state.wanted = wanted;
        if !state.sessions.iter().any(|session| session.ready) {
            state.leaving = None;
            self.come_back(domain, now);
        }
        self.pump(domain, now);
        self.schedule_peer(domain, now);
    }

    /// After a logout: a peer with whom there is always to be a session gets one again, when it
    /// has had a moment to see the end of the last one.
    fn come_back(&mut self, domain: &str, now: Time) {
        let always = self.settings.peers.get(domain);
        if self.closing || !always.is_some_and(|peer| peer.connect_always) {
            return;
        }
        if let Some(state) = self.peers.get_mut(domain) {
            state.wanted = true;
            let after = now.plus_millis(AFTER_LOGOUT);
            state.login_not_before = state.login_not_before.max(after);
        }
        self.schedule_peer(domain, now);
    }

    /// A logout that has taken too long ends here.
    pub(in crate::sap) fn expire_leaving(&mut self, domain: &str, now: Time) {
        let Some(state) = self.peers.get(domain) else {
            return;
        };
        if state.leaving.as_ref().is_none_or(|l| l.until > now) {
            return;
        }
        let ready = state.sessions.iter().filter(|session| session.ready);
        let ready: Vec<String> = ready.map(|s| s.record.own_id.clone()).collect();
        for session in ready {
            self.logged_off(domain, &session, now);
        }
        if let Some(state) = self.peers.get_mut(domain) {
            state.leaving = None;
        }
    }

    /// A peer's `LogoutRequest`: answered in the session that it ends.
    pub(in crate::sap) fn logged_out(
        &mut self,
        peer: &Peer,
        session: &str,
        transaction: &Transaction,
        request: &LogoutRequest,
        now: Time,
    ) {
        tracing::info!(
            ssp.peer = peer.domain,
            ssp.session = %IdShown(session),
            reason = %Shown(request.reason.as_deref().unwrap_or_default()),
            "the peer logs out"
        );
        let ok = Primitive::status(Code::OK);
        let id = &transaction.id;
        self.post_in_session(peer, session, Mode::Response, id, &ok, Flight::Once, now);
        self.drop_session(&peer.domain, session);
        if self.session_is_left(&peer.domain) {
            return;
        }
        self.end_open(&peer.domain, now);
        if let Some(state) = self.peers.get_mut(&peer.domain) {
            state.leaving = None;
            let after = now.plus_millis(AFTER_LOGOUT);
            state.login_not_before = state.login_not_before.max(after);
        }
        self.schedule_peer(&peer.domain, now);
    }

    /// A peer's `Disconnect`: we go where it sends us, or wait as long as it says.
    pub(in crate::sap) fn disconnected(
        &mut self,
        peer: &Peer,
        session: &str,
        notice: &Disconnect,
        now: Time,
    ) {
        tracing::warn!(
            ssp.peer = peer.domain,
            ssp.session = %IdShown(session),
            code = notice.status.code.0,
            "the peer disconnects"
        );
        self.drop_session(&peer.domain, session);
        let list = notice.redirects.as_deref().unwrap_or_default();
        if self.redirected(peer, list, now) {
            self.log_in_elsewhere(peer, now);
        } else {
            let wait = notice.status.try_again;
            let wait = wait.map_or(DISCONNECTED, |seconds| u64::from(seconds) * 1000);
            if let Some(state) = self.peers.get_mut(&peer.domain) {
                state.login_not_before = now.plus_millis(wait);
                state.held = wait > 0;
                let why = notice.status.description.as_deref().unwrap_or_default();
                let code = notice.status.code.0;
                let why = format!("the peer has disconnected: {code} {}", Shown(why));
                state.last_error = Some(why.trim_end().to_owned());
            }
            if !self.session_is_left(&peer.domain) {
                self.end_open(&peer.domain, now);
            }
            // Perhaps at once.
            self.pump(&peer.domain, now);
        }
        self.schedule_peer(&peer.domain, now);
    }

    /// Tells a peer that understands it that a session has ended. Nothing is to be
    /// answered.
    pub(in crate::sap) fn disconnect(
        &mut self,
        peer: &Peer,
        session: &str,
        status: Status,
        now: Time,
    ) {
        if !peer.dialect.logout {
            return;
        }
        let notice = Disconnect {
            meta: Some(MetaInfo::of_server(peer.presented(&self.settings.domain))),
            status,
            redirects: None,
        };
        let id = self.numbers.id();
        let notice = notice.into();
        self.post_in_session(
            peer,
            session,
            Mode::Request,
            &id,
            &notice,
            Flight::Once,
            now,
        );
    }

    /// A peer was taken out of the configuration: it is told, its sessions end. Its
    /// queue is kept until it expires, in case it comes back.
    pub(in crate::sap) fn cast_out(&mut self, domain: &str, now: Time) {
        let (Some(peer), Some(state)) = (self.peer_settings(domain), self.peers.get_mut(domain))
        else {
            return;
        };
        state.initiator = None;
        state.responders.clear();
        (state.leaving, state.wanted) = (None, false);
        let sessions = state.sessions.iter().filter(|session| session.ready);
        let sessions: Vec<String> = sessions.map(|s| s.record.own_id.clone()).collect();
        for session in sessions {
            let status = Status::new(Code::FORBIDDEN).because("no longer a peer");
            self.disconnect(&peer, &session, status, now);
        }
        self.end_open(domain, now);
        self.drop_sessions(domain);
    }

    fn session_is_left(&self, domain: &str) -> bool {
        let state = self.peers.get(domain);
        state.is_some_and(|state| state.ready_session().is_some())
    }

    /// Requests that a peer has not answered, or not even got, are answered 503.
    /// Messages are not: those that wait here go on waiting, and the peer answers for
    /// those that it has taken.
    pub(in crate::sap) fn end_open(&mut self, domain: &str, now: Time) {
        let rows = self.table.iter().filter(|(_, record)| {
            record.state == State::Pending && record.name != "SendMessageRequest"
        });
        let mut open: Vec<(u64, Place)> = rows
            .flat_map(|(number, record)| {
                let parts = record.parts.iter().filter(|part| part.answer.is_none());
                parts.map(move |part| (number, part.place.clone()))
            })
            .filter(|(_, place)| matches!(place, Place::Peer { peer, .. } if peer == domain))
            .collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (number, place) in open {
            if let (Place::Peer { id, .. }, Some(state)) = (&place, self.peers.get_mut(domain)) {
                let write = state.outbox.forsake(id);
                self.write(write);
            }
            self.part_failed(number, &place, Code::UNAVAILABLE, now);
        }
    }
}
