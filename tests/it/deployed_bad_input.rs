//! What is wrong with a POST and what it is answered (wire profile, 2.2 and 7.1), on a real node
//! over HTTP.

use std::sync::Arc;
use std::time::Duration;

use wvgate::node::Node;
use wvgate::store::MemoryStore;

use super::support::peer::{Deployed, exchange, node, post, typed_post};

async fn start() -> (Deployed, Node) {
    let mut peer = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    (peer, node)
}

fn session(content: &str) -> String {
    format!(
        "<WV-SSP-Message xmlns=\"x\"><Session sessionID=\"101@a.test\"><Transaction mode=\"Request\" transactionID=\"1\">{content}</Transaction></Session></WV-SSP-Message>"
    )
}

fn setup(id: &str, service: &str) -> String {
    format!(
        "<WV-SSP-Message xmlns=\"x\"><SetupTransaction mode=\"Request\" transactionID=\"{id}\"><SendSecretToken serviceID=\"{service}\"><SecretToken>x</SecretToken></SendSecretToken></SetupTransaction></WV-SSP-Message>"
    )
}

#[tokio::test]
async fn bodies_that_are_no_message_are_answered_400() {
    let (mut peer, node) = start().await;
    for (what, body) in [
        ("no XML", "hello".to_owned()),
        ("an unclosed element", "<WV-SSP-Message><Session>".to_owned()),
        ("crossed elements", session("<a><b></a></b>")),
        ("another root", "<Session/>".to_owned()),
        ("an empty root", "<WV-SSP-Message/>".to_owned()),
        ("an empty session", "<WV-SSP-Message><Session/></WV-SSP-Message>".to_owned()),
        ("another child", "<WV-SSP-Message><Other><x/></Other></WV-SSP-Message>".to_owned()),
        ("something after the root", format!("{}<x/>", session("<Status code=\"200\"/>"))),
        ("an attribute twice", session("<a b=\"1\" b=\"2\"/>")),
        ("a control character", session("<a>\u{1}</a>")),
        ("a DTD", format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", session("<a>&b;</a>"))),
        ("depth", session(&format!("{}{}", "<a>".repeat(200), "</a>".repeat(200)))),
        ("a setup message without id", "<WV-SSP-Message><SetupTransaction mode=\"Request\"><SendSecretToken serviceID=\"wv:@a.test\"><SecretToken>x</SecretToken></SendSecretToken></SetupTransaction></WV-SSP-Message>".to_owned()),
    ] {
        assert_eq!(peer.post(&post(&body)).await, Some(400), "{what}: {body}");
    }
    for long in [
        session("<Status code=\"200\"/>").replace("101@a.test", &"1".repeat(300_000)),
        session("<Status code=\"200\"/>")
            .replace("ID=\"1\"", &format!("ID=\"{}\"", "1".repeat(257))),
        session(&format!("<{}/>", "a".repeat(200))),
        session(&format!(
            "<a><User userID=\"{}@a.test\"/></a>",
            "u".repeat(800)
        )),
        setup("1", &format!("wv:@{}", "d".repeat(800))),
        session(&format!(
            "<LeaveGroupIndication><ReasonText>{}</ReasonText></LeaveGroupIndication>",
            "r".repeat(8193)
        )),
        session(&format!(
            "<UserList>{}</UserList>",
            "<User/>".repeat(10_001)
        )),
    ] {
        assert_eq!(peer.post(&post(&long)).await, Some(400), "{long:.99}");
    }
    // One that is only named is passed over, as the deployed server does; nobody fetches it.
    let named = format!(
        "<!DOCTYPE a SYSTEM \"http://{}/\">{}",
        peer.address,
        session("<a/>")
    );
    assert_eq!(peer.post(&post(&named)).await, Some(403));
    let latin = [session("<a>").as_bytes(), b"\xff\xfe"].concat();
    let bytes = typed_post(&latin, "application/vnd.wv.ssp+xml");
    assert_eq!(exchange(node.local_addr(), &bytes).await, Some(400));
    let fetched = peer.rest(Duration::from_millis(200)).await;
    assert!(
        fetched
            .iter()
            .all(|message| message.head.starts_with("POST"))
    );
}

#[tokio::test]
async fn too_much_is_answered_413_and_another_type_415() {
    let (peer, node) = start().await;
    let large = session(&format!("<a>{}</a>", "x".repeat(3_000_000)));
    assert_eq!(peer.post(&post(&large)).await, Some(413));
    for content_type in ["text/xml", "application/json", "application/vnd.wv.csp.xml"] {
        let bytes = typed_post(session("<a/>").as_bytes(), content_type);
        assert_eq!(
            exchange(node.local_addr(), &bytes).await,
            Some(415),
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn a_session_that_nobody_has_is_answered_403() {
    let (peer, _node) = start().await;
    for id in [
        "",
        "1",
        "1@c.test",
        "1@b.test",
        "1@a.test@a.test",
        "101@A.TEST",
    ] {
        let body = session("<Status code=\"200\"/>").replace("101@a.test", id);
        assert_eq!(peer.post(&post(&body)).await, Some(403), "{id:?}");
    }
}

#[tokio::test]
async fn a_response_that_nobody_asked_for_is_taken_and_counted() {
    let (mut peer, node) = start().await;
    peer.log_in().await;
    let body = session("<Status code=\"200\"/>").replace("\"Request\"", "\"Response\"");
    assert_eq!(peer.post(&post(&body)).await, Some(200));
    let unasked = node
        .handle()
        .ask_all(|core, _, _| core.metrics.get("wvgate_responses_unasked_total"))
        .await;
    assert_eq!(unasked.unwrap().iter().sum::<u64>(), 1);
    assert!(peer.rest(Duration::from_millis(200)).await.is_empty());
}

#[tokio::test]
async fn a_peer_that_speaks_for_a_foreign_domain_is_answered_901() {
    let (mut peer, _node) = start().await;
    peer.log_in().await;
    for (n, user) in ["wv:eve@c.test", "wv:bob@b.test"].into_iter().enumerate() {
        let request = format!(
            "<SubscribeRequest><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"{user}\"/></Requestor></MetaInfo><UserID userID=\"wv:bob@b.test\"/></SubscribeRequest>"
        );
        let id = format!("transactionID=\"f{n}\"");
        let body = session(&request).replace("transactionID=\"1\"", &id);
        assert_eq!(peer.post(&post(&body)).await, Some(200));
        let answer = peer.expect(&[&id]).await;
        assert_eq!(answer.attribute("code"), "901", "{}", answer.body);
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_answered_901() {
    let (mut peer, _node) = start().await;
    peer.log_in().await;
    let subscription = |user: &str, to: &[&str]| {
        let to: String = to
            .iter()
            .map(|to| format!("<UserID userID=\"{to}\"/>"))
            .collect();
        format!(
            "<SubscribeRequest><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@a.test\"><User userID=\"{user}\"/></Requestor></MetaInfo>{to}</SubscribeRequest>"
        )
    };
    let (alice, bob) = ("wv:alice@a.test", "wv:bob@b.test");
    for (n, request) in [
        subscription("wv:alice@x.test@a.test", &[bob]),
        subscription("wv:al ice@a.test", &[bob]),
        subscription("wv:alice\u{202e}@a.test", &[bob]),
        subscription("wv:", &[bob]),
        subscription(alice, &["wv:bob@h.test@b.test"]),
        subscription(alice, &["wv:bo\u{200b}b@b.test"]),
        subscription(alice, &["wv:"]),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("transactionID=\"i{n}\"");
        let body = session(&request).replace("transactionID=\"1\"", &id);
        assert_eq!(peer.post(&post(&body)).await, Some(200));
        let answer = peer.expect(&[&id]).await;
        assert_eq!(answer.attribute("code"), "901", "{} {request}", answer.body);
    }
    // One among others is told by itself.
    let request = subscription(alice, &[bob, "wv:b b@b.test"]);
    assert_eq!(peer.post(&post(&session(&request))).await, Some(200));
    let answer = peer.expect(&["transactionID=\"1\""]).await;
    assert_ne!(answer.attribute("code"), "200", "{}", answer.body);
    assert!(
        answer.body.contains("<DetailedResult code=\"901\""),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_body_in_another_encoding_is_read_in_the_one_it_declares() {
    let (peer, node) = start().await;
    let unknown = |encoding: &str| {
        let body =
            session("<Status code=\"200\"><StatusDescription>é</StatusDescription></Status>");
        format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>{body}")
    };
    let latin_1: Vec<u8> = unknown("ISO-8859-1")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let utf_16: Vec<u8> = format!("\u{feff}{}", unknown("UTF-16"))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for body in [
        unknown("UTF-8").into_bytes(),
        latin_1,
        utf_16,
        [unknown("UTF-8").as_bytes(), b"\0"].concat(),
        [b"\r\n", unknown("UTF-8").as_bytes()].concat(),
    ] {
        // It was read: nobody has that session.
        let bytes = typed_post(&body, "application/vnd.wv.ssp+xml");
        let answer = exchange(node.local_addr(), &bytes).await;
        assert_eq!(answer, Some(403), "{}", String::from_utf8_lossy(&body));
    }
    drop(peer);
}

#[tokio::test]
async fn what_a_stranger_says_leaves_nothing() {
    let (peer, node) = start().await;
    let long = "T".repeat(1_000_000);
    let body = setup(&long, "wv:@nobody.test");
    assert_eq!(peer.post(&post(&body)).await, Some(400));
    let longest = "L".repeat(256);
    let body = setup(&longest, "wv:@nobody.test");
    assert_eq!(peer.post(&post(&body)).await, Some(403));
    let (of_long, of_longest) = node
        .handle()
        .ask(move |core, _, _| {
            let found = |id: &str| core.traces.explain(id).len();
            // What strangers send does not displace what peers sent.
            (found(&long) + found(&long[..4096]), found(&longest))
        })
        .await
        .unwrap();
    assert_eq!((of_long, of_longest), (0, 0));
}
