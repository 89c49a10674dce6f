//! What is held of users who live elsewhere: profiles their home domains told us
//! as the provider of a service (kept on disk until they end), and those that
//! passed by in answers (for a few minutes, in memory).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::primitive::profile::{UpdateUserProfileRequest, UserProfile};
use crate::imps::{Address, Primitive};
use crate::sap::profile::update::{Parts, empty, size};
use crate::ssp::envelope;
use crate::store::Write;

/// Start of the keys of told profiles; the user's address follows.
pub const PREFIX: &str = "sap/profile/";
/// Profiles told, at most. Our choice.
pub(super) const MAX_TOLD: usize = 4096;
/// Profiles in the cache, at most; the one not used for longest gives way.
const MAX_SEEN: usize = 4096;
/// Bytes of a profile that is taken into the cache.
const MAX_SIZE: usize = 32 * 1024;

/// A profile as it stands in a record: the update that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kept(pub UserProfile);

/// Not the XML of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the profile cannot be read")]
pub struct Unreadable;

impl From<Kept> for String {
    fn from(kept: Kept) -> Self {
        let update = UpdateUserProfileRequest {
            user: kept.0.user.clone().unwrap_or_else(|| Address::new("")),
            mode: Some("Replace".to_owned()),
            meta: None,
            profile: Some(kept.0),
        };
        Primitive::from(update).to_xml(None)
    }
}

impl TryFrom<String> for Kept {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        match envelope::decode_fragment(text.as_bytes()) {
            Ok(Primitive::UpdateUserProfileRequest(update)) => {
                update.profile.map(Kept).ok_or(Unreadable)
            }
            _ => Err(Unreadable),
        }
    }
}

/// A profile that a home domain told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sap) struct Told {
    pub profile: Kept,
    pub until: Time,
}

/// What an answer said, or that nothing said before a certain time counts.
#[derive(Debug)]
struct Seen {
    profile: UserProfile,
    parts: Option<Parts>,
    /// The profile was changed then.
    changed: Option<Time>,
    until: Time,
    used: u64,
}

/// Profiles of users who live elsewhere.
#[derive(Debug, Default)]
pub(super) struct Cache {
    told: BTreeMap<Address, Told>,
    seen: HashMap<Address, Seen>,
    /// Users in the cache by last use.
    by_use: BTreeMap<u64, Address>,
    uses: u64,
}

impl Cache {
    /// Takes back a told profile; `user` is the key without [`PREFIX`].
    pub(super) fn restore(&mut self, user: &str, told: Told) {
        self.told.insert(Address::new(user), told);
    }

    /// What a user's home domain told.
    pub(super) fn told(&self, user: &Address, now: Time) -> Option<&UserProfile> {
        let told = self.told.get(user).filter(|told| told.until > now)?;
        Some(&told.profile.0)
    }

    /// Whether another user's profile may be told.
    pub(super) fn has_room_for(&self, user: &Address) -> bool {
        self.told.contains_key(user) || self.told.len() < MAX_TOLD
    }

    /// Keeps what a home domain told.
    pub(super) fn tell(&mut self, user: &Address, profile: UserProfile, until: Time) -> Write {
        let profile = Kept(profile);
        let told = Told { profile, until };
        let write = Write::put_json(key(user), &told);
        self.told.insert(user.clone(), told);
        write
    }

    /// Forgets told profiles whose time is over.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Write> {
        let over = self.told.iter().filter(|(_, told)| told.until <= now);
        let over: Vec<Address> = over.map(|(user, _)| user.clone()).collect();
        for user in &over {
            self.told.remove(user);
        }
        over.iter().map(|user| Write::delete(key(user))).collect()
    }

    /// When the next told profile ends.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.told.values().map(|told| told.until).min()
    }

    /// These parts out of the cache, if all of them are there and fresh.
    pub(super) fn find(&mut self, user: &Address, parts: Parts, now: Time) -> Option<UserProfile> {
        let seen = self.seen.get_mut(user)?;
        if seen.until <= now || !seen.parts?.include(parts) {
            return None;
        }
        self.uses += 1;
        self.by_use.remove(&seen.used);
        self.by_use.insert(self.uses, user.clone());
        seen.used = self.uses;
        Some(parts.select(seen.profile.clone()))
    }

    /// Takes in an answer to a request of the time `asked` for these parts. One
    /// that was asked for before the last change counts no more.
    pub(super) fn learn(
        &mut self,
        user: &Address,
        parts: Parts,
        profile: UserProfile,
        asked: Time,
        now: Time,
        until: Time,
    ) {
        let before = self.drop_seen(user).filter(|seen| seen.until > now);
        let too_late = |seen: &Seen| seen.changed.is_some_and(|changed| asked <= changed);
        match before {
            Some(before) if too_late(&before) => self.put_seen(user, before),
            _ if until <= now || size(&profile) > MAX_SIZE => {}
            Some(before) => {
                let (parts, until) = match before.parts {
                    Some(known) if !parts.include(known) => (parts.union(known), before.until),
                    _ => (parts, until),
                };
                let profile = joined(profile, before.profile);
                let changed = before.changed;
                self.put_seen(user, Seen::new(profile, Some(parts), changed, until));
            }
            None => self.put_seen(user, Seen::new(profile, Some(parts), None, until)),
        }
    }

    /// What was known counts no more, nor what was asked for until now; that is
    /// remembered for a while.
    pub(super) fn forget(&mut self, user: &Address, now: Time, until: Time) {
        self.drop_seen(user);
        self.put_seen(user, Seen::new(empty(), None, Some(now), until));
    }

    fn drop_seen(&mut self, user: &Address) -> Option<Seen> {
        let seen = self.seen.remove(user)?;
        self.by_use.remove(&seen.used);
        Some(seen)
    }

    fn put_seen(&mut self, user: &Address, mut seen: Seen) {
        if self.seen.len() >= MAX_SEEN
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.seen.remove(&oldest);
        }
        self.uses += 1;
        seen.used = self.uses;
        self.by_use.insert(self.uses, user.clone());
        self.seen.insert(user.clone(), seen);
    }
}

impl Seen {
    fn new(profile: UserProfile, parts: Option<Parts>, changed: Option<Time>, until: Time) -> Self {
        Self {
            profile,
            parts,
            changed,
            until,
            used: 0,
        }
    }
}

/// The newer profile, with the parts of the older one that it lacks.
fn joined(new: UserProfile, old: UserProfile) -> UserProfile {
    UserProfile {
        services: new.services.or(old.services),
        privacy: new.privacy.or(old.privacy),
        terminals: new.terminals.or(old.terminals),
        properties: new.properties.or(old.properties),
        ..new
    }
}

fn key(user: &Address) -> String {
    format!("{PREFIX}{user}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::common::Property;
    use crate::imps::primitive::profile::ProfileParts;
    use crate::imps::xml::element::Empty;

    fn user(name: &str) -> Address {
        Address::user(name, "far.test")
    }

    fn city(name: &str) -> UserProfile {
        let property = Property {
            name: "PP_CITY".to_owned(),
            value: Some(name.to_owned()),
        };
        UserProfile {
            properties: Some(vec![property]),
            ..empty()
        }
    }

    fn properties() -> Parts {
        Parts::asked(Some(&ProfileParts {
            services: None,
            privacy: None,
            terminals: None,
            properties: Some(Empty),
        }))
    }

    fn learn(profiles: &mut Cache, name: &str, parts: Parts, profile: UserProfile, at: u64) {
        let (user, at) = (user(name), Time(at));
        profiles.learn(&user, parts, profile, at, at, at.plus_seconds(300));
    }

    #[test]
    fn an_answer_is_found_while_it_is_fresh_and_says_enough() {
        let mut profiles = Cache::default();
        learn(&mut profiles, "a", properties(), city("Oslo"), 0);
        let mut find = |parts, at| profiles.find(&user("a"), parts, Time(at));
        assert_eq!(find(properties(), 299_999), Some(city("Oslo")));
        assert_eq!(find(properties(), 300_000), None);
        assert_eq!(find(Parts::ALL, 1), None);
    }

    #[test]
    fn a_narrow_answer_does_not_drive_out_a_wide_one_nor_make_it_younger() {
        let mut profiles = Cache::default();
        let wide = UserProfile {
            privacy: Some(Vec::new()),
            ..city("Oslo")
        };
        learn(&mut profiles, "a", Parts::ALL, wide.clone(), 0);
        learn(&mut profiles, "a", properties(), city("Rome"), 200_000);
        let found = profiles.find(&user("a"), Parts::ALL, Time(250_000));
        assert_eq!(
            found.unwrap(),
            UserProfile {
                properties: city("Rome").properties,
                ..wide
            }
        );
        assert_eq!(profiles.find(&user("a"), Parts::ALL, Time(300_000)), None);
    }

    #[test]
    fn what_was_asked_for_before_a_change_counts_no_more() {
        let mut profiles = Cache::default();
        learn(&mut profiles, "a", Parts::ALL, city("Oslo"), 0);
        profiles.forget(&user("a"), Time(10), Time(1_000_000));
        let (a, until) = (user("a"), Time(500_000));
        assert_eq!(profiles.find(&a, Parts::ALL, Time(11)), None);
        profiles.learn(&a, Parts::ALL, city("Oslo"), Time(9), Time(20), until);
        assert_eq!(profiles.find(&a, Parts::ALL, Time(21)), None);
        profiles.learn(&a, Parts::ALL, city("Rome"), Time(11), Time(30), until);
        assert_eq!(profiles.find(&a, Parts::ALL, Time(31)), Some(city("Rome")));
    }

    #[test]
    fn the_cache_is_bounded_and_the_least_used_gives_way() {
        let mut profiles = Cache::default();
        for n in 0..MAX_SEEN {
            learn(&mut profiles, &format!("u{n}"), Parts::ALL, city("Oslo"), 0);
        }
        assert!(profiles.find(&user("u0"), Parts::ALL, Time(1)).is_some());
        learn(&mut profiles, "new", Parts::ALL, city("Rome"), 1);
        assert_eq!(
            (profiles.seen.len(), profiles.by_use.len()),
            (MAX_SEEN, MAX_SEEN)
        );
        assert!(profiles.find(&user("u0"), Parts::ALL, Time(1)).is_some());
        assert!(profiles.find(&user("u1"), Parts::ALL, Time(1)).is_none());
        learn(
            &mut profiles,
            "big",
            Parts::ALL,
            city(&"x".repeat(MAX_SIZE)),
            1,
        );
        assert!(profiles.find(&user("big"), Parts::ALL, Time(1)).is_none());
    }

    #[test]
    fn told_profiles_are_bounded() {
        let mut profiles = Cache::default();
        for n in 0..MAX_TOLD {
            let _ = profiles.tell(&user(&format!("u{n}")), city("Oslo"), Time(1000));
        }
        assert!(!profiles.has_room_for(&user("new")));
        assert!(profiles.has_room_for(&user("u7")));
        assert_eq!(profiles.expire(Time(1000)).len(), MAX_TOLD);
        assert!(profiles.has_room_for(&user("new")));
    }

    #[test]
    fn told_profiles_survive_in_their_records_and_end() {
        let mut profiles = Cache::default();
        let (a, until) = (user("a"), Time(1000));
        let Write::Put { key, value, .. } = profiles.tell(&a, city("Ålesund <&>"), until) else {
            panic!("nothing is kept");
        };
        let mut again = Cache::default();
        let told = serde_json::from_slice(&value).unwrap();
        again.restore(key.strip_prefix(PREFIX).unwrap(), told);
        assert_eq!(again.told(&a, Time(999)), Some(&city("Ålesund <&>")));
        assert_eq!(again.told(&a, Time(1000)), None);
        assert_eq!(again.next_expiry(), Some(until));
        assert_eq!(again.expire(Time(1000)), [Write::delete(key)]);
        assert_eq!(again.next_expiry(), None);
        assert!(serde_json::from_str::<Kept>("\"<Status code='200'/>\"").is_err());
    }
}
