//! Presence of our users: telling watchers.
//!
//! A watcher is told at once when they subscribe, are authorized or lose authorization, and
//! when a value they see has changed: what is new to them of what they may see, and what they
//! may not see any more with qualifier F. What they were told last is remembered, so that nothing is
//! said twice; after a restart that memory is empty, and they are told everything anew.

mod client_values;
mod own_presence;
mod published;
mod told;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, PresenceValue, User as UserElement};
use crate::imps::presence::{Attribute, PresenceSubList};
use crate::imps::primitive::presence::PresenceNotification;

use super::authorization::AttributeSet;
use super::core::Core;
use super::relation::{Shown, Watcher};
use super::user::User;

pub(super) use client_values::ClientValues;
pub(super) use own_presence::{MAX_TEXT, OwnPresence, client_id};
pub(super) use published::Published;
pub(super) use told::Told;

/// Watchers in one notification.
const WATCHERS_PER_NOTIFICATION: usize = 100;

/// What a user's watchers are told.
pub(super) struct Presence<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

/// What decides, besides what they were shown last, what a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct View {
    /// The attributes they want to see.
    wanted: AttributeSet,
    /// What they may see of it.
    sees: AttributeSet,
    /// Whether the user may still be asked about them.
    undecided: bool,
    /// Whether they have ever been shown a value.
    seen: bool,
}

/// What a watcher is told.
struct News {
    /// What they are shown from now on.
    shown: Shown,
    /// What is said of it; `None`: that there is nothing for them to see.
    said: Option<PresenceSubList>,
}

/// Watchers that were shown the same, by domain.
type Alike = (Shown, BTreeMap<String, Vec<Address>>);

impl<'a> Presence<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Tells every watcher for whom something has changed: one notification for all watchers of a
    /// domain to whom the same is news.
    pub(super) fn publish(&mut self) {
        let mut views: BTreeMap<View, Vec<Alike>> = BTreeMap::new();
        for (other, relation) in &self.user.relations {
            let Some(watcher) = &relation.watcher else {
                continue;
            };
            let alike = views.entry(self.view(other, watcher)).or_default();
            let at = alike.iter().position(|(shown, _)| *shown == watcher.shown);
            let at = at.unwrap_or_else(|| {
                alike.push((watcher.shown.clone(), BTreeMap::new()));
                alike.len() - 1
            });
            let domains = &mut alike[at].1;
            match domains.get_mut(other.domain()) {
                Some(watchers) => watchers.push(other.clone()),
                None => {
                    domains.insert(other.domain().to_owned(), vec![other.clone()]);
                }
            }
        }
        for (view, alike) in views {
            for (shown, domains) in alike {
                let Some(news) = self.news(view, &shown, false) else {
                    continue;
                };
                for watchers in domains.into_values() {
                    self.show_all(&watchers, &news);
                }
            }
        }
    }

    /// Tells one watcher what is new to them; `anew`: everything, because they asked.
    pub(super) fn show(&mut self, other: &Address, anew: bool) {
        let Some(watcher) = self.user.watcher(other) else {
            return;
        };
        let (view, shown) = (self.view(other, watcher), watcher.shown.clone());
        if let Some(news) = self.news(view, &shown, anew) {
            self.show_all(std::slice::from_ref(other), &news);
        }
    }

    /// Tells a watcher that there is nothing to see any more, unless they never saw anything.
    pub(super) fn hide(&mut self, other: &Address) {
        let Some(watcher) = self.user.watcher(other) else {
            return;
        };
        let view = View {
            sees: AttributeSet::NONE,
            undecided: true,
            ..self.view(other, watcher)
        };
        if let Some(news) = self.news(view, &watcher.shown.clone(), false) {
            self.notify(std::slice::from_ref(other), news.said);
        }
    }

    /// Takes it that every watcher but these, in order, knows what they may see, as before the user was at
    /// rest.
    pub(super) fn take_as_shown(&mut self, unsure: &[Address]) {
        let mut shown: BTreeMap<View, Shown> = BTreeMap::new();
        let watched = self.user.relations.iter();
        let watched = watched.filter(|(other, _)| unsure.binary_search(other).is_err());
        let watched = watched.filter_map(|(other, relation)| {
            Some((other.clone(), self.view(other, relation.watcher.as_ref()?)))
        });
        for (other, view) in watched.collect::<Vec<_>>() {
            let shown = match shown.get(&view) {
                Some(shown) => shown.clone(),
                None => {
                    let awaits = view.sees.is_empty() && !view.seen && view.undecided;
                    let known = if awaits {
                        Shown::Nothing
                    } else {
                        Shown::List(Arc::new(self.values(view.sees)))
                    };
                    shown.insert(view, known.clone());
                    known
                }
            };
            let relation = self.user.relations.get_mut(&other);
            if let Some(watcher) = relation.and_then(|relation| relation.watcher.as_mut()) {
                watcher.shown = shown;
            }
        }
    }

    fn view(&self, other: &Address, watcher: &Watcher) -> View {
        let authority = self.user.authority(self.core, other);
        let wanted = watcher.attributes;
        View {
            wanted,
            sees: self.user.visible(self.core, authority).and(wanted),
            undecided: !authority.undecided(wanted).is_empty(),
            seen: watcher.seen,
        }
    }

    /// What a watcher is to be told, if anything.
    fn news(&self, view: View, shown: &Shown, anew: bool) -> Option<News> {
        let values = self.values(view.sees);
        let said = match shown {
            Shown::List(old) if !anew => {
                let changes = changes(old, &values);
                if changes.attributes.is_empty() {
                    return None;
                }
                Some(changes)
            }
            // Whoever may have seen more must not go on believing it.
            _ if !view.sees.is_empty() => Some(if view.seen {
                self.with_the_rest(&values, view.wanted)
            } else {
                values.clone()
            }),
            _ if view.seen => Some(self.with_the_rest(&values, view.wanted)),
            // Nobody will be asked about them: that is the last word, which may have been lost too.
            _ if !view.undecided => Some(self.with_the_rest(&values, view.wanted)),
            Shown::Unsure | Shown::Nothing if !anew => return None,
            _ => None,
        };
        let shown = match &said {
            Some(_) => Shown::List(Arc::new(values)),
            None => Shown::Nothing,
        };
        Some(News { shown, said })
    }

    /// Tells watchers of one domain what is news to all of them.
    fn show_all(&mut self, watchers: &[Address], news: &News) {
        let said = news.said.iter().flat_map(|list| &list.attributes);
        let has_value = said.clone().any(Attribute::is_valid);
        for watcher in watchers {
            self.user
                .now_shown(self.core, watcher, &news.shown, has_value);
        }
        for watchers in watchers.chunks(WATCHERS_PER_NOTIFICATION) {
            self.notify(watchers, news.said.clone());
        }
    }

    /// All that is wanted: what has no value, or is not shown, is unknown.
    fn with_the_rest(&self, values: &PresenceSubList, wanted: AttributeSet) -> PresenceSubList {
        let mut list = values.clone();
        let told = self.user.told.iter().flat_map(|told| told.others());
        let told = told.map(|attribute| attribute.name.clone());
        let others = told.filter(|name| wanted.contains(name));
        for name in wanted.names().cloned().chain(others) {
            if values.get(&name).is_none() {
                list.attributes.push(Attribute::unknown(name));
            }
        }
        list.sort();
        list
    }

    fn values(&self, attributes: AttributeSet) -> PresenceSubList {
        let (user, core) = (&*self.user, &*self.core);
        Published { user, core }.values(attributes)
    }

    fn notify(&mut self, watchers: &[Address], said: Option<PresenceSubList>) {
        let value = said.map(|list| PresenceValue {
            user: self.user.address(self.core),
            presence: Some(list),
        });
        let notification = PresenceNotification {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            watchers: watchers.iter().cloned().map(UserElement::new).collect(),
            values: value.into_iter().collect(),
        };
        self.core.send(notification, self.now);
    }
}

/// What is new in a list, and what was in the old one and is not shown any more.
fn changes(old: &PresenceSubList, new: &PresenceSubList) -> PresenceSubList {
    let is_new = |attribute: &&Attribute| !old.attributes.contains(attribute);
    let mut changes = PresenceSubList {
        attributes: new.attributes.iter().filter(is_new).cloned().collect(),
    };
    for attribute in &old.attributes {
        if attribute.is_valid() && new.get(&attribute.name).is_none() {
            let gone = Attribute::unknown(attribute.name.clone());
            changes.attributes.push(gone);
        }
    }
    changes.sort();
    changes
}
