//! Presence and questions between the home domain and real XMPP servers.

use std::time::Duration;

use serde_json::{Value, json};
use wvgate::imps::Address;
use wvgate::imps::common::{AttributeList, MetaInfo, VerUserId};
use wvgate::imps::primitive::presence::GetPresenceRequest;

use crate::gateway_edges::{alice, component, pair};
use crate::gateway_servers::{ROMEO, SETUP, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Server;
use crate::support::talk::{Command, Event};
use crate::support::xmpp_user::XmppUser;

const ALICE: &str = "alice@village.test";
const MUC: &str = "http://jabber.org/protocol/muc";

fn romeo() -> Address {
    Address::new("wv:romeo@xmpp.test")
}

/// village.test (home) — xmpp.test (gateway) — the server, with romeo, who hears of subscriptions.
async fn world(server: &Server) -> (Cluster, Client, XmppUser) {
    let address = server.component_address();
    let cluster = pair("village.test", &address, &component("village.test")).await;
    let alice = alice(&cluster, "village.test").await;
    let mut romeo = server.login(ROMEO, "pw").await;
    romeo.tell(&json!({"do": "roster"}));
    romeo.tell(&json!({"do": "presence"}));
    (cluster, alice, romeo)
}

/// Lets each watch the other.
async fn befriend(alice: &mut Client, user: &mut XmppUser) {
    alice
        .command(Command::Subscribe { user: romeo() })
        .await
        .unwrap();
    user.wait("alice's request", is("subscribe")).await;
    user.tell(&json!({"do": "subscribed", "to": ALICE}));
    user.tell(&json!({"do": "subscribe", "to": ALICE}));
    asked(alice).await;
    decide(alice, true).await;
    user.wait("subscribed", is("subscribed")).await;
    user.wait("alice there", |e| {
        e["event"] == "presence" && e["type"] == "available" && is_alice(e)
    })
    .await;
}

async fn asked(alice: &mut Client) {
    until(alice, "romeo's request", |event| match event {
        Event::AuthorizationRequest { user, .. } if *user == romeo() => Some(()),
        _ => None,
    })
    .await;
}

async fn decide(alice: &Client, accept: bool) {
    let user = romeo();
    alice
        .command(Command::Authorize { user, accept })
        .await
        .unwrap();
}

fn is(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |e| e["event"] == "presence" && e["type"] == kind && is_alice(e)
}

fn is_alice(event: &Value) -> bool {
    event["from"]
        .as_str()
        .is_some_and(|from| from.starts_with(ALICE))
}

/// What romeo publishes by PEP.
fn publish(user: &mut XmppUser, node: &str, payload: &str) {
    user.raw(&format!(
        "<iq type='set' id='publish'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <publish node='{node}'><item id='current'>{payload}</item></publish></pubsub></iq>"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_asks_what_clients_can_do_and_pushes_mood_and_name() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut user) = world(&server).await;
        befriend(&mut alice, &mut user).await;
        let mood = "http://jabber.org/protocol/mood";
        publish(
            &mut user,
            mood,
            &format!("<mood xmlns='{mood}'><grumpy/></mood>"),
        );
        until(&mut alice, "romeo's mood", |event| match event {
            Event::Presence { presence, .. } => {
                (presence.mood.as_deref() == Some("ANGRY")).then_some(())
            }
            _ => None,
        })
        .await;
        let nick = "http://jabber.org/protocol/nick";
        publish(
            &mut user,
            nick,
            &format!("<nick xmlns='{nick}'>Montague</nick>"),
        );
        until(&mut alice, "romeo's name", |event| match event {
            Event::Presence { presence, .. } => {
                (presence.alias.as_deref() == Some("Montague")).then_some(())
            }
            _ => None,
        })
        .await;
    }
}

/// A PNG as far as its head goes.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAg";

/// What alice is told of romeo's presence when she asks.
async fn presence_of_romeo(alice: &mut Client) -> String {
    let request = GetPresenceRequest {
        meta: Some(MetaInfo::of_user(
            "village.test",
            Address::new("wv:alice@village.test"),
        )),
        users: vec![VerUserId {
            user: romeo(),
            version: None,
        }],
        attributes: Some(AttributeList::all()),
    };
    alice.request("asked", request.into()).await.unwrap();
    until(alice, "romeo's presence", |event| match event {
        Event::Answer { primitive, .. } => Some(primitive.to_xml(None)),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_an_xmpp_user_publishes_is_fetched_and_shown() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut user) = world(&server).await;
        befriend(&mut alice, &mut user).await;
        let bytes = wvgate::imps::common::decode_base64(PNG).unwrap();
        let id = wvgate::translate::presence::avatar::hash(&bytes);
        let avatar = |what: &str| format!("urn:xmpp:avatar:{what}");
        let (data, metadata) = (avatar("data"), avatar("metadata"));
        for (node, payload) in [
            (&data, format!("<data xmlns='{data}'>{PNG}</data>")),
            (
                &metadata,
                format!(
                    "<metadata xmlns='{metadata}'><info id='{id}' bytes='24' type='image/png'/></metadata>"
                ),
            ),
        ] {
            user.raw(&format!(
                "<iq type='set' id='{node}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
                 <publish node='{node}'><item id='{id}'>{payload}</item></publish></pubsub></iq>"
            ));
        }
        // It comes when the server has told of it and given it.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let told = presence_of_romeo(&mut alice).await;
            if told.contains(PNG) {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{told}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_to_watch_says_why_and_hears_the_answer() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut user) = world(&server).await;
        user.raw(&format!(
            "<presence type='subscribe' to='{ALICE}'><status>We met at the ball</status>\
             <nick xmlns='http://jabber.org/protocol/nick'>Montague</nick></presence>"
        ));
        let (mut is_asked, mut has_words) = (false, false);
        until(&mut alice, "the request and its words", |event| {
            match event {
                Event::AuthorizationRequest { user, .. } => is_asked |= *user == romeo(),
                Event::Message { text, .. } => has_words |= text == "We met at the ball",
                _ => {}
            }
            (is_asked && has_words).then_some(())
        })
        .await;
        decide(&alice, false).await;
        user.wait("the denial", is("unsubscribed")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_taken_back_asks_nobody_any_more() {
    for server in SETUP.both() {
        let (cluster, alice, mut user) = world(&server).await;
        drop(alice);
        user.tell(&json!({"do": "subscribe", "to": ALICE}));
        user.tell(&json!({"do": "unsubscribe", "to": ALICE}));
        // Behind both.
        user.message(ALICE, "never mind", "m");
        let mut alice = crate::gateway_edges::alice(&cluster, "village.test").await;
        let mut is_asked = false;
        until(&mut alice, "the message", |event| match event {
            Event::AuthorizationRequest { .. } => {
                is_asked = true;
                None
            }
            Event::Message { text, .. } => (text == "never mind").then_some(()),
            _ => None,
        })
        .await;
        // Whatever was asked before has been withdrawn: there is nobody left who watches.
        alice.command(Command::Watchers).await.unwrap();
        let watchers = until(&mut alice, "the watchers", |event| match event {
            Event::Watchers { watchers } => Some(watchers.len()),
            _ => None,
        });
        assert_eq!(watchers.await, 0);
        drop(alice);
        let mut again = crate::gateway_edges::alice(&cluster, "village.test").await;
        user.message(ALICE, "again", "m2");
        until(&mut again, "the next message", |event| match event {
            Event::AuthorizationRequest { .. } => panic!("asked about a request that is gone"),
            Event::Message { text, .. } => (text == "again").then_some(()),
            _ => None,
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_stops_shows_nobody_and_everybody_when_it_is_back() {
    for server in SETUP.both() {
        let (mut cluster, mut alice, mut user) = world(&server).await;
        befriend(&mut alice, &mut user).await;
        cluster.stop("xmpp.test").await;
        user.wait("alice away", is("unavailable")).await;
        cluster.start_again("xmpp.test").await;
        user.wait("alice back", is("available")).await;
        user.tell(&json!({"do": "presence", "status": "still here"}));
        until(&mut alice, "romeo's status", |event| match event {
            Event::Presence { presence, .. } => {
                (presence.text.as_deref() == Some("still here")).then_some(())
            }
            _ => None,
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_domain_says_what_it_is_and_whoever_joins_a_room_gets_an_answer() {
    for server in SETUP.both() {
        let (_cluster, _alice, mut user) = world(&server).await;
        for (n, (question, part)) in [
            (
                "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                "vcard-temp",
            ),
            (
                "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                "disco#items",
            ),
            ("<ping xmlns='urn:xmpp:ping'/>", "result"),
            ("<query xmlns='jabber:iq:version'/>", "wvgate"),
            ("<time xmlns='urn:xmpp:time'/>", "+00:00"),
            ("<query xmlns='jabber:iq:last'/>", "seconds="),
            ("<vCard xmlns='vcard-temp'/>", "village.test"),
            ("<tea xmlns='urn:example:tea'/>", "service-unavailable"),
        ]
        .into_iter()
        .enumerate()
        {
            let id = format!("q{n}");
            user.raw(&format!(
                "<iq type='get' id='{id}' to='village.test'>{question}</iq>"
            ));
            let answer = user
                .wait(question, |e| e["event"] == "iq" && e["id"] == *id)
                .await;
            let xml = answer["xml"].as_str().unwrap();
            assert!(xml.contains(part), "{part} in {xml}");
        }
        for to in ["alice@village.test/Ro", r"alice\2fball@village.test/Ro"] {
            user.raw(&format!(
                "<presence to='{to}'><x xmlns='{MUC}'/></presence>"
            ));
            let is_answer = |e: &Value| e["event"] == "presence" && e["from"] == to;
            let answer = user.wait("the answer", is_answer).await;
            assert_eq!(answer["error"], "item-not-found");
        }
    }
}
