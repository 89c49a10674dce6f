//! What the clients of a user are told of that queue, as far as they take it.
//!
//! The queue of a user is everything that has a number: messages, and what became of the user's own
//! ([`super::notice`]). Each client is told of it in order, but only so much ahead of what it has
//! acknowledged. What one client acknowledges has left the queue; the user's other clients are
//! still told, and a client that goes away leaves what it did not acknowledge to the next one.
//!
//! Of what waits only that is in memory which is needed to decide. Its content is read when a client
//! comes to it, with some of what follows ([`super::held`]); until that is there, the client waits.

use std::collections::{BTreeMap, BTreeSet};

use super::body::Body;
use super::core::{Asker, Timer};
use super::held::Content;
use super::message::Arrivals;
use super::notice::{Kept, Notice, response};
use super::watching::Watching;

use crate::element::{Act, Found, Load, Loaded, Outcome, Time};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, Display, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender,
    User as UserElement,
};
use crate::imps::primitive::message_store::NewMessage;
use crate::imps::primitive::presence_admin::PresenceAuthRequest;
use crate::imps::status::{Code, Status};
use crate::text::Shown;

use super::client::{ClientKey, Over, Takes, ToClient};
use super::core::Core;
use super::inbox::Arrival;
use super::records;
use super::relation::Relation;
use super::user::User;

/// Messages of its own that a client which takes nothing else hears of.
const MAX_SENT: usize = 16;

/// Records that are read at once, at most; our choice.
const MAX_READ: usize = 256;
/// Milliseconds after which what could not be read is tried again; our choice.
const READ_AGAIN: u64 = 1_000;

/// What a number is of: its remainder by [`KINDS`].
pub(super) const MESSAGE: u64 = 0;
const NOTICE: u64 = 1;
const QUESTION: u64 = 2;
const INVITATION: u64 = 3;
const KINDS: u64 = 4;

/// What one client of a user was told and has not acknowledged.
#[derive(Debug)]
pub(super) struct Feed {
    takes: Takes,
    /// Of everything before this number it was told.
    next: u64,
    /// What it was told and has not acknowledged, with its bytes.
    told: BTreeMap<u64, usize>,
    bytes: usize,
    /// Notices before that number that it was not told, and nobody else can be told any more.
    again: BTreeSet<u64>,
    /// Who wants to see the user's presence, as it has not been told yet.
    questions: BTreeSet<Address>,
    /// Invitations that it has not been told.
    invitations: BTreeSet<u64>,
    /// How many questions it was told.
    asked: u64,
    /// Messages of its own, if it takes only what becomes of these.
    sent: BTreeSet<String>,
}

impl Feed {
    pub(super) fn new(takes: Takes) -> Self {
        Self {
            takes,
            next: 0,
            told: BTreeMap::new(),
            bytes: 0,
            again: BTreeSet::new(),
            questions: BTreeSet::new(),
            invitations: BTreeSet::new(),
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

    fn is_for(&self, client: ClientKey, notice: &Notice) -> bool {
        let own = |id: &str| self.sent.contains(id);
        notice
            .only
            .as_ref()
            .is_none_or(|only| only.client == client)
            && (self.takes_everything() || notice.about.as_deref().is_some_and(own))
    }

    /// It is told what has this number.
    fn comes_to(&mut self, number: u64) {
        if !self.again.remove(&number) {
            self.next = number + 1;
        }
    }

    /// What it may still be told without an acknowledgement: a number, and bytes.
    fn room(&self, core: &Core) -> (usize, usize) {
        let settings = &core.settings;
        (
            settings.max_unacknowledged.saturating_sub(self.told.len()),
            settings.max_unacknowledged_bytes.saturating_sub(self.bytes),
        )
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
        let mut stalled = Vec::new();
        for (client, feed) in &mut clients {
            while feed.has_room(self.core) {
                let next = match self.next_number(*client, feed) {
                    None => {
                        let question = self.next_question(feed);
                        question.or_else(|| self.next_invitation(feed))
                    }
                    Some(number) => match self.told(number) {
                        None => {
                            stalled.push(*client);
                            break;
                        }
                        Some(told) => {
                            feed.comes_to(number);
                            Some((number, told))
                        }
                    },
                };
                let Some((number, told)) = next else { break };
                let bytes = told.bytes();
                feed.bytes += bytes;
                feed.told.insert(number, bytes);
                self.core.tell(*client, told);
            }
        }
        self.user.clients = clients;
        self.forget_told();
        if !stalled.is_empty() {
            self.read(&stalled);
        }
    }

    /// A message waits whose body is at hand.
    pub(super) fn has_come(&mut self, at: u64, body: &Body) {
        if self.user.clients.values().any(Feed::takes_everything) {
            let content = Content::Message(body.clone());
            self.user.hold(self.core, number(at, MESSAGE), content);
        }
    }

    /// Contents came from the store. What cannot be read any more ends.
    pub(super) fn loaded(&mut self, loaded: Loaded) {
        if !self.user.held.has_read(loaded.number) {
            return;
        }
        let mut later = None;
        for (number, found) in loaded.records {
            let content = match found {
                Found::Record(record) => self.content(number, &record),
                Found::Damaged(why) => Err(why),
                Found::Later(why) => {
                    later.get_or_insert(why);
                    continue;
                }
            };
            match content {
                Ok(Some(content)) => self.user.hold(self.core, number, content),
                // It has ended meanwhile.
                Ok(None) => {}
                Err(why) => self.unreadable(number, &why),
            }
        }
        if let Some(why) = later {
            if let Some(left_out) = self.core.seldom.may("unread", self.now.0) {
                tracing::warn!(left_out, "what waits for a user cannot be read now: {why}");
            }
            let again = self.now.plus_millis(READ_AGAIN);
            self.user.held.pause(again);
            let timer = Timer::Read(self.user.name.clone());
            self.core.timers.insert((again, timer));
        }
        self.feed();
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

    /// Puts an invitation to all clients, when each comes to it.
    pub(super) fn invite(&mut self, number: u64) {
        let feeds = self.user.clients.values_mut();
        for feed in feeds.filter(|feed| feed.takes_everything()) {
            feed.invitations.insert(number);
        }
        self.feed();
    }

    /// Lets a new client hear of the queue.
    pub(super) fn begin_feed(&mut self, client: ClientKey, takes: Takes) {
        let mut feed = Feed::new(takes);
        let mut watched = None;
        if feed.takes_everything() {
            feed.questions = self.user.undecided().into_iter().collect();
            feed.invitations = self.user.invitations.unanswered().collect();
            watched = Watching::of(self.user, self.core, self.now).all();
        }
        self.user.clients.insert(client, feed);
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

    /// Keeps a primitive until a client has acknowledged it. If there are too many, the oldest goes.
    /// As long as the client that asked for it is there, it alone is told.
    pub(super) fn notice(&mut self, primitive: Primitive, only: Option<Asker>) {
        let at = self.user.new_number(self.now);
        let until = self.now.plus_seconds(self.core.settings.offline_validity);
        let kept = Kept { until, primitive };
        self.core
            .act(records::put_notice(&self.user.name, at, &kept));
        self.core
            .timers
            .insert((until, Timer::Notice(self.user.name.clone(), at)));
        let notice = kept.notice(only);
        let mut clients = self.user.clients.iter();
        if clients.any(|(client, feed)| feed.is_for(*client, &notice)) {
            let content = Content::Notice(kept.primitive);
            self.user.hold(self.core, number(at, NOTICE), content);
        }
        self.user.insert_notice(self.core, at, notice);
        while self.has_too_many_notices()
            && let Some((oldest, _)) = self.user.notices.first_key_value()
        {
            self.drop_notice(*oldest);
        }
        self.feed();
    }

    fn has_too_many_notices(&self) -> bool {
        let settings = &self.core.settings;
        self.user.notices.len() > settings.max_notices
            || self.user.notice_bytes > settings.max_notice_bytes
            || self.core.notices > settings.max_all_notices
    }

    /// Forgets what is kept under a number.
    pub(super) fn drop_notice(&mut self, at: u64) {
        let Some(notice) = self.user.notices.remove(&at) else {
            return;
        };
        self.user.notice_bytes -= notice.bytes;
        self.core.notices -= 1;
        let number = number(at, NOTICE);
        self.user.let_go(self.core, number);
        for feed in self.user.clients.values_mut() {
            feed.again.remove(&number);
        }
        self.core
            .timers
            .remove(&(notice.until, Timer::Notice(self.user.name.clone(), at)));
        self.core.act(records::delete_notice(&self.user.name, at));
    }

    /// The number of the next thing that a client has to be told of, questions aside.
    fn next_number(&self, client: ClientKey, feed: &Feed) -> Option<u64> {
        let again = feed.again.first().copied();
        again.or_else(|| self.number_from(client, feed, feed.next))
    }

    /// The number of the first thing for a client from a number on.
    fn number_from(&self, client: ClientKey, feed: &Feed, from: u64) -> Option<u64> {
        let at = from.div_ceil(KINDS);
        let message = if feed.takes_everything() {
            self.user.inbox.next(at).map(|(at, _)| number(at, MESSAGE))
        } else {
            None
        };
        let at = from.saturating_sub(NOTICE).div_ceil(KINDS);
        let mut notices = self.user.notices.range(at..);
        let notice = notices.find(|(_, notice)| feed.is_for(client, notice));
        let notice = notice.map(|(at, _)| number(*at, NOTICE));
        message.into_iter().chain(notice).min()
    }

    /// What has a number, as a client hears it; `None` if it is on disk only.
    fn told(&self, number: u64) -> Option<ToClient> {
        match self.user.held.get(number)? {
            Content::Message(body) => {
                let arrival = self.user.inbox.untold(number / KINDS)?;
                Some(take(number, self.new_message(arrival, body)?))
            }
            Content::Notice(primitive) => {
                let notice = self.user.notices.get(&(number / KINDS))?;
                match (&notice.only, primitive) {
                    (Some(asker), Primitive::DeliveryStatusReport(report)) => {
                        Some(ToClient::Answer {
                            id: asker.id.clone(),
                            number: Some(number),
                            primitive: Box::new(response(report).into()),
                        })
                    }
                    _ => Some(take(number, primitive.clone())),
                }
            }
        }
    }

    /// A message as a client hears it.
    fn new_message(&self, arrival: &Arrival, body: &Body) -> Option<NewMessage> {
        let letter = arrival.waiting.as_ref()?;
        let content = ContentData {
            content_type: body.content_type.clone(),
            bytes: body.content.clone(),
        };
        let own = UserElement::new(self.user.address(self.core));
        Some(NewMessage {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            info: MessageInfo {
                message_id: Some(arrival.id.clone()),
                uri: body.uri.clone(),
                content_type: Some(body.content_type.clone()),
                content_name: None,
                content_size: u64::try_from(body.content.len()).ok(),
                validity: None,
                recipients: vec![Recipient::User(own)],
                recipient_display: None,
                sender: Some(sender(&arrival.sender, body.name.as_ref())),
                date_time: Some(self.core.skew.date(letter.arrived)),
            },
            content: (!content.bytes.is_empty()).then_some(content),
        })
    }

    /// What was read under a number; `None` if nobody is to be told of it any more.
    fn content(&mut self, number: u64, record: &[u8]) -> Result<Option<Content>, String> {
        let at = number / KINDS;
        if number % KINDS == NOTICE {
            let is_there = self.user.notices.contains_key(&at);
            let kept =
                is_there.then(|| records::read_notice(&self.user.address(self.core), record));
            let kept = kept.transpose()?;
            return Ok(kept.map(|kept| Content::Notice(kept.primitive)));
        }
        let Some(arrival) = self.user.inbox.untold(at) else {
            return Ok(None);
        };
        let letter = arrival.waiting.as_ref();
        let (size, has_body) = letter.map_or((0, false), |l| (l.size, l.has_body));
        let body = if has_body {
            Arrival::body_of(record)?
        } else {
            Body::from_record(record)?
        };
        if body.content.len() != size {
            return Err("it is the record of another message".to_owned());
        }
        if has_body {
            self.move_body(at, &body);
        }
        Ok(Some(Content::Message(body)))
    }

    /// An older version has kept it with the arrival.
    fn move_body(&mut self, at: u64, body: &Body) {
        self.user.inbox.body_moved(at);
        let name = &self.user.name;
        if let Some(arrival) = self.user.inbox.get(at) {
            self.core.act(records::put_arrival(name, at, arrival));
            self.core.act(records::put_body(name, at, body));
        }
    }

    /// What has this number cannot be told to anybody, ever.
    fn unreadable(&mut self, number: u64, why: &str) {
        let at = number / KINDS;
        let (id, sender) = match (number % KINDS, self.user.inbox.untold(at)) {
            (MESSAGE, Some(arrival)) => (arrival.id.clone(), Some(arrival.sender.clone())),
            (NOTICE, _) => match self.user.notices.get(&at) {
                Some(notice) => (notice.about.clone().unwrap_or_default(), None),
                None => return,
            },
            _ => return,
        };
        tracing::error!(
            user = self.user.name,
            message = %Shown(&id),
            sender = %Shown(sender.as_ref().map_or("", Address::as_str)),
            "what waited for the user is damaged in the store, given up: {why}"
        );
        if sender.is_none() {
            self.drop_notice(at);
        } else if self.user.inbox.remove_copy(at) {
            self.core.act(records::delete_body(&self.user.name, at));
        } else {
            let status = Status::new(Code::INTERNAL).because("It was damaged in the store.");
            let outcome = Outcome::Refused(Code::INTERNAL.0);
            Arrivals::of(self.user, self.core, self.now).end_arrival(at, &status, outcome);
        }
    }

    /// Has contents read that clients come to next and that are not in memory: of each so much that
    /// all together may be held, or if too much is held, what the client may be told at once.
    fn read(&mut self, stalled: &[ClientKey]) {
        if !self.user.held.may_read(self.now) {
            return;
        }
        let settings = &self.core.settings;
        if !self.core.reads.may_begin(settings.max_read_bytes) {
            return self.core.reads.wait(&self.user.name);
        }
        let is_crowded = self.core.held_bytes >= settings.max_all_held_bytes;
        let share = settings.max_held_bytes / stalled.len().max(1);
        let (mut keys, mut total) = (BTreeMap::new(), 0);
        for client in stalled {
            let Some(feed) = self.user.clients.get(client) else {
                continue;
            };
            let (count, room) = feed.room(self.core);
            let (most, most_bytes) = if is_crowded {
                (count, share.min(room))
            } else {
                (MAX_READ, share)
            };
            let (mut taken, mut bytes) = (0, 0);
            let first = self.next_number(*client, feed);
            let after = |number: &u64| match feed.again.range(number + 1..).next() {
                Some(again) => Some(*again),
                None => self.number_from(*client, feed, feed.next.max(number + 1)),
            };
            for number in std::iter::successors(first, after) {
                let (size, key) = self.record_of(number);
                if taken > 0 && (taken >= most || bytes + size > most_bytes) {
                    break;
                }
                taken += 1;
                bytes += size;
                if self.user.held.get(number).is_none() && keys.insert(number, key).is_none() {
                    total += size;
                }
            }
        }
        let read = self.core.read_number();
        self.user.held.read(read);
        self.core.reads.begin(read, &self.user.name, total);
        self.core.act(Act::Load(Load {
            number: read,
            keys: keys.into_iter().collect(),
        }));
    }

    /// Bytes and key of what has a number.
    fn record_of(&self, number: u64) -> (usize, String) {
        let (name, at) = (&self.user.name, number / KINDS);
        if number % KINDS == NOTICE {
            let bytes = self.user.notices.get(&at).map_or(0, |notice| notice.bytes);
            return (bytes, records::key_of_notice(name, at));
        }
        let arrival = self.user.inbox.untold(at);
        let letter = arrival.and_then(|arrival| arrival.waiting.as_ref());
        let (bytes, has_body) = letter.map_or((0, false), |l| (l.bytes, l.has_body));
        (bytes, records::key_of_body(name, at, has_body))
    }

    /// Questions come last: what waits does not wait for them.
    fn next_question(&self, feed: &mut Feed) -> Option<(u64, ToClient)> {
        while let Some(user) = feed.questions.pop_first() {
            if self
                .user
                .relations
                .get(&user)
                .is_some_and(Relation::is_asked)
            {
                feed.asked += 1;
                let question = PresenceAuthRequest {
                    requesting: user,
                    meta: Some(MetaInfo::of_server(self.core.domain())),
                    publisher: UserElement::new(self.user.address(self.core)),
                    attributes: None,
                };
                let number = number(feed.asked, QUESTION);
                return Some((number, take(number, question)));
            }
        }
        None
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
                let mut clients = self.user.clients.values();
                self.user.inbox.untold(at).is_some() && clients.any(|feed| feed.lacks(at))
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

/// The number by which clients know what has this number among its kind.
pub(super) fn number(at: u64, kind: u64) -> u64 {
    at.saturating_mul(KINDS).saturating_add(kind)
}

fn take(number: u64, primitive: impl Into<Primitive>) -> ToClient {
    ToClient::Take {
        number,
        primitive: Box::new(primitive.into()),
    }
}

/// A user, or a group with the screen name to show.
fn sender(address: &Address, name: Option<&String>) -> Sender {
    let screen_name = |name: &String| ScreenName {
        group: address.clone(),
        name: name.clone(),
    };
    let display = name.map(|name| Display {
        user: None,
        group: None,
        screen_name: Some(screen_name(name)),
        name: None,
    });
    let group = GroupId {
        group: address.clone(),
    };
    let is_group = address.kind() == Kind::Resource;
    Sender {
        user: (!is_group).then(|| UserElement::new(address.clone())),
        group: is_group.then_some(group),
        screen_name: None,
        display,
    }
}
