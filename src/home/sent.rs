//! The messages that a user has sent: what a client sends again under its id, because it did not
//! hear the answer, goes out once. It is known by id and recipients from the moment it is sent, and
//! after a success as long as its recipient would know it; a refused one may be sent again.

use std::collections::{BTreeMap, HashMap};

use super::addresses::Addresses;
use crate::element::{Time, Token};

/// A message that was taken by its recipient's side; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) to: Addresses,
    /// The answer, 200 to 299.
    pub(super) status: u16,
    /// When its validity is over.
    pub(super) until: Time,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The request with this token waits for its answer.
    Waiting(Token),
    /// Taken; under this number in the memory.
    Taken(u64),
}

/// What is remembered of a user's own messages.
#[derive(Debug, Default)]
pub(super) struct Sent {
    known: HashMap<(String, Addresses), State>,
    /// In the order in which they were taken.
    taken: BTreeMap<u64, Taken>,
}

impl Sent {
    /// A message waits for its answer.
    pub(super) fn wait(&mut self, id: &str, to: &Addresses, token: Token) {
        let key = (id.to_owned(), to.clone());
        self.known.insert(key, State::Waiting(token));
    }

    /// Puts a taken message at its number.
    pub(super) fn insert(&mut self, number: u64, taken: Taken) {
        let key = (taken.id.clone(), taken.to.clone());
        self.known.insert(key, State::Taken(number));
        self.taken.insert(number, taken);
    }

    /// What became of a message.
    pub(super) fn state(&self, id: &str, to: &Addresses) -> Option<State> {
        self.known.get(&(id.to_owned(), to.clone())).copied()
    }

    /// The message with this number, if it was taken.
    pub(super) fn taken(&self, number: u64) -> Option<&Taken> {
        self.taken.get(&number)
    }

    /// Forgets what became of a message.
    pub(super) fn forget(&mut self, id: &str, to: &Addresses) {
        self.known.remove(&(id.to_owned(), to.clone()));
    }

    /// The number of the next message that is taken.
    pub(super) fn next_number(&self) -> u64 {
        let last = self.taken.last_key_value();
        last.map_or(0, |(number, _)| number + 1)
    }

    /// Forgets the message taken longest ago, if its validity is over or there are more than
    /// `most`.
    pub(super) fn forget_oldest(&mut self, most: usize, now: Time) -> Option<u64> {
        let oldest = self.taken.first_entry()?;
        if oldest.get().until > now && self.taken.len() <= most {
            return None;
        }
        let (number, taken) = self.taken.pop_first()?;
        let key = (taken.id, taken.to);
        if self.known.get(&key) == Some(&State::Taken(number)) {
            self.known.remove(&key);
        }
        Some(number)
    }

    /// All messages that were taken, in that order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Taken)> {
        self.taken.iter().map(|(number, taken)| (*number, taken))
    }

    /// The numbers of all messages that were taken.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.taken.keys().copied()
    }
}
