//! What the clients of a user are told of that queue, as far as they take it.
//!
//! The queue of a user is everything that has a number: messages, and what became of the user's own
//! ([`super::notice`]). Each client is told of it in order, but only so much ahead of what it has
//! acknowledged. What one client acknowledges has left the queue; the user's other clients are
//! still told, and a client that goes away leaves what it did not acknowledge to the next one.

use super::core::Timer;
use super::message::Arrivals;
use super::notice::Notice;
use std::collections::{BTreeMap, BTreeSet};

use crate::element::{Act, Outcome, Time};
use crate::imps::address::Address;
use crate::imps::common::encode_base64;
use crate::imps::status::{Code, Status};
use crate::text::charset::{self, Reading};
use crate::text::media;

use super::client::{ClientKey, Event, Takes};
use super::core::Core;
use super::inbox::Arrival;
use super::message::text_of;
use super::records;
use super::relation::Relation;
use super::user::User;

/// Milliseconds after which a message is said to have waited.
const AT_ONCE: u64 = 5_000;
/// Messages of its own that a client which takes nothing else hears of.
const MAX_SENT: usize = 16;

/// What a number is of: its remainder by [`KINDS`].
const MESSAGE: u64 = 0;
const NOTICE: u64 = 1;
const QUESTION: u64 = 2;
const KINDS: u64 = 4;

/// What one client of a user was told and has not acknowledged.
#[derive(Debug)]
pub(super) struct Feed {
    /// When the session was opened.
    opened: Time,
    takes: Takes,
    /// Of everything before this number it was told.
    next: u64,
    /// What it was told and has not acknowledged, with its bytes.
    told: BTreeMap<u64, usize>,
    bytes: usize,
    /// Who wants to see the user's presence, as it has not been told yet.
    questions: BTreeSet<Address>,
    /// How many questions it was told.
    asked: u64,
    /// Messages of its own, if it takes only what becomes of these.
    sent: BTreeSet<String>,
}

impl Feed {
    pub(super) fn new(takes: Takes, opened: Time) -> Self {
        Self {
            opened,
            takes,
            next: 0,
            told: BTreeMap::new(),
            bytes: 0,
            questions: BTreeSet::new(),
            asked: 0,
            sent: BTreeSet::new(),
        }
    }

    /// Whether it takes everything that comes for the user.
    pub(super) fn takes_everything(&self) -> bool {
        self.takes == Takes::Everything
    }

    /// Notes that the client has sent a message.
    pub(super) fn has_sent(&mut self, id: &str) {
        if !self.takes_everything() && self.sent.len() < MAX_SENT {
            self.sent.insert(id.to_owned());
        }
    }

    fn has_room(&self, core: &Core) -> bool {
        let settings = &core.settings;
        self.told.is_empty()
            || self.told.len() < settings.max_unacknowledged
                && self.bytes < settings.max_unacknowledged_bytes
    }

    /// Whether there is a message behind this number that it was not told of.
    fn lacks(&self, message: u64) -> bool {
        self.takes_everything() && self.next <= number(message, MESSAGE)
    }

    fn is_for(&self, client: ClientKey, notice: &super::notice::Notice) -> bool {
        let own = |id: &str| self.sent.contains(id);
        notice.only.is_none_or(|only| only == client)
            && (self.takes_everything() || notice.event.message_id().is_some_and(own))
    }
}

/// A user's queue, as the clients are told of it.
pub(super) struct Feeds<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Feeds<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Tells each client what comes next, as far as it takes it.
    pub(super) fn feed(&mut self) {
        let mut clients = std::mem::take(&mut self.user.clients);
        for (client, feed) in &mut clients {
            while feed.has_room(self.core)
                && let Some(event) = self.next_for(*client, feed)
            {
                let event = event.by_wall_clock(self.core.skew);
                let bytes = event.bytes();
                feed.bytes += bytes;
                feed.told
                    .extend(event.number().map(|number| (number, bytes)));
                self.core.tell(*client, event);
            }
        }
        self.user.clients = clients;
        self.forget_copies();
    }

    /// A client has taken what it was told under a number.
    pub(super) fn acknowledge(&mut self, client: ClientKey, number: u64) {
        let Some(feed) = self.user.clients.get_mut(&client) else {
            return;
        };
        // Only what it was told; twice means no more than once.
        let Some(bytes) = feed.told.remove(&number) else {
            return;
        };
        feed.bytes -= bytes;
        match number % KINDS {
            MESSAGE => self.delivered(number / KINDS),
            NOTICE => {
                self.drop_notice(number / KINDS);
            }
            _ => {}
        }
        self.feed();
    }

    /// Puts a question for authorization to all clients, when each comes to it.
    pub(super) fn ask_clients(&mut self, who: &Address) {
        let most = self.core.settings.max_watchers;
        let relations = &self.user.relations;
        for feed in self
            .user
            .clients
            .values_mut()
            .filter(|f| f.takes_everything())
        {
            if feed.questions.len() >= most {
                feed.questions
                    .retain(|who| relations.get(who).is_some_and(Relation::is_asked));
            }
            feed.questions.insert(who.clone());
        }
        self.feed();
    }

    /// Lets a new client hear of the queue.
    pub(super) fn begin_feed(&mut self, client: ClientKey, takes: Takes) {
        let mut feed = Feed::new(takes, self.now);
        if feed.takes_everything() {
            feed.questions = self.user.undecided().into_iter().collect();
        }
        self.user.clients.insert(client, feed);
        let ready = Event::Ready {
            user: self.user.address(self.core),
            waiting: self.user.inbox.waiting(),
        };
        self.core.tell(client, ready);
    }

    /// A client is gone. What only it was to be told is told to the others, or waits.
    pub(super) fn end_feed(&mut self, client: ClientKey) {
        self.user.clients.remove(&client);
        self.core.clients.remove(&client);
        let own = |notice: &super::notice::Notice| notice.only == Some(client);
        let left: Vec<u64> = self
            .user
            .notices
            .iter()
            .filter(|(_, notice)| own(notice))
            .map(|(number, _)| *number)
            .collect();
        for number in left {
            if let Some(event) = self.drop_notice(number) {
                self.notice(event, None);
            }
        }
        self.forget_copies();
    }

    /// Keeps an event until a client has acknowledged it. If there are too many, the oldest goes.
    pub(super) fn notice(&mut self, event: Event, only: Option<ClientKey>) {
        let number = self.user.new_number(self.now);
        let notice = Notice {
            until: self.now.plus_seconds(self.core.settings.offline_validity),
            event,
            only,
        };
        self.core
            .act(records::put_notice(&self.user.name, number, &notice));
        self.core
            .timers
            .insert((notice.until, Timer::Notice(self.user.name.clone(), number)));
        self.user.insert_notice(number, notice);
        let settings = &self.core.settings;
        let (most, most_bytes) = (settings.max_notices, settings.max_notice_bytes);
        while (self.user.notices.len() > most || self.user.notice_bytes > most_bytes)
            && let Some((oldest, _)) = self.user.notices.first_key_value()
        {
            self.drop_notice(*oldest);
        }
        self.feed();
    }

    /// Forgets a kept event and returns it.
    pub(super) fn drop_notice(&mut self, number: u64) -> Option<Event> {
        let notice = self.user.notices.remove(&number)?;
        self.user.notice_bytes -= notice.event.bytes();
        self.core
            .timers
            .remove(&(notice.until, Timer::Notice(self.user.name.clone(), number)));
        self.core
            .act(records::delete_notice(&self.user.name, number));
        Some(notice.event)
    }

    /// The next thing that a client has to be told of.
    fn next_for(&self, client: ClientKey, feed: &mut Feed) -> Option<Event> {
        let from = feed.next.div_ceil(KINDS);
        let message = if feed.takes_everything() {
            self.user.inbox.next(from)
        } else {
            None
        };
        let from = feed.next.saturating_sub(NOTICE).div_ceil(KINDS);
        let notice = self
            .user
            .notices
            .range(from..)
            .find(|(_, notice)| feed.is_for(client, notice));
        let message = message.map(|(at, arrival)| (number(at, MESSAGE), arrival));
        let notice = notice.map(|(at, notice)| (number(*at, NOTICE), notice));
        match (message, notice) {
            (Some((number, arrival)), notice) if notice.is_none_or(|(other, _)| number < other) => {
                feed.next = number + 1;
                message_event(arrival, feed.opened, self.now).map(|event| event.numbered(number))
            }
            (_, Some((number, notice))) => {
                feed.next = number + 1;
                Some(notice.event.clone().numbered(number))
            }
            _ => self.next_question(feed),
        }
    }

    /// Questions come last: what waits does not wait for them.
    fn next_question(&self, feed: &mut Feed) -> Option<Event> {
        while let Some(user) = feed.questions.pop_first() {
            if self
                .user
                .relations
                .get(&user)
                .is_some_and(Relation::is_asked)
            {
                feed.asked += 1;
                let event = Event::AuthorizationRequest { number: None, user };
                return Some(event.numbered(number(feed.asked, QUESTION)));
            }
        }
        None
    }

    /// One client has taken a message: that is its end.
    fn delivered(&mut self, at: u64) {
        // Another client may have been faster, or its validity is over.
        let Some(letter) = self.user.take_letter(self.core, at) else {
            return;
        };
        let Some(arrival) = self.user.inbox.get(at).cloned() else {
            return;
        };
        self.core
            .act(records::put_arrival(&self.user.name, at, &arrival));
        let delivered = Status::ok().because("Delivered to the client");
        let Arrival { id, sender, .. } = arrival;
        Arrivals::of(self.user, self.core, self.now).report(&id, &sender, &letter, &delivered);
        self.core.act(Act::Outcome {
            message: id,
            outcome: Outcome::Delivered,
        });
        if self.user.clients.values().any(|feed| feed.lacks(at)) {
            self.user.inbox.copy(at, letter);
            self.end_slow_clients();
        }
        Arrivals::of(self.user, self.core, self.now).trim_inbox();
    }

    /// Ends the sessions of clients that lag too far behind those that take.
    fn end_slow_clients(&mut self) {
        let most = (
            self.core.settings.max_offline,
            self.core.settings.max_offline_bytes,
        );
        let too_many = |(count, bytes): (usize, usize)| count > most.0 || bytes > most.1;
        while too_many(self.user.inbox.copies()) {
            let takers = self
                .user
                .clients
                .iter()
                .filter(|(_, f)| f.takes_everything());
            let Some((slowest, _)) = takers.min_by_key(|(_, feed)| feed.next) else {
                return;
            };
            let slowest = *slowest;
            let why = "The session took too little for too long.";
            let event = Event::error("login", None, Code::QUEUE_FULL, why);
            self.core.tell(slowest, event);
            self.end_feed(slowest);
            self.user.tell_profile(self.core, self.now);
        }
    }

    fn forget_copies(&mut self) {
        let takers = self.user.clients.values().filter(|f| f.takes_everything());
        let told = takers.map(|feed| feed.next.div_ceil(KINDS)).min();
        self.user.inbox.forget_copies(told.unwrap_or(u64::MAX));
    }
}

/// The number by which clients know what has this number among its kind.
fn number(at: u64, kind: u64) -> u64 {
    at.saturating_mul(KINDS).saturating_add(kind)
}

/// A message as a client hears it.
fn message_event(arrival: &Arrival, opened: Time, now: Time) -> Option<Event> {
    let letter = arrival.waiting.as_ref()?;
    let text = text_of(&letter.content_type, &letter.content);
    let waited = letter.arrived < opened || now.since(letter.arrived) > AT_ONCE;
    Some(Event::Message {
        number: None,
        id: arrival.id.clone(),
        from: arrival.sender.clone(),
        name: letter.name.clone(),
        data: match &text {
            Some(Reading::Text(_)) => None,
            _ if letter.content.is_empty() => None,
            _ => Some(encode_base64(&letter.content)),
        },
        text: match text {
            Some(Reading::Text(text)) => text,
            Some(Reading::Unreadable) => {
                let charset = media::parameter(&letter.content_type, "charset");
                charset::notice(charset, letter.content.len())
            }
            None => String::new(),
        },
        content_type: letter.content_type.clone(),
        uri: letter.uri.clone(),
        delayed: waited.then_some(letter.arrived),
    })
}
