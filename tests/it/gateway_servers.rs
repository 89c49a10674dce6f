//! Three domains: a home domain, a relay, and a gateway in front of a real XMPP server, with a real
//! XMPP client at its end.

use std::time::Duration;

use serde_json::json;
use wvgate::home::Availability;
use wvgate::imps::Address;

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Setup;
use crate::support::talk::{Command, Event};
use crate::support::xmpp_user::XmppUser;

pub(crate) const ROMEO: &str = "romeo@xmpp.test";
const ALICE: &str = "alice@village.test";
const PATIENCE: Duration = Duration::from_secs(60);

/// The configuration of a peer.
pub(crate) fn peer(domain: &str, speaks_for: &str) -> String {
    format!(
        "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:@PORT:{domain}@/\"\nallow_plain = true\nspeaks_for = [{speaks_for}]\n"
    )
}

/// The server at the end of the chain.
pub(crate) const SETUP: Setup = Setup {
    host: "xmpp.test",
    users: &[("romeo", "pw")],
    components: &[("village.test", "secret")],
};

/// village.test (home) — relay.test — xmpp.test (gateway) — the XMPP server.
async fn spine(server: &str) -> Cluster {
    let mut cluster = Cluster::new(&["village.test", "relay.test", "xmpp.test"]);
    let relay = peer("village.test", "") + &peer("xmpp.test", "");
    cluster.start("relay.test", &relay).await;
    let gateway = format!(
        "{}[[route]]\ndomain = \"village.test\"\nvia = \"relay.test\"\n[xmpp]\nserver = \"{server}\"\nsettle = \"200ms\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        peer("relay.test", "\"village.test\""),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}[[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n",
        peer("relay.test", "\"xmpp.test\""),
    );
    cluster.start("village.test", &home).await;
    cluster
}

/// Waits for what a home user is told.
pub(crate) async fn until<T>(
    client: &mut Client,
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
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("{what} did not come; came: {seen:#?}"))
}

fn romeo() -> Address {
    Address::new("wv:romeo@xmpp.test")
}

async fn alice(cluster: &Cluster) -> Client {
    let handle = cluster.node("village.test").handle();
    Client::open(handle, "alice").await.unwrap().unwrap()
}

/// Logs in as somebody who hears of subscriptions: only clients that have asked for the roster do.
async fn login(c2s_port: u16) -> XmppUser {
    let mut user = XmppUser::login_at(c2s_port, ROMEO, "pw").await;
    user.tell(&json!({"do": "roster"}));
    user.tell(&json!({"do": "presence"}));
    user
}

/// Makes alice watch romeo, who is online.
async fn watch(alice: &mut Client, romeo_user: &mut XmppUser) {
    alice
        .command(Command::Subscribe { user: romeo() })
        .await
        .unwrap();
    let asked = romeo_user
        .wait("the request", |e| {
            e["event"] == "presence" && e["type"] == "subscribe"
        })
        .await;
    assert_eq!(asked["from"], ALICE);
    romeo_user.tell(&json!({"do": "subscribed", "to": ALICE}));
    until(alice, "romeo online", |event| match event {
        Event::Presence { user, presence } if *user == romeo() && presence.online == Some(true) => {
            Some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_presence_and_receipts_cross_three_domains_to_prosody_and_back() {
    let prosody = SETUP.prosody();
    let cluster = spine(&prosody.component_address()).await;
    messages_presence_and_receipts(&cluster, prosody.c2s_port()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_presence_and_receipts_cross_three_domains_to_ejabberd_and_back() {
    let ejabberd = SETUP.ejabberd();
    let cluster = spine(&ejabberd.component_address()).await;
    messages_presence_and_receipts(&cluster, ejabberd.c2s_port()).await;
}

async fn messages_presence_and_receipts(cluster: &Cluster, c2s_port: u16) {
    let mut romeo_user = login(c2s_port).await;
    let mut alice = alice(cluster).await;

    // Presence: alice watches romeo.
    watch(&mut alice, &mut romeo_user).await;
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
        Some(ALICE)
    );
    until(&mut alice, "the report", |event| match event {
        Event::Report {
            id, status: 200, ..
        } if id == "m1" => Some(()),
        _ => None,
    })
    .await;

    // And back, with a receipt.
    romeo_user.tell(&json!({"do": "message", "to": ALICE, "body": "Call me but love", "id": "r1", "receipt": true}));
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
    romeo_user.tell(&json!({"do": "subscribe", "to": ALICE}));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_and_message_types_that_do_not_exist_arrive_all_the_same() {
    // ejabberd refuses such stanzas by itself.
    let prosody = SETUP.prosody();
    let cluster = spine(&prosody.component_address()).await;
    let mut romeo_user = login(prosody.c2s_port()).await;
    let mut alice = alice(&cluster).await;
    watch(&mut alice, &mut romeo_user).await;

    // Each with a status by which it is known, and another availability than the one before.
    let (here, away) = (Availability::Available, Availability::NotAvailable);
    for (n, (inner, wanted)) in [
        ("<show> away </show>", away),
        ("<show/>", here),
        ("<show>Away</show>", away),
        ("<priority/>", here),
        ("<show>xa</show><priority>high</priority>", away),
        ("<priority>999</priority>", here),
        ("<show>away</show><show>dnd</show>", away),
        ("<show>online</show>", here),
    ]
    .into_iter()
    .enumerate()
    {
        let status = format!("status {n}");
        romeo_user.raw(&format!(
            "<presence>{inner}<status>{status}</status></presence>"
        ));
        let seen = until(&mut alice, inner, |event| match event {
            Event::Presence { presence, .. } if presence.text.as_ref() == Some(&status) => {
                Some(presence.availability)
            }
            _ => None,
        });
        assert_eq!(seen.await, Some(wanted), "{inner}");
    }

    for (n, (attributes, more)) in [
        ("type='weird'", ""),
        ("type='Chat'", ""),
        ("type=''", ""),
        ("type='chat'", "<thread>a</thread><thread>b</thread>"),
    ]
    .into_iter()
    .enumerate()
    {
        let wanted = format!("hello {n}");
        romeo_user.raw(&format!(
            "<message to='{ALICE}' {attributes} id='w{n}'>{more}<body>{wanted}</body></message>"
        ));
        until(&mut alice, attributes, |event| match event {
            Event::Message { text, .. } if *text == wanted => Some(()),
            _ => None,
        })
        .await;
    }

    // Whatever was sent back has come before this.
    let command = Command::Message {
        to: romeo(),
        text: "the end".into(),
        report: false,
        id: Some("end".into()),
    };
    alice.command(command).await.unwrap();
    romeo_user.wait_message("the end").await;
    let errors = romeo_user.seen(|e| e["type"] == "error");
    assert!(errors.is_empty(), "{errors:#?}");
}
