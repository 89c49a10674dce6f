//! What comes of the contact with a peer, for the association that has it.

use std::collections::VecDeque;

use crate::sap::association::event::Event;
use crate::sap::association::outbox::Item;

/// What comes of the contact with a peer.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Something for the owner of the association.
    Report(Event),
    /// Something for the queue.
    Enqueue(Item),
    /// There is a new session: what failed before says nothing any more.
    Anew,
    /// What failed before does not keep anything waiting any more.
    Forgive,
    /// What waits may go on.
    GoOn,
}

/// What has come of a contact and was not heeded yet, in order.
#[derive(Debug, Default)]
pub(super) struct Outcomes(VecDeque<Outcome>);

impl Outcomes {
    pub(super) fn next(&mut self) -> Option<Outcome> {
        self.0.pop_front()
    }

    pub(super) fn push(&mut self, outcome: Outcome) {
        self.0.push_back(outcome);
    }

    pub(super) fn report(&mut self, event: Event) {
        self.push(Outcome::Report(event));
    }

    pub(super) fn go_on(&mut self) {
        self.push(Outcome::GoOn);
    }
}
