//! What is remembered between lines.

use std::collections::BTreeMap;

use super::super::requests::Requests;
use super::super::screen;
use super::inbox::Inbox;
use super::invitation::Invitations;
use crate::home::Known;
use crate::imps::Address;
use crate::imps::common::PresenceValue;
use crate::imps::primitive::presence::PresenceNotification;

/// What families of commands share.
pub(super) struct Memory {
    pub(super) requests: Requests,
    /// Whom a line without slash goes to.
    pub(super) partner: Option<Address>,
    /// Whether that is all who are on a contact list of the user.
    pub(super) to_list: bool,
    /// Whether delivery reports are asked for.
    pub(super) report: bool,
    /// Those whom the user watches.
    pub(super) watched: BTreeMap<Address, Known>,
    /// Messages that have waited and are still to come.
    pub(super) waited: usize,
    /// Searches with further pages: id, and the next result.
    pub(super) searches: Vec<(String, u32)>,
    pub(super) inbox: Inbox,
    pub(super) invitations: Invitations,
}

impl Memory {
    /// For a user for whom so many messages have waited.
    pub(super) fn of(user: Address, waited: usize) -> Self {
        Self {
            requests: Requests::of(user),
            partner: None,
            to_list: false,
            report: false,
            watched: BTreeMap::new(),
            waited,
            searches: Vec::new(),
            inbox: Inbox::default(),
            invitations: Invitations::default(),
        }
    }

    /// Somebody, or all on a contact list, becomes the partner.
    pub(super) fn choose(&mut self, partner: Address, is_list: bool) {
        self.partner = Some(partner);
        self.to_list = is_list;
    }

    /// Takes in presence. Says what is new.
    pub(super) fn see(&mut self, notification: &PresenceNotification) -> Vec<String> {
        let mut news = Vec::new();
        for PresenceValue { user, presence } in &notification.values {
            let before = self.watched.get(user);
            let mut known = before.cloned().unwrap_or_default();
            if let Some(list) = presence {
                known.merge(list);
            }
            if before != Some(&known) {
                news.push(screen::presence(user, &known));
                self.watched.insert(user.clone(), known);
            }
        }
        news
    }
}
