//! The table of watchers, which strangers fill.

use super::presence::{ZOE, subscribe};
use super::*;
use crate::imps::common::UserId;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::presence::UnsubscribeRequest;

fn watchers(world: &mut World) -> Vec<Address> {
    world.heard(9);
    world.say(9, r#"{"do":"watchers"}"#);
    match &world.heard(9)[..] {
        [Event::Watchers { watchers }] => watchers.iter().map(|w| w.user.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn invented_users_of_one_domain_do_not_shut_out_watchers_of_another() {
    let mut world = World::with(|settings| settings.max_watchers = 40);
    world.add("bob");
    world.open(9, "bob");
    let mut ask = |who: String| subscribe(&mut world, &who, &["bob@home.test"], &[]).code.0;
    let codes: Vec<u16> = (0..100).map(|n| ask(format!("u{n}@far.test"))).collect();
    assert!(codes[..10].iter().all(|code| *code == 200));
    assert!(codes[10..].iter().all(|code| *code == 503));
    assert_eq!(ask("honest@other.test".to_owned()), 200);
    // Nor do those of many invented domains: the table stays bounded, and the oldest go.
    for n in 0..200 {
        assert_eq!(ask(format!("u@d{n}.test")), 200);
    }
    assert_eq!(ask("late@other.test".to_owned()), 200);
    let watchers = watchers(&mut world);
    assert_eq!(watchers.len(), 40);
    assert!(watchers.contains(&address("late@other.test")));
    let kept = world.store.keys().filter(|key| key.contains("/relation/"));
    assert_eq!(kept.count(), 40);
}

#[test]
fn a_question_that_is_never_answered_is_forgotten() {
    let mut world = World::peopled();
    world.open(9, "bob");
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    subscribe(&mut world, "yan@far.test", &["bob@home.test"], &[]);
    world.say(
        9,
        r#"{"do":"authorize","user":"yan@far.test","accept":true}"#,
    );
    world.wait(20 * 86_400);
    world.restart();
    world.wait(11 * 86_400);
    world.open(9, "bob");
    assert_eq!(watchers(&mut world), [address("yan@far.test")]);
    // They ask again, and so is the user asked.
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    assert!(matches!(
        &world.heard(9)[..],
        [Event::AuthorizationRequest { .. }]
    ));
}

#[test]
fn watchers_that_come_and_go_leave_nothing_behind() {
    let mut world = World::peopled();
    for round in 0..500 {
        let watcher = format!("u{round}@d{}.test", round % 7);
        for _ in 0..3 {
            subscribe(&mut world, &watcher, &["bob@home.test"], &[]);
            world.wait(1);
        }
        let end = UnsubscribeRequest {
            meta: None,
            users: vec![UserId {
                user: address("bob@home.test"),
            }],
        };
        world.deliver(address(&watcher).domain(), Some(&watcher), end);
    }
    assert!(
        world.home.core.timers.len() <= 1,
        "{:?}",
        world.home.core.timers
    );
}

#[test]
fn attributes_that_nobody_publishes_are_not_kept() {
    let mut world = World::peopled();
    let long = "x".repeat(10_000);
    subscribe(
        &mut world,
        ZOE,
        &["bob@home.test"],
        &[AttributeName::Other(long)],
    );
    let (_, record) = world
        .store
        .iter()
        .find(|(key, _)| key.contains("/relation/"))
        .unwrap();
    assert!(record.len() < 200, "{}", record.len());
    world.open(1, "bob");
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    // Nothing of what there is was asked for.
    for primitive in world.sent() {
        let Primitive::PresenceNotification(notice) = primitive else {
            continue;
        };
        for value in notice.values {
            assert_eq!(value.presence.unwrap_or_default().attributes, []);
        }
    }
}

#[test]
fn each_question_has_a_number_of_its_own_whichever_way_a_client_has_come() {
    let mut world = World::peopled();
    let asked = |world: &mut World| -> Vec<u64> {
        let number = |event: &Event| match event {
            Event::AuthorizationRequest { number, .. } => *number,
            _ => None,
        };
        world.heard(9).iter().filter_map(number).collect()
    };
    world.open(9, "bob");
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    let [first] = asked(&mut world)[..] else {
        panic!("one question")
    };
    world.acknowledge(9, first);
    world.close(9);
    world.open(9, "bob");
    let [again] = asked(&mut world)[..] else {
        panic!("the same, as it was not answered")
    };
    // A core that is made anew counts from nothing, later.
    world.wait(1);
    world.restart();
    world.open(9, "bob");
    let anew = asked(&mut world);
    subscribe(&mut world, "yan@far.test", &["bob@home.test"], &[]);
    let other = asked(&mut world);
    let mut all = [vec![first, again], anew, other].concat();
    let number = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!((number, all.len()), (4, 4));
    assert!(all.iter().all(|number| *number < 1 << 53));
}
