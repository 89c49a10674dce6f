//! What an operator does with many accounts, and with one as a whole: disabling, changing, moving
//! users in and out.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::accounts::valid_name;
use super::client::{ClientKey, Over, ToClient};
use super::core::Core;
use super::credentials::Credentials;
use super::feeds::Feeds;
use super::names::Names;
use super::operator_lists::{OperatorLists, elsewhere};
use super::password;
use super::presence::{MAX_TEXT, Presence};
use super::profile::{OwnProfile, provided, pse_of};
use super::records;
use super::sleepers::Sleepers;
use super::user::{Account, User};
use super::user_error::UserError;
use crate::element::Time;
use crate::imps::common::Property;
use crate::imps::primitive::profile::{PrivacyCapability, ProfileService, UserProfile};
use crate::sap::profile::update::{UpdateMode, empty, update};

/// A user as they are moved in and out. What is absent is as the domain is.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserRecord {
    /// The part of the address before the domain.
    pub user: String,
    /// In the clear. It is hashed before it is kept, and never told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// As a PHC string of argon2. A new user needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// The password, encrypted with the secret of this node ([`Seal`](super::Seal)). Made of
    /// `password`, and never told.
    #[serde(skip)]
    pub sealed: Option<String>,
    /// The name that others see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether the account is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Services by name: `Active` or `Inactive`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, String>,
    /// Capabilities by name: `Allowed`, `Denied` or `Ask`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub privacy: BTreeMap<String, String>,
    /// Properties of the profile by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// Without password and hash, which have no place in logs.
impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl UserRecord {
    fn profile(&self) -> UserProfile {
        let some = |map: &BTreeMap<String, String>| {
            let entries: Vec<_> = map.iter().map(|(a, b)| (a.clone(), b.clone())).collect();
            (!entries.is_empty()).then_some(entries)
        };
        let services = some(&self.services).map(|all| {
            let entry = |(name, status)| ProfileService {
                name,
                status: Some(status),
                pse: None,
            };
            all.into_iter().map(entry).collect()
        });
        let privacy = some(&self.privacy).map(|all| {
            let entry = |(name, status)| PrivacyCapability {
                name,
                status: Some(status),
            };
            all.into_iter().map(entry).collect()
        });
        let properties = some(&self.properties).map(|all| {
            let entry = |(name, value)| Property {
                name,
                value: Some(value),
            };
            all.into_iter().map(entry).collect()
        });
        UserProfile {
            services,
            privacy,
            properties,
            ..empty()
        }
    }

    fn of(user: &User) -> Self {
        let profile = user.profile.as_deref();
        let status = |status: &Option<String>| status.clone().unwrap_or_default();
        let services = profile.and_then(|profile| profile.services.as_ref());
        let privacy = profile.and_then(|profile| profile.privacy.as_ref());
        let properties = profile.and_then(|profile| profile.properties.as_ref());
        let services = services.into_iter().flatten();
        let privacy = privacy.into_iter().flatten();
        let properties = properties.into_iter().flatten();
        Self {
            user: user.name.clone(),
            password: None,
            password_hash: Some(user.account.password_hash.clone()),
            sealed: None,
            alias: user.account.alias.clone(),
            disabled: user.account.disabled.then_some(true),
            services: services
                .map(|entry| (entry.name.clone(), status(&entry.status)))
                .collect(),
            privacy: privacy
                .map(|entry| (entry.name.clone(), status(&entry.status)))
                .collect(),
            properties: properties
                .map(|entry| (entry.name.clone(), status(&entry.value)))
                .collect(),
        }
    }
}

/// What an operator does with the accounts of a home domain, or of one shard of it.
pub struct Operator<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    sleepers: &'a Sleepers,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Operator<'a> {
    pub(super) fn of(
        users: &'a mut BTreeMap<String, Box<User>>,
        sleepers: &'a Sleepers,
        core: &'a mut Core,
        now: Time,
    ) -> Self {
        Self {
            users,
            sleepers,
            core,
            now,
        }
    }

    /// Makes a user with everything that is said of them, or not at all.
    ///
    /// # Errors
    /// The name is impossible or taken, there is no usable password hash, the domain is full, or
    /// something of the profile cannot be.
    pub fn import(&mut self, record: &UserRecord) -> Result<(), UserError> {
        let name = valid_name(&record.user, self.core.domain())?;
        let names = Names::of(self.users, self.sleepers);
        if names.has(&name) || self.users.contains_key(&name) {
            return Err(UserError::Exists(name));
        }
        if record.password_hash.is_none() {
            return Err(UserError::Refused(name, "there is no password".to_owned()));
        }
        if names.are_full(&self.core.settings) {
            return Err(UserError::Full("user"));
        }
        let mut user = User::new(&name);
        user.account.created = self.now;
        let change = Change::of(&user, self.core, record, self.now)?;
        change.make(&mut user, self.core, self.now);
        self.users.insert(name, Box::new(user));
        Ok(())
    }

    /// Changes what is said of a user; what is not named stays. All of it is changed, or nothing.
    /// Who is disabled is logged out, and others see them offline; what is for them waits.
    ///
    /// # Errors
    /// There is no such user, or something of it cannot be.
    pub fn change(&mut self, record: &UserRecord) -> Result<(), UserError> {
        let name = record.user.to_lowercase();
        let user = self.users.get_mut(&name).filter(|user| user.has_account());
        let user = user.ok_or_else(|| self.sleepers.not_awake(name))?;
        let change = Change::of(user, self.core, record, self.now)?;
        change.make(user, self.core, self.now);
        if user.account.disabled {
            end_sessions(user, self.core, self.now);
        }
        Presence::of(user, self.core, self.now).publish();
        Ok(())
    }

    /// The contact lists of a user.
    ///
    /// # Errors
    /// There is no such user, or another domain provides their lists.
    pub fn lists(&mut self, user: &str) -> Result<OperatorLists<'_>, UserError> {
        let name = user.to_lowercase();
        if self.core.settings.is_elsewhere("MCLS") {
            return Err(elsewhere(name));
        }
        let user = self.users.get_mut(&name).filter(|user| user.has_account());
        let user = user.ok_or_else(|| self.sleepers.not_awake(name))?;
        Ok(OperatorLists::of(user, self.core, self.now))
    }

    /// At most so many users, in the order of their names, from behind `after` on, all of whom have
    /// been woken.
    pub fn export(&self, after: &str, limit: usize) -> Vec<UserRecord> {
        let from = Bound::Excluded(after.to_owned());
        let users = self.users.range::<String, _>((from, Bound::Unbounded));
        let users = users
            .map(|(_, user)| &**user)
            .filter(|user| user.has_account());
        users.take(limit).map(UserRecord::of).collect()
    }
}

/// A user's account and profile as they are to be.
struct Change {
    account: Account,
    /// If anything is said of it.
    profile: Option<UserProfile>,
}

impl Change {
    /// What a record makes of a user; nothing is done yet.
    fn of(user: &User, core: &Core, record: &UserRecord, now: Time) -> Result<Self, UserError> {
        let refuse = |why: String| UserError::Refused(user.name.clone(), why);
        let mut account = user.account.clone();
        if let Some(hash) = &record.password_hash {
            if !password::is_hash(hash) {
                let why = "the password hash is no PHC string of argon2";
                return Err(refuse(why.to_owned()));
            }
            account.set_password(Credentials {
                hash: hash.clone(),
                sealed: record.sealed.clone(),
            });
        }
        if let Some(alias) = &record.alias {
            if alias.len() > MAX_TEXT {
                return Err(refuse(format!("the alias is longer than {MAX_TEXT} bytes")));
            }
            account.alias = Some(alias.clone()).filter(|alias| !alias.is_empty());
        }
        account.disabled = record.disabled.unwrap_or(account.disabled);
        let mut given = record.profile();
        if given == empty() {
            let profile = None;
            return Ok(Self { account, profile });
        }
        let services = &core.settings.services;
        for entry in given.services.iter_mut().flatten() {
            entry.pse = pse_of(services, &entry.name).cloned();
        }
        let own = OwnProfile { user, core };
        let (mut profile, parts) = (own.kept_profile(), own.parts_with(&given));
        let is_provided = |entry: &ProfileService| provided(services, entry);
        let changes = update(&mut profile, UpdateMode::Merge, given, is_provided);
        if let Some(why) = changes.refused().first() {
            return Err(refuse(why.clone()));
        }
        profile.modified = Some(core.skew.date(now));
        let profile = Some(parts.select(profile));
        Ok(Self { account, profile })
    }

    fn make(self, user: &mut User, core: &mut Core, now: Time) {
        user.account = self.account;
        user.save(core);
        if let Some(profile) = self.profile {
            core.act(records::put_profile(&user.name, &profile));
            user.profile = Some(Box::new(profile));
            user.tell_profile(core, now);
        }
    }
}

fn end_sessions(user: &mut User, core: &mut Core, now: Time) {
    let clients: Vec<ClientKey> = user.clients.keys().copied().collect();
    if clients.is_empty() {
        return;
    }
    for client in clients {
        Feeds::of(user, core, now).end_feed(client);
        let why = Over::Disabled;
        core.tell(client, ToClient::Over { why });
    }
    user.account.online = false;
    user.save(core);
    user.tell_profile(core, now);
}
