//! Presence: to be told, to ask, to tell, and who may see it.

use super::system::Verdict;
use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::{ClientId, User};
use crate::imps::presence::PresenceSubList;

element! {
    /// The client wants to be told of presence.
    SubscribePresenceRequest {
        many "User" | "UserIDList" / "UserID" users: User,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
        def "AutoSubscribe" automatic: bool,
    }

    /// The client no longer wants to be told.
    UnsubscribePresenceRequest {
        many "User" | "UserIDList" / "UserID" users: User,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
    }

    /// The client is told.
    PresenceNotification {
        many "Presence" presences: Presence,
    }

    /// The client asks once.
    GetPresenceRequest {
        many "User" | "UserIDList" / "UserID" users: User,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
    }

    /// What the client asked for.
    GetPresenceResponse {
        one "Result" result: Verdict,
        many "Presence" presences: Presence,
    }

    /// The user's own presence.
    UpdatePresenceRequest {
        one "PresenceSubList" presence: PresenceSubList,
    }

    /// Presence of a user, or what a user or a list may see.
    Presence {
        opt "UserID" user: Address,
        opt "UserNotify" user_notify: bool,
        opt "ContactList" list: Address,
        opt "ContactListNotify" list_notify: bool,
        many "PresenceSubList" attributes: PresenceSubList,
    }

    /// Asks who is told of the user's presence.
    GetWatcherListRequest {
        opt "HistoryPeriod" history: u32,
        opt "MaxWatcherList" max: u32,
    }

    /// Who is told of the user's presence.
    GetWatcherListResponse {
        opt "HistoryPeriod" history: u32,
        opt "WatcherCount" count: u32,
        part watchers: super::watcher::Watchers,
    }

    /// Somebody wants to see the user's presence.
    PresenceAuthRequest {
        one "UserID" watcher: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
    }

    /// Whether they may.
    PresenceAuthUser {
        one "UserID" watcher: Address,
        def "Acceptance" acceptance: bool,
        opt "PresenceSubList" attributes: PresenceSubList,
    }

    /// They may no longer.
    CancelAuthRequest {
        one "UserID" watcher: Address,
    }

    /// Asks what was decided.
    GetReactiveAuthStatusRequest {
        many "UserID" watchers: Address,
    }

    /// What was decided.
    GetReactiveAuthStatusResponse {
        list "ReactiveAuthStatusList" / "ReactiveAuthStatus" states: ReactiveAuthStatus,
    }

    /// What was decided of one user.
    ReactiveAuthStatus {
        one "UserID" watcher: Address,
        one "ReactiveAuthState" state: String,
        opt "PresenceSubList" attributes: PresenceSubList,
    }

    /// What users, lists, or all others may see without asking.
    CreateAttributeListRequest {
        opt "PresenceSubList" attributes: PresenceSubList,
        many "UserID" | "UserIDList" / "UserID" users: Address,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        def "DefaultList" default: bool,
        opt "DefaultNotify" default_notify: bool,
        opt "UserNotify" user_notify: bool,
        opt "ContactListNotify" list_notify: bool,
    }

    /// What users, lists, or all others may no longer see.
    DeleteAttributeListRequest {
        many "UserID" | "UserIDList" / "UserID" users: Address,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        def "DefaultList" default: bool,
    }

    /// Asks what they may see.
    GetAttributeListRequest {
        def "DefaultList" default: bool,
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        many "User" | "UserIDList" / "UserID" users: User,
    }

    /// What they may see.
    GetAttributeListResponse {
        one "Result" result: Verdict,
        opt "DefaultAttributeList" default: DefaultAttributes,
        many "Presence" grants: Presence,
    }

    /// What all others may see.
    DefaultAttributes {
        opt "DefaultNotify" notify: bool,
        many "PresenceSubList" attributes: PresenceSubList,
    }

    /// One client of a user in a conversation that is extended.
    ConversationUser {
        opt "UserID" user: Address,
        opt "ClientID" client: ClientId,
    }
}
