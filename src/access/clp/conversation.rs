//! A text session by short messages: what a phone says, and what it is told by its gateway.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::connection::next;
use super::outbox::Outbox;
use super::pieces::Coding;
use super::records::{self, Kept};
use super::seat::{News, Seat};
use super::talk::{Step, Talk, Way};
use crate::access::line::screen;
use crate::access::sessions::Sessions;
use crate::element::{FromClient, Over, Time, ToClient};
use crate::http::ask::{self, AskFault};
use crate::imps::Status;
use crate::node::build::SmsGateway;

/// Ids of messages that are remembered, so that one that comes again is the same; our choice.
const IDS: usize = 64;
/// For a gateway to take a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// How exactly the time is kept at which a phone said something.
const ROUGHLY: Duration = Duration::from_secs(600);

const SILENT: &str = "* you have written nothing for too long and are logged out";
const BYE: &str = "* you are logged out";

/// What a phone says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: String,
    /// How its gateway calls the message.
    pub(super) id: Option<String>,
    /// Where answers go.
    pub(super) to: String,
    pub(super) gateway: Arc<SmsGateway>,
    /// Told when what follows from it is on disk.
    pub(super) done: oneshot::Sender<()>,
}

type Sending = Pin<Box<dyn Future<Output = Result<(), AskFault>> + Send + Sync>>;

/// One phone.
pub(super) struct Conversation {
    sessions: Arc<Sessions>,
    number: String,
    user: String,
    gateway: Arc<SmsGateway>,
    to: String,
    talk: Talk,
    seat: Option<Seat>,
    outbox: Outbox,
    /// A message on its way to the gateway.
    sending: Option<Sending>,
    ids: VecDeque<String>,
    heard: Time,
}

impl Conversation {
    /// With the phone of a user, by this number, who has not logged in.
    pub(super) fn new(
        sessions: &Arc<Sessions>,
        (number, user): (&str, &str),
        gateway: Arc<SmsGateway>,
        kept: Option<&Kept>,
    ) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            number: number.to_owned(),
            user: user.to_owned(),
            gateway,
            to: kept.map(|kept| kept.to.clone()).unwrap_or_default(),
            talk: Talk::new(Way::Number),
            seat: None,
            outbox: Outbox::default(),
            sending: None,
            ids: VecDeque::new(),
            heard: kept.map_or_else(|| sessions.node.clock().now(), |kept| kept.heard),
        }
    }

    /// Talks as long as the node runs. `goes_on`: the user had logged in before a restart.
    pub(super) async fn attend(mut self, mut lines: mpsc::Receiver<Said>, goes_on: bool) {
        if goes_on {
            self.enter(true).await;
        }
        let clock = self.sessions.node.clock();
        loop {
            if self.sending.is_none()
                && let Some(text) = self.outbox.next(clock.now())
            {
                self.sending = Some(self.sending(text));
            }
            let has_room = self.outbox.has_room();
            let may_read = has_room && self.talk.has_room();
            let due = self.outbox.due().filter(|_| self.sending.is_none());
            let silence = self.heard.plus(self.gateway.keep);
            let silence = self.seat.as_ref().map(|_| silence);
            let until = due.into_iter().chain(silence).min();
            let until = until.map(|at| clock.instant(at));
            tokio::select! {
                biased;
                taken = done(&mut self.sending) => {
                    self.sending = None;
                    self.taken(taken).await;
                }
                news = next(&mut self.seat), if has_room => self.news(news).await,
                said = lines.recv(), if may_read => match said {
                    Some(said) => self.said(said).await,
                    None => return,
                },
                () = sleep_until(until) => {
                    if silence.is_some_and(|at| at <= clock.now()) {
                        self.leave(SILENT).await;
                    }
                }
            }
        }
    }

    /// Hands a message over to the gateway.
    fn sending(&self, text: &str) -> Sending {
        let (gateway, to, text) = (Arc::clone(&self.gateway), self.to.clone(), text.to_owned());
        Box::pin(async move {
            let coding = match Coding::of(&text) {
                Coding::Gsm => "0",
                Coding::Ucs2 => "2",
            };
            let parameters = [
                ("username", gateway.username.as_str()),
                ("password", gateway.password.expose()),
                ("from", &gateway.sender),
                ("to", &to),
                ("charset", "UTF-8"),
                ("coding", coding),
                ("text", &text),
            ];
            ask::get(&gateway.endpoint, &parameters, PATIENCE).await
        })
    }

    async fn taken(&mut self, taken: Result<(), AskFault>) {
        match taken {
            Ok(()) => {
                let number = self.outbox.taken();
                if let Some(seat) = &self.seat {
                    let _ = seat.acknowledge(number).await;
                }
            }
            Err(fault) => {
                let gateway = &self.gateway.name;
                tracing::warn!(gateway, "a short message is not taken: {fault}");
                self.outbox.failed(self.sessions.node.clock().now());
            }
        }
    }

    async fn said(&mut self, said: Said) {
        let Said {
            text,
            id,
            to,
            gateway,
            done,
        } = said;
        if let Some(id) = id {
            let id = format!("{} {id}", gateway.name);
            if self.ids.contains(&id) {
                let _ = done.send(());
                return;
            }
            if self.ids.len() >= IDS {
                self.ids.pop_front();
            }
            self.ids.push_back(id);
        }
        let before = self.heard;
        let has_moved = to != self.to || gateway.name != self.gateway.name;
        self.heard = self.sessions.node.clock().now();
        (self.to, self.gateway) = (to, gateway);
        // Whatever it has of lines, it is one message.
        self.line(&text).await;
        if let Some(seat) = &self.seat {
            if has_moved || self.heard.after(before) >= ROUGHLY {
                self.keep().await;
            }
            seat.settle().await;
        }
        let _ = done.send(());
    }

    async fn line(&mut self, line: &str) {
        match self.talk.line(line) {
            Step::Nothing | Step::LogIn { .. } => {}
            Step::Show(text) => self.outbox.push(&text, None),
            Step::Say(requests) => self.say(requests).await,
            Step::Enter => self.enter(false).await,
            Step::LogOut => self.leave(BYE).await,
        }
    }

    async fn say(&mut self, requests: Vec<FromClient>) {
        let Some(seat) = &self.seat else { return };
        for request in requests {
            let _ = seat.say(request).await;
        }
    }

    /// The user of the number comes.
    async fn enter(&mut self, is_kept: bool) {
        let taken = Seat::take(&self.sessions, &self.user, is_kept).await;
        self.sessions.tally.login_in_words(taken.is_ok());
        match taken {
            Ok((seat, opened)) => {
                self.seat = Some(seat);
                let heard = self.talk.heard(&opened);
                if !is_kept {
                    self.outbox.push(&heard.text.unwrap_or_default(), None);
                }
                self.keep().await;
            }
            Err(status) => self.refused(&status),
        }
    }

    fn refused(&mut self, status: &Status) {
        self.outbox.push(&Talk::refused(status), None);
    }

    async fn news(&mut self, news: News) {
        let told = match news {
            News::Told(told) => told,
            News::Ended(status) => {
                let why = screen::failed("session", None, &status);
                return self.leave(&why).await;
            }
        };
        match told {
            ToClient::Over { why: Over::Behind } => self.reopen().await,
            ToClient::Over { why } => {
                let why = screen::failed("session", None, &why.status());
                self.leave(&why).await;
            }
            told => {
                let heard = self.talk.heard(&told);
                match (heard.text, &self.seat) {
                    (Some(text), _) => self.outbox.push(&text, heard.number),
                    (None, Some(seat)) => {
                        let _ = seat.acknowledge(heard.number).await;
                    }
                    (None, None) => {}
                }
                self.say(heard.further).await;
            }
        }
    }

    /// Too much lay unread, as the gateway took nothing.
    async fn reopen(&mut self) {
        self.outbox.forget_numbered(self.sending.is_some());
        let Some(seat) = &mut self.seat else { return };
        match seat.reopen().await {
            Ok(opened) => {
                self.talk.heard(&opened);
            }
            Err(status) => {
                let why = screen::failed("session", None, &status);
                self.leave(&why).await;
            }
        }
    }

    /// The session ends, and the user hears why. What they have not got waits for the next one.
    async fn leave(&mut self, why: &str) {
        self.seat = None;
        self.talk.ended();
        self.outbox.forget_numbered(self.sending.is_some());
        self.outbox.push(why, None);
        records::forget(&self.sessions.node, &self.number, &self.user).await;
    }

    async fn keep(&self) {
        let kept = Kept {
            user: self.user.clone(),
            to: self.to.clone(),
            gateway: self.gateway.name.clone(),
            heard: self.heard,
        };
        records::keep(&self.sessions.node, &self.number, &kept).await;
    }
}

async fn done(sending: &mut Option<Sending>) -> Result<(), AskFault> {
    match sending {
        Some(sending) => sending.await,
        None => pending().await,
    }
}

async fn sleep_until(until: Option<tokio::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => pending().await,
    }
}
