//! Killed processes: the relay, the gateway, and the XMPP server.
//!
//! ```text
//! village.test (here) — relay.test — xmpp.test — Prosody — romeo
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Heard, home, login, names, send};
use crate::support::client::Client;
use crate::support::process::World;
use crate::support::prosody::Prosody;
use crate::support::xmpp_user::XmppUser;

const ALICE: &str = "alice@village.test";
const ROMEO: &str = "wv:romeo@xmpp.test";
const COUNT: usize = 200;
const PACE: Duration = Duration::from_millis(5);

fn prosody(secret: &str) -> Prosody {
    Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .component("village.test", secret)
        .start()
}

/// All configured, nothing started.
fn spine(prosody: &Prosody) -> World {
    let mut world = World::new(&["village.test", "relay.test", "xmpp.test"]);
    let ssp = "response_timeout = \"4s\"";
    let relay = world.peer("village.test", &[]) + &world.peer("xmpp.test", &[]);
    world.configure("relay.test", ssp, &relay);
    let gateway = format!(
        "{}[[route]]\ndomain = \"village.test\"\nvia = \"relay.test\"\n[xmpp]\nserver = \"{}\"\nsettle = \"200ms\"\nreconnect_max = \"1s\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        world.peer("relay.test", &["village.test"]),
        prosody.component_address(),
    );
    world.configure("xmpp.test", ssp, &gateway);
    let village = world.peer("relay.test", &["xmpp.test"]) + &home("alice", "relay.test");
    world.configure("village.test", ssp, &village);
    world
}

/// Romeo logs in, and hears from alice that everything between them works.
async fn connected(world: &mut World, prosody: &Prosody) -> (Client, Heard, XmppUser, Vec<Value>) {
    let mut romeo = XmppUser::login(prosody, "romeo@xmpp.test", "pw").await;
    romeo.tell(&json!({"do": "presence"}));
    let mut alice = login(world, "alice", "village.test").await;
    let mut heard = Heard::default();
    send(&alice, ROMEO, "first", "first").await;
    let (message, _) = messages_until(&mut romeo, "first").await;
    assert_eq!(message.len(), 1);
    romeo.message(ALICE, "first", "first");
    heard
        .until(&mut alice, |heard| {
            heard.texts == ["first"] && heard.sent.len() == 1
        })
        .await;
    (alice, Heard::default(), romeo, Vec::new())
}

/// Messages that come until one with this body, and ids of those that came back.
async fn messages_until(romeo: &mut XmppUser, last: &str) -> (Vec<Value>, Vec<String>) {
    let (mut messages, mut bounced) = (Vec::new(), Vec::new());
    loop {
        let event = romeo.wait(last, |e| e["event"] == "message").await;
        if event["type"] == "error" {
            bounced.push(event["id"].as_str().unwrap().to_owned());
            continue;
        }
        let is_last = event["body"] == last;
        messages.push(event);
        if is_last {
            return (messages, bounced);
        }
    }
}

fn bodies(messages: &[Value]) -> Vec<String> {
    let body = |message: &Value| message["body"].as_str().unwrap().to_owned();
    messages.iter().map(body).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_relay_loses_and_doubles_nothing() {
    let prosody = prosody("secret");
    let mut world = spine(&prosody);
    world.spawn("relay.test");
    world.spawn("xmpp.test");
    world.start("village.test").await;
    let (mut alice, mut heard, mut romeo, _) = connected(&mut world, &prosody).await;
    let (to_romeo, to_alice) = (names('a', COUNT), names('r', COUNT));
    for n in 0..COUNT {
        send(&alice, ROMEO, &to_romeo[n], &to_romeo[n]).await;
        romeo.message(ALICE, &to_alice[n], &to_alice[n]);
        tokio::time::sleep(PACE).await;
        match n {
            60 | 130 => world.kill("relay.test"),
            80 | 150 => world.spawn("relay.test"),
            _ => {}
        }
    }
    let (messages, bounced) = messages_until(&mut romeo, &to_romeo[COUNT - 1]).await;
    assert_eq!(bodies(&messages), to_romeo);
    assert!(bounced.is_empty(), "{bounced:?}");
    heard
        .until(&mut alice, |heard| {
            heard.texts.len() >= COUNT && heard.sent.len() >= COUNT
        })
        .await;
    assert_eq!(heard.texts, to_alice);
    heard.assert_all_taken(&to_romeo);
    world.rest().await;
    // Nothing more comes.
    romeo.message(ALICE, "last", "last");
    send(&alice, ROMEO, "last", "last").await;
    assert_eq!(
        bodies(&messages_until(&mut romeo, "last").await.0),
        ["last"]
    );
    heard
        .until(&mut alice, |heard| heard.texts.last().unwrap() == "last")
        .await;
    assert_eq!(heard.texts.len(), COUNT + 1);
    world.rest().await;
}

/// At the edge of XMPP there are no acknowledgements in either direction (XEP-0114).
/// What the gateway had handed over unconfirmed goes out again, under the same id.
/// What it had not written down when it died is gone: the server had handed it
/// over. Everything else arrives once, in order, or comes back to its sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_gateway_repeats_only_the_unconfirmed_and_keeps_what_it_wrote_down() {
    let prosody = prosody("secret");
    let mut world = spine(&prosody);
    world.spawn("relay.test");
    world.spawn("xmpp.test");
    world.start("village.test").await;
    let (mut alice, mut heard, mut romeo, _) = connected(&mut world, &prosody).await;
    let (to_romeo, to_alice) = (names('a', COUNT), names('r', COUNT));
    let (mut unconfirmed, mut kept) = (Vec::new(), BTreeSet::new());
    for n in 0..COUNT {
        send(&alice, ROMEO, &to_romeo[n], &to_romeo[n]).await;
        romeo.message(ALICE, &to_alice[n], &to_alice[n]);
        tokio::time::sleep(PACE).await;
        match n {
            60 | 130 => {
                world.kill("xmpp.test");
                for entry in world.left_behind("xmpp.test", "gateway/out/") {
                    unconfirmed.push(entry["stanza"].as_str().unwrap().to_owned());
                }
                for record in world.left_behind("xmpp.test", "gateway/received/") {
                    kept.insert(record["stanza_id"].as_str().unwrap().to_owned());
                }
            }
            80 | 150 => world.spawn("xmpp.test"),
            _ => {}
        }
    }
    // The last ones of all, when everything works again.
    send(&alice, ROMEO, "last", "last").await;
    let (messages, bounced) = messages_until(&mut romeo, "last").await;
    romeo.message(ALICE, "last", "last");
    heard
        .until(&mut alice, |heard| {
            heard.texts.iter().any(|text| text == "last") && heard.sent.len() > COUNT
        })
        .await;

    // To XMPP: all, in order, and repeated under its id only what was unconfirmed.
    let mut wanted = to_romeo.clone();
    wanted.push("last".to_owned());
    heard.assert_all_taken(&wanted);
    let mut arrived: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut first = Vec::new();
    for message in &messages {
        let body = message["body"].as_str().unwrap().to_owned();
        let ids = arrived.entry(body.clone()).or_default();
        if ids.is_empty() {
            first.push(body);
        }
        ids.push(message["id"].as_str().unwrap());
    }
    assert_eq!(first, wanted);
    for (body, ids) in arrived.iter().filter(|(_, ids)| ids.len() > 1) {
        assert!(ids.iter().all(|id| *id == ids[0]), "{body}: {ids:?}");
        let was_unconfirmed = unconfirmed
            .iter()
            .any(|stanza| stanza.contains(&format!(">{body}<")));
        assert!(was_unconfirmed, "{body} came {} times", ids.len());
    }

    // From XMPP: once, in order; the rest came back, or was never written down.
    let number = |text: &String| text[1..].parse::<usize>().unwrap();
    let texts: Vec<usize> = heard.texts[..heard.texts.len() - 1]
        .iter()
        .map(number)
        .collect();
    assert!(texts.is_sorted_by(|a, b| a < b), "{texts:?}");
    let here: BTreeSet<&String> = heard.texts.iter().collect();
    for id in &bounced {
        assert!(!here.contains(id), "{id} arrived and came back");
    }
    for id in &kept {
        assert!(here.contains(id), "{id} was written down and is lost");
    }
    assert!(texts.len() + bounced.len() <= COUNT);
    let known = |name: &String| here.contains(name) || bounced.contains(name);
    let lost: Vec<usize> = to_alice
        .iter()
        .filter(|name| !known(name))
        .map(number)
        .collect();
    println!(
        "{} messages were on their way into the killed gateway: {lost:?}",
        lost.len()
    );
    // One run at most for each time it was killed.
    let runs = lost
        .iter()
        .filter(|n| **n == 0 || !lost.contains(&(**n - 1)));
    assert!(runs.count() <= 2, "{lost:?}");
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_a_killed_xmpp_server() {
    let mut prosody = prosody("secret");
    let mut world = spine(&prosody);
    for domain in ["relay.test", "xmpp.test", "village.test"] {
        world.start(domain).await;
    }
    let (mut alice, mut heard, mut romeo, _) = connected(&mut world, &prosody).await;
    let before = names('b', 20);
    for text in &before {
        send(&alice, ROMEO, text, text).await;
    }
    let (messages, _) = messages_until(&mut romeo, &before[19]).await;
    assert_eq!(bodies(&messages), before);
    // The server's word on all of them is there.
    world.rest().await;
    prosody.kill();
    let meanwhile = names('m', 40);
    for text in &meanwhile {
        send(&alice, ROMEO, text, text).await;
        tokio::time::sleep(PACE).await;
    }
    // They are answered although the server is away: they are safely kept.
    heard
        .until(&mut alice, |heard| heard.sent.len() == 60)
        .await;
    let open = world.counts("xmpp.test").await.open;
    assert_eq!(open, 40);
    prosody.start();
    let mut romeo = XmppUser::login(&prosody, "romeo@xmpp.test", "pw").await;
    romeo.tell(&json!({"do": "presence"}));
    let (messages, _) = messages_until(&mut romeo, &meanwhile[39]).await;
    assert_eq!(bodies(&messages), meanwhile);
    heard.assert_all_taken(&[before, meanwhile].concat());
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_secret_the_component_is_down_and_messages_are_held() {
    let prosody = prosody("another secret");
    let mut world = spine(&prosody);
    world.start("relay.test").await;
    world.start("village.test").await;
    world.spawn("xmpp.test");
    let mut alice = login(&world, "alice", "village.test").await;
    let mut heard = Heard::default();
    send(&alice, ROMEO, "held", "held").await;
    heard.until(&mut alice, |heard| heard.sent.len() == 1).await;
    heard.assert_all_taken(&["held".to_owned()]);
    assert_eq!(world.counts("xmpp.test").await.open, 1);
    let log = world.log("xmpp.test");
    assert!(
        log.contains("the XMPP server refused the component") && log.contains("secret"),
        "{log}"
    );
    world.kill("xmpp.test");
    // The same in this process, to ask it.
    world.start("xmpp.test").await;
    let handle = world.node("xmpp.test").handle().clone();
    loop {
        let components = handle.ask(|core, _, _| core.components.clone());
        if let Some(up) = components.await.unwrap().get("village.test") {
            assert!(!up);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.counts("xmpp.test").await.open, 1);
}
