//! What keeps sessions and ends them: keep-alive, idleness, their number, logout in both roles,
//! disconnection (wire profile, 6.9 and 11.1).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::element::Time;
use crate::imps::primitive::session::{
    Disconnect, KeepAliveRequest, KeepAliveResponse, LogoutRequest,
};
use crate::imps::{Code, Primitive, Status};
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::keep_alive::{self, Heard, KeepAlive};
use crate::sap::association::logout::{Leaving, LoggedOut, come_again, come_back, farewell};
use crate::sap::association::outbox::Item;
use crate::sap::association::posting;
use crate::sap::association::quiet::Quiet;
use crate::sap::association::record::SessionRecord;
use crate::sap::association::session::{Session, Sessions};
use crate::sap::post::Posted;
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::{Peer, dialect::Dialect};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::Shown;

/// What comes of keeping sessions.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Something for the owner of the association.
    Report(Event),
    /// Something for the queue.
    Enqueue(Item),
    /// There is no session to send over any more.
    Down {
        /// Another one may be wanted; else it was we who wanted none.
        again: bool,
    },
    /// A peer that knows no logout must be made to forget the session of this id of its own.
    MakeForget(SessionId),
    /// Our logout is over.
    LoggedOut,
    /// What waits may go on.
    GoOn,
}

/// The sessions with one peer, while they stand.
#[derive(Debug)]
pub(super) struct Keeper {
    id: PeerId,
    sessions: Sessions,
    /// The logout under way, if this node logs out.
    leaving: Option<Leaving>,
    /// Our `LogoutRequest`s under way: by the number of the post our id of the session.
    goodbyes: HashMap<u64, SessionId>,
    quiet: Quiet,
    outcomes: VecDeque<Outcome>,
}

impl Keeper {
    pub(super) fn new(id: PeerId) -> Self {
        Self {
            id,
            sessions: Sessions::default(),
            leaving: None,
            goodbyes: HashMap::new(),
            quiet: Quiet::default(),
            outcomes: VecDeque::new(),
        }
    }

    /// What has come of it, in order.
    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    fn say(&mut self, outcome: Outcome) {
        self.outcomes.push_back(outcome);
    }

    fn report(&mut self, event: Event) {
        self.say(Outcome::Report(event));
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The session to send on.
    pub(super) fn usable_mut(&mut self) -> Option<&mut Session> {
        self.sessions.usable_mut()
    }

    /// Whether there is a session to send over.
    pub(super) fn is_up(&self) -> bool {
        self.sessions.usable().is_some()
    }

    /// Whether a logout of ours is under way.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Adds a session. It may be used for sending at once, or when the peer has our id.
    pub(super) fn add(&mut self, record: SessionRecord, ready: bool) {
        self.sessions.add(record, ready);
    }

    /// The peer has our id of a session. Whether that was not known.
    pub(super) fn ready(&mut self, own_id: &SessionId) -> bool {
        let session = self.sessions.get_mut(own_id);
        let Some(session) = session.filter(|session| !session.ready) else {
            return false;
        };
        session.ready = true;
        true
    }

    /// All records are back. Sessions beyond what one peer may have are forgotten: nobody can
    /// be told yet.
    pub(super) fn restored(&mut self, shared: &Shared, now: Time) {
        let most = shared.settings.max_sessions.max(1);
        let forgotten = self.sessions.cut(most);
        if !forgotten.is_empty() {
            let sessions = forgotten.len();
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                sessions,
                "sessions beyond {most} forgotten"
            );
        }
        for record in forgotten {
            self.report(Event::Write(record.delete()));
        }
        self.sessions.set_right(now);
    }

    /// When there is something to do if nothing comes.
    pub(super) fn next_timeout(&self, dialect: Option<&Dialect>) -> Option<Time> {
        let sessions = dialect.and_then(|dialect| self.sessions.due(dialect));
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        sessions.into_iter().chain(leaving).min()
    }

    /// A message came in a session of ours.
    pub(super) fn message_came(&mut self, own_id: &SessionId, from: Option<IpAddr>, now: Time) {
        let Some(session) = self.sessions.get_mut(own_id) else {
            return;
        };
        let record = &mut session.record;
        record.last_in = now;
        // Written once; where it comes from later is of use for this run only.
        let unknown = record.from.is_none();
        record.from = from.or(record.from);
        if unknown && record.from.is_some() {
            let write = record.put();
            self.report(Event::Write(write));
        }
    }

    /// Keeps the session alive when it is idle, and tells the peer of a time to live of ours
    /// that has changed.
    pub(super) fn keep_alive(&mut self, peer: &Peer, shared: &Shared, now: Time) {
        if !peer.dialect.keep_alive {
            return;
        }
        let Some(session) = self.sessions.usable_mut() else {
            return;
        };
        let id = || shared.numbers.id();
        if let Some(item) = KeepAlive::due(peer, &shared.settings, session, id, now) {
            self.say(Outcome::Enqueue(item));
        }
    }

    /// The answer to a `KeepAliveRequest` or `LogoutRequest` of ours; false if it is
    /// none.
    pub(super) fn answered(&mut self, transaction: &Transaction) -> bool {
        let id = transaction.id.as_str();
        if let Some(own_id) = self.sessions.logged_out_by(id) {
            self.logged_off(&own_id);
            return true;
        }
        let Some((session, asked)) = self.sessions.kept_alive_by(id) else {
            return false;
        };
        match asked.answered(transaction, &mut session.record) {
            Heard::UnknownSession => {
                let own_id = session.record.own_id.clone();
                self.is_unknown(&own_id);
                self.say(Outcome::GoOn);
            }
            Heard::Changed(write) => self.report(Event::Write(write)),
            Heard::Nothing => {}
        }
        true
    }

    /// The answer to a peer's `KeepAliveRequest`. `None`: the session is not there any more.
    pub(super) fn kept_alive(
        &mut self,
        session: &SessionId,
        request: &KeepAliveRequest,
        shared: &Shared,
    ) -> Option<KeepAliveResponse> {
        let longest = shared.settings.session_ttl;
        let record = &mut self.sessions.get_mut(session)?.record;
        let (answer, changed) = keep_alive::grant(record, request, longest);
        if let Some(write) = changed {
            self.report(Event::Write(write));
        }
        Some(answer)
    }

    /// Forgets all sessions, without telling the peer; how many there were.
    pub(super) fn forget_all(&mut self) -> usize {
        let forgotten = self.sessions.take();
        for session in &forgotten {
            self.report(Event::Write(session.record.delete()));
        }
        if !forgotten.is_empty() {
            self.report(Event::Down);
        }
        forgotten.len()
    }

    /// The peer does not know a session of ours.
    pub(super) fn is_unknown(&mut self, own_id: &SessionId) {
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            ssp.session = %own_id.shown(),
            "the peer does not know the session; logging in anew"
        );
        self.end(own_id);
    }

    /// A session has ended.
    pub(super) fn end(&mut self, own_id: &SessionId) {
        self.take_out(own_id, true);
    }

    fn take_out(&mut self, own_id: &SessionId, again: bool) {
        let Some(session) = self.sessions.remove(own_id) else {
            return;
        };
        self.report(Event::Write(session.record.delete()));
        if !self.is_up() {
            self.say(Outcome::Down { again });
        }
    }

    /// Ends the sessions that were idle for their time to live.
    pub(super) fn expire(&mut self, peer: &Peer, shared: &Shared, now: Time) {
        if !peer.dialect.sessions_expire {
            return;
        }
        for own_id in self.sessions.ended(now) {
            tracing::info!(
                ssp.peer = self.id.as_str(),
                ssp.session = %own_id.shown(),
                "session was idle for its time to live and ends"
            );
            let status = come_again(Status::new(Code::SESSION_EXPIRED), Duration::ZERO);
            self.disconnect(peer, shared, &own_id, status, now);
            self.end(&own_id);
        }
    }

    /// Ends the sessions that are one peer's too many. The newest stays.
    pub(super) fn limit(&mut self, peer: &Peer, shared: &Shared, now: Time) {
        let most = shared.settings.max_sessions.max(1);
        while let Some(oldest) = self.sessions.too_many(most) {
            let (own_id, peer_id) = (oldest.record.own_id.clone(), oldest.record.peer_id.clone());
            let known = oldest.ready;
            if let Some(left_out) = self.quiet.due("sessions", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = %own_id.shown(),
                    left_out,
                    "the peer has more than {most} sessions: one out of use ends"
                );
            }
            if known && peer.dialect.logout {
                let status = Status::new(Code::SESSION_EXPIRED).because("too many sessions");
                let status = come_again(status, Duration::ZERO);
                self.disconnect(peer, shared, &own_id, status, now);
            } else if known && peer.dialect.reset_lost_session {
                self.say(Outcome::MakeForget(peer_id));
            }
            self.end(&own_id);
        }
    }

    /// Ends all sessions. A peer that understands it is told; that takes two seconds at most.
    pub(super) fn log_out(
        &mut self,
        peer: Option<&Peer>,
        reason: Option<&str>,
        now: Time,
    ) -> LoggedOut {
        let (sessions, told) = (self.sessions.len(), self.can_log_out(peer));
        if told {
            self.leave(reason, now);
        } else {
            self.report(Event::Unanswered);
            self.forget_all();
            self.say(Outcome::LoggedOut);
        }
        LoggedOut { sessions, told }
    }

    /// Logs out, if the peer understands it, and remembers to log in after the next start.
    pub(super) fn log_out_for_now(&mut self, peer: &Peer, reason: &str, now: Time) {
        if self.can_log_out(Some(peer)) {
            self.report(Event::Write(come_back(&self.id)));
            self.leave(Some(reason), now);
        }
    }

    fn can_log_out(&self, peer: Option<&Peer>) -> bool {
        peer.is_some_and(|peer| peer.dialect.logout) && self.is_up()
    }

    fn leave(&mut self, reason: Option<&str>, now: Time) {
        self.report(Event::Unanswered);
        self.leaving = Some(Leaving::new(reason, now));
        self.say(Outcome::GoOn);
    }

    /// Gives up our logout: there is nothing to end any more.
    pub(super) fn stay(&mut self) {
        self.leaving = None;
    }

    /// What waits is posted once more before our logout. Whether that was done before; `None`:
    /// there is no logout.
    pub(super) fn flush(&mut self) -> Option<bool> {
        self.leaving.as_mut().map(Leaving::flush)
    }

    /// Posts our `LogoutRequest`s. Nothing else is under way that they could overtake.
    pub(super) fn say_goodbye(&mut self, peer: &Peer, shared: &Shared, now: Time) {
        let Some(leaving) = &self.leaving else {
            return;
        };
        let request = leaving.request(peer, &shared.settings);
        let usable = self.sessions.iter().filter(|session| session.is_usable());
        let usable: Vec<SessionId> = usable.map(|s| s.record.own_id.clone()).collect();
        for session in usable {
            tracing::info!(
                ssp.peer = self.id.as_str(),
                ssp.session = %session.shown(),
                "logging out"
            );
            let id = shared.numbers.id();
            let transaction = (Mode::Request, id.as_str(), &request);
            let number = self.post(peer, shared, &session, transaction, now);
            self.goodbyes.insert(number, session.clone());
            if let Some(known) = self.sessions.get_mut(&session) {
                known.logout = Some(id);
            }
        }
    }

    /// A post has ended; false if it was none of a `LogoutRequest`.
    pub(super) fn posted(&mut self, number: u64, outcome: &Posted) -> bool {
        let Some(session) = self.goodbyes.remove(&number) else {
            return false;
        };
        // What did not arrive is not answered.
        if *outcome != Posted::Acknowledged {
            self.logged_off(&session);
        }
        true
    }

    /// Our `LogoutRequest` was answered, or will not be.
    fn logged_off(&mut self, session: &SessionId) {
        // We wanted it so: no login before there is something to send.
        self.take_out(session, false);
        if self.sessions.ready().is_empty() {
            self.leaving = None;
            self.say(Outcome::LoggedOut);
        }
        self.say(Outcome::GoOn);
    }

    /// A logout that has taken too long ends here.
    pub(super) fn expire_leaving(&mut self, now: Time) {
        if self.leaving.as_ref().is_none_or(|l| l.until > now) {
            return;
        }
        for session in self.sessions.ready() {
            self.logged_off(&session);
        }
        self.leaving = None;
    }

    /// A peer's `LogoutRequest`: answered in the session that it ends.
    pub(super) fn peer_leaves(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        (session, id): (&SessionId, &str),
        request: &LogoutRequest,
        now: Time,
    ) {
        tracing::info!(
            ssp.peer = self.id.as_str(),
            ssp.session = %session.shown(),
            reason = %Shown(request.reason.as_deref().unwrap_or_default()),
            "the peer logs out"
        );
        let ok = Primitive::status(Code::OK);
        self.answer(peer, shared, (session, id), &ok, now);
        self.end(session);
    }

    /// A peer's `Disconnect`.
    pub(super) fn peer_disconnects(&mut self, session: &SessionId, notice: &Disconnect) {
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            ssp.session = %session.shown(),
            code = notice.status.code.0,
            "the peer disconnects"
        );
        self.end(session);
    }

    /// Ends all sessions at once. A peer that understands it is told.
    pub(super) fn disconnect_all(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        status: &Status,
        now: Time,
    ) {
        for session in self.sessions.ready() {
            self.disconnect(peer, shared, &session, status.clone(), now);
        }
        self.report(Event::Unanswered);
        self.forget_all();
        self.leaving = None;
    }

    /// Tells a peer that understands it that a session has ended. Nothing is to be
    /// answered.
    fn disconnect(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        session: &SessionId,
        status: Status,
        now: Time,
    ) {
        if !peer.dialect.logout {
            return;
        }
        let (id, notice) = (
            shared.numbers.id(),
            farewell(peer, &shared.settings, status),
        );
        self.post(peer, shared, session, (Mode::Request, &id, &notice), now);
    }

    /// Answers in exactly this session, which has ended or is about to.
    pub(super) fn answer(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        (session, id): (&SessionId, &str),
        answer: &Primitive,
        now: Time,
    ) {
        self.post(peer, shared, session, (Mode::Response, id, answer), now);
    }

    /// Posts one transaction in exactly this session, past the queue; never repeated. The
    /// number of the post.
    fn post(
        &mut self,
        peer: &Peer,
        shared: &Shared,
        session: &SessionId,
        transaction: (Mode, &str, &Primitive),
        now: Time,
    ) -> u64 {
        let number = shared.numbers.next();
        let known = self.sessions.get(session);
        let url = known.and_then(|known| known.record.address(now));
        let (note, post) =
            posting::in_session(&self.id, peer, (session, url), transaction, number, now);
        self.report(Event::Note(note));
        self.report(Event::Post(post));
        number
    }
}
