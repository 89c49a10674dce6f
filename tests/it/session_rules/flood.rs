//! A flood over real sockets, and when it ends a session.

use std::sync::Arc;
use std::time::Duration;

use wvgate::imps::Primitive;
use wvgate::sap::{Dialect, Peer, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;
use wvgate::store::MemoryStore;

use super::{be_logged_in, log_in, message, say, sessions, settings, take_all, to, token};
use crate::support::alone::{Alone, dialect, only, quiet};
use crate::support::peer::{self, Deployed, exchange, post};

const BUSY: Verdict = Verdict::Busy(Some(Duration::from_secs(1)));

/// A relay that bears a flood of a.test for half a minute; b.test is its other peer.
fn bearing(dialect: Arc<Dialect>) -> Alone {
    let mut flooding = Peer::new("a.test", dialect);
    (flooding.max_rate, flooding.max_flood) = (Some(10), Some(Duration::from_secs(30)));
    let mut node = Alone::new(settings(&["b.test"]).with_peer(flooding));
    for domain in ["a.test", "b.test"] {
        log_in(&mut node, "1", domain);
    }
    node
}

/// So many requests of a.test in one post.
fn ask(node: &mut Alone, requests: usize) -> Verdict {
    let ids: Vec<String> = (0..requests)
        .map(|n| format!("{}-{n}", node.now.0))
        .collect();
    let parts = ids
        .iter()
        .map(|id| (Mode::Request, id.as_str(), "<KeepAliveRequest/>"));
    node.say(&print_session("x", "1@a.test", parts))
}

#[test]
fn who_floods_for_too_long_is_disconnected_with_503_and_may_come_again_after_a_minute() {
    let mut node = bearing(quiet());
    let message = message("m1", 600).replace("b.test", "x.test");
    let message = message
        .replace("a.test", "b.test")
        .replace("x.test", "a.test");
    let begun = node.now;
    while sessions(&node, "a.test") == ["1@a.test"] {
        take_all(&mut node, "a.test");
        node.pass(100);
        let went_on = node.now.since(begun);
        assert!(went_on < 33_000, "{went_on}");
        let verdict = ask(&mut node, 5);
        assert!(matches!(verdict, Verdict::Accepted | BUSY), "{verdict:?}");
    }
    assert!(node.now.since(begun) > 30_000);
    assert!(sessions(&node, "a.test").is_empty());
    assert_eq!(sessions(&node, "b.test"), ["1@b.test"]);
    let last = node.posts.iter().rfind(|post| post.peer == "a.test");
    let Ok(Primitive::Disconnect(notice)) = only(last.unwrap()).primitive() else {
        panic!("{last:?}")
    };
    assert_eq!(
        (notice.status.code.0, notice.status.try_again),
        (503, Some(60))
    );
    take_all(&mut node, "a.test");
    // It does not listen to that either, and something waits for it.
    say(&mut node, "b.test", Mode::Request, "m1", &message);
    assert_eq!(ask(&mut node, 1), Verdict::Forbidden);
    node.pass(30_000);
    let step1 = token(Mode::Request, "2", "a.test");
    let Verdict::Busy(Some(left)) = node.say(&step1) else {
        panic!("it may log in at once")
    };
    let left = u64::try_from(left.as_millis()).unwrap();
    assert!((29_000..31_000).contains(&left), "{left}");
    assert!(node.posts.iter().all(|post| post.peer != "a.test"));
    node.pass(left);
    let step1 = to(&mut node, "a.test");
    be_logged_in(&mut node, &step1, "3");
    assert_eq!(only(&to(&mut node, "a.test")).name, "SendMessageRequest");
    log_in(&mut node, "4", "a.test");
    assert_eq!(sessions(&node, "a.test"), ["3@a.test", "4@a.test"]);
}

#[test]
fn who_comes_again_when_told_or_floods_now_and_then_keeps_the_session() {
    // More than it may every time, but when it was told to.
    let mut node = bearing(quiet());
    let mut refused = 0;
    for _ in 0..300 {
        refused += usize::from(ask(&mut node, 8) == BUSY);
        refused += usize::from(ask(&mut node, 8) == BUSY);
        node.pass(1_000);
    }
    assert!(refused > 200, "{refused}");
    assert_eq!(sessions(&node, "a.test"), ["1@a.test"]);
    // Twenty seconds of flood, and a pause.
    let mut node = bearing(quiet());
    for _ in 0..10 {
        for _ in 0..200 {
            ask(&mut node, 5);
            node.pass(100);
        }
        node.pass(11_000);
    }
    assert_eq!(sessions(&node, "a.test"), ["1@a.test"]);
}

#[test]
fn who_does_not_understand_a_disconnect_is_refused_for_ever() {
    let mut node = bearing(dialect("baraza"));
    for _ in 0..1_000 {
        ask(&mut node, 5);
        node.pass(100);
    }
    assert_eq!(ask(&mut node, 50), BUSY);
    assert_eq!(sessions(&node, "a.test"), ["1@a.test"]);
    let told = node
        .posts
        .iter()
        .any(|post| only(post).name == "Disconnect");
    assert!(!told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_is_told_to_come_later_and_the_node_goes_on() {
    let mut flooding = Deployed::listen().await;
    let store = Arc::new(MemoryStore::new());
    let node = peer::node(&flooding, &store, "max_rate = 5").await;
    flooding.talk_to(node.local_addr());
    flooding.log_in().await;
    let (mut taken, mut refused) = (0, 0);
    for n in 0..60 {
        let ids: Vec<String> = (0..5).map(|k| format!("{n}-{k}")).collect();
        let parts = ids
            .iter()
            .map(|id| (Mode::Request, id.as_str(), "<GetSPInfoRequest/>"));
        let body = print_session("x", "101@a.test", parts);
        match flooding.post(&post(&body)).await {
            Some(200) => taken += 1,
            Some(503) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        taken > 0 && refused > taken,
        "{taken} taken, {refused} refused"
    );
    // Somebody else is heard: they are no peer, which only the owner can tell.
    let stranger = print_session(
        "x",
        "1@c.test",
        [(Mode::Request, "1", "<GetSPInfoRequest/>")],
    );
    assert_eq!(
        exchange(node.local_addr(), &post(&stranger)).await,
        Some(403)
    );
    node.stop(std::time::Duration::from_secs(1)).await;
}
