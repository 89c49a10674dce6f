//! Bad input: each is answered with its status, and nothing is half done.

use super::*;

const NONE: &str = "wv:alice/none@home.test";
const ZOE: &str = "zoe@far.test";

/// Every request about a group, of which only `group` matters.
fn all(group: &str) -> Vec<Primitive> {
    let (group, meta) = (address(group), None);
    let id = ids(&[DAN]);
    vec![
        join(group.as_str(), "").into(),
        leave(group.as_str()).into(),
        GetJoinedUsersRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        SubscribeGroupChangeRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        UnsubscribeGroupChangeRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        GetGroupSubStatusRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        DeleteGroupRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        GetGroupMemberRequest {
            group: group.clone(),
            meta: None,
        }
        .into(),
        AddGroupMemberRequest {
            group: group.clone(),
            meta: None,
            users: id.clone(),
        }
        .into(),
        RemoveGroupMemberRequest {
            group: group.clone(),
            meta: None,
            users: id,
        }
        .into(),
        access(group.as_str(), &[], &[], &[DAN]).into(),
        GetGroupPropsRequest {
            group: group.clone(),
            meta,
        }
        .into(),
        set(group.as_str(), &[("Topic", "Tea")]).into(),
        reject(group.as_str(), &[DAN], &[]).into(),
    ]
}

#[test]
fn a_group_that_is_not_there_does_nothing() {
    let mut world = World::peopled();
    world.club(&[]);
    let before = world.store.clone();
    for group in [
        NONE,
        "wv:/none@home.test",
        "wv:alice@home.test",
        "wv:@home.test",
    ] {
        for request in all(group) {
            let name = request.name().to_owned();
            let answer = world.asks(ALICE, request);
            assert_eq!(code(&answer), 800, "{name} {group}");
            assert_eq!(
                name == "LeaveGroupRequest",
                answer.name() == "LeaveGroupIndication"
            );
        }
    }
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, NONE, "hello")), 800);
    assert_eq!(world.store, before);
    assert!(world.sent().is_empty());
}

#[test]
fn who_is_no_member_and_not_joined_does_nothing() {
    let mut world = World::peopled();
    world.club(&[("AccessType", "Restricted")]);
    world.does(ALICE, add(CLUB, &[BOB]));
    let before = world.store.clone();
    let codes = [
        ("JoinGroupRequest", 816),
        ("LeaveGroupRequest", 808),
        ("GetJoinedUsersRequest", 808),
        ("SubscribeGroupChangeRequest", 808),
        ("UnsubscribeGroupChangeRequest", 808),
        ("GetGroupSubStatusRequest", 808),
        ("DeleteGroupRequest", 816),
        ("GetGroupMemberRequest", 808),
        ("AddGroupMemberRequest", 816),
        ("RemoveGroupMemberRequest", 816),
        ("MemberAccessRequest", 810),
        ("GetGroupPropsRequest", 816),
        ("SetGroupPropsRequest", 816),
        ("RejectListRequest", 816),
    ];
    for (request, (name, expected)) in all(CLUB).into_iter().zip(codes) {
        assert_eq!(request.name(), name);
        assert_eq!(world.does(ZOE, request), expected, "{name}");
    }
    assert_eq!(world.does(ZOE, to_group("m1", ZOE, CLUB, "hello")), 808);
    assert_eq!(world.store, before);
    assert!(world.sent().is_empty());
}

#[test]
fn a_request_of_nobody_or_of_what_is_no_user_is_refused() {
    let mut world = World::peopled();
    world.club(&[]);
    let before = world.store.clone();
    for request in all(CLUB) {
        let name = request.name().to_owned();
        let answer = world.deliver("far.test", None, request.clone()).unwrap();
        assert_eq!(code(&answer), 402, "{name}");
        assert_eq!(world.does("wv:zoe/gang@far.test", request), 901, "{name}");
    }
    let message = to_group("m1", ZOE, CLUB, "hello");
    let answer = world.deliver("far.test", None, message).unwrap();
    assert_eq!(code(&answer), 427);
    assert_eq!(world.store, before);
}

#[test]
fn a_group_is_made_by_its_owner_under_a_name_that_is_free() {
    let mut world = World::peopled();
    let village = "wv:zoe/gang@home.test";
    for (user, group, expected) in [
        (ALICE, CLUB, 200),
        (ALICE, CLUB, 801),
        (ALICE, "wv:Alice/CLUB@Home.Test", 801),
        (ALICE, "wv:carol/club@home.test", 806),
        (ALICE, "wv:/club@home.test", 806),
        (ALICE, "wv:alice@home.test", 806),
        (ALICE, "wv:alice/@home.test", 806),
        (ALICE, "wv:alice/a/b@home.test", 806),
        (ALICE, "wv:alice/a b@home.test", 806),
        (ALICE, "wv:alice/club@far.test", 516),
        (ZOE, village, 403),
    ] {
        assert_eq!(world.does(user, create(group, &[])), expected, "{group}");
    }
    // Where this is the provider of groups for her domain she makes them here.
    let mut world = World::with(|settings| {
        settings.groups.homes.insert("far.test".to_owned());
    });
    assert_eq!(world.does(ZOE, create(village, &[])), 200);
    assert_eq!(world.does(ZOE, set(village, &[("Topic", "Tea")])), 200);
    let mut world = World::with(|settings| settings.groups.private = false);
    world.add("alice");
    assert_eq!(world.does(ALICE, create(CLUB, &[])), 403);
}

#[test]
fn properties_are_set_all_or_not_at_all() {
    let mut world = World::peopled();
    let long = "x".repeat(257);
    let wrong: [&[(&str, &str)]; 12] = [
        &[("Topic", &long)],
        &[("Name", "a\u{202e}b")],
        &[("AccessType", "Ajar")],
        &[("Searchable", "yes")],
        &[("MaxActiveUsers", "0")],
        &[("MaxActiveUsers", "many")],
        &[("ActiveUsers", "7")],
        &[("Type", "Public")],
        &[("RequireInvitation", "perhaps")],
        &[("", "")],
        &[("Topic", "a"), ("topic", "b")],
        &[("Validity", "soon")],
    ];
    for given in wrong {
        assert_eq!(world.does(ALICE, create(CLUB, given)), 806, "{given:?}");
    }
    assert_eq!(world.does(ALICE, create(CLUB, &[("Searchable", "T")])), 822);
    assert!(world.store.keys().all(|key| !key.contains("group")));
    world.club(&[("Topic", "Tea")]);
    let before = world.store.clone();
    for given in wrong {
        let with_good = [&[("MaxActiveUsers", "7")], given].concat();
        if !given.iter().any(|(name, _)| *name == "MaxActiveUsers") {
            assert_eq!(world.does(ALICE, set(CLUB, &with_good)), 806, "{given:?}");
        }
    }
    let clear = [("Topic", ""), ("Searchable", "T")];
    assert_eq!(world.does(ALICE, set(CLUB, &clear)), 822);
    assert_eq!(world.does(ALICE, set(CLUB, &[])), 200);
    assert_eq!(world.store, before);
}

#[test]
fn own_properties_and_those_of_the_group_are_judged_apart() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    let mut both = set(CLUB, &[("Topic", "Tea")]);
    both.own = Some(vec![property("AutoJoin", "T")]);
    let answer = world.asks(BOB, both.clone());
    let status = answer.verdict().unwrap();
    assert_eq!(status.code, Code::PARTIAL);
    assert_eq!(status.details[0].code.0, 816);
    let request = GetGroupPropsRequest {
        group: address(CLUB),
        meta: None,
    };
    let Primitive::GetGroupPropsResponse(answer) = world.asks(BOB, request) else {
        panic!("no properties");
    };
    assert!(answer.own.unwrap().contains(&property("AutoJoin", "T")));
    let listed = answer.properties.unwrap().properties;
    assert!(listed.iter().all(|one| one.name != "Topic"));
    for (name, value) in [
        ("PrivilegeLevel", "Admin"),
        ("ShowID", "maybe"),
        ("Hat", "T"),
    ] {
        both.own = Some(vec![property(name, value)]);
        assert_eq!(world.does(ALICE, both.clone()), 201, "{name}");
        both.properties = None;
        assert_eq!(world.does(BOB, both.clone()), 806, "{name}");
        both.properties = Some(properties(&[("Topic", "Tea")]));
    }
    assert_eq!(world.does(ZOE, both.clone()), 900);
    (both.properties, both.own) = (None, None);
    assert_eq!(world.does(ALICE, both), 402);
}

#[test]
fn screen_names_are_of_one_user_each() {
    let mut world = World::peopled();
    world.club(&[]);
    for (user, name, expected) in [
        (BOB, "x".repeat(65), 402),
        (BOB, "a\nb".to_owned(), 402),
        (BOB, ALICE.to_owned(), 402),
        (BOB, "x".repeat(64), 200),
        (BOB, "again".to_owned(), 807),
        (DAN, "X".repeat(64), 811),
        (DAN, DAN.to_owned(), 200),
        (CAROL, "  ".to_owned(), 200),
    ] {
        assert_eq!(
            world.does(user, join(CLUB, &name)),
            expected,
            "{user} {name}"
        );
    }
    // A name is free when its user has left.
    world.does(BOB, leave(CLUB));
    assert_eq!(world.does(ZOE, join(CLUB, &"x".repeat(64))), 200);
}

#[test]
fn lists_of_users_name_those_who_cannot_be() {
    let mut world = World::peopled();
    world.club(&[]);
    let mixed = [BOB, "wv:zoe/gang@far.test", "no body@far.test", BOB];
    let answer = world.asks(ALICE, add(CLUB, &mixed));
    let status = answer.verdict().unwrap();
    assert_eq!(status.code, Code::PARTIAL);
    assert_eq!(status.details[0].code, Code::UNKNOWN_USER);
    assert_eq!(status.details[0].users, ids(&mixed[1..3]));
    assert_eq!(world.does(ALICE, add(CLUB, &["wv:@far.test"])), 531);
    assert_eq!(world.does(ALICE, add(CLUB, &[])), 402);
    assert_eq!(world.does(ALICE, remove(CLUB, &[])), 402);
    assert_eq!(world.does(ALICE, access(CLUB, &[], &[], &[])), 402);
    // In two lists the first counts.
    assert_eq!(world.does(ALICE, access(CLUB, &[DAN], &[], &[DAN])), 201);
    assert_eq!(world.does(DAN, set(CLUB, &[("Topic", "Tea")])), 200);
    // One who is not rejected cannot be let in again.
    assert_eq!(world.does(ALICE, reject(CLUB, &[], &[BOB])), 531);
    assert_eq!(world.does(ALICE, reject(CLUB, &[], &[])), 200);
}
