//! Which bodies are in memory. All are on disk; those at the head of a queue are in
//! memory too, so that what is posted at once is never read, and the others are read when
//! their turn comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Item, Outbox};
use crate::element::Time;
use crate::sap::post::{Found, Load, Loaded};
use crate::store::Write;

/// Bytes of bodies in memory, of one peer. Our choice.
pub const HELD_OF_ONE: usize = 2 * 1024 * 1024;
/// So much of each peer is held even if the others have used up the rest.
const HELD_IN_ANY_CASE: usize = 64 * 1024;

/// What the outboxes of a shard take together, in bytes.
#[derive(Debug)]
pub struct Totals {
    queued: AtomicUsize,
    held: AtomicUsize,
    most_held: usize,
}

impl Totals {
    /// Nothing yet; so many bytes of bodies may be in memory.
    pub fn new(most_held: usize) -> Self {
        Self {
            queued: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            most_held,
        }
    }

    /// Whether a further body may be in memory.
    fn may_hold(&self, size: usize) -> bool {
        self.held().saturating_add(size) <= self.most_held
    }

    /// Bytes queued for all peers.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Bytes of bodies in memory.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, queued: usize, held: usize) {
        self.queued.fetch_add(queued, Ordering::Relaxed);
        self.held.fetch_add(held, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, queued: usize, held: usize) {
        self.queued.fetch_sub(queued, Ordering::Relaxed);
        self.held.fetch_sub(held, Ordering::Relaxed);
    }
}

/// An item, its body in memory or not.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) item: Item,
    /// When it was queued; zero if a version did that which did not write it down.
    pub(super) since: Time,
    /// Bytes of the body.
    pub(super) size: usize,
    /// Of the whole, in the books of the queue.
    pub(super) cost: usize,
}

impl Entry {
    /// One that was queued then; bytes of its body, and of the whole.
    pub(super) fn new(item: Item, since: Time, (size, cost): (usize, usize)) -> Self {
        Self {
            item,
            since,
            size,
            cost,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.item.raw.len()
    }
}

/// Bodies that are being read.
#[derive(Debug)]
pub(super) struct Loading {
    number: u64,
    items: Vec<u64>,
}

/// What was read from the store.
#[derive(Debug, Default)]
pub struct Filled {
    /// Items that can't be posted, ever, and why.
    pub damaged: Vec<(Item, String)>,
    /// Records that are put or deleted.
    pub writes: Vec<Write>,
    /// The first item that could not be read for now, and why.
    pub later: Option<(u64, String)>,
    /// Whether any could be read, or is damaged.
    pub any: bool,
}

impl Outbox {
    /// Shares its books with the other outboxes of the shard.
    #[must_use]
    pub fn sharing(mut self, totals: &Arc<Totals>) -> Self {
        self.totals = Arc::clone(totals);
        self
    }

    /// Whether a further body may be in memory.
    pub(super) fn may_hold(&self, size: usize) -> bool {
        let held = self.held + size;
        held <= HELD_IN_ANY_CASE || (held <= HELD_OF_ONE && self.totals.may_hold(size))
    }

    /// Cuts a choice off before the first item whose body is not in memory.
    pub fn keep_readable(&self, chosen: &mut Vec<u64>) -> bool {
        let readable = chosen.iter().take_while(|n| !self.cold.contains(n)).count();
        let all = readable == chosen.len();
        chosen.truncate(readable);
        all
    }

    /// Which bodies are to be read now: those of a choice, and as many of those that follow
    /// as may be held. `None` if there is none, or some are being read already.
    pub fn load(&mut self, chosen: &[u64], number: u64) -> Option<Load> {
        if self.cold.is_empty() || self.loading.is_some() {
            return None;
        }
        let mut items: Vec<u64> = chosen
            .iter()
            .copied()
            .filter(|n| self.cold.contains(n))
            .collect();
        // Not each time a little room is there, but when half of it is.
        if items.is_empty() && self.held > HELD_OF_ONE / 2 {
            return None;
        }
        let size = |n: &u64| self.items.get(n).map_or(0, |entry| entry.size);
        let mut sum: usize = items.iter().map(size).sum();
        for n in &self.cold {
            let more = sum + size(n);
            if !self.may_hold(more) {
                break;
            }
            if !items.contains(n) {
                sum = more;
                items.push(*n);
            }
            if items.len() >= super::LOOK_AHEAD {
                break;
            }
        }
        if items.is_empty() {
            return None;
        }
        let keys = items.iter().map(|n| (*n, self.key(*n))).collect();
        let peer = self.peer().to_owned();
        self.loading = Some(Loading { number, items });
        Some(Load { peer, number, keys })
    }

    /// Takes bodies that were read; `None` if they were not asked for, as after a new start
    /// from the disk. What is not as it was written leaves the queue.
    pub fn loaded(&mut self, loaded: Loaded) -> Option<Filled> {
        let mut filled = Filled::default();
        let asked_for = |loading: &mut Loading| loading.number == loaded.number;
        let asked = self.loading.take_if(asked_for)?.items;
        for (number, found) in loaded.records {
            // It may have left, or its body may have come otherwise, meanwhile.
            if !asked.contains(&number) || !self.cold.contains(&number) {
                continue;
            }
            let why = match found {
                Found::Record(record) => match self.fill(number, &record) {
                    Ok(()) => {
                        filled.any = true;
                        continue;
                    }
                    Err(why) => why,
                },
                Found::Damaged(why) => why,
                Found::Later(why) => {
                    filled.later.get_or_insert((number, why));
                    continue;
                }
            };
            filled.any = true;
            if let Some(item) = self.forget(number) {
                filled.writes.push(Write::delete(self.key(number)));
                filled.damaged.push((item, why));
            }
        }
        Some(filled)
    }

    fn fill(&mut self, number: u64, record: &[u8]) -> Result<(), String> {
        let (read, _) = Item::from_record(record)?;
        let Some(entry) = self.items.get_mut(&number) else {
            return Ok(());
        };
        if read.id != entry.item.id || read.raw.len() != entry.size {
            return Err("it is the record of another item".to_owned());
        }
        entry.item.raw = read.raw;
        self.cold.remove(&number);
        self.held += entry.size;
        self.totals.add(0, entry.size);
        Ok(())
    }
}
