//! What of a peer never becomes a message: its operator may not look, ours is told.

use std::sync::Arc;

use wvgate::node::Node;
use wvgate::sap::{PeerView, Trouble};
use wvgate::store::{MemoryStore, StoreError, Write};

use crate::support::peer::{self, Deployed, exchange};

async fn view(node: &Node) -> PeerView {
    let look = node.handle().ask_all(|core, _, _| core.sap.peer_views());
    look.await.unwrap().concat().remove(0)
}

/// The peer's view, when it is as wanted.
async fn until(node: &Node, wanted: impl Fn(&PeerView) -> bool) -> PeerView {
    for _ in 0..1_000 {
        let view = view(node).await;
        if wanted(&view) {
            return view;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{:?}", view(node).await);
}

#[tokio::test]
async fn a_peer_that_speaks_tls_to_a_plain_port_is_told_until_a_message_comes() {
    let mut peer = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = peer::node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    // Who has no session yet tries TLS first, always.
    peer.client_hello().await;
    peer.log_in().await;
    let before = until(&node, |view| view.state == "up").await;
    assert_eq!(before.last_error, None);
    assert!(peer.client_hello().await.starts_with("HTTP/1.1 400"));
    let mute = until(&node, |view| view.last_error.is_some()).await;
    assert_eq!(
        mute.last_error.as_deref(),
        Some(Trouble::TlsOnPlain.words())
    );
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    until(&node, |view| view.last_error.is_none()).await;
    // The address is known over a restart too: the change of the port needs one.
    node.stop(std::time::Duration::from_secs(1)).await;
    let node = peer::node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.client_hello().await;
    until(&node, |view| view.last_error.is_some()).await;
    node.stop(std::time::Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_counted_for_its_peer_and_shown() {
    let mut peer = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = peer::node(&peer, &store, "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    let post = |head: &str| {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: b.test\r\n{head}Content-Type: application/vnd.wv.ssp+xml\r\n\
             Content-Length: 2000000\r\n\r\n"
        );
        text.into_bytes()
    };
    // By its address, and by the session that it names.
    assert_eq!(peer.post(&post("")).await, Some(413));
    until(&node, |view| view.too_large == 1).await;
    let named = post("x-wv-sessionid: 101@a.test\r\n");
    assert_eq!(exchange(node.local_addr(), &named).await, Some(413));
    let view = until(&node, |view| view.too_large == 2).await;
    assert_eq!(view.last_error.as_deref(), Some(Trouble::TooLarge.words()));
    // Other messages pass; the one does not, and is shown on.
    assert_eq!(peer.replay("01/0017", &[]).await, Some(200));
    let view = until(&node, |view| view.state == "up").await;
    assert_eq!(view.last_error.as_deref(), Some(Trouble::TooLarge.words()));
    let counted = node
        .handle()
        .ask_all(|core, _, _| core.metrics.get("wvgate_bodies_too_large_total"));
    assert_eq!(counted.await.unwrap().iter().sum::<u64>(), 2);
    node.stop(std::time::Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_goes_wrong_while_the_node_is_busy_is_told_up_to_a_bound() {
    let mut peer = Deployed::listen().await;
    let node = peer::node(&peer, &Arc::new(MemoryStore::new()), "").await;
    peer.talk_to(node.local_addr());
    peer.log_in().await;
    until(&node, |view| view.state == "up").await;
    let handle = node.handle().clone();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let busy = tokio::spawn(async move {
        let stand_still = move |_: &mut _, _, _: &mut _| {
            let _ = begun.send(());
            let _ = wait.recv();
        };
        handle.ask_for_peer("a.test", stand_still).await.unwrap();
    });
    has_begun.await.unwrap();
    let large = b"POST / HTTP/1.1\r\nHost: b.test\r\nx-wv-sessionid: 101@a.test\r\n\
        Content-Type: application/vnd.wv.ssp+xml\r\nContent-Length: 2000000\r\n\r\n";
    for _ in 0..80 {
        assert_eq!(exchange(node.local_addr(), large).await, Some(413));
    }
    go_on.send(()).unwrap();
    busy.await.unwrap();
    assert_eq!(view(&node).await.too_large, 64);
    // There is room again.
    assert_eq!(exchange(node.local_addr(), large).await, Some(413));
    until(&node, |view| view.too_large == 65).await;
    node.stop(std::time::Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_store_that_fails_after_a_reload_does_not_bring_the_old_configuration_back() {
    let peer = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = peer::node(&peer, &store, "").await;
    let more = "[[peer]]\ndomain = \"c.test\"\nurl = \"http://127.0.0.1:9/\"\nallow_plain = true\n";
    node.reload(peer::plan(&peer, more)).await;
    store.fail_next(StoreError::Full("as arranged".to_owned()));
    let write = || {
        node.handle()
            .change(|_, _, turn| turn.writes.push(Write::delete("none")))
    };
    assert_eq!(write().await, Ok(None));
    while write().await == Ok(None) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let peers = node
        .handle()
        .ask_all(|core, _, _| core.sap.peer_views())
        .await
        .unwrap();
    let mut peers = peers.concat();
    peers.sort_by(|a, b| a.domain.cmp(&b.domain));
    let peers: Vec<&str> = peers.iter().map(|peer| peer.domain.as_str()).collect();
    assert_eq!(peers, ["a.test", "c.test"]);
    node.stop(std::time::Duration::ZERO).await;
}
