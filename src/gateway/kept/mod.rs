//! What is kept for XMPP users who have services of theirs from the gateway: contact lists where
//! their server grants no roster, attribute lists, block and grant lists (xmpp-mapping, 3.3 and 10).
//!
//! | file | what |
//! |---|---|
//! | `account` | all that is kept for one user; one record |
//! | `book` | contact lists, whether they are here or in a roster |
//! | `grants` | attribute lists: who may see what |
//! | `access` | block list and grant list: who may write |

mod access;
mod account;
mod book;
mod grants;

use std::collections::BTreeMap;

pub(super) use access::{Access, AccessList};
pub(super) use account::Account;
pub(super) use book::Book;

use super::records::{ACCOUNT, Pair, read};
use super::shares::{Most, Shares, domain_of};
use crate::imps::Address;
use crate::imps::common::Sender;
use crate::imps::presence::AttributeName;
use crate::store::Write;

/// Users for whom something is kept, and bytes of it; our choice.
const MOST: Most = Most {
    items: 20_000,
    bytes: 32 << 20,
};
/// Bytes of what is kept for one user; our choice: each change writes all of it.
const MOST_OF_ONE: usize = 128 << 10;

/// What is kept for XMPP users, by bare JID.
#[derive(Debug)]
pub(super) struct Accounts {
    of: BTreeMap<String, Account>,
    /// Bytes of each record.
    bytes: BTreeMap<String, usize>,
    shares: Shares,
}

impl Accounts {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            of: BTreeMap::new(),
            bytes: BTreeMap::new(),
            shares: Shares::new(own),
        }
    }

    /// Takes back a record; `jid` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, jid: &str, value: &[u8]) -> Result<(), String> {
        let account = read(value)?;
        self.hold(jid, account, value.len());
        Ok(())
    }

    fn hold(&mut self, jid: &str, account: Account, bytes: usize) {
        self.release(jid);
        self.shares.add(domain_of(jid), bytes);
        self.bytes.insert(jid.to_owned(), bytes);
        self.of.insert(jid.to_owned(), account);
    }

    fn release(&mut self, jid: &str) {
        if let Some(bytes) = self.bytes.remove(jid) {
            self.shares.remove(domain_of(jid), bytes);
        }
        self.of.remove(jid);
    }

    /// What is kept for a user; nothing special for most.
    pub(super) fn of(&self, jid: &str) -> Account {
        self.of.get(jid).cloned().unwrap_or_default()
    }

    /// Users whose attribute lists are for contact lists.
    pub(super) fn granting_lists(&self) -> impl Iterator<Item = &str> {
        let granting = self
            .of
            .iter()
            .filter(|(_, account)| account.grants.names_lists());
        granting.map(|(jid, _)| jid.as_str())
    }

    /// Keeps it; what is to be written for it, or nothing where there is no room.
    pub(super) fn set(&mut self, jid: &str, account: Account) -> Option<Write> {
        let key = format!("{ACCOUNT}{jid}");
        if account == Account::default() {
            self.release(jid);
            return Some(Write::delete(key));
        }
        let bytes = serde_json::to_vec(&account).map_or(usize::MAX, |text| text.len());
        let before = self.bytes.get(jid).copied();
        // What is not more than before has room.
        if before.is_none_or(|before| bytes > before) {
            if bytes > MOST_OF_ONE {
                return None;
            }
            let domain = domain_of(jid);
            if let Some(before) = before {
                self.shares.remove(domain, before);
            }
            let has_room = self.shares.have_room(domain, bytes, MOST);
            if let Some(before) = before {
                self.shares.add(domain, before);
            }
            if !has_room {
                return None;
            }
        }
        let write = Write::put_json(key, &account);
        self.hold(jid, account, bytes);
        Some(write)
    }

    /// What of an XMPP user the watcher may see by the user's attribute lists; `None` if these do not
    /// concern the watcher, who sees what XMPP lets them see.
    pub(super) fn visible(&self, pair: &Pair) -> Option<Vec<AttributeName>> {
        self.of.get(&pair.xmpp)?.visible(&pair.wv)
    }

    /// Whether an XMPP user lets this sender write to them.
    pub(super) fn admits(&self, jid: &str, sender: &Sender) -> bool {
        let Some(account) = self.of.get(jid) else {
            return true;
        };
        let name = sender.screen_name.as_ref().map(|name| name.name.as_str());
        let name = name.or_else(|| {
            let shown = sender.display.as_ref()?.screen_name.as_ref()?;
            Some(shown.name.as_str())
        });
        let group = sender.group.as_ref().map(|group| &group.group);
        let user = sender.user.as_ref().map(|user| &user.user);
        match group.or(user) {
            Some(address) => account.admits(address, name),
            None => true,
        }
    }

    /// Whether an XMPP user lets this user invite them.
    pub(super) fn admits_user(&self, jid: &str, user: &Address) -> bool {
        let account = self.of.get(jid);
        account.is_none_or(|account| account.admits(user, None))
    }
}
