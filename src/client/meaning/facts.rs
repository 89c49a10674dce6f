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
    use What::Request;
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
        P::GetSPInfoRequest(_) => Request("GETSPI"),
        P::SearchRequest(_) => Request("SRCH"),
        P::StopSearchRequest(_) => Request("STSRC"),
        P::VerifyIdRequest(_) => Request("VRID"),
        P::InviteRequest(_) | P::InviteUserResponse(_) => Request("INVIT"),
        P::CancelInviteRequest(_) => Request("CAINV"),
        P::GetListRequest(_) => Request("GCLI"),
        P::CreateListRequest(_) => Request("CCLI"),
        P::DeleteListRequest(_) => Request("DCLI"),
        P::ListManageRequest(_) => Request("MCLS"),
        P::GetWatcherListRequest(_) => Request("GETWL"),
        P::PresenceAuthUser(_) => Request("REACT"),
        P::CancelAuthRequest(_) => Request("CAAUT"),
        P::GetReactiveAuthStatusRequest(_) => Request("GETAUT"),
        P::CreateAttributeListRequest(_) => Request("CALI"),
        P::DeleteAttributeListRequest(_) => Request("DALI"),
        P::GetAttributeListRequest(_) => Request("GALS"),
        P::GetPresenceRequest(_) => Request("GETPR"),
        P::UpdatePresenceRequest(_) => Request("UPDPR"),
        P::GetMessageListRequest(_) => Request("GETLM"),
        P::GetMessageRequest(_) => Request("GETM"),
        P::RejectMessageRequest(_) => Request("REJCM"),
        P::ForwardMessageRequest(_) => Request("FWMSG"),
        P::SetDeliveryMethodRequest(_) => Request("SETD"),
        P::GetBlockedListRequest(_) => Request("GLBLU"),
        P::BlockEntityRequest(_) => Request("BLENT"),
        P::CreateGroupRequest(_) => Request("CREAG"),
        P::DeleteGroupRequest(_) => Request("DELGR"),
        P::GetGroupPropsRequest(_) => Request("GETGP"),
        P::SetGroupPropsRequest(_) => Request("SETGP"),
        P::GetGroupMembersRequest(_) => Request("GETGM"),
        P::AddGroupMembersRequest(_) => Request("ADDGM"),
        P::RemoveGroupMembersRequest(_) => Request("RMVGM"),
        P::MemberAccessRequest(_) => Request("MBRAC"),
        P::RejectListRequest(_) => Request("REJEC"),
        P::SubscribeGroupNoticeRequest(_) => Request("SUBGCN"),
        P::GetMapRequest(_) => Request("GETMAP"),
        P::ExtendConversationRequest(_) => Request("EXCON"),
        // Until 1.2 the tree has no leaf for who is joined.
        P::GetJoinedUsersRequest(_)
        | P::SubscribePresenceRequest(_)
        | P::UnsubscribePresenceRequest(_)
        | P::SendMessageRequest(_)
        | P::MessageDelivered(_)
        | P::JoinGroupRequest(_)
        | P::LeaveGroupRequest(_)
        | P::SubscribeNotificationRequest(_)
        | P::UnsubscribeNotificationRequest(_)
        | P::GetPublicProfileRequest(_)
        | P::UpdatePublicProfileRequest(_) => Request(""),
        _ => What::Unknown,
    }
}
