//! The other shards of this node, as neighbours: next hops that are always there, know as much as
//! this one, and are trusted.
//!
//! ```text
//!  request ─▶ may it? ─▶ route ─▶ queue ═▶ route ─▶ dialect ─▶ outbox ─▶ peer
//!             (shard of the one who asks)  (shard of the next hop)
//! ```
//!
//! A neighbour is no peer: there are no sessions, nothing is printed or read, and what was decided
//! is not decided again. But a hop between two shards is as durable as one between two nodes: what
//! is handed over waits on disk until the other shard has it on disk. Each item has a number in
//! the order of its queue; the other shard notes the last one that it has, in the commit with what
//! followed from it, so that what is handed over again has no second effect.

mod handed;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::numbers::Numbers;
use super::presented_as::PeerId;
use super::settings::{Settings, Shards};
use crate::element::Time;
use crate::store::Write;

pub use handed::Handed;
pub use queue::Hand;

use queue::Queue;

/// Prefix of all records.
pub(super) const PREFIX: &str = "sap/shard/";
/// What waits for a shard: its number, and that of the item.
const TO: &str = "sap/shard/to/";
/// The last item that a shard has taken over.
const AT: &str = "sap/shard/at/";
/// The last item taken over from a shard.
const FROM: &str = "sap/shard/from/";

/// What stands before the number of a shard where it is named like a peer; no domain begins so.
const MARK: char = '~';

/// The name of a shard where those of peers stand.
pub(super) fn name(shard: u16) -> PeerId {
    PeerId::new(&format!("{MARK}{shard}"))
}

/// The shard that has this name.
pub(super) fn shard_of(name: &str) -> Option<u16> {
    name.strip_prefix(MARK)?.parse().ok()
}

/// Whether this is the name of a shard rather than that of a peer.
pub fn is_shard(name: &str) -> bool {
    name.starts_with(MARK)
}

/// What neighbours want done.
#[derive(Debug)]
pub(super) enum Event {
    /// A record is to be kept or forgotten.
    Write(Write),
    /// A request was taken over by this shard.
    Taken(u16, Arc<Handed>),
}

/// All other shards.
#[derive(Debug)]
pub(super) struct Neighbours {
    own: Shards,
    numbers: Arc<Numbers>,
    queues: BTreeMap<u16, Queue>,
    /// The last item taken over from each.
    taken: BTreeMap<u16, u64>,
    /// All records are back: until then nothing is handed over.
    begun: bool,
    events: VecDeque<Event>,
}

impl Neighbours {
    pub(super) fn new(own: Shards, numbers: Arc<Numbers>) -> Self {
        let others = (0..own.count()).filter(|shard| *shard != own.own());
        Self {
            own,
            numbers,
            queues: others.map(|shard| (shard, Queue::default())).collect(),
            taken: BTreeMap::new(),
            begun: false,
            events: VecDeque::new(),
        }
    }

    /// All records are back, and what is handed over from now on reaches the other shards.
    pub(super) fn start(&mut self) {
        self.begun = true;
    }

    /// Takes back a record, whose key begins with [`PREFIX`].
    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let bad = |why: &str| format!("record {key} cannot be read: {why}");
        let last = || {
            let last = serde_json::from_slice::<u64>(value);
            last.map_err(|error| bad(&error.to_string()))
        };
        let shard = |text: &str| match text.parse::<u16>() {
            Ok(shard) if shard < self.own.count() && shard != self.own.own() => Ok(shard),
            _ => Err(bad("it is of no other shard of this node")),
        };
        if let Some(rest) = key.strip_prefix(TO) {
            let (to, number) = rest
                .split_once('/')
                .ok_or_else(|| bad("it has no number"))?;
            let to = shard(to)?;
            let number = number.parse().map_err(|_| bad("it has no number"))?;
            let handed = Handed::from_record(value).map_err(|why| bad(&why))?;
            self.queue(to).restore(number, Arc::new(handed));
        } else if let Some(to) = key.strip_prefix(AT) {
            let to = shard(to)?;
            let last = last()?;
            self.queue(to).follow(last);
        } else if let Some(from) = key.strip_prefix(FROM) {
            let (from, last) = (shard(from)?, last()?);
            self.taken.insert(from, last);
        }
        Ok(())
    }

    fn queue(&mut self, shard: u16) -> &mut Queue {
        self.queues.entry(shard).or_default()
    }

    /// The last item that was taken over from a shard.
    pub(super) fn last_taken(&self, from: u16) -> u64 {
        self.taken.get(&from).copied().unwrap_or(0)
    }

    /// So far a shard has taken over; what was handed to it may not be known here any more, after
    /// a power cut.
    pub(super) fn follow(&mut self, shard: u16, last: u64) {
        self.queue(shard).follow(last);
    }

    /// What is to be done next.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Queues something for a shard.
    pub(super) fn enqueue(&mut self, shard: u16, handed: Handed) {
        let write = self.queue(shard).push(shard, handed);
        self.events.push_back(Event::Write(write));
    }

    /// A batch that is to be handed over now.
    pub(super) fn flush(&mut self) -> Option<Hand> {
        if !self.begun {
            return None;
        }
        let mut queues = self.queues.iter_mut();
        let (to, queue) = queues.find(|(_, queue)| queue.is_ready())?;
        let number = self.numbers.next();
        Some(Hand {
            to: *to,
            from: self.own.own(),
            number,
            items: queue.next(number),
        })
    }

    /// What became of a batch: whether it was taken over. False if the number is that of none.
    pub(super) fn handed(&mut self, number: u64, taken: bool, now: Time) -> bool {
        let mut queues = self.queues.iter_mut();
        let Some((shard, queue)) = queues.find(|(_, queue)| queue.is_under_way(number)) else {
            return false;
        };
        if !taken {
            queue.refused(now);
            return true;
        }
        let (items, writes) = queue.taken(*shard);
        self.events.extend(writes.into_iter().map(Event::Write));
        for item in items.into_iter().filter(|item| item.is_request()) {
            self.events.push_back(Event::Taken(*shard, item));
        }
        true
    }

    /// Takes a batch over: what of it is new.
    pub(super) fn take(&mut self, hand: &Hand) -> Vec<Arc<Handed>> {
        let before = self.last_taken(hand.from);
        let new = hand.items.iter().filter(|(number, _)| *number > before);
        let new: Vec<_> = new.map(|(_, handed)| Arc::clone(handed)).collect();
        if let Some((last, _)) = hand.items.last().filter(|_| !new.is_empty()) {
            self.taken.insert(hand.from, *last);
            let write = Write::put_json(format!("{FROM}{}", hand.from), last);
            self.events.push_back(Event::Write(write));
        }
        new
    }

    /// When [`Neighbours::timeout`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.queues.values().filter_map(Queue::retry).min()
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, now: Time) {
        for queue in self.queues.values_mut() {
            if queue.retry().is_some_and(|at| at <= now) {
                queue.try_again();
            }
        }
    }

    /// Messages that wait for other shards.
    pub(super) fn messages(&self) -> usize {
        self.queues.values().map(Queue::messages).sum()
    }

    /// Whether nothing waits for other shards.
    pub(super) fn is_idle(&self) -> bool {
        self.queues.values().all(|queue| queue.len() == 0)
    }

    /// Whether the queue of a shard takes nothing of so many bytes.
    pub(super) fn is_full(&self, shard: u16, bytes: usize, settings: &Settings) -> bool {
        self.queues.get(&shard).is_some_and(|queue| {
            queue.len() >= settings.max_queue
                || queue.bytes().saturating_add(bytes) > settings.max_queue_bytes
        })
    }

    /// Whether a request waits for a shard.
    pub(super) fn holds(&self, shard: u16, id: &str) -> bool {
        self.queues.get(&shard).is_some_and(|queue| queue.holds(id))
    }
}
