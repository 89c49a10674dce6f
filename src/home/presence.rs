//! Presence of our users: its values, and telling watchers.
//!
//! A watcher is told at once when they subscribe, are authorized or lose authorization, and
//! when a value they see has changed. What they were told last is remembered, so that nothing is said
//! twice; after a restart that memory is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::{AttributeList, MetaInfo, PresenceValue, User as UserElement};
use crate::imps::presence::{Attribute, AttributeName, Item, MOODS, PresenceSubList};
use crate::imps::primitive::presence::PresenceNotification;
use crate::imps::status::{Code, DetailedResult, Status};

use super::core::Core;
use super::known::Availability;
use super::relation::{Shown, Standing};
use super::user::User;

/// Watchers in one notification.
const WATCHERS_PER_NOTIFICATION: usize = 100;

/// An attribute that a user cannot set.
const ATTRIBUTE: Code = Code(750);
/// A mood, text or alias that cannot be.
const VALUE: Code = Code(751);
/// Bytes of a status text or alias.
pub(super) const MAX_TEXT: usize = 1024;

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

/// What a user's watchers are told.
pub(super) struct Presence<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Presence<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Changes what the user tells of themself; what is absent stays. Nothing changes if a value
    /// cannot be. Attributes that are not the user's to tell are passed over, and named by 201.
    pub(super) fn update(&mut self, list: &PresenceSubList) -> Status {
        if let Some(why) = list.attributes.iter().find_map(fault_of) {
            return Status::new(VALUE).because(why);
        }
        let mut others = 0;
        for attribute in &list.attributes {
            let text = attribute.simple().map(str::to_owned);
            let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
            let account = &mut self.user.account;
            match &attribute.name {
                AttributeName::UserAvailability => {
                    let value = text.as_deref().and_then(Availability::from_wire);
                    self.user.availability = value.unwrap_or_default();
                }
                // An empty text is a value: it says that the former one was cleared.
                AttributeName::StatusText => account.text = text,
                AttributeName::StatusMood => {
                    account.mood = filled(text).map(|mood| mood.trim().to_ascii_uppercase());
                }
                AttributeName::Alias => account.alias = filled(text),
                _ => others += 1,
            }
        }
        self.user.save(self.core);
        self.publish();
        let status = Status::new(ATTRIBUTE).because("The domain tells this by itself, or not.");
        match others {
            0 => Status::ok(),
            all if all == list.attributes.len() => status,
            _ => Status {
                details: vec![DetailedResult {
                    description: status.description,
                    ..DetailedResult::new(ATTRIBUTE)
                }],
                ..Status::new(Code::PARTIAL)
            },
        }
    }

    fn values(&self, attributes: &[String]) -> PresenceSubList {
        let (user, core) = (&*self.user, &*self.core);
        Published { user, core }.values(attributes)
    }

    /// Tells every authorized watcher whose view has changed: one notification for all watchers
    /// of a domain that want the same attributes.
    pub(super) fn publish(&mut self) {
        let mut groups: BTreeMap<Vec<String>, BTreeMap<String, Vec<Address>>> = BTreeMap::new();
        for (other, relation) in &self.user.relations {
            if let Some(watcher) = &relation.watcher
                && self.user.standing(self.core, other) == Standing::Authorized
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
            let view = Shown::List(Arc::new(self.values(&attributes)));
            for (_, mut watchers) in domains {
                watchers.retain(|watcher| self.user.now_shown(watcher, &view));
                for watchers in watchers.chunks(WATCHERS_PER_NOTIFICATION) {
                    self.notify(watchers, &view);
                }
            }
        }
    }

    /// Tells one watcher what they may see now. `anew`: because they asked, even if they know it.
    pub(super) fn show(&mut self, other: &Address, anew: bool) {
        let standing = self.user.standing(self.core, other);
        let Some(watcher) = self.user.watcher(other) else {
            return;
        };
        let withdrawn = || Shown::List(Arc::new(withdrawn(&watcher.attributes)));
        let view = match standing {
            Standing::Authorized => Shown::List(Arc::new(self.values(&watcher.attributes))),
            Standing::Pending | Standing::Unknown if anew || watcher.shown == Shown::Nothing => {
                Shown::Nothing
            }
            Standing::Denied | Standing::Pending | Standing::Unknown => withdrawn(),
        };
        if self.user.now_shown(other, &view) || anew {
            self.notify(std::slice::from_ref(other), &view);
        }
    }

    /// Tells a watcher that there is nothing to see any more, unless they never saw anything.
    pub(super) fn hide(&mut self, other: &Address) {
        let authorized = self.user.standing(self.core, other) == Standing::Authorized;
        if let Some(watcher) = self.user.watcher(other)
            && authorized
        {
            let view = Shown::List(Arc::new(withdrawn(&watcher.attributes)));
            self.notify(std::slice::from_ref(other), &view);
        }
    }

    fn notify(&mut self, watchers: &[Address], view: &Shown) {
        let values = match view {
            Shown::List(list) => vec![PresenceValue {
                user: self.user.address(self.core),
                presence: Some((**list).clone()),
            }],
            Shown::Nothing | Shown::Unsure => Vec::new(),
        };
        let notification = PresenceNotification {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            watchers: watchers.iter().cloned().map(UserElement::new).collect(),
            values,
        };
        self.core.send(notification, self.now);
    }
}

/// What a user publishes.
pub(super) struct Published<'a> {
    pub(super) user: &'a User,
    pub(super) core: &'a Core,
}

impl Published<'_> {
    /// The user's values as far as they were asked for; no names mean all.
    pub(super) fn values(&self, attributes: &[String]) -> PresenceSubList {
        select(attributes, |name| self.value(name))
    }

    fn value(&self, name: &AttributeName) -> Attribute {
        let online = self.user.is_online();
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
                        Item::text("Contact", self.user.address(self.core).as_str()),
                        Item::text("Note", if online { "IM online" } else { "IM offline" }),
                    ],
                )],
            ),
            AttributeName::UserAvailability => {
                let availability = if online {
                    self.user.availability
                } else {
                    Availability::NotAvailable
                };
                Attribute::value(name.clone(), availability.as_wire())
            }
            AttributeName::StatusText => text(&self.user.account.text),
            AttributeName::StatusMood => text(&self.user.account.mood),
            AttributeName::Alias if self.user.builtin => Attribute::value(name.clone(), "Echo"),
            AttributeName::Alias => text(&self.user.account.alias),
            _ => Attribute::unknown(name.clone()),
        }
    }
}

/// Why a value of a user's own presence cannot be.
fn fault_of(attribute: &Attribute) -> Option<&'static str> {
    if !attribute.is_valid() {
        return None;
    }
    let text = attribute.simple().unwrap_or_default();
    match &attribute.name {
        AttributeName::UserAvailability if Availability::from_wire(text).is_none() => {
            Some("There is no such availability.")
        }
        AttributeName::StatusMood => {
            let mood = text.trim().to_ascii_uppercase();
            let is_known = mood.is_empty() || MOODS.contains(&mood.as_str());
            (!is_known).then_some("There is no such mood.")
        }
        AttributeName::StatusText | AttributeName::Alias if text.len() > MAX_TEXT => {
            Some("The text is too long.")
        }
        _ => None,
    }
}

/// Whether a list of attributes, empty or absent for all, leaves out none that our users publish.
pub(super) fn covers_all(list: Option<&AttributeList>) -> bool {
    let Some(list) = list.and_then(|list| list.presence.as_ref()) else {
        return true;
    };
    let named = |name| list.get(name).is_some();
    list.attributes.is_empty() || PUBLISHED.iter().all(named)
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
