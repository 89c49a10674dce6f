//! What is between this node and one peer: sessions, handshakes in both roles, the queue of
//! what the peer is to get, and its posts. Pure: values and a `now` in, [`Event`]s out. It knows
//! nothing of what the transactions are about.

pub(in crate::sap) mod conduct;
mod contact;
pub mod event;
pub mod handshake;
pub mod keep_alive;
mod keeper;
pub(in crate::sap) mod login;
mod login_times;
pub(in crate::sap) mod logout;
pub mod outbox;
mod outcome;
mod posting;
pub(in crate::sap) mod quiet;
pub(in crate::sap) mod rate_limit;
mod reach;
pub mod record;
mod redirect;
mod seen;
pub mod session;
mod shared;
mod terms;
#[cfg(test)]
mod tests;
pub mod traffic;
pub(in crate::sap) mod trouble;
pub(in crate::sap) mod view;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use event::Event;
pub use shared::Shared;

use crate::element::Time;
use crate::imps::primitive::session::{
    Disconnect, KeepAliveRequest, KeepAliveResponse, LogoutRequest,
};
use crate::imps::{Code, Primitive};
use crate::sap::post::{Loaded, Posted};
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::{Peer, Settings};
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::watch::Count;
use crate::ssp::envelope::Transaction;
use conduct::Conduct;
use contact::Contact;
use handshake::Handshakes;
use keeper::Keeper;
use login::{Around, Login, Logins};
use logout::LoggedOut;
use outbox::{Item, Outbox};
use outcome::Outcome;
use posting::Posting;
use rate_limit::Rate;
use record::SessionRecord;
use session::Sessions;

/// All that is between this node and one peer, or one identity of ours towards it.
#[derive(Debug)]
pub struct Association {
    id: PeerId,
    contact: Contact,
    posting: Posting,
    pub(in crate::sap) conduct: Conduct,
    /// When it is looked after next.
    due: Option<Time>,
    /// Something was queued, or may be posted, since.
    flush: Option<Time>,
    events: VecDeque<Event>,
}

impl Association {
    /// One without sessions. `peer`: what the configuration says; `None`: it was taken out.
    pub fn new(id: PeerId, peer: Option<Arc<Peer>>, shared: Shared) -> Self {
        Self {
            posting: Posting::new(id.clone(), &shared.totals),
            contact: Contact::new(id.clone(), peer, shared),
            conduct: Conduct::new(id.clone()),
            due: None,
            flush: None,
            events: VecDeque::new(),
            id,
        }
    }

    /// Takes back a session kept before a restart.
    pub fn restore_session(&mut self, record: SessionRecord) {
        self.conduct.seen_from(record.from);
        self.contact.restore_session(record);
    }

    /// Takes back an item of the queue, and since when it waits.
    pub fn restore_item(&mut self, number: u64, item: (Item, Time)) {
        self.posting.outbox_mut().restore(number, item);
    }

    /// A session is to come about at the start.
    pub fn come_back_at_start(&mut self) {
        self.contact.come_back_at_start();
    }

    /// All records are back.
    pub fn restored(&mut self, now: Time) {
        self.with(now, |contact| contact.restored(now));
    }

    /// Begins to work, with all that was kept.
    pub fn start(&mut self, now: Time) {
        self.with(now, |contact| contact.start(now));
        // What has expired meanwhile is not posted any more.
        self.posting.set_right();
        self.posting.expire(now);
        self.flush_later(now);
        self.schedule(now);
    }

    /// Goes by other settings.
    pub fn reload(&mut self, settings: Arc<Settings>, peer: &Arc<Peer>, now: Time) {
        self.with(now, |contact| contact.reload(settings, peer, now));
        self.flush_later(now);
        self.schedule(now);
    }

    /// The node is about to stop, or is not.
    pub fn set_closing(&mut self, closing: bool) {
        self.contact.terms.closing = closing;
    }

    /// Whether another identity of the same peer awaits its token: only one may, because the
    /// token does not say to whom it is given.
    pub fn set_others_await_token(&mut self, await_it: bool) {
        self.contact.terms.others_await_token = await_it;
    }

    /// The peer, and the domain presented to it.
    pub fn id(&self) -> &PeerId {
        &self.id
    }

    /// What the configuration says of the peer; `None`: it was taken out.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        self.contact.terms.peer.as_ref()
    }

    /// Whether there is a session to send over.
    pub fn is_up(&self) -> bool {
        self.contact.is_up()
    }

    /// Whether a logout of ours is under way.
    pub fn is_leaving(&self) -> bool {
        self.contact.keeper().is_leaving()
    }

    pub(in crate::sap) fn sessions(&self) -> &Sessions {
        self.contact.keeper().sessions()
    }

    /// What waits for the peer.
    pub fn outbox(&self) -> &Outbox {
        self.posting.outbox()
    }

    /// Handshakes with the peer, in both roles.
    pub(in crate::sap) fn handshakes(&self) -> &Handshakes {
        self.contact.logins().handshakes()
    }

    /// What became of a login.
    pub fn login(&self, others_await_token: bool) -> Login {
        self.contact.login(others_await_token)
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

    /// Takes over what the queue reports.
    fn gather(&mut self) {
        self.events.append(self.posting.events());
    }

    /// Gives the contact an input, heeds what comes of it, and sees to it that the next thing
    /// that can happen is looked after.
    fn with<R>(&mut self, now: Time, act: impl FnOnce(&mut Contact) -> R) -> R {
        let result = act(&mut self.contact);
        self.heed(now);
        self.schedule(now);
        result
    }

    /// See [`Contact::keep`].
    fn keep<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Keeper, &Peer, &Shared) -> R,
    ) -> Option<R> {
        self.with(now, |contact| contact.keep(now, act))
    }

    /// See [`Contact::log_in`].
    fn log_in<R>(&mut self, now: Time, act: impl FnOnce(&mut Logins, &Around) -> R) -> Option<R> {
        self.with(now, |contact| contact.log_in(now, act))
    }

    fn heed(&mut self, now: Time) {
        while let Some(outcome) = self.contact.next_outcome() {
            match outcome {
                Outcome::Report(event) => self.event(event),
                Outcome::Enqueue(item) => self.enqueue(item, now),
                Outcome::Anew => self.posting.begin_anew(),
                Outcome::Forgive => self.posting.outbox_mut().health_mut().forgive(),
                Outcome::GoOn => self.flush_later(now),
            }
        }
    }

    /// When [`Association::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let step = self.contact.next_step();
        step.into_iter().chain(self.due).min()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        loop {
            let due = self.due.filter(|due| *due <= now);
            match self.contact.next_step().filter(|step| *step <= now) {
                Some(step) if due.is_none_or(|due| step <= due) => {
                    self.with(now, |contact| contact.step_due(now));
                }
                _ if due.is_some() => self.look_after(now),
                _ => return,
            }
        }
    }

    fn look_after(&mut self, now: Time) {
        self.due = None;
        self.with(now, |contact| contact.expire(now));
        self.posting.expire(now);
        self.with(now, |contact| contact.look_after(now));
        self.flush_later(now);
        self.schedule(now);
    }

    /// Sees to it that the next thing that can happen is looked after.
    fn schedule(&mut self, now: Time) {
        let waits = !self.outbox().is_empty();
        let contact = self.contact.next_timeout(waits, now);
        // A later time comes when this one has passed.
        if let Some(due) = contact.into_iter().chain(self.posting.due(now)).min() {
            let due = due.max(now.plus(Duration::from_millis(1)));
            self.due = Some(self.due.map_or(due, |before| before.min(due)));
        }
    }

    /// Adds a transaction to the queue and starts what can start.
    pub fn enqueue(&mut self, item: Item, now: Time) {
        let first = self.posting.push(item, None, now);
        self.flush_later(now);
        if first {
            self.schedule(now);
        }
    }

    /// Adds a transaction that is to be posted not before `at`.
    pub fn enqueue_later(&mut self, item: Item, at: Time, now: Time) {
        self.posting.push(item, Some(at), now);
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

    /// Marks that [`Association::flush`] has something to do.
    pub(in crate::sap) fn flush_later(&mut self, now: Time) {
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
        self.peer()?;
        // What has expired is not posted.
        self.posting.expire(now);
        let flushed = self.contact.flush_before_logout();
        if flushed != Some(true) {
            self.post_batches(now);
        }
        // Nothing that is under way may be overtaken.
        if flushed.is_some() && self.outbox().posts() == 0 {
            self.keep(now, |keeper, peer, shared| {
                keeper.say_goodbye(peer, shared, now);
            });
        }
        self.schedule(now);
        Some(now)
    }

    fn post_batches(&mut self, now: Time) {
        if self.outbox().is_empty() {
            if self.contact.logins().times.wanted {
                self.connect(now);
            }
            return;
        }
        let traffic = self.conduct.traffic_mut();
        match self.contact.sender() {
            Some((peer, shared, session)) => self.posting.post(peer, shared, session, traffic, now),
            None => self.connect(now),
        }
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        if self.contact.posted(number, outcome, now) {
            self.heed(now);
            return self.schedule(now);
        }
        let around = &self.contact.terms;
        let (peer, shared) = (around.peer.as_deref(), &around.shared);
        let traffic = self.conduct.traffic_mut();
        let ended = (self.posting).posted(number, outcome, peer, shared, traffic, now);
        if let Some((session, fate)) = ended {
            self.with(now, |contact| {
                contact.batch_ended(&session, outcome, fate, now);
            });
        }
    }

    /// Bodies came from the store.
    pub fn loaded(&mut self, loaded: Loaded, now: Time) {
        if self.posting.loaded(loaded, now) {
            self.flush_later(now);
            self.schedule(now);
        }
    }

    /// A message came in a session of ours, with or without requests.
    pub fn message_came(&mut self, id: &SessionId, from: Option<IpAddr>, asks: bool, now: Time) {
        self.conduct.message_came(from, asks, now);
        self.contact.message_came(id, from, now);
        self.heed(now);
        if self.posting.outbox_mut().health_mut().heard(now) {
            self.flush_later(now);
            self.schedule(now);
        }
    }

    /// The peer uses a session: whatever became of our last step's acknowledgement, it has our
    /// id.
    pub fn session_is_used(&mut self, own_id: &SessionId, now: Time) {
        self.with(now, |contact| contact.session_is_used(own_id, now));
    }

    /// The answer to a `KeepAliveRequest` or `LogoutRequest` of ours; false if it is
    /// none.
    pub fn session_answer(&mut self, transaction: &Transaction, now: Time) -> bool {
        let answered = self.keep(now, |keeper, _, _| keeper.answered(transaction));
        answered == Some(true)
    }

    /// The answer to a peer's `KeepAliveRequest`. `None`: the session is not there any more.
    pub fn kept_alive(
        &mut self,
        session: &SessionId,
        request: &KeepAliveRequest,
        now: Time,
    ) -> Option<KeepAliveResponse> {
        self.keep(now, |keeper, _, shared| {
            keeper.kept_alive(session, request, shared)
        })?
    }

    /// Answers in exactly this session, which has ended or is about to, in this transaction.
    pub fn answer_in_session(&mut self, at: (&SessionId, &str), answer: &Primitive, now: Time) {
        self.keep(now, |keeper, peer, shared| {
            keeper.answer(peer, shared, at, answer, now);
        });
    }

    /// Forgets all sessions, without telling the peer; how many there were.
    pub fn forget_sessions(&mut self, now: Time) -> usize {
        let forgotten = self.keep(now, |keeper, _, _| keeper.forget_all());
        forgotten.unwrap_or_default()
    }

    /// Ends all sessions. A peer that understands it is told; that takes two seconds at most.
    pub fn log_out(&mut self, reason: Option<&str>, now: Time) -> LoggedOut {
        self.with(now, |contact| contact.log_out(reason, now))
    }

    /// Logs out, if the peer understands it, and remembers to log in after the next start.
    pub fn log_out_for_now(&mut self, reason: &str, now: Time) {
        self.keep(now, |keeper, peer, _| {
            keeper.log_out_for_now(peer, reason, now);
        });
    }

    /// A peer's `LogoutRequest`, in this session, which it ends, and this transaction.
    pub fn logged_out(&mut self, at: (&SessionId, &str), request: &LogoutRequest, now: Time) {
        self.with(now, |contact| contact.logged_out(at, request, now));
    }

    /// A peer's `Disconnect`: we go where it sends us, or wait as long as it says.
    pub fn disconnected(&mut self, session: &SessionId, notice: &Disconnect, now: Time) {
        self.with(now, |contact| contact.disconnected(session, notice, now));
    }

    /// The peer was taken out of the configuration: it is told, its sessions end. Its
    /// queue is kept until it expires, in case it comes back.
    pub fn cast_out(&mut self, now: Time) {
        self.contact.cast_out(now);
        self.heed(now);
    }

    /// Logs in now, whatever has kept us from it, unless there is a session.
    pub fn connect_now(&mut self, now: Time) {
        self.with(now, |contact| contact.connect_now(now));
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
        let verdict = self.log_in(now, |logins, around| {
            logins.setup(transaction, primitive, facts, around)
        });
        verdict.unwrap_or(Verdict::Forbidden)
    }

    /// Tells a peer that keeps using a session we have lost to forget it, and logs in ourselves.
    pub fn reset_lost_session(&mut self, session: &SessionId, now: Time) {
        self.log_in(now, |logins, around| logins.reset(session, around));
    }

    /// Whether so many requests more, in whatever identity, are faster than the peer may send.
    pub(in crate::sap) fn ask(&mut self, peer: &Peer, requests: usize, now: Time) -> Rate {
        let rate = self.conduct.ask(peer, requests, now);
        if rate != Rate::Kept {
            self.event(Event::Count(Count::Refused(Code::UNAVAILABLE.0)));
        }
        rate
    }

    /// The peer has sent too fast for too long.
    pub fn disconnect_flooder(&mut self, now: Time) {
        if self.peer().is_some() {
            let (pause, reason) = (rate_limit::PAUSE, rate_limit::REASON);
            self.with(now, |contact| contact.throw_out(reason, pause, now));
            self.conduct.forgive_flood();
        }
    }
}
