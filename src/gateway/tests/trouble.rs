//! Stanzas that the server or the link cannot take, and that it should not have brought.

use super::messages::send;
use super::*;
use crate::xmpp::link::Blame;

/// Ends the link and makes it anew.
fn again(world: &mut World, blame: Blame) {
    world.link_ends(blame);
    world.link_up();
}

#[test]
fn a_stanza_at_which_the_link_always_ends_is_given_up_and_holds_up_nothing() {
    let mut world = World::up(GatewaySettings::default());
    let ids: Vec<RequestId> = (0..4)
        .map(|n| send(&mut world, &format!("m-{n}"), false))
        .collect();
    // The server takes the first, and ends the stream at the second.
    world.link_ends(Blame::Size);
    world.link_up();
    let first = world.marks();
    assert_eq!(first.len(), 1, "one by one");
    world.confirm(first[0]);
    let poison = world.marks();
    assert_eq!(poison.len(), 1);
    again(&mut world, Blame::Content);
    assert_eq!(world.marks(), poison, "it is tried once more");
    world.link_ends(Blame::Content);
    assert_eq!(world.code(ids[1]), Some(410));
    assert_eq!(world.outcomes(), [Outcome::Refused(410)]);
    // What was behind it goes on.
    world.link_up();
    for id in ["m-2", "m-3"] {
        let [text] = &world.out()[..] else {
            panic!("{id} alone, not {:?}", world.out())
        };
        assert!(text.contains(&format!("id='{id}'")), "{text}");
        world.confirm(world.marks()[0]);
    }
    world.pass(2_000);
    assert_eq!(world.code(ids[3]), Some(200));
    assert_eq!(world.outcomes().len(), 3);
    // And what is new goes out at once, as ever.
    send(&mut world, "m-4", false);
    send(&mut world, "m-5", false);
    assert_eq!(world.marks().len(), 1);
}

#[test]
fn ends_that_are_no_stanza_s_fault_convict_nobody() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    for _ in 0..20 {
        again(&mut world, Blame::Nobody);
        assert_eq!(world.marks().len(), 1);
    }
    for _ in 0..2 {
        again(&mut world, Blame::Perhaps);
        assert_eq!(world.code(id), None);
    }
    // Attempts to connect that fail are no ends.
    for _ in 0..10 {
        world.link_down();
        world.link_ends(Blame::Size);
    }
    world.link_up();
    world.confirm(world.marks()[0]);
    world.pass(2_000);
    assert_eq!(world.code(id), Some(200));
}

#[test]
fn what_waits_behind_a_suspect_goes_out_after_it_and_an_error_for_it_lets_go() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    world.link_ends(Blame::Perhaps);
    world.link_up();
    send(&mut world, "m-2", false);
    assert!(world.out().is_empty(), "m-1 is under way alone");
    world.xmpp(super::messages::BACK);
    assert_eq!(world.code(id), Some(533));
    assert!(world.out()[0].contains("id='m-2'"));
}

#[test]
fn of_a_server_that_ends_at_a_size_no_other_of_this_size_is_tried() {
    let mut world = World::up(GatewaySettings::default());
    let large = |world: &mut World, id: &str, bytes: usize| {
        let text = "x".repeat(bytes);
        world.primitive(Some(BOB), super::messages::text(id, &text))
    };
    let first = large(&mut world, "m-1", 150_000);
    let second = large(&mut world, "m-2", 160_000);
    let small = large(&mut world, "m-3", 100);
    again(&mut world, Blame::Size);
    again(&mut world, Blame::Size);
    world.link_ends(Blame::Size);
    assert_eq!(world.code(first), Some(410));
    assert_eq!(world.code(second), Some(410));
    assert_eq!(world.code(small), None);
    let third = large(&mut world, "m-4", 150_000);
    assert_eq!(world.code(third), Some(410));
    assert!(world.stanzas.is_empty());
}

#[test]
fn a_message_larger_than_the_server_takes_is_refused_before_it_is_sent() {
    let mut settings = GatewaySettings::default();
    settings.max_stanza.insert(VILLAGE.to_owned(), 20_000);
    let mut world = World::up(settings);
    let mut try_one = |bytes: usize| {
        let text = "x".repeat(bytes);
        let id = world.primitive(Some(BOB), super::messages::text("m-1", &text));
        if let Some(mark) = world.marks().first().copied() {
            world.confirm(mark);
            world.pass(2_000);
        }
        (world.code(id), world.outcomes())
    };
    let fits = (1..20_000)
        .rev()
        .find(|bytes| try_one(*bytes).0 == Some(200))
        .unwrap();
    assert!((19_000..20_000).contains(&fits), "{fits}");
    assert_eq!(try_one(fits + 1), (Some(410), vec![Outcome::Refused(410)]));
    // What the server says itself counts too.
    world.link(FromXmpp::Limit(12_000));
    let id = world.primitive(Some(BOB), super::messages::text("m-2", &"x".repeat(12_000)));
    assert_eq!(world.code(id), Some(410));
}

#[test]
fn a_message_that_the_link_cannot_write_has_failed() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    let stanza = stanza::copy(&world.stanzas[0].stanza);
    world.link(FromXmpp::Unsent(stanza));
    assert_eq!(world.code(id), Some(410));
    assert_eq!(world.outcomes(), [Outcome::Refused(410)]);
    assert!(world.kept().is_empty());
}

#[test]
fn a_queued_stanza_that_cannot_be_read_fails_its_message_only() {
    let mut world = World::new();
    let id = send(&mut world, "m-1", true);
    send(&mut world, "m-2", true);
    world.pass(60_000);
    assert_eq!(world.code(id), Some(200));
    let key = world.kept()[0].to_owned();
    assert!(key.starts_with("gateway/out/"), "{key}");
    let record = String::from_utf8(world.store[&key].clone()).unwrap();
    let damaged = record.replacen("<message", "<messag", 1).into_bytes();
    world.store.insert(key, damaged);
    world.restart();
    world.link_up();
    let out = world.out();
    assert!(out.len() == 1 && out[0].contains("id='m-2'"), "{out:?}");
    assert!(
        world.sent()[0].contains("code=\"410\""),
        "{:?}",
        world.sent()
    );
}

#[test]
fn before_the_core_begins_a_link_takes_refusals_and_nothing_overtakes_what_waits() {
    let mut world = World::new();
    send(&mut world, "m-1", false);
    world.restart();
    world.link(FromXmpp::MayRefuse(true));
    let text = "<message xmlns='jabber:component:accept' from='alice@home.example/x' \
                to='bob@village.example' id='1'><body>hi</body></message>";
    let stanza = stanza::parse(text).unwrap();
    world.link(FromXmpp::Refuse(stanza));
    assert!(world.out()[0].contains("resource-constraint"));
    send(&mut world, "m-2", false);
    assert!(world.stanzas.is_empty(), "{:?}", world.out());
    world.link_up();
    let ids = ["id='m-1'", "id='m-2'"];
    let out = world.out();
    assert!(out.len() == 2 && out.iter().zip(ids).all(|(out, id)| out.contains(id)));
}

/// Two components, whose server gives each link the routes of both.
fn two_components() -> World {
    let mut world = World::up(GatewaySettings::default());
    let translator = Translator::new("home.example", &[VILLAGE, "town.example"]);
    world.gateway = Gateway::new(world.settings.clone(), Arc::new(translator), 7);
    world.link_up();
    world.take(Input::Xmpp("town.example".to_owned(), FromXmpp::Up));
    world
}

#[test]
fn what_comes_by_the_link_of_another_component_of_ours_is_taken() {
    let mut world = two_components();
    // By the link of village.example.
    world.xmpp("<message from='alice@home.example/x' to='tom@town.example' id='1'><body>hi</body></message>");
    assert!(world.sent()[0].contains("wv:tom@town.example"));
    world.xmpp("<iq type='get' from='alice@home.example/x' to='tom@town.example' id='2'><ping xmlns='urn:xmpp:ping'/></iq>");
    // The answer goes out where its sender is at home.
    assert_eq!(world.stanzas[0].component, "town.example");
}

#[test]
fn news_of_a_roster_is_for_the_component_to_which_it_was_granted_by_whichever_link_it_comes() {
    let mut world = two_components();
    world.xmpp("<message from='home.example' to='town.example'><privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both'/></privilege></message>");
    world.xmpp("<iq type='set' from='alice@home.example' to='town.example' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    let [answer] = &world.out()[..] else {
        panic!("{:?}", world.out());
    };
    assert!(answer.contains("type='result'"), "{answer}");
    assert_eq!(world.stanzas[0].component, "town.example");
}

#[test]
fn our_own_message_that_comes_back_has_failed() {
    let mut world = World::up(GatewaySettings::default());
    let id = send(&mut world, "m-1", false);
    let text = world.out()[0].clone();
    world.confirm(world.marks()[0]);
    world.xmpp(&text);
    assert_eq!(world.code(id), Some(516));
    assert!(world.out().is_empty());
}

#[test]
fn what_is_for_nobody_of_ours_is_refused_from_an_address_of_our_own() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<message from='eve@else.example/x' to='c@nowhere.example' id='1'><body>hi</body></message>");
    let out = world.out();
    assert!(
        out[0].contains("from='village.example'") && out[0].contains("remote-server-not-found"),
        "{out:?}"
    );
    world.xmpp("<presence from='eve@else.example/x' to='c@nowhere.example'/>");
    world.xmpp("<message type='error' from='eve@else.example/x' to='c@nowhere.example' id='1'/>");
    assert!(world.out().is_empty());
}
