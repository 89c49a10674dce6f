//! A durable first-in-first-out queue upon any [`Store`].
//!
//! An item of a queue is a record `<prefix>/<number>`, the number zero-padded to 20 digits so that
//! the order of keys is the order of arrival. The queue itself does no I/O: [`Queue::push`] and
//! [`Queue::done`] return writes, which the caller puts into the same batch as whatever else
//! belongs to the event. What is waiting is kept by the caller; [`Queue::load`] gives it back
//! after a restart.

use std::fmt;

use serde::Serialize;

use super::{Store, StoreError, Write, load_all};

/// Digits of a number: as many as `u64::MAX` has.
const DIGITS: usize = 20;

/// The waiting items of a queue in the order of arrival: number and value.
pub type Items = Vec<(u64, Vec<u8>)>;

/// The naming scheme of one queue's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueKey {
    /// Ends with a slash.
    prefix: String,
}

impl QueueKey {
    /// The scheme for the queue under this prefix, with or without a slash at its end
    /// (`outbox/example.com`).
    pub fn new(prefix: impl Into<String>) -> Self {
        let mut prefix = prefix.into();
        if !prefix.ends_with('/') {
            prefix.push('/');
        }
        Self { prefix }
    }

    /// What all keys of the queue start with, the slash included.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of an item.
    pub fn key(&self, number: u64) -> String {
        format!("{}{number:0DIGITS$}", self.prefix)
    }

    /// The number in the key of an item of this queue; `None` for every other key.
    pub fn number(&self, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.prefix)?;
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    }
}

impl fmt::Display for QueueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)
    }
}

/// Numbers the items of one durable queue.
///
/// Numbers grow with the order of arrival and are unique among the waiting items. A queue that
/// was empty when the node stopped begins again at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    keys: QueueKey,
    next: u64,
}

impl Queue {
    /// A queue that has no records yet.
    pub fn new(keys: QueueKey) -> Self {
        Self { keys, next: 0 }
    }

    /// A queue as a scan of its prefix found it, and its items in order, with their numbers.
    /// Keys of queues nested below the prefix (`<prefix>/<more>/…`) are passed over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] for a key right under the prefix that is not a number.
    pub fn restore(
        keys: QueueKey,
        records: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(Self, Items), StoreError> {
        let mut queue = Self::new(keys);
        let mut items = Vec::new();
        for (key, value) in records {
            if let Some(number) = queue.adopt(&key)? {
                items.push((number, value));
            }
        }
        items.sort_unstable_by_key(|(number, _)| *number);
        Ok((queue, items))
    }

    /// Reads the queue from the store: see [`Queue::restore`].
    pub async fn load(store: &dyn Store, keys: QueueKey) -> Result<(Self, Items), StoreError> {
        let prefix = keys.prefix().to_owned();
        let mut queue = Self::new(keys);
        let mut items = Vec::new();
        load_all(store, &prefix, |key, value| {
            if let Some(number) = queue.adopt(&key)? {
                items.push((number, value));
            }
            Ok(())
        })
        .await?;
        Ok((queue, items))
    }

    /// Takes the next number for an item: the number, and the write that stores the item.
    pub fn push(&mut self, value: impl Into<Vec<u8>>) -> (u64, Write) {
        let number = self.take_number();
        (number, Write::put(self.keys.key(number), value))
    }

    /// As [`Queue::push`], the item as JSON. Panics as [`Write::put_json`] does.
    pub fn push_json<T: Serialize + ?Sized>(&mut self, value: &T) -> (u64, Write) {
        let number = self.take_number();
        (number, Write::put_json(self.keys.key(number), value))
    }

    /// The write that replaces a waiting item and leaves it in its place (a retry was counted).
    pub fn replace(&self, number: u64, value: impl Into<Vec<u8>>) -> Write {
        Write::put(self.keys.key(number), value)
    }

    /// The write that removes an item: it was delivered, has expired, or was refused.
    pub fn done(&self, number: u64) -> Write {
        Write::delete(self.keys.key(number))
    }

    /// The naming scheme of the queue's records.
    pub fn keys(&self) -> &QueueKey {
        &self.keys
    }

    /// The number that the next item will get.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    fn take_number(&mut self) -> u64 {
        let number = self.next;
        // At a million items a second the numbers last for half a million years.
        self.next = self.next.saturating_add(1);
        number
    }

    /// Learns of a record under the prefix: its number, or `None` if it belongs to a nested queue.
    fn adopt(&mut self, key: &str) -> Result<Option<u64>, StoreError> {
        if let Some(number) = self.keys.number(key) {
            self.next = self.next.max(number.saturating_add(1));
            return Ok(Some(number));
        }
        match key.strip_prefix(self.keys.prefix()) {
            Some(rest) if rest.contains('/') => Ok(None),
            _ => Err(StoreError::Corrupt(format!(
                "{key} is not the key of an item of the queue {}",
                self.keys
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn the_order_of_keys_is_the_order_of_numbers() {
        let keys = QueueKey::new("out/b.example");
        assert_eq!(keys.key(7), "out/b.example/00000000000000000007");
        assert!(keys.key(9) < keys.key(10));
        assert!(keys.key(10) < keys.key(u64::MAX));
        assert_eq!(keys.number(&keys.key(u64::MAX)), Some(u64::MAX));
        assert_eq!(QueueKey::new("out/b.example/"), keys);
    }

    #[test]
    fn keys_of_others_have_no_number() {
        let keys = QueueKey::new("out/a");
        for key in [
            "out/b/00000000000000000007",
            "out/a/7",
            "out/a/+0000000000000000007",
            "out/a/99999999999999999999",
            "out/a/",
            "out/a",
        ] {
            assert_eq!(keys.number(key), None, "{key}");
        }
    }

    #[tokio::test]
    async fn a_queue_is_restored_in_order_and_goes_on_counting() {
        let store = MemoryStore::new();
        let mut queue = Queue::new(QueueKey::new("out/a"));
        let mut batch = Vec::new();
        for item in 0..25_000_u32 {
            batch.push(queue.push(item.to_string()).1);
        }
        store.commit(batch).await.unwrap();
        store
            .commit(vec![queue.done(0), queue.done(12_345)])
            .await
            .unwrap();
        store
            .commit(vec![queue.replace(1, "one again")])
            .await
            .unwrap();

        let (restored, items) = Queue::load(&store, QueueKey::new("out/a")).await.unwrap();
        assert_eq!(restored, queue);
        assert_eq!(restored.next_number(), 25_000);
        assert_eq!(items.len(), 24_998);
        assert_eq!(items[0], (1, b"one again".to_vec()));
        assert!(items.is_sorted_by(|a, b| a.0 < b.0));
        assert!(!items.iter().any(|(number, _)| *number == 12_345));
    }

    #[tokio::test]
    async fn nested_queues_do_not_mix() {
        let store = MemoryStore::new();
        let mut outer = Queue::new(QueueKey::new("out/a"));
        let mut nested = Queue::new(QueueKey::new("out/a/b"));
        let batch = vec![
            outer.push("outer").1,
            nested.push("nested 0").1,
            nested.push("nested 1").1,
        ];
        store.commit(batch).await.unwrap();
        let (outer, items) = Queue::load(&store, QueueKey::new("out/a")).await.unwrap();
        assert_eq!(outer.next_number(), 1);
        assert_eq!(items, vec![(0, b"outer".to_vec())]);
        let (nested, items) = Queue::load(&store, QueueKey::new("out/a/b")).await.unwrap();
        assert_eq!(nested.next_number(), 2);
        assert_eq!(items.len(), 2);
    }

    #[test]
    fn a_foreign_key_in_the_queue_is_reported() {
        let records = vec![("out/a/first".to_owned(), Vec::new())];
        let error = Queue::restore(QueueKey::new("out/a"), records).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(text) if text.contains("out/a/first")));
    }

    #[test]
    fn restore_sorts_what_comes_unsorted() {
        let keys = QueueKey::new("q");
        let records = vec![(keys.key(5), vec![5]), (keys.key(3), vec![3])];
        let (queue, items) = Queue::restore(keys, records).unwrap();
        assert_eq!(items, vec![(3, vec![3]), (5, vec![5])]);
        assert_eq!(queue.next_number(), 6);
    }

    #[test]
    fn json_items_are_numbered_like_the_others() {
        let mut queue = Queue::new(QueueKey::new("q"));
        queue.push("raw");
        let (number, write) = queue.push_json(&true);
        assert_eq!(number, 1);
        assert_eq!(write, Write::put(queue.keys().key(1), "true"));
    }
}
