//! What XMPP users can make grow, with the largest that is allowed and the smallest that is not.

use super::messages::send;
use super::*;
use crate::gateway::presence::{MAX_NOBODY, MAX_VALUE};
use crate::translate::presence::{MAX_NAME, MAX_STATUS};

/// The stanza kinds, each with an id of so many bytes.
fn stanzas(length: usize) -> [String; 3] {
    let id = "i".repeat(length);
    let ends = format!("from='alice@home.example/x' to='bob@village.example' id='{id}'");
    [
        format!("<message {ends}><body>hi</body></message>"),
        format!("<presence type='subscribe' {ends}/>"),
        format!("<iq type='get' {ends}><ping xmlns='urn:xmpp:ping'/></iq>"),
    ]
}

#[test]
fn each_stanza_is_taken_with_the_longest_id_and_refused_with_a_longer_one() {
    let mut world = World::up(GatewaySettings::default());
    for text in stanzas(MAX_ID) {
        world.xmpp(&text);
        let taken = world.sent().len() == 1 || world.out()[0].contains("type='result'");
        assert!(taken, "{:?}", world.out());
    }
    let mut world = World::up(GatewaySettings::default());
    for text in stanzas(MAX_ID + 1) {
        world.xmpp(&text);
        assert!(world.sent().is_empty());
        assert!(world.out()[0].contains("bad-request"), "{:?}", world.out());
    }
    assert!(world.kept().is_empty());
}

#[test]
fn a_foreign_domain_takes_a_share_of_the_messages_under_way() {
    let mut world = World::up(GatewaySettings {
        max_messages: 8,
        ..GatewaySettings::default()
    });
    let mut from = |jid: &str| {
        world.xmpp(&format!(
            "<message from='{jid}' to='bob@village.example' id='1'><body>hi</body></message>"
        ));
        match world.out().first() {
            None => true,
            Some(refused) => {
                assert!(refused.contains("resource-constraint"), "{refused}");
                false
            }
        }
    };
    let taken = (0..5)
        .filter(|n| from(&format!("u{n}@evil.example/x")))
        .count();
    assert_eq!(taken, 2);
    let taken = (0..9).filter(|_| from("alice@home.example/x")).count();
    assert_eq!(taken, 6);
}

#[test]
fn messages_under_way_are_bounded_in_bytes() {
    let message = "<message from='alice@home.example/x' to='bob@village.example' id='12'><body>hi</body></message>";
    let bytes = "alice@home.example/x".len() + "bob@village.example".len() + 2;
    for (most, fits) in [(bytes, true), (bytes - 1, false)] {
        let mut world = World::up(GatewaySettings {
            max_message_bytes: most,
            ..GatewaySettings::default()
        });
        world.xmpp(message);
        assert_eq!(world.sent().len() == 1, fits, "{most}");
    }
}

#[test]
fn a_foreign_domain_takes_a_share_of_the_subscriptions_and_those_that_end_make_room() {
    let mut world = World::up(GatewaySettings {
        max_watches: 8,
        ..GatewaySettings::default()
    });
    let mut presence = |kind: &str, jid: &str| {
        world.xmpp(&format!(
            "<presence type='{kind}' from='{jid}' to='bob@village.example'/>"
        ));
        !world.out().iter().any(|text| text.contains("type='error'"))
    };
    assert!(presence("subscribe", "a@evil.example"));
    assert!(presence("subscribe", "b@evil.example"));
    assert!(!presence("subscribe", "c@evil.example"));
    assert!(presence("subscribe", "c@other.example"));
    assert!(presence("subscribe", "alice@home.example"));
    assert!(presence("unsubscribe", "a@evil.example"));
    assert!(presence("subscribe", "c@evil.example"));
    assert_eq!(world.gateway.watches().0, 4);
}

#[test]
fn requests_that_wait_for_their_answers_are_bounded_and_subscriptions_are_tried_again() {
    let mut world = World::up(GatewaySettings {
        max_queries: 1,
        ..GatewaySettings::default()
    });
    let subscribe =
        |jid: &str| format!("<presence type='subscribe' from='{jid}' to='bob@village.example'/>");
    world.xmpp(&subscribe("alice@home.example"));
    assert_eq!(world.sent().len(), 1);
    let token = world.requests()[0].0;
    world.xmpp(&subscribe("carol@home.example"));
    assert!(world.sent().is_empty());
    world.answer_to(token, "<Status code='200'/>");
    world.pass(30_000);
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn what_waits_for_the_link_is_bounded_in_bytes() {
    let mut world = World::new();
    send(&mut world, "m-1", false);
    let bytes = world.gateway.shared.links.bytes();
    for (most, fits) in [(bytes + 1, true), (bytes, false)] {
        let mut world = World::with(GatewaySettings {
            max_queue_bytes: most,
            ..GatewaySettings::default()
        });
        send(&mut world, "m-1", false);
        let id = send(&mut world, "m-2", false);
        assert_eq!(world.code(id), (!fits).then_some(507), "{most}");
    }
}

#[test]
fn what_is_seen_of_a_user_is_cut_and_beyond_a_bound_only_whether_he_is_there_counts() {
    let watch = |settings: GatewaySettings| {
        let mut world = World::up(settings);
        world.ssp(
            Some(BOB),
            "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
        );
        world.xmpp(
            "<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>",
        );
        world
    };
    let presence = |bytes: usize, nick: usize| {
        format!(
            "<presence from='alice@home.example/x' to='bob@village.example'><show>away</show>\
             <status>{}</status><nick xmlns='http://jabber.org/protocol/nick'>{}</nick></presence>",
            "s".repeat(bytes),
            "n".repeat(nick)
        )
    };
    let told = |world: &World| world.sent().concat();
    let mut world = watch(GatewaySettings::default());
    world.xmpp(&presence(MAX_STATUS, MAX_NAME));
    let text = told(&world);
    assert!(text.contains(&"s".repeat(MAX_STATUS)) && text.contains(&"n".repeat(MAX_NAME)));
    let mut world = watch(GatewaySettings::default());
    world.xmpp(&presence(MAX_STATUS + 1, MAX_NAME + 1));
    let cut = told(&world);
    assert!(!cut.contains(&"s".repeat(MAX_STATUS + 1)) && !cut.contains(&"n".repeat(MAX_NAME + 1)));
    assert_eq!(cut, text);

    let mut world = watch(GatewaySettings {
        max_seen_bytes: 100,
        ..GatewaySettings::default()
    });
    world.xmpp(&presence(101, 1));
    let text = told(&world);
    assert!(
        text.contains("NOT_AVAILABLE") && !text.contains("ssss"),
        "{text}"
    );
}

#[test]
fn five_thousand_errors_that_nobody_asked_for_change_nothing() {
    let mut world = World::up(GatewaySettings::default());
    for n in 0..5_000 {
        world.xmpp(&format!(
            "<message type='error' id='e{n}' from='eve@else.example/x' to='bob@village.example'>\
             <error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        ));
        assert!(world.acts.is_empty() && world.out().is_empty());
    }
    assert!(world.kept().is_empty());
    assert_eq!(
        world.gateway.shared.seldom.may("bounce", world.now.0),
        None,
        "a line was written"
    );
}

/// A watcher of bob, and what it is shown of a status of bob's.
fn shown(settings: GatewaySettings, status: &str) -> (World, Vec<String>) {
    let mut world = World::up(settings);
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>");
    world.ssp(None, &format!("<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList>\
        <OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>\
        <StatusText><Qualifier>T</Qualifier><PresenceValue>{status}</PresenceValue></StatusText></PresenceSubList></PresenceValue></PresenceNotification>"));
    let out = world.out();
    (world, out)
}

#[test]
fn what_is_larger_than_every_server_takes_is_kept_until_the_server_has_it() {
    // As XML each has five bytes.
    let status = |settings: GatewaySettings, length: usize| {
        let (world, out) = shown(settings, &"&amp;".repeat(length));
        let has_status = out.iter().any(|out| out.contains("&amp;&amp;"));
        let kept = world
            .kept()
            .iter()
            .filter(|key| key.contains("/out/"))
            .count();
        (world, has_status, kept)
    };
    // `subscribed` is kept in any case.
    let (_, has_status, kept) = status(GatewaySettings::default(), 1_000);
    assert_eq!((has_status, kept), (true, 1));
    let (mut world, has_status, kept) = status(GatewaySettings::default(), MAX_VALUE);
    assert_eq!((has_status, kept), (true, 2));
    // It is no use later: but it is counted.
    world.link_down();
    world.pass(61_000);
    let kind = "stanzas that waited too long for the link";
    assert_eq!(world.gateway.silent()[kind], 1);
    // What the server does not take does not go out.
    let small = GatewaySettings {
        max_stanza: BTreeMap::from([(VILLAGE.to_owned(), 10_000)]),
        ..GatewaySettings::default()
    };
    let (world, has_status, kept) = status(small, MAX_VALUE);
    assert_eq!((has_status, kept), (false, 1));
    assert_eq!(world.gateway.silent()["presence that is too large"], 1);
}

#[test]
fn presence_that_is_kept_is_not_shown_after_its_news() {
    let (mut world, _) = shown(GatewaySettings::default(), &"&amp;".repeat(MAX_VALUE));
    let is_large = |world: &World| world.out().iter().any(|out| out.contains("&amp;&amp;"));
    // What was under way goes out one by one, and it comes last.
    world.link_ends(Blame::Perhaps);
    world.link_up();
    assert_eq!(world.out().len(), 1, "{:?}", world.out());
    world.pass(10_000);
    world.ssp(None, &super::presence::status("soon"));
    assert!(
        world.out().iter().any(|out| out.contains("soon")),
        "{:?}",
        world.out()
    );
    world.confirm(u64::MAX);
    assert!(!is_large(&world), "{:?}", world.out());
    let waits = world.kept().iter().any(|key| key.contains("/out/"));
    assert!(!waits, "{:?}", world.kept());
}

#[test]
fn an_invitation_that_finds_no_room_is_refused_to_who_invites() {
    let invite = |settings: GatewaySettings| {
        let mut world = World::up(settings);
        let code = world.invites("i1", "IM", "<InviteNote>Come in</InviteNote>");
        (code, world.out().len())
    };
    assert_eq!(invite(GatewaySettings::default()), (Some(200), 1));
    let full = GatewaySettings {
        max_queue: 0,
        ..GatewaySettings::default()
    };
    assert_eq!(invite(full), (Some(507), 0));
    let small = GatewaySettings {
        max_stanza: BTreeMap::from([(VILLAGE.to_owned(), 50)]),
        ..GatewaySettings::default()
    };
    assert_eq!(invite(small), (Some(410), 0));
}

#[test]
fn what_watchers_are_shown_is_cut_and_beyond_a_bound_only_whether_he_is_there_counts() {
    let has = |out: &[String], bytes: usize| {
        let text = format!(">{}<", "s".repeat(bytes));
        out.iter().any(|out| out.contains(&text))
    };
    for bytes in [MAX_VALUE, MAX_VALUE + 1, 100_000] {
        let (_, out) = shown(GatewaySettings::default(), &"s".repeat(bytes));
        assert!(has(&out, MAX_VALUE), "{bytes}");
    }
    let (mut world, _) = shown(GatewaySettings::default(), "sss");
    let most = world.gateway.watches.held().0;
    let bounded = |most: usize| GatewaySettings {
        max_seen_bytes: most,
        ..GatewaySettings::default()
    };
    for (most, fits) in [(most, true), (most - 1, false)] {
        let (world, out) = shown(bounded(most), "sss");
        assert_eq!(has(&out, 3), fits);
        assert!(
            out.iter().any(|out| out.contains("<presence from")),
            "{out:?}"
        );
        assert!(world.gateway.watches.held().0 <= most);
    }
    world.xmpp("<presence type='unsubscribe' from='alice@home.example' to='bob@village.example'/>");
    assert_eq!(world.gateway.watches.held().0, 0);
}

#[test]
fn messages_to_xmpp_whose_outcome_is_awaited_are_bounded_in_bytes() {
    let mut world = World::up(GatewaySettings::default());
    send(&mut world, "m-1", true);
    let bytes = world.gateway.messages.held().0;
    for (most, fits) in [(bytes + 1, true), (bytes, false)] {
        let mut world = World::up(GatewaySettings {
            max_message_bytes: most,
            ..GatewaySettings::default()
        });
        send(&mut world, "m-1", true);
        world.restart();
        world.link_up();
        let id = send(&mut world, "m-2", true);
        assert_eq!(world.code(id), (!fits).then_some(507), "{most}");
    }
    // What has ended makes room.
    let mark = world.marks()[0];
    world.confirm(mark);
    world.pass(120_000);
    assert_eq!(world.gateway.messages.held().0, 0);
}

#[test]
fn ids_of_messages_that_a_peer_may_keep_are_remembered_up_to_a_bound() {
    let mut world = World::up(GatewaySettings {
        max_messages: 8,
        ..GatewaySettings::default()
    });
    for n in 0..10 {
        world.xmpp(&format!(
            "<message from='alice@home.example/x' to='bob@village.example' id='i{n}'><body>hi</body></message>"
        ));
        world.answer("<Status code='200'/>");
    }
    assert_eq!(world.gateway.messages.held().1, 8);
    world.pass(8 * 86_400_000);
    assert_eq!(world.gateway.messages.held().1, 0);
}

#[test]
fn addresses_that_are_nobody_s_are_remembered_up_to_a_bound() {
    let mut world = World::up(GatewaySettings::default());
    for n in 0..=MAX_NOBODY {
        world.ssp(
            Some(BOB),
            &format!(
                "<SubscribeRequest><UserID userID='wv:u{n}@home.example'/></SubscribeRequest>"
            ),
        );
        world.xmpp(&format!(
            "<presence type='error' from='u{n}@home.example' to='bob@village.example'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        ));
    }
    assert_eq!(world.gateway.watches.held().1, MAX_NOBODY);
    world.pass(3_600_000);
    assert_eq!(world.gateway.watches.held().1, 0);
}

#[test]
fn what_clients_can_do_is_remembered_for_so_many_of_them() {
    use crate::gateway::capabilities::MAX_KNOWN;
    let mut world = World::up(GatewaySettings::default());
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>");
    world.answer("<Status code='200'/>");
    for n in 0..=MAX_KNOWN {
        world.pass(10_000);
        world.ssp(None, &format!("<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList>\
            <OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>\
            <ClientInfo><Qualifier>T</Qualifier><ClientProducer>{n} {}</ClientProducer></ClientInfo></PresenceSubList></PresenceValue></PresenceNotification>", "x".repeat(2_000)));
    }
    assert_eq!(world.gateway.shared.capabilities.len(), MAX_KNOWN);
}

#[test]
fn who_asks_to_watch_counts_with_name_and_words() {
    let mut world = World::up(GatewaySettings {
        max_watch_bytes: 2_000,
        ..GatewaySettings::default()
    });
    let mut ask = |n: usize, words: usize| {
        let words = "w".repeat(words);
        world.xmpp(&format!("<presence type='subscribe' from='a{n}@home.example' to='bob@village.example'><status>{words}</status></presence>"));
        world.out().is_empty()
    };
    assert!(ask(1, MAX_STATUS + 500));
    assert!(!ask(2, MAX_STATUS));
    assert!(ask(3, 10));
}

#[test]
fn hints_about_encryption_are_remembered_for_so_many_conversations() {
    use crate::gateway::message::MAX_HINTED;
    let mut world = World::up(GatewaySettings::default());
    for n in 0..=MAX_HINTED {
        world.xmpp(&format!(
            "<message id='e{n}' from='a{n}@home.example/x' to='bob@village.example'>\
            <openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp></message>"
        ));
    }
    assert_eq!(world.gateway.messages.hinted(), MAX_HINTED);
}
