//! Rows found by what stands in them.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Finds numbers of rows by what stands in the rows. It keeps no copy of that: whoever asks looks
/// at a row that may be it.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashTable<Entry>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    number: u64,
}

impl Index {
    /// The row that has the key, as `is` says.
    pub(super) fn find(&self, key: &impl Hash, is: impl Fn(u64) -> bool) -> Option<u64> {
        let hash = self.hasher.hash_one(key);
        let found = self
            .entries
            .find(hash, |entry| entry.hash == hash && is(entry.number));
        found.map(|entry| entry.number)
    }

    /// From now on the key leads to this row, and no more to another one that has it, as `is` says.
    pub(super) fn insert(&mut self, key: &impl Hash, number: u64, is: impl Fn(u64) -> bool) {
        let hash = self.hasher.hash_one(key);
        let known = self
            .entries
            .find_mut(hash, |entry| entry.hash == hash && is(entry.number));
        match known {
            Some(entry) => entry.number = number,
            None => {
                let entry = Entry { hash, number };
                self.entries.insert_unique(hash, entry, |entry| entry.hash);
            }
        }
    }

    /// From now on the key leads to this row too.
    pub(super) fn add(&mut self, key: &impl Hash, number: u64) {
        let hash = self.hasher.hash_one(key);
        let is_it = |entry: &Entry| entry.hash == hash && entry.number == number;
        if self.entries.find(hash, is_it).is_none() {
            let entry = Entry { hash, number };
            self.entries.insert_unique(hash, entry, |entry| entry.hash);
        }
    }

    /// Rows that may have the key, all that do among them.
    pub(super) fn candidates(&self, key: &impl Hash) -> impl Iterator<Item = u64> {
        let hash = self.hasher.hash_one(key);
        let entries = self.entries.iter_hash(hash);
        let entries = entries.filter(move |entry| entry.hash == hash);
        entries.map(|entry| entry.number)
    }

    /// The key does not lead to this row any more.
    pub(super) fn remove(&mut self, key: &impl Hash, number: u64) {
        let hash = self.hasher.hash_one(key);
        let known = self
            .entries
            .find_entry(hash, |entry| entry.hash == hash && entry.number == number);
        if let Ok(entry) = known {
            entry.remove();
        }
    }
}

#[cfg(test)]
impl Index {
    /// Bytes that all entries take, with the room that the table keeps free.
    pub(super) fn bytes(&self) -> usize {
        self.entries.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_its_newest_row_until_that_is_gone() {
        let mut index = Index::default();
        for number in 0..1000 {
            index.insert(&(number % 10), number, |other| other % 10 == number % 10);
        }
        for key in 0..10_u64 {
            assert_eq!(
                index.find(&key, |number| number % 10 == key),
                Some(990 + key)
            );
        }
        // That of an older row is not taken away with it.
        index.remove(&3_u64, 3);
        assert_eq!(index.find(&3_u64, |number| number % 10 == 3), Some(993));
        index.remove(&3_u64, 993);
        assert_eq!(index.find(&3_u64, |number| number % 10 == 3), None);
    }

    #[test]
    fn a_key_leads_to_several_rows_if_each_was_added() {
        let mut index = Index::default();
        for number in [7, 9, 9, 8] {
            index.add(&"key", number);
        }
        index.remove(&"key", 8);
        let mut rows: Vec<u64> = index.candidates(&"key").collect();
        rows.sort_unstable();
        assert_eq!(rows, [7, 9]);
        assert_eq!(index.candidates(&"other").count(), 0);
    }
}
