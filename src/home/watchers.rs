//! The table of those who watch a user: strangers fill it, so nobody may fill it alone.
//!
//! A watcher who is authorized stays. The others, about whom the user has not decided or decided
//! against, have a share for each domain; if the table is full, the one who waits longest gives
//! way, of the domain that has most of them; and each is forgotten after a while.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::element::Time;
use crate::ssp::address::Address;
use crate::ssp::status::Code;

use super::Home;
use super::client::Standing;
use super::core::{Core, Timer};
use super::profile;
use super::relation::{Shown, Watcher};
use super::settings::Authorization;
use super::user::User;

/// A domain may have one in so many places of the table without authorization; our choice.
const SHARES: usize = 4;
/// Who is not authorized within so many seconds is forgotten: 30 days; our choice.
const UNDECIDED: u64 = 30 * 86_400;
/// Milliseconds of a day.
const DAY: u64 = 86_400_000;

/// When a user's watchers are looked through because the time of one is over: at the end of that
/// day. So there is no more than one entry a day and user, however often strangers come and go.
pub(super) fn sweep(user: &str, until: Time) -> (Time, Timer) {
    let day = until.0.div_ceil(DAY).saturating_mul(DAY);
    (Time(day), Timer::Watchers(user.to_owned()))
}

impl Home {
    /// Lets somebody watch a user of ours.
    pub(super) fn add_watcher(
        &mut self,
        watcher: &Address,
        publisher: &Address,
        attributes: &[String],
        now: Time,
    ) -> Result<String, Code> {
        let name = self.known_user(publisher)?;
        let core = &mut self.core;
        let user = self.users.get_mut(&name).ok_or(Code::UNKNOWN_USER)?;
        if !user.may_use(core, profile::PRESENCE) {
            return Err(Code::UNAUTHORIZED_RECIPIENT);
        }
        let before = user.relations.get(watcher).and_then(|r| r.watcher.as_ref());
        let was_asked = before.is_some_and(|before| before.asked);
        if before.is_none() {
            user.make_room_for_watcher(core, watcher)?;
        }
        let asks = user.standing(core, watcher) == Standing::Unknown
            && core.settings.default_authorization == Authorization::Ask;
        let until = now.plus_seconds(UNDECIDED);
        user.relate(core, watcher, |relation| {
            relation.watcher = Some(Watcher {
                attributes: attributes.to_vec(),
                asked: was_asked || asks,
                until: Some(until),
                shown: Shown::Unsure,
            });
        });
        core.timers.insert(sweep(&name, until));
        if asks {
            user.ask_clients(core, watcher, now);
        }
        Ok(name)
    }
}

impl User {
    /// Forgets watchers whose time is over, unless they are authorized.
    pub(super) fn expire_watchers(&mut self, core: &mut Core, now: Time) {
        let is_over = |watcher: &Watcher| watcher.until.is_some_and(|until| until <= now);
        let over: Vec<Address> = self
            .relations
            .iter()
            .filter(|(_, relation)| relation.watcher.as_ref().is_some_and(is_over))
            .map(|(other, _)| other.clone())
            .filter(|other| self.standing(core, other) != Standing::Authorized)
            .collect();
        for other in over {
            self.relate(core, &other, |relation| relation.watcher = None);
        }
    }

    fn make_room_for_watcher(&mut self, core: &mut Core, watcher: &Address) -> Result<(), Code> {
        let most = core.settings.max_watchers;
        let share = (most / SHARES).max(1);
        if self.watchers < share {
            return Ok(());
        }
        let mut idle: BTreeMap<&str, Vec<(Option<Time>, &Address)>> = BTreeMap::new();
        for (other, relation) in &self.relations {
            if let Some(entry) = &relation.watcher
                && self.standing(core, other) != Standing::Authorized
            {
                let of_domain = idle.entry(other.domain()).or_default();
                of_domain.push((entry.until, other));
            }
        }
        let own = idle.get(watcher.domain()).map_or(0, Vec::len);
        if own >= share && self.standing(core, watcher) != Standing::Authorized {
            return Err(Code::UNAVAILABLE);
        }
        if self.watchers < most {
            return Ok(());
        }
        let of_domains = idle.into_values();
        let oldest = of_domains
            .filter_map(|domain| Some((domain.len(), Reverse(domain.into_iter().min()?))))
            .max();
        let (_, Reverse((_, oldest))) = oldest.ok_or(Code::UNAVAILABLE)?;
        let oldest = oldest.clone();
        self.relate(core, &oldest, |relation| relation.watcher = None);
        Ok(())
    }
}
