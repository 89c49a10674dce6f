//! The reads of all users that are under way. They are bounded in bytes together: whoever comes
//! when that is used up waits for their turn.

use std::collections::{BTreeMap, VecDeque};

/// Reads under way, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// By number: whose it is, and its bytes.
    under_way: BTreeMap<u64, (String, usize)>,
    bytes: usize,
    waiting: VecDeque<String>,
}

impl Reads {
    /// Whether one more may begin. One may in any case.
    pub(super) fn may_begin(&self, most: usize) -> bool {
        self.bytes < most
    }

    /// A read has begun.
    pub(super) fn begin(&mut self, number: u64, user: &str, bytes: usize) {
        // Something of no bytes is under way too.
        let bytes = bytes.max(1);
        self.under_way.insert(number, (user.to_owned(), bytes));
        self.bytes += bytes;
    }

    /// A read has ended: whose it was. `None` if it was begun before a new start from the disk.
    pub(super) fn end(&mut self, number: u64) -> Option<String> {
        let (user, bytes) = self.under_way.remove(&number)?;
        self.bytes -= bytes;
        Some(user)
    }

    /// A user waits for their turn.
    pub(super) fn wait(&mut self, user: &str) {
        if !self.waiting.iter().any(|other| other == user) {
            self.waiting.push_back(user.to_owned());
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<String> {
        self.waiting.pop_front()
    }
}
