//! Three domains: a home domain, a relay, and a gateway in front of real
//! Prosody, with a real XMPP client at its end.

use std::time::Duration;

use serde_json::json;
use wvgate::home::{Command, Event};
use wvgate::node::ClientSession;
use wvgate::ssp::Address;

use crate::support::cluster::Cluster;
use crate::support::prosody::Prosody;
use crate::support::xmpp_user::XmppUser;

const ROMEO: &str = "romeo@xmpp.test";

fn peer(domain: &str, speaks_for: &str) -> String {
    format!(
        "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:@PORT:{domain}@/\"\nallow_plain = true\nspeaks_for = [{speaks_for}]\n"
    )
}

/// village.test (home) — relay.test — xmpp.test (gateway) — Prosody.
async fn spine() -> (Cluster, Prosody) {
    let prosody = Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .component("village.test", "secret")
        .start();
    let mut cluster = Cluster::new(&["village.test", "relay.test", "xmpp.test"]);
    let relay = peer("village.test", "") + &peer("xmpp.test", "");
    cluster.start("relay.test", &relay).await;
    let gateway = format!(
        "{}[[route]]\ndomain = \"village.test\"\nvia = \"relay.test\"\n[xmpp]\nserver = \"{}\"\nsettle = \"200ms\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        peer("relay.test", "\"village.test\""),
        prosody.component_address(),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}[[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n",
        peer("relay.test", "\"xmpp.test\""),
    );
    cluster.start("village.test", &home).await;
    (cluster, prosody)
}

async fn until<T>(
    client: &mut ClientSession,
    what: &str,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> T {
    let mut seen = Vec::new();
    let found = async {
        loop {
            let event = client.take().await.expect("the session lives");
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(event);
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("{what} did not come; came: {seen:#?}"))
}

fn romeo() -> Address {
    Address::new("wv:romeo@xmpp.test")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_presence_and_receipts_cross_three_domains_to_xmpp_and_back() {
    let (cluster, prosody) = spine().await;
    let mut romeo_user = XmppUser::login(&prosody, ROMEO, "pw").await;
    // Only clients that have asked for the roster hear of subscriptions.
    romeo_user.tell(&json!({"do": "roster"}));
    romeo_user.tell(&json!({"do": "presence"}));
    let mut alice = cluster
        .node("village.test")
        .handle()
        .client_open("alice")
        .await
        .unwrap()
        .unwrap();

    // Presence: alice watches romeo.
    alice
        .command(Command::Subscribe { user: romeo() })
        .await
        .unwrap();
    let asked = romeo_user
        .wait("the request", |e| {
            e["event"] == "presence" && e["type"] == "subscribe"
        })
        .await;
    assert_eq!(asked["from"], "alice@village.test");
    romeo_user.tell(&json!({"do": "subscribed", "to": "alice@village.test"}));
    until(&mut alice, "romeo online", |event| match event {
        Event::Presence { user, presence } if *user == romeo() && presence.online == Some(true) => {
            Some(())
        }
        _ => None,
    })
    .await;
    romeo_user.tell(&json!({"do": "presence", "show": "away", "status": "lunch"}));
    until(&mut alice, "romeo away", |event| match event {
        Event::Presence { presence, .. } if presence.text.as_deref() == Some("lunch") => Some(()),
        _ => None,
    })
    .await;

    // A message with a delivery report.
    let command = Command::Message {
        to: romeo(),
        text: "O Romeo".into(),
        report: true,
        id: Some("m1".into()),
    };
    alice.command(command).await.unwrap();
    let message = romeo_user.wait_message("O Romeo").await;
    assert_eq!(
        message["from"].as_str().unwrap().split('/').next(),
        Some("alice@village.test")
    );
    until(&mut alice, "the report", |event| match event {
        Event::Report {
            id, status: 200, ..
        } if id == "m1" => Some(()),
        _ => None,
    })
    .await;

    // And back, with a receipt.
    romeo_user.tell(&json!({"do": "message", "to": "alice@village.test", "body": "Call me but love", "id": "r1", "receipt": true}));
    until(&mut alice, "romeo's message", |event| match event {
        Event::Message { text, .. } if text == "Call me but love" => Some(()),
        _ => None,
    })
    .await;
    romeo_user
        .wait("the receipt", |e| {
            e["event"] == "receipt" && e["of"] == "r1"
        })
        .await;

    // romeo watches alice.
    romeo_user.tell(&json!({"do": "subscribe", "to": "alice@village.test"}));
    until(&mut alice, "romeo's request", |event| match event {
        Event::AuthorizationRequest { user, .. } if *user == romeo() => Some(()),
        _ => None,
    })
    .await;
    alice
        .command(Command::Authorize {
            user: romeo(),
            accept: true,
        })
        .await
        .unwrap();
    romeo_user
        .wait("subscribed", |e| {
            e["event"] == "presence" && e["type"] == "subscribed"
        })
        .await;
    let status = Command::Presence {
        availability: None,
        text: Some("on the balcony".into()),
        mood: None,
        alias: None,
    };
    alice.command(status).await.unwrap();
    romeo_user
        .wait("alice's status", |e| {
            e["event"] == "presence" && e["status"] == "on the balcony"
        })
        .await;

    // Unknown users, on either side.
    let nobody = Address::new("wv:nobody@xmpp.test");
    let command = Command::Message {
        to: nobody,
        text: "hello?".into(),
        report: false,
        id: Some("m2".into()),
    };
    alice.command(command).await.unwrap();
    let status = until(&mut alice, "the refusal", |event| match event {
        Event::Sent { id, status, .. } if id == "m2" => Some(*status),
        _ => None,
    });
    assert!(matches!(status.await, 531 | 533));
    romeo_user.message("tybalt@village.test", "hello?", "r2");
    let error = romeo_user
        .wait("the error", |e| e["id"] == "r2" && e["type"] == "error")
        .await;
    assert_eq!(error["error"], "item-not-found");
}
