//! The embedded home domain: users, presence with authorization, messages that wait until they are taken.
//!
//! [`Home`] is a [`ServiceElement`]: pure state that is handed requests of the SAP, requests
//! of local clients and time, and queues [`Act`]s. Messages and presence between two users of the
//! domain go out through the SAP and come back by it like those of strangers, so there is one path
//! for all: nothing here reads or writes two users' state at once.
//!
//! A [`User`] is what is kept of one user. What happens to it is in services, each a type of its
//! own over one user (or, for requests of others, over all) and what all users share.
//!
//! | file | what |
//! |---|---|
//! | `user` | a user; `relation`: what is between them and one other address |
//! | `session` | what the user's clients ask ([`client`]) |
//! | `sending`, `sent`, `addresses` | messages of the user |
//! | `message`, `inbox`, `report`, `echo` | messages for the user, and reports on both |
//! | `feed`, `notice` | what waits for a user, and how the user's clients take it |
//! | `body`, `held`, `reads` | its contents: on disk, in memory, on the way |
//! | `own` | what users ask about themselves |
//! | `presence`, `watchers`, `subscription` | our users' presence, and who watches it |
//! | `contact_list`, `access` | contacts, who may see a user's presence, and who may write |
//! | `watching`, `reach`, `known` | other users' presence, as our users see it |
//! | `profile` | our users' profiles: services, privacy, terminals, properties |
//! | `group` | groups hosted here; `group_notice`: what groups tell our users |
//! | `invitation` | what our users invite others to, and others them |
//! | `information` | provider information, verification of ids |
//! | `records`, `core`, `random` | what is kept, and what all share |

mod access;
mod addresses;
mod body;
mod contact_list;
mod core;
mod echo;
mod feed;
mod group;
mod group_notice;
mod held;
mod inbox;
mod information;
mod invitation;
mod known;
mod message;
mod notice;
mod own;
pub mod password;
mod presence;
mod profile;
mod random;
mod reach;
mod reads;
mod records;
mod relation;
mod report;
mod sending;
mod sent;
mod session;
mod settings;
mod subscription;
#[cfg(test)]
mod tests;
mod user;
mod watchers;
mod watching;

use std::collections::{BTreeMap, BTreeSet};

use crate::element::{
    Act, Delivered, Edge, Element, Input, Loaded, RequestId, ServiceElement, Skew, Time, Token,
};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::Party;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::status::{Code, Status};

pub use crate::element::client::{self, ClientKey, FromClient, Over, Takes, ToClient};
pub use group::{GroupError, GroupSettings, GroupView};
pub use known::{Availability, Known};
pub use settings::{Authorization, HomeSettings};
pub use user::{ECHO, UserError};

use self::core::{Asked, Asker, Core, Timer};
use self::feed::Feeds;
use self::group::{ForGroup, Groups};
use self::group_notice::GroupNotice;
use self::information::Information;
use self::invitation::{Book, InvitationRequests, Inviting};
use self::message::{Arrivals, Delivery};
use self::own::OwnRequests;
use self::presence::Presence;
use self::profile::Profiles;
use self::sending::Sending;
use self::session::Session;
use self::subscription::Subscriptions;
use self::user::{Account, User, remove, valid_name};
use self::watchers::Watchers;
use self::watching::Watching;

/// The name of the home domain's service element.
pub const ELEMENT: Element = Element::named("Home");
/// What a home domain serves to everybody.
pub const SERVES: &[&str] = &[
    "SUBPR",
    "GETPR",
    "SENDM",
    "MDELIV",
    "GETSPI",
    "VRID",
    "GETUP",
    "UPDUP",
    "SearchFunc",
    "GroupFeat",
    "InviteFunc",
    "ContentFeat",
];
/// What it serves to its own users besides; it provides that to nobody else's.
pub const SERVES_OWN: &[&str] = &[
    "UPDPR", "GETWL", "REACT", "CAAUT", "GETAUT", "GCLI", "MCLS", "GLBLU", "BLENT",
];
/// What the echo user of a node without home domain serves.
const ECHO_SERVES: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV"];

/// The home domain's service elements.
pub struct Home {
    /// Users by the local part of their address.
    users: BTreeMap<String, User>,
    groups: Groups,
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

/// The client whose command is carried out.
#[derive(Debug, Clone)]
struct Caller {
    /// To answer with; `None` for a notice.
    id: Option<RequestId>,
    /// The requesting home domain.
    domain: String,
    /// The requesting user, if a user asks.
    user: Option<Address>,
}

impl Caller {
    /// As groups know it.
    fn from(&self) -> group::From<'_> {
        group::From {
            id: self.id,
            domain: &self.domain,
            user: self.user.as_ref(),
        }
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
            users.insert(ECHO.to_owned(), echo);
        }
        Self {
            users,
            groups: Groups::new(settings.group_settings(), seed ^ 0x6772_6f75_7073),
            core: Core::new(settings, seed),
            stale: Vec::new(),
        }
    }

    /// Whether this is a home domain at all, with other users than the echo user.
    pub fn has_users(&self) -> bool {
        self.core.settings.users
    }

    /// Sends every watcher in the domains that `behind` picks what they may see, because the way to
    /// them was established anew and notifications may have been lost (presence-attributes, 5).
    fn refresh_domains(&mut self, behind: impl Fn(&str) -> bool, now: Time) {
        let Self { users, core, .. } = self;
        for user in users.values_mut() {
            if user.forget_shown(&behind) {
                Presence::of(user, core, now).publish();
            }
        }
    }

    /// The requestor, where the request makes no sense without one; else answered.
    fn requestor(&mut self, caller: &Caller) -> Option<Address> {
        if caller.user.is_none() {
            let status = Status::new(Code::BAD_PARAMETER).because("No user is asking.");
            self.core.respond(caller.id, status);
        }
        caller.user.clone()
    }

    fn end_request(&mut self, token: Token, answer: &Status, now: Time) {
        self.answer(token, Primitive::from(answer.clone()), now);
    }

    /// Opens a session of a user. Tells it [`ToClient::Opened`], then what waits for the user, as far
    /// as it takes that, and then what comes. With the first session the user comes online.
    ///
    /// # Errors
    /// There is no such user, they have too many sessions, or the key is taken.
    pub fn client_open(
        &mut self,
        client: ClientKey,
        user: &str,
        takes: Takes,
        now: Time,
    ) -> Result<(), UserError> {
        let Self { users, core, .. } = self;
        let name = user.to_lowercase();
        let Some(user) = users.get_mut(&name).filter(|user| !user.builtin) else {
            return Err(UserError::Unknown(name));
        };
        if user.clients.len() >= core.settings.max_clients || core.clients.contains_key(&client) {
            return Err(UserError::Full("client session"));
        }
        let is_first = user.clients.is_empty();
        core.clients.insert(client, name);
        Feeds::of(user, core, now).begin_feed(client, takes);
        if is_first {
            user.availability = Availability::default();
            user.account.online = true;
            user.save(core);
            Presence::of(user, core, now).publish();
        }
        user.tell_profile(core, now);
        Feeds::of(user, core, now).feed();
        Ok(())
    }

    /// Ends a session, if it is open. With the last one the user goes offline.
    pub fn client_close(&mut self, client: ClientKey, now: Time) {
        let Self { users, core, .. } = self;
        let Some(user) = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name))
        else {
            return;
        };
        Feeds::of(user, core, now).end_feed(client);
        user.tell_profile(core, now);
        if user.clients.is_empty() {
            user.account.online = false;
            user.save(core);
            Presence::of(user, core, now).publish();
        }
    }

    /// Hands over a request of a client's user, or tells that it is not open.
    pub fn client_request(&mut self, client: ClientKey, id: String, what: Primitive, now: Time) {
        let Self { users, core, .. } = self;
        let asker = Asker { client, id };
        let user = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name));
        if let Some(user) = user {
            Session::of(user, core, now).request(asker, what);
        } else {
            let why = "The session is not open.";
            core.answer(asker, Status::new(Code::INVALID_SESSION).because(why));
        }
    }

    /// A client has taken what it was told under a number.
    pub fn client_ack(&mut self, client: ClientKey, number: u64, now: Time) {
        let Self { users, core, .. } = self;
        if let Some(user) = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name))
        {
            Session::of(user, core, now).acknowledge(client, number);
        }
    }

    /// Makes a user. `password_hash` comes from [`password::hash`].
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

    /// Removes a user with everything that is kept for them. Those who watched them see nothing any
    /// more, waiting messages are reported undeliverable, and their clients are told and closed.
    ///
    /// # Errors
    /// There is no such user.
    pub fn remove_user(&mut self, name: &str, now: Time) -> Result<(), UserError> {
        let name = name.to_lowercase();
        match self.users.remove(&name) {
            Some(user) if !user.builtin => {
                let address = user.address(&self.core);
                remove(user, &mut self.core, now);
                self.groups.healing(now).user_removed(&address);
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

    /// The hash of a user's password, to be checked by [`password::verify`].
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
                self.take_message(&caller, *request, now);
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
            own @ (Primitive::UpdatePresenceRequest(_)
            | Primitive::GetWatcherListRequest(_)
            | Primitive::PresenceAuthUserRequest(_)
            | Primitive::CancelAuthRequest(_)
            | Primitive::GetReactiveAuthStatusRequest(_)
            | Primitive::GetListRequest(_)
            | Primitive::ListManageRequest(_)
            | Primitive::GetBlockedListRequest(_)
            | Primitive::BlockEntityRequest(_)) => {
                OwnRequests::of(self, &caller, now).serve(own);
            }
            Primitive::PresenceAuthRequest(request) => {
                OwnRequests::of(self, &caller, now).ask(*request);
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

    /// Takes a message for users and groups of ours. They are answered together.
    fn take_message(&mut self, caller: &Caller, mut request: SendMessageRequest, now: Time) {
        let mut for_groups = self.groups.take_out(caller.from(), &mut request);
        if for_groups.is_empty() {
            Delivery::of(self, caller, now).serve(request, &[]);
            return;
        }
        if request.info.recipients.is_empty() {
            let response = message::response(&request, &for_groups);
            self.core.respond(caller.id, response);
        } else if !Delivery::of(self, caller, now).serve(request.clone(), &for_groups) {
            let refuse = |group: &mut ForGroup| group.refuse(Code::ADDRESS);
            for_groups.iter_mut().for_each(refuse);
        }
        self.groups
            .take_messages(caller.from(), &request, for_groups, now);
    }

    fn answer(&mut self, token: Token, answer: Primitive, now: Time) {
        if self.groups.answer(token, &answer, now) {
            return;
        }
        let Self { users, core, .. } = self;
        let Some(pending) = core.requests.remove(&token) else {
            return;
        };
        core.timers.remove(&(pending.until, Timer::Request(token)));
        let Some(user) = users.get_mut(&pending.user) else {
            return;
        };
        user.in_flight -= 1;
        if pending.what.is_durable() {
            core.act(records::delete_request(&user.name, token));
        }
        let asker = pending.asker;
        match pending.what {
            Asked::Message { id, to } => {
                Sending::of(user, core, now).message_answered(asker, id, to, &answer);
            }
            Asked::Subscribe { to } => {
                let status = status_of(&answer);
                Watching::of(user, core, now).subscribe_answered(asker, &to, &status);
            }
            Asked::Admission { invitation } => {
                Inviting::of(user, core, now).admitted(asker, *invitation, answer);
            }
            Asked::Invitation { number } => {
                Inviting::of(user, core, now).answered(asker, number, answer);
            }
            Asked::Other => Session::of(user, core, now).answered(asker, answer),
        }
    }

    /// Contents of what waits for a user came from the store.
    fn loaded(&mut self, loaded: Loaded, now: Time) {
        let Self { users, core, .. } = self;
        let whose = core.reads.end(loaded.number);
        if let Some(user) = whose.and_then(|name| users.get_mut(&name)) {
            Feeds::of(user, core, now).loaded(loaded);
        }
        while core.reads.may_begin(core.settings.max_read_bytes)
            && let Some(name) = core.reads.next()
        {
            if let Some(user) = users.get_mut(&name) {
                Feeds::of(user, core, now).feed();
            }
        }
    }

    fn is_due(&mut self, now: Time) {
        for name in std::mem::take(&mut self.stale) {
            if let Some(user) = self.users.get_mut(&name)
                && user.account.online != user.is_online()
            {
                user.account.online = user.is_online();
                user.save(&mut self.core);
                Presence::of(user, &mut self.core, now).publish();
                user.tell_profile(&mut self.core, now);
            }
        }
        while let Some((at, _)) = self.core.timers.first()
            && *at <= now
            && let Some((_, timer)) = self.core.timers.pop_first()
        {
            let (users, core) = (&mut self.users, &mut self.core);
            match timer {
                Timer::Arrival(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Arrivals::of(user, core, now).expire_arrival(number);
                    }
                }
                Timer::Notice(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Feeds::of(user, core, now).drop_notice(number);
                    }
                }
                Timer::Invitation(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Book::of(user, core).remove(number);
                    }
                }
                Timer::Read(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        Feeds::of(user, core, now).feed();
                    }
                }
                Timer::Watchers(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        Watchers::of(user, core, now).expire_watchers();
                    }
                }
                Timer::Retry(name, other) => {
                    if let Some(user) = users.get_mut(&name) {
                        Watching::of(user, core, now).retry_subscription(&other);
                    }
                }
                Timer::Away(domain) => self.is_away(&domain, now),
                Timer::Request(token) => {
                    self.end_request(token, &Status::new(Code::TIMEOUT), now);
                }
            }
        }
    }
}

impl ServiceElement for Home {
    fn name(&self) -> Element {
        ELEMENT
    }

    fn serves(&self) -> &'static [&'static str] {
        if self.has_users() {
            SERVES
        } else {
            ECHO_SERVES
        }
    }

    fn is_at(&self, edge: Edge) -> bool {
        edge == Edge::Clients
    }

    fn prefix(&self) -> &'static str {
        records::PREFIX
    }

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.take_back(key, value)
    }

    fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Deliver(delivered) => self.deliver(delivered, now),
            Input::Answer(token, answer) => self.answer(token, answer, now),
            Input::Reached(domains) => {
                self.groups.healing(now).reached(&domains);
                self.reached(&domains, now);
            }
            Input::Lost(domains) => {
                self.groups.healing(now).lost(&domains);
                self.lost(&domains, now);
            }
            Input::Loaded(loaded) => self.loaded(loaded, now),
            Input::Client(client, FromClient::Open { user, takes }) => {
                let why = match self.client_open(client, &user, takes, now) {
                    Ok(()) => return,
                    Err(UserError::Unknown(_)) => Over::Unknown,
                    Err(_) => Over::TooMany,
                };
                self.core.tell(client, ToClient::Over { why });
            }
            Input::Client(client, FromClient::Request { id, primitive }) => {
                self.client_request(client, id, *primitive, now);
            }
            Input::Client(client, FromClient::Ack { number }) => {
                self.client_ack(client, number, now);
            }
            Input::Client(client, FromClient::Close) => self.client_close(client, now),
            Input::Xmpp(..) => {}
        }
    }

    fn timeout(&mut self, now: Time) {
        self.is_due(now);
        self.groups.timeout(now);
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.stale.is_empty() {
            return Some(Time(0));
        }
        let own = self.core.timers.first().map(|(at, _)| *at);
        own.into_iter().chain(self.groups.next_timeout()).min()
    }

    fn next_act(&mut self) -> Option<Act> {
        self.core.next_act().or_else(|| self.groups.next_act())
    }

    fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
        self.groups.set_skew(skew);
    }

    fn concerned(&self) -> BTreeSet<String> {
        let mut domains = self.core.away.domains();
        for user in self.users.values() {
            user.concerned(&mut domains);
        }
        self.groups.concerned(&mut domains);
        domains
    }

    fn messages_open(&self) -> u64 {
        let waiting = self.users.values().map(|user| user.inbox.waiting() as u64);
        waiting.sum()
    }
}

/// The verdict within an answer.
fn status_of(answer: &Primitive) -> Status {
    let unexpected =
        || Status::new(Code::INTERNAL).because(format!("Unexpected {}.", answer.name()));
    answer.verdict().cloned().unwrap_or_else(unexpected)
}
