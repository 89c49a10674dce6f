//! Users made and removed.

use std::collections::BTreeMap;

use crate::element::access::InUse;
use crate::element::{Outcome, Time, Token};
use crate::imps::address::{Address, Kind};
use crate::imps::status::{Code, Status};

use super::client::{Over, ToClient};
use super::core::{Core, Timer};
use super::credentials::Credentials;
use super::feeds::Feeds;
use super::group::Groups;
use super::invitation::Inviting;
use super::message::Arrivals;
use super::names::Names;
use super::notices::Notices;
use super::presence::Presence;
use super::records;
use super::sleepers::Sleepers;
use super::user::{Account, User};
use super::user_error::UserError;
use super::watching::Watching;

/// The accounts of all users.
pub(super) struct Accounts<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    sleepers: &'a mut Sleepers,
    groups: &'a mut Groups,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Accounts<'a> {
    /// Of these users, at this time.
    pub(super) fn of(
        (users, sleepers): (&'a mut BTreeMap<String, Box<User>>, &'a mut Sleepers),
        groups: &'a mut Groups,
        core: &'a mut Core,
        now: Time,
    ) -> Self {
        Self {
            users,
            sleepers,
            groups,
            core,
            now,
        }
    }

    pub(super) fn add(&mut self, name: &str, password: Credentials) -> Result<(), UserError> {
        let name = valid_name(name, self.core.domain())?;
        let names = Names::of(self.users, self.sleepers);
        if names.has(&name) || self.users.contains_key(&name) {
            return Err(UserError::Exists(name));
        }
        if names.are_full(&self.core.settings) {
            return Err(UserError::Full("user"));
        }
        let user = User {
            account: Account {
                password_hash: password.hash,
                sealed: password.sealed,
                created: self.now,
                ..Account::default()
            },
            ..User::new(&name)
        };
        user.save(self.core);
        self.users.insert(name, Box::new(user));
        Ok(())
    }

    /// Removes a user with everything that is kept for them. Of somebody at rest whose record cannot
    /// be read nobody knows who watches them: those are not told.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), UserError> {
        let name = name.to_lowercase();
        match self.users.remove(&name) {
            Some(user) if !user.builtin => {
                let address = user.address(self.core);
                remove(*user, self.core, self.now);
                self.groups.healing(self.now).user_removed(&address);
                Ok(())
            }
            Some(builtin) => {
                self.users.insert(name.clone(), builtin);
                Err(UserError::Unknown(name))
            }
            None if self.sleepers.is_lost(&name) => {
                self.sleepers.remove(&name);
                self.core.act(records::delete_at_rest(&name));
                let address = Address::user(&name, self.core.domain());
                self.groups.healing(self.now).user_removed(&address);
                Ok(())
            }
            None => Err(self.sleepers.not_awake(name)),
        }
    }
}

/// The name of a user in the form that is kept.
pub(super) fn valid_name(name: &str, domain: &str) -> Result<String, UserError> {
    let address = Address::user(name, domain);
    let possible = address.is_valid()
        && address.kind() == Kind::User
        && address.domain() == domain
        && name.len() <= 64;
    if possible {
        Ok(address.local().to_owned())
    } else {
        Err(UserError::Invalid(name.to_owned()))
    }
}

fn remove(mut user: User, core: &mut Core, now: Time) {
    let gone = Status::new(Code::UNKNOWN_USER).because("The user was removed.");
    for client in std::mem::take(&mut user.clients).into_keys() {
        core.clients.remove(&client);
        core.tell(client, ToClient::Over { why: Over::Removed });
    }
    let others: Vec<Address> = user.relations.keys().cloned().collect();
    for other in others {
        Presence::of(&mut user, core, now).hide(&other);
        if user
            .relations
            .get(&other)
            .is_some_and(|relation| relation.subscription.is_some())
        {
            Watching::of(&mut user, core, now).end_subscription(&other);
        }
        core.act(records::delete_relation(&user.name, &other));
    }
    Inviting::of(&mut user, core, now).end_all();
    for number in user.inbox.numbers() {
        Arrivals::of(&mut user, core, now).end_arrival(
            number,
            &gone,
            Outcome::Refused(Code::UNKNOWN_USER.0),
        );
    }
    let notices: Vec<u64> = user.notices.keys().copied().collect();
    for number in notices {
        Notices::of(&mut user, core, now).forget(number);
    }
    Feeds::of(&mut user, core, now).forget_told();
    let asked: Vec<(Token, Time)> = core
        .requests
        .iter()
        .filter(|(_, pending)| pending.user == user.name)
        .map(|(token, pending)| (*token, pending.until))
        .collect();
    for (token, until) in asked {
        core.requests.remove(&token);
        core.timers.remove(&(until, Timer::Request(token)));
        core.act(records::delete_request(&user.name, token));
    }
    core.acts(
        user.sent
            .numbers()
            .map(|number| records::delete_sent(&user.name, number)),
    );
    let listed = user.access.keys();
    core.acts(listed.map(|key| records::delete_listed(&user.name, key)));
    if user.access.in_use() != InUse::default() {
        core.act(records::delete_access(&user.name));
    }
    if user.profile.is_some() {
        core.act(records::delete_profile(&user.name));
    }
    if user.lists.is_some() {
        core.act(records::delete_lists(&user.name));
    }
    if let Some(told) = user.told.take() {
        core.told_bytes -= told.bytes();
        core.act(records::delete_presence(&user.name));
    }
    core.act(records::delete_account(&user.name));
}
