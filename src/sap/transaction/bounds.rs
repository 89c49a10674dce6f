//! How much of one peer, and of all, the SAP holds: in number and in bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sap::element::Time;
use crate::sap::transaction::{Place, State, Sum};
use crate::sap::{Sap, timers};

/// Bytes of one peer's unanswered requests. Our choice.
const PENDING_BYTES: usize = 64 * 1024 * 1024;
/// Answered requests remembered at most, whatever the duplicate window. Our choice.
const REMEMBERED: Sum = Sum {
    number: 250_000,
    bytes: 256 * 1024 * 1024,
};
/// Requests that were taken over and that the next hop has, of which only a late failure
/// could be told. Our choice.
const LINGERING: Sum = Sum {
    number: 100_000,
    bytes: 128 * 1024 * 1024,
};

/// Rows of the table that may be forgotten before their time, the oldest first.
#[derive(Debug, Default)]
pub(in crate::sap) struct Forgettable {
    /// By origin: answered requests, and when each is forgotten.
    answered: HashMap<String, BTreeMap<u64, Time>>,
    /// Taken over, and the next hop has them.
    lingering: BTreeSet<u64>,
}

impl Forgettable {
    /// Frees what a row took.
    pub(in crate::sap) fn gone(&mut self, origin: &str, number: u64) {
        self.lingering.remove(&number);
        if let Some(rows) = self.answered.get_mut(origin) {
            rows.remove(&number);
        }
    }
}

impl Sap {
    /// Whether the queue of a peer takes nothing of so many bytes. Of the room for all, half is
    /// for those for whom less than an equal share waits: a peer that is away leaves room for
    /// the others.
    pub(in crate::sap) fn queue_is_full(&self, domain: &str, bytes: usize) -> bool {
        let Some(association) = self.associations.get(domain) else {
            return false;
        };
        let (settings, outbox) = (&self.settings, association.outbox());
        let own = outbox.bytes().saturating_add(bytes);
        let half = settings.max_queue_total / 2;
        let share = half / self.associations.len().max(1);
        outbox.len() >= settings.max_queue
            || own > settings.max_queue_bytes
            || (own > share
                && self.associations.totals().queued().saturating_add(bytes) > half.max(share))
    }

    /// Bytes that wait for all peers, and how much of their bodies is in memory.
    pub fn queued_bytes(&self) -> (usize, usize) {
        let totals = self.associations.totals();
        (totals.queued(), totals.held())
    }

    /// Whether a peer leaves too much unanswered, or does not take its answers.
    pub(in crate::sap) fn owes_too_much(&self, domain: &str, requests: usize) -> bool {
        let settings = &self.settings;
        let pending = self.table.pending(domain);
        let answers = self
            .associations
            .get(domain)
            .map(|it| it.outbox().answers());
        let (answers, bytes) = answers.unwrap_or_default();
        requests > 0
            && (pending.number + requests > settings.max_pending
                || pending.bytes > PENDING_BYTES
                || answers + requests > settings.max_queue
                || bytes > settings.max_queue_bytes)
    }

    /// A row was answered and is remembered until `at`; others may have to go for it.
    pub(in crate::sap) fn remember_until(&mut self, number: u64, at: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let origin = record.origin.name().to_owned();
        let rows = self.forgettable.answered.entry(origin).or_default();
        rows.insert(number, at);
        self.timers.set(at, timers::Timer::Forget(number));
        while let Some(origin) = self.table.remembers_too_much(REMEMBERED) {
            let rows = self.forgettable.answered.get_mut(origin);
            let Some((oldest, at)) = rows.and_then(BTreeMap::pop_first) else {
                return;
            };
            self.timers.cancel(at, timers::Timer::Forget(oldest));
            let write = self.forget(oldest);
            self.write(write);
        }
    }

    /// A row was taken over and the next hop has it: what it may still say is worth less than
    /// room.
    pub(in crate::sap) fn linger(&mut self, number: u64, now: Time) {
        let held = |place: &Place| match place {
            Place::Peer { peer, id } => self.outbox_holds(peer, id),
            _ => false,
        };
        let lingers = self.table.get(number).is_some_and(|record| {
            let mut open = record.parts.iter().filter(|part| part.answer.is_none());
            record.state == State::TakenOver && !open.any(|part| held(&part.place))
        });
        if !lingers {
            return;
        }
        self.forgettable.lingering.insert(number);
        while self.forgettable.lingering.len() > LINGERING.number
            || self.table.taken_over().bytes > LINGERING.bytes
        {
            let Some(oldest) = self.forgettable.lingering.pop_first() else {
                return;
            };
            self.close(oldest, None, now);
        }
    }
}
