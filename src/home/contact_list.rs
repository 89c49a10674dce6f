//! Who may see a user's presence, and the user's say in it (WVFF, 5.3).
//!
//! Members of the contact list are authorized without being asked for (proactive); everybody else
//! by the user's decision (reactive). A decision stands until it is taken back.

use super::client::ContactEntry;
use super::client::Known;
use super::presence::Presence;
use crate::element::Time;
use crate::imps::address::Address;

use super::client::{Event, WatcherEntry};
use super::core::Core;
use super::relation::Contact;
use super::user::User;

/// A user's contact list, and who may see the user's presence.
pub(super) struct ContactList<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> ContactList<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Decides, asked or unasked.
    pub(super) fn authorize(&mut self, other: &Address, accept: bool) {
        self.decide(other, Some(accept));
    }

    /// Takes a decision back.
    pub(super) fn cancel_authorization(&mut self, other: &Address) {
        self.decide(other, None);
    }

    /// Puts somebody on the contact list, or names them anew.
    pub(super) fn add_contact(&mut self, other: &Address, name: Option<String>) {
        self.user.relate(self.core, other, |relation| {
            relation.contact = Some(Contact { name });
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        Presence::of(self.user, self.core, self.now).show(other, false);
    }

    /// Takes somebody off the contact list.
    pub(super) fn remove_contact(&mut self, other: &Address) {
        let standing = self.user.standing(self.core, other);
        self.user
            .relate(self.core, other, |relation| relation.contact = None);
        if self.user.standing(self.core, other) != standing {
            Presence::of(self.user, self.core, self.now).show(other, false);
        }
    }

    /// Those who watch, with what they may see.
    pub(super) fn watchers(&self) -> Event {
        let watchers = self
            .user
            .relations
            .iter()
            .filter(|(_, relation)| relation.watcher.is_some())
            .map(|(other, _)| WatcherEntry {
                user: other.clone(),
                state: self.user.standing(self.core, other),
            });
        Event::Watchers {
            watchers: watchers.collect(),
        }
    }

    fn decide(&mut self, other: &Address, decision: Option<bool>) {
        let standing = self.user.standing(self.core, other);
        self.user.relate(self.core, other, |relation| {
            relation.decision = decision;
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        if self.user.standing(self.core, other) != standing {
            Presence::of(self.user, self.core, self.now).show(other, false);
        }
    }

    pub(super) fn contacts(&self) -> Event {
        let entries = self.user.relations.iter().filter_map(|(other, relation)| {
            let subscription = relation.subscription.as_ref();
            if relation.contact.is_none() && !relation.blocked && subscription.is_none() {
                return None;
            }
            Some(ContactEntry {
                user: other.clone(),
                name: relation.contact.as_ref().and_then(|c| c.name.clone()),
                contact: relation.contact.is_some(),
                blocked: relation.blocked,
                subscription: subscription.map(|subscription| subscription.state),
                presence: subscription
                    .map_or_else(Known::default, |s| self.core.away.shown(other, &s.presence)),
            })
        });
        Event::Contacts {
            contacts: entries.collect(),
        }
    }
}
