//! Block list and grant list of an XMPP user (xmpp-mapping, 10; wire profile, 11.10).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::imps::address::Kind;
use crate::imps::common::{ContactList, GroupId, ScreenName, UserId};
use crate::imps::primitive::access::{EntityChanges, EntityList};
use crate::imps::{Address, Code};

/// Entries of one list; our choice.
const MAX_ENTRIES: usize = 1_000;
/// Bytes of a name within a group; our choice.
const MAX_NAME: usize = 256;

/// Both lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::gateway) struct Access {
    /// Who may not write.
    pub(in crate::gateway) blocked: AccessList,
    /// Who alone may write.
    pub(in crate::gateway) granted: AccessList,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::gateway) struct AccessList {
    /// Whether it is in force.
    pub(in crate::gateway) in_use: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::gateway) users: BTreeSet<Address>,
    /// Participants: the group, and the name that is shown there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::gateway) names: BTreeSet<(Address, String)>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::gateway) groups: BTreeSet<Address>,
    /// The owner's contact lists, as they are when somebody writes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(in crate::gateway) lists: BTreeSet<Address>,
}

/// Those of a user who has never changed any.
impl Default for Access {
    fn default() -> Self {
        Self {
            blocked: AccessList {
                in_use: true,
                ..AccessList::default()
            },
            granted: AccessList::default(),
        }
    }
}

impl Access {
    pub(super) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a user, or a group in which `name` writes, may reach the owner: not who is on the block
    /// list in use; then, if the grant list is in use, who is on that. `has` says whether somebody is on
    /// a contact list.
    pub(super) fn admits(
        &self,
        sender: &Address,
        name: Option<&str>,
        has: impl Fn(&Address, &Address) -> bool,
    ) -> bool {
        let is_blocked = self.blocked.in_use && self.blocked.has(sender, name, &has);
        !is_blocked && (!self.granted.in_use || self.granted.has(sender, name, &has))
    }
}

impl AccessList {
    fn has(
        &self,
        sender: &Address,
        name: Option<&str>,
        has: &impl Fn(&Address, &Address) -> bool,
    ) -> bool {
        if sender.kind() == Kind::Resource {
            let is_named = |name: &str| {
                let mut names = self.names.iter();
                names.any(|(group, known)| group == sender && known.eq_ignore_ascii_case(name))
            };
            return self.groups.contains(sender) || name.is_some_and(is_named);
        }
        self.users.contains(sender) || self.lists.iter().any(|list| has(list, sender))
    }

    fn len(&self) -> usize {
        self.users.len() + self.names.len() + self.groups.len() + self.lists.len()
    }

    /// Changes the list, or nothing of it.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(in crate::gateway) fn change(
        &mut self,
        changes: &EntityChanges,
    ) -> Result<(), (Code, &'static str)> {
        let mut list = self.clone();
        if let Some(in_use) = changes.in_use {
            list.in_use = in_use;
        }
        if let Some(add) = &changes.add {
            list.add(add)?;
        }
        if let Some(remove) = &changes.remove {
            list.remove(remove);
        }
        if list.len() > MAX_ENTRIES.max(self.len()) {
            return Err((
                Code::TOO_MANY_CONTACTS,
                "There is no room for another entry.",
            ));
        }
        *self = list;
        Ok(())
    }

    fn add(&mut self, entries: &EntityList) -> Result<(), (Code, &'static str)> {
        let is = |address: &Address, kind: Kind| address.is_valid() && address.kind() == kind;
        for id in &entries.users {
            if !is(&id.user, Kind::User) {
                return Err((Code::ADDRESS, "The address names no user."));
            }
            self.users.insert(id.user.clone());
        }
        for name in &entries.screen_names {
            if !is(&name.group, Kind::Resource) {
                return Err((Code::NO_GROUP, "The address names no group."));
            }
            if name.name.trim().is_empty() || name.name.len() > MAX_NAME {
                return Err((Code::BAD_PARAMETER, "The name is empty or too long."));
            }
            self.names.insert((name.group.clone(), name.name.clone()));
        }
        for id in &entries.groups {
            if !is(&id.group, Kind::Resource) {
                return Err((Code::NO_GROUP, "The address names no group."));
            }
            self.groups.insert(id.group.clone());
        }
        for id in &entries.lists {
            if !is(&id.list, Kind::Resource) {
                return Err((Code::ADDRESS, "The address names no contact list."));
            }
            self.lists.insert(id.list.clone());
        }
        Ok(())
    }

    fn remove(&mut self, entries: &EntityList) {
        for id in &entries.users {
            self.users.remove(&id.user);
        }
        for name in &entries.screen_names {
            self.names.retain(|(group, known)| {
                *group != name.group || !known.eq_ignore_ascii_case(&name.name)
            });
        }
        for id in &entries.groups {
            self.groups.remove(&id.group);
        }
        for id in &entries.lists {
            self.lists.remove(&id.list);
        }
    }

    /// The list as it is told.
    pub(in crate::gateway) fn told(&self) -> EntityList {
        let names = self.names.iter().cloned();
        EntityList {
            in_use: Some(self.in_use),
            users: self
                .users
                .iter()
                .cloned()
                .map(|user| UserId { user })
                .collect(),
            screen_names: names
                .map(|(group, name)| ScreenName { group, name })
                .collect(),
            groups: self
                .groups
                .iter()
                .cloned()
                .map(|group| GroupId { group })
                .collect(),
            lists: self
                .lists
                .iter()
                .cloned()
                .map(|list| ContactList { list })
                .collect(),
        }
    }
}
