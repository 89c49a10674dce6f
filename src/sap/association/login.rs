//! How sessions with one peer come about: its handshakes and ours, when ours begin, and what
//! follows when one fails (wire profile, 6.5 to 6.9).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::primitive::session::{Disconnect, RedirectAddress, SendSecretToken};
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::handshake::{Failure, Handshakes, Progress, Role, Step, StepFate};
use crate::sap::association::login_times::{BACK_OFF, LoginTimes};
use crate::sap::association::logout::DISCONNECTED;
use crate::sap::association::quiet::Quiet;
use crate::sap::association::record::SessionRecord;
use crate::sap::post::Posted;
use crate::sap::presented_as::PeerId;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::watch::Count;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::Shown;

/// A login that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// There is a session.
    Stands,
    /// It is under way, or waits for its turn.
    UnderWay,
    /// It has failed, for this reason.
    Failed(String),
}

/// What a login goes by.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) peer: Arc<Peer>,
    pub(super) shared: Shared,
    /// There is a session to send over.
    pub(super) up: bool,
    /// Nobody logs in: we log out.
    pub(super) leaving: bool,
    /// Nobody is logged in to: the node is about to stop.
    pub(super) closing: bool,
    /// Another identity of the same peer awaits its token.
    pub(super) others_await_token: bool,
    pub(super) now: Time,
}

/// What comes of logins.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Something for the owner of the association.
    Report(Event),
    /// There is a session. It may be used for sending at once, or when the peer has our id.
    Established(SessionRecord, bool),
    /// The peer has our id of the session that came of a handshake of its own.
    Ready(Option<SessionId>),
    /// The handshake that this session came of is over, and the peer may never have our id.
    Abandoned(SessionId),
    /// One has failed, for this reason.
    Failed(String),
    /// What waits may go on.
    GoOn,
}

/// The logins of both sides.
#[derive(Debug)]
pub(super) struct Logins {
    handshakes: Handshakes,
    pub(super) times: LoginTimes,
    /// What the log says of setup messages.
    quiet: Quiet,
    outcomes: VecDeque<Outcome>,
}

impl Logins {
    pub(super) fn new(id: PeerId) -> Self {
        Self {
            handshakes: Handshakes::new(id),
            times: LoginTimes::default(),
            quiet: Quiet::default(),
            outcomes: VecDeque::new(),
        }
    }

    pub(super) fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    /// What has come of them, in order.
    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.gather();
        self.outcomes.pop_front()
    }

    fn say(&mut self, outcome: Outcome) {
        self.gather();
        self.outcomes.push_back(outcome);
    }

    /// Takes over what the handshakes report.
    fn gather(&mut self) {
        let events = self.handshakes.events().drain(..);
        self.outcomes.extend(events.map(Outcome::Report));
    }

    /// Sees to it that a session comes about even if there is nothing to send.
    pub(super) fn want(&mut self, around: &Around) {
        self.times.wanted = !around.up;
        self.connect(around);
    }

    /// Opens a handshake unless one is open, a session stands, or it is too early.
    pub(super) fn connect(&mut self, around: &Around) {
        let now = around.now;
        let (proven, open) = (self.handshakes.proven(), self.handshakes.theirs());
        let theirs = self.times.yields(proven, open, now);
        let busy = theirs || self.handshakes.ours() || around.up || around.leaving;
        if busy || now < self.times.not_before() || around.others_await_token {
            return;
        }
        self.initiate(around);
    }

    /// What became of a login, while there is no session. `waits`: for something else than the
    /// peer; `why`: the last thing that went wrong.
    pub(super) fn login(&self, waits: bool, closing: bool, why: Option<&str>) -> Login {
        let waits = waits || self.times.is_yielding();
        let under_way = self.handshakes.ours() || self.handshakes.proven();
        if under_way || (waits && self.times.wanted && !closing) {
            return Login::UnderWay;
        }
        let why = why.unwrap_or(if closing {
            "this node is about to stop"
        } else {
            "the session ended at once"
        });
        Login::Failed(why.to_owned())
    }

    /// A peer's `Disconnect`: we go where it sends us, or wait as long as it says. Whether it is
    /// the latter.
    pub(super) fn disconnected(&mut self, notice: &Disconnect, around: &Around) -> bool {
        let list = notice.redirects.as_deref().unwrap_or_default();
        if self.redirected(list, around) {
            return false;
        }
        let wait = notice.status.try_again;
        let wait = wait.map_or(DISCONNECTED, |seconds| Duration::from_secs(seconds.into()));
        self.times.hold(wait, around.now);
        let why = notice.status.description.as_deref().unwrap_or_default();
        let code = notice.status.code.0;
        let why = format!("the peer has disconnected: {code} {}", Shown(why));
        self.say(Outcome::Failed(why.trim_end().to_owned()));
        // Perhaps at once.
        self.say(Outcome::GoOn);
        true
    }

    /// Takes a list of addresses for the next login, and begins it; false if none may be
    /// followed.
    fn redirected(&mut self, list: &[RedirectAddress], around: &Around) -> bool {
        let (peer, now) = (&around.peer, around.now);
        let redirected = self.handshakes.redirects.follow(peer, list, now);
        if redirected {
            self.times.at_once(now);
            self.log_in_elsewhere(around);
        }
        redirected
    }

    /// A new handshake at the address to which the peer has sent us.
    fn log_in_elsewhere(&mut self, around: &Around) {
        if around.others_await_token {
            self.times.wanted = true;
        } else if !self.handshakes.ours() && !around.leaving {
            self.initiate(around);
        }
    }

    fn initiate(&mut self, around: &Around) {
        if !around.closing {
            let (peer, shared) = (&around.peer, &around.shared);
            self.handshakes.open(peer, shared, around.now);
            self.times.begun();
        }
    }

    /// A setup message of the peer.
    pub(super) fn setup(
        &mut self,
        transaction: &Transaction,
        primitive: &Primitive,
        facts: &Facts,
        around: &Around,
    ) -> Verdict {
        let (peer, now) = (&*around.peer, around.now);
        let (mode, id) = (transaction.mode, transaction.id.as_str());
        match primitive {
            Primitive::SendSecretToken(token) if mode == Mode::Request => {
                return self.first_step(id, token, facts.remote, around);
            }
            Primitive::SendSecretToken(_)
            | Primitive::LoginRequest(_)
            | Primitive::LoginResponse(_) => {}
            _ => {
                if let Some(left_out) = self.quiet.due("no setup", now) {
                    tracing::warn!(
                        ssp.peer = peer.domain,
                        ssp.primitive = %Shown(primitive.name()),
                        left_out,
                        "not a setup primitive"
                    );
                }
                return Verdict::Forbidden;
            }
        }
        let shared = &around.shared;
        let taken = self
            .handshakes
            .take(peer, (mode, id), primitive, shared, now);
        let Some((role, mut progress)) = taken else {
            return Verdict::Forbidden;
        };
        if let Progress::Established(record, _) = &mut progress {
            record.from = facts.remote;
        }
        let theirs = matches!(role, Role::Responder(_));
        let proven = theirs && matches!(&progress, Progress::Send(step) if step.number == 4);
        self.progress(role, progress, around);
        if proven && let Some(oldest) = self.handshakes.is_proven(id) {
            self.give_way(oldest, None, around);
        }
        Verdict::Accepted
    }

    fn first_step(
        &mut self,
        id: &str,
        token: &SendSecretToken,
        from: Option<IpAddr>,
        around: &Around,
    ) -> Verdict {
        let now = around.now;
        if let Some(progress) = self.handshakes.repeated(id, token, now) {
            self.progress(Role::Responder(id.to_owned()), progress, around);
            return Verdict::Accepted;
        }
        if let Some(wait) = self.times.barred(now) {
            return Verdict::Busy(Some(wait));
        }
        if let Some(oldest) = self.handshakes.who_gives_way(from) {
            if self.handshakes.link_is_full() {
                return Verdict::Busy(Some(Duration::from_secs(1)));
            }
            self.give_way(oldest, from, around);
        }
        let (peer, shared) = (&around.peer, &around.shared);
        self.handshakes
            .respond(peer, (id, token), from, shared, now);
        Verdict::Accepted
    }

    fn progress(&mut self, role: Role, progress: Progress, around: &Around) {
        let (peer, shared, now) = (&around.peer, &around.shared, around.now);
        match progress {
            Progress::Wait => {}
            Progress::Send(step) => {
                let ours = role == Role::Initiator;
                self.handshakes.send(peer, role, step, shared, now);
                if ours {
                    self.say(Outcome::Report(Event::TokenCame(now)));
                }
            }
            Progress::Established(record, step) => self.established(role, record, step, around),
            Progress::Failed(failure, step) => {
                if let Some(step) = step {
                    self.handshakes.send_once(peer, &role, &step, shared, now);
                }
                self.failed(&role, &failure, around);
            }
        }
    }

    fn established(
        &mut self,
        role: Role,
        mut record: SessionRecord,
        step: Option<Step>,
        around: &Around,
    ) {
        tracing::info!(
            ssp.peer = around.peer.domain,
            ssp.session = %record.own_id.shown(),
            peer_session = %record.peer_id.shown(),
            "session established"
        );
        if role == Role::Initiator {
            self.handshakes.done();
            self.handshakes.redirects.arrived(&mut record);
        }
        self.times.succeeded();
        self.say(Outcome::Established(record, step.is_none()));
        if let Some(step) = step {
            let (peer, shared) = (&around.peer, &around.shared);
            self.handshakes.send(peer, role, step, shared, around.now);
        }
    }

    /// When there is something to do if nothing comes.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.handshakes.deadline()
    }

    /// Handshakes fail that have made no progress for too long.
    pub(super) fn expire(&mut self, around: &Around) {
        for role in self.handshakes.late(around.now) {
            self.failed(&role, &Failure::TimedOut, around);
        }
    }

    /// When the next step may be posted.
    pub(super) fn next_step(&self) -> Option<Time> {
        self.handshakes.next_step()
    }

    /// Posts the next step that waits for its time.
    pub(super) fn step_due(&mut self, peer: Option<&Peer>, shared: &Shared) {
        self.handshakes.step_due(peer, shared);
    }

    /// A post has ended; false if it was none of a step.
    pub(super) fn posted(&mut self, number: u64, outcome: &Posted, around: &Around) -> bool {
        let (peer, shared) = (Some(&*around.peer), &around.shared);
        let Some(fate) = self
            .handshakes
            .posted(number, outcome, peer, shared, around.now)
        else {
            return false;
        };
        match fate {
            StepFate::Done(id) => {
                let (_, session) = self.handshakes.abandon(&Role::Responder(id));
                self.say(Outcome::Ready(session));
            }
            StepFate::Failed(role, failure) => self.failed(&role, &failure, around),
            StepFate::Nothing => {}
        }
        true
    }

    fn failed(&mut self, role: &Role, failure: &Failure, around: &Around) {
        let (known, session) = self.handshakes.abandon(role);
        if !known {
            return;
        }
        tracing::warn!(
            ssp.peer = around.peer.domain,
            role = role.as_str(),
            "handshake failed: {failure}"
        );
        let now = around.now;
        self.say(Outcome::Failed(failure.to_string()));
        self.say(Outcome::Report(Event::Count(Count::HandshakeFailed)));
        let redirects = &mut self.handshakes.redirects;
        let redirected = match (failure, role) {
            (
                Failure::Refused {
                    redirects: list, ..
                },
                _,
            ) => redirects.follow(&around.peer, list, now),
            (Failure::NotAcknowledged { .. } | Failure::TimedOut, Role::Initiator) => {
                redirects.next()
            }
            _ => false,
        };
        if redirected {
            self.times.at_once(now);
        }
        match role {
            Role::Initiator if redirected => {}
            Role::Initiator => {
                self.handshakes.redirects.clear();
                let jitter = around.shared.random.shorter(BACK_OFF / 4);
                self.times.failed(jitter, now);
            }
            Role::Responder(_) => self.abandoned(failure, session, around),
        }
        if redirected {
            self.log_in_elsewhere(around);
        }
        self.say(Outcome::GoOn);
        if *role == Role::Initiator {
            self.say(Outcome::Report(Event::TokenCame(now)));
        }
    }

    /// A handshake of the peer has failed, and with it perhaps a session whose id it
    /// never acknowledged. It may wait for ever; a session of ours frees its queue (6.7).
    fn abandoned(&mut self, failure: &Failure, session: Option<SessionId>, around: &Around) {
        let counters = *failure != Failure::Digest && self.times.counters(around.now);
        if let Some(own_id) = session {
            self.say(Outcome::Abandoned(own_id));
        }
        if counters {
            self.want(around);
        }
    }

    /// A handshake of the peer gives way to one from this address.
    fn give_way(&mut self, id: String, from: Option<IpAddr>, around: &Around) {
        let (_, session) = self.handshakes.abandon(&Role::Responder(id));
        if let Some(left_out) = self.quiet.due("handshakes", around.now) {
            tracing::warn!(
                ssp.peer = around.peer.domain,
                remote = from.map(|from| from.to_string()),
                left_out,
                "too many unfinished logins in the peer's name: the oldest gives way"
            );
        }
        self.say(Outcome::Report(Event::Count(Count::HandshakeFailed)));
        // If it was the peer's own, it may wait for ever.
        self.abandoned(&Failure::TimedOut, session, around);
    }

    /// Tells a peer that keeps using a session we have lost to forget it
    /// (deployed-server, 4), and logs in ourselves.
    pub(super) fn reset(&mut self, session: &SessionId, around: &Around) {
        if !self.handshakes.may_reset(session, around.now) {
            return;
        }
        tracing::info!(
            ssp.peer = around.peer.domain,
            ssp.session = %session.shown(),
            "telling the peer to forget a session that we have lost"
        );
        self.make_forget(session, around);
        self.want(around);
    }

    /// After a logout: a peer with whom there is always to be a session gets one again, when it
    /// has had a moment to see the end of the last one.
    pub(super) fn come_back(&mut self, around: &Around) {
        if !around.closing && around.peer.connect_always {
            self.times.wanted = true;
            self.times.rest(around.now);
        }
    }

    /// Makes a peer that knows no logout forget a session.
    pub(super) fn make_forget(&mut self, session: &SessionId, around: &Around) {
        let (peer, shared) = (&around.peer, &around.shared);
        self.handshakes
            .make_forget(peer, session, shared, around.now);
    }

    /// All handshakes are over, and none is wanted.
    pub(super) fn clear(&mut self) {
        self.handshakes.clear();
        self.times.wanted = false;
    }
}
