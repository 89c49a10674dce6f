//! Lists as those whom a message, a subscription or a query is for.

use super::*;
use crate::imps::common::{ContactList, UserId, VerUserId};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::primitive::presence::{GetPresenceRequest, SubscribeRequest, UnsubscribeRequest};

fn list(name: &str) -> Address {
    address(&format!("wv:alice/{name}@home.test"))
}

fn message(id: &str, lists: &[&str], to: &[&str]) -> SendMessageRequest {
    let mut message = text(id, "alice@home.test", to, "hi");
    let lists = lists
        .iter()
        .map(|name| Recipient::ContactList(ContactList { list: list(name) }));
    message.info.recipients.extend(lists);
    message
}

fn subscribe(to: &[Address]) -> SubscribeRequest {
    SubscribeRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: to
            .iter()
            .map(|user| UserId { user: user.clone() })
            .collect(),
        attributes: None,
    }
}

impl World {
    /// A client of alice's asks; the answer, if it has come.
    fn says(&mut self, primitive: impl Into<Primitive>) -> Option<Primitive> {
        let request = FromClient::Request {
            id: "r".to_owned(),
            primitive: Box::new(primitive.into()),
        };
        self.heard(1);
        self.client(1, &request);
        self.reply()
    }

    fn reply(&mut self) -> Option<Primitive> {
        self.heard(1).into_iter().find_map(|event| match event {
            Event::Answer { primitive, .. } => Some(*primitive),
            _ => None,
        })
    }
}

fn world() -> World {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "bob");
    make(
        &mut world,
        "friends",
        &["bob@home.test", "zoe@far.test", "yan@far.test"],
    );
    world.heard(1);
    world.heard(2);
    world
}

fn recipients(world: &World) -> Vec<String> {
    let (_, request) = world.outbox.last().unwrap();
    let Primitive::SendMessageRequest(message) = request else {
        panic!("{request:?}");
    };
    let recipients = message.info.recipients.iter();
    recipients.map(|r| r.address().bare().to_owned()).collect()
}

fn verdict(answer: Option<Primitive>) -> u16 {
    answer.unwrap().verdict().unwrap().code.0
}

#[test]
fn a_message_to_a_list_goes_to_each_who_is_on_it_once() {
    let mut world = world();
    make(&mut world, "work", &["yan@far.test", "xan@far.test"]);
    // Bob, who is here, has it at once.
    let answer = world.says(message("m1", &["friends", "work"], &["zoe@far.test"]));
    assert_eq!(verdict(answer), 200);
    assert_eq!(
        texts(&world.heard(2)),
        [("alice@home.test".to_owned(), "hi".to_owned())]
    );
    assert_eq!(
        recipients(&world),
        ["zoe@far.test", "xan@far.test", "yan@far.test"]
    );
}

#[test]
fn who_on_a_list_was_not_reached_is_named() {
    let mut world = world();
    make(&mut world, "far", &["zoe@far.test", "xan@far.test"]);
    assert_eq!(world.says(message("m1", &["far"], &[])), None);
    let status = Status::of_users(2, vec![(Code::UNKNOWN_USER, address("xan@far.test"))]);
    let response = SendMessageResponse {
        message_id: "m1".to_owned(),
        status: status.clone(),
    };
    world.answer("SendMessageRequest", response);
    let told = world.reply().unwrap();
    assert_eq!(told.verdict(), Some(&status));
}

#[test]
fn a_message_to_a_list_sent_again_goes_out_once_whoever_came_to_the_list_meanwhile() {
    let mut world = world();
    let taken = || SendMessageResponse {
        message_id: "m1".to_owned(),
        status: Status::ok(),
    };
    make(&mut world, "far", &["zoe@far.test"]);
    assert_eq!(world.says(message("m1", &["far"], &[])), None);
    world.answer("SendMessageRequest", taken());
    assert_eq!(verdict(world.reply()), 200);
    let add = r#"<AddNickList><NickName userID="wv:yan@far.test"/></AddNickList>"#;
    assert_eq!(code(&mut world, "alice", &manage("far", add)), 200);
    world.restart();
    world.open(1, "alice");
    assert_eq!(verdict(world.says(message("m1", &["far"], &[]))), 200);
    assert_eq!(world.sent(), []);
}

#[test]
fn a_list_deleted_while_a_message_to_it_is_under_way_changes_nothing_of_that_message() {
    let mut world = world();
    make(&mut world, "far", &["zoe@far.test", "yan@far.test"]);
    assert_eq!(world.says(message("m1", &["far"], &[])), None);
    assert_eq!(recipients(&world), ["yan@far.test", "zoe@far.test"]);
    assert_eq!(code(&mut world, "alice", &delete("far")), 200);
    let waiting = world.outbox.len();
    assert_eq!(waiting, 1);
    let response = SendMessageResponse {
        message_id: "m1".to_owned(),
        status: Status::ok(),
    };
    world.answer("SendMessageRequest", response);
    assert_eq!(verdict(world.reply()), 200);
    // The next one finds no list.
    let answer = world.says(message("m2", &["far"], &[])).unwrap();
    let status = answer.verdict().unwrap();
    assert_eq!(status.code.0, 700);
    assert_eq!(status.details[0].contact_lists[0].list, list("far"));
    assert_eq!(world.sent(), []);
}

#[test]
fn what_cannot_be_expanded_is_refused() {
    let mut world = world();
    make(&mut world, "empty", &[]);
    let many: Vec<String> = (0..17).map(|n| format!("l{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let users: Vec<String> = (0..100).map(|n| format!("u{n}@far.test")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    for (request, code) in [
        (message("m1", &["nothing"], &[]), 700),
        (
            message("m2", &["friends", "nothing"], &["zoe@far.test"]),
            700,
        ),
        (message("m3", &["empty"], &[]), 402),
        (message("m4", &many, &[]), 402),
        (message("m5", &["friends"], &users), 402),
    ] {
        let id = request.info.message_id.clone();
        assert_eq!(verdict(world.says(request)), code, "{id:?}");
    }
    // Somebody else's list is not here.
    let mut foreign = message("m6", &[], &[]);
    foreign.info.recipients = vec![Recipient::ContactList(ContactList {
        list: address("wv:bob/contacts@home.test"),
    })];
    assert_eq!(verdict(world.says(foreign.clone())), 700);
    foreign.info.sender = Some(Sender::user(UserElement::new(address("zoe@far.test"))));
    foreign.meta = Some(MetaInfo::of_user("far.test", address("zoe@far.test")));
    let answer = world.deliver("far.test", Some("zoe@far.test"), foreign);
    assert_eq!(verdict(answer), 700);
    assert_eq!(world.sent(), []);
    assert_eq!(world.heard(2), []);
}

/// Whom the domain asks to watch, or not to watch any more.
fn watched(world: &mut World) -> Vec<(&'static str, String)> {
    let mut watched = Vec::new();
    for primitive in world.sent() {
        let (what, users) = match primitive {
            Primitive::SubscribeRequest(request) => ("+", request.users),
            Primitive::UnsubscribeRequest(request) => ("-", request.users),
            other => panic!("{other:?}"),
        };
        watched.extend(users.iter().map(|id| (what, id.user.bare().to_owned())));
    }
    watched
}

#[test]
fn who_watches_a_list_watches_who_is_on_it_and_who_comes_until_they_go() {
    let mut world = world();
    let add = |user: &str| {
        manage(
            "friends",
            &format!(r#"<AddNickList><NickName userID="wv:{user}"/></AddNickList>"#),
        )
    };
    let remove = |user: &str| {
        let id = format!(r#"<UserID userID="wv:{user}"/>"#);
        manage("friends", &format!("<RemoveNickList>{id}</RemoveNickList>"))
    };
    let some = |what: &'static str, users: &[&str]| {
        let users = users.iter().map(|user| (what, (*user).to_owned()));
        users.collect::<Vec<_>>()
    };
    assert_eq!(code(&mut world, "alice", &remove("bob@home.test")), 200);
    // Zoe is watched whether she is on the list or not.
    world.says(subscribe(&[address("zoe@far.test")]));
    world.answer("SubscribeRequest", Status::ok());
    assert_eq!(verdict(world.reply()), 200);
    world.says(subscribe(&[list("friends")]));
    world
        .outbox
        .iter()
        .for_each(|(_, sent)| assert_eq!(sent.name(), "SubscribeRequest"));
    world.answer("SubscribeRequest", Status::ok());
    assert_eq!(verdict(world.reply()), 200);
    assert_eq!(watched(&mut world), []);
    world.restart();
    world.open(1, "alice");
    assert_eq!(code(&mut world, "alice", &add("xan@far.test")), 200);
    assert_eq!(watched(&mut world), some("+", &["xan@far.test"]));
    for gone in ["xan@far.test", "zoe@far.test"] {
        assert_eq!(code(&mut world, "alice", &remove(gone)), 200);
    }
    assert_eq!(watched(&mut world), some("-", &["xan@far.test"]));
    // The list is watched no more: who comes is not watched.
    let end = UnsubscribeRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: vec![UserId {
            user: list("friends"),
        }],
    };
    assert_eq!(verdict(world.says(end)), 200);
    assert_eq!(watched(&mut world), some("-", &["yan@far.test"]));
    assert_eq!(code(&mut world, "alice", &add("xan@far.test")), 200);
    assert_eq!(watched(&mut world), []);
}

#[test]
fn a_deleted_list_is_watched_no_more() {
    let mut world = world();
    make(&mut world, "far", &["zoe@far.test"]);
    world.says(subscribe(&[list("far")]));
    world.answer("SubscribeRequest", Status::ok());
    assert_eq!(code(&mut world, "alice", &delete("far")), 200);
    assert_eq!(watched(&mut world), [("-", "zoe@far.test".to_owned())]);
    // An empty one can be watched: who comes is.
    make(&mut world, "empty", &[]);
    assert_eq!(verdict(world.says(subscribe(&[list("empty")]))), 200);
    let add = r#"<AddNickList><NickName userID="wv:xan@far.test"/></AddNickList>"#;
    assert_eq!(code(&mut world, "alice", &manage("empty", add)), 200);
    assert_eq!(watched(&mut world), [("+", "xan@far.test".to_owned())]);
    assert_eq!(verdict(world.says(subscribe(&[list("nothing")]))), 700);
}

#[test]
fn presence_of_all_on_a_list_is_asked_for_at_once() {
    let mut world = world();
    make(&mut world, "far", &["zoe@far.test", "yan@far.test"]);
    let request = GetPresenceRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: vec![VerUserId {
            user: list("far"),
            version: None,
        }],
        attributes: None,
    };
    assert_eq!(world.says(request), None);
    let sent = world.sent();
    let [Primitive::GetPresenceRequest(request)] = &sent[..] else {
        panic!("{sent:?}");
    };
    let users: Vec<&str> = request.users.iter().map(|id| id.user.bare()).collect();
    assert_eq!(users, ["yan@far.test", "zoe@far.test"]);
}
