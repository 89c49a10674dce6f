//! How much domains of XMPP may still send.

use std::collections::BTreeMap;

use super::policy::Policies;
use crate::element::Time;

/// Domains whose rate is known one by one; our choice. Beyond them they share one.
const MAX_DOMAINS: usize = 10_000;

/// What each domain may still send.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// By the domain whose policy it is; under the policy of all others, by what was registered.
    buckets: BTreeMap<String, Bucket>,
    /// When silent ones were looked for.
    swept: Time,
}

/// What a domain may still send.
#[derive(Debug, Default)]
struct Bucket {
    /// Thousandths of a stanza, and since when that is known.
    left: u64,
    since: Time,
}

impl Rates {
    /// Whether one more stanza of `domain` keeps to the rate; a second's worth may come in one
    /// burst. Domains that share a policy by its name share the rate, and under that of all others
    /// those that were registered as one: names below one's own cost nothing.
    pub(super) fn take(&mut self, policies: &Policies, domain: &str, now: Time) -> bool {
        let (name, policy) = match policies.find(domain) {
            Some((name, policy)) => (Some(name), policy),
            None => (None, &policies.others),
        };
        let Some(rate) = policy.max_rate.map(u64::from) else {
            return true;
        };
        let key = name.unwrap_or_else(|| registered(domain));
        let has_place = |buckets: &BTreeMap<String, Bucket>| {
            name.is_some() || buckets.len() < MAX_DOMAINS || buckets.contains_key(key)
        };
        if !has_place(&self.buckets) && now.since(self.swept) >= 1000 {
            // Whoever was silent for a second is as one who never sent anything.
            self.swept = now;
            self.buckets
                .retain(|_, bucket| now.since(bucket.since) < 1000);
        }
        let key = if has_place(&self.buckets) { key } else { "" };
        let bucket = self.buckets.entry(key.to_owned()).or_insert(Bucket {
            left: rate.saturating_mul(1000),
            since: now,
        });
        let gained = now.since(bucket.since).saturating_mul(rate);
        let left = bucket.left.saturating_add(gained);
        bucket.left = left.min(rate.saturating_mul(1000));
        bucket.since = now;
        let has_one = bucket.left >= 1000;
        if has_one {
            bucket.left -= 1000;
        }
        has_one
    }
}

/// The part of a domain that was registered, as far as its form shows: the last two labels, or three
/// where registries sell names below a short one, as in `co.uk`.
fn registered(domain: &str) -> &str {
    let mut dots = domain.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else {
        return domain;
    };
    let (below, top) = (&domain[second + 1..last], &domain[last + 1..]);
    if top.bytes().all(|byte| byte.is_ascii_digit()) || domain.ends_with(']') {
        // An address.
        return domain;
    }
    if top.len() > 2 || below.len() > 3 {
        return &domain[second + 1..];
    }
    dots.next().map_or(domain, |third| &domain[third + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Policy;

    fn of_all(rate: u32) -> Policies {
        Policies {
            others: slow(rate),
            ..Policies::default()
        }
    }

    fn slow(rate: u32) -> Policy {
        Policy {
            max_rate: Some(rate),
            ..Policy::default()
        }
    }

    fn named(rate: u32) -> Policies {
        Policies {
            named: BTreeMap::from([("slow.test".to_owned(), slow(rate))]),
            others: Policy::default(),
        }
    }

    #[test]
    fn each_domain_has_a_second_s_worth_of_stanzas_and_gets_more_with_time() {
        let (policies, mut rates) = (of_all(3), Rates::default());
        let mut took = |domain: &str, at: u64| rates.take(&policies, domain, Time(at));
        let first: Vec<bool> = (0..5).map(|_| took("a.test", 1_000)).collect();
        assert_eq!(first, [true, true, true, false, false]);
        assert!(took("b.test", 1_000));
        assert!(took("a.test", 1_334));
        assert!(!took("a.test", 1_334));
        // Names cost memory for a second.
        for n in 0..2 * MAX_DOMAINS as u64 {
            took(&format!("d{n}.test"), 10_000);
        }
        assert_eq!(rates.buckets.len(), MAX_DOMAINS + 1);
        rates.take(&policies, "e.test", Time(11_000));
        assert!(rates.buckets.len() <= 2);
    }

    #[test]
    fn the_table_of_domains_is_swept_once_a_second_however_many_names_come() {
        let (policies, mut rates) = (of_all(1), Rates::default());
        for n in 0..=MAX_DOMAINS as u64 {
            rates.take(&policies, &format!("d{n}.test"), Time(10_000));
        }
        for at in 10_001..10_100 {
            rates.take(&policies, &format!("e{at}.test"), Time(at));
            assert_eq!(rates.swept, Time(10_000));
        }
    }

    #[test]
    fn domains_below_one_that_is_named_share_its_rate() {
        let (policies, mut rates) = (named(2), Rates::default());
        let mut took = |domain| rates.take(&policies, domain, Time(1_000));
        assert!(took("slow.test"));
        assert!(took("a.slow.test"));
        assert!(!took("b.slow.test"));
        assert!(!took("slow.test"));
        assert!(took("fast.test"));
        assert_eq!(rates.buckets.len(), 1);
    }

    #[test]
    fn under_the_policy_of_all_others_names_below_one_that_was_registered_share_its_rate() {
        let (policies, mut rates) = (of_all(1), Rates::default());
        for (domain, may) in [
            ("evil.test", true),
            ("a.evil.test", false),
            ("b.c.evil.test", false),
            ("good.test", true),
            ("evil.co.uk", true),
            ("good.co.uk", true),
            ("a.good.co.uk", false),
            ("test", true),
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("[2001:db8::192.0.2.1]", true),
            ("[2001:db8::192.0.2.2]", true),
        ] {
            assert_eq!(rates.take(&policies, domain, Time(1_000)), may, "{domain}");
        }
    }

    #[test]
    fn another_rate_gives_nobody_more_than_a_second_s_worth() {
        let mut rates = Rates::default();
        let mut took = |rate| rates.take(&named(rate), "slow.test", Time(1_000));
        assert!(took(2) && took(2));
        assert!(!took(4));
    }
}
