//! What waits for the link of one component, as an operator sees it.

use crate::element::Spans;

/// What waits for the link of one component, and how long others have waited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkView {
    /// Stanzas that the server has not confirmed.
    pub waiting: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Since when the oldest of them waits, milliseconds by the wall clock.
    pub oldest: Option<u64>,
    /// How long stanzas waited until the server had confirmed them, since the start.
    pub confirmed: Spans,
}
