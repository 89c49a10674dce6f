//! Use of groups (wire profile, 9.4).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{ContentData, MetaInfo, Property, ScreenName, User, UserId};
use crate::imps::xml::element::{choice, element};

element! {
    /// Joins a group (9.4.1).
    JoinGroupRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// Whether to tell who is joined.
        attr def "joinedListRequest" joined_list: bool,
        /// Whether to subscribe to changes.
        attr def "subscribeNotif" subscribe: bool,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// The name wanted; absent: the user id serves.
        child opt "ScreenName" screen_name: ScreenName,
        /// The user's properties in the group.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Who is there (9.4.2).
    JoinGroupResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Screen names; a hint only from the deployed server.
        list of "JoinedList" / "Name" joined: String,
        /// What a user is welcomed with.
        child opt "WelcomeNote" welcome: WelcomeNote,
    }

    /// Text shown to those who join.
    WelcomeNote {
        /// The text of the welcome.
        child opt "ContentData" content: ContentData,
    }

    /// Leaves a group (9.4.3). Answered by `LeaveGroupIndication`.
    LeaveGroupRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The user has left, or has to (9.4.4).
    LeaveGroupIndication {
        /// The group that was left; may be missing.
        attr opt "groupID" group: Address,
        /// Present in a forced leave.
        child opt "MetaInfo" meta: MetaInfo,
        /// 200 own wish, 800, 809, 816, 824.
        child one "Status" status: Status,
        /// The reason, for people.
        child opt "ReasonText" reason: String,
        /// Who has to leave.
        child many "User" users: User,
    }

    /// Who is joined (9.4.5)?
    GetJoinedUsersRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Everybody joined, by role.
    GetJoinedUsersResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Joined administrators.
        child opt "JoinedAdmin" admins: MappingList,
        /// Joined moderators.
        child opt "JoinedModerator" moderators: MappingList,
        /// Joined users; all of them, for requestors without a role.
        child opt "JoinedUser" | "JoinedUsers" users: MappingList,
        /// Users who were refused.
        child opt "JoinedBlocked" blocked: MappingList,
    }

    /// Screen names with user ids, as far as these are shown (8.6).
    MappingList {
        /// Who is shown; absent if nobody is.
        child opt "UserMapList" map: UserMapList,
    }

    /// Screen names with user ids.
    UserMapList {
        /// One for each who is joined.
        list of "UserMapping" / "Mapping" mappings: Mapping,
    }

    /// A participant: a screen name, and who is behind it.
    Mapping {
        /// What the participant is called in the group.
        child opt "SName" screen_name: String,
        /// The user, if shown.
        child opt "UserID" user: UserId,
    }

    /// Asks to be told of changes (9.4.6). Answered by `Status`.
    SubscribeGroupChangeRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Asks to be told no more. Answered by `Status`.
    UnsubscribeGroupChangeRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Asks whether the requestor is told of changes (9.4.6).
    GetGroupSubStatusRequest {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Whether the user is told (9.4.7).
    GetGroupSubStatusResponse {
        /// Which group; may be empty from the deployed server.
        attr opt "groupID" group: Address,
        /// Whether the requestor is told of changes.
        attr def "subscribed" subscribed: bool,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
    }

    /// What changed in a group (9.4.8). Not answered.
    GroupChangeNotice {
        /// The group's address: `wv:group@domain`, or `wv:owner/group@domain`.
        attr one "groupID" group: Address,
        /// The sending server.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who is to be told.
        child many "User" users: User,
        /// Screen names that came.
        list of "Joined" / "Name" joined: String,
        /// Screen names that went.
        list of "Left" / "Name" left: String,
        /// Who wanted to join and was refused.
        child opt "JoinedBlocked" joined_blocked: MappingList,
        /// Who was made to leave.
        child opt "LeftBlocked" left_blocked: LeftBlocked,
        /// Properties changed.
        child opt "GroupProperties" properties: GroupProperties,
        /// Properties of the user changed.
        list of "OwnProperties" / "Property" own: Property,
    }

    /// Properties of a group (8.5).
    GroupProperties {
        /// `Name`, `Topic` and others, those that are set or changed.
        child many "Property" properties: Property,
        /// What a user is welcomed with.
        child opt "WelcomeNote" welcome: WelcomeNote,
    }

    /// Who was made to leave a group.
    LeftBlocked {
        /// Each of them, as they are shown.
        child opt "UserList" users: MemberList,
    }

    /// Users and participants.
    MemberList {
        /// Each by address, or by the name in the group.
        choice many members: Member,
    }
}

choice! {
    /// A user or a participant.
    Member {
        /// One user, by address.
        "User" => User(User),
        /// A participant, by the name in the group.
        "ScreenName" => ScreenName(ScreenName),
    }
}
