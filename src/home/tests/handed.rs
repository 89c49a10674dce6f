//! What a provider elsewhere hands over for users of this domain, and what it is told of them.

use super::*;
use crate::imps::primitive::message_store::{MessageNotification, NewMessage};
use crate::sap::{PseTable, ServiceSet};

const PROVIDER: &str = "provider.test";
const ZOE: &str = "zoe@far.test";

/// Presence and messages of our users are at another domain.
fn world() -> World {
    let mut pse = PseTable::default();
    for name in ["PresenceFeat", "IMFeat"] {
        pse.add(ServiceSet::named(name).unwrap(), HOME, PROVIDER);
    }
    let mut world = World::with(|settings| settings.pse = pse);
    world.add("alice");
    world.acknowledges = false;
    world
}

fn info(id: &str) -> MessageInfo {
    text(id, ZOE, &["alice@home.test"], "").info
}

/// The provider hands over a message; the answer, if it comes at once.
fn hand_over(world: &mut World, id: &str) -> Option<Primitive> {
    let message = NewMessage {
        meta: Some(MetaInfo::of_server(PROVIDER)),
        info: info(id),
        content: Some(ContentData::text(id)),
    };
    world.deliver(PROVIDER, None, message)
}

/// The numbers under which a client was told of messages.
fn numbers(events: &[Event]) -> Vec<u64> {
    let numbers = events.iter().filter_map(|event| match event {
        Event::Message { number, .. } => *number,
        _ => None,
    });
    numbers.collect()
}

/// Ids of messages of which the provider was told that a client has them, by an answer or a request.
fn said_delivered(world: &mut World) -> Vec<(String, bool)> {
    let answers = std::mem::take(&mut world.answers).into_values();
    let answers = answers.map(|answer| (answer, false));
    let sent = world.sent().into_iter().map(|request| (request, true));
    let all = answers
        .chain(sent)
        .filter_map(|(primitive, asks)| match primitive {
            Primitive::MessageDelivered(delivered) => Some((delivered.message_id, asks)),
            _ => None,
        });
    all.collect()
}

#[test]
fn providers_hear_who_comes_and_goes_and_how_messages_are_to_come() {
    let mut world = world();
    world.open_with(1, "alice", r#"{"method":"notify","max_bytes":1000}"#);
    let sent: Vec<String> = world.sent().iter().map(|p| p.to_xml(None)).collect();
    let [online, method] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert!(
        online.contains("<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T<"),
        "{online}"
    );
    assert!(
        method.contains(r#"deliveryMethod="N" acceptedContentLength="1000""#),
        "{method}"
    );
    // The way to them was away for a while.
    let reached = Input::Reached(vec![PROVIDER.to_owned()]);
    world.home.take(reached, world.now);
    world.settle();
    let again: Vec<String> = world.sent().iter().map(|p| p.to_xml(None)).collect();
    assert_eq!(again, sent);
    assert!(world.home.concerned().contains(PROVIDER));
    world.close(1);
    let [offline] = &world.sent()[..] else {
        panic!("one is told");
    };
    let offline = offline.to_xml(None);
    assert!(offline.contains("<PresenceValue>F<"), "{offline}");
}

#[test]
fn who_was_there_when_the_node_died_has_gone_for_the_provider() {
    let mut world = world();
    world.open(1, "alice");
    world.sent();
    world.restart();
    world.wait(1);
    let told = world.sent().remove(0).to_xml(None);
    assert!(told.contains("<PresenceValue>F<"), "{told}");
}

#[test]
fn a_message_is_delivered_when_a_client_has_acknowledged_it_and_told_once() {
    let mut world = world();
    let nobody = hand_over(&mut world, "m1").unwrap();
    assert_eq!(nobody.verdict().unwrap().code, Code::OFFLINE);
    world.open(1, "alice");
    world.open(2, "alice");
    world.sent();
    assert_eq!(hand_over(&mut world, "m1"), None);
    let told = world.heard(1);
    let [number] = numbers(&told)[..] else {
        panic!("{told:?}");
    };
    // It may come again before the provider knows; nobody is told again.
    assert_eq!(hand_over(&mut world, "m1"), None);
    assert!(numbers(&world.heard(1)).is_empty());
    world.acknowledge(1, number);
    assert_eq!(said_delivered(&mut world), [("m1".to_owned(), false)]);
    world.acknowledge(1, number);
    world.acknowledge(2, number);
    assert_eq!(said_delivered(&mut world), []);
    // And after.
    assert!(matches!(
        hand_over(&mut world, "m1"),
        Some(Primitive::MessageDelivered(_))
    ));
    assert!(numbers(&world.heard(1)).is_empty());
}

#[test]
fn what_a_client_acknowledges_late_is_told_by_a_request() {
    let mut world = world();
    world.open(1, "alice");
    world.sent();
    hand_over(&mut world, "m1");
    let told = world.heard(1);
    let number = numbers(&told)[0];
    world.wait(30);
    world.acknowledge(1, number);
    assert!(said_delivered(&mut world).contains(&("m1".to_owned(), true)));
}

#[test]
fn what_a_client_leaves_behind_comes_again_under_its_number() {
    let mut world = world();
    world.open(1, "alice");
    hand_over(&mut world, "m1");
    let first = numbers(&world.heard(1));
    world.close(1);
    world.open(3, "alice");
    hand_over(&mut world, "m1");
    assert_eq!(numbers(&world.heard(3)), first);
}

#[test]
fn no_more_is_handed_over_than_clients_take() {
    let mut world = world();
    world.open(1, "alice");
    for n in 0..256 {
        assert_eq!(hand_over(&mut world, &format!("m{n}")), None);
    }
    let refused = hand_over(&mut world, "m256").unwrap();
    assert_eq!(refused.verdict().unwrap().code, Code::QUEUE_FULL);
    let number = numbers(&world.heard(1))[0];
    world.acknowledge(1, number);
    world.answers.clear();
    assert_eq!(hand_over(&mut world, "m256"), None);
}

#[test]
fn that_a_message_waits_is_told_and_who_fetches_it_acknowledges_it() {
    let mut world = world();
    world.open(1, "alice");
    let notice = MessageNotification {
        meta: Some(MetaInfo::of_server(PROVIDER)),
        info: info("m1"),
    };
    let answer = world.deliver(PROVIDER, None, notice.clone()).unwrap();
    assert_eq!(answer, Status::ok().into());
    assert_eq!(world.heard(1).len(), 2, "that it is open, and the notice");
    world.sent();
    world.request_xml(
        1,
        "alice",
        r#"<GetMessageRequest messageID="m1">META</GetMessageRequest>"#,
    );
    let fetched = crate::imps::primitive::message_store::GetMessageResponse {
        status: Status::ok(),
        info: Some(info("m1")),
        content: Some(ContentData::text("hi")),
    };
    world.acknowledges = true;
    world.answer("GetMessageRequest", fetched);
    assert_eq!(said_delivered(&mut world), [("m1".to_owned(), true)]);
    world.close(1);
    let nobody = world.deliver(PROVIDER, None, notice).unwrap();
    assert_eq!(nobody.verdict().unwrap().code, Code::OFFLINE);
}

#[test]
fn what_is_handed_over_for_nobody_of_ours_is_refused() {
    let mut world = world();
    for (to, code) in [("nobody@home.test", 531), ("zoe@far.test", 516)] {
        let message = NewMessage {
            meta: Some(MetaInfo::of_server(PROVIDER)),
            info: text("m1", ZOE, &[to], "").info,
            content: None,
        };
        let answer = world.deliver(PROVIDER, None, message).unwrap();
        assert_eq!(answer.verdict().unwrap().code.0, code, "{to}");
    }
}

#[test]
fn who_knows_that_a_message_waits_has_not_the_message() {
    let mut world = world();
    world.open(1, "alice");
    world.heard(1);
    let notice = MessageNotification {
        meta: Some(MetaInfo::of_server(PROVIDER)),
        info: info("m1"),
    };
    world.deliver(PROVIDER, None, notice).unwrap();
    let number = |event: &Event| match event {
        Event::Message { number, .. } | Event::Notification { number, .. } => *number,
        _ => None,
    };
    let known: Vec<u64> = world.heard(1).iter().filter_map(number).collect();
    let [known] = known[..] else {
        panic!("{known:?}")
    };
    world.acknowledge(1, known);
    assert_eq!(said_delivered(&mut world), []);
    // The provider hands the message over after all, as to a client that takes it so.
    assert_eq!(hand_over(&mut world, "m1"), None);
    let events = world.heard(1);
    let [message] = numbers(&events)[..] else {
        panic!("{events:?}")
    };
    assert_ne!(message, known);
    world.acknowledge(1, message);
    assert_eq!(said_delivered(&mut world), [("m1".to_owned(), false)]);
}
