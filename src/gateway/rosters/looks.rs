//! Rosters that are to be read anew, because other lists name contact lists.

use std::collections::{BTreeSet, VecDeque};

/// Rosters that are read at the same time; our choice.
const MAX_LOOKS: usize = 16;

/// Users whose rosters are to be read, as bare JIDs: each once, however often that is said.
#[derive(Debug, Default)]
pub(super) struct Looks {
    line: VecDeque<String>,
    waiting: BTreeSet<String>,
    under_way: BTreeSet<u64>,
}

impl Looks {
    /// The roster of a user is to be read.
    pub(super) fn want(&mut self, user: &str) {
        if self.waiting.insert(user.to_owned()) {
            self.line.push_back(user.to_owned());
        }
    }

    /// The next one, if there is room.
    pub(super) fn next(&mut self) -> Option<String> {
        if self.under_way.len() >= MAX_LOOKS {
            return None;
        }
        let user = self.line.pop_front()?;
        self.waiting.remove(&user);
        Some(user)
    }

    /// One is read under this number.
    pub(super) fn begin(&mut self, number: u64) {
        self.under_way.insert(number);
    }

    /// One has been read, or cannot be.
    pub(super) fn end(&mut self, number: u64) {
        self.under_way.remove(&number);
    }
}
