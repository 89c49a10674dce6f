//! Joining, talking, leaving.

use super::*;
use crate::imps::primitive::message::SendMessageResponse;

#[test]
fn a_user_makes_a_group_and_others_join_it_and_talk() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "carol");
    world.club(&[("Topic", "Books")]);
    let Primitive::JoinGroupResponse(joined) = world.asks(BOB, join(CLUB, "Bobby")) else {
        panic!("not joined");
    };
    let names = joined.joined.unwrap();
    assert_eq!(names, ["Bobby".to_owned(), ALICE.to_owned()]);
    assert_eq!(world.does(CAROL, join(CLUB, "")), 200);
    world.sent();
    world.heard(1);
    world.heard(2);
    let answer = world.asks(BOB, to_group("m1", BOB, CLUB, "hello"));
    let response = SendMessageResponse {
        message_id: "m1".to_owned(),
        status: Status::ok(),
    };
    assert_eq!(answer, response.into());
    for client in [1, 2] {
        let heard = world.heard(client);
        let expected = ("alice/club@home.test".to_owned(), "hello".to_owned());
        assert_eq!(texts(&heard), [expected]);
        let named = |event: &Event| matches!(event, Event::Message { name: Some(name), .. } if name == "Bobby");
        assert!(heard.iter().any(named), "{heard:?}");
    }
    // Not to who wrote it.
    assert_eq!(world.told(), []);
    world.does(ALICE, to_group("m2", ALICE, CLUB, "hi"));
    let told = [(BOB.to_owned(), ALICE.to_owned(), "hi".to_owned())];
    assert_eq!(world.told(), told);
    let ended = world.outcomes.iter().filter(|(id, _)| id == "m1");
    assert!(ended.clone().count() == 3, "{:?}", world.outcomes);
}

#[test]
fn users_of_ours_are_told_what_changes_and_that_they_have_to_leave() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "carol");
    world.club(&[]);
    assert_eq!(world.does(CAROL, join(CLUB, "Carry")), 200);
    assert_eq!(world.does(BOB, join(CLUB, "Bobby")), 200);
    let changes = |heard: &[Event]| -> Vec<(Vec<String>, Vec<String>)> {
        let notices = heard.iter().filter_map(|event| match event {
            Event::Group { primitive } => match &**primitive {
                Primitive::GroupChangeNotice(notice) => Some(notice.clone()),
                _ => None,
            },
            _ => None,
        });
        let names = |names: Option<Vec<String>>| names.unwrap_or_default();
        let both = |notice: Box<GroupChangeNotice>| (names(notice.joined), names(notice.left));
        notices.map(both).collect()
    };
    let came = |name: &str| (vec![name.to_owned()], Vec::new());
    assert_eq!(changes(&world.heard(1)), [came("Carry"), came("Bobby")]);
    assert_eq!(changes(&world.heard(2)), [came("Bobby")]);
    assert_eq!(world.does(ALICE, reject(CLUB, &[CAROL], &[])), 200);
    let heard = world.heard(2);
    let [Event::Group { primitive }] = &heard[..] else {
        panic!("{heard:?}");
    };
    let Primitive::LeaveGroupIndication(notice) = &**primitive else {
        panic!("{primitive:?}");
    };
    assert_eq!(notice.status.code, Code(809));
    let users: Vec<_> = notice.users.iter().map(|user| &user.user).collect();
    assert_eq!(users, [&address(CAROL)]);
}

#[test]
fn the_report_on_a_message_to_a_group_says_that_the_group_has_it() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    world.sent();
    let mut message = to_group("m1", BOB, CLUB, "hello");
    message.delivery_report = true;
    assert_eq!(world.does(BOB, message), 200);
    let sent = world.sent();
    let [Primitive::DeliveryStatusReport(report)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(report.result.status.code, Code::OK);
    assert_eq!(report.info.recipients[0].address(), &address(BOB));
    let group = report.info.sender.as_ref().unwrap().group.as_ref();
    assert_eq!(group.unwrap().group, address(CLUB));
    assert_eq!(report.info.message_id.as_deref(), Some("m1"));
}

#[test]
fn a_message_that_comes_again_is_handed_on_once() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    world.does(DAN, join(CLUB, ""));
    world.sent();
    assert_eq!(world.does(BOB, to_group("m1", BOB, CLUB, "one")), 200);
    world.restart();
    assert_eq!(world.does(BOB, to_group("m1", BOB, CLUB, "one")), 200);
    let told = world.told();
    assert_eq!(told, [(DAN.to_owned(), BOB.to_owned(), "one".to_owned())]);
    // The same id of somebody else is another message, and goes by another id.
    assert_eq!(world.does(DAN, to_group("m1", DAN, CLUB, "two")), 200);
    let sent = world.sent();
    let [Primitive::SendMessageRequest(message)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_ne!(message.info.message_id.as_deref(), Some("m1"));
}

#[test]
fn users_and_groups_beside_each_other_get_one_answer() {
    let mut world = World::peopled();
    world.open(2, "carol");
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    world.does(DAN, join(CLUB, ""));
    world.sent();
    let mut message = text("m1", BOB, &[CAROL, "nobody@home.test"], "hello");
    for group in [CLUB, "wv:alice/none@home.test"] {
        let group = address(group);
        let to = Recipient::Group(GroupId { group });
        message.info.recipients.push(to);
    }
    let answer = world.asks(BOB, message);
    let status = answer.verdict().unwrap();
    assert_eq!(status.code, Code::PARTIAL);
    let group = status
        .details
        .iter()
        .find(|detail| detail.code == Code::NO_GROUP);
    assert_eq!(
        group.unwrap().groups[0].group,
        address("alice/none@home.test")
    );
    let user = status
        .details
        .iter()
        .find(|detail| detail.code == Code::UNKNOWN_USER);
    assert_eq!(user.unwrap().users[0].user, address("nobody@home.test"));
    assert_eq!(world.told().len(), 1);
    assert_eq!(texts(&world.heard(2)).len(), 1);
    assert_eq!(world.outcomes.len(), 4, "{:?}", world.outcomes);
}

#[test]
fn who_has_left_hears_nothing_until_they_join_again() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    let Primitive::LeaveGroupIndication(left) = world.asks(BOB, leave(CLUB)) else {
        panic!("not left");
    };
    assert_eq!(left.status.code, Code::OK);
    assert_eq!(left.group, Some(address(CLUB)));
    world.sent();
    world.does(ALICE, to_group("m1", ALICE, CLUB, "hello"));
    assert_eq!(world.told(), []);
    assert_eq!(world.does(BOB, to_group("m2", BOB, CLUB, "hello")), 808);
    assert_eq!(world.does(BOB, leave(CLUB)), 808);
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    world.does(ALICE, to_group("m3", ALICE, CLUB, "again"));
    assert_eq!(world.told().len(), 1);
}

#[test]
fn a_message_to_one_participant_goes_to_that_one_alone() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, "Bobby"));
    world.does(DAN, join(CLUB, "Danny"));
    world.sent();
    let private = |id: &str, from: &str, to: &str| {
        let mut message = to_group(id, from, CLUB, "psst");
        message.info.recipients = vec![Recipient::ScreenName(screen_name(CLUB, to))];
        message
    };
    assert_eq!(world.does(BOB, private("m1", BOB, " danny")), 200);
    let told = [(DAN.to_owned(), "Bobby".to_owned(), "psst".to_owned())];
    assert_eq!(world.told(), told);
    assert_eq!(world.does(BOB, private("m2", BOB, "Nobody")), 410);
    // Who does not take them does not write them either.
    let mut own = set(CLUB, &[]);
    own.properties = None;
    own.own = Some(vec![property("PrivateMessaging", "F")]);
    assert_eq!(world.does(DAN, own), 200);
    assert_eq!(world.does(BOB, private("m3", BOB, "Danny")), 813);
    assert_eq!(world.does(DAN, private("m4", DAN, "Bobby")), 813);
    assert_eq!(
        world.does(ALICE, set(CLUB, &[("PrivateMessaging", "F")])),
        200
    );
    assert_eq!(world.does(BOB, private("m5", BOB, "Danny")), 812);
    assert_eq!(world.told(), []);
}

#[test]
fn a_participant_writes_under_their_own_name_only() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, "Bobby"));
    world.does(DAN, join(CLUB, "Danny"));
    world.sent();
    let under = |name: &str| {
        let mut message = to_group("m1", BOB, CLUB, "hello");
        let sender = message.info.sender.as_mut().unwrap();
        sender.user = None;
        sender.screen_name = Some(screen_name(CLUB, name));
        message
    };
    assert_eq!(world.does(BOB, under("Danny")), 810);
    assert_eq!(world.does(BOB, under("Bobby")), 200);
    assert_eq!(world.told().len(), 1);
    // Nor for somebody else.
    assert_eq!(world.does(BOB, to_group("m2", DAN, CLUB, "hello")), 427);
}

#[test]
fn who_joins_gets_the_last_messages_if_the_group_keeps_them() {
    let mut world = World::with(|settings| settings.groups.max_history = 2);
    world.add("alice");
    world.club(&[("History", "T")]);
    for id in ["m1", "m2", "m3"] {
        world.does(ALICE, to_group(id, ALICE, CLUB, id));
    }
    world.restart();
    world.does(BOB, join(CLUB, ""));
    let told: Vec<String> = world.told().into_iter().map(|(.., said)| said).collect();
    assert_eq!(told, ["m2", "m3"]);
    // Those who were there have heard them.
    world.does(DAN, join(CLUB, ""));
    assert!(world.told().iter().all(|(to, ..)| to == DAN));
    world.does(ALICE, set(CLUB, &[("History", "F")]));
    world.sent();
    world.does("eve@far.test", join(CLUB, ""));
    assert_eq!(world.told(), []);
}

#[test]
fn the_welcome_note_is_told_to_who_joins() {
    let mut world = World::peopled();
    let mut request = create(CLUB, &[]);
    request.properties.as_mut().unwrap().welcome = Some(WelcomeNote {
        content: Some(ContentData::text("Welcome!")),
    });
    assert_eq!(world.does(ALICE, request), 200);
    world.restart();
    let Primitive::JoinGroupResponse(joined) = world.asks(BOB, join(CLUB, "")) else {
        panic!("not joined");
    };
    let note = joined.welcome.and_then(|note| note.content).unwrap();
    assert_eq!(note.bytes, b"Welcome!");
}

#[test]
fn changes_are_told_to_those_who_want_to_know() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, "Bobby"));
    world.sent();
    world.does(DAN, join(CLUB, "Danny"));
    let [notice] = &world.notices()[..] else {
        panic!("not one notice");
    };
    assert_eq!(notice.users.len(), 1);
    assert_eq!(notice.users[0].user, address(BOB));
    assert_eq!(notice.joined.as_deref(), Some(&["Danny".to_owned()][..]));
    world.does(ALICE, set(CLUB, &[("Topic", "Dessert")]));
    let notices = world.notices();
    let told = notices.iter().flat_map(|notice| &notice.users).count();
    assert_eq!(told, 2);
    let changed = notices[0].properties.as_ref().unwrap();
    assert_eq!(changed.properties, [property("Topic", "Dessert")]);
    // Bob wants to know no more.
    let subscribed = |world: &mut World| {
        let request = GetGroupSubStatusRequest {
            group: address(CLUB),
            meta: None,
        };
        match world.asks(BOB, request) {
            Primitive::GetGroupSubStatusResponse(answer) => answer.subscribed,
            other => panic!("{other:?}"),
        }
    };
    assert!(subscribed(&mut world));
    let request = UnsubscribeGroupChangeRequest {
        group: address(CLUB),
        meta: None,
    };
    assert_eq!(world.does(BOB, request), 200);
    assert!(!subscribed(&mut world));
    world.does(DAN, leave(CLUB));
    assert_eq!(world.notices(), []);
    let request = SubscribeGroupChangeRequest {
        group: address(CLUB),
        meta: None,
    };
    assert_eq!(world.does(BOB, request), 200);
    world.does(DAN, join(CLUB, "Danny"));
    world.does(DAN, leave(CLUB));
    let left: Vec<_> = world
        .notices()
        .into_iter()
        .map(|notice| notice.left)
        .collect();
    assert_eq!(left, [None, Some(vec!["Danny".to_owned()])]);
}

#[test]
fn a_group_that_is_to_be_deleted_then_ends_with_its_last_user() {
    let mut world = World::peopled();
    world.club(&[("AutoDelete", "T")]);
    world.does(BOB, join(CLUB, ""));
    world.does(ALICE, leave(CLUB));
    assert_eq!(
        world.does(BOB, to_group("m1", BOB, CLUB, "still here")),
        200
    );
    world.does(BOB, leave(CLUB));
    assert_eq!(world.does(ALICE, join(CLUB, "")), 800);
    let left: Vec<_> = world
        .store
        .keys()
        .filter(|key| key.contains("group"))
        .collect();
    assert_eq!(left, Vec::<&String>::new());
}

#[test]
fn the_last_user_and_the_owner_may_leave_a_group_that_stays() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(ALICE, leave(CLUB));
    world.restart();
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    // She owns it all the same.
    assert_eq!(world.does(ALICE, set(CLUB, &[("Topic", "Tea")])), 200);
    assert_eq!(world.does(BOB, remove(CLUB, &[ALICE])), 816);
    assert_eq!(world.does(ALICE, remove(CLUB, &[ALICE])), 816);
}

#[test]
fn a_group_ends_when_its_lifetime_is_over() {
    let mut world = World::peopled();
    world.club(&[("Validity", "600")]);
    world.does(BOB, join(CLUB, ""));
    world.sent();
    world.restart();
    world.wait(599);
    assert_eq!(world.expelled(), []);
    world.wait(2);
    assert_eq!(world.expelled(), [(BOB.to_owned(), 800)]);
    assert_eq!(world.does(BOB, join(CLUB, "")), 800);
}
