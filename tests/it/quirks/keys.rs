//! What a dialect's keys do, as far as no row of the other files shows it, and peers that misspell
//! names.

use std::sync::Arc;

use wvgate::imps::xml::{Forms, Limits, Names};
use wvgate::imps::{Address, Primitive};
use wvgate::sap::service::Probe;
use wvgate::sap::{Dialect, Peer, Posted, Settings, Verdict};
use wvgate::ssp::envelope::{print_session, scan_of_peers};
use wvgate::ssp::{Message, Mode};

use super::{ALICE, Between, ROB, about_group, code, message, text, user};
use crate::support::alone::{Alone, only};

/// A peer a.test with these keys, otherwise of our own kind.
fn peer(keys: &str) -> Peer {
    let dialect = Dialect::from_toml(&format!("discovery = false\n{keys}")).unwrap();
    Peer::new("a.test", Arc::new(dialect))
}

const MISSPELT: &str = r#"
[accept.elements]
Rcpt = "Recipient"
SendMsgRequest = "SendMessageRequest"
Sitting = "Session"
Secret = "SecretToken"
[accept.attributes]
"@uid" = "userID"
"MessageInfo@msgID" = "messageID"
"Session@sid" = "sessionID"
"Transaction@transactionId" = "transactionID"
"SendSecretToken@service" = "serviceID"
"#;

/// A message in the names of that peer.
fn misspelt() -> String {
    message(ALICE, &user(ROB))
        .replace("Recipient>", "Rcpt>")
        .replace("SendMessageRequest", "SendMsgRequest")
        .replace("userID", "uid")
        .replace("messageID", "msgID")
}

#[test]
fn names_that_a_peer_misspells_are_read() {
    let mut between = Between::with(peer(MISSPELT));
    let relayed = between.relayed_from_it(&misspelt());
    assert_eq!(relayed.name, "SendMessageRequest");
    assert_eq!(relayed.peek.recipients, [Address::new(ROB)]);
    assert_eq!(relayed.peek.message_id.as_deref(), Some("m1"));
    let Ok(Primitive::SendMessageRequest(read)) = relayed.primitive() else {
        panic!("{relayed:?}")
    };
    assert_eq!(
        read.info.sender.unwrap().user.unwrap().user,
        Address::new(ALICE)
    );
    // Without the keys it is an unknown primitive.
    let mut strict = Between::with(peer(""));
    strict.say("a.test", Mode::Request, "1", &misspelt());
    assert_eq!(code(&strict.sent("a.test").primitive().unwrap()), 405);
}

#[test]
fn an_attribute_under_both_names_counts_under_the_right_one() {
    let mut between = Between::with(peer(MISSPELT));
    let both =
        message(ALICE, &user(ROB)).replace("messageID=\"m1\"", "msgID=\"x\" messageID=\"m1\"");
    let relayed = between.relayed_from_it(&both);
    assert_eq!(relayed.peek.message_id.as_deref(), Some("m1"));
}

#[test]
fn answers_with_misspelt_names_are_read() {
    let mut between = Between::with(peer(
        "[accept.elements]\nStat = \"Status\"\n[accept.attributes]\n\"Status@value\" = \"code\"\n",
    ));
    let join = about_group("JoinGroupRequest", ROB, super::ROOM);
    assert_eq!(code(&between.answered(&join, "<Stat value=\"816\"/>")), 816);
}

#[test]
fn the_envelope_may_be_misspelt_too() {
    let settings = Settings::new("b.test").with_peer(peer(MISSPELT));
    let body = print_session(
        "x",
        "101@a.test",
        [(Mode::Request, "t7", "<Status code=\"200\"/>")],
    )
    .replace("Session", "Sitting")
    .replace("sessionID", "sid")
    .replace("transactionID", "transactionId");
    let read = |names: &Names| {
        let body = bytes::Bytes::from(body.clone());
        scan_of_peers(&body, &Limits::default(), &[], names)
    };
    let Ok((Message::Session(session), _)) = read(&settings.names) else {
        panic!("{body}")
    };
    assert_eq!(session.session, "101@a.test");
    assert_eq!(session.transactions[0].id, "t7");
    assert!(read(&Names::default()).is_err());
}

#[test]
fn a_login_with_misspelt_names_is_answered() {
    let mut alone = Alone::new(Settings::new("b.test").with_peer(peer(MISSPELT)));
    let step1 = "<WV-SSP-Message><SetupTransaction mode=\"Request\" transactionID=\"9\"><SendSecretToken service=\"wv:@a.test\"><Secret>0123456789abcdef</Secret></SendSecretToken></SetupTransaction></WV-SSP-Message>";
    assert_eq!(alone.say(step1), Verdict::Accepted);
    assert_eq!(only(&alone.post()).name, "SendSecretToken");
}

#[test]
fn a_peer_without_such_names_costs_nothing() {
    let mut between = Between::new();
    let relayed = between.relayed_from_it(&message(ALICE, &user(ROB)));
    assert!(
        relayed
            .renamed(&Names::default(), &Forms::default())
            .unwrap()
            .is_none()
    );
    let misspelt = "[accept.elements]\nRcpt = \"Recipient\"\n";
    let names = Dialect::from_toml(misspelt).unwrap().accept;
    assert!(
        relayed
            .renamed(&names, &Forms::default())
            .unwrap()
            .is_none(),
        "none of them occurs"
    );
    assert!(Settings::new("b.test").names.is_empty());
}

#[test]
fn namespace_version_and_names_are_written_as_the_dialect_says() {
    let keys = "namespace = \"urn:old\"\nversion = \"1.1\"\n[emit.elements]\nSession = \"Sitting\"\n[emit.attributes]\n\"Transaction@transactionID\" = \"tid\"\n\"SendSecretToken@serviceID\" = \"service\"\n";
    let mut between = Between::with(peer(keys));
    between.say("r.test", Mode::Request, "1", &message(ROB, &user(ALICE)));
    let post = between.alone.acknowledged_post();
    let body = std::str::from_utf8(&post.body).unwrap();
    assert!(
        body.contains("xmlns=\"urn:old\"") && body.contains("<Sitting "),
        "{body}"
    );
    assert!(
        body.contains(" tid=\"") && body.contains("</Sitting>"),
        "{body}"
    );

    let mut alone = Alone::new(Settings::new("b.test").with_peer(peer(keys)));
    alone.sap.connect("a.test", alone.now);
    alone.drain();
    let post = alone.post();
    let body = std::str::from_utf8(&post.body).unwrap();
    assert!(body.contains("protocolVersion=\"1.1\""), "{body}");
    assert!(
        body.contains("xmlns=\"urn:old\"") && body.contains("service=\"wv:@b.test\""),
        "{body}"
    );
}

#[test]
fn codes_are_replaced_in_answers_to_the_peer() {
    let mut between = Between::with(peer("[codes]\n202 = 200\n"));
    let relayed = between.relayed_from_it(&message(ALICE, &user(ROB)));
    let queued =
        "<SendMessageResponse messageID=\"m1\"><Status code=\"202\"/></SendMessageResponse>";
    between.say("r.test", Mode::Response, &relayed.id, queued);
    assert_eq!(code(&between.sent("a.test").primitive().unwrap()), 200);
}

#[test]
fn so_many_posts_are_under_way_at_once_as_the_dialect_allows() {
    for posts in [1, 3] {
        let mut between = Between::with(peer(&format!("batch = 1\nposts = {posts}\n")));
        for n in 0..5 {
            let to = format!("wv:u{n}@a.test");
            let xml = message(ROB, &user(&to)).replace("m1", &format!("m{n}"));
            between.say("r.test", Mode::Request, &format!("t{n}"), &xml);
        }
        assert_eq!(between.alone.posts.len(), posts);
    }
}

#[test]
fn each_further_try_waits_a_step_longer() {
    let mut between = Between::with(peer("retry_step = 4000\n"));
    between.say("r.test", Mode::Request, "1", &message(ROB, &user(ALICE)));
    for tries in 1..3 {
        let post = between.alone.post();
        between
            .alone
            .posted(&post, &Posted::Failed("no".to_owned()));
        between.alone.pass(tries * 4000 - 1);
        assert!(between.is_quiet(), "{tries}");
        // The step, and a quarter of it by chance.
        between.alone.pass(1001);
        assert!(!between.is_quiet(), "{tries}");
    }
}

#[test]
fn so_many_closed_connections_mean_a_lost_session() {
    let mut between = Between::with(peer("closed_means_lost = 2\nretry_step = 1000\n"));
    between.say("r.test", Mode::Request, "1", &message(ROB, &user(ALICE)));
    let post = between.alone.post();
    between.alone.posted(&post, &Posted::Closed);
    between.alone.pass(3000);
    let post = between.alone.post();
    assert_eq!(post.session.clone().unwrap(), "own-101-a.test@b.test");
    between.alone.posted(&post, &Posted::Closed);
    between.alone.pass(5000);
    // Another session, or a login: this one is not used again.
    let next = between.alone.post();
    assert_ne!(next.session, post.session);
}

#[test]
fn hops_are_written_where_the_dialect_says_so() {
    for (keys, written) in [("", true), ("via = false\n", false)] {
        let mut between = Between::with(peer(keys));
        let sent = between.relayed_to_it(&message(ROB, &user(ALICE)));
        assert_eq!(sent.via.as_deref(), written.then_some("b.test"), "{keys}");
        assert!(text(&sent).starts_with("<SendMessageRequest"));
    }
}

#[test]
fn a_peer_without_an_echo_user_is_not_asked_for_one() {
    let probe = |keys| {
        let mut node = Alone::new(Settings::new("r.test").with_peer(peer(keys)));
        let begun = node.sap.probe("a.test", Probe::Echo, node.now);
        node.drain();
        (begun.is_some(), node.posts.len())
    };
    // A login, and nothing at all.
    assert_eq!(probe(""), (true, 1));
    assert_eq!(probe("echo = false"), (false, 0));
}
