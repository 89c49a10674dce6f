//! What domains of XMPP may do, as the operator decides; a reload changes it.

use std::collections::BTreeMap;

use crate::translate::address::to_ssp_domain;

/// What a domain may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether there is anything between its users and those of the SSP side.
    pub allowed: bool,
    /// Stanzas in a second that want something done; none: as many as come.
    pub max_rate: Option<u32>,
    /// Who may see whom.
    pub presence: PresencePolicy,
}

/// What becomes of the wish to see somebody's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PresencePolicy {
    /// As [`GatewaySettings::auto_subscribed`](super::GatewaySettings::auto_subscribed) says.
    #[default]
    Default,
    /// The SSP user is asked.
    Ask,
    /// It is granted in the name of the SSP user.
    Grant,
    /// It is refused, in both directions.
    Refuse,
}

/// The policies of all domains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// By domain in ASCII, each with its subdomains.
    pub named: BTreeMap<String, Policy>,
    /// Of all others.
    pub others: Policy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allowed: true,
            max_rate: None,
            presence: PresencePolicy::Default,
        }
    }
}

impl Policy {
    /// Whether its users and those of the SSP side may see each other's presence.
    pub(super) fn may_see(&self) -> bool {
        self.allowed && self.presence != PresencePolicy::Refuse
    }
}

impl Policies {
    /// That of a domain: its own, else that of the nearest domain above it, else that of all
    /// others.
    pub fn of(&self, domain: &str) -> &Policy {
        self.find(domain).map_or(&self.others, |(_, policy)| policy)
    }

    /// That which names a domain or one above it, and the name.
    pub(super) fn find(&self, domain: &str) -> Option<(&str, &Policy)> {
        let ascii = (!domain.is_ascii()).then(|| to_ssp_domain(domain));
        let mut rest = Some(ascii.as_deref().unwrap_or(domain));
        while let Some(domain) = rest {
            if let Some((name, policy)) = self.named.get_key_value(domain) {
                return Some((name, policy));
            }
            rest = domain.split_once('.').map(|(_, above)| above);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(named: &[(&str, Policy)]) -> Policies {
        let named = named.iter().cloned();
        Policies {
            named: named
                .map(|(name, policy)| (name.to_owned(), policy))
                .collect(),
            others: Policy::default(),
        }
    }

    fn denied() -> Policy {
        Policy {
            allowed: false,
            ..Policy::default()
        }
    }

    #[test]
    fn the_policy_of_a_domain_is_its_own_else_that_of_one_above_it_else_that_of_all() {
        let known = policies(&[
            ("bad.test", denied()),
            ("good.bad.test", Policy::default()),
            ("xn--bcher-kva.test", denied()),
        ]);
        for (domain, may) in [
            ("bad.test", false),
            ("rooms.bad.test", false),
            ("good.bad.test", true),
            ("rooms.good.bad.test", true),
            ("notbad.test", true),
            ("test", true),
            ("", true),
            ("bücher.test", false),
            ("xn--bcher-kva.test", false),
        ] {
            assert_eq!(known.of(domain).allowed, may, "{domain}");
        }
        let known = Policies {
            others: denied(),
            ..policies(&[("good.test", Policy::default())])
        };
        assert!(known.of("good.test").allowed);
        assert!(!known.of("other.test").allowed);
    }
}
