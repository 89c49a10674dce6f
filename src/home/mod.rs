//! The embedded home domain: users, presence with authorization, messages that wait until they are taken.
//!
//! [`Home`] is a [`ServiceElement`]: pure state that is handed requests of the SAP, commands of
//! local clients and time. What it wants done it pushes as [`Act`]s; what clients are to be told
//! it queues, to be fetched by [`Home::take_events`] after **every** call and sent once the acts
//! of that call are committed. Messages and presence between two users of the domain go out
//! through the SAP and come back by it like those of strangers, so there is one path for all.
//!
//! | file | what |
//! |---|---|
//! | `user` | a user and the administration of users |
//! | `session` | client sessions and their commands ([`client`], `event`) |
//! | `sending`, `sent`, `message`, `report`, `echo` | messages out, messages in, reports on both |
//! | `inbox`, `notice`, `feed` | what waits for a user, and how his clients take it |
//! | `presence`, `subscription`, `watchers`, `authorization` | our users' presence and who may see it |
//! | `watching`, `reach` | other users' presence, as our users see it |
//! | `profile` | our users' profiles: services, privacy, terminals, properties |
//! | `information` | provider information, verification of ids |
//! | `records`, `relation`, `core` | what is kept, and what all share |

mod authorization;
mod core;
mod echo;
mod feed;
mod inbox;
mod information;
mod message;
mod notice;
pub mod password;
mod presence;
mod profile;
mod reach;
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
    Act, Delivered, Edge, Element, FromClient, Input, Over, RequestId, ServiceElement, Skew, Time,
    Token,
};
use crate::ssp::Primitive;
use crate::ssp::address::Address;
use crate::ssp::status::{Code, Status};

pub use crate::element::client::{self, ClientKey, Command, Event, Takes};
pub use settings::{Authorization, HomeSettings};
pub use user::{ECHO, UserError};

use self::core::{Asked, Core, Timer};
use self::user::User;

/// The name of the home domain's service element.
pub const ELEMENT: Element = Element::named("Home");
/// What a home domain serves.
pub const SERVES: &[&str] = &[
    "SUBPR", "GETPR", "SENDM", "MDELIV", "GETSPI", "VRID", "GETUP", "UPDUP",
];
/// What the echo user of a node without home domain serves.
const ECHO_SERVES: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV"];

/// The home domain's service elements.
pub struct Home {
    /// By name.
    users: BTreeMap<String, User>,
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

/// Who calls.
#[derive(Debug, Clone)]
struct Caller {
    /// To answer with; `None` for a notice.
    id: Option<RequestId>,
    /// The requesting home domain.
    domain: String,
    /// The requesting user, if a user asks.
    user: Option<Address>,
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
            core: Core::new(settings, seed),
            stale: Vec::new(),
        }
    }

    /// Whether this is a home domain at all, with other users than the echo user.
    pub fn has_users(&self) -> bool {
        self.core.settings.users
    }

    /// Sends every watcher in the domains that `behind` picks what he may see, because the way to
    /// them was established anew and notifications may have been lost (presence-attributes, 5).
    fn refresh_domains(&mut self, behind: impl Fn(&str) -> bool, now: Time) {
        let Self { users, core, .. } = self;
        for user in users.values_mut() {
            if user.forget_shown(&behind) {
                user.publish(core, now);
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
        self.answer(token, &Primitive::from(answer.clone()), now);
    }
}

impl Home {
    fn deliver(&mut self, delivered: Delivered, now: Time) {
        let caller = Caller {
            id: delivered.id,
            domain: delivered.from_domain,
            user: delivered.user,
        };
        match delivered.primitive {
            Primitive::SendMessageRequest(request) => {
                self.serve_message(&caller, *request, now);
            }
            Primitive::DeliveryStatusReport(report) => self.take_report(&report, now),
            Primitive::SubscribeRequest(request) => {
                self.serve_subscribe(&caller, &request, now);
            }
            Primitive::UnsubscribeRequest(request) => {
                self.serve_unsubscribe(&caller, &request);
            }
            Primitive::GetPresenceRequest(request) => {
                self.serve_get_presence(&caller, &request);
            }
            Primitive::PresenceNotification(notice) => self.take_presence(&notice),
            Primitive::GetSPInfoRequest(request) => self.serve_info(&caller, *request),
            Primitive::VerifyIDRequest(request) => self.serve_verify(&caller, &request),
            Primitive::GetUserProfileRequest(request) => {
                self.serve_get_profile(&caller, &request);
            }
            Primitive::UpdateUserProfileRequest(request) => {
                self.serve_update_profile(&caller, *request, now);
            }
            Primitive::Unknown(_) => {
                self.core
                    .respond(caller.id, Status::new(Code::NOT_SUPPORTED));
            }
            _ => self
                .core
                .respond(caller.id, Status::new(Code::NOT_IMPLEMENTED)),
        }
    }

    fn answer(&mut self, token: Token, answer: &Primitive, now: Time) {
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
        let status = status_of(answer);
        let client = pending.client;
        match pending.what {
            Asked::Message { id, to } => {
                user.message_answered(core, client, id, to, &status, now);
            }
            Asked::Subscribe { to, anew } => {
                user.subscribe_answered(core, &to, anew, &status, now);
            }
            Asked::Presence { of } => {
                user.presence_answered(core, client, &of, &status, answer);
            }
            Asked::Verify { user: verified } => {
                if let Some(client) = client {
                    let status = effective(&status).0;
                    let user = verified;
                    core.tell(client, Event::Verified { user, status });
                }
            }
        }
    }

    /// Does what is due.
    fn is_due(&mut self, now: Time) {
        for name in std::mem::take(&mut self.stale) {
            if let Some(user) = self.users.get_mut(&name)
                && user.account.online != user.is_online()
            {
                user.account.online = user.is_online();
                user.save(&mut self.core);
                user.publish(&mut self.core, now);
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
                        user.expire_arrival(core, number, now);
                    }
                }
                Timer::Notice(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.drop_notice(number, core);
                    }
                }
                Timer::Watchers(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.expire_watchers(core, now);
                    }
                }
                Timer::Retry(name, other) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.retry_subscription(core, &other, now);
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
            Input::Answer(token, answer) => self.answer(token, &answer, now),
            Input::Reached(domains) => self.reached(&domains, now),
            Input::Lost(domains) => self.lost(&domains, now),
            Input::Client(client, FromClient::Open { user, takes }) => {
                let over = match self.client_open(client, &user, takes, now) {
                    Ok(()) => return,
                    Err(UserError::Unknown(_)) => Over::Unknown,
                    Err(_) => Over::TooMany,
                };
                self.core.act(Act::End(client, over));
            }
            Input::Client(client, FromClient::Command(command)) => {
                self.client(client, command, now);
            }
            Input::Client(client, FromClient::Close) => self.client_close(client, now),
            Input::Xmpp(..) => {}
        }
    }

    fn timeout(&mut self, now: Time) {
        self.is_due(now);
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.stale.is_empty() {
            return Some(Time(0));
        }
        self.core.timers.first().map(|(at, _)| *at)
    }

    fn next_act(&mut self) -> Option<Act> {
        self.core.next_act()
    }

    fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
    }

    fn concerned(&self) -> BTreeSet<String> {
        let mut domains = self.core.away.domains();
        for user in self.users.values() {
            user.concerned(&mut domains);
        }
        domains
    }

    fn messages_open(&self) -> u64 {
        let waiting = self.users.values().map(|user| user.inbox.waiting() as u64);
        waiting.sum()
    }
}

/// The verdict within an answer.
fn status_of(answer: &Primitive) -> Status {
    match answer {
        Primitive::Status(status) => (**status).clone(),
        Primitive::SendMessageResponse(response) => response.status.clone(),
        Primitive::GetPresenceResponse(response) => {
            response.status.clone().unwrap_or_else(Status::ok)
        }
        other => Status::new(Code::INTERNAL).because(format!("Unexpected {}.", other.name())),
    }
}

/// The verdict on a request with a single target: a partial success or multiple failure with a
/// detail means the detail.
fn effective(status: &Status) -> Code {
    match status.details.first() {
        Some(detail) if matches!(status.code, Code::PARTIAL | Code::MULTIPLE) => detail.code,
        _ => status.code,
    }
}
