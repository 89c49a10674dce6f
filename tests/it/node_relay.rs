//! Whole nodes over real HTTP: two home domains and a relay between them.

use std::time::Duration;

use wvgate::imps::Address;

use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::talk::{Command, Event};

const RELAY: &str = r#"
[[peer]]
domain = "a.test"
url = "http://127.0.0.1:@PORT:a.test@/"
allow_plain = true
[[peer]]
domain = "b.test"
url = "http://127.0.0.1:@PORT:b.test@/"
allow_plain = true
"#;

fn home(user: &str, other: &str) -> String {
    format!(
        r#"
[[peer]]
domain = "r.test"
url = "http://127.0.0.1:@PORT:r.test@/"
allow_plain = true
speaks_for = ["{other}"]
[[route]]
domain = "*"
via = "r.test"
[home]
[[home.user]]
name = "{user}"
password = "secret"
"#
    )
}

async fn chain() -> Cluster {
    let mut cluster = Cluster::new(&["a.test", "b.test", "r.test"]);
    cluster.start("r.test", RELAY).await;
    cluster.start("a.test", &home("alice", "b.test")).await;
    cluster.start("b.test", &home("bob", "a.test")).await;
    cluster
}

async fn login(cluster: &Cluster, user: &str, domain: &str) -> Client {
    let node = cluster.node(domain).handle();
    Client::open(node, user).await.unwrap().unwrap()
}

async fn until<T>(client: &mut Client, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = client.take().await.expect("the session lives");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    // A login that has failed twice is tried again after half a minute.
    tokio::time::timeout(Duration::from_secs(120), found)
        .await
        .expect("the event comes")
}

fn message(to: &str, text: &str, id: &str) -> Command {
    Command::Message {
        to: Address::new(to),
        text: text.to_owned(),
        report: true,
        id: Some(id.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_and_its_report_cross_the_relay() {
    let cluster = chain().await;
    let mut alice = login(&cluster, "alice", "a.test").await;
    let mut bob = login(&cluster, "bob", "b.test").await;
    alice
        .command(message("wv:bob@b.test", "hello", "m1"))
        .await
        .unwrap();
    let text = until(&mut bob, |event| match event {
        Event::Message { text, .. } => Some(text.clone()),
        _ => None,
    });
    assert_eq!(text.await, "hello");
    let (mut sent, mut reported) = (false, false);
    while !(sent && reported) {
        until(&mut alice, |event| match event {
            Event::Sent { status, .. } => {
                assert_eq!(*status, 200);
                sent = true;
                Some(())
            }
            Event::Report { status, .. } => {
                assert_eq!(*status, 200);
                reported = true;
                Some(())
            }
            _ => None,
        })
        .await;
    }
    alice
        .command(message("wv:nobody@b.test", "hello", "m2"))
        .await
        .unwrap();
    let status = until(&mut alice, |event| match event {
        Event::Sent { status, .. } => Some(*status),
        _ => None,
    });
    assert_eq!(status.await, 531);
    for node in cluster.nodes.into_values() {
        node.stop(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_a_relay_that_is_away_for_a_while() {
    let mut cluster = chain().await;
    let alice = login(&cluster, "alice", "a.test").await;
    let mut bob = login(&cluster, "bob", "b.test").await;
    alice
        .command(message("wv:bob@b.test", "0", "m0"))
        .await
        .unwrap();
    cluster.stop("r.test").await;
    for n in 1..10 {
        alice
            .command(message("wv:bob@b.test", &n.to_string(), &format!("m{n}")))
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    cluster.start_again("r.test").await;
    let mut texts = Vec::new();
    while texts.len() < 10 {
        let text = until(&mut bob, |event| match event {
            Event::Message { text, .. } => Some(text.clone()),
            _ => None,
        });
        texts.push(text.await);
    }
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

async fn sessions(cluster: &Cluster, domain: &str) -> usize {
    let handle = cluster.node(domain).handle();
    let look = handle.ask_all(|core, _, _| core.sap.session_views().len());
    look.await.unwrap().into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_stopped_logs_out_and_is_logged_in_to_afresh() {
    let mut cluster = chain().await;
    let alice = login(&cluster, "alice", "a.test").await;
    let mut bob = login(&cluster, "bob", "b.test").await;
    for n in ["0", "1"] {
        let command = message("wv:bob@b.test", n, &format!("m{n}"));
        alice.command(command).await.unwrap();
        let text = until(&mut bob, |event| match event {
            Event::Message { text, .. } => Some(text.clone()),
            _ => None,
        });
        assert_eq!(text.await, n);
        if n == "0" {
            let relay = cluster.nodes.remove("r.test").unwrap();
            relay.stop(Duration::from_secs(10)).await;
            for domain in ["a.test", "b.test"] {
                assert_eq!(sessions(&cluster, domain).await, 0, "{domain}");
            }
            cluster.start_again("r.test").await;
        }
    }
    for domain in ["a.test", "b.test"] {
        assert!(sessions(&cluster, domain).await > 0, "{domain}");
    }
}
