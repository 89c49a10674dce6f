//! Presence delivery (wire profile, 9.2).

use crate::imps::Status;
use crate::imps::common::{AttributeList, MetaInfo, PresenceValue, User, UserId, VerUserId};
use crate::imps::xml::element::element;

element! {
    /// Watcher's home domain to publisher's presence service element (9.2.1).
    /// Answered by `Status`; success says nothing about authorization.
    SubscribeRequest {
        /// Its user is the watcher.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whose presence the watcher wants to see.
        child many "UserID" users: UserId,
        /// The attributes wanted; absent or empty means all.
        child opt "AttributeList" attributes: AttributeList,
    }

    /// Ends a subscription (9.2.2). Answered by `Status`.
    UnsubscribeRequest {
        /// Its user is the watcher.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whose presence the watcher does not want to see any more.
        child many "UserID" users: UserId,
    }

    /// Publisher's presence service element to watcher's home domain (9.2.3).
    /// Not answered. Every value goes to every listed watcher.
    PresenceNotification {
        /// Absent from the deployed server.
        child opt "MetaInfo" meta: MetaInfo,
        /// Users of the home domain that is told.
        child many "User" watchers: User,
        /// The presence; none means that nothing is authorized.
        child many "PresenceValue" values: PresenceValue,
    }

    /// Asks once (9.2.4).
    GetPresenceRequest {
        /// Its user is the watcher.
        child opt "MetaInfo" meta: MetaInfo,
        /// Whose presence is asked for.
        child many "VerUserID" users: VerUserId,
        /// The attributes wanted; absent or empty means all.
        child opt "AttributeList" attributes: AttributeList,
    }

    /// What the watcher may see (9.2.5).
    GetPresenceResponse {
        /// Missing from the deployed server, which requires it all the same.
        child opt "Status" status: Status,
        /// One for each publisher of whom something may be seen.
        child many "PresenceValue" values: PresenceValue,
    }
}
