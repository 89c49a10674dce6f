//! What must be remembered from one answer to the next request of a session.

use std::collections::VecDeque;

use crate::imps::Address;

/// Messages that groups have kept, of which a client was told; the oldest give way.
const MAX_KEPT: usize = 50;

/// What later requests of a session refer to. It is in memory alone: what was forgotten is asked
/// for again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// Ids of messages that groups have kept: a client fetches them by id alone.
    kept: VecDeque<(String, Address)>,
}

impl Memory {
    /// A client was told of messages that a group has kept.
    pub(super) fn keep(&mut self, group: &Address, ids: impl Iterator<Item = String>) {
        for id in ids {
            self.kept.retain(|(known, _)| *known != id);
            if self.kept.len() == MAX_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back((id, group.clone()));
        }
    }

    /// The group that has kept the message of this id.
    pub(super) fn group_of(&self, id: &str) -> Option<&Address> {
        let known = self.kept.iter().find(|(known, _)| known == id);
        known.map(|(_, group)| group)
    }
}
