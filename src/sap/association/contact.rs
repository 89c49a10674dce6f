//! The contact with a peer: logins, the sessions that come of them, how these end, and whether
//! the peer is reached.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::element::Time;
use crate::imps::primitive::session::{Disconnect, LogoutRequest};
use crate::imps::{Code, Status};
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::keeper::{self, Keeper};
use crate::sap::association::login::{self, Around, Login, Logins};
use crate::sap::association::logout::{LoggedOut, come_again};
use crate::sap::association::outcome::{Outcome, Outcomes};
use crate::sap::association::posting::Fate;
use crate::sap::association::reach::Reach;
use crate::sap::association::record::SessionRecord;
use crate::sap::association::session::Session;
use crate::sap::association::terms::Terms;
use crate::sap::post::Posted;
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::{Peer, Settings};
use crate::sap::watch::Count;

/// The contact with one peer.
#[derive(Debug)]
pub(super) struct Contact {
    id: PeerId,
    pub(super) terms: Terms,
    logins: Logins,
    keeper: Keeper,
    reach: Reach,
    last_error: Option<String>,
    outcomes: Outcomes,
}

impl Contact {
    pub(super) fn new(id: PeerId, peer: Option<Arc<Peer>>, shared: Shared) -> Self {
        let silence = shared.settings.peer_silence;
        Self {
            terms: Terms::new(peer, shared),
            logins: Logins::new(id.clone()),
            keeper: Keeper::new(id.clone()),
            reach: Reach::new(id.clone(), silence),
            last_error: None,
            outcomes: Outcomes::default(),
            id,
        }
    }

    /// What has come of it, in order.
    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.next()
    }

    pub(super) fn logins(&self) -> &Logins {
        &self.logins
    }

    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Whether there is a session to send over.
    pub(super) fn is_up(&self) -> bool {
        self.keeper.is_up()
    }

    /// Whether the peer is not reached, session or not.
    pub(super) fn is_away(&self) -> bool {
        self.reach.is_away()
    }

    /// The last thing that went wrong, if nothing went well since.
    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Takes back a session kept before a restart.
    pub(super) fn restore_session(&mut self, record: SessionRecord) {
        self.keeper.add(record, true);
    }

    /// A session is to come about at the start.
    pub(super) fn come_back_at_start(&mut self) {
        self.logins.times.wanted = true;
    }

    /// All records are back.
    pub(super) fn restored(&mut self, now: Time) {
        self.keeper.restored(&self.terms.shared, now);
        self.heed_keeper(now);
    }

    pub(super) fn start(&mut self, now: Time) {
        if self.terms.connects_always() || self.logins.times.wanted {
            self.want_session(now);
        }
    }

    /// Goes by other settings.
    pub(super) fn reload(&mut self, settings: Arc<Settings>, peer: &Arc<Peer>, now: Time) {
        self.reach.mind_silence(settings.peer_silence);
        self.terms.shared.settings = settings;
        self.terms.peer = Some(Arc::clone(peer));
        // What kept us from the peer may be mended.
        if !self.is_up() && !self.logins.handshakes().ours() {
            self.lift_hold();
            self.logins.times.begin_anew();
        }
        if peer.connect_always {
            self.want_session(now);
        }
        self.keep(now, |keeper, peer, shared| keeper.limit(peer, shared, now));
        self.keep_alive(now);
    }

    /// What became of a login.
    pub(super) fn login(&self, others_await_token: bool) -> Login {
        let why = self.last_error();
        if self.is_up() {
            return self.reach.login(why);
        }
        let waits = self.keeper.is_leaving() || others_await_token;
        self.logins.login(waits, self.terms.closing, why)
    }

    /// When a step of a handshake may be posted that waits for its time.
    pub(super) fn next_step(&self) -> Option<Time> {
        self.logins.next_step()
    }

    /// When there is something else to do if nothing comes. `waits`: whether something waits
    /// for a session.
    pub(super) fn next_timeout(&self, waits: bool, now: Time) -> Option<Time> {
        let up = self.is_up();
        let not_before = self.logins.times.not_before();
        let waits = self.logins.times.wanted || waits;
        let login = (waits && !up && not_before > now).then_some(not_before);
        let due = [
            self.logins.next_timeout(),
            login,
            self.logins.times.yields_until().filter(|_| !up),
            self.reach.due().filter(|_| up && self.terms.mind_reach()),
            self.keeper.next_timeout(self.terms.dialect()),
        ];
        due.into_iter().flatten().min()
    }

    /// Posts the next step that waits for its time.
    pub(super) fn step_due(&mut self, now: Time) {
        self.logins
            .step_due(self.terms.peer.as_deref(), &self.terms.shared);
        self.heed_logins(now);
    }

    /// Ends logouts and handshakes that have taken too long.
    pub(super) fn expire(&mut self, now: Time) {
        self.keeper.expire_leaving(now);
        self.heed_keeper(now);
        self.log_in(now, Logins::expire);
    }

    /// Looks after the sessions.
    pub(super) fn look_after(&mut self, now: Time) {
        self.keep(now, |keeper, peer, shared| keeper.expire(peer, shared, now));
        self.keep_alive(now);
        self.look_after_reach(now);
    }

    /// The session to send on, the peer and what is shared; `None` if there is no session.
    pub(super) fn sender(&mut self) -> Option<(&Peer, &Shared, &mut Session)> {
        let session = self.keeper.usable_mut()?;
        Some((self.terms.peer.as_deref()?, &self.terms.shared, session))
    }

    /// What waits is posted once more before our logout. Whether that was done before; `None`:
    /// there is no logout.
    pub(super) fn flush_before_logout(&mut self) -> Option<bool> {
        self.keeper.flush()
    }

    /// The fate of a post; false if it is none of these.
    pub(super) fn posted(&mut self, number: u64, outcome: &Posted, now: Time) -> bool {
        if self.logins.handshakes().is_posting(number) {
            self.log_in(now, |logins, around| logins.posted(number, outcome, around));
            return true;
        }
        if self.keeper.posted(number, outcome) {
            self.heed_keeper(now);
            return true;
        }
        let knocked = self.reach.tried(number);
        if knocked {
            match outcome {
                Posted::Failed(why) => {
                    self.not_reached(why, now);
                    self.last_error = Some(why.clone());
                }
                _ => {
                    self.heard_from(now);
                    self.outcomes.go_on();
                }
            }
        }
        knocked
    }

    /// The end of a post from the queue in a session, and what it says.
    pub(super) fn batch_ended(&mut self, id: &SessionId, outcome: &Posted, fate: Fate, now: Time) {
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
                if self.keeper.sessions().get(id).is_some() {
                    self.logins.times.forbidden(now);
                }
                self.keeper.is_unknown(id);
                self.heed_keeper(now);
            }
            Fate::LostSession(why) => {
                self.last_error = Some(why);
                self.end(id, now);
            }
        }
        self.outcomes.go_on();
    }

    fn end(&mut self, session: &SessionId, now: Time) {
        self.keeper.end(session);
        self.heed_keeper(now);
    }

    /// A message came in a session of ours.
    pub(super) fn message_came(&mut self, own_id: &SessionId, from: Option<IpAddr>, now: Time) {
        self.heard_from(now);
        self.keeper.message_came(own_id, from, now);
        self.heed_keeper(now);
    }

    /// The peer uses a session: whatever became of our last step's acknowledgement, it has our
    /// id.
    pub(super) fn session_is_used(&mut self, own_id: &SessionId, now: Time) {
        let was_up = self.is_up();
        if self.keeper.ready(own_id) {
            self.session_ready(was_up, now);
        }
    }

    fn keep_alive(&mut self, now: Time) {
        self.keep(now, |keeper, peer, shared| {
            keeper.keep_alive(peer, shared, now);
        });
    }

    /// See [`Keeper::log_out`].
    pub(super) fn log_out(&mut self, reason: Option<&str>, now: Time) -> LoggedOut {
        let ended = self.keeper.log_out(self.terms.peer.as_deref(), reason, now);
        self.heed_keeper(now);
        ended
    }

    /// A peer's `LogoutRequest`: answered in the session that it ends.
    pub(super) fn logged_out(
        &mut self,
        at: (&SessionId, &str),
        request: &LogoutRequest,
        now: Time,
    ) {
        self.keep(now, |keeper, peer, shared| {
            keeper.peer_leaves(peer, shared, at, request, now);
        });
        if self.is_up() {
            return;
        }
        self.outcomes.report(Event::Unanswered);
        self.keeper.stay();
        self.logins.times.rest(now);
    }

    /// A peer's `Disconnect`: we go where it sends us, or wait as long as it says.
    pub(super) fn disconnected(&mut self, session: &SessionId, notice: &Disconnect, now: Time) {
        self.keeper.peer_disconnects(session, notice);
        self.heed_keeper(now);
        let held = self.log_in(now, |logins, around| logins.disconnected(notice, around));
        if held == Some(true) && !self.is_up() {
            self.outcomes.report(Event::Unanswered);
        }
    }

    /// Ends all sessions for this reason. The peer may not come again before this pause
    /// is over.
    pub(super) fn throw_out(&mut self, reason: &str, pause: Duration, now: Time) {
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            "disconnecting the peer: {reason}"
        );
        let status = Status::new(Code::UNAVAILABLE).because(reason);
        let status = come_again(status, pause);
        self.keep(now, |keeper, peer, shared| {
            keeper.disconnect_all(peer, shared, &status, now);
        });
        self.logins.times.bar(now.plus(pause));
        self.last_error = Some(format!("disconnected: {reason}"));
    }

    /// The peer was taken out of the configuration: it is told, its sessions end.
    pub(super) fn cast_out(&mut self, now: Time) {
        self.logins.clear();
        let status = Status::new(Code::FORBIDDEN).because("no longer a peer");
        self.keep(now, |keeper, peer, shared| {
            keeper.disconnect_all(peer, shared, &status, now);
        });
        self.terms.peer = None;
    }

    /// Logs in now, whatever has kept us from it, unless there is a session.
    pub(super) fn connect_now(&mut self, now: Time) {
        if self.logins.handshakes().ours() {
            return;
        }
        if self.is_up() {
            // A session may stand while the peer is away.
            self.outcomes.push(Outcome::Forgive);
            self.knock(now);
            return self.outcomes.go_on();
        }
        self.lift_hold();
        self.want_session(now);
    }

    /// Nothing of before keeps us from a login now.
    fn lift_hold(&mut self) {
        self.logins.times.lift();
        self.outcomes.push(Outcome::Forgive);
        self.last_error = None;
    }

    /// Sees to it that a session comes about even if there is nothing to send.
    fn want_session(&mut self, now: Time) {
        self.log_in(now, Logins::want);
    }

    /// Gives the keeper an input, and heeds what comes of it. `None`: the peer is none any more.
    pub(super) fn keep<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Keeper, &Peer, &Shared) -> R,
    ) -> Option<R> {
        let peer = self.terms.peer.as_deref()?;
        let result = act(&mut self.keeper, peer, &self.terms.shared);
        self.heed_keeper(now);
        Some(result)
    }

    fn heed_keeper(&mut self, now: Time) {
        use keeper::Outcome as Kept;
        while let Some(outcome) = self.keeper.next_outcome() {
            match outcome {
                Kept::Report(event) => self.outcomes.report(event),
                Kept::Enqueue(item) => self.outcomes.push(Outcome::Enqueue(item)),
                Kept::Down { again } => {
                    let always = self.terms.connects_always();
                    self.logins.times.wanted |= again && always;
                    // A node that stops tells its own side nothing: it will be back.
                    if !self.terms.closing {
                        self.outcomes.report(Event::Down);
                    }
                }
                Kept::MakeForget(session) => {
                    self.log_in(now, |logins, around| logins.make_forget(&session, around));
                }
                Kept::LoggedOut => {
                    self.log_in(now, Logins::come_back);
                }
                Kept::GoOn => self.outcomes.go_on(),
            }
        }
    }

    /// Gives the logins an input, and heeds what comes of it. `None`: the peer is none any more.
    pub(super) fn log_in<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Logins, &Around) -> R,
    ) -> Option<R> {
        let (up, leaving) = (self.is_up(), self.keeper.is_leaving());
        let around = self.terms.around(up, leaving, now)?;
        let result = act(&mut self.logins, &around);
        self.heed_logins(now);
        Some(result)
    }

    fn heed_logins(&mut self, now: Time) {
        use login::Outcome as LoggedIn;
        let mut established = false;
        while let Some(outcome) = self.logins.next_outcome() {
            match outcome {
                LoggedIn::Report(event) => self.outcomes.report(event),
                LoggedIn::Established(record, ready) => {
                    self.established(record, ready, now);
                    established = true;
                }
                LoggedIn::Ready(own_id) => {
                    let was_up = self.is_up();
                    if let Some(own_id) = own_id {
                        self.keeper.ready(&own_id);
                    }
                    self.session_ready(was_up, now);
                }
                LoggedIn::Abandoned(own_id) => {
                    // The peer may have used it in the meantime.
                    let session = self.keeper.sessions().get(&own_id);
                    if session.is_some_and(|session| !session.ready) {
                        self.end(&own_id, now);
                    }
                }
                LoggedIn::Failed(why) => self.last_error = Some(why),
                LoggedIn::GoOn => self.outcomes.go_on(),
            }
        }
        if established {
            // Not before the peer is told of the new one.
            self.keep(now, |keeper, peer, shared| keeper.limit(peer, shared, now));
        }
    }

    fn established(&mut self, record: SessionRecord, ready: bool, now: Time) {
        let write = record.put();
        let was_up = self.is_up();
        self.keeper.add(record, ready);
        self.outcomes.push(Outcome::Anew);
        self.last_error = None;
        self.outcomes.report(Event::Write(write));
        self.outcomes.report(Event::Count(Count::HandshakeDone));
        if ready {
            self.session_ready(was_up, now);
        }
    }

    /// A session may be used for sending from now on.
    fn session_ready(&mut self, was_up: bool, now: Time) {
        self.reach.begin_anew();
        self.heard_from(now);
        if !was_up {
            self.outcomes.report(Event::Up);
        }
        self.outcomes.go_on();
    }

    /// Something came from the peer, or reached it.
    fn heard_from(&mut self, now: Time) {
        if self.reach.heard(now) && self.is_up() {
            self.outcomes.report(Event::Reached);
        }
    }

    fn not_reached(&mut self, why: &str, now: Time) {
        if self.reach.lost(now) {
            self.last_error = Some(why.to_owned());
        }
    }

    /// Tells those who watch its users that the peer is away, though a session stands; and tries
    /// a connection to one of whom nothing was heard for a while.
    fn look_after_reach(&mut self, now: Time) {
        if !self.terms.mind_reach() || !self.is_up() {
            return;
        }
        let silent = self.reach.is_silent(now);
        let why = self.last_error.as_deref().unwrap_or_default();
        if let Some(since) = self.reach.gone(why, now) {
            self.outcomes.report(Event::Away(since));
        }
        if silent {
            self.knock(now);
        }
    }

    /// Tries a connection, unless one is being tried.
    fn knock(&mut self, now: Time) {
        if let Some(knock) = self.reach.knock(&self.terms.shared.numbers, now) {
            self.outcomes.report(Event::Knock(knock));
        }
    }
}
