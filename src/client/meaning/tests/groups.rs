use super::{ALL, DONE, FROM_1_2, OK, TO_1_2, dialogue, is, refused, terms, told};
use crate::client::meaning::Interpreter;
use crate::csp::Version;

const TEA: &str = "<GroupID>wv:ann/tea@home.test</GroupID>";

#[test]
fn a_group_is_made_with_its_properties_and_ended() {
    is(
        &ALL,
        "<CreateGroup-Request><GroupID>tea</GroupID><GroupProperties><Property>\
         <Name>Accesstype</Name><Value>Open</Value></Property><WelcomeNote>\
         <ContentType>text/plain</ContentType><ContentData>Hi</ContentData></WelcomeNote>\
         </GroupProperties><JoinGroup>T</JoinGroup><ScreenName><SName>Ann</SName>\
         <GroupID>tea</GroupID></ScreenName><SubscribeNotification>T</SubscribeNotification>\
         </CreateGroup-Request>",
        r#"<CreateGroupRequest groupID="wv:ann/tea@home.test" joinGroup="Yes" subscribeNotif="Yes">META<GroupProperties><Property><Name>Accesstype</Name><Value>Open</Value></Property><WelcomeNote><ContentData contentType="text/plain; charset=utf-8" encoding="base64">SGk=</ContentData></WelcomeNote></GroupProperties><ScreenName groupID="wv:ann/tea@home.test">Ann</ScreenName></CreateGroupRequest>"#,
        r#"<Status code="801"/>"#,
        "<Status><Result><Code>801</Code></Result></Status>",
    );
    is(
        &ALL,
        &format!("<DeleteGroup-Request>{TEA}</DeleteGroup-Request>"),
        r#"<DeleteGroupRequest groupID="wv:ann/tea@home.test">META</DeleteGroupRequest>"#,
        DONE,
        OK,
    );
}

const JOIN: &str = "<JoinGroup-Request><GroupID>wv:ann/tea@home.test</GroupID><ScreenName>\
    <SName>Bo</SName><GroupID>wv:ann/tea@home.test</GroupID></ScreenName><JoinedRequest>T\
    </JoinedRequest><SubscribeNotification>T</SubscribeNotification></JoinGroup-Request>";
const JOINING: &str = r#"<JoinGroupRequest groupID="wv:ann/tea@home.test" joinedListRequest="Yes" subscribeNotif="Yes">META<ScreenName groupID="wv:ann/tea@home.test">Bo</ScreenName></JoinGroupRequest>"#;
const JOINED: &str = r#"<JoinGroupResponse><Status code="200"/><JoinedList><Name>Ann</Name><Name>wv:carl@c.test</Name></JoinedList><WelcomeNote><ContentData contentType="text/plain" encoding="base64">SGk=</ContentData></WelcomeNote></JoinGroupResponse>"#;
const NOTE: &str = "<WelcomeNote><ContentType>text/plain</ContentType><ContentEncoding>None\
    </ContentEncoding><ContentData>Hi</ContentData></WelcomeNote>";
const MAPS: &str = "<UserMapList><UserMapping><Mapping><SName>Ann</SName></Mapping><Mapping>\
    <SName>carl@c.test</SName><UserID>wv:carl@c.test</UserID></Mapping></UserMapping></UserMapList>";

#[test]
fn who_is_in_a_group_is_told_to_who_joins_in_the_form_of_the_version() {
    for (version, users) in [
        (
            Version::V1_1,
            "<UserList><ScreenName><SName>Ann</SName><GroupID>wv:ann/tea@home.test</GroupID>\
             </ScreenName><User><UserID>wv:carl@c.test</UserID></User></UserList>"
                .to_owned(),
        ),
        (Version::V1_2, MAPS.to_owned()),
        (
            Version::V1_3,
            format!(
                "<Joined>{MAPS}</Joined><ScreenName><SName>Bo</SName><GroupID>\
                 wv:ann/tea@home.test</GroupID></ScreenName>"
            ),
        ),
    ] {
        // The elements of a user list have an order of their own.
        let users = users.replace(
            "<ScreenName><SName>Ann</SName><GroupID>wv:ann/tea@home.test</GroupID></ScreenName>\
             <User><UserID>wv:carl@c.test</UserID></User>",
            "<User><UserID>wv:carl@c.test</UserID></User><ScreenName><SName>Ann</SName><GroupID>\
             wv:ann/tea@home.test</GroupID></ScreenName>",
        );
        let heard = format!("<JoinGroup-Response>{users}{NOTE}</JoinGroup-Response>");
        is(&[version], JOIN, JOINING, JOINED, &heard);
    }
}

#[test]
fn who_does_not_ask_for_those_who_are_joined_is_not_told_them() {
    let request = JOIN.replace("<JoinedRequest>T", "<JoinedRequest>F");
    let asked = JOINING.replace("joinedListRequest=\"Yes\"", "joinedListRequest=\"No\"");
    is(
        &TO_1_2,
        &request,
        &asked,
        JOINED,
        &format!("<JoinGroup-Response>{NOTE}</JoinGroup-Response>"),
    );
    is(
        &ALL,
        &request,
        &asked,
        r#"<JoinGroupResponse><Status code="811"/></JoinGroupResponse>"#,
        "<Status><Result><Code>811</Code></Result></Status>",
    );
}

#[test]
fn a_group_is_left_by_will_or_by_force() {
    is(
        &ALL,
        &format!("<LeaveGroup-Request>{TEA}</LeaveGroup-Request>"),
        r#"<LeaveGroupRequest groupID="wv:ann/tea@home.test">META</LeaveGroupRequest>"#,
        r#"<LeaveGroupIndication><Status code="200"/></LeaveGroupIndication>"#,
        &format!(
            "<LeaveGroup-Response>{TEA}<Result><Code>200</Code></Result></LeaveGroup-Response>"
        ),
    );
    let forced = r#"<LeaveGroupIndication groupID="wv:ann/tea@home.test"><Status code="809"/><ReasonText>Out</ReasonText><User userID="wv:ann@home.test"/></LeaveGroupIndication>"#;
    for version in ALL {
        assert_eq!(
            told(version, forced).unwrap(),
            format!(
                "<LeaveGroup-Response>{TEA}<Result><Code>809</Code><Description>Out</Description>\
                 </Result></LeaveGroup-Response>"
            )
        );
    }
}

#[test]
fn those_who_are_joined_are_told_by_role_or_all_alike() {
    let request = format!("<GetJoinedUsers-Request>{TEA}</GetJoinedUsers-Request>");
    let asked =
        r#"<GetJoinedUsersRequest groupID="wv:ann/tea@home.test">META</GetJoinedUsersRequest>"#;
    let list = |role: &str, inner: &str| {
        format!("<{role}><UserMapList><UserMapping>{inner}</UserMapping></UserMapList></{role}>")
    };
    let ann = r#"<Mapping><SName>Ann</SName><UserID userID="wv:ann@home.test"/></Mapping>"#;
    let carl = r#"<Mapping><UserID userID="wv:carl@c.test"/></Mapping>"#;
    let answer = |inner: &str| {
        format!(r#"<GetJoinedUsersResponse><Status code="200"/>{inner}</GetJoinedUsersResponse>"#)
    };
    let both = list("JoinedAdmin", ann) + &list("JoinedUser", carl);
    let (ann_told, carl_told) = (
        "<Mapping><SName>Ann</SName><UserID>wv:ann@home.test</UserID></Mapping>",
        "<Mapping><SName>carl@c.test</SName><UserID>wv:carl@c.test</UserID></Mapping>",
    );
    is(
        &FROM_1_2,
        &request,
        asked,
        &answer(&both),
        &format!(
            "<GetJoinedUsers-Response><AdminMapList><AdminMapping>{ann_told}</AdminMapping>\
             <UserMapping>{carl_told}</UserMapping></AdminMapList></GetJoinedUsers-Response>"
        ),
    );
    is(
        &FROM_1_2,
        &request,
        asked,
        &answer(&list("JoinedUser", carl)),
        &format!(
            "<GetJoinedUsers-Response><UserMapList><UserMapping>{carl_told}</UserMapping>\
             </UserMapList></GetJoinedUsers-Response>"
        ),
    );
    is(
        &FROM_1_2,
        &request,
        asked,
        &answer(""),
        "<GetJoinedUsers-Response><UserMapList/></GetJoinedUsers-Response>",
    );
}

#[test]
fn members_are_listed_made_and_removed_and_get_roles() {
    let request = format!("<GetGroupMembers-Request>{TEA}</GetGroupMembers-Request>");
    let asked =
        r#"<GetGroupMemberRequest groupID="wv:ann/tea@home.test">META</GetGroupMemberRequest>"#;
    let answer = r#"<GetGroupMemberResponse><Status code="200"/><Admins><UserID userID="wv:ann@home.test"/></Admins><OrdinaryUsers><UserID userID="wv:bob@b.test"/></OrdinaryUsers></GetGroupMemberResponse>"#;
    let (ann, bob) = (
        "<UserList><User><UserID>wv:ann@home.test</UserID></User></UserList>",
        "<UserList><User><UserID>wv:bob@b.test</UserID></User></UserList>",
    );
    for (versions, users) in [
        (&TO_1_2[..], format!("<Users>{bob}</Users>")),
        (&[Version::V1_3][..], bob.to_owned()),
    ] {
        is(
            versions,
            &request,
            asked,
            answer,
            &format!(
                "<GetGroupMembers-Response><Admin>{ann}</Admin>{users}</GetGroupMembers-Response>"
            ),
        );
    }
    for what in ["Add", "Remove"] {
        for users in [bob, "<UserIDList><UserID>bob@b.test</UserID></UserIDList>"] {
            is(
                &ALL,
                &format!("<{what}GroupMembers-Request>{TEA}{users}</{what}GroupMembers-Request>"),
                &format!(
                    r#"<{what}GroupMemberRequest groupID="wv:ann/tea@home.test">META<UserID userID="wv:bob@b.test"/></{what}GroupMemberRequest>"#
                ),
                DONE,
                OK,
            );
        }
        refused(
            Version::V1_2,
            &format!(
                "<{what}GroupMembers-Request>{TEA}<UserList><ScreenName><SName>Bo</SName>{TEA}\
                 </ScreenName></UserList></{what}GroupMembers-Request>"
            ),
            "<Status><Result><Code>402</Code><Description>Members are named by their address, not \
             by a screen name.</Description></Result></Status>",
        );
    }
    for users in [format!("<Users>{bob}</Users>"), bob.to_owned()] {
        is(
            &ALL,
            &format!("<MemberAccess-Request>{TEA}<Mod>{ann}</Mod>{users}</MemberAccess-Request>"),
            r#"<MemberAccessRequest groupID="wv:ann/tea@home.test">META<Moderators><UserID userID="wv:ann@home.test"/></Moderators><OrdinaryUsers><UserID userID="wv:bob@b.test"/></OrdinaryUsers></MemberAccessRequest>"#,
            r#"<Status code="816"/>"#,
            "<Status><Result><Code>816</Code></Result></Status>",
        );
    }
}

#[test]
fn properties_are_told_and_set() {
    let request = format!("<GetGroupProps-Request>{TEA}</GetGroupProps-Request>");
    let asked =
        r#"<GetGroupPropsRequest groupID="wv:ann/tea@home.test">META</GetGroupPropsRequest>"#;
    is(
        &ALL,
        &request,
        asked,
        r#"<GetGroupPropsResponse><Status code="200"/><GroupProperties><Property><Name>Topic</Name><Value>t</Value></Property></GroupProperties><OwnProperties><Property><Name>PrivilegeLevel</Name><Value>Admin</Value></Property></OwnProperties></GetGroupPropsResponse>"#,
        "<GetGroupProps-Response><GroupProperties><Property><Name>Topic</Name><Value>t</Value>\
         </Property></GroupProperties><OwnProperties><Property><Name>PrivilegeLevel</Name>\
         <Value>Admin</Value></Property></OwnProperties></GetGroupProps-Response>",
    );
    is(
        &ALL,
        &request,
        asked,
        r#"<GetGroupPropsResponse><Status code="200"/></GetGroupPropsResponse>"#,
        "<GetGroupProps-Response><GroupProperties><Property><Name>Name</Name><Value>tea</Value>\
         </Property></GroupProperties><OwnProperties><Property><Name>PrivilegeLevel</Name>\
         </Property></OwnProperties></GetGroupProps-Response>",
    );
    is(
        &ALL,
        &format!(
            "<SetGroupProps-Request>{TEA}<OwnProperties><Property><Name>AutoJoin</Name><Value>T\
             </Value></Property></OwnProperties></SetGroupProps-Request>"
        ),
        r#"<SetGroupPropsRequest groupID="wv:ann/tea@home.test">META<OwnProperties><Property><Name>AutoJoin</Name><Value>T</Value></Property></OwnProperties></SetGroupPropsRequest>"#,
        r#"<Status code="806"/>"#,
        "<Status><Result><Code>806</Code></Result></Status>",
    );
}

#[test]
fn who_may_not_join_is_listed_and_changed() {
    is(
        &ALL,
        &format!(
            "<RejectList-Request>{TEA}<AddList><UserID>eve@e.test</UserID></AddList><RemoveList>\
             <UserID>bob@b.test</UserID></RemoveList></RejectList-Request>"
        ),
        r#"<RejectListRequest groupID="wv:ann/tea@home.test">META<AddUsers><UserID userID="wv:eve@e.test"/></AddUsers><RemoveUsers><UserID userID="wv:bob@b.test"/></RemoveUsers></RejectListRequest>"#,
        r#"<RejectListResponse><Status code="200"/><RejectList><UserID userID="wv:eve@e.test"/></RejectList></RejectListResponse>"#,
        "<RejectList-Response><UserList><User><UserID>wv:eve@e.test</UserID></User></UserList>\
         </RejectList-Response>",
    );
}

#[test]
fn the_client_asks_for_notices_of_changes_or_for_none() {
    let request = |kind: &str| {
        format!(
            "<SubscribeGroupNotice-Request>{TEA}<SubscribeType>{kind}</SubscribeType>\
             </SubscribeGroupNotice-Request>"
        )
    };
    for (kind, asked) in [
        ("S", "SubscribeGroupChangeRequest"),
        ("U", "UnsubscribeGroupChangeRequest"),
    ] {
        let asked = format!(r#"<{asked} groupID="wv:ann/tea@home.test">META</{asked}>"#);
        is(&ALL, &request(kind), &asked, DONE, OK);
    }
    is(
        &ALL,
        &request("G"),
        r#"<GetGroupSubStatusRequest groupID="wv:ann/tea@home.test">META</GetGroupSubStatusRequest>"#,
        r#"<GetGroupSubStatusResponse subscribed="Yes"><Status code="200"/></GetGroupSubStatusResponse>"#,
        "<SubscribeGroupNotice-Response><Value>T</Value></SubscribeGroupNotice-Response>",
    );
    let mut interpreter = Interpreter::new(terms(Version::V1_1));
    let (asked, heard) = dialogue(&mut interpreter, &request("X"), &[]);
    assert!(asked.is_empty() && heard.contains("<Code>402</Code>"));
}

#[test]
fn who_comes_and_goes_and_what_changes_is_told_in_the_form_of_the_version() {
    let notice = r#"<GroupChangeNotice groupID="wv:ann/tea@home.test"><User userID="wv:ann@home.test"/><Joined><Name>Bo</Name></Joined><Left><Name>wv:carl@c.test</Name></Left><GroupProperties><Property><Name>Topic</Name><Value>t</Value></Property></GroupProperties></GroupChangeNotice>"#;
    let topic = "<GroupProperties><Property><Name>Topic</Name><Value>t</Value></Property>\
         </GroupProperties>";
    let name = |name: &str| format!("<ScreenName><SName>{name}</SName>{TEA}</ScreenName>");
    for version in ALL {
        let (joined, left) = if version == Version::V1_1 {
            (name("Bo"), name("carl@c.test"))
        } else {
            (
                "<UserMapList><UserMapping><Mapping><SName>Bo</SName></Mapping></UserMapping>\
                 </UserMapList>"
                    .to_owned(),
                "<UserList><User><UserID>wv:carl@c.test</UserID></User></UserList>".to_owned(),
            )
        };
        assert_eq!(
            told(version, notice).unwrap(),
            format!(
                "<GroupChangeNotice>{TEA}<Joined>{joined}</Joined><Left>{left}</Left>{topic}\
                 </GroupChangeNotice>"
            )
        );
        let nothing = r#"<GroupChangeNotice groupID="wv:ann/tea@home.test"/>"#;
        assert_eq!(told(version, nothing), None);
    }
}

#[test]
fn who_is_made_to_leave_has_left_where_the_version_has_no_other_word() {
    let notice = r#"<GroupChangeNotice groupID="wv:ann/tea@home.test"><LeftBlocked><UserList><User userID="wv:eve@e.test"/></UserList></LeftBlocked></GroupChangeNotice>"#;
    for (version, heard) in [
        (
            Version::V1_1,
            format!("<Left><ScreenName><SName>eve@e.test</SName>{TEA}</ScreenName></Left>"),
        ),
        (
            Version::V1_2,
            "<Left><UserList><User><UserID>wv:eve@e.test</UserID></User></UserList></Left>"
                .to_owned(),
        ),
        (
            Version::V1_3,
            "<LeftBlocked><UserList><User><UserID>wv:eve@e.test</UserID></User></UserList>\
             </LeftBlocked>"
                .to_owned(),
        ),
    ] {
        let expected = format!("<GroupChangeNotice>{TEA}{heard}</GroupChangeNotice>");
        assert_eq!(told(version, notice).unwrap(), expected);
    }
}
