//! What a domain that provides something to a user of ours is told of them: that they have come or
//! gone, and how messages are to come (wire profile, 11.8, 11.9).
//!
//! Nothing of it waits: when the way to the provider is back, all of it is told again.

use crate::element::Time;
use crate::imps::common::{MetaInfo, PresenceValue};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::message_store::SetDeliveryMethodRequest;
use crate::imps::primitive::presence_admin::UpdatePresenceRequest;

use super::client::{Delivery, Method};
use super::core::Core;
use super::user::User;

/// Those who provide something to a user.
pub(super) struct Providers<'a> {
    user: &'a User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Providers<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Tells the provider of presence whether the user is logged in.
    pub(super) fn tell_presence(&mut self) {
        if !self.core.settings.is_elsewhere("UPDPR") || !self.user.has_account() {
            return;
        }
        let user = self.user.address(self.core);
        let online = if self.user.is_online() { "T" } else { "F" };
        let attribute = Attribute::value(AttributeName::OnlineStatus, online);
        let request = UpdatePresenceRequest {
            meta: Some(self.meta()),
            value: PresenceValue {
                user,
                presence: Some(PresenceSubList {
                    attributes: vec![attribute],
                }),
            },
        };
        self.core.send(request, self.now);
    }

    /// Tells the provider of messages how they are to come, and by that that somebody takes them.
    pub(super) fn tell_delivery(&mut self, delivery: &Delivery) {
        if !self.core.settings.is_elsewhere("SETD") || !self.user.has_account() {
            return;
        }
        let method = match delivery.method {
            Method::Push => "P",
            Method::Notify => "N",
        };
        let request = SetDeliveryMethodRequest {
            method: method.to_owned(),
            content_length: delivery.max_bytes,
            group: None,
            meta: Some(self.meta()),
        };
        self.core.send(request, self.now);
    }

    /// Tells everything again of a user who is logged in.
    pub(super) fn tell_all(&mut self) {
        self.tell_presence();
        let takers = self.user.clients.values();
        let delivery = takers.rev().find(|feed| feed.takes_everything());
        if let Some(delivery) = delivery.map(|feed| feed.delivery().clone()) {
            self.tell_delivery(&delivery);
        }
    }

    fn meta(&self) -> MetaInfo {
        let user = self.user.address(self.core);
        MetaInfo::of_user(self.core.domain(), user)
    }
}
