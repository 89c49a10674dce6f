//! Users at rest: on disk only, and awake before anything is done with them.

mod record;

use std::time::Duration;

use super::*;
use crate::home::presence::Presence;
use crate::imps::common::UserId;
use crate::imps::presence::AttributeName;
use crate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::imps::primitive::presence::{PresenceNotification, SubscribeRequest};
use crate::imps::primitive::profile::GetUserProfileRequest;

const ZOE: &str = "zoe@far.test";
const AT_REST: &str = "home/rest/bob";

/// Bob has somebody on a list, blocks somebody, is watched, and has had mail; nobody else is.
fn lived() -> World {
    let mut world = World::new();
    world.add("bob");
    world.open(1, "bob");
    for command in [
        r#"{"do":"add_contact","user":"zoe@far.test","name":"Zoë"}"#,
        r#"{"do":"subscribe","user":"zoe@far.test"}"#,
        r#"{"do":"block","user":"eve@far.test"}"#,
        r#"{"do":"presence","text":"here"}"#,
    ] {
        world.say(1, command);
    }
    world.answer("SubscribeRequest", Status::ok());
    watch(&mut world, ZOE);
    world.deliver(
        "far.test",
        Some(ZOE),
        text("m1", ZOE, &["bob@home.test"], "one"),
    );
    assert_eq!(texts(&world.heard(1)).len(), 1);
    world.close(1);
    world.sent();
    world
}

fn watch(world: &mut World, who: &str) -> Option<Primitive> {
    let request = SubscribeRequest {
        meta: None,
        users: vec![UserId {
            user: address("bob@home.test"),
        }],
        attributes: None,
    };
    world.deliver("far.test", Some(who), request)
}

/// Bob lies at rest.
fn at_rest() -> World {
    let mut world = lived();
    world.put_to_rest();
    assert_eq!(world.store.keys().collect::<Vec<_>>(), [AT_REST]);
    assert!(world.home.users.is_empty());
    world
}

fn send(world: &mut World, id: &str, to: &[&str]) -> u16 {
    let answer = world.deliver("far.test", Some(ZOE), text(id, ZOE, to, id));
    answer.unwrap().verdict().unwrap().effective().0
}

#[test]
fn who_comes_back_finds_everything_as_they_left_it() {
    let mut left = lived();
    let mut rested = at_rest();
    for world in [&mut left, &mut rested] {
        // What was delivered is known, and not delivered again.
        assert_eq!(send(world, "m1", &["bob@home.test"]), 200);
        assert_eq!(send(world, "m2", &["bob@home.test"]), 200);
        world.open(1, "bob");
        assert_eq!(texts(&world.heard(1)), [(ZOE.to_owned(), "m2".to_owned())]);
        world.say(1, r#"{"do":"contacts"}"#);
    }
    assert_eq!(left.heard(1), rested.heard(1));
    assert_eq!(left.store, rested.store);
    assert_eq!(left.sent(), rested.sent());
}

#[test]
fn a_start_leaves_those_at_rest_on_disk_and_knows_their_names() {
    let mut world = at_rest();
    world.restart();
    assert!(world.home.users.is_empty());
    assert_eq!(world.home.names().all().collect::<Vec<_>>(), ["bob"]);
    let count = world.home.names().count();
    assert_eq!((count.all, count.online, count.at_rest), (1, 0, 1));
    assert!(world.home.names().has("bob") && !world.home.names().has("carol"));
    assert_eq!(world.home.names().behind("", 5), ["bob"]);
    let taken = world.home.add_user("bob", "hash".to_owned(), world.now);
    assert_eq!(taken, Err(UserError::Exists("bob".to_owned())));
    assert!(world.home.concerned().contains("far.test"));
    assert_eq!(send(&mut world, "m2", &["bob@home.test"]), 200);
    world.open(1, "bob");
    assert_eq!(texts(&world.heard(1)), [(ZOE.to_owned(), "m2".to_owned())]);
}

#[test]
fn those_at_rest_count_for_the_most_users() {
    let mut world = World::with(|settings| settings.max_users = 1);
    world.add("bob");
    world.put_to_rest();
    let full = world.home.add_user("carol", "hash".to_owned(), world.now);
    assert_eq!(full, Err(UserError::Full("user")));
}

#[test]
fn who_is_only_looked_at_stays_in_one_record() {
    let mut world = at_rest();
    let before = world.store.clone();
    let request = GetUserProfileRequest {
        user: address("bob@home.test"),
        meta: None,
        parts: None,
    };
    let answer = world.deliver(HOME, None, request).unwrap();
    assert_eq!(answer.name(), "GetUserProfileResponse");
    assert_eq!(world.home.users.len(), 1);
    assert_eq!(world.store, before);
    // And goes back to rest without a word on disk.
    world.put_to_rest();
    assert_eq!((world.home.users.len(), &world.store), (0, &before));
}

#[test]
fn nobody_is_woken_to_be_verified() {
    let mut world = at_rest();
    let request = VerifyIDRequest {
        meta: None,
        ids: IdList {
            ids: vec![Id::User(UserId {
                user: address("bob@home.test"),
            })],
        },
    };
    let answer = world.deliver("far.test", Some(ZOE), request).unwrap();
    assert_eq!(answer.verdict().map(|status| status.code), Some(Code::OK));
    assert!(world.home.users.is_empty());
}

#[test]
fn users_rest_after_a_while_without_client_and_as_long_as_nothing_waits() {
    let mut world = World::with(|settings| settings.rest_after = Some(Duration::from_secs(60)));
    for name in ["alice", "bob", "carol"] {
        world.add(name);
    }
    world.open(1, "alice");
    assert_eq!(send(&mut world, "m1", &["bob@home.test"]), 200);
    let awake = |world: &World| world.home.users.keys().cloned().collect::<Vec<_>>();
    world.wait(50);
    assert_eq!(awake(&world), ["alice", "bob", "carol"]);
    world.wait(100);
    assert_eq!(awake(&world), ["alice", "bob"]);
    world.open(2, "bob");
    world.close(1);
    world.close(2);
    world.wait(150);
    assert_eq!(awake(&world), [""; 0]);
    assert_eq!(world.home.core.timers.len(), 0);
}

#[test]
fn nothing_overtakes_what_waits_for_somebody_to_wake() {
    let mut world = World::peopled();
    world.open(3, "carol");
    world.put_to_rest();
    world.reads = false;
    // Carol is awake; the first message is also for somebody who is not.
    world.deliver(
        "far.test",
        Some(ZOE),
        text("m1", ZOE, &["bob@home.test", "carol@home.test"], "one"),
    );
    world.deliver(
        "far.test",
        Some(ZOE),
        text("m2", ZOE, &["carol@home.test"], "two"),
    );
    // Somebody else is not held up.
    assert_eq!(send(&mut world, "m3", &["nobody@home.test"]), 531);
    assert_eq!(texts(&world.heard(3)), []);
    world.reads = true;
    world.read();
    let heard = texts(&world.heard(3));
    let heard: Vec<&str> = heard.iter().map(|(_, text)| &**text).collect();
    assert_eq!(heard, ["one", "two"]);
}

#[test]
fn nobody_goes_to_rest_for_whom_something_waits_with_somebody_who_wakes() {
    let mut world = World::with(|settings| settings.rest_after = Some(Duration::from_secs(60)));
    for name in ["bob", "carol"] {
        world.add(name);
    }
    world.put_to_rest();
    world.wake(&["carol"]);
    world.reads = false;
    let both = ["bob@home.test", "carol@home.test"];
    world.deliver("far.test", Some(ZOE), text("m1", ZOE, &both, "one"));
    world.wait(300);
    assert!(world.home.users.contains_key("carol"));
    world.reads = true;
    world.read();
    let (_, answer) = world.answers.pop_last().unwrap();
    assert_eq!(answer.verdict().unwrap().effective(), Code::OK);
}

#[test]
fn a_client_is_heard_in_order_while_its_user_wakes() {
    let mut world = at_rest();
    world.reads = false;
    world.open_with(1, "bob", "{}");
    world.say(1, r#"{"do":"contacts"}"#);
    let close = Input::Client(ClientKey(2), FromClient::Close);
    world.open_with(2, "bob", "{}");
    world.home.take(close, world.now);
    assert!(world.heard(1).is_empty());
    world.reads = true;
    world.read();
    let heard = world.heard(1);
    assert!(
        matches!(heard.first(), Some(Event::Ready { .. })),
        "{heard:?}"
    );
    assert!(
        heard
            .iter()
            .any(|event| matches!(event, Event::Contacts { .. })),
        "{heard:?}"
    );
    assert_eq!(
        world.home.core.clients.keys().collect::<Vec<_>>(),
        [&ClientKey(1)]
    );
}

#[test]
fn what_waits_for_users_to_wake_has_a_bound_and_beyond_it_is_refused() {
    let mut world = at_rest();
    world.reads = false;
    let mut refused = 0;
    for n in 0..4200 {
        let id = format!("n{n}");
        let answer = world.deliver(
            "far.test",
            Some(ZOE),
            text(&id, ZOE, &["bob@home.test"], "x"),
        );
        if let Some(answer) = answer {
            assert_eq!(answer.verdict().unwrap().code, Code::UNAVAILABLE);
            refused += 1;
        }
    }
    assert_eq!(refused, 4200 - 4096);
    world.reads = true;
    world.read();
    assert_eq!(world.answers.len(), 4096);
}

#[test]
fn bytes_that_wait_for_users_to_wake_have_a_bound() {
    let mut world = at_rest();
    world.reads = false;
    let large = "x".repeat(1024 * 1024);
    let take = |world: &mut World, n| {
        let id = format!("n{n}");
        world.deliver(
            "far.test",
            Some(ZOE),
            text(&id, ZOE, &["bob@home.test"], &large),
        )
    };
    let waits = (0..40).filter(|n| take(&mut world, *n).is_none()).count();
    assert_eq!(waits, 31);
}

#[test]
fn who_cannot_be_read_now_is_read_later() {
    let mut world = at_rest();
    world.reads = false;
    world.deliver(
        "far.test",
        Some(ZOE),
        text("m2", ZOE, &["bob@home.test"], "two"),
    );
    let load = world.loads.pop().unwrap();
    let later = (0, Found::Later("the disk is away".to_owned()));
    let loaded = Loaded {
        number: load.number,
        records: vec![later],
    };
    world.home.take(Input::Loaded(loaded), world.now);
    world.reads = true;
    world.settle();
    assert!(world.answers.is_empty());
    world.wait(2);
    assert_eq!(world.answers.len(), 1);
    world.open(1, "bob");
    assert_eq!(texts(&world.heard(1)), [(ZOE.to_owned(), "two".to_owned())]);
}

#[test]
fn who_is_at_rest_hears_of_those_they_watch() {
    let mut world = at_rest();
    let list = vec![crate::imps::presence::Attribute::value(
        AttributeName::StatusText,
        "away",
    )];
    let notice = PresenceNotification {
        meta: None,
        watchers: vec![UserElement::new(address("bob@home.test"))],
        values: vec![crate::imps::common::PresenceValue {
            user: address(ZOE),
            presence: Some(crate::imps::presence::PresenceSubList { attributes: list }),
        }],
    };
    world.deliver("far.test", None, notice);
    world.put_to_rest();
    world.restart();
    world.open(1, "bob");
    world.say(1, r#"{"do":"contacts"}"#);
    let heard = world.heard(1);
    let told = heard.iter().find_map(|event| match event {
        Event::Contacts { contacts } => {
            let mut texts = contacts.iter().map(|entry| entry.presence.text.clone());
            texts.find_map(|text| text)
        }
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("away"));
}

#[test]
fn whom_those_at_rest_watch_is_asked_for_anew_when_the_way_is_back() {
    let mut world = at_rest();
    world.put_to_rest();
    world.home.take(
        Input::Reached(vec!["far.test".to_owned(), "other.test".to_owned()]),
        world.now,
    );
    world.wait(1);
    let sent = world.sent();
    let names: Vec<&str> = sent.iter().map(Primitive::name).collect();
    assert_eq!(names, ["PresenceNotification", "SubscribeRequest"]);
    // Once.
    world.wait(10);
    assert_eq!(world.sent(), []);
    assert!(world.home.next_timeout().is_none_or(|at| at > world.now));
}

#[test]
fn what_a_watcher_is_told_while_a_user_is_awake_is_not_told_again_after_their_rest() {
    let mut world = lived();
    world.open(1, "bob");
    world.say(
        1,
        r#"{"do":"authorize","user":"zoe@far.test","accept":true}"#,
    );
    world.close(1);
    // Since a start nobody knows what Zoë was told.
    world.restart();
    world.put_to_rest();
    world.sent();
    let told = |world: &mut World| {
        world.wake(&["bob"]);
        let bob = world.home.users.get_mut("bob").unwrap();
        Presence::of(bob, &mut world.home.core, world.now).publish();
        world.put_to_rest();
        world.sent().len()
    };
    assert_eq!(told(&mut world), 1);
    let before = world.store.clone();
    assert_eq!(told(&mut world), 0);
    assert_eq!(world.store, before);
    // That he goes to rest while it is unsure again is known too.
    world.wake(&["bob"]);
    let bob = world.home.users.get_mut("bob").unwrap();
    assert!(bob.forget_shown(&|domain| domain == "far.test"));
    world.put_to_rest();
    assert_eq!(told(&mut world), 1);
}

#[test]
fn watchers_of_somebody_at_rest_who_were_never_admitted_are_forgotten_in_time() {
    let mut world = World::new();
    world.add("bob");
    watch(&mut world, ZOE);
    world.put_to_rest();
    world.restart();
    world.wait(40 * 86_400);
    world.put_to_rest();
    let record = String::from_utf8(world.store[AT_REST].clone()).unwrap();
    assert!(!record.contains("zoe"), "{record}");
}

#[test]
fn a_user_at_rest_is_removed_with_everything() {
    let mut world = at_rest();
    world.remove("bob").unwrap();
    world.settle();
    assert_eq!(world.store.keys().collect::<Vec<_>>(), [""; 0]);
    assert_eq!(world.home.names().count(), UserCount::default());
}

#[test]
fn who_has_too_much_for_one_record_stays_awake() {
    let mut world = World::new();
    world.add("bob");
    world.open(1, "bob");
    for n in 0..900 {
        let name = format!("{n}{}", "y".repeat(240));
        let add = format!(r#"{{"do":"add_contact","user":"{name}@far.test","name":"{name}"}}"#);
        world.say(1, &add);
    }
    world.close(1);
    let before = world.store.clone();
    world.put_to_rest();
    assert_eq!((world.home.users.len(), &world.store), (1, &before));
}
