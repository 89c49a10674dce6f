//! Messages, reports, the offline store, blocking and the echo user.

use super::*;
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport, SendMessageResponse};

fn status(answer: Option<Primitive>) -> Status {
    match answer {
        Some(Primitive::SendMessageResponse(response)) => response.status,
        other => panic!("{other:?}"),
    }
}

fn send(world: &mut World, request: SendMessageRequest) -> Status {
    status(world.deliver("far.test", Some("zoe@far.test"), request))
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |text: &&str| (*text).to_owned();
    list.iter().map(|(a, b)| (owned(a), owned(b))).collect()
}

#[test]
fn every_client_of_an_online_user_gets_the_message() {
    let mut world = World::peopled();
    world.open(1, "bob");
    world.open(2, "bob");
    let request = text("m1", "zoe@far.test", &["bob@home.test"], "grüß dich");
    assert_eq!(send(&mut world, request), Status::ok());
    for client in [1, 2] {
        assert_eq!(
            texts(&world.heard(client)),
            pairs(&[("zoe@far.test", "grüß dich")])
        );
    }
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Delivered)]);
}

#[test]
fn what_cannot_be_delivered_is_named() {
    let mut world = World::peopled();
    world.open(1, "carol");
    world.say(1, r#"{"do":"block","user":"zoe@far.test"}"#);
    let to = |names: &[&str]| text("m", "zoe@far.test", names, "x");
    assert_eq!(send(&mut world, to(&["nobody@home.test"])).code.0, 531);
    assert_eq!(send(&mut world, to(&["x@third.test"])).code.0, 516);
    assert_eq!(send(&mut world, to(&[])).code.0, 402);
    let partial = send(
        &mut world,
        to(&["bob@home.test", "nobody@home.test", "carol@home.test"]),
    );
    assert_eq!(partial.code.0, 201);
    let details: Vec<u16> = partial.details.iter().map(|detail| detail.code.0).collect();
    // Nothing tells that carol blocks her.
    assert_eq!(details, [531]);
    assert_eq!(
        partial.details[0].users[0].user,
        address("nobody@home.test")
    );
    let all = send(&mut world, to(&["nobody@home.test", "x@third.test"]));
    assert_eq!(all.code.0, 900);
    // Of seven copies one waits for bob; carol is not told of hers.
    let ends: Vec<Outcome> = world.outcomes.iter().map(|(_, outcome)| *outcome).collect();
    let codes = [531, 516, 531, 532, 531, 516].map(Outcome::Refused);
    assert_eq!(ends, codes);
    assert_eq!(world.home.messages_open(), 1);
    // The same once more: bob has it already.
    send(&mut world, to(&["bob@home.test", "bob@home.test"]));
    assert_eq!(world.outcomes.len(), 8);
    assert_eq!(world.outcomes[7].1, Outcome::Repeated);
}

#[test]
fn who_is_blocked_sees_what_he_would_see_of_a_user_who_is_away() {
    let of = |blocks: bool| {
        let mut world = World::peopled();
        if blocks {
            world.open(1, "bob");
            world.say(1, r#"{"do":"block","user":"zoe@far.test"}"#);
        }
        let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "x");
        request.delivery_report = true;
        request.info.validity = Some(100);
        let answers = [send(&mut world, request.clone()), send(&mut world, request)];
        let mut seen = Vec::new();
        world.restart();
        if blocks {
            world.open(2, "bob");
            assert_eq!(texts(&world.heard(1)), []);
            assert_eq!(texts(&world.heard(2)), []);
            assert_eq!(world.home.messages_open(), 0);
        }
        world.wait(101);
        let reports = world.sent();
        assert_eq!(reports.len(), 1);
        for report in reports {
            let Primitive::DeliveryStatusReport(report) = report else {
                panic!("{report:?}");
            };
            seen.push((report.result.status, report.info));
        }
        let end = if blocks {
            Outcome::Refused(532)
        } else {
            Outcome::Expired
        };
        let ends: Vec<Outcome> = world.outcomes.iter().map(|(_, end)| *end).collect();
        assert!(ends.contains(&end) && ends.len() == 2, "{ends:?}");
        assert!(!world.store.keys().any(|key| key.contains("/arrival/")));
        (answers, seen)
    };
    assert_eq!(of(true), of(false));
}

#[test]
fn who_is_unblocked_is_heard_again() {
    let mut world = World::peopled();
    world.open(1, "carol");
    let to = |id: &str| text(id, "zoe@far.test", &["carol@home.test"], id);
    world.say(1, r#"{"do":"block","user":"zoe@far.test"}"#);
    send(&mut world, to("m1"));
    world.say(1, r#"{"do":"unblock","user":"zoe@far.test"}"#);
    send(&mut world, to("m2"));
    assert_eq!(texts(&world.heard(1)), pairs(&[("zoe@far.test", "m2")]));
}

#[test]
fn nobody_sends_in_anothers_name() {
    let mut world = World::peopled();
    let forged = text("m1", "eve@far.test", &["bob@home.test"], "x");
    let answer = world.deliver("far.test", Some("zoe@far.test"), forged);
    assert!(matches!(answer, Some(Primitive::Status(status)) if status.code.0 == 427));
    let foreign = text("m1", "alice@home.test", &["bob@home.test"], "x");
    let answer = world.deliver("far.test", None, foreign);
    assert!(matches!(answer, Some(Primitive::Status(status)) if status.code.0 == 901));
    world.open(1, "bob");
    assert_eq!(texts(&world.heard(1)), []);
}

#[test]
fn messages_wait_in_order_and_are_reported_when_handed_over() {
    let mut world = World::peopled();
    for number in 1..=3 {
        let mut request = text(
            &format!("m{number}"),
            "zoe@far.test",
            &["bob@home.test"],
            &number.to_string(),
        );
        request.delivery_report = number == 2;
        assert_eq!(send(&mut world, request), Status::ok());
    }
    assert_eq!(world.sent(), []);
    assert_eq!(world.outcomes, []);
    world.wait(60);
    world.restart();
    world.open(1, "bob");
    let events = world.heard(1);
    assert!(matches!(&events[0], Event::Ready { waiting: 3, .. }));
    assert!(matches!(&events[1], Event::Message { delayed, .. } if *delayed == Some(START)));
    let from_zoe: Vec<String> = texts(&events).into_iter().map(|(_, text)| text).collect();
    assert_eq!(from_zoe, ["1", "2", "3"]);
    let sent = world.sent();
    let [Primitive::DeliveryStatusReport(report)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(report.result.status.code, Code::OK);
    assert_eq!(report.info.message_id.as_deref(), Some("m2"));
    assert_eq!(
        report.info.recipients[0].address(),
        &address("zoe@far.test")
    );
    let reporter = report.info.sender.as_ref().unwrap().user.as_ref().unwrap();
    assert_eq!(reporter.user, address("bob@home.test"));
    // Handed over once and for all.
    world.restart();
    world.open(2, "bob");
    assert_eq!(texts(&world.heard(2)), []);
    assert_eq!(world.outcomes.len(), 3);
}

#[test]
fn a_duplicate_gets_the_same_answer_and_is_not_delivered() {
    let mut world = World::peopled();
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "x");
    request.info.validity = Some(600);
    let offline = send(&mut world, request.clone());
    assert_eq!(send(&mut world, request.clone()), offline);
    world.open(1, "bob");
    assert_eq!(send(&mut world, request.clone()), offline);
    assert_eq!(texts(&world.heard(1)).len(), 1);
    world.restart();
    world.open(2, "bob");
    assert_eq!(send(&mut world, request.clone()), offline);
    assert_eq!(texts(&world.heard(2)).len(), 0);
    // The same id from somebody else is another message; after the validity nothing is known.
    let other = text("m1", "yan@far.test", &["bob@home.test"], "y");
    world.deliver("far.test", Some("yan@far.test"), other);
    world.wait(601);
    send(&mut world, request);
    assert_eq!(
        texts(&world.heard(2)),
        pairs(&[("yan@far.test", "y"), ("zoe@far.test", "x")])
    );
}

#[test]
fn a_recipient_named_twice_gets_one_message() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let mut request = text(
        "",
        "zoe@far.test",
        &["bob@home.test", "wv:BOB@home.test"],
        "x",
    );
    request.info.message_id = None;
    send(&mut world, request);
    assert_eq!(texts(&world.heard(1)).len(), 1);
}

#[test]
fn a_message_that_waits_too_long_is_reported_expired() {
    let mut world = World::peopled();
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "x");
    request.info.validity = Some(100);
    request.delivery_report = true;
    send(&mut world, request);
    world.wait(99);
    assert_eq!(world.sent(), []);
    world.wait(1);
    let sent = world.sent();
    assert!(
        matches!(&sent[..], [Primitive::DeliveryStatusReport(report)] if report.result.status.code == Code::EXPIRED)
    );
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Expired)]);
    world.open(1, "bob");
    assert_eq!(texts(&world.heard(1)), []);
    let arrivals = world.store.keys().filter(|key| key.contains("arrival"));
    assert_eq!(arrivals.count(), 0);
}

#[test]
fn a_full_store_refuses_and_takes_again() {
    let mut world = World::with(|settings| {
        settings.max_offline = 2;
        settings.max_offline_bytes = 90;
        settings.max_remembered = 1;
    });
    world.add("bob");
    let put = |world: &mut World, id: &str, body: &str| {
        let request = text(id, "zoe@far.test", &["bob@home.test"], body);
        send(world, request).code.0
    };
    assert_eq!(put(&mut world, "1", &"x".repeat(60)), 507);
    assert_eq!(put(&mut world, "1", "x"), 200);
    assert_eq!(put(&mut world, "2", "y"), 200);
    assert_eq!(put(&mut world, "3", "z"), 507);
    world.open(1, "bob");
    assert_eq!(put(&mut world, "3", "z"), 200);
    let bodies: Vec<String> = texts(&world.heard(1)).into_iter().map(|(_, b)| b).collect();
    assert_eq!(bodies, ["x", "y", "z"]);
    let arrivals = world.store.keys().filter(|key| key.contains("arrival"));
    assert_eq!(arrivals.count(), 1);
}

#[test]
fn any_content_is_handed_over() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "");
    request.content = Some(ContentData {
        content_type: "image/png".to_owned(),
        bytes: vec![0x89, b'P'],
    });
    send(&mut world, request);
    let events = world.heard(1);
    assert!(
        matches!(&events[1], Event::Message { text, data: Some(data), content_type, .. }
            if text.is_empty() && data == "iVA=" && content_type == "image/png"),
        "{events:?}"
    );
}

#[test]
fn a_text_to_another_domain_is_one_complete_request() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world.say(
        1,
        r#"{"do":"message","to":"Zoe@far.test","text":"héllo","report":true,"id":"a-1"}"#,
    );
    let Some((_, Primitive::SendMessageRequest(request))) = world.outbox.first().cloned() else {
        panic!("nothing sent");
    };
    assert!(request.delivery_report);
    let meta = request.meta.unwrap();
    assert_eq!(meta.user().unwrap().user, address("alice@home.test"));
    assert_eq!(request.info.message_id.as_deref(), Some("a-1"));
    assert_eq!(
        request.info.content_type.as_deref(),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(request.info.content_size, Some(6));
    assert!(request.info.validity.is_some() && request.info.date_time.is_some());
    assert_eq!(
        request.info.recipients[0].address(),
        &address("zoe@far.test")
    );

    let response = SendMessageResponse {
        message_id: "a-1".to_owned(),
        status: Status::ok(),
    };
    world.answer("SendMessageRequest", response);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Sent { id, status: 200, .. }] if id == "a-1"
    ));
    // What goes out is counted by the SAP.
    assert_eq!(world.outcomes, []);
}

#[test]
fn refusals_and_reports_wait_for_the_next_login() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(
        1,
        r#"{"do":"message","to":"zoe@far.test","text":"x","id":"a-1"}"#,
    );
    world.close(1);
    world.restart();
    let refused = SendMessageResponse {
        message_id: String::new(),
        status: Status {
            details: vec![crate::imps::status::DetailedResult::new(Code::INVALID_USER)],
            ..Status::new(Code::MULTIPLE)
        },
    };
    world.answer("SendMessageRequest", refused);
    let mut report = DeliveryStatusReport {
        meta: None,
        result: DeliveryResult {
            status: Status::ok().because("Fetched"),
        },
        time: None,
        info: text("a-0", "zoe@far.test", &["alice@home.test"], "").info,
    };
    world.deliver("far.test", None, report.clone());
    world.restart();
    world.open(2, "alice");
    let events = world.heard(2);
    assert!(matches!(&events[1], Event::Report { id, status: 900, .. } if id == "a-1"));
    assert!(
        matches!(&events[2], Event::Report { id, status: 200, to: Some(to), .. }
            if id == "a-0" && *to == address("zoe@far.test"))
    );
    world.close(2);
    world.restart();
    world.open(3, "alice");
    assert_eq!(world.heard(3).len(), 1);
    // Online it comes at once.
    report.info.message_id = Some("a-2".to_owned());
    world.deliver("far.test", None, report);
    assert!(matches!(&world.heard(3)[..], [Event::Report { .. }]));
}

#[test]
fn users_of_the_domain_write_to_each_other() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(
        1,
        r#"{"do":"message","to":"bob","text":"hi","report":true,"id":"a-1"}"#,
    );
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Ready { .. }, Event::Sent { status: 200, .. }]
    ));
    world.open(2, "bob");
    assert_eq!(texts(&world.heard(2)), pairs(&[("alice@home.test", "hi")]));
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Report { status: 200, .. }]
    ));
    assert_eq!(world.outcomes, [("a-1".to_owned(), Outcome::Delivered)]);
    world.say(
        1,
        r#"{"do":"message","to":"nobody","text":"hi","id":"a-2"}"#,
    );
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Sent { status: 531, .. }]
    ));
    assert_eq!(world.outcomes[1], ("a-2".to_owned(), Outcome::Refused(531)));
    assert_eq!(world.sent(), []);
}

#[test]
fn an_unanswered_message_is_given_up_after_its_validity() {
    let mut world = World::with(|settings| {
        settings.offline_validity = Duration::from_secs(1000);
        settings.max_requests = 1;
    });
    world.add("alice");
    world.open(1, "alice");
    world.heard(1);
    world.say(1, r#"{"do":"message","to":"zoe@far.test","text":"x"}"#);
    world.say(1, r#"{"do":"message","to":"zoe@far.test","text":"y"}"#);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 507, .. }]
    ));
    world.wait(1060);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Sent { status: 504, .. }]
    ));
    assert!(!world.store.keys().any(|key| key.contains("/request/")));
    world.say(1, r#"{"do":"message","to":"zoe@far.test","text":"y"}"#);
    assert_eq!(world.heard(1), []);
}

#[test]
fn bad_drafts_are_refused_at_once() {
    let mut world = World::with(|settings| settings.max_content = 3);
    world.add("alice");
    world.open(1, "alice");
    world.heard(1);
    for (draft, code) in [
        (r#"{"do":"message","to":"a@b@c","text":"x"}"#, 901),
        (r#"{"do":"message","to":"@far.test","text":"x"}"#, 901),
        (r#"{"do":"message","to":"z@far.test","text":"long"}"#, 402),
        (
            r#"{"do":"message","to":"z@far.test","text":"x","id":"a b"}"#,
            402,
        ),
        (
            r#"{"do":"message","to":"z@far.test","text":"x","id":""}"#,
            402,
        ),
    ] {
        world.say(1, draft);
        let events = world.heard(1);
        assert!(
            matches!(&events[..], [Event::Error { status, .. }] if *status == code),
            "{draft}: {events:?}"
        );
    }
    assert_eq!(world.sent(), []);
}

#[test]
fn echo_answers_once_and_never_another_echo() {
    let mut world = World::with(|settings| settings.echo = true);
    let mut request = text("m1", "zoe@far.test", &["echo@home.test"], "hello?");
    request.delivery_report = true;
    assert_eq!(send(&mut world, request.clone()), Status::ok());
    let sent = world.sent();
    let [
        Primitive::DeliveryStatusReport(report),
        Primitive::SendMessageRequest(back),
    ] = &sent[..]
    else {
        panic!("{sent:?}");
    };
    assert_eq!(report.result.status.code, Code::OK);
    assert_eq!(back.content.as_ref().unwrap().bytes, b"hello?");
    assert_eq!(back.info.recipients[0].address(), &address("zoe@far.test"));
    assert_ne!(back.info.message_id.as_deref(), Some("m1"));
    world.restart();
    send(&mut world, request);
    assert_eq!(world.sent(), []);

    let from_echo = text("m2", "echo@far.test", &["echo@home.test"], "hello?");
    world.deliver("far.test", Some("echo@far.test"), from_echo);
    assert_eq!(world.sent(), []);
}
