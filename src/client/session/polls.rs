//! How often a client may look whether something waits.

use std::time::Duration;

use crate::element::Time;

/// Polls that a client may make at once; our choice: it is told to poll again as long as more waits.
const BURST: u32 = 40;

/// Polls that one client may still make.
#[derive(Debug)]
pub(super) struct Polls {
    left: u32,
    since: Time,
}

impl Polls {
    pub(super) fn new(now: Time) -> Self {
        Self {
            left: BURST,
            since: now,
        }
    }

    /// Whether a client may poll now; one more poll is allowed in each interval.
    pub(super) fn may(&mut self, interval: Duration, now: Time) -> bool {
        let millis = crate::element::millis::of(interval).max(1);
        let earned = now.since(self.since) / millis;
        self.since = self.since.plus_millis(earned * millis);
        let earned = u32::try_from(earned).unwrap_or(BURST);
        self.left = self.left.saturating_add(earned).min(BURST);
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    /// A poll that got something does not count.
    pub(super) fn give_back(&mut self) {
        self.left = (self.left + 1).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_one_poll_in_each_interval() {
        let interval = Duration::from_secs(30);
        let mut polls = Polls::new(Time(0));
        let allowed = (0..100).filter(|_| polls.may(interval, Time(0)));
        assert_eq!(allowed.count(), BURST as usize);
        assert!(!polls.may(interval, Time(29_999)));
        assert!(polls.may(interval, Time(30_000)));
        assert!(!polls.may(interval, Time(30_001)));
        polls.give_back();
        assert!(polls.may(interval, Time(30_001)));
    }
}
