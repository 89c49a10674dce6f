//! Failed logins: after too many nobody logs in so for a while.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use crate::element::Time;

/// Users and addresses that are remembered; our choice. Those are forgotten first whose time is
/// over first.
const MAX: usize = 10_000;
/// How many times as often an address may fail as a user: many users are behind one.
const OF_ADDRESS: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Who {
    User(String),
    /// The first 64 bits of an IPv6 address.
    Address(IpAddr),
}

#[derive(Debug)]
struct Failed {
    times: usize,
    /// When it is forgotten.
    until: Time,
}

/// Who has failed.
#[derive(Debug)]
pub(super) struct Failures {
    most: usize,
    time: Duration,
    of: HashMap<Who, Failed>,
    order: BTreeSet<(Time, Who)>,
}

impl Who {
    fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(network.into())
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn most(&self, most: usize) -> usize {
        match self {
            Self::User(_) => most,
            Self::Address(_) => most.saturating_mul(OF_ADDRESS),
        }
    }
}

impl Failures {
    /// `most` failures of a user lock them out for so long.
    pub(super) fn new(most: usize, time: Duration) -> Self {
        Self {
            most,
            time,
            of: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Whether nobody may log in as this user, or from this address.
    pub(super) fn is_locked(&mut self, user: &str, address: IpAddr, now: Time) -> bool {
        self.expire(now);
        let whom = [Who::User(user.to_owned()), Who::address(address)];
        whom.iter().any(|who| self.has_too_many(who))
    }

    /// Notes a failure; whether that was one too many. The time runs anew with each.
    pub(super) fn note(&mut self, user: &str, address: IpAddr, now: Time) -> bool {
        self.expire(now);
        let until = now.plus(self.time);
        let whom = [Who::User(user.to_owned()), Who::address(address)];
        for who in &whom {
            let times = self.remove(who).map_or(0, |failed| failed.times) + 1;
            self.order.insert((until, who.clone()));
            self.of.insert(who.clone(), Failed { times, until });
        }
        while self.of.len() > MAX {
            let Some((_, who)) = self.order.pop_first() else {
                break;
            };
            self.of.remove(&who);
        }
        whom.iter().any(|who| self.has_too_many(who))
    }

    /// The user has logged in. Failures of the address stay: who has one account may try others.
    pub(super) fn forget(&mut self, user: &str) {
        self.remove(&Who::User(user.to_owned()));
    }

    fn has_too_many(&self, who: &Who) -> bool {
        let times = self.of.get(who).map_or(0, |failed| failed.times);
        times >= who.most(self.most)
    }

    fn remove(&mut self, who: &Who) -> Option<Failed> {
        let failed = self.of.remove(who)?;
        self.order.remove(&(failed.until, who.clone()));
        Some(failed)
    }

    fn expire(&mut self, now: Time) {
        while let Some((until, _)) = self.order.first()
            && *until <= now
            && let Some((_, who)) = self.order.pop_first()
        {
            self.of.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn a_user_is_locked_out_from_everywhere_and_for_a_while() {
        let mut failures = Failures::new(3, Duration::from_secs(60));
        assert!(!failures.note("bob", A, Time(0)) && !failures.note("bob", B, Time(1)));
        assert!(!failures.is_locked("bob", A, Time(1)));
        assert!(failures.note("bob", A, Time(1000)));
        assert!(failures.is_locked("bob", B, Time(60_999)));
        assert!(!failures.is_locked("amy", A, Time(1000)));
        assert!(!failures.is_locked("bob", B, Time(61_000)));
    }

    #[test]
    fn an_address_is_locked_out_for_all_users_and_a_success_frees_the_user_alone() {
        let mut failures = Failures::new(1, Duration::from_secs(60));
        for user in ["a", "b", "c", "d"] {
            failures.note(user, A, Time(0));
            failures.forget(user);
        }
        assert!(failures.is_locked("e", A, Time(1)));
        assert!(!failures.is_locked("a", B, Time(1)));
        let network = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        for last in 0..4 {
            failures.note("f", network(last), Time(1));
        }
        assert!(failures.is_locked("g", network(9), Time(1)));
    }

    #[test]
    fn who_is_remembered_is_bounded() {
        let mut failures = Failures::new(1, Duration::from_secs(60));
        for user in 0..MAX as u64 {
            failures.note(&user.to_string(), A, Time(user));
        }
        assert_eq!(failures.of.len(), MAX);
        assert_eq!(failures.order.len(), MAX);
        let last = Time(MAX as u64);
        assert!(!failures.is_locked("0", B, last) && failures.is_locked("9999", B, last));
    }
}
