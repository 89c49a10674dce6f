//! What stands between one user of ours and one other address, in both directions.

use std::sync::Arc;

use crate::element::Time;
use crate::imps::presence::PresenceSubList;

use super::known::Known;

/// Everything one user of ours and one other address have to do with each other; one record.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Relation {
    /// They are on the user's contact list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contact: Option<Contact>,
    /// Their messages are refused; of older versions, in which that is no entry of the block list.
    #[serde(default, skip_serializing)]
    pub(super) blocked: bool,
    /// What the user decided about showing them presence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<bool>,
    /// They watch the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watcher: Option<Watcher>,
    /// The user watches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subscription: Option<Subscription>,
}

/// Somebody on the contact list of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Contact {
    /// The user's own name for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

/// A subscription of somebody to the user's presence.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Watcher {
    /// Names of the attributes they want, sorted; none means all.
    pub(super) attributes: Vec<String>,
    /// The user was asked for authorization and has not answered.
    pub(super) asked: bool,
    /// When it is forgotten, unless they are authorized by then; none in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Time>,
    /// What they were shown last.
    #[serde(skip)]
    pub(super) shown: Shown,
}

/// What a watcher was shown last.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Shown {
    /// Not known: nothing has been sent since the start.
    #[default]
    Unsure,
    /// That there is nothing for them to see.
    Nothing,
    /// The attributes that are named.
    List(Arc<PresenceSubList>),
}

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubscriptionState {
    /// Asked for; nothing has been shown.
    Pending,
    /// Authorized: values come.
    Active,
}

/// What somebody may see of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Everything that was asked for.
    Authorized,
    /// Nothing, by decision.
    Denied,
    /// Nothing until the user has decided.
    Pending,
    /// Nothing, and the user was not asked.
    Unknown,
}

/// A subscription of the user to somebody's presence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Subscription {
    /// How far it has come.
    pub(super) state: SubscriptionState,
    /// What is known of their presence.
    pub(super) presence: Known,
    /// Failed tries in a row.
    #[serde(default)]
    pub(super) failures: u32,
    /// When it is tried again, if it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<Time>,
}

impl Relation {
    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_own() && self.watcher.is_none()
    }

    /// Whether the user was asked about them and has not answered.
    pub(super) fn is_asked(&self) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| watcher.asked)
    }

    /// Whether the user made something of it, as opposed to being watched.
    pub(super) fn is_own(&self) -> bool {
        self.contact.is_some() || self.decision.is_some() || self.subscription.is_some()
    }
}

impl Subscription {
    /// A subscription that has just been asked for.
    pub(super) fn new() -> Self {
        Self {
            state: SubscriptionState::Pending,
            presence: Known::default(),
            failures: 0,
            retry: None,
        }
    }
}
