//! One user of the home domain, and their administration.

use std::collections::BTreeMap;

use crate::element::{Act, Outcome, Time, Token};
use crate::ssp::address::{Address, Kind};
use crate::ssp::primitive::profile::UserProfile;
use crate::ssp::status::{Code, Status};

use super::Home;
use super::client::{Availability, ClientKey, Event};
use super::core::{Asked, Core, Pending, Timer};
use super::feed::Feed;
use super::inbox::Inbox;
use super::notice::Notice;
use super::records;
use super::relation::Relation;
use super::sent::Sent;

pub use crate::sap::ECHO;

/// Why users cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The name cannot stand in an address.
    #[error("{0:?} is not a possible user name")]
    Invalid(String),
    /// There is one of that name.
    #[error("the user {0} exists already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The bound of the settings is reached.
    #[error("there is no room for another {0}")]
    Full(&'static str),
}

/// What is kept of a user himself; one record.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Account {
    /// PHC string.
    pub(super) password_hash: String,
    /// When the account was made.
    pub(super) created: Time,
    /// Whether watchers were told that the user is online.
    #[serde(default)]
    pub(super) online: bool,
    /// Status text, if ever set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// Mood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mood: Option<String>,
    /// Nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<String>,
}

/// One user.
#[derive(Debug, Default)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) account: Account,
    /// The parts of the profile that were changed.
    pub(super) profile: Option<Box<UserProfile>>,
    /// The echo user: no account record, always online, authorizes everybody.
    pub(super) builtin: bool,
    /// Those that are logged in, with what each was told of the queue.
    pub(super) clients: BTreeMap<ClientKey, Feed>,
    pub(super) availability: Availability,
    pub(super) relations: BTreeMap<Address, Relation>,
    /// How many relations have a watcher; bounded.
    pub(super) watchers: usize,
    pub(super) inbox: Inbox,
    pub(super) notices: BTreeMap<u64, Notice>,
    pub(super) notice_bytes: usize,
    /// The last number given in the queue since the start.
    pub(super) numbered: Option<u64>,
    /// Requests that wait for their answer.
    pub(super) in_flight: usize,
    /// Messages of his own, as they are known to be repeated by.
    pub(super) sent: Sent,
}

impl Home {
    /// Makes a user. `password_hash` comes from [`super::password::hash`].
    ///
    /// # Errors
    /// The name is impossible or taken, or the domain is full.
    pub fn add_user(
        &mut self,
        name: &str,
        password_hash: String,
        now: Time,
    ) -> Result<(), UserError> {
        let name = valid_name(name, self.core.domain())?;
        if self.users.contains_key(&name) {
            return Err(UserError::Exists(name));
        }
        if self.users.len() >= self.core.settings.max_users {
            return Err(UserError::Full("user"));
        }
        let user = User {
            account: Account {
                password_hash,
                created: now,
                ..Account::default()
            },
            ..User::new(&name)
        };
        user.save(&mut self.core);
        self.users.insert(name, user);
        Ok(())
    }

    /// Removes a user with everything that belongs to him. Those who watched him see nothing any
    /// more, waiting messages are reported undeliverable, and his clients are told and closed.
    ///
    /// # Errors
    /// There is no such user.
    pub fn remove_user(&mut self, name: &str, now: Time) -> Result<(), UserError> {
        let name = name.to_lowercase();
        match self.users.remove(&name) {
            Some(user) if !user.builtin => {
                remove(user, &mut self.core, now);
                Ok(())
            }
            Some(builtin) => {
                self.users.insert(name.clone(), builtin);
                Err(UserError::Unknown(name))
            }
            None => Err(UserError::Unknown(name)),
        }
    }

    /// Gives a user another password.
    ///
    /// # Errors
    /// There is no such user.
    pub fn set_password_hash(
        &mut self,
        name: &str,
        password_hash: String,
    ) -> Result<(), UserError> {
        let name = name.to_lowercase();
        match self.users.get_mut(&name).filter(|user| !user.builtin) {
            Some(user) => {
                user.account.password_hash = password_hash;
                user.save(&mut self.core);
                Ok(())
            }
            None => Err(UserError::Unknown(name)),
        }
    }

    /// Names of all users, in order; the echo user is not one of them.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users
            .values()
            .filter(|user| !user.builtin)
            .map(|user| user.name.as_str())
    }

    /// The hash of a user's password, to be checked by [`super::password::verify`].
    pub fn password_hash(&self, name: &str) -> Option<&str> {
        self.users
            .get(&name.to_lowercase())
            .filter(|user| !user.builtin)
            .map(|user| user.account.password_hash.as_str())
    }

    /// Whether a user has a client session.
    pub fn is_online(&self, name: &str) -> bool {
        self.users
            .get(&name.to_lowercase())
            .is_some_and(User::is_online)
    }
}

impl User {
    /// A user without account.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn address(&self, core: &Core) -> Address {
        Address::user(&self.name, core.domain())
    }

    pub(super) fn is_online(&self) -> bool {
        self.builtin || !self.clients.is_empty()
    }

    /// Tells all clients of the user.
    pub(super) fn tell(&self, core: &mut Core, event: &Event) {
        for client in self.clients.keys() {
            core.tell(*client, event.clone());
        }
    }

    /// Writes the account.
    pub(super) fn save(&self, core: &mut Core) {
        if !self.builtin {
            core.act(records::put_account(&self.name, &self.account));
        }
    }

    /// Changes what is between the user and somebody, and writes it.
    pub(super) fn relate(
        &mut self,
        core: &mut Core,
        other: &Address,
        change: impl FnOnce(&mut Relation),
    ) {
        let relation = self.relations.entry(other.clone()).or_default();
        let before = relation.clone();
        change(relation);
        let (had, has) = (before.watcher.is_some(), relation.watcher.is_some());
        self.watchers = self.watchers + usize::from(has) - usize::from(had);
        if relation.is_empty() {
            self.relations.remove(other);
            if !before.is_empty() {
                core.act(records::delete_relation(&self.name, other));
            }
        } else if *relation != before {
            core.act(records::put_relation(&self.name, other, relation));
        }
    }

    /// Whether the user may make something of `other`.
    pub(super) fn has_room_for(&self, other: &Address, core: &Core) -> bool {
        self.relations.get(other).is_some_and(Relation::is_own)
            || self.relations.values().filter(|r| r.is_own()).count() < core.settings.max_contacts
    }

    /// Sends a request of the user and remembers what it was about.
    pub(super) fn ask(
        &mut self,
        core: &mut Core,
        client: Option<ClientKey>,
        what: Asked,
        primitive: impl Into<crate::ssp::Primitive>,
        expires: Time,
    ) {
        let token = core.token();
        let pending = Pending {
            user: self.name.clone(),
            client,
            // The SAP answers every request; it gets a little longer than the request.
            until: expires.plus_seconds(60),
            what,
        };
        if pending.what.is_durable() {
            core.act(records::put_request(&self.name, token, &pending));
        }
        core.act(Act::Request {
            token,
            primitive: primitive.into(),
            expires,
        });
        self.expect(core, token, pending);
    }

    /// Waits for the answer to a request.
    pub(super) fn expect(&mut self, core: &mut Core, token: Token, pending: Pending) {
        self.in_flight += 1;
        if let Asked::Message { id, to } = &pending.what {
            self.sent.wait(id, to, token);
        }
        core.timers.insert((pending.until, Timer::Request(token)));
        core.requests.insert(token, pending);
    }

    /// Whether the user may ask something more.
    pub(super) fn may_ask(&self, core: &Core) -> bool {
        self.in_flight < core.settings.max_requests
    }
}

fn valid_name(name: &str, domain: &str) -> Result<String, UserError> {
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
        core.tell(
            client,
            Event::error("login", None, Code::UNKNOWN_USER, "The user was removed."),
        );
    }
    let others: Vec<Address> = user.relations.keys().cloned().collect();
    for other in others {
        user.hide(core, &other, now);
        if user
            .relations
            .get(&other)
            .is_some_and(|relation| relation.subscription.is_some())
        {
            user.end_subscription(core, &other, now);
        }
        core.act(records::delete_relation(&user.name, &other));
    }
    for number in user.inbox.numbers() {
        user.end_arrival(
            core,
            number,
            &gone,
            Outcome::Refused(Code::UNKNOWN_USER.0),
            now,
        );
    }
    let notices: Vec<u64> = user.notices.keys().copied().collect();
    for number in notices {
        user.drop_notice(number, core);
    }
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
    if user.profile.is_some() {
        core.act(records::delete_profile(&user.name));
    }
    core.act(records::delete_account(&user.name));
}
