//! What one client of a user was told of the user's queue, and how far it has got.

use std::collections::{BTreeMap, BTreeSet};

use crate::imps::address::Address;

use super::client::{ClientKey, Takes};
use super::core::Core;
use super::notice::Notice;
use super::user::User;

/// Messages of its own that a client which takes nothing else hears of.
const MAX_SENT: usize = 16;

/// What a number is of: its remainder by [`KINDS`].
pub(super) const MESSAGE: u64 = 0;
pub(super) const NOTICE: u64 = 1;
pub(super) const QUESTION: u64 = 2;
pub(super) const INVITATION: u64 = 3;
pub(super) const KINDS: u64 = 8;

/// What one client of a user was told and has not acknowledged.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) takes: Takes,
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
    /// How many questions it was told.
    pub(super) asked: u64,
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

    pub(super) fn has_room(&self, core: &Core) -> bool {
        let settings = &core.settings;
        self.told.is_empty()
            || self.told.len() < settings.max_unacknowledged
                && self.bytes < settings.max_unacknowledged_bytes
    }

    /// Whether there is a message behind this number that it was not told of.
    pub(super) fn lacks(&self, message: u64) -> bool {
        self.takes_everything() && self.next <= number(message, MESSAGE)
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
            user.inbox.next(at).map(|(at, _)| number(at, MESSAGE))
        } else {
            None
        };
        let at = from.saturating_sub(NOTICE).div_ceil(KINDS);
        let mut notices = user.notices.range(at..);
        let notice = notices.find(|(_, notice)| self.is_for(client, notice));
        let notice = notice.map(|(at, _)| number(*at, NOTICE));
        message.into_iter().chain(notice).min()
    }
}

/// The number by which clients know what has this number among its kind.
pub(super) fn number(at: u64, kind: u64) -> u64 {
    at.saturating_mul(KINDS).saturating_add(kind)
}
