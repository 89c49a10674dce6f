//! Requests that clients hand over as primitives.

use super::*;
use crate::home::client::Command;
use crate::imps::common::{UserId, VerUserId};
use crate::imps::primitive::presence::{
    GetPresenceRequest, GetPresenceResponse, PresenceNotification, SubscribeRequest,
};

const ZOE: &str = "zoe@far.test";

fn presence_of_zoe(asker: &str) -> GetPresenceRequest {
    GetPresenceRequest {
        meta: Some(MetaInfo::of_user(HOME, address(asker))),
        users: vec![VerUserId {
            user: address(ZOE),
            version: None,
        }],
        attributes: None,
    }
}

impl World {
    /// Alice's client asks; it is told in a line of JSON as all of what it says.
    fn ask(&mut self, primitive: impl Into<Primitive>) {
        let command = Command::Request {
            id: "r1".to_owned(),
            primitive: Box::new(primitive.into()),
        };
        self.say(1, &serde_json::to_string(&command).unwrap());
    }

    /// The answer that alice's client has heard, if it has.
    fn answered(&mut self) -> Option<Primitive> {
        match &self.heard(1)[..] {
            [Event::Answer { id, primitive }] if id == "r1" => Some((**primitive).clone()),
            [] => None,
            other => panic!("{other:?}"),
        }
    }
}

fn world() -> World {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world
}

#[test]
fn a_request_goes_where_it_belongs_and_its_client_hears_the_answer() {
    let mut world = world();
    world.open(2, "alice");
    world.heard(1);
    world.heard(2);
    world.ask(presence_of_zoe("alice@home.test"));
    assert_eq!(world.answered(), None);
    let answer = GetPresenceResponse {
        status: Some(Status::ok()),
        values: Vec::new(),
    };
    world.answer("GetPresenceRequest", answer.clone());
    assert_eq!(world.answered(), Some(answer.into()));
    assert_eq!(world.heard(2), []);
}

#[test]
fn what_is_served_here_is_answered_by_the_same_way() {
    let mut world = world();
    let request = SubscribeRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: vec![UserId {
            user: address("bob@home.test"),
        }],
        attributes: None,
    };
    world.ask(request);
    let answered = world.heard(1).into_iter().find_map(|event| match event {
        Event::Answer { primitive, .. } => Some(*primitive),
        _ => None,
    });
    assert_eq!(answered, Some(Status::ok().into()));
}

#[test]
fn nobody_speaks_for_others_and_a_notice_is_no_request() {
    let mut world = world();
    let notice = PresenceNotification {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        watchers: Vec::new(),
        values: Vec::new(),
    };
    let foreign_sender = SendMessageRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        ..text("m1", "bob@home.test", &[ZOE], "hi")
    };
    let asks: [(Primitive, u16); 3] = [
        (presence_of_zoe("bob@home.test").into(), 427),
        (foreign_sender.into(), 427),
        (notice.into(), 400),
    ];
    for (primitive, code) in asks {
        let name = primitive.name().to_owned();
        world.ask(primitive);
        match world.answered() {
            Some(Primitive::Status(status)) => assert_eq!(status.code.0, code, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(world.sent().is_empty(), "{name}");
    }
}

#[test]
fn a_message_whose_fate_must_outlive_its_client_is_no_such_request() {
    let mut world = world();
    let message = SendMessageRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        ..text("m1", "alice@home.test", &[ZOE], "hi")
    };
    world.ask(message);
    match world.answered() {
        Some(Primitive::Status(status)) => assert_eq!(status.code.0, 405),
        other => panic!("{other:?}"),
    }
    assert!(world.sent().is_empty());
}

#[test]
fn an_id_of_a_request_that_is_too_long_is_refused() {
    let mut world = world();
    for (length, taken) in [(128, true), (129, false)] {
        let command = Command::Request {
            id: "r".repeat(length),
            primitive: Box::new(presence_of_zoe("alice@home.test").into()),
        };
        world.say(1, &serde_json::to_string(&command).unwrap());
        assert_eq!(world.sent().len(), usize::from(taken), "{length}");
        let refused = matches!(&world.heard(1)[..], [Event::Error { status: 400, .. }]);
        assert_eq!(refused, !taken, "{length}");
    }
}
