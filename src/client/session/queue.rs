//! What waits for a client until it comes for it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::csp::{Mode, Primitive, Transaction};
use crate::element::Time;

/// Things without a number that wait at most; the user's domain bounds those with one. Our choice.
const MAX: usize = 256;
/// Bytes of them.
const MAX_BYTES: usize = 256 * 1024;
/// What was told and not acknowledged is told again no earlier; our choice: a client that has an
/// answer acknowledges it before.
const AGAIN: Duration = Duration::from_secs(5);
/// How often something is told that the client ought to answer, and does not; our choice. A message
/// is told until the client has it.
const TIMES: u32 = 3;

/// How the client shows that it has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// By `MessageDelivered` with the id of the message.
    Delivered,
    /// By an answer with the id of the transaction.
    Answered,
    /// It does not: clients never answer it.
    Told,
}

#[derive(Debug)]
struct Item {
    /// To acknowledge it with at the user's domain.
    number: Option<u64>,
    primitive: Primitive,
    bytes: usize,
    until: Until,
    /// Of the transaction; from the first time on that it is told.
    transaction: Option<String>,
    times: u32,
    told: Time,
}

/// What waits, the oldest first.
#[derive(Debug)]
pub(super) struct Queue {
    items: VecDeque<Item>,
    /// Bytes of what has no number, and how much of it there is.
    passing: (usize, usize),
    /// Names the next transaction.
    next: u64,
}

/// What the client has shown to have, or will never be told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// To acknowledge it with.
    pub(super) number: Option<u64>,
}

impl Item {
    fn is_due(&self, now: Time) -> bool {
        self.times == 0 || now >= self.told.plus(AGAIN)
    }

    fn message(&self) -> Option<&str> {
        match &self.primitive {
            Primitive::NewMessage(message) => message.info.message.message_id.as_deref(),
            _ => None,
        }
    }
}

impl Queue {
    /// Empty. `first`: names the first transaction; larger than any that was named before.
    pub(super) fn new(first: u64) -> Self {
        Self {
            items: VecDeque::new(),
            passing: (0, 0),
            next: first,
        }
    }

    /// Whether something waits under this number.
    pub(super) fn has(&self, number: u64) -> bool {
        self.items.iter().any(|item| item.number == Some(number))
    }

    /// Puts something behind the rest. Of what has no number the oldest goes if it is too much.
    pub(super) fn push(
        &mut self,
        number: Option<u64>,
        primitive: Primitive,
        bytes: usize,
        is_answered: bool,
    ) {
        let until = match &primitive {
            Primitive::NewMessage(_) => Until::Delivered,
            Primitive::MessageNotification(_) | Primitive::CancelInviteUserRequest(_) => {
                Until::Told
            }
            _ if !is_answered => Until::Told,
            _ => Until::Answered,
        };
        self.items.push_back(Item {
            number,
            primitive,
            bytes,
            until,
            transaction: None,
            times: 0,
            told: Time(0),
        });
        if number.is_some() {
            return;
        }
        self.passing.0 += bytes;
        self.passing.1 += 1;
        while self.passing.0 > MAX_BYTES || self.passing.1 > MAX {
            let Some(at) = self.items.iter().position(|item| item.number.is_none()) else {
                break;
            };
            self.remove(at);
        }
    }

    /// Whether something waits that the client may be told now.
    pub(super) fn is_waiting(&self, now: Time) -> bool {
        self.items.iter().any(|item| item.is_due(now))
    }

    /// Whether something waits that the client has not been told yet.
    pub(super) fn has_news(&self) -> bool {
        self.items.iter().any(|item| item.times == 0)
    }

    /// Whether there is anything.
    pub(super) fn has_any(&self) -> bool {
        !self.items.is_empty()
    }

    /// When something may be told again that was not acknowledged.
    pub(super) fn due(&self) -> Option<Time> {
        let told = self.items.iter().filter(|item| item.times > 0);
        told.map(|item| item.told.plus(AGAIN)).min()
    }

    /// The next thing to tell, and what is done with by that: what is new first, then what may be
    /// told again.
    pub(super) fn tell(&mut self, now: Time) -> Option<(Transaction, Option<Taken>)> {
        let new = self.items.iter().position(|item| item.times == 0);
        let at = new.or_else(|| self.items.iter().position(|item| item.is_due(now)))?;
        let next = self.next;
        let item = self.items.get_mut(at)?;
        item.times += 1;
        item.told = now;
        let id = item.transaction.get_or_insert_with(|| format!("s{next:x}"));
        let transaction = Transaction::new(Mode::Request, id.clone(), item.primitive.clone());
        if item.times == 1 {
            self.next += 1;
        }
        let is_done = match item.until {
            Until::Told => true,
            Until::Answered => item.times >= TIMES,
            Until::Delivered => false,
        };
        let taken = is_done.then(|| self.remove(at)).flatten();
        Some((transaction, taken))
    }

    /// The client has the message of this id.
    pub(super) fn delivered(&mut self, message: &str) -> Option<Taken> {
        let is_it = |item: &Item| item.times > 0 && item.message() == Some(message);
        let at = self.items.iter().position(is_it)?;
        self.remove(at)
    }

    /// The client has answered this transaction.
    pub(super) fn answered(&mut self, transaction: &str) -> Option<Taken> {
        let is_it = |item: &Item| item.transaction.as_deref() == Some(transaction);
        let at = self.items.iter().position(is_it)?;
        self.remove(at)
    }

    /// Forgets what has a number and was not told: it comes again.
    pub(super) fn forget_news(&mut self) {
        self.items
            .retain(|item| item.times > 0 || item.number.is_none());
    }

    fn remove(&mut self, at: usize) -> Option<Taken> {
        let item = self.items.remove(at)?;
        if self.items.is_empty() {
            // Most of the time nothing waits.
            self.items = VecDeque::new();
        }
        if item.number.is_none() {
            self.passing.0 -= item.bytes;
            self.passing.1 -= 1;
        }
        Some(Taken {
            number: item.number,
        })
    }
}
