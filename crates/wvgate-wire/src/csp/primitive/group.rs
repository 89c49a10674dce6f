//! Groups: made, joined, watched, managed.

use super::access::Entities;
use super::content::ContentBlock;
use super::presence::ConversationUser;
use super::system::Verdict;
use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::{Property, ScreenName};
use crate::imps::primitive::group::{Mapping, MemberList};

element! {
    /// Makes a private group of the user, with its properties.
    CreateGroupRequest {
        one "GroupID" group: Address,
        opt "GroupProperties" properties: GroupProperties,
        list "OwnProperties" / "Property" own: Property,
        def "JoinGroup" join: bool,
        opt "ScreenName" screen_name: ScreenName,
        def "SubscribeNotification" subscribe: bool,
    }

    /// Removes a group; all who are joined have to leave.
    DeleteGroupRequest {
        one "GroupID" group: Address,
    }

    /// Properties of a group.
    GroupProperties {
        many "Property" properties: Property,
        opt "WelcomeNote" welcome: ContentBlock,
    }

    /// Joins a group under a screen name.
    JoinGroupRequest {
        one "GroupID" group: Address,
        opt "ScreenName" screen_name: ScreenName,
        def "JoinedRequest" wants_joined: bool,
        def "SubscribeNotification" subscribe: bool,
        list "OwnProperties" / "Property" own: Property,
    }

    /// Who is there, and what a user is welcomed with.
    JoinGroupResponse {
        part joined: super::joined::AtJoin,
        opt "ScreenName" screen_name: ScreenName,
        opt "WelcomeNote" welcome: ContentBlock,
    }

    /// Ends the user's presence in a group; a member stays one.
    LeaveGroupRequest {
        one "GroupID" group: Address,
    }

    /// The group is left, by whose will ever.
    LeaveGroupResponse {
        opt "GroupID" group: Address,
        one "Result" result: Verdict,
    }

    /// Asks for the members.
    GetGroupMembersRequest {
        one "GroupID" group: Address,
    }

    /// The members by role.
    GetGroupMembersResponse {
        opt "Admin" / "UserList" admins: MemberList,
        opt "Mod" / "UserList" moderators: MemberList,
        opt "Users" / "UserList" | "UserList" users: MemberList,
    }

    /// Asks who is there.
    GetJoinedUsersRequest {
        one "GroupID" group: Address,
    }

    /// Who is there: by role for who manages the group, all alike for others.
    GetJoinedUsersResponse {
        opt "AdminMapList" by_role: RoleMappings,
        opt "UserMapList" users: UserMapList,
        opt "JoinedBlocked" / "UserList" blocked: MemberList,
    }

    /// Names and users by role.
    RoleMappings {
        list "AdminMapping" / "Mapping" admins: Mapping,
        list "ModMapping" / "Mapping" moderators: Mapping,
        list "UserMapping" / "Mapping" users: Mapping,
    }

    /// Screen names with the users behind them.
    UserMapList {
        list "UserMapping" / "Mapping" users: Mapping,
    }

    /// Makes users members of a group, who need not be joined.
    AddGroupMembersRequest {
        one "GroupID" group: Address,
        one "UserList" | "UserIDList" users: MemberList,
    }

    /// Members no longer.
    RemoveGroupMembersRequest {
        one "GroupID" group: Address,
        one "UserList" | "UserIDList" users: MemberList,
    }

    /// Makes users owners, moderators or plain members.
    MemberAccessRequest {
        one "GroupID" group: Address,
        opt "Admin" / "UserList" admins: MemberList,
        opt "Mod" / "UserList" moderators: MemberList,
        opt "Users" / "UserList" | "UserList" users: MemberList,
    }

    /// Asks for the properties.
    GetGroupPropsRequest {
        one "GroupID" group: Address,
    }

    /// Properties of the group, and of the user in it.
    GetGroupPropsResponse {
        opt "GroupProperties" properties: GroupProperties,
        list "OwnProperties" / "Property" own: Property,
    }

    /// Changes properties.
    SetGroupPropsRequest {
        one "GroupID" group: Address,
        opt "GroupProperties" properties: GroupProperties,
        list "OwnProperties" / "Property" own: Property,
    }

    /// Reads or changes who may not join.
    RejectListRequest {
        one "GroupID" group: Address,
        opt "AddList" add: Entities,
        opt "RemoveList" remove: Entities,
    }

    /// Who may not join.
    RejectListResponse {
        opt "UserList" users: MemberList,
    }

    /// Reads or sets whether the client is told of changes.
    SubscribeGroupNoticeRequest {
        one "GroupID" group: Address,
        one "SubscribeType" kind: String,
    }

    /// Whether the client is told.
    SubscribeGroupNoticeResponse {
        one "Value" subscribed: bool,
    }

    /// What has changed in a group.
    GroupChangeNotice {
        one "GroupID" group: Address,
        opt "Joined" joined: super::joined::Joined,
        opt "Left" left: super::joined::Left,
        opt "JoinedBlocked" / "UserList" joined_blocked: MemberList,
        opt "LeftBlocked" / "UserList" left_blocked: MemberList,
        opt "GroupProperties" properties: GroupProperties,
        list "OwnProperties" / "Property" own: Property,
    }

    /// Makes a group of a conversation (1.3).
    ExtendConversationRequest {
        opt "ExtendConversationID" id: String,
        list "UserIDList" / "UserID" users: Address,
        opt "ExtendConversationUser" user: ConversationUser,
        opt "SubscribeNotification" subscribe: bool,
        opt "WelcomeNote" welcome: ContentBlock,
        opt "ScreenName" screen_name: ScreenName,
    }

    /// The group that was made.
    ExtendConversationResponse {
        opt "ExtendConversationID" id: String,
        opt "GroupID" group: Address,
        opt "ResponseNote" note: String,
        opt "Result" result: Verdict,
    }
}
