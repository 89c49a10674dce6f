//! Presence of our users: its values, and telling watchers.
//!
//! A watcher is told at once when he subscribes, when he is authorized or loses authorization, and
//! when a value he sees has changed. What he was told last is remembered, so that nothing is said
//! twice; after a restart that memory is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::element::Time;
use crate::ssp::address::Address;
use crate::ssp::common::{MetaInfo, PresenceValue, User as UserElement};
use crate::ssp::presence::{Attribute, AttributeName, Item, PresenceSubList};
use crate::ssp::primitive::presence::PresenceNotification;

use super::client::{Availability, Standing};
use super::core::Core;
use super::profile;
use super::relation::{Relation, Shown};
use super::user::User;

/// Watchers in one notification.
const WATCHERS_PER_NOTIFICATION: usize = 100;

/// The attributes our users publish, in order of emission.
const PUBLISHED: [AttributeName; 7] = [
    AttributeName::OnlineStatus,
    AttributeName::ClientInfo,
    AttributeName::CommCap,
    AttributeName::UserAvailability,
    AttributeName::StatusText,
    AttributeName::StatusMood,
    AttributeName::Alias,
];

impl User {
    /// What `other` may see.
    pub(super) fn standing(&self, core: &Core, other: &Address) -> Standing {
        let is_himself = other.local() == self.name && other.domain() == core.domain();
        if self.builtin || is_himself {
            return Standing::Authorized;
        }
        let Some(relation) = self.relations.get(other) else {
            return Standing::Unknown;
        };
        if !self.may_use(core, profile::PRESENCE) {
            return Standing::Denied;
        }
        // Proactive authorization goes before reactive (WVFF, 5.3.6).
        match relation {
            Relation {
                contact: Some(_), ..
            }
            | Relation {
                decision: Some(true),
                ..
            } => Standing::Authorized,
            Relation {
                decision: Some(false),
                ..
            } => Standing::Denied,
            Relation {
                watcher: Some(watcher),
                ..
            } if watcher.asked => Standing::Pending,
            _ => Standing::Unknown,
        }
    }

    /// The user's values as far as they were asked for; no names mean all.
    pub(super) fn values(&self, core: &Core, attributes: &[String]) -> PresenceSubList {
        select(attributes, |name| self.value(core, name))
    }

    /// Tells every authorized watcher whose view has changed: one notification for all watchers
    /// of a domain that want the same attributes.
    pub(super) fn publish(&mut self, core: &mut Core, now: Time) {
        let mut groups: BTreeMap<Vec<String>, BTreeMap<String, Vec<Address>>> = BTreeMap::new();
        for (other, relation) in &self.relations {
            if let Some(watcher) = &relation.watcher
                && self.standing(core, other) == Standing::Authorized
            {
                groups
                    .entry(watcher.attributes.clone())
                    .or_default()
                    .entry(other.domain().to_owned())
                    .or_default()
                    .push(other.clone());
            }
        }
        for (attributes, domains) in groups {
            let view = Shown::List(Arc::new(self.values(core, &attributes)));
            for (_, mut watchers) in domains {
                watchers.retain(|watcher| self.now_shown(watcher, &view));
                for watchers in watchers.chunks(WATCHERS_PER_NOTIFICATION) {
                    self.notify(core, watchers, &view, now);
                }
            }
        }
    }

    /// Tells one watcher what he may see now. `anew`: because he asked, even if he knows it.
    pub(super) fn show(&mut self, core: &mut Core, other: &Address, anew: bool, now: Time) {
        let standing = self.standing(core, other);
        let Some(watcher) = self.watcher(other) else {
            return;
        };
        let withdrawn = || Shown::List(Arc::new(withdrawn(&watcher.attributes)));
        let view = match standing {
            Standing::Authorized => Shown::List(Arc::new(self.values(core, &watcher.attributes))),
            Standing::Pending | Standing::Unknown if anew || watcher.shown == Shown::Nothing => {
                Shown::Nothing
            }
            Standing::Denied | Standing::Pending | Standing::Unknown => withdrawn(),
        };
        if self.now_shown(other, &view) || anew {
            self.notify(core, std::slice::from_ref(other), &view, now);
        }
    }

    /// Tells a watcher that there is nothing to see any more, unless he never saw anything.
    pub(super) fn hide(&mut self, core: &mut Core, other: &Address, now: Time) {
        let authorized = self.standing(core, other) == Standing::Authorized;
        if let Some(watcher) = self.watcher(other)
            && authorized
        {
            let view = Shown::List(Arc::new(withdrawn(&watcher.attributes)));
            self.notify(core, std::slice::from_ref(other), &view, now);
        }
    }

    /// Forgets what the watchers of some domains were shown. Says whether there are any.
    pub(super) fn forget_shown(&mut self, behind: &impl Fn(&str) -> bool) -> bool {
        let mut any = false;
        for (other, relation) in &mut self.relations {
            if let Some(watcher) = &mut relation.watcher
                && behind(other.domain())
            {
                watcher.shown = Shown::Unsure;
                any = true;
            }
        }
        any
    }

    fn watcher(&self, other: &Address) -> Option<&super::relation::Watcher> {
        self.relations.get(other)?.watcher.as_ref()
    }

    /// Notes what a watcher is shown. Says whether it is new to him.
    fn now_shown(&mut self, other: &Address, view: &Shown) -> bool {
        match self.relations.get_mut(other) {
            Some(Relation {
                watcher: Some(watcher),
                ..
            }) if watcher.shown != *view => {
                watcher.shown = view.clone();
                true
            }
            _ => false,
        }
    }

    fn notify(&self, core: &mut Core, watchers: &[Address], view: &Shown, now: Time) {
        let values = match view {
            Shown::List(list) => vec![PresenceValue {
                user: self.address(core),
                presence: Some((**list).clone()),
            }],
            Shown::Nothing | Shown::Unsure => Vec::new(),
        };
        let notification = PresenceNotification {
            meta: Some(MetaInfo::of_server(core.domain())),
            watchers: watchers.iter().cloned().map(UserElement::new).collect(),
            values,
        };
        core.send(notification, now);
    }

    fn value(&self, core: &Core, name: &AttributeName) -> Attribute {
        let online = self.is_online();
        let text = |value: &Option<String>| match value {
            Some(value) => Attribute::value(name.clone(), value.clone()),
            None => Attribute::unknown(name.clone()),
        };
        match name {
            AttributeName::OnlineStatus => {
                Attribute::value(name.clone(), if online { "T" } else { "F" })
            }
            AttributeName::ClientInfo if online => Attribute::fields(
                name.clone(),
                vec![
                    Item::text("ClientType", "COMPUTER"),
                    Item::text("ClientProducer", "wvgate"),
                ],
            ),
            AttributeName::CommCap => Attribute::fields(
                name.clone(),
                vec![Item::of(
                    "CommC",
                    vec![
                        Item::text("Cap", "IM"),
                        Item::text("Status", if online { "OPEN" } else { "CLOSED" }),
                        Item::text("Contact", self.address(core).as_str()),
                        Item::text("Note", if online { "IM online" } else { "IM offline" }),
                    ],
                )],
            ),
            AttributeName::UserAvailability => {
                let availability = if online {
                    self.availability
                } else {
                    Availability::NotAvailable
                };
                Attribute::value(name.clone(), availability.as_wire())
            }
            AttributeName::StatusText => text(&self.account.text),
            AttributeName::StatusMood => text(&self.account.mood),
            AttributeName::Alias if self.builtin => Attribute::value(name.clone(), "Echo"),
            AttributeName::Alias => text(&self.account.alias),
            _ => Attribute::unknown(name.clone()),
        }
    }
}

/// Whether our users publish an attribute.
pub(super) fn is_published(name: &str) -> bool {
    PUBLISHED.iter().any(|published| published.as_str() == name)
}

/// The attributes asked for, all of them unknown.
fn withdrawn(attributes: &[String]) -> PresenceSubList {
    select(attributes, |name| Attribute::unknown(name.clone()))
}

fn select(attributes: &[String], value: impl Fn(&AttributeName) -> Attribute) -> PresenceSubList {
    PresenceSubList {
        attributes: PUBLISHED
            .iter()
            .filter(|name| {
                attributes.is_empty() || attributes.iter().any(|asked| asked == name.as_str())
            })
            .map(value)
            .collect(),
    }
}
