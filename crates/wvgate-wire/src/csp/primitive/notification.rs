//! Notifications, public profiles and maps (1.3).

use super::content::ContentBlock;
use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::Property;
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::group::MemberList;

use super::system::Verdict;

element! {
    /// Which changes the client wants to hear of.
    SubscribeNotificationRequest {
        list "NotificationTypeList" / "NotificationType" types: String,
    }

    /// Which changes it no longer wants to hear of.
    UnsubscribeNotificationRequest {
        list "NotificationTypeList" / "NotificationType" types: String,
    }

    /// Something has changed; what, depends on the type.
    NotificationRequest {
        opt "NotificationType" kind: String,
        opt "BlockListInUse" block_list_in_use: bool,
        opt "GrantListInUse" grant_list_in_use: bool,
        opt "GroupID" group: Address,
        opt "InviteID" invite: String,
        opt "OnlineETEMHandling" online_handling: String,
        opt "PresenceSubList" attributes: PresenceSubList,
        list "UserIDList" / "UserID" user_ids: Address,
        list "ContactListIDList" / "ContactList" lists: Address,
        opt "DefaultList" default_list: bool,
        opt "SessionPriority" priority: u32,
        opt "UserList" users: MemberList,
        opt "UserIDPair" pair: UserIdPair,
    }

    /// An id that is not known, and the one that is meant.
    UserIdPair {
        opt "UnrecognizedUserID" unrecognized: Address,
        opt "ValidUserID" valid: Address,
    }

    /// Asks what users say of themselves.
    GetPublicProfileRequest {
        many "UserID" users: Address,
    }

    /// What users say of themselves.
    GetPublicProfileResponse {
        opt "Result" result: Verdict,
        many "PublicProfile" profiles: PublicProfile,
    }

    /// What a user says of itself.
    PublicProfile {
        opt "UserID" user: Address,
        many "Property" properties: Property,
    }

    /// Changes what the user says of itself.
    UpdatePublicProfileRequest {
        opt "ClearPublicProfile" clear: bool,
        opt "PublicProfile" profile: PublicProfile,
    }

    /// Asks for a map of where somebody is.
    GetMapRequest {
        opt "UserID" user: Address,
        opt "PresenceSubList" place: PresenceSubList,
    }

    /// The map, or where it is.
    GetMapResponse {
        opt "Map" map: ContentBlock,
        opt "URL" url: String,
    }
}
