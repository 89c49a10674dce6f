//! Reactive authorization (WVFF, 5.3.3; wire profile, 11.8): what a user decides about those who want
//! to see their presence, asked or unasked.

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::primitive::presence_admin::{
    GetReactiveAuthStatusRequest, GetReactiveAuthStatusResponse, PresenceAuthUserRequest,
    ReactiveAuthStatus,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::super::contact_list::is_user;
use super::super::core::Core;
use super::super::presence::Presence;
use super::super::relation::Relation;
use super::super::user::User;
use super::AttributeSet;
use super::attribute_lists::{ATTRIBUTE, unsupported};

/// A user's decisions.
pub(in crate::home) struct Decisions<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Decisions<'a> {
    /// Of this user, at this time.
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Grants or denies attributes. Earlier decisions about these are overwritten, those about
    /// others stand.
    pub(in crate::home) fn authorize(&mut self, request: &PresenceAuthUserRequest) -> Status {
        let other = self.core.at_home(&request.watcher);
        if let Err(status) = self.may_decide(&other) {
            return status;
        }
        let about = AttributeSet::asked(request.attributes.as_ref());
        if about.is_empty() {
            return Status::new(ATTRIBUTE).because("There are no such attributes.");
        }
        let accepts = request.acceptance;
        self.change(&other, |relation| {
            let (more, less) = if accepts {
                (&mut relation.granted, &mut relation.denied)
            } else {
                (&mut relation.denied, &mut relation.granted)
            };
            *more = more.or(about);
            *less = less.without(about);
        });
        let unsupported = request.attributes.as_ref().and_then(unsupported);
        match unsupported {
            Some(why) => Status {
                details: vec![DetailedResult {
                    description: Some(why),
                    ..DetailedResult::new(ATTRIBUTE)
                }],
                ..Status::new(Code::PARTIAL)
            },
            None => Status::ok(),
        }
    }

    /// Takes all decisions about somebody back. Whoever watches sees nothing more of what was
    /// granted, and when they ask again the user is asked.
    pub(in crate::home) fn cancel(&mut self, other: &Address) -> Status {
        let other = self.core.at_home(other);
        if !is_user(&other) {
            return Status::new(Code::ADDRESS).because("The address names no user.");
        }
        self.change(&other, |relation| {
            relation.granted = AttributeSet::NONE;
            relation.denied = AttributeSet::NONE;
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        Status::ok()
    }

    /// What the user has decided, and about what they are asked.
    pub(in crate::home) fn states(
        &self,
        request: &GetReactiveAuthStatusRequest,
    ) -> GetReactiveAuthStatusResponse {
        let asked = request.users.iter().map(|id| self.core.at_home(&id.user));
        let asked: Vec<Address> = asked.collect();
        let mut states = Vec::new();
        for (other, relation) in &self.user.relations {
            if !asked.is_empty() && !asked.contains(other) {
                continue;
            }
            let pending = self.user.pending(self.core, other);
            for (state, attributes) in [
                ("GRANTED", relation.granted),
                ("DENIED", relation.denied),
                ("PENDING", pending),
            ] {
                if !attributes.is_empty() {
                    states.push(ReactiveAuthStatus {
                        user: other.clone(),
                        state: Some(state.to_owned()),
                        attributes: attributes.to_wire(),
                    });
                }
            }
        }
        GetReactiveAuthStatusResponse {
            status: Status::ok(),
            states,
        }
    }

    fn may_decide(&self, other: &Address) -> Result<(), Status> {
        if !is_user(other) {
            return Err(Status::new(Code::ADDRESS).because("The address names no user."));
        }
        if !self.user.has_room_for(other, self.core) {
            let why = "There is no room for another contact.";
            return Err(Status::new(Code::TOO_MANY_CONTACTS).because(why));
        }
        Ok(())
    }

    /// Changes what is between the user and somebody, who is shown what they may see then.
    fn change(&mut self, other: &Address, change: impl FnOnce(&mut Relation)) {
        self.user.relate(self.core, other, change);
        Presence::of(self.user, self.core, self.now).show(other, false);
    }
}
