//! Block list and grant list.

use super::*;
use crate::imps::common::{GroupId, ScreenName};
use crate::imps::primitive::access::GetBlockedListResponse;

fn alice() -> World {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world
}

fn change(world: &mut World, lists: &str) -> Status {
    let xml = format!("<BlockEntityRequest>META{lists}</BlockEntityRequest>");
    match world.ask_xml(1, "alice", &xml) {
        Primitive::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn lists(world: &mut World) -> GetBlockedListResponse {
    let xml = "<GetBlockedListRequest>META</GetBlockedListRequest>";
    match world.ask_xml(1, "alice", xml) {
        Primitive::GetBlockedListResponse(lists) => *lists,
        other => panic!("{other:?}"),
    }
}

fn add(list: &str, inside: &str) -> String {
    format!("<{list}><AddList>{inside}</AddList></{list}>")
}

const ZOE: &str = r#"<UserID userID="wv:zoe@far.test"/>"#;
const YAN: &str = r#"<UserID userID="wv:yan@far.test"/>"#;
const CLUB: &str = r#"<GroupID groupID="wv:bob/club@far.test"/>"#;
const VICKY: &str = r#"<ScreenName groupID="wv:bob/club@far.test">Vicky</ScreenName>"#;
const CONTACTS: &str = r#"<ContactList contactListID="wv:alice/contacts@home.test"/>"#;

/// Sends alice a message, from a user or from a participant of the club; says whether she gets it.
fn reaches(world: &mut World, id: &str, from: Result<&str, &str>) -> bool {
    let mut request = text(id, from.unwrap_or("zoe@far.test"), &["alice@home.test"], id);
    if let Err(name) = from {
        let club = address("bob/club@far.test");
        let screen_name = ScreenName {
            group: club.clone(),
            name: name.to_owned(),
        };
        request.meta = Some(MetaInfo::of_server("far.test"));
        request.info.sender = Some(Sender {
            user: None,
            group: Some(GroupId { group: club }),
            screen_name: Some(screen_name),
            display: None,
        });
    }
    let answer = world.deliver("far.test", from.ok(), request);
    let taken = matches!(
        answer,
        Some(Primitive::SendMessageResponse(response)) if response.status.code == Code::OK
    );
    // Whether or not she gets it, the sender is told the same.
    assert!(taken, "{id}");
    let ends: Vec<Outcome> = world
        .outcomes
        .drain(..)
        .map(|(_, outcome)| outcome)
        .collect();
    let heard = texts(&world.heard(1));
    match &ends[..] {
        [Outcome::Delivered] => assert_eq!(heard.len(), 1, "{id}"),
        [Outcome::Refused(532)] => assert!(heard.is_empty(), "{id}"),
        other => panic!("{id}: {other:?}"),
    }
    !heard.is_empty()
}

#[test]
fn users_participants_groups_and_lists_are_blocked_and_granted() {
    let mut world = alice();
    let yan = r#"{"do":"add_contact","user":"yan@far.test"}"#;
    world.say(1, yan);
    // Whom the club calls Vicky, whom it calls Tom, zoe, and yan who is a contact.
    let all = |world: &mut World, step: &str| {
        let from = [
            Err("vicky"),
            Err("Tom"),
            Ok("zoe@far.test"),
            Ok("yan@far.test"),
        ];
        let ids = from.iter().enumerate();
        let ids: Vec<String> = ids.map(|(number, _)| format!("{step}-{number}")).collect();
        let mut reached = from
            .into_iter()
            .zip(&ids)
            .map(|(from, id)| reaches(world, id, from));
        [(); 4].map(|()| reached.next().unwrap())
    };
    assert_eq!(all(&mut world, "1"), [true; 4]);
    let steps = [
        (add("BlockList", VICKY), [false, true, true, true]),
        (add("BlockList", CLUB), [false, false, true, true]),
        (add("BlockList", CONTACTS), [false, false, true, false]),
        (add("BlockList", ZOE), [false, false, false, false]),
        (r#"<BlockList inUse="No"/>"#.to_owned(), [true; 4]),
        (r#"<GrantList inUse="Yes"/>"#.to_owned(), [false; 4]),
        (add("GrantList", ZOE), [false, false, true, false]),
        (add("GrantList", VICKY), [true, false, true, false]),
        (add("GrantList", CONTACTS), [true, false, true, true]),
        // The block list goes first.
        (r#"<BlockList inUse="Yes"/>"#.to_owned(), [false; 4]),
        (
            format!("<BlockList><RemoveList>{VICKY}{CLUB}</RemoveList></BlockList>"),
            [true, false, false, false],
        ),
        (
            format!("<BlockList><RemoveList>{CONTACTS}</RemoveList></BlockList>"),
            [true, false, false, true],
        ),
    ];
    for (number, (lists, expected)) in steps.into_iter().enumerate() {
        assert_eq!(change(&mut world, &lists), Status::ok(), "{lists}");
        // What is answered is on disk.
        world.restart();
        world.open(1, "alice");
        world.heard(1);
        let step = format!("{}", number + 2);
        assert_eq!(all(&mut world, &step), expected, "{lists}");
    }
    let lists = lists(&mut world);
    let (blocked, granted) = (lists.blocked.unwrap(), lists.granted.unwrap());
    assert_eq!((blocked.in_use, granted.in_use), (Some(true), Some(true)));
    assert_eq!((blocked.users.len(), granted.users.len()), (1, 1));
    assert!(blocked.groups.is_empty() && blocked.screen_names.is_empty());
    assert_eq!(granted.screen_names[0].name, "Vicky");
    assert_eq!(granted.lists[0].list, address("alice/contacts@home.test"));
    world.remove("alice").unwrap();
    world.settle();
    assert!(!world.store.keys().any(|key| key.contains("alice")));
}

#[test]
fn an_entry_that_cannot_be_is_named_and_the_others_are_taken() {
    let mut world = alice();
    let domain = r#"<UserID userID="wv:@far.test"/>"#;
    let no_group = r#"<GroupID groupID="wv:zoe@far.test"/>"#;
    let no_name = r#"<ScreenName groupID="wv:bob/club@far.test"> </ScreenName>"#;
    let no_list = r#"<ContactList contactListID="wv:alice/friends@home.test"/>"#;
    let others = r#"<ContactList contactListID="wv:bob/contacts@home.test"/>"#;
    let details = |status: &Status| -> Vec<u16> {
        let details = status.details.iter();
        details.map(|detail| detail.code.0).collect()
    };
    for (entries, code, codes) in [
        (domain.to_owned(), 901, vec![]),
        (no_group.to_owned(), 800, vec![]),
        (no_name.to_owned(), 402, vec![]),
        (no_list.to_owned(), 700, vec![]),
        (others.to_owned(), 700, vec![]),
        (format!("{domain}{no_group}"), 900, vec![901, 800]),
        (format!("{ZOE}{domain}"), 201, vec![901]),
        (
            format!("{YAN}{no_group}{no_list}{others}"),
            201,
            vec![800, 700],
        ),
        (String::new(), 200, vec![]),
    ] {
        for list in ["BlockList", "GrantList"] {
            let status = change(&mut world, &add(list, &entries));
            assert_eq!(status.code.0, code, "{entries}");
            assert_eq!(details(&status), codes, "{entries}");
        }
    }
    let lists = lists(&mut world);
    let users = |list: Option<crate::imps::primitive::access::EntityList>| -> Vec<Address> {
        let users = list.unwrap().users.into_iter();
        users.map(|id| id.user).collect()
    };
    let taken = [address("yan@far.test"), address("zoe@far.test")];
    assert_eq!(users(lists.blocked), taken);
    assert_eq!(users(lists.granted), taken);
}

#[test]
fn entries_are_bounded_and_beyond_that_nothing_is_done() {
    let mut world = World::with(|settings| settings.max_access = 2);
    world.add("alice");
    world.open(1, "alice");
    // On both lists it is one.
    let both = add("BlockList", &format!("{ZOE}{ZOE}")) + &add("GrantList", ZOE);
    assert_eq!(change(&mut world, &both), Status::ok());
    let two = format!("{YAN}{CLUB}");
    let status = change(&mut world, &add("BlockList", &two));
    assert_eq!(status.code.0, 754);
    assert_eq!(lists(&mut world).blocked.unwrap().users.len(), 1);
    assert_eq!(change(&mut world, &add("BlockList", YAN)), Status::ok());
    assert_eq!(change(&mut world, &add("BlockList", ZOE)), Status::ok());
    assert_eq!(change(&mut world, &add("GrantList", CLUB)).code.0, 754);
    let off = format!("<BlockList><RemoveList>{YAN}</RemoveList></BlockList>");
    assert_eq!(change(&mut world, &off), Status::ok());
    assert_eq!(change(&mut world, &add("GrantList", CLUB)), Status::ok());
}

#[test]
fn whom_an_older_version_has_blocked_stays_blocked() {
    let mut world = alice();
    let key = "home/user/alice/relation/wv:zoe@far.test";
    world
        .store
        .insert(key.to_owned(), br#"{"blocked":true}"#.to_vec());
    let key = "home/user/alice/relation/wv:yan@far.test";
    let contact = br#"{"contact":{},"blocked":true}"#;
    world.store.insert(key.to_owned(), contact.to_vec());
    for _ in 0..2 {
        world.restart();
        world.settle();
        world.open(1, "alice");
        world.heard(1);
        let blocked = lists(&mut world).blocked.unwrap();
        assert_eq!(blocked.users.len(), 2);
        let off = format!("<BlockList><RemoveList>{ZOE}</RemoveList></BlockList>");
        change(&mut world, &off);
        assert_eq!(lists(&mut world).blocked.unwrap().users.len(), 1);
        change(&mut world, &add("BlockList", ZOE));
    }
    let relation = &world.store[key];
    assert_eq!(relation, br#"{"on":["contacts"]}"#);
    let zoe = "home/user/alice/relation/wv:zoe@far.test";
    assert!(!world.store.contains_key(zoe));
}

#[test]
fn only_the_user_reads_and_changes_their_lists() {
    let mut world = alice();
    for xml in [
        "<GetBlockedListRequest></GetBlockedListRequest>".to_owned(),
        format!(
            "<BlockEntityRequest>{}</BlockEntityRequest>",
            add("BlockList", ZOE)
        ),
    ] {
        for (from, user, code) in [
            ("far.test", Some("zoe@far.test"), 501),
            ("home.test", Some("nobody@home.test"), 531),
            ("far.test", None, 402),
        ] {
            let request = decode_fragment(xml.as_bytes()).unwrap();
            let answer = world.deliver(from, user, request).unwrap();
            assert_eq!(answer.verdict().unwrap().code.0, code, "{xml} {user:?}");
        }
    }
    assert!(lists(&mut world).blocked.unwrap().users.is_empty());
}
