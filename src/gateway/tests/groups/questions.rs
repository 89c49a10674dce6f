//! What is asked of rooms, set in them, and made.

use super::*;

#[test]
fn what_a_room_is_and_who_is_in_it_is_asked_of_it() {
    let mut world = World::visiting();
    let id = world.ssp(Some(BOB), &asks("GetGroupPropsRequest", ""));
    world.replies(Ok(INFO));
    has(
        &world.answered(id),
        &[
            "<Value>The club</Value>",
            "<Value>Books</Value>",
            "<Value>Open</Value>",
            "PrivilegeLevel",
        ],
    );
    let id = world.ssp(Some(BOB), &asks("GetJoinedUsersRequest", ""));
    has(
        &world.answered(id),
        &["<SName>Bob</SName>", "<SName>Vicky</SName>"],
    );
    let id = world.ssp(Some(BOB), &asks("GetGroupMemberRequest", ""));
    let list = |jid: &str| {
        format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='x' jid='{jid}'/></query>"
        )
    };
    world.replies(Ok(&list("alice@home.example")));
    world.replies(Ok(&list("carol@home.example")));
    world.replies(Ok(&list("bob@village.example")));
    has(
        &world.answered(id),
        &[
            "<Admins><UserID userID=\"wv:alice@home.example\"/></Admins>",
            "<Moderators><UserID userID=\"wv:carol@home.example\"/></Moderators>",
            &format!("<OrdinaryUsers><UserID userID=\"{BOB}\"/></OrdinaryUsers>"),
        ],
    );
    let id = world.ssp(Some(BOB), &asks("GetGroupMemberRequest", ""));
    world.replies(Err("forbidden"));
    has(&world.answered(id), &["code=\"816\""]);
    let id = world.ssp(Some(BOB), &asks("GetGroupPropsRequest", ""));
    world.pass(40_000);
    has(&world.answered(id), &["code=\"504\""]);
}

#[test]
fn members_roles_bars_and_the_end_are_set_at_the_room() {
    for (request, inner, parts) in [
        (
            "AddGroupMemberRequest",
            format!("<UserID userID='{ALICE}'/>"),
            ["affiliation='member'", "jid='alice@home.example'"],
        ),
        (
            "RemoveGroupMemberRequest",
            format!("<UserID userID='{ALICE}'/>"),
            ["affiliation='none'", "jid='alice@home.example'"],
        ),
        (
            "MemberAccessRequest",
            format!("<Moderators><UserID userID='{ALICE}'/></Moderators>"),
            ["affiliation='admin'", "jid='alice@home.example'"],
        ),
        (
            "DeleteGroupRequest",
            String::new(),
            ["<destroy", "muc#owner"],
        ),
    ] {
        let mut world = World::visiting();
        let id = world.ssp(Some(BOB), &asks(request, &inner));
        has(&world.out()[0], &parts);
        world.replies(Ok(""));
        has(&world.answered(id), &["code=\"200\""]);
    }
    let mut world = World::visiting();
    let id = world.ssp(
        Some(BOB),
        &asks(
            "RejectListRequest",
            &format!("<AddUsers><UserID userID='{ALICE}'/></AddUsers>"),
        ),
    );
    has(&world.out()[0], &["affiliation='outcast'"]);
    world.replies(Ok(""));
    world.replies(Ok("<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast' jid='alice@home.example'/></query>"));
    has(
        &world.answered(id),
        &[&format!(
            "<RejectList><UserID userID=\"{ALICE}\"/></RejectList>"
        )],
    );
}

#[test]
fn topic_and_properties_are_set_and_told_when_they_change() {
    let set = |name: &str, value: &str| {
        asks(
            "SetGroupPropsRequest",
            &format!(
                "<GroupProperties><Property><Name>{name}</Name><Value>{value}</Value></Property></GroupProperties>"
            ),
        )
    };
    let mut world = World::visiting();
    world.room_says("/Vicky", "groupchat", "<subject>Books</subject>");
    assert!(world.sent().is_empty());
    let id = world.ssp(Some(BOB), &set("Topic", "Films"));
    let text = world.out().remove(0);
    has(&text, &["type='groupchat'", "<subject>Films</subject>"]);
    world.xmpp(&format!(
        "<message type='groupchat' from='{ROOM}/Bob' to='{OWN}'><subject>Films</subject></message>"
    ));
    has(&world.answered(id), &["code=\"200\""]);
    has(
        &world.sent()[0],
        &["<GroupProperties>", "<Value>Films</Value>"],
    );
    let id = world.ssp(Some(BOB), &set("Name", "New"));
    world.replies(Ok(FORM));
    has(&world.out()[0], &["type='submit'", "<value>New</value>"]);
    world.replies(Ok(""));
    has(&world.answered(id), &["code=\"200\""]);
    world.room_says(
        "",
        "groupchat",
        &format!("<x xmlns='{USER}'><status code='104'/></x>"),
    );
    world.replies(Ok(INFO));
    has(
        &world.sent()[0],
        &["<GroupChangeNotice", "<Value>The club</Value>"],
    );
}

#[test]
fn a_room_is_made_set_up_and_only_if_it_is_not_there() {
    let create = |stays: &str| {
        format!(
            "<CreateGroupRequest groupID='{CLUB}' joinGroup='{stays}'><GroupProperties><Property><Name>Name</Name><Value>New</Value></Property></GroupProperties>{}</CreateGroupRequest>",
            named("Bob")
        )
    };
    for stays in ["Yes", "No"] {
        let mut world = World::up(GatewaySettings::default());
        let id = world.ssp(Some(BOB), &create(stays));
        has(&world.out()[0], &[&format!("to='{ROOM}/Bob'")]);
        world.comes("Bob", &[110, 201]);
        world.replies(Ok(FORM));
        has(&world.out()[0], &["<value>New</value>"]);
        world.replies(Ok(""));
        has(&world.answered(id), &["code=\"200\""]);
        let visits = world
            .kept()
            .iter()
            .filter(|key| key.contains("/visit/"))
            .count();
        assert_eq!(visits, usize::from(stays == "Yes"));
    }
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &create("Yes"));
    world.comes("Bob", &[110]);
    has(&world.answered(id), &["code=\"801\""]);
    has(&world.out()[0], &["type='unavailable'"]);
}

#[test]
fn visits_names_and_questions_are_bounded() {
    let mut settings = GatewaySettings::default();
    settings.rooms.max_visits = 1;
    settings.rooms.max_names = 2;
    let mut world = World::up(settings);
    world.ssp(Some(BOB), &join("", &named("Bob")));
    world.replies(Ok(INFO));
    for n in 0..10 {
        world.comes(&format!("v{n}"), &[]);
    }
    world.comes("Bob", &[110]);
    let id = world.ssp(Some(BOB), &asks("GetJoinedUsersRequest", ""));
    assert_eq!(world.answered(id).matches("<SName>").count(), 2);
    let id = world.ssp(Some("wv:dave@village.example"), &join("", &named("Dave")));
    has(&world.answered(id), &["code=\"507\""]);
    let mut settings = GatewaySettings::default();
    settings.rooms.max_questions = 1;
    let mut world = World::up(settings);
    world.ssp(Some(BOB), &asks("GetGroupPropsRequest", ""));
    let id = world.ssp(Some(BOB), &asks("GetGroupPropsRequest", ""));
    has(&world.answered(id), &["code=\"503\""]);
}

#[test]
fn who_is_inside_invites_through_the_room_and_hears_who_comes() {
    let mut world = World::visiting();
    let invite = format!(
        "<InviteRequest inviteID='i-1' inviteType='GR'><Inviting><User userID='{BOB}'/></Inviting><Invited><User userID='{ALICE}'/></Invited><GroupID groupID='{CLUB}'/></InviteRequest>"
    );
    world.ssp(Some(BOB), &invite);
    has(
        &world.out()[0],
        &[
            &format!("to='{ROOM}'"),
            &format!("from='{OWN}'"),
            "<invite to='alice@home.example'/>",
        ],
    );
    world.shows(
        "Ali",
        "",
        "affiliation='none' role='participant' jid='alice@home.example/x'",
        "",
    );
    let sent = world.sent();
    let response = sent.iter().find(|text| text.starts_with("<InviteResponse"));
    has(
        response.unwrap(),
        &["acceptance=\"Yes\"", ">Ali</ScreenName>"],
    );
    // Who is not inside invites directly.
    let mut world = World::up(GatewaySettings::default());
    world.ssp(Some(BOB), &invite);
    has(
        &world.out()[0],
        &["to='alice@home.example'", &format!("jid='{ROOM}'")],
    );
}
