//! What waits for one other shard.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::handed::Handed;
use super::{AT, TO};
use crate::element::Time;
use crate::store::Write;

/// Items handed over at once, at most; each leads to a few writes in the other shard's commit.
const MOST: usize = 256;
/// Bytes handed over at once, unless it is one item alone.
const MOST_BYTES: usize = 1 << 20;
/// After this it is tried again; doubles with each failure that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// It does not double beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A batch to be handed over, or handed over already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// The shard that it is for.
    pub to: u16,
    /// The shard that it comes from.
    pub from: u16,
    /// Our number for it: what became of it comes back under it, as of a post.
    pub number: u64,
    /// In order, each with a number that grows and is never used again.
    pub items: Vec<(u64, Arc<Handed>)>,
}

/// The queue of what is to be handed to one other shard, in one order. Everything in it is handed
/// over, however late: what has become of no use is for the other shard to find out, which then
/// knows all that happened to it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: BTreeMap<u64, Arc<Handed>>,
    /// Ids of the requests among them.
    ids: HashSet<String>,
    last: u64,
    bytes: usize,
    messages: usize,
    /// Our number of the batch that is under way, and its last item.
    under_way: Option<(u64, u64)>,
    failures: u32,
    retry: Option<Time>,
}

impl Queue {
    /// Takes back an item.
    pub(super) fn restore(&mut self, number: u64, handed: Arc<Handed>) {
        self.last = self.last.max(number);
        self.insert(number, handed);
    }

    /// So far numbers were used.
    pub(super) fn follow(&mut self, last: u64) {
        self.last = self.last.max(last);
    }

    fn insert(&mut self, number: u64, handed: Arc<Handed>) {
        self.bytes += handed.cost();
        self.messages += usize::from(handed.is_message());
        if handed.is_request() {
            self.ids.insert(handed.transaction.id.clone());
        }
        self.items.insert(number, handed);
    }

    pub(super) fn push(&mut self, shard: u16, handed: Handed) -> Write {
        self.last += 1;
        let write = Write::put(key(shard, self.last), handed.to_record()).as_new();
        self.insert(self.last, Arc::new(handed));
        write
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn holds(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    pub(super) fn retry(&self) -> Option<Time> {
        self.retry
    }

    /// The time has come.
    pub(super) fn try_again(&mut self) {
        self.retry = None;
    }

    /// Whether something could be handed over now.
    pub(super) fn is_ready(&self) -> bool {
        self.under_way.is_none() && self.retry.is_none() && !self.items.is_empty()
    }

    /// The next batch, under this number.
    pub(super) fn next(&mut self, number: u64) -> Vec<(u64, Arc<Handed>)> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for (item, handed) in &self.items {
            bytes += handed.cost();
            if batch.len() >= MOST || (bytes > MOST_BYTES && !batch.is_empty()) {
                break;
            }
            batch.push((*item, Arc::clone(handed)));
        }
        self.under_way = batch.last().map(|(last, _)| (number, *last));
        batch
    }

    pub(super) fn is_under_way(&self, number: u64) -> bool {
        self.under_way.is_some_and(|(known, _)| known == number)
    }

    /// The batch under way has been taken over: what it held, and what is to be kept of that.
    pub(super) fn taken(&mut self, shard: u16) -> (Vec<Arc<Handed>>, Vec<Write>) {
        self.failures = 0;
        let Some((_, last)) = self.under_way.take() else {
            return Default::default();
        };
        let rest = self.items.split_off(&(last + 1));
        let (mut taken, mut writes) = (Vec::new(), Vec::new());
        for (number, handed) in std::mem::replace(&mut self.items, rest) {
            self.bytes = self.bytes.saturating_sub(handed.cost());
            self.messages -= usize::from(handed.is_message());
            if handed.is_request() {
                self.ids.remove(&handed.transaction.id);
            }
            writes.push(Write::delete(key(shard, number)));
            taken.push(handed);
        }
        // Numbers go on behind it, also when nothing waits any more.
        writes.push(Write::put_json(format!("{AT}{shard}"), &last));
        (taken, writes)
    }

    /// The batch under way has not been taken over, and is handed over again later.
    pub(super) fn refused(&mut self, now: Time) {
        self.under_way = None;
        let pause = FIRST_PAUSE * (1 << self.failures.min(10));
        self.failures += 1;
        self.retry = Some(now.plus(pause.min(LONGEST_PAUSE)));
    }
}

fn key(shard: u16, number: u64) -> String {
    format!("{TO}{shard}/{number:020}")
}
