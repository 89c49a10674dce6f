//! Where lists of XMPP users are kept, and what is kept of messages to them.

use std::collections::VecDeque;

use super::*;

#[test]
fn what_the_server_grants_is_asked_for_before_lists_are_kept_anywhere() {
    let mut world = World::settled(GatewaySettings::default());
    assert!(ask(&mut world, CREATE).contains("200"));
    // What a server grants is not known until it has said so, or been silent for a while.
    world.restart();
    for up in [false, true] {
        if up {
            world.link_up();
        }
        for request in [CREATE, READ, GRANT, BLOCK, "<GetListRequest/>"] {
            let id = world.ssp(Some(ALICE), request);
            assert_eq!(world.code(id), Some(503), "{up} {request}");
        }
    }
    world.pass(9_999);
    let id = world.ssp(Some(ALICE), READ);
    assert_eq!(world.code(id), Some(503));
    world.pass(1);
    let list = ask(&mut world, READ);
    assert!(list.contains("wv:bob@village.example"), "{list}");
}

#[test]
fn lists_kept_here_and_those_of_the_roster_do_not_touch_each_other() {
    let mut world = World::settled(GatewaySettings::default());
    let pals = CREATE
        .replace("/friends@", "/pals@")
        .replace("Friends", "Pals");
    assert!(ask(&mut world, &pals).contains("200"));
    grant(&mut world, "home.example", 2, ROSTERS);
    let id = world.ssp(Some(ALICE), "<GetListRequest/>");
    reply(&mut world, ROSTER);
    let lists = answer(&world, id);
    assert!(
        lists.contains("friends") && !lists.contains("pals"),
        "{lists}"
    );
    // The server lets nobody read rosters any more.
    let id = world.ssp(Some(ALICE), "<GetListRequest/>");
    deny(&mut world, "forbidden");
    assert_eq!(world.code(id), Some(403));
    let lists = ask(&mut world, "<GetListRequest/>");
    assert!(
        lists.contains("pals") && !lists.contains("friends"),
        "{lists}"
    );
    // After a restart too, and when the new link is silent about it.
    again(&mut world, None);
    let read = READ.replace("friends", "pals");
    assert!(ask(&mut world, &read).contains("wv:bob@village.example"));
}

#[test]
fn what_the_server_refuses_to_change_is_not_kept_and_the_right_to_change_is_forgotten() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let create = CREATE.replace("friends", "team").replace("Friends", "Team");
    let id = world.ssp(Some(ALICE), &create);
    reply(&mut world, ROSTER);
    deny(&mut world, "not-allowed");
    assert_eq!(world.code(id), Some(403));
    assert!(world.kept().is_empty(), "{:?}", world.kept());
    // That contact may not be changed; others may.
    let id = world.ssp(Some(ALICE), &create);
    reply(&mut world, ROSTER);
    deny(&mut world, "forbidden");
    assert_eq!(world.code(id), Some(403));
    // Now it is known that rosters may be read only.
    let id = world.ssp(Some(ALICE), &create);
    reply(&mut world, ROSTER);
    assert_eq!(world.code(id), Some(403));
    assert!(world.out().is_empty(), "{:?}", world.out());
    let id = world.ssp(Some(ALICE), READ);
    reply(&mut world, ROSTER);
    assert!(answer(&world, id).contains("wv:bob@village.example"));
}

#[test]
fn requests_of_one_user_go_one_after_another_and_those_of_others_at_once() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let first = world.ssp(Some(ALICE), MANAGE);
    assert_eq!(ids(&world).len(), 1);
    let question = ids(&world).remove(0);
    let second = world.ssp(Some(ALICE), READ);
    assert!(world.out().is_empty(), "{:?}", world.out());
    world.ssp(Some("wv:carol@home.example"), "<GetListRequest/>");
    assert!(world.out()[0].contains("to='carol@home.example'"));
    reply_to(&mut world, &question, ROSTER);
    reply(&mut world, "");
    assert!(answer(&world, first).contains("wv:zoe@village.example"));
    let with_zoe = ROSTER.replace(
        "</query>",
        "<item jid='zoe@village.example'><group>Friends</group></item></query>",
    );
    reply(&mut world, &with_zoe);
    assert!(answer(&world, second).contains("wv:zoe@village.example"));
}

const MESSAGE: &str = "<SendMessageRequest deliveryReport='No'><MessageInfo messageID='m1' \
    contentType='text/plain'>\
    <Recipient><ContactList contactListID='wv:alice/friends@home.example'/></Recipient>\
    <Recipient><ContactList contactListID='wv:alice/contacts@home.example'/></Recipient>\
    <Recipient><User userID='wv:tim@village.example'/></Recipient>\
    <Sender><User userID='wv:alice@home.example'/></Sender></MessageInfo>\
    <ContentData contentType='text/plain'>Hi</ContentData></SendMessageRequest>";

#[test]
fn every_copy_of_a_message_to_lists_comes_to_its_end() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let copies = 3;
    for (code, outcome) in [(200, Outcome::Relayed), (531, Outcome::Refused(531))] {
        let id = world.ssp(Some(ALICE), MESSAGE);
        assert_eq!(world.gateway.messages_open(), copies);
        reply(&mut world, ROSTER);
        assert_eq!(world.gateway.messages_open(), copies);
        world.answer(&format!(
            "<SendMessageResponse messageID='m1'><Status code='{code}'/></SendMessageResponse>"
        ));
        assert_eq!(world.code(id), Some(code));
        assert_eq!(world.outcomes(), [outcome; 3]);
        assert_eq!(world.gateway.messages_open(), 0);
    }
    world.ssp(Some(ALICE), MESSAGE);
    world.pass(10_000);
    assert_eq!(world.outcomes(), [Outcome::Refused(504); 3]);
    assert!(world.kept().is_empty(), "{:?}", world.kept());
}

#[test]
fn those_on_a_list_get_a_message_once_wherever_the_node_is_killed() {
    for perms in [Some(ROSTERS), None] {
        // Killed before the roster is read, before the answer, and not at all.
        for kill in 0..3 {
            let mut world = World::settled(GatewaySettings::default());
            if perms.is_none() {
                assert!(ask(&mut world, CREATE).contains("200"));
            }
            again(&mut world, Some(perms.unwrap_or_default()));
            let id = world.ssp(Some(ALICE), MESSAGE);
            let mut sent = world.sent();
            if kill == 0 {
                again(&mut world, perms);
                sent.extend(world.sent());
            }
            if perms.is_some() {
                reply(&mut world, ROSTER);
                sent.extend(world.sent());
            }
            assert_eq!(sent.len(), 1, "{perms:?} {kill}: {sent:?}");
            for user in ["bob@village", "tim@village"] {
                assert_eq!(sent[0].matches(user).count(), 1, "{}", sent[0]);
            }
            assert_eq!(world.gateway.messages_open(), 3, "{perms:?} {kill}");
            let token = Token(
                world
                    .store
                    .keys()
                    .find_map(|key| key.strip_prefix("gateway/list/"))
                    .unwrap()
                    .parse()
                    .unwrap(),
            );
            if kill == 1 {
                again(&mut world, perms);
                assert!(world.sent().is_empty(), "{:?}", world.sent());
                assert_eq!(world.gateway.messages_open(), 3);
            }
            let answer =
                "<SendMessageResponse messageID='m1'><Status code='200'/></SendMessageResponse>";
            world.answer_to(token, answer);
            assert_eq!(world.code(id), Some(200));
            assert_eq!(world.outcomes(), [Outcome::Relayed; 3]);
            assert!(
                !world.kept().iter().any(|key| key.contains("list")),
                "{:?}",
                world.kept()
            );
        }
    }
}

#[test]
fn a_message_from_before_a_restart_waits_for_its_server_as_long_as_it_may() {
    let mut world = World::up(GatewaySettings::default());
    grant(&mut world, "home.example", 2, ROSTERS);
    let id = world.ssp(Some(ALICE), MESSAGE);
    world.restart();
    world.pass(30_000);
    assert_eq!(world.code(id), None);
    world.link_up();
    grant(&mut world, "home.example", 2, ROSTERS);
    assert_eq!(ids(&world).len(), 1);
    world.restart();
    world.pass(30_000);
    assert_eq!(world.code(id), Some(504));
    assert_eq!(world.outcomes(), [Outcome::Refused(504); 3]);
    assert!(world.kept().is_empty(), "{:?}", world.kept());
}

#[test]
fn rosters_are_read_anew_some_at_a_time_and_once_for_many_changes() {
    let mut world = World::settled(GatewaySettings::default());
    let all = (0..40).map(|n| format!("wv:u{n}@home.example"));
    for user in all {
        let of_list = GRANT.replace(
            "<UserID userID='wv:bob@village.example'/>",
            &format!(
                "<ContactList contactListID='{}/>",
                user.replace('@', "/contacts@") + "'"
            ),
        );
        world.ssp(Some(&user), &of_list);
    }
    let mut open = VecDeque::new();
    grant(&mut world, "home.example", 2, ROSTERS);
    open.extend(read_now(&world));
    assert_eq!(open.len(), 16);
    // However often the server says that one has changed, it is read once more.
    let (user, _) = open[0].clone();
    for _ in 0..5 {
        world.xmpp(&format!(
            "<iq type='set' from='{user}' to='{VILLAGE}' id='push'>\
             <query xmlns='jabber:iq:roster'/></iq>"
        ));
        assert!(read_now(&world).is_empty(), "{:?}", world.out());
    }
    let mut count = 0;
    while let Some((user, id)) = open.pop_front() {
        count += 1;
        world.xmpp(&format!(
            "<iq type='result' from='{user}' to='{VILLAGE}' id='{id}'>\
             <query xmlns='jabber:iq:roster'/></iq>"
        ));
        open.extend(read_now(&world));
        assert!(open.len() <= 16);
    }
    assert_eq!(count, 41);
    // And all of them after a while, for no server need say what has changed.
    world.pass(600_000);
    assert_eq!(read_now(&world).len(), 16);
}

/// Whose rosters are being read since the last input, and the ids of the questions.
fn read_now(world: &World) -> Vec<(String, String)> {
    let between = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!(" {name}='"))?;
        Some(rest.split_once('\'')?.0.to_owned())
    };
    let out = world.out();
    let reads = out
        .iter()
        .filter(|text| text.contains("<query xmlns='jabber:iq:roster'"));
    reads
        .filter_map(|text| Some((between(text, "to")?, between(text, "id")?)))
        .collect()
}

#[test]
fn silence_counts_only_as_long_as_the_link_is_there() {
    let mut world = World::up(GatewaySettings::default());
    let code = |world: &mut World| {
        let id = world.ssp(Some(ALICE), GRANT);
        world.code(id)
    };
    world.pass(5_000);
    world.link_down();
    world.pass(20_000);
    assert_eq!(code(&mut world), Some(503));
    // A new link has its own time, however soon it comes.
    world.link_up();
    world.pass(5_000);
    world.link_down();
    world.link_up();
    world.pass(9_999);
    assert_eq!(code(&mut world), Some(503));
    world.pass(1);
    assert_eq!(code(&mut world), Some(200));
}

#[test]
fn every_component_has_its_own_silence() {
    let translator = Translator::new("home.example", &[VILLAGE, "town.example"]);
    let mut world = World::new();
    world.gateway = Gateway::new(world.settings.clone(), Arc::new(translator), 7);
    for component in [VILLAGE, "town.example"] {
        world.take(Input::Xmpp(component.to_owned(), FromXmpp::Up));
        world.pass(4_000);
    }
    world.pass(5_999);
    let id = world.ssp(Some(ALICE), GRANT);
    assert_eq!(world.code(id), Some(503));
    world.pass(1);
    let id = world.ssp(Some(ALICE), GRANT);
    assert_eq!(world.code(id), Some(200));
}

#[test]
fn what_is_no_roster_and_no_block_list_changes_nothing() {
    let mut world = World::up(GatewaySettings::default());
    grant(
        &mut world,
        "home.example",
        2,
        &format!("{ROSTERS}{BLOCKING}"),
    );
    for (request, answer) in [
        (READ, ""),
        (READ, "<query xmlns='jabber:iq:version'/>"),
        ("<GetBlockedListRequest/>", ""),
    ] {
        let id = world.ssp(Some(ALICE), request);
        reply(&mut world, answer);
        assert_eq!(world.code(id), Some(500), "{request}");
    }
    assert!(world.kept().is_empty(), "{:?}", world.kept());
}
