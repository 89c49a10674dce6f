//! Following the writes under a prefix.
//!
//! Every watcher has a bounded channel of its own, so that one which does not listen neither
//! slows the writer nor makes the others lag.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::Write;

/// Writes kept for a watcher that is behind; beyond them the oldest are dropped.
pub const WATCH_CAPACITY: usize = 1024;

/// The receiving end of [`Store::watch`](super::Store::watch).
#[derive(Debug)]
pub struct Watch {
    receiver: broadcast::Receiver<Write>,
}

/// Why a watcher got no write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The watcher was too slow and that many writes were dropped; scan again. Later writes follow.
    #[error("{0} writes were missed because the watcher was too slow")]
    Lagged(u64),
    /// The store was closed; nothing will follow.
    #[error("the store is closed")]
    Closed,
}

impl Watch {
    /// The next write, waiting for it. Cancel-safe.
    pub async fn recv(&mut self) -> Result<Write, WatchError> {
        self.receiver.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(missed) => WatchError::Lagged(missed),
            broadcast::error::RecvError::Closed => WatchError::Closed,
        })
    }

    /// The next write if one is there already.
    pub fn try_recv(&mut self) -> Result<Option<Write>, WatchError> {
        match self.receiver.try_recv() {
            Ok(write) => Ok(Some(write)),
            Err(broadcast::error::TryRecvError::Empty) => Ok(None),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Err(WatchError::Lagged(missed)),
            Err(broadcast::error::TryRecvError::Closed) => Err(WatchError::Closed),
        }
    }
}

/// The sending side: all watchers of one store.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<Vec<Watcher>>);

#[derive(Debug)]
struct Watcher {
    prefix: String,
    sender: broadcast::Sender<Write>,
}

impl Watchers {
    pub(super) fn add(&self, prefix: &str) -> Watch {
        let (sender, receiver) = broadcast::channel(WATCH_CAPACITY);
        let mut watchers = self.lock();
        // Here too, or a quiet store would collect the watchers that have left.
        watchers.retain(|watcher| watcher.sender.receiver_count() > 0);
        watchers.push(Watcher {
            prefix: prefix.to_owned(),
            sender,
        });
        Watch { receiver }
    }

    /// Tells the writes to those who watch; forgets watchers that have left.
    pub(super) fn tell<'a>(&self, writes: impl Iterator<Item = &'a Write>) {
        let mut watchers = self.lock();
        if watchers.is_empty() {
            return;
        }
        for write in writes {
            for watcher in watchers.iter() {
                if write.key().starts_with(&watcher.prefix) {
                    // An error only says that the watcher has left.
                    let _ = watcher.sender.send(write.clone());
                }
            }
        }
        watchers.retain(|watcher| watcher.sender.receiver_count() > 0);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchers_that_left_are_forgotten() {
        let watchers = Watchers::default();
        let first = watchers.add("a/");
        drop(first);
        let second = watchers.add("a/");
        assert_eq!(watchers.lock().len(), 1);
        drop(second);
        watchers.tell([Write::delete("b/1")].iter());
        assert_eq!(watchers.lock().len(), 0);
    }

    #[test]
    fn one_slow_watcher_does_not_make_another_lag() {
        let watchers = Watchers::default();
        let mut slow = watchers.add("a/");
        let mut other = watchers.add("b/");
        for _ in 0..=WATCH_CAPACITY {
            watchers.tell([Write::delete("a/1")].iter());
        }
        watchers.tell([Write::delete("b/1")].iter());
        assert_eq!(slow.try_recv(), Err(WatchError::Lagged(1)));
        assert_eq!(slow.try_recv(), Ok(Some(Write::delete("a/1"))));
        assert_eq!(other.try_recv(), Ok(Some(Write::delete("b/1"))));
    }
}
