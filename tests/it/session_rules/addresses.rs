//! From where a peer is heard, and which ids its sessions have.

use std::net::IpAddr;

use wvgate::sap::Network;

use super::*;

const KEEP_ALIVE: &str = "<KeepAliveRequest/>";

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// r.test, whose peer a.test speaks from 192.0.2.0/24 if `bound`.
fn node(bound: bool, change: impl Fn(&mut Peer)) -> Alone {
    let mut peer = Peer::new("a.test", quiet());
    if bound {
        let address = "192.0.2.0".parse().unwrap();
        peer.from = vec![Network { address, bits: 24 }];
    }
    change(&mut peer);
    Alone::new(Settings::new("r.test").with_peer(peer))
}

#[test]
fn a_peer_with_addresses_is_not_heard_from_others_whatever_session_they_name() {
    let mut node = node(true, |_| {});
    node.remote = ip("192.0.2.7");
    log_in(&mut node, "1", "a.test");
    for (from, verdict) in [
        ("192.0.2.8", Verdict::Accepted),
        ("::ffff:192.0.2.8", Verdict::Accepted),
        ("198.51.100.1", Verdict::Forbidden),
        ("2001:db8::1", Verdict::Forbidden),
    ] {
        node.remote = ip(from);
        let said = say(&mut node, "a.test", Mode::Request, from, KEEP_ALIVE);
        assert_eq!(said, verdict, "{from}");
        let step1 = token(Mode::Request, &format!("login from {from}"), "a.test");
        assert_eq!(node.say(&step1), verdict, "{from}");
    }
    // Nor from nowhere.
    node.remote = None;
    let said = say(&mut node, "a.test", Mode::Request, "9", KEEP_ALIVE);
    assert_eq!(said, Verdict::Forbidden);
}

#[test]
fn a_peer_without_addresses_is_heard_from_anywhere() {
    let mut node = node(false, |_| {});
    for from in ["192.0.2.7", "198.51.100.1"] {
        node.remote = ip(from);
        log_in(&mut node, from, "a.test");
        let session = format!("{from}@a.test");
        let said = say_in(&mut node, &session, Mode::Request, from, KEEP_ALIVE);
        assert_eq!(said, Verdict::Accepted, "{from}");
        take_all(&mut node, "a.test");
    }
}

#[test]
fn an_unknown_session_is_adopted_only_from_an_address_of_the_peer() {
    let lost = |node: &mut Alone, from: &str| {
        node.remote = ip(from);
        say_in(node, "77@a.test", Mode::Request, from, KEEP_ALIVE)
    };
    for bound in [true, false] {
        let mut node = node(bound, |peer| peer.adopt_unknown_session = true);
        node.remote = ip("192.0.2.7");
        log_in(&mut node, "1", "a.test");
        if !bound {
            // It has not used the session yet.
            assert_eq!(lost(&mut node, "192.0.2.7"), Verdict::Forbidden);
            let said = say(&mut node, "a.test", Mode::Request, "1", KEEP_ALIVE);
            assert_eq!(said, Verdict::Accepted);
        }
        assert_eq!(
            lost(&mut node, "198.51.100.1"),
            Verdict::Forbidden,
            "{bound}"
        );
        assert_eq!(lost(&mut node, "192.0.2.7"), Verdict::Accepted, "{bound}");
    }
}

#[test]
fn a_lost_session_is_reset_only_for_an_address_of_the_peer() {
    let resets = |node: &mut Alone, from: &str| {
        node.pass(120_000);
        node.posts.clear();
        node.remote = ip(from);
        let said = say_in(node, "77@a.test", Mode::Request, from, KEEP_ALIVE);
        assert_eq!(said, Verdict::Forbidden);
        node.posts
            .iter()
            .any(|post| only(post).name == "LoginResponse")
    };
    let resetting = |peer: &mut Peer| {
        let mut dialect = (*quiet()).clone();
        dialect.reset_lost_session = true;
        dialect.keep_alive = false;
        peer.dialect = Arc::new(dialect);
    };
    let mut bound = node(true, resetting);
    assert!(!resets(&mut bound, "198.51.100.1"));
    assert!(resets(&mut bound, "192.0.2.7"));
    // Without addresses: from anywhere until it has used a session since the start.
    let mut free = node(false, resetting);
    assert!(resets(&mut free, "198.51.100.1"));
    let mut free = node(false, resetting);
    free.remote = ip("192.0.2.7");
    log_in(&mut free, "1", "a.test");
    say(&mut free, "a.test", Mode::Request, "1", KEEP_ALIVE);
    assert!(!resets(&mut free, "198.51.100.1"));
    // Its address is known over a restart too.
    free.restart();
    assert!(!resets(&mut free, "198.51.100.1"));
    assert!(resets(&mut free, "192.0.2.7"));
}

#[test]
fn eight_lost_sessions_of_a_peer_are_reset_each_once_a_minute() {
    let mut node = node(true, |peer| {
        let mut dialect = (*quiet()).clone();
        dialect.reset_lost_session = true;
        dialect.keep_alive = false;
        peer.dialect = Arc::new(dialect);
    });
    node.remote = ip("192.0.2.7");
    let mut resets = |pause: u64| {
        node.pass(pause);
        node.posts.clear();
        for _ in 0..3 {
            for n in 0..20 {
                let session = format!("{n}@a.test");
                let said = say_in(&mut node, &session, Mode::Request, "k", KEEP_ALIVE);
                assert_eq!(said, Verdict::Forbidden);
            }
        }
        let posts = node.posts.iter();
        posts
            .filter(|post| only(post).name == "LoginResponse")
            .count()
    };
    assert_eq!(resets(0), 8);
    assert_eq!(resets(30_000), 0);
    assert_eq!(resets(31_000), 8);
}

#[test]
fn a_session_id_of_another_domain_is_refused() {
    for (id, stands) in [
        ("77@a.test", true),
        ("77@A.TEST", true),
        ("77", true),
        ("77@b.test", false),
        ("77@r.test", false),
    ] {
        let mut node = Alone::new(settings(&["a.test", "b.test"]));
        let begun = token(Mode::Request, "1", "a.test");
        assert_eq!(node.say(&begun), Verdict::Accepted);
        node.pass(300);
        let over = secret(&to(&mut node, "a.test"));
        let step3 = login(Mode::Request, "1", "a.test", &over, 86_400);
        assert_eq!(node.say(&step3), Verdict::Accepted);
        to(&mut node, "a.test");
        node.say(&logged_in(Mode::Request, "1", id, 86_400));
        let views = node.sap.session_views();
        assert_eq!(views.iter().any(|view| view.peer_id == id), stands, "{id}");
    }
}
