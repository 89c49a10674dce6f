//! Inputs that wait until all users they concern are awake. What concerns a user waits behind what
//! came for that user before, so that nothing overtakes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::element::Input;
use crate::home::client::{self, ClientKey};

use super::concern;

/// Inputs that wait at once, for all users together; our choice.
const MAX: usize = 4096;
/// Bytes of these; our choice.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What waits, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Parked {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// For how many inputs each user is waited for.
    users: BTreeMap<String, usize>,
    /// Clients of which something waits.
    clients: BTreeMap<ClientKey, usize>,
}

#[derive(Debug)]
struct Waiting {
    input: Input,
    /// Users that it concerns.
    users: Vec<String>,
    bytes: usize,
}

impl Parked {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether something waits that concerns a user.
    pub(super) fn concerns(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// Whether something waits already for a user, or of the client whose input this is.
    pub(super) fn is_behind(&self, input: &Input, users: &[String]) -> bool {
        let of_client = concern::client(input).is_some_and(|key| self.clients.contains_key(&key));
        of_client || users.iter().any(|user| self.concerns(user))
    }

    /// Takes an input.
    ///
    /// # Errors
    /// There is no room: it comes back.
    pub(super) fn push(&mut self, input: Input, users: Vec<String>) -> Result<(), Box<Input>> {
        let bytes = bytes(&input);
        if self.waiting.len() >= MAX || self.bytes + bytes > MAX_BYTES {
            return Err(Box::new(input));
        }
        self.bytes += bytes;
        for user in &users {
            *self.users.entry(user.clone()).or_default() += 1;
        }
        if let Some(client) = concern::client(&input) {
            *self.clients.entry(client).or_default() += 1;
        }
        self.waiting.push_back(Waiting {
            input,
            users,
            bytes,
        });
        Ok(())
    }

    /// Those of which nobody sleeps any more, in order.
    pub(super) fn ready(&mut self, sleeps: impl Fn(&str) -> bool) -> Vec<Input> {
        let (mut ready, mut rest) = (Vec::new(), VecDeque::new());
        let (mut users, mut clients) = (BTreeSet::new(), BTreeSet::new());
        for waiting in std::mem::take(&mut self.waiting) {
            let client = concern::client(&waiting.input);
            let waits = client.is_some_and(|client| clients.contains(&client))
                || waiting
                    .users
                    .iter()
                    .any(|user| users.contains(user) || sleeps(user));
            if waits {
                users.extend(waiting.users.iter().cloned());
                clients.extend(client);
                rest.push_back(waiting);
            } else {
                self.bytes -= waiting.bytes;
                for user in &waiting.users {
                    one_less(&mut self.users, user);
                }
                if let Some(client) = client {
                    one_less(&mut self.clients, &client);
                }
                ready.push(waiting.input);
            }
        }
        self.waiting = rest;
        ready
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn bytes(input: &Input) -> usize {
    use crate::element::FromClient;
    match input {
        Input::Deliver(delivered) => match &delivered.primitive {
            crate::imps::Primitive::SendMessageRequest(message) => {
                let content = message.content.as_ref();
                1024 + content.map_or(0, |content| content.bytes.len())
            }
            other => client::bytes(other),
        },
        Input::Client(_, FromClient::Request { id, primitive }) => {
            id.len() + client::bytes(primitive)
        }
        _ => 256,
    }
}
