//! What keeps us from a peer, and what ends that: another configuration, or the operator's word.

use std::sync::Arc;
use std::time::Duration;

use wvgate::sap::{Login, Peer, PeerView, Posted, Settings, Verdict};
use wvgate::ssp::Mode;

use super::{
    be_logged_in, message, names, quiet, relay, say, sessions, settings, take_all, to, token,
    under_way,
};
use crate::support::alone::{Alone, dialect, only};

const REFUSED: &str = "connect: connection refused";

fn always(domain: &str) -> Peer {
    let mut peer = Peer::new(domain, quiet());
    peer.connect_always = true;
    peer
}

fn reload(node: &mut Alone, settings: Settings) {
    node.sap.reload(Arc::new(settings), node.now);
    node.drain();
}

fn view(node: &Alone, domain: &str) -> PeerView {
    let mut views = node.sap.peer_views().into_iter();
    views.find(|view| view.domain == domain).unwrap()
}

/// A login of ours to the peer fails as often as it is tried.
fn fail(node: &mut Alone, domain: &str) {
    for _ in 0..10 {
        while node.posts.iter().any(|post| post.peer == domain) {
            let post = under_way(node, domain);
            node.posted(&post, &Posted::Failed(REFUSED.to_owned()));
        }
        if node.sap.login(domain) != Login::UnderWay {
            return;
        }
        node.pass(1_000);
    }
    panic!("the login does not end");
}

#[test]
fn a_peer_that_is_added_or_put_back_is_dialled_at_once() {
    let mut node = Alone::new(settings(&["a.test"]));
    reload(&mut node, settings(&["a.test"]).with_peer(always("b.test")));
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "1");
    take_all(&mut node, "b.test");
    reload(&mut node, settings(&["a.test"]));
    assert_eq!(only(&to(&mut node, "b.test")).name, "Disconnect");
    assert!(sessions(&node, "b.test").is_empty());
    reload(&mut node, settings(&["a.test"]).with_peer(always("b.test")));
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "2");
    assert_eq!(sessions(&node, "b.test"), ["2@b.test"]);
    // Nothing new is nothing to do.
    take_all(&mut node, "b.test");
    reload(&mut node, settings(&["a.test"]).with_peer(always("b.test")));
    assert!(node.posts.is_empty(), "{:?}", names(&node));
}

#[test]
fn a_peer_whose_record_changes_to_always_is_dialled_at_once() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    assert!(node.posts.is_empty());
    reload(&mut node, settings(&["a.test"]).with_peer(always("b.test")));
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendSecretToken");
}

#[test]
fn a_hold_is_shown_and_ends_with_another_configuration() {
    let mut node = relay();
    let notice = "<Disconnect><Status code=\"403\"><StatusDescription>no longer a peer</StatusDescription></Status></Disconnect>";
    say(&mut node, "b.test", Mode::Request, "8", notice);
    let held = view(&node, "b.test");
    assert_eq!(held.state, "held");
    assert_eq!(held.not_before, Some(node.now.plus_seconds(600)));
    let why = "the peer has disconnected: 403 no longer a peer";
    assert_eq!(held.last_error.as_deref(), Some(why));
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 3_600),
    );
    node.pass(10_000);
    assert!(node.posts.iter().all(|post| post.peer != "b.test"));
    reload(&mut node, settings(&["a.test", "b.test"]));
    let step1 = to(&mut node, "b.test");
    assert_eq!(view(&node, "b.test").last_error, None);
    be_logged_in(&mut node, &step1, "2");
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendMessageRequest");
    assert_eq!(view(&node, "b.test").state, "up");
}

#[test]
fn who_was_disconnected_for_a_flood_serves_the_pause_whatever_is_reloaded() {
    let mut flooding = Peer::new("b.test", quiet());
    (flooding.max_rate, flooding.max_flood) = (Some(1), Some(Duration::ZERO));
    flooding.connect_always = true;
    let with = || settings(&["a.test"]).with_peer(flooding.clone());
    let mut node = Alone::new(with());
    super::log_in(&mut node, "1", "b.test");
    for n in 0..200 {
        say(
            &mut node,
            "b.test",
            Mode::Request,
            &n.to_string(),
            "<KeepAliveRequest/>",
        );
        node.pass(10);
    }
    assert!(sessions(&node, "b.test").is_empty());
    take_all(&mut node, "b.test");
    reload(&mut node, with());
    assert!(node.posts.is_empty(), "{:?}", names(&node));
    node.pass(60_000);
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendSecretToken");
}

#[test]
fn a_login_that_an_operator_wants_is_tried_whatever_has_failed_before() {
    let mut node = Alone::new(settings(&["a.test"]).with_peer(always("b.test")));
    node.sap.start(node.now);
    node.drain();
    for _ in 0..5 {
        fail(&mut node, "b.test");
        node.pass(60_000);
    }
    fail(&mut node, "b.test");
    assert_eq!(view(&node, "b.test").state, "down");
    assert!(matches!(node.sap.login("b.test"), Login::Failed(why) if why.contains("step 1")));
    // Now, not in a minute; and until it has ended there is no old error to be read.
    node.sap.connect_now("b.test", node.now);
    node.drain();
    assert_eq!(node.sap.login("b.test"), Login::UnderWay);
    assert_eq!(view(&node, "b.test").last_error, None);
    fail(&mut node, "b.test");
    assert!(matches!(node.sap.login("b.test"), Login::Failed(why) if why.contains(REFUSED)));
    node.sap.connect_now("b.test", node.now);
    node.drain();
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "1");
    assert_eq!(node.sap.login("b.test"), Login::Stands);
    // After a reload likewise.
    node.sap.drop_sessions("b.test", node.now);
    reload(&mut node, settings(&["a.test"]).with_peer(always("b.test")));
    assert_eq!(node.sap.login("b.test"), Login::UnderWay);
}

#[test]
fn after_a_logout_who_is_always_to_be_there_is_logged_in_to_again() {
    for speaks in [quiet(), dialect("baraza")] {
        let mut peer = always("b.test");
        peer.dialect = speaks.clone();
        let mut node = Alone::new(settings(&["a.test"]).with_peer(peer));
        super::log_in(&mut node, "1", "b.test");
        let ended = node.sap.log_out("b.test", Some("for a test"), node.now);
        node.drain();
        assert_eq!((ended.sessions, ended.told), (1, speaks.logout));
        if ended.told {
            let id = only(&to(&mut node, "b.test")).id;
            say(
                &mut node,
                "b.test",
                Mode::Response,
                &id,
                "<Status code=\"200\"/>",
            );
        }
        assert!(sessions(&node, "b.test").is_empty());
        node.pass(1_999);
        assert!(node.posts.is_empty(), "{:?}", names(&node));
        node.pass(1);
        assert_eq!(only(&to(&mut node, "b.test")).name, "SendSecretToken");
    }
    // Who is logged in to on demand is not.
    let mut node = relay();
    node.sap.log_out("b.test", None, node.now);
    node.drain();
    let id = only(&to(&mut node, "b.test")).id;
    say(
        &mut node,
        "b.test",
        Mode::Response,
        &id,
        "<Status code=\"200\"/>",
    );
    node.pass(60_000);
    assert!(node.posts.is_empty(), "{:?}", names(&node));
}

#[test]
fn a_login_that_somebody_begins_in_a_peers_name_does_not_end_its_hold() {
    let mut node = relay();
    let notice = "<Disconnect><Status code=\"503\"><TryAgainTimeout>300</TryAgainTimeout></Status></Disconnect>";
    say(&mut node, "b.test", Mode::Request, "8", notice);
    let stranger = token(Mode::Request, "stranger", "b.test");
    assert_eq!(node.say(&stranger), Verdict::Accepted);
    node.pass(300);
    take_all(&mut node, "b.test");
    node.pass(200_000);
    assert!(node.posts.is_empty(), "{:?}", names(&node));
    assert_eq!(view(&node, "b.test").state, "held");
}
