//! Group A: malformed or unusual output that is accepted.

use crate::support::alone::only;
use wvgate::imps::address::Kind;
use wvgate::imps::presence::AttributeName;
use wvgate::imps::{Address, Primitive};
use wvgate::sap::{Peer, Posted, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{decode_fragment, print_session};

use super::{
    ALICE, Between, ROB, about_group, asks, message, primitive, quiet, read, recorded, text, user,
};
use crate::support::alone::{Alone, dialect};
use crate::support::client::Client;
use crate::support::talk::Event;

fn decoded(xml: &str) -> Primitive {
    decode_fragment(xml.as_bytes()).unwrap()
}

#[test]
fn a_misspelt_protocol_version_is_read() {
    let Primitive::SendSecretToken(token) = primitive("01/0003") else {
        panic!("no token")
    };
    assert!(String::from_utf8_lossy(&recorded()["01/0003"].1).contains("procotolVersion"));
    assert_eq!(token.version.as_deref(), Some("1.3"));
}

#[test]
fn a_cancellation_that_is_never_closed_goes_on() {
    let mut between = Between::new();
    between.replay("01/0121", &[("bob@b.test", "rob@r.test")]);
    let relayed = between.sent("r.test");
    let Ok(Primitive::CancelInviteRequest(cancel)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    let canceled = cancel.canceled.unwrap().address().clone();
    assert_eq!(canceled, Address::new(ROB));
    assert!(cancel.group.is_some(), "what follows is still there");
}

#[test]
fn unescaped_text_goes_on_escaped() {
    let mut between = Between::new();
    between.replay("01/0117", &[("bob@b.test", "rob@r.test")]);
    let relayed = between.sent("r.test");
    assert!(text(&relayed).contains("come &amp; chat"), "{relayed:?}");
    let (_, repairs) = read("11/0027", &[]);
    let names: Vec<&str> = repairs.iter().map(|repair| repair.name()).collect();
    assert_eq!(names, ["attribute-quote"]);
    // A dialect without the repairs refuses the same message.
    let mut strict = Between::with(wvgate::sap::Peer::new("a.test", quiet()));
    let (message, repairs) = read("01/0117", &[]);
    let facts = wvgate::sap::Facts {
        repairs: repairs.iter().map(|r| r.name().to_owned()).collect(),
        ..wvgate::sap::Facts::default()
    };
    let now = strict.alone.now;
    let verdict = strict.alone.sap.receive(&message, &facts, now);
    assert_eq!(verdict, Verdict::Malformed);
}

#[test]
fn text_escaped_byte_by_byte_with_names_of_html_is_read() {
    let Primitive::PresenceNotification(notice) = primitive("13/0070") else {
        panic!("no presence")
    };
    let list = notice.values[0].presence.as_ref().unwrap();
    let status = list.get(&AttributeName::StatusText).unwrap();
    assert!(status.simple().unwrap().starts_with("café 日本"));
    // What is no UTF-8 after that is Latin-1.
    let body = recorded()["13/0070"].1.to_vec();
    let text = String::from_utf8_lossy(&body).into_owned();
    let (before, rest) = text.split_once("caf&Atilde;&copy;").unwrap();
    let (_, after) = rest.split_once("</PresenceValue>").unwrap();
    let latin = format!("{before}caf&eacute;</PresenceValue>{after}");
    let (message, _) = wvgate::ssp::envelope::scan_lenient(
        &latin.into(),
        &wvgate::imps::xml::Limits::default(),
        wvgate::imps::xml::Repair::ALL,
    )
    .unwrap();
    let transactions = crate::codec_fixtures::transactions(&message).1;
    let Ok(Primitive::PresenceNotification(notice)) = transactions[0].primitive() else {
        panic!("no presence")
    };
    let list = notice.values[0].presence.as_ref().unwrap();
    let status = list.get(&AttributeName::StatusText).unwrap();
    assert_eq!(status.simple(), Some("café"));
}

#[test]
fn texts_between_line_feeds_and_broken_base64_are_read() {
    let Primitive::PresenceNotification(notice) = primitive("01/0046") else {
        panic!("no presence")
    };
    let list = notice.values[0].presence.as_ref().unwrap();
    let online = list.get(&AttributeName::OnlineStatus).unwrap();
    assert_eq!(online.simple(), Some("T"));
    let Primitive::SendMessageRequest(message) = primitive("11/0029") else {
        panic!("no message")
    };
    let text = format!("{}\ny", "x".repeat(3000));
    assert_eq!(message.content.unwrap().bytes, text.as_bytes());
}

#[test]
fn both_spellings_of_joined_users_and_of_userid_are_read() {
    let list = "<UserMapList><UserMapping><Mapping><SName>Al</SName><UserID userid=\"alice@a.test\"/></Mapping></UserMapping></UserMapList>";
    for name in ["JoinedUser", "JoinedUsers"] {
        let xml = format!(
            "<GetJoinedUsersResponse><Status code=\"200\"/><{name}>{list}</{name}></GetJoinedUsersResponse>"
        );
        let Primitive::GetJoinedUsersResponse(response) = decoded(&xml) else {
            panic!("{xml}")
        };
        let mappings = response.users.unwrap().map.unwrap().mappings.unwrap();
        let user = mappings[0].user.as_ref().unwrap();
        assert_eq!(user.user, Address::new(ALICE), "{name}");
    }
    assert!(matches!(
        primitive("10/0092"),
        Primitive::GetJoinedUsersResponse(response) if response.users.is_some()
    ));
}

#[test]
fn a_client_with_an_application_inside_is_that_application() {
    let xml = "<JoinGroupRequest groupID=\"wv:a/b@c\"><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"alice@a.test\"><ClientID url=\"\"><ApplicationID applicationID=\"chess\"/></ClientID></User></Requestor></MetaInfo></JoinGroupRequest>";
    let Primitive::JoinGroupRequest(join) = decoded(xml) else {
        panic!("no join")
    };
    let client = join.meta.unwrap().requestor.user.unwrap().client.unwrap();
    assert_eq!(client.application.as_deref(), Some("chess"));
    assert_eq!(client.url, "");
}

#[test]
fn who_asks_without_a_domain_is_of_the_sessions_peer() {
    let mut between = Between::new();
    let nameless = message("wv:alice@a.test", &user(ROB)).replace("wv:@a.test", "wv:@");
    let relayed = between.relayed_from_it(&nameless);
    let service = relayed.peek.service.clone().unwrap();
    assert_eq!(service, Address::service("a.test"));
    let nameless = about_group("LeaveGroupRequest", "wv:alice", "wv:rob/den@r.test")
        .replace("wv:@wv:alice", "wv:@");
    let relayed = between.relayed_from_it(&nameless);
    assert_eq!(relayed.peek.user, Some(Address::new(ALICE)));
}

#[test]
fn times_of_the_deployed_server_give_way_to_the_time_of_receipt() {
    let mut between = Between::new();
    for time in ["1970-01-01T00:00:00Z", "2026-15-22T07:59:35Z", "nonsense"] {
        let xml = message(ALICE, &user(ROB)).replace(
            "</Sender>",
            &format!("</Sender><DateTime format=\"iso8601\">{time}</DateTime>"),
        );
        let relayed = between.relayed_from_it(&xml.replace("m1", time));
        let Ok(Primitive::SendMessageRequest(message)) = relayed.primitive() else {
            panic!("{relayed:?}")
        };
        let sent = message.info.date_time.unwrap();
        assert_eq!(sent.0, i64::try_from(between.alone.now.0 / 1000).unwrap());
    }
}

#[test]
fn ids_without_prefix_are_the_same_addresses() {
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&message("alice@a.test", &user("rob@r.test")));
    assert_eq!(relayed.peek.sender, Some(Address::new(ALICE)));
    assert_eq!(relayed.peek.recipients, [Address::new(ROB)]);
    assert_eq!(Address::new("rob@r.test").as_str(), ROB);
}

#[tokio::test]
async fn the_session_in_a_header_is_not_read() {
    use crate::support::peer::{Deployed, node, recorded};
    let mut peer = Deployed::listen().await;
    let store = std::sync::Arc::new(wvgate::store::MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let text = String::from_utf8(recorded("01/0017", &[])).unwrap();
    for header in ["", "x-wv-sessionid: 999@nowhere.test\r\n"] {
        let (start, rest) = text.split_once("\r\n").unwrap();
        let rest: Vec<&str> = rest
            .split("\r\n")
            .filter(|line| !line.to_ascii_lowercase().starts_with("x-wv-sessionid"))
            .collect();
        let whole = format!("{start}\r\n{header}{}", rest.join("\r\n"));
        assert_eq!(peer.post(whole.as_bytes()).await, Some(200), "{header}");
        let answer = peer.expect(&["<SendMessageResponse"]).await;
        assert_eq!(answer.attribute("code"), "200");
    }
    // Only the first was delivered: the second repeats its transaction.
    let mut bob = Client::open(node.handle(), "bob").await.unwrap().unwrap();
    assert!(matches!(bob.take().await, Some(Event::Ready { .. })));
}

fn list_of_a_join(between: &mut Between, names: &[&str]) -> Option<Vec<String>> {
    let join = about_group("JoinGroupRequest", ROB, super::ROOM);
    let names: String = names
        .iter()
        .map(|name| format!("<Name>{name}</Name>"))
        .collect();
    let answer = format!(
        "<JoinGroupResponse><Status code=\"200\"/><JoinedList>{names}</JoinedList></JoinGroupResponse>"
    );
    let Primitive::JoinGroupResponse(heard) = between.answered(&join, &answer) else {
        panic!("no answer")
    };
    heard.joined
}

#[test]
fn a_missing_name_in_the_list_of_a_join_is_dropped() {
    let mut between = Between::new();
    let names = ["N/A", "Boss", "\nN/A\n", "N/Alice"];
    let heard = list_of_a_join(&mut between, &names);
    assert_eq!(heard.unwrap(), ["Boss", "N/Alice"]);
    // Of others it is a name.
    let mut between = Between::with(Peer::new("a.test", quiet()));
    let heard = list_of_a_join(&mut between, &["N/A", "Boss"]);
    assert_eq!(heard.unwrap(), ["N/A", "Boss"]);
}

#[test]
fn the_list_of_a_join_is_passed_on_as_the_hint_it_is() {
    // Neither the one who joins nor anybody twice need be right.
    let mut between = Between::new();
    let heard = list_of_a_join(&mut between, &["Boss", "Boss", "Absent"]);
    assert_eq!(heard.unwrap(), ["Boss", "Boss", "Absent"]);
}

#[test]
fn an_empty_or_absent_attribute_list_means_all() {
    let subscribe = |list: &str| {
        format!(
            "<SubscribeRequest>{}<UserID userID=\"{ROB}\"/>{list}</SubscribeRequest>",
            asks(ALICE)
        )
    };
    for list in [
        "",
        "<AttributeList/>",
        "<AttributeList><PresenceSubList/></AttributeList>",
    ] {
        let Primitive::SubscribeRequest(request) = decoded(&subscribe(list)) else {
            panic!("{list}")
        };
        let wanted = request.attributes.and_then(|list| list.presence);
        assert!(
            wanted.is_none_or(|list| list.attributes.is_empty()),
            "{list}"
        );
    }
}

#[test]
fn a_user_id_with_a_slash_is_a_group() {
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&message(ALICE, &user("rob/den@r.test")));
    let [group] = relayed.peek.recipients.as_slice() else {
        panic!("{relayed:?}")
    };
    assert_eq!(
        (group.kind(), group.resource_part(), group.domain()),
        (Kind::Resource, Some("den"), "r.test")
    );
}

#[test]
fn a_refusal_whose_connection_is_closed_is_not_repeated() {
    let peer = wvgate::sap::Peer::new("a.test", dialect("baraza"));
    let settings = wvgate::sap::Settings::new("b.test").with_peer(peer);
    let mut alone = Alone::new(settings);
    // A session that nobody knows: it is told to forget it.
    let lost = print_session(
        "x",
        "77@a.test",
        [(Mode::Request, "1", message(ALICE, &user(ROB)).as_str())],
    );
    assert_eq!(alone.say(&lost), Verdict::Forbidden);
    let refusal = alone.post();
    assert_eq!(only(&refusal).name, "LoginResponse");
    alone.posted(&refusal, &Posted::Closed);
    alone.pass(30_000);
    let again = |post: &wvgate::sap::Post| only(post).name == "LoginResponse";
    assert!(!alone.posts.iter().any(again), "{:?}", alone.posts);
}
