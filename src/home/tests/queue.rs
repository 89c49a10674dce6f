//! The queue of a user: what came waits until a client has acknowledged it.

use super::*;
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::imps::primitive::presence::SubscribeRequest;

/// Users of whom nobody acknowledges by itself.
fn slow(change: impl FnOnce(&mut HomeSettings)) -> World {
    let mut world = World::with(change);
    for name in ["alice", "bob"] {
        world.add(name);
    }
    world.acknowledges = false;
    world
}

fn to_bob(world: &mut World, id: &str) -> u16 {
    from("zoe@far.test", world, id, "x")
}

fn from(sender: &str, world: &mut World, id: &str, body: &str) -> u16 {
    let mut request = text(id, sender, &["bob@home.test"], body);
    request.delivery_report = true;
    let domain = address(sender).domain().to_owned();
    match world.deliver(&domain, Some(sender), request) {
        Some(Primitive::SendMessageResponse(response)) => response.status.effective().0,
        other => panic!("{other:?}"),
    }
}

/// Numbers and ids of the messages and reports among events.
fn numbered(events: &[Event]) -> Vec<(u64, String)> {
    let known = events.iter().filter_map(|event| match event {
        Event::Message { number, id, .. }
        | Event::Report { number, id, .. }
        | Event::Sent { number, id, .. } => Some((number.unwrap(), id.clone())),
        _ => None,
    });
    known.collect()
}

fn ids(events: &[Event]) -> Vec<String> {
    numbered(events).into_iter().map(|(_, id)| id).collect()
}

fn report_to_alice(world: &mut World, id: &str) {
    let report = DeliveryStatusReport {
        meta: None,
        result: DeliveryResult {
            status: Status::ok(),
        },
        time: None,
        info: text(id, "zoe@far.test", &["alice@home.test"], "").info,
    };
    world.deliver("far.test", None, report);
}

fn asks_bob(world: &mut World, who: &str) -> Code {
    let request = SubscribeRequest {
        meta: None,
        users: vec![crate::imps::common::UserId {
            user: address("bob@home.test"),
        }],
        attributes: None,
    };
    let domain = address(who).domain().to_owned();
    match world.deliver(&domain, Some(who), request) {
        Some(Primitive::Status(status)) => status.effective(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn delivered_means_acknowledged_by_a_client() {
    let mut world = slow(|_| {});
    world.open(1, "bob");
    assert_eq!(to_bob(&mut world, "m1"), 200);
    let told = numbered(&world.heard(1));
    assert_eq!(told.len(), 1);
    assert_eq!(world.sent(), []);
    assert_eq!(world.outcomes, []);
    assert_eq!(world.home.messages_open(), 1);
    // A number that it was not told means nothing.
    world.acknowledge(1, told[0].0 + 4);
    assert_eq!(world.outcomes, []);
    world.acknowledge(1, told[0].0);
    world.acknowledge(1, told[0].0);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Delivered)]);
    let sent = world.sent();
    assert!(
        matches!(&sent[..], [Primitive::DeliveryStatusReport(report)] if report.result.status.code == Code::OK),
        "{sent:?}"
    );
    assert_eq!(world.home.messages_open(), 0);
    world.restart();
    world.open(2, "bob");
    assert_eq!(ids(&world.heard(2)), [""; 0]);
    assert_eq!(to_bob(&mut world, "m1"), 200, "known, and not told again");
    assert_eq!(ids(&world.heard(2)), [""; 0]);
}

#[test]
fn what_a_client_has_not_acknowledged_goes_to_the_next_under_the_same_number() {
    let mut world = slow(|_| {});
    world.open(1, "bob");
    for id in ["m1", "m2", "m3"] {
        to_bob(&mut world, id);
    }
    let first = numbered(&world.heard(1));
    world.acknowledge(1, first[1].0);
    world.close(1);
    world.restart();
    world.open(2, "bob");
    let events = world.heard(2);
    assert!(matches!(&events[0], Event::Ready { waiting: 2, .. }));
    let second = numbered(&events);
    assert_eq!(second, [first[0].clone(), first[2].clone()]);
    // An acknowledgement of another session is none.
    world.acknowledge(1, second[0].0);
    assert_eq!(world.outcomes.len(), 1);
}

#[test]
fn numbers_are_not_used_again() {
    let mut world = slow(|_| {});
    world.open(1, "bob");
    to_bob(&mut world, "m1");
    let first = numbered(&world.heard(1))[0].0;
    world.acknowledge(1, first);
    world.wait(8 * 86_400);
    assert!(!world.store.keys().any(|key| key.contains("/arrival/")));
    world.restart();
    world.open(2, "bob");
    to_bob(&mut world, "m2");
    assert!(numbered(&world.heard(2))[0].0 > first);
}

#[test]
fn a_client_is_told_only_so_much_ahead() {
    let mut world = slow(|settings| settings.max_unacknowledged = 3);
    world.open(1, "bob");
    for number in 0..10 {
        to_bob(&mut world, &number.to_string());
    }
    let mut told = numbered(&world.heard(1));
    assert_eq!(told.len(), 3);
    for number in 3..10 {
        world.acknowledge(1, told.remove(0).0);
        let more = numbered(&world.heard(1));
        assert_eq!(more.len(), 1);
        assert_eq!(more[0].1, number.to_string());
        told.extend(more);
    }
    assert_eq!(world.outcomes.len(), 7);
    assert_eq!(world.home.messages_open(), 3);
}

#[test]
fn what_a_client_is_told_ahead_is_bounded_in_bytes_and_one_always_comes() {
    let mut world = slow(|settings| settings.max_unacknowledged_bytes = 1000);
    world.open(1, "bob");
    let long = "x".repeat(5000);
    for id in ["1", "2"] {
        assert_eq!(from("zoe@far.test", &mut world, id, &long), 200);
    }
    let told = numbered(&world.heard(1));
    assert_eq!(told.len(), 1);
    world.acknowledge(1, told[0].0);
    assert_eq!(numbered(&world.heard(1)).len(), 1);
}

#[test]
fn two_clients_are_each_told_what_is_new_and_one_acknowledgement_delivers() {
    let mut world = slow(|_| {});
    world.open(1, "bob");
    world.open(2, "bob");
    to_bob(&mut world, "m1");
    let (first, second) = (numbered(&world.heard(1)), numbered(&world.heard(2)));
    assert_eq!(first, second);
    world.acknowledge(1, first[0].0);
    world.acknowledge(2, first[0].0);
    assert_eq!(world.outcomes.len(), 1);
    world.close(1);
    world.close(2);
    world.open(3, "bob");
    assert_eq!(ids(&world.heard(3)), [""; 0]);
}

#[test]
fn a_client_that_lags_gets_its_copy_of_what_another_has_taken() {
    let mut world = slow(|settings| settings.max_unacknowledged = 1);
    world.open(1, "bob");
    world.open(2, "bob");
    for id in ["m1", "m2", "m3"] {
        to_bob(&mut world, id);
    }
    for _ in 0..3 {
        let told = numbered(&world.heard(1));
        world.acknowledge(1, told[0].0);
    }
    assert_eq!(world.outcomes.len(), 3);
    assert_eq!(world.home.messages_open(), 0);
    for id in ["m1", "m2", "m3"] {
        let told = numbered(&world.heard(2));
        assert_eq!(told[0].1, id);
        world.acknowledge(2, told[0].0);
    }
    assert_eq!(world.outcomes.len(), 3, "each ends once");
    world.open(3, "bob");
    assert_eq!(ids(&world.heard(3)), [""; 0]);
}

#[test]
fn a_client_that_lags_too_far_behind_another_loses_its_session() {
    let mut world = slow(|settings| {
        settings.max_unacknowledged = 1;
        settings.max_offline = 4;
    });
    world.open(1, "bob");
    world.open(2, "bob");
    for number in 0..8 {
        assert_eq!(to_bob(&mut world, &number.to_string()), 200);
        let told = numbered(&world.heard(1));
        world.acknowledge(1, told[0].0);
    }
    assert_eq!(world.outcomes.len(), 8);
    let heard = world.heard(2);
    assert!(
        matches!(heard.last(), Some(Event::Error { command, status: 507, .. }) if command == "login"),
        "{heard:?}"
    );
    world.say(2, r#"{"do":"contacts"}"#);
    assert!(matches!(
        &world.heard(2)[..],
        [Event::Error { status: 604, .. }]
    ));
}

#[test]
fn a_slow_client_fills_the_queue_and_the_sender_hears_507() {
    let mut world = slow(|settings| settings.max_offline = 3);
    world.open(1, "bob");
    for number in 0..3 {
        assert_eq!(to_bob(&mut world, &number.to_string()), 200);
    }
    assert_eq!(to_bob(&mut world, "3"), 507);
    let told = numbered(&world.heard(1));
    world.acknowledge(1, told[0].0);
    assert_eq!(to_bob(&mut world, "3"), 200);
}

#[test]
fn the_queue_is_bounded_in_bytes_for_one_user_and_for_all() {
    let body = "x".repeat(1000);
    let mut world = slow(|settings| settings.max_offline_bytes = 2500);
    assert_eq!(from("zoe@far.test", &mut world, "1", &body), 200);
    assert_eq!(from("zoe@far.test", &mut world, "2", &body), 200);
    assert_eq!(from("zoe@far.test", &mut world, "3", &body), 507);
    let mut world = slow(|settings| settings.max_waiting_bytes = 2500);
    assert_eq!(from("zoe@far.test", &mut world, "1", &body), 200);
    assert_eq!(from("zoe@far.test", &mut world, "2", &body), 200);
    assert_eq!(from("zoe@far.test", &mut world, "3", &body), 507);
    let mut to_alice = text("4", "zoe@far.test", &["alice@home.test"], &body);
    to_alice.delivery_report = false;
    let answer = world.deliver("far.test", Some("zoe@far.test"), to_alice);
    assert!(
        matches!(&answer, Some(Primitive::SendMessageResponse(r)) if r.status.effective().0 == 507),
        "{answer:?}"
    );
    // What was taken makes room.
    world.acknowledges = true;
    world.open(1, "bob");
    assert_eq!(from("zoe@far.test", &mut world, "5", &body), 200);
}

#[test]
fn a_flood_of_one_domain_does_not_shut_out_another() {
    let mut world = slow(|settings| settings.max_offline = 16);
    for number in 0..16 {
        assert_eq!(to_bob(&mut world, &number.to_string()), 200);
    }
    assert_eq!(to_bob(&mut world, "16"), 507);
    assert_eq!(from("yan@other.test", &mut world, "1", "x"), 200);
    assert_eq!(from("yan@other.test", &mut world, "2", "x"), 200);
    assert_eq!(from("yan@other.test", &mut world, "3", "x"), 507);
}

#[test]
fn a_thousand_messages_and_reports_behind_a_thousand_questions_all_arrive() {
    let mut world = slow(|_| {});
    for number in 0..1000 {
        asks_bob(&mut world, &format!("u{number}@d{}.test", number % 8));
    }
    for number in 0..1000 {
        assert_eq!(to_bob(&mut world, &format!("m{number}")), 200);
    }
    world.restart();
    world.open(1, "bob");
    let mut heard = Vec::new();
    let (mut questions, mut rounds) = (0, 0);
    loop {
        let events = world.heard(1);
        if events.is_empty() {
            break;
        }
        // All messages come before the first question.
        let asked = |e: &Event| matches!(e, Event::AuthorizationRequest { .. });
        questions += events.iter().filter(|event| asked(event)).count();
        heard.extend(ids(&events));
        for event in &events {
            if let Some(number) = event.number() {
                world.acknowledge(1, number);
            }
        }
        assert!(questions == 0 || heard.len() == 1000);
        rounds += 1;
        assert!(rounds < 10_000);
    }
    let wanted: Vec<String> = (0..1000).map(|number| format!("m{number}")).collect();
    assert_eq!(heard, wanted);
    assert!(questions > 0);
    assert_eq!(world.outcomes.len(), 1000);
}

#[test]
fn a_report_waits_until_it_is_acknowledged() {
    let mut world = slow(|_| {});
    world.open(1, "alice");
    report_to_alice(&mut world, "a-1");
    let told = numbered(&world.heard(1));
    assert_eq!(told.len(), 1);
    world.close(1);
    world.restart();
    world.open(2, "alice");
    assert_eq!(numbered(&world.heard(2)), told);
    world.acknowledge(2, told[0].0);
    world.close(2);
    world.restart();
    world.open(3, "alice");
    assert_eq!(ids(&world.heard(3)), [""; 0]);
    assert!(!world.store.keys().any(|key| key.contains("/notice/")));
}

#[test]
fn a_refusal_is_for_the_client_that_sent_and_for_the_others_when_it_is_gone() {
    let mut world = slow(|_| {});
    world.open(1, "alice");
    world.open(2, "alice");
    world.say(1, r#"{"do":"message","to":"nobody","text":"x","id":"a-1"}"#);
    assert_eq!(ids(&world.heard(1)), ["a-1"]);
    assert_eq!(ids(&world.heard(2)), [""; 0]);
    world.close(1);
    assert_eq!(ids(&world.heard(2)), ["a-1"]);
}

#[test]
fn who_only_sends_takes_nothing_of_what_waits() {
    let mut world = slow(|_| {});
    to_bob(&mut world, "m1");
    world.open_for(1, "bob", Takes::OwnAnswers);
    assert_eq!(ids(&world.heard(1)), [""; 0]);
    to_bob(&mut world, "m2");
    world.say(1, r#"{"do":"message","to":"nobody","text":"x","id":"b-1"}"#);
    let told = numbered(&world.heard(1));
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, "b-1");
    world.acknowledge(1, told[0].0);
    world.close(1);
    world.open(2, "bob");
    assert_eq!(ids(&world.heard(2)), ["m1", "m2"]);
}

#[test]
fn notices_are_bounded_in_number_and_bytes_and_the_oldest_goes() {
    for bytes in [false, true] {
        let mut world = slow(|settings| {
            if bytes {
                settings.max_notice_bytes = 300;
            } else {
                settings.max_notices = 3;
            }
        });
        for number in 0..10 {
            report_to_alice(&mut world, &format!("a-{number}"));
        }
        let kept = world.store.keys().filter(|key| key.contains("/notice/"));
        let kept = kept.count();
        assert!((1..=3).contains(&kept), "{kept}");
        world.open(1, "alice");
        let told = ids(&world.heard(1));
        assert_eq!(told.len(), kept);
        assert_eq!(told.last().unwrap(), "a-9");
        // No message of ours has an id like that.
        report_to_alice(&mut world, &"x".repeat(200));
        assert_eq!(ids(&world.heard(1)), [""; 0]);
    }
}

#[test]
fn a_message_that_expires_while_a_client_has_it_is_reported_once() {
    let mut world = slow(|_| {});
    world.open(1, "bob");
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "x");
    request.info.validity = Some(100);
    world.deliver("far.test", Some("zoe@far.test"), request);
    let told = numbered(&world.heard(1));
    world.wait(101);
    world.acknowledge(1, told[0].0);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Expired)]);
    assert_eq!(world.home.messages_open(), 0);
}

#[test]
fn what_an_older_version_kept_is_told_and_can_be_acknowledged() {
    let mut world = slow(|_| {});
    let arrival = r#"{"id":"m1","sender":"wv:zoe@far.test","until":1900000000000,"waiting":{"content_type":"text/plain","content":"eA==","arrived":1700000000000,"report":true}}"#;
    let notice = r#"{"until":1900000000000,"event":{"event":"report","id":"b-1","status":200}}"#;
    let key = |what: &str| format!("home/user/bob/{what}/{:020}", 0);
    world.store.insert(key("arrival"), arrival.into());
    world.store.insert(key("notice"), notice.into());
    world.restart();
    world.open(1, "bob");
    let told = numbered(&world.heard(1));
    assert_eq!(told, [(0, "m1".to_owned()), (1, "b-1".to_owned())]);
    for (number, _) in told {
        world.acknowledge(1, number);
    }
    assert_eq!(world.outcomes.len(), 1);
    assert!(!world.store.contains_key(&key("notice")));
    world.restart();
    world.open(2, "bob");
    assert_eq!(ids(&world.heard(2)), [""; 0]);
}

#[test]
fn what_an_older_version_waited_for_is_heard() {
    let mut world = slow(|_| {});
    for (token, what) in [
        (7, r#"{"Message":{"id":"b-1","to":"wv:zoe@far.test"}}"#),
        (8, r#"{"Subscribe":{"to":"wv:zoe@far.test","anew":true}}"#),
    ] {
        let pending = format!(r#"{{"user":"bob","until":1900000000000,"what":{what}}}"#);
        let key = format!("home/user/bob/request/{token:020}");
        world.store.insert(key, pending.into());
    }
    let relation = r#"{"subscription":{"state":"pending","presence":{"authorized":false}}}"#;
    let key = "home/user/bob/relation/wv:zoe@far.test";
    world.store.insert(key.to_owned(), relation.into());
    let sent = r#"{"id":"b-0","to":"wv:zoe@far.test","status":202,"until":1900000000000}"#;
    let key = format!("home/user/bob/sent/{:020}", 0);
    world.store.insert(key, sent.into());
    world.restart();
    world.open(1, "bob");
    world.heard(1);
    for token in [7, 8] {
        let refused = Status::new(Code::UNKNOWN_USER).into();
        world
            .home
            .take(Input::Answer(Token(token), refused), world.now);
        world.settle();
    }
    let heard = world.heard(1);
    assert!(
        matches!(
            &heard[..],
            [Event::Report { id, status: 531, .. }, Event::Error { status: 531, .. }] if id == "b-1"
        ),
        "{heard:?}"
    );
    assert!(!world.store.keys().any(|key| key.contains("/request/")));
    // It was taken before, and does not go out again.
    world.say(
        1,
        r#"{"do":"message","to":"zoe@far.test","text":"x","id":"b-0"}"#,
    );
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Sent { status: 202, .. }]
    ));
    assert_eq!(world.sent(), []);
}
