//! Users put to rest, and woken.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::element::{Act, Found, Input, Load, Loaded, Time};
use crate::home::Home;
use crate::home::at_rest::AtRest;
use crate::home::client::{Over, ToClient};
use crate::home::core::{Core, Timer};
use crate::home::head::Head;
use crate::home::presence::Presence;
use crate::home::records::{self, Row};
use crate::home::relation::Relation;
use crate::home::user::User;
use crate::home::watchers::{Watchers, sweep};
use crate::home::watching::Watching;
use crate::imps::status::{Code, Status};

use super::{Resting, concern};

/// Records read at once; our choice.
const AT_ONCE: usize = 256;
/// Users looked at in one go, whether they can rest, and put to rest of these; our choice.
const SLICE: usize = 1024;
const RESTED: usize = 64;
/// From one of these to the next; our choice.
const PAUSE: Duration = Duration::from_millis(20);
/// Somebody who was woken stays for so long in any case: who wanted that has still to come.
const STAYS: Duration = Duration::from_secs(2);
/// A store that could not be read is read again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Users who go to rest and wake, at some time.
pub(in crate::home) struct Rest<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    resting: &'a mut Resting,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Rest<'a> {
    /// Of this domain, at this time.
    pub(in crate::home) fn of(home: &'a mut Home, now: Time) -> Self {
        let Home {
            users,
            resting,
            core,
            ..
        } = home;
        Self {
            users,
            resting,
            core,
            now,
        }
    }

    /// An input that can be served; one that concerns somebody at rest waits until they are awake.
    pub(in crate::home) fn admit(&mut self, input: Input) -> Option<Input> {
        let Resting {
            sleepers, parked, ..
        } = &*self.resting;
        if sleepers.is_empty() && parked.is_empty() {
            return Some(input);
        }
        let users = concern::of(&input, self.core.domain());
        let sleeping = users.iter().filter(|name| sleepers.has(name));
        let sleeping: Vec<String> = sleeping.cloned().collect();
        if sleeping.is_empty() && !parked.is_behind(&input, &users) {
            return Some(input);
        }
        for name in &sleeping {
            self.resting.want(name);
        }
        if let Err(refused) = self.resting.parked.push(input, users) {
            self.refuse(*refused);
        }
        None
    }

    /// Wakes users. Says whether all of them are awake who can be.
    pub(in crate::home) fn wake(&mut self, names: &[String]) -> bool {
        let mut all = true;
        for name in names {
            let sleepers = &self.resting.sleepers;
            all &= !sleepers.has(name) || sleepers.is_lost(name);
            self.resting.want(name);
        }
        self.read();
        all
    }

    /// The way to some domains is back: those at rest hear it too, one after the other.
    pub(in crate::home) fn reached(&mut self, domains: &[String]) {
        let concerned: Vec<String> = {
            let known = self.resting.sleepers.domains();
            let known = known.filter(|own| domains.iter().any(|domain| domain == own));
            known.map(str::to_owned).collect()
        };
        if !concerned.is_empty() {
            self.resting.news.add(concerned, self.now);
        }
    }

    /// Takes the records that were read; `None` if the read was none of these. What waited for
    /// those who are awake now is to be served.
    pub(in crate::home) fn loaded(&mut self, loaded: &Loaded) -> Option<Vec<Input>> {
        let (number, names) = self.resting.reading.take()?;
        if number != loaded.number {
            self.resting.reading = Some((number, names));
            return None;
        }
        for (name, (_, found)) in names.iter().zip(&loaded.records) {
            self.resting.asked.remove(name);
            match found {
                Found::Record(record) => self.rouse(name, record.clone()),
                Found::Damaged(why) => self.lose(name, why),
                Found::Later(why) => {
                    if let Some(left_out) = self.core.seldom.may("rest unread", self.now.0) {
                        let user = crate::text::cut(name, 64);
                        tracing::warn!(user, left_out, "a user at rest cannot be read now: {why}");
                    }
                    self.resting.want(name);
                    self.resting.not_before = Some(self.now.plus(AGAIN));
                }
            }
        }
        self.read();
        let Resting {
            sleepers,
            parked,
            asked,
            ..
        } = &mut *self.resting;
        Some(parked.ready(|name| sleepers.has(name) && asked.contains(name)))
    }

    /// Does what is due.
    pub(in crate::home) fn timeout(&mut self) {
        let names = self.resting.news.go_on(&self.resting.sleepers, self.now);
        for name in names {
            self.resting.want(&name);
        }
        self.read();
        if let Some(after) = self.core.settings.rest_after
            && self.resting.next_pass <= self.now
        {
            self.pass(after);
        }
    }

    /// Looks at the next users who are awake, and puts those to rest who can.
    fn pass(&mut self, after: Duration) {
        let from = self.resting.hand.as_deref();
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let mut rested = Vec::new();
        for (name, user) in self
            .users
            .range_mut::<str, _>((from, Bound::Unbounded))
            .take(SLICE)
        {
            last = Some(name.clone());
            // What waits for others too finds them awake.
            if !can_rest(user) || self.resting.parked.concerns(name) {
                user.idle_since = None;
            } else if user.idle_since.get_or_insert(self.now).plus(after) <= self.now {
                rested.push(name.clone());
                if rested.len() >= RESTED {
                    break;
                }
            }
        }
        let is_over = last.is_none();
        self.resting.hand = last;
        let half = (after / 2).max(AGAIN);
        self.resting.next_pass = self.now.plus(if is_over { half } else { PAUSE });
        for name in rested {
            self.put_to_rest(&name);
        }
    }

    /// Puts everybody to rest who can, at once.
    #[cfg(test)]
    pub(in crate::home) fn all(&mut self) {
        let idle = self.users.values().filter(|user| can_rest(user));
        let idle: Vec<String> = idle.map(|user| user.name.clone()).collect();
        for name in idle {
            self.put_to_rest(&name);
        }
    }

    fn put_to_rest(&mut self, name: &str) {
        let Some(user) = self.users.get(name) else {
            return;
        };
        let head = Head::of(user, self.core);
        // What has not changed lies there already; what the head tells of watchers is in no row.
        let lying = self.core.whole.get(name);
        let known = lying.and_then(|record| Head::read(record.as_bytes()).ok());
        if known.as_ref() != Some(&head) {
            let Some(record) = AtRest::of(user, &head, self.core.domain()) else {
                return;
            };
            let acts = match lying {
                Some(_) => vec![record.put(name)],
                None => record.together(name, self.core.domain()),
            };
            self.core.whole.remove(name);
            self.core.acts(acts);
        }
        self.core.whole.remove(name);
        for (number, arrival) in user.inbox.all() {
            let timer = Timer::Arrival(name.to_owned(), number);
            self.core.timers.remove(&(arrival.until, timer));
        }
        for relation in user.relations.values() {
            if let Some(until) = relation.watcher.as_ref().and_then(|watcher| watcher.until) {
                self.core.timers.remove(&sweep(name, until));
            }
        }
        self.core.told_bytes -= user.told.as_ref().map_or(0, |told| told.bytes());
        self.users.remove(name);
        self.resting.take_in(name, head, self.core);
    }

    /// Somebody is awake, with what was read of them.
    fn rouse(&mut self, name: &str, record: Vec<u8>) {
        let record = AtRest::read(record);
        let domain = self.core.domain().to_owned();
        let rows = match record.rows(&domain) {
            Ok(rows) => rows,
            Err(why) => return self.lose(name, &why),
        };
        // Nobody is a user without it.
        let account = rows.iter().find(|(suffix, _)| suffix.is_empty());
        let account = account.ok_or_else(|| "it has no account".to_owned());
        if let Err(why) = account.and_then(|(_, row)| records::read_account(row)) {
            return self.lose(name, &why);
        }
        if self.resting.sleepers.remove(name).is_none() {
            return;
        }
        let mut user = User::new(name);
        user.idle_since = Some(self.now.plus(STAYS));
        // Before the rows: taking one back may write it anew.
        self.core.whole.insert(name.to_owned(), record.clone());
        for (suffix, value) in &rows {
            let row = Row::of_user(name, suffix);
            let taken = row.and_then(|row| row.take_back(&mut user, self.core, value));
            if let Err(why) = taken {
                self.tell_damaged(name, &why);
            }
        }
        if let Ok(head) = Head::read(record.as_bytes()) {
            Presence::of(&mut user, self.core, self.now).take_as_shown(&head.unsure);
        }
        Watchers::of(&mut user, self.core, self.now).expire_watchers();
        let news = self.resting.news.of(name);
        if !news.is_empty() {
            let behind = |domain: &str| news.iter().any(|one| one == domain);
            if user.forget_shown(&behind) {
                Presence::of(&mut user, self.core, self.now).publish();
            }
            for publisher in user.watched(behind) {
                Watching::of(&mut user, self.core, self.now).subscribe_anew(&publisher);
            }
        }
        self.users.insert(name.to_owned(), Box::new(user));
    }

    /// The record of somebody cannot be read at all: what is for them is refused for now.
    fn lose(&mut self, name: &str, why: &str) {
        self.tell_damaged(name, why);
        self.resting.sleepers.lose(name);
        self.resting.news.give_up(name);
    }

    fn tell_damaged(&mut self, name: &str, why: &str) {
        if let Some(left_out) = self.core.seldom.may("at rest", self.now.0) {
            let user = crate::text::cut(name, 64);
            tracing::error!(
                user,
                why,
                left_out,
                "what is kept of a user at rest is damaged"
            );
        }
    }

    /// Reads the records of those who are wanted, one read at a time.
    pub(in crate::home) fn read(&mut self) {
        let Resting {
            wanted,
            reading,
            not_before,
            ..
        } = &mut *self.resting;
        if reading.is_some() || wanted.is_empty() || not_before.is_some_and(|at| at > self.now) {
            return;
        }
        *not_before = None;
        let names: Vec<String> = wanted.drain(..wanted.len().min(AT_ONCE)).collect();
        let keys = (0..).zip(names.iter().map(|name| records::key_at_rest(name)));
        let number = self.core.read_number();
        let keys = keys.collect();
        self.core.act(Act::Load(Load { number, keys }));
        *reading = Some((number, names));
    }

    /// There is no room for an input that would have to wait.
    fn refuse(&mut self, input: Input) {
        match input {
            Input::Deliver(delivered) => {
                let why = "Too much waits for users who are at rest.";
                let status = Status::new(Code::UNAVAILABLE).because(why);
                self.core.respond(delivered.id, status);
            }
            Input::Client(client, _) => {
                let why = Over::TooMany;
                self.core.tell(client, ToClient::Over { why });
            }
            _ => {}
        }
    }
}

/// Whether nothing keeps the user awake: no client, and nothing that waits or is under way.
fn can_rest(user: &User) -> bool {
    let is_tried = |relation: &Relation| {
        let subscription = relation.subscription.as_ref();
        subscription.is_some_and(|subscription| subscription.retry.is_some())
    };
    user.has_account()
        && user.clients.is_empty()
        && !user.account.online
        && user.in_flight == 0
        && user.forwarded == 0
        && user.notices.is_empty()
        && user.held.is_empty()
        && user.inbox.is_only_remembered()
        && user.invitations.last().is_none()
        && !user.relations.values().any(is_tried)
}
