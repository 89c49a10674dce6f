//! Attribute lists, watcher list, presence update and reactive authorization
//! (wire profile, 11.7 and 11.8).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{AttributeList, ContactList, MetaInfo, PresenceValue, User, UserId};
use crate::imps::presence::PresenceSubList;
use crate::imps::xml::element::element;

element! {
    /// Home domain to presence PSE: the publisher's new values. Answered by `Status`.
    UpdatePresenceRequest {
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// The values; attributes not mentioned stay.
        child one "PresenceValue" value: PresenceValue,
    }

    /// Asks who watches the requestor.
    GetWatcherListRequest {
        /// How far the list goes back, in seconds; absent, no history.
        attr opt "historyPeriod" history: u32,
        /// How many watchers are wanted at most.
        attr opt "maxWatcherList" max: u32,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// Who watches the publisher, or did lately.
    GetWatcherListResponse {
        /// How far the list goes back, in seconds; absent, no history.
        attr opt "historyPeriod" history: u32,
        /// How many there are.
        attr opt "watcherCount" count: u32,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Each of them, as many as were wanted.
        child many "Watcher" watchers: Watcher,
    }

    /// A user who watches the publisher.
    Watcher {
        /// The user who watches.
        attr one "userID" user: Address,
        /// A name for people.
        attr opt "friendlyName" friendly_name: String,
        /// `CURRENT_SUBSCRIBER`, `FORMER_SUBSCRIBER` or `PRESENCE_ACCESS`.
        attr opt "status" status: String,
    }

    /// Presence PSE to publisher's home domain: may this user see that?
    PresenceAuthRequest {
        /// Who wants to see.
        attr one "userID" requesting: Address,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whose presence it is.
        child one "User" publisher: User,
        /// What; absent means everything.
        child opt "AttributeList" attributes: AttributeList,
    }

    /// The publisher's decision. Answered by `Status`.
    PresenceAuthUserRequest {
        /// The user decided about.
        attr one "userID" watcher: Address,
        /// Granted or denied.
        attr def "acceptance" acceptance: bool,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// What; absent means everything.
        child opt "AttributeList" attributes: AttributeList,
    }

    /// Forgets earlier grants and denials. Answered by `Status`.
    CancelAuthRequest {
        /// The user decided about.
        attr one "userID" watcher: Address,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// What did I decide?
    GetReactiveAuthStatusRequest {
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// About whom; none means everybody.
        child many "UserID" users: UserId,
    }

    /// What the publisher has decided about those who asked.
    GetReactiveAuthStatusResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// A decision for each user.
        child many "ReactiveAuthStatus" states: ReactiveAuthStatus,
    }

    /// What was decided about one user.
    ReactiveAuthStatus {
        /// The user decided about.
        attr one "userID" user: Address,
        /// `GRANTED`, `DENIED` or `PENDING`.
        attr opt "state" state: String,
        /// The attributes it is about; absent means everything.
        child opt "AttributeList" attributes: AttributeList,
    }

    /// Authorizes attributes before anyone asks (proactive). Answered by `Status`.
    CreateAttributeListRequest {
        /// For members of contact lists without a list of their own.
        attr def "defaultList" default: bool,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// What may be seen; absent means everything.
        child opt "AttributeList" attributes: AttributeList,
        /// Users whom the list is for.
        child many "UserID" users: UserId,
        /// For members of these lists.
        child many "ContactList" lists: ContactList,
    }

    /// Takes it back. Answered by `Status`.
    DeleteAttributeListRequest {
        /// The default list.
        attr def "defaultList" default: bool,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// Users whose lists are meant.
        child many "UserID" users: UserId,
        /// Contact lists whose lists are meant.
        child many "ContactList" lists: ContactList,
    }

    /// Reads attribute lists.
    GetAttributeListRequest {
        /// The default list too.
        attr def "defaultList" default: bool,
        /// The requestor: the publisher.
        child opt "MetaInfo" meta: MetaInfo,
        /// Users whose lists are meant.
        child many "UserID" users: UserId,
        /// Contact lists whose lists are meant.
        child many "ContactList" lists: ContactList,
    }

    /// The attribute lists.
    GetAttributeListResponse {
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// The default list.
        child opt "DefaultAttributeList" default: AttributeList,
        /// The list of each user and contact list.
        child many "Presence" presences: AttributeGrant,
    }

    /// The attributes one target is authorized for.
    AttributeGrant {
        /// The user whom the list is for,
        child opt "UserID" user: UserId,
        /// or a contact list.
        child opt "ContactList" list: ContactList,
        /// What the target may see.
        child opt "PresenceSubList" presence: PresenceSubList,
    }
}
