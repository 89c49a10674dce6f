//! The messages that a user has sent: what a client sends again under its id, because it did not
//! hear the answer, goes out once. It is known by id and recipient from the moment it is sent, and
//! after a success as long as its recipient would know it; a refused one may be sent again.

use std::collections::{BTreeMap, HashMap};

use crate::element::{Time, Token};
use crate::ssp::address::Address;
use crate::ssp::status::{Code, Status};

use super::client::{ClientKey, Event};
use super::core::Core;
use super::records;
use super::user::User;

/// A message that was taken by its recipient's side; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) to: Address,
    /// The answer, 200 to 299.
    pub(super) status: u16,
    /// When its validity is over.
    pub(super) until: Time,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request with this token waits for its answer.
    Waiting(Token),
    /// Taken; under this number in the memory.
    Taken(u64),
}

/// What is remembered of a user's own messages.
#[derive(Debug, Default)]
pub(super) struct Sent {
    known: HashMap<(String, Address), State>,
    /// In the order in which they were taken.
    taken: BTreeMap<u64, Taken>,
}

impl Sent {
    /// A message waits for its answer.
    pub(super) fn wait(&mut self, id: &str, to: &Address, token: Token) {
        let key = (id.to_owned(), to.clone());
        self.known.insert(key, State::Waiting(token));
    }

    /// Puts a taken message at its number.
    pub(super) fn insert(&mut self, number: u64, taken: Taken) {
        let key = (taken.id.clone(), taken.to.clone());
        self.known.insert(key, State::Taken(number));
        self.taken.insert(number, taken);
    }

    fn next_number(&self) -> u64 {
        let last = self.taken.last_key_value();
        last.map_or(0, |(number, _)| number + 1)
    }

    /// Forgets the message taken longest ago, if its validity is over or there are more than
    /// `most`.
    fn forget_oldest(&mut self, most: usize, now: Time) -> Option<u64> {
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

    /// The numbers of all messages that were taken.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.taken.keys().copied()
    }
}

impl User {
    /// Whether a message has been sent before. Then the client hears what became of it, now or
    /// when that is known.
    pub(super) fn is_repetition(
        &self,
        core: &mut Core,
        client: ClientKey,
        id: &str,
        to: &Address,
    ) -> bool {
        let sent = &self.sent;
        match sent.known.get(&(id.to_owned(), to.clone())) {
            Some(State::Waiting(token)) => match core.requests.get_mut(token) {
                Some(pending) => {
                    pending.client = Some(client);
                    true
                }
                None => false,
            },
            Some(State::Taken(number)) => match sent.taken.get(number) {
                Some(taken) => {
                    let status = Status::new(Code(taken.status));
                    core.tell(client, Event::sent(id.to_owned(), to.clone(), &status));
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// A message was answered: by a success it is remembered, by anything else forgotten.
    pub(super) fn remember_sent(
        &mut self,
        core: &mut Core,
        id: &str,
        to: &Address,
        verdict: Code,
        now: Time,
    ) {
        self.sent.known.remove(&(id.to_owned(), to.clone()));
        if !verdict.is_success() {
            return;
        }
        let taken = Taken {
            id: id.to_owned(),
            to: to.clone(),
            status: verdict.0,
            until: now.plus_seconds(core.settings.offline_validity),
        };
        let number = self.sent.next_number();
        core.act(records::put_sent(&self.name, number, &taken));
        self.sent.insert(number, taken);
        let most = core.settings.max_remembered;
        while let Some(number) = self.sent.forget_oldest(most, now) {
            core.act(records::delete_sent(&self.name, number));
        }
    }
}
