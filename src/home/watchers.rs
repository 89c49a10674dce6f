//! The table of those who watch a user: strangers fill it, so nobody may fill it alone.
//!
//! A watcher who is authorized stays. The others, about whom the user has not decided or decided
//! against, have a share for each domain; if the table is full, the one who waits longest gives
//! way, of the domain that has most of them; and each is forgotten after a while.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::sap::element::{Act, Time};
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

impl Home {
    /// Lets somebody watch a user of ours.
    pub(super) fn add_watcher(
        &mut self,
        watcher: &Address,
        publisher: &Address,
        attributes: &[String],
        now: Time,
        out: &mut Vec<Act>,
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
            user.make_room_for_watcher(core, watcher, out)?;
        }
        let asks = user.standing(core, watcher) == Standing::Unknown
            && core.settings.default_authorization == Authorization::Ask;
        let until = now.plus_seconds(UNDECIDED);
        user.relate(watcher, out, |relation| {
            relation.watcher = Some(Watcher {
                attributes: attributes.to_vec(),
                asked: was_asked || asks,
                until: Some(until),
                shown: Shown::Unsure,
            });
        });
        core.timers
            .insert((until, Timer::Watcher(name.clone(), watcher.clone())));
        if asks {
            user.ask_clients(core, watcher, now);
        }
        Ok(name)
    }
}

impl User {
    /// Forgets a watcher whose time is over, unless he is authorized or came again.
    pub(super) fn expire_watcher(
        &mut self,
        core: &Core,
        watcher: &Address,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let entry = self.relations.get(watcher).and_then(|r| r.watcher.as_ref());
        let is_over = entry.is_some_and(|entry| entry.until.is_some_and(|until| until <= now));
        if is_over && self.standing(core, watcher) != Standing::Authorized {
            self.relate(watcher, out, |relation| relation.watcher = None);
        }
    }

    fn make_room_for_watcher(
        &mut self,
        core: &Core,
        watcher: &Address,
        out: &mut Vec<Act>,
    ) -> Result<(), Code> {
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
        self.relate(&oldest, out, |relation| relation.watcher = None);
        Ok(())
    }
}
