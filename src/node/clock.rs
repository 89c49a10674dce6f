//! The one place that asks for the time and for chance.
#![expect(
    clippy::disallowed_methods,
    reason = "everybody else gets time and chance handed in"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::sap::{Random, Time};

/// The node's clock: wall time at start, then steady. A jump of the wall clock
/// while the node runs moves no deadline.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall: u64,
    steady: Instant,
}

impl Clock {
    /// Reads the wall clock once.
    pub fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            steady: Instant::now(),
        }
    }

    /// Milliseconds since the epoch.
    pub fn now(&self) -> Time {
        Time(
            self.wall.saturating_add(
                u64::try_from(self.steady.elapsed().as_millis()).unwrap_or(u64::MAX),
            ),
        )
    }

    /// The moment of a time, for sleeping.
    pub fn instant(&self, time: Time) -> tokio::time::Instant {
        let after = std::time::Duration::from_millis(time.0.saturating_sub(self.wall));
        (self.steady + after).into()
    }

    /// The wall clock now, for certificates.
    pub fn wall() -> SystemTime {
        SystemTime::now()
    }
}

/// The operating system's random source. Without one nothing may be signed or
/// named, so the process ends.
pub fn random() -> Random {
    Random::new(|bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!("the operating system gives no random bytes: {error}");
            std::process::abort();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_wrong_or_jumps_moves_no_deadline() {
        // The wall clock is read at the start only. Whatever it said then, what comes in
        // a minute comes in a steady minute.
        let steady = Instant::now();
        for wall in [0, 1_000_000_000_000, 9_000_000_000_000] {
            let clock = Clock { wall, steady };
            let before = clock.now();
            assert!(before.0 >= wall && clock.now() >= before);
            let deadline = Time(wall).plus_seconds(60);
            let expected = tokio::time::Instant::from(steady) + std::time::Duration::from_secs(60);
            assert_eq!(clock.instant(deadline), expected);
            // What is over is due at once, not before the start.
            assert_eq!(clock.instant(Time(0)), steady.into());
        }
    }
}
