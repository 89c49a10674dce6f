//! Primitives, one file per family. [`Primitive`] is any of them.
//!
//! What they are made of is shared with SSP where both have it: addresses, users, groups, presence,
//! status, properties. A field that a version does not have is not written in it.

pub mod access;
pub mod capability;
pub mod contact_list;
pub mod content;
pub mod digest;
pub mod group;
pub mod invitation;
pub mod joined;
pub mod message;
pub mod notification;
pub mod presence;
pub mod search;
pub mod service;
pub mod session;
pub mod system;
pub mod watcher;

use super::element::Element;
use super::typed::Content;
use super::version::Version;
use crate::imps::primitive::Kind;
use crate::imps::xml::DecodeError;

/// What is known of a primitive by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Element name.
    pub name: &'static str,
    /// Place in a dialogue.
    pub kind: Kind,
    /// The primitive that answers it; empty if that is a `Status`, or if none does.
    pub answer: &'static str,
}

macro_rules! primitives {
    ($( $xml:literal $(| $alias:literal)* => $name:ident($module:ident :: $type:ident) $kind:ident $answer:literal; )*) => {
        /// What a transaction of a session carries, of any version.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Primitive {
            $(
                #[doc = concat!("`", $xml, "`")]
                $name(Box<$module::$type>),
            )*
            /// One that is not known, by its name.
            Unknown(String),
            /// One that is known and lacks what it must have, or has it without meaning.
            Unreadable(Box<Unreadable>),
        }

        /// All that are known.
        pub const FACTS: &[Facts] = &[ $(
            Facts { name: $xml, kind: Kind::$kind, answer: $answer },
        )* ];

        impl Primitive {
            /// The element's name.
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$name(_) => $xml, )*
                    Self::Unknown(name) => name,
                    Self::Unreadable(primitive) => &primitive.name,
                }
            }

            /// What is known of it; `None` if its name is not.
            pub fn facts(&self) -> Option<&'static Facts> {
                FACTS.iter().find(|facts| facts.name == self.name())
            }

            /// Whether a primitive is called so.
            pub(super) fn is_known(name: &str) -> bool {
                matches!(name, $( $xml $(| $alias)* )|*)
            }

            /// Reads any primitive.
            pub fn read(element: &Element<'_>) -> Self {
                let read = match element.name {
                    $( $xml $(| $alias)* => {
                        <$module::$type as Content>::read(element).map(|p| Self::$name(Box::new(p)))
                    } )*
                    other => return Self::Unknown(other.to_owned()),
                };
                read.unwrap_or_else(|why| Self::Unreadable(Box::new(Unreadable {
                    name: element.name.to_owned(),
                    why,
                })))
            }

            /// The primitive as an element, if there is anything to write.
            pub(super) fn element(&self, version: Version) -> Option<Element<'_>> {
                match self {
                    $( Self::$name(primitive) => Some(primitive.element($xml, version)), )*
                    Self::Unknown(_) | Self::Unreadable(_) => None,
                }
            }
        }
    };
}

// name, type, place in a dialogue, answer.
primitives! {
    "Status" => Status(session::StatusMessage) Response "";
    "Polling-Request" => Polling(session::PollingRequest) Request "";
    "Login-Request" => LoginRequest(session::LoginRequest) Setup "Login-Response";
    "Login-Response" => LoginResponse(session::LoginResponse) Setup "";
    "Logout-Request" => LogoutRequest(session::LogoutRequest) Request "";
    "Disconnect" => Disconnect(session::Disconnect) Notice "";
    "KeepAlive-Request" => KeepAliveRequest(session::KeepAliveRequest) Request "KeepAlive-Response";
    "KeepAlive-Response" => KeepAliveResponse(session::KeepAliveResponse) Response "";
    "GetSegment-Request" => GetSegmentRequest(session::GetSegmentRequest) Request "GetSegment-Response";
    "GetSegment-Response" => GetSegmentResponse(session::GetSegmentResponse) Response "";
    "DropSegment-Request" => DropSegmentRequest(session::DropSegmentRequest) Request "";
    "SystemMessage-Request" => SystemMessageRequest(system::SystemMessageRequest) Request "";
    "SystemMessage-User" => SystemMessageUser(system::SystemMessageUser) Request "";
    "Extended-Request" => ExtendedRequest(system::Extended) Request "Extended-Response";
    "Extended-Response" => ExtendedResponse(system::Extended) Response "";
    "ClientCapability-Request" => ClientCapabilityRequest(capability::ClientCapabilityRequest) Request "ClientCapability-Response";
    "ClientCapability-Response" => ClientCapabilityResponse(capability::ClientCapabilityResponse) Response "";
    "Service-Request" => ServiceRequest(service::ServiceRequest) Request "Service-Response";
    "Service-Response" => ServiceResponse(service::ServiceResponse) Response "";
    "GetSPInfo-Request" => GetSPInfoRequest(service::GetSPInfoRequest) Request "GetSPInfo-Response";
    "GetSPInfo-Response" => GetSPInfoResponse(service::GetSPInfoResponse) Response "";
    "Search-Request" => SearchRequest(search::SearchRequest) Request "Search-Response";
    "Search-Response" => SearchResponse(search::SearchResponse) Response "";
    "StopSearch-Request" => StopSearchRequest(search::StopSearchRequest) Request "";
    "VerifyID-Request" => VerifyIdRequest(search::VerifyIdRequest) Request "";
    "Invite-Request" => InviteRequest(invitation::InviteRequest) Request "";
    "Invite-Response" => InviteResponse(invitation::InviteResponse) Request "";
    "InviteUser-Request" => InviteUserRequest(invitation::InviteUserRequest) Request "";
    "InviteUser-Response" => InviteUserResponse(invitation::InviteUserResponse) Request "";
    "CancelInvite-Request" => CancelInviteRequest(invitation::CancelInviteRequest) Request "";
    "CancelInviteUser-Request" => CancelInviteUserRequest(invitation::CancelInviteUserRequest) Request "";
    "SubscribeNotification-Request" => SubscribeNotificationRequest(notification::SubscribeNotificationRequest) Request "";
    "UnsubscribeNotification-Request" => UnsubscribeNotificationRequest(notification::UnsubscribeNotificationRequest) Request "";
    "Notification-Request" => NotificationRequest(notification::NotificationRequest) Request "";
    "GetPublicProfile-Request" => GetPublicProfileRequest(notification::GetPublicProfileRequest) Request "GetPublicProfile-Response";
    "GetPublicProfile-Response" => GetPublicProfileResponse(notification::GetPublicProfileResponse) Response "";
    "UpdatePublicProfile-Request" => UpdatePublicProfileRequest(notification::UpdatePublicProfileRequest) Request "";
    "GetMap-Request" => GetMapRequest(notification::GetMapRequest) Request "GetMap-Response";
    "GetMap-Response" => GetMapResponse(notification::GetMapResponse) Response "";
    "GetList-Request" => GetListRequest(contact_list::GetListRequest) Request "GetList-Response";
    "GetList-Response" => GetListResponse(contact_list::GetListResponse) Response "";
    "CreateList-Request" => CreateListRequest(contact_list::CreateListRequest) Request "";
    "CreateList-Response" => CreateListResponse(contact_list::CreateListResponse) Response "";
    "DeleteList-Request" => DeleteListRequest(contact_list::DeleteListRequest) Request "";
    "ListManage-Request" => ListManageRequest(contact_list::ListManageRequest) Request "ListManage-Response";
    "ListManage-Response" => ListManageResponse(contact_list::ListManageResponse) Response "";
    "SubscribePresence-Request" => SubscribePresenceRequest(presence::SubscribePresenceRequest) Request "";
    "UnsubscribePresence-Request" => UnsubscribePresenceRequest(presence::UnsubscribePresenceRequest) Request "";
    "PresenceNotification-Request" => PresenceNotification(presence::PresenceNotification) Request "";
    "GetPresence-Request" => GetPresenceRequest(presence::GetPresenceRequest) Request "GetPresence-Response";
    "GetPresence-Response" => GetPresenceResponse(presence::GetPresenceResponse) Response "";
    "UpdatePresence-Request" => UpdatePresenceRequest(presence::UpdatePresenceRequest) Request "";
    "GetWatcherList-Request" => GetWatcherListRequest(presence::GetWatcherListRequest) Request "GetWatcherList-Response";
    "GetWatcherList-Response" => GetWatcherListResponse(presence::GetWatcherListResponse) Response "";
    "PresenceAuth-Request" => PresenceAuthRequest(presence::PresenceAuthRequest) Request "";
    "PresenceAuth-User" => PresenceAuthUser(presence::PresenceAuthUser) Request "";
    "CancelAuth-Request" => CancelAuthRequest(presence::CancelAuthRequest) Request "";
    "GetReactiveAuthStatus-Request" => GetReactiveAuthStatusRequest(presence::GetReactiveAuthStatusRequest) Request "GetReactiveAuthStatus-Response";
    "GetReactiveAuthStatus-Response" => GetReactiveAuthStatusResponse(presence::GetReactiveAuthStatusResponse) Response "";
    "CreateAttributeList-Request" => CreateAttributeListRequest(presence::CreateAttributeListRequest) Request "";
    "DeleteAttributeList-Request" => DeleteAttributeListRequest(presence::DeleteAttributeListRequest) Request "";
    "GetAttributeList-Request" => GetAttributeListRequest(presence::GetAttributeListRequest) Request "GetAttributeList-Response";
    "GetAttributeList-Response" => GetAttributeListResponse(presence::GetAttributeListResponse) Response "";
    "SendMessage-Request" => SendMessageRequest(message::SendMessageRequest) Request "SendMessage-Response";
    "SendMessage-Response" => SendMessageResponse(message::SendMessageResponse) Response "";
    "NewMessage" => NewMessage(message::NewMessage) Request "MessageDelivered";
    "MessageDelivered" => MessageDelivered(message::MessageDelivered) Response "";
    "MessageNotification" => MessageNotification(message::MessageNotification) Request "";
    "GetMessageList-Request" => GetMessageListRequest(message::GetMessageListRequest) Request "GetMessageList-Response";
    "GetMessageList-Response" => GetMessageListResponse(message::GetMessageListResponse) Response "";
    "GetMessage-Request" => GetMessageRequest(message::GetMessageRequest) Request "GetMessage-Response";
    "GetMessage-Response" => GetMessageResponse(message::GetMessageResponse) Response "";
    "RejectMessage-Request" => RejectMessageRequest(message::RejectMessageRequest) Request "";
    "ForwardMessage-Request" => ForwardMessageRequest(message::ForwardMessageRequest) Request "";
    "ForwardMessage-Response" => ForwardMessageResponse(message::ForwardMessageResponse) Response "";
    "SetDeliveryMethod-Request" => SetDeliveryMethodRequest(message::SetDeliveryMethodRequest) Request "";
    "DeliveryReport-Request" => DeliveryReportRequest(message::DeliveryReportRequest) Request "";
    "GetBlockedList-Request" => GetBlockedListRequest(access::GetBlockedListRequest) Request "GetBlockedList-Response";
    "GetBlockedList-Response" => GetBlockedListResponse(access::GetBlockedListResponse) Response "";
    "BlockEntity-Request" | "BlockUser-Request" => BlockEntityRequest(access::BlockEntityRequest) Request "";
    "CreateGroup-Request" => CreateGroupRequest(group::CreateGroupRequest) Request "";
    "DeleteGroup-Request" => DeleteGroupRequest(group::DeleteGroupRequest) Request "";
    "JoinGroup-Request" => JoinGroupRequest(group::JoinGroupRequest) Request "JoinGroup-Response";
    "JoinGroup-Response" => JoinGroupResponse(group::JoinGroupResponse) Response "";
    "LeaveGroup-Request" => LeaveGroupRequest(group::LeaveGroupRequest) Request "LeaveGroup-Response";
    "LeaveGroup-Response" => LeaveGroupResponse(group::LeaveGroupResponse) Response "";
    "GetGroupMembers-Request" => GetGroupMembersRequest(group::GetGroupMembersRequest) Request "GetGroupMembers-Response";
    "GetGroupMembers-Response" => GetGroupMembersResponse(group::GetGroupMembersResponse) Response "";
    "GetJoinedUsers-Request" => GetJoinedUsersRequest(group::GetJoinedUsersRequest) Request "GetJoinedUsers-Response";
    "GetJoinedUsers-Response" => GetJoinedUsersResponse(group::GetJoinedUsersResponse) Response "";
    "AddGroupMembers-Request" => AddGroupMembersRequest(group::AddGroupMembersRequest) Request "";
    "RemoveGroupMembers-Request" => RemoveGroupMembersRequest(group::RemoveGroupMembersRequest) Request "";
    "MemberAccess-Request" => MemberAccessRequest(group::MemberAccessRequest) Request "";
    "GetGroupProps-Request" => GetGroupPropsRequest(group::GetGroupPropsRequest) Request "GetGroupProps-Response";
    "GetGroupProps-Response" => GetGroupPropsResponse(group::GetGroupPropsResponse) Response "";
    "SetGroupProps-Request" => SetGroupPropsRequest(group::SetGroupPropsRequest) Request "";
    "RejectList-Request" => RejectListRequest(group::RejectListRequest) Request "RejectList-Response";
    "RejectList-Response" => RejectListResponse(group::RejectListResponse) Response "";
    "SubscribeGroupNotice-Request" => SubscribeGroupNoticeRequest(group::SubscribeGroupNoticeRequest) Request "SubscribeGroupNotice-Response";
    "SubscribeGroupNotice-Response" => SubscribeGroupNoticeResponse(group::SubscribeGroupNoticeResponse) Response "";
    "GroupChangeNotice" => GroupChangeNotice(group::GroupChangeNotice) Request "";
    "ExtendConversation-Request" => ExtendConversationRequest(group::ExtendConversationRequest) Request "ExtendConversation-Response";
    "ExtendConversation-Response" => ExtendConversationResponse(group::ExtendConversationResponse) Response "";
}

/// A primitive that its name promises, and that it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Element name.
    pub name: String,
    /// What is wrong with it.
    pub why: DecodeError,
}

impl Primitive {
    /// A `Status` alone.
    pub fn status(status: crate::imps::Status) -> Self {
        Self::Status(Box::new(session::StatusMessage {
            result: status.into(),
            client: None,
        }))
    }
}
