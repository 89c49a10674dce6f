//! The watch over a connection: which phase it is in, and whether that has lasted too long.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::server::ServerSettings;

/// The phase of a connection and since when it lasts.
pub(crate) struct Watch {
    phase: AtomicU8,
    /// Milliseconds from `start`.
    since: AtomicU64,
    /// Until when an answer that is under way may go on, in milliseconds from `start`; 0: none is.
    held: AtomicU64,
    /// Whether bytes of an answer wait until the other side reads.
    writes: AtomicBool,
    start: Instant,
}

/// Open, and not one byte of HTTP yet.
const FRESH: u8 = 0;
/// Between an answer and the next request.
const IDLE: u8 = 1;
/// Within a request's headers.
const HEAD: u8 = 2;
/// From the end of the headers to the answer; has limits of its own.
const BUSY: u8 = 3;
/// To be closed without an answer.
const DROPPED: u8 = 4;

impl Watch {
    pub(super) fn new() -> Self {
        Watch {
            phase: AtomicU8::new(FRESH),
            since: AtomicU64::new(0),
            held: AtomicU64::new(0),
            writes: AtomicBool::new(false),
            start: Instant::now(),
        }
    }

    fn enter(&self, phase: u8) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    pub(super) fn bytes_came(&self) {
        if matches!(self.phase.load(Ordering::Relaxed), FRESH | IDLE) {
            self.enter(HEAD);
        }
    }

    /// Busy for as long as the returned guard lives, then idle.
    pub(super) fn busy(&self) -> impl Drop + use<'_> {
        struct Guard<'a>(&'a Watch);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if !self.0.is_dropped() {
                    self.0.enter(IDLE);
                }
            }
        }
        self.enter(BUSY);
        Guard(self)
    }

    pub(super) fn drop_it(&self) {
        self.phase.store(DROPPED, Ordering::Relaxed);
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == DROPPED
    }

    /// An answer is under way for so long at most; none: it has ended.
    pub(super) fn hold(&self, most: Option<Duration>) {
        let until = most.map_or(0, |most| {
            u64::try_from((self.start.elapsed() + most).as_millis()).unwrap_or(u64::MAX)
        });
        self.held.store(until, Ordering::Relaxed);
        if until == 0 && !self.is_dropped() {
            self.enter(IDLE);
        }
    }

    pub(super) fn writes(&self, writes: bool) {
        self.writes.store(writes, Ordering::Relaxed);
    }

    /// How long it takes until nothing will have been under way for so long; `None`: something is.
    pub(super) fn rests_in(&self, after: Duration) -> Option<Duration> {
        let is_idle = self.phase.load(Ordering::Relaxed) == IDLE
            && self.held.load(Ordering::Relaxed) == 0
            && !self.writes.load(Ordering::Relaxed);
        let since = self.start + Duration::from_millis(self.since.load(Ordering::Relaxed));
        is_idle.then(|| after.saturating_sub(since.elapsed()))
    }

    /// When to look again, or `None` when the phase has lasted too long. Looks at least as often
    /// as headers may take, since headers may begin at any moment of an idle time.
    pub(super) fn left(&self, limits: &ServerSettings) -> Option<Duration> {
        let held = self.held.load(Ordering::Relaxed);
        if held != 0 {
            let left = Duration::from_millis(held).checked_sub(self.start.elapsed())?;
            return (!left.is_zero()).then_some(left.min(limits.header_timeout));
        }
        let since = self.start + Duration::from_millis(self.since.load(Ordering::Relaxed));
        let limit = match self.phase.load(Ordering::Relaxed) {
            FRESH | HEAD => limits.header_timeout,
            IDLE => limits.idle_timeout,
            _ => return Some(limits.header_timeout),
        };
        let left = limit.checked_sub(since.elapsed())?;
        (!left.is_zero()).then_some(left.min(limits.header_timeout))
    }
}
