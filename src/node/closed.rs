//! How an owner is while its store takes no records.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;
use crate::xmpp::link::Stanza;

/// For so long nothing is done after a failed commit, and then again until the store takes a
/// small record. Doubles with each failure that follows soon.
const CLOSED: Duration = Duration::from_millis(250);
/// It does not double beyond this.
const LONGEST_CLOSED: Duration = Duration::from_secs(2);
/// A store that fails within so long after it took records again is not well.
const SOON: Duration = Duration::from_secs(60);

/// After a failed commit the core is made anew and waits, until the store takes a record: it
/// neither acts nor takes anything new, so that a full disk is not asked with every input.
#[derive(Debug, Default)]
pub(super) struct Closed {
    pub(super) until: Option<Time>,
    pause: Duration,
    pub(super) opened: Option<Time>,
    /// What XMPP servers have said meanwhile that they have processed, by component.
    pub(super) confirmed: BTreeMap<String, u64>,
    /// What links could not write meanwhile: stanzas of before, so no more than links have queued.
    pub(super) unsent: Vec<(String, Stanza)>,
}

impl Closed {
    pub(super) fn close(&mut self, now: Time) {
        let opened = self.opened.take();
        let relapse = opened.is_some_and(|opened| now.after(opened) < SOON);
        self.pause = if relapse { self.pause * 2 } else { CLOSED };
        self.pause = self.pause.clamp(CLOSED, LONGEST_CLOSED);
        self.wait(now);
    }

    /// It does not take anything yet.
    pub(super) fn wait(&mut self, now: Time) {
        self.until = Some(now.plus(self.pause.max(CLOSED)));
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    pub(super) fn confirm(&mut self, component: String, mark: u64) {
        let newest = self.confirmed.entry(component).or_default();
        *newest = mark.max(*newest);
    }
}
