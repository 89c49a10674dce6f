//! Block list and grant list of an XMPP user (xmpp-mapping, 10; wire profile, 11.10).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::element::access::{AccessLists, Change, Entry, InUse, List};
use crate::imps::Address;
use crate::imps::common::ScreenName;
use crate::translate::Translator;
use crate::translate::block_list::Blocked;

/// Entries of both lists; our choice.
pub(in crate::gateway) const MAX_ENTRIES: usize = 1_000;

/// Both lists, and what the user's server has of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(in crate::gateway) struct Access {
    /// As they are in force here.
    #[serde(flatten)]
    pub(in crate::gateway) lists: AccessLists,
    /// Whether the server has been told of all on the block list: who is not blocked there any more has
    /// been let in by another client of the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::gateway) is_at_server: bool,
}

/// Both lists as they are kept.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    /// By an earlier version: each list by itself.
    Older { blocked: Older, granted: Older },
    Now {
        #[serde(flatten)]
        lists: AccessLists,
        #[serde(default)]
        is_at_server: bool,
    },
}

/// One list of an earlier version.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Older {
    in_use: bool,
    users: Vec<Address>,
    names: Vec<(Address, String)>,
    groups: Vec<Address>,
    lists: Vec<Address>,
}

impl Older {
    fn entries(self) -> impl Iterator<Item = Entry> {
        let names = self.names.into_iter();
        let names = names.map(|(group, name)| Entry::ScreenName(group, name));
        let users = self.users.into_iter().map(Entry::User);
        let groups = self.groups.into_iter().map(Entry::Group);
        let lists = self.lists.into_iter().map(Entry::ContactList);
        users.chain(names).chain(groups).chain(lists)
    }
}

impl From<Kept> for Access {
    fn from(kept: Kept) -> Self {
        let (blocked, granted) = match kept {
            Kept::Now {
                lists,
                is_at_server,
            } => {
                return Self {
                    lists,
                    is_at_server,
                };
            }
            Kept::Older { blocked, granted } => (blocked, granted),
        };
        let mut access = Self::default();
        access.lists.set_in_use(InUse {
            blocked: blocked.in_use,
            granted: granted.in_use,
        });
        for (list, older) in [(List::Blocked, blocked), (List::Granted, granted)] {
            for entry in older.entries() {
                let is_on = true;
                access.lists.change(&Change { list, entry, is_on });
            }
        }
        access
    }
}

impl Access {
    pub(super) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// Whom the user's server is to block, as far as it can be told.
    pub(in crate::gateway) fn in_force(&self) -> Vec<Blocked> {
        if !self.lists.in_use().blocked {
            return Vec::new();
        }
        self.lists.on(List::Blocked).filter_map(blocked).collect()
    }

    /// Takes over a block list in use as the user's server has it. Whom it cannot block stays.
    pub(in crate::gateway) fn take_over(&mut self, server: &[Blocked], translator: &Translator) {
        if !self.lists.in_use().blocked {
            return;
        }
        let there: Vec<Entry> = server.iter().map(entry).collect();
        let keys: BTreeSet<String> = there.iter().map(Entry::key).collect();
        if self.is_at_server {
            let gone = self.lists.on(List::Blocked).filter(|entry| {
                let may_be_there = blocked(entry).is_some_and(|b| b.jid(translator).is_some());
                may_be_there && !keys.contains(&entry.key())
            });
            let gone: Vec<Entry> = gone.cloned().collect();
            for entry in gone {
                self.put(entry, false);
            }
        }
        for entry in there {
            if self.lists.len() < MAX_ENTRIES {
                self.put(entry, true);
            }
        }
        let here = self.in_force();
        let mut here = here
            .iter()
            .filter(|blocked| blocked.jid(translator).is_some());
        let is_empty = self.lists.on(List::Blocked).next().is_none();
        self.is_at_server = !is_empty && here.all(|blocked| keys.contains(&entry(blocked).key()));
    }

    fn put(&mut self, entry: Entry, is_on: bool) {
        let list = List::Blocked;
        self.lists.change(&Change { list, entry, is_on });
    }
}

/// An entry as the user's server may have it.
pub(in crate::gateway) fn blocked(entry: &Entry) -> Option<Blocked> {
    match entry {
        Entry::User(user) => Some(Blocked::User(user.clone())),
        Entry::Group(group) => Some(Blocked::Group(group.clone())),
        Entry::ScreenName(group, name) => Some(Blocked::ScreenName(ScreenName {
            group: group.clone(),
            name: name.clone(),
        })),
        Entry::ContactList(_) => None,
    }
}

/// The entry for somebody whom the user's server blocks.
pub(in crate::gateway) fn entry(blocked: &Blocked) -> Entry {
    match blocked {
        Blocked::User(user) => Entry::User(user.clone()),
        Blocked::Group(group) => Entry::Group(group.clone()),
        Blocked::ScreenName(name) => Entry::ScreenName(name.group.clone(), name.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_an_earlier_version_are_in_force_as_they_were() {
        let older = r#"{"blocked":{"in_use":true,"users":["wv:bob@b.test"],"names":[["wv:al/g@b.test","Al"]]},
            "granted":{"in_use":true,"groups":["wv:al/g@b.test"],"lists":["wv:me/friends@a.test"]}}"#;
        let access: Access = serde_json::from_str(older).unwrap();
        let keys = |list| {
            let on = access.lists.on(list);
            on.map(Entry::key).collect::<BTreeSet<_>>()
        };
        let group = || Address::new("wv:al/g@b.test");
        let bob = Entry::User(Address::new("wv:bob@b.test"));
        let blocked = [bob, Entry::ScreenName(group(), "Al".to_owned())];
        let list = Entry::ContactList(Address::new("wv:me/friends@a.test"));
        let granted = [Entry::Group(group()), list];
        assert_eq!(keys(List::Blocked), blocked.map(|e| e.key()).into());
        assert_eq!(keys(List::Granted), granted.map(|e| e.key()).into());
        let in_use = access.lists.in_use();
        assert!(in_use.blocked && in_use.granted && !access.is_at_server);
        let now = serde_json::to_string(&access).unwrap();
        assert_eq!(serde_json::from_str::<Access>(&now).unwrap(), access);
        assert_eq!(
            serde_json::from_str::<Access>("{}").unwrap(),
            Access::default()
        );
    }
}
