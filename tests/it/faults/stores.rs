//! Stores that take nothing for a while.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wvgate::store::sqlite::{Options, SqliteStore};
use wvgate::store::{JournalStore, MemoryStore, Store, StoreError, journal};

use super::{Heard, home, login, names, send};
use crate::support::process::World;
use crate::support::prosody::Prosody;
use crate::support::xmpp_user::XmppUser;

fn fail(store: &MemoryStore, times: usize) {
    for _ in 0..times {
        store.fail_next(StoreError::Full("as arranged".to_owned()));
    }
}

/// a.test and b.test, each a home domain.
fn pair() -> World {
    let mut world = World::new(&["a.test", "b.test"]);
    let a = world.peer("b.test", &[]) + &home("alice", "b.test");
    world.configure("a.test", "", &a);
    let b = world.peer("a.test", &[]) + &home("bob", "a.test");
    world.configure("b.test", "", &b);
    world
}

async fn retried(world: &World, domain: &str) -> u64 {
    let count = |core: &mut wvgate::node::Core, _, _: &mut _| {
        core.metrics.get("wvgate_posts_retried_total")
    };
    let counts = world.node(domain).handle().ask_all(count).await;
    counts.unwrap().iter().sum()
}

/// Bytes that wait for peers, and how much of them is in memory.
async fn queued_bytes(world: &World, domain: &str) -> (usize, usize) {
    let held = |core: &mut wvgate::node::Core, _, _: &mut _| core.sap.queued_bytes();
    let held = world.node(domain).handle().ask_all(held).await.unwrap();
    let held = held.into_iter();
    held.fold((0, 0), |sum, shard| (sum.0 + shard.0, sum.1 + shard.1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_refused_and_comes_again() {
    let mut world = pair();
    let store = Arc::new(MemoryStore::new());
    world.start_on("b.test", store.clone()).await;
    world.start("a.test").await;
    let mut alice = login(&world, "alice", "a.test").await;
    let mut bob = login(&world, "bob", "b.test").await;
    let (mut heard, mut received) = (Heard::default(), Heard::default());
    send(&alice, "wv:bob@b.test", "first", "first").await;
    received
        .until(&mut bob, |received| received.texts == ["first"])
        .await;
    let wanted = names('m', 40);
    for (n, text) in wanted.iter().enumerate() {
        if n == 10 {
            fail(&store, 3);
        }
        send(&alice, "wv:bob@b.test", text, text).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    heard
        .until(&mut alice, |heard| heard.sent.len() == 41)
        .await;
    heard.assert_all_taken(&[vec!["first".to_owned()], wanted.clone()].concat());
    assert!(retried(&world, "a.test").await > 0);
    // What bob heard until the session ended, and what waited then.
    while let Some(event) = bob.take().await {
        received.note(event);
    }
    let mut bob = login(&world, "bob", "b.test").await;
    received
        .until(&mut bob, |received| received.texts.len() > 40)
        .await;
    assert_eq!(received.texts[1..], wanted);
    world.rest().await;
    // The other direction, with posts of a failing node under way.
    let mut answers = Heard::default();
    let wanted = names('n', 40);
    for (n, text) in wanted.iter().enumerate() {
        send(&bob, "wv:alice@a.test", text, text).await;
        if n == 39 {
            // All are kept before the store fails.
            answers
                .until(&mut bob, |answers| answers.sent.len() == 40)
                .await;
            fail(&store, 2);
            send(&bob, "wv:alice@a.test", "lost", "lost").await;
        }
    }
    // The one that could not be kept is not sent, and its client is told.
    while bob.take().await.is_some() {}
    let mut bob = login(&world, "bob", "b.test").await;
    send(&bob, "wv:alice@a.test", "end", "end").await;
    let mut at_alice = Heard::default();
    at_alice
        .until(&mut alice, |heard| {
            heard.texts.last().is_some_and(|text| text == "end")
        })
        .await;
    assert_eq!(at_alice.texts[..40], wanted);
    assert_eq!(at_alice.texts.len(), 41);
    Heard::default()
        .until(&mut bob, |heard| heard.sent.len() == 1)
        .await;
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_answered_when_it_is_kept_and_undone_when_it_is_not() {
    // Alone, so that nothing else is written meanwhile.
    let mut world = World::new(&["a.test"]);
    let alice = "[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n";
    world.configure("a.test", "", alice);
    let store = Arc::new(MemoryStore::new());
    world.start_on("a.test", store.clone()).await;
    let handle = world.node("a.test").handle().clone();
    let add = |name: &'static str| {
        handle.change(move |core, now, turn| {
            core.administer(now, turn, |home: &mut wvgate::home::Home| {
                home.add_user(name, "hash".to_owned(), now).is_ok()
            })
        })
    };
    let users = |core: &mut wvgate::node::Core, _, _: &mut _| {
        let home = core.element::<wvgate::home::Home>().unwrap();
        home.names().all().map(str::to_owned).collect::<Vec<_>>()
    };
    // What a start writes is written.
    handle.ask(users).await.unwrap();
    fail(&store, 1);
    assert_eq!(add("carol").await, Ok(None));
    // Asked until the core is made anew.
    while handle
        .ask(users)
        .await
        .unwrap()
        .contains(&"carol".to_owned())
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(add("dora").await, Ok(Some(Some(true))));
    assert!(
        handle
            .ask(users)
            .await
            .unwrap()
            .contains(&"dora".to_owned())
    );
    assert_eq!(store.health(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_nothing_is_asked_now_and_then_and_sessions_stay() {
    let mut world = pair();
    let store = Arc::new(MemoryStore::new());
    world.start_on("b.test", store.clone()).await;
    world.start("a.test").await;
    let mut alice = login(&world, "alice", "a.test").await;
    let (mut heard, mut received) = (Heard::default(), Heard::default());
    send(&alice, "wv:bob@b.test", "first", "first").await;
    heard.until(&mut alice, |heard| heard.sent.len() == 1).await;
    let sessions = |core: &mut wvgate::node::Core, _, _: &mut _| {
        let views = core.sap.session_views().into_iter();
        views.map(|view| view.own_id).collect::<Vec<_>>()
    };
    let handle = world.node("b.test").handle().clone();
    let before = handle.ask(sessions).await.unwrap();
    assert_eq!(before.len(), 1);
    let begin = std::time::Instant::now();
    fail(&store, 8);
    send(&alice, "wv:bob@b.test", "second", "second").await;
    heard.until(&mut alice, |heard| heard.sent.len() == 2).await;
    // One failed as it should, and seven were tried with a pause before each.
    assert!(begin.elapsed() >= Duration::from_millis(7 * 200));
    assert_eq!(store.stats().failed, 8);
    assert_eq!(handle.ask(sessions).await.unwrap(), before);
    let mut bob = login(&world, "bob", "b.test").await;
    received
        .until(&mut bob, |received| received.texts == ["first", "second"])
        .await;
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_an_absent_peer_is_read_from_the_disk_in_order() {
    let mut world = World::new(&["a.test", "b.test"]);
    let a = world.peer("b.test", &[]) + &home("alice", "b.test");
    world.configure("a.test", "response_timeout = \"2s\"", &a);
    let b = world.peer("a.test", &[]) + &home("bob", "a.test");
    world.configure("b.test", "", &b);
    world.start("a.test").await;
    let mut alice = login(&world, "alice", "a.test").await;
    let filler = "x".repeat(50 << 10);
    let wanted = names('m', 80);
    for id in &wanted {
        send(&alice, "wv:bob@b.test", &format!("{id} {filler}"), id).await;
    }
    let mut heard = Heard::default();
    heard
        .until(&mut alice, |heard| heard.sent.len() == 80)
        .await;
    heard.assert_all_taken(&wanted);
    let (queued, in_memory) = queued_bytes(&world, "a.test").await;
    assert!(queued > 80 * (50 << 10), "{queued}");
    assert!(in_memory <= 2 << 20, "{in_memory}");
    world.stop("a.test").await;
    world.start("a.test").await;
    let (queued, in_memory) = queued_bytes(&world, "a.test").await;
    assert!(queued > 80 * (50 << 10) && in_memory <= 2 << 20);
    world.start("b.test").await;
    let mut bob = login(&world, "bob", "b.test").await;
    let mut received = Heard::default();
    received
        .until(&mut bob, |received| received.texts.len() == 80)
        .await;
    for (text, id) in received.texts.iter().zip(&wanted) {
        assert!(
            *text == format!("{id} {filler}"),
            "{id} is not as it was sent"
        );
    }
    world.rest().await;
    assert_eq!(queued_bytes(&world, "a.test").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_without_room_refuses_until_there_is_some() {
    without_room(|database, _| Arc::new(database)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_without_room_for_a_journal_refuses_until_there_is_some() {
    without_room(|database, journal| {
        let options = journal::Options {
            // As on a disk with hardly any room.
            reserve_bytes: u64::MAX,
            ..journal::Options::default()
        };
        Arc::new(JournalStore::open(journal, Arc::new(database), options).unwrap())
    })
    .await;
}

async fn without_room(store: impl Fn(SqliteStore, &Path) -> Arc<dyn Store>) {
    let mut world = World::new(&["a.test", "b.test", "r.test"]);
    let a = world.peer("r.test", &["b.test"]) + &home("alice", "r.test");
    let ssp = "response_timeout = \"4s\"\nbatch_count = 4";
    world.configure("a.test", ssp, &a);
    let b = world.peer("r.test", &["a.test"]) + &home("bob", "r.test");
    world.configure("b.test", "response_timeout = \"4s\"", &b);
    let r = world.peer("a.test", &[]) + &world.peer("b.test", &[]);
    world.configure("r.test", ssp, &r);
    world.start("a.test").await;
    let options = Options {
        max_bytes: Some(256 << 10),
        reserve_bytes: 96 << 10,
        ..Options::default()
    };
    let path = world.data("r.test").join("wvgate.db");
    let database = SqliteStore::open(&path, options).unwrap();
    let store = store(database, &path.with_extension("journal"));
    world.start_on("r.test", store).await;
    let mut alice = login(&world, "alice", "a.test").await;
    let filler = "x".repeat(8 << 10);
    let wanted = names('m', 80);
    for id in &wanted {
        let text = format!("{id} {filler}");
        send(&alice, "wv:bob@b.test", &text, id).await;
    }
    // The relay takes some and then no more; all are answered for.
    let mut heard = Heard::default();
    heard
        .until(&mut alice, |heard| heard.sent.len() == 80)
        .await;
    heard.assert_all_taken(&wanted);
    let (first, second) = (world.counts("r.test").await, world.counts("a.test").await);
    assert!(first.open > 0 && second.open > 0, "{first:?} {second:?}");
    assert!(retried(&world, "a.test").await > 0);
    // With bob's domain there the relay can pass on what it has, and take the rest.
    world.start("b.test").await;
    let mut bob = login(&world, "bob", "b.test").await;
    let mut received = Heard::default();
    received
        .until(&mut bob, |received| received.texts.len() == 80)
        .await;
    let ids: Vec<&str> = received
        .texts
        .iter()
        .map(|text| text.split(' ').next().unwrap())
        .collect();
    assert_eq!(ids, wanted);
    world.rest().await;
    assert_eq!(world.counts("b.test").await.accepted, 80);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_store_fails_tells_xmpp_senders_and_goes_on() {
    let prosody = Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .component("a.test", "secret")
        .start();
    let mut world = World::new(&["a.test", "xmpp.test"]);
    let a = world.peer("xmpp.test", &[]) + &home("alice", "xmpp.test");
    world.configure("a.test", "", &a);
    let gateway = format!(
        "{}[xmpp]\nserver = \"{}\"\nsettle = \"100ms\"\n[[xmpp.component]]\ndomain = \"a.test\"\nsecret = \"secret\"\n",
        world.peer("a.test", &[]),
        prosody.component_address(),
    ) + "[[route]]\ndomain = \"a.test\"\nvia = \"a.test\"\n";
    world.configure("xmpp.test", "", &gateway);
    let store = Arc::new(MemoryStore::new());
    world.start_on("xmpp.test", store.clone()).await;
    world.start("a.test").await;
    let mut alice = login(&world, "alice", "a.test").await;
    let mut romeo = XmppUser::login(&prosody, "romeo@xmpp.test", "pw").await;
    romeo.tell(&json!({"do": "presence"}));
    send(&alice, "wv:romeo@xmpp.test", "first", "first").await;
    romeo.wait_message("first").await;

    let (to_romeo, to_alice) = (names('a', 60), names('r', 60));
    for n in 0..60 {
        if n % 25 == 10 {
            fail(&store, 2);
        }
        send(&alice, "wv:romeo@xmpp.test", &to_romeo[n], &to_romeo[n]).await;
        romeo.message("alice@a.test", &to_alice[n], &to_alice[n]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut heard = Heard::default();
    heard
        .until(&mut alice, |heard| heard.sent.len() == 61)
        .await;
    heard.assert_all_taken(&[vec!["first".to_owned()], to_romeo.clone()].concat());
    // The store takes records again when a message gets through.
    let mut last = 0;
    let (mut bodies, mut refused) = (Vec::new(), Vec::new());
    while !heard.texts.iter().any(|text| text.starts_with("last")) {
        last += 1;
        let text = format!("last{last}");
        romeo.message("alice@a.test", &text, &text);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let listen = heard.until(&mut alice, |heard| {
            heard.texts.iter().any(|text| text.starts_with("last"))
        });
        let _ = tokio::time::timeout(Duration::from_millis(200), listen).await;
    }
    send(&alice, "wv:romeo@xmpp.test", "end", "end").await;
    loop {
        let event = romeo.wait("the end", |e| e["event"] == "message").await;
        if event["type"] == "error" {
            assert_eq!(event["error"], "resource-constraint");
            refused.push(event["id"].as_str().unwrap().to_owned());
        } else if event["body"] == "end" {
            break;
        } else {
            bodies.push(event["body"].as_str().unwrap().to_owned());
        }
    }
    // To XMPP: once, in order, on the connection that stayed up.
    assert_eq!(bodies, to_romeo);
    // From XMPP: each arrived or came back.
    assert!(!refused.is_empty());
    let arrived: Vec<&String> = heard
        .texts
        .iter()
        .filter(|text| text.starts_with('r'))
        .collect();
    let wanted: Vec<&String> = to_alice
        .iter()
        .filter(|name| !refused.contains(name))
        .collect();
    assert_eq!(arrived, wanted);
    world.rest().await;
}
