//! What passes between domains of XMPP and the SSP side, as their policies say.

use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::presence::Type;

use super::policy::{Policies, PresencePolicy};
use super::rates::Rates;
use crate::element::Time;
use crate::imps::Code;
use crate::translate::Translator;
use crate::translate::room::join_of;

/// What a stanza from XMPP meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted,
    /// Its sender is told this.
    Refused(Code),
    /// It wants no answer; counted as this kind.
    Dropped(&'static str),
}

/// Which end of a stanza is a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Neither.
    Users,
    /// That which has sent it: it is of an occupant.
    OfRoom,
    /// That which it is for.
    ToRoom,
}

impl Place {
    /// Of a stanza with these ends.
    pub(super) fn of((from, to): (&Jid, &Jid), translator: &Translator) -> Self {
        // Users of other domains may have addresses that look like those of rooms.
        if translator.is_room(to) {
            Self::ToRoom
        } else if translator.is_room(from) {
            Self::OfRoom
        } else {
            Self::Users
        }
    }
}

/// The policies in force, and how much each domain may still send.
#[derive(Debug, Default)]
pub(super) struct Gate {
    policies: Policies,
    rates: Rates,
}

impl Gate {
    pub(super) fn new(policies: Policies) -> Self {
        Self {
            policies,
            ..Self::default()
        }
    }

    pub(super) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Puts these policies in force; those that were before. What each domain may still send stays as
    /// it is.
    pub(super) fn replace(&mut self, policies: Policies) -> Policies {
        std::mem::replace(&mut self.policies, policies)
    }

    /// Whether something may be sent to a domain.
    pub(super) fn may_talk(&self, domain: &str) -> bool {
        self.policies.of(domain).allowed
    }

    /// Whether users of a domain and of the SSP side may see each other's presence.
    pub(super) fn may_see(&self, domain: &str) -> bool {
        self.policies.of(domain).may_see()
    }

    /// Whether a wish to see an SSP user is granted without asking; `by_default` where the policy
    /// does not say.
    pub(super) fn grants(&self, domain: &str, by_default: bool) -> bool {
        let policy = self.policies.of(domain);
        policy.allowed
            && match policy.presence {
                PresencePolicy::Default => by_default,
                PresencePolicy::Grant => true,
                PresencePolicy::Ask | PresencePolicy::Refuse => false,
            }
    }

    /// Whether a stanza may go out to `domain`; else the kind as which it is counted.
    ///
    /// # Errors
    /// That kind.
    pub(super) fn let_out(
        &self,
        stanza: &Stanza,
        domain: &str,
        place: Place,
    ) -> Result<(), &'static str> {
        match self.closed(Want::of(stanza, place), domain) {
            Some(Closed::Denied) => Err("stanzas to denied domains"),
            Some(Closed::Unseen) => Err("presence for domains that may not see it"),
            None => Ok(()),
        }
    }

    /// Why what is wanted does not pass between `domain` and the SSP side, in either direction.
    fn closed(&self, want: Want, domain: &str) -> Option<Closed> {
        let policy = self.policies.of(domain);
        let is_seeing = matches!(want, Want::Subscription | Want::Sight | Want::Probe);
        match (want, policy.allowed, policy.presence) {
            (Want::Nothing, _, _) => None,
            (_, false, _) => Some(Closed::Denied),
            (_, _, PresencePolicy::Refuse) if is_seeing => Some(Closed::Unseen),
            _ => None,
        }
    }

    /// Whether a stanza of `domain` may come in.
    pub(super) fn admit(
        &mut self,
        stanza: &Stanza,
        domain: &str,
        place: Place,
        now: Time,
    ) -> Admission {
        let want = Want::of(stanza, place);
        if want == Want::Answer {
            // The question was let out.
            return Admission::Admitted;
        }
        match self.closed(want, domain) {
            Some(Closed::Denied) => {
                return want.denied(Code::FORBIDDEN, "stanzas of denied domains");
            }
            Some(Closed::Unseen) => {
                return want.denied(Code::FORBIDDEN, "presence of domains that may not see it");
            }
            None if matches!(want, Want::Nothing | Want::Sight | Want::Occupancy) => {
                return Admission::Admitted;
            }
            None => {}
        }
        if self.rates.take(&self.policies, domain, now) {
            Admission::Admitted
        } else {
            want.denied(Code::QUEUE_FULL, "probes beyond the rate of their domain")
        }
    }
}

/// Why nothing of a kind passes.
enum Closed {
    /// There is nothing between the domain and the SSP side.
    Denied,
    /// Its users and those of the SSP side do not see each other.
    Unseen,
}

/// What a stanza wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// Nothing: it ends something, or says that it has been done or can't be.
    Nothing,
    /// That who has asked something knows it.
    Answer,
    /// A message, a question, a way into a room.
    Something,
    /// To see somebody's presence.
    Subscription,
    /// To know it now.
    Probe,
    /// That one's own presence is seen.
    Sight,
    /// That those in a room know who else is there.
    Occupancy,
}

impl Want {
    fn of(stanza: &Stanza, place: Place) -> Self {
        match stanza {
            Stanza::Message(message) if message.type_ == MessageType::Error => Self::Nothing,
            Stanza::Iq(Iq::Result {
                payload: Some(_), ..
            }) => Self::Answer,
            Stanza::Iq(Iq::Result { .. } | Iq::Error { .. }) => Self::Nothing,
            Stanza::Message(_) | Stanza::Iq(_) => Self::Something,
            Stanza::Presence(presence) => match presence.type_ {
                Type::Subscribe => Self::Subscription,
                Type::Probe => Self::Probe,
                Type::None if place == Place::OfRoom => Self::Occupancy,
                Type::None if place == Place::ToRoom || join_of(presence).is_some() => {
                    Self::Something
                }
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
            Self::Nothing | Self::Answer | Self::Probe | Self::Sight | Self::Occupancy => {
                Admission::Dropped(kind)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::Policy;
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
        gate.admit(&parse(xml).unwrap(), domain, Place::Users, Time(1_000))
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
            (
                "<iq type='result' id='1'><query xmlns='jabber:iq:version'/></iq>",
                Admission::Admitted,
            ),
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
        for place in [Place::OfRoom, Place::ToRoom] {
            let in_room = gate.admit(&presence, "shy.test", place, Time(1_000));
            assert_eq!(in_room, Admission::Admitted, "{place:?}");
            assert_eq!(gate.let_out(&presence, "shy.test", place), Ok(()));
        }
        let message = admits(&mut gate, "<message><body>a</body></message>", "shy.test");
        assert_eq!(message, Admission::Admitted);
        assert!(gate.may_talk("shy.test") && !gate.may_see("shy.test"));
        assert!(!gate.grants("shy.test", true));
    }

    #[test]
    fn the_way_into_a_room_is_one_whoever_takes_it() {
        let translator = Translator::new("home.example", &["village.example"]);
        let room = Jid::new(r"bob\2fparty@village.example/Al").unwrap();
        for user in ["alice@home.example/x", r"a\2fb@home.example/x"] {
            let user = Jid::new(user).unwrap();
            let place = Place::of((&user, &room), &translator);
            assert_eq!(place, Place::ToRoom, "{user}");
        }
        let user = Jid::new("alice@home.example/x").unwrap();
        assert_eq!(Place::of((&room, &user), &translator), Place::OfRoom);
    }

    #[test]
    fn what_a_room_shows_of_its_occupants_comes_in_whatever_the_rate() {
        let slow = Policy {
            max_rate: Some(1),
            presence: PresencePolicy::Refuse,
            ..Policy::default()
        };
        let mut gate = Gate::new(policies(&[("slow.test", slow), ("bad.test", denied())]));
        let presence = parse("<presence/>").unwrap();
        for _ in 0..5 {
            let admission = gate.admit(&presence, "slow.test", Place::OfRoom, Time(1_000));
            assert_eq!(admission, Admission::Admitted);
        }
        let admission = gate.admit(&presence, "bad.test", Place::OfRoom, Time(1_000));
        assert!(matches!(admission, Admission::Dropped(_)), "{admission:?}");
    }

    #[test]
    fn nothing_goes_out_to_a_denied_domain_but_errors_and_what_ends_something() {
        let shy = Policy {
            presence: PresencePolicy::Refuse,
            ..Policy::default()
        };
        let gate = Gate::new(policies(&[("bad.test", denied()), ("shy.test", shy)]));
        for (xml, to_denied, to_shy) in [
            ("<message><body>a</body></message>", false, true),
            ("<message type='error'/>", true, true),
            (
                "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
                false,
                true,
            ),
            (
                "<iq type='result' id='1'><query xmlns='jabber:iq:version'/></iq>",
                false,
                true,
            ),
            ("<iq type='result' id='1'/>", true, true),
            ("<presence type='subscribe'/>", false, false),
            ("<presence type='subscribed'/>", false, false),
            ("<presence type='probe'/>", false, false),
            ("<presence/>", false, false),
            ("<presence type='unsubscribe'/>", true, true),
            ("<presence type='unsubscribed'/>", true, true),
            ("<presence type='unavailable'/>", true, true),
            ("<presence type='error'/>", true, true),
        ] {
            let stanza = parse(xml).unwrap();
            let passes = |domain| gate.let_out(&stanza, domain, Place::Users).is_ok();
            assert_eq!(passes("bad.test"), to_denied, "{xml}");
            assert_eq!(passes("shy.test"), to_shy, "{xml}");
            assert!(passes("good.test"), "{xml}");
        }
        let mut gate = gate;
        let grant = Policy {
            presence: PresencePolicy::Grant,
            ..denied()
        };
        gate.replace(policies(&[("bad.test", grant)]));
        assert!(!gate.grants("bad.test", true));
    }
}
