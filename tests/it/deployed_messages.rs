//! What the deployed server was recorded to send flows into a real node after the login, and
//! each message is answered as the profile says (wire profile, 7.3; deployed-server, 5 to 9).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wvgate::imps::Address;
use wvgate::imps::primitive::{self, Kind};
use wvgate::imps::xml::{Limits, Repair};
use wvgate::node::Node;
use wvgate::ssp::envelope::scan_lenient;
use wvgate::ssp::{Message, Mode};
use wvgate::store::MemoryStore;

use super::codec_captures::emitted;
use super::support::client::Client;
use super::support::peer::{Deployed, node, post, recorded};
use super::support::talk::{Command, Event};

/// Long enough for a message to come that should not.
const QUIET: Duration = Duration::from_millis(300);

async fn logged_in() -> (Deployed, Node, Client) {
    let mut peer = Deployed::listen().await;
    let node = node(&peer, &Arc::new(MemoryStore::new()), "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let mut bob = Client::open(node.handle(), "bob").await.unwrap().unwrap();
    assert!(matches!(bob.take().await, Some(Event::Ready { .. })));
    (peer, node, bob)
}

const DUPLICATE: &str = "wvgate_transactions_duplicate_total";
const UNREADABLE: &str = "wvgate_bodies_unreadable_total";

async fn count(node: &Node, counter: &'static str) -> u64 {
    let view = node
        .handle()
        .ask_all(move |core, _, _| core.metrics.get(counter));
    view.await.unwrap().iter().sum()
}

async fn text_for(bob: &mut Client) -> (String, String) {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), bob.take()).await;
        if let Event::Message { text, from, .. } = event.unwrap().unwrap() {
            return (from.to_string(), text);
        }
    }
}

/// Comes under the id of the request that it is about, besides its answer.
fn is_notice(name: &str) -> bool {
    matches!(name, "DeliveryStatusReport" | "InviteResponse")
}

#[tokio::test]
async fn every_recorded_message_is_taken_and_each_request_answered_once() {
    let (mut peer, _node, _bob) = logged_in().await;
    let (mut asked, mut notices) = (BTreeMap::new(), 0);
    for (number, (file, body)) in emitted() {
        if !number.starts_with("01/") || !file.contains("-a-to-b-") {
            continue;
        }
        let (message, _) = scan_lenient(&body, &Limits::default(), Repair::ALL).unwrap();
        let Message::Session(session) = message else {
            continue;
        };
        let transaction = &session.transactions[0];
        if asked.contains_key(&transaction.id) {
            // The recorded receiver had refused it for its form, so it came again.
            continue;
        }
        let kind = primitive::facts(&transaction.name).unwrap().kind;
        match (transaction.mode, kind) {
            (Mode::Request, Kind::Request) => {
                asked.insert(
                    transaction.id.clone(),
                    (number.clone(), transaction.name.clone()),
                );
            }
            _ => notices += 1,
        }
        assert_eq!(peer.replay(&number, &[]).await, Some(200), "{number}");
    }
    assert!(asked.len() > 25 && notices > 0, "{} {notices}", asked.len());
    while !asked.is_empty() {
        let message = peer.expect(&["mode=\"Response\""]).await;
        let scanned = wvgate::ssp::envelope::scan(&Bytes::from(message.body), &Limits::default());
        let Ok(Message::Session(session)) = scanned else {
            panic!("no session message")
        };
        let [answer] = session.transactions.as_slice() else {
            panic!("the deployed server reads one transaction a message")
        };
        if is_notice(&answer.name) {
            continue;
        }
        let (number, name) = asked
            .remove(&answer.id)
            .unwrap_or_else(|| panic!("{} answered twice or unasked", answer.id));
        let fitting = match name.as_ref() {
            "LeaveGroupRequest" => "LeaveGroupIndication".to_owned(),
            other => other.replace("Request", "Response"),
        };
        assert!(
            answer.name == "Status" || *answer.name == *fitting,
            "{number} {name} answered with {}",
            answer.name
        );
    }
    let rest = peer.rest(QUIET).await;
    assert!(
        rest.iter()
            .filter(|message| {
                !message.body.contains("<DeliveryStatusReport")
                    && !message.body.contains("<InviteResponse")
            })
            .all(|message| !message.body.contains("mode=\"Response\"")),
        "{rest:#?}"
    );
}

#[tokio::test]
async fn a_message_reaches_its_user_and_the_answer_names_it() {
    let (mut peer, _node, mut bob) = logged_in().await;
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    let answer = peer.expect(&["<SendMessageResponse"]).await;
    assert_eq!(answer.attribute("transactionID"), "0000002001-0");
    assert_eq!(
        answer.attribute("messageID"),
        "1b944783b3577c90c992d1f6f7648ad8e"
    );
    assert_eq!(answer.attribute("code"), "200");
    let (from, text) = text_for(&mut bob).await;
    assert_eq!(
        (from.as_str(), text.as_str()),
        ("wv:alice@a.test", "hello bob <&> from alice")
    );
}

#[tokio::test]
async fn a_repeated_transaction_is_answered_again_and_delivered_once() {
    let (mut peer, node, mut bob) = logged_in().await;
    for _ in 0..3 {
        assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    }
    let first = peer.expect(&["<SendMessageResponse"]).await;
    for _ in 0..2 {
        let again = peer.expect(&["<SendMessageResponse"]).await;
        assert_eq!(again.body, first.body);
    }
    text_for(&mut bob).await;
    assert!(
        tokio::time::timeout(QUIET, text_for(&mut bob))
            .await
            .is_err()
    );
    assert_eq!(count(&node, DUPLICATE).await, 2);
}

#[tokio::test]
async fn a_user_of_another_domain_and_a_sender_who_does_not_ask_are_answered_901() {
    let (mut peer, _node, mut bob) = logged_in().await;
    let spoofs: [&[(&str, &str)]; 3] = [
        &[("wv:alice@a.test", "wv:eve@c.test")],
        &[("wv:alice@a.test", "wv:bob@b.test")],
        &[(
            "<Sender>\n<User userID=\"wv:alice@a.test\"/>",
            "<Sender>\n<User userID=\"wv:mallory@a.test\"/>",
        )],
    ];
    for (n, spoof) in spoofs.iter().enumerate() {
        let id = format!("000000900{n}-0");
        let mut replaced = spoof.to_vec();
        replaced.push(("0000002001-0", &id));
        // The recorded one, body only: the header is never read.
        let whole = String::from_utf8(recorded("01/0017", &[])).unwrap();
        let mut body = whole.split_once("\r\n\r\n").unwrap().1.to_owned();
        for (old, new) in replaced {
            assert!(body.contains(old));
            body = body.replace(old, new);
        }
        assert_eq!(peer.post(&post(&body)).await, Some(200));
        let answer = peer.expect(&[&id]).await;
        assert_eq!(answer.attribute("code"), "901", "{}", answer.body);
    }
    assert!(
        tokio::time::timeout(QUIET, text_for(&mut bob))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_unknown_primitive_is_answered_405_and_the_session_stays() {
    let (mut peer, _node, _bob) = logged_in().await;
    let status = peer
        .replay("01/0059", &[("UnsubscribeRequest", "FrobnicateRequest")])
        .await;
    assert_eq!(status, Some(200));
    let answer = peer.expect(&["mode=\"Response\""]).await;
    assert_eq!(answer.attribute("code"), "405");
    assert!(answer.body.contains("<Status "), "{}", answer.body);
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    peer.expect(&["<SendMessageResponse"]).await;
}

#[tokio::test]
async fn advice_6_what_can_be_repaired_is_and_the_rest_is_taken_and_dropped() {
    let (mut peer, node, mut bob) = logged_in().await;
    // Unescaped text, an element that is never closed, quotes in an address: answered.
    for (number, id) in [
        ("01/0117", "0000002023-0"),
        ("01/0121", "0000002024-0"),
        ("11/0027", "0000002005-0"),
    ] {
        assert_eq!(peer.replay(number, &[]).await, Some(200), "{number}");
        let answer = peer.expect(&["mode=\"Response\"", id]).await;
        assert!(answer.body.contains("<Status") || answer.body.contains("Response"));
    }
    assert_eq!(count(&node, UNREADABLE).await, 0);
    let broken = peer
        .replay("01/0017", &[("</Recipient>", "</Recipients>")])
        .await;
    assert_eq!(broken, Some(200));
    assert_eq!(count(&node, UNREADABLE).await, 1);
    assert!(
        tokio::time::timeout(QUIET, text_for(&mut bob))
            .await
            .is_err()
    );
    assert!(peer.rest(QUIET).await.is_empty());
}

#[tokio::test]
async fn advice_7_a_delivery_report_goes_as_response_under_the_original_id() {
    let (mut peer, _node, mut bob) = logged_in().await;
    let wanted = [("deliveryReport=\"No\"", "deliveryReport=\"Yes\"")];
    assert_eq!(peer.replay("01/0017", &wanted).await, Some(200));
    text_for(&mut bob).await;
    let report = peer.expect(&["<DeliveryStatusReport"]).await;
    assert!(report.body.contains("mode=\"Response\""), "{}", report.body);
    assert_eq!(report.attribute("transactionID"), "0000002001-0");
    assert_eq!(
        report.attribute("messageID"),
        "1b944783b3577c90c992d1f6f7648ad8e"
    );
    assert!(report.body.contains("<MetaInfo "), "{}", report.body);
}

#[tokio::test]
async fn advice_7_an_answer_about_presence_always_has_a_status() {
    let (mut peer, _node, bob) = logged_in().await;
    let grant = Command::Authorize {
        user: Address::new("wv:alice@a.test"),
        accept: true,
    };
    bob.command(grant).await.unwrap();
    assert_eq!(peer.replay("01/0039", &[]).await, Some(200));
    let answer = peer.expect(&["<GetPresenceResponse"]).await;
    assert_eq!(
        answer
            .text("GetPresenceResponse")
            .find("<Status code=\"200\""),
        Some(0)
    );
    assert!(answer.body.contains("PresenceValue"), "{}", answer.body);
}

#[tokio::test]
async fn advice_7_a_subscription_is_answered_and_notified_with_requestor() {
    let (mut peer, _node, bob) = logged_in().await;
    let grant = Command::Authorize {
        user: Address::new("wv:alice@a.test"),
        accept: true,
    };
    bob.command(grant).await.unwrap();
    assert_eq!(peer.replay("01/0043", &[]).await, Some(200));
    let answer = peer.expect(&["mode=\"Response\""]).await;
    assert_eq!(answer.attribute("code"), "200");
    let notice = peer.expect(&["<PresenceNotification"]).await;
    assert!(notice.body.contains("<MetaInfo "), "{}", notice.body);
    assert!(notice.body.contains("wv:alice@a.test"), "{}", notice.body);
}

#[tokio::test]
async fn advice_7_our_users_get_405_for_what_would_end_the_peer() {
    let (mut peer, _node, mut bob) = logged_in().await;
    let ask = Command::GetPresence {
        user: Address::new("wv:alice@a.test"),
    };
    bob.command(ask).await.unwrap();
    let refused = async {
        loop {
            let event = bob.take().await.unwrap();
            if format!("{event:?}").contains("405") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .expect("the user hears 405");
    assert!(peer.rest(QUIET).await.is_empty());
}

#[tokio::test]
async fn advice_8_two_messages_with_one_id_arrive_under_two_and_the_report_finds_the_second() {
    let (mut peer, _node, mut bob) = logged_in().await;
    let mut ids = Vec::new();
    for user in ["wv:alice@a.test", "wv:carol@a.test"] {
        let command = Command::Message {
            to: Address::new(user),
            text: "hello".to_owned(),
            report: true,
            id: Some("m1".to_owned()),
        };
        bob.command(command).await.unwrap();
        let message = peer.expect(&["<SendMessageRequest", user]).await;
        let (id, transaction) = (
            message.attribute("messageID"),
            message.attribute("transactionID"),
        );
        // The answer of the recording, for our message.
        let answer = [
            ("0000002001-0", transaction.as_str()),
            ("1b944783b3577c90c992d1f6f7648ad8e", &id),
            ("501@b.test", "101@a.test"),
        ];
        assert_eq!(peer.replay("01/0019", &answer).await, Some(200));
        ids.push(id);
    }
    assert_eq!(ids[0], "m1");
    assert!(ids[1].starts_with("m1~"), "{}", ids[1]);
    // The recorded report, as a.test would send it about the second.
    let report = [
        ("2916eb745627c7f5a99e0a4790a15410a", ids[1].as_str()),
        ("501@b.test", "101@a.test"),
        ("wv:@b.test", "wv:@a.test"),
        ("userID=\"alice@a.test\"", "userID=\"bob@b.test\""),
        ("wv:bob@b.test", "wv:carol@a.test"),
    ];
    assert_eq!(peer.replay("01/0029", &report).await, Some(200));
    let seen = async {
        loop {
            if let Some(Event::Report { id, .. }) = bob.take().await {
                break id;
            }
        }
    };
    let id = tokio::time::timeout(Duration::from_secs(5), seen).await;
    assert_eq!(id.expect("a report"), "m1");
}
