//! Posts that fail: is it the peer, or what the post held?
//!
//! A peer that is away refuses everything; a message that a peer can't digest is refused
//! while others pass. So what failed is tried apart, the least tried first, and only an item
//! that fails again after others have passed is blamed: it waits alone, its conversation
//! behind it, and ends after [`REFUSALS`] such failures.

use std::time::Duration;

use super::{Item, Outbox};
use crate::element::Time;
use crate::store::Write;

/// No retry of a post waits longer; our choice.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// And none comes sooner, whatever the dialect or the peer says.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Unless the peer has asked for it, and then no longer than this; our choice.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);
/// An item that was refused so often while others passed has ended; our choice.
pub const REFUSALS: u32 = 8;
/// A sign of life ends a wait not sooner than so long after each failure in a row, so that a
/// peer that can be heard but not reached is not asked with every word of it.
const LIFE_STEP: Duration = Duration::from_secs(1);
const LIFE_STEPS: u32 = 10;

/// Why a post failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The peer was not reached, so it is not for what the post held.
    Away,
    /// Reached, and no answer in time.
    Silent,
    /// Closed without an answer.
    Closed,
    /// Any status that is no refusal of the form.
    Refused,
    /// 503, perhaps with a time after which to come again.
    Busy(Option<Duration>),
}

impl Why {
    /// It may be for what the post held.
    fn is_suspicious(self) -> bool {
        !matches!(self, Self::Away | Self::Busy(Some(_)))
    }

    /// The peer has said of this post that it doesn't take it.
    fn is_refusal(self) -> bool {
        matches!(self, Self::Closed | Self::Refused)
    }
}

/// How long to wait after a failure.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Added with each failure in a row.
    pub step: Duration,
    /// Something between 0 and 255, so that not all come at once: up to a quarter of a step more.
    pub jitter: u8,
}

impl Pace {
    fn wait(self, times: u32, asked: Option<Duration>) -> Duration {
        let usual = self.step.saturating_mul(times).min(LONGEST_WAIT);
        let shortest = SHORTEST_WAIT.saturating_mul(times).min(LONGEST_WAIT);
        let wait = asked.map_or(usual, |asked| asked.min(LONGEST_ASKED));
        let wait = wait.max(shortest);
        wait + wait.min(self.step) / 4 * u32::from(self.jitter) / 255
    }
}

/// What a failed post means.
#[derive(Debug, PartialEq, Eq)]
pub enum Setback {
    /// The peer gets nothing for so long.
    Peer(Duration),
    /// It belongs to an outage that was counted already.
    Known,
    /// Others pass: this item waits alone, for so long.
    Item {
        /// Its transaction id.
        id: String,
        /// How long it waits.
        wait: Duration,
    },
    /// It was refused too often while others passed, and has left the queue.
    Ended(Box<Item>),
}

/// An item that was in a post that failed.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    fails: u32,
    /// Posts that had passed by then.
    passes: u64,
    /// Failures after which others have passed.
    blamed: u32,
    refusals: u32,
}

/// How the peer does.
#[derive(Debug, Default)]
pub struct Health {
    /// Outages in a row: posts that failed and were not under way already when another did.
    failures: u32,
    /// Of which the last one at.
    failed_at: Time,
    /// No post before, except perhaps one.
    not_before: Time,
    /// The peer asked for it, or answers: a sign of life says nothing new.
    steadfast: bool,
    /// What is posted next is posted alone, because any item may be the cause.
    careful: bool,
    /// One item that did not fail more often than this may be tried although the peer is to be
    /// left alone: a batch that failed says little of each of its items.
    may_probe: Option<u32>,
    /// Posts that passed.
    passes: u64,
}

impl Health {
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Nothing is posted before; in the past if the peer does well.
    pub fn not_before(&self) -> Time {
        self.not_before
    }

    /// The peer does well again, as far as one knows.
    pub fn forgive(&mut self) {
        *self = Self {
            passes: self.passes,
            ..Self::default()
        };
    }

    /// Nothing is posted before `at`, without anybody's fault.
    pub fn pause(&mut self, at: Time) {
        self.not_before = self.not_before.max(at);
        self.may_probe = None;
    }

    /// The peer was heard. Whether posts are to start earlier now.
    pub fn heard(&mut self, now: Time) -> bool {
        if self.failures == 0 || self.steadfast || self.not_before <= now {
            return false;
        }
        let steps = self.failures.min(LIFE_STEPS) - 1;
        let earliest = self.failed_at.plus(LIFE_STEP * steps).max(now);
        let earlier = earliest < self.not_before;
        self.not_before = self.not_before.min(earliest);
        earlier
    }

    pub(super) fn passed(&mut self) {
        self.passes += 1;
        self.forgive();
    }

    /// What a choice may hold now: see [`Outbox::next_post`].
    pub(super) fn caution(&self, now: Time) -> Caution {
        if now < self.not_before {
            return self.may_probe.map_or(Caution::Wait, Caution::Probe);
        }
        if self.careful {
            return Caution::LeastTried;
        }
        Caution::None
    }
}

impl Outbox {
    /// The items of a post are posted alone from now on.
    pub(super) fn apart(&mut self, items: &[u64]) {
        for number in items {
            let suspect = self.suspects.entry(*number).or_default();
            suspect.fails += 1;
            suspect.passes = self.health.passes;
        }
    }

    pub(super) fn fails(&self, number: u64) -> u32 {
        self.suspects.get(&number).map_or(0, |item| item.fails)
    }

    /// A post failed for a reason that may pass. Its items stay, except those that nobody
    /// waits for, and one that has failed too often while others passed.
    pub fn failed(&mut self, post: u64, why: Why, pace: Pace, now: Time) -> (Setback, Vec<Write>) {
        let flight = self.flying.remove(&post).unwrap_or_default();
        let items = flight.items;
        let unwanted = |n: &u64| self.forsaken.contains(n);
        let forsaken: Vec<u64> = items.iter().copied().filter(unwanted).collect();
        let mut writes = self.take(&forsaken).1;
        if let [number] = items.as_slice()
            && let Some(setback) = self.blame(*number, why, pace, now, &mut writes)
        {
            return (setback, writes);
        }
        let passes = self.health.passes;
        let is_batch = items.len() > 1;
        for number in items.into_iter().filter(|n| self.items.contains_key(n)) {
            let suspect = self.suspects.entry(number).or_default();
            suspect.fails += u32::from(why.is_suspicious());
            suspect.passes = passes;
        }
        let health = &mut self.health;
        health.careful |= why.is_suspicious();
        if flight.probe || flight.outage != health.failures {
            health.may_probe = health.may_probe.filter(|_| !flight.probe);
            return (Setback::Known, writes);
        }
        health.failures = health.failures.saturating_add(1);
        health.failed_at = now;
        health.steadfast = matches!(why, Why::Refused | Why::Busy(_));
        health.may_probe = why.is_suspicious().then_some(u32::from(is_batch));
        let asked = match why {
            Why::Busy(asked) => asked,
            _ => None,
        };
        let wait = pace.wait(health.failures, asked);
        health.not_before = health.not_before.max(now.plus(wait));
        (Setback::Peer(wait), writes)
    }

    /// An item failed alone: it is its own fault if others have passed since it did before.
    fn blame(
        &mut self,
        number: u64,
        why: Why,
        pace: Pace,
        now: Time,
        writes: &mut Vec<Write>,
    ) -> Option<Setback> {
        let passes = self.health.passes;
        let suspect = self.suspects.get_mut(&number)?;
        if suspect.passes >= passes || why == Why::Away {
            return None;
        }
        suspect.passes = passes;
        suspect.fails += 1;
        suspect.blamed += 1;
        suspect.refusals += u32::from(why.is_refusal());
        if suspect.refusals >= REFUSALS {
            let (mut items, mut gone) = self.take(&[number]);
            writes.append(&mut gone);
            return items.pop().map(|item| Setback::Ended(Box::new(item)));
        }
        let asked = match why {
            Why::Busy(asked) => asked,
            _ => None,
        };
        let wait = pace.wait(suspect.blamed, asked);
        self.delay(number, now.plus(wait));
        let id = self.items.get(&number)?.item.id.to_string();
        Some(Setback::Item { id, wait })
    }
}

/// How a post is to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caution {
    /// As many items as fit.
    None,
    /// One item alone, the least tried one.
    LeastTried,
    /// One item alone, and only if it did not fail more often than this.
    Probe(u32),
    /// Nothing is posted now.
    Wait,
}
