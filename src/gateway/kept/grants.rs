//! Attribute lists of XMPP users (xmpp-mapping, 3.3; wire profile, 11.7).
//!
//! XMPP lets somebody see everything or nothing. Whom an attribute list concerns, by address or by a
//! contact list, sees of that what is on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::element::AttributeSet;
use crate::imps::address::Kind;
use crate::imps::common::{AttributeList, ContactList, UserId};
use crate::imps::presence::{AttributeName, PresenceSubList};
use crate::imps::primitive::presence_admin::{
    AttributeGrant, CreateAttributeListRequest, DeleteAttributeListRequest,
    GetAttributeListRequest, GetAttributeListResponse,
};
use crate::imps::status::DetailedResult;
use crate::imps::{Address, Code, Status};

/// No attribute of the list is known.
const ATTRIBUTE: Code = Code(750);
/// Users with attribute lists of their own; our choice.
const MAX_USERS: usize = 1_000;

/// The attribute lists of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(in crate::gateway) struct Grants {
    /// That of contact lists without one of their own; absent if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<AttributeSet>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    users: BTreeMap<Address, AttributeSet>,
    /// By the names of the lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lists: BTreeMap<String, AttributeSet>,
    /// Whom the user's server lets see presence for these lists alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    approved: BTreeSet<Address>,
}

/// All lists as they are kept.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    default: Option<Set>,
    #[serde(default)]
    users: BTreeMap<Address, Set>,
    #[serde(default)]
    lists: BTreeMap<String, Set>,
    #[serde(default)]
    approved: BTreeSet<Address>,
}

/// One list as it is kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum Set {
    /// By an earlier version: the names of what may be seen.
    Names(Vec<String>),
    Now(AttributeSet),
}

impl From<Kept> for Grants {
    fn from(kept: Kept) -> Self {
        let users = kept.users.into_iter();
        let lists = kept.lists.into_iter();
        Self {
            default: kept.default.map(Set::read),
            users: users.map(|(user, set)| (user, set.read())).collect(),
            lists: lists.map(|(name, set)| (name, set.read())).collect(),
            approved: kept.approved,
        }
    }
}

impl Set {
    fn read(self) -> AttributeSet {
        let names = match self {
            Self::Now(set) => return set,
            Self::Names(names) => names,
        };
        if names.is_empty() {
            return AttributeSet::NONE;
        }
        let names = names.iter().map(|name| AttributeName::from_name(name));
        let set = AttributeSet::known(&PresenceSubList::request(names));
        let is_all = AttributeName::KNOWN.iter().all(|name| set.contains(name));
        if is_all { AttributeSet::ALL } else { set }
    }
}

/// The lists of a user who has never changed any.
impl Default for Grants {
    fn default() -> Self {
        Self {
            default: Some(AttributeSet::ALL),
            users: BTreeMap::new(),
            lists: BTreeMap::new(),
            approved: BTreeSet::new(),
        }
    }
}

impl Grants {
    pub(super) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it must be known who is on the contact lists.
    pub(in crate::gateway) fn names_lists(&self) -> bool {
        !self.lists.is_empty() || self.default != Some(AttributeSet::ALL)
    }

    /// What a watcher on these lists sees: the attribute list of a user goes before those of contact
    /// lists, which are combined. `None` if nothing concerns them.
    pub(super) fn visible(&self, watcher: &Address, on: &[String]) -> Option<AttributeSet> {
        if self.approved.contains(watcher) && !self.shows(watcher, on) {
            return Some(AttributeSet::NONE);
        }
        let by_list = on.iter().filter_map(|name| self.lists.get(name));
        let by_default = on.iter().filter(|name| !self.lists.contains_key(*name));
        let by_default = by_default.filter_map(|_| self.default.as_ref());
        let by_list = by_list.chain(by_default).copied();
        let own = self.users.get(watcher).copied();
        own.or_else(|| by_list.reduce(AttributeSet::or))
    }

    /// Whether somebody on these lists is shown anything by an attribute list that is for them, and
    /// not for everybody.
    pub(in crate::gateway) fn shows(&self, watcher: &Address, on: &[String]) -> bool {
        match self.users.get(watcher) {
            Some(own) => !own.is_empty(),
            None => {
                let mut by_list = on.iter().filter_map(|name| self.lists.get(name));
                by_list.any(|set| !set.is_empty())
            }
        }
    }

    /// Whom the user's server lets see presence for attribute lists alone.
    pub(in crate::gateway) fn approved(&self) -> &BTreeSet<Address> {
        &self.approved
    }

    /// The user's server lets somebody see presence for these lists, or does not any more.
    pub(in crate::gateway) fn approve(&mut self, user: &Address, is_approved: bool) {
        if is_approved {
            self.approved.insert(user.clone());
        } else {
            self.approved.remove(user);
        }
    }

    /// Keeps as approved only those whom the roster lets see presence.
    pub(in crate::gateway) fn retain_approved(&mut self, is_seen: impl Fn(&Address) -> bool) {
        self.approved.retain(is_seen);
    }

    /// Forgets what was for a contact list that is no more.
    pub(in crate::gateway) fn forget_list(&mut self, name: &str) {
        self.lists.remove(name);
    }

    /// Attaches an attribute list. `list` is the name of a contact list of the owner, if it is one.
    pub(in crate::gateway) fn create(
        &mut self,
        request: &CreateAttributeListRequest,
        list: impl Fn(&Address) -> Option<String>,
    ) -> Status {
        let Some(wanted) = &request.attributes else {
            return Status::new(Code::BAD_PARAMETER).because("There is no attribute list.");
        };
        let wanted = wanted.presence.clone().unwrap_or_default();
        let set = AttributeSet::known(&wanted);
        if set.is_empty() && !wanted.attributes.is_empty() {
            return Status::new(ATTRIBUTE).because("None of the attributes is known here.");
        }
        let targets = Targets::of(&request.users, &request.lists, list);
        let new = targets
            .users
            .iter()
            .filter(|user| !self.users.contains_key(user));
        if self.users.len() + new.count() > MAX_USERS {
            return Status::new(Code::TOO_MANY_CONTACTS)
                .because("There is no room for another contact.");
        }
        let status = targets.status(request.default);
        if request.default {
            self.default = Some(set);
        }
        for user in targets.users {
            self.users.insert(user, set);
        }
        for list in targets.lists {
            self.lists.insert(list, set);
        }
        status
    }

    /// Detaches attribute lists.
    pub(in crate::gateway) fn delete(
        &mut self,
        request: &DeleteAttributeListRequest,
        list: impl Fn(&Address) -> Option<String>,
    ) -> Status {
        let targets = Targets::of(&request.users, &request.lists, list);
        let status = targets.status(request.default);
        if request.default {
            self.default = None;
        }
        for user in &targets.users {
            self.users.remove(user);
        }
        for list in &targets.lists {
            self.lists.remove(list);
        }
        status
    }

    /// Shows attribute lists: of those named, or all. `address` is that of a contact list.
    pub(in crate::gateway) fn get(
        &self,
        request: &GetAttributeListRequest,
        list: impl Fn(&Address) -> Option<String>,
        address: impl Fn(&str) -> Address,
    ) -> GetAttributeListResponse {
        let is_all = request.users.is_empty() && request.lists.is_empty();
        let mut targets = Targets::of(&request.users, &request.lists, list);
        if is_all {
            targets.users = self.users.keys().cloned().collect();
            targets.lists = self.lists.keys().cloned().collect();
        }
        let status = if is_all {
            Status::ok()
        } else {
            targets.status(request.default)
        };
        let mut presences = Vec::new();
        for name in &targets.lists {
            if let Some(set) = self.lists.get(name) {
                let list = address(name);
                presences.push(AttributeGrant {
                    user: None,
                    list: Some(ContactList { list }),
                    presence: Some(set.to_list()),
                });
            }
        }
        for user in &targets.users {
            if let Some(set) = self.users.get(user) {
                presences.push(AttributeGrant {
                    user: Some(UserId { user: user.clone() }),
                    list: None,
                    presence: Some(set.to_list()),
                });
            }
        }
        let default = self.default.as_ref().filter(|_| request.default);
        GetAttributeListResponse {
            status,
            default: default.map(|set| AttributeList {
                presence: Some(set.to_list()),
            }),
            presences,
        }
    }
}

/// For whom an attribute list is.
struct Targets {
    users: Vec<Address>,
    /// By name.
    lists: Vec<String>,
    no_users: Vec<Address>,
    no_lists: Vec<Address>,
}

impl Targets {
    fn of(
        users: &[UserId],
        lists: &[ContactList],
        name: impl Fn(&Address) -> Option<String>,
    ) -> Self {
        let is_user = |user: &Address| user.is_valid() && user.kind() == Kind::User;
        let users = users.iter().map(|id| id.user.clone());
        let (users, no_users) = users.partition(is_user);
        let (mut known, mut no_lists) = (Vec::new(), Vec::new());
        for id in lists {
            match name(&id.list) {
                Some(name) => known.push(name),
                None => no_lists.push(id.list.clone()),
            }
        }
        Self {
            users,
            lists: known,
            no_users,
            no_lists,
        }
    }

    /// What becomes of the request, which is about the default list too, or not.
    fn status(&self, default: bool) -> Status {
        let good = self.users.len() + self.lists.len() + usize::from(default);
        let bad = self.no_users.len() + self.no_lists.len();
        if good + bad == 0 {
            let why = "It is said neither for whom the list is nor that it is the default one.";
            return Status::new(Code::BAD_PARAMETER).because(why);
        }
        let mut details = Vec::new();
        if !self.no_users.is_empty() {
            let users = self.no_users.iter().cloned();
            details.push(DetailedResult {
                users: users.map(|user| UserId { user }).collect(),
                ..DetailedResult::new(Code::ADDRESS)
            });
        }
        if !self.no_lists.is_empty() {
            let lists = self.no_lists.iter().cloned();
            details.push(DetailedResult {
                contact_lists: lists.map(|list| ContactList { list }).collect(),
                ..DetailedResult::new(Code::NO_CONTACT_LIST)
            });
        }
        let code = match details.as_slice() {
            [] => return Status::ok(),
            _ if good > 0 => Code::PARTIAL,
            [only] => only.code,
            _ => Code::MULTIPLE,
        };
        Status {
            details,
            ..Status::new(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_an_earlier_version_show_what_they_did() {
        let all: Vec<&str> = AttributeName::KNOWN
            .iter()
            .map(AttributeName::as_str)
            .collect();
        let older = serde_json::json!({
            "default": all,
            "users": {"wv:bob@b.test": [], "wv:zoe@c.test": ["StatusText"]},
        });
        let grants: Grants = serde_json::from_value(older).unwrap();
        assert_eq!(grants.default, Some(AttributeSet::ALL));
        let of = |user: &str| grants.users[&Address::new(user)];
        assert_eq!(of("wv:bob@b.test"), AttributeSet::NONE);
        let text = of("wv:zoe@c.test");
        assert!(text.contains(&AttributeName::StatusText));
        assert!(!text.contains(&AttributeName::OnlineStatus));
        let now = serde_json::to_string(&grants).unwrap();
        assert_eq!(serde_json::from_str::<Grants>(&now).unwrap(), grants);
        assert_eq!(serde_json::from_str::<Grants>("{}").unwrap().default, None);
    }
}
