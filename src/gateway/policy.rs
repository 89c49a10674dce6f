//! What domains of XMPP may do, as the operator decides; a reload changes it.

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::presence::Type;

use crate::element::Time;
use crate::imps::Code;
use crate::translate::address::to_ssp_domain;
use crate::translate::room::join_of;

/// Domains whose rate is known one by one; our choice. Beyond them they share one.
const MAX_DOMAINS: usize = 10_000;

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

/// What a stanza from XMPP meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// Its sender is told this.
    Refused(Code),
    /// It wants no answer; counted as this kind.
    Dropped(&'static str),
}

/// The policies in force, and how much each domain may still send.
#[derive(Debug, Default)]
pub(super) struct Gate {
    policies: Policies,
    buckets: BTreeMap<String, Bucket>,
}

/// What a domain may still send.
#[derive(Debug, Default)]
struct Bucket {
    /// Thousandths of a stanza, and since when that is known.
    left: u64,
    since: Time,
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

impl Policies {
    /// That of a domain: its own, else that of the nearest domain above it, else that of all
    /// others.
    pub fn of(&self, domain: &str) -> &Policy {
        let ascii = (!domain.is_ascii()).then(|| to_ssp_domain(domain));
        let mut rest = Some(ascii.as_deref().unwrap_or(domain));
        while let Some(domain) = rest {
            if let Some(policy) = self.named.get(domain) {
                return policy;
            }
            rest = domain.split_once('.').map(|(_, above)| above);
        }
        &self.others
    }
}

impl Gate {
    pub(super) fn new(policies: Policies) -> Self {
        Self {
            policies,
            buckets: BTreeMap::new(),
        }
    }

    pub(super) fn policies(&self) -> &Policies {
        &self.policies
    }

    pub(super) fn replace(&mut self, policies: Policies) {
        self.policies = policies;
        self.buckets.clear();
    }

    /// Whether something may be sent to a domain.
    pub(super) fn may_talk(&self, domain: &str) -> bool {
        self.policies.of(domain).allowed
    }

    /// Whether users of a domain and of the SSP side may see each other's presence.
    pub(super) fn may_see(&self, domain: &str) -> bool {
        let policy = self.policies.of(domain);
        policy.allowed && policy.presence != PresencePolicy::Refuse
    }

    /// Whether a wish to see an SSP user is granted without asking; `by_default` where the policy
    /// does not say.
    pub(super) fn grants(&self, domain: &str, by_default: bool) -> bool {
        match self.policies.of(domain).presence {
            PresencePolicy::Default => by_default,
            PresencePolicy::Grant => true,
            PresencePolicy::Ask | PresencePolicy::Refuse => false,
        }
    }

    /// Whether a stanza of `domain` may come in; `is_to_room`: what it is for is a room.
    pub(super) fn admit(
        &mut self,
        stanza: &Stanza,
        domain: &str,
        is_to_room: bool,
        now: Time,
    ) -> Admission {
        let want = Want::of(stanza, is_to_room);
        let policy = self.policies.of(domain);
        let rate = policy.max_rate.filter(|_| want != Want::Sight);
        if want == Want::Nothing {
            return Admission::Admitted;
        }
        if !policy.allowed {
            return want.denied(Code::FORBIDDEN, "stanzas of denied domains");
        }
        if policy.presence == PresencePolicy::Refuse
            && matches!(want, Want::Subscription | Want::Sight | Want::Probe)
        {
            return want.denied(Code::FORBIDDEN, "presence of domains that may not see it");
        }
        match rate {
            Some(rate) if !self.takes(domain, rate, now) => {
                want.denied(Code::QUEUE_FULL, "probes beyond the rate of their domain")
            }
            _ => Admission::Admitted,
        }
    }

    /// Whether one more stanza keeps to the rate; a second's worth may come in one burst.
    fn takes(&mut self, domain: &str, per_second: u32, now: Time) -> bool {
        let rate = u64::from(per_second);
        if self.buckets.len() >= MAX_DOMAINS && !self.buckets.contains_key(domain) {
            // Whoever was silent for a second is as one who never sent anything.
            self.buckets
                .retain(|_, bucket| now.since(bucket.since) < 1000);
        }
        let is_full = self.buckets.len() >= MAX_DOMAINS && !self.buckets.contains_key(domain);
        let bucket = self
            .buckets
            .entry(if is_full { "" } else { domain }.to_owned())
            .or_insert(Bucket {
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

/// What a stanza wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Nothing: it answers, or ends something.
    Nothing,
    /// A message, a question, a way into a room.
    Something,
    /// To see somebody's presence.
    Subscription,
    /// To know it now.
    Probe,
    /// That one's own presence is seen.
    Sight,
}

impl Want {
    fn of(stanza: &Stanza, is_to_room: bool) -> Self {
        match stanza {
            Stanza::Message(message) if message.type_ == MessageType::Error => Self::Nothing,
            Stanza::Iq(Iq::Result { .. } | Iq::Error { .. }) => Self::Nothing,
            Stanza::Message(_) | Stanza::Iq(_) => Self::Something,
            Stanza::Presence(presence) => match presence.type_ {
                Type::Subscribe => Self::Subscription,
                Type::Probe => Self::Probe,
                Type::None if is_to_room || join_of(presence).is_some() => Self::Something,
                Type::None | Type::Subscribed => Self::Sight,
                Type::Unsubscribe | Type::Unsubscribed | Type::Unavailable | Type::Error => {
                    Self::Nothing
                }
            },
        }
    }

    fn denied(self, code: Code, kind: &'static str) -> Admission {
        match self {
            Self::Something | Self::Subscription => Admission::Refused(code),
            Self::Nothing | Self::Probe | Self::Sight => Admission::Dropped(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::text::parse;

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

    fn admits(gate: &mut Gate, xml: &str, domain: &str) -> Admission {
        gate.admit(&parse(xml).unwrap(), domain, false, Time(1_000))
    }

    #[test]
    fn the_policy_of_a_domain_is_its_own_else_that_of_one_above_it_else_that_of_all() {
        let gate = Gate::new(policies(&[
            ("bad.test", denied()),
            ("good.bad.test", Policy::default()),
            ("xn--bcher-kva.test", denied()),
        ]));
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
            assert_eq!(gate.may_talk(domain), may, "{domain}");
        }
        let gate = Gate::new(Policies {
            others: denied(),
            ..policies(&[("good.test", Policy::default())])
        });
        assert!(gate.may_talk("good.test"));
        assert!(!gate.may_talk("other.test"));
    }

    #[test]
    fn what_a_denied_domain_wants_is_refused_and_what_ends_something_passes() {
        let mut gate = Gate::new(policies(&[("bad.test", denied())]));
        let refused = Admission::Refused(Code::FORBIDDEN);
        let dropped = Admission::Dropped("stanzas of denied domains");
        for (xml, admission) in [
            ("<message type='chat'><body>a</body></message>", refused),
            ("<message type='error'/>", Admission::Admitted),
            (
                "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
                refused,
            ),
            ("<iq type='result' id='1'/>", Admission::Admitted),
            ("<presence type='subscribe'/>", refused),
            (
                "<presence><x xmlns='http://jabber.org/protocol/muc'/></presence>",
                refused,
            ),
            ("<presence/>", dropped),
            ("<presence type='probe'/>", dropped),
            ("<presence type='subscribed'/>", dropped),
            ("<presence type='unsubscribe'/>", Admission::Admitted),
            ("<presence type='unsubscribed'/>", Admission::Admitted),
            ("<presence type='unavailable'/>", Admission::Admitted),
        ] {
            assert_eq!(admits(&mut gate, xml, "bad.test"), admission, "{xml}");
            assert_eq!(admits(&mut gate, xml, "good.test"), Admission::Admitted);
        }
    }

    #[test]
    fn a_domain_that_may_not_see_presence_may_talk() {
        let policy = Policy {
            presence: PresencePolicy::Refuse,
            ..Policy::default()
        };
        let mut gate = Gate::new(policies(&[("shy.test", policy)]));
        let subscribe = admits(&mut gate, "<presence type='subscribe'/>", "shy.test");
        assert_eq!(subscribe, Admission::Refused(Code::FORBIDDEN));
        let seen = admits(&mut gate, "<presence/>", "shy.test");
        assert!(matches!(seen, Admission::Dropped(_)), "{seen:?}");
        // What an occupant of a room says of itself is part of the room.
        let presence = parse("<presence/>").unwrap();
        let in_room = gate.admit(&presence, "shy.test", true, Time(1_000));
        assert_eq!(in_room, Admission::Admitted);
        let message = admits(&mut gate, "<message><body>a</body></message>", "shy.test");
        assert_eq!(message, Admission::Admitted);
        assert!(gate.may_talk("shy.test") && !gate.may_see("shy.test"));
        assert!(!gate.grants("shy.test", true));
    }

    #[test]
    fn each_domain_has_a_second_s_worth_of_stanzas_and_gets_more_with_time() {
        let policy = Policy {
            max_rate: Some(3),
            ..Policy::default()
        };
        let mut gate = Gate::new(Policies {
            others: policy,
            ..Policies::default()
        });
        let message = parse("<message><body>a</body></message>").unwrap();
        let presence = parse("<presence/>").unwrap();
        let mut took = |domain: &str, at: u64| {
            gate.admit(&presence, domain, false, Time(at)) == Admission::Admitted
                && gate.admit(&message, domain, false, Time(at)) == Admission::Admitted
        };
        let first: Vec<bool> = (0..5).map(|_| took("a.test", 1_000)).collect();
        assert_eq!(first, [true, true, true, false, false]);
        assert!(took("b.test", 1_000));
        assert!(took("a.test", 1_334));
        assert!(!took("a.test", 1_334));
        let probe = parse("<presence type='probe'/>").unwrap();
        let probe = gate.admit(&probe, "a.test", false, Time(1_334));
        assert!(matches!(probe, Admission::Dropped(_)), "{probe:?}");
        // Names cost memory for a second.
        for n in 0..2 * MAX_DOMAINS as u64 {
            gate.admit(&message, &format!("d{n}.test"), false, Time(10_000));
        }
        assert!(gate.buckets.len() <= MAX_DOMAINS + 1);
        gate.admit(&message, "e.test", false, Time(11_000));
        assert!(gate.buckets.len() <= 2);
    }
}
