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
    /// So much later, in whole milliseconds; at most the end of time.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        self.plus_millis(millis::of(wait))
    }

    /// So many milliseconds later, where a number of them is what was read or counted.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// So many seconds later, where a primitive says so.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// So much earlier, at most the beginning of time.
    #[must_use]
    pub fn minus(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(millis::of(wait)))
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

/// Whole seconds of a span, as primitives carry them; a longer one than they can is the longest.
pub fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

/// How long something is to be valid for which a primitive gives so many seconds: `longest` at
/// most, and if it says nothing, or 0.
pub fn validity(seconds: Option<u64>, longest: Duration) -> Duration {
    let seconds = seconds.filter(|seconds| *seconds > 0);
    seconds.map_or(longest, |seconds| Duration::from_secs(seconds).min(longest))
}

/// A span as a number of milliseconds: so it stands in records, and before an operator.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// The whole milliseconds of a span.
    pub fn of(span: Duration) -> u64 {
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes a span as a number of milliseconds.
    pub fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(of(*span))
    }

    /// Reads a number of milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
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
