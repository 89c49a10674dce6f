//! Others' subscriptions to our users' presence (wire profile, 9.2.1, 9.2.2, 9.2.4).

use super::presence::Presence;
use super::presence::Published;
use super::watchers::Watchers;
use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::PresenceValue;
use crate::imps::primitive::presence::{
    GetPresenceRequest, GetPresenceResponse, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::status::{Code, Status};

use super::authorization::AttributeSet;
use super::profile;
use super::{Caller, Home};

/// Others' requests about our users' presence.
pub(super) struct Subscriptions<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> Subscriptions<'a> {
    /// For this caller, at this time.
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Puts the requestor on the watcher lists, answers, and shows them what they may see.
    pub(super) fn subscribe(&mut self, request: &SubscribeRequest) {
        let Some(watcher) = self.caller.requestor(&mut self.home.core) else {
            return;
        };
        let attributes = AttributeSet::asked(request.attributes.as_ref());
        let mut failures = Vec::new();
        let mut subscribed: Vec<String> = Vec::new();
        for id in &request.users {
            let publisher = self.home.core.at_home(&id.user);
            match self.add(&watcher, &publisher, attributes) {
                Ok(name) if subscribed.contains(&name) => {}
                Ok(name) => subscribed.push(name),
                Err(code) => failures.push((code, publisher)),
            }
        }
        let status = Status::of_users(request.users.len(), failures);
        self.home.core.respond(self.caller.id, status);
        for name in subscribed {
            if let Some(user) = self.home.users.get_mut(&name) {
                Presence::of(user, &mut self.home.core, self.now).show(&watcher, true);
            }
        }
    }

    fn add(
        &mut self,
        watcher: &Address,
        publisher: &Address,
        attributes: AttributeSet,
    ) -> Result<String, Code> {
        let name = self.home.known_user(publisher)?;
        let Home { users, core, .. } = &mut *self.home;
        let user = users.get_mut(&name).ok_or(Code::UNKNOWN_USER)?;
        Watchers::of(user, core, self.now).add(watcher, attributes)?;
        Ok(name)
    }

    /// Takes the requestor off the watcher lists.
    pub(super) fn unsubscribe(&mut self, request: &UnsubscribeRequest) {
        let Some(watcher) = self.caller.requestor(&mut self.home.core) else {
            return;
        };
        let mut failures = Vec::new();
        for id in &request.users {
            let publisher = self.home.core.at_home(&id.user);
            match self.home.known_user(&publisher) {
                Ok(name) => {
                    if let Some(user) = self.home.users.get_mut(&name)
                        && user.relations.contains_key(&watcher)
                    {
                        user.relate(&mut self.home.core, &watcher, |relation| {
                            relation.watcher = None;
                        });
                    }
                }
                Err(code) => failures.push((code, publisher)),
            }
        }
        let status = Status::of_users(request.users.len(), failures);
        self.home.core.respond(self.caller.id, status);
    }

    /// Answers with what the requestor may see now. They do not become a watcher, and nobody is
    /// asked.
    pub(super) fn get_presence(&mut self, request: &GetPresenceRequest) {
        let Some(watcher) = self.caller.requestor(&mut self.home.core) else {
            return;
        };
        let attributes = AttributeSet::asked(request.attributes.as_ref());
        let mut failures = Vec::new();
        let mut values = Vec::new();
        for id in &request.users {
            let publisher = self.home.core.at_home(&id.user);
            let name = match self.home.known_user(&publisher) {
                Ok(name) => name,
                Err(code) => {
                    failures.push((code, publisher));
                    continue;
                }
            };
            let core = &self.home.core;
            let Some(user) = self.home.users.get(&name) else {
                continue;
            };
            let sees = user.may_see(core, &watcher).and(attributes);
            if !user.may_use(core, profile::PRESENCE) {
                failures.push((Code::UNAUTHORIZED_RECIPIENT, publisher));
            } else if !sees.is_empty() {
                values.push(PresenceValue {
                    user: publisher,
                    presence: Some(Published { user, core }.values(sees)),
                });
            }
        }
        let response = GetPresenceResponse {
            status: Some(Status::of_users(request.users.len(), failures)),
            values,
        };
        self.home.core.respond(self.caller.id, response);
    }
}

impl Home {
    /// The name of a user of ours, or of a guest; or why there is none.
    pub(super) fn known_user(&self, address: &Address) -> Result<String, Code> {
        let Ok(name) = self.core.local_name(address) else {
            return self.known_guest(address);
        };
        match self.users.get(name) {
            Some(user) => Ok(user.name.clone()),
            // What concerns them waits until they are awake; their record cannot be read.
            None if self.resting.sleepers().has(name) => Err(Code::UNAVAILABLE),
            None => Err(Code::UNKNOWN_USER),
        }
    }
}
