//! What is said in groups, who comes and goes.

use super::*;

#[test]
fn what_is_said_comes_back_to_its_sender_when_the_group_has_it() {
    let mut world = World::inside();
    world.xmpp(&format!(
        "<message type='groupchat' id='c-1' from='{LAPTOP}' to='{PARTY}'><body>Hi</body><origin-id xmlns='urn:xmpp:sid:0' id='c-1'/></message>"
    ));
    let [request] = &world.sent()[..] else {
        panic!("a request")
    };
    assert!(request.contains(&format!("<Recipient><GroupID groupID=\"{GROUP}\"/>")));
    assert!(world.out().is_empty());
    let token = world.token("SendMessageRequest");
    world.answer_to(
        token,
        "<SendMessageResponse messageID='x'><Status code='200'/></SendMessageResponse>",
    );
    assert_eq!(world.outcomes(), [Outcome::Relayed]);
    let [copy] = &world.out()[..] else {
        panic!("a copy")
    };
    for part in [
        &format!("from='{PARTY}/Ali'"),
        &format!("to='{LAPTOP}'"),
        "type='groupchat'",
        "id='c-1'",
        "<body>Hi</body>",
        "<origin-id",
        "<stanza-id",
        "<occupant-id",
    ] {
        assert!(copy.contains(part), "{part} in {copy}");
    }
    assert_eq!(world.marks().len(), 1);
    assert!(!world.kept().iter().any(|key| key.contains("room-said")));
}

#[test]
fn what_the_group_refuses_comes_back_and_what_is_awaited_survives_a_restart() {
    let mut world = World::inside();
    let hi = format!(
        "<message type='groupchat' id='c-1' from='{LAPTOP}' to='{PARTY}'><body>Hi</body></message>"
    );
    world.xmpp(&hi);
    let token = world.token("SendMessageRequest");
    world.restart();
    world.link_up();
    world.answer_to(token, "<Status code='816'/>");
    assert_eq!(world.outcomes(), [Outcome::Refused(816)]);
    let out = world.out();
    assert!(
        out[0].contains("type='error'") && out[0].contains("id='c-1'"),
        "{out:?}"
    );
    assert!(out[0].contains("<body>") || out[0].contains("forbidden"));
}

#[test]
fn who_speaks_sees_it_when_it_is_taken_over_and_hears_of_it_if_it_fails_later() {
    let hi = format!(
        "<message type='groupchat' id='c-1' from='{LAPTOP}' to='{PARTY}'><body>Hi</body></message>"
    );
    for (end, stanzas) in [("503", 1), ("200", 0)] {
        let mut world = World::inside();
        world.xmpp(&hi);
        let token = world.token("SendMessageRequest");
        world.take_over(token);
        let [seen] = &world.out()[..] else {
            panic!("what was said")
        };
        assert!(seen.contains("type='groupchat'") && seen.contains("<body>Hi</body>"));
        world.restart();
        world.link_up();
        // It is known whatever is said of it again.
        world.take_over(token);
        assert_eq!(world.out(), [""; 0]);
        world.answer_to(token, &format!("<Status code='{end}'/>"));
        let out = world.out();
        assert_eq!(out.len(), stanzas, "{out:?}");
        assert!(out.iter().all(|text| text.contains("type='error'")));
        assert!(!world.kept().iter().any(|key| key.contains("said")));
    }
}

#[test]
fn a_message_to_a_group_that_is_never_answered_fails() {
    let mut world = World::inside();
    world.xmpp(&format!(
        "<message type='groupchat' id='c-1' from='{LAPTOP}' to='{PARTY}'><body>Hi</body></message>"
    ));
    world.pass(400_000);
    assert_eq!(world.outcomes(), [Outcome::Refused(504)]);
    assert!(
        world
            .out()
            .iter()
            .any(|text| text.contains("remote-server-timeout"))
    );
}

#[test]
fn only_who_is_inside_speaks_there() {
    let mut world = World::inside();
    for (from, to, kind, condition) in [
        (CAROL, PARTY.to_owned(), "groupchat", "not-acceptable"),
        (PHONE, PARTY.to_owned(), "groupchat", "not-acceptable"),
        (LAPTOP, format!("{PARTY}/Vicky"), "groupchat", "bad-request"),
        (LAPTOP, format!("{PARTY}/Nobody"), "chat", "item-not-found"),
        (LAPTOP, PARTY.to_owned(), "chat", "bad-request"),
    ] {
        world.xmpp(&format!(
            "<message type='{kind}' id='c-1' from='{from}' to='{to}'><body>Hi</body></message>"
        ));
        assert!(world.sent().is_empty());
        assert!(
            world.out()[0].contains(condition),
            "{from} {to}: {:?}",
            world.out()
        );
    }
}

#[test]
fn a_private_message_goes_to_one_name_and_comes_from_one() {
    let mut world = World::inside();
    world.xmpp(&format!(
        "<message type='chat' id='c-1' from='{LAPTOP}' to='{PARTY}/Vicky'><body>Psst</body></message>"
    ));
    assert!(
        world.sent()[0].contains("<Recipient><ScreenName") && world.sent()[0].contains("Vicky")
    );
    let token = world.token("SendMessageRequest");
    world.answer_to(
        token,
        "<SendMessageResponse messageID='x'><Status code='200'/></SendMessageResponse>",
    );
    assert!(world.out().is_empty());
    let display = format!(
        "<RecipientDisplay><ScreenName groupID='{GROUP}'>Ali</ScreenName></RecipientDisplay>"
    );
    world.says(&display);
    let out = world.out();
    assert!(
        out[0].contains("type='chat'") && out[0].contains("muc#user"),
        "{out:?}"
    );
    assert!(out[0].contains(&format!("from='{PARTY}/Vicky'")));
}

#[test]
fn what_others_say_reaches_all_clients_of_a_user() {
    let mut world = World::inside();
    world.presence(PHONE, "Ali", ENTRY);
    assert!(world.sent().is_empty(), "the group has them already");
    assert_eq!(world.seen(), ["+Vicky to phone", "+Ali to phone 110"]);
    assert!(world.out()[2].contains("<subject>"));
    let id = world.says("");
    let out = world.out();
    assert_eq!(out.len(), 2);
    for (text, to) in out.iter().zip([PHONE, LAPTOP]) {
        assert!(text.contains(&format!("to='{to}'")), "{text}");
        assert!(text.contains("<body>Hi</body>") && text.contains("type='groupchat'"));
        assert!(text.contains(&format!("from='{PARTY}/Vicky'")) && text.contains("<stanza-id"));
    }
    for mark in world.marks() {
        world.confirm(mark);
    }
    world.pass(3000);
    assert_eq!(world.code(id), Some(200));
    assert_eq!(world.outcomes(), [Outcome::Delivered]);
}

#[test]
fn history_that_is_not_wanted_is_not_told() {
    let mut world = World::up(GatewaySettings::default());
    let entry = "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>";
    world.presence(LAPTOP, "Ali", entry);
    world.answer(JOINED);
    world.says("<DateTime>20240501T130000Z</DateTime>");
    assert!(world.out().is_empty());
    assert_eq!(world.outcomes(), [Outcome::Refused(538)]);
    world.says("");
    assert_eq!(world.out().len(), 1);
}

#[test]
fn comings_and_goings_are_shown_once_and_ones_own_are_known() {
    let mut world = World::inside();
    world.notice("<Joined><Name>Dave</Name><Name>Vicky</Name><Name>Ali</Name></Joined>");
    assert_eq!(world.seen(), ["+Dave to laptop"]);
    world.notice("<Joined><Name>Dave</Name></Joined>");
    assert!(world.seen().is_empty());
    world.notice("<Left><Name>Dave</Name><Name>Ali</Name></Left>");
    assert_eq!(world.seen(), ["-Dave to laptop"]);
    world.notice(&format!("<LeftBlocked><UserList><ScreenName groupID='{GROUP}'>Vicky</ScreenName></UserList></LeftBlocked>"));
    assert_eq!(world.seen(), ["-Vicky to laptop 301"]);
    world.notice("<GroupProperties><Property><Name>Topic</Name><Value>Films</Value></Property></GroupProperties>");
    assert!(world.out()[0].contains("<subject>Films</subject>"));
    world.notice("<GroupProperties><Property><Name>AccessType</Name><Value>Restricted</Value></Property></GroupProperties>");
    assert!(world.out()[0].contains("code='104'"));
    world.notice("<OwnProperties><Property><Name>PrivilegeLevel</Name><Value>Admin</Value></Property></OwnProperties>");
    assert_eq!(world.seen(), ["+Ali to laptop 110"]);
    assert!(world.out()[0].contains("affiliation='owner'") && world.out()[0].contains("<hat"));
}

#[test]
fn who_has_to_leave_is_told_why() {
    for (code, codes, part) in [
        (800, "110", "<destroy><reason>Enough</reason></destroy>"),
        (809, "110 301", "affiliation='outcast'"),
        (816, "110 321", "<reason>Enough</reason>"),
        (824, "110 307", "<reason>Enough</reason>"),
        (503, "110 333", "<reason>Enough</reason>"),
    ] {
        let mut world = World::inside();
        world.must_leave(code);
        assert_eq!(world.seen(), [format!("-Ali to laptop {codes}")]);
        assert!(world.out()[0].contains(part), "{code}: {:?}", world.out());
        assert_eq!(world.gateway.rooms(), RoomCount::default());
        assert_eq!(world.kept(), ["gateway/room-salt"], "{code}");
    }
}

#[test]
fn the_last_client_that_goes_leaves_the_group() {
    let mut world = World::inside();
    world.presence(PHONE, "Ali", ENTRY);
    world.leave(LAPTOP, "Ali");
    assert_eq!(world.seen(), ["-Ali to laptop 110"]);
    assert!(world.sent().is_empty());
    world.leave(PHONE, "Ali");
    assert_eq!(world.seen(), ["-Ali to phone 110"]);
    let token = world.token("LeaveGroupRequest");
    assert_eq!(world.gateway.rooms().unsettled, 1);
    let left = format!(
        "<LeaveGroupIndication groupID='{GROUP}'><Status code='200'/></LeaveGroupIndication>"
    );
    world.answer_to(token, &left);
    assert_eq!(world.gateway.rooms(), RoomCount::default());
    assert_eq!(world.kept(), ["gateway/room-salt"]);
}

#[test]
fn a_group_that_did_not_hear_of_a_leave_hears_of_it_again_also_after_a_restart() {
    let mut world = World::inside();
    world.leave(LAPTOP, "Ali");
    let token = world.token("LeaveGroupRequest");
    world.answer_to(token, "<Status code='503'/>");
    world.restart();
    world.pass(1);
    assert!(world.has_asked("LeaveGroupRequest"));
    let token = world.token("LeaveGroupRequest");
    world.answer_to(token, "<Status code='808'/>");
    assert_eq!(world.gateway.rooms(), RoomCount::default());
}

#[test]
fn another_name_is_shown_as_a_change() {
    let mut world = World::inside();
    world.presence(LAPTOP, "Al", "");
    let requests = world.sent();
    assert!(requests[0].starts_with("<LeaveGroupRequest"));
    assert!(
        requests[1].starts_with("<JoinGroupRequest") && requests[1].contains(">Al</ScreenName>")
    );
    let token = world.token("JoinGroupRequest");
    let notice = "<Left><Name>Ali</Name></Left>";
    world.notice(notice);
    assert!(world.seen().is_empty());
    world.answer_to(token, &JOINED.replace("Ali", "Al"));
    assert_eq!(
        world.seen(),
        ["-Ali to laptop 110 303", "+Al to laptop 110"]
    );
    assert!(world.out()[0].contains("nick='Al'"));
}

#[test]
fn another_name_that_is_taken_is_refused_and_the_first_one_stays() {
    let mut world = World::inside();
    world.presence(LAPTOP, "Vicky", "");
    assert!(world.out()[0].contains("conflict") && world.sent().is_empty());
    world.presence(LAPTOP, "Hidden", "");
    let token = world.token("JoinGroupRequest");
    world.answer_to(token, "<Status code='811'/>");
    assert!(world.out()[0].contains("conflict"));
    assert!(world.out()[0].contains(&format!("from='{PARTY}/Hidden'")));
    assert!(world.sent()[0].contains(">Ali</ScreenName>"));
    let token = world.token("JoinGroupRequest");
    world.answer_to(token, JOINED);
    assert!(world.seen().is_empty());
    assert_eq!(world.gateway.rooms().unsettled, 0);
}

#[test]
fn presence_inside_is_seen_by_the_others_here() {
    let mut world = World::inside();
    world.enter(CAROL, "Carol");
    world.presence(LAPTOP, "Ali", "<show>away</show><status>tea</status>");
    let mut seen = world.seen();
    seen.sort();
    assert_eq!(seen, ["+Ali to laptop 110", "+Ali to x"]);
    assert!(world.out()[0].contains("<show>away</show>") && world.out()[0].contains("tea"));
    // Nobody but who moderates sees who is behind a name.
    let to_carol = world.out().into_iter().find(|text| text.contains(CAROL));
    assert!(!to_carol.unwrap().contains("jid='alice"));
}

#[test]
fn a_client_that_bounces_is_out() {
    let mut world = World::inside();
    world.says("");
    let out = world.out()[0].clone();
    let id = out
        .split(" id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    world.xmpp(&format!("<message type='error' id='{id}' from='{LAPTOP}' to='{PARTY}/Vicky'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"));
    assert!(world.has_asked("LeaveGroupRequest"));
    assert!(world.seen().is_empty(), "nobody is told who is not there");
    // What is wrong with the content alone is no reason.
    let mut world = World::inside();
    world.says("");
    world.xmpp(&format!("<message type='error' id='x' from='{LAPTOP}' to='{PARTY}/Vicky'><error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"));
    assert!(!world.has_asked("LeaveGroupRequest"));
    world.xmpp(&format!("<presence type='error' from='{LAPTOP}' to='{PARTY}/Vicky'><error type='cancel'><recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"));
    assert!(world.has_asked("LeaveGroupRequest"));
}
