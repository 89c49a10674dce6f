//! Messages that a peer has taken, kept in memory until it answers: an answer with a
//! `TryAgainTimeout` gives them back, and they are sent again after that time (wire
//! profile, 8.1). After a restart such an answer is passed on instead.

use std::collections::{BTreeMap, HashMap};

use crate::imps::xml::names::may_stand_in;
use crate::sap::association::outbox::Item;
use crate::sap::settings::Shards;
use crate::sap::transaction_id::TransactionId;
use crate::ssp::envelope::Transaction;

/// Bytes kept, at most, by all shards together; the oldest go first. Our choice.
const MOST: usize = 64 * 1024 * 1024;
/// The messages, oldest first.
#[derive(Debug)]
pub(super) struct Unanswered {
    items: BTreeMap<u64, Item>,
    by_id: HashMap<TransactionId, u64>,
    next: u64,
    bytes: usize,
    most: usize,
}

impl Unanswered {
    /// None yet, in this shard.
    pub(super) fn new(shards: Shards) -> Self {
        Self {
            items: BTreeMap::new(),
            by_id: HashMap::new(),
            next: 0,
            bytes: 0,
            most: shards.share(MOST),
        }
    }

    pub(super) fn keep(&mut self, item: Item) {
        self.next += 1;
        self.bytes += item.cost();
        self.by_id.insert(item.id.clone(), self.next);
        self.items.insert(self.next, item);
        while self.bytes > self.most {
            let Some((_, oldest)) = self.items.pop_first() else {
                return;
            };
            self.bytes -= oldest.cost();
            self.by_id.remove(&oldest.id);
        }
    }

    /// Takes one out, by our transaction id.
    pub(super) fn take(&mut self, id: &str) -> Option<Item> {
        let item = self.items.remove(&self.by_id.remove(id)?)?;
        self.bytes -= item.cost();
        Some(item)
    }
}

/// Seconds after which a message that could not be taken may come again.
pub(super) fn try_again(transaction: &Transaction) -> Option<u32> {
    if !may_stand_in(&transaction.raw, "TryAgainTimeout") {
        return None;
    }
    let answer = transaction.primitive().ok()?;
    let status = answer.verdict()?;
    status.try_again.filter(|_| status.code.is_transient())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element::Time;
    use crate::imps::primitive::Name;
    use crate::ssp::Mode;

    fn item(id: u64, bytes: usize) -> Item {
        Item {
            mode: Mode::Request,
            id: id.to_string().into(),
            name: Name::SendMessageRequest.into(),
            raw: "x".repeat(bytes),
            conversation: None,
            expires: Time(1),
            message: None,
            via: None,
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        for shards in [Shards::ONE, Shards::new(1, 3)] {
            let mut kept = Unanswered::new(shards);
            for id in 0..100 {
                kept.keep(item(id, 1024 * 1024));
            }
            assert!(kept.bytes <= shards.share(MOST) && kept.items.len() == kept.by_id.len());
            assert!(kept.take("0").is_none());
            assert_eq!(kept.take("99").unwrap().id, "99");
            assert!(kept.take("99").is_none());
            let left: usize = kept.items.values().map(Item::cost).sum();
            assert_eq!(kept.bytes, left);
        }
    }
}
