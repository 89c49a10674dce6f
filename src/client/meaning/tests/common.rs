use super::{ALL, DONE, FROM_1_2, OK, dialogue, is, read, refused, terms, told};
use crate::client::meaning::{Asked, Interpreter, Services};
use crate::csp::Version;

#[test]
fn who_provides_the_service_is_told() {
    is(
        &ALL,
        "<GetSPInfo-Request><ClientID><URL>u</URL></ClientID></GetSPInfo-Request>",
        r#"<GetSPInfoRequest serviceID="wv:@home.test">META</GetSPInfoRequest>"#,
        r#"<GetSPInfoResponse serviceID="wv:@home.test"><Status code="200"/><Logo><ContentData contentType="image/png" encoding="base64">iVBORw==</ContentData></Logo><Description>d</Description><URL>http://home.test</URL></GetSPInfoResponse>"#,
        "<GetSPInfo-Response><Name>home.test</Name><Logo><ContentType>image/png</ContentType>\
         <ContentSize>4</ContentSize><ContentEncoding>BASE64</ContentEncoding><ContentData>\
         iVBORw==</ContentData></Logo><Description>d</Description><URL>http://home.test</URL>\
         </GetSPInfo-Response>",
    );
}

const SEARCH: &str = "<Search-Request><SearchPairList><SearchElement>USER_ALIAS</SearchElement>\
    <SearchString>bo</SearchString></SearchPairList><SearchLimit>2</SearchLimit></Search-Request>";
const SEARCHED: &str = r#"<SearchRequest searchLimit="2">META<SearchPairList><SearchPair element="USER_ALIAS" string="bo"/></SearchPairList></SearchRequest>"#;

#[test]
fn a_search_goes_page_by_page_until_it_is_complete_or_stopped() {
    let page = r#"<SearchResponse searchID="7" searchFindings="3" completion="No" searchIndex="3"><Status code="200"/><SearchResult><UserList><User userID="wv:bob@b.test"/><User userID="wv:bo@b.test"/></UserList></SearchResult></SearchResponse>"#;
    is(
        &ALL,
        SEARCH,
        SEARCHED,
        page,
        "<Search-Response><SearchID>7</SearchID><SearchFindings>3</SearchFindings>\
         <CompletionFlag>F</CompletionFlag><SearchIndex>3</SearchIndex><SearchResult><UserList>\
         <User><UserID>wv:bob@b.test</UserID></User><User><UserID>wv:bo@b.test</UserID></User>\
         </UserList></SearchResult></Search-Response>",
    );
    is(
        &ALL,
        "<Search-Request><SearchID>7</SearchID><SearchIndex>3</SearchIndex></Search-Request>",
        r#"<SearchRequest searchID="7" searchIndex="3">META</SearchRequest>"#,
        r#"<SearchResponse searchFindings="3" completion="Yes"><Status code="200"/><SearchResult><GroupList><GroupID groupID="wv:a/g@b.test"/></GroupList></SearchResult></SearchResponse>"#,
        "<Search-Response><SearchFindings>3</SearchFindings><CompletionFlag>T</CompletionFlag>\
         <SearchIndex>3</SearchIndex><SearchResult><GroupList><GroupID>wv:a/g@b.test</GroupID>\
         </GroupList></SearchResult></Search-Response>",
    );
    is(
        &ALL,
        "<StopSearch-Request><SearchID>7</SearchID></StopSearch-Request>",
        r#"<StopSearchRequest searchID="7">META</StopSearchRequest>"#,
        r#"<Status code="424"/>"#,
        "<Status><Result><Code>424</Code></Result></Status>",
    );
}

#[test]
fn a_search_whose_id_no_client_can_say_ends_with_its_first_page() {
    is(
        &ALL,
        SEARCH,
        SEARCHED,
        r#"<SearchResponse searchID="x-7" searchFindings="3" completion="No" searchIndex="2"><Status code="200"/></SearchResponse>"#,
        "<Search-Response><SearchFindings>3</SearchFindings><CompletionFlag>T</CompletionFlag>\
         <SearchIndex>2</SearchIndex></Search-Response>",
    );
    refused(
        Version::V1_3,
        "<Search-Request><AdvancedCriteria>1 OR 2</AdvancedCriteria></Search-Request>",
        "<Status><Result><Code>501</Code><Description>Criteria that are joined otherwise than by \
         \"and\" are not served.</Description></Result></Status>",
    );
}

#[test]
fn ids_of_all_kinds_are_verified() {
    is(
        &FROM_1_2,
        "<VerifyID-Request><IDList><UserID>bob</UserID><ContactList>friends</ContactList><GroupID>\
         wv:a/g@b.test</GroupID><Domain>b.test</Domain></IDList></VerifyID-Request>",
        r#"<VerifyIDRequest>META<IDList><UserID userID="wv:bob@home.test"/><ContactList contactListID="wv:ann/friends@home.test"/><GroupID groupID="wv:a/g@b.test"/><Domain>b.test</Domain></IDList></VerifyIDRequest>"#,
        r#"<Status code="201"><DetailedResult code="404"><Domain>b.test</Domain></DetailedResult></Status>"#,
        "<Status><Result><Code>201</Code><DetailedResult><Code>404</Code><Domain>b.test</Domain>\
         </DetailedResult></Result></Status>",
    );
}

const INVITE: &str = "<Invite-Request><InviteID>i1</InviteID><InviteType>gr</InviteType>\
    <Recipient><User><UserID>bob@b.test</UserID></User></Recipient><GroupID>wv:ann/tea@home.test\
    </GroupID><URLList><URL>http://x.test</URL></URLList><InviteNote>tea?</InviteNote>\
    <Validity>60</Validity></Invite-Request>";
const INVITED: &str = r#"<InviteRequest inviteID="i1" inviteType="GR" validity="60">META<Inviting><User userID="wv:ann@home.test"/></Inviting><Invited><User userID="wv:bob@b.test"/></Invited><GroupID groupID="wv:ann/tea@home.test"/><ContentIDList><ContentID url="http://x.test"/></ContentIDList><InviteNote>tea?</InviteNote></InviteRequest>"#;

#[test]
fn an_invitation_is_made_and_taken_back() {
    is(&ALL, INVITE, INVITED, DONE, OK);
    is(
        &ALL,
        "<CancelInvite-Request><InviteID>i1</InviteID><Recipient><User><UserID>bob@b.test</UserID>\
         </User></Recipient><InviteNote>no</InviteNote></CancelInvite-Request>",
        r#"<CancelInviteRequest inviteID="i1">META<Canceling><User userID="wv:ann@home.test"/></Canceling><Canceled><User userID="wv:bob@b.test"/></Canceled><CancelNote>no</CancelNote></CancelInviteRequest>"#,
        r#"<Status code="423"/>"#,
        "<Status><Result><Code>423</Code></Result></Status>",
    );
    is(
        &FROM_1_2,
        "<CancelInvite-Request><InviteID>i1</InviteID></CancelInvite-Request>",
        r#"<CancelInviteRequest inviteID="i1">META<Canceling><User userID="wv:ann@home.test"/></Canceling></CancelInviteRequest>"#,
        DONE,
        OK,
    );
}

#[test]
fn each_of_several_is_invited_and_the_failures_are_named() {
    let several = INVITE.replace(
        "</User></Recipient>",
        "</User><User><UserID>carl@c.test</UserID></User></Recipient>",
    );
    for (answers, heard) in [
        ([DONE, DONE], OK.to_owned()),
        (
            [r#"<Status code="531"/>"#, DONE],
            "<Status><Result><Code>201</Code><DetailedResult><Code>531</Code><UserID>bob@b.test\
             </UserID></DetailedResult></Result></Status>"
                .replace("bob@", "wv:bob@"),
        ),
        (
            [r#"<Status code="531"/>"#, r#"<Status code="516"/>"#],
            "<Status><Result><Code>900</Code><DetailedResult><Code>531</Code><UserID>\
             wv:bob@b.test</UserID></DetailedResult><DetailedResult><Code>516</Code><UserID>\
             wv:carl@c.test</UserID></DetailedResult></Result></Status>"
                .to_owned(),
        ),
    ] {
        let mut interpreter = Interpreter::new(terms(Version::V1_2));
        let (asked, told) = dialogue(&mut interpreter, &several, &answers);
        assert_eq!(
            asked,
            [INVITED.to_owned(), INVITED.replace("bob@b", "carl@c")]
        );
        assert_eq!(told, heard);
    }
    let nobody = INVITE.replace("<User><UserID>bob@b.test</UserID></User>", "");
    let many = "<User><UserID>bob@b.test</UserID></User>".repeat(21);
    let many = INVITE.replace("<User><UserID>bob@b.test</UserID></User>", &many);
    let list = INVITE.replace(
        "<User><UserID>bob@b.test</UserID></User>",
        "<ContactList>friends</ContactList>",
    );
    for (request, code) in [(nobody, 402), (many, 402), (list, 501)] {
        let mut interpreter = Interpreter::new(terms(Version::V1_2));
        let (asked, told) = dialogue(&mut interpreter, &request, &[]);
        assert!(asked.is_empty());
        assert!(told.contains(&format!("<Code>{code}</Code>")), "{told}");
    }
}

#[test]
fn the_user_is_invited_and_answers_also_without_saying_whom() {
    let invited = r#"<InviteRequest inviteID="i2" inviteType="GM" validity="0"><Inviting><User userID="wv:bob@b.test"/></Inviting><Invited><User userID="wv:ann@home.test"/></Invited><GroupID groupID="wv:bob/tea@b.test"/><InviteNote>come</InviteNote></InviteRequest>"#;
    for version in ALL {
        let kind = if version == Version::V1_1 { "GR" } else { "GM" };
        let own = if version == Version::V1_3 {
            "<Recipient><User><UserID>wv:ann@home.test</UserID></User></Recipient>"
        } else {
            ""
        };
        assert_eq!(
            told(version, invited).unwrap(),
            format!(
                "<InviteUser-Request><InviteID>i2</InviteID><InviteType>{kind}</InviteType>\
                 <Sender><User><UserID>wv:bob@b.test</UserID></User></Sender>{own}<GroupID>\
                 wv:bob/tea@b.test</GroupID><InviteNote>come</InviteNote></InviteUser-Request>"
            )
        );
    }
    for (sender, inviting) in [
        ("", ""),
        (
            "<Sender><User><UserID>bob@b.test</UserID></User></Sender>",
            r#"<Inviting><User userID="wv:bob@b.test"/></Inviting>"#,
        ),
    ] {
        is(
            &ALL,
            &format!(
                "<InviteUser-Response><InviteID>i2</InviteID><Acceptance>T</Acceptance>{sender}\
                 <ResponseNote>yes</ResponseNote></InviteUser-Response>"
            ),
            &format!(
                r#"<InviteResponse inviteID="i2" acceptance="Yes">META{inviting}<Responding><User userID="wv:ann@home.test"/></Responding><ResponseNote>yes</ResponseNote></InviteResponse>"#
            ),
            DONE,
            OK,
        );
    }
}

#[test]
fn types_of_invitations_that_a_version_has_not_are_the_nearest_or_none() {
    let invited = |kind: &str, version| {
        let invitation = format!(
            r#"<InviteRequest inviteID="i" inviteType="{kind}"><Inviting><User userID="wv:bob@b.test"/></Inviting><ApplicationID applicationID="chess"/></InviteRequest>"#
        );
        let told = told(version, &invitation)?;
        let (_, behind) = told.split_once("<InviteType>")?;
        Some(behind[..2].to_owned())
    };
    for (kind, known) in [
        ("IM", ["IM", "IM", "IM"]),
        ("PR", ["PR", "PR", "PR"]),
        ("SC", ["SC", "SC", "SC"]),
        ("GR", ["GR", "GR", "GR"]),
        ("GM", ["GR", "GM", "GM"]),
        ("EG", ["GR", "GR", "EG"]),
        ("EC", ["IM", "IM", "EC"]),
        ("AP", ["", "", "AP"]),
    ] {
        for (version, name) in ALL.into_iter().zip(known) {
            let name = (!name.is_empty()).then(|| name.to_owned());
            assert_eq!(invited(kind, version), name, "{kind} {version}");
        }
    }
}

#[test]
fn what_became_of_an_invitation_and_that_one_is_taken_back_is_told() {
    let response = r#"<InviteResponse inviteID="i1" acceptance="No"><Status code="404"/><Inviting><User userID="wv:ann@home.test"/></Inviting><Responding><User userID="wv:bob@b.test"/></Responding><ResponseNote>no</ResponseNote></InviteResponse>"#;
    let canceled = r#"<CancelInviteRequest inviteID="i2"><Canceling><User userID="wv:bob@b.test"/></Canceling><CancelNote>late</CancelNote></CancelInviteRequest>"#;
    let bob = "<Sender><User><UserID>wv:bob@b.test</UserID></User></Sender>";
    for version in ALL {
        let is_1_3 = version == Version::V1_3;
        let own = if is_1_3 {
            "<Recipient><User><UserID>wv:ann@home.test</UserID></User></Recipient>"
        } else {
            ""
        };
        let note = if is_1_3 { "InviteNote" } else { "ResponseNote" };
        assert_eq!(
            told(version, response).unwrap(),
            format!(
                "<Invite-Response><InviteID>i1</InviteID><Acceptance>F</Acceptance>{bob}{own}\
                 <{note}>no</{note}></Invite-Response>"
            )
        );
        assert_eq!(
            told(version, canceled).unwrap(),
            format!(
                "<CancelInviteUser-Request><InviteID>i2</InviteID>{bob}{own}<InviteNote>late\
                 </InviteNote></CancelInviteUser-Request>"
            )
        );
    }
}

#[test]
fn what_users_say_of_themselves_is_read_and_changed() {
    let profile = |user: &str| {
        format!(
            r#"<GetUserProfileRequest userID="{user}">META<ProfileParts><Properties/></ProfileParts></GetUserProfileRequest>"#
        )
    };
    let known = r#"<GetUserProfileResponse userID="wv:ann@home.test"><Status code="200"/><UserProfile><Properties><Property><Name>PP_AGE</Name><Value>30</Value></Property></Properties></UserProfile></GetUserProfileResponse>"#;
    let property = "<Property><Name>PP_AGE</Name><Value>30</Value></Property>";
    let mut interpreter = Interpreter::new(terms(Version::V1_3));
    let (asked, heard) = dialogue(&mut interpreter, "<GetPublicProfile-Request/>", &[known]);
    assert_eq!(asked, [profile("wv:ann@home.test")]);
    assert_eq!(
        heard,
        format!(
            "<GetPublicProfile-Response><Result><Code>200</Code></Result><PublicProfile><UserID>\
             wv:ann@home.test</UserID>{property}</PublicProfile></GetPublicProfile-Response>"
        )
    );
    let both = "<GetPublicProfile-Request><UserID>bob@b.test</UserID><UserID>ann</UserID>\
        </GetPublicProfile-Request>";
    let (asked, heard) = dialogue(&mut interpreter, both, &[r#"<Status code="403"/>"#, known]);
    assert_eq!(
        asked,
        [profile("wv:bob@b.test"), profile("wv:ann@home.test")]
    );
    assert_eq!(
        heard,
        format!(
            "<GetPublicProfile-Response><Result><Code>201</Code><DetailedResult><Code>403</Code>\
             <UserID>wv:bob@b.test</UserID></DetailedResult></Result><PublicProfile><UserID>\
             wv:ann@home.test</UserID>{property}</PublicProfile></GetPublicProfile-Response>"
        )
    );
    for (clear, mode) in [("F", "Merge"), ("T", "Replace")] {
        is(
            &[Version::V1_3],
            &format!(
                "<UpdatePublicProfile-Request><ClearPublicProfile>{clear}</ClearPublicProfile>\
                 <PublicProfile>{property}</PublicProfile></UpdatePublicProfile-Request>"
            ),
            &format!(
                r#"<UpdateUserProfileRequest userID="wv:ann@home.test" mode="{mode}">META<UserProfile userID="wv:ann@home.test"><Properties>{property}</Properties></UserProfile></UpdateUserProfileRequest>"#
            ),
            r#"<Status code="702"/>"#,
            "<Status><Result><Code>702</Code></Result></Status>",
        );
    }
    let many = format!(
        "<GetPublicProfile-Request>{}</GetPublicProfile-Request>",
        "<UserID>bob@b.test</UserID>".repeat(21)
    );
    let (asked, heard) = dialogue(&mut interpreter, &many, &[]);
    assert!(asked.is_empty() && heard.contains("<Code>402</Code>"));
}

#[test]
fn notifications_are_promised_only_of_what_is_ever_told() {
    let subscribe = |types: &str| {
        format!(
            "<SubscribeNotification-Request><NotificationTypeList>{types}</NotificationTypeList>\
             </SubscribeNotification-Request>"
        )
    };
    let kind = |name: &str| format!("<NotificationType>{name}</NotificationType>");
    refused(Version::V1_3, &subscribe(&kind("ANU")), OK);
    refused(
        Version::V1_3,
        &subscribe(&kind("GC")),
        "<Status><Result><Code>501</Code><Description>Not told: GC</Description></Result></Status>",
    );
    refused(
        Version::V1_3,
        &subscribe(&(kind("ANU") + &kind("GC"))),
        "<Status><Result><Code>201</Code><DetailedResult><Code>501</Code><Description>Not told: GC\
         </Description></DetailedResult></Result></Status>",
    );
    refused(
        Version::V1_3,
        &subscribe(&kind("GC")).replace("Subscribe", "Unsubscribe"),
        OK,
    );
}

#[test]
fn what_is_no_request_of_a_user_is_told_apart() {
    let mut interpreter = Interpreter::new(terms(Version::V1_2));
    for request in [
        "<Polling-Request/>",
        "<Logout-Request/>",
        "<KeepAlive-Request/>",
        "<Service-Request/>",
        "<ClientCapability-Request/>",
        "<Login-Request><UserID>ann</UserID></Login-Request>",
    ] {
        let asked = interpreter.ask(read(Version::V1_2, request));
        assert_eq!(asked, Asked::Session, "{request}");
    }
    assert_eq!(interpreter.ask(read(Version::V1_2, OK)), Asked::Reply);
    for (request, code) in [
        ("<Odd-Request/>", 405),
        (
            "<GroupChangeNotice><GroupID>wv:a/b@c.test</GroupID></GroupChangeNotice>",
            405,
        ),
        ("<GetMessage-Request/>", 400),
        ("<GetMap-Request/>", 405),
    ] {
        let (asked, told) = dialogue(&mut interpreter, request, &[]);
        assert!(asked.is_empty());
        assert!(
            told.contains(&format!("<Code>{code}</Code>")),
            "{request} {told}"
        );
    }
    for request in ["<GetMap-Request/>", "<ExtendConversation-Request/>"] {
        let mut interpreter = Interpreter::new(terms(Version::V1_3));
        let (asked, told) = dialogue(&mut interpreter, request, &[]);
        assert!(
            asked.is_empty() && told.contains("<Code>501</Code>"),
            "{told}"
        );
    }
}

#[test]
fn what_was_not_agreed_is_refused_and_nothing_is_as_long_as_nothing_was_negotiated() {
    let request = "<GetList-Request/>";
    let mut agreed = terms(Version::V1_2);
    agreed.services = Some(Services::default());
    let mut interpreter = Interpreter::new(agreed.clone());
    let (asked, told) = dialogue(&mut interpreter, request, &[]);
    assert!(
        asked.is_empty() && told.contains("<Code>506</Code>"),
        "{told}"
    );
    agreed.services = Some(Services::served(Version::V1_2));
    for terms in [agreed, terms(Version::V1_2)] {
        let mut interpreter = Interpreter::new(terms);
        let Asked::User(..) = interpreter.ask(read(Version::V1_2, request)) else {
            panic!("not asked");
        };
    }
}
