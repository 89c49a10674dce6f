//! Messages that a client sends again under their ids.

use super::*;
use crate::imps::primitive::message::SendMessageResponse;

const MESSAGE: &str = r#"{"do":"message","to":"zoe@far.test","text":"x","id":"a-1"}"#;
const ACCEPTED: Code = Code(202);

fn answer(code: Code) -> SendMessageResponse {
    SendMessageResponse {
        message_id: "a-1".to_owned(),
        status: Status::new(code),
    }
}

/// How the last message of a client was answered.
fn last_answer(world: &mut World, client: u64) -> Option<u16> {
    match world.heard(client).pop() {
        Some(Event::Sent { status, .. }) => Some(status),
        _ => None,
    }
}

#[test]
fn a_message_that_a_client_sends_again_goes_out_once() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(1, MESSAGE);
    world.close(1);
    // Before the answer, and after a restart.
    world.open(2, "alice");
    world.say(2, MESSAGE);
    world.close(2);
    world.restart();
    world.open(3, "alice");
    world.say(3, MESSAGE);
    assert_eq!(world.outbox.len(), 1);
    world.answer("SendMessageRequest", answer(ACCEPTED));
    assert_eq!(last_answer(&mut world, 3), Some(202));
    // After the answer, and after another restart.
    for client in [4, 5] {
        world.open(client, "alice");
        world.say(client, MESSAGE);
        assert_eq!(last_answer(&mut world, client), Some(202));
        world.close(client);
        world.restart();
    }
    assert_eq!(world.outbox, []);
    // To somebody else, or from somebody else, it is another message.
    world.open(6, "alice");
    world.say(6, &MESSAGE.replace("zoe", "yan"));
    world.open(7, "bob");
    world.say(7, MESSAGE);
    assert_eq!(world.sent().len(), 2);
}

#[test]
fn a_message_that_was_refused_may_be_sent_again_under_its_id() {
    let mut world = World::peopled();
    world.open(1, "alice");
    for _ in 0..2 {
        world.say(1, MESSAGE);
        world.answer("SendMessageRequest", answer(Code::QUEUE_FULL));
        assert_eq!(last_answer(&mut world, 1), Some(507));
    }
}

#[test]
fn a_client_that_takes_only_its_own_answers_hears_of_what_it_repeats() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(1, MESSAGE);
    world.close(1);
    world.open_for(2, "alice", Takes::OwnAnswers);
    world.say(2, MESSAGE);
    world.answer("SendMessageRequest", answer(Code::INVALID_USER));
    assert_eq!(last_answer(&mut world, 2), Some(427));
}

#[test]
fn what_is_remembered_of_sent_messages_is_bounded() {
    let mut world = World::with(|settings| {
        settings.max_remembered = 2;
        settings.offline_validity = Duration::from_secs(1000);
    });
    world.add("alice");
    world.open(1, "alice");
    let records = |world: &World| {
        let keys = world.store.keys();
        keys.filter(|key| key.contains("/sent/")).count()
    };
    let goes_out = |world: &mut World, id: &str| {
        world.say(1, &MESSAGE.replace("a-1", id));
        let went = !world.outbox.is_empty();
        if went {
            world.answer("SendMessageRequest", answer(Code::OK));
        }
        went
    };
    for id in ["1", "2", "3"] {
        assert!(goes_out(&mut world, id));
    }
    assert_eq!(records(&world), 2);
    assert!(!goes_out(&mut world, "2"));
    assert!(goes_out(&mut world, "1"));
    world.wait(2000);
    assert!(goes_out(&mut world, "4"));
    assert_eq!(records(&world), 1);
    world.remove("alice").unwrap();
    let of_sent = |act: &Act| matches!(act, Act::Write(write) if write.key().contains("/sent/"));
    let acts = std::iter::from_fn(|| world.home.next_act());
    assert_eq!(acts.filter(of_sent).count(), 1);
}
