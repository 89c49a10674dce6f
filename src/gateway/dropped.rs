//! What came in and has no counterpart, by kind.

use std::collections::BTreeMap;

/// Counts what was dropped without a word. The kinds are named in the code, so there are few.
#[derive(Debug, Default)]
pub(super) struct Dropped(BTreeMap<&'static str, u64>);

impl Dropped {
    /// One more of this kind.
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    pub(super) fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.0
    }
}
