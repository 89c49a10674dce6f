//! Messages that a peer has taken, kept in memory until it answers: an answer with a
//! `TryAgainTimeout` gives them back, and they are sent again after that time (wire
//! profile, 8.1). After a restart such an answer is passed on instead.

use std::collections::{BTreeMap, HashMap};

use crate::sap::association::outbox::Item;
use crate::sap::element::Time;
use crate::sap::transaction::recipients;
use crate::sap::transaction::{Place, State};
use crate::sap::{Count, Sap, timers};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::ssp::xml::names::may_stand_in;
use crate::text::Shown;

/// Bytes kept, at most; the oldest go first. Our choice.
const MOST: usize = 64 * 1024 * 1024;
/// The messages, oldest first.
#[derive(Debug, Default)]
pub(in crate::sap) struct Kept {
    items: BTreeMap<u64, Item>,
    by_id: HashMap<String, u64>,
    next: u64,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, item: Item) {
        self.next += 1;
        self.bytes += item.cost();
        self.by_id.insert(item.id.clone(), self.next);
        self.items.insert(self.next, item);
        while self.bytes > MOST {
            let Some((_, oldest)) = self.items.pop_first() else {
                return;
            };
            self.bytes -= oldest.cost();
            self.by_id.remove(&oldest.id);
        }
    }

    /// Takes one out, by our transaction id.
    pub(in crate::sap) fn take(&mut self, id: &str) -> Option<Item> {
        let item = self.items.remove(&self.by_id.remove(id)?)?;
        self.bytes -= item.cost();
        Some(item)
    }
}

impl Sap {
    /// The peer has acknowledged a message and owes the answer.
    pub(in crate::sap) fn keep_until_answered(&mut self, domain: &str, item: Item) {
        let place = Place::Peer {
            peer: domain.to_owned(),
            id: item.id.clone(),
        };
        let is_message = item.mode == Mode::Request && item.name == "SendMessageRequest";
        if is_message && self.table.by_place(&place).is_some() {
            self.kept.keep(item);
        }
    }

    /// Whether an answer gives a message back that can be sent again in time; then it
    /// is, under a new id.
    pub(in crate::sap) fn is_given_back(
        &mut self,
        domain: &str,
        number: u64,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let Some(record) = self.table.get(number) else {
            return false;
        };
        let open = matches!(record.state, State::Pending | State::TakenOver);
        let Some(after) = try_again(transaction).filter(|_| open) else {
            return false;
        };
        let at = now.plus_seconds(u64::from(after.max(1)));
        if at >= record.expires {
            return false;
        }
        let (name, received, expires) = (record.name.clone(), record.received, record.expires);
        let Some(mut item) = self.kept.take(&transaction.id) else {
            return false;
        };
        item.id = self.numbers.id();
        let place = |id: &str| Place::Peer {
            peer: domain.to_owned(),
            id: id.to_owned(),
        };
        let (old, new) = (place(&transaction.id), place(&item.id));
        let write = self.table.move_part(number, &old, new);
        self.write(write);
        tracing::info!(
            ssp.peer = domain,
            ssp.transaction = %Shown(&transaction.id),
            wait_s = after,
            "the peer gives a message back for now"
        );
        // It left the books when the peer took it.
        self.count(Count::Accepted);
        self.with(domain, now, |association| {
            association.enqueue_later(item, at, now);
        });
        // Its requestor hears 202 no later than usual.
        let by = self.answer_by(&name, received, expires).max(now);
        self.timers.set(by, timers::Timer::Answer(number));
        true
    }
}

/// Seconds after which a message that could not be taken may come again.
fn try_again(transaction: &Transaction) -> Option<u32> {
    if !may_stand_in(&transaction.raw, "TryAgainTimeout") {
        return None;
    }
    let answer = transaction.primitive().ok()?;
    let status = recipients::status_of(&answer)?;
    status.try_again.filter(|_| status.code.is_transient())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn item(id: u64, bytes: usize) -> Item {
        Item {
            mode: Mode::Request,
            id: id.to_string(),
            name: "SendMessageRequest".to_owned(),
            raw: "x".repeat(bytes),
            conversation: None,
            expires: Time(1),
            message: None,
            via: None,
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let mut kept = Kept::default();
        for id in 0..100 {
            kept.keep(item(id, 1024 * 1024));
        }
        assert!(kept.bytes <= MOST && kept.items.len() == kept.by_id.len());
        assert!(kept.take("0").is_none());
        assert_eq!(kept.take("99").unwrap().id, "99");
        assert!(kept.take("99").is_none());
        let left: usize = kept.items.values().map(Item::cost).sum();
        assert_eq!(kept.bytes, left);
    }
}
