//! Requests that named contact lists, and went on with those on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::order::Order;
use super::record::Record;
use crate::element::{Outcome, RequestId};
use crate::gateway::records::list_key;
use crate::gateway::shared::{Shared, verdict};
use crate::imps::primitive::Primitive;
use crate::store::Write;

/// Those whose answers are awaited, by token.
#[derive(Debug, Default)]
pub(super) struct Relays {
    of: BTreeMap<u64, Relayed>,
}

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Relayed {
    to: Option<RequestId>,
    /// The message, if it is one: its record goes when it is answered.
    message: Option<String>,
    /// Copies of it that were accepted: one for each recipient that it named.
    copies: usize,
}

impl Relays {
    /// Takes back one.
    pub(super) fn restore(&mut self, number: u64, relayed: Relayed) {
        self.of.insert(number, relayed);
    }

    /// A request goes on as this one, under its number. In place of a message its record says that it
    /// has.
    pub(super) fn send(
        &mut self,
        number: u64,
        order: &Order,
        request: Primitive,
        shared: &mut Shared,
    ) {
        let message = match &request {
            Primitive::SendMessageRequest(request) => {
                Some(request.info.message_id.clone().unwrap_or_default())
            }
            _ => None,
        };
        let relayed = Relayed {
            to: order.to,
            message,
            copies: order.copies(),
        };
        if relayed.message.is_some() {
            let record = Record::Relayed(relayed.clone());
            shared.write(Write::put_json(list_key(number), &record));
        }
        self.of.insert(number, relayed);
        shared.request(number, request, order.expires);
    }

    /// Whether the token is of one of them.
    pub(super) fn has(&self, token: u64) -> bool {
        self.of.contains_key(&token)
    }

    /// The answer is that to the request that named lists. All copies of a message end with it.
    pub(super) fn answered(&mut self, token: u64, answer: Primitive, shared: &mut Shared) {
        let Some(relayed) = self.of.remove(&token) else {
            return;
        };
        if let Some(message) = relayed.message {
            let code = verdict(&answer);
            let outcome = if code.is_success() {
                Outcome::Relayed
            } else {
                Outcome::Refused(code.0)
            };
            for _ in 0..relayed.copies {
                shared.outcome(&message, outcome);
            }
            shared.write(Write::delete(list_key(token)));
        }
        if let Some(to) = relayed.to {
            shared.respond(to, answer);
        }
    }

    /// Copies of messages among them.
    pub(super) fn copies(&self) -> usize {
        self.of.values().map(|relayed| relayed.copies).sum()
    }
}
