//! The one place that asks for the time and for chance.
//!
//! The node has a time of its own, in which all its deadlines are: it runs evenly with a steady
//! clock, and after a restart it goes on where it was. The wall clock tells how long the node was
//! down, and what date it is; whether it is wrong, is put right, or the machine slept, moves no
//! deadline. How far the two are apart is the [`Skew`], which is looked at anew all the time.
#![expect(
    clippy::disallowed_methods,
    reason = "everybody else gets time and chance handed in"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::element::millis;
use crate::sap::{Random, Skew, Time};
use crate::store::Write;

/// A wall clock before this is wrong: 2024-01-01, milliseconds since 1970.
const PLAUSIBLE: u64 = 1_704_067_200_000;
/// A node that was down for longer, by the wall clock, was so by a clock that is or was wrong;
/// longer than anything is valid. Our choice.
const LONGEST_DOWN: Duration = Duration::from_secs(30 * 86_400);
/// The clocks of computers drift; what they differ by more is a jump. Our choice.
const JUMP: Duration = Duration::from_secs(5);
/// A date is never wrong by more; our choice.
const EXACT: Duration = Duration::from_millis(500);
/// Where the two clocks stood is written down no more often than this.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// Where the node's time and the wall clock stood at a moment, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What the node's time was.
    pub node: Time,
    /// The wall clock: milliseconds since 1970.
    pub wall: u64,
}

impl Kept {
    /// Key of the record.
    pub const KEY: &'static str = "node/clock";

    /// The node's time at a start, by what was kept and what the wall clock shows now.
    ///
    /// Without a record the node's time begins as the wall clock's. It never goes back. The time
    /// that the node was down counts if it can be believed; if either clock was or is wrong, it
    /// does not, because what was accepted must not expire for that.
    pub fn resumed(kept: Option<Self>, wall: u64) -> Time {
        let Some(kept) = kept else {
            return Time(wall);
        };
        let down = wall.checked_sub(kept.wall).map(Duration::from_millis);
        let right = kept.wall >= PLAUSIBLE && wall >= PLAUSIBLE;
        match down.filter(|down| right && *down <= LONGEST_DOWN) {
            Some(down) => kept.node.plus(down),
            None => kept.node,
        }
    }
}

/// The node's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The node's time when the steady clock stood there.
    node: Time,
    steady: Instant,
}

impl Clock {
    /// A clock whose time begins as the wall clock's.
    pub fn start() -> Self {
        Self::resume(None)
    }

    /// A clock that goes on where it was.
    pub fn resume(kept: Option<Kept>) -> Self {
        Self {
            node: Kept::resumed(kept, wall_millis()),
            steady: Instant::now(),
        }
    }

    /// What the node's time is now.
    pub fn now(&self) -> Time {
        self.node.plus(self.steady.elapsed())
    }

    /// The moment of a time, for sleeping.
    pub fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.steady + time.after(self.node)).into()
    }

    /// The system's steady clock (`CLOCK_MONOTONIC`), by which processes understand each other.
    pub fn monotonic() -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Duration::try_from(now).unwrap_or_default()
    }

    /// The wall clock now, for certificates.
    pub fn wall() -> SystemTime {
        SystemTime::now()
    }
}

fn wall_millis() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    millis::of(wall.unwrap_or_default())
}

/// Watches the wall clock beside the node's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    skew: Option<Skew>,
    kept: Option<Time>,
}

/// What the wall clock did since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// What it should: nothing to be told.
    Same,
    /// The first look, or it drifted: dates are by this now.
    Moved(Skew),
    /// It jumped by so many milliseconds, forward or back.
    Jumped(Skew, i64),
}

impl Watch {
    /// Looks at the real one.
    pub fn look(&mut self, now: Time) -> Seen {
        self.seen(now, wall_millis())
    }

    /// Notes what the wall clock shows at this time.
    pub fn seen(&mut self, now: Time, wall: u64) -> Seen {
        let skew = Skew(signed(wall).saturating_sub(signed(now.0)));
        let Some(before) = self.skew else {
            self.skew = Some(skew);
            return Seen::Moved(skew);
        };
        let by = skew.0.saturating_sub(before.0);
        let moved = Duration::from_millis(by.unsigned_abs());
        if moved < EXACT {
            return Seen::Same;
        }
        self.skew = Some(skew);
        // What is kept is out of date.
        self.kept = None;
        if moved < JUMP {
            Seen::Moved(skew)
        } else {
            Seen::Jumped(skew, by)
        }
    }

    /// What to write down of the two clocks, if it is time.
    pub fn take_write(&mut self, now: Time) -> Option<Write> {
        let kept = self.kept.is_some_and(|at| now.after(at) < KEEP_EVERY);
        let skew = self.skew.filter(|_| !kept)?;
        self.kept = Some(now);
        let wall = skew.wall(now).0;
        Some(Write::put_json(Kept::KEY, &Kept { node: now, wall }))
    }

    /// Whether the record is wrong until [`Watch::take_write`].
    pub fn must_write(&self) -> bool {
        self.skew.is_some() && self.kept.is_none()
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
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

    const DAY: u64 = 86_400_000;
    const HOUR: u64 = 3_600_000;
    /// 2026-11-27.
    const TODAY: u64 = 1_795_737_600_000;
    /// What clocks show whose battery is empty, or that nobody ever set.
    const WRONG: [u64; 3] = [60_000, 946_684_800_000, 4_070_908_800_000];

    fn differ(one: u64, other: u64) -> Duration {
        Duration::from_millis(one.abs_diff(other))
    }

    #[test]
    fn what_the_wall_clock_says_moves_no_deadline_in_a_run() {
        let steady = Instant::now();
        for node in [0, TODAY, 9_000_000_000_000] {
            let clock = Clock {
                node: Time(node),
                steady,
            };
            let before = clock.now();
            assert!(before.0 >= node && clock.now() >= before);
            let deadline = Time(node).plus_seconds(60);
            let expected = tokio::time::Instant::from(steady) + Duration::from_secs(60);
            assert_eq!(clock.instant(deadline), expected);
            // What is over is due at once, not before the start.
            assert_eq!(clock.instant(Time(0)), steady.into());
        }
    }

    #[test]
    fn time_goes_on_over_a_restart_and_counts_while_the_node_was_down() {
        let kept = |node, wall| {
            Some(Kept {
                node: Time(node),
                wall,
            })
        };
        assert_eq!(Kept::resumed(None, TODAY), Time(TODAY));
        let resumed = Kept::resumed(kept(TODAY, TODAY), TODAY + HOUR);
        assert_eq!(resumed, Time(TODAY + HOUR));
        // Whatever the node's time is, an hour is an hour.
        let resumed = Kept::resumed(kept(HOUR, TODAY), TODAY + HOUR);
        assert_eq!(resumed, Time(2 * HOUR));
    }

    #[test]
    fn a_clock_that_is_or_was_wrong_lets_nothing_expire_at_a_start() {
        let node = Time(TODAY);
        for wrong in WRONG {
            let was = Kept { node, wall: wrong };
            assert_eq!(Kept::resumed(Some(was), TODAY), node, "was {wrong}");
            let was = Kept { node, wall: TODAY };
            assert_eq!(Kept::resumed(Some(was), wrong), node, "is {wrong}");
        }
        // Put back by a day while the node was down.
        let was = Kept { node, wall: TODAY };
        assert_eq!(Kept::resumed(Some(was), TODAY - DAY), node);
    }

    #[test]
    fn each_way_a_clock_can_move_is_seen_and_dates_are_right_after_it() {
        // (node's time, what the wall clock shows): it starts wrong, drifts, is put right,
        // the machine sleeps for a night (the steady clock does not), it is put back.
        let script = [
            (TODAY, 60_000, true),
            (TODAY + 1_000, 61_000, false),
            (TODAY + 2_000, 62_700, false),
            (TODAY + 3_000, TODAY + 103_000, true),
            (TODAY + 4_000, TODAY + 104_000, false),
            (TODAY + 5_000, TODAY + 8 * HOUR, true),
            (TODAY + 6_000, TODAY - DAY, true),
        ];
        let (mut watch, mut skew) = (Watch::default(), Skew::default());
        for (index, (now, wall, writes)) in script.into_iter().enumerate() {
            let now = Time(now);
            let seen = watch.seen(now, wall);
            match seen {
                Seen::Same => {}
                Seen::Moved(new) | Seen::Jumped(new, _) => skew = new,
            }
            let jumps = matches!(seen, Seen::Jumped(..));
            assert_eq!(jumps, writes && index > 0, "{index} {seen:?}");
            assert!(differ(skew.wall(now).0, wall) < EXACT, "{index}");
            // Something that happened before is shown by the clock that is right now.
            let ago = Time(now.0 - 1_000);
            assert!(differ(skew.wall(ago).0, wall.saturating_sub(1_000)) < EXACT);
            // The record is right at once, whatever happens next.
            assert_eq!(watch.must_write(), jumps || index == 0 || index == 2);
            let written = watch.take_write(now);
            assert_eq!(written.is_some(), jumps || index == 0 || index == 2);
            // And if the node ends here and starts with this clock, its time goes on.
            let kept = Kept { node: now, wall };
            let later = Kept::resumed(Some(kept), wall + 1_000);
            assert!(later >= now && later <= now.plus_millis(1_000));
        }
    }
}
