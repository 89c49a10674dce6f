//! Lines and requests of all families.

use super::*;
use crate::imps::Status;
use crate::imps::primitive::message::SendMessageResponse;
use crate::ssp::envelope::decode_fragment;

pub(super) fn codec() -> Codec {
    Codec::new(Address::new("alice@home.test"), 0, None)
}

/// The requests of a line, with their ids.
pub(super) fn said(codec: &mut Codec, line: &str) -> Vec<(String, Primitive)> {
    match codec.understand(line) {
        Action::Say(requests) => requests
            .into_iter()
            .map(|request| match request {
                FromClient::Request { id, primitive } => (id, *primitive),
                other => panic!("{other:?}"),
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Two contact lists.
const TWO_LISTS: &str = r#"<GetListResponse><Status code="200"/><ContactList contactListID="wv:alice/friends@home.test"/><ContactList contactListID="wv:alice/work@home.test"/></GetListResponse>"#;

/// The requests that follow from what was heard, with their ids.
pub(super) fn further(codec: &mut Codec) -> Vec<(String, Primitive)> {
    let requests = codec.further().into_iter();
    let requests = requests.map(|request| match request {
        FromClient::Request { id, primitive } => (id, *primitive),
        other => panic!("{other:?}"),
    });
    requests.collect()
}

pub(super) fn answer(codec: &mut Codec, id: &str, xml: &str) -> Option<String> {
    let primitive = decode_fragment(xml.as_bytes()).unwrap();
    codec.hear(&ToClient::answer(id.to_owned(), primitive))
}

pub(super) fn now(codec: &mut Codec, xml: &str) -> Option<String> {
    let primitive = decode_fragment(xml.as_bytes()).unwrap();
    codec.hear(&ToClient::now(primitive))
}

#[test]
fn a_plain_line_goes_to_the_partner() {
    let mut codec = codec();
    assert!(matches!(codec.understand("hi"), Action::Show(_)));
    assert!(matches!(codec.understand("/to carol"), Action::Show(_)));
    codec.understand("/report on");
    let mut requests = said(&mut codec, "hi there");
    let (id, primitive) = requests.pop().unwrap();
    let Primitive::SendMessageRequest(message) = primitive else {
        panic!("{primitive:?}");
    };
    assert!(message.delivery_report);
    let carol = Address::new("carol@home.test");
    assert_eq!(message.info.recipients[0].address(), &carol);
    assert_eq!(message.content.unwrap().bytes, b"hi there");
    let asking = message.meta.as_ref().unwrap().user().unwrap();
    assert_eq!(asking.user, Address::new("alice@home.test"));
    let taken = SendMessageResponse {
        message_id: "m-1".to_owned(),
        status: Status::ok(),
    };
    let told = codec.hear(&ToClient::answer(id, taken));
    let line = "* taken by home.test for carol@home.test";
    assert_eq!(told.as_deref(), Some(line));
}

#[test]
fn what_no_message_can_say_is_blank() {
    let mut codec = codec();
    let requests = said(&mut codec, "/to bob@b.test a\0b\u{1b}[c\td\ne\u{fffe}");
    let Primitive::SendMessageRequest(message) = &requests[0].1 else {
        panic!("no message");
    };
    let text = &message.content.as_ref().unwrap().bytes;
    assert_eq!(text, b"a b [c\td\ne");
}

#[test]
fn a_message_may_be_sent_without_another_partner() {
    let mut codec = codec();
    codec.understand("/to carol");
    let to = |codec: &mut Codec, line: &str| match said(codec, line).pop() {
        Some((_, Primitive::SendMessageRequest(message))) => {
            message.info.recipients[0].address().clone()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        to(&mut codec, "/SEND bob@b.test hi"),
        Address::new("bob@b.test")
    );
    assert_eq!(to(&mut codec, "hi"), Address::new("carol@home.test"));
    assert_eq!(codec.under_way(), 2);
    assert!(matches!(codec.understand("/send bob"), Action::Show(_)));
}

#[test]
fn the_partner_may_be_chosen_and_written_to_in_one_line() {
    let requests = said(&mut codec(), "/to bob@b.test hello you");
    assert!(matches!(
        &requests[0].1,
        Primitive::SendMessageRequest(message)
            if message.content.as_ref().unwrap().bytes == b"hello you"
    ));
}

#[test]
fn what_groups_tell_is_shown() {
    let mut codec = codec();
    let change = r#"<GroupChangeNotice groupID="wv:bob/club@b.test"><User userID="wv:alice@home.test"/><Joined><Name>Vicky</Name><Name>wv:carol@b.test</Name></Joined><Left><Name>Tom</Name></Left></GroupChangeNotice>"#;
    let told = now(&mut codec, change);
    let line = "* bob/club@b.test: Vicky, wv:carol@b.test joined; Tom left";
    assert_eq!(told.as_deref(), Some(line));
    let leave = r#"<LeaveGroupIndication groupID="wv:bob/club@b.test"><Status code="809"/><User userID="wv:alice@home.test"/></LeaveGroupIndication>"#;
    let told = now(&mut codec, leave).unwrap();
    assert!(
        told.starts_with("* you are no longer in bob/club@b.test: 809"),
        "{told}"
    );
}

#[test]
fn every_command_of_the_help_is_understood() {
    let help = help();
    let words = help.split_whitespace();
    for command in words.filter(|word| word.len() > 1 && word.starts_with('/')) {
        let command = command.trim_end_matches(';');
        let action = codec().understand(&format!("{command} x@y.test"));
        assert!(
            !matches!(&action, Action::Show(text) if text.contains("there is no command")),
            "{command}"
        );
    }
}

#[test]
fn whoever_has_no_contact_list_is_told_of_those_who_are_blocked_or_watched() {
    let mut codec = codec();
    let requests = said(&mut codec, "/who");
    let blocked = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:zoe@far.test"/></BlockList></GetBlockedListResponse>"#;
    answer(&mut codec, &requests[1].0, blocked);
    let none = r#"<GetListResponse><Status code="200"/></GetListResponse>"#;
    let told = answer(&mut codec, &requests[0].0, none).unwrap();
    assert!(told.starts_with("* zoe@far.test (blocked)"), "{told}");
    assert!(further(&mut codec).is_empty());
    let requests = said(&mut codec, "/watchers");
    for (id, _) in &requests[1..] {
        assert_eq!(answer(&mut codec, id, r#"<Status code="506"/>"#), None);
    }
    let told = answer(&mut codec, &requests[0].0, r#"<Status code="506"/>"#).unwrap();
    assert!(told.starts_with("* watchers failed: 506"), "{told}");
}

#[test]
fn contacts_are_told_when_all_answers_are_there() {
    let mut codec = codec();
    let requests = said(&mut codec, "/who");
    let names: Vec<&str> = requests.iter().map(|(_, p)| p.name()).collect();
    assert_eq!(names, ["GetListRequest", "GetBlockedListRequest"]);
    now(
        &mut codec,
        r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:eve@b.test"/></PresenceNotification>"#,
    );
    let blocked = r#"<GetBlockedListResponse><Status code="200"/><BlockList inUse="Yes"><UserID userID="wv:zoe@far.test"/></BlockList></GetBlockedListResponse>"#;
    assert_eq!(answer(&mut codec, &requests[1].0, blocked), None);
    assert_eq!(answer(&mut codec, &requests[0].0, TWO_LISTS), None);
    let [friends, work] = &further(&mut codec)[..] else {
        panic!("a request for each list");
    };
    let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName name="Bobby" userID="wv:bob@b.test"/></NickList></ListManageResponse>"#;
    assert_eq!(answer(&mut codec, &friends.0, members), None);
    let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName name="Bob" userID="wv:bob@b.test"/><NickName userID="wv:ann@b.test"/></NickList></ListManageResponse>"#;
    let told = answer(&mut codec, &work.0, members);
    assert_eq!(
        told.as_deref(),
        Some(
            "* ann@b.test is not watched: /subscribe ann@b.test\n\
             * bob@b.test \"Bobby\" is not watched: /subscribe bob@b.test\n\
             * eve@b.test has not allowed you to see their presence yet\n\
             * zoe@far.test (blocked) is not watched: /subscribe zoe@far.test"
        )
    );
}

#[test]
fn watchers_are_told_with_what_they_see() {
    let mut codec = codec();
    let requests = said(&mut codec, "/watchers");
    let list = r#"<GetWatcherListResponse><Status code="200"/><Watcher userID="wv:a@b.test"/><Watcher userID="wv:b@b.test"/><Watcher userID="wv:c@b.test"/></GetWatcherListResponse>"#;
    let decisions = r#"<GetReactiveAuthStatusResponse><Status code="200"/><ReactiveAuthStatus userID="wv:b@b.test" state="PENDING"/><ReactiveAuthStatus userID="wv:z@b.test" state="DENIED"/></GetReactiveAuthStatusResponse>"#;
    let members = r#"<ListManageResponse><Status code="200"/><NickList><NickName userID="wv:c@b.test"/></NickList></ListManageResponse>"#;
    assert_eq!(answer(&mut codec, &requests[0].0, list), None);
    assert_eq!(answer(&mut codec, &requests[1].0, decisions), None);
    assert_eq!(answer(&mut codec, &requests[2].0, TWO_LISTS), None);
    let of_lists = further(&mut codec);
    let nobody = r#"<ListManageResponse><Status code="200"/></ListManageResponse>"#;
    assert_eq!(answer(&mut codec, &of_lists[0].0, nobody), None);
    assert_eq!(
        answer(&mut codec, &of_lists[1].0, members).as_deref(),
        Some(
            "* a@b.test sees nothing\n* b@b.test waits for your decision\n* c@b.test sees your presence"
        )
    );
}

#[test]
fn presence_is_told_when_it_is_news() {
    let mut codec = codec();
    let online = r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:bob@b.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"#;
    let told = now(&mut codec, online);
    assert_eq!(told.as_deref(), Some("* bob@b.test is online"));
    assert_eq!(now(&mut codec, online), None);
}

#[test]
fn a_request_that_failed_says_why() {
    let mut codec = codec();
    let requests = said(&mut codec, "/subscribe nobody");
    let status = r#"<Status code="531"/>"#;
    let told = answer(&mut codec, &requests[0].0, status).unwrap();
    assert!(
        told.starts_with("* subscribe nobody@home.test failed: 531"),
        "{told}"
    );
}
