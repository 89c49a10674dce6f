//! All that is kept for one XMPP user.

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::book::Book;
use super::grants::Grants;
use super::lists::Lists;
use crate::imps::Address;
use crate::translate::roster::Contacts;

/// One record; one without anything in it is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::gateway) struct Account {
    /// Contact lists for as long as the user's server grants no roster.
    #[serde(flatten)]
    here: Lists,
    /// Those of the roster as it was read last, as far as it does not tell them itself; who is on them
    /// only where other lists name contact lists. Absent where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roster: Option<Lists>,
    /// Attribute lists.
    #[serde(default, skip_serializing_if = "Grants::is_untouched")]
    pub(in crate::gateway) grants: Grants,
    /// Block list and grant list.
    #[serde(default, skip_serializing_if = "Access::is_untouched")]
    pub(in crate::gateway) access: Access,
}

impl Account {
    /// The contact lists of `owner`: those of the roster that was read, or those kept here.
    pub(in crate::gateway) fn book(&self, owner: Address, roster: Option<&Contacts>) -> Book {
        let lists = match roster {
            Some(contacts) => {
                let kept = self.roster.as_ref();
                Lists {
                    named: kept.map(|lists| lists.named.clone()).unwrap_or_default(),
                    contacts: contacts.clone(),
                }
            }
            None => self.here.clone(),
        };
        Book::new(owner, lists)
    }

    /// Keeps contact lists where they came from.
    pub(in crate::gateway) fn keep(&mut self, book: &Book, is_roster: bool) {
        let mut lists = book.kept().without_presence();
        if is_roster {
            let needs_contacts = self.needs_contacts();
            if !needs_contacts {
                lists.contacts = Contacts::new();
            }
            self.roster = Some(lists).filter(|lists| needs_contacts || !lists.is_empty());
        } else if lists != self.here {
            // Whoever changes them here goes by them.
            self.here = lists;
            self.roster = None;
        }
    }

    /// Whether it must be known who is on the contact lists: other lists name them.
    pub(in crate::gateway) fn needs_contacts(&self) -> bool {
        self.grants.names_lists() || self.access.lists.names_contact_lists()
    }

    /// The contact lists that count when somebody watches or writes.
    pub(super) fn lists(&self) -> &Lists {
        self.roster.as_ref().unwrap_or(&self.here)
    }

    /// Whether watchers may see something else than they did by `before`.
    pub(in crate::gateway) fn shows_other_than(&self, before: &Self) -> bool {
        let is_named = self.grants.names_lists() || before.grants.names_lists();
        self.grants != before.grants || is_named && self.lists() != before.lists()
    }
}
