//! Contact lists (wire profile, 11.6): home domain to presence PSE, on behalf
//! of the owner.

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{ContactList, MetaInfo, Property, UserId};
use crate::imps::xml::element::element;

element! {
    /// Which lists are there?
    GetListRequest {
        /// The requestor: the list's owner.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// All lists of the owner.
    GetListResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Each list, the default one too.
        child many "ContactList" lists: ContactList,
        /// The default list.
        child opt "DefaultContactList" default: ContactList,
    }

    /// A member of a list.
    NickName {
        /// What the owner calls the user.
        attr opt "name" name: String,
        /// The user's address.
        attr one "userID" user: Address,
    }

    /// Makes a list. Answered by `Status`.
    CreateListRequest {
        /// `wv:owner/name@domain`.
        attr one "contactListID" list: Address,
        /// The requestor: the list's owner.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who is on it from the beginning.
        list of "NickList" / "NickName" members: NickName,
        /// `DisplayName`, `Default`.
        list of "ContactListProperties" / "Property" properties: Property,
    }

    /// Removes a list. Answered by `Status`.
    DeleteListRequest {
        /// The contact list.
        attr one "contactListID" list: Address,
        /// The requestor: the list's owner.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Changes or reads a list.
    ListManageRequest {
        /// The contact list.
        attr one "contactListID" list: Address,
        /// Whether the answer shall hold the list.
        attr def "receiveList" receive: bool,
        /// The requestor: the list's owner.
        child opt "MetaInfo" meta: MetaInfo,
        /// Entries that are put on it, or called otherwise.
        list of "AddNickList" / "NickName" add: NickName,
        /// Entries to remove.
        list of "RemoveNickList" / "UserID" remove: UserId,
        /// Properties to set.
        list of "ContactListProperties" / "Property" properties: Property,
    }

    /// The list after the change.
    ListManageResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// The members, if they were asked for.
        list of "NickList" / "NickName" members: NickName,
        /// `DisplayName`, `Default`.
        list of "ContactListProperties" / "Property" properties: Property,
    }
}
