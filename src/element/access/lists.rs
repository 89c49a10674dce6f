//! A user's block list and grant list, and what they say of somebody who wants to reach the user.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::Change;
use crate::imps::address::{Address, Kind};

/// How keys of contact lists begin.
const LISTS: &str = "list/";

/// Somebody on a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A user.
    User(Address),
    /// A participant of a group, by the name that is shown there.
    ScreenName(Address, String),
    /// All who write by a group.
    Group(Address),
    /// All members of a contact list of the user's own, as it is when they come.
    ContactList(Address),
}

/// One of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Who may not reach the user.
    Blocked,
    /// Who alone may.
    Granted,
}

/// On which lists somebody is; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Who it is.
    pub entry: Entry,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    blocked: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    granted: bool,
}

/// Which lists are in force; one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// The block list is.
    pub blocked: bool,
    /// The grant list is.
    pub granted: bool,
}

impl Default for InUse {
    fn default() -> Self {
        Self {
            blocked: true,
            granted: false,
        }
    }
}

/// Both lists of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Record", into = "Record")]
pub struct AccessLists {
    in_use: InUse,
    /// By [`Entry::key`].
    entries: BTreeMap<String, Listed>,
}

/// Both lists in one record.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    in_use: InUse,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Listed>,
}

impl From<Record> for AccessLists {
    fn from(record: Record) -> Self {
        let entries = record.entries.into_iter();
        Self {
            in_use: record.in_use,
            entries: entries.map(|listed| (listed.entry.key(), listed)).collect(),
        }
    }
}

impl From<AccessLists> for Record {
    fn from(lists: AccessLists) -> Self {
        Self {
            in_use: lists.in_use,
            entries: lists.entries.into_values().collect(),
        }
    }
}

impl Entry {
    /// What tells it apart from others. Screen names are compared as groups compare them.
    pub fn key(&self) -> String {
        match self {
            Self::User(user) => key_of_user(user),
            Self::ScreenName(group, name) => key_of_name(group, name),
            Self::Group(group) => key_of_group(group),
            Self::ContactList(list) => format!("{LISTS}{list}"),
        }
    }
}

impl Listed {
    /// Somebody who is on no list yet.
    pub fn new(entry: Entry) -> Self {
        Self {
            entry,
            blocked: false,
            granted: false,
        }
    }

    /// Whether they are on this one.
    pub fn is_on(&self, list: List) -> bool {
        match list {
            List::Blocked => self.blocked,
            List::Granted => self.granted,
        }
    }

    /// Puts them on a list, or takes them off.
    pub fn put(&mut self, list: List, is_on: bool) {
        match list {
            List::Blocked => self.blocked = is_on,
            List::Granted => self.granted = is_on,
        }
    }

    /// Whether they are on neither.
    pub fn is_over(&self) -> bool {
        !self.blocked && !self.granted
    }
}

impl AccessLists {
    /// Which of them are in force.
    pub fn in_use(&self) -> InUse {
        self.in_use
    }

    /// Puts them in force, or not.
    pub fn set_in_use(&mut self, in_use: InUse) {
        self.in_use = in_use;
    }

    /// How many are on any of the lists.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// On which lists the one of this key is, if on any.
    pub fn get(&self, key: &str) -> Option<&Listed> {
        self.entries.get(key)
    }

    /// Puts somebody in their place; who is on no list has none.
    pub fn put(&mut self, listed: Listed) {
        let key = listed.entry.key();
        if listed.is_over() {
            self.entries.remove(&key);
        } else {
            self.entries.insert(key, listed);
        }
    }

    /// Who is on a list.
    pub fn on(&self, list: List) -> impl Iterator<Item = &Entry> {
        let all = self.entries.values();
        all.filter(move |listed| listed.is_on(list))
            .map(|listed| &listed.entry)
    }

    /// All who are on a list, with their keys.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Listed)> {
        let all = self.entries.iter();
        all.map(|(key, listed)| (key.as_str(), listed))
    }

    /// The keys of all who are on a list.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// Whether there is nobody on either.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts somebody on a list, or takes them off; what is said of them now, if that is something else.
    pub fn change(&mut self, change: &Change) -> Option<Listed> {
        let known = self.get(&change.entry.key()).cloned();
        let mut listed = known.unwrap_or_else(|| Listed::new(change.entry.clone()));
        if listed.is_on(change.list) == change.is_on {
            return None;
        }
        listed.put(change.list, change.is_on);
        self.put(listed.clone());
        Some(listed)
    }

    /// Whether contact lists are on any of them.
    pub fn names_contact_lists(&self) -> bool {
        let mut lists = self
            .entries
            .range::<str, _>((Bound::Included(LISTS), Bound::Unbounded));
        lists.next().is_some_and(|(key, _)| key.starts_with(LISTS))
    }

    /// Whether `sender` may reach the user (wire profile, 11.10): not who is on the block list in
    /// use; then, if the grant list is in use, only who is on that. `name` is the screen name of who
    /// writes by a group. `has` says whether a contact list has a member.
    pub fn admit(
        &self,
        sender: &Address,
        name: Option<&str>,
        has: impl Fn(&Address, &Address) -> bool,
    ) -> bool {
        if self.entries.is_empty() {
            return !self.in_use.granted;
        }
        if self.in_use.blocked && self.is_on(List::Blocked, sender, name, &has) {
            return false;
        }
        !self.in_use.granted || self.is_on(List::Granted, sender, name, &has)
    }

    fn is_on(
        &self,
        list: List,
        sender: &Address,
        name: Option<&str>,
        has: &impl Fn(&Address, &Address) -> bool,
    ) -> bool {
        let is_named = |key: String| self.get(&key).is_some_and(|listed| listed.is_on(list));
        let is_user = |user: &Address| {
            let from = (Bound::Included(LISTS), Bound::Unbounded);
            let lists = self.entries.range::<str, _>(from);
            let mut lists = lists.take_while(|(key, _)| key.starts_with(LISTS));
            is_named(key_of_user(user))
                || lists.any(|(_, listed)| match &listed.entry {
                    Entry::ContactList(of) => listed.is_on(list) && has(of, user),
                    _ => false,
                })
        };
        if sender.kind() != Kind::Resource {
            return is_user(sender);
        }
        let is_named_so = |name: &str| {
            // Who has no screen name is shown by their address. That the group says so is enough
            // to keep them out, and not enough to let them in.
            let is_shown = list == List::Blocked && name.contains('@');
            is_named(key_of_name(sender, name)) || is_shown && is_user(&Address::new(name))
        };
        is_named(key_of_group(sender)) || name.is_some_and(is_named_so)
    }
}

fn key_of_user(user: &Address) -> String {
    format!("user/{user}")
}

fn key_of_group(group: &Address) -> String {
    format!("group/{group}")
}

fn key_of_name(group: &Address, name: &str) -> String {
    format!("name/{group}/{}", name.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(blocked: &[Entry], granted: &[Entry], in_use: (bool, bool)) -> AccessLists {
        let mut lists = AccessLists::default();
        lists.set_in_use(InUse {
            blocked: in_use.0,
            granted: in_use.1,
        });
        for (list, entries) in [(List::Blocked, blocked), (List::Granted, granted)] {
            for entry in entries {
                let known = lists.get(&entry.key()).cloned();
                let mut listed = known.unwrap_or_else(|| Listed::new(entry.clone()));
                listed.put(list, true);
                lists.put(listed);
            }
        }
        lists
    }

    /// Whether zoe may reach a user whose contact list has her or not, and vicky in the group.
    fn admitted(lists: &AccessLists, has: bool) -> (bool, bool) {
        let (zoe, club) = (
            Address::new("zoe@far.test"),
            Address::new("bob/club@b.test"),
        );
        (
            lists.admit(&zoe, None, |_, _| has),
            lists.admit(&club, Some("Vicky"), |_, _| has),
        )
    }

    #[test]
    fn the_block_list_goes_before_the_grant_list() {
        let zoe = || Entry::User(Address::new("zoe@far.test"));
        let club = || Entry::Group(Address::new("bob/club@b.test"));
        let vicky =
            |name: &str| Entry::ScreenName(Address::new("bob/club@b.test"), name.to_owned());
        let contacts = || Entry::ContactList(Address::new("alice/contacts@home.test"));
        let (none, both, on, off) = (vec![], (true, true), (true, false), (false, false));
        for (number, (blocked, granted, in_use, expected)) in [
            // Neither says anything.
            (none.clone(), none.clone(), on, (true, true)),
            // Nobody is granted.
            (none.clone(), none.clone(), both, (false, false)),
            (vec![zoe()], none.clone(), on, (false, true)),
            (vec![club()], none.clone(), on, (true, false)),
            (vec![vicky("vicky")], none.clone(), on, (true, false)),
            (vec![vicky("vic")], none.clone(), on, (true, true)),
            (vec![contacts()], none.clone(), on, (false, true)),
            // Not in use.
            (vec![zoe(), club()], none.clone(), off, (true, true)),
            (none.clone(), vec![zoe()], on, (true, true)),
            (none.clone(), vec![zoe()], both, (true, false)),
            (none.clone(), vec![club()], both, (false, true)),
            (none.clone(), vec![vicky("VICKY")], both, (false, true)),
            (none.clone(), vec![contacts()], both, (true, false)),
            // On both.
            (vec![zoe()], vec![zoe(), club()], both, (false, true)),
            (vec![vicky("Vicky")], vec![club()], both, (false, false)),
            (vec![contacts()], vec![zoe()], both, (false, false)),
            (vec![zoe()], vec![zoe()], (false, true), (true, false)),
        ]
        .into_iter()
        .enumerate()
        {
            let lists = lists(&blocked, &granted, in_use);
            assert_eq!(admitted(&lists, true), expected, "{number}");
        }
        let lists = lists(&[], &[contacts()], both);
        assert_eq!(admitted(&lists, false), (false, false));
    }

    #[test]
    fn who_is_shown_by_address_in_a_group_is_kept_out_by_that_and_not_let_in() {
        let (zoe, club) = (
            Entry::User(Address::new("zoe@far.test")),
            Address::new("bob/club@b.test"),
        );
        let shown = |lists: &AccessLists| lists.admit(&club, Some("zoe@far.test"), |_, _| false);
        assert!(!shown(&lists(
            std::slice::from_ref(&zoe),
            &[],
            (true, false)
        )));
        assert!(!shown(&lists(&[], &[zoe], (false, true))));
    }
}
