use super::{ALL, DONE, OK, dialogue, is, read, refused, ssp, terms, told, written};
use crate::client::meaning::{Asked, Heard, Interpreter};
use crate::csp::Version;

const SEND: &str = "<SendMessage-Request><DeliveryReport>T</DeliveryReport><MessageInfo>\
    <Recipient><User><UserID>bob@b.test</UserID></User></Recipient><Sender><User>\
    <UserID>eve@home.test</UserID></User></Sender><ContentType>text/plain</ContentType>\
    <ContentSize>99</ContentSize><Validity>600</Validity></MessageInfo>\
    <ContentData>Gr\u{fc}\u{df}e</ContentData></SendMessage-Request>";

const SENT: &str = r#"<SendMessageRequest deliveryReport="Yes">META<MessageInfo validity="600"><Recipient><User userID="wv:bob@b.test"/></Recipient></MessageInfo><ContentData contentType="text/plain; charset=utf-8" encoding="base64">R3LDvMOfZQ==</ContentData></SendMessageRequest>"#;

#[test]
fn a_message_is_sent_by_the_user_of_the_session_whatever_the_client_says() {
    is(
        &ALL,
        SEND,
        SENT,
        r#"<SendMessageResponse messageID="m1"><Status code="200"/></SendMessageResponse>"#,
        "<SendMessage-Response><Result><Code>200</Code></Result><MessageID>m1</MessageID>\
         </SendMessage-Response>",
    );
}

#[test]
fn of_one_recipient_the_answer_is_success_or_the_failure_itself() {
    for (answer, heard) in [
        (r#"<Status code="202"/>"#, "<Code>200</Code>"),
        (
            r#"<Status code="201"><DetailedResult code="531"><UserID userID="wv:bob@b.test"/></DetailedResult></Status>"#,
            "<Code>531</Code>",
        ),
        (r#"<Status code="504"/>"#, "<Code>504</Code>"),
    ] {
        let told = format!("<SendMessage-Response><Result>{heard}</Result></SendMessage-Response>");
        let answer = format!(r#"<SendMessageResponse messageID="">{answer}</SendMessageResponse>"#);
        is(&ALL, SEND, SENT, &answer, &told);
    }
}

#[test]
fn of_several_recipients_each_failure_is_named() {
    let request = SEND.replace(
        "</User></Recipient>",
        "</User><User><UserID>wv:carl@c.test</UserID></User></Recipient>",
    );
    let sent = SENT.replace(
        "</Recipient></MessageInfo>",
        r#"</Recipient><Recipient><User userID="wv:carl@c.test"/></Recipient></MessageInfo>"#,
    );
    is(
        &ALL,
        &request,
        &sent,
        r#"<SendMessageResponse messageID="m1"><Status code="201"><DetailedResult code="531"><UserID userID="wv:carl@c.test"/></DetailedResult></Status></SendMessageResponse>"#,
        "<SendMessage-Response><Result><Code>201</Code><DetailedResult><Code>531</Code>\
         <UserID>wv:carl@c.test</UserID></DetailedResult></Result><MessageID>m1</MessageID>\
         </SendMessage-Response>",
    );
}

#[test]
fn groups_participants_and_contact_lists_are_recipients() {
    let request = "<SendMessage-Request><DeliveryReport>F</DeliveryReport><MessageInfo><Recipient>\
        <Group><GroupID>wv:ann/tea@home.test</GroupID></Group><Group><ScreenName><SName>Bo</SName>\
        <GroupID>wv:ann/tea@home.test</GroupID></ScreenName></Group><ContactList>friends\
        </ContactList></Recipient><Sender><Group><GroupID>wv:ann/tea@home.test</GroupID></Group>\
        </Sender></MessageInfo><ContentData>x</ContentData></SendMessage-Request>";
    is(
        &ALL,
        request,
        r#"<SendMessageRequest deliveryReport="No">META<MessageInfo><Recipient><GroupID groupID="wv:ann/tea@home.test"/></Recipient><Recipient><ScreenName groupID="wv:ann/tea@home.test">Bo</ScreenName></Recipient><Recipient><ContactList contactListID="wv:ann/friends@home.test"/></Recipient></MessageInfo><ContentData contentType="text/plain; charset=utf-8" encoding="base64">eA==</ContentData></SendMessageRequest>"#,
        r#"<Status code="506"/>"#,
        "<SendMessage-Response><Result><Code>506</Code></Result></SendMessage-Response>",
    );
}

#[test]
fn a_message_to_nobody_and_base64_that_is_none_are_refused() {
    for version in ALL {
        let failed = |code: u16, why: &str| {
            format!(
                "<SendMessage-Response><Result><Code>{code}</Code><Description>{why}</Description>\
                 </Result></SendMessage-Response>"
            )
        };
        refused(
            version,
            "<SendMessage-Request><MessageInfo/></SendMessage-Request>",
            &failed(402, "The message has no recipient."),
        );
        let wrong = SEND.replace(
            "</ContentType>",
            "</ContentType><ContentEncoding>BASE64</ContentEncoding>",
        );
        refused(
            version,
            &wrong,
            &failed(400, "The content is not the base64 that it says."),
        );
    }
}

#[test]
fn content_that_is_no_text_crosses_in_base64() {
    let request = SEND
        .replace("text/plain", "image/png")
        .replace(
            "</ContentType>",
            "</ContentType><ContentEncoding>BASE64</ContentEncoding>",
        )
        .replace("Gr\u{fc}\u{df}e", "iVBO\nRw==");
    let sent = SENT
        .replace("text/plain; charset=utf-8", "image/png")
        .replace("R3LDvMOfZQ==", "iVBORw==");
    is(
        &ALL,
        &request,
        &sent,
        r#"<SendMessageResponse messageID="m1"><Status code="415"/></SendMessageResponse>"#,
        "<SendMessage-Response><Result><Code>415</Code></Result></SendMessage-Response>",
    );
}

const INFO: &str = r#"<MessageInfo messageID="m1" contentType="text/plain; charset=utf-8" contentSize="7" validity="60"><Recipient><User userID="wv:ann@home.test"/></Recipient><Sender><User userID="wv:bob@b.test"/></Sender><DateTime>2026-01-31T23:59:59Z</DateTime></MessageInfo>"#;

#[test]
fn a_message_comes_with_all_that_its_version_asks_for() {
    let new = format!(
        r#"<NewMessage>{INFO}<ContentData contentType="text/plain; charset=utf-8" encoding="base64">R3LDvMOfZQ==</ContentData></NewMessage>"#
    );
    for version in ALL {
        assert_eq!(
            told(version, &new).unwrap(),
            "<NewMessage><MessageInfo><MessageID>m1</MessageID><ContentType>text/plain\
             </ContentType><ContentEncoding>None</ContentEncoding><ContentSize>7</ContentSize>\
             <Recipient><User><UserID>wv:ann@home.test</UserID></User></Recipient><Sender><User>\
             <UserID>wv:bob@b.test</UserID></User></Sender><DateTime>20260131T235959Z</DateTime>\
             <Validity>60</Validity></MessageInfo><ContentData>Gr\u{fc}\u{df}e</ContentData>\
             </NewMessage>"
        );
        let bare = told(
            version,
            "<NewMessage><MessageInfo messageID=\"m2\"/></NewMessage>",
        );
        let bare = bare.unwrap();
        assert!(bare.contains("<ContentSize>0</ContentSize>"), "{bare}");
        assert!(bare.contains("<UserID>wv:@home.test</UserID>"), "{bare}");
        assert_eq!(bare.contains("<ContentData"), version == Version::V1_1);
    }
}

#[test]
fn a_message_by_a_group_shows_the_screen_name() {
    let new = r#"<NewMessage><MessageInfo messageID="m1" contentSize="1"><Recipient><GroupID groupID="wv:bob/tea@b.test"/></Recipient><Sender><User userID="wv:bob@b.test"/><GroupID groupID="wv:bob/tea@b.test"/><ScreenName groupID="wv:bob/tea@b.test">Bo</ScreenName></Sender></MessageInfo><ContentData contentType="text/plain" encoding="base64">eA==</ContentData></NewMessage>"#;
    for version in ALL {
        let heard = told(version, new).unwrap();
        assert!(
            heard.contains(
                "<Sender><Group><ScreenName><SName>Bo</SName><GroupID>wv:bob/tea@b.test</GroupID>\
                 </ScreenName></Group></Sender>"
            ),
            "{heard}"
        );
    }
}

#[test]
fn a_group_that_says_by_a_display_who_speaks_is_shown_as_that_participant() {
    for (shown, name) in [("Bo", "Bo"), ("wv:carl@c.test", "carl@c.test")] {
        let new = format!(
            r#"<NewMessage><MessageInfo messageID="m1"><Sender><GroupID groupID="wv:bob/tea@b.test"/><SenderDisplay><ScreenName groupID="wv:bob/tea@b.test">{shown}</ScreenName></SenderDisplay></Sender></MessageInfo></NewMessage>"#
        );
        for version in ALL {
            let heard = told(version, &new).unwrap();
            let sender = format!(
                "<Sender><Group><ScreenName><SName>{name}</SName><GroupID>wv:bob/tea@b.test\
                 </GroupID></ScreenName></Group></Sender>"
            );
            assert!(heard.contains(&sender), "{heard}");
        }
    }
}

#[test]
fn a_message_that_waits_is_announced_and_fetched_and_said_to_have_come() {
    let about = "<MessageInfo><MessageID>m1</MessageID><ContentType>text/plain</ContentType>\
         <ContentSize>7</ContentSize><Recipient><User><UserID>wv:ann@home.test</UserID></User>\
         </Recipient><Sender><User><UserID>wv:bob@b.test</UserID></User></Sender>\
         <DateTime>20260131T235959Z</DateTime><Validity>60</Validity></MessageInfo>";
    let notification = format!("<MessageNotification>{INFO}</MessageNotification>");
    for version in ALL {
        assert_eq!(
            told(version, &notification).unwrap(),
            format!("<MessageNotification>{about}</MessageNotification>")
        );
    }
    let whole = about.replace(
        "<ContentSize>",
        "<ContentEncoding>None</ContentEncoding><ContentSize>",
    );
    is(
        &ALL,
        "<GetMessage-Request><MessageID>m1</MessageID></GetMessage-Request>",
        r#"<GetMessageRequest messageID="m1">META</GetMessageRequest>"#,
        &format!(
            r#"<GetMessageResponse><Status code="200"/>{INFO}<ContentData contentType="text/plain" encoding="base64">R3LDvMOfZQ==</ContentData></GetMessageResponse>"#
        ),
        &format!(
            "<GetMessage-Response>{whole}<ContentData>Gr\u{fc}\u{df}e</ContentData>\
             </GetMessage-Response>"
        ),
    );
    is(
        &ALL,
        "<MessageDelivered><MessageID>m1</MessageID></MessageDelivered>",
        r#"<MessageDelivered messageID="m1">META</MessageDelivered>"#,
        DONE,
        OK,
    );
}

#[test]
fn a_message_that_does_not_wait_is_not_had() {
    for answer in [
        r#"<Status code="426"/>"#,
        r#"<GetMessageResponse><Status code="426"/></GetMessageResponse>"#,
        r#"<GetMessageResponse><Status code="200"/></GetMessageResponse>"#,
    ] {
        is(
            &ALL,
            "<GetMessage-Request><MessageID>m1</MessageID></GetMessage-Request>",
            r#"<GetMessageRequest messageID="m1">META</GetMessageRequest>"#,
            answer,
            "<Status><Result><Code>426</Code></Result></Status>",
        );
    }
}

#[test]
fn messages_that_wait_are_listed_in_the_form_of_the_version() {
    let answer = format!(
        r#"<GetMessageListResponse messageTotalCount="5"><Status code="200"/>{INFO}</GetMessageListResponse>"#
    );
    for version in ALL {
        let mut interpreter = Interpreter::new(terms(version));
        let request =
            "<GetMessageList-Request><MessageCount>3</MessageCount></GetMessageList-Request>";
        let (asked, heard) = dialogue(&mut interpreter, request, &[&answer]);
        assert_eq!(
            asked,
            [r#"<GetMessageListRequest messageCount="3">META</GetMessageListRequest>"#]
        );
        let is_1_3 = version == Version::V1_3;
        assert_eq!(heard.contains("<MessageInfoList><MessageInfo>"), is_1_3);
        assert_eq!(
            heard.contains("<MessageTotalCount>5</MessageTotalCount>"),
            is_1_3
        );
        assert!(heard.contains("<MessageID>m1</MessageID>"), "{heard}");
    }
}

#[test]
fn a_message_that_a_group_has_kept_is_fetched_by_its_id_alone() {
    let mut interpreter = Interpreter::new(terms(Version::V1_2));
    let list =
        "<GetMessageList-Request><GroupID>wv:bob/tea@b.test</GroupID></GetMessageList-Request>";
    let answer =
        format!(r#"<GetMessageListResponse><Status code="200"/>{INFO}</GetMessageListResponse>"#);
    let (asked, _) = dialogue(&mut interpreter, list, &[&answer]);
    assert_eq!(
        asked,
        [r#"<GetMessageListRequest groupID="wv:bob/tea@b.test">META</GetMessageListRequest>"#]
    );
    for (id, group) in [("m1", r#" groupID="wv:bob/tea@b.test""#), ("m2", "")] {
        let get = format!("<GetMessage-Request><MessageID>{id}</MessageID></GetMessage-Request>");
        let (asked, _) = dialogue(&mut interpreter, &get, &[r#"<Status code="426"/>"#]);
        let expected =
            format!(r#"<GetMessageRequest messageID="{id}"{group}>META</GetMessageRequest>"#);
        assert_eq!(asked, [expected]);
    }
}

#[test]
fn the_kept_messages_that_are_remembered_are_bounded() {
    let mut interpreter = Interpreter::new(terms(Version::V1_2));
    let list =
        "<GetMessageList-Request><GroupID>wv:bob/tea@b.test</GroupID></GetMessageList-Request>";
    let infos = (0..60).map(|n| format!(r#"<MessageInfo messageID="m{n}"/>"#));
    let infos: String = infos.collect();
    let answer =
        format!(r#"<GetMessageListResponse><Status code="200"/>{infos}</GetMessageListResponse>"#);
    dialogue(&mut interpreter, list, &[&answer]);
    for (id, is_known) in [(9, false), (10, true), (59, true)] {
        let get = format!("<GetMessage-Request><MessageID>m{id}</MessageID></GetMessage-Request>");
        let (asked, _) = dialogue(&mut interpreter, &get, &[r#"<Status code="426"/>"#]);
        assert_eq!(asked[0].contains("groupID"), is_known, "{id}");
    }
}

#[test]
fn messages_are_rejected_and_forwarded() {
    is(
        &ALL,
        "<RejectMessage-Request><MessageID>m1</MessageID><MessageID>m2</MessageID>\
         </RejectMessage-Request>",
        r#"<RejectMessageRequest>META<MessageID messageID="m1"/><MessageID messageID="m2"/></RejectMessageRequest>"#,
        r#"<Status code="426"/>"#,
        "<Status><Result><Code>426</Code></Result></Status>",
    );
    let request = "<ForwardMessage-Request><MessageID>m1</MessageID><Recipient><User><UserID>bob\
         </UserID></User></Recipient></ForwardMessage-Request>";
    let asked = r#"<ForwardMessageRequest messageID="m1">META<Recipient><User userID="wv:bob@home.test"/></Recipient></ForwardMessageRequest>"#;
    let answer =
        r#"<ForwardMessageResponse messageID="f1"><Status code="200"/></ForwardMessageResponse>"#;
    is(&super::TO_1_2, request, asked, answer, OK);
    is(
        &[Version::V1_3],
        request,
        asked,
        answer,
        "<ForwardMessage-Response><MessageID>f1</MessageID></ForwardMessage-Response>",
    );
    is(
        &ALL,
        request,
        asked,
        r#"<ForwardMessageResponse><Status code="531"/></ForwardMessageResponse>"#,
        "<Status><Result><Code>531</Code></Result></Status>",
    );
}

#[test]
fn the_delivery_method_is_set_for_the_session() {
    is(
        &ALL,
        "<SetDeliveryMethod-Request><DeliveryMethod>n</DeliveryMethod><AcceptedContentLength>100\
         </AcceptedContentLength></SetDeliveryMethod-Request>",
        r#"<SetDeliveryMethodRequest deliveryMethod="N" acceptedContentLength="100">META</SetDeliveryMethodRequest>"#,
        DONE,
        OK,
    );
    refused(
        Version::V1_1,
        "<SetDeliveryMethod-Request><DeliveryMethod>X</DeliveryMethod></SetDeliveryMethod-Request>",
        "<Status><Result><Code>402</Code><Description>A delivery method is P or N.</Description>\
         </Result></Status>",
    );
}

#[test]
fn a_report_names_the_user_as_sender_and_who_reports_as_recipient() {
    let report = r#"<DeliveryStatusReport>META<DeliveryResult><Status code="542"/></DeliveryResult><DeliveryTime>2026-01-31T23:59:59Z</DeliveryTime><MessageInfo messageID="m1"><Recipient><User userID="wv:ann@home.test"/></Recipient><Sender><User userID="wv:bob@b.test"/></Sender></MessageInfo></DeliveryStatusReport>"#;
    for version in ALL {
        assert_eq!(
            told(version, report).unwrap(),
            "<DeliveryReport-Request><Result><Code>542</Code></Result><DeliveryTime>\
             20260131T235959Z</DeliveryTime><MessageInfo><MessageID>m1</MessageID><ContentSize>0\
             </ContentSize><Recipient><User><UserID>wv:bob@b.test</UserID></User></Recipient>\
             <Sender><User><UserID>wv:ann@home.test</UserID></User></Sender></MessageInfo>\
             </DeliveryReport-Request>"
        );
    }
}

#[test]
fn those_who_are_blocked_are_listed_and_changed() {
    let response = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:eve@home.test"/></BlockList><GrantList inUse="No"/></GetBlockedListResponse>"#;
    for (versions, heard) in [
        (
            &super::TO_1_2[..],
            "<GetBlockedList-Response><BlockList><InUse>T</InUse><EntityList><UserID>\
             wv:eve@home.test</UserID></EntityList></BlockList><GrantList><InUse>F</InUse>\
             <EntityList/></GrantList></GetBlockedList-Response>",
        ),
        (
            &[Version::V1_3][..],
            "<GetBlockedList-Response><BlockList><EntityList><UserID>wv:eve@home.test</UserID>\
             </EntityList></BlockList><BlockListInUse>T</BlockListInUse><GrantList><EntityList/>\
             </GrantList><GrantListInUse>F</GrantListInUse></GetBlockedList-Response>",
        ),
    ] {
        is(
            versions,
            "<GetBlockedList-Request/>",
            "<GetBlockedListRequest>META</GetBlockedListRequest>",
            response,
            heard,
        );
    }
    let lists = "<AddList><UserID>eve</UserID><GroupID>wv:bob/tea@b.test</GroupID></AddList>\
         <RemoveList><ScreenName><SName>Bo</SName><GroupID>wv:bob/tea@b.test</GroupID></ScreenName>\
         </RemoveList>";
    let asked = r#"<BlockEntityRequest>META<BlockList inUse="Yes"><AddList><UserID userID="wv:eve@home.test"/><GroupID groupID="wv:bob/tea@b.test"/></AddList><RemoveList><ScreenName groupID="wv:bob/tea@b.test">Bo</ScreenName></RemoveList></BlockList></BlockEntityRequest>"#;
    for request in [
        format!(
            "<BlockUser-Request><BlockList><InUse>T</InUse>{lists}</BlockList></BlockUser-Request>"
        ),
        format!(
            "<BlockEntity-Request><BlockListInUse>T</BlockListInUse><BlockList>{lists}</BlockList>\
             </BlockEntity-Request>"
        ),
    ] {
        is(&ALL, &request, asked, DONE, OK);
    }
}

#[test]
fn an_answer_of_another_kind_is_no_success() {
    let mut interpreter = Interpreter::new(terms(Version::V1_2));
    let Asked::User(mut exchange, _) =
        interpreter.ask(read(Version::V1_2, "<GetBlockedList-Request/>"))
    else {
        panic!("not asked");
    };
    let Heard::Answer(answer) = interpreter.hear(&mut exchange, ssp(DONE)) else {
        panic!("not answered");
    };
    assert!(written(Version::V1_2, &answer).contains("<Code>500</Code>"));
}
