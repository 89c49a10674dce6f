//! What comes for a user, as a client is told it.

use crate::csp;
use crate::imps::Primitive;

use super::terms::Terms;
use super::{message, presence};

/// What a client is told of a primitive; nothing if its version has no word for it.
pub(super) fn of(primitive: &Primitive, terms: &Terms) -> Option<csp::Primitive> {
    match primitive {
        Primitive::NewMessage(new) => Some(message::new(new, terms)),
        Primitive::MessageNotification(notification) => {
            Some(message::notification(notification, terms))
        }
        Primitive::DeliveryStatusReport(report) => Some(message::report(report, terms)),
        Primitive::PresenceNotification(told) => presence::notification(told, terms),
        Primitive::Status(status) => presence::failed(status),
        _ => None,
    }
}
