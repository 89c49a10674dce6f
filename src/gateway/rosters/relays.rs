//! Requests that named contact lists, and went on with those on them.

use std::collections::BTreeMap;

use super::order::Order;
use crate::element::{Outcome, RequestId};
use crate::gateway::shared::{Shared, verdict};
use crate::imps::primitive::Primitive;

/// Those whose answers are awaited, by token.
#[derive(Debug, Default)]
pub(super) struct Relays {
    of: BTreeMap<u64, Relayed>,
}

/// One of them.
#[derive(Debug)]
struct Relayed {
    to: Option<RequestId>,
    /// The message, if it is one.
    message: Option<String>,
}

impl Relays {
    /// A request goes on as this one.
    pub(super) fn send(&mut self, order: &Order, request: Primitive, shared: &mut Shared) {
        let token = shared.number();
        let message = match &request {
            Primitive::SendMessageRequest(request) => {
                Some(request.info.message_id.clone().unwrap_or_default())
            }
            _ => None,
        };
        let relayed = Relayed {
            to: order.to,
            message,
        };
        self.of.insert(token, relayed);
        shared.request(token, request, order.expires);
    }

    /// Whether the token is of one of them.
    pub(super) fn has(&self, token: u64) -> bool {
        self.of.contains_key(&token)
    }

    /// The answer is that to the request that named lists. A message ends with it.
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
            shared.outcome(&message, outcome);
        }
        if let Some(to) = relayed.to {
            shared.respond(to, answer);
        }
    }

    /// Messages among them.
    pub(super) fn messages(&self) -> usize {
        let all = self.of.values();
        all.filter(|relayed| relayed.message.is_some()).count()
    }
}
