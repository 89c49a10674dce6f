//! A text session by short messages: what a phone says, and what it is told by its gateway.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::outbox::Outbox;
use super::pieces::Coding;
use super::records::{self, Kept};
use super::seat::{News, Seat, next};
use super::talk::{Step, Talk, Way};
use crate::access::line::screen;
use crate::access::sessions::{Busy, Sessions};
use crate::element::{FromClient, Time, ToClient};
use crate::http::ask::{self, AskFault};
use crate::imps::{Code, Primitive, Status};
use crate::node::build::SmsGateway;

/// Ids of messages that are remembered, so that one that comes again is the same; our choice.
const IDS: usize = 64;
/// For a gateway to take a message.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Told whether what follows from it is on disk.
    pub(super) done: oneshot::Sender<bool>,
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
    /// What is acknowledged when its rejection is answered, by the id of that request.
    rejected: HashMap<String, u64>,
    ids: VecDeque<String>,
    heard: Time,
    /// What the store has of the session.
    kept: Option<Kept>,
    /// As long as a line waits for its answer, or a message is on its way.
    busy: Option<Busy>,
}

impl Conversation {
    /// With the phone of a user, by this number, who has not logged in.
    pub(super) fn new(
        sessions: &Arc<Sessions>,
        (number, user): (&str, &str),
        gateway: Arc<SmsGateway>,
        kept: Option<Kept>,
    ) -> Self {
        let partner = kept.as_ref().and_then(Kept::partner);
        Self {
            sessions: Arc::clone(sessions),
            number: number.to_owned(),
            user: user.to_owned(),
            gateway,
            to: kept
                .as_ref()
                .map(|kept| kept.to.clone())
                .unwrap_or_default(),
            talk: Talk::with(Way::Number, partner),
            seat: None,
            outbox: Outbox::default(),
            sending: None,
            rejected: HashMap::new(),
            ids: VecDeque::new(),
            heard: match &kept {
                Some(kept) => kept.heard,
                None => sessions.node.clock().now(),
            },
            kept,
            busy: None,
        }
    }

    /// Talks as long as the node runs. A session that was kept goes on.
    pub(super) async fn attend(mut self, mut lines: mpsc::Receiver<Said>) {
        if self.kept.is_some() {
            self.seat = Some(Seat::again(&self.sessions, &self.user));
        }
        let clock = self.sessions.node.clock();
        loop {
            if self.sending.is_none()
                && let Some(text) = self.outbox.next(clock.now())
            {
                self.sending = Some(self.sending(text));
            }
            self.mind_busy();
            let has_room = self.outbox.has_room();
            // What is said while the user's domain hears nothing waits.
            let is_heard = self.seat.as_ref().is_none_or(Seat::is_open);
            let may_read = has_room && is_heard && self.talk.has_room();
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
                news = next(&mut self.seat, has_room) => self.news(news).await,
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

    /// A stop waits for what is under way.
    fn mind_busy(&mut self) {
        let is_busy = self.sending.is_some() || self.talk.under_way() > 0;
        match (is_busy, &self.busy) {
            (true, None) => self.busy = Some(self.sessions.busy()),
            (false, Some(_)) => self.busy = None,
            _ => {}
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
            let at = (&gateway.endpoint, gateway.tls.as_ref());
            ask::get(at, &parameters, PATIENCE).await
        })
    }

    async fn taken(&mut self, taken: Result<(), AskFault>) {
        match taken {
            Ok(()) => {
                let number = self.outbox.taken();
                if let Some(seat) = &mut self.seat {
                    seat.acknowledge(number).await;
                }
            }
            Err(fault) if fault.is_for_good() => self.refused(&fault).await,
            Err(fault) => {
                let gateway = &self.gateway.name;
                if let Some(more) = self.sessions.may_tell("not taken") {
                    tracing::warn!(gateway, more, "a short message is not taken: {fault}");
                }
                self.outbox.failed(self.sessions.node.clock().now());
            }
        }
    }

    /// The gateway will never take the next text, which must not hold up what comes behind it. If it
    /// is a message, its sender hears that it was rejected.
    async fn refused(&mut self, fault: &AskFault) {
        self.sessions.tally.short_message_refused();
        let gateway = &self.gateway.name;
        if let Some(more) = self.sessions.may_tell("refused for good") {
            tracing::warn!(
                gateway,
                more,
                "a short message is refused for good and given up: {fault}"
            );
        }
        let (Some(dropped), Some(seat)) = (self.outbox.refused(), &mut self.seat) else {
            return;
        };
        let rejection = dropped.message.and_then(|id| self.talk.reject(id));
        match (rejection, dropped.number) {
            (Some(primitive), Some(number)) => {
                let (id, primitive) = (format!("reject {number}"), Box::new(primitive));
                self.rejected.insert(id.clone(), number);
                seat.say(FromClient::Request { id, primitive }).await;
            }
            (_, number) => seat.acknowledge(number).await,
        }
    }

    async fn said(&mut self, said: Said) {
        // It was answered with 503, and comes again.
        if said.done.is_closed() {
            return;
        }
        let Said {
            text,
            id,
            to,
            gateway,
            done,
        } = said;
        let id = id.map(|id| format!("{} {id}", gateway.name));
        if id.as_ref().is_some_and(|id| self.ids.contains(id)) {
            let _ = done.send(true);
            return;
        }
        self.heard = self.sessions.node.clock().now();
        (self.to, self.gateway) = (to, gateway);
        // Whatever it has of lines, it is one message.
        let is_left = self.line(&text).await;
        let is_kept = match &self.seat {
            Some(seat) => seat.settle().await,
            None => is_left,
        };
        self.keep_news().await;
        // One that is not kept comes again under its id.
        if let Some(id) = id.filter(|_| is_kept) {
            if self.ids.len() >= IDS {
                self.ids.pop_front();
            }
            self.ids.push_back(id);
        }
        // Before who has handed it over is done with it.
        self.mind_busy();
        let _ = done.send(is_kept);
    }

    /// Does what a line says; false if it ends the session and that is not on disk.
    async fn line(&mut self, line: &str) -> bool {
        match self.talk.line(line) {
            Step::Nothing | Step::LogIn { .. } => {}
            Step::Show(text) => self.outbox.push(&text),
            Step::Say(requests) => self.say(requests).await,
            Step::Enter => self.enter().await,
            Step::LogOut => return self.leave(BYE).await,
        }
        true
    }

    async fn say(&mut self, requests: Vec<FromClient>) {
        let Some(seat) = &mut self.seat else { return };
        for request in requests {
            seat.say(request).await;
        }
    }

    /// The user of the number comes.
    async fn enter(&mut self) {
        let taken = Seat::take(&self.sessions, &self.user).await;
        let kept = Kept::of(&self.user, (&self.to, &self.gateway.name), self.heard);
        let taken = match taken {
            Ok(taken) if records::keep(&self.sessions.node, &self.number, &kept).await => Ok(taken),
            Ok(_) => {
                let why = "The session cannot be kept.";
                Err(Status::new(Code::UNAVAILABLE).because(why))
            }
            Err(status) => Err(status),
        };
        self.sessions.tally.login_in_words(taken.is_ok());
        match taken {
            Ok((seat, opened)) => {
                (self.seat, self.kept) = (Some(seat), Some(kept));
                let heard = self.talk.heard(&opened);
                self.outbox.push(&heard.text.unwrap_or_default());
            }
            Err(status) => self.outbox.push(&Talk::refused(&status)),
        }
    }

    async fn news(&mut self, news: News) {
        match news {
            News::Told(ToClient::Over { why }) => self.end(&why.status()).await,
            News::Ended(status) => self.end(&status).await,
            News::Again(opened) => {
                self.rejected.clear();
                if let Some(missed) = self.talk.again(&opened) {
                    self.outbox.push(&missed);
                }
            }
            News::Told(told) => {
                self.told(&told).await;
                self.keep_news().await;
            }
        }
    }

    async fn told(&mut self, told: &ToClient) {
        if let ToClient::Answer { id, primitive, .. } = told
            && let Some(number) = self.rejected.remove(id)
        {
            // What was not rejected comes again with the next way: acknowledged, it would count as
            // delivered.
            let is_done = primitive
                .verdict()
                .is_none_or(|status| status.code.is_success());
            if let (true, Some(seat)) = (is_done, &mut self.seat) {
                seat.acknowledge(Some(number)).await;
            }
            return;
        }
        // What waits for the gateway was told before, on a way that was lost.
        if let ToClient::Take { number, .. } = told
            && self.outbox.has(*number)
        {
            return;
        }
        let heard = self.talk.heard(told);
        match (heard.text, &mut self.seat) {
            (Some(text), _) => self
                .outbox
                .push_numbered(&text, heard.number, message_of(told)),
            (None, Some(seat)) => seat.acknowledge(heard.number).await,
            (None, None) => {}
        }
        self.say(heard.further).await;
    }

    /// The session is ended, by the operator or by the user's domain.
    async fn end(&mut self, why: &Status) {
        let why = screen::failed("session", None, why);
        self.leave(&why).await;
    }

    /// The session ends, and the user hears why. What they have not got waits for the next one.
    /// False if that it has ended is not on disk.
    async fn leave(&mut self, why: &str) -> bool {
        self.seat = None;
        self.kept = None;
        self.rejected.clear();
        self.talk.ended();
        self.outbox.forget_numbered(self.sending.is_some());
        self.outbox.push(why);
        records::forget(&self.sessions.node, &self.number, &self.user).await
    }

    /// Keeps how the session is now, if the store has it otherwise. What it does not take it is
    /// given again with what comes next.
    async fn keep_news(&mut self) {
        let Some(kept) = self.kept.as_ref().filter(|_| self.seat.is_some()) else {
            return;
        };
        let now = Kept::of(&self.user, (&self.to, &self.gateway.name), self.heard)
            .writing_to(self.talk.partner());
        if !kept.is_about(&now) && records::keep(&self.sessions.node, &self.number, &now).await {
            self.kept = Some(now);
        }
    }
}

/// The id of the message that is told.
fn message_of(told: &ToClient) -> Option<String> {
    match told {
        ToClient::Take { primitive, .. } => match primitive.as_ref() {
            Primitive::NewMessage(message) => message.info.message_id.clone(),
            _ => None,
        },
        _ => None,
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
