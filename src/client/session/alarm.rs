//! When a client is woken, and when again if it does not come.

use std::time::Duration;

use crate::element::Time;

/// The first pause before a client is woken again; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(300);

/// Wakes one client.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// When it was woken last, and how often since it came.
    rung: Option<(Time, u32)>,
}

impl Alarm {
    /// The client has come by itself, or can be woken anew.
    pub(super) fn reset(&mut self) {
        self.rung = None;
    }

    /// Whether the client is woken now. It is taken as woken then.
    pub(super) fn ring(&mut self, now: Time) -> bool {
        let is_time = self.due().is_none_or(|due| now >= due);
        if is_time {
            let times = self.rung.map_or(0, |(_, times)| times);
            self.rung = Some((now, times.saturating_add(1)));
        }
        is_time
    }

    /// When it is woken again; `None` if it was not woken.
    pub(super) fn due(&self) -> Option<Time> {
        let (at, times) = self.rung?;
        let pause = FIRST.saturating_mul(1 << times.saturating_sub(1).min(8));
        Some(at.plus(pause.min(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_until_the_client_comes() {
        let mut alarm = Alarm::default();
        let mut rung = Vec::new();
        for second in 0..=1000 {
            if alarm.ring(Time(second * 1000)) {
                rung.push(second);
            }
        }
        assert_eq!(rung, [0, 10, 30, 70, 150, 310, 610, 910]);
        alarm.reset();
        assert!(alarm.ring(Time(1_000_001)));
    }
}
