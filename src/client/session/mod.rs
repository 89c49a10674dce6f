//! A session of a client: what it says, what it is told, and what it has agreed.
//!
//! [`Session`] is pure. It is handed what the client posts, what the user's domain says, and time;
//! what it wants done it queues as [`Effect`]s.
//!
//! ```text
//!   client ──post──▶ ┌─────────┐ ──Say───▶ the user's domain
//!          ◀─Answer─ │ Session │ ◀──told──
//!          ◀─Wake─── └─────────┘ ──Keep──▶ the store
//! ```

mod alarm;
mod answered;
mod asks;
mod capabilities;
mod effect;
mod effects;
mod ending;
mod fetched;
mod negotiation;
mod outbox;
mod polls;
mod post;
mod posts;
mod queue;
mod record;
mod repeats;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::csp::{Encoding, Mode, Primitive, Style, Transaction, Version};
use crate::element::client::bytes;
use crate::element::{FromClient, Over, Time, ToClient};
use crate::imps::{Code, Status};

use super::meaning::{Asked, Heard, Interpreter};
use super::settings::Settings;

pub use effect::Effect;
pub use post::{Said, not_logged_in};
pub use record::Record;

use asks::{Ask, Asks};
use effects::Effects;
use ending::Ending;
use negotiation::Negotiation;
use outbox::Outbox;
use post::{Post, busy, disconnect, is_told_apart, logged_out, refusal};
use posts::{Came, Posts};
use repeats::Repeat;

/// One session.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    record: Record,
    interpreter: Interpreter,
    outbox: Outbox,
    posts: Posts,
    asks: Asks,
    /// When the client has said something last.
    seen: Time,
    /// Messages are to come in another way, as soon as nothing is under way.
    reopens: bool,
    ending: Option<Ending>,
    is_over: bool,
    effects: Effects,
}

impl Session {
    /// A session as it was kept, or was just begun.
    pub fn new(settings: Arc<Settings>, record: Record, now: Time) -> Self {
        Self {
            interpreter: Interpreter::new(record.terms.clone()),
            settings,
            record,
            outbox: Outbox::new(now),
            posts: Posts::default(),
            asks: Asks::default(),
            seen: now,
            reopens: false,
            ending: None,
            is_over: false,
            effects: Effects::default(),
        }
    }

    /// It was kept over a restart: what is worth nothing later may have been lost.
    pub fn resume(&mut self) {
        self.outbox.miss();
    }

    /// What is kept of it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The next thing to be done outside.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.next()
    }

    /// Whether something waits that the client may be told now.
    pub fn is_waiting(&self, now: Time) -> bool {
        self.ending.is_some() || self.outbox.is_waiting(now)
    }

    /// When [`Self::timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        if let Some(ending) = &self.ending {
            return Some(ending.until);
        }
        let expires = Some(self.record.expires(self.seen));
        let due = [self.asks.until(), self.outbox.due(&self.record), expires];
        due.into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: Time) {
        while let Some(ask) = self.asks.take_late(now) {
            let why = "The request was not answered in time.";
            let status = Status::new(Code::TIMEOUT).because(why);
            self.answered(ask, Primitive::status(status), now);
        }
        if self.ending.as_ref().is_some_and(|e| e.until <= now) {
            self.end();
        } else if self.ending.is_none() && self.record.expires(self.seen) <= now {
            self.close();
        }
        self.settle(now);
    }

    /// The channel by which the client is woken has come, or gone.
    pub fn set_channel(&mut self, channel: bool, now: Time) {
        self.outbox.set_channel(channel);
        if channel {
            self.seen = now;
        }
        self.settle(now);
    }

    /// The operator, or a new login of the same client, ends the session.
    pub fn disconnect(&mut self, status: Status, now: Time) {
        if self.ending.is_some() || self.is_over {
            return;
        }
        self.effects.push(Effect::Leave);
        self.ending = Some(Ending::of(status, now));
        if self.outbox.can_wake(&self.record) {
            self.effects.wake(&self.record, self.interpreter.terms());
        }
        self.asks.clear();
        if let Some(first) = self.posts.take_any() {
            self.part(first);
        }
    }

    /// The client logs in again with this session: it goes on, and is kept for so long.
    pub fn renew(&mut self, keep_alive: u32, now: Time) {
        self.seen = now;
        self.record.keep_alive = keep_alive;
        self.keep();
    }

    /// The session ends at once: the same client has begun another one.
    pub fn close(&mut self) {
        if !self.is_over {
            self.effects.push(Effect::Leave);
            self.end();
        }
    }

    /// A message of the client. `post` names it; the answer has the same number.
    pub fn post(&mut self, post: u64, said: Said, now: Time) {
        let mut under_way = Post::of(post, &said);
        let Said {
            session,
            version,
            encoding,
            mark,
            address,
        } = said;
        if self.is_over || self.settings.one_address && address != self.record.address {
            let body = under_way.refused(&session.transactions, &not_logged_in());
            return self.effects.answer(under_way.posts, body);
        }
        if self.ending.is_some() {
            return self.part(under_way);
        }
        self.seen = now;
        let terms = self.interpreter.terms_mut();
        (terms.version, terms.wbxml) = (version, encoding == Encoding::Wbxml);
        if session.transactions.iter().all(is_told_apart) {
            under_way.mark = Some(mark);
        }
        match self.posts.come(post, under_way) {
            Came::Again => return,
            Came::Answered(post, replies) => {
                let body = self.message(&post, replies);
                return self.effects.answer(post.posts, body);
            }
            Came::TooMany(post) => {
                let body = post.refused(&session.transactions, &busy());
                return self.effects.answer(post.posts, body);
            }
            Came::New => {}
        }
        for transaction in session.transactions {
            self.take(post, transaction, now);
        }
        if let Some(taken) = self.posts.get_mut(post) {
            taken.is_whole = true;
        }
        self.finish(post, now);
        self.settle(now);
    }

    /// What the user's domain says.
    pub fn told(&mut self, told: ToClient, now: Time) {
        match told {
            ToClient::Opened { watched, .. } => {
                self.effects
                    .describe(&self.record, self.interpreter.terms());
                if let Some(watched) = watched.filter(|_| self.outbox.take_missed())
                    && let Some(told) = self.interpreter.tell(&watched)
                {
                    self.wait(None, told, bytes(&watched));
                }
            }
            ToClient::Answer {
                id,
                number,
                primitive,
            } => self.heard(&id, number, *primitive, now),
            ToClient::Take { number, primitive } => {
                if self.ending.is_some() || self.outbox.has(number) {
                    return;
                }
                match self.interpreter.tell(&primitive) {
                    Some(told) => self.wait(Some(number), told, bytes(&primitive)),
                    // There is no word for it; it must not stop what comes behind it.
                    None => self.effects.acknowledge(number),
                }
            }
            ToClient::Now { primitive } => {
                if self.ending.is_none()
                    && let Some(told) = self.interpreter.tell(&primitive)
                {
                    self.wait(None, told, bytes(&primitive));
                }
            }
            ToClient::Over { why: Over::Behind } => {
                self.outbox.miss();
                self.reopens = true;
                self.asks.are_late(now);
            }
            ToClient::Over { why } => self.disconnect(why.status(), now),
        }
        self.settle(now);
    }

    /// Something waits for the client from now on.
    fn wait(&mut self, number: Option<u64>, told: Primitive, bytes: usize) {
        let switches = &self.interpreter.terms().switches;
        let is_answered = !switches.is_unanswered(told.name());
        self.outbox.push(number, told, bytes, is_answered);
    }

    /// What a request of the client is. It may tell which kind of client it is.
    fn understand(&mut self, request: Primitive) -> Asked {
        let configured = self.settings.kind_of(&self.record.user);
        self.interpreter
            .ask_as(request, &self.settings.kinds, configured)
    }

    /// Takes one transaction of a post.
    fn take(&mut self, post: u64, transaction: Transaction, now: Time) {
        let Transaction {
            mode,
            id,
            primitive,
            ..
        } = transaction;
        if let Primitive::Polling(_) = primitive {
            if !self.outbox.may_poll(self.settings.poll_interval, now)
                && let Some(post) = self.posts.get_mut(post)
            {
                post.is_early = true;
            }
            return;
        }
        if mode == Mode::Response || matches!(primitive, Primitive::MessageDelivered(_)) {
            return self.taken(id.as_deref(), &primitive);
        }
        let Some(under_way) = self.posts.get_mut(post) else {
            return;
        };
        let of = (post, under_way.replies.len());
        under_way.replies.push(None);
        let id = id.unwrap_or_default();
        let version = under_way.version;
        let answer = match primitive {
            Primitive::LogoutRequest(_) => {
                self.is_over = true;
                logged_out(version)
            }
            Primitive::KeepAliveRequest(_)
            | Primitive::ClientCapabilityRequest(_)
            | Primitive::ServiceRequest(_) => self.negotiate(primitive, version),
            other => match self.understand(other) {
                Asked::Answered(answer) => answer,
                Asked::Reply => {
                    if let Some(under_way) = self.posts.get_mut(post) {
                        under_way.replies.pop();
                    }
                    return;
                }
                Asked::Session => refusal(Code::NOT_IMPLEMENTED, "This is not done here."),
                Asked::User(_, _) if self.asks.is_full() => Primitive::status(busy()),
                Asked::User(exchange, primitive) => {
                    let mut ask = Ask::new(of, id.clone(), *exchange, now);
                    let repeats = self.interpreter.terms().switches.repeats;
                    match self.asks.repeat(&mut ask, repeats, now) {
                        Repeat::New => return self.ask(ask, primitive),
                        Repeat::UnderWay => return,
                        Repeat::Answered(answer) => answer,
                    }
                }
            },
        };
        self.reply(of, id, answer, now);
    }

    fn ask(&mut self, ask: Ask, primitive: Box<crate::imps::Primitive>) {
        let id = self.asks.add(ask);
        let request = FromClient::Request { id, primitive };
        self.effects.say(request);
    }

    /// The user's domain has answered a request.
    fn heard(&mut self, id: &str, number: Option<u64>, answer: crate::imps::Primitive, now: Time) {
        let Some(mut ask) = self.asks.take(id) else {
            // Too late: the client has been told that there is no answer.
            self.effects.acknowledge(number);
            return;
        };
        match self.interpreter.hear(&mut ask.exchange, answer) {
            Heard::Ask(next) => {
                self.effects.acknowledge(number);
                self.ask(ask, next);
            }
            // It was not fetched: the message goes on waiting.
            Heard::Refused(answer) => self.answered(ask, answer, now),
            Heard::Answer(answer) => {
                if let (Primitive::GetMessageResponse(got), Some(number)) = (&answer, number) {
                    let id = got.info.message.message_id.clone();
                    self.outbox.fetched(id.unwrap_or_default(), number);
                } else if let Some(post) = self.posts.get_mut(ask.of.0) {
                    post.numbers.extend(number);
                }
                self.answered(ask, answer, now);
            }
        }
    }

    /// A request has its answer; so have those that repeated it.
    fn answered(&mut self, ask: Ask, answer: Primitive, now: Time) {
        for (of, id) in self.asks.answered(&ask, &answer) {
            self.reply(of, id, answer.clone(), now);
        }
        self.reply(ask.of, ask.transaction, answer, now);
    }

    /// The client says that it has something.
    fn taken(&mut self, transaction: Option<&str>, primitive: &Primitive) {
        let taken = match primitive {
            Primitive::MessageDelivered(delivered) => self.outbox.delivered(&delivered.message),
            _ => transaction.and_then(|id| self.outbox.answered(id)),
        };
        if let Some(number) = taken.and_then(|taken| taken.number) {
            self.effects.acknowledge(number);
            self.effects.push(Effect::Settle);
        }
    }

    fn keep(&mut self) {
        self.record.terms = self.interpreter.terms().clone();
        self.effects.keep(&self.record);
    }

    /// Agrees something, and keeps what was agreed.
    fn negotiate(&mut self, request: Primitive, version: Version) -> Primitive {
        let before = self.interpreter.terms().delivery();
        let terms = self.interpreter.terms_mut();
        let mut negotiation = Negotiation::of(&mut self.record, terms, &self.settings);
        let answer = negotiation.answer(request, version);
        if negotiation.has_changed() {
            self.keep();
            self.effects
                .describe(&self.record, self.interpreter.terms());
        }
        self.reopens |= self.interpreter.terms().delivery() != before;
        answer
    }

    /// Puts an answer in its place. The post goes out when it has all.
    fn reply(&mut self, of: (u64, usize), id: String, answer: Primitive, now: Time) {
        self.posts
            .reply(of, Some(id).filter(|id| !id.is_empty()), answer);
        self.finish(of.0, now);
    }

    /// Answers a post if all of it is answered, with what waits, as far as the client takes that.
    fn finish(&mut self, post: u64, now: Time) {
        let Some(post) = self.posts.take_complete(post) else {
            return;
        };
        self.reopen();
        let mut transactions: Vec<Transaction> = post.replies.iter().flatten().cloned().collect();
        let most = if post.is_early || self.is_over {
            0
        } else {
            self.record.transactions.max(1)
        };
        let room = most.saturating_sub(transactions.len());
        let going = self.outbox.tell(room, transactions.is_empty(), now);
        transactions.extend(going.transactions);
        if self.is_over {
            self.effects.push(Effect::Leave);
        }
        let said = Some(transactions).filter(|said| !said.is_empty());
        let body = said.and_then(|said| self.message(&post, said));
        self.effects.answer(post.posts.clone(), body.clone());
        for number in post.numbers.iter().chain(&going.numbers) {
            self.effects.acknowledge(*number);
        }
        self.posts.note(post, body.map_or(0, |body| body.len()));
        if self.is_over {
            self.end();
        }
    }

    /// The message with these transactions, and what the client is to know with each message.
    fn message(&self, post: &Post, transactions: Vec<Transaction>) -> Option<Bytes> {
        let poll = self.outbox.has_news() && !self.is_over;
        let cir = self.outbox.stands(&self.record);
        let style = &self.interpreter.terms().switches.style;
        post.message(transactions, poll, cir, (self.record.parser_size, style))
    }

    /// Tells a client that the session is over, and ends it.
    fn part(&mut self, post: Post) {
        let Some(ending) = self.ending.take() else {
            return;
        };
        let over = Transaction::new(Mode::Request, "s0", disconnect(ending.status));
        let body = post.message(vec![over], false, None, (None, &Style::default()));
        self.effects.answer(post.posts, body);
        self.end();
    }

    /// Nothing more is done. Who still waits for an answer hears that the session is over.
    fn end(&mut self) {
        self.is_over = true;
        self.asks.clear();
        while let Some(post) = self.posts.take_any() {
            let over = Transaction::answer(None, Primitive::status(not_logged_in()));
            let body = post.message(vec![over], false, None, (None, &Style::default()));
            self.effects.answer(post.posts, body);
        }
        self.effects.push(Effect::End);
    }

    /// Lets messages come as was agreed, before the client hears of it, if no answer is under way.
    fn reopen(&mut self) {
        if self.asks.is_empty() && std::mem::take(&mut self.reopens) {
            self.outbox.forget_news();
            self.effects.reopen(self.interpreter.terms());
        }
    }

    /// What follows from what there is: the client is woken, messages come in another way.
    fn settle(&mut self, now: Time) {
        if self.is_over || self.ending.is_some() {
            return;
        }
        self.reopen();
        if self.outbox.rings(&self.record, now) {
            self.effects.wake(&self.record, self.interpreter.terms());
        }
    }
}
