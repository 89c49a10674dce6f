//! What a node takes that is about to stop, or whose store has hardly any room.

use crate::imps::primitive::{self, Name, Routing};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

/// Whether peers' requests are taken at all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Admission {
    /// The node is about to stop: nothing new is taken. Answers are.
    pub(super) closing: bool,
    /// The store has hardly any room: requests are refused, what is under way goes on.
    pub(super) crowded: bool,
}

impl Admission {
    /// Whether a message would bring something new to a node about to stop.
    pub(super) fn is_too_late(self, transactions: &[Transaction]) -> bool {
        let ends = |t: &Transaction| t.name == Name::LogoutRequest || t.name == Name::Disconnect;
        let new = |t: &Transaction| t.mode == Mode::Request && !ends(t);
        self.closing && transactions.iter().any(new)
    }

    /// Whether a message would bring something to keep to a node without room for it.
    pub(super) fn is_too_much(self, transactions: &[Transaction]) -> bool {
        let keeps = |t: &Transaction| {
            let hop = |facts: &primitive::Facts| facts.routing == Routing::Hop;
            t.mode == Mode::Request && !t.name.facts().is_some_and(hop)
        };
        self.crowded && transactions.iter().any(keeps)
    }
}
