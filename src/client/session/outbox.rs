//! What goes to a client: when it comes for it, and how it learns that it should come.

use std::time::Duration;

use super::alarm::Alarm;
use super::fetched::Fetched;
use super::polls::Polls;
use super::queue::{Queue, Taken};
use super::record::Record;
use crate::client::wake::Method;
use crate::csp::{Primitive, Transaction};
use crate::element::Time;

/// What waits for one client, and how it is woken.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Queue,
    fetched: Fetched,
    /// Presence may have changed without the client's being told.
    missed: bool,
    polls: Polls,
    alarm: Alarm,
    /// Whether the channel by which the client is woken stands.
    channel: bool,
}

/// What goes out with an answer.
#[derive(Debug, Default)]
pub(super) struct Going {
    pub(super) transactions: Vec<Transaction>,
    /// Numbers to acknowledge: the client is not told that again.
    pub(super) numbers: Vec<u64>,
}

impl Outbox {
    /// Empty.
    pub(super) fn new(now: Time) -> Self {
        Self {
            queue: Queue::new(now.0),
            fetched: Fetched::default(),
            missed: false,
            polls: Polls::new(now),
            alarm: Alarm::default(),
            channel: false,
        }
    }

    /// Whether something waits under this number.
    pub(super) fn has(&self, number: u64) -> bool {
        self.queue.has(number)
    }

    /// Whether something waits that the client has not been told yet.
    pub(super) fn has_news(&self) -> bool {
        self.queue.has_news()
    }

    /// Whether something waits that the client may be told now.
    pub(super) fn is_waiting(&self, now: Time) -> bool {
        self.queue.is_waiting(now)
    }

    /// Something waits from now on.
    /// `is_answered`: whether the client answers it, as far as is known.
    pub(super) fn push(
        &mut self,
        number: Option<u64>,
        told: Primitive,
        bytes: usize,
        is_answered: bool,
    ) {
        self.queue.push(number, told, bytes, is_answered);
    }

    /// The client looks whether something waits; false if it does so too often.
    pub(super) fn may_poll(&mut self, interval: Duration, now: Time) -> bool {
        self.alarm.reset();
        self.polls.may(interval, now)
    }

    /// As much as the client takes at once. `polled`: it came for that alone.
    pub(super) fn tell(&mut self, room: usize, polled: bool, now: Time) -> Going {
        let mut going = Going::default();
        while going.transactions.len() < room
            && let Some((told, taken)) = self.queue.tell(now)
        {
            going.numbers.extend(taken.and_then(|taken| taken.number));
            going.transactions.push(told);
        }
        if !going.transactions.is_empty() {
            if polled {
                self.polls.give_back();
            }
            // It is told that more waits; that wakes it as well.
            self.alarm.ring(now);
        }
        going
    }

    /// The client has the message of this id.
    pub(super) fn delivered(&mut self, message: &str) -> Option<Taken> {
        let told = self.queue.delivered(message);
        told.or_else(|| {
            let number = Some(self.fetched.take(message)?);
            Some(Taken { number })
        })
    }

    /// The client has fetched a message, which waits until it says that it has it.
    pub(super) fn fetched(&mut self, id: String, number: u64) {
        self.fetched.add(id, number);
    }

    /// The client has answered this transaction.
    pub(super) fn answered(&mut self, transaction: &str) -> Option<Taken> {
        self.queue.answered(transaction)
    }

    /// What is worth nothing later may have been lost.
    pub(super) fn miss(&mut self) {
        self.missed = true;
    }

    /// Whether that was so. It is made good now.
    pub(super) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// Forgets what has a number and was not told: it comes again.
    pub(super) fn forget_news(&mut self) {
        self.queue.forget_news();
    }

    /// The channel by which the client is woken has come, or gone.
    pub(super) fn set_channel(&mut self, channel: bool) {
        self.channel = channel;
        if channel {
            self.alarm.reset();
        }
    }

    /// Whether that channel stands, if it should.
    pub(super) fn stands(&self, record: &Record) -> Option<bool> {
        record.is_woken_by(Method::Tcp).then_some(self.channel)
    }

    /// Whether there is a way to wake the client.
    pub(super) fn can_wake(&self, record: &Record) -> bool {
        self.channel || record.is_woken_by(Method::Udp) && record.udp_port.is_some()
    }

    /// Whether the client is woken now.
    pub(super) fn rings(&mut self, record: &Record, now: Time) -> bool {
        if self.queue.is_waiting(now) {
            return self.can_wake(record) && self.alarm.ring(now);
        }
        if !self.queue.has_any() {
            self.alarm.reset();
        }
        false
    }

    /// When it may be time to wake the client.
    pub(super) fn due(&self, record: &Record) -> Option<Time> {
        let due = self.alarm.due().or_else(|| self.queue.due());
        due.filter(|_| self.can_wake(record) && self.queue.has_any())
    }
}
