//! Messages that their user sends on: they wait until it is known that others have them.

use super::*;
use crate::imps::primitive::message::SendMessageResponse;

const NOTIFY: &str = r#"{"method":"notify"}"#;

fn taken(code: u16) -> SendMessageResponse {
    SendMessageResponse {
        message_id: "m".to_owned(),
        status: Status::new(Code(code)),
    }
}

/// bob has the message m1, and forwards it to somebody elsewhere, so often.
fn forwards(times: usize) -> (World, Vec<u16>) {
    let mut world = World::peopled();
    let message = text("m1", "zoe@far.test", &["bob@home.test"], "x");
    world.deliver("far.test", Some("zoe@far.test"), message);
    world.open_with(1, "bob", NOTIFY);
    world.heard(1);
    let mut answers = Vec::new();
    for _ in 0..times {
        let before = world.outbox.len();
        forward(&mut world);
        if let Some((token, _)) = world.outbox.get(before).cloned() {
            let known = Input::TakenOver(token, taken(202).into());
            world.home.take(known, world.now);
            world.settle();
        }
        answers.extend(answered(&mut world));
    }
    (world, answers)
}

fn forward(world: &mut World) {
    let xml = r#"<ForwardMessageRequest messageID="m1">META<Recipient><User userID="wv:yan@far.test"/></Recipient></ForwardMessageRequest>"#;
    world.request_xml(1, "bob", xml);
}

/// The answers that bob's client has heard.
fn answered(world: &mut World) -> Vec<u16> {
    let heard = world.heard(1).into_iter();
    let answers = heard.filter_map(|event| match event {
        Event::Answer { primitive, .. } => Some(primitive.verdict()?.code.0),
        _ => None,
    });
    answers.collect()
}

#[test]
fn a_forwarded_message_stays_until_it_is_known_that_others_have_it() {
    for (code, left) in [(503, 1), (200, 0)] {
        let (mut world, answers) = forwards(1);
        assert_eq!(answers, [202]);
        assert_eq!(world.home.messages_open(), 1);
        world.put_to_rest();
        world.answer("SendMessageRequest", taken(code));
        assert_eq!(answered(&mut world), [0; 0]);
        assert_eq!(world.home.messages_open(), left, "{code}");
        // Nothing of it is left over.
        assert!(!world.store.keys().any(|key| key.contains("/request/")));
    }
}

#[test]
fn a_forwarded_message_that_fails_after_a_restart_is_still_there() {
    for (code, left) in [(503, 1), (200, 0)] {
        let (mut world, _) = forwards(1);
        world.restart();
        world.put_to_rest();
        world.answer("SendMessageRequest", taken(code));
        assert_eq!(world.home.messages_open(), left, "{code}");
        world.open_with(2, "bob", NOTIFY);
        world.heard(2);
    }
}

#[test]
fn messages_that_are_forwarded_and_not_ended_are_bounded() {
    let most = crate::home::message_store::MAX_FORWARDED;
    let (mut world, answers) = forwards(most + 2);
    assert_eq!(answers[..most], vec![202; most]);
    assert_eq!(answers[most..], [507, 507]);
    world.answer("SendMessageRequest", taken(503));
    forward(&mut world);
    assert_eq!(world.outbox.len(), most);
    // What is forwarded keeps nobody from asking something else.
    let list = "<GetMessageListRequest>META</GetMessageListRequest>";
    let listed = world.ask_xml(1, "bob", list);
    assert_eq!(listed.verdict().unwrap().code, Code::OK);
}
