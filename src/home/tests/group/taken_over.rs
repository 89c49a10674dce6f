//! Messages of groups that were taken over on their way, and what becomes of them later.

use super::bounds::{copies, crowd, taken};
use super::*;

/// Whom messages in the outbox are for.
fn handed_on(world: &World) -> Vec<String> {
    let sent = world.outbox.iter().flat_map(|(_, sent)| copies(sent));
    sent.map(|(_, to)| to).collect()
}

fn remembered(world: &World) -> usize {
    let keys = world.store.keys();
    keys.filter(|key| key.contains("/sent/")).count()
}

#[test]
fn copies_that_fail_after_they_were_taken_over_are_handed_on_again_also_after_a_restart() {
    let mut world = World::new();
    crowd(&mut world, 4, 2);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    world.take_over(taken(Status::new(Code(202))));
    world.restart();
    world.wait(3_600);
    assert_eq!(handed_on(&world).len(), 4);
    let failures = vec![
        (Code::UNAVAILABLE, address("u1@d1.test")),
        (Code::QUEUE_FULL, address("u3@d1.test")),
    ];
    world.answer("SendMessageRequest", taken(Status::of_users(4, failures)));
    assert_eq!(remembered(&world), 0);
    world.restart();
    world.wait(30);
    assert_eq!(handed_on(&world), ["u1@d1.test", "u3@d1.test"]);
    world.take_over(taken(Status::new(Code(202))));
    world.answer("SendMessageRequest", taken(Status::ok()));
    world.wait(86_400);
    assert_eq!(world.told(), []);
    assert_eq!(remembered(&world), 0);
}

#[test]
fn a_copy_that_fails_while_others_are_on_their_way_is_handed_on_again_once() {
    let mut world = World::new();
    crowd(&mut world, 4, 2);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    let full = |user: &str| (Code::QUEUE_FULL, address(user));
    let known = |users: &[&str]| {
        let failures = users.iter().map(|user| full(user)).collect();
        taken(Status::of_users(4, failures))
    };
    world.take_over(known(&["u1@d1.test"]));
    // It is said again with everything that is known since.
    world.take_over(known(&["u1@d1.test"]));
    world.restart();
    world.take_over(known(&["u1@d1.test"]));
    world.wait(30);
    assert_eq!(handed_on(&world)[4..], ["u1@d1.test"]);
    let (again, _) = world.outbox.pop().unwrap();
    let sent = Input::Answer(again, taken(Status::ok()).into());
    world.home.take(sent, world.now);
    world.settle();
    world.answer("SendMessageRequest", known(&["u1@d1.test", "u2@d0.test"]));
    world.wait(30);
    assert_eq!(handed_on(&world), ["u2@d0.test"]);
}

#[test]
fn a_user_of_whom_it_is_known_late_that_they_do_not_exist_is_asked_about() {
    let mut world = World::new();
    crowd(&mut world, 2, 2);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    let gone = vec![(Code::UNKNOWN_USER, address("u0@d0.test"))];
    world.take_over(taken(Status::of_users(2, gone)));
    let asked = world.outbox.iter().map(|(_, sent)| sent.name());
    assert_eq!(
        asked.collect::<Vec<_>>(),
        ["SendMessageRequest", "VerifyIDRequest"]
    );
    assert_eq!(remembered(&world), 1);
}

#[test]
fn messages_that_were_taken_over_are_forgotten_for_others_if_there_is_no_room() {
    let mut world = World::with(|settings| settings.groups.max_outgoing_bytes = 3 * 600);
    crowd(&mut world, 1, 1);
    let tell = |world: &mut World, id: &str| {
        assert_eq!(world.does(ALICE, to_group(id, ALICE, CLUB, "hello")), 200);
        world.outbox.last().unwrap().0
    };
    let know = |world: &mut World, token: Token, code: u16| {
        let known = taken(Status::new(Code(code))).into();
        let input = match code {
            202 => Input::TakenOver(token, known),
            _ => Input::Answer(token, known),
        };
        world.home.take(input, world.now);
        world.settle();
    };
    let again = |world: &World| {
        let keys = world.store.keys();
        keys.filter(|key| key.contains("/again/")).count()
    };
    let first = tell(&mut world, "m1");
    know(&mut world, first, 202);
    world.wait(1);
    let second = tell(&mut world, "m2");
    know(&mut world, second, 202);
    world.restart();
    let third = tell(&mut world, "m3");
    assert_eq!(remembered(&world), 3);
    // The first expires first.
    let fourth = tell(&mut world, "m4");
    assert_eq!(remembered(&world), 3);
    know(&mut world, first, 503);
    assert_eq!(again(&world), 0);
    let fifth = tell(&mut world, "m5");
    know(&mut world, second, 503);
    assert_eq!(again(&world), 0);
    // Those whose answer is awaited stay, and the next is not remembered.
    let sixth = tell(&mut world, "m6");
    assert_eq!(remembered(&world), 3);
    know(&mut world, sixth, 202);
    for (token, waiting) in [(sixth, 0), (third, 1), (fourth, 2), (fifth, 3)] {
        know(&mut world, token, 503);
        assert_eq!(again(&world), waiting);
    }
    // A message for many takes more room.
    let mut world = World::with(|settings| settings.groups.max_outgoing_bytes = 3 * 600);
    crowd(&mut world, 30, 1);
    tell(&mut world, "m1");
    assert_eq!(remembered(&world), 0);
}
