//! What every engine keeps about itself: watchers, counters, the verdict on the last commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watch::Watchers;
use super::{Stats, StoreError, Write};

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
        let records = writes.clone().fold(0, |records, _| records + 1);
        self.watchers.tell(writes);
        let mut state = self.lock();
        state.stats.commits += commits;
        state.stats.transactions += 1;
        state.stats.records += records;
        state.verdict = Ok(());
    }

    /// So many batches have failed.
    pub(super) fn failed(&self, commits: u64, error: &StoreError) {
        let mut state = self.lock();
        state.stats.failed += commits;
        state.verdict = Err(error.clone());
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
