//! A store that keeps everything in memory: for simulated worlds in tests and offline tools.
//!
//! Commits are applied during the call and their futures are resolved at once; failures can be
//! arranged beforehand.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::engine::Engine;
use super::page::Page;
use super::{CommitFuture, Records, Stats, Store, StoreError, StoreFuture, Watch, Write};

/// Records in memory. Share it by `Arc`; a "restart" is a new node on the same one.
#[derive(Debug)]
pub struct MemoryStore {
    engine: Engine,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    records: BTreeMap<String, Vec<u8>>,
    failures: VecDeque<StoreError>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store without records.
    pub fn new() -> Self {
        Self {
            engine: Engine::new(),
            inner: Mutex::default(),
        }
    }

    /// Lets the next commit or compare-and-set fail with this error and change nothing. Several
    /// calls arrange the failures of as many commits.
    pub fn fail_next(&self, error: StoreError) {
        self.lock().failures.push_back(error);
    }

    /// Runs one commit: `decide` looks at the records and says what is to be written.
    fn transact<T>(
        &self,
        decide: impl FnOnce(&BTreeMap<String, Vec<u8>>) -> (T, Vec<Write>),
    ) -> Result<T, StoreError> {
        let mut inner = self.lock();
        if let Some(error) = inner.failures.pop_front() {
            self.engine.failed(1, &error);
            return Err(error);
        }
        let (answer, writes) = decide(&inner.records);
        for write in writes.iter().cloned() {
            write.apply(&mut inner.records);
        }
        // Told under the lock, so that watchers see the writes in the order of application.
        self.engine.committed(1, writes.iter());
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: Vec<Write>) -> CommitFuture {
        CommitFuture::ready(self.transact(|_| ((), batch)))
    }

    fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> StoreFuture<bool> {
        let verdict = self.transact(|records| {
            if records.get(key) != expected.as_ref() {
                return (false, Vec::new());
            }
            (true, vec![super::setting(key, new)])
        });
        Box::pin(std::future::ready(verdict))
    }

    fn get(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        Box::pin(std::future::ready(Ok(self
            .lock()
            .records
            .get(key)
            .cloned())))
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> StoreFuture<Records> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let mut page = Page::new(limit);
        let inner = self.lock();
        for (key, value) in inner.records.range::<str, _>((from, Bound::Unbounded)) {
            // `after` may lie behind the whole prefix: the first record then ends the page.
            if page.is_full() || !key.starts_with(prefix) {
                break;
            }
            page.push(key.clone(), value.clone());
        }
        Box::pin(std::future::ready(Ok(page.records())))
    }

    fn watch(&self, prefix: &str) -> Watch {
        self.engine.watchers.add(prefix)
    }

    fn health(&self) -> Result<(), StoreError> {
        self.engine.health()
    }

    fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{self, Subject};

    conformance::suite!(Subject::new(MemoryStore::new()));

    #[tokio::test]
    async fn arranged_failures_come_in_order_and_change_nothing() {
        let store = MemoryStore::new();
        let full = StoreError::Full("by arrangement".to_owned());
        store.fail_next(full.clone());
        store.fail_next(StoreError::Closed);

        let put = || vec![Write::put("a/1", "x")];
        assert_eq!(store.commit(put()).await, Err(full.clone()));
        assert_eq!(store.health(), Err(full));
        assert_eq!(
            store.compare_and_set("a/1", None, Some(vec![1])).await,
            Err(StoreError::Closed)
        );
        assert_eq!(store.get("a/1").await, Ok(None));
        assert_eq!(store.stats().failed, 2);

        assert_eq!(store.commit(put()).await, Ok(()));
        assert_eq!(store.health(), Ok(()));
        assert_eq!(store.get("a/1").await, Ok(Some(b"x".to_vec())));
    }
}
