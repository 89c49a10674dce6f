//! Components as which another process is connected too, as links notice it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::element::Time;

/// For so long it is told after it was seen; our choice: ten pings of an idle link.
const TOLD: Duration = Duration::from_secs(600);

/// When it was seen last, by component.
#[derive(Debug, Default)]
pub struct Twins(BTreeMap<String, Time>);

impl Twins {
    /// Another process is connected as this component.
    pub fn see(&mut self, component: String, now: Time) {
        self.0.insert(component, now);
    }

    /// The components of which that was seen lately.
    pub fn lately(&self, now: Time) -> BTreeSet<String> {
        let seen = self.0.iter().filter(|(_, seen)| now.after(**seen) < TOLD);
        seen.map(|(component, _)| component.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_for_a_while() {
        let mut twins = Twins::default();
        let seen = Time(5_000);
        twins.see("a.test".to_owned(), seen);
        let just = |twins: &Twins, at: Time| twins.lately(at).len();
        assert_eq!(just(&twins, seen), 1);
        let last = Duration::from_millis(599_999);
        assert_eq!(just(&twins, seen.plus(last)), 1);
        assert_eq!(just(&twins, seen.plus(TOLD)), 0);
        twins.see("a.test".to_owned(), seen.plus(TOLD));
        assert_eq!(just(&twins, seen.plus(TOLD)), 1);
    }
}
