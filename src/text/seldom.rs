//! Lines that others can make repeat: one per kind and while.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a kind of line is silent after it was written; our choice: a flood is one line a
/// minute, and a new trouble is seen within it.
const WHILE: Duration = Duration::from_secs(60);

/// Tells of each kind of line whether it is to be written now. Kinds are named in the code, so
/// there are few.
#[derive(Debug, Clone, Default)]
pub struct Seldom(BTreeMap<&'static str, Kind>);

#[derive(Debug, Clone, Default)]
struct Kind {
    written: u64,
    held_back: u64,
}

impl Seldom {
    /// How many lines of the kind were held back since the last one, if one is to be written at
    /// `now` (milliseconds); `None` if this one is held back.
    pub fn may(&mut self, kind: &'static str, now: u64) -> Option<u64> {
        match self.0.get_mut(kind) {
            // A clock that was put back must not make it silent for long.
            Some(known) if Duration::from_millis(now.abs_diff(known.written)) < WHILE => {
                known.held_back += 1;
                None
            }
            Some(known) => {
                known.written = now;
                Some(std::mem::take(&mut known.held_back))
            }
            None => {
                let written = Kind {
                    written: now,
                    held_back: 0,
                };
                self.0.insert(kind, written);
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds after which a line of a kind may be written again.
    const MINUTE: u64 = 60_000;

    #[test]
    fn a_kind_is_written_once_in_a_while_and_then_says_how_many_were_not() {
        let mut seldom = Seldom::default();
        let lines: Vec<_> = (0..5_000).filter_map(|n| seldom.may("bounce", n)).collect();
        assert_eq!(lines, [0]);
        assert_eq!(seldom.may("other", 10), Some(0));
        assert_eq!(seldom.may("bounce", MINUTE), Some(4_999));
        assert_eq!(seldom.may("bounce", MINUTE + 1), None);
    }

    #[test]
    fn a_clock_put_back_does_not_silence() {
        let mut seldom = Seldom::default();
        assert_eq!(seldom.may("bounce", 10 * MINUTE), Some(0));
        assert_eq!(seldom.may("bounce", 3 * MINUTE), Some(0));
    }
}
