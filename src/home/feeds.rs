//! What the clients of a user are told of that queue, as far as they take it.
//!
//! The queue of a user is everything that has a number: messages, and what became of the user's own
//! ([`super::notice`]). Each client is told of it in order, but only so much ahead of what it has
//! acknowledged. What one client acknowledges has left the queue; the user's other clients are
//! still told, and a client that goes away leaves what it did not acknowledge to the next one.
//!
//! Of what waits only that is in memory which is needed to decide. Its content is read when a client
//! comes to it, with some of what follows ([`super::held`]); until that is there, the client waits.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::element::{Loaded, Outcome, Time};
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, User as UserElement};
use crate::imps::primitive::presence_admin::PresenceAuthRequest;
use crate::imps::status::Status;

use super::body::Body;
use super::client::{ClientKey, Delivery, Over, Takes, ToClient};
use super::contents::Contents;
use super::core::Core;
use super::feed::{Feed, HANDED, INVITATION, KINDS, MESSAGE, NOTICE, QUESTION, number};
use super::handed::Acknowledged;
use super::held::Content;
use super::message::Arrivals;
use super::notices::Notices;
use super::presence::Presence;
use super::records;
use super::relation::Relation;
use super::telling::{Telling, take};
use super::user::User;
use super::watching::Watching;

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
        let mut stalled = Vec::new();
        for (client, feed) in &mut clients {
            while feed.has_room(self.core) {
                let next = match feed.next_number(*client, self.user) {
                    None => {
                        let question = self.next_question(feed);
                        question.or_else(|| self.next_invitation(feed))
                    }
                    Some(number) => {
                        let telling = Telling::of(self.user, self.core);
                        match telling.told(number, feed, self.now) {
                            None => {
                                stalled.push(*client);
                                break;
                            }
                            Some(told) => {
                                feed.comes_to(number);
                                Some((told.number().unwrap_or(number), told))
                            }
                        }
                    }
                };
                let Some((number, told)) = next else { break };
                feed.hears(number, told.bytes());
                self.core.tell(*client, told);
            }
        }
        self.user.clients = clients;
        self.forget_told();
        if !stalled.is_empty() {
            Contents::of(self.user, self.core, self.now).read(&stalled);
        }
    }

    /// A message waits whose body is at hand.
    pub(super) fn has_come(&mut self, at: u64, body: &Body) {
        if self.is_lacking(number(at, MESSAGE)) {
            let content = Content::Message(body.clone());
            self.user.hold(self.core, number(at, MESSAGE), content);
        }
    }

    /// Contents came from the store.
    pub(super) fn loaded(&mut self, loaded: Loaded) {
        if Contents::of(self.user, self.core, self.now).loaded(loaded) {
            self.feed();
        }
    }

    /// A client has taken what it was told under a number.
    pub(super) fn acknowledge(&mut self, client: ClientKey, number: u64) {
        if number % KINDS == HANDED {
            return Acknowledged::of(self.user, self.core, self.now).take(number);
        }
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
                Notices::of(self.user, self.core, self.now).forget(number / KINDS);
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

    /// Puts an invitation to all clients, when each comes to it.
    pub(super) fn invite(&mut self, number: u64) {
        let feeds = self.user.clients.values_mut();
        for feed in feeds.filter(|feed| feed.takes_everything()) {
            feed.invitations.insert(number);
        }
        self.feed();
    }

    /// Lets a new client hear of the queue.
    pub(super) fn begin_feed(&mut self, client: ClientKey, takes: Takes, delivery: Delivery) {
        let mut feed = Feed::new(takes, delivery);
        let mut watched = None;
        if feed.takes_everything() {
            feed.questions = self.user.undecided(self.core).into_iter().collect();
            feed.invitations = self.user.invitations.unanswered().collect();
            watched = Watching::of(self.user, self.core, self.now).all();
        }
        self.user.clients.insert(client, Box::new(feed));
        let opened = ToClient::Opened {
            user: self.user.address(self.core),
            waiting: self.user.inbox.waiting(),
            watched: watched.map(|watched| Box::new(watched.into())),
        };
        self.core.tell(client, opened);
    }

    /// A client is gone. What only it was to be told is told to the others, or waits.
    pub(super) fn end_feed(&mut self, client: ClientKey) {
        self.user.clients.remove(&client);
        self.core.clients.remove(&client);
        // With the last one the user goes offline, which is told at once.
        if self.user.client_values.forget(client) && !self.user.clients.is_empty() {
            Presence::of(self.user, self.core, self.now).publish();
        }
        let mut is_left = false;
        for (at, notice) in &mut self.user.notices {
            if notice.only.take_if(|only| only.client == client).is_some() {
                is_left = true;
                let number = number(*at, NOTICE);
                for feed in self.user.clients.values_mut() {
                    if number < feed.next {
                        feed.again.insert(number);
                    }
                }
            }
        }
        if is_left {
            self.feed();
        } else {
            self.forget_told();
        }
    }

    /// Questions come last: what waits does not wait for them.
    fn next_question(&mut self, feed: &mut Feed) -> Option<(u64, ToClient)> {
        while let Some(user) = feed.questions.pop_first() {
            let pending = self.user.pending(self.core, &user);
            if !pending.is_empty() {
                let number = self.number_of(&user);
                let question = PresenceAuthRequest {
                    requesting: user,
                    meta: Some(MetaInfo::of_server(self.core.domain())),
                    publisher: UserElement::new(self.user.address(self.core)),
                    attributes: pending.to_wire(),
                };
                return Some((number, take(number, question)));
            }
        }
        None
    }

    /// The number of a question, a new one each time, exact as a double. A client may come by a new
    /// way, also to a home domain that was made anew: what it has acknowledged is no other question.
    fn number_of(&mut self, asking: &Address) -> u64 {
        self.core.questions += 1;
        let mut hasher = DefaultHasher::new();
        (&self.user.name, asking.as_str()).hash(&mut hasher);
        (self.now.0, self.core.questions).hash(&mut hasher);
        number(hasher.finish() >> 14, QUESTION)
    }

    /// Invitations wait for an answer, not for being acknowledged: each client is told of them, as
    /// long as there is none.
    fn next_invitation(&self, feed: &mut Feed) -> Option<(u64, ToClient)> {
        while let Some(at) = feed.invitations.pop_first() {
            if let Some(invitation) = self.user.invitations.question(at, self.now) {
                let number = number(at, INVITATION);
                return Some((number, take(number, invitation)));
            }
        }
        None
    }

    /// One client has taken a message: that is its end.
    pub(super) fn delivered(&mut self, at: u64) {
        let delivered = Status::ok().because("Delivered to the client");
        let mut arrivals = Arrivals::of(self.user, self.core, self.now);
        // Another client may have been faster, or its validity is over.
        let Some((sender, letter)) = arrivals.take_out(at, &delivered, Outcome::Delivered) else {
            return;
        };
        let mut feeds = self.user.clients.values();
        if feeds.any(|feed| feed.lacks(at, &sender, &letter)) {
            self.user.inbox.copy(at, letter);
            self.end_slow_clients();
        } else {
            self.core.act(records::delete_body(&self.user.name, at));
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
            let why = Over::Behind;
            self.core.tell(slowest, ToClient::Over { why });
            self.end_feed(slowest);
            self.user.tell_profile(self.core, self.now);
        }
    }

    /// Forgets copies, and contents in memory, that every client was told of, and of the rest in
    /// memory what is too much: what most clients have behind them, then what is farthest ahead.
    pub(super) fn forget_told(&mut self) {
        let takers = self.user.clients.values().filter(|f| f.takes_everything());
        let told = takers.map(|feed| feed.next.div_ceil(KINDS)).min();
        while let Some(at) = self.user.inbox.forget_copy(told.unwrap_or(u64::MAX)) {
            self.core.act(records::delete_body(&self.user.name, at));
        }
        while let Some(first) = self.user.held.first()
            && !self.is_lacking(first)
        {
            self.user.let_go(self.core, first);
        }
        let (most, most_of_all) = (
            self.core.settings.max_held_bytes,
            self.core.settings.max_all_held_bytes,
        );
        let clients = self.user.clients.values();
        let fastest = clients.map(|feed| feed.next).max().unwrap_or_default();
        while let (Some(first), Some(last)) = (self.user.held.first(), self.user.held.last())
            && (self.user.held.bytes() > most || self.core.held_bytes > most_of_all)
        {
            let number = if first < fastest { first } else { last };
            self.user.let_go(self.core, number);
        }
    }

    /// Whether a client has still to be told what has this number.
    fn is_lacking(&self, number: u64) -> bool {
        let at = number / KINDS;
        match number % KINDS {
            MESSAGE => {
                let arrival = self.user.inbox.untold(at);
                let Some((sender, letter)) =
                    arrival.and_then(|a| Some((&a.sender, a.waiting.as_ref()?)))
                else {
                    return false;
                };
                let mut clients = self.user.clients.values();
                clients.any(|feed| feed.lacks(at, sender, letter))
            }
            _ => self.user.notices.get(&at).is_some_and(|notice| {
                let mut clients = self.user.clients.iter();
                clients.any(|(client, feed)| {
                    feed.is_for(*client, notice)
                        && (feed.next <= number || feed.again.contains(&number))
                })
            }),
        }
    }
}
