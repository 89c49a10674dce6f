//! What rooms are asked, and what is changed in them.

use super::*;

#[test]
fn the_subject_is_set_by_the_group_alone() {
    let mut world = World::inside();
    let set = format!(
        "<message type='groupchat' id='s-1' from='{LAPTOP}' to='{PARTY}'><subject>Films</subject></message>"
    );
    world.xmpp(&set);
    assert!(world.sent()[0].starts_with("<SetGroupPropsRequest"));
    world.answer("<Status code='816'/>");
    assert!(world.out()[0].contains("forbidden") && world.out()[0].contains("id='s-1'"));
    world.xmpp(&set);
    world.answer("<Status code='200'/>");
    assert!(world.out()[0].contains("<subject>Films</subject>"));
    assert!(world.out()[0].contains(&format!("from='{PARTY}/Ali'")));
}

#[test]
fn a_room_is_asked_and_changed_by_the_forms_of_rooms() {
    let mut world = World::inside();
    let iq = |kind: &str, inner: &str| {
        format!("<iq type='{kind}' id='q' from='{LAPTOP}' to='{PARTY}'>{inner}</iq>")
    };
    let owner = "http://jabber.org/protocol/muc#owner";
    let admin = "http://jabber.org/protocol/muc#admin";
    let as_admin = PROPERTIES.replace("<Value>User<", "<Value>Admin<");
    for (kind, inner, request, answer, part) in [
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned(),
            "<GetGroupPropsRequest",
            PROPERTIES,
            "muc_public",
        ),
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned(),
            "<GetGroupPropsRequest",
            "<Status code='816'/>",
            "conference",
        ),
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>".to_owned(),
            "<GetGroupPropsRequest",
            "<Status code='800'/>",
            "item-not-found",
        ),
        (
            "get",
            format!("<query xmlns='{owner}'/>"),
            "<GetGroupPropsRequest",
            PROPERTIES,
            "forbidden",
        ),
        (
            "get",
            format!("<query xmlns='{owner}'/>"),
            "<GetGroupPropsRequest",
            as_admin.as_str(),
            "muc#roomconfig_membersonly",
        ),
        (
            "set",
            format!(
                "<query xmlns='{owner}'><x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_membersonly'><value>1</value></field></x></query>"
            ),
            "<SetGroupPropsRequest",
            "<Status code='200'/>",
            "type='result'",
        ),
        (
            "set",
            format!("<query xmlns='{owner}'><destroy/></query>"),
            "<DeleteGroupRequest",
            "<Status code='816'/>",
            "forbidden",
        ),
        (
            "get",
            format!("<query xmlns='{admin}'><item affiliation='owner'/></query>"),
            "<GetGroupMemberRequest",
            "<GetGroupMemberResponse><Status code='200'/><Admins><UserID userID='wv:bob@village.example'/></Admins></GetGroupMemberResponse>",
            "jid='bob@village.example'",
        ),
        (
            "get",
            format!("<query xmlns='{admin}'><item affiliation='outcast'/></query>"),
            "<RejectListRequest",
            "<RejectListResponse><Status code='200'/><RejectList><UserID userID='wv:eve@village.example'/></RejectList></RejectListResponse>",
            "affiliation='outcast'",
        ),
        (
            "set",
            format!(
                "<query xmlns='{admin}'><item affiliation='member' jid='carol@home.example'/></query>"
            ),
            "<AddGroupMemberRequest",
            "<Status code='200'/>",
            "type='result'",
        ),
        (
            "set",
            format!(
                "<query xmlns='{admin}'><item affiliation='admin' jid='carol@home.example'/></query>"
            ),
            "<MemberAccessRequest",
            "<Status code='816'/>",
            "forbidden",
        ),
        (
            "set",
            format!(
                "<query xmlns='{admin}'><item affiliation='none' jid='carol@home.example'/></query>"
            ),
            "<RemoveGroupMemberRequest",
            "<Status code='200'/>",
            "type='result'",
        ),
        (
            "set",
            format!(
                "<query xmlns='{admin}'><item affiliation='outcast' jid='carol@home.example'/></query>"
            ),
            "<RejectListRequest",
            "<RejectListResponse><Status code='200'/></RejectListResponse>",
            "type='result'",
        ),
    ] {
        world.xmpp(&iq(kind, &inner));
        let [sent] = &world.sent()[..] else {
            panic!("one request for {inner}")
        };
        assert!(sent.starts_with(request), "{sent}");
        world.answer(answer);
        let out = world.out();
        assert!(
            out[0].contains(part) && out[0].contains("id='q'"),
            "{inner}: {out:?}"
        );
    }
    for (kind, inner, part) in [
        (
            "get",
            "<ping xmlns='urn:xmpp:ping'/>".to_owned(),
            "type='result'",
        ),
        (
            "get",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>".to_owned(),
            "/Vicky",
        ),
        (
            "get",
            "<vCard xmlns='vcard-temp'/>".to_owned(),
            "service-unavailable",
        ),
        (
            "get",
            format!("<query xmlns='{admin}'><item role='moderator'/></query>"),
            "forbidden",
        ),
        (
            "set",
            format!("<query xmlns='{admin}'><item nick='Vicky' role='visitor'/></query>"),
            "feature-not-implemented",
        ),
        (
            "set",
            format!("<query xmlns='{admin}'><item nick='Vicky' role='none'/></query>"),
            "feature-not-implemented",
        ),
        (
            "set",
            format!("<query xmlns='{owner}'><x xmlns='jabber:x:data' type='submit'/></query>"),
            "type='result'",
        ),
        (
            "set",
            format!("<query xmlns='{owner}'><x xmlns='jabber:x:data' type='cancel'/></query>"),
            "type='result'",
        ),
        ("set", format!("<query xmlns='{admin}'/>"), "bad-request"),
    ] {
        world.xmpp(&iq(kind, &inner));
        assert!(world.sent().is_empty(), "{inner}");
        assert!(world.out()[0].contains(part), "{inner}: {:?}", world.out());
    }
}

#[test]
fn who_is_kicked_is_barred_and_let_in_again() {
    let mut world = World::inside();
    world.enter(CAROL, "Carol");
    world.xmpp(&format!("<iq type='set' id='q' from='{LAPTOP}' to='{PARTY}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Carol' role='none'/></query></iq>"));
    assert!(world.sent()[0].contains("<AddUsers><UserID userID=\"wv:carol@home.example\"/>"));
    world.answer("<RejectListResponse><Status code='200'/></RejectListResponse>");
    assert!(world.sent()[0].contains("<RemoveUsers>"));
    let token = world.token("RejectListRequest");
    world.ssp(None, &format!("<LeaveGroupIndication groupID='{GROUP}'><Status code='809'/><User userID='wv:carol@home.example'/></LeaveGroupIndication>"));
    let mut seen = world.seen();
    seen.sort();
    assert_eq!(seen, ["-Carol to laptop 307", "-Carol to x 110 307"]);
    world.answer_to(
        token,
        "<RejectListResponse><Status code='200'/></RejectListResponse>",
    );
    assert!(world.out()[0].contains("type='result'"));
}

#[test]
fn rooms_of_a_domain_are_listed_as_far_as_search_finds_them() {
    let mut world = World::up(GatewaySettings::default());
    let ask = format!(
        "<iq type='get' id='q' from='{LAPTOP}' to='{VILLAGE}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"
    );
    world.xmpp(&ask);
    assert!(world.sent()[0].starts_with("<SearchRequest"));
    world.answer(&format!("<SearchResponse><Status code='200'/><SearchResult><GroupList><GroupID groupID='{GROUP}'/></GroupList></SearchResult></SearchResponse>"));
    assert!(world.out()[0].contains(&format!("jid='{PARTY}'")));
    world.xmpp(&ask);
    world.answer("<Status code='405'/>");
    assert!(world.out()[0].contains("type='result'"));
}

#[test]
fn what_strangers_can_make_grow_is_bounded() {
    let mut settings = GatewaySettings::default();
    settings.rooms.max_occupants = 8;
    settings.rooms.max_sessions = 2;
    settings.rooms.max_questions = 3;
    settings.rooms.max_names = 4;
    let mut world = World::up(settings);
    let mut taken = 0;
    for n in 0..8 {
        world.presence(&format!("u{n}@evil.example/x"), &format!("n{n}"), ENTRY);
        taken += usize::from(world.has_asked("JoinGroupRequest"));
    }
    assert!(taken <= 2, "{taken} of one domain");
    world.enter(LAPTOP, "Ali");
    world.presence(PHONE, "Ali", ENTRY);
    world.presence("alice@home.example/third", "Ali", ENTRY);
    assert!(world.out()[0].contains("resource-constraint"));
    for n in 0..9 {
        world.notice(&format!("<Joined><Name>name {n}</Name></Joined>"));
    }
    let names = world
        .kept()
        .iter()
        .filter(|k| k.contains("room-name"))
        .count();
    assert_eq!(names, 4);
    let mut refused = 0;
    for _ in 0..5 {
        world.xmpp(&format!("<iq type='get' id='q' from='{LAPTOP}' to='{PARTY}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"));
        refused += world.out().len();
    }
    assert!(refused >= 2);

    let mut settings = GatewaySettings::default();
    settings.rooms.max_said_bytes = 4000;
    let mut world = World::up(settings);
    world.enter(LAPTOP, "Ali");
    let mut refused = 0;
    for n in 0..20 {
        world.xmpp(&format!("<message type='groupchat' id='c{n}' from='{LAPTOP}' to='{PARTY}'><body>Hello</body></message>"));
        refused += usize::from(world.sent().is_empty());
    }
    assert!((10..20).contains(&refused), "{refused}");
}
