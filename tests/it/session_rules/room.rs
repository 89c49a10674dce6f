//! How many sessions a peer may have, and how many handshakes anybody may begin in its name.

use wvgate::imps::Primitive;
use wvgate::sap::{Count, Peer, Post, Posted, Verdict};
use wvgate::ssp::Mode;

use super::{
    be_logged_in, log_in, logged_in, login, message, records, relay, say, say_in, secret, sessions,
    settings, take_all, to, token, under_way,
};
use crate::support::alone::{Alone, dialect, only};

const STRANGER: &str = "203.0.113.9";
const PEER: &str = "192.0.2.1";

/// r.test with this peer, which may have three sessions.
fn three_sessions(peer: Peer) -> Alone {
    let mut settings = settings(&["b.test"]).with_peer(peer);
    settings.max_sessions = 3;
    Alone::new(settings)
}

/// Everything posted to a peer, acknowledged.
fn all_to(node: &mut Alone, peer: &str) -> Vec<Post> {
    let mut all = Vec::new();
    while node.posts.iter().any(|post| post.peer == peer) {
        all.push(to(node, peer));
    }
    all
}

#[test]
fn a_peer_that_logs_in_for_ever_keeps_the_session_it_uses_and_its_newest_ones() {
    let mut node = three_sessions(Peer::new("a.test", super::quiet()));
    log_in(&mut node, "1", "a.test");
    node.pass(1_000);
    assert_eq!(
        say(
            &mut node,
            "a.test",
            Mode::Request,
            "9",
            "<KeepAliveRequest/>"
        ),
        Verdict::Accepted
    );
    take_all(&mut node, "a.test");
    let mut ended = Vec::new();
    for n in 2..=200 {
        node.pass(10);
        log_in(&mut node, &n.to_string(), "a.test");
        for post in all_to(&mut node, "a.test") {
            let Ok(Primitive::Disconnect(notice)) = only(&post).primitive() else {
                panic!("{post:?}")
            };
            assert_eq!(
                (notice.status.code.0, notice.status.try_again),
                (600, Some(0))
            );
            ended.push(post.session.unwrap());
        }
    }
    assert_eq!(
        sessions(&node, "a.test"),
        ["1@a.test", "199@a.test", "200@a.test"]
    );
    assert_eq!(records(&node, "sap/session/a.test/"), 3);
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), 197, "each that ended was told, once");
    assert_eq!(
        say_in(
            &mut node,
            "1@a.test",
            Mode::Request,
            "10",
            "<KeepAliveRequest/>"
        ),
        Verdict::Accepted
    );
    assert_eq!(
        say_in(
            &mut node,
            "198@a.test",
            Mode::Request,
            "11",
            "<KeepAliveRequest/>"
        ),
        Verdict::Forbidden
    );
}

#[test]
fn a_peer_without_a_logout_is_made_to_forget_the_session_that_ends() {
    let mut node = three_sessions(Peer::new("a.test", dialect("baraza")));
    for n in 1..=4 {
        log_in(&mut node, &n.to_string(), "a.test");
        node.pass(10);
    }
    let told = only(&to(&mut node, "a.test"));
    let Ok(Primitive::LoginResponse(refusal)) = told.primitive() else {
        panic!("{told:?}")
    };
    assert_eq!((told.mode, told.id.as_str()), (Mode::Response, "1"));
    assert_eq!(refusal.status.code.0, 604);
    assert_eq!(
        sessions(&node, "a.test"),
        ["2@a.test", "3@a.test", "4@a.test"]
    );
    assert!(node.posts.is_empty(), "{:?}", node.posts);
}

#[test]
fn sessions_beyond_the_limit_are_forgotten_at_a_start() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    for n in 1..=8 {
        log_in(&mut node, &n.to_string(), "a.test");
        node.pass(10);
    }
    assert_eq!(records(&node, "sap/session/a.test/"), 8);
    let mut few = settings(&["a.test", "b.test"]);
    few.max_sessions = 3;
    node.restart_with(few);
    assert_eq!(
        sessions(&node, "a.test"),
        ["6@a.test", "7@a.test", "8@a.test"]
    );
    assert_eq!(records(&node, "sap/session/a.test/"), 3);
}

#[test]
fn logins_begun_by_strangers_do_not_keep_the_peer_from_its_own() {
    // From its own address too: it may be shared.
    for stranger in [STRANGER, PEER] {
        let mut node = Alone::new(settings(&["a.test", "b.test"]));
        for n in 0..50 {
            let step1 = token(Mode::Request, &format!("s{n}"), "a.test");
            assert_eq!(node.say_from(stranger, &step1), Verdict::Accepted);
            take_all(&mut node, "a.test");
        }
        assert_eq!(
            node.say_from(PEER, &token(Mode::Request, "7", "a.test")),
            Verdict::Accepted
        );
        let over = secret(&to(&mut node, "a.test"));
        if stranger == STRANGER {
            for n in 50..500 {
                let step1 = token(Mode::Request, &format!("s{n}"), "a.test");
                node.say_from(stranger, &step1);
                take_all(&mut node, "a.test");
            }
        }
        let step3 = login(Mode::Request, "7", "a.test", &over, 86_400);
        assert_eq!(node.say_from(PEER, &step3), Verdict::Accepted);
        take_all(&mut node, "a.test");
        // From here on it is certainly the peer: nobody can take its room.
        for n in 0..500 {
            let step1 = token(Mode::Request, &format!("t{n}"), "a.test");
            node.say_from(PEER, &step1);
            take_all(&mut node, "a.test");
        }
        let step5 = logged_in(Mode::Request, "7", "7@a.test", 86_400);
        assert_eq!(node.say_from(PEER, &step5), Verdict::Accepted);
        assert_eq!(sessions(&node, "a.test"), ["7@a.test"]);
    }
}

#[test]
fn strangers_at_many_addresses_do_not_take_the_room_of_where_the_peer_was_last() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    let begin = |node: &mut Alone, from: &str, id: &str| {
        assert_eq!(
            node.say_from(from, &token(Mode::Request, id, "a.test")),
            Verdict::Accepted
        );
        to(node, "a.test")
    };
    let over = secret(&begin(&mut node, PEER, "7"));
    let step3 = login(Mode::Request, "7", "a.test", &over, 86_400);
    assert_eq!(node.say_from(PEER, &step3), Verdict::Accepted);
    to(&mut node, "a.test");
    let over = secret(&begin(&mut node, PEER, "8"));
    for n in 0..500 {
        begin(&mut node, &format!("2001:db8:{n:x}::1"), &format!("s{n}"));
    }
    let step3 = login(Mode::Request, "8", "a.test", &over, 86_400);
    assert_eq!(node.say_from(PEER, &step3), Verdict::Accepted);
    assert_eq!(only(&to(&mut node, "a.test")).name, "LoginRequest");
    // One network is one stranger, however many addresses it has.
    let given_way = |node: &Alone| {
        let counts = node.counts.iter();
        counts
            .filter(|count| **count == Count::HandshakeFailed)
            .count()
    };
    let before = given_way(&node);
    for n in 0..10 {
        begin(
            &mut node,
            &format!("2001:db8:ffff:1::{n:x}"),
            &format!("n{n}"),
        );
    }
    // There was room for one: the peer's own has gone on.
    assert_eq!(given_way(&node) - before, 9);
}

#[test]
fn steps_to_a_peer_that_takes_none_are_bounded_and_strangers_are_told_to_wait() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    let mut busy = 0;
    for n in 0..1_000 {
        let step1 = token(Mode::Request, &format!("s{n}"), "a.test");
        match node.say_from(STRANGER, &step1) {
            Verdict::Accepted => {}
            Verdict::Busy(Some(_)) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((node.posts.len(), busy), (16, 984));
    while !node.posts.is_empty() {
        let post = under_way(&mut node, "a.test");
        node.posted(&post, &Posted::Failed("connection refused".to_owned()));
    }
    let step1 = token(Mode::Request, "more", "a.test");
    assert_eq!(node.say_from(STRANGER, &step1), Verdict::Accepted);
}

#[test]
fn strangers_do_not_keep_us_from_logging_in_to_the_peer() {
    let mut node = relay();
    node.sap.drop_sessions("b.test", node.now);
    let before = node.now;
    assert_eq!(
        node.say_from(STRANGER, &token(Mode::Request, "s0", "b.test")),
        Verdict::Accepted
    );
    to(&mut node, "b.test");
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 600),
    );
    let step1 = loop {
        node.pass(500);
        let id = format!("s{}", node.now.0);
        node.say_from(STRANGER, &token(Mode::Request, &id, "b.test"));
        let posts = all_to(&mut node, "b.test");
        let ours = posts
            .into_iter()
            .find(|post| only(post).mode == Mode::Request);
        if let Some(step1) = ours {
            break step1;
        }
        assert!(node.now.since(before) < 5_000, "kept from the peer");
    };
    be_logged_in(&mut node, &step1, "5");
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendMessageRequest");
}

#[test]
fn a_token_is_kept_up_to_a_bound() {
    for (bytes, verdict) in [(512, Verdict::Accepted), (513, Verdict::Malformed)] {
        let mut node = Alone::new(settings(&["a.test", "b.test"]));
        let step1 = token(Mode::Request, "7", "a.test");
        let long = step1.replace(super::TOKEN, &"f".repeat(bytes));
        assert_eq!(node.say(&long), verdict);
    }
}

#[test]
fn of_logins_whose_digest_was_right_the_oldest_gives_way() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    for n in 0..9 {
        let id = n.to_string();
        let step1 = token(Mode::Request, &id, "a.test");
        assert_eq!(node.say_from(PEER, &step1), Verdict::Accepted);
        let over = secret(&to(&mut node, "a.test"));
        let step3 = login(Mode::Request, &id, "a.test", &over, 86_400);
        assert_eq!(node.say_from(PEER, &step3), Verdict::Accepted);
        take_all(&mut node, "a.test");
    }
    for n in 0..9 {
        let step5 = logged_in(
            Mode::Request,
            &n.to_string(),
            &format!("{n}@a.test"),
            86_400,
        );
        node.say_from(PEER, &step5);
        take_all(&mut node, "a.test");
    }
    let all = (1..9).map(|n| format!("{n}@a.test"));
    assert_eq!(sessions(&node, "a.test"), all.collect::<Vec<_>>());
}
