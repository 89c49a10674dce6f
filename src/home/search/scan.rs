//! Looking through the users of a shard, some at a time, so that nobody waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::element::{RequestId, Time};
use crate::home::core::Core;
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
/// Searches that go on at once in one shard; more are refused with 503. Our choice.
const MAX_SCANS: usize = 64;
/// Seconds after which one is given up.
const LASTS: u64 = 8;

/// Searches of users that are under way, in turns.
#[derive(Debug, Default)]
pub(super) struct Scans {
    waiting: VecDeque<Scan>,
}

#[derive(Debug)]
struct Scan {
    /// To answer with.
    to: Option<RequestId>,
    asker: Address,
    criteria: Vec<UserCriterion>,
    /// The last user who was looked at.
    last: Option<String>,
    found: Vec<UserElement>,
    until: Time,
}

impl Scans {
    /// Begins to look, and answers at once if that does not take long.
    pub(super) fn begin(
        &mut self,
        users: &BTreeMap<String, User>,
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
            found: Vec::new(),
            until: now.plus_seconds(LASTS),
        };
        self.step(scan, users, core, now);
    }

    /// Whether there is more to look at.
    pub(super) fn are_under_way(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Goes on with one of them.
    pub(super) fn go_on(&mut self, users: &BTreeMap<String, User>, core: &mut Core, now: Time) {
        if let Some(scan) = self.waiting.pop_front() {
            self.step(scan, users, core, now);
        }
    }

    fn step(&mut self, mut scan: Scan, users: &BTreeMap<String, User>, core: &mut Core, now: Time) {
        let outcome = if scan.until <= now {
            Some(Err(TIMED_OUT))
        } else {
            scan.look(users, core)
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
    /// Looks at the next users; `None` if there are more.
    fn look(&mut self, users: &BTreeMap<String, User>, core: &Core) -> Option<Result<(), Code>> {
        let from = match self.last.take() {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let mut rest = users.range::<String, _>((from, Bound::Unbounded));
        for (name, user) in rest.by_ref().take(SLICE) {
            if let Some(user) = Findable::of(user, core)
                && self.criteria.iter().all(|one| one.fits(&user, &self.asker))
            {
                if self.found.len() >= MAX_HITS {
                    return Some(Err(TOO_MANY_HITS));
                }
                self.found.push(user.element());
            }
            self.last = Some(name.clone());
        }
        rest.next().is_none().then_some(Ok(()))
    }
}
