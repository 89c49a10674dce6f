//! Access control lists: who may write to me (wire profile, 11.10).

use crate::imps::Status;
use crate::imps::common::{ContactList, GroupId, MetaInfo, ScreenName, UserId};
use crate::imps::xml::element::element;

element! {
    /// Reads both lists.
    GetBlockedListRequest {
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The block list and the grant list.
    GetBlockedListResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Who may not write, if the list is in use.
        child opt "BlockList" blocked: EntityList,
        /// Who may write, if the list is in use.
        child opt "GrantList" granted: EntityList,
    }

    /// Users, groups and lists.
    EntityList {
        /// Whether the list is in force.
        attr opt "inUse" in_use: bool,
        /// Users, each by address.
        child many "UserID" users: UserId,
        /// Participants of groups.
        child many "ScreenName" screen_names: ScreenName,
        /// Groups: what comes from them.
        child many "GroupID" groups: GroupId,
        /// Members of contact lists.
        child many "ContactList" lists: ContactList,
    }

    /// Changes the lists. Answered by `Status`.
    BlockEntityRequest {
        /// The requestor: the user who asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who may not write, if the list is in use.
        child opt "BlockList" blocked: EntityChanges,
        /// Who may write, if the list is in use.
        child opt "GrantList" granted: EntityChanges,
    }

    /// Changes of one list.
    EntityChanges {
        /// Whether the list is in force from now on.
        attr opt "inUse" in_use: bool,
        /// Entries that are put on the list.
        child opt "AddList" add: EntityList,
        /// Entries to remove.
        child opt "RemoveList" remove: EntityList,
    }
}
