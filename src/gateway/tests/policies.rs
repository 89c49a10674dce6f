//! What domains of XMPP may do.

use super::invitation::cancel;
use super::messages::send;
use super::presence::{SUBSCRIBE, status, subscribe, types};
use super::rooms::{ENTRY, LAPTOP, PARTY};
use super::*;
use crate::gateway::RoomCount;

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
    /// The last input has asked an XMPP user this, and the server has it.
    fn is_asked(&mut self, kind: &str) {
        assert_eq!(types(self), [kind]);
        for mark in self.marks() {
            self.confirm(mark);
        }
    }

    fn policies(&mut self, policies: Policies) {
        self.run(|gateway, now| gateway.set_policies(policies, now));
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
fn no_request_of_an_ssp_user_goes_to_a_denied_domain() {
    let mut world = World::up(GatewaySettings {
        policies: denied(),
        ..GatewaySettings::default()
    });
    let meta = format!(
        "<MetaInfo><Requestor serviceID='wv:@village.example'><User userID='{BOB}'/></Requestor></MetaInfo>"
    );
    for request in [
        format!("<GetPresenceRequest><VerUserID userID='{ALICE}'/></GetPresenceRequest>"),
        format!("<VerifyIDRequest>{meta}<IDList><UserID userID='{ALICE}'/></IDList></VerifyIDRequest>"),
        format!("<GetUserProfileRequest userID='{ALICE}'>{meta}</GetUserProfileRequest>"),
        "<GetSPInfoRequest serviceID='wv:@home.example'/>".to_owned(),
        "<SearchRequest searchLimit='2'><SearchPairList><SearchPair element='GROUP_NAME' string='club'/></SearchPairList></SearchRequest>".to_owned(),
    ] {
        let id = world.ssp(Some(BOB), &request);
        assert!(world.out().is_empty(), "{request}: {:?}", world.out());
        assert!(
            world.told(id).contains("code=\"403\""),
            "{request}: {}",
            world.told(id)
        );
    }
}

#[test]
fn what_the_gateway_says_by_itself_does_not_go_to_a_denied_domain() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    let token = world.token("SubscribeRequest");
    world.policies(denied());
    world.answer_to(token, "<Status code='200'/>");
    world.ssp(None, &status("here"));
    assert!(world.out().is_empty(), "{:?}", world.out());
    let silent = world.gateway.silent();
    assert_eq!(
        silent["stanzas to denied domains"], 0,
        "nothing was to be said"
    );
    // They hear it once they may see anybody.
    world.policies(Policies::default());
    assert_eq!(types(&world), ["subscribed", "available"]);
    // To a message that came before the answer is not let out.
    world.xmpp("<message from='alice@home.example/x' to='bob@village.example' id='m1'><body>hi</body><request xmlns='urn:xmpp:receipts'/></message>");
    let token = world.token("SendMessageRequest");
    world.policies(denied());
    world.answer_to(
        token,
        "<SendMessageResponse><Status code='531'/></SendMessageResponse>",
    );
    // An error is one more word of nothing.
    let [error] = &world.out()[..] else {
        panic!("{:?}", world.out());
    };
    assert!(error.contains("type='error'"), "{error}");
}

#[test]
fn what_was_held_on_the_way_in_does_not_come_in_from_a_domain_denied_by_then() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'><status>It is me</status></presence>");
    let token = world.token("SubscribeRequest");
    world.policies(denied());
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    world.answer_to(token, "<Status code='200'/>");
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    assert_eq!(world.gateway.silent()["stanzas of denied domains"], 1);
    // Nor is the wish brought again, before they may see anybody.
    world.pass(3_600_000);
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    world.policies(Policies::default());
    world.token("SubscribeRequest");
}

#[test]
fn the_answer_to_a_question_of_a_domain_denied_by_then_is_an_error() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<iq type='get' id='q-1' from='alice@home.example/x' to='bob@village.example'><vCard xmlns='vcard-temp'/></iq>");
    let token = world.token("GetUserProfileRequest");
    world.policies(denied());
    world.answer_to(token, "<GetUserProfileResponse userID='wv:bob@village.example'><Status code='200'/><UserProfile><Properties><Property><Name>PP_FRIENDLY_NAME</Name><Value>Bob</Value></Property></Properties></UserProfile></GetUserProfileResponse>");
    let [error] = &world.out()[..] else {
        panic!("{:?}", world.out());
    };
    for part in ["type='error'", "id='q-1'", "forbidden"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(world.gateway.silent()["stanzas to denied domains"], 1);
}

#[test]
fn an_invitation_into_a_denied_domain_is_not_taken_back_there() {
    let mut world = World::up(GatewaySettings::default());
    assert_eq!(world.invites("t-1", "IM", ""), Some(200));
    world.policies(denied());
    let id = world.ssp(Some(BOB), &cancel("t-1", ""));
    assert_eq!(world.code(id), Some(403));
    assert!(world.out().is_empty(), "{:?}", world.out());
}

#[test]
fn who_was_leaving_a_room_of_a_denied_domain_has_left_it() {
    let mut world = World::visiting_under(Policies::default());
    let leave = "<LeaveGroupRequest groupID='wv:/club@home.example'/>";
    world.ssp(Some(BOB), leave);
    world.settings.policies = denied();
    world.restart();
    world.link_up();
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    world.pass(1);
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    assert_eq!(world.gateway.rooms(), RoomCount::default());
}

#[test]
fn what_waits_for_a_domain_that_is_denied_by_then_does_not_go_out() {
    for at_start in [false, true] {
        let mut world = World::up(GatewaySettings::default());
        world.link_down();
        send(&mut world, "m-1", false);
        if at_start {
            world.settings.policies = denied();
            world.restart();
        } else {
            world.policies(denied());
            assert_eq!(world.outcomes(), [Outcome::Refused(410)]);
        }
        world.link_up();
        assert!(world.out().is_empty(), "{:?}", world.out());
        if at_start {
            assert_eq!(world.outcomes(), [Outcome::Refused(410)]);
        }
        assert!(world.kept().is_empty(), "{:?}", world.kept());
    }
}

#[test]
fn a_reload_that_changes_nothing_does_nothing_and_wishes_stay() {
    let mut world = World::up(GatewaySettings::default());
    let id = subscribe(&mut world, "");
    assert_eq!(world.code(id), Some(200));
    world.is_asked("subscribe");
    world.policies(Policies::default());
    assert!(world.out().is_empty(), "{:?}", world.out());
    // One that changes what another domain may do asks nobody either.
    let other = Policies {
        named: BTreeMap::from([("other.example".to_owned(), Policy::default())]),
        ..Policies::default()
    };
    world.policies(other);
    assert!(world.out().is_empty(), "{:?}", world.out());
    // Who could not be seen for a while is asked again whether they may be.
    for policies in [denied(), shy()] {
        world.policies(policies);
        assert!(world.out().is_empty(), "{:?}", world.out());
        world.policies(Policies::default());
        world.is_asked("subscribe");
    }
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.pass(2_000);
    assert_eq!(types(&world), ["probe"]);
    world.policies(shy());
    world.pass(600_000);
    assert!(world.out().is_empty(), "{:?}", world.out());
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    world.link_up();
    assert!(world.out().is_empty(), "{:?}", world.out());
    world.policies(Policies::default());
    assert_eq!(types(&world), ["probe"]);
}

#[test]
fn who_may_not_be_seen_is_neither_invited_to_be_seen_nor_told_of_by_what_they_publish() {
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "");
    world.is_asked("subscribe");
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.xmpp("<presence from='alice@home.example/x' to='bob@village.example'/>");
    world.policies(shy());
    world.pass(60_000);
    world.xmpp("<message type='headline' from='alice@home.example' to='bob@village.example'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='http://jabber.org/protocol/mood'><item><mood xmlns='http://jabber.org/protocol/mood'><happy/></mood></item></items></event></message>");
    world.pass(60_000);
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    assert_eq!(world.invites("p-1", "PR", ""), Some(403));
}

#[test]
fn who_may_not_be_seen_may_be_met_in_rooms_of_either_side() {
    let mut world = World::visiting_under(shy());
    assert_eq!(world.gateway.rooms().unsettled, 0);
    assert_eq!(world.gateway.rooms().visitors, 1);
    world.enter(LAPTOP, "Ali");
    assert_eq!(world.gateway.rooms().occupants, 1);
}

#[test]
fn ssp_users_leave_rooms_of_a_denied_domain_and_hear_it() {
    for at_start in [false, true] {
        let mut world = World::visiting_under(Policies::default());
        if at_start {
            world.settings.policies = denied();
            world.restart();
            world.link_up();
            world.pass(1);
        } else {
            world.policies(denied());
        }
        let [indication] = &world.sent()[..] else {
            panic!("{:?}", world.sent());
        };
        assert!(
            indication.starts_with("<LeaveGroupIndication") && indication.contains("\"403\""),
            "{indication}"
        );
        assert_eq!(types(&world), ["unavailable"], "{:?}", world.out());
        assert_eq!(world.gateway.rooms(), RoomCount::default());
        assert!(!world.kept().iter().any(|key| key.contains("visit")));
    }
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
    assert!(world.out()[0].contains("code='307'"), "{:?}", world.out());
    world.xmpp(&format!(
        "<presence from='{LAPTOP}' to='{PARTY}/Ali' id='p2'>{ENTRY}</presence>"
    ));
    assert!(world.out()[0].contains("forbidden"), "{:?}", world.out());
}

#[test]
fn who_may_be_in_a_group_no_more_after_a_start_leaves_it() {
    for is_orderly in [true, false] {
        let mut world = World::inside();
        if is_orderly {
            world.run(|gateway, _| gateway.farewell());
        }
        world.settings.policies = denied();
        world.restart();
        world.link_up();
        world.pass(1);
        let left = world.token("LeaveGroupRequest");
        world.answer_to(
            left,
            "<LeaveGroupIndication><Status code='200'/></LeaveGroupIndication>",
        );
        assert_eq!(world.gateway.rooms(), RoomCount::default());
    }
}

#[test]
fn what_the_link_of_another_server_brings_for_a_component_is_none_of_its_business() {
    let of_server = |component: &str, server: &str| (component.to_owned(), server.to_owned());
    for (other, is_taken) in [("b.example:5347", false), ("a.example:5347", true)] {
        let settings = GatewaySettings {
            servers: BTreeMap::from([
                of_server(VILLAGE, "a.example:5347"),
                of_server("town.example", other),
            ]),
            ..GatewaySettings::default()
        };
        let translator = Translator::new("home.example", &[VILLAGE, "town.example"]);
        let mut world = World::up(settings.clone());
        world.gateway = Gateway::new(settings, Arc::new(translator), 7);
        world.link_up();
        let town = "town.example".to_owned();
        world.take(Input::Xmpp(town.clone(), FromXmpp::Up));
        let text = format!(
            "<message xmlns='{}' from='alice@home.example/x' to='bob@village.example' id='m1'><body>hi</body></message>",
            ns::DEFAULT_NS
        );
        let stanza = stanza::parse(&text).unwrap();
        world.take(Input::Xmpp(town, FromXmpp::Stanza(stanza)));
        assert_eq!(world.sent().len(), usize::from(is_taken), "{other}");
        if !is_taken {
            let [refusal] = &world.out()[..] else {
                panic!("{:?}", world.out());
            };
            assert!(refusal.contains("from='town.example'"), "{refusal}");
        }
    }
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
