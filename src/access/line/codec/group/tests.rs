use super::super::tests::{answer, codec, further, now, said};
use super::super::{Action, Codec};

/// The requests of a line, as XML without who asks.
fn asks(codec: &mut Codec, line: &str) -> Vec<String> {
    let requests = said(codec, line).into_iter();
    let xml = requests.map(|(_, primitive)| primitive.to_xml(None));
    xml.map(
        |xml| match (xml.find("<MetaInfo"), xml.find("</MetaInfo>")) {
            (Some(from), Some(to)) => format!("{}{}", &xml[..from], &xml[to + 11..]),
            _ => xml,
        },
    )
    .collect()
}

#[test]
fn what_is_done_to_groups_and_their_users_is_asked_of_the_group() {
    let who = r#"<UserID userID="wv:carol@home.test"/>"#;
    for (line, requests) in [
        (
            "leave bob/club@b.test",
            vec![
                r#"<LeaveGroupRequest groupID="wv:bob/club@b.test"></LeaveGroupRequest>"#
                    .to_owned(),
            ],
        ),
        (
            "delete club",
            vec![
                r#"<DeleteGroupRequest groupID="wv:alice/club@home.test"></DeleteGroupRequest>"#
                    .to_owned(),
            ],
        ),
        (
            "add club carol",
            vec![format!(
                r#"<AddGroupMemberRequest groupID="wv:alice/club@home.test">{who}</AddGroupMemberRequest>"#
            )],
        ),
        (
            "remove /news carol",
            vec![format!(
                r#"<RemoveGroupMemberRequest groupID="wv:/news@home.test">{who}</RemoveGroupMemberRequest>"#
            )],
        ),
        (
            "moderator club carol",
            vec![format!(
                r#"<MemberAccessRequest groupID="wv:alice/club@home.test"><Moderators>{who}</Moderators></MemberAccessRequest>"#
            )],
        ),
        (
            "kick club carol",
            vec![
                format!(
                    r#"<RejectListRequest groupID="wv:alice/club@home.test"><AddUsers>{who}</AddUsers></RejectListRequest>"#
                ),
                format!(
                    r#"<RejectListRequest groupID="wv:alice/club@home.test"><RemoveUsers>{who}</RemoveUsers></RejectListRequest>"#
                ),
            ],
        ),
    ] {
        assert_eq!(asks(&mut codec(), &format!("/group {line}")), requests);
    }
}

#[test]
fn lines_go_to_the_group_that_was_joined_until_it_is_left() {
    let mut codec = codec();
    let requests = said(&mut codec, "/group join bob/club@b.test Vicky the first");
    let xml = requests[0].1.to_xml(None);
    assert!(xml.contains(">Vicky the first</ScreenName>"), "{xml}");
    let joined = r#"<JoinGroupResponse><Status code="200"/><JoinedList><Name>Vicky the first</Name><Name>Tom</Name></JoinedList></JoinGroupResponse>"#;
    let told = answer(&mut codec, &requests[0].0, joined).unwrap();
    assert_eq!(
        told,
        "* you are in bob/club@b.test, with Vicky the first, Tom; you write to it now"
    );
    let message = asks(&mut codec, "hello");
    assert!(
        message[0].contains(r#"<Recipient><GroupID groupID="wv:bob/club@b.test"/></Recipient>"#),
        "{message:?}"
    );
    now(
        &mut codec,
        r#"<LeaveGroupIndication groupID="wv:bob/club@b.test"><Status code="809"/></LeaveGroupIndication>"#,
    );
    assert!(matches!(codec.understand("hello"), Action::Show(_)));
}

#[test]
fn one_participant_is_written_to_by_their_name() {
    let message = asks(&mut codec(), "/group tell club Tom psst, you");
    assert!(
        message[0].contains(r#"<ScreenName groupID="wv:alice/club@home.test">Tom</ScreenName>"#),
        "{message:?}"
    );
}

#[test]
fn a_group_tells_who_is_there_and_what_it_is_like() {
    let mut codec = codec();
    let requests = said(&mut codec, "/group who club");
    let joined = r#"<GetJoinedUsersResponse><Status code="200"/><JoinedAdmin><UserMapList><UserMapping><Mapping><SName>Al</SName><UserID userID="wv:alice@home.test"/></Mapping></UserMapping></UserMapList></JoinedAdmin><JoinedUser><UserMapList><UserMapping><Mapping><SName>Tom</SName></Mapping></UserMapping></UserMapList></JoinedUser></GetJoinedUsersResponse>"#;
    assert_eq!(answer(&mut codec, &requests[0].0, joined), None);
    let members = r#"<GetGroupMemberResponse><Status code="200"/><Admins><UserID userID="wv:alice@home.test"/></Admins><OrdinaryUsers><UserID userID="wv:zoe@b.test"/></OrdinaryUsers></GetGroupMemberResponse>"#;
    let told = answer(&mut codec, &requests[1].0, members).unwrap();
    assert_eq!(
        told,
        "* alice/club@home.test\n* there: Al (alice@home.test, admin), Tom\n* members: alice@home.test (admin), zoe@b.test"
    );
    let requests = said(&mut codec, "/group info club");
    let properties = r#"<GetGroupPropsResponse><Status code="200"/><GroupProperties><Property><Name>Topic</Name><Value>Tea</Value></Property></GroupProperties><OwnProperties><Property><Name>PrivilegeLevel</Name><Value>Admin</Value></Property></OwnProperties></GetGroupPropsResponse>"#;
    let told = answer(&mut codec, &requests[0].0, properties).unwrap();
    assert_eq!(
        told,
        "* alice/club@home.test\n* Topic: Tea\n* your PrivilegeLevel: Admin"
    );
}

#[test]
fn own_groups_are_listed_by_search() {
    let mut codec = codec();
    let requests = said(&mut codec, "/group list");
    let found = |group: &str| {
        format!(
            r#"<SearchResponse completion="Yes"><Status code="200"/><SearchResult><GroupList><GroupID groupID="{group}"/></GroupList></SearchResult></SearchResponse>"#
        )
    };
    let owned = found("wv:alice/club@home.test");
    assert_eq!(answer(&mut codec, &requests[0].0, &owned), None);
    let joined = found("wv:/news@home.test");
    let told = answer(&mut codec, &requests[1].0, &joined).unwrap();
    assert_eq!(
        told,
        "* yours: alice/club@home.test\n* you are in: /news@home.test"
    );
}

#[test]
fn what_is_missing_is_said_at_once() {
    for (line, why) in [
        ("/group", "/group needs to know what"),
        ("/group dance", "/group needs to know what"),
        ("/group join", "/group join needs a group"),
        ("/group add club", "/group add needs a group and an address"),
        ("/group tell club Tom", "write /group tell"),
        ("/group set club Topic", "write /group set"),
    ] {
        match codec().understand(line) {
            Action::Show(text) => assert!(text.starts_with(why), "{text}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn the_history_of_a_group_is_listed_and_then_fetched() {
    let mut codec = codec();
    let requests = said(&mut codec, "/group history bob/club@b.test 2");
    let xml = requests[0].1.to_xml(None);
    assert!(
        xml.contains(r#"messageCount="2" groupID="wv:bob/club@b.test""#),
        "{xml}"
    );
    let info = |id: &str| {
        format!(
            r#"<MessageInfo messageID="{id}"><Sender><GroupID groupID="wv:bob/club@b.test"/></Sender></MessageInfo>"#
        )
    };
    let list = format!(
        r#"<GetMessageListResponse messageTotalCount="5"><Status code="200"/>{}{}</GetMessageListResponse>"#,
        info("m4"),
        info("m5")
    );
    assert_eq!(answer(&mut codec, &requests[0].0, &list), None);
    let fetches = further(&mut codec);
    let fetched =
        |id: &str| format!(r#"<GetMessageRequest messageID="{id}" groupID="wv:bob/club@b.test">"#);
    for ((_, fetch), id) in fetches.iter().zip(["m4", "m5"]) {
        assert!(fetch.to_xml(None).starts_with(&fetched(id)), "{fetch:?}");
    }
    let said = |id: &str, text: &str| {
        format!(
            r#"<GetMessageResponse><Status code="200"/>{}<ContentData contentType="text/plain">{text}</ContentData></GetMessageResponse>"#,
            info(id)
        )
    };
    assert_eq!(
        answer(&mut codec, &fetches[0].0, &said("m4", "hello")),
        None
    );
    let told = answer(&mut codec, &fetches[1].0, &said("m5", "world")).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        matches!(lines[..], [first, second] if first.ends_with(": hello") && second.ends_with(": world")),
        "{told}"
    );
    let requests = asks(&mut codec, "/group history club");
    let own = r#"<GetMessageListRequest messageCount="50" groupID="wv:alice/club@home.test"></GetMessageListRequest>"#;
    assert_eq!(requests, [own]);
    let list = r#"<Status code="821"/>"#;
    let (id, _) = super::super::tests::said(&mut codec, "/group history club").remove(0);
    let told = answer(&mut codec, &id, list).unwrap();
    assert!(
        told.starts_with("* history alice/club@home.test failed: 821"),
        "{told}"
    );
}
