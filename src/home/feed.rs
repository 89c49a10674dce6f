//! What one client of a user was told of the user's queue, and how far it has got.

use std::collections::{BTreeMap, BTreeSet};

use crate::imps::address::Address;
use crate::imps::primitive::profile::Terminal;

use super::client::{ClientKey, Delivery, Method, Takes};
use super::core::Core;
use super::handed::Handed;
use super::inbox::{Arrival, Letter};
use super::notice::Notice;
use super::user::User;

/// Messages of its own that a client which takes nothing else hears of.
const MAX_SENT: usize = 16;

/// Groups for which a client has a delivery method of their own.
const MAX_GROUPS: usize = 100;

/// What a number is of: its remainder by [`KINDS`].
pub(super) const MESSAGE: u64 = 0;
pub(super) const NOTICE: u64 = 1;
pub(super) const QUESTION: u64 = 2;
pub(super) const INVITATION: u64 = 3;
/// That a message waits: it goes on waiting when that is acknowledged.
pub(super) const NOTIFICATION: u64 = 4;
/// What a provider elsewhere has handed over ([`super::handed`]).
pub(super) const HANDED: u64 = 5;
/// That something waits at a provider elsewhere: it goes on waiting when that is acknowledged.
pub(super) const HANDED_NOTICE: u64 = 6;
pub(super) const KINDS: u64 = 8;

/// What one client of a user was told and has not acknowledged.
#[derive(Debug)]
pub(super) struct Feed {
    takes: Takes,
    /// How messages come to it, and those of some groups.
    delivery: Delivery,
    of_groups: BTreeMap<Address, Delivery>,
    /// Of everything before this number it was told.
    pub(super) next: u64,
    /// What it was told and has not acknowledged, with its bytes.
    pub(super) told: BTreeMap<u64, usize>,
    pub(super) bytes: usize,
    /// Notices before that number that it was not told, and nobody else can be told any more.
    pub(super) again: BTreeSet<u64>,
    /// Who wants to see the user's presence, as it has not been told yet.
    pub(super) questions: BTreeSet<Address>,
    /// Invitations that it has not been told.
    pub(super) invitations: BTreeSet<u64>,
    /// Messages of its own, if it takes only what becomes of these.
    sent: BTreeSet<String>,
    /// What a provider elsewhere has handed over for it.
    pub(super) handed: Handed,
    /// What the client is, if it has said so.
    pub(super) terminal: Option<Terminal>,
}

impl Feed {
    pub(super) fn new(takes: Takes, delivery: Delivery) -> Self {
        Self {
            takes,
            delivery,
            of_groups: BTreeMap::new(),
            next: 0,
            told: BTreeMap::new(),
            bytes: 0,
            again: BTreeSet::new(),
            questions: BTreeSet::new(),
            invitations: BTreeSet::new(),
            sent: BTreeSet::new(),
            handed: Handed::default(),
            terminal: None,
        }
    }

    /// Whether it takes everything that comes for the user.
    pub(super) fn takes_everything(&self) -> bool {
        self.takes == Takes::Everything
    }

    /// How messages come to it.
    pub(super) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Notes that the client has sent a message.
    pub(super) fn has_sent(&mut self, id: &str) {
        if !self.takes_everything() && self.sent.len() < MAX_SENT {
            self.sent.insert(id.to_owned());
        }
    }

    pub(super) fn has_room(&self, core: &Core) -> bool {
        let settings = &core.settings;
        self.told.is_empty()
            || self.told.len() < settings.max_unacknowledged
                && self.bytes < settings.max_unacknowledged_bytes
    }

    /// Whether it is pushed a message; else it is notified.
    pub(super) fn is_pushed(&self, sender: &Address, letter: &Letter) -> bool {
        let delivery = self.of_groups.get(sender).unwrap_or(&self.delivery);
        delivery.pushes(&letter.content_type, letter.size)
    }

    /// Whether it shows a content of this type and so many bytes, pushed or fetched.
    pub(super) fn shows(&self, letter: &Letter, bytes: usize) -> bool {
        self.delivery.shows(&letter.content_type, bytes)
    }

    /// Whether it is to be pushed the message of this number, and was not yet.
    pub(super) fn lacks(&self, message: u64, sender: &Address, letter: &Letter) -> bool {
        self.takes_everything()
            && self.next <= number(message, MESSAGE)
            && self.is_pushed(sender, letter)
    }

    /// Whether it may have a delivery method for messages of a group.
    pub(super) fn may_deliver(&self, group: Option<&Address>) -> bool {
        group.is_none_or(|group| {
            self.of_groups.len() < MAX_GROUPS || self.of_groups.contains_key(group)
        })
    }

    /// From now on messages come to it so, or those of a group. Without a length that stays.
    pub(super) fn deliver(&mut self, method: Method, most: Option<u64>, group: Option<Address>) {
        if !self.may_deliver(group.as_ref()) {
            return;
        }
        let delivery = match group {
            Some(group) => {
                let before = self.delivery.clone();
                self.of_groups.entry(group).or_insert(before)
            }
            None => &mut self.delivery,
        };
        delivery.method = method;
        delivery.max_bytes = most.or(delivery.max_bytes);
    }

    /// It is told something under a number, which it has still to acknowledge.
    pub(super) fn hears(&mut self, number: u64, bytes: usize) {
        let before = self.told.insert(number, bytes);
        self.bytes = self.bytes + bytes - before.unwrap_or_default();
    }

    /// What it was told under a number it need not acknowledge any more.
    pub(super) fn forgets(&mut self, number: u64) {
        if let Some(bytes) = self.told.remove(&number) {
            self.bytes -= bytes;
        }
    }

    pub(super) fn is_for(&self, client: ClientKey, notice: &Notice) -> bool {
        let own = |id: &str| self.sent.contains(id);
        notice
            .only
            .as_ref()
            .is_none_or(|only| only.client == client)
            && (self.takes_everything() || notice.about.as_deref().is_some_and(own))
    }

    /// It is told what has this number.
    pub(super) fn comes_to(&mut self, number: u64) {
        if !self.again.remove(&number) {
            self.next = number + 1;
        }
    }

    /// What it may still be told without an acknowledgement: a number, and bytes.
    pub(super) fn room(&self, core: &Core) -> (usize, usize) {
        let settings = &core.settings;
        (
            settings.max_unacknowledged.saturating_sub(self.told.len()),
            settings.max_unacknowledged_bytes.saturating_sub(self.bytes),
        )
    }

    /// The number of the next thing that it has to be told of, questions aside.
    pub(super) fn next_number(&self, client: ClientKey, user: &User) -> Option<u64> {
        let again = self.again.first().copied();
        again.or_else(|| self.number_from(client, user, self.next))
    }

    /// The number of the first thing for it from a number on.
    pub(super) fn number_from(&self, client: ClientKey, user: &User, from: u64) -> Option<u64> {
        let at = from.div_ceil(KINDS);
        let message = if self.takes_everything() {
            self.next_message(user, at)
        } else {
            None
        };
        let at = from.saturating_sub(NOTICE).div_ceil(KINDS);
        let mut notices = user.notices.range(at..);
        let notice = notices.find(|(_, notice)| self.is_for(client, notice));
        let notice = notice.map(|(at, _)| number(*at, NOTICE));
        message.into_iter().chain(notice).min()
    }

    /// The first message from a number on. Of one that was taken by another client only who is
    /// pushed it hears.
    fn next_message(&self, user: &User, from: u64) -> Option<u64> {
        let after = |(at, _): &(u64, &Arrival)| user.inbox.next(at + 1);
        let mut messages = std::iter::successors(user.inbox.next(from), after);
        let is_for_it = |(at, arrival): &(u64, &Arrival)| {
            let waits = user.inbox.letter(*at).is_some();
            let letter = arrival.waiting.as_ref();
            waits || letter.is_some_and(|letter| self.is_pushed(&arrival.sender, letter))
        };
        messages.find(is_for_it).map(|(at, _)| number(at, MESSAGE))
    }
}

/// The number by which clients know what has this number among its kind.
pub(super) fn number(at: u64, kind: u64) -> u64 {
    at.saturating_mul(KINDS).saturating_add(kind)
}
