//! When something is due in the Transaction Table.

use super::deadlines::Deadlines;

/// What a deadline is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A request should have been answered.
    Answer(u64),
    /// A request is given up.
    GiveUp(u64),
    /// An answered request may be forgotten.
    Forget(u64),
}

/// The deadlines of the SAP.
pub(super) type Timers = Deadlines<Timer>;
