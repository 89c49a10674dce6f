//! Contact lists (wire profile, 11.6): home domain to presence PSE, on behalf
//! of the owner.

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{ContactList, MetaInfo, Property, UserId};
use crate::imps::xml::element::element;

element! {
    /// Which lists are there?
    GetListRequest {
        /// The owner asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// All lists of the owner.
    GetListResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// The lists.
        child many "ContactList" lists: ContactList,
        /// The default one.
        child opt "DefaultContactList" default: ContactList,
    }

    /// A member of a list.
    NickName {
        /// What the owner calls the user.
        attr opt "name" name: String,
        /// The user.
        attr one "userID" user: Address,
    }

    /// Makes a list. Answered by `Status`.
    CreateListRequest {
        /// `wv:owner/name@domain`.
        attr one "contactListID" list: Address,
        /// The owner asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// First members.
        list of "NickList" / "NickName" members: NickName,
        /// `DisplayName`, `Default`.
        list of "ContactListProperties" / "Property" properties: Property,
    }

    /// Removes a list. Answered by `Status`.
    DeleteListRequest {
        /// Which.
        attr one "contactListID" list: Address,
        /// The owner asks.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Changes or reads a list.
    ListManageRequest {
        /// Which.
        attr one "contactListID" list: Address,
        /// Whether the answer shall hold the list.
        attr def "receiveList" receive: bool,
        /// The owner asks.
        child opt "MetaInfo" meta: MetaInfo,
        /// To add.
        list of "AddNickList" / "NickName" add: NickName,
        /// To remove.
        list of "RemoveNickList" / "UserID" remove: UserId,
        /// To set.
        list of "ContactListProperties" / "Property" properties: Property,
    }

    /// The list after the change.
    ListManageResponse {
        /// The verdict.
        child one "Status" status: Status,
        /// Members.
        list of "NickList" / "NickName" members: NickName,
        /// Properties.
        list of "ContactListProperties" / "Property" properties: Property,
    }
}
