use super::*;
use xmpp_parsers::presence::Presence;

pub(super) const SUBSCRIBE: &str =
    "<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>";

pub(super) fn notification(inner: &str) -> String {
    format!(
        "<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'>\
        <PresenceSubList>{inner}</PresenceSubList></PresenceValue></PresenceNotification>"
    )
}

pub(super) fn status(text: &str) -> String {
    notification(&format!(
        "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>\
         <StatusText><Qualifier>T</Qualifier><PresenceValue>{text}</PresenceValue></StatusText>"
    ))
}

/// Alice watches Bob, who is online.
pub(super) fn watching(settings: GatewaySettings) -> World {
    let mut world = World::up(settings);
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    world.ssp(None, &status("here"));
    world.confirm(u64::MAX);
    world.pass(10_000);
    world
}

pub(super) fn types(world: &World) -> Vec<String> {
    let kind = |text: String| match text.split_once("type='") {
        Some((_, rest)) => rest.split('\'').next().unwrap_or_default().to_owned(),
        None => "available".to_owned(),
    };
    world.out().into_iter().map(kind).collect()
}

#[test]
fn a_subscription_becomes_active_with_the_first_valid_attribute() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    let request = world.sent().remove(0);
    for part in [
        "<SubscribeRequest>",
        "<User userID=\"wv:alice@home.example\"/>",
        "<UserID userID=\"wv:bob@village.example\"/>",
        "<OnlineStatus/>",
        "<InfoLink/>",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(!request.contains("<PLMN/>"));
    assert!(world.out().is_empty());
    world.answer("<Status code='200'/>");
    assert!(world.out().is_empty());
    // Nothing authorized yet.
    world.ssp(
        None,
        "<PresenceNotification><User userID='alice@home.example'/></PresenceNotification>",
    );
    world.ssp(
        None,
        &notification("<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>"),
    );
    assert!(world.out().is_empty());
    world.ssp(None, &status("here"));
    assert_eq!(types(&world), ["subscribed", "available"]);
    assert!(world.out()[0].contains("from='bob@village.example' to='alice@home.example'"));
    assert!(world.out()[1].contains("from='bob@village.example/imps'"));
    // All withdrawn: unavailable, but not unsubscribed.
    world.pass(5_000);
    let withdrawn = "<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus><StatusText><Qualifier>F</Qualifier></StatusText>";
    world.ssp(None, &notification(withdrawn));
    assert_eq!(types(&world), ["unavailable"]);
    world.ssp(None, &status("again"));
    assert_eq!(types(&world), ["available"]);
}

#[test]
fn the_policy_may_tell_subscribed_at_once() {
    let mut world = World::up(GatewaySettings {
        auto_subscribed: true,
        ..GatewaySettings::default()
    });
    world.xmpp(SUBSCRIBE);
    world.answer("<Status code='200'/>");
    assert_eq!(types(&world), ["subscribed"]);
    world.ssp(None, &status("here"));
    assert_eq!(types(&world), ["available"]);
}

#[test]
fn refusals_end_a_subscription_as_the_code_wants() {
    for (answer, expected) in [
        ("<Status code='531'/>", &["error", "unsubscribed"][..]),
        (
            "<Status code='201'><DetailedResult code='531'/></Status>",
            &["error", "unsubscribed"],
        ),
        ("<Status code='901'/>", &["error", "unsubscribed"]),
        ("<Status code='403'/>", &["unsubscribed"]),
        ("<Status code='532'/>", &["unsubscribed"]),
        ("<Status code='534'/>", &["unsubscribed"]),
    ] {
        let mut world = World::up(GatewaySettings::default());
        world.xmpp(SUBSCRIBE);
        world.answer(answer);
        assert_eq!(types(&world), expected, "{answer}");
        if expected.len() == 2 {
            assert!(world.out()[0].contains("item-not-found"));
        }
        assert_eq!(world.gateway.watches(), (0, 0));
    }
}

#[test]
fn a_subscription_is_tried_again_for_an_hour() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(SUBSCRIBE);
    let mut tries = 0;
    while !world.requests().is_empty() {
        world.answer("<Status code='503'/>");
        tries += 1;
        if world.out().is_empty() {
            world.pass(600_000);
        }
    }
    assert!((5..12).contains(&tries), "{tries}");
    assert_eq!(types(&world), ["error"]);
    assert!(world.out()[0].contains("remote-server-timeout"));
}

#[test]
fn unsubscribe_ends_it_whatever_the_answer() {
    let mut world = watching(GatewaySettings::default());
    world.xmpp(&SUBSCRIBE.replace("subscribe", "unsubscribe"));
    assert!(world.sent()[0].contains("<UnsubscribeRequest>"));
    assert_eq!(types(&world), ["unsubscribed", "unavailable"]);
    world.answer("<Status code='500'/>");
    // Notifications that still come are dropped.
    world.ssp(None, &status("ghost"));
    assert!(world.out().is_empty());
    assert_eq!(world.gateway.watches(), (0, 0));
}

#[test]
fn changes_are_merged_and_repetitions_suppressed() {
    let mut world = watching(GatewaySettings::default());
    world.ssp(None, &status("here"));
    assert!(world.out().is_empty());
    world.ssp(None, &status("one"));
    assert_eq!(world.out().len(), 1);
    world.ssp(None, &status("two"));
    world.ssp(None, &status("three"));
    assert!(world.out().is_empty());
    world.pass(2_000);
    let [only] = &world.out()[..] else {
        panic!("one stanza")
    };
    assert!(only.contains("<status>three</status>"));
    // What a notification does not mention stays.
    world.pass(10_000);
    world.ssp(None, &notification("<UserAvailability><Qualifier>T</Qualifier><PresenceValue>DISCREET</PresenceValue></UserAvailability>"));
    assert!(world.out()[0].contains("<show>dnd</show>") && world.out()[0].contains("three"));
}

#[test]
fn a_probe_is_answered_from_memory_and_asks_anew_when_that_is_old() {
    let probe = "<presence type='probe' from='alice@home.example/x' to='bob@village.example'/>";
    let mut world = watching(GatewaySettings::default());
    world.xmpp(probe);
    assert_eq!(types(&world), ["available"]);
    assert!(world.sent().is_empty());
    world.pass(300_000);
    world.xmpp(probe);
    assert_eq!(types(&world), ["available"]);
    assert!(world.sent()[0].contains("<SubscribeRequest>"));

    let mut world = World::up(GatewaySettings {
        get_presence: true,
        ..GatewaySettings::default()
    });
    let response = |inner: &str| {
        format!("<GetPresenceResponse><Status code='200'/>{inner}</GetPresenceResponse>")
    };
    world.xmpp(probe);
    assert!(world.sent()[0].contains("<GetPresenceRequest>"));
    world.answer(&response(""));
    assert!(world.out().is_empty());
    world.xmpp(probe);
    world.answer("<GetPresenceResponse><Status code='531'/></GetPresenceResponse>");
    assert_eq!(types(&world), ["unsubscribed"]);
    world.xmpp(probe);
    world.answer(&response("<PresenceValue userID='wv:bob@village.example'><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue>"));
    assert_eq!(types(&world), ["available"]);
}

#[test]
fn a_lost_session_hides_its_users_after_a_minute_and_a_new_one_shows_them() {
    let mut world = watching(GatewaySettings::default());
    world.take(Input::Lost(vec![VILLAGE.to_owned()]));
    world.pass(59_999);
    assert!(world.out().is_empty());
    world.pass(1);
    assert_eq!(types(&world), ["unavailable"]);
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    assert!(world.sent()[0].contains("<SubscribeRequest>"));
    assert_eq!(types(&world), ["available"]);
    // A short loss is not seen.
    world.take(Input::Lost(vec![VILLAGE.to_owned()]));
    world.pass(30_000);
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    world.pass(60_000);
    assert!(world.out().is_empty());
}

#[test]
fn subscriptions_survive_a_restart_and_are_placed_anew() {
    let mut world = watching(GatewaySettings::default());
    world.restart();
    world.pass(0);
    assert!(world.sent()[0].contains("<SubscribeRequest>"));
    world.link_up();
    assert!(world.out().is_empty());
    world.ssp(None, &status("back"));
    // Alice was told `subscribed` before.
    assert_eq!(types(&world), ["available"]);
}

pub(super) fn subscribe(world: &mut World, attributes: &str) -> RequestId {
    world.ssp(
        Some(BOB),
        &format!("<SubscribeRequest><UserID userID='wv:alice@home.example'/><AttributeList><PresenceSubList>{attributes}</PresenceSubList></AttributeList></SubscribeRequest>"),
    )
}

pub(super) const SUBSCRIBED: &str =
    "<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>";
pub(super) const AVAILABLE: &str = "<presence from='alice@home.example/laptop' to='bob@village.example'><show>xa</show><status>lunch</status></presence>";

/// Bob watches Alice, who is online.
pub(super) fn watched() -> World {
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "");
    world.confirm(world.marks()[0]);
    world.xmpp(SUBSCRIBED);
    world.xmpp(AVAILABLE);
    world.pass(10_000);
    world
}

/// The dialogue of xmpp-mapping, 14.
#[test]
fn the_subscription_example() {
    let mut world = World::up(GatewaySettings::default());
    let id = subscribe(&mut world, "");
    let expected: minidom::Element = format!(
        "<presence xmlns='{}' type='subscribe' from='bob@village.example' to='alice@home.example'/>",
        ns::DEFAULT_NS
    )
    .parse()
    .unwrap();
    let Stanza::Presence(found) = stanza::copy(&world.stanzas[0].stanza) else {
        panic!("presence");
    };
    assert_eq!(found, Presence::try_from(expected).unwrap());
    assert_eq!(world.stanzas.len(), 1);
    assert_eq!(world.code(id), Some(200));
    world.xmpp(SUBSCRIBED);
    assert!(world.acts.is_empty() && world.out().is_empty());
    world.xmpp(AVAILABLE);
    let [notice] = &world.sent()[..] else {
        panic!("a notification")
    };
    for part in [
        "<PresenceNotification>",
        "clientOriginated=\"No\"",
        "<User userID=\"wv:bob@village.example\"/>",
        "<PresenceValue userID=\"wv:alice@home.example\">",
        "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>",
        "<ClientInfo><Qualifier>T</Qualifier><ClientType>COMPUTER</ClientType></ClientInfo>",
        "<Cap>IM</Cap><Status>OPEN</Status>",
        "<UserAvailability><Qualifier>T</Qualifier><PresenceValue>NOT_AVAILABLE</PresenceValue></UserAvailability>",
        "<StatusText><Qualifier>T</Qualifier><PresenceValue>lunch</PresenceValue></StatusText>",
    ] {
        assert!(notice.contains(part), "{part} in {notice}");
    }
    // Presence came by itself: no probe.
    world.pass(60_000);
    assert!(world.out().is_empty() && world.acts.is_empty());
}

#[test]
fn silence_after_approval_is_probed_and_then_absence() {
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "<OnlineStatus/><StatusMood/>");
    world.xmpp(SUBSCRIBED);
    world.pass(2_000);
    assert_eq!(types(&world), ["probe"]);
    world.pass(5_000);
    let [notice] = &world.sent()[..] else {
        panic!("a notification")
    };
    assert!(notice.contains("<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>F</PresenceValue></OnlineStatus><StatusMood><Qualifier>F</Qualifier></StatusMood>"), "{notice}");
}

#[test]
fn presence_is_told_once_merged_and_only_when_authorized() {
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "<OnlineStatus/>");
    world.xmpp(AVAILABLE);
    assert!(world.sent().is_empty());
    world.xmpp(SUBSCRIBED);
    assert_eq!(world.sent().len(), 1);
    world.pass(3_000);
    world.xmpp(&AVAILABLE.replace("lunch", "dinner"));
    assert!(world.sent().is_empty(), "the text was not asked for");
    let off =
        "<presence type='unavailable' from='alice@home.example/laptop' to='bob@village.example'/>";
    world.xmpp(off);
    assert!(world.sent()[0].contains("<PresenceValue>F</PresenceValue>"));
    world.xmpp(AVAILABLE);
    world.xmpp(off);
    world.xmpp(AVAILABLE);
    assert!(world.sent().is_empty());
    world.pass(2_000);
    assert_eq!(world.sent().len(), 1);
    assert!(world.sent()[0].contains("<PresenceValue>T</PresenceValue>"));
    // Strangers cannot fill the memory.
    world.xmpp(&AVAILABLE.replace("alice", "eve"));
    assert_eq!(world.gateway.watches(), (0, 1));
}

#[test]
fn a_denial_withdraws_everything() {
    let mut world = watched();
    world.xmpp(&SUBSCRIBED.replace("subscribed", "unsubscribed"));
    let [notice] = &world.sent()[..] else {
        panic!("a notification")
    };
    assert!(notice.contains("<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>"));
    assert!(!notice.contains("<Qualifier>T</Qualifier>"));
    assert_eq!(world.gateway.watches(), (0, 0));
    assert!(world.kept().is_empty());
}

#[test]
fn nobody_is_remembered_for_a_while() {
    let mut world = World::up(GatewaySettings::default());
    subscribe(&mut world, "<OnlineStatus/>");
    world.xmpp("<presence type='error' from='alice@home.example' to='bob@village.example'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>");
    assert!(world.sent()[0].contains("<OnlineStatus><Qualifier>F</Qualifier>"));
    let id = subscribe(&mut world, "");
    assert_eq!(world.code(id), Some(531));
    world.pass(3_600_000);
    let id = subscribe(&mut world, "");
    assert_eq!(world.code(id), Some(200));
    let several = "<SubscribeRequest><UserID userID='wv:alice@home.example'/><UserID userID='wv:x@third.example'/></SubscribeRequest>";
    let id = world.ssp(Some(BOB), several);
    assert_eq!(world.code(id), Some(201));
    let id = world.ssp(None, several);
    assert_eq!(world.code(id), Some(400));
}

#[test]
fn a_repeated_subscription_replaces_the_first_and_tells_all() {
    let mut world = watched();
    let id = subscribe(&mut world, "<OnlineStatus/>");
    assert_eq!(world.code(id), Some(200));
    assert_eq!(types(&world), ["subscribe"]);
    let [notice] = &world.sent()[..] else {
        panic!("a notification")
    };
    assert!(notice.contains("OnlineStatus") && !notice.contains("StatusText"));
}

#[test]
fn unsubscribing_is_passed_on() {
    let mut world = watched();
    let id = world.ssp(
        Some(BOB),
        "<UnsubscribeRequest><UserID userID='wv:alice@home.example'/></UnsubscribeRequest>",
    );
    assert_eq!(world.code(id), Some(200));
    assert_eq!(types(&world), ["unsubscribe"]);
    world.xmpp(AVAILABLE);
    assert!(world.sent().is_empty());
    world.confirm(u64::MAX);
    assert!(world.kept().is_empty());
}

#[test]
fn a_lost_link_is_told_and_a_new_one_asks_again() {
    let mut world = watched();
    world.link_down();
    world.pass(9_999);
    assert!(world.sent().is_empty());
    world.pass(1);
    let [notice] = &world.sent()[..] else {
        panic!("a notification")
    };
    assert!(notice.contains("<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>"));
    world.pass(10_000);
    world.link_up();
    assert_eq!(types(&world), ["probe"]);
    world.xmpp(AVAILABLE);
    assert!(world.sent()[0].contains("lunch"));
    // A short loss is not seen.
    world.pass(10_000);
    world.link_down();
    world.pass(5_000);
    world.link_up();
    world.xmpp(AVAILABLE);
    world.pass(60_000);
    assert!(world.sent().is_empty(), "{:?}", world.sent());
}

#[test]
fn a_new_session_is_told_everything_again() {
    let mut world = watched();
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    assert!(world.sent()[0].contains("lunch"));
}

#[test]
fn watchers_survive_a_restart() {
    let mut world = watched();
    world.restart();
    world.link_up();
    assert_eq!(types(&world), ["probe"]);
    world.xmpp(AVAILABLE);
    assert!(world.sent()[0].contains("lunch"));
}

#[test]
fn watchers_of_one_domain_who_see_the_same_are_told_together() {
    let mut world = World::up(GatewaySettings::default());
    for user in [BOB, "wv:carl@village.example"] {
        world.ssp(
            Some(user),
            "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
        );
        let to = &user[3..];
        world.xmpp(&SUBSCRIBED.replace("bob@village.example", to));
        world.xmpp(&AVAILABLE.replace("bob@village.example", to));
    }
    for to in ["bob@village.example", "carl@village.example"] {
        world.xmpp(
            &AVAILABLE
                .replace("bob@village.example", to)
                .replace("lunch", "dinner"),
        );
    }
    world.pass(5_000);
    let [notice] = &world.sent()[..] else {
        panic!("one notification, {:?}", world.sent())
    };
    assert!(notice.contains("wv:bob@") && notice.contains("wv:carl@"));
}
