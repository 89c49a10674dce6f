//! The time of the core, and how the wall clock stands to it.

use std::time::Duration;

use crate::imps::datetime::DateTime;

/// Milliseconds since 1970-01-01T00:00:00Z; the only time the core knows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// So many milliseconds later.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// So much later; at most the end of time.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        self.plus_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
    }

    /// So much earlier, at most the beginning of time.
    #[must_use]
    pub fn minus(self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; nothing if it is before.
    pub fn after(self, earlier: Self) -> Duration {
        Duration::from_millis(self.since(earlier))
    }

    /// Milliseconds from `earlier` to this, 0 if it is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How far the wall clock is ahead of the node's time, or behind if negative: milliseconds.
///
/// The node's time runs evenly and on over restarts; deadlines are in it. The wall clock may be
/// wrong, and be put right: dates that others see are by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew(pub i64);

impl Skew {
    /// What the wall clock shows at this time.
    pub fn wall(self, time: Time) -> Time {
        Time(time.0.saturating_add_signed(self.0))
    }

    /// The date at this time.
    pub fn date(self, time: Time) -> DateTime {
        DateTime::from_millis(self.wall(time).0)
    }
}
