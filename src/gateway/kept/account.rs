//! All that is kept for one XMPP user.

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::book::{FIRST, List};
use super::grants::Grants;
use crate::imps::Address;
use crate::imps::presence::AttributeName;
use crate::translate::roster::Contacts;

/// One record; one without anything in it is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::gateway) struct Account {
    /// Contact lists that have a name of their own, or nobody on them. Those of a roster that have
    /// neither are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::gateway) lists: Vec<List>,
    /// Who is on the lists; with a roster what it said last, as far as attribute lists need it.
    #[serde(default, skip_serializing_if = "Contacts::is_empty")]
    pub(in crate::gateway) contacts: Contacts,
    /// Attribute lists.
    #[serde(default, skip_serializing_if = "Grants::is_untouched")]
    pub(in crate::gateway) grants: Grants,
    /// Block list and grant list.
    #[serde(default, skip_serializing_if = "Access::is_untouched")]
    pub(in crate::gateway) access: Access,
}

impl Account {
    /// Names of the lists on which somebody is.
    fn lists_of(&self, user: &Address) -> Vec<String> {
        match self.contacts.get(user) {
            Some(contact) => List::of_contact(&self.lists, &self.contacts, contact),
            None => Vec::new(),
        }
    }

    /// What a watcher may see by attribute lists; `None` if none concerns them.
    pub(super) fn visible(&self, watcher: &Address) -> Option<Vec<AttributeName>> {
        if self.grants.is_untouched() {
            return None;
        }
        self.grants.visible(watcher, &self.lists_of(watcher))
    }

    /// Whether this user, or this group (`name` writes by it), may reach the owner.
    pub(super) fn admits(&self, sender: &Address, name: Option<&str>) -> bool {
        let has = |list: &Address, user: &Address| {
            let wanted = list.resource_part().unwrap_or(FIRST);
            self.lists_of(user).iter().any(|name| name == wanted)
        };
        self.access.admits(sender, name, has)
    }
}
