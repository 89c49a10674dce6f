//! What waits for peers: bounds, bodies on disk, one bad message among good ones, repetitions,
//! answers that do not come.

mod bounds;

use super::*;

const ALICE: &str = "wv:alice@a.test";
const CAROL: &str = "wv:carol@a.test";
const BOB: &str = "wv:bob@b.test";

/// `accepted == ended + queued + with an element`, at every node.
fn assert_books(world: &mut World) {
    for domain in ["a.test", "r.test"] {
        let node = world.node(domain);
        let count = |wanted: fn(&Count) -> bool| node.counts.iter().filter(|c| wanted(c)).count();
        let accepted = count(|count| *count == Count::Accepted);
        let ended = count(|count| matches!(count, Count::Ended(_)));
        let queued = usize::try_from(node.sap.messages_queued()).unwrap();
        assert_eq!(accepted, ended + queued, "{domain}: {:?}", node.counts);
    }
}

fn up(world: &mut World) {
    world.send(ALICE, &[BOB], "m1");
    world.run(1_000);
    assert_eq!(world.received("b.test"), ["m1"]);
    world.node("b.test").delivered.clear();
    world.node("a.test").answers.clear();
}

fn limited(change: impl Fn(&mut Settings)) -> World {
    let world = chain();
    World::new(world.nodes.into_values().map(|node| {
        let mut settings = node.sap.settings().as_ref().clone();
        change(&mut settings);
        settings
    }))
}

#[test]
fn one_message_that_a_peer_cannot_digest_holds_nobody_else_up_and_ends() {
    for outcome in [
        Posted::Refused {
            status: 500,
            retry_after: None,
        },
        Posted::Closed,
    ] {
        let mut world = chain();
        up(&mut world);
        world.poison = Some(("b.test", "messageID=\"m100\"".to_owned(), outcome));
        world.send_text(ALICE, BOB, "m100", 100, "bad");
        world.send_text(ALICE, BOB, "m101", 101, "behind");
        for n in 2..7 {
            world.send(CAROL, &[BOB], &format!("m{n}"));
        }
        world.run(1_000);
        assert_eq!(world.received("b.test"), ["m2", "m3", "m4", "m5", "m6"]);
        // Others go on, and so it is known that it is the message.
        for n in 7..60 {
            world.send(CAROL, &[BOB], &format!("m{n}"));
            world.run(20_000);
            let received = world.received("b.test");
            assert!(received.contains(&format!("m{n}")), "{received:?}");
        }
        let received = world.received("b.test");
        assert!(received.contains(&"m101".to_owned()), "{received:?}");
        assert!(!received.contains(&"m100".to_owned()));
        assert!(world.verdicts("a.test").contains(&(100, 202)));
        let reports = world.node("a.test").delivered.iter();
        let of_it = |d: &&Delivered| {
            matches!(&d.primitive, Primitive::DeliveryStatusReport(r)
            if r.info.message_id.as_deref() == Some("m100") && r.result.status.code == Code::INTERNAL)
        };
        assert_eq!(reports.filter(of_it).count(), 1);
        assert_books(&mut world);
    }
}

#[test]
fn a_peer_that_refuses_everything_loses_nothing() {
    let mut world = chain();
    up(&mut world);
    let outcome = Posted::Refused {
        status: 500,
        retry_after: None,
    };
    world.poison = Some(("b.test", "SendMessageRequest".to_owned(), outcome));
    for n in 2..20 {
        world.send([ALICE, CAROL][n % 2], &[BOB], &format!("m{n}"));
    }
    world.run(1_800_000);
    assert!(world.received("b.test").is_empty());
    assert!(world.posts < 1_000, "{} posts", world.posts);
    world.poison = None;
    world.run(120_000);
    let received = world.received("b.test");
    assert_eq!(received.len(), 18);
    let of = |parity: usize| {
        let wanted = (2..20).filter(move |n| n % 2 == parity);
        wanted.map(|n| format!("m{n}")).collect::<Vec<_>>()
    };
    for wanted in [of(0), of(1)] {
        let in_order: Vec<&String> = received.iter().filter(|id| wanted.contains(id)).collect();
        assert_eq!(in_order, wanted.iter().collect::<Vec<_>>());
    }
    assert_books(&mut world);
}

#[test]
fn bodies_that_wait_for_all_peers_take_no_more_memory_than_the_settings_say() {
    let mut world = limited(|settings| settings.max_held_bytes = 500_000);
    up(&mut world);
    world.node("b.test").down = true;
    for n in 0..10 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(100_000));
        world.run(10);
    }
    let (queued, held) = world.node("r.test").sap.queued_bytes();
    assert!(queued > 1_000_000 && held <= 500_000, "{queued} {held}");
    world.node("b.test").down = false;
    world.run(120_000);
    let expected: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    assert_eq!(world.received("b.test"), expected);
    assert_books(&mut world);
}

#[test]
fn what_waits_for_an_absent_peer_is_on_disk_and_comes_in_order() {
    let mut world = chain();
    up(&mut world);
    world.node("b.test").down = true;
    for n in 0..40 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(300_000));
        world.run(10);
    }
    let held = |world: &mut World| world.node("r.test").sap.queued_bytes().1;
    assert!(world.node("r.test").sap.queued_bytes().0 > 40 * 300_000);
    assert!(held(&mut world) <= outbox::bodies::HELD_OF_ONE);
    world.run(60_000);
    world.restart("r.test");
    assert!(held(&mut world) <= outbox::bodies::HELD_OF_ONE);
    // One of them is damaged on the disk.
    let disk = &mut world.node("r.test").disk;
    let key = disk
        .iter()
        .filter(|(key, _)| key.starts_with(outbox::PREFIX));
    let key = key.map(|(key, _)| key.clone()).nth(30).unwrap();
    disk.insert(key, b"{}".to_vec());
    world.node("b.test").down = false;
    world.run(120_000);
    let expected: Vec<String> = (0..40)
        .filter(|n| *n != 30)
        .map(|n| format!("m{n}"))
        .collect();
    assert_eq!(world.received("b.test"), expected);
    assert!(world.loads >= 30, "{} bodies were read", world.loads);
    assert_eq!(held(&mut world), 0);
    assert_books(&mut world);
}

#[test]
fn a_record_that_cannot_be_read_now_holds_up_its_conversation_only() {
    let mut world = chain();
    up(&mut world);
    world.node("b.test").down = true;
    for n in 0..20 {
        let from = if n == 10 || n == 15 { CAROL } else { ALICE };
        world.send_text(from, BOB, &format!("m{n}"), n, &"x".repeat(300_000));
        world.run(10);
    }
    // The eleventh that waits is the first of Carol's.
    let disk = &world.node("r.test").disk;
    let mut waiting = disk.keys().filter(|key| key.starts_with(outbox::PREFIX));
    world.unreadable = waiting.nth(10).cloned();
    world.node("b.test").down = false;
    world.run(60_000);
    let of_alice = (0..20).filter(|n| ![10, 15].contains(n));
    let mut expected: Vec<String> = of_alice.map(|n| format!("m{n}")).collect();
    assert_eq!(world.received("b.test"), expected);
    assert!(world.loads < 100, "{} bodies were read", world.loads);
    world.send_text(ALICE, BOB, "m20", 20, "behind");
    world.run(20_000);
    expected.push("m20".to_owned());
    assert_eq!(world.received("b.test"), expected);
    world.unreadable = None;
    world.run(20_000);
    expected.extend(["m10".to_owned(), "m15".to_owned()]);
    assert_eq!(world.received("b.test"), expected);
    assert_books(&mut world);
}

#[test]
fn what_was_not_asked_of_the_store_changes_nothing() {
    let mut world = chain();
    up(&mut world);
    world.node("b.test").down = true;
    world.send(ALICE, &[BOB], "m2");
    world.run(100);
    let now = world.now;
    let sap = &mut world.node("r.test").sap;
    let posts = posts_under_way(sap);
    let stale = Loaded {
        peer: "b.test".to_owned(),
        number: 1,
        records: vec![(1, Found::Damaged("long ago".to_owned()))],
    };
    sap.loaded(stale, now);
    assert!(sap.next_effect().is_none() && posts_under_way(sap) == posts);
}

#[test]
fn a_202_says_whether_the_message_waits_here() {
    let mut world = chain();
    up(&mut world);
    world.node("b.test").down = true;
    world.send(ALICE, &[BOB], "m2");
    world.run(1_000);
    world.node("r.test").down = true;
    world.send(ALICE, &[BOB], "m3");
    world.run(60_000);
    let answers = world.node("a.test").answers.iter();
    let said = answers.map(|(token, answer)| {
        let status = answer.verdict().unwrap();
        (token.0, status.description.clone().unwrap())
    });
    let said: BTreeMap<u64, String> = said.collect();
    assert_eq!(said[&2], "passed on, no answer yet");
    assert_eq!(said[&3], "queued");
}

#[test]
fn what_is_posted_at_once_is_never_read() {
    let mut world = chain();
    for n in 0..200 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(50_000));
        world.run(10);
    }
    world.run(1_000);
    assert_eq!((world.received("b.test").len(), world.loads), (200, 0));
}

fn refused(world: &mut World) -> usize {
    let verdicts = world.verdicts("a.test");
    verdicts.iter().filter(|(_, code)| *code == 507).count()
}

#[test]
fn a_sign_of_life_ends_the_wait_for_a_peer() {
    let mut world = chain();
    up(&mut world);
    world.node("b.test").down = true;
    world.send(ALICE, &[BOB], "m2");
    world.send(CAROL, &[BOB], "m3");
    world.run(500);
    assert!(world.received("b.test").is_empty());
    world.node("b.test").down = false;
    world.send(BOB, &[ALICE], "m4");
    world.run(100);
    assert_eq!(world.received("b.test"), ["m2", "m3"]);
}

/// r.test thinks that b.test silently loses a message whose id it knows.
fn minding() -> World {
    let mut world = chain();
    let node = world.nodes.remove("r.test").unwrap();
    let mut settings = node.sap.settings().as_ref().clone();
    let mut peer = settings.peers["b.test"].as_ref().clone();
    let mut dialect = peer.dialect.as_ref().clone();
    dialect.unique_message_ids = true;
    peer.dialect = Arc::new(dialect);
    settings.peers.insert("b.test".to_owned(), Arc::new(peer));
    let others: Vec<Settings> = world
        .nodes
        .into_values()
        .map(|node| node.sap.settings().as_ref().clone())
        .collect();
    World::new(others.into_iter().chain([settings]))
}

#[test]
fn the_same_message_again_is_a_repetition_and_another_one_gets_another_id() {
    let mut world = minding();
    world.send_text(ALICE, BOB, "m1", 1, "one");
    world.run(1_000);
    world.send_text(ALICE, BOB, "m1", 2, "one");
    world.run(1_000);
    world.restart("r.test");
    world.send_text(ALICE, BOB, "m1", 3, "one");
    world.run(1_000);
    assert_eq!(world.received("b.test"), ["m1"]);
    assert_eq!(world.verdicts("a.test"), [(1, 200), (2, 202), (3, 202)]);
    world.send_text(ALICE, BOB, "m1", 4, "two");
    world.send_text(CAROL, BOB, "m1", 5, "one");
    world.run(1_000);
    let received = world.received("b.test");
    assert_eq!(received.len(), 3);
    assert!(
        received[1..]
            .iter()
            .all(|id| message_ids::original(id) == Some("m1"))
    );
    let repeated = |count: &&Count| **count == Count::Duplicate;
    assert_eq!(
        world.node("r.test").counts.iter().filter(repeated).count(),
        2
    );
    assert_books(&mut world);
}

#[test]
fn what_was_refused_may_be_sent_again_under_its_id() {
    let mut world = minding();
    world.node("b.test").verdict = Some(Code::UNKNOWN_USER);
    world.send_text(ALICE, BOB, "m1", 1, "one");
    world.run(1_000);
    world.node("b.test").verdict = Some(Code::OK);
    world.send_text(ALICE, BOB, "m1", 2, "one");
    world.run(1_000);
    assert_eq!(world.received("b.test"), ["m1", "m1"]);
    assert_eq!(world.verdicts("a.test"), [(1, 531), (2, 200)]);
}

#[test]
fn a_message_that_the_next_hop_has_is_answered_202_whatever_becomes_of_that() {
    for restart in ["a.test", "r.test", ""] {
        let mut world = chain();
        up(&mut world);
        world.node("b.test").down = true;
        world.send(ALICE, &[BOB], "m2");
        world.run(1_000);
        // r.test has it, and dies before it can say so.
        world.node("r.test").down = true;
        world.run(5_000);
        if restart == "a.test" {
            world.restart("a.test");
        }
        world.run(60_000);
        assert_eq!(world.verdicts("a.test"), [(2, 202)], "{restart}");
        world.node("b.test").down = false;
        world.restart("r.test");
        world.run(120_000);
        assert_eq!(world.received("b.test"), ["m2"]);
        assert_eq!(world.verdicts("a.test"), [(2, 202)]);
        let reports = world.node("a.test").delivered.len();
        assert_eq!(reports, 0, "nothing has failed");
        assert_books(&mut world);
    }
}

/// Messages of which a failure was reported to alice, in order.
fn reported(world: &mut World) -> Vec<String> {
    let delivered = world.node("a.test").delivered.iter();
    let reports = delivered.filter_map(|delivered| match &delivered.primitive {
        Primitive::DeliveryStatusReport(report) => report.info.message_id.clone(),
        _ => None,
    });
    reports.collect()
}

/// At b.test, whose answers come late: refuses all that was delivered there.
fn refuse_late(world: &mut World) {
    let now = world.now;
    let node = world.node("b.test");
    for delivered in std::mem::take(&mut node.delivered) {
        let refused = Primitive::status(Code::UNKNOWN_USER);
        let element = Element::named("Home");
        node.sap
            .respond(element, delivered.id.unwrap(), refused, now);
    }
    world.run(5_000);
}

#[test]
fn of_messages_answered_202_that_the_next_hop_has_the_oldest_are_given_up() {
    for bytes in [false, true] {
        let mut world = limited(|settings| {
            if settings.domain == "b.test" && bytes {
                // Each takes about 850.
                settings.max_lingering_bytes = 3_000;
            } else if settings.domain == "b.test" {
                settings.max_lingering = 3;
            }
        });
        world.node("b.test").verdict = None;
        for n in 1..=8 {
            world.send(ALICE, &[BOB], &format!("m{n}"));
            world.run(1_000);
        }
        world.run(40_000);
        let all: Vec<(u64, u16)> = (1..=8).map(|n| (n, 202)).collect();
        assert_eq!(world.verdicts("a.test"), all);
        // b.test has answered 202, and its element has them.
        let table = world.node("b.test").sap.transactions();
        let lingering = table.taken_over();
        assert_eq!((lingering.number, table.answered().number), (3, 5));
        assert!(lingering.bytes < 3_000, "{lingering:?}");
        // Nobody hears of the oldest; the others are as always.
        refuse_late(&mut world);
        assert_eq!(reported(&mut world), ["m6", "m7", "m8"]);
        assert_eq!(
            world.node("b.test").sap.transactions().taken_over().number,
            0
        );
        assert_books(&mut world);
    }
}

#[test]
fn what_waits_here_does_not_displace_what_the_next_hop_has() {
    let mut world = limited(|settings| settings.max_lingering_bytes = 3_000);
    up(&mut world);
    world.node("b.test").verdict = None;
    for n in 2..=3 {
        world.send(ALICE, &[BOB], &format!("m{n}"));
    }
    world.run(40_000);
    // Answered 202 too, and on this side of the way.
    world.node("b.test").down = true;
    for n in 4..=20 {
        world.send(ALICE, &[BOB], &format!("m{n}"));
    }
    world.run(40_000);
    world.node("b.test").down = false;
    world.node("b.test").delivered.truncate(2);
    refuse_late(&mut world);
    assert_eq!(reported(&mut world), ["m2", "m3"]);
}

fn posts_under_way(sap: &Sap) -> usize {
    sap.peer_views().iter().map(|view| view.posting).sum()
}
