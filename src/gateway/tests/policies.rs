//! What domains of XMPP may do.

use super::messages::send;
use super::presence::{SUBSCRIBE, status, subscribe, types};
use super::rooms::{ENTRY, LAPTOP, PARTY};
use super::*;

fn policies(policy: Policy) -> Policies {
    Policies {
        named: BTreeMap::from([("home.example".to_owned(), policy)]),
        others: Policy::default(),
    }
}

fn denied() -> Policies {
    policies(Policy {
        allowed: false,
        ..Policy::default()
    })
}

fn shy() -> Policies {
    policies(Policy {
        presence: PresencePolicy::Refuse,
        ..Policy::default()
    })
}

impl World {
    fn policies(&mut self, policies: Policies) {
        self.run(|gateway, now| {
            gateway.set_policies(policies, now);
            gateway.settle(now);
        });
    }
}

#[test]
fn nothing_passes_between_ssp_users_and_a_denied_domain() {
    let mut world = World::up(GatewaySettings {
        policies: denied(),
        ..GatewaySettings::default()
    });
    world.xmpp("<message from='alice@home.example/x' to='bob@village.example' id='m1'><body>hi</body></message>");
    assert!(world.sent().is_empty());
    assert!(world.out()[0].contains("forbidden"), "{:?}", world.out());
    world.xmpp(SUBSCRIBE);
    assert!(world.out()[0].contains("forbidden"), "{:?}", world.out());
    world.xmpp("<presence from='alice@home.example/x' to='bob@village.example'/>");
    assert!(world.out().is_empty());
    assert_eq!(world.gateway.silent()["stanzas of denied domains"], 1);
    let id = send(&mut world, "m-1", false);
    assert_eq!(world.code(id), Some(403));
    let id = subscribe(&mut world, "");
    assert_eq!(world.code(id), Some(403));
    let join = "<JoinGroupRequest groupID='wv:/club@home.example' joinedListRequest='Yes'/>";
    // The room service is a domain below the one that is denied.
    let id = world.ssp(Some(BOB), join);
    assert_eq!(world.code(id), Some(403));
    assert!(world.out().is_empty(), "{:?}", world.out());
}

#[test]
fn a_reload_hides_and_shows_those_whom_a_domain_may_see() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    world.ssp(None, &status("here"));
    assert_eq!(types(&world), ["subscribed", "available"]);
    for policies in [denied(), shy()] {
        world.policies(policies);
        assert_eq!(types(&world), ["unavailable"]);
        world.pass(60_000);
        world.ssp(None, &status("still here"));
        world.pass(60_000);
        assert!(world.out().is_empty(), "{:?}", world.out());
        world.policies(Policies::default());
        assert_eq!(types(&world), ["available"]);
        world.ssp(None, &status("here"));
        world.pass(60_000);
    }
}

#[test]
fn the_presence_of_a_domain_may_be_granted_where_others_are_asked() {
    let granted = policies(Policy {
        presence: PresencePolicy::Grant,
        ..Policy::default()
    });
    let mut world = World::up(GatewaySettings {
        policies: granted,
        ..GatewaySettings::default()
    });
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    assert_eq!(types(&world), ["subscribed"]);
    world.xmpp("<presence type='subscribe' from='dora@other.example' to='bob@village.example'/>");
    world.answer("<Status code='200'/>");
    assert!(world.out().is_empty());
}

#[test]
fn who_is_in_a_group_and_may_be_so_no_more_leaves_it() {
    let mut world = World::inside();
    world.policies(denied());
    world.token("LeaveGroupRequest");
    world.xmpp(&format!(
        "<presence from='{LAPTOP}' to='{PARTY}/Ali' id='p2'>{ENTRY}</presence>"
    ));
    assert!(world.out()[0].contains("forbidden"), "{:?}", world.out());
}

#[test]
fn what_exceeds_the_rate_of_a_domain_is_refused_and_comes_later() {
    let slow = policies(Policy {
        max_rate: Some(2),
        ..Policy::default()
    });
    let mut world = World::up(GatewaySettings {
        policies: slow,
        ..GatewaySettings::default()
    });
    let say = |world: &mut World, from: &str| {
        world.xmpp(&format!(
            "<message from='{from}/x' to='bob@village.example' id='m'><body>hi</body></message>"
        ));
        world.sent().len()
    };
    let sent: Vec<usize> = (0..3)
        .map(|_| say(&mut world, "alice@home.example"))
        .collect();
    assert_eq!(sent, [1, 1, 0]);
    assert!(
        world.out()[0].contains("resource-constraint"),
        "{:?}",
        world.out()
    );
    assert!(world.out()[0].contains("type='wait'"), "{:?}", world.out());
    assert_eq!(say(&mut world, "dora@other.example"), 1);
    world.pass(500);
    assert_eq!(say(&mut world, "alice@home.example"), 1);
}
