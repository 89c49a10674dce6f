//! Sessions in a pretended time: the client's side by primitives, the domain's by what it says.

mod described;
mod world;

use std::net::IpAddr;

use super::*;
use crate::client::tests::settings;
use crate::csp::primitive::session::{KeepAliveRequest, LogoutRequest};
use crate::csp::{Body, Message};
use crate::imps::xml::Limits;
use world::{HERE, World, record};

fn name(session: Option<&crate::csp::Session>) -> &str {
    session.map_or("", |session| session.transactions[0].primitive.name())
}

fn transaction(session: Option<&crate::csp::Session>) -> String {
    session.unwrap().transactions[0].id.clone().unwrap()
}

fn code(primitive: &Primitive) -> u16 {
    match primitive {
        Primitive::Status(status) => status.result.status.code.0,
        Primitive::Disconnect(over) => over.result.status.code.0,
        other => panic!("{other:?}"),
    }
}

fn presence() -> Primitive {
    read(
        "<GetPresence-Request><User><UserID>wv:bob@village.test</UserID></User></GetPresence-Request>",
    )
}

/// A primitive of 1.2.
fn read(primitive: &str) -> Primitive {
    let xml = format!(
        "<WV-CSP-Message xmlns='http://www.openmobilealliance.org/DTD/WV-CSP1.2'><Session>\
         <Transaction><TransactionContent>{primitive}</TransactionContent></Transaction></Session>\
         </WV-CSP-Message>"
    );
    let read = Message::read(xml.as_bytes(), Encoding::Xml, &Limits::STANDARD);
    match read.unwrap().body {
        Body::Session(session) => session.transactions.into_iter().next().unwrap().primitive,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_told_until_the_client_says_that_it_has_it() {
    let mut world = World::new();
    assert_eq!(world.poll(), None);
    world.message(8, "m1");
    world.message(16, "m2");
    let first = world.poll();
    assert_eq!(
        (name(first.as_ref()), first.as_ref().unwrap().poll),
        ("NewMessage", Some(true))
    );
    let second = world.poll();
    assert_eq!(second.as_ref().unwrap().poll, Some(false));
    assert_ne!(transaction(first.as_ref()), transaction(second.as_ref()));
    // Both are on their way: nothing more, until the answer may have been lost.
    assert_eq!(world.poll(), None);
    world.pass(5);
    let again = world.poll();
    assert_eq!(transaction(again.as_ref()), transaction(first.as_ref()));
    assert!(world.acknowledged().is_empty());
    let other = world.delivered(&transaction(first.as_ref()), "m1");
    assert_eq!(transaction(other.as_ref()), transaction(second.as_ref()));
    assert_eq!(world.acknowledged(), [8]);
    // That is on disk before the client hears anything.
    assert_eq!(world.settled, world.said.len());
    // The same number again is the same message.
    world.message(16, "m2");
    world.pass(5);
    assert_eq!(
        transaction(world.poll().as_ref()),
        transaction(second.as_ref())
    );
    world.delivered(&transaction(second.as_ref()), "m2");
    assert_eq!(world.acknowledged(), [8, 16]);
    world.pass(60);
    assert_eq!(world.poll(), None);
}

#[test]
fn the_answer_to_a_message_may_carry_what_waits_and_that_to_a_request_does_not() {
    let mut world = World::new();
    world.message(8, "m1");
    world.message(16, "m2");
    let first = world.poll();
    let next = world.delivered(&transaction(first.as_ref()), "m1");
    assert_eq!(name(next.as_ref()), "NewMessage");
    world.message(24, "m3");
    let keep = Primitive::KeepAliveRequest(Box::new(KeepAliveRequest { time_to_live: None }));
    let answer = world
        .post(vec![Transaction::new(Mode::Request, "1", keep)])
        .unwrap();
    assert_eq!((answer.transactions.len(), answer.poll), (1, Some(true)));
}

#[test]
fn several_transactions_go_together_where_that_was_agreed() {
    let mut record = record();
    record.transactions = 3;
    let mut world = World::with(settings(), record);
    for number in 1..=4 {
        world.message(number * 8, &format!("m{number}"));
    }
    let all = world.poll().unwrap();
    assert_eq!((all.transactions.len(), all.poll), (3, Some(true)));
}

#[test]
fn a_request_is_handed_over_and_answered_once_the_domain_has_answered() {
    let mut world = World::new();
    assert_eq!(world.ask("1", presence()), None);
    // Again before the answer, and again after it.
    assert_eq!(world.ask("1", presence()), None);
    let asked = world.asked();
    assert_eq!(asked.len(), 1);
    world.told(ToClient::answer(
        asked[0].clone(),
        Status::new(Code::UNAVAILABLE),
    ));
    let (posts, body) = world.answers.last().unwrap();
    assert_eq!(posts, &[0, 1]);
    assert!(body.is_some());
    let again = world.ask("1", presence()).unwrap();
    assert_eq!((code(&again), world.asked().len()), (503, 1));
    // Another one with the same words is another one.
    assert_eq!(world.ask("2", presence()), None);
    assert_eq!(world.asked().len(), 2);
}

#[test]
fn a_request_without_answer_is_answered_in_time() {
    let mut world = World::new();
    world.ask("1", presence());
    world.pass(24);
    assert!(world.answers.is_empty());
    world.pass(1);
    let answer = world.answer_to(0).unwrap();
    assert_eq!(code(&answer.transactions[0].primitive), 504);
    // What comes later is taken, and told to nobody.
    let asked = world.asked().remove(0);
    let late = ToClient::Answer {
        id: asked,
        number: Some(5),
        primitive: Box::new(crate::imps::Primitive::status(Code::OK)),
    };
    world.told(late);
    assert_eq!(world.acknowledged(), [5]);
}

#[test]
fn requests_under_way_are_bounded() {
    let mut world = World::new();
    for number in 0..8 {
        assert_eq!(world.ask(&number.to_string(), presence()), None);
    }
    assert_eq!(code(&world.ask("9", presence()).unwrap()), 503);
    let mut world = World::new();
    let many = (0..40).map(|n| Transaction::new(Mode::Request, n.to_string(), presence()));
    world.post(many.collect());
    assert_eq!(world.asked().len(), 32);
}

#[test]
fn a_client_that_says_nothing_is_logged_out_and_one_that_says_something_is_not() {
    let mut world = World::new();
    world.pass(600);
    world.poll();
    let due = world.session.poll_timeout().unwrap();
    assert_eq!(due, world.now.plus_seconds(630));
    world.pass(629);
    assert!(!world.ended);
    world.pass(1);
    assert!(world.left && world.ended);
    assert_eq!(world.session.poll_timeout(), None);
    assert_eq!(code(&world.ask("1", presence()).unwrap()), 604);
}

#[test]
fn the_time_is_agreed_within_bounds_and_kept() {
    let mut world = World::new();
    let mut ask = |seconds| {
        let time_to_live = Some(seconds);
        let keep = Primitive::KeepAliveRequest(Box::new(KeepAliveRequest { time_to_live }));
        match world.ask(&seconds.to_string(), keep) {
            Some(Primitive::KeepAliveResponse(answer)) => {
                (answer.result.status.code.0, answer.keep_alive.unwrap())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(1200), (200, 1200));
    assert_eq!(ask(7205), (200, 3600));
    assert_eq!(ask(29), (605, 3600));
    let kept: Vec<u32> = world.kept.iter().map(|record| record.keep_alive).collect();
    assert_eq!(kept, [1200, 3600]);
}

#[test]
fn a_logout_is_answered_in_the_words_of_the_version_and_is_the_end() {
    for (version, word) in [(Version::V1_1, "Disconnect"), (Version::V1_3, "Status")] {
        let mut world = World::new();
        world.version = version;
        let logout = Primitive::LogoutRequest(Box::new(LogoutRequest {}));
        let answer = world.ask("1", logout).unwrap();
        assert_eq!((answer.name(), code(&answer)), (word, 200));
        assert!(world.left && world.ended);
    }
}

#[test]
fn a_client_that_is_logged_out_hears_why_once() {
    let mut world = World::new();
    world.session.set_channel(true, world.now);
    world.ask("1", presence());
    let status = Status::new(Code(601));
    world.session.disconnect(status.clone(), world.now);
    let told = world.answer_to(0).unwrap();
    assert_eq!(code(&told.transactions[0].primitive), 601);
    assert!(world.left && world.ended && world.woken.len() == 1);
    let mut world = World::new();
    world.session.disconnect(status, world.now);
    world.drain();
    assert!(world.left && !world.ended);
    let told = world.poll();
    assert_eq!((name(told.as_ref()), world.ended), ("Disconnect", true));
    // Who does not come hears nothing.
    let mut world = World::new();
    world.told(ToClient::Over { why: Over::Removed });
    world.pass(599);
    assert!(!world.ended);
    world.pass(1);
    assert!(world.ended);
}

#[test]
fn a_client_on_its_channel_is_woken_until_it_comes() {
    let mut world = World::new();
    world.message(8, "m1");
    assert!(world.woken.is_empty());
    // The version is that of the last message, at first that of the login.
    world.session.set_channel(true, world.now);
    world.drain();
    assert_eq!(world.woken, ["WVCI 1.2 cookie"]);
    world.message(16, "m2");
    assert_eq!(world.woken.len(), 1);
    let due = world.session.poll_timeout().unwrap();
    assert_eq!(due, world.now.plus_seconds(10));
    world.pass(10);
    assert_eq!(world.woken.len(), 2);
    let first = world.poll();
    assert_eq!(first.as_ref().unwrap().cir, Some(true));
    world.delivered(&transaction(first.as_ref()), "m1");
    let second = world.poll();
    assert_eq!(second, None);
    world.session.set_channel(false, world.now);
    world.message(24, "m3");
    assert_eq!(world.woken.len(), 2);
    assert_eq!(world.poll().unwrap().cir, Some(false));
}

#[test]
fn a_session_is_taken_from_its_own_address_alone_where_that_is_wanted() {
    let settings = Settings {
        one_address: true,
        ..settings()
    };
    let mut world = World::with(settings, record());
    let elsewhere = IpAddr::from([192, 0, 2, 1]);
    let request = || vec![Transaction::new(Mode::Request, "1", presence())];
    let answer = world.post_from(request(), elsewhere).unwrap();
    assert_eq!(code(&answer.transactions[0].primitive), 604);
    assert!(world.asked().is_empty());
    world.post_from(request(), HERE);
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn a_client_that_looks_too_often_gets_nothing_for_a_while() {
    let mut world = World::new();
    for _ in 0..40 {
        assert_eq!(world.poll(), None);
    }
    world.message(8, "m1");
    assert_eq!(world.poll(), None);
    world.pass(30);
    assert_eq!(name(world.poll().as_ref()), "NewMessage");
}

#[test]
fn messages_that_are_to_come_in_another_way_come_anew() {
    let mut world = World::new();
    world.message(8, "m1");
    let capabilities = |method: &str| {
        read(&format!(
            "<ClientCapability-Request><CapabilityList>\
             <InitialDeliveryMethod>{method}</InitialDeliveryMethod><UDPPort>5000</UDPPort>\
             <MultiTrans>99</MultiTrans><SupportedCIRMethod>SUDP</SupportedCIRMethod>\
             <ParserSize>30000</ParserSize><AcceptedContentLength>0</AcceptedContentLength>\
             </CapabilityList></ClientCapability-Request>"
        ))
    };
    let answer = world.ask("1", capabilities("N")).unwrap();
    let Primitive::ClientCapabilityResponse(agreed) = answer else {
        panic!("{answer:?}");
    };
    let agreed = agreed.agreed.unwrap();
    assert_eq!(agreed.cir_methods, ["SUDP"]);
    assert_eq!((agreed.poll_min, agreed.tcp_port), (Some(30), None));
    assert_eq!(world.reopened.len(), 1);
    assert_eq!(world.reopened[0].method, crate::element::Method::Notify);
    let kept = world.kept.last().unwrap();
    assert_eq!((kept.transactions, kept.udp_port), (10, Some(5000)));
    assert_eq!(kept.parser_size, Some(30_000));
    // What was not told comes again, as the domain says.
    assert_eq!(world.poll(), None);
    // The same once more changes nothing.
    world.ask("2", capabilities("N"));
    assert_eq!(world.reopened.len(), 1);
}

/// A text to Bob.
fn message(text: &str) -> Primitive {
    read(&format!(
        "<SendMessage-Request><DeliveryReport>F</DeliveryReport><MessageInfo><Recipient><User>\
         <UserID>wv:bob@village.test</UserID></User></Recipient></MessageInfo><ContentData>{text}\
         </ContentData></SendMessage-Request>"
    ))
}

#[test]
fn a_message_that_is_repeated_under_another_id_is_sent_once_where_that_is_wanted() {
    let taken = |world: &mut World, id: &str, code: u16| {
        let answer = crate::imps::Primitive::SendMessageResponse(Box::new(
            crate::imps::primitive::message::SendMessageResponse {
                message_id: "m1".to_owned(),
                status: Status::new(Code(code)),
            },
        ));
        world.told(ToClient::Answer {
            id: id.to_owned(),
            number: None,
            primitive: Box::new(answer),
        });
    };
    let result = |answer: Option<Primitive>| match answer {
        Some(Primitive::SendMessageResponse(answer)) => answer.result.status.code.0,
        other => panic!("{other:?}"),
    };
    let mut record = record();
    record.terms.switches.repeats = true;
    let mut world = World::with(settings(), record);
    assert_eq!(world.ask("1", message("hi")), None);
    // The answer is lost; the same under another id, before and after that is known.
    assert_eq!(world.ask("2", message("hi")), None);
    let asked = world.asked();
    assert_eq!(asked.len(), 1);
    taken(&mut world, &asked[0], 200);
    for post in [0, 1] {
        let answer = world.answer_to(post).unwrap().transactions.remove(0);
        assert_eq!(answer.id, Some((post + 1).to_string()));
        assert_eq!(result(Some(answer.primitive)), 200);
    }
    assert_eq!(result(world.ask("3", message("hi"))), 200);
    assert_eq!(world.asked().len(), 1);
    // Other words are another message, and so are the same ones later.
    assert_eq!(world.ask("4", message("hello")), None);
    world.pass(60);
    assert_eq!(world.ask("5", message("hi")), None);
    let asked = world.asked();
    assert_eq!(asked.len(), 3);
    // What was refused may be sent again.
    taken(&mut world, &asked[2], 531);
    assert_eq!(world.ask("6", message("hi")), None);
    assert_eq!(world.asked().len(), 4);
    // Everybody else's are each their own.
    let mut other = World::new();
    assert_eq!(other.ask("1", message("hi")), None);
    assert_eq!(other.ask("2", message("hi")), None);
    assert_eq!(other.asked().len(), 2);
}

#[test]
fn what_passes_is_bounded_and_the_oldest_goes() {
    let mut world = World::new();
    for number in 0..300 {
        let xml = format!(
            "<PresenceNotification><PresenceValue userID=\"wv:u{number}@village.test\"/>\
             </PresenceNotification>"
        );
        let told = serde_json::json!({"event": "now", "primitive": xml});
        world.told(serde_json::from_value(told).unwrap());
    }
    let mut told = 0;
    while let Some(session) = world.poll() {
        let first = &session.transactions[0];
        told += 1;
        let id = first.id.clone().unwrap();
        world.post(vec![Transaction::new(
            Mode::Response,
            id,
            Primitive::status(Status::ok()),
        )]);
    }
    // Each answer to one carries the next.
    assert_eq!(told, 128);
}

#[test]
fn a_record_is_read_back_and_an_older_one_too() {
    let record = record();
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    let old = "{\"user\":\"a\",\"terms\":{\"user\":\"wv:a@b.test\",\"version\":\"1.1\"},\
               \"keep_alive\":60,\"begun\":1,\"address\":\"127.0.0.1\"}";
    let old: Record = serde_json::from_str(old).unwrap();
    assert_eq!((old.transactions, old.wake.len()), (1, 0));
}
