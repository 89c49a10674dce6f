//! What a group has kept, for those who are in it and ask.

use super::*;
use crate::imps::primitive::message_store::{GetMessageListRequest, GetMessageRequest};

fn list(count: Option<u32>) -> GetMessageListRequest {
    GetMessageListRequest {
        count,
        group: Some(address(CLUB)),
        meta: None,
    }
}

fn get(id: &str) -> GetMessageRequest {
    GetMessageRequest {
        message_id: id.to_owned(),
        group: Some(address(CLUB)),
        meta: None,
    }
}

/// How many there are, and the ids of those that are listed.
fn listed(world: &mut World, user: &str, count: Option<u32>) -> (Option<u32>, Vec<String>) {
    let Primitive::GetMessageListResponse(list) = world.asks(user, list(count)) else {
        panic!("no list");
    };
    assert_eq!(list.status.code.0, 200);
    let to = |info: &MessageInfo| info.recipients[0].address().clone();
    assert!(list.messages.iter().all(|info| to(info) == address(user)));
    let ids = list.messages.into_iter();
    (list.total, ids.filter_map(|info| info.message_id).collect())
}

#[test]
fn who_is_in_a_group_reads_the_last_of_what_it_has_kept() {
    let mut world = World::peopled();
    world.club(&[("History", "T")]);
    for id in ["m1", "m2", "m3"] {
        world.does(ALICE, to_group(id, ALICE, CLUB, id));
    }
    world.does(BOB, join(CLUB, "Bobby"));
    world.restart();
    let all = ["m1", "m2", "m3"].map(str::to_owned).to_vec();
    assert_eq!(listed(&mut world, BOB, None), (Some(3), all.clone()));
    assert_eq!(
        listed(&mut world, BOB, Some(2)),
        (Some(3), all[1..].to_vec())
    );
    let Primitive::GetMessageResponse(message) = world.asks(BOB, get("m2")) else {
        panic!("no message");
    };
    assert_eq!(message.content.unwrap().bytes, b"m2");
    let sender = message.info.unwrap().sender.unwrap();
    assert_eq!(sender.group.unwrap().group, address(CLUB));
    assert_eq!(sender.user, None);
    assert_eq!(world.does(BOB, get("m4")), 426);
}

#[test]
fn what_a_group_has_kept_is_for_those_who_are_in_it_and_while_it_keeps_it() {
    let mut world = World::peopled();
    world.club(&[("History", "T")]);
    world.does(ALICE, to_group("m1", ALICE, CLUB, "secret"));
    assert_eq!(world.does(DAN, list(None)), 808);
    assert_eq!(world.does(DAN, get("m1")), 808);
    world.does(ALICE, set(CLUB, &[("History", "F")]));
    assert_eq!(world.does(ALICE, list(None)), 821);
    assert_eq!(world.does(ALICE, get("m1")), 821);
    let elsewhere = GetMessageListRequest {
        group: Some(address("wv:alice/other@home.test")),
        ..list(None)
    };
    assert_eq!(world.does(ALICE, elsewhere), 800);
}

#[test]
fn a_message_that_waits_is_not_taken_by_reading_the_history() {
    let mut world = World::peopled();
    world.club(&[("History", "T")]);
    world.does(CAROL, join(CLUB, ""));
    world.does(ALICE, to_group("m1", ALICE, CLUB, "hello"));
    world.acknowledges = false;
    world.open(1, "carol");
    world.heard(1);
    // From here on the client acknowledges whatever has a number.
    world.acknowledges = true;
    let fetch =
        format!(r#"<GetMessageRequest messageID="m1" groupID="{CLUB}">META</GetMessageRequest>"#);
    let Primitive::GetMessageResponse(message) = world.ask_xml(1, "carol", &fetch) else {
        panic!("no message");
    };
    assert_eq!(message.content.unwrap().bytes, b"hello");
    world.close(1);
    world.open(2, "carol");
    let heard = world.heard(2).into_iter();
    let came = heard.filter(|event| matches!(event, Event::Message { id, .. } if id == "m1"));
    assert_eq!(came.count(), 1);
}
