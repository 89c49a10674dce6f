//! Ways to others that are lost: peers without a session, components without a link.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;

/// Those that are lost, since when.
#[derive(Debug, Default)]
pub(super) struct LostWays(BTreeMap<String, Time>);

impl LostWays {
    pub(super) fn lose(&mut self, way: &str, now: Time) {
        self.0.entry(way.to_owned()).or_insert(now);
    }

    pub(super) fn found(&mut self, way: &str) {
        self.0.remove(way);
    }

    /// Whether it has been lost for so long.
    pub(super) fn has_lost(&self, way: &str, grace: Duration, now: Time) -> bool {
        let lost = self.0.get(way);
        lost.is_some_and(|since| now >= since.plus(grace))
    }
}
