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
pub mod client;
mod core;
mod echo;
mod event;
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

use std::collections::BTreeMap;

use crate::sap::element::{Act, Delivered, RequestId, ServiceElement, Skew, Time, Token};
use crate::ssp::Primitive;
use crate::ssp::address::Address;
use crate::ssp::status::{Code, Status};

pub use client::{ClientKey, Command, Event, Takes};
pub use settings::{Authorization, HomeSettings};
pub use user::{ECHO, UserError};

use self::core::{Asked, Core, Timer, respond};
use self::user::User;

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

    /// Says how the wall clock stands, for dates that others see.
    pub fn set_skew(&mut self, skew: Skew) {
        self.core.skew = skew;
    }

    /// What clients are to be told since the last call, in order.
    pub fn take_events(&mut self) -> Vec<(ClientKey, Event)> {
        std::mem::take(&mut self.core.events)
    }

    /// Messages that no client of their recipient has taken yet.
    pub fn messages_waiting(&self) -> u64 {
        let waiting = self.users.values().map(|user| user.inbox.waiting() as u64);
        waiting.sum()
    }

    /// Sends every watcher in the domains that `behind` picks what he may see, because the way to
    /// them was established anew and notifications may have been lost (presence-attributes, 5).
    fn refresh_domains(&mut self, behind: impl Fn(&str) -> bool, now: Time, out: &mut Vec<Act>) {
        let Self { users, core, .. } = self;
        for user in users.values_mut() {
            if user.forget_shown(&behind) {
                user.publish(core, now, out);
            }
        }
    }

    /// The requestor, where the request makes no sense without one; else answered.
    fn requestor(caller: &Caller, out: &mut Vec<Act>) -> Option<Address> {
        if caller.user.is_none() {
            let status = Status::new(Code::BAD_PARAMETER).because("No user is asking.");
            respond(caller.id, status, out);
        }
        caller.user.clone()
    }

    fn end_request(&mut self, token: Token, answer: &Status, now: Time, out: &mut Vec<Act>) {
        self.answer(token, &Primitive::from(answer.clone()), now, out);
    }
}

impl ServiceElement for Home {
    const PREFIX: &'static str = records::PREFIX;

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.take_back(key, value)
    }

    fn deliver(&mut self, delivered: Delivered, now: Time, out: &mut Vec<Act>) {
        let caller = Caller {
            id: delivered.id,
            domain: delivered.from_domain,
            user: delivered.user,
        };
        match delivered.primitive {
            Primitive::SendMessageRequest(request) => {
                self.serve_message(&caller, *request, now, out);
            }
            Primitive::DeliveryStatusReport(report) => self.take_report(&report, now, out),
            Primitive::SubscribeRequest(request) => {
                self.serve_subscribe(&caller, &request, now, out);
            }
            Primitive::UnsubscribeRequest(request) => {
                self.serve_unsubscribe(&caller, &request, out);
            }
            Primitive::GetPresenceRequest(request) => {
                self.serve_get_presence(&caller, &request, out);
            }
            Primitive::PresenceNotification(notice) => self.take_presence(&notice, out),
            Primitive::GetSPInfoRequest(request) => self.serve_info(&caller, *request, out),
            Primitive::VerifyIDRequest(request) => self.serve_verify(&caller, &request, out),
            Primitive::GetUserProfileRequest(request) => {
                self.serve_get_profile(&caller, &request, out);
            }
            Primitive::UpdateUserProfileRequest(request) => {
                self.serve_update_profile(&caller, *request, now, out);
            }
            Primitive::Unknown(_) => {
                respond(caller.id, Status::new(Code::NOT_SUPPORTED), out);
            }
            _ => respond(caller.id, Status::new(Code::NOT_IMPLEMENTED), out),
        }
    }

    fn answer(&mut self, token: Token, answer: &Primitive, now: Time, out: &mut Vec<Act>) {
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
            out.push(records::delete_request(&user.name, token));
        }
        let status = status_of(answer);
        let client = pending.client;
        match pending.what {
            Asked::Message { id, to } => {
                user.message_answered(core, client, id, to, &status, now, out);
            }
            Asked::Subscribe { to, anew } => {
                user.subscribe_answered(core, &to, anew, &status, now, out);
            }
            Asked::Presence { of } => {
                user.presence_answered(core, client, &of, &status, answer, out);
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

    fn timeout(&mut self, now: Time, out: &mut Vec<Act>) {
        for name in std::mem::take(&mut self.stale) {
            if let Some(user) = self.users.get_mut(&name)
                && user.account.online != user.is_online()
            {
                user.account.online = user.is_online();
                user.save(out);
                user.publish(&mut self.core, now, out);
                user.tell_profile(&mut self.core, now, out);
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
                        user.expire_arrival(core, number, now, out);
                    }
                }
                Timer::Notice(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.drop_notice(number, core, out);
                    }
                }
                Timer::Watchers(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.expire_watchers(core, now, out);
                    }
                }
                Timer::Retry(name, other) => {
                    if let Some(user) = users.get_mut(&name) {
                        user.retry_subscription(core, &other, now, out);
                    }
                }
                Timer::Away(domain) => self.is_away(&domain, now),
                Timer::Request(token) => {
                    self.end_request(token, &Status::new(Code::TIMEOUT), now, out);
                }
            }
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.stale.is_empty() {
            return Some(Time(0));
        }
        self.core.timers.first().map(|(at, _)| *at)
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
