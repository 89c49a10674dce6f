//! Items that wait for a time of their own: many of them must not hide what can be posted.

use std::collections::{BTreeMap, HashMap};

use crate::element::Time;

/// The items of one queue that are held back.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// Items that are not posted before their time.
    delayed: BTreeMap<u64, Time>,
    /// Out of sight until a delayed item, the key, may be posted: it and what follows in
    /// its conversation.
    parked: BTreeMap<u64, Vec<u64>>,
    /// The delayed item of each conversation that is out of sight.
    heads: HashMap<String, u64>,
}

impl Parking {
    /// Holds an item back until `at`.
    pub(super) fn delay(&mut self, number: u64, at: Time) {
        self.delayed.insert(number, at);
    }

    /// Whether an item is held back now.
    pub(super) fn holds_back(&self, number: u64, now: Time) -> bool {
        self.delayed.get(&number).is_some_and(|at| *at > now)
    }

    /// When the next item may be posted that is held back.
    pub(super) fn next(&self, now: Time) -> Option<Time> {
        self.delayed.values().copied().filter(|at| *at > now).min()
    }

    /// Puts a delayed item out of sight, and what follows in its conversation. `numbers` begins
    /// with the item.
    pub(super) fn park(&mut self, number: u64, numbers: Vec<u64>, conversation: Option<String>) {
        if let Some(conversation) = conversation {
            self.heads.insert(conversation, number);
        }
        self.parked.insert(number, numbers);
    }

    /// A new item of a conversation goes out of sight if its conversation is. Whether it did.
    pub(super) fn joins(&mut self, number: u64, conversation: Option<&str>) -> bool {
        let head = conversation.and_then(|conversation| self.heads.get(conversation));
        let Some(head) = head else {
            return false;
        };
        self.parked.entry(*head).or_default().push(number);
        true
    }

    /// What was parked for an item that may be posted now, or is gone; it is so no more.
    pub(super) fn wake(&mut self, now: Time) -> Vec<u64> {
        let heads = self.parked.keys().copied();
        let due: Vec<u64> = heads.filter(|n| !self.holds_back(*n, now)).collect();
        let mut back = Vec::new();
        for number in due {
            back.extend(self.parked.remove(&number).unwrap_or_default());
            self.delayed.remove(&number);
            self.heads.retain(|_, head| *head != number);
        }
        back
    }

    /// An item has left the queue.
    pub(super) fn forget(&mut self, number: u64) {
        self.delayed.remove(&number);
    }
}
