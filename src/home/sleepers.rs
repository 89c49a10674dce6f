//! All users at rest.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::head::Head;
use super::sleeper::Sleeper;
use super::user_error::UserError;

/// Users at rest, by name.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    all: BTreeMap<Box<str>, Sleeper>,
    /// How many of them are concerned by each domain.
    domains: BTreeMap<Arc<str>, usize>,
}

impl Sleepers {
    /// Whether somebody is at rest.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Whether somebody is at rest whose account is disabled.
    pub(super) fn is_disabled(&self, name: &str) -> bool {
        self.all.get(name).is_some_and(|sleeper| sleeper.disabled)
    }

    /// Whether the record of somebody at rest could not be read when it was tried last.
    pub(super) fn is_lost(&self, name: &str) -> bool {
        self.all.get(name).is_some_and(|sleeper| sleeper.lost)
    }

    /// Why there is nothing to be done with somebody who is not awake.
    pub(super) fn not_awake(&self, name: String) -> UserError {
        if self.has(&name) {
            UserError::Unavailable(name)
        } else {
            UserError::Unknown(name)
        }
    }

    /// The record of somebody at rest cannot be read.
    pub(super) fn lose(&mut self, name: &str) {
        if let Some(sleeper) = self.all.get_mut(name) {
            sleeper.lost = true;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Their names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(AsRef::as_ref)
    }

    /// Those behind a name, in order.
    pub(super) fn behind(&self, name: Option<&str>) -> impl Iterator<Item = (&str, &Sleeper)> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.all.range::<str, _>((from, Bound::Unbounded));
        behind.map(|(name, sleeper)| (name.as_ref(), sleeper))
    }

    /// Domains by which any of them are concerned.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.keys().map(AsRef::as_ref)
    }

    /// Puts somebody to rest. `found_by_default`: whether who says nothing is found by anything.
    pub(super) fn insert(&mut self, name: &str, head: Head, found_by_default: bool) {
        self.remove(name);
        let domains = head.domains.iter();
        let domains = domains.map(|domain| match self.domains.get_key_value(&**domain) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(&**domain),
        });
        let domains: Box<[Arc<str>]> = domains.collect();
        for domain in &domains {
            *self.domains.entry(Arc::clone(domain)).or_default() += 1;
        }
        let is_found = head.allows || found_by_default;
        let sleeper = Sleeper {
            domains,
            searched: is_found.then(|| head.searched.into()),
            disabled: head.disabled,
            lost: false,
        };
        self.all.insert(name.into(), sleeper);
    }

    /// Somebody is at rest no more.
    pub(super) fn remove(&mut self, name: &str) -> Option<Sleeper> {
        let sleeper = self.all.remove(name)?;
        for domain in &sleeper.domains {
            if let Some(count) = self.domains.get_mut(domain) {
                *count -= 1;
                if *count == 0 {
                    self.domains.remove(domain);
                }
            }
        }
        Some(sleeper)
    }
}
