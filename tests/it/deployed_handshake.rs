//! A real node and the deployed server's recorded side of the login, byte for byte, with its
//! race, its lost sessions and its silence (deployed-server, 2 to 4 and 9).

use std::sync::Arc;
use std::time::Duration;

use wvgate::imps::Address;
use wvgate::node::Node;
use wvgate::store::MemoryStore;

use super::support::client::Client;
use super::support::peer::{Deployed, node, post};
use super::support::talk::Command;

async fn start() -> (Deployed, Node, Arc<MemoryStore>) {
    let mut peer = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    (peer, node, store)
}

async fn bob(node: &Node) -> Client {
    Client::open(node.handle(), "bob").await.unwrap().unwrap()
}

async fn write_to_alice(bob: &Client, text: &str) {
    let command = Command::Message {
        to: Address::new("wv:alice@a.test"),
        text: text.to_owned(),
        report: false,
        id: None,
    };
    bob.command(command).await.unwrap();
}

async fn sessions(node: &Node) -> Vec<(String, String)> {
    let views = node
        .handle()
        .ask_all(|core, _, _| core.sap.session_views())
        .await
        .unwrap();
    let views = views.into_iter().flatten();
    let ids = views.map(|view| [view.own_id, view.peer_id].map(|id| id.as_str().to_owned()));
    ids.map(|[own, peer]| (own, peer)).collect()
}

#[tokio::test]
async fn the_deployed_server_logs_in_as_recorded() {
    let (mut peer, node, _) = start().await;
    let own = peer.log_in().await;
    assert_eq!(sessions(&node).await, [(own, "101@a.test".to_owned())]);
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
}

#[tokio::test]
async fn we_log_in_to_the_deployed_server_as_recorded() {
    let (mut peer, node, _) = start().await;
    let bob = bob(&node).await;
    write_to_alice(&bob, "hello").await;
    let own = peer.be_logged_in().await;
    let message = peer.expect(&["<SendMessageRequest"]).await;
    assert_eq!(message.attribute("sessionID"), own);
    assert!(message.head.contains("x-wv-sessionid"), "{}", message.head);
    assert_eq!(sessions(&node).await, [(own, "101@a.test".to_owned())]);
}

#[tokio::test]
async fn advice_1_steps_dropped_by_the_commit_race_are_repeated_in_both_roles() {
    // A row committed 700 ms late: later than our pause, so the first try is dropped.
    let (mut peer, node, _) = start().await;
    peer.with_race(700);
    let first = tokio::spawn(async move {
        peer.log_in().await;
        peer
    });
    let mut peer = first.await.unwrap();
    assert_eq!(sessions(&node).await.len(), 1);
    let dropped = |arrived: &[super::support::peer::Arrived]| {
        arrived.iter().filter(|message| !message.answered).count()
    };
    // `log_in` took the dropped one out of the stream; nothing else was dropped.
    assert_eq!(dropped(&peer.rest(Duration::from_millis(200)).await), 0);

    let (mut peer, node, _) = start().await;
    peer.with_race(700);
    let bob = bob(&node).await;
    write_to_alice(&bob, "hello").await;
    peer.be_logged_in().await;
    peer.expect(&["<SendMessageRequest"]).await;
    assert_eq!(sessions(&node).await.len(), 1);
}

#[tokio::test]
async fn advice_1_the_pause_is_long_enough_for_the_usual_race() {
    let (mut peer, _node, _) = start().await;
    peer.with_race(150);
    assert_eq!(peer.replay("01/0003", &[]).await, Some(200));
    let step2 = peer.expect(&["<SendSecretToken"]).await;
    assert!(step2.answered, "the first try came before the commit");
}

#[tokio::test]
async fn advice_2_a_client_hello_on_the_plain_port_is_answered_400_and_closed() {
    let (mut peer, node, _) = start().await;
    let answer = peer.client_hello().await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"));
    // The next thing the original does on the same port.
    peer.log_in().await;
    assert_eq!(sessions(&node).await.len(), 1);
}

#[tokio::test]
async fn advice_3_ids_and_tokens_have_the_form_that_is_understood() {
    let (mut peer, node, store) = start().await;
    let own = peer.log_in().await;
    let (local, domain) = own.split_once('@').unwrap();
    assert_eq!(domain, "b.test");
    assert!(!local.is_empty() && local.bytes().all(|b| b.is_ascii_alphanumeric()));
    node.stop(Duration::from_secs(1)).await;

    let mut ids = Vec::new();
    for _ in 0..2 {
        // The records are thrown away, so that each run logs in.
        let mut peer = Deployed::listen().await;
        let node = super::support::peer::node(&peer, &Arc::new(MemoryStore::new()), "").await;
        peer.talk_to(node.local_addr());
        write_to_alice(&bob(&node).await, "x").await;
        let step1 = peer.expect(&["<SendSecretToken"]).await;
        let token = step1.text("SecretToken");
        assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(!step1.body.contains("encoding=\"base64\""));
        assert_eq!(step1.attribute("serviceID"), "wv:@b.test");
        ids.push(step1.attribute("transactionID"));
        node.stop(Duration::from_secs(1)).await;
    }
    assert_ne!(ids[0], ids[1], "transaction ids are unique over restarts");
    drop(store);
}

#[tokio::test]
async fn advice_4_sessions_survive_a_restart_and_are_used() {
    let (mut peer, first, store) = start().await;
    let own = peer.log_in().await;
    first.stop(Duration::from_secs(1)).await;

    let second = node(&peer, &store, "").await;
    peer.talk_to(second.local_addr());
    assert_eq!(
        sessions(&second).await,
        [(own.clone(), "101@a.test".to_owned())]
    );
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    let answer = peer.expect(&["<SendMessageResponse"]).await;
    assert_eq!(answer.attribute("sessionID"), own);
    write_to_alice(&bob(&second).await, "still there").await;
    let message = peer.expect(&["<SendMessageRequest"]).await;
    assert_eq!(message.attribute("sessionID"), own);
    let rest = peer.rest(Duration::from_millis(300)).await;
    assert!(rest.iter().all(|m| !m.body.contains("<SetupTransaction")));
}

#[tokio::test]
async fn advice_4_a_session_that_we_lost_is_reset_and_we_log_in() {
    let (mut peer, node, _) = start().await;
    // We know nothing of the session 101@a.test.
    assert_eq!(peer.replay("13/0025", &[]).await, Some(403));
    let reset = peer.expect(&["<LoginResponse"]).await;
    assert!(reset.body.contains("mode=\"Response\""), "{}", reset.body);
    assert_eq!(reset.attribute("transactionID"), "101");
    assert_eq!(reset.attribute("code"), "604");
    peer.be_logged_in().await;
    assert_eq!(sessions(&node).await.len(), 1);
    // The repetition with the id that the original took up again is taken.
    assert_eq!(
        peer.replay("13/0040", &[("102@a.test", "101@a.test")])
            .await,
        Some(200)
    );
    // Another one is told by itself; and each once within the minute.
    let again = &[("101@a.test", "77@a.test")];
    assert_eq!(peer.replay("13/0025", again).await, Some(403));
    let reset = peer.expect(&["<LoginResponse"]).await;
    assert_eq!(reset.attribute("transactionID"), "77");
    assert_eq!(peer.replay("13/0025", again).await, Some(403));
    let rest = peer.rest(Duration::from_millis(300)).await;
    assert!(rest.iter().all(|m| !m.body.contains("<LoginResponse")));
}

#[tokio::test]
async fn a_half_open_handshake_is_cured_by_a_late_step_2() {
    let (mut peer, node, _) = start().await;
    // Its token is acknowledged, our answer gets lost four times.
    peer.answer_next(&[0, 0, 503, 0]);
    peer.log_in().await;
    assert_eq!(sessions(&node).await.len(), 1);
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
}

#[tokio::test]
async fn advice_5_a_login_of_the_peer_that_fails_half_way_is_followed_by_ours() {
    let (mut peer, node, _) = start().await;
    assert_eq!(peer.replay("01/0003", &[]).await, Some(200));
    peer.expect(&["<SendSecretToken", "mode=\"Response\""])
        .await;
    // It gives up.
    let gives_up = "<?xml version='1.0'?>\n<WV-SSP-Message><SetupTransaction transactionID=\"101\" mode=\"Request\"><LoginResponse timeToLive=\"0\"><Status code=\"503\"/></LoginResponse></SetupTransaction></WV-SSP-Message>";
    assert_eq!(peer.post(&post(gives_up)).await, Some(200));
    peer.be_logged_in().await;
    assert_eq!(sessions(&node).await.len(), 1);
}

#[tokio::test]
async fn a_wrong_digest_is_acknowledged_refused_once_and_nothing_is_established() {
    let (mut peer, node, _) = start().await;
    assert_eq!(peer.replay("01/0003", &[]).await, Some(200));
    peer.expect(&["<SendSecretToken"]).await;
    // The digest of the recording is over another token.
    assert_eq!(peer.replay("01/0009", &[]).await, Some(200));
    let refusal = peer.expect(&["<LoginResponse"]).await;
    assert_eq!(refusal.attribute("transactionID"), "101");
    assert_eq!(refusal.attribute("code"), "401");
    assert_eq!(peer.replay("01/0013", &[]).await, Some(403));
    assert!(peer.rest(Duration::from_millis(700)).await.is_empty());
    assert!(sessions(&node).await.is_empty());
}
