//! The table of those who watch a user: strangers fill it, so nobody may fill it alone.
//!
//! A watcher who is authorized stays. The others, about whom the user has not decided or decided
//! against, have a share for each domain; if the table is full, the one who waits longest gives
//! way, of the domain that has most of them; and each is forgotten after a while.

use super::feeds::Feeds;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::primitive::presence_admin::{
    GetWatcherListRequest, GetWatcherListResponse, Watcher as WatcherElement,
};
use crate::imps::status::{Code, Status};

use super::authorization::AttributeSet;
use super::core::{Core, Timer};
use super::profile;
use super::relation::{Shown, Watcher};
use super::settings::Authorization;
use super::user::User;

/// A domain may have one in so many places of the table without authorization; our choice.
const SHARES: usize = 4;
/// Who is not authorized within so long is forgotten: 30 days; our choice.
const UNDECIDED: Duration = Duration::from_secs(30 * 86_400);
/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// The table of those who watch a user.
pub(super) struct Watchers<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Watchers<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Lets somebody watch the user.
    pub(super) fn add(&mut self, watcher: &Address, attributes: AttributeSet) -> Result<(), Code> {
        if !self.user.may_use(self.core, profile::PRESENCE) {
            return Err(Code::UNAUTHORIZED_RECIPIENT);
        }
        let before = self.user.relations.get(watcher);
        let before = before.and_then(|relation| relation.watcher.as_ref());
        let (was_asked, seen) = before.map_or((false, false), |b| (b.asked, b.seen));
        if before.is_none() {
            self.make_room_for_watcher(watcher)?;
        }
        // What the user is asked already they are not asked again.
        let undecided = self.user.authority(self.core, watcher);
        let undecided = undecided.undecided(attributes);
        let asks = self.core.settings.default_authorization == Authorization::Ask
            && !undecided
                .without(self.user.pending(self.core, watcher))
                .is_empty();
        let until = self.now.plus(UNDECIDED);
        self.user.relate(self.core, watcher, |relation| {
            relation.watcher = Some(Watcher {
                attributes,
                asked: was_asked || asks,
                until: Some(until),
                seen,
                shown: Shown::Unsure,
            });
        });
        self.core.timers.insert(sweep(&self.user.name, until));
        if asks {
            Feeds::of(self.user, self.core, self.now).ask_clients(watcher);
        }
        Ok(())
    }

    /// Those who watch, whatever they may see; there is no history.
    pub(super) fn list(&self, request: &GetWatcherListRequest) -> GetWatcherListResponse {
        let most = request.max.map_or(usize::MAX, |most| most as usize);
        let relations = self.user.relations.iter();
        let watchers = relations
            .filter(|(_, relation)| relation.watcher.is_some())
            .take(most);
        GetWatcherListResponse {
            history: None,
            count: u32::try_from(self.user.watchers).ok(),
            status: Status::ok(),
            watchers: watchers
                .map(|(other, _)| WatcherElement {
                    user: other.clone(),
                    friendly_name: None,
                    status: Some("CURRENT_SUBSCRIBER".to_owned()),
                })
                .collect(),
        }
    }

    /// Forgets watchers whose time is over, unless they are authorized.
    pub(super) fn expire_watchers(&mut self) {
        let is_over = |watcher: &Watcher| watcher.until.is_some_and(|until| until <= self.now);
        let over: Vec<Address> = self
            .user
            .relations
            .iter()
            .filter(|(_, relation)| relation.watcher.as_ref().is_some_and(is_over))
            .map(|(other, _)| other.clone())
            .filter(|other| !self.user.shows(self.core, other))
            .collect();
        for other in over {
            self.user
                .relate(self.core, &other, |relation| relation.watcher = None);
        }
    }

    fn make_room_for_watcher(&mut self, watcher: &Address) -> Result<(), Code> {
        let most = self.core.settings.max_watchers;
        let share = (most / SHARES).max(1);
        if self.user.watchers < share {
            return Ok(());
        }
        let mut idle: BTreeMap<&str, Vec<(Option<Time>, &Address)>> = BTreeMap::new();
        for (other, relation) in &self.user.relations {
            if let Some(entry) = &relation.watcher
                && !self.user.shows(self.core, other)
            {
                let of_domain = idle.entry(other.domain()).or_default();
                of_domain.push((entry.until, other));
            }
        }
        let own = idle.get(watcher.domain()).map_or(0, Vec::len);
        if own >= share && !self.user.shows(self.core, watcher) {
            return Err(Code::UNAVAILABLE);
        }
        if self.user.watchers < most {
            return Ok(());
        }
        let of_domains = idle.into_values();
        let oldest = of_domains
            .filter_map(|domain| Some((domain.len(), Reverse(domain.into_iter().min()?))))
            .max();
        let (_, Reverse((_, oldest))) = oldest.ok_or(Code::UNAVAILABLE)?;
        let oldest = oldest.clone();
        self.user
            .relate(self.core, &oldest, |relation| relation.watcher = None);
        Ok(())
    }
}

/// When a user's watchers are looked through because the time of one is over: at the end of that
/// day. So there is no more than one entry a day and user, however often strangers come and go.
pub(super) fn sweep(user: &str, until: Time) -> (Time, Timer) {
    let day = until.0.div_ceil(DAY).saturating_mul(DAY);
    (Time(day), Timer::Watchers(user.to_owned()))
}
