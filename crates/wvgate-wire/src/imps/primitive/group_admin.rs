//! Management of groups (wire profile, 9.5 and 11.11).

use super::group::GroupProperties;
use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{MetaInfo, Property, ScreenName, UserId};
use crate::imps::xml::element::element;

element! {
    /// Makes a group (11.11). Answered by `Status`.
    CreateGroupRequest {
        /// `wv:owner/name@domain`.
        attr one "groupID" group: Address,
        /// Whether to join at once.
        attr def "joinGroup" join: bool,
        /// Whether to subscribe to changes.
        attr def "subscribeNotif" subscribe: bool,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Initial properties.
        child opt "GroupProperties" properties: GroupProperties,
        /// The user's properties.
        list of "OwnProperties" / "Property" own: Property,
        /// The user's name in the group.
        child opt "ScreenName" screen_name: ScreenName,
    }

    /// Ends a group (9.5.1). Answered by `Status`.
    DeleteGroupRequest {
        /// Which.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Who are the members (9.5.2)?
    GetGroupMemberRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The members by role.
    GetGroupMemberResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// Administrators.
        list of "Admins" / "UserID" admins: UserId,
        /// Moderators.
        list of "Moderators" / "UserID" moderators: UserId,
        /// The rest.
        list of "OrdinaryUsers" / "UserID" users: UserId,
    }

    /// Adds members (9.5.3). Answered by `Status`.
    AddGroupMemberRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whom.
        child many "UserID" users: UserId,
    }

    /// Removes members (9.5.3). Answered by `Status`.
    RemoveGroupMemberRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whom.
        child many "UserID" users: UserId,
    }

    /// Changes roles (9.5.4). Answered by `Status`.
    MemberAccessRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Administrators.
        list of "Admins" / "UserID" admins: UserId,
        /// Moderators.
        list of "Moderators" / "UserID" moderators: UserId,
        /// The rest.
        list of "OrdinaryUsers" / "UserID" users: UserId,
    }

    /// Reads the properties (9.5.5).
    GetGroupPropsRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The properties.
    GetGroupPropsResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// The group's.
        child opt "GroupProperties" properties: GroupProperties,
        /// The user's.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Sets properties (9.5.6). Answered by `Status`.
    SetGroupPropsRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// The group's.
        child opt "GroupProperties" properties: GroupProperties,
        /// The user's.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Reads or edits the list of users barred from the group (9.5.7).
    RejectListRequest {
        /// Which group.
        attr one "groupID" group: Address,
        /// The user asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// To bar.
        list of "AddUsers" / "UserID" add: UserId,
        /// To let in again.
        list of "RemoveUsers" / "UserID" remove: UserId,
    }

    /// The list.
    RejectListResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// Users barred.
        list of "RejectList" / "UserID" users: UserId,
    }
}
