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
        /// The requestor: the user who asks.
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
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Who are the members (9.5.2)?
    GetGroupMemberRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The members by role.
    GetGroupMemberResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Members who are administrators.
        list of "Admins" / "UserID" admins: UserId,
        /// Members who are moderators.
        list of "Moderators" / "UserID" moderators: UserId,
        /// Members without a role.
        list of "OrdinaryUsers" / "UserID" users: UserId,
    }

    /// Adds members (9.5.3). Answered by `Status`.
    AddGroupMemberRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// The users concerned.
        child many "UserID" users: UserId,
    }

    /// Removes members (9.5.3). Answered by `Status`.
    RemoveGroupMemberRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// The users concerned.
        child many "UserID" users: UserId,
    }

    /// Changes roles (9.5.4). Answered by `Status`.
    MemberAccessRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Members who become administrators.
        list of "Admins" / "UserID" admins: UserId,
        /// Members who become moderators.
        list of "Moderators" / "UserID" moderators: UserId,
        /// Members without a role.
        list of "OrdinaryUsers" / "UserID" users: UserId,
    }

    /// Reads the properties (9.5.5).
    GetGroupPropsRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Properties of a group, and of the requestor in it.
    GetGroupPropsResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Properties of the group.
        child opt "GroupProperties" properties: GroupProperties,
        /// The requestor's own properties.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Sets properties (9.5.6). Answered by `Status`.
    SetGroupPropsRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Properties of the group.
        child opt "GroupProperties" properties: GroupProperties,
        /// The requestor's own properties.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Reads or edits the list of users barred from the group (9.5.7).
    RejectListRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Users who are barred from now on.
        list of "AddUsers" / "UserID" add: UserId,
        /// Users to let in again.
        list of "RemoveUsers" / "UserID" remove: UserId,
    }

    /// The users barred from a group.
    RejectListResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// All who are barred.
        list of "RejectList" / "UserID" users: UserId,
    }
}
