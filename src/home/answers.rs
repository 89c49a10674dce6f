//! Answers to what users and groups have asked of others.

use std::collections::BTreeMap;

use crate::element::{Time, Token};
use crate::imps::Primitive;
use crate::imps::status::{Code, Status};

use super::core::{Asked, Core, Pending, Timer};
use super::group::Groups;
use super::invitation::Inviting;
use super::message_store::MessageStore;
use super::records;
use super::remote::Remote;
use super::sending::Sending;
use super::session::Session;
use super::user::User;
use super::watching::Watching;

/// Answers to requests of our users and groups.
pub(super) struct Answers<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    groups: &'a mut Groups,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Answers<'a> {
    /// For these, at this time.
    pub(super) fn of(
        users: &'a mut BTreeMap<String, Box<User>>,
        groups: &'a mut Groups,
        core: &'a mut Core,
        now: Time,
    ) -> Self {
        Self {
            users,
            groups,
            core,
            now,
        }
    }

    /// A message was taken over, and this is known of it. What becomes of it in the end means
    /// something to who still has it.
    pub(super) fn taken_over(&mut self, token: Token, known: Primitive) {
        let now = self.now;
        if self.groups.healing(now).taken_over(token, &known) {
            return;
        }
        let pending = self.core.requests.get_mut(&token);
        let Some(Pending { user, what, .. }) = pending else {
            return;
        };
        let Asked::Forward { id, caller, .. } = what else {
            return self.take(token, known);
        };
        if let Some(to) = caller.take()
            && let Some(user) = self.users.get_mut(user)
        {
            let id = id.clone();
            user.in_flight -= 1;
            user.forwarded += 1;
            MessageStore::of(user, self.core, now).told_of_forward(id, Some(to), status_of(&known));
        }
    }

    /// Hands an answer to who waits for it, if anybody does.
    pub(super) fn take(&mut self, token: Token, answer: Primitive) {
        let now = self.now;
        if self.groups.healing(now).answer(token, &answer) {
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
        if pending.what.is_taken_over() {
            user.forwarded -= 1;
        } else {
            user.in_flight -= 1;
        }
        if pending.what.is_durable() {
            core.act(records::delete_request(&user.name, token));
        }
        let asker = pending.asker;
        match pending.what {
            Asked::Message { id, to, lists } => {
                Sending::of(user, core, now).message_answered(asker, id, to, lists, &answer);
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
            Asked::Delivery {
                method,
                most,
                group,
            } => {
                if status_of(&answer).code.is_success() {
                    let feed = asker.as_ref().and_then(|a| user.clients.get_mut(&a.client));
                    if let Some(feed) = feed {
                        feed.deliver(method, most, group);
                    }
                }
                Session::of(user, core, now).answered(asker, answer);
            }
            Asked::Forward { at, id, caller } => {
                MessageStore::of(user, core, now).forwarded(at, id, caller, &answer);
            }
            Asked::Members(expansion) => {
                Session::of(user, core, now).members(asker, *expansion, &answer);
            }
            Asked::HandedOver { client, number } => {
                Remote::of(user, core, now).answered(client, number, &answer);
            }
            Asked::History => {
                if let Some(asker) = asker {
                    core.answer(asker, answer);
                }
            }
            Asked::Other => Session::of(user, core, now).answered(asker, answer),
        }
    }

    /// Nobody has answered in time.
    pub(super) fn expire(&mut self, token: Token) {
        self.take(token, Primitive::from(Status::new(Code::TIMEOUT)));
    }
}

/// The verdict within an answer.
pub(super) fn status_of(answer: &Primitive) -> Status {
    let unexpected =
        || Status::new(Code::INTERNAL).because(format!("Unexpected {}.", answer.name()));
    answer.verdict().cloned().unwrap_or_else(unexpected)
}
