//! The outbox of one peer: transactions waiting to be posted, in order.
//!
//! An item leaves when the peer has acknowledged it with HTTP 200, when it
//! expires, when it is taken back, or when it is refused for good. Items of one
//! conversation are never under way in two posts at once, and none overtakes another
//! (wire profile, 7.4). Which bodies are in memory is in [`bodies`], what becomes of
//! failed posts in [`setback`].

pub mod bodies;
mod flight;
mod item;
mod parking;
pub mod setback;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::element::Time;
use crate::sap::settings::dialect::Dialect;
use crate::sap::transaction_id::TransactionId;
use crate::ssp::Mode;
use crate::ssp::envelope::TRANSACTION_OVERHEAD;
use crate::store::Write;

pub use bodies::Totals;
use bodies::{Entry, Loading};
use flight::Flight;
pub use item::Item;
use parking::Parking;
use setback::{Caution, Suspect};
pub use setback::{Health, Pace, Setback, Why};

/// The queue of one peer.
#[derive(Debug)]
pub struct Outbox {
    prefix: String,
    items: BTreeMap<u64, Entry>,
    /// Items that may be looked at for a post: all that are not parked.
    order: BTreeSet<u64>,
    /// Requests by transaction id.
    by_id: HashMap<TransactionId, u64>,
    expiries: BTreeSet<(Time, u64)>,
    next: u64,
    /// Posts under way, by number.
    flying: BTreeMap<u64, Flight>,
    /// Items that were in a post that failed or was refused; each is posted alone.
    suspects: BTreeMap<u64, Suspect>,
    parking: Parking,
    /// Items under way that are not posted again.
    forsaken: BTreeSet<u64>,
    health: Health,
    /// Items whose bodies are on disk only.
    cold: BTreeSet<u64>,
    loading: Option<Loading>,
    totals: Arc<Totals>,
    /// Bytes of bodies in memory.
    held: usize,
    /// Bytes of all items.
    bytes: usize,
    messages: usize,
    /// Items that answer the peer, and their bytes.
    answers: (usize, usize),
}

/// Prefix of all queued items.
pub const PREFIX: &str = "sap/out/";

/// How far ahead a batch is looked for; keeps the cost of a long queue flat.
const LOOK_AHEAD: usize = 1024;

impl Outbox {
    /// An empty queue to this peer.
    pub fn new(peer: &str) -> Self {
        Self {
            prefix: format!("{PREFIX}{peer}/"),
            items: BTreeMap::new(),
            order: BTreeSet::new(),
            by_id: HashMap::new(),
            expiries: BTreeSet::new(),
            next: 1,
            flying: BTreeMap::new(),
            suspects: BTreeMap::new(),
            parking: Parking::default(),
            forsaken: BTreeSet::new(),
            health: Health::default(),
            cold: BTreeSet::new(),
            loading: None,
            totals: Arc::new(Totals::new(usize::MAX)),
            held: 0,
            bytes: 0,
            messages: 0,
            answers: (0, 0),
        }
    }

    /// Takes back an item written before a restart, and since when it waits.
    pub fn restore(&mut self, number: u64, (item, since): (Item, Time)) {
        self.next = self.next.max(number + 1);
        self.add(number, item, since);
    }

    /// Adds an item and says what must be kept.
    pub fn push(&mut self, item: Item, now: Time) -> (u64, Write) {
        let number = self.next;
        self.next += 1;
        let write = Write::put(self.key(number), item.to_record(now)).as_new();
        self.add(number, item, now);
        (number, write)
    }

    /// Holds an item back until `at`. Not known after a restart.
    pub fn delay(&mut self, number: u64, at: Time) {
        self.parking.delay(number, at);
    }

    /// When the next item may be posted that is held back.
    pub fn next_delayed(&self, now: Time) -> Option<Time> {
        self.parking.next(now)
    }

    /// Items waiting or under way.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Since when the oldest item waits or is under way; an earlier version did not write it down.
    pub fn oldest(&self) -> Option<Time> {
        let since = self.items.first_key_value()?.1.since;
        (since > Time::default()).then_some(since)
    }

    /// Bytes waiting or under way.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages waiting or under way.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Answers to the peer that wait or are under way, and their bytes.
    pub fn answers(&self) -> (usize, usize) {
        self.answers
    }

    /// Bytes of bodies in memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// All items in order, with whether they are under way; without the bodies that are on disk.
    pub fn iter(&self) -> impl Iterator<Item = (&Item, bool)> {
        let flying = self.in_flight();
        let items = self.items.iter();
        items.map(move |(number, entry)| (&entry.item, flying.contains(number)))
    }

    /// How the peer does.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// See [`Outbox::health`].
    pub fn health_mut(&mut self) -> &mut Health {
        &mut self.health
    }

    /// Posts that failed in a row; several that failed together are one.
    pub fn failures(&self) -> u32 {
        self.health.failures()
    }

    /// How many posts are under way.
    pub fn posts(&self) -> usize {
        self.flying.len()
    }

    /// Chooses the items of the next post, if one may start now. It must be given to
    /// [`Outbox::fly`], or left.
    pub fn next_post(
        &mut self,
        dialect: &Dialect,
        count: usize,
        bytes: usize,
        now: Time,
    ) -> Vec<u64> {
        // While the peer does not take anything, one post is enough to find out.
        let failing = self.failures() > 0 && !self.flying.is_empty();
        let caution = self.health.caution(now);
        if self.items.is_empty()
            || self.flying.len() >= dialect.posts
            || failing
            || caution == Caution::Wait
        {
            return Vec::new();
        }
        self.wake(now);
        let count = count.min(dialect.batch).max(1);
        let (chosen, delayed) = match caution {
            Caution::None => self.fill_post(count, bytes, now),
            _ => self.least_tried(caution, now),
        };
        for number in delayed {
            self.park(number);
        }
        chosen
    }

    fn fill_post(&self, count: usize, bytes: usize, now: Time) -> (Vec<u64>, Vec<u64>) {
        let in_flight = self.in_flight();
        let mut busy = self.busy(&in_flight);
        let (mut chosen, mut size, mut delayed) = (Vec::new(), 0, Vec::new());
        for number in self.order.iter().take(LOOK_AHEAD) {
            let Some(entry) = self.items.get(number) else {
                continue;
            };
            let conversation = entry.item.conversation.as_deref();
            if in_flight.contains(number) || conversation.is_some_and(|c| busy.contains(c)) {
                continue;
            }
            if self.parking.holds_back(*number, now) {
                busy.extend(conversation);
                delayed.push(*number);
                continue;
            }
            let alone = self.fails(*number) > 0;
            let cost = entry.size + entry.item.id.len() + TRANSACTION_OVERHEAD;
            if !chosen.is_empty() && (alone || size + cost > bytes) {
                // Whatever follows in this conversation must wait as well.
                busy.extend(conversation);
                if !alone {
                    break;
                }
                continue;
            }
            chosen.push(*number);
            size += cost;
            if alone || chosen.len() >= count {
                break;
            }
        }
        (chosen, delayed)
    }

    /// One item: the first that never failed, or one of those that have failed least.
    fn least_tried(&self, caution: Caution, now: Time) -> (Vec<u64>, Vec<u64>) {
        let in_flight = self.in_flight();
        let mut busy = self.busy(&in_flight);
        let (mut least, mut delayed) = (None, Vec::new());
        for number in self.order.iter().take(LOOK_AHEAD) {
            let Some(entry) = self.items.get(number) else {
                continue;
            };
            let conversation = entry.item.conversation.as_deref();
            if in_flight.contains(number) || conversation.is_some_and(|c| busy.contains(c)) {
                continue;
            }
            busy.extend(conversation);
            if self.parking.holds_back(*number, now) {
                delayed.push(*number);
                continue;
            }
            let fails = self.fails(*number);
            // The last of those that failed together: what was at the head is tried most.
            if least.is_none_or(|(least, _)| fails <= least) {
                least = Some((fails, *number));
            }
            if fails == 0 {
                break;
            }
        }
        let most = match caution {
            Caution::Probe(most) => most,
            _ => u32::MAX,
        };
        let fits = |(fails, _): &(u32, u64)| *fails <= most;
        let chosen = least.filter(fits).map(|(_, number)| number);
        (chosen.into_iter().collect(), delayed)
    }

    fn in_flight(&self) -> HashSet<u64> {
        let flights = self.flying.values();
        flights.flat_map(|flight| &flight.items).copied().collect()
    }

    fn busy(&self, in_flight: &HashSet<u64>) -> HashSet<&str> {
        in_flight
            .iter()
            .filter_map(|n| self.items.get(n)?.item.conversation.as_deref())
            .collect()
    }

    /// Puts an item that must wait out of sight, with what follows in its conversation.
    fn park(&mut self, number: u64) {
        let Some(entry) = self.items.get(&number) else {
            return;
        };
        let conversation = entry.item.conversation.clone();
        let numbers: Vec<u64> = match &conversation {
            None => vec![number],
            Some(_) => {
                let is_of = |n: &u64| {
                    let entry = self.items.get(n);
                    entry.is_some_and(|entry| entry.item.conversation == conversation)
                };
                self.order.range(number..).copied().filter(is_of).collect()
            }
        };
        for number in &numbers {
            self.order.remove(number);
        }
        self.parking.park(number, numbers, conversation);
    }

    /// Brings back what was parked for an item that may be posted now, or is gone.
    fn wake(&mut self, now: Time) {
        let back = self.parking.wake(now).into_iter();
        let back = back.filter(|number| self.items.contains_key(number));
        self.order.extend(back.collect::<Vec<_>>());
    }

    /// The items of a batch.
    pub fn get(&self, numbers: &[u64]) -> Vec<&Item> {
        let entries = numbers.iter().filter_map(|number| self.items.get(number));
        entries.map(|entry| &entry.item).collect()
    }

    /// Marks a batch as under way.
    pub fn fly(&mut self, post: u64, items: Vec<u64>, now: Time) {
        let flight = Flight {
            items,
            outage: self.failures(),
            probe: matches!(self.health.caution(now), Caution::Probe(_)),
        };
        self.flying.insert(post, flight);
    }

    /// A post was acknowledged: its items leave.
    pub fn acknowledged(&mut self, post: u64) -> (Vec<Item>, Vec<Write>) {
        self.health.passed();
        let flight = self.flying.remove(&post).unwrap_or_default();
        self.take(&flight.items)
    }

    /// A post was refused for what it held. A batch is tried again one by one;
    /// a single item leaves.
    pub fn refused(&mut self, post: u64) -> (Vec<Item>, Vec<Write>) {
        let items = self.flying.remove(&post).unwrap_or_default().items;
        if items.len() > 1 {
            self.apart(&items);
            return (Vec::new(), Vec::new());
        }
        self.take(&items)
    }

    /// A post failed for a reason that has nothing to do with what it held: it is repeated,
    /// without what nobody waits for.
    pub fn returned(&mut self, post: u64) -> Vec<Write> {
        let mut items = self.flying.remove(&post).unwrap_or_default().items;
        items.retain(|number| self.forsaken.contains(number));
        self.take(&items).1
    }

    /// Nobody waits for a request any more: it leaves at once, or when its post has
    /// failed.
    pub fn forsake(&mut self, id: &str) -> Option<Write> {
        if let Some((_, write)) = self.withdraw(id) {
            return Some(write);
        }
        let number = self.find(id)?;
        self.forsaken.insert(number);
        None
    }

    /// Takes a request back that was not posted yet; `None` if it is under way or gone.
    pub fn withdraw(&mut self, id: &str) -> Option<(Item, Write)> {
        let number = self.find(id)?;
        let mut flights = self.flying.values();
        if flights.any(|flight| flight.items.contains(&number)) {
            return None;
        }
        let item = self.forget(number)?;
        Some((item, Write::delete(self.key(number))))
    }

    /// Whether a request waits here, posted or not.
    pub fn holds(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// Removes what has expired and is not under way.
    pub fn expire(&mut self, now: Time) -> (Vec<Item>, Vec<Write>) {
        let flying = self.in_flight();
        let due = self
            .expiries
            .range(..=(now, u64::MAX))
            .map(|(_, number)| *number);
        let numbers: Vec<u64> = due.filter(|number| !flying.contains(number)).collect();
        self.take(&numbers)
    }

    /// When the next item expires that is not under way.
    pub fn next_expiry(&self) -> Option<Time> {
        let flying = self.in_flight();
        let waiting = |(_, number): &&(Time, u64)| !flying.contains(number);
        self.expiries.iter().find(waiting).map(|(at, _)| *at)
    }

    fn find(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    fn add(&mut self, number: u64, mut item: Item, since: Time) {
        let (size, cost) = (item.raw.len(), item.cost());
        if item.mode == Mode::Request {
            self.by_id.insert(item.id.clone(), number);
        } else {
            self.answers.0 += 1;
            self.answers.1 += cost;
        }
        self.messages += usize::from(item.is_message());
        self.expiries.insert((item.expires, number));
        if !self.parking.joins(number, item.conversation.as_deref()) {
            self.order.insert(number);
        }
        if self.may_hold(size) {
            self.held += size;
            self.totals.add(cost, size);
        } else {
            item.raw = String::new();
            self.cold.insert(number);
            self.totals.add(cost, 0);
        }
        self.bytes += cost;
        self.items
            .insert(number, Entry::new(item, since, (size, cost)));
    }

    fn forget(&mut self, number: u64) -> Option<Item> {
        let entry = self.items.remove(&number)?;
        self.bytes -= entry.cost;
        self.held -= entry.held();
        self.totals.sub(entry.cost, entry.held());
        let item = entry.item;
        self.messages -= usize::from(item.is_message());
        self.order.remove(&number);
        self.cold.remove(&number);
        self.suspects.remove(&number);
        self.parking.forget(number);
        self.forsaken.remove(&number);
        self.expiries.remove(&(item.expires, number));
        if item.mode == Mode::Request {
            self.by_id.remove(&item.id);
        } else {
            self.answers.0 -= 1;
            self.answers.1 -= entry.cost;
        }
        Some(item)
    }

    fn take(&mut self, numbers: &[u64]) -> (Vec<Item>, Vec<Write>) {
        let mut items = Vec::with_capacity(numbers.len());
        let mut writes = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(item) = self.forget(*number) {
                items.push(item);
                writes.push(Write::delete(self.key(*number)));
            }
        }
        (items, writes)
    }

    fn key(&self, number: u64) -> String {
        Write::numbered(&self.prefix, number)
    }

    fn peer(&self) -> &str {
        self.prefix
            .strip_prefix(PREFIX)
            .map_or("", |peer| peer.trim_end_matches('/'))
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.totals.sub(self.bytes, self.held);
    }
}
