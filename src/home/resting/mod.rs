//! Users for whom nothing waits and who have no client are at rest: all that is kept of one is a
//! single record on disk, and memory has little more than the name. Who is concerned by an input is
//! read before the input is served; what comes for them meanwhile waits, in order.
//!
//! ```text
//!             for a while no client, nothing waits
//!   awake ─────────────────────────────────────────▶ at rest
//!   rows `home/user/NAME…`  ◀───────────────────────  one record `home/rest/NAME`
//!                an input, a deadline, the operator
//! ```
//!
//! A user at rest is [`AtRest`](super::at_rest::AtRest) on disk, and one of the
//! [`Sleepers`] in memory. A user who is only looked at stays in that one record; with the first change it is taken apart
//! into rows ([`Core::act`](super::core::Core::act)), so that a change costs one row. Both are one
//! commit with what caused them, so a user is never in two forms or in none.
//!
//! | file | what |
//! |---|---|
//! | `concern` | which users of ours an input concerns |
//! | `parked` | inputs that wait until users are awake |
//! | `news` | that the way to domains is back, for those at rest |
//! | `rest` | users put to rest, and woken |

mod concern;
mod news;
mod parked;
mod rest;

use std::collections::{BTreeSet, VecDeque};

use crate::element::Time;

use super::core::{Core, Timer};
use super::head::Head;
use super::sleepers::Sleepers;
use news::News;
use parked::Parked;
pub(super) use rest::Rest;

/// Users to be woken beyond whom others are put off; our choice.
const BUSY: usize = 1024;

/// Users at rest, and who is being woken for what.
#[derive(Debug, Default)]
pub(super) struct Resting {
    sleepers: Sleepers,
    parked: Parked,
    news: News,
    /// Who is to be read, each once.
    wanted: VecDeque<String>,
    asked: BTreeSet<String>,
    /// The read under way, with those who are read.
    reading: Option<(u64, Vec<String>)>,
    /// The store could not be read; it is not tried before.
    not_before: Option<Time>,
    /// Up to whom the users awake were looked at.
    hand: Option<String>,
    /// When it is looked again who may go to rest.
    next_pass: Time,
}

impl Resting {
    /// Those who are at rest, with what is in memory of each.
    pub(super) fn sleepers(&self) -> &Sleepers {
        &self.sleepers
    }

    /// The same, for whoever removes one of them.
    pub(super) fn sleepers_mut(&mut self) -> &mut Sleepers {
        &mut self.sleepers
    }

    /// Wants somebody at rest to be woken.
    pub(super) fn want(&mut self, name: &str) {
        if self.sleepers.has(name) && self.asked.insert(name.to_owned()) {
            self.wanted.push_back(name.to_owned());
        }
    }

    /// Whether somebody is being woken.
    pub(super) fn is_waking(&self, name: &str) -> bool {
        self.asked.contains(name)
    }

    /// Whether so many are to be woken that what can wait should.
    pub(super) fn is_busy(&self) -> bool {
        self.wanted.len() >= BUSY
    }

    /// Somebody is at rest, about whom this is known.
    pub(super) fn take_in(&mut self, name: &str, head: Head, core: &mut Core) {
        if let Some(at) = head.sweep {
            core.timers.insert((at, Timer::Watchers(name.to_owned())));
        }
        let found_by_default = !core.settings.found_by.is_empty();
        self.sleepers.insert(name, head, found_by_default);
    }

    /// Takes back the record of somebody at rest.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take_back(
        &mut self,
        name: &str,
        record: &[u8],
        core: &mut Core,
    ) -> Result<(), String> {
        let head = Head::read(record)?;
        self.take_in(name, head, core);
        Ok(())
    }

    /// When [`Rest::timeout`] wants to be called; `passes`: whether users are put to rest at all.
    pub(super) fn next_timeout(&self, passes: bool) -> Option<Time> {
        let pass = passes.then_some(self.next_pass);
        let reads = !self.wanted.is_empty() && self.reading.is_none();
        let read = reads.then(|| self.not_before.unwrap_or(Time(0)));
        let times = [pass, read, self.news.next()];
        times.into_iter().flatten().min()
    }
}
