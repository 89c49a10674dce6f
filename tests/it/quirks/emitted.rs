//! Group D: what must be written so that the deployed server takes it.

use crate::support::alone::only;
use wvgate::imps::{Address, Primitive};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{Transaction, decode_fragment};

use super::{ALICE, Between, ROB, about_group, asks, code, message, text, user};

/// What stands directly below the primitive, by name.
fn children(transaction: &Transaction) -> Vec<String> {
    let limits = wvgate::imps::xml::Limits::default();
    let node = wvgate::imps::xml::parse(&transaction.raw, &limits).unwrap();
    node.children
        .iter()
        .map(|child| child.name.to_owned())
        .collect()
}

fn invitation(kind: &str, what: &str) -> String {
    format!(
        "<InviteRequest inviteID=\"i1\" inviteType=\"{kind}\">{}<Inviting>{}</Inviting><Invited>{}</Invited>{what}</InviteRequest>",
        asks(ROB),
        user(ROB),
        user(ALICE)
    )
}

/// A message of a group, or of one of its participants.
fn of_group(sender: &str) -> String {
    message(ROB, &user(ALICE)).replace(
        &format!("<Sender>{}</Sender>", user(ROB)),
        &format!("<Sender>{sender}</Sender>"),
    )
}

#[test]
fn the_ids_it_gets_are_plain_ascii() {
    let mut between = Between::new();
    between.say(
        "r.test",
        Mode::Request,
        "ü&<\"1",
        &message(ROB, &user(ALICE)),
    );
    let post = between.alone.acknowledged_post();
    let sent = only(&post);
    assert!(
        sent.id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        "{}",
        sent.id
    );
    let session = post.session.unwrap();
    let session = session.as_str();
    assert!(session.is_ascii() && session.ends_with("@b.test"));
    assert_eq!(session.matches('@').count(), 1);
}

#[test]
fn an_answer_to_leaving_comes_as_response_under_its_id() {
    let mut between = Between::new();
    let leave = about_group("LeaveGroupRequest", ALICE, "wv:rob/den@r.test");
    between.say("a.test", Mode::Request, "0000002001-0", &leave);
    let relayed = between.sent("r.test");
    let left = "<LeaveGroupIndication><Status code=\"200\"/></LeaveGroupIndication>";
    between.say("r.test", Mode::Response, &relayed.id, left);
    let answer = between.sent("a.test");
    assert_eq!(
        (answer.mode, answer.id.as_str()),
        (Mode::Response, "0000002001-0")
    );
    assert_eq!(answer.name, "LeaveGroupIndication");
}

#[test]
fn an_answer_about_presence_gets_a_status_on_its_way_to_it() {
    let mut between = Between::new();
    let ask = format!(
        "<GetPresenceRequest>{}<VerUserID userID=\"{ROB}\"/></GetPresenceRequest>",
        asks(ALICE)
    );
    let relayed = between.relayed_from_it(&ask);
    let answer = "<GetPresenceResponse/>";
    between.say("r.test", Mode::Response, &relayed.id, answer);
    let answer = between.sent("a.test");
    assert!(text(&answer).contains("<Status code=\"200\""), "{answer:?}");
}

#[test]
fn a_group_that_writes_has_a_user_and_a_screen_name() {
    let mut between = Between::new();
    let bare = "<GroupID groupID=\"wv:rob/den@r.test\"/>";
    let named = "<ScreenName groupID=\"wv:rob/den@r.test\">Boss</ScreenName>";
    for (sender, name) in [(bare, "den"), (named, "Boss")] {
        let without = of_group(sender)
            .replace(&user(ROB), "")
            .replace("clientOriginated=\"Yes\"", "clientOriginated=\"No\"");
        let sent = between.relayed_to_it(&without);
        let Ok(Primitive::SendMessageRequest(message)) = sent.primitive() else {
            panic!("{sent:?}")
        };
        let sender = message.info.sender.unwrap();
        assert!(sender.group.is_none(), "refused with 427: {sender:?}");
        assert_eq!(sender.screen_name.unwrap().name, name);
        let asking = message.meta.unwrap();
        assert_eq!(asking.client_originated, Some(true));
        assert_eq!(
            asking.requestor.user.unwrap().user,
            Address::new("wv:rob/den@r.test")
        );
    }
}

#[test]
fn users_stand_directly_in_a_subscription() {
    let mut between = Between::new();
    let xml = format!(
        "<SubscribeRequest>{}<UserID userID=\"{ALICE}\"/><UserID userID=\"wv:anna@a.test\"/></SubscribeRequest>",
        asks(ROB)
    );
    let sent = between.relayed_to_it(&xml);
    assert_eq!(children(&sent), ["MetaInfo", "UserID", "UserID"]);
    let xml = format!(
        "<GetPresenceRequest>{}<VerUserID userID=\"{ALICE}\"/></GetPresenceRequest>",
        asks(ROB)
    );
    let printed = decode_fragment(xml.as_bytes()).unwrap().to_xml(None);
    assert!(printed.contains("</MetaInfo><VerUserID "), "{printed}");
}

#[test]
fn attribute_lists_are_written_in_the_letters_it_reads() {
    let mut between = Between::new();
    let xml = format!(
        "<SubscribeRequest>{}<UserID userID=\"{ALICE}\"/><AttributeList><PRESENCESUBLIST><OnlineStatus/><CommCap/></PRESENCESUBLIST></AttributeList></SubscribeRequest>",
        asks(ROB)
    );
    let sent = between.relayed_to_it(&xml);
    let raw = text(&sent);
    assert!(raw.contains("<AttributeList><PresenceSubList"), "{raw}");
    assert!(raw.contains("<OnlineStatus"), "{raw}");
}

#[test]
fn misread_attributes_of_a_message_are_written_twice() {
    let mut between = Between::new();
    let all = " validity=\"60\" messageURI=\"u\" contentName=\"n\" contentType";
    let sent = between.relayed_to_it(&message(ROB, &user(ALICE)).replace(" contentType", all));
    let raw = text(&sent);
    for (right, wrong) in [
        ("validity=\"60\"", "validlity=\"60\""),
        ("messageURI=\"u\"", "MessageURI=\"u\""),
        ("contentName=\"n\"", "ContentName=\"n\""),
    ] {
        assert!(raw.contains(right) && raw.contains(wrong), "{raw}");
    }
}

#[test]
fn a_sender_is_a_direct_child() {
    let mut between = Between::new();
    let sent = between.relayed_to_it(&message(ROB, &user(ALICE)));
    assert!(text(&sent).contains("<Sender><User userID"), "{sent:?}");
}

#[test]
fn content_is_always_base64() {
    let mut between = Between::new();
    let sent = between.relayed_to_it(&message(ROB, &user(ALICE)));
    let raw = text(&sent);
    assert!(
        raw.contains("encoding=\"base64\">aGk=</ContentData>"),
        "{raw}"
    );
}

#[test]
fn an_invitation_says_what_it_is_to() {
    let mut between = Between::new();
    for (kind, what, fits) in [
        ("IM", "", true),
        ("", "", false),
        ("GR", "", false),
        ("GR", "<GroupID groupID=\"wv:rob/den@r.test\"/>", true),
        ("GM", "", false),
        ("SC", "", false),
        (
            "SC",
            "<ContentIDList><ContentID url=\"u\"/></ContentIDList>",
            true,
        ),
        ("AP", "", false),
        ("AP", "<ApplicationID applicationID=\"chess\"/>", true),
    ] {
        let id = format!("{kind}{}", what.len());
        between.say("r.test", Mode::Request, &id, &invitation(kind, what));
        let post = between.alone.acknowledged_post();
        let transaction = only(&post);
        if fits {
            assert_eq!(post.peer, "a.test", "{kind} {what}");
            assert!(text(&transaction).contains(&format!("inviteType=\"{kind}\"")));
        } else {
            assert_eq!(post.peer, "r.test", "{kind} {what}");
            assert_eq!(code(&transaction.primitive().unwrap()), 400);
        }
    }
}

#[test]
fn lists_of_joined_users_are_written_densely_under_the_name_it_reads() {
    let mut between = Between::new();
    let ask = about_group("GetJoinedUsersRequest", ALICE, "wv:rob/den@r.test");
    let relayed = between.relayed_from_it(&ask);
    let list = "\n <UserMapList>\n <UserMapping>\n <Mapping><SName>R</SName></Mapping> </UserMapping> </UserMapList> ";
    let answer = format!(
        "<GetJoinedUsersResponse><Status code=\"200\"/><JoinedAdmin>{list}</JoinedAdmin><JoinedUser>{list}</JoinedUser></GetJoinedUsersResponse>"
    );
    between.say("r.test", Mode::Response, &relayed.id, &answer);
    let sent = between.sent("a.test");
    let raw = text(&sent);
    for name in ["JoinedAdmin", "JoinedUsers"] {
        assert!(
            raw.contains(&format!("<{name}><UserMapList><UserMapping>")),
            "{raw}"
        );
    }
    assert!(!raw.contains("<JoinedUser>"), "{raw}");
}

#[test]
fn screen_names_of_a_failure_stand_in_its_text() {
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&message(ALICE, &user("wv:rob/den@r.test")));
    let answer = "<SendMessageResponse messageID=\"m1\"><Status code=\"201\"><DetailedResult code=\"532\"><StatusDescription>blocked</StatusDescription><ScreenName groupID=\"wv:rob/den@r.test\">Boss</ScreenName></DetailedResult></Status></SendMessageResponse>";
    between.say("r.test", Mode::Response, &relayed.id, answer);
    let sent = between.sent("a.test");
    let raw = text(&sent);
    assert!(
        raw.contains("<StatusDescription>blocked: Boss</StatusDescription>"),
        "{raw}"
    );
    assert!(!raw.contains("<ScreenName"), "{raw}");
}

#[test]
fn each_post_holds_one_transaction_and_no_comment() {
    let mut between = Between::new();
    for n in 0..5 {
        let xml = message(ROB, &user(ALICE)).replace("m1", &format!("m{n}"));
        between.say(
            "r.test",
            Mode::Request,
            &format!("t{n}"),
            &xml.replace("<MetaInfo", "<!-- x --><MetaInfo"),
        );
    }
    let mut posts = 0;
    while !between.is_quiet() {
        let post = between.alone.acknowledged_post();
        let body = std::str::from_utf8(&post.body).unwrap();
        assert_eq!(body.matches("<Transaction ").count(), 1);
        assert_eq!(body.matches("<Session ").count(), 1);
        assert!(!body.contains("<!--"), "{body}");
        posts += 1;
    }
    assert_eq!(posts, 5);
}

#[test]
fn a_client_is_its_url_alone() {
    let mut between = Between::new();
    let app = "<ClientID url=\"\"><ApplicationID applicationID=\"chess\"/></ClientID>";
    let both = "<ClientID url=\"http://c/1\"><ApplicationID applicationID=\"chess\"/></ClientID>";
    for (n, (client, url)) in [(app, "chess"), (both, "http://c/1")]
        .into_iter()
        .enumerate()
    {
        let to = format!("<User userID=\"{ALICE}\">{client}</User>");
        let xml = message(ROB, &to).replace("m1", &format!("m{n}"));
        let sent = between.relayed_to_it(&xml);
        let raw = text(&sent);
        assert!(raw.contains(&format!("<ClientID url=\"{url}\"/>")), "{raw}");
        assert!(!raw.contains("ApplicationID"), "{raw}");
    }
    // An application to which somebody is invited stays.
    let app = invitation("AP", "<ApplicationID applicationID=\"chess\"/>");
    let sent = between.relayed_to_it(&app);
    assert!(text(&sent).contains("<ApplicationID applicationID=\"chess\"/>"));
}

#[test]
fn a_user_it_does_not_take_from_us_is_refused_with_901_to_who_asks() {
    let mut between = Between::new();
    let request = format!(
        "<SubscribeRequest>{}<UserID userID=\"{ALICE}\"/></SubscribeRequest>",
        asks("wv:cleo@c.test")
    );
    assert_eq!(
        code(&between.answered(&request, "<Status code=\"901\"/>")),
        901
    );
}
