//! User profile management at a relay (wire profile, 11.4): who may read and
//! change profiles ([`Access`]), what an update does ([`update`]), and what is held
//! of users who live elsewhere ([`cache`]).
//!
//! Profiles of users that a service element of this node hosts are its business.
//! Of the others a home domain tells those whose provider this node is; what passes
//! by in answers is remembered for a few minutes; everything else is passed on.

pub mod cache;
pub mod update;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::body::Body;
use super::deadlines::Deadlines;
use super::service::{Direction, Services};
use super::settings::{Access, Peer, PseTable, Route, ServiceSet, Settings};
use crate::element::{Skew, Time};
use crate::imps::primitive::Name;
use crate::imps::primitive::profile::{
    GetUserProfileResponse, ProfileService, UpdateUserProfileRequest, UserProfile,
};
use crate::imps::{Address, Code, Primitive, Status};
use crate::ssp::envelope::Transaction;
use crate::store::Write;

pub use update::{Parts, UpdateMode};

use cache::{Cache, Told};

/// The services of a home domain's users: those it serves itself, and those for
/// which the Service Table names a provider elsewhere. All active.
pub fn services_of(served: ServiceSet, table: &PseTable, home: &str) -> Vec<ProfileService> {
    let entry = |(name, feature): (&str, &str)| {
        let functions = ServiceSet::named(feature)?;
        let meets = |other: ServiceSet| !other.intersection(functions).is_empty();
        let pse = table
            .iter()
            .find(|(set, of, pse)| *of == home && *pse != home && meets(*set))
            .map(|(_, _, pse)| Address::service(pse));
        (pse.is_some() || meets(served)).then(|| ProfileService {
            name: name.to_owned(),
            status: Some("Active".to_owned()),
            pse,
        })
    };
    update::SERVICES.into_iter().filter_map(entry).collect()
}

/// What is wanted of whose profile; `None` for other requests, and for those that
/// name nobody.
fn wanted(transaction: &Transaction) -> Option<(Access, &Address)> {
    let access = match transaction.name.known() {
        Some(Name::GetUserProfileRequest) => Access::Read,
        Some(Name::UpdateUserProfileRequest) => Access::Write,
        _ => return None,
    };
    Some((access, transaction.peek.subject.as_ref()?))
}

/// A request on its way whose answer means something here.
#[derive(Debug)]
enum Passing {
    /// For some parts, at a certain time.
    Read(Address, Parts, Time),
    /// To change the profile.
    Changed(Address),
}

/// What is held of users who live elsewhere, and who may have it.
#[derive(Debug)]
pub(super) struct Profiles {
    settings: Arc<Settings>,
    skew: Skew,
    cache: Cache,
    /// By number of the row in the Transaction Table.
    asked: HashMap<u64, Passing>,
    deadlines: Deadlines<()>,
    writes: VecDeque<Write>,
}

impl Profiles {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            skew: Skew::default(),
            cache: Cache::default(),
            asked: HashMap::new(),
            deadlines: Deadlines::default(),
            writes: VecDeque::new(),
        }
    }

    /// Takes back a told profile; `user` is the key without [`cache::PREFIX`].
    pub(super) fn restore(&mut self, user: &str, told: Told) {
        self.cache.restore(user, told);
    }

    pub(super) fn configure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    pub(super) fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
    }

    /// A record that is to be kept or forgotten.
    pub(super) fn next_event(&mut self) -> Option<Write> {
        self.writes.pop_front()
    }

    /// When [`Profiles::timeout`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// Forgets told profiles whose time is over, and sets the time for the next.
    pub(super) fn timeout(&mut self, now: Time) {
        while self.deadlines.due(now).is_some() {}
        self.expire(now);
        if let Some(next) = self.cache.next_expiry() {
            self.deadlines.set(next, ());
        }
    }

    fn expire(&mut self, now: Time) {
        self.writes.extend(self.cache.expire(now));
    }

    /// Whether a request is about a profile its requestor may not have or change:
    /// their domain is neither the user's home domain nor, for reading, a provider of
    /// theirs, nor does the peer's record allow it. What the record says holds for
    /// the peer and the domains named in its `speaks_for`.
    pub(super) fn is_forbidden(&self, peer: &Peer, transaction: &Transaction) -> bool {
        let Some((access, user)) = wanted(transaction) else {
            return false;
        };
        let home = self.home_of(user);
        let asking = asking(peer, transaction);
        if asking == home || peer.is(asking) && peer.is(home) {
            return false;
        }
        if access == Access::Read && self.is_provider(asking, home) {
            return false;
        }
        let covered = peer.is(asking) || peer.speaks_for.domains.iter().any(|d| d == asking);
        !(covered && peer.profiles >= access)
    }

    /// Whether a peer's update is of a profile that is kept at home in this node,
    /// whoever provides services to the requestor: its address.
    pub(super) fn kept_at_home(&self, transaction: &Transaction) -> Option<Address> {
        let (access, user) = wanted(transaction)?;
        let here = access == Access::Write && self.is_hosted(self.home_of(user));
        here.then(|| user.clone())
    }

    /// The other shard of this node where what is known of the profile that a request is about is
    /// kept: where the way to the user's home domain leads.
    pub(super) fn elsewhere(&self, transaction: &Transaction) -> Option<u16> {
        let settings = &self.settings;
        if settings.shards.is_single() {
            return None;
        }
        let (_, user) = wanted(transaction)?;
        let route = settings.route_to(user)?;
        let is_away = matches!(route, Route::Peer(_));
        is_away.then(|| {
            settings
                .shards
                .elsewhere(settings, route, user, &transaction.peek)
        })?
    }

    /// Answers a request about the profile of a user who lives elsewhere from what
    /// is held here. `peer` is whom it came from, `None` for this node.
    pub(super) fn answer(
        &mut self,
        peer: Option<&str>,
        transaction: &Transaction,
        services: &Services,
        now: Time,
    ) -> Option<Primitive> {
        let (_, user) = wanted(transaction)?;
        let user = user.clone();
        let home = user.domain().to_owned();
        if self.is_hosted(self.home_of(&user)) {
            return None;
        }
        let requestor = peer
            .and_then(|peer| self.settings.peers.get(peer))
            .map(|peer| asking(peer, transaction));
        let by_home = requestor == Some(home.as_str());
        let provided = self.provides_for(&home, peer, services, now);
        match transaction.primitive().ok()? {
            Primitive::GetUserProfileRequest(request) => {
                let parts = Parts::asked(request.parts.as_ref());
                let held = self.held(&user, parts, by_home, now);
                if held.is_none() && by_home && provided {
                    return Some(Primitive::status(Code::UNKNOWN_USER));
                }
                held.map(|profile| response(user, profile))
            }
            Primitive::UpdateUserProfileRequest(request) if provided => {
                let elsewhere = |home: &str| {
                    let pse = self.settings.pse.find("UPDUP", home);
                    pse.is_some_and(|pse| pse != self.settings.domain)
                };
                if requestor.is_none_or(elsewhere) {
                    return None;
                }
                Some(self.tell(&user, *request, now).into())
            }
            _ => None,
        }
    }

    /// A request about a profile went on to a peer, as this row of the table.
    pub(super) fn asked(&mut self, number: u64, transaction: &Transaction, now: Time) {
        let Some((access, user)) = wanted(transaction) else {
            return;
        };
        let user = user.clone().or_domain(&self.settings.domain);
        if self.is_hosted(user.domain()) {
            return;
        }
        let asked = match (access, transaction.primitive()) {
            (Access::Write, _) => {
                self.forget(&user, now);
                Passing::Changed(user)
            }
            (_, Ok(Primitive::GetUserProfileRequest(request))) => {
                Passing::Read(user, Parts::asked(request.parts.as_ref()), now)
            }
            _ => return,
        };
        self.asked.insert(number, asked);
    }

    /// A row of the table has ended, with this answer.
    pub(super) fn answered(&mut self, number: u64, answer: Option<&Body>, now: Time) {
        if self.asked.is_empty() {
            return;
        }
        match self.asked.remove(&number) {
            // An answer to a request that overtook the change may have been kept.
            Some(Passing::Changed(user)) => self.forget(&user, now),
            Some(Passing::Read(user, parts, asked)) => {
                let answer = answer.and_then(|answer| answer.primitive().ok());
                let Some(Primitive::GetUserProfileResponse(response)) = answer.as_deref() else {
                    return;
                };
                let about = |named: &Option<Address>| named.as_ref().is_none_or(|n| *n == user);
                if response.status.code == Code::OK
                    && about(&response.user)
                    && let Some(profile) = &response.profile
                    && about(&profile.user)
                {
                    let until = now.plus(self.settings.profile_cache);
                    self.cache
                        .learn(&user, parts, profile.clone(), asked, now, until);
                }
            }
            None => {}
        }
    }

    fn held(
        &mut self,
        user: &Address,
        parts: Parts,
        by_home: bool,
        now: Time,
    ) -> Option<UserProfile> {
        // The home domain sees what it has told; for others that must be enough.
        let told = self
            .cache
            .told(user, now)
            .filter(|told| by_home || Parts::of(told).include(parts));
        match told {
            Some(told) => Some(parts.select(told.clone())),
            None => self.cache.find(user, parts, now),
        }
    }

    /// Keeps what is told of a user.
    fn tell(&mut self, user: &Address, request: UpdateUserProfileRequest, now: Time) -> Status {
        let (mode, given) = match readable(user, &request) {
            Ok(mode) => (mode, request.profile.unwrap_or_else(update::empty)),
            Err(status) => return status,
        };
        self.expire(now);
        if !self.cache.has_room_for(user) {
            return Status::new(Code::UNAVAILABLE).because("too many profiles are kept here");
        }
        let told = self.cache.told(user, now);
        let mut profile = told.cloned().unwrap_or_else(update::empty);
        let changes = update::update(&mut profile, mode, given, |_| Ok(()));
        if changes.done > 0 || changes.changed {
            profile.user = Some(user.clone());
            if changes.changed {
                profile.modified = Some(self.skew.date(now));
            }
            let until = now.plus(self.settings.agreement_ttl);
            let write = self.cache.tell(user, profile, until);
            self.writes.push_back(write);
            self.deadlines.set(until, ());
        }
        self.forget(user, now);
        changes.status()
    }

    fn forget(&mut self, user: &Address, now: Time) {
        let settings = &self.settings;
        let open = settings.response_timeout.saturating_mul(2);
        let until = now.plus(settings.profile_cache.max(open));
        self.cache.forget(user, now, until);
    }

    /// The home domain of a user; an address without one is ours.
    fn home_of<'a>(&'a self, user: &'a Address) -> &'a str {
        match user.domain() {
            "" => &self.settings.domain,
            domain => domain,
        }
    }

    fn is_hosted(&self, home: &str) -> bool {
        matches!(self.settings.routes.find(home), Some(Route::Local(_)))
    }

    /// Whether a domain provides something to the users of a home domain.
    fn is_provider(&self, domain: &str, home: &str) -> bool {
        let mut entries = self.settings.pse.iter();
        entries.any(|(_, of, pse)| of == home && pse == domain)
    }

    /// Whether this node provides something to the users of a home domain: by an
    /// entry of the Service Table, or because the peer they come through has an
    /// agreement to tell us their profiles.
    fn provides_for(&self, home: &str, peer: Option<&str>, services: &Services, now: Time) -> bool {
        let agreed = || {
            let peer = peer.and_then(|peer| self.settings.peers.get(peer))?;
            let agreement = services.agreement(&peer.domain, Direction::Granted, now)?;
            let named = agreement
                .served
                .iter()
                .any(|d| d.eq_ignore_ascii_case(home));
            let meant = named || agreement.served.is_empty() && peer.is(home);
            Some(meant && agreement.functions.includes(ServiceSet::named("UPDUP")?))
        };
        self.is_provider(&self.settings.domain, home) || agreed().unwrap_or(false)
    }
}

/// The mode of an update, if all of it can be understood.
///
/// # Errors
/// 402: no profile, another user's, or a mode of no meaning.
pub fn readable(user: &Address, request: &UpdateUserProfileRequest) -> Result<UpdateMode, Status> {
    let refuse = |why| Err(Status::new(Code::BAD_PARAMETER).because(why));
    let Some(profile) = &request.profile else {
        return refuse("there is no UserProfile");
    };
    let home = user.domain();
    let of_another = |named: &Address| named.clone().or_domain(home) != *user;
    if profile.user.as_ref().is_some_and(of_another) {
        return refuse("the UserProfile is of another user");
    }
    match UpdateMode::read(request.mode.as_deref()) {
        Some(mode) => Ok(mode),
        None => refuse("the mode is not Merge, Replace or Delete"),
    }
}

/// The answer that holds a profile.
pub fn response(user: Address, profile: UserProfile) -> Primitive {
    GetUserProfileResponse {
        user: Some(user.clone()),
        status: Status::ok(),
        profile: Some(UserProfile {
            user: Some(user),
            ..profile
        }),
    }
    .into()
}

/// The requesting domain.
fn asking<'a>(peer: &'a Peer, transaction: &'a Transaction) -> &'a str {
    let peek = &transaction.peek;
    let named = peek.service.as_ref().or(peek.user.as_ref());
    match named.map_or("", Address::domain) {
        "" => peer.real(),
        domain => domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_those_served_and_those_provided_elsewhere() {
        let mut table = PseTable::default();
        let named = |name| ServiceSet::named(name).unwrap();
        table.add(named("GCLI"), "a.test", "lists.test");
        table.add(named("PresenceFeat"), "a.test", "a.test");
        table.add(named("GroupFeat"), "b.test", "groups.test");
        let served = named("SENDM").union(named("SUBPR"));
        let services = services_of(served, &table, "a.test");
        let told: Vec<(&str, Option<&str>)> = services
            .iter()
            .map(|service| (&*service.name, service.pse.as_ref().map(Address::domain)))
            .collect();
        assert_eq!(
            told,
            [
                ("Presence", None),
                ("IM", None),
                ("ContactList", Some("lists.test"))
            ]
        );
    }
}
