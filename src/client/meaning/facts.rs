//! What each primitive of a client is.

use crate::csp::Primitive;

/// What a primitive that comes from a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A matter of the session itself.
    Session,
    /// An answer to what the client was told.
    Reply,
    /// A request of its user, and the leaf of the tree of functions it belongs to; empty: it needs
    /// no agreement.
    Request(&'static str),
    /// What no client says.
    Unknown,
    /// It lacks what it must have.
    Unreadable,
}

/// What a primitive is.
pub(super) fn what(primitive: &Primitive) -> What {
    use Primitive as P;
    match primitive {
        P::Polling(_)
        | P::LoginRequest(_)
        | P::LogoutRequest(_)
        | P::Disconnect(_)
        | P::KeepAliveRequest(_)
        | P::GetSegmentRequest(_)
        | P::DropSegmentRequest(_)
        | P::ClientCapabilityRequest(_)
        | P::ServiceRequest(_)
        | P::ExtendedRequest(_)
        | P::SystemMessageUser(_) => What::Session,
        P::Status(_) => What::Reply,
        P::Unreadable(_) => What::Unreadable,
        P::MessageDelivered(_) => What::Request(""),
        P::SendMessageRequest(_) => What::Request(""),
        P::GetMessageListRequest(_) => What::Request("GETLM"),
        P::GetMessageRequest(_) => What::Request("GETM"),
        P::RejectMessageRequest(_) => What::Request("REJCM"),
        P::ForwardMessageRequest(_) => What::Request("FWMSG"),
        P::SetDeliveryMethodRequest(_) => What::Request("SETD"),
        P::GetPresenceRequest(_) => What::Request("GETPR"),
        P::UpdatePresenceRequest(_) => What::Request("UPDPR"),
        P::SubscribePresenceRequest(_) | P::UnsubscribePresenceRequest(_) => What::Request(""),
        _ => What::Unknown,
    }
}
