//! The way to the domains of those whom our users watch: lost for a moment nobody is told,
//! lost for longer they are shown as unknown, and when it is back everything is asked anew,
//! because notifications may have been lost (quirk E-15; xmpp-mapping, 11).

use super::watching::Watching;
use std::collections::{BTreeMap, BTreeSet};

use crate::element::Time;
use crate::imps::address::Address;

use super::Home;
use super::core::{Asked, Timer};
use super::known::Known;
use super::presence::Presence;
use super::provider::Providers;

/// The domains that cannot be reached now.
#[derive(Debug, Default)]
pub(super) struct Away {
    /// Since when a domain is not reached.
    since: BTreeMap<String, Time>,
    /// Whose users are shown as unknown.
    told: BTreeSet<String>,
}

impl Away {
    pub(super) fn domains(&self) -> BTreeSet<String> {
        self.since.keys().chain(&self.told).cloned().collect()
    }

    /// What is shown of a user's presence.
    pub(super) fn shown(&self, publisher: &Address, known: &Known) -> Known {
        if !self.told.contains(publisher.domain()) {
            return known.clone();
        }
        Known {
            authorized: known.authorized,
            alias: known.alias.clone(),
            ..Known::default()
        }
    }
}

impl Home {
    /// Sends every watcher in the domains that `behind` picks what they may see, because the way to
    /// them was established anew and notifications may have been lost (presence-attributes, 5).
    fn refresh_domains(&mut self, behind: impl Fn(&str) -> bool, now: Time) {
        let Self { users, core, .. } = self;
        for user in users.values_mut() {
            if user.forget_shown(&behind) {
                Presence::of(user, core, now).publish();
            }
        }
    }

    /// The way to some domains was established anew: their users are told what they may see, and
    /// what ours watch there is shown and asked for again.
    pub(super) fn reached(&mut self, domains: &[String], now: Time) {
        let behind = |domain: &str| domains.iter().any(|one| one == domain);
        self.refresh_domains(behind, now);
        let Self { users, core, .. } = self;
        let is_provider = core.settings.providers().any(behind);
        core.away.since.retain(|domain, _| !behind(domain));
        let mut back = BTreeSet::new();
        core.away.told.retain(|domain| {
            let is_back = behind(domain);
            if is_back {
                back.insert(domain.clone());
            }
            !is_back
        });
        // What waits for its answer goes out over the new session.
        let asked: BTreeSet<(String, Address)> = core
            .requests
            .values()
            .filter_map(|pending| match &pending.what {
                Asked::Subscribe { to } => Some((&pending.user, &to.0)),
                _ => None,
            })
            .flat_map(|(user, to)| to.iter().map(|to| (user.clone(), to.clone())))
            .collect();
        for user in users.values_mut() {
            if is_provider && user.is_online() {
                Providers::of(user, core, now).tell_all();
            }
            for publisher in user.watched(behind) {
                if back.contains(publisher.domain()) {
                    Watching::of(user, core, now).show_as_is(&publisher);
                }
                if !asked.contains(&(user.name.clone(), publisher.clone())) {
                    Watching::of(user, core, now).subscribe_anew(&publisher);
                }
            }
        }
    }

    /// The last session on the way to some domains was lost.
    pub(super) fn lost(&mut self, domains: &[String], now: Time) {
        let behind = |domain: &str| domains.iter().any(|one| one == domain);
        let Self {
            users,
            resting,
            core,
            ..
        } = self;
        let watched = users.values().flat_map(|user| user.watched(behind));
        let watched = watched.map(|publisher| publisher.domain().to_owned());
        let sleepers = resting.sleepers().domains().filter(|domain| behind(domain));
        let watched: BTreeSet<String> = watched.chain(sleepers.map(str::to_owned)).collect();
        for domain in &watched {
            if core.away.told.contains(domain) || core.away.since.contains_key(domain) {
                continue;
            }
            core.away.since.insert(domain.to_owned(), now);
            let at = now.plus(core.settings.peer_grace);
            core.timers.insert((at, Timer::Away(domain.to_owned())));
        }
    }

    /// No session came back in time.
    pub(super) fn is_away(&mut self, domain: &str, now: Time) {
        let Self { users, core, .. } = self;
        let since = core.away.since.get(domain).copied();
        if since.is_none_or(|since| now < since.plus(core.settings.peer_grace)) {
            return;
        }
        core.away.since.remove(domain);
        core.away.told.insert(domain.to_owned());
        for user in users.values_mut() {
            for publisher in user.watched(|other| other == domain) {
                Watching::of(user, core, now).show_as_is(&publisher);
            }
        }
    }
}
