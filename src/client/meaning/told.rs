//! What comes for a user, as a client is told it.

use crate::csp;
use crate::imps::Primitive;

use super::terms::Terms;
use super::{authorization, group, invitation, message, presence};

/// What a client is told of a primitive; nothing if its version has no word for it.
pub(super) fn of(primitive: &Primitive, terms: &Terms) -> Option<csp::Primitive> {
    match primitive {
        Primitive::NewMessage(new) => Some(message::new(new, terms)),
        Primitive::MessageNotification(notification) => {
            Some(message::notification(notification, terms))
        }
        Primitive::DeliveryStatusReport(report) => Some(message::report(report, terms)),
        Primitive::PresenceNotification(told) => presence::notification(told, terms),
        Primitive::PresenceAuthRequest(request) => Some(authorization::question(request, terms)),
        Primitive::InviteRequest(request) => invitation::invited(request, terms),
        Primitive::InviteResponse(response) => Some(invitation::answered(response, terms)),
        Primitive::CancelInviteRequest(request) => Some(invitation::canceled(request, terms)),
        Primitive::GroupChangeNotice(notice) => group::changed(notice, terms),
        Primitive::LeaveGroupIndication(indication) => Some(group::made_to_leave(indication)),
        Primitive::Status(status) => presence::failed(status),
        _ => None,
    }
}
