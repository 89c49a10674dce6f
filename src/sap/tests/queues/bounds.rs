//! What may wait for peers, and be asked at once, has bounds in number and in bytes.

use super::*;

#[test]
fn a_queue_that_is_full_of_bytes_refuses_messages_with_507_and_the_rest_with_503() {
    let mut world = limited(|settings| {
        settings.max_queue_bytes = 100_000;
    });
    up(&mut world);
    world.node("b.test").down = true;
    for n in 0..12 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(9_000));
    }
    let request = SubscribeRequest {
        meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
        users: vec![crate::imps::common::UserId {
            user: Address::new("bob@b.test"),
        }],
        attributes: None,
    };
    world.run(30_000);
    // A small one would still fit.
    for n in 100..200 {
        world.send(CAROL, &[BOB], &format!("m{n}"));
    }
    world.run(1_000);
    let (now, expires) = (world.now, world.now.plus_seconds(60));
    let sap = &mut world.node("a.test").sap;
    sap.request(
        Element::named("Home"),
        Token(99),
        &request.into(),
        expires,
        now,
    );
    world.run(30_000);
    let verdicts: BTreeMap<u64, u16> = world.verdicts("a.test").into_iter().collect();
    assert_eq!(
        (verdicts[&0], verdicts[&11], verdicts[&199]),
        (202, 507, 507)
    );
    assert_eq!(verdicts[&99], 503);
    assert!(world.node("r.test").sap.queued_bytes().0 <= 101_000);
    world.node("b.test").down = false;
    world.run(60_000);
    assert!(world.received("b.test").len() > 9);
    assert_books(&mut world);
}

#[test]
fn the_room_for_all_is_shared_so_that_one_absent_peer_leaves_some_for_the_others() {
    let mut world = limited(|settings| settings.max_queue_total = 200_000);
    up(&mut world);
    world.node("b.test").down = true;
    for n in 0..40 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(9_000));
    }
    world.run(30_000);
    let sap = &world.node("r.test").sap;
    assert!(sap.queued_bytes().0 <= 100_000 && sap.queued_bytes().0 > 50_000);
    assert!(sap.engine.associations.is_full("b.test", 9_000));
    assert!(!sap.engine.associations.is_full("a.test", 9_000));
    let full = world
        .verdicts("a.test")
        .iter()
        .filter(|(_, code)| *code == 507)
        .count();
    assert!(full > 20, "{full}");
    assert_books(&mut world);
}

#[test]
fn a_peer_that_does_not_take_its_answers_is_asked_to_wait() {
    let mut world = limited(|settings| settings.max_queue_bytes = 30_000);
    up(&mut world);
    // Its answers do not arrive, its requests do.
    let outcome = Posted::Failed("a firewall".to_owned());
    world.poison = Some(("a.test", "SendMessageResponse".to_owned(), outcome));
    for n in 0..500 {
        world.send([ALICE, CAROL][n % 2], &[BOB], &format!("m{n}"));
        world.run(100);
    }
    let answers = world
        .node("r.test")
        .sap
        .engine
        .associations
        .get("a.test")
        .unwrap()
        .outbox()
        .answers();
    assert!(answers.1 < 100_000, "{answers:?}");
    assert!(world.received("b.test").len() < 200);
    world.poison = None;
    world.run(200_000);
    assert_eq!(world.received("b.test").len(), 500 - refused(&mut world));
}

#[test]
fn whom_one_primitive_may_address_is_bounded_in_number() {
    for (number, expected) in [(2_000, 200), (2_001, 402)] {
        let mut world = chain();
        let users: Vec<String> = (0..number).map(|n| format!("wv:u{n}@b.test")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        world.send(ALICE, &users, "m1");
        world.run(1_000);
        assert_eq!(world.verdicts("a.test"), [(1, expected)]);
        let delivered = usize::from(expected == 200);
        assert_eq!(world.received("b.test").len(), delivered);
        assert_books(&mut world);
    }
}

#[test]
fn the_parts_of_one_message_are_bounded_in_bytes() {
    let now = Time(1_000_000);
    // A third of a mebibyte for each of so many domains.
    for (domains, taken) in [(150_u64, true), (220, false)] {
        let users: Vec<String> = (0..domains).map(|n| format!("wv:u@d{n}.test")).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let peers = (0..domains).map(|n| speaking(&format!("d{n}.test"), &[]));
        let settings = peers.fold(Settings::new("a.test"), Settings::with_peer);
        let mut sap = Sap::new(Arc::new(settings), Random::repeatable(1));
        let Primitive::SendMessageRequest(mut request) = message(ALICE, &users, "m1") else {
            panic!("this is no message");
        };
        request.content = Some(ContentData::text(&"x".repeat(256 * 1024)));
        let (element, expires) = (Element::named("Home"), now.plus_seconds(60));
        sap.request(element, Token(1), &(*request).into(), expires, now);
        let effects = std::iter::from_fn(|| sap.next_effect());
        let answers = effects.filter_map(|effect| match effect {
            Effect::Answer(_, _, answer) => answer.verdict().map(|status| status.code.0),
            _ => None,
        });
        let refused: Vec<u16> = answers.collect();
        if taken {
            assert_eq!((refused, sap.messages_queued()), (vec![], domains));
        } else {
            assert_eq!((refused, sap.messages_queued()), (vec![507], 0));
        }
    }
}

#[test]
fn the_table_knows_its_bytes() {
    let mut world = chain();
    for n in 0..20 {
        world.send_text(ALICE, BOB, &format!("m{n}"), n, &"x".repeat(5_000));
    }
    let most = |number, bytes| transaction::Sum { number, bytes };
    let table = &world.node("a.test").sap.transactions();
    assert_eq!((table.pending("").number, table.answered().number), (20, 0));
    assert!(table.pending("").bytes > 20 * 500);
    world.run(1_000);
    let table = &world.node("r.test").sap.transactions();
    assert_eq!(
        (table.pending_of("a.test"), table.answered().number),
        (0, 20)
    );
    assert_eq!(
        table.remembers_too_much(most(10, usize::MAX)),
        Some("a.test")
    );
    assert_eq!(table.remembers_too_much(most(100, 2_000)), Some("a.test"));
    assert_eq!(table.remembers_too_much(most(100, 1_000_000)), None);
    world.run(3_600_000);
    let table = &world.node("r.test").sap.transactions();
    assert_eq!(table.answered(), transaction::Sum::default());
}
