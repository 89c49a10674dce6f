//! What every engine keeps about itself: watchers, counters, the verdict on the last commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watch::Watchers;
use super::{Stats, StoreError, Write, aside};

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) watchers: Watchers,
    tight: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stats: Stats,
    verdict: Result<(), StoreError>,
}

impl Engine {
    pub(super) fn new() -> Self {
        Self {
            watchers: Watchers::default(),
            tight: AtomicBool::new(false),
            state: Mutex::new(State {
                stats: Stats::default(),
                verdict: Ok(()),
            }),
        }
    }

    /// One transaction with `commits` batches is on disk: counts them and tells the watchers.
    pub(super) fn committed<'a>(
        &self,
        commits: u64,
        writes: impl Iterator<Item = &'a Write> + Clone,
    ) {
        let (mut records, mut aside) = (0, 0);
        for write in writes.clone() {
            records += 1;
            let is_put = matches!(write, Write::Put { .. });
            aside += u64::from(is_put && write.key().starts_with(aside::PREFIX));
        }
        self.watchers.tell(writes);
        let mut state = self.lock();
        state.stats.commits += commits;
        state.stats.transactions += 1;
        state.stats.records += records;
        state.stats.damaged += aside;
        state.verdict = Ok(());
    }

    /// So many records, or what was left of them, were found damaged.
    pub(super) fn damaged(&self, records: u64) {
        self.lock().stats.damaged += records;
    }

    /// So many batches have failed. Whether the ones before had not.
    pub(super) fn failed(&self, commits: u64, error: &StoreError) -> bool {
        let mut state = self.lock();
        state.stats.failed += commits;
        let before = std::mem::replace(&mut state.verdict, Err(error.clone()));
        before.is_ok()
    }

    /// Says whether there is room for more than the end of what is under way.
    pub(super) fn set_room(&self, room: bool) {
        self.tight.store(!room, Ordering::Relaxed);
    }

    pub(super) fn has_room(&self) -> bool {
        !self.tight.load(Ordering::Relaxed)
    }

    pub(super) fn stats(&self) -> Stats {
        self.lock().stats
    }

    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.lock().verdict.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
