//! The end of sessions: logout in both roles, and disconnection (wire profile, 11.1).

use serde::Serialize;

use crate::element::Time;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::session::{Disconnect, LogoutRequest};
use crate::imps::{Code, Primitive, Status};
use crate::sap::association::event::Event;
use crate::sap::association::{Association, Flight};
use crate::sap::settings::Peer;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::store::Write;
use crate::text::{IdShown, Shown};

/// Milliseconds after which a peer may come again to a node that is stopping; our choice.
pub(in crate::sap) const AWAY: u64 = 1_000;
/// Prefix of the records that name the peers to log in to after the next start.
pub(in crate::sap) const COME_BACK: &str = "sap/come-back/";
/// For so long a logout may take: milliseconds; our choice.
const FAREWELL: u64 = 2_000;
/// Back-off after a `Disconnect` that says nothing else (11.1): milliseconds.
const DISCONNECTED: u64 = 600_000;

/// A logout of ours.
#[derive(Debug)]
pub(super) struct Leaving {
    reason: Option<String>,
    /// What waited has been posted.
    flushed: bool,
    /// Then the sessions end whatever the peer says.
    pub(super) until: Time,
}

impl Leaving {
    /// What waits is posted once more. Whether that was done before.
    pub(super) fn flush(&mut self) -> bool {
        std::mem::replace(&mut self.flushed, true)
    }
}

/// What a logout was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoggedOut {
    /// So many sessions end.
    pub sessions: usize,
    /// The peer is told; else they are only forgotten.
    pub told: bool,
}

impl Association {
    /// Ends all sessions. A peer that understands it is told; that takes two seconds at most.
    pub fn log_out(&mut self, reason: Option<&str>, now: Time) -> LoggedOut {
        let (sessions, told) = (self.sessions.len(), self.can_log_out());
        self.event(Event::Unanswered);
        if told {
            self.leave(reason, now);
        } else {
            self.drop_sessions();
            self.come_back(now);
        }
        LoggedOut { sessions, told }
    }

    /// Logs out, if the peer understands it, and remembers to log in after the next start.
    pub fn log_out_for_now(&mut self, reason: &str, now: Time) {
        if self.can_log_out() {
            let key = format!("{COME_BACK}{}", self.id);
            let value = b"1".to_vec();
            self.event(Event::Write(Write::Put { key, value }));
            self.event(Event::Unanswered);
            self.leave(Some(reason), now);
        }
    }

    fn can_log_out(&self) -> bool {
        let understands = |peer: &Peer| peer.dialect.logout;
        self.peer.as_deref().is_some_and(understands) && self.is_up()
    }

    fn leave(&mut self, reason: Option<&str>, now: Time) {
        self.leaving = Some(Leaving {
            reason: reason.map(str::to_owned),
            flushed: false,
            until: now.plus_millis(FAREWELL),
        });
        self.flush_later(now);
        self.schedule(now);
    }

    /// Posts our `LogoutRequest`s when nothing else is under way that they could
    /// overtake.
    pub(super) fn say_goodbye(&mut self, peer: &Peer, now: Time) {
        let idle = self.posting.outbox().posts() == 0;
        let Some(leaving) = self.leaving.as_ref().filter(|_| idle) else {
            return;
        };
        let request = LogoutRequest {
            reason: leaving.reason.clone(),
            meta: Some(MetaInfo::of_server(
                peer.presented(&self.shared.settings.domain),
            )),
        };
        let request = Primitive::from(request);
        let usable = self.sessions.iter().filter(|session| session.is_usable());
        let usable: Vec<String> = usable.map(|s| s.record.own_id.clone()).collect();
        for session in usable {
            tracing::info!(
                ssp.peer = self.id.as_str(),
                ssp.session = %IdShown(&session),
                "logging out"
            );
            let id = self.shared.numbers.id();
            let number = self.post_in_session(peer, &session, (Mode::Request, &id), &request, now);
            self.flights
                .insert(number, Flight::Goodbye(session.clone()));
            if let Some(known) = self.sessions.get_mut(&session) {
                known.logout = Some(id);
            }
        }
    }

    /// Our `LogoutRequest` was answered, or will not be.
    pub(super) fn logged_off(&mut self, session: &str, now: Time) {
        let wanted = self.logins.times.wanted;
        self.drop_session(session);
        // We wanted it so: no login before there is something to send.
        self.logins.times.wanted = wanted;
        if self.sessions.ready().is_empty() {
            self.leaving = None;
            self.come_back(now);
        }
        self.flush_later(now);
        self.schedule(now);
    }

    /// After a logout: a peer with whom there is always to be a session gets one again, when it
    /// has had a moment to see the end of the last one.
    fn come_back(&mut self, now: Time) {
        let always = self.peer.as_ref().is_some_and(|peer| peer.connect_always);
        if self.closing || !always {
            return;
        }
        self.logins.times.wanted = true;
        self.logins.times.rest(now);
        self.schedule(now);
    }

    /// A logout that has taken too long ends here.
    pub(super) fn expire_leaving(&mut self, now: Time) {
        if self.leaving.as_ref().is_none_or(|l| l.until > now) {
            return;
        }
        for session in self.sessions.ready() {
            self.logged_off(&session, now);
        }
        self.leaving = None;
    }

    /// A peer's `LogoutRequest`: answered in the session that it ends.
    pub fn logged_out(
        &mut self,
        session: &str,
        transaction: &Transaction,
        request: &LogoutRequest,
        now: Time,
    ) {
        tracing::info!(
            ssp.peer = self.id.as_str(),
            ssp.session = %IdShown(session),
            reason = %Shown(request.reason.as_deref().unwrap_or_default()),
            "the peer logs out"
        );
        let ok = Primitive::status(Code::OK);
        self.answer_in_session(session, &transaction.id, &ok, now);
        self.drop_session(session);
        if self.is_up() {
            return;
        }
        self.event(Event::Unanswered);
        self.leaving = None;
        self.logins.times.rest(now);
        self.schedule(now);
    }

    /// A peer's `Disconnect`: we go where it sends us, or wait as long as it says.
    pub fn disconnected(&mut self, session: &str, notice: &Disconnect, now: Time) {
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            ssp.session = %IdShown(session),
            code = notice.status.code.0,
            "the peer disconnects"
        );
        self.drop_session(session);
        let list = notice.redirects.as_deref().unwrap_or_default();
        let redirected = self.log_in(now, |logins, around| logins.redirected(list, around));
        if redirected != Some(true) {
            let wait = notice.status.try_again;
            let wait = wait.map_or(DISCONNECTED, |seconds| u64::from(seconds) * 1000);
            self.logins.times.hold(wait, now);
            let why = notice.status.description.as_deref().unwrap_or_default();
            let code = notice.status.code.0;
            let why = format!("the peer has disconnected: {code} {}", Shown(why));
            self.last_error = Some(why.trim_end().to_owned());
            if !self.is_up() {
                self.event(Event::Unanswered);
            }
            // Perhaps at once.
            self.flush_later(now);
        }
        self.schedule(now);
    }

    /// Tells a peer that understands it that a session has ended. Nothing is to be
    /// answered.
    pub(super) fn disconnect(&mut self, peer: &Peer, session: &str, status: Status, now: Time) {
        if !peer.dialect.logout {
            return;
        }
        let notice = Disconnect {
            meta: Some(MetaInfo::of_server(
                peer.presented(&self.shared.settings.domain),
            )),
            status,
            redirects: None,
        };
        let id = self.shared.numbers.id();
        self.post_in_session(peer, session, (Mode::Request, &id), &notice.into(), now);
    }

    /// The peer was taken out of the configuration: it is told, its sessions end. Its
    /// queue is kept until it expires, in case it comes back.
    pub fn cast_out(&mut self, now: Time) {
        let Some(peer) = self.peer.take() else {
            return;
        };
        self.logins.clear();
        self.leaving = None;
        for session in self.sessions.ready() {
            let status = Status::new(Code::FORBIDDEN).because("no longer a peer");
            self.disconnect(&peer, &session, status, now);
        }
        self.event(Event::Unanswered);
        self.drop_sessions();
    }
}
