//! Both sides agree who is in a group.

use super::*;

#[test]
fn a_client_knows_whether_it_is_still_there() {
    let mut world = World::inside();
    let ping = |from: &str, nick: &str| {
        format!(
            "<iq type='get' id='q' from='{from}' to='{PARTY}/{nick}'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
    };
    for (from, nick, part) in [
        (LAPTOP, "Ali", "type='result'"),
        (PHONE, "Ali", "not-acceptable"),
        (LAPTOP, "Nobody", "item-not-found"),
        (LAPTOP, "Vicky", "service-unavailable"),
    ] {
        world.xmpp(&ping(from, nick));
        assert!(
            world.out()[0].contains(part),
            "{from} {nick} {:?}",
            world.out()
        );
    }
}

#[test]
fn who_is_in_a_group_is_so_after_a_restart_and_sees_what_has_changed() {
    let mut world = World::inside();
    world.restart();
    assert_eq!(world.gateway.rooms().occupants, 1);
    assert_eq!(world.gateway.rooms().unsettled, 1);
    world.link_up();
    world.pass(1);
    let there = world.token("GetJoinedUsersRequest");
    let now = THERE.replace("Vicky", "Dave");
    world.answer_to(there, &now);
    assert_eq!(world.seen(), ["+Dave to laptop", "-Vicky to laptop"]);
    assert_eq!(world.gateway.rooms().unsettled, 0);
    world.says("");
    assert_eq!(world.out().len(), 1);
}

#[test]
fn who_is_not_joined_any_more_joins_again_and_sees_nothing_of_it() {
    let mut world = World::inside();
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    world.pass(1);
    assert_eq!(world.gateway.rooms().unsettled, 1);
    let there = world.token("GetJoinedUsersRequest");
    world.answer_to(there, "<Status code='808'/>");
    let token = world.token("JoinGroupRequest");
    // It is not reached now: that is tried again.
    world.answer_to(token, "<Status code='503'/>");
    assert!(world.out().is_empty());
    world.pass(61_000);
    let token = world.token("JoinGroupRequest");
    world.answer_to(token, JOINED);
    assert!(world.seen().is_empty());
    assert_eq!(world.gateway.rooms().unsettled, 0);
}

#[test]
fn who_cannot_join_again_is_out_and_told() {
    let mut world = World::inside();
    world.take(Input::Reached(vec![VILLAGE.to_owned()]));
    world.pass(1);
    let there = world.token("GetJoinedUsersRequest");
    world.answer_to(there, "<Status code='808'/>");
    let token = world.token("JoinGroupRequest");
    world.answer_to(token, "<Status code='809'/>");
    assert_eq!(world.seen(), ["-Ali to laptop 110 333"]);
    assert_eq!(world.gateway.rooms(), RoomCount::default());
}

#[test]
fn one_whom_the_group_still_has_from_before_leaves_and_comes_again() {
    let mut world = World::up(GatewaySettings::default());
    world.presence(LAPTOP, "Ali", ENTRY);
    world.answer("<Status code='807'/>");
    assert!(world.has_asked("LeaveGroupRequest"));
    let token = world.token("JoinGroupRequest");
    world.answer_to(token, JOINED);
    assert_eq!(world.seen(), ["+Vicky to laptop", "+Ali to laptop 110"]);
}

#[test]
fn whom_a_group_has_by_mistake_leaves_it() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.says("");
    assert_eq!(world.code(id), Some(808));
    let token = world.token("LeaveGroupRequest");
    assert_eq!(world.gateway.rooms().unsettled, 1);
    world.says("");
    assert!(!world.has_asked("LeaveGroupRequest"), "once is enough");
    world.answer_to(
        token,
        &format!(
            "<LeaveGroupIndication groupID='{GROUP}'><Status code='200'/></LeaveGroupIndication>"
        ),
    );
    assert_eq!(world.gateway.rooms(), RoomCount::default());
    world.notice("<Joined><Name>Dave</Name></Joined>");
    assert!(world.has_asked("LeaveGroupRequest"));
}

#[test]
fn a_link_that_was_away_is_told_what_it_missed_and_who_is_gone_is_found_out() {
    let mut world = World::inside();
    world.link_down();
    world.notice("<Joined><Name>Dave</Name></Joined><Left><Name>Vicky</Name></Left>");
    assert!(world.out().is_empty());
    world.link_up();
    assert_eq!(
        world.seen(),
        ["-Vicky to laptop", "+Dave to laptop", "+Ali to laptop 110"]
    );
    let ping = world.out().into_iter().find(|text| text.contains("<ping"));
    let ping = ping.unwrap();
    let id = ping
        .split(" id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    for (from, leaves) in [(CAROL, false), (LAPTOP, true)] {
        world.xmpp(&format!("<iq type='error' id='{id}' from='{from}' to='{PARTY}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
        assert_eq!(world.has_asked("LeaveGroupRequest"), leaves, "{from}");
    }
}

#[test]
fn who_is_in_a_room_when_the_node_stops_is_told_and_may_come_back_for_a_while() {
    for comes_back in [true, false] {
        let mut world = World::inside();
        world.run(|gateway, _| gateway.farewell());
        assert_eq!(world.seen(), ["-Ali to laptop 110 332"]);
        // What they send meanwhile is refused.
        world.xmpp(&format!(
            "<message type='groupchat' from='{LAPTOP}' to='{PARTY}' id='m1'><body>hi</body></message>"
        ));
        assert!(world.out()[0].contains("not-acceptable"));
        world.restart();
        world.link_up();
        world.pass(1);
        assert!(world.out().is_empty(), "{:?}", world.out());
        assert_eq!(world.gateway.rooms().occupants, 1);
        if comes_back {
            world.presence(LAPTOP, "Ali", ENTRY);
            assert_eq!(world.seen(), ["+Vicky to laptop", "+Ali to laptop 110"]);
            assert!(!world.has_asked("JoinGroupRequest"), "the group has them");
            let there = world.token("GetJoinedUsersRequest");
            let properties = world.token("GetGroupPropsRequest");
            world.answer_to(properties, PROPERTIES);
            assert!(
                world
                    .out()
                    .iter()
                    .any(|out| out.contains("<subject>Books</subject>"))
            );
            world.answer_to(there, THERE);
            assert_eq!(world.gateway.rooms().unsettled, 0);
        } else {
            world.pass(119_000);
            assert!(world.sent().is_empty());
            world.pass(2_000);
            let left = world.token("LeaveGroupRequest");
            world.answer_to(
                left,
                "<LeaveGroupIndication><Status code='200'/></LeaveGroupIndication>",
            );
            assert_eq!(world.gateway.rooms(), RoomCount::default());
        }
    }
}

#[test]
fn what_a_group_says_while_the_node_stops_and_starts_it_hands_on_again() {
    let mut world = World::inside();
    world.run(|gateway, _| gateway.farewell());
    let id = world.says("");
    assert_eq!(world.code(id), Some(503));
    world.restart();
    world.link_up();
    world.pass(1);
    let id = world.says("");
    assert_eq!(world.code(id), Some(503));
    assert!(!world.has_asked("LeaveGroupRequest"));
    world.presence(LAPTOP, "Ali", ENTRY);
    world.says("");
    assert!(
        world
            .out()
            .iter()
            .any(|out| out.contains("<body>Hi</body>")),
        "{:?}",
        world.out()
    );
    // Who leaves in the end is not there.
    world.run(|gateway, _| gateway.farewell());
    world.restart();
    world.link_up();
    world.pass(121_000);
    world.token("LeaveGroupRequest");
    let id = world.says("");
    assert_eq!(world.code(id), Some(808));
}

#[test]
fn nobody_comes_into_a_room_or_leaves_it_while_the_node_stops() {
    let mut world = World::inside();
    world.presence(CAROL, "Carol", ENTRY);
    let token = world.token("JoinGroupRequest");
    world.run(|gateway, _| gateway.farewell());
    assert_eq!(world.seen(), ["-Ali to laptop 110 332", "+Carol to x 503"]);
    let refusal = world.out().remove(1);
    assert!(
        refusal.contains("type='error'") && refusal.contains("service-unavailable"),
        "{refusal}"
    );
    world.presence(LAPTOP, "Ali", ENTRY);
    let [refusal] = &world.out()[..] else {
        panic!("{:?}", world.out());
    };
    assert!(
        refusal.contains("type='error'") && refusal.contains("service-unavailable"),
        "{refusal}"
    );
    world.answer_to(token, JOINED);
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    let carol = world.store.iter().find(|(key, _)| key.contains("carol"));
    let carol = String::from_utf8_lossy(carol.unwrap().1).into_owned();
    assert!(carol.contains(r#""state":"leaving""#), "{carol}");
    world.notice("<Joined><Name>Dave</Name></Joined>");
    assert!(world.out().is_empty(), "{:?}", world.out());
    world.ssp(
        None,
        "<GroupChangeNotice groupID='wv:bob/other@village.example'><User userID='wv:alice@home.example'/></GroupChangeNotice>",
    );
    world.pass(3_600_000);
    assert!(world.sent().is_empty(), "{:?}", world.sent());
    assert!(world.out().is_empty(), "{:?}", world.out());
}

#[test]
fn what_a_group_tells_while_there_is_no_link_is_counted() {
    let mut world = World::inside();
    world.link_down();
    world.notice("<GroupProperties><Property><Name>Topic</Name><Value>Films</Value></Property></GroupProperties>");
    assert!(world.out().is_empty());
    let kind = "messages of the gateway without a link";
    assert_eq!(world.gateway.silent()[kind], 1);
}
