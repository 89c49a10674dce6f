//! Who may see a user's presence, and the user's say in it (WVFF, 5.3).
//!
//! Members of the contact list are authorized without being asked for (proactive); everybody else
//! by the user's decision (reactive). A decision stands until it is taken back.

use crate::element::Time;
use crate::ssp::address::Address;

use super::client::{Event, WatcherEntry};
use super::core::Core;
use super::relation::Contact;
use super::user::User;

impl User {
    /// Decides, asked or unasked.
    pub(super) fn authorize(&mut self, core: &mut Core, other: &Address, accept: bool, now: Time) {
        self.decide(core, other, Some(accept), now);
    }

    /// Takes a decision back.
    pub(super) fn cancel_authorization(&mut self, core: &mut Core, other: &Address, now: Time) {
        self.decide(core, other, None, now);
    }

    /// Puts somebody on the contact list, or names him anew.
    pub(super) fn add_contact(
        &mut self,
        core: &mut Core,
        other: &Address,
        name: Option<String>,
        now: Time,
    ) {
        self.relate(core, other, |relation| {
            relation.contact = Some(Contact { name });
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        self.show(core, other, false, now);
    }

    /// Takes somebody off the contact list.
    pub(super) fn remove_contact(&mut self, core: &mut Core, other: &Address, now: Time) {
        let standing = self.standing(core, other);
        self.relate(core, other, |relation| relation.contact = None);
        if self.standing(core, other) != standing {
            self.show(core, other, false, now);
        }
    }

    /// Those who watch, with what they may see.
    pub(super) fn watchers(&self, core: &Core) -> Event {
        let watchers = self
            .relations
            .iter()
            .filter(|(_, relation)| relation.watcher.is_some())
            .map(|(other, _)| WatcherEntry {
                user: other.clone(),
                state: self.standing(core, other),
            });
        Event::Watchers {
            watchers: watchers.collect(),
        }
    }

    /// Those who wait for a decision.
    pub(super) fn undecided(&self) -> Vec<Address> {
        self.relations
            .iter()
            .filter(|(_, relation)| relation.is_asked())
            .map(|(other, _)| other.clone())
            .collect()
    }

    fn decide(&mut self, core: &mut Core, other: &Address, decision: Option<bool>, now: Time) {
        let standing = self.standing(core, other);
        self.relate(core, other, |relation| {
            relation.decision = decision;
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        if self.standing(core, other) != standing {
            self.show(core, other, false, now);
        }
    }
}
