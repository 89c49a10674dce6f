//! Messages that were taken over, and what is heard of them until their end.

use super::*;

const ALICE: &str = "wv:alice@a.test";
const BOB: &str = "wv:bob@b.test";
const CAROL: &str = "wv:carol@c.test";

/// b.test and c.test beside a.test, which follows up to so many messages that others have.
fn neighbours_with(max_lingering: usize) -> World {
    let home = |own: &str, others: &[&str]| {
        let settings = Settings::new(own).with_route(own, Route::Local(Element::named("Home")));
        let others = others.iter().map(|other| speaking(other, &[]));
        let mut settings = others.fold(settings, Settings::with_peer);
        settings.max_lingering = max_lingering;
        settings
    };
    World::new([
        home("a.test", &["b.test", "c.test"]),
        home("b.test", &["a.test"]),
        home("c.test", &["a.test"]),
    ])
}

fn neighbours() -> World {
    neighbours_with(100)
}

/// Sends a message that asks for no report.
fn send(world: &mut World, to: &[&str], id: &str) {
    let (now, expires) = (world.now, world.now.plus_seconds(3_600));
    let Primitive::SendMessageRequest(mut request) = message(ALICE, to, id) else {
        panic!("this is no message");
    };
    request.delivery_report = false;
    let token = Token(id[1..].parse().unwrap());
    let sap = &mut world.node("a.test").sap;
    let element = Element::named("Home");
    sap.request(element, token, &(*request).into(), expires, now);
}

/// b.test takes what is posted to it, and is not heard of any more.
fn takes_and_dies(world: &mut World) {
    world.node("b.test").verdict = None;
    world.run(1_000);
    assert!(!world.received("b.test").is_empty());
    world.node("b.test").down = true;
}

/// Code, and for each detail its code and whom it names.
type Said = (u16, Vec<(u16, Vec<String>)>);

fn said(told: &[(Token, Primitive)]) -> Vec<Said> {
    let of = |(_, told): &(Token, Primitive)| {
        let status = told.verdict().unwrap();
        let details = status.details.iter().map(|detail| {
            let users = detail.users.iter();
            let users = users.map(|id| id.user.bare().to_owned());
            (detail.code.0, users.collect())
        });
        (status.code.0, details.collect())
    };
    told.iter().map(of).collect()
}

/// What an element of a.test heard: answers, what is known after 202, and the end.
fn heard(world: &mut World) -> [Vec<Said>; 3] {
    let node = world.node("a.test");
    [&node.answers, &node.taken_over, &node.ended].map(|told| said(told))
}

fn detail(code: u16, user: &str) -> Vec<(u16, Vec<String>)> {
    vec![(code, vec![Address::new(user).bare().to_owned()])]
}

#[test]
fn who_asks_for_no_report_hears_that_a_message_was_taken_over_and_how_it_ended() {
    for (code, end) in [(Code::UNAVAILABLE, 503), (Code::OK, 200)] {
        let mut world = neighbours();
        world.node("b.test").down = true;
        send(&mut world, &[BOB], "m1");
        world.run(30_000);
        assert_eq!(heard(&mut world), [vec![], vec![(202, vec![])], vec![]]);
        world.restart("a.test");
        world.node("b.test").verdict = Some(code);
        world.node("b.test").down = false;
        world.run(700_000);
        let ended = vec![(end, vec![])];
        assert_eq!(heard(&mut world), [vec![], vec![(202, vec![])], ended]);
        assert_eq!(world.received("b.test"), ["m1"]);
        let rows = world.node("a.test").sap.transactions().newest(usize::MAX);
        assert!(rows.is_empty(), "{rows:?}");
    }
}

#[test]
fn one_of_several_that_fails_after_the_message_was_taken_over_is_told_at_once() {
    let mut world = neighbours();
    for domain in ["b.test", "c.test"] {
        world.node(domain).down = true;
    }
    send(&mut world, &[BOB, CAROL], "m1");
    world.run(30_000);
    world.node("b.test").verdict = Some(Code::QUEUE_FULL);
    world.node("b.test").down = false;
    world.run(700_000);
    let full = (201, detail(507, BOB));
    let known = vec![(202, vec![]), full.clone()];
    assert_eq!(heard(&mut world), [vec![], known.clone(), vec![]]);
    world.node("c.test").down = false;
    world.run(700_000);
    assert_eq!(heard(&mut world), [vec![], known, vec![full]]);
}

#[test]
fn what_failed_before_a_message_is_taken_over_is_said_when_it_is() {
    let mut world = neighbours();
    world.node("b.test").verdict = Some(Code::UNKNOWN_USER);
    world.node("c.test").down = true;
    send(&mut world, &[BOB, CAROL], "m1");
    // Who asks for a report hears the same, and of later failures by reports.
    world.send(ALICE, &[BOB, CAROL], "m2");
    world.run(30_000);
    let known = vec![(201, detail(531, BOB))];
    assert_eq!(heard(&mut world), [known.clone(), known, vec![]]);
}

#[test]
fn a_message_that_expires_after_it_was_taken_over_ends_with_that() {
    let mut world = neighbours();
    world.node("b.test").down = true;
    send(&mut world, &[BOB], "m1");
    world.run(3_700_000);
    let ended = vec![(542, vec![])];
    assert_eq!(heard(&mut world), [vec![], vec![(202, vec![])], ended]);
}

#[test]
fn a_message_that_the_next_hop_has_and_says_nothing_of_ends_with_202() {
    let mut world = neighbours();
    send(&mut world, &[BOB], "m1");
    takes_and_dies(&mut world);
    world.run(3_500_000);
    assert_eq!(heard(&mut world), [vec![], vec![(202, vec![])], vec![]]);
    world.run(200_000);
    let taken = || vec![(202, vec![])];
    assert_eq!(heard(&mut world), [vec![], taken(), taken()]);
}

#[test]
fn more_messages_than_are_waited_for_end_with_202() {
    let mut world = neighbours_with(2);
    for n in 1..=5 {
        send(&mut world, &[BOB], &format!("m{n}"));
    }
    takes_and_dies(&mut world);
    world.run(60_000);
    let ended = world.node("a.test").ended.iter();
    let ended: Vec<u64> = ended.map(|(token, _)| token.0).collect();
    assert_eq!(ended, [1, 2, 3]);
    assert_eq!(world.node("a.test").taken_over.len(), 5);
}
