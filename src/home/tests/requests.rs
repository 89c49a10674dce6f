//! Requests that clients hand over as primitives.

use super::*;
use crate::imps::common::PresenceValue;
use crate::imps::common::{UserId, VerUserId};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::primitive::presence::{
    GetPresenceRequest, GetPresenceResponse, PresenceNotification, SubscribeRequest,
};
use crate::ssp::envelope::decode_fragment;

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
    /// Alice's client asks.
    fn ask(&mut self, primitive: impl Into<Primitive>) {
        self.ask_as("r1", primitive);
    }

    fn ask_as(&mut self, id: &str, primitive: impl Into<Primitive>) {
        let request = FromClient::Request {
            id: id.to_owned(),
            primitive: Box::new(primitive.into()),
        };
        self.client(1, &request);
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

/// A message of alice's as her client hands it over.
fn message(id: Option<&str>, to: &[&str], content: &str) -> SendMessageRequest {
    let mut message = text("", "alice@home.test", to, content);
    message.info.message_id = id.map(str::to_owned);
    message
}

fn answer_to(id: &str, status: Status) -> SendMessageResponse {
    SendMessageResponse {
        message_id: id.to_owned(),
        status,
    }
}

#[test]
fn a_message_is_a_request_like_any_other() {
    let mut world = world();
    world.ask(message(Some("m1"), &[ZOE], "hi"));
    assert_eq!(world.answered(), None);
    world.answer("SendMessageRequest", answer_to("m1", Status::ok()));
    let answer = answer_to("m1", Status::ok());
    assert_eq!(world.answered(), Some(answer.clone().into()));
    // Sent again under its id it is answered, and does not go out.
    world.ask(message(Some("m1"), &[ZOE], "hi"));
    assert_eq!(world.answered(), Some(answer.into()));
    assert_eq!(world.sent(), []);
}

#[test]
fn a_message_without_an_id_gets_one() {
    let mut world = world();
    world.ask(message(None, &["bob@home.test"], "hi"));
    let Some(Primitive::SendMessageResponse(response)) = world.answered() else {
        panic!("no response");
    };
    assert_eq!(response.message_id.len(), 24);
    assert_eq!(response.status.code, Code::OK);
}

#[test]
fn a_failure_that_its_client_has_not_acknowledged_becomes_a_report_for_the_others() {
    let mut world = world();
    world.acknowledges = false;
    world.open(2, "alice");
    world.heard(2);
    world.ask(message(Some("m1"), &["nobody@home.test"], "hi"));
    let Some(Primitive::SendMessageResponse(response)) = world.answered() else {
        panic!("no response");
    };
    assert_eq!(response.status.code, Code::UNKNOWN_USER);
    assert_eq!(world.heard(2), []);
    world.close(1);
    let heard = world.heard(2);
    let [
        Event::Report {
            id,
            status: 531,
            to: Some(to),
            ..
        },
    ] = &heard[..]
    else {
        panic!("{heard:?}");
    };
    assert_eq!((&**id, to), ("m1", &address("nobody@home.test")));
}

#[test]
fn a_message_for_several_is_one_request_and_says_who_was_not_reached() {
    let mut world = world();
    let to = ["zoe@far.test", "yan@far.test"];
    world.ask(message(Some("m1"), &to, "hi"));
    let failed = Status::of_users(2, vec![(Code::UNKNOWN_USER, address("yan@far.test"))]);
    world.answer("SendMessageRequest", answer_to("m1", failed.clone()));
    assert_eq!(world.answered(), Some(answer_to("m1", failed).into()));
    // Who has it knows it when it comes again.
    world.ask(message(Some("m1"), &to, "hi"));
    world.close(1);
    world.restart();
    let all = Status::of_users(
        2,
        vec![
            (Code::UNKNOWN_USER, address("yan@far.test")),
            (Code::QUEUE_FULL, address("zoe@far.test")),
        ],
    );
    world.answer("SendMessageRequest", answer_to("", all));
    world.open(1, "alice");
    let heard = world.heard(1);
    assert!(
        matches!(&heard[1..], [Event::Report { id, status: 900, to: None, .. }] if id == "m1"),
        "{heard:?}"
    );
}

#[test]
fn nobody_hands_over_what_only_providers_say() {
    let mut world = world();
    for xml in [
        r#"<NewMessage><MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo><MessageInfo messageID="1"><Recipient><User userID="wv:bob@home.test"/></Recipient></MessageInfo></NewMessage>"#,
        r#"<PresenceAuthRequest userID="wv:alice@home.test"><MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo><User userID="wv:bob@home.test"/></PresenceAuthRequest>"#,
    ] {
        world.ask(decode_fragment(xml.as_bytes()).unwrap());
        let Some(Primitive::Status(status)) = world.answered() else {
            panic!("no status");
        };
        assert_eq!(status.code, Code::BAD_REQUEST);
    }
    assert_eq!(world.sent(), []);
}

#[test]
fn a_provider_elsewhere_asks_the_user_for_authorization() {
    let mut world = world();
    let question = decode_fragment(
        br#"<PresenceAuthRequest userID="wv:zoe@far.test"><MetaInfo clientOriginated="No"><Requestor serviceID="wv:@pse.test"/></MetaInfo><User userID="wv:alice@home.test"/></PresenceAuthRequest>"#,
    )
    .unwrap();
    let answer = world.deliver("pse.test", None, question);
    assert_eq!(answer, Some(Status::ok().into()));
    assert!(matches!(
        &world.heard(1)[..],
        [Event::AuthorizationRequest { user, number: Some(_) }] if *user == address(ZOE)
    ));
}

#[test]
fn a_subscription_to_several_tells_who_cannot_be_watched_and_what_is_known_of_the_others() {
    let mut world = world();
    let users = ["zoe@far.test", "nobody@far.test"].map(|user| UserId {
        user: address(user),
    });
    let request = || SubscribeRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: users.to_vec(),
        attributes: None,
    };
    world.ask(request());
    let failed = Status::of_users(2, vec![(Code::UNKNOWN_USER, address("nobody@far.test"))]);
    world.answer("SubscribeRequest", failed.clone());
    assert_eq!(world.answered(), Some(failed.clone().into()));
    let online = Attribute::value(AttributeName::OnlineStatus, "T");
    let notice = PresenceNotification {
        meta: None,
        watchers: vec![UserElement::new(address("alice@home.test"))],
        values: vec![PresenceValue {
            user: address(ZOE),
            presence: Some(PresenceSubList {
                attributes: vec![online],
            }),
        }],
    };
    world.deliver("far.test", None, notice);
    assert!(matches!(&world.heard(1)[..], [Event::Presence { .. }]));
    // Another client that asks hears what is known already.
    world.ask(request());
    world.answer("SubscribeRequest", failed);
    let heard = world.heard(1);
    assert!(
        matches!(&heard[..], [Event::Answer { .. }, Event::Presence { user, .. }] if *user == address(ZOE)),
        "{heard:?}"
    );
    // So does one that comes later.
    world.open(3, "alice");
    world.say(3, r#"{"do":"contacts"}"#);
    let heard = world.heard(3);
    let Some(Event::Contacts { contacts }) = heard.last() else {
        panic!("{heard:?}");
    };
    let online = contacts.iter().map(|entry| entry.presence.online);
    assert_eq!(online.collect::<Vec<_>>(), [Some(true)]);
}

#[test]
fn a_subscription_whose_way_is_shut_is_accepted_and_its_end_is_told() {
    let mut world = world();
    let request = SubscribeRequest {
        meta: Some(MetaInfo::of_user(HOME, address("alice@home.test"))),
        users: vec![UserId { user: address(ZOE) }],
        attributes: None,
    };
    world.ask(request);
    world.answer("SubscribeRequest", Status::new(Code::UNAVAILABLE));
    let Some(Primitive::Status(status)) = world.answered() else {
        panic!("no status");
    };
    assert_eq!(status.code.0, 202);
    world.wait(30);
    world.answer("SubscribeRequest", Status::new(Code::UNKNOWN_USER));
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 531, user: Some(user), .. }] if *user == address(ZOE)
    ));
}

#[test]
fn the_one_contact_list_is_told_and_managed() {
    let mut world = world();
    let meta = r#"<MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo>"#;
    let mut answer = |xml: &str| {
        let xml = xml.replace("META", meta);
        world.ask(decode_fragment(xml.as_bytes()).unwrap());
        world.answered().unwrap().to_xml(None)
    };
    let list = "wv:alice/contacts@home.test";
    assert_eq!(
        answer("<GetListRequest>META</GetListRequest>"),
        format!(
            r#"<GetListResponse><Status code="200"/><ContactList contactListID="{list}"/><DefaultContactList contactListID="{list}"/></GetListResponse>"#
        )
    );
    let manage = |list: &str, change: &str| {
        format!(
            r#"<ListManageRequest contactListID="{list}" receiveList="Yes">META{change}</ListManageRequest>"#
        )
    };
    let added = answer(&manage(
        list,
        r#"<AddNickList><NickName name="JLo" userID="wv:jenny@far.test"/></AddNickList>"#,
    ));
    assert!(
        added.contains(r#"<NickName name="JLo" userID="wv:jenny@far.test"/>"#),
        "{added}"
    );
    for (list, change, code) in [
        ("wv:alice/friends@home.test", "", 700),
        (
            list,
            "<ContactListProperties><Property><Name>Default</Name><Value>F</Value></Property></ContactListProperties>",
            752,
        ),
        (
            list,
            r#"<AddNickList><NickName userID="wv:@far.test"/></AddNickList>"#,
            901,
        ),
    ] {
        let refused = answer(&manage(list, change));
        assert!(refused.contains(&format!("code=\"{code}\"")), "{refused}");
        assert!(!refused.contains("NickName"), "{refused}");
    }
    // Somebody else's list is nobody's business.
    let foreign = answer(&manage("wv:bob/contacts@home.test", ""));
    assert!(foreign.contains("code=\"427\""), "{foreign}");
}

#[test]
fn own_presence_takes_what_is_the_users_to_tell() {
    let mut world = world();
    let update = |values: &str| {
        format!(
            r#"<UpdatePresenceRequest><MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo><PresenceValue userID="wv:alice@home.test"><PresenceSubList>{values}</PresenceSubList></PresenceValue></UpdatePresenceRequest>"#
        )
    };
    let value = |name: &str, value: &str| {
        format!("<{name}><Qualifier>T</Qualifier><PresenceValue>{value}</PresenceValue></{name}>")
    };
    let text = value("StatusText", "here");
    for (values, code) in [
        (text.clone(), 200),
        (value("OnlineStatus", "F"), 750),
        (text.clone() + &value("OnlineStatus", "F"), 201),
        (text.clone() + &value("StatusMood", "GRUMBLING"), 751),
        (value("UserAvailability", "SLEEPING"), 751),
    ] {
        world.ask(decode_fragment(update(&values).as_bytes()).unwrap());
        let Some(Primitive::Status(status)) = world.answered() else {
            panic!("no status");
        };
        assert_eq!(status.code.0, code, "{values}");
    }
}

#[test]
fn a_request_of_a_user_may_be_served_elsewhere() {
    let mut world = world();
    let search = decode_fragment(
        br#"<SearchRequest searchLimit="5"><MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo></SearchRequest>"#,
    )
    .unwrap();
    world.ask(search);
    let answer = decode_fragment(
        br#"<SearchResponse searchFindings="0"><Status code="200"/></SearchResponse>"#,
    );
    let answer = answer.unwrap();
    world.answer("SearchRequest", answer.clone());
    assert_eq!(world.answered(), Some(answer));
}

#[test]
fn an_id_of_a_request_that_is_too_long_is_refused() {
    let mut world = world();
    for (length, taken) in [(128, true), (129, false)] {
        let id = "r".repeat(length);
        world.ask_as(&id, presence_of_zoe("alice@home.test"));
        assert_eq!(world.sent().len(), usize::from(taken), "{length}");
        let refused = match &world.heard(1)[..] {
            [Event::Answer { primitive, .. }] => {
                primitive.verdict().unwrap().code == Code::BAD_REQUEST
            }
            _ => false,
        };
        assert_eq!(refused, !taken, "{length}");
    }
}
