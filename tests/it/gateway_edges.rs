//! The gateway at the edges of what an XMPP server takes, gives and is told, with real servers.

use std::time::Duration;

use wvgate::imps::Address;

use crate::gateway_servers::{ROMEO, SETUP, peer, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::ejabberd::Ejabberd;
use crate::support::prosody::Prosody;
use crate::support::server::Server;
use crate::support::talk::{Command, Event};
use crate::support::xmpp_user::XmppUser;

const PATIENCE: Duration = Duration::from_secs(60);

/// A home domain and the gateway of xmpp.test, with a component for the home domain.
pub(crate) async fn pair(home: &str, server: &str, components: &str) -> Cluster {
    let mut cluster = Cluster::new(&[home, "xmpp.test"]);
    let gateway = format!(
        "{}[xmpp]\nserver = \"{server}\"\nsettle = \"200ms\"\nreconnect_max = \"1s\"\n{components}",
        peer(home, ""),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home_node = format!(
        "{}[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n",
        peer("xmpp.test", ""),
    );
    cluster.start(home, &home_node).await;
    cluster
}

pub(crate) fn component(domain: &str) -> String {
    format!("[[xmpp.component]]\ndomain = \"{domain}\"\nsecret = \"secret\"\n")
}

pub(crate) async fn alice(cluster: &Cluster, home: &str) -> Client {
    let handle = cluster.node(home).handle();
    Client::open(handle, "alice").await.unwrap().unwrap()
}

pub(crate) async fn tell_romeo(alice: &mut Client, id: &str, text: String) {
    let command = Command::Message {
        to: Address::new("wv:romeo@xmpp.test"),
        text,
        report: true,
        id: Some(id.into()),
    };
    alice.command(command).await.unwrap();
}

/// How a message ended: the code of its answer, or of its report where the answer was that it goes
/// on.
pub(crate) async fn end_of(client: &mut Client, wanted: &str) -> u16 {
    until(client, wanted, |event| match event {
        Event::Sent { id, status, .. } if id == wanted && !matches!(status, 200..=202) => {
            Some(*status)
        }
        Event::Report { id, status, .. } if id == wanted => Some(*status),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stanza_at_which_prosody_ends_the_stream_ends_and_holds_up_nothing() {
    let prosody = Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .component("village.test", "secret")
        .setting("component_stanza_size_limit = 100000")
        .start();
    let address = prosody.component_address();
    let cluster = pair("village.test", &address, &component("village.test")).await;
    let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    let mut alice = alice(&cluster, "village.test").await;
    tell_romeo(&mut alice, "before", "before".into()).await;
    // As XML it has four times the bytes.
    tell_romeo(&mut alice, "large", "<".repeat(40_000)).await;
    tell_romeo(&mut alice, "after", "after".into()).await;
    romeo.wait_message("before").await;
    assert_eq!(end_of(&mut alice, "large").await, 410);
    romeo.wait_message("after").await;
    // What was learnt: the next one is not even tried.
    tell_romeo(&mut alice, "again", "<".repeat(40_000)).await;
    assert_eq!(end_of(&mut alice, "again").await, 410);
    let ends = prosody.log().matches("stanza-too-large").count();
    assert!((1..=3).contains(&ends), "{ends} ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internationalised_component_gets_and_sends_whichever_form_the_server_has() {
    for known_as in ["xn--bcher-kva.test", "bücher.test"] {
        let prosody = Prosody::build()
            .host("xmpp.test")
            .user("romeo", "xmpp.test", "pw")
            .component(known_as, "secret")
            .start();
        let home = "xn--bcher-kva.test";
        let cluster = pair(home, &prosody.component_address(), &component(home)).await;
        let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
        romeo.tell(&serde_json::json!({"do": "presence"}));
        let mut alice = alice(&cluster, home).await;
        tell_romeo(&mut alice, "m1", "O Romeo".into()).await;
        let message = romeo.wait_message("O Romeo").await;
        let from = message["from"].as_str().unwrap();
        assert!(from.starts_with(&format!("alice@{known_as}/")), "{from}");
        assert_eq!(end_of(&mut alice, "m1").await, 200);
        romeo.message(&format!("alice@{known_as}"), "Call me but love", "r1");
        until(&mut alice, "romeo's message", |event| match event {
            Event::Message { text, .. } if text == "Call me but love" => Some(()),
            _ => None,
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_has_under_way_when_the_gateway_stops_is_taken_or_refused() {
    for server in SETUP.both() {
        what_is_under_way_is_taken_or_refused(&server).await;
    }
}

async fn what_is_under_way_is_taken_or_refused(server: &Server) {
    const MESSAGES: usize = 300;
    let address = server.component_address();
    let mut cluster = pair("village.test", &address, &component("village.test")).await;
    let mut romeo = server.login(ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    let mut alice = alice(&cluster, "village.test").await;
    tell_romeo(&mut alice, "m1", "up?".into()).await;
    assert_eq!(end_of(&mut alice, "m1").await, 200);
    for n in 0..MESSAGES {
        romeo.message(
            "alice@village.test",
            &format!("number {n}"),
            &format!("r{n}"),
        );
        if n == MESSAGES / 3 {
            // Some are there, others on their way.
            until(&mut alice, "the first", |event| match event {
                Event::Message { text, .. } if text == "number 0" => Some(()),
                _ => None,
            })
            .await;
        }
    }
    if matches!(server, Server::Ejabberd(_)) {
        // What it hears while it takes the component's route away it throws away, and tells nobody:
        // it shall have all before.
        romeo.message(ROMEO, "all are with the server", "all");
        romeo.wait_message("all are with the server").await;
    }
    cluster.stop("xmpp.test").await;
    cluster.start_again("xmpp.test").await;
    // Each arrives or comes back.
    let mut open: std::collections::BTreeSet<usize> = (1..MESSAGES).collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !open.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "lost: {open:?}");
        tokio::select! {
            event = alice.take() => {
                if let Some(Event::Message { text, .. }) = event
                    && let Some(n) = text.strip_prefix("number ")
                {
                    open.remove(&n.parse().unwrap());
                }
            }
            refused = romeo.next_error() => {
                let n = refused["id"].as_str().unwrap().trim_start_matches('r');
                open.remove(&n.parse().unwrap());
            }
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cross_ejabberd_also_where_each_connection_gets_the_routes_of_all() {
    for global_routes in [true, false] {
        let ejabberd = Ejabberd::start(
            "xmpp.test",
            &[("romeo", "pw")],
            &[("village.test", "secret"), ("town.test", "secret")],
            global_routes,
        );
        let components = component("village.test") + &component("town.test");
        let cluster = pair("village.test", &ejabberd.component_address(), &components).await;
        let mut romeo = XmppUser::login_at(ejabberd.c2s_port, ROMEO, "pw").await;
        romeo.tell(&serde_json::json!({"do": "presence"}));
        let mut alice = alice(&cluster, "village.test").await;
        for n in 0..10 {
            tell_romeo(&mut alice, &format!("m{n}"), format!("to {n}")).await;
            romeo.wait_message(&format!("to {n}")).await;
            assert_eq!(end_of(&mut alice, &format!("m{n}")).await, 200, "{n}");
            // It goes to either link.
            romeo.message("alice@village.test", &format!("from {n}"), &format!("r{n}"));
            let wanted = format!("from {n}");
            until(&mut alice, &wanted, |event| match event {
                Event::Message { text, .. } if *text == wanted => Some(()),
                _ => None,
            })
            .await;
            romeo.message("nobody@town.test", "hello?", &format!("n{n}"));
            let id = format!("n{n}");
            let refused = romeo.wait("the refusal", |e| e["id"] == *id && e["type"] == "error");
            refused.await;
        }
    }
}
