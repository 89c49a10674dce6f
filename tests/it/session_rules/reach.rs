//! Whether a peer is reached, though a session stands.

use wvgate::sap::{Login, Peer, Posted, Route};
use wvgate::ssp::Mode;

use super::{log_in, message, say, settings, take_all, under_way};
use crate::support::alone::{Alone, Reached, dialect};

/// r.test, with users of its own, and the peer a.test whose sessions never expire.
fn home() -> Alone {
    let peer = Peer::new("a.test", dialect("baraza"));
    let settings = settings(&["b.test"])
        .with_peer(peer)
        .with_route("r.test", Route::Local(wvgate::home::ELEMENT));
    let mut node = Alone::new(settings);
    log_in(&mut node, "1", "a.test");
    take_all(&mut node, "a.test");
    assert_eq!(node.reached, [("a.test".to_owned(), Reached::Yes)]);
    node.reached.clear();
    node
}

/// What becomes of the connections that are tried, until so much time has passed.
fn pass(node: &mut Alone, millis: u64, outcome: &Posted) {
    let until = node.now.plus_millis(millis);
    while node.now < until {
        node.pass(500);
        for knock in std::mem::take(&mut node.knocks) {
            let outcome = match knock.peer.as_str() {
                "a.test" => outcome,
                _ => &Posted::Acknowledged,
            };
            node.sap.posted(knock.number, outcome, node.now);
            node.drain();
        }
    }
}

fn refused() -> Posted {
    Posted::Failed("connect: connection refused".to_owned())
}

#[test]
fn a_silent_peer_that_is_away_is_noticed_and_so_is_its_return() {
    let mut node = home();
    pass(&mut node, 600_000, &Posted::Acknowledged);
    assert!(node.reached.is_empty(), "{:?}", node.reached);
    let left = node.now;
    pass(&mut node, 30_000, &refused());
    let [(peer, Reached::NoSince(since))] = &node.reached[..] else {
        panic!("{:?}", node.reached)
    };
    // Those who watch its users give it a minute from here.
    assert!(
        peer == "a.test" && since.since(left) <= 11_000,
        "{since:?} {left:?}"
    );
    assert_eq!(node.sap.peer_views()[0].state, "away");
    pass(&mut node, 600_000, &refused());
    assert_eq!(node.reached.len(), 1, "told once");
    pass(&mut node, 30_000, &Posted::Acknowledged);
    assert_eq!(node.reached[1], ("a.test".to_owned(), Reached::Yes));
    assert_eq!(node.reached.len(), 2);
    assert_eq!(node.sap.peer_views()[0].state, "up");
    // The session is the one of before.
    assert_eq!(super::sessions(&node, "a.test"), ["1@a.test"]);
}

#[test]
fn a_word_of_the_peer_shows_that_it_is_there() {
    let mut node = home();
    pass(&mut node, 30_000, &refused());
    assert_eq!(node.reached.len(), 1);
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "7",
        "<KeepAliveRequest/>",
    );
    assert_eq!(node.reached[1], ("a.test".to_owned(), Reached::Yes));
}

#[test]
fn one_post_that_fails_is_no_absence() {
    let mut node = home();
    log_in(&mut node, "1", "b.test");
    node.reached.clear();
    let text = message("m1", 600)
        .replace("b.test", "x.test")
        .replace("a.test", "b.test");
    let text = text.replace("x.test", "a.test");
    say(&mut node, "b.test", Mode::Request, "m1", &text);
    let post = under_way(&mut node, "a.test");
    node.posted(&post, &refused());
    node.pass(2_000);
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "8",
        "<KeepAliveRequest/>",
    );
    pass(&mut node, 8_000, &Posted::Acknowledged);
    assert!(node.reached.is_empty(), "{:?}", node.reached);
}

#[test]
fn a_relay_without_users_tries_nobody() {
    let mut node = super::relay();
    node.pass(600_000);
    assert!(node.knocks.is_empty());
}

#[test]
fn an_operator_who_connects_hears_that_a_peer_with_a_session_is_away() {
    let mut node = home();
    node.sap.connect_now("a.test", node.now);
    node.drain();
    assert_eq!(node.sap.login("a.test"), Login::UnderWay);
    pass(&mut node, 500, &refused());
    let Login::Failed(why) = node.sap.login("a.test") else {
        panic!("{:?}", node.sap.login("a.test"))
    };
    assert!(why.contains("connection refused"), "{why}");
    node.sap.connect_now("a.test", node.now);
    node.drain();
    pass(&mut node, 500, &Posted::Acknowledged);
    assert_eq!(node.sap.login("a.test"), Login::Stands);
}

#[test]
fn a_post_that_nobody_answers_is_no_word_of_the_peer() {
    let mut node = home();
    log_in(&mut node, "1", "b.test");
    node.reached.clear();
    let text = message("m1", 600).replace("b.test", "x.test");
    let text = text.replace("a.test", "b.test").replace("x.test", "a.test");
    say(&mut node, "b.test", Mode::Request, "m1", &text);
    let post = under_way(&mut node, "a.test");
    pass(&mut node, 30_000, &refused());
    assert_eq!(node.reached.len(), 1, "{:?}", node.reached);
    node.posted(&post, &Posted::TimedOut);
    assert_eq!(node.reached.len(), 1, "{:?}", node.reached);
    assert_eq!(node.sap.peer_views()[0].state, "away");
}
