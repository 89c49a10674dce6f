//! Notification and pull, and what a user does with messages that wait.

use super::*;
use crate::imps::primitive::message_store::GetMessageResponse;

const NOTIFY: &str = r#"{"method":"notify"}"#;

/// Sends a message from zoe that is to be reported.
fn send(world: &mut World, id: &str, from: &str, content_type: &str, content: &[u8]) {
    let mut request = text(id, from, &["bob@home.test"], "");
    request.delivery_report = true;
    request.info.content_name = Some(format!("{id}.bin"));
    request.info.content_type = None;
    request.content = Some(ContentData {
        content_type: content_type.to_owned(),
        bytes: content.to_vec(),
    });
    let answer = world.deliver("far.test", Some(from), request).unwrap();
    assert_eq!(answer.verdict().unwrap().code, Code::OK);
}

fn zoe(world: &mut World, id: &str) {
    send(world, id, "zoe@far.test", "text/plain", id.as_bytes());
}

/// What a client has heard of messages: `+id` as a message, `?id` as a notification.
fn heard(world: &mut World, client: u64) -> Vec<String> {
    let events = world.heard(client).into_iter();
    let news = events.filter_map(|event| match event {
        Event::Message { id, .. } => Some(format!("+{id}")),
        Event::Notification { primitive, .. } => match *primitive {
            Primitive::MessageNotification(notification) => {
                Some(format!("?{}", notification.info.message_id.unwrap()))
            }
            other => panic!("{other:?}"),
        },
        _ => None,
    });
    news.collect()
}

/// The ids of the messages that wait, as bob's client lists them.
fn listed(world: &mut World) -> Vec<String> {
    match world.ask_xml(
        1,
        "bob",
        "<GetMessageListRequest>META</GetMessageListRequest>",
    ) {
        Primitive::GetMessageListResponse(list) => {
            assert_eq!(list.total, u32::try_from(list.messages.len()).ok());
            let messages = list.messages.into_iter();
            messages.map(|info| info.message_id.unwrap()).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn get(world: &mut World, id: &str) -> Result<GetMessageResponse, u16> {
    let xml = format!(r#"<GetMessageRequest messageID="{id}">META</GetMessageRequest>"#);
    match world.ask_xml(1, "bob", &xml) {
        Primitive::GetMessageResponse(response) => Ok(*response),
        other => Err(other.verdict().unwrap().code.0),
    }
}

fn code(world: &mut World, xml: &str) -> u16 {
    let answer = world.ask_xml(1, "bob", xml);
    answer.verdict().unwrap().code.0
}

/// What was reported to senders: ids with codes.
fn reports(world: &mut World) -> Vec<(String, u16)> {
    let sent = world.sent().into_iter();
    let reports = sent.filter_map(|primitive| match primitive {
        Primitive::DeliveryStatusReport(report) => {
            let id = report.info.message_id.clone().unwrap();
            Some((id, report.result.status.code.0))
        }
        _ => None,
    });
    reports.collect()
}

#[test]
fn a_message_that_was_announced_waits_until_it_was_fetched_and_acknowledged() {
    let mut world = World::peopled();
    world.open_with(1, "bob", NOTIFY);
    zoe(&mut world, "m1");
    // The notification was acknowledged; that is not delivery.
    assert_eq!(heard(&mut world, 1), ["?m1"]);
    assert_eq!(
        (reports(&mut world), world.home.messages_open()),
        (vec![], 1)
    );
    world.restart();
    world.open_with(1, "bob", NOTIFY);
    assert_eq!(heard(&mut world, 1), ["?m1"]);
    world.acknowledges = false;
    let fetched = get(&mut world, "m1").unwrap();
    let info = fetched.info.unwrap();
    assert_eq!(info.message_id.as_deref(), Some("m1"));
    assert_eq!(info.content_name.as_deref(), Some("m1.bin"));
    assert_eq!(fetched.content.unwrap().bytes, b"m1");
    // It stays until it was acknowledged, also over a restart.
    assert_eq!(listed(&mut world), ["m1"]);
    world.restart();
    world.open_with(1, "bob", NOTIFY);
    world.acknowledges = true;
    assert!(get(&mut world, "m1").is_ok());
    assert_eq!(reports(&mut world), [("m1".to_owned(), 200)]);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Delivered)]);
    assert_eq!(get(&mut world, "m1").err(), Some(426));
    assert_eq!(listed(&mut world), [""; 0]);
    assert!(!world.store.keys().any(|key| key.contains("/body/")));
    // What was taken is known when it comes again.
    zoe(&mut world, "m1");
    assert_eq!(heard(&mut world, 1), [""; 0]);
}

#[test]
fn a_fetched_message_is_delivered_by_a_request_that_says_so() {
    let mut world = World::peopled();
    world.open_with(1, "bob", NOTIFY);
    world.acknowledges = false;
    zoe(&mut world, "m1");
    get(&mut world, "m1").unwrap();
    let delivered = r#"<MessageDelivered messageID="m1">META</MessageDelivered>"#;
    assert_eq!(code(&mut world, delivered), 200);
    assert_eq!(code(&mut world, delivered), 426);
    assert_eq!(reports(&mut world), [("m1".to_owned(), 200)]);
}

#[test]
fn size_and_type_decide_what_is_pushed_to_each_client() {
    let mut world = World::peopled();
    world.open_with(1, "bob", r#"{"max_bytes":4,"types":["text/*"]}"#);
    world.open_with(2, "bob", NOTIFY);
    world.open(3, "bob");
    world.acknowledges = false;
    send(&mut world, "short", "zoe@far.test", "text/plain", b"1234");
    send(&mut world, "long", "zoe@far.test", "text/plain", b"12345");
    send(&mut world, "image", "zoe@far.test", "image/png", b"1");
    assert_eq!(heard(&mut world, 1), ["+short", "?long", "?image"]);
    assert_eq!(heard(&mut world, 2), ["?short", "?long", "?image"]);
    assert_eq!(heard(&mut world, 3), ["+short", "+long", "+image"]);
    // What waits is pushed or announced likewise.
    world.close(1);
    world.close(2);
    world.close(3);
    world.restart();
    world.open_with(1, "bob", r#"{"max_bytes":4,"types":["text/*"]}"#);
    assert_eq!(heard(&mut world, 1), ["+short", "?long", "?image"]);
}

#[test]
fn the_delivery_method_is_changed_at_run_time_for_all_or_for_a_group() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let set = |attributes: &str| {
        format!("<SetDeliveryMethodRequest {attributes}>META</SetDeliveryMethodRequest>")
    };
    let steps = [
        (r#"deliveryMethod="N""#, 200, "?"),
        (r#"deliveryMethod="P""#, 200, "+"),
        (r#"deliveryMethod="P" acceptedContentLength="1""#, 200, "?"),
        // Without a length that stays.
        (r#"deliveryMethod="P""#, 200, "?"),
        (
            r#"deliveryMethod="P" acceptedContentLength="100""#,
            200,
            "+",
        ),
        (r#"deliveryMethod="X""#, 402, "+"),
        (r#"deliveryMethod="N" groupID="wv:zoe@far.test""#, 800, "+"),
        (
            r#"deliveryMethod="N" groupID="wv:zoe/club@far.test""#,
            200,
            "+",
        ),
    ];
    for (number, (attributes, expected, mark)) in steps.into_iter().enumerate() {
        assert_eq!(code(&mut world, &set(attributes)), expected, "{attributes}");
        let id = format!("m{number}");
        zoe(&mut world, &id);
        assert_eq!(
            heard(&mut world, 1),
            [format!("{mark}{id}")],
            "{attributes}"
        );
    }
    // Of that group it is told.
    let mut request = text("g1", "zoe@far.test", &["bob@home.test"], "x");
    request.meta = Some(MetaInfo::of_server("far.test"));
    request.info.sender = Some(Sender {
        user: None,
        group: Some(crate::imps::common::GroupId {
            group: address("zoe/club@far.test"),
        }),
        screen_name: None,
        display: None,
    });
    world.deliver("far.test", None, request);
    assert_eq!(heard(&mut world, 1), ["?g1"]);
    // It is the session's.
    world.open(2, "bob");
    zoe(&mut world, "last");
    assert_eq!(heard(&mut world, 2).last().unwrap(), "+last");
    let mut refused = 0;
    for group in 0..200 {
        let method = format!(r#"deliveryMethod="N" groupID="wv:zoe/g{group}@far.test""#);
        refused += u16::from(code(&mut world, &set(&method)) == 402);
    }
    assert_eq!(refused, 101);
}

#[test]
fn a_rejected_message_ends_and_its_sender_is_told() {
    let mut world = World::peopled();
    world.open_with(1, "bob", NOTIFY);
    for id in ["m1", "m2", "m3"] {
        zoe(&mut world, id);
    }
    let reject = |ids: &[&str]| {
        let ids = ids.iter();
        let ids = ids.map(|id| format!(r#"<MessageID messageID="{id}"/>"#));
        let ids = ids.collect::<Vec<_>>().concat();
        format!("<RejectMessageRequest>META{ids}</RejectMessageRequest>")
    };
    for (ids, expected) in [
        (&["m1"][..], 200),
        (&["m1"], 426),
        (&["m1", "m2"], 201),
        (&["m1", "m9"], 900),
        (&[], 402),
        (&["m9"; 501], 402),
    ] {
        assert_eq!(code(&mut world, &reject(ids)), expected, "{ids:?}");
    }
    assert_eq!(listed(&mut world), ["m3"]);
    let rejected = [("m1".to_owned(), 538), ("m2".to_owned(), 538)];
    assert_eq!(reports(&mut world), rejected);
    let refused = |id: &str| (id.to_owned(), Outcome::Refused(538));
    assert_eq!(world.outcomes, [refused("m1"), refused("m2")]);
    let bodies = world.store.keys().filter(|key| key.contains("/body/"));
    assert_eq!(bodies.count(), 1);
    // What is answered is on disk; and it is known when it comes again.
    world.restart();
    world.open_with(1, "bob", NOTIFY);
    zoe(&mut world, "m1");
    assert_eq!(heard(&mut world, 1), ["?m3"]);
}

#[test]
fn a_message_is_forwarded_once_and_its_sender_is_told() {
    let mut world = World::peopled();
    world.open(2, "carol");
    world.heard(2);
    send(&mut world, "m1", "zoe@far.test", "image/png", &[0, 255, 7]);
    zoe(&mut world, "m2");
    world.open_with(1, "bob", NOTIFY);
    world.heard(1);
    let forward = |id: &str, to: &str| {
        format!(
            r#"<ForwardMessageRequest messageID="{id}">META<Recipient><User userID="{to}"/></Recipient></ForwardMessageRequest>"#
        )
    };
    for (request, expected) in [
        (forward("m9", "wv:carol"), 426),
        (forward("m1", "wv:nobody"), 531),
        (forward("m1", "wv:@far.test"), 901),
        (
            r#"<ForwardMessageRequest messageID="m1">META</ForwardMessageRequest>"#.to_owned(),
            402,
        ),
    ] {
        assert_eq!(code(&mut world, &request), expected, "{request}");
    }
    assert_eq!((listed(&mut world).len(), reports(&mut world)), (2, vec![]));
    let Primitive::ForwardMessageResponse(forwarded) =
        world.ask_xml(1, "bob", &forward("m1", "wv:carol"))
    else {
        panic!("no answer");
    };
    assert_eq!(forwarded.status.code, Code::OK);
    let heard = world.heard(2);
    let [
        Event::Message {
            id,
            from,
            data,
            content_type,
            ..
        },
    ] = &heard[..]
    else {
        panic!("{heard:?}");
    };
    assert_eq!(Some(id), forwarded.message_id.as_ref());
    assert_eq!(
        (from, &**content_type),
        (&address("bob@home.test"), "image/png")
    );
    assert_eq!(data.as_deref(), Some("AP8H"));
    assert_eq!(reports(&mut world), [("m1".to_owned(), 541)]);
    assert_eq!(listed(&mut world), ["m2"]);
    // Forwarded elsewhere; the node stops before that is answered.
    world.request_xml(1, "bob", &forward("m2", "wv:yan@far.test"));
    let sent = world.outbox.clone();
    assert_eq!(sent.len(), 1);
    world.restart();
    world.open_with(1, "bob", NOTIFY);
    world.request_xml(1, "bob", &forward("m2", "wv:yan@far.test"));
    let (Primitive::SendMessageRequest(first), Primitive::SendMessageRequest(again)) =
        (&sent[0].1, &world.outbox[1].1)
    else {
        panic!("{:?}", world.outbox);
    };
    // Who has it already does not get it twice.
    assert_eq!(first.info.message_id, again.info.message_id);
    assert_eq!(first.content, again.content);
    world.answer("SendMessageRequest", Status::ok());
    assert_eq!(reports(&mut world), [("m2".to_owned(), 541)]);
    assert_eq!(listed(&mut world), [""; 0]);
}

#[test]
fn an_announcement_says_where_a_message_lies_that_is_kept_elsewhere() {
    let mut world = World::peopled();
    let outside = "https://elsewhere.test/mail/7?of=bob&as=text";
    let mut request = text("m1", "zoe@far.test", &["bob@home.test"], "");
    request.info.uri = Some(outside.to_owned());
    request.info.content_type = Some("message/rfc822".to_owned());
    request.info.content_size = Some(123_456);
    request.content = None;
    let answer = world.deliver("far.test", Some("zoe@far.test"), request);
    assert_eq!(answer.unwrap().verdict().unwrap().code, Code::OK);
    world.restart();
    world.open_with(1, "bob", NOTIFY);
    let announced = world.heard(1).into_iter().find_map(|event| match event {
        Event::Notification { primitive, .. } => Some(*primitive),
        _ => None,
    });
    let Some(Primitive::MessageNotification(announced)) = announced else {
        panic!("{announced:?}");
    };
    assert_eq!(announced.info.message_id.as_deref(), Some("m1"));
    assert_eq!(announced.info.uri.as_deref(), Some(outside));
    assert_eq!(
        announced.info.content_type.as_deref(),
        Some("message/rfc822")
    );
    assert_eq!(announced.info.content_size, None);
    // Who fetches it is sent there too.
    let fetched = get(&mut world, "m1").unwrap();
    assert_eq!(fetched.info.unwrap().uri.as_deref(), Some(outside));
    assert_eq!(fetched.content, None);
}

#[test]
fn messages_of_one_id_from_two_senders_are_told_apart() {
    let mut world = World::peopled();
    world.open_with(1, "bob", NOTIFY);
    send(&mut world, "m1", "zoe@far.test", "text/plain", b"zoe");
    send(&mut world, "m1", "yan@far.test", "text/plain", b"yan");
    send(&mut world, "~1", "zoe@far.test", "text/plain", b"odd");
    let ids = listed(&mut world);
    assert_eq!(ids[0], "m1");
    assert!(
        ids[1].starts_with('~') && ids[2].starts_with('~'),
        "{ids:?}"
    );
    for (id, content) in ids.iter().zip([&b"zoe"[..], b"yan", b"odd"]).rev() {
        let fetched = get(&mut world, id).unwrap();
        assert_eq!(fetched.content.unwrap().bytes, content);
        assert_eq!(fetched.info.unwrap().message_id.as_ref(), Some(id));
    }
    assert_eq!(listed(&mut world), [""; 0]);
    for id in ["~1", "~", "~x", ""] {
        assert_eq!(get(&mut world, id).err(), Some(426), "{id}");
    }
}

#[test]
fn a_list_is_bounded() {
    let mut world = World::peopled();
    for number in 0..120 {
        zoe(&mut world, &format!("m{number}"));
    }
    world.open_with(1, "bob", NOTIFY);
    world.heard(1);
    let mut list = |attributes: &str| {
        let xml = format!("<GetMessageListRequest {attributes}>META</GetMessageListRequest>");
        match world.ask_xml(1, "bob", &xml) {
            Primitive::GetMessageListResponse(list) => {
                (list.status.code.0, list.total, list.messages.len())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(list(""), (200, Some(120), 100));
    assert_eq!(list(r#"messageCount="5""#), (200, Some(120), 5));
    assert_eq!(list(r#"messageCount="100000""#), (200, Some(120), 120));
}

#[test]
fn what_cannot_be_read_now_is_fetched_later_and_what_is_damaged_ends() {
    let mut world = World::peopled();
    zoe(&mut world, "m1");
    zoe(&mut world, "m2");
    world.open_with(1, "bob", NOTIFY);
    world.heard(1);
    let later = |world: &mut World| {
        let load = world.loads.pop().unwrap();
        let records = load.keys.iter();
        let records = records.map(|(at, _)| (*at, Found::Later("busy".to_owned())));
        let loaded = Loaded {
            number: load.number,
            records: records.collect(),
        };
        world.home.take(Input::Loaded(loaded), world.now);
        world.settle();
    };
    world.reads = false;
    let fetch = r#"<GetMessageRequest messageID="m1">META</GetMessageRequest>"#;
    world.request_xml(1, "bob", fetch);
    later(&mut world);
    let busy = world.heard(1);
    assert!(
        matches!(&busy[..], [Event::Answer { primitive, .. }]
            if primitive.verdict().unwrap().code == Code::UNAVAILABLE),
        "{busy:?}"
    );
    world.reads = true;
    assert!(get(&mut world, "m1").is_ok());
    world.store.retain(|key, _| !key.contains("/body/"));
    assert_eq!(get(&mut world, "m2").err(), Some(500));
    let ends = [("m1".to_owned(), 200), ("m2".to_owned(), 500)];
    assert_eq!(reports(&mut world), ends);
    assert_eq!(listed(&mut world), [""; 0]);
}

#[test]
fn bodies_are_fetched_in_turn_if_there_are_many() {
    let mut world = World::with(|settings| settings.max_read_bytes = 1);
    world.add("bob");
    zoe(&mut world, "m1");
    zoe(&mut world, "m2");
    world.open_with(1, "bob", NOTIFY);
    world.heard(1);
    world.reads = false;
    for id in ["m1", "m2"] {
        let fetch = format!(r#"<GetMessageRequest messageID="{id}">META</GetMessageRequest>"#);
        world.request_xml(1, "bob", &fetch);
    }
    for left in [1, 0] {
        assert_eq!(world.loads.len(), 1);
        world.read();
        assert_eq!(world.heard(1).len(), 1);
        assert_eq!(world.home.messages_open(), left);
    }
}

#[test]
fn a_user_whose_messages_are_not_active_has_no_store() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let stranger = decode_fragment(b"<GetMessageListRequest></GetMessageListRequest>").unwrap();
    let answer = world.deliver("far.test", Some("zoe@far.test"), stranger);
    assert_eq!(answer, Some(Primitive::status(Code::NOT_IMPLEMENTED)));
    let update = r#"<UpdateUserProfileRequest userID="wv:bob@home.test" mode="Replace"><UserProfile><SubscribedServices><Service name="IM" status="Inactive"/></SubscribedServices></UserProfile></UpdateUserProfileRequest>"#;
    let update = decode_fragment(update.as_bytes()).unwrap();
    let answer = world.deliver("home.test", Some("bob@home.test"), update);
    assert_eq!(answer.unwrap().verdict().unwrap().code, Code::OK);
    let list = "<GetMessageListRequest>META</GetMessageListRequest>";
    assert_eq!(code(&mut world, list), 506);
}
