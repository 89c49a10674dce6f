//! What is between this node and one peer: sessions, handshakes in both roles, the queue of
//! what the peer is to get, and its posts. Pure: values and a `now` in, [`Event`]s out. It knows
//! nothing of what the transactions are about.

pub mod event;
pub mod handshake;
pub mod keep_alive;
pub(in crate::sap) mod login;
mod login_times;
pub(in crate::sap) mod logout;
pub mod outbox;
mod posting;
pub(in crate::sap) mod quiet;
pub(in crate::sap) mod rate_limit;
mod reach;
pub mod record;
mod redirect;
mod seen;
pub mod session;
#[cfg(test)]
mod tests;
pub(in crate::sap) mod trouble;
pub(in crate::sap) mod view;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

pub use event::Event;

use crate::element::Time;
use crate::imps::primitive::session::{KeepAliveRequest, KeepAliveResponse};
use crate::imps::{Code, Primitive, Status};
use crate::sap::numbers::Numbers;
use crate::sap::post::{Knock, Loaded, Post, Posted};
use crate::sap::presented_as::PeerId;
use crate::sap::random::Random;
use crate::sap::settings::{Peer, Settings};
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::watch::Count;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::IdShown;
use keep_alive::{Heard, KeepAlive};
use login::{Around, Login, Logins, Outcome};
use logout::Leaving;
use outbox::{Item, Outbox, Totals};
use posting::{Fate, Posting};
use quiet::Quiet;
use rate_limit::{Rate, RateLimit};
use reach::Reach;
use record::SessionRecord;
use seen::Seen;
use session::Sessions;
use trouble::{Trouble, Troubles};

/// What the associations of one node share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The node's settings.
    pub settings: Arc<Settings>,
    /// The source of chance: ids, tokens, jitter.
    pub random: Random,
    /// Numbers of posts and ids of transactions.
    pub numbers: Arc<Numbers>,
    /// What all queues take together.
    pub totals: Arc<Totals>,
}

/// A post that is neither a batch nor a step of a handshake.
#[derive(Debug)]
enum Flight {
    /// Our `LogoutRequest`, with our id of the session.
    Goodbye(String),
    /// A connection that was only tried.
    Reach,
}

/// All that is between this node and one peer, or one identity of ours towards it.
#[derive(Debug)]
pub struct Association {
    id: PeerId,
    /// What the configuration says of it; `None`: it was taken out.
    peer: Option<Arc<Peer>>,
    shared: Shared,
    /// The node is about to stop: nobody is logged in to.
    closing: bool,
    sessions: Sessions,
    logins: Logins,
    /// Another identity of the same peer awaits its token.
    others_await_token: bool,
    posting: Posting,
    /// The logout under way, if this node logs out.
    leaving: Option<Leaving>,
    flights: HashMap<u64, Flight>,
    reach: Reach,
    rate_limit: RateLimit,
    /// The peer was refused requests because too much of it is open.
    owes: bool,
    /// From where its sessions were used.
    seen: Seen,
    /// What of it never became a message.
    troubles: Troubles,
    /// What the log says of it.
    quiet: Quiet,
    last_error: Option<String>,
    /// When it is looked after next.
    due: Option<Time>,
    /// Something was queued, or may be posted, since.
    flush: Option<Time>,
    events: VecDeque<Event>,
}

impl Association {
    /// One without sessions.
    pub fn new(id: PeerId, peer: Option<Arc<Peer>>, shared: Shared) -> Self {
        Self {
            peer,
            closing: false,
            sessions: Sessions::default(),
            logins: Logins::new(id.clone()),
            others_await_token: false,
            posting: Posting::new(id.clone(), &shared.totals),
            leaving: None,
            flights: HashMap::new(),
            reach: Reach::default(),
            rate_limit: RateLimit::default(),
            owes: false,
            seen: Seen::default(),
            troubles: Troubles::default(),
            quiet: Quiet::default(),
            last_error: None,
            due: None,
            flush: None,
            events: VecDeque::new(),
            id,
            shared,
        }
    }

    /// Takes back a session kept before a restart.
    pub fn restore_session(&mut self, record: SessionRecord) {
        self.seen.note(record.from);
        self.sessions.add(record, true);
    }

    /// Takes back an item of the queue.
    pub fn restore_item(&mut self, number: u64, item: Item) {
        self.posting.outbox_mut().restore(number, item);
    }

    /// A session is to come about at the start.
    pub fn come_back_at_start(&mut self) {
        self.logins.times.wanted = true;
    }

    /// All records are back. Sessions beyond what one peer may have are forgotten: nobody can
    /// be told yet.
    pub fn restored(&mut self, now: Time) {
        let most = self.shared.settings.max_sessions.max(1);
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
            self.event(Event::Write(record.delete()));
        }
        self.sessions.set_right(now);
    }

    /// Begins to work, with all that was kept.
    pub fn start(&mut self, now: Time) {
        let always = self.peer.as_ref().is_some_and(|peer| peer.connect_always);
        if always || self.logins.times.wanted {
            self.want_session(now);
        }
        // What has expired meanwhile is not posted any more.
        self.posting.set_right();
        self.posting.expire(now);
        self.flush_later(now);
        self.schedule(now);
    }

    /// Goes by other settings.
    pub fn reload(&mut self, settings: Arc<Settings>, peer: &Arc<Peer>, now: Time) {
        self.shared.settings = settings;
        self.peer = Some(Arc::clone(peer));
        // What kept us from the peer may be mended.
        if !self.is_up() && !self.logins.handshakes().ours() {
            self.lift_hold();
            self.logins.times.begin_anew();
        }
        if peer.connect_always {
            self.want_session(now);
        }
        self.limit_sessions(now);
        self.keep_alive(now);
        self.flush_later(now);
        self.schedule(now);
    }

    /// The node is about to stop, or is not.
    pub fn set_closing(&mut self, closing: bool) {
        self.closing = closing;
    }

    /// Whether another identity of the same peer awaits its token: only one may, because the
    /// token does not say to whom it is given.
    pub fn set_others_await_token(&mut self, await_it: bool) {
        self.others_await_token = await_it;
    }

    /// The peer, and the domain presented to it.
    pub fn id(&self) -> &PeerId {
        &self.id
    }

    /// What the configuration says of the peer.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        self.peer.as_ref()
    }

    /// Whether there is a session to send over.
    pub fn is_up(&self) -> bool {
        self.sessions.usable().is_some()
    }

    /// Whether a logout of ours is under way.
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What waits for the peer.
    pub fn outbox(&self) -> &Outbox {
        self.posting.outbox()
    }

    /// Whether our handshake awaits the peer's token.
    pub fn awaits_token(&self) -> bool {
        self.logins.handshakes().awaits_token()
    }

    /// Whether the peer may use a session before its last step has reached us.
    pub fn awaits_last_step(&self, now: Time) -> bool {
        self.logins.handshakes().awaits_last_step(now)
    }

    /// Whether a handshake is open to which a setup message belongs.
    pub fn has_handshake(&self, mode: Mode, id: &str) -> bool {
        self.logins.handshakes().has(mode, id)
    }

    /// See [`Seen::is_known`].
    pub fn is_known_from(&self, from: Option<IpAddr>) -> bool {
        let peer = self.peer.as_deref();
        peer.is_some_and(|peer| self.seen.is_known(peer, from))
    }

    /// See [`Seen::may_have_lost`].
    pub fn may_have_lost(&self, from: Option<IpAddr>) -> bool {
        let peer = self.peer.as_deref();
        peer.is_some_and(|peer| self.seen.may_have_lost(peer, from))
    }

    /// Whether a line about what comes in the peer's name is due; see [`Quiet::due`].
    pub fn due_line(&mut self, kind: &'static str, now: Time) -> Option<u64> {
        self.quiet.due(kind, now)
    }

    /// What became of a login.
    pub fn login(&self, others_await_token: bool) -> Login {
        match (self.is_up(), self.reach.is_away()) {
            (true, _) if self.reach.is_tried() => return Login::UnderWay,
            (true, false) => return Login::Stands,
            (true, true) => {
                let why = self.last_error.as_deref().unwrap_or_default();
                return Login::Failed(format!("there is one, but the peer is not reached: {why}"));
            }
            (false, _) => {}
        }
        let waits = self.is_leaving() || self.logins.times.is_yielding() || others_await_token;
        let under_way = self.logins.handshakes().ours() || self.logins.handshakes().proven();
        if under_way || (waits && self.logins.times.wanted && !self.closing) {
            return Login::UnderWay;
        }
        Login::Failed(match &self.last_error {
            Some(why) => why.clone(),
            None if self.closing => "this node is about to stop".to_owned(),
            None => "the session ended at once".to_owned(),
        })
    }

    /// What is to be reported next.
    pub fn next_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.gather();
        }
        self.events.pop_front()
    }

    fn event(&mut self, event: Event) {
        self.gather();
        self.events.push_back(event);
    }

    /// Takes over what the parts report.
    fn gather(&mut self) {
        self.events.append(self.posting.events());
    }

    /// When [`Association::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let step = self.logins.next_step();
        step.into_iter().chain(self.due).min()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        loop {
            let due = self.due.filter(|due| *due <= now);
            match self.logins.next_step().filter(|step| *step <= now) {
                Some(step) if due.is_none_or(|due| step <= due) => {
                    self.logins.step_due(self.peer.as_deref(), &self.shared);
                    self.heed_logins(now);
                }
                _ if due.is_some() => self.look_after(now),
                _ => return,
            }
        }
    }

    fn look_after(&mut self, now: Time) {
        self.due = None;
        self.expire_leaving(now);
        self.log_in(now, Logins::expire);
        self.posting.expire(now);
        self.expire_sessions(now);
        self.keep_alive(now);
        self.look_after_reach(now);
        self.flush_later(now);
        self.schedule(now);
    }

    /// Sees to it that the next thing that can happen is looked after.
    fn schedule(&mut self, now: Time) {
        let up = self.is_up();
        let dialect = self.peer.as_ref().map(|peer| &peer.dialect);
        let not_before = self.logins.times.not_before();
        let waits = self.logins.times.wanted || !self.outbox().is_empty();
        let login = (waits && !up && not_before > now).then_some(not_before);
        let reach = self.reach.due().filter(|_| up && self.minds_reach());
        let due = [
            self.logins.next_timeout(),
            self.posting.due(now),
            login,
            self.logins.times.yields_until().filter(|_| !up),
            dialect.and_then(|dialect| self.sessions.due(dialect)),
            reach,
            self.leaving.as_ref().map(|leaving| leaving.until),
        ];
        // A later time comes when this one has passed.
        if let Some(due) = due.into_iter().flatten().min() {
            let due = due.max(now.plus_millis(1));
            self.due = Some(self.due.map_or(due, |before| before.min(due)));
        }
    }

    /// Adds a transaction to the queue and starts what can start.
    pub fn enqueue(&mut self, item: Item, now: Time) {
        let first = self.posting.push(item, None);
        self.flush_later(now);
        if first {
            self.schedule(now);
        }
    }

    /// Adds a transaction that is to be posted not before `at`.
    pub fn enqueue_later(&mut self, item: Item, at: Time, now: Time) {
        self.posting.push(item, Some(at));
        self.schedule(now);
    }

    /// Takes a request back that was not posted yet; `None` if it is under way or gone.
    pub fn withdraw(&mut self, id: &str, now: Time) -> Option<Item> {
        let (item, write) = self.posting.outbox_mut().withdraw(id)?;
        self.event(Event::Write(write));
        // What waited behind it may go.
        self.flush_later(now);
        Some(item)
    }

    /// Nobody waits for a request any more: it leaves at once, or when its post has failed.
    pub fn forsake(&mut self, id: &str) {
        if let Some(write) = self.posting.outbox_mut().forsake(id) {
            self.event(Event::Write(write));
        }
    }

    /// No other identity awaits the peer's token any more.
    pub fn token_is_free(&mut self, now: Time) {
        self.flush_later(now);
    }

    /// Marks that [`Association::flush`] has something to do.
    fn flush_later(&mut self, now: Time) {
        self.flush = Some(now);
    }

    /// Whether [`Association::flush`] is to be called, when all that comes together has come.
    pub fn wants_flush(&self) -> bool {
        self.flush.is_some()
    }

    /// Posts what may be posted; logs in if there is no session. Until when it was queued;
    /// `None`: there was nothing to do.
    pub fn flush(&mut self) -> Option<Time> {
        let now = self.flush.take()?;
        let peer = self.peer.clone()?;
        // What has expired is not posted.
        self.posting.expire(now);
        let flushed = self.leaving.as_mut().map(Leaving::flush);
        if flushed != Some(true) {
            self.post_batches(&peer, now);
        }
        if flushed.is_some() {
            self.say_goodbye(&peer, now);
        }
        self.schedule(now);
        Some(now)
    }

    fn post_batches(&mut self, peer: &Peer, now: Time) {
        if self.outbox().is_empty() {
            if self.logins.times.wanted {
                self.connect(now);
            }
            return;
        }
        match self.sessions.usable_mut() {
            Some(session) => self.posting.post(peer, &self.shared, session, now),
            None => self.connect(now),
        }
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        if self.logins.handshakes().is_posting(number) {
            self.log_in(now, |logins, around| logins.posted(number, outcome, around));
            return;
        }
        match self.flights.remove(&number) {
            Some(Flight::Goodbye(session)) => {
                // What did not arrive is not answered.
                if *outcome != Posted::Acknowledged {
                    self.logged_off(&session, now);
                }
            }
            Some(Flight::Reach) => self.reach_tried(outcome, now),
            None => self.batch_posted(number, outcome, now),
        }
    }

    fn batch_posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        let peer = self.peer.clone();
        let (peer, shared) = (peer.as_deref(), &self.shared);
        let Some((session, fate)) = self.posting.posted(number, outcome, peer, shared, now) else {
            return;
        };
        match outcome {
            Posted::Failed(why) => self.not_reached(why, now),
            Posted::Closed | Posted::TimedOut => {}
            Posted::Acknowledged | Posted::Refused { .. } => self.heard_from(now),
        }
        match fate {
            Fate::Nothing => {}
            Fate::Taken => {
                self.last_error = None;
                self.logins.times.not_forbidden();
            }
            Fate::Failed(why) => self.last_error = Some(why),
            Fate::UnknownSession => {
                if self.sessions.get(&session).is_some() {
                    self.logins.times.forbidden(now);
                }
                tracing::warn!(
                    ssp.peer = self.id.as_str(),
                    ssp.session = %IdShown(&session),
                    "the peer does not know the session; logging in anew"
                );
                self.drop_session(&session);
            }
            Fate::LostSession(why) => {
                self.last_error = Some(why);
                self.drop_session(&session);
            }
        }
        self.flush_later(now);
        self.schedule(now);
    }

    /// Bodies came from the store.
    pub fn loaded(&mut self, loaded: Loaded, now: Time) {
        if self.posting.loaded(loaded, &mut self.quiet, now) {
            self.flush_later(now);
            self.schedule(now);
        }
    }

    /// Posts one transaction in exactly this session, past the queue; never repeated. The
    /// number of the post.
    fn post_in_session(
        &mut self,
        peer: &Peer,
        session: &str,
        (mode, id): (Mode, &str),
        primitive: &Primitive,
        now: Time,
    ) -> u64 {
        let item = Item {
            mode,
            id: id.to_owned(),
            name: primitive.name().to_owned(),
            raw: primitive.to_xml(Some(peer.dialect.style())),
            conversation: None,
            expires: now,
            message: None,
            via: None,
        };
        let body = posting::print_batch(&peer.dialect, session, &[&item]);
        let known = self.sessions.get(session);
        let url = known.and_then(|known| known.record.address(now).map(str::to_owned));
        let number = self.shared.numbers.next();
        let trace = posting::sent(&self.id, session, &item, now);
        self.event(Event::Trace(Box::new(trace)));
        self.event(Event::Post(Post {
            peer: self.id.real().to_owned(),
            number,
            body: body.into(),
            session: Some(session.to_owned()),
            transaction: (mode == Mode::Request).then(|| id.to_owned()),
            url,
            transactions: 1,
        }));
        number
    }

    /// Answers in exactly this session, which has ended or is about to.
    pub fn answer_in_session(&mut self, session: &str, id: &str, answer: &Primitive, now: Time) {
        if let Some(peer) = self.peer.clone() {
            self.post_in_session(&peer, session, (Mode::Response, id), answer, now);
        }
    }

    /// A message came in a session of ours, with or without requests.
    pub fn message_came(&mut self, own_id: &str, from: Option<IpAddr>, asks: bool, now: Time) {
        self.heard_from(now);
        self.troubles.message_came(now);
        self.seen.note(from);
        self.owes &= !asks;
        if let Some(session) = self.sessions.get_mut(own_id) {
            let record = &mut session.record;
            record.last_in = now;
            // Written once; where it comes from later is of use for this run only.
            let unknown = record.from.is_none();
            record.from = from.or(record.from);
            if unknown && record.from.is_some() {
                let write = record.put();
                self.event(Event::Write(write));
            }
        }
        if self.posting.outbox_mut().health_mut().heard(now) {
            self.flush_later(now);
            self.schedule(now);
        }
    }

    /// The peer is refused requests because too much of it is open. Whether that has just begun.
    pub fn owes(&mut self) -> bool {
        !std::mem::replace(&mut self.owes, true)
    }

    /// The peer uses a session: whatever became of our last step's acknowledgement, it has our
    /// id.
    pub fn session_is_used(&mut self, own_id: &str, now: Time) {
        let was_up = self.is_up();
        let session = self.sessions.get_mut(own_id);
        if let Some(session) = session.filter(|session| !session.ready) {
            session.ready = true;
            self.session_ready(was_up, now);
        }
    }

    /// Keeps the session alive when it is idle, and tells the peer of a time to live of ours
    /// that has changed.
    fn keep_alive(&mut self, now: Time) {
        let Some(peer) = self.peer.clone().filter(|peer| peer.dialect.keep_alive) else {
            return;
        };
        let Some(session) = self.sessions.usable_mut() else {
            return;
        };
        let id = || self.shared.numbers.id();
        if let Some(item) = KeepAlive::due(&peer, &self.shared.settings, session, id, now) {
            self.enqueue(item, now);
        }
    }

    /// The answer to a `KeepAliveRequest` or `LogoutRequest` of ours; false if it is
    /// none.
    pub fn session_answer(&mut self, transaction: &Transaction, now: Time) -> bool {
        let id = transaction.id.as_str();
        if let Some(own_id) = self.sessions.logged_out_by(id) {
            self.logged_off(&own_id, now);
            return true;
        }
        let Some((session, asked)) = self.sessions.kept_alive_by(id) else {
            return false;
        };
        match asked.answered(transaction, &mut session.record) {
            Heard::UnknownSession => {
                let own_id = session.record.own_id.clone();
                tracing::warn!(
                    ssp.peer = self.id.as_str(),
                    ssp.session = %IdShown(&own_id),
                    "the peer does not know the session; logging in anew"
                );
                self.drop_session(&own_id);
                self.flush_later(now);
            }
            Heard::Changed(write) => self.event(Event::Write(write)),
            Heard::Nothing => {}
        }
        self.schedule(now);
        true
    }

    /// The answer to a peer's `KeepAliveRequest`. `None`: the session is not there any more.
    pub fn kept_alive(
        &mut self,
        session: &str,
        request: &KeepAliveRequest,
        now: Time,
    ) -> Option<KeepAliveResponse> {
        let longest = self.shared.settings.session_ttl;
        let record = &mut self.sessions.get_mut(session)?.record;
        let (answer, changed) = keep_alive::grant(record, request, longest);
        if let Some(write) = changed {
            self.event(Event::Write(write));
        }
        self.schedule(now);
        Some(answer)
    }

    /// Forgets all sessions, without telling the peer; how many there were.
    pub fn drop_sessions(&mut self) -> usize {
        let dropped = self.sessions.take();
        for session in &dropped {
            self.event(Event::Write(session.record.delete()));
        }
        if !dropped.is_empty() {
            self.event(Event::Down);
        }
        dropped.len()
    }

    fn drop_session(&mut self, own_id: &str) {
        let Some(session) = self.sessions.remove(own_id) else {
            return;
        };
        self.event(Event::Write(session.record.delete()));
        if !self.is_up() {
            self.logins.times.wanted |= self.peer.as_ref().is_some_and(|peer| peer.connect_always);
            // A node that stops tells its own side nothing: it will be back.
            if !self.closing {
                self.event(Event::Down);
            }
        }
    }

    fn expire_sessions(&mut self, now: Time) {
        let expire = |peer: &Arc<Peer>| peer.dialect.sessions_expire;
        let Some(peer) = self.peer.clone().filter(expire) else {
            return;
        };
        for own_id in self.sessions.ended(now) {
            tracing::info!(
                ssp.peer = self.id.as_str(),
                ssp.session = %IdShown(&own_id),
                "session was idle for its time to live and ends"
            );
            let status = come_again(Status::new(Code::SESSION_EXPIRED), 0);
            self.disconnect(&peer, &own_id, status, now);
            self.drop_session(&own_id);
        }
    }

    /// Ends the sessions that are one peer's too many. The newest stays.
    fn limit_sessions(&mut self, now: Time) {
        let Some(peer) = self.peer.clone() else {
            return;
        };
        let most = self.shared.settings.max_sessions.max(1);
        while let Some(oldest) = self.sessions.too_many(most) {
            let (own_id, peer_id) = (oldest.record.own_id.clone(), oldest.record.peer_id.clone());
            let known = oldest.ready;
            if let Some(left_out) = self.quiet.due("sessions", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = %IdShown(&own_id),
                    left_out,
                    "the peer has more than {most} sessions: one out of use ends"
                );
            }
            if known && peer.dialect.logout {
                let status = Status::new(Code::SESSION_EXPIRED).because("too many sessions");
                self.disconnect(&peer, &own_id, come_again(status, 0), now);
            } else if known && peer.dialect.reset_lost_session {
                self.log_in(now, |logins, around| logins.make_forget(&peer_id, around));
            }
            self.drop_session(&own_id);
        }
    }

    /// Nothing of before keeps us from a login now.
    fn lift_hold(&mut self) {
        self.logins.times.lift();
        self.posting.outbox_mut().health_mut().forgive();
        self.last_error = None;
    }

    /// Logs in now, whatever has kept us from it, unless there is a session.
    pub fn connect_now(&mut self, now: Time) {
        if self.logins.handshakes().ours() {
            return;
        }
        if self.is_up() {
            // A session may stand while the peer is away.
            self.posting.outbox_mut().health_mut().forgive();
            self.knock(now);
            return self.flush_later(now);
        }
        self.lift_hold();
        self.want_session(now);
    }

    /// Sees to it that a session comes about even if there is nothing to send.
    fn want_session(&mut self, now: Time) {
        self.log_in(now, Logins::want);
    }

    /// Opens a handshake unless one is open, a session stands, or it is too early.
    pub fn connect(&mut self, now: Time) {
        self.log_in(now, Logins::connect);
    }

    /// A setup message of the peer.
    pub fn setup(
        &mut self,
        transaction: &Transaction,
        primitive: &Primitive,
        facts: &Facts,
        now: Time,
    ) -> Verdict {
        let mut quiet = std::mem::take(&mut self.quiet);
        let verdict = self.log_in(now, |logins, around| {
            logins.setup(transaction, primitive, facts, &mut quiet, around)
        });
        self.quiet = quiet;
        verdict.unwrap_or(Verdict::Forbidden)
    }

    /// Tells a peer that keeps using a session we have lost to forget it, and logs in ourselves.
    pub fn reset_lost_session(&mut self, session: &str, now: Time) {
        self.log_in(now, |logins, around| logins.reset(session, around));
    }

    /// Gives the logins an input, and heeds what comes of it. `None`: the peer is none any more.
    fn log_in<R>(&mut self, now: Time, act: impl FnOnce(&mut Logins, &Around) -> R) -> Option<R> {
        let around = Around {
            peer: self.peer.clone()?,
            shared: self.shared.clone(),
            up: self.is_up(),
            leaving: self.is_leaving(),
            closing: self.closing,
            others_await_token: self.others_await_token,
            now,
        };
        let result = act(&mut self.logins, &around);
        self.heed_logins(now);
        Some(result)
    }

    fn heed_logins(&mut self, now: Time) {
        let mut established = false;
        while let Some(outcome) = self.logins.next_outcome() {
            match outcome {
                Outcome::Report(event) => self.event(event),
                Outcome::Established(record, ready) => {
                    self.established(record, ready, now);
                    established = true;
                }
                Outcome::Ready(own_id) => {
                    let was_up = self.is_up();
                    if let Some(session) = own_id.and_then(|own_id| self.sessions.get_mut(&own_id))
                    {
                        session.ready = true;
                    }
                    self.session_ready(was_up, now);
                }
                Outcome::Abandoned(own_id) => {
                    // The peer may have used it in the meantime.
                    if self
                        .sessions
                        .get(&own_id)
                        .is_some_and(|session| !session.ready)
                    {
                        self.drop_session(&own_id);
                    }
                }
                Outcome::Failed(why) => self.last_error = Some(why),
                Outcome::GoOn => self.flush_later(now),
            }
        }
        if established {
            // Not before the peer is told of the new one.
            self.limit_sessions(now);
        }
        self.schedule(now);
    }

    fn established(&mut self, record: SessionRecord, ready: bool, now: Time) {
        let write = record.put();
        let was_up = self.is_up();
        self.sessions.add(record, ready);
        self.posting.begin_anew();
        self.last_error = None;
        self.event(Event::Write(write));
        self.event(Event::Count(Count::HandshakeDone));
        if ready {
            self.session_ready(was_up, now);
        }
    }

    /// A session may be used for sending from now on.
    fn session_ready(&mut self, was_up: bool, now: Time) {
        self.reach = Reach::default();
        self.heard_from(now);
        if !was_up {
            self.event(Event::Up);
        }
        self.flush_later(now);
        self.schedule(now);
    }

    /// Something came from the peer, or reached it.
    fn heard_from(&mut self, now: Time) {
        let Some(told) = self.reach.heard(now) else {
            return;
        };
        tracing::info!(ssp.peer = self.id.as_str(), "the peer is reached again");
        if told && self.is_up() {
            self.event(Event::Reached);
        }
    }

    /// The peer could not be reached.
    fn not_reached(&mut self, why: &str, now: Time) {
        if self.reach.lost(now) {
            self.last_error = Some(why.to_owned());
        }
    }

    /// Whether it matters here that a silent peer is away.
    fn minds_reach(&self) -> bool {
        let settings = &self.shared.settings;
        !self.closing && settings.visiting.is_none() && settings.routes.any_local()
    }

    /// Tells those who watch its users that the peer is away, though a session stands; and tries
    /// a connection to one of whom nothing was heard for a while.
    fn look_after_reach(&mut self, now: Time) {
        if !self.minds_reach() || !self.is_up() {
            return;
        }
        let gone = self.reach.gone(now);
        let silent = self.reach.is_silent(now);
        if let Some(since) = gone {
            let why = self.last_error.as_deref().unwrap_or_default();
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                "the peer is away, though there is a session: {why}"
            );
            self.event(Event::Away(since));
        }
        if silent {
            self.knock(now);
        }
    }

    /// Tries a connection, unless one is being tried.
    fn knock(&mut self, now: Time) {
        if self.reach.try_it(now) {
            let number = self.shared.numbers.next();
            self.flights.insert(number, Flight::Reach);
            let peer = self.id.real().to_owned();
            self.event(Event::Knock(Knock { peer, number }));
        }
    }

    /// What became of a connection that was tried.
    fn reach_tried(&mut self, outcome: &Posted, now: Time) {
        self.reach.tried();
        match outcome {
            Posted::Failed(why) => {
                self.not_reached(why, now);
                self.last_error = Some(why.clone());
            }
            _ => {
                self.heard_from(now);
                self.flush_later(now);
            }
        }
        self.schedule(now);
    }

    /// Whether so many requests more, in whatever identity, are faster than the peer may send.
    pub(in crate::sap) fn ask(&mut self, peer: &Peer, requests: usize, now: Time) -> Rate {
        let rate = self.rate_limit.ask(peer, requests, now);
        if rate != Rate::Kept {
            self.event(Event::Count(Count::Refused(Code::UNAVAILABLE.0)));
        }
        rate
    }

    /// The peer has sent too fast for too long.
    pub fn disconnect_flooder(&mut self, now: Time) {
        let Some(peer) = self.peer.clone() else {
            return;
        };
        let (pause, reason) = (rate_limit::PAUSE, rate_limit::REASON);
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            "disconnecting the peer: {reason}"
        );
        for session in self.sessions.ready() {
            let status = Status::new(Code::UNAVAILABLE).because(reason);
            self.disconnect(&peer, &session, come_again(status, pause), now);
        }
        self.event(Event::Unanswered);
        self.drop_sessions();
        self.logins.times.bar(now.plus_seconds(u64::from(pause)));
        self.leaving = None;
        self.last_error = Some(format!("disconnected: {reason}"));
        self.rate_limit.forgive();
        self.schedule(now);
    }

    /// Something came from the peer that never became a message.
    pub fn trouble(&mut self, trouble: Trouble, remote: &str, now: Time) {
        self.troubles.note(trouble, now);
        if let Some(left_out) = self.quiet.due(trouble.kind(), now) {
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                remote,
                left_out,
                "the peer is not heard: {}",
                trouble.words()
            );
        }
    }
}

/// A status with the seconds after which the peer may come again.
fn come_again(status: Status, seconds: u32) -> Status {
    Status {
        try_again: Some(seconds),
        ..status
    }
}
