//! Looking through the users of a shard, some at a time, so that nobody waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::element::{RequestId, Time};
use crate::home::core::Core;
use crate::home::resting::Resting;
use crate::home::user::User;
use crate::imps::address::Address;
use crate::imps::common::User as UserElement;
use crate::imps::primitive::common::SearchResult;
use crate::imps::status::{Code, Status};

use super::criteria::UserCriterion;
use super::findable::Findable;
use super::{MAX_HITS, TIMED_OUT, TOO_MANY_HITS, found};

/// Users looked at in one go. Our choice: a millisecond or two.
const SLICE: usize = 2_000;
/// Users at rest who are woken in one go, to be looked at. Our choice.
const WOKEN: usize = 64;
/// Searches that go on at once in one shard; more are refused with 503. Our choice.
const MAX_SCANS: usize = 64;
/// One is given up after so long.
const LASTS: Duration = Duration::from_secs(8);

/// Searches of users that are under way, in turns.
#[derive(Debug, Default)]
pub(super) struct Scans {
    waiting: VecDeque<Scan>,
}

#[derive(Debug)]
struct Scan {
    /// To answer with; none: nobody waits for an answer.
    to: Option<RequestId>,
    asker: Address,
    criteria: Vec<UserCriterion>,
    /// The last user who was looked at.
    last: Option<String>,
    /// Users at rest up to this one have been woken to be looked at.
    woken: Option<String>,
    /// They are being woken.
    waits: bool,
    found: Vec<UserElement>,
    until: Time,
}

impl Scans {
    /// Begins to look, and answers at once if that does not take long.
    pub(super) fn begin(
        &mut self,
        users: &BTreeMap<String, Box<User>>,
        resting: &mut Resting,
        core: &mut Core,
        (to, asker): (Option<RequestId>, Address),
        criteria: Vec<UserCriterion>,
        now: Time,
    ) {
        if self.waiting.len() >= MAX_SCANS {
            let status = Status::new(Code::UNAVAILABLE).because("Too many are searching.");
            return core.respond(to, status);
        }
        let scan = Scan {
            to,
            asker,
            criteria,
            last: None,
            woken: None,
            waits: false,
            found: Vec::new(),
            until: now.plus(LASTS),
        };
        self.step(scan, (users, resting), core, now);
    }

    /// Whether there is more to look at.
    pub(super) fn are_under_way(&self) -> bool {
        self.waiting.iter().any(|scan| !scan.waits)
    }

    /// Users who were at rest are awake.
    pub(super) fn resume(&mut self) {
        for scan in &mut self.waiting {
            scan.waits = false;
        }
    }

    /// Goes on with one of them.
    pub(super) fn go_on(
        &mut self,
        users: &BTreeMap<String, Box<User>>,
        resting: &mut Resting,
        core: &mut Core,
        now: Time,
    ) {
        let next = self.waiting.iter().position(|scan| !scan.waits);
        if let Some(scan) = next.and_then(|next| self.waiting.remove(next)) {
            self.step(scan, (users, resting), core, now);
        }
    }

    fn step(
        &mut self,
        mut scan: Scan,
        (users, resting): (&BTreeMap<String, Box<User>>, &mut Resting),
        core: &mut Core,
        now: Time,
    ) {
        let outcome = if scan.until <= now {
            Some(Err(TIMED_OUT))
        } else {
            scan.look(users, resting, core)
        };
        match outcome {
            None => self.waiting.push_back(scan),
            Some(Ok(())) => {
                let result = SearchResult {
                    users: Some(scan.found),
                    groups: None,
                };
                core.respond(scan.to, found(result));
            }
            Some(Err(code)) => core.respond(scan.to, Status::new(code)),
        }
    }
}

impl Scan {
    /// Looks at the next users; `None` if there are more. Those at rest who may be what is searched
    /// for are woken first.
    fn look(
        &mut self,
        users: &BTreeMap<String, Box<User>>,
        resting: &mut Resting,
        core: &Core,
    ) -> Option<Result<(), Code>> {
        let last = self.last.take();
        let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut awake = users.range::<str, _>((from, Bound::Unbounded)).peekable();
        let mut sleepers = resting.sleepers().behind(last.as_deref()).peekable();
        let mut wanted: Vec<String> = Vec::new();
        for _ in 0..SLICE {
            let is_awake_next = match (awake.peek(), sleepers.peek()) {
                (Some((awake, _)), Some((sleeper, _))) => awake.as_str() < *sleeper,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let mut looked_at = None;
            if is_awake_next && let Some((name, user)) = awake.next() {
                looked_at = Some(name.clone());
                if wanted.is_empty()
                    && let Some(user) = Findable::of(user, core)
                    && self.criteria.iter().all(|one| one.fits(&user, &self.asker))
                {
                    if self.found.len() >= MAX_HITS {
                        return Some(Err(TOO_MANY_HITS));
                    }
                    self.found.push(user.element());
                }
            } else if let Some((name, sleeper)) = sleepers.next() {
                looked_at = Some(name.to_owned());
                // Who sleeps on, and is not being woken, cannot be read.
                let is_new = self.woken.as_deref().is_none_or(|woken| woken < name);
                let address = (name, core.domain());
                let mut criteria = self.criteria.iter();
                if (is_new || resting.is_waking(name))
                    && criteria.all(|one| one.may_fit(address, sleeper))
                {
                    wanted.push(name.to_owned());
                }
            }
            if wanted.is_empty() {
                self.last = looked_at;
            } else if wanted.len() >= WOKEN {
                break;
            }
        }
        let is_over = awake.peek().is_none() && sleepers.peek().is_none();
        if wanted.is_empty() {
            return is_over.then_some(Ok(()));
        }
        drop((awake, sleepers));
        self.last = self.last.take().or(last);
        self.woken = wanted.last().cloned().max(self.woken.take());
        self.waits = true;
        for name in &wanted {
            resting.want(name);
        }
        None
    }
}
