//! What stands between one user of ours and one other address, in both directions.

use std::sync::Arc;

use crate::element::Time;
use crate::imps::presence::PresenceSubList;

use super::authorization::AttributeSet;
use super::contact_list::FIRST;
use super::known::Known;

/// Everything one user of ours and one other address have to do with each other; one record. Its
/// fields have short names: a user has as many of these as contacts.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Relation {
    /// The contact lists of the user that they are on, each once.
    #[serde(
        default,
        rename = "on",
        alias = "contacts",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) contacts: Vec<Contact>,
    /// Their messages are refused; of older versions, in which that is no entry of the block list.
    #[serde(default, skip_serializing)]
    pub(super) blocked: bool,
    /// The attribute list attached to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<AttributeSet>,
    /// The attributes that the user granted them.
    #[serde(default, skip_serializing_if = "AttributeSet::is_empty")]
    pub(super) granted: AttributeSet,
    /// The attributes that the user denied them; none of the granted ones.
    #[serde(default, skip_serializing_if = "AttributeSet::is_empty")]
    pub(super) denied: AttributeSet,
    /// They watch the user.
    #[serde(
        default,
        rename = "by",
        alias = "watcher",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) watcher: Option<Watcher>,
    /// The user watches them.
    #[serde(
        default,
        rename = "of",
        alias = "subscription",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) subscription: Option<Subscription>,
    /// In records of when there was one list: they are on it.
    #[serde(default, skip_serializing)]
    contact: Option<Named>,
    /// In records of when decisions were about everything.
    #[serde(default, skip_serializing)]
    decision: Option<bool>,
}

/// Somebody on a contact list of a user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "OnList", from = "OnList")]
pub(super) struct Contact {
    /// The name of the list.
    pub(super) list: String,
    /// The user's own name for them.
    pub(super) name: Option<String>,
}

/// The same in a record: who has no name of their own there is on the list, in short.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum OnList {
    List(String),
    Named {
        list: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Somebody on the one list there was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<String>,
}

/// A subscription of somebody to the user's presence.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Watcher {
    /// The attributes they want.
    #[serde(rename = "want", alias = "attributes")]
    pub(super) attributes: AttributeSet,
    /// The user was asked for authorization and has not answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) asked: bool,
    /// When it is forgotten, unless they are authorized by then; none in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Time>,
    /// Whether they have ever been shown a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) seen: bool,
    /// What they were shown last.
    #[serde(skip)]
    pub(super) shown: Shown,
}

/// What a watcher was shown last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Shown {
    /// Not known: nothing has been sent since the start.
    #[default]
    Unsure,
    /// That there is nothing for them to see.
    Nothing,
    /// These values, and that all others they want are unknown.
    List(Arc<PresenceSubList>),
}

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SubscriptionState {
    /// Asked for; nothing has been shown.
    Pending,
    /// Authorized: values come. What a record says nothing else of.
    #[default]
    Active,
}

impl SubscriptionState {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none_at_all(failures: &u32) -> bool {
    *failures == 0
}

impl From<Contact> for OnList {
    fn from(Contact { list, name }: Contact) -> Self {
        match name {
            None => Self::List(list),
            name => Self::Named { list, name },
        }
    }
}

impl From<OnList> for Contact {
    fn from(record: OnList) -> Self {
        let (list, name) = match record {
            OnList::List(list) => (list, None),
            OnList::Named { list, name } => (list, name),
        };
        Self { list, name }
    }
}

/// A subscription of the user to somebody's presence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Subscription {
    /// How far it has come.
    #[serde(default, skip_serializing_if = "SubscriptionState::is_active")]
    pub(super) state: SubscriptionState,
    /// What is known of their presence.
    #[serde(rename = "are", alias = "presence")]
    pub(super) presence: Known,
    /// Failed tries in a row.
    #[serde(default, skip_serializing_if = "is_none_at_all")]
    pub(super) failures: u32,
    /// Whether it is there only because they are on a contact list that is watched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_list: bool,
    /// What was told last besides what is kept, hashed: a repetition is known by it.
    #[serde(skip)]
    pub(super) more: u64,
    /// When it is tried again, if it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<Time>,
}

impl Relation {
    /// As a record of an older version means it.
    pub(super) fn into_present(mut self) -> Self {
        if let Some(Named { name }) = self.contact.take() {
            let list = FIRST.to_owned();
            self.contacts.push(Contact { list, name });
        }
        match self.decision.take() {
            Some(true) => self.granted = AttributeSet::ALL,
            Some(false) => self.denied = AttributeSet::ALL,
            None => {}
        }
        self
    }

    /// As somebody on a list.
    pub(super) fn contact(&self, list: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.list == list)
    }

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
        !self.contacts.is_empty()
            || self.attributes.is_some()
            || !self.granted.is_empty()
            || !self.denied.is_empty()
            || self.subscription.is_some()
    }
}

impl Subscription {
    /// A subscription that has just been asked for.
    pub(super) fn new() -> Self {
        Self {
            state: SubscriptionState::Pending,
            presence: Known::default(),
            failures: 0,
            by_list: false,
            more: 0,
            retry: None,
        }
    }
}
