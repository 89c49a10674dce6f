//! The outbox of one peer: transactions waiting to be posted, in order.
//!
//! An item leaves when the peer has acknowledged it with HTTP 200, when it
//! expires, or when it is taken back. Items of one conversation are never under
//! way in two posts at once, and none overtakes another (wire profile, 7.4).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::element::Time;
use crate::ssp::Mode;
use crate::ssp::envelope::TRANSACTION_OVERHEAD;
use crate::store::Write;

/// One transaction to be posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Request or response.
    pub mode: Mode,
    /// Transaction id.
    pub id: String,
    /// Primitive's name, for the log.
    pub name: String,
    /// The primitive, in the peer's dialect.
    #[serde(default)]
    pub raw: String,
    /// Sender and recipient, where order matters.
    pub conversation: Option<String>,
    /// When it is of no use any more.
    pub expires: Time,
    /// The message's id, for tracing.
    pub message: Option<String>,
    /// Domains passed so far.
    pub via: Option<String>,
}

impl Item {
    /// As it is kept: what describes it as JSON, a line feed, the primitive as it is.
    fn to_record(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Kept<'a> {
            mode: Mode,
            id: &'a str,
            name: &'a str,
            conversation: Option<&'a str>,
            expires: Time,
            message: Option<&'a str>,
            via: Option<&'a str>,
        }
        let kept = Kept {
            mode: self.mode,
            id: &self.id,
            name: &self.name,
            conversation: self.conversation.as_deref(),
            expires: self.expires,
            message: self.message.as_deref(),
            via: self.via.as_deref(),
        };
        let mut record = Vec::with_capacity(self.raw.len() + 256);
        // Writing texts and numbers to memory does not fail.
        let _ = serde_json::to_writer(&mut record, &kept);
        record.push(b'\n');
        record.extend_from_slice(self.raw.as_bytes());
        record
    }

    /// Reads what [`Item::to_record`] has written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_record(record: &[u8]) -> Result<Self, String> {
        let end = record.iter().position(|byte| *byte == b'\n');
        let (kept, raw) = match end {
            Some(end) => (&record[..end], Some(&record[end + 1..])),
            // As older versions wrote it, all in JSON.
            None => (record, None),
        };
        let mut item: Self = serde_json::from_slice(kept).map_err(|error| error.to_string())?;
        if let Some(raw) = raw {
            item.raw = String::from_utf8(raw.to_vec()).map_err(|error| error.to_string())?;
        }
        Ok(item)
    }
}

/// The queue of one peer.
#[derive(Debug)]
pub struct Outbox {
    prefix: String,
    items: BTreeMap<u64, Item>,
    /// Requests by transaction id.
    by_id: HashMap<String, u64>,
    expiries: BTreeSet<(Time, u64)>,
    next: u64,
    /// By post.
    flying: BTreeMap<u64, Vec<u64>>,
    /// Items that must be posted alone because a batch with them was refused.
    alone: BTreeSet<u64>,
    /// Items that are not posted before their time.
    delayed: BTreeMap<u64, Time>,
    /// Items under way that are not posted again.
    forsaken: BTreeSet<u64>,
    /// No post before.
    pub not_before: Time,
    /// Posts that failed in a row.
    pub failures: u32,
}

/// Prefix of all queued items.
pub const PREFIX: &str = "sap/out/";

/// How far ahead a batch is looked for; keeps the cost of a long queue flat.
const LOOK_AHEAD: usize = 1024;

impl Outbox {
    /// An empty queue.
    pub fn new(peer: &str) -> Self {
        Self {
            prefix: format!("{PREFIX}{peer}/"),
            items: BTreeMap::new(),
            by_id: HashMap::new(),
            expiries: BTreeSet::new(),
            next: 1,
            flying: BTreeMap::new(),
            alone: BTreeSet::new(),
            delayed: BTreeMap::new(),
            forsaken: BTreeSet::new(),
            not_before: Time::default(),
            failures: 0,
        }
    }

    /// Takes back an item written before a restart.
    pub fn restore(&mut self, number: u64, item: Item) {
        self.next = self.next.max(number + 1);
        self.add(number, item);
    }

    /// Adds an item and says what must be kept.
    pub fn push(&mut self, item: Item) -> (u64, Write) {
        let number = self.next;
        self.next += 1;
        let write = Write::put(self.key(number), item.to_record());
        self.add(number, item);
        (number, write)
    }

    /// Holds an item back until `at`. Not known after a restart.
    pub fn delay(&mut self, number: u64, at: Time) {
        self.delayed.insert(number, at);
    }

    /// When the next item may be posted that is held back.
    pub fn next_delayed(&self, now: Time) -> Option<Time> {
        self.delayed.values().copied().filter(|at| *at > now).min()
    }

    /// Items waiting or under way.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items in order, with whether they are under way.
    pub fn iter(&self) -> impl Iterator<Item = (&Item, bool)> {
        let flying: HashSet<u64> = self.flying.values().flatten().copied().collect();
        self.items
            .iter()
            .map(move |(number, item)| (item, flying.contains(number)))
    }

    /// Posts under way.
    pub fn posts(&self) -> usize {
        self.flying.len()
    }

    /// Chooses the items of the next post, if one may start now.
    pub fn batch(&self, dialect: &Dialect, count: usize, bytes: usize, now: Time) -> Vec<u64> {
        if self.flying.len() >= dialect.posts || now < self.not_before || self.items.is_empty() {
            return Vec::new();
        }
        let in_flight: HashSet<u64> = self.flying.values().flatten().copied().collect();
        // While the peer does not take anything, one post is enough to find out.
        if self.failures > 0 && !in_flight.is_empty() {
            return Vec::new();
        }
        let mut busy: HashSet<&str> = in_flight
            .iter()
            .filter_map(|n| self.items.get(n)?.conversation.as_deref())
            .collect();
        let count = count.min(dialect.batch).max(1);
        let (mut chosen, mut size) = (Vec::new(), 0);
        for (number, item) in self.items.iter().take(LOOK_AHEAD) {
            if in_flight.contains(number) {
                continue;
            }
            let conversation = item.conversation.as_deref();
            if conversation.is_some_and(|conversation| busy.contains(conversation)) {
                continue;
            }
            if self.delayed.get(number).is_some_and(|at| *at > now) {
                busy.extend(conversation);
                continue;
            }
            let alone = self.alone.contains(number);
            let cost = item.raw.len() + item.id.len() + TRANSACTION_OVERHEAD;
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
        chosen
    }

    /// The items of a batch.
    pub fn get(&self, numbers: &[u64]) -> Vec<&Item> {
        numbers
            .iter()
            .filter_map(|number| self.items.get(number))
            .collect()
    }

    /// Marks a batch as under way.
    pub fn fly(&mut self, post: u64, numbers: Vec<u64>) {
        self.flying.insert(post, numbers);
    }

    /// A post was acknowledged: its items leave.
    pub fn acknowledged(&mut self, post: u64) -> (Vec<Item>, Vec<Write>) {
        self.failures = 0;
        let numbers = self.flying.remove(&post).unwrap_or_default();
        self.take(&numbers)
    }

    /// A post was refused for what it held. A batch is tried again one by one;
    /// a single item leaves.
    pub fn refused(&mut self, post: u64) -> (Vec<Item>, Vec<Write>) {
        let numbers = self.flying.remove(&post).unwrap_or_default();
        if numbers.len() > 1 {
            self.alone.extend(numbers);
            return (Vec::new(), Vec::new());
        }
        self.take(&numbers)
    }

    /// A post failed for a reason that may pass: its items wait until `not_before`,
    /// except those that nobody waits for.
    pub fn failed(&mut self, post: u64, not_before: Time) -> Vec<Write> {
        let mut numbers = self.flying.remove(&post).unwrap_or_default();
        self.failures = self.failures.saturating_add(1);
        self.not_before = self.not_before.max(not_before);
        numbers.retain(|number| self.forsaken.contains(number));
        self.take(&numbers).1
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
        if self
            .flying
            .values()
            .flatten()
            .any(|flying| *flying == number)
        {
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
        let flying: HashSet<u64> = self.flying.values().flatten().copied().collect();
        let due = self
            .expiries
            .range(..=(now, u64::MAX))
            .map(|(_, number)| *number);
        let numbers: Vec<u64> = due.filter(|number| !flying.contains(number)).collect();
        self.take(&numbers)
    }

    /// When the next item expires that is not under way.
    pub fn next_expiry(&self) -> Option<Time> {
        let flying: HashSet<u64> = self.flying.values().flatten().copied().collect();
        let waiting = |(_, number): &&(Time, u64)| !flying.contains(number);
        self.expiries.iter().find(waiting).map(|(at, _)| *at)
    }

    fn find(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    fn add(&mut self, number: u64, item: Item) {
        if item.mode == Mode::Request {
            self.by_id.insert(item.id.clone(), number);
        }
        self.expiries.insert((item.expires, number));
        self.items.insert(number, item);
    }

    fn forget(&mut self, number: u64) -> Option<Item> {
        let item = self.items.remove(&number)?;
        self.alone.remove(&number);
        self.delayed.remove(&number);
        self.forsaken.remove(&number);
        self.expiries.remove(&(item.expires, number));
        if item.mode == Mode::Request {
            self.by_id.remove(&item.id);
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
        format!("{}{number:020}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, conversation: &str) -> Item {
        Item {
            mode: Mode::Request,
            id: id.to_owned(),
            name: "SendMessageRequest".to_owned(),
            raw: "<x/>".repeat(10),
            conversation: Some(conversation.to_owned()),
            expires: Time(1000),
            message: None,
            via: None,
        }
    }

    fn ids(outbox: &Outbox, numbers: &[u64]) -> Vec<String> {
        outbox
            .get(numbers)
            .iter()
            .map(|item| item.id.clone())
            .collect()
    }

    #[test]
    fn one_post_carries_what_is_queued_up() {
        let mut outbox = Outbox::new("p");
        for id in ["1", "2", "3"] {
            outbox.push(item(id, "a>b"));
        }
        let dialect = Dialect::default();
        let batch = outbox.batch(&dialect, 64, 10_000, Time(0));
        assert_eq!(ids(&outbox, &batch), ["1", "2", "3"]);
        outbox.fly(1, batch);
        outbox.push(item("4", "c>d"));
        assert!(
            outbox.batch(&dialect, 64, 10_000, Time(0)).is_empty(),
            "one post at a time"
        );
        let (gone, writes) = outbox.acknowledged(1);
        assert_eq!((gone.len(), writes.len(), outbox.len()), (3, 3, 1));
    }

    #[test]
    fn a_conversation_is_never_under_way_twice() {
        let dialect = Dialect {
            batch: 1,
            posts: 4,
            ..Dialect::default()
        };
        let mut outbox = Outbox::new("p");
        for (id, conversation) in [("1", "a>b"), ("2", "a>b"), ("3", "c>d")] {
            outbox.push(item(id, conversation));
        }
        let first = outbox.batch(&dialect, 64, 10_000, Time(0));
        outbox.fly(1, first.clone());
        let second = outbox.batch(&dialect, 64, 10_000, Time(0));
        assert_eq!(
            (ids(&outbox, &first), ids(&outbox, &second)),
            (vec!["1".to_owned()], vec!["3".to_owned()])
        );
        outbox.fly(2, second);
        assert!(outbox.batch(&dialect, 64, 10_000, Time(0)).is_empty());
    }

    #[test]
    fn a_refused_batch_is_tried_one_by_one() {
        let mut outbox = Outbox::new("p");
        for id in ["1", "2", "3"] {
            outbox.push(item(id, "a>b"));
        }
        let batch = outbox.batch(&Dialect::default(), 64, 10_000, Time(0));
        outbox.fly(1, batch);
        assert!(outbox.refused(1).0.is_empty());
        let batch = outbox.batch(&Dialect::default(), 64, 10_000, Time(0));
        assert_eq!(ids(&outbox, &batch), ["1"]);
        outbox.fly(2, batch);
        assert_eq!(outbox.refused(2).0.len(), 1);
    }

    #[test]
    fn what_expired_leaves_unless_it_is_under_way() {
        let mut outbox = Outbox::new("p");
        outbox.push(item("1", "a>b"));
        outbox.fly(9, vec![1]);
        outbox.push(item("2", "a>b"));
        assert_eq!(outbox.expire(Time(1000)).0.len(), 1);
        assert_eq!(outbox.len(), 1);
        assert!(outbox.withdraw("1").is_none());
        assert_eq!(outbox.next_expiry(), None, "nothing to look after yet");
        outbox.failed(9, Time(50));
        assert_eq!(outbox.next_expiry(), Some(Time(1000)));
        assert!(
            outbox
                .batch(&Dialect::default(), 64, 10_000, Time(49))
                .is_empty()
        );
        assert!(outbox.withdraw("1").is_some());
    }

    #[test]
    fn what_is_held_back_holds_its_conversation_back() {
        let mut outbox = Outbox::new("p");
        outbox.delay(1, Time(500));
        for (id, conversation) in [("1", "a>b"), ("2", "c>d"), ("3", "a>b")] {
            outbox.push(item(id, conversation));
        }
        let batch = |at| outbox.batch(&Dialect::default(), 64, 10_000, Time(at));
        assert_eq!(ids(&outbox, &batch(499)), ["2"]);
        assert_eq!(outbox.next_delayed(Time(499)), Some(Time(500)));
        assert_eq!(ids(&outbox, &batch(500)), ["1", "2", "3"]);
        assert_eq!(outbox.next_delayed(Time(500)), None);
    }

    #[test]
    fn what_nobody_waits_for_is_not_posted_again() {
        let mut outbox = Outbox::new("p");
        for id in ["1", "2", "3"] {
            outbox.push(item(id, "a>b"));
        }
        outbox.fly(9, vec![1, 2]);
        assert!(outbox.forsake("3").is_some(), "it was not under way");
        assert!(outbox.forsake("1").is_none());
        assert_eq!(outbox.failed(9, Time(0)).len(), 1);
        let batch = outbox.batch(&Dialect::default(), 64, 10_000, Time(0));
        assert_eq!(ids(&outbox, &batch), ["2"]);
    }

    #[test]
    fn a_batch_stays_within_its_bytes() {
        let mut outbox = Outbox::new("p");
        for id in ["1", "2", "3"] {
            outbox.push(item(id, "a>b"));
        }
        assert_eq!(outbox.batch(&Dialect::default(), 64, 250, Time(0)).len(), 2);
    }
}
