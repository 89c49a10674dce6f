//! What is in the journal and not yet in the store behind it, as a map.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use crate::store::{Write, end_of};

/// The last change of each key.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    records: BTreeMap<String, Change>,
    bytes: usize,
}

#[derive(Debug)]
struct Change {
    /// `None`: deleted.
    value: Option<Vec<u8>>,
    /// The store behind has no record of this key.
    new: bool,
}

impl Change {
    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What an overlay says of a record.
pub(super) enum Known<'a> {
    /// It has this value.
    Value(&'a [u8]),
    /// The key has been deleted since.
    Deleted,
}

impl Overlay {
    /// Takes a change over. Of a record that was made here and is deleted nothing is left.
    pub(super) fn apply(&mut self, write: Write) {
        let (key, value, new) = match write {
            Write::Put { key, value, new } => (key, Some(value), new),
            Write::Delete { key } => (key, None, false),
        };
        match self.records.entry(key) {
            Entry::Occupied(known) if value.is_none() && known.get().new => {
                let (key, change) = known.remove_entry();
                self.bytes -= key.len() + change.bytes();
            }
            Entry::Occupied(mut known) => {
                let change = known.get_mut();
                self.bytes -= change.bytes();
                change.value = value;
                self.bytes += change.bytes();
            }
            Entry::Vacant(unknown) => {
                let length = unknown.key().len();
                let change = unknown.insert(Change { value, new });
                self.bytes += length + change.bytes();
            }
        }
    }

    /// What is known of a record.
    pub(super) fn get(&self, key: &str) -> Option<Known<'_>> {
        let change = self.records.get(key)?;
        Some(change.value.as_deref().map_or(Known::Deleted, Known::Value))
    }

    /// Changes of keys that start with `prefix` and are greater than `after`, in order.
    pub(super) fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let end = end_of(prefix);
        self.records
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(move |(key, _)| end.as_deref().is_none_or(|end| key.as_str() < end))
            .map(|(key, change)| (key.as_str(), change.value.as_deref()))
    }

    /// All changes, for the store behind.
    pub(super) fn writes(&self) -> Vec<Write> {
        self.records
            .iter()
            .map(|(key, change)| match &change.value {
                Some(value) => Write::put(key.clone(), value.clone()),
                None => Write::delete(key.clone()),
            })
            .collect()
    }

    /// Adds what came later, after the store behind has failed to take what was here: nobody knows
    /// what it has of that.
    pub(super) fn extend(&mut self, later: Self) {
        self.doubt();
        for (key, Change { value, new }) in later.records {
            self.apply(match value {
                Some(value) => Write::Put { key, value, new },
                None => Write::Delete { key },
            });
        }
    }

    /// The store behind may have taken over what is here, though it said that it has not.
    pub(super) fn doubt(&mut self) {
        self.records
            .values_mut()
            .for_each(|change| change.new = false);
    }

    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(writes: &[Write]) -> Overlay {
        let mut overlay = Overlay::default();
        for write in writes {
            overlay.apply(write.clone());
        }
        overlay
    }

    #[test]
    fn of_a_record_made_and_deleted_the_store_behind_hears_nothing() {
        let made = Write::put("a", "1").as_new();
        let gone = [made.clone(), Write::put("a", "22"), Write::delete("a")];
        let overlay_of_it = overlay(&gone);
        assert_eq!(overlay_of_it.writes(), []);
        assert_eq!(overlay_of_it.bytes(), 0);
        assert!(overlay_of_it.is_empty());
        assert!(overlay_of_it.get("a").is_none());

        // It was there before, as far as can be known here.
        let changed = [Write::put("a", "1"), Write::delete("a")];
        assert_eq!(overlay(&changed).writes(), [Write::delete("a")]);
        let again = [Write::delete("a"), made.clone(), Write::delete("a")];
        assert_eq!(overlay(&again).writes(), [Write::delete("a")]);
        assert_eq!(overlay(&again).bytes(), 1);
    }

    #[test]
    fn what_the_store_behind_may_have_is_deleted_there() {
        let made = Write::put("a", "1").as_new();
        let mut failed = overlay(std::slice::from_ref(&made));
        failed.extend(overlay(&[Write::delete("a")]));
        assert_eq!(failed.writes(), [Write::delete("a")]);
        assert_eq!(failed.bytes(), 1);

        let mut failed = overlay(&[made]);
        failed.doubt();
        failed.apply(Write::delete("a"));
        assert_eq!(failed.writes(), [Write::delete("a")]);
    }
}
