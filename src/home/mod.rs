//! The embedded home domain: users, presence with authorization, messages that wait until they are taken.
//!
//! [`Home`] is a [`ServiceElement`](crate::element::ServiceElement): pure state that is handed requests of the SAP, requests
//! of local clients and time, and queues [`Act`](crate::element::Act)s. Messages and presence between two users of the
//! domain go out through the SAP and come back by it like those of strangers, so there is one path
//! for all: nothing here reads or writes two users' state at once.
//!
//! A [`User`] is what is kept of one user. What happens to it is in services, each a type of its
//! own over one user (or, for requests of others, over all) and what all users share.
//!
//! | file | what |
//! |---|---|
//! | `accounts` | users made and removed |
//! | `operator`, `operator_lists` | users moved in and out, changed and disabled; their contact lists |
//! | `credentials`, `password`, `seal` | passwords, as they are kept |
//! | `user`, `user_error` | a user, and why something cannot be done with one; `relation`: what is between them and one other address |
//! | `clients`, `session` | what the user's clients do, and ask ([`client`]) |
//! | `sending`, `sent`, `addresses` | messages of the user |
//! | `message`, `inbox`, `report`, `echo` | messages for the user, and reports on both |
//! | `feed`, `feeds`, `telling` | what waits for a user, and how the user's clients take it |
//! | `message_store`, `fetches` | messages that wait, as their user asks for them |
//! | `notice`, `notices` | what waits besides messages |
//! | `body`, `held`, `contents`, `reads` | contents: on disk, in memory, on the way |
//! | `own` | what users ask about themselves |
//! | `presence`, `watchers`, `subscription` | our users' presence, and who watches it |
//! | `guests`, `remote`; `handed`, `provider` | what is provided here to users of other home domains; and elsewhere to ours |
//! | `contact_list` | a user's contact lists |
//! | `authorization` | who may see which attributes of a user's presence: decision, attribute lists, requests |
//! | `access` | who may reach a user |
//! | `watching`, `reach`, `known` | other users' presence, as our users see it |
//! | `profile` | our users' profiles: services, privacy, terminals, properties |
//! | `group` | groups hosted here; `group_notice`: what groups tell our users |
//! | `invitation` | what our users invite others to, and others them |
//! | `information` | provider information, verification of ids |
//! | `search` | who finds whom, and which groups |
//! | `caller`, `answers`, `due` | who asks; what others answer; what is to be done at its time |
//! | `element` | the service element as the joint drives it |
//! | `names` | who is a user |
//! | `at_rest`, `head`, `sleeper`, `sleepers` | users for whom nothing waits: on disk, and what memory has of them |
//! | `resting` | how they come to rest and wake |
//! | `records`, `core`, `random` | what is kept, and what all share |
//! | `served` | the functions that are served, by their names in the service tree |

mod access;
mod accounts;
mod addresses;
mod answers;
mod at_rest;
mod authorization;
mod body;
mod caller;
mod clients;
mod contact_list;
mod contents;
mod core;
mod credentials;
mod due;
mod echo;
mod element;
mod feed;
mod feeds;
mod fetches;
mod group;
mod group_notice;
mod guests;
mod handed;
mod head;
mod held;
mod inbox;
mod information;
mod invitation;
mod known;
mod message;
mod message_store;
mod names;
mod notice;
mod notices;
mod operator;
mod operator_lists;
mod own;
pub mod password;
mod presence;
mod profile;
mod provider;
mod random;
mod reach;
mod reads;
mod records;
mod relation;
mod remote;
mod report;
mod resting;
mod seal;
mod search;
mod sending;
mod sent;
mod served;
mod session;
mod settings;
mod showing;
mod sleeper;
mod sleepers;
mod subscription;
mod telling;
#[cfg(test)]
mod tests;
mod user;
mod user_error;
mod watchers;
mod watching;

use std::collections::BTreeMap;

use crate::element::{Delivered, Element, Time};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::Party;
use crate::imps::status::{Code, Status};

pub use crate::element::client::{
    self, ClientKey, Delivery, FromClient, Method, Over, Takes, ToClient,
};
pub use credentials::Credentials;
pub use group::{GroupError, GroupSettings, GroupView};
pub use known::{Availability, Known};
pub use names::{Names, UserCount};
pub use operator::{Operator, UserRecord};
pub use operator_lists::{ListView, OperatorLists};
pub use seal::Seal;
pub use served::{SERVES, SERVES_OWN};
pub use settings::{Authorization, HomeSettings};
pub use user::ECHO;
pub use user_error::UserError;

use self::accounts::Accounts;
use self::answers::Answers;
use self::caller::Caller;
use self::clients::Clients;
use self::core::Core;
use self::group::Groups;
use self::group_notice::GroupNotice;
use self::handed::HandedOver;
use self::information::Information;
use self::invitation::InvitationRequests;
use self::message::Submission;
use self::own::OwnRequests;
use self::profile::Profiles;
use self::resting::{Rest, Resting};
use self::search::{Searches, Searching};
use self::subscription::Subscriptions;
use self::user::User;

/// The name of the home domain's service element.
pub const ELEMENT: Element = Element::named("Home");

/// The home domain's service elements.
pub struct Home {
    /// Users who are awake, by the local part of their address.
    users: BTreeMap<String, Box<User>>,
    /// Those of them who are on disk only.
    resting: Resting,
    groups: Groups,
    searches: Searches,
    core: Core,
    /// Users of whom watchers think that they are online, from before a restart.
    stale: Vec<String>,
}

/// Without messages and password hashes, which have no place in logs.
impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Home")
            .field("domain", &self.core.settings.domain)
            .field("users", &self.users.len())
            .field("clients", &self.core.clients.len())
            .field("requests", &self.core.requests.len())
            .finish_non_exhaustive()
    }
}

impl Home {
    /// An empty home domain. `seed` must be random and fresh at every start: message ids and
    /// tokens are made from it.
    pub fn new(settings: HomeSettings, seed: u64) -> Self {
        let mut users = BTreeMap::new();
        if settings.echo {
            let echo = User {
                builtin: true,
                ..User::new(ECHO)
            };
            users.insert(ECHO.to_owned(), Box::new(echo));
        }
        Self {
            users,
            resting: Resting::default(),
            groups: Groups::new(settings.group_settings(), seed ^ 0x6772_6f75_7073),
            searches: Searches::default(),
            core: Core::new(settings, seed),
            stale: Vec::new(),
        }
    }

    /// Whether this is a home domain at all, with other users than the echo user.
    pub fn has_users(&self) -> bool {
        self.core.settings.users
    }

    /// Whether the session of a client is open.
    pub fn has_client(&self, client: ClientKey) -> bool {
        self.core.clients.contains_key(&client)
    }

    /// Sessions of clients.
    fn clients(&mut self, now: Time) -> Clients<'_> {
        let Self {
            users,
            resting,
            core,
            ..
        } = self;
        Clients::of((users, resting.sleepers()), core, now)
    }

    /// Answers to what users and groups have asked.
    fn answers(&mut self, now: Time) -> Answers<'_> {
        let Self {
            users,
            groups,
            core,
            ..
        } = self;
        Answers::of(users, groups, core, now)
    }

    /// What an operator does with accounts.
    pub fn operator(&mut self, now: Time) -> Operator<'_> {
        let Self {
            users,
            resting,
            core,
            ..
        } = self;
        Operator::of(users, resting.sleepers(), core, now)
    }

    /// Whether the account of a user is disabled.
    pub fn is_disabled(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        match self.users.get(&name) {
            Some(user) => user.account.disabled,
            None => self.resting.sleepers().is_disabled(&name),
        }
    }

    /// Accounts of users.
    fn accounts(&mut self, now: Time) -> Accounts<'_> {
        let Self {
            users,
            resting,
            groups,
            core,
            ..
        } = self;
        Accounts::of((users, resting.sleepers_mut()), groups, core, now)
    }

    /// Makes a user; the hash of their password comes from [`password::hash`].
    ///
    /// # Errors
    /// The name is impossible or taken, or the domain is full.
    pub fn add_user(
        &mut self,
        name: &str,
        password: impl Into<Credentials>,
        now: Time,
    ) -> Result<(), UserError> {
        self.accounts(now).add(name, password.into())
    }

    /// Removes a user with everything that is kept for them. Those who watched them see nothing any
    /// more, waiting messages are reported undeliverable, and their clients are told and closed.
    ///
    /// # Errors
    /// There is no such user.
    pub fn remove_user(&mut self, name: &str, now: Time) -> Result<(), UserError> {
        self.accounts(now).remove(name)
    }

    /// Gives a user another password. Nothing of the old one is kept.
    ///
    /// # Errors
    /// There is no such user.
    pub fn set_password_hash(
        &mut self,
        name: &str,
        password: impl Into<Credentials>,
    ) -> Result<(), UserError> {
        let name = name.to_lowercase();
        match self.users.get_mut(&name).filter(|user| user.has_account()) {
            Some(user) => {
                user.account.set_password(password.into());
                user.save(&mut self.core);
                Ok(())
            }
            None => Err(self.resting.sleepers().not_awake(name)),
        }
    }

    /// Why there is nothing to be done with a user who is not awake.
    pub fn not_awake(&self, name: &str) -> UserError {
        self.resting.sleepers().not_awake(name.to_lowercase())
    }

    /// Names of all users; the echo user is not one of them.
    pub fn names(&self) -> Names<'_> {
        Names::of(&self.users, self.resting.sleepers())
    }

    /// Brings users into memory, before an operator looks at them or changes them. Says whether
    /// all are there who can be read; else it is to be asked again in a moment.
    pub fn wake(&mut self, names: &[String], now: Time) -> bool {
        Rest::of(self, now).wake(names)
    }

    /// The hash of the password of a user who is awake, to be checked by [`password::verify`].
    pub fn password_hash(&self, name: &str) -> Option<&str> {
        self.users
            .get(&name.to_lowercase())
            .filter(|user| user.has_account())
            .map(|user| user.account.password_hash.as_str())
    }

    /// What is kept of the password of a user who is awake.
    pub fn credentials(&self, name: &str) -> Option<Credentials> {
        let user = self.users.get(&name.to_lowercase());
        let account = &user.filter(|user| user.has_account())?.account;
        Some(Credentials {
            hash: account.password_hash.clone(),
            sealed: account.sealed.clone(),
        })
    }

    /// Whether a user has a client session.
    pub fn is_online(&self, name: &str) -> bool {
        self.users
            .get(&name.to_lowercase())
            .is_some_and(|user| user.is_online())
    }

    /// Makes a group of the provider: by name, with properties as on the wire.
    ///
    /// # Errors
    /// The name or a property is impossible, the name is taken, or the domain is full.
    pub fn add_group(
        &mut self,
        name: &str,
        properties: &[(String, String)],
        now: Time,
    ) -> Result<(), GroupError> {
        self.groups.operator().provide(name, properties, now)
    }

    /// Makes a user an administrator of a group, of whatever domain they are.
    ///
    /// # Errors
    /// There is no such group, or the address names no user.
    pub fn appoint(&mut self, group: &str, user: &str) -> Result<(), GroupError> {
        let user = self.core.at_home(&Address::new(user));
        let role = Some(group::Role::Admin);
        self.groups.operator().appoint(group, &user, role)
    }

    /// Ends a group, whoever owns it: those who are joined are told.
    ///
    /// # Errors
    /// There is no such group.
    pub fn remove_group(&mut self, name: &str, now: Time) -> Result<(), GroupError> {
        self.groups.operator().withdraw(name, now)
    }

    /// A user of the domain whose account was kept elsewhere is no more: groups forget them.
    pub fn forget_member(&mut self, user: &str, now: Time) {
        let user = Address::user(user, self.core.domain());
        self.groups.healing(now).user_removed(&user);
    }

    /// All groups, in order.
    pub fn groups(&self) -> impl Iterator<Item = GroupView> + '_ {
        self.groups.views()
    }

    /// One group, by address or by the name of one of the provider's.
    pub fn group(&self, name: &str) -> Option<GroupView> {
        self.groups.view_of(name)
    }

    fn deliver(&mut self, delivered: Delivered, now: Time) {
        let caller = Caller {
            id: delivered.id,
            domain: delivered.from_domain,
            user: delivered.user,
        };
        match delivered.primitive {
            Primitive::SendMessageRequest(request) => {
                Submission::of(self, &caller, now).take(*request);
            }
            Primitive::DeliveryStatusReport(report) => self.take_report(&report, now),
            Primitive::SubscribeRequest(request) => {
                Subscriptions::of(self, &caller, now).subscribe(&request);
            }
            Primitive::UnsubscribeRequest(request) => {
                Subscriptions::of(self, &caller, now).unsubscribe(&request);
            }
            Primitive::GetPresenceRequest(request) => {
                Subscriptions::of(self, &caller, now).get_presence(&request);
            }
            Primitive::PresenceNotification(notice) => self.take_presence(&notice, now),
            Primitive::GroupChangeNotice(notice) => {
                GroupNotice::Change(notice).tell(&self.users, &mut self.core);
            }
            Primitive::LeaveGroupIndication(notice) => {
                GroupNotice::Leave(notice).tell(&self.users, &mut self.core);
            }
            Primitive::InviteRequest(request) if self.invites_user(request.invited.as_ref()) => {
                InvitationRequests::of(self, &caller, now).invite(*request);
            }
            Primitive::CancelInviteRequest(request)
                if self.invites_user(request.canceled.as_ref()) =>
            {
                InvitationRequests::of(self, &caller, now).cancel(*request);
            }
            Primitive::InviteResponse(response) => {
                InvitationRequests::of(self, &caller, now).answer(&response);
            }
            Primitive::GetSPInfoRequest(request) => Information::of(self, &caller).info(*request),
            Primitive::VerifyIDRequest(request) => Information::of(self, &caller).verify(&request),
            Primitive::GetUserProfileRequest(request) => {
                Profiles::of(self, &caller, now).get_profile(&request);
            }
            Primitive::UpdateUserProfileRequest(request) => {
                Profiles::of(self, &caller, now).update_profile(*request);
            }
            own if OwnRequests::serves(&own) => OwnRequests::of(self, &caller, now).serve(own),
            Primitive::PresenceAuthRequest(request) => {
                OwnRequests::of(self, &caller, now).ask(*request);
            }
            Primitive::NewMessage(message) => {
                HandedOver::of(self).message(&caller, *message, delivered.expires);
            }
            Primitive::MessageNotification(notice) => {
                HandedOver::of(self).notice(&caller, *notice);
            }
            Primitive::SearchRequest(request) if self.has_users() => {
                Searching::of(self, &caller, now).search(&request);
            }
            Primitive::StopSearchRequest(request) if self.has_users() => {
                Searching::of(self, &caller, now).stop(&request.search_id);
            }
            Primitive::Unknown(_) => {
                self.core
                    .respond(caller.id, Status::new(Code::NOT_SUPPORTED));
            }
            request if self.has_users() => {
                self.groups.serve(caller.from(), request, now);
            }
            _ => self
                .core
                .respond(caller.id, Status::new(Code::NOT_IMPLEMENTED)),
        }
    }

    /// Whether an invitation is for a user, or nobody, rather than a group's participant.
    fn invites_user(&self, party: Option<&Party>) -> bool {
        let is_of_group = party.is_some_and(|party| !matches!(party, Party::User(_)));
        self.has_users() && !is_of_group
    }
}
