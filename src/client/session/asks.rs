//! Requests of a client that its user's domain is to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::repeats::{Place, Repeat, Repeats, mark};
use crate::client::meaning::Exchange;
use crate::csp::Primitive;
use crate::element::Time;

/// Requests of one client under way at most; our choice.
const MAX: usize = 32;

/// In that time a request is answered, if need be with 504; our choice: phones wait for a minute.
const ANSWER: Duration = Duration::from_secs(25);

/// A request under way.
#[derive(Debug)]
pub(super) struct Ask {
    /// The post, and the place of the answer in it.
    pub(super) of: (u64, usize),
    /// The id of the client's transaction.
    pub(super) transaction: String,
    pub(super) exchange: Exchange,
    pub(super) until: Time,
    /// Of a message that is known when it comes again.
    mark: Option<u64>,
}

impl Ask {
    /// A request that is made now.
    pub(super) fn new(
        of: (u64, usize),
        transaction: String,
        exchange: Exchange,
        now: Time,
    ) -> Self {
        Self {
            of,
            transaction,
            exchange,
            until: now.plus(ANSWER),
            mark: None,
        }
    }
}

/// All requests under way, by the number that names each to the user's domain.
#[derive(Debug, Default)]
pub(super) struct Asks {
    under_way: BTreeMap<u64, Ask>,
    next: u64,
    repeats: Repeats,
}

impl Asks {
    pub(super) fn is_full(&self) -> bool {
        self.under_way.len() >= MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// What a request is; `repeats`: its client may repeat messages under other ids.
    pub(super) fn repeat(&mut self, ask: &mut Ask, repeats: bool, now: Time) -> Repeat {
        let Some(mark) = mark(ask.exchange.request()).filter(|_| repeats) else {
            return Repeat::New;
        };
        ask.mark = Some(mark);
        let place = (ask.of, ask.transaction.clone());
        self.repeats.come(mark, place, now)
    }

    /// A request was answered so; where else that answer goes.
    pub(super) fn answered(&mut self, ask: &Ask, answer: &Primitive) -> Vec<Place> {
        let Some(mark) = ask.mark else {
            return Vec::new();
        };
        let is_taken = match answer {
            Primitive::SendMessageResponse(answer) => answer.result.status.code.is_success(),
            _ => false,
        };
        self.repeats.answered(mark, answer, is_taken)
    }

    /// Adds one; its id.
    pub(super) fn add(&mut self, ask: Ask) -> String {
        let number = self.next;
        self.next += 1;
        self.under_way.insert(number, ask);
        number.to_string()
    }

    /// The request of this id, which is answered.
    pub(super) fn take(&mut self, id: &str) -> Option<Ask> {
        self.under_way.remove(&id.parse().ok()?)
    }

    /// One that was not answered in time.
    pub(super) fn take_late(&mut self, now: Time) -> Option<Ask> {
        let mut late = self.under_way.iter().filter(|(_, ask)| ask.until <= now);
        let number = *late.next()?.0;
        self.under_way.remove(&number)
    }

    /// No answer comes any more to what is under way.
    pub(super) fn are_late(&mut self, now: Time) {
        for ask in self.under_way.values_mut() {
            ask.until = now;
        }
    }

    /// When the next one is late.
    pub(super) fn until(&self) -> Option<Time> {
        self.under_way.values().map(|ask| ask.until).min()
    }

    pub(super) fn clear(&mut self) {
        self.under_way.clear();
    }
}
