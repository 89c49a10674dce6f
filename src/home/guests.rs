//! Guests: users of other home domains to whom this domain provides something (WVFF, 11, figures 3
//! and 4; wire profile, 1).
//!
//! A guest is a user without account, called by the whole address. The guest is known from the first
//! request on that the home domain makes for them: that domain says who its users are. What
//! is provided works on a guest as on any other user; the home domain is their one client
//! ([`super::remote`]).

use std::collections::BTreeMap;

use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::status::Code;

use super::Home;
use super::core::Core;
use super::names::Names;
use super::sleepers::Sleepers;
use super::user::{Account, User};

/// The guests of this domain.
pub(super) struct Guests<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    sleepers: &'a Sleepers,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Guests<'a> {
    /// Among these, at this time.
    pub(super) fn of(home: &'a mut Home, now: Time) -> Self {
        let Home {
            users,
            resting,
            core,
            ..
        } = home;
        let sleepers = resting.sleepers();
        Self {
            users,
            sleepers,
            core,
            now,
        }
    }

    /// The name of a guest who asks for a function. Who was unknown is known from then on.
    ///
    /// # Errors
    /// It is not provided to them, or there is no room for another user.
    pub(super) fn admit(&mut self, address: &Address, leaf: &str) -> Result<String, Code> {
        if !self.core.settings.provides(leaf, address.domain()) {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        if !address.is_valid() || address.kind() != Kind::User {
            return Err(Code::ADDRESS);
        }
        let name = name_of(address);
        if self.users.contains_key(&name) {
            return Ok(name);
        }
        if Names::of(self.users, self.sleepers).are_full(&self.core.settings) {
            if let Some(left_out) = self.core.seldom.may("guest", self.now.0) {
                tracing::warn!(guest = name, left_out, "there is no room for another user");
            }
            return Err(Code::QUEUE_FULL);
        }
        let account = Account {
            created: self.now,
            ..Account::default()
        };
        let guest = User {
            account,
            ..User::new(&name)
        };
        guest.save(self.core);
        self.users.insert(name.clone(), Box::new(guest));
        Ok(name)
    }
}

impl User {
    /// Whether the user is one of another home domain.
    pub(super) fn is_guest(&self) -> bool {
        self.name.contains('@')
    }

    /// Whether the user lives here.
    pub(super) fn has_account(&self) -> bool {
        !self.builtin && !self.is_guest()
    }

    /// What stands before the domain in the user's address.
    pub(super) fn local(&self) -> &str {
        self.name
            .split_once('@')
            .map_or(&self.name, |(local, _)| local)
    }

    /// The user's home domain.
    pub(super) fn home<'u>(&'u self, core: &'u Core) -> &'u str {
        let guest = self.name.split_once('@');
        guest.map_or(core.domain(), |(_, domain)| domain)
    }
}

impl Home {
    /// The name of a guest, or why there is none.
    pub(super) fn known_guest(&self, address: &Address) -> Result<String, Code> {
        let Self { users, core, .. } = self;
        let name = name_of(address);
        if users.contains_key(&name) {
            Ok(name)
        } else if core.settings.pse.serves(core.domain(), address.domain()) {
            Err(Code::UNKNOWN_USER)
        } else {
            Err(Code::DOMAIN_NOT_SUPPORTED)
        }
    }
}

/// How a guest is called among the users of this domain, whose names have no `@`.
fn name_of(address: &Address) -> String {
    address.bare().to_owned()
}
