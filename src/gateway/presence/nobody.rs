//! Addresses of XMPP that turned out to be nobody's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;

/// How long it is remembered that a JID is nobody's.
const KEPT: Duration = Duration::from_secs(3_600);
/// At most so many of them.
pub(in super::super) const MAX_NOBODY: usize = 10_000;

/// Bare JIDs, until when they are remembered.
#[derive(Debug, Default)]
pub(super) struct Nobody(BTreeMap<String, Time>);

impl Nobody {
    pub(super) fn has(&self, jid: &str) -> bool {
        self.0.contains_key(jid)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Remembers one, if there is room; until when.
    pub(super) fn remember(&mut self, jid: &str, now: Time) -> Option<Time> {
        if self.0.len() >= MAX_NOBODY {
            return None;
        }
        let until = now.plus(KEPT);
        self.0.insert(jid.to_owned(), until);
        Some(until)
    }

    /// Forgets those whose time is over; when the next one's is.
    pub(super) fn forget(&mut self, now: Time) -> Option<Time> {
        self.0.retain(|_, until| *until > now);
        self.0.values().min().copied()
    }
}
