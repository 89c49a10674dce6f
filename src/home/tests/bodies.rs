//! What waits for users is on disk: what of it is in memory, and what happens while it is read.

mod random;

use super::*;
use crate::element::Found;

/// With bob, of whose clients nobody acknowledges by itself.
fn world(change: impl FnOnce(&mut HomeSettings)) -> World {
    let mut world = World::with(change);
    world.add("bob");
    world.acknowledges = false;
    world
}

fn send(world: &mut World, id: &str, body: &str) {
    send_to(world, "bob", id, body);
}

fn send_to(world: &mut World, user: &str, id: &str, body: &str) {
    let recipient = format!("{user}@{HOME}");
    let mut request = text(id, "zoe@far.test", &[&recipient], body);
    request.delivery_report = true;
    match world.deliver("far.test", Some("zoe@far.test"), request) {
        Some(Primitive::SendMessageResponse(response)) => {
            assert_eq!(response.status.effective(), Code::OK);
        }
        other => panic!("{other:?}"),
    }
}

/// Numbers, ids and texts of the messages among events.
fn messages(events: &[Event]) -> Vec<(u64, String, String)> {
    let known = events.iter().filter_map(|event| match event {
        Event::Message {
            number, id, text, ..
        } => Some((number.unwrap(), id.clone(), text.clone())),
        _ => None,
    });
    known.collect()
}

fn ids(events: &[Event]) -> Vec<String> {
    let messages = messages(events).into_iter();
    messages.map(|(_, id, _)| id).collect()
}

/// What became of messages, as their sender hears it.
fn reports(world: &mut World) -> Vec<(String, u16)> {
    let sent = world.sent().into_iter();
    let reports = sent.map(|primitive| match primitive {
        Primitive::DeliveryStatusReport(report) => (
            report.info.message_id.unwrap_or_default(),
            report.result.status.code.0,
        ),
        other => panic!("{other:?}"),
    });
    reports.collect()
}

fn bodies(world: &World) -> usize {
    let keys = world.store.keys();
    keys.filter(|key| key.contains("/body/")).count()
}

/// Has everything told and acknowledged; the ids, in order.
fn drain(world: &mut World, client: u64) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let told = messages(&world.heard(client));
        if told.is_empty() {
            return heard;
        }
        for (number, id, _) in told {
            heard.push(id);
            world.acknowledge(client, number);
        }
    }
}

/// Bytes that a user's queue takes in memory, about: all of it, written out.
fn in_memory(world: &World) -> usize {
    let users = world.home.users.values();
    users.map(|user| format!("{user:?}").len()).sum()
}

#[test]
fn messages_that_wait_for_users_who_are_away_take_a_little_memory_each() {
    let mut world = world(|_| {});
    let names: Vec<String> = (0..10).map(|n| format!("user{n}")).collect();
    for name in &names {
        world.add(name);
    }
    let body = "x".repeat(16 * 1024);
    let before = in_memory(&world);
    for number in 0..10_000 {
        send_to(
            &mut world,
            &names[number / 1000],
            &number.to_string(),
            &body,
        );
    }
    assert_eq!((world.home.core.waiting, bodies(&world)), (10_000, 10_000));
    for restarts in [false, true] {
        if restarts {
            world.restart();
        }
        assert_eq!(world.home.core.held_bytes, 0);
        let each = (in_memory(&world) - before) / 10_000;
        assert!(each < 1024, "{each} bytes a message");
    }
    // All the same each of them comes.
    world.open(1, "user3");
    let wanted: Vec<String> = (3000..4000).map(|number| number.to_string()).collect();
    assert_eq!(drain(&mut world, 1), wanted);
    assert_eq!(world.home.core.held_bytes, 0);
    assert_eq!(bodies(&world), 9_000);
}

#[test]
fn reports_that_wait_for_users_who_are_away_take_a_little_memory_each() {
    let mut world = world(|_| {});
    let words = "x".repeat(500);
    let refused = Status::new(Code::QUEUE_FULL).because(&words);
    world.open(1, "bob");
    for number in 0..100 {
        let message =
            format!(r#"{{"do":"message","to":"zoe@far.test","text":"x","id":"{number}"}}"#);
        world.say(1, &message);
    }
    world.close(1);
    let before = in_memory(&world);
    for _ in 0..100 {
        world.answer("SendMessageRequest", refused.clone());
    }
    assert_eq!(world.home.core.notices, 100);
    let each = in_memory(&world).saturating_sub(before) / 100;
    assert!(each < 400, "{each} bytes a report");
    world.open(2, "bob");
    let sent = world.heard(2).into_iter().filter_map(|event| match event {
        Event::Report { description, .. } => description,
        _ => None,
    });
    assert_eq!(sent.collect::<Vec<_>>(), vec![words; 100]);
}

#[test]
fn what_is_told_at_once_is_never_read() {
    let mut world = world(|_| {});
    world.reads = false;
    world.open(1, "bob");
    for number in 0..128 {
        send(&mut world, &number.to_string(), "x");
    }
    assert_eq!(ids(&world.heard(1)).len(), 128);
    assert_eq!((world.loads.len(), world.home.core.held_bytes), (0, 0));
}

#[test]
fn a_client_that_comes_has_what_waits_read_in_pieces_and_ahead_of_it() {
    let mut world = world(|settings| {
        settings.max_held_bytes = 10_000;
        settings.max_unacknowledged = 4;
    });
    world.reads = false;
    let body = "x".repeat(1000);
    for number in 0..30 {
        send(&mut world, &number.to_string(), &body);
    }
    world.open(1, "bob");
    assert_eq!(ids(&world.heard(1)), [""; 0]);
    assert_eq!(world.loads.len(), 1, "one read of a user at a time");
    assert_eq!(world.loads[0].keys.len(), 9);
    world.read();
    let told = messages(&world.heard(1));
    assert_eq!(told.len(), 4);
    assert!(world.home.core.held_bytes <= 10_000);
    // What was read ahead is told without a further read.
    world.acknowledge(1, told[0].0);
    assert_eq!(ids(&world.heard(1)), ["4"]);
    assert_eq!(world.loads.len(), 0);
    world.reads = true;
    for (number, ..) in &told[1..] {
        world.acknowledge(1, *number);
    }
    let mut heard = ids(&world.heard(1));
    world.close(1);
    assert_eq!(world.home.core.held_bytes, 0);
    world.open(2, "bob");
    heard.truncate(0);
    heard.extend(drain(&mut world, 2));
    let wanted: Vec<String> = (4..30).map(|number| number.to_string()).collect();
    assert_eq!(heard, wanted);
}

#[test]
fn one_body_always_comes_however_large_it_is() {
    let mut world = world(|settings| {
        settings.max_held_bytes = 100;
        settings.max_all_held_bytes = 0;
        settings.max_read_bytes = 1;
    });
    for id in ["1", "2", "3"] {
        send(&mut world, id, &"x".repeat(5000));
    }
    world.open(1, "bob");
    assert_eq!(drain(&mut world, 1), ["1", "2", "3"]);
    // So does what comes while nothing may be held.
    send(&mut world, "4", &"x".repeat(5000));
    assert_eq!(drain(&mut world, 1), ["4"]);
}

#[test]
fn users_take_turns_with_reads() {
    let mut world = world(|settings| settings.max_read_bytes = 1000);
    world.add("alice");
    world.add("carol");
    world.reads = false;
    for user in ["alice", "bob", "carol"] {
        send_to(&mut world, user, "m", &"x".repeat(2000));
    }
    for (client, user) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        world.open(client, user);
    }
    for client in 1..=3 {
        assert_eq!(world.loads.len(), 1);
        world.heard(client);
        world.read();
        assert_eq!(ids(&world.heard(client)), ["m"]);
    }
    assert_eq!(world.loads.len(), 0);
}

#[test]
fn a_body_that_cannot_be_read_ends_that_message_only() {
    for what in ["gone", "broken", "another"] {
        let mut world = world(|_| {});
        for id in ["m1", "m2", "m3"] {
            send(&mut world, id, "text");
        }
        let keys: Vec<String> = world.store.keys().cloned().collect();
        let second = keys.iter().filter(|key| key.contains("/body/")).nth(1);
        let second = second.unwrap().clone();
        match what {
            "gone" => drop(world.store.remove(&second)),
            "broken" => drop(world.store.insert(second, b"{".to_vec())),
            _ => {
                let other = br#"{"content_type":"text/plain"}
another text"#;
                world.store.insert(second, other.to_vec());
            }
        }
        world.restart();
        world.open(1, "bob");
        assert_eq!(drain(&mut world, 1), ["m1", "m3"], "{what}");
        let refused = Outcome::Refused(Code::INTERNAL.0);
        assert!(world.outcomes.contains(&("m2".to_owned(), refused)));
        assert_eq!(world.outcomes.len(), 3);
        let mut reports = reports(&mut world);
        reports.sort();
        let wanted = [("m1", 200), ("m2", 500), ("m3", 200)];
        assert_eq!(reports, wanted.map(|(id, code)| (id.to_owned(), code)));
        assert_eq!((bodies(&world), world.home.messages_open()), (0, 0));
    }
}

#[test]
fn a_report_that_cannot_be_read_goes_alone() {
    let mut world = world(|_| {});
    world.open(1, "bob");
    for id in ["b-1", "b-2", "b-3"] {
        world.say(
            1,
            &format!(r#"{{"do":"message","to":"zoe@far.test","text":"x","id":"{id}"}}"#),
        );
    }
    world.close(1);
    for _ in 0..3 {
        world.answer("SendMessageRequest", Status::new(Code::UNKNOWN_USER));
    }
    let notices = |world: &World| {
        let keys = world.store.keys().filter(|key| key.contains("/notice/"));
        keys.cloned().collect::<Vec<_>>()
    };
    let second = notices(&world)[1].clone();
    world.store.insert(second.clone(), b"{".to_vec());
    world.open(2, "bob");
    let sent = world.heard(2).into_iter().filter_map(|event| match event {
        Event::Report { id, .. } => Some(id),
        _ => None,
    });
    assert_eq!(sent.collect::<Vec<_>>(), ["b-1", "b-3"]);
    assert!(!notices(&world).contains(&second));
}

#[test]
fn what_cannot_be_read_now_is_read_later() {
    let mut world = world(|_| {});
    world.reads = false;
    for id in ["m1", "m2"] {
        send(&mut world, id, "text");
    }
    world.open(1, "bob");
    world.heard(1);
    for _ in 0..3 {
        let load = world.loads.pop().unwrap();
        let later = |(number, _)| (number, Found::Later("a bad moment".to_owned()));
        let loaded = Loaded {
            number: load.number,
            records: load.keys.into_iter().map(later).collect(),
        };
        world.home.take(Input::Loaded(loaded), world.now);
        world.settle();
        // Nothing that happens meanwhile asks the store again.
        world.say(1, r#"{"do":"contacts"}"#);
        assert_eq!(world.loads.len(), 0);
        world.wait(1);
        assert_eq!(world.loads.len(), 1);
    }
    world.read();
    assert_eq!(ids(&world.heard(1)), ["m1", "m2"]);
    assert_eq!(world.outcomes, []);
}

#[test]
fn a_client_that_goes_while_its_messages_are_read_leaves_them_to_the_next() {
    let mut world = world(|_| {});
    world.reads = false;
    send(&mut world, "m1", "text");
    world.open(1, "bob");
    world.close(1);
    world.read();
    assert_eq!(world.home.core.held_bytes, 0);
    assert_eq!(ids(&world.heard(1)), [""; 0]);
    world.open(2, "bob");
    world.close(2);
    world.open(3, "bob");
    world.read();
    assert_eq!(ids(&world.heard(2)), [""; 0]);
    assert_eq!(ids(&world.heard(3)), ["m1"]);
}

#[test]
fn a_message_that_expires_while_it_is_read_is_not_told() {
    let mut world = world(|_| {});
    world.reads = false;
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "x");
    request.info.validity = Some(100);
    world.deliver("far.test", Some("zoe@far.test"), request);
    send(&mut world, "m2", "text");
    world.open(1, "bob");
    world.wait(101);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Expired)]);
    world.read();
    assert_eq!(ids(&world.heard(1)), ["m2"]);
    assert_eq!(world.home.core.held_bytes, 0);
}

#[test]
fn a_user_who_is_removed_while_their_messages_are_read_hears_nothing() {
    let mut world = world(|_| {});
    world.reads = false;
    send(&mut world, "m1", "text");
    world.open(1, "bob");
    world.remove("bob").unwrap();
    world.settle();
    world.add("bob");
    world.open(2, "bob");
    world.read();
    assert_eq!(ids(&world.heard(1)), [""; 0]);
    assert_eq!(ids(&world.heard(2)), [""; 0]);
    let core = &world.home.core;
    assert_eq!(
        (core.held_bytes, core.waiting, core.waiting_bytes),
        (0, 0, 0)
    );
    assert_eq!(bodies(&world), 0);
}

#[test]
fn a_body_stays_as_long_as_a_client_has_still_to_be_told() {
    let mut world = world(|settings| {
        settings.max_unacknowledged = 1;
        settings.max_all_held_bytes = 0;
    });
    world.open(1, "bob");
    world.open(2, "bob");
    for id in ["m1", "m2", "m3"] {
        send(&mut world, id, "text");
    }
    assert_eq!(drain(&mut world, 1), ["m1", "m2", "m3"]);
    assert_eq!(world.home.messages_open(), 0);
    // The other was told the first, and has to be told two more.
    assert_eq!(bodies(&world), 2);
    let lagging = world.store.clone();
    assert_eq!(drain(&mut world, 2), ["m1", "m2", "m3"]);
    assert_eq!(bodies(&world), 0);
    // If it goes with the process nobody needs them any more.
    world.store = lagging;
    world.restart();
    world.settle();
    assert_eq!(bodies(&world), 0);
    world.open(3, "bob");
    assert_eq!(ids(&world.heard(3)), [""; 0]);
}

#[test]
fn the_body_of_a_copy_that_cannot_be_read_is_passed_over() {
    let mut world = world(|settings| {
        settings.max_unacknowledged = 1;
        settings.max_all_held_bytes = 0;
    });
    world.open(1, "bob");
    world.open(2, "bob");
    for id in ["m1", "m2", "m3"] {
        send(&mut world, id, "text");
    }
    assert_eq!(drain(&mut world, 1).len(), 3);
    let body = world.store.keys().find(|key| key.contains("/body/"));
    let body = body.unwrap().clone();
    world.store.insert(body, Vec::new());
    assert_eq!(drain(&mut world, 2), ["m1", "m3"]);
    let delivered = |id: &str| (id.to_owned(), Outcome::Delivered);
    assert_eq!(world.outcomes, ["m1", "m2", "m3"].map(delivered));
    assert_eq!(bodies(&world), 0);
}

#[test]
fn what_an_older_version_kept_moves_to_a_record_of_its_own_when_it_is_told() {
    let mut world = world(|settings| settings.max_unacknowledged = 1);
    let arrival = |id: &str| {
        format!(
            r#"{{"id":"{id}","sender":"wv:zoe@far.test","until":1900000000000,"waiting":{{"name":"Zoe","content_type":"text/plain","content":"eHk=","arrived":1700000000000,"report":false}}}}"#
        )
    };
    for number in 1..=3 {
        let key = format!("home/user/bob/arrival/{number:020}");
        world
            .store
            .insert(key, arrival(&format!("m{number}")).into());
    }
    world.restart();
    world.open(1, "bob");
    world.open(2, "bob");
    let told = messages(&world.heard(1));
    assert_eq!(told[0].2, "xy");
    assert!(bodies(&world) > 0);
    world.acknowledge(1, told[0].0);
    assert_eq!(drain(&mut world, 1), ["m2", "m3"]);
    assert_eq!(drain(&mut world, 2), ["m1", "m2", "m3"]);
    assert_eq!(bodies(&world), 0);
    assert_eq!(world.home.messages_open(), 0);
}

#[test]
fn all_that_waits_is_bounded_in_number_for_all_users() {
    let mut world = world(|settings| {
        settings.max_waiting = 2;
        settings.max_all_notices = 2;
    });
    world.add("alice");
    send(&mut world, "m1", "x");
    send_to(&mut world, "alice", "m2", "x");
    let third = text("m3", "zoe@far.test", &["bob@home.test"], "x");
    let answer = world.deliver("far.test", Some("zoe@far.test"), third);
    assert!(
        matches!(&answer, Some(Primitive::SendMessageResponse(r)) if r.status.effective() == Code::QUEUE_FULL),
        "{answer:?}"
    );
    world.open(1, "bob");
    world.heard(1);
    for id in ["b-1", "b-2", "b-3"] {
        world.say(
            1,
            &format!(r#"{{"do":"message","to":"nobody","text":"x","id":"{id}"}}"#),
        );
    }
    let notices = world.store.keys().filter(|key| key.contains("/notice/"));
    assert_eq!(notices.count(), 2);
    assert_eq!(drain(&mut world, 1), [""; 0]);
}
