//! What is kept for XMPP users who have services of theirs from the gateway: contact lists where
//! their server grants no roster, attribute lists, block and grant lists (xmpp-mapping, 3.3 and 10).
//!
//! | file | what |
//! |---|---|
//! | `account` | all that is kept for one user; one record |
//! | `lists` | contact lists as they are kept |
//! | `book` | the same as their owner sees and changes them, whether they are here or in a roster |
//! | `grants` | attribute lists: who may see what |
//! | `access` | block list and grant list: who may write |

mod access;
mod account;
mod book;
mod grants;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use access::{MAX_ENTRIES, blocked, entry};
pub(super) use account::Account;
pub(super) use book::Book;

use lists::FIRST;

use super::records::{ACCOUNT, Pair, read};
use super::shares::{Most, Shares, domain_of};
use crate::element::AttributeSet;
use crate::imps::Address;
use crate::imps::common::Sender;
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
    of: BTreeMap<String, Held>,
    /// Those for whom it must be known who is on their contact lists.
    needing: BTreeSet<String>,
    shares: Shares,
}

/// What is kept for one of them.
#[derive(Debug)]
struct Held {
    account: Account,
    /// Bytes of the record.
    bytes: usize,
    /// The names of the contact lists on which each contact is, as far as that must be known.
    on: BTreeMap<Address, Vec<String>>,
}

impl Held {
    fn new(account: Account, bytes: usize) -> Self {
        let on = if account.needs_contacts() {
            account.lists().by_contact()
        } else {
            BTreeMap::new()
        };
        Self { account, bytes, on }
    }

    /// Names of the lists on which somebody is.
    fn lists_of(&self, user: &Address) -> &[String] {
        self.on.get(user).map_or(&[], Vec::as_slice)
    }

    /// Whether this user, or this group (`name` writes by it), may reach the owner.
    fn admits(&self, sender: &Address, name: Option<&str>) -> bool {
        let has = |list: &Address, user: &Address| {
            let wanted = list.resource_part().unwrap_or(FIRST);
            self.lists_of(user).iter().any(|name| name == wanted)
        };
        self.account.access.lists.admit(sender, name, has)
    }
}

impl Accounts {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            of: BTreeMap::new(),
            needing: BTreeSet::new(),
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
        if account.needs_contacts() {
            self.needing.insert(jid.to_owned());
        }
        self.of.insert(jid.to_owned(), Held::new(account, bytes));
    }

    fn release(&mut self, jid: &str) {
        if let Some(held) = self.of.remove(jid) {
            self.shares.remove(domain_of(jid), held.bytes);
            self.needing.remove(jid);
        }
    }

    /// What is kept for a user; nothing special for most.
    pub(super) fn of(&self, jid: &str) -> Account {
        let held = self.of.get(jid);
        held.map(|held| held.account.clone()).unwrap_or_default()
    }

    /// Users for whom it must be known who is on their contact lists.
    pub(super) fn needing(&self) -> &BTreeSet<String> {
        &self.needing
    }

    /// Whether there is room for this; what is not more than before has room.
    pub(super) fn have_room(&mut self, jid: &str, account: &Account) -> bool {
        let bytes = weight(account);
        let before = self.of.get(jid).map(|held| held.bytes);
        if *account == Account::default() || before.is_some_and(|before| bytes <= before) {
            return true;
        }
        let domain = domain_of(jid);
        if let Some(before) = before {
            self.shares.remove(domain, before);
        }
        let has_room = bytes <= MOST_OF_ONE && self.shares.have_room(domain, bytes, MOST);
        if let Some(before) = before {
            self.shares.add(domain, before);
        }
        has_room
    }

    /// Keeps it; what is to be written for it, or nothing where there is no room.
    pub(super) fn set(&mut self, jid: &str, account: Account) -> Option<Write> {
        if !self.have_room(jid, &account) {
            return None;
        }
        let key = format!("{ACCOUNT}{jid}");
        if account == Account::default() {
            self.release(jid);
            return Some(Write::delete(key));
        }
        let write = Write::put_json(key, &account);
        let bytes = weight(&account);
        self.hold(jid, account, bytes);
        Some(write)
    }

    /// What of an XMPP user the watcher may see by the user's attribute lists; `None` if these do not
    /// concern the watcher, who sees what XMPP lets them see.
    pub(super) fn visible(&self, pair: &Pair) -> Option<AttributeSet> {
        let held = self.of.get(&pair.xmpp)?;
        if held.account.grants.is_untouched() {
            return None;
        }
        held.account
            .grants
            .visible(&pair.wv, held.lists_of(&pair.wv))
    }

    /// Whether an XMPP user lets this sender write to them.
    pub(super) fn admits(&self, jid: &str, sender: &Sender) -> bool {
        let Some(held) = self.of.get(jid) else {
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
            Some(address) => held.admits(address, name),
            None => true,
        }
    }

    /// Whether an XMPP user lets this user invite them.
    pub(super) fn admits_user(&self, jid: &str, user: &Address) -> bool {
        let held = self.of.get(jid);
        held.is_none_or(|held| held.admits(user, None))
    }
}

/// Bytes of a record.
fn weight(account: &Account) -> usize {
    serde_json::to_vec(account).map_or(usize::MAX, |text| text.len())
}
