//! What is in the journal and not yet in the store behind it, as a map.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::{Write, end_of};

/// The last change of each key; `None`: deleted.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    records: BTreeMap<String, Option<Vec<u8>>>,
    bytes: usize,
}

/// What an overlay says of a record.
pub(super) enum Known<'a> {
    /// It has this value.
    Value(&'a [u8]),
    /// The key has been deleted since.
    Deleted,
}

impl Overlay {
    /// Takes a change over.
    pub(super) fn apply(&mut self, write: Write) {
        let (key, value) = match write {
            Write::Put { key, value } => (key, Some(value)),
            Write::Delete { key } => (key, None),
        };
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.records.insert(key, value);
    }

    /// What is known of a record.
    pub(super) fn get(&self, key: &str) -> Option<Known<'_>> {
        let value = self.records.get(key)?;
        Some(value.as_deref().map_or(Known::Deleted, Known::Value))
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
            .map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// All changes, for the store behind.
    pub(super) fn writes(&self) -> Vec<Write> {
        self.records
            .iter()
            .map(|(key, value)| match value {
                Some(value) => Write::put(key.clone(), value.clone()),
                None => Write::delete(key.clone()),
            })
            .collect()
    }

    /// Adds what came later.
    pub(super) fn extend(&mut self, later: Self) {
        self.bytes += later.bytes;
        self.records.extend(later.records);
    }

    /// Bytes of keys and values taken over so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}
