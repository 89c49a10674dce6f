//! Which domain is the Primary Service Element of a service for the users of a
//! home domain (wire profile, 1: Service Table).
//!
//! Requests about what a user keeps at their provider (contact lists, attribute
//! lists, waiting messages, ...) name nobody but the user: the requestor
//! decides where they go. A home domain asks the next hop towards the PSE, and
//! every domain on the way has an entry that says where that is. Without an entry
//! a domain that is asked takes itself for the provider, whoever passed the
//! request on; so a chain ends where the entries end, and never runs back to the
//! home domain the request came from.
//!
//! What others ask about a user goes to the domain of their address, except for their
//! presence, which is asked of its provider, wherever an entry names one; and who leads
//! to that provider may tell of the user's presence.

use std::collections::BTreeMap;

use super::service_set::ServiceSet;

/// Entries by home domain: functions, and the domain that provides them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PseTable(BTreeMap<String, Vec<(ServiceSet, String)>>);

impl PseTable {
    /// Adds an entry. Of two entries for the same function the narrower one counts.
    pub fn add(&mut self, functions: ServiceSet, home: &str, pse: &str) {
        let entries = self.0.entry(home.to_ascii_lowercase()).or_default();
        let pse = pse.to_ascii_lowercase();
        let at = entries
            .iter()
            .position(|(known, _)| known.includes(functions))
            .unwrap_or(entries.len());
        entries.insert(at, (functions, pse));
    }

    /// The domain that provides a function (a leaf's name) to users of `home`.
    pub fn find(&self, leaf: &str, home: &str) -> Option<&str> {
        let entries = self.0.get(home)?;
        let leaf = ServiceSet::named(leaf)?;
        let (_, pse) = entries
            .iter()
            .find(|(functions, _)| functions.includes(leaf))?;
        Some(pse)
    }

    /// Whether a domain provides anything to users of `home`.
    pub fn serves(&self, pse: &str, home: &str) -> bool {
        let entries = self.0.get(home);
        entries.is_some_and(|entries| entries.iter().any(|(_, one)| one == pse))
    }

    /// All entries: functions, home domain, providing domain.
    pub fn iter(&self) -> impl Iterator<Item = (ServiceSet, &str, &str)> {
        self.0.iter().flat_map(|(home, entries)| {
            entries
                .iter()
                .map(move |(functions, pse)| (*functions, home.as_str(), pse.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_entry_counts_whatever_the_order() {
        let named = |name| ServiceSet::named(name).unwrap();
        let mut table = PseTable::default();
        table.add(named("GALS"), "a.test", "three.test");
        table.add(ServiceSet::ALL, "a.test", "one.test");
        table.add(named("PresenceFeat"), "A.test", "two.test");
        assert_eq!(table.find("GCLI", "a.test"), Some("one.test"));
        assert_eq!(table.find("CALI", "a.test"), Some("two.test"));
        assert_eq!(table.find("GALS", "a.test"), Some("three.test"));
        assert_eq!(table.find("GALS", "b.test"), None);
    }
}
