//! Contact lists of an XMPP user as they are kept: their names, and who is on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::imps::Address;
use crate::translate::roster::{Contact, Contacts, Subscription};

/// The name of the default list.
pub(super) const FIRST: &str = "contacts";
/// What people see of it.
const FIRST_SHOWN: &str = "Contacts";

/// A contact list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::gateway) struct List {
    /// What stands behind the `/` in its address.
    pub(super) name: String,
    /// The group in the roster, which is what people see; empty for the default list.
    pub(super) group: String,
}

/// All contact lists of a user that are in one place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::gateway) struct Lists {
    /// Those that have a name of their own, or nobody on them. Those of groups that have neither are
    /// not here.
    #[serde(default, rename = "lists", skip_serializing_if = "Vec::is_empty")]
    pub(super) named: Vec<List>,
    /// Who is on them.
    #[serde(default, skip_serializing_if = "Contacts::is_empty")]
    pub(super) contacts: Contacts,
}

impl List {
    fn first() -> Self {
        Self {
            name: FIRST.to_owned(),
            group: String::new(),
        }
    }

    pub(super) fn shown(&self) -> &str {
        match self.group.as_str() {
            "" => FIRST_SHOWN,
            group => group,
        }
    }

    pub(super) fn has(&self, contact: &Contact) -> bool {
        if self.group.is_empty() {
            contact.groups.is_empty()
        } else {
            contact.groups.contains(&self.group)
        }
    }

    /// Whether its group alone says how it is called.
    pub(super) fn is_called_by_group(&self) -> bool {
        self.name == name_of(&self.group)
    }

    /// All lists: the default one, those that have names of their own, and those of other groups.
    pub(super) fn all(named: &[Self], contacts: &Contacts) -> Vec<Self> {
        let mut all = vec![Self::first()];
        all.extend(named.iter().cloned());
        let mut names: BTreeSet<String> = all.iter().map(|list| list.name.clone()).collect();
        let known: BTreeSet<&str> = named.iter().map(|list| list.group.as_str()).collect();
        let groups: BTreeSet<&String> = contacts.values().flat_map(|c| &c.groups).collect();
        let new: Vec<&String> = groups
            .into_iter()
            .filter(|group| !known.contains(group.as_str()))
            .collect();
        // Under which number a name is free, if it was taken.
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for group in new {
            let name = name_of(group);
            let mut unique = name.clone();
            while !names.insert(unique.clone()) {
                let number = numbers.entry(name.clone()).or_insert(1);
                *number += 1;
                unique = format!("{name}-{number}");
            }
            all.push(Self {
                name: unique,
                group: group.clone(),
            });
        }
        all
    }
}

impl Lists {
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.contacts.is_empty()
    }

    /// The same without what a roster says of presence, which is not kept.
    pub(super) fn without_presence(mut self) -> Self {
        for contact in self.contacts.values_mut() {
            contact.subscription = Subscription::None;
        }
        self
    }

    /// The names of the lists on which each contact is.
    pub(super) fn by_contact(&self) -> BTreeMap<Address, Vec<String>> {
        let all = List::all(&self.named, &self.contacts);
        let names: BTreeMap<&str, &str> = all
            .iter()
            .map(|list| (list.group.as_str(), list.name.as_str()))
            .collect();
        let on = |contact: &Contact| {
            let groups = contact.groups.iter().map(String::as_str);
            let default = contact.groups.is_empty().then_some("");
            let names = groups.chain(default).filter_map(|group| names.get(group));
            names.map(|name| (*name).to_owned()).collect()
        };
        let contacts = self.contacts.iter();
        contacts
            .map(|(user, contact)| (user.clone(), on(contact)))
            .collect()
    }
}

/// The name of a list by its group, as addresses have it.
fn name_of(group: &str) -> String {
    let mut name = String::with_capacity(group.len());
    for byte in group.to_lowercase().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_whose_names_are_the_same_in_small_letters_have_numbers() {
        // 2 048 ways to write a word of eleven letters.
        let ways = (0_u32..2_048).map(|bits| {
            let letter = |at: u32, letter: char| match bits >> at & 1 {
                0 => letter,
                _ => letter.to_ascii_uppercase(),
            };
            (0..)
                .zip("northwardly".chars())
                .map(|(at, c)| letter(at, c))
                .collect::<String>()
        });
        let contact = |group: String| Contact {
            groups: BTreeSet::from([group]),
            ..Contact::default()
        };
        let contacts = ways.enumerate().map(|(number, group)| {
            let user = Address::new(&format!("u{number}@village.example"));
            (user, contact(group))
        });
        let lists = Lists {
            named: Vec::new(),
            contacts: contacts.collect(),
        };
        let names: BTreeSet<Vec<String>> = lists.by_contact().into_values().collect();
        assert_eq!(names.len(), 2_048);
        assert!(names.contains(&vec!["northwardly".to_owned()]));
        assert!(names.contains(&vec!["northwardly-2048".to_owned()]));
    }
}
