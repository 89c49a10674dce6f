use super::*;

fn iq(inner: &str, to: &str) -> String {
    format!("<iq type='get' id='q' from='alice@home.example/x' to='{to}'>{inner}</iq>")
}

fn asked(world: &mut World, inner: &str, to: &str) -> String {
    world.xmpp(&iq(inner, to));
    // Who runs the domain is asked there first.
    if world
        .sent()
        .iter()
        .any(|text| text.starts_with("<GetSPInfoRequest"))
    {
        world.answer("<Status code='405'/>");
    }
    match &world.out()[..] {
        [only] => only.clone(),
        other => panic!("one answer, not {other:?}"),
    }
}

#[test]
fn questions_about_domain_and_users_are_answered() {
    let mut world = World::up(GatewaySettings::default());
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    for (inner, to, part) in [
        ("<ping xmlns='urn:xmpp:ping'/>", VILLAGE, "type='result'"),
        (
            "<ping xmlns='urn:xmpp:ping'/>",
            "bob@village.example",
            "type='result'",
        ),
        (info, VILLAGE, "category='server'"),
        (info, "bob@village.example", "urn:xmpp:receipts"),
        (info, "bob@village.example", "type='registered'"),
        (info, "bob@village.example/phone", "category='client'"),
        ("<query xmlns='jabber:iq:version'/>", VILLAGE, "wvgate"),
        (
            "<time xmlns='urn:xmpp:time'/>",
            VILLAGE,
            "2024-05-01T13:40:00Z",
        ),
        (
            "<query xmlns='jabber:iq:last'/>",
            VILLAGE,
            "<query xmlns='jabber:iq:last' seconds='0'/>",
        ),
        (
            "<vCard xmlns='vcard-temp'/>",
            VILLAGE,
            "<FN>village.example</FN>",
        ),
        (info, VILLAGE, "jabber:iq:last"),
        (
            "<query xmlns='jabber:iq:last'/>",
            "bob@village.example",
            "service-unavailable",
        ),
        (
            "<query xmlns='http://jabber.org/protocol/disco#items' node='urn:odd'/>",
            VILLAGE,
            "item-not-found",
        ),
        ("<odd xmlns='urn:odd'/>", VILLAGE, "service-unavailable"),
    ] {
        let answer = asked(&mut world, inner, to);
        assert!(
            answer.contains(part) && answer.contains("id='q'"),
            "{part} in {answer}"
        );
        assert!(answer.contains("to='alice@home.example/x'"));
        if answer.contains("type='error'") {
            let right = answer.contains("<error type='cancel'") && !answer.contains("IMPS");
            assert!(right, "{answer}");
        }
    }
    let set = iq("<query xmlns='jabber:iq:register'/>", VILLAGE).replace("'get'", "'set'");
    world.xmpp(&set);
    assert!(world.out()[0].contains("service-unavailable"));
    world.xmpp("<iq type='result' id='x' from='home.example' to='village.example'/>");
    assert!(world.out().is_empty() && world.acts.is_empty());
}

#[test]
fn what_is_known_of_the_client_is_told_to_its_watcher_only() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>");
    world.answer("<Status code='200'/>");
    world.ssp(None, "<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList>\
        <ClientInfo><Qualifier>T</Qualifier><ClientType>MOBILE_PHONE</ClientType><ClientProducer>ABC</ClientProducer><DevManufacturer>ABC Company</DevManufacturer><Model>xyz200</Model><ClientVersion>1.4</ClientVersion><Language>fin</Language></ClientInfo>\
        <TimeZone><Qualifier>T</Qualifier><Zone>+02</Zone></TimeZone></PresenceSubList></PresenceValue></PresenceNotification>");
    let to = "bob@village.example/imps";
    let version = asked(&mut world, "<query xmlns='jabber:iq:version'/>", to);
    for part in [
        "<name>ABC</name>",
        "<version>1.4</version>",
        "<os>ABC Company xyz200</os>",
    ] {
        assert!(version.contains(part), "{part} in {version}");
    }
    let info = asked(
        &mut world,
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        to,
    );
    assert!(
        info.contains("type='phone'") && info.contains("'fi'"),
        "{info}"
    );
    assert!(asked(&mut world, "<time xmlns='urn:xmpp:time'/>", to).contains("+02:00"));
    world.xmpp(&iq("<query xmlns='jabber:iq:version'/>", to).replace("alice", "eve"));
    assert!(world.out()[0].contains("wvgate"));
}

fn get(world: &mut World, users: &[&str]) -> RequestId {
    let users: Vec<String> = users
        .iter()
        .map(|user| format!("<VerUserID userID='{user}'/>"))
        .collect();
    let users = users.concat();
    world.ssp(
        Some(BOB),
        &format!("<GetPresenceRequest>{users}</GetPresenceRequest>"),
    )
}

fn values(world: &World) -> usize {
    let Some(Act::Respond {
        primitive: Primitive::GetPresenceResponse(response),
        ..
    }) = world.acts.first()
    else {
        panic!("a response");
    };
    response.values.len()
}

#[test]
fn presence_on_demand_is_from_memory_by_probe_or_nothing() {
    let mut world = World::up(GatewaySettings::default());
    let id = get(&mut world, &[ALICE]);
    assert_eq!((world.code(id), values(&world)), (Some(200), 0));
    let id = get(&mut world, &[ALICE, "wv:x@third.example"]);
    assert_eq!(world.code(id), Some(201));

    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
    );
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    let id = get(&mut world, &[ALICE]);
    assert_eq!(world.code(id), None);
    assert!(world.out()[0].contains("type='probe'"));
    world.xmpp("<presence from='alice@home.example/x' to='bob@village.example'/>");
    world.acts.retain(|act| matches!(act, Act::Respond { .. }));
    assert_eq!((world.code(id), values(&world)), (Some(200), 1));
    let id = get(&mut world, &[ALICE]);
    assert_eq!((world.code(id), values(&world)), (Some(200), 1));

    // Nobody answers the probe.
    world.restart();
    world.link_up();
    let id = get(&mut world, &[ALICE]);
    world.pass(5_000);
    assert_eq!(world.code(id), Some(200));
    world.restart();
    let id = get(&mut world, &[ALICE]);
    assert_eq!(world.code(id), Some(503));
}

fn verify(world: &mut World, ids: &str) -> RequestId {
    world.ssp(Some(BOB), &format!("<VerifyIDRequest><MetaInfo><Requestor serviceID='wv:@village.example'/></MetaInfo><IDList>{ids}</IDList></VerifyIDRequest>"))
}

fn details(world: &World) -> Vec<u16> {
    let Some(Act::Respond {
        primitive: Primitive::Status(status),
        ..
    }) = world.acts.first()
    else {
        panic!("a status");
    };
    status.details.iter().map(|detail| detail.code.0).collect()
}

#[test]
fn who_asks_for_a_user_asks_in_their_own_name() {
    let mut world = World::up(GatewaySettings::default());
    let asked = format!(
        "<VerifyIDRequest><MetaInfo><Requestor serviceID='wv:@village.example'><User userID='{BOB}'/></Requestor></MetaInfo><IDList><UserID userID='{ALICE}'/></IDList></VerifyIDRequest>"
    );
    let id = world.ssp(Some(BOB), &asked);
    let iq = world.out().remove(0);
    assert!(iq.contains("from='bob@village.example/imps'"), "{iq}");
    let stanza = iq
        .split(" id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    world.xmpp(&format!(
        "<iq type='result' id='{stanza}' from='alice@home.example' to='bob@village.example/imps'/>"
    ));
    assert_eq!(world.code(id), Some(200));
}

#[test]
fn ids_are_verified_by_disco() {
    let mut world = World::up(GatewaySettings::default());
    let id = verify(&mut world, "<Domain>home.example</Domain>");
    assert_eq!(world.code(id), Some(200));
    let id = verify(
        &mut world,
        "<UserID userID='wv:alice@home.example'/><UserID userID='wv:eve@home.example'/><Domain>x.example</Domain>",
    );
    assert_eq!(world.code(id), None);
    let ids: Vec<String> = world
        .out()
        .iter()
        .map(|text| {
            text.split_once(" id='")
                .unwrap()
                .1
                .split('\'')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    // From somebody else, or about a question that can be guessed: no.
    for (forged, from) in [
        (ids[0].as_str(), "mallory@home.example"),
        (&ids[0], "alice@home.example/x"),
        ("v1-0", "alice@home.example"),
        ("v2-0", "alice@home.example"),
    ] {
        world.xmpp(&format!(
            "<iq type='result' id='{forged}' from='{from}' to='village.example'/>"
        ));
        assert!(world.acts.is_empty(), "{forged} {from}");
    }
    world.xmpp(&format!("<iq type='result' id='{}' from='alice@home.example' to='village.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", ids[0]));
    assert_eq!(world.code(id), None);
    world.xmpp(&format!("<iq type='error' id='{}' from='eve@home.example' to='village.example'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", ids[1]));
    assert_eq!(world.code(id), Some(201));
    assert_eq!(details(&world), [200, 531, 404]);

    let id = verify(&mut world, "<UserID userID='wv:alice@home.example'/>");
    world.pass(5_000);
    assert_eq!((world.code(id), details(&world)), (Some(201), vec![504]));
    world.link_down();
    let id = verify(&mut world, "<UserID userID='wv:alice@home.example'/>");
    assert_eq!(world.code(id), Some(503));
}

#[test]
fn other_primitives_are_not_implemented_or_not_known() {
    let mut world = World::up(GatewaySettings::default());
    for (text, code) in [
        ("<GetListRequest/>", 501),
        ("<GetWatcherListRequest/>", 501),
        ("<MakeCoffeeRequest/>", 405),
        ("<GetPresenceResponse/>", 405),
    ] {
        let id = world.ssp(Some(BOB), text);
        assert_eq!(world.code(id), Some(code), "{text}");
    }
    assert!(world.gateway.restore("gateway/odd", b"{}").is_err());
    assert!(world.gateway.restore("gateway/out/x", b"{}").is_err());
}

#[test]
fn what_is_dropped_is_counted_by_kind() {
    let mut world = World::up(GatewaySettings::default());
    let ends = "from='alice@home.example/x' to='bob@village.example'";
    world.xmpp(&format!("<presence {ends}/>"));
    world.xmpp(&format!("<presence type='subscribed' {ends}/>"));
    world.xmpp("<presence from='alice@home.example/x' to='village.example'/>");
    world.xmpp(
        r"<presence type='unavailable' from='alice@home.example/x' to='a\2fb@village.example/n'/>",
    );
    world.xmpp(&format!("<iq type='result' id='odd' {ends}/>"));
    world.xmpp(&format!(
        "<message {ends}><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    world.ssp(
        None,
        "<GroupChangeNotice groupID='wv:a/b@village.example'/>",
    );
    assert!(world.out().is_empty() && world.sent().is_empty());
    let kinds: Vec<(&str, u64)> = world
        .gateway
        .silent()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(
        kinds,
        [
            ("GroupChangeNotice", 1),
            ("answer to no question", 1),
            ("chat state", 1),
            ("presence for nobody", 3),
            ("presence in rooms", 1),
        ]
    );
}
