//! Messages that a client has fetched, until it says that it has them.

use std::collections::VecDeque;

/// As many are awaited; our choice.
const MAX: usize = 64;

/// By id, the number to acknowledge each with.
#[derive(Debug, Default)]
pub(super) struct Fetched(VecDeque<(String, u64)>);

impl Fetched {
    /// A message was fetched.
    pub(super) fn add(&mut self, id: String, number: u64) {
        self.0.push_back((id, number));
        if self.0.len() > MAX {
            self.0.pop_front();
        }
    }

    /// The client has this one.
    pub(super) fn take(&mut self, id: &str) -> Option<u64> {
        let at = self.0.iter().position(|(of, _)| of == id)?;
        Some(self.0.remove(at)?.1)
    }
}
