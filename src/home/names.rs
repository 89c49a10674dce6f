//! Who is a user, awake or at rest.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::settings::HomeSettings;
use super::sleepers::Sleepers;
use super::user::User;

/// How many users there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserCount {
    /// All of them.
    pub all: usize,
    /// Those with a client session.
    pub online: usize,
    /// Those who are on disk alone.
    pub at_rest: usize,
}

impl std::ops::Add for UserCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            all: self.all + other.all,
            online: self.online + other.online,
            at_rest: self.at_rest + other.at_rest,
        }
    }
}

/// Names of the users of a home domain, or of one shard of it, without the echo user.
pub struct Names<'a> {
    users: &'a BTreeMap<String, Box<User>>,
    sleepers: &'a Sleepers,
}

impl<'a> Names<'a> {
    pub(super) fn of(users: &'a BTreeMap<String, Box<User>>, sleepers: &'a Sleepers) -> Self {
        Self { users, sleepers }
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let awake = self.users.values().filter(|user| user.has_account());
        awake
            .map(|user| user.name.as_str())
            .chain(self.sleepers.names())
    }

    /// Whether there is a user of that name.
    pub fn has(&self, name: &str) -> bool {
        let awake = self.users.get(name);
        awake.is_some_and(|user| user.has_account()) || self.sleepers.has(name)
    }

    /// Whether there is room for no more, guests included.
    pub(super) fn are_full(&self, settings: &HomeSettings) -> bool {
        self.users.len() + self.sleepers.len() >= settings.max_users
    }

    /// How many there are.
    pub fn count(&self) -> UserCount {
        let awake = self.users.values().filter(|user| user.has_account());
        UserCount {
            all: awake.clone().count() + self.sleepers.len(),
            online: awake.filter(|user| user.is_online()).count(),
            at_rest: self.sleepers.len(),
        }
    }

    /// At most so many from behind `after` on, in order.
    pub fn behind(&self, after: &str, limit: usize) -> Vec<String> {
        let from = (Bound::Excluded(after), Bound::Unbounded);
        let awake = self.users.range::<str, _>(from).map(|(_, user)| user);
        let awake = awake
            .filter(|user| user.has_account())
            .map(|user| &*user.name);
        let sleepers = self.sleepers.behind(Some(after)).map(|(name, _)| name);
        let mut names: Vec<&str> = awake.take(limit).chain(sleepers.take(limit)).collect();
        names.sort_unstable();
        names.truncate(limit);
        names.into_iter().map(str::to_owned).collect()
    }
}
