//! Redirects in `LoginResponse` and `Disconnect` (wire profile, 6.8).

use wvgate::sap::{Peer, Post, Posted, Settings, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_setup;

use super::{be_logged_in, log_in, message, names, say, say_in, sessions, to, under_way};
use crate::support::alone::{Alone, only, quiet};

/// b.test, reached at ssp1 usually; its record allows ssp2 as well.
fn relay() -> Alone {
    let mut peer = Peer::new("b.test", quiet());
    peer.redirects = vec!["https://ssp1.b.test:5280/".into(), "ssp2.b.test".into()];
    let settings = Settings::new("r.test")
        .with_peer(Peer::new("a.test", quiet()))
        .with_peer(peer);
    let mut relay = Alone::new(settings);
    log_in(&mut relay, "1", "a.test");
    log_in(&mut relay, "1", "b.test");
    relay
}

fn disconnect(addresses: &str) -> String {
    format!(
        "<Disconnect><Status code=\"503\"/><RedirectList>{addresses}</RedirectList></Disconnect>"
    )
}

fn address(url: &str, more: &str) -> String {
    format!("<RedirectAddress url=\"{url}\" {more}/>")
}

/// b.test sends us elsewhere; our first step.
fn sent_away(relay: &mut Alone, addresses: &str) -> Post {
    assert_eq!(
        say(relay, "b.test", Mode::Request, "9", &disconnect(addresses)),
        Verdict::Accepted
    );
    let step1 = under_way(relay, "b.test");
    assert_eq!(only(&step1).name, "SendSecretToken");
    step1
}

fn post(relay: &mut Alone, id: &str) -> Post {
    let verdict = say(relay, "a.test", Mode::Request, id, &message(id, 600_000));
    assert_eq!(verdict, Verdict::Accepted);
    let post = to(relay, "b.test");
    assert_eq!(only(&post).name, "SendMessageRequest");
    post
}

#[test]
fn a_disconnect_is_followed_at_once_and_the_session_stays_there_for_its_time() {
    let mut relay = relay();
    let elsewhere = "https://ssp2.b.test:5281/";
    let step1 = sent_away(&mut relay, &address(elsewhere, "timeToLive=\"3600\""));
    assert_eq!(step1.url.as_deref(), Some(elsewhere));
    relay.posted(&step1, &Posted::Acknowledged);
    assert!(sessions(&relay, "b.test").is_empty());
    be_logged_in(&mut relay, &step1, "2");
    assert_eq!(post(&mut relay, "m1").url.as_deref(), Some(elsewhere));
    // Also for the next login, and over a restart.
    relay.pass(1_800_000);
    relay.restart();
    assert_eq!(post(&mut relay, "m2").url.as_deref(), Some(elsewhere));
    relay.pass(1_800_000);
    assert_eq!(post(&mut relay, "m3").url, None, "back to the usual one");
}

#[test]
fn without_a_time_an_address_counts_as_long_as_its_session() {
    let mut relay = relay();
    let elsewhere = "https://ssp2.b.test/";
    let step1 = sent_away(&mut relay, &address(elsewhere, ""));
    relay.posted(&step1, &Posted::Acknowledged);
    be_logged_in(&mut relay, &step1, "2");
    relay.pass(86_000_000);
    relay.posts.clear();
    assert_eq!(post(&mut relay, "m1").url.as_deref(), Some(elsewhere));
    let over = "<LogoutRequest/>";
    assert_eq!(
        say_in(&mut relay, "2@b.test", Mode::Request, "10", over),
        Verdict::Accepted
    );
    assert_eq!(to(&mut relay, "b.test").url.as_deref(), Some(elsewhere));
    relay.pass(10_000);
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m2",
        &message("m2", 600),
    );
    assert_eq!(to(&mut relay, "b.test").url, None);
}

#[test]
fn the_addresses_of_a_list_are_tried_in_order_https_first() {
    let mut relay = relay();
    let list = [
        address("http://ssp1.b.test/", "priority=\"1\""),
        address("https://ssp2.b.test/", "priority=\"20\""),
        address("https://evil.test/", "priority=\"0\""),
        address("https://ssp1.b.test:9/", "priority=\"10\""),
    ];
    let mut step1 = sent_away(&mut relay, &list.concat());
    let order = [
        "https://ssp1.b.test:9/",
        "https://ssp2.b.test/",
        "http://ssp1.b.test/",
    ];
    for url in order {
        assert_eq!(step1.url.as_deref(), Some(url));
        let refused = Posted::Refused {
            status: 403,
            retry_after: None,
        };
        relay.posted(&step1, &refused);
        if url != order[2] {
            step1 = under_way(&mut relay, "b.test");
        }
    }
    assert!(relay.posts.is_empty(), "then the usual back-off");
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 600),
    );
    relay.pass(4_000);
    assert_eq!(to(&mut relay, "b.test").url, None);
}

#[test]
fn a_disconnect_to_a_foreign_address_is_one_without() {
    let mut relay = relay();
    let foreign = disconnect(&address("https://evil.test/", ""));
    say(&mut relay, "b.test", Mode::Request, "9", &foreign);
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 3_600),
    );
    relay.pass(599_000);
    relay.posts.retain(|post| post.peer == "b.test");
    assert!(relay.posts.is_empty(), "{:?}", names(&relay));
    relay.pass(1_000);
    assert_eq!(to(&mut relay, "b.test").url, None);
}

#[test]
fn a_peer_that_sends_us_in_circles_is_left_alone_after_three_times() {
    let mut relay = relay();
    let elsewhere = address("https://ssp2.b.test/", "");
    let mut session = "1@b.test".to_owned();
    for n in 2..=4 {
        let away = disconnect(&elsewhere);
        say_in(&mut relay, &session, Mode::Request, &format!("d{n}"), &away);
        let step1 = to(&mut relay, "b.test");
        be_logged_in(&mut relay, &step1, &n.to_string());
        session = format!("{n}@b.test");
    }
    let away = disconnect(&elsewhere);
    say_in(&mut relay, &session, Mode::Request, "d5", &away);
    assert!(relay.posts.is_empty());
    assert!(sessions(&relay, "b.test").is_empty());
}

#[test]
fn a_refused_login_of_the_peer_may_send_us_elsewhere_too() {
    let mut relay = relay();
    let verdict = relay.say(&super::token(Mode::Request, "77", "b.test"));
    assert_eq!(verdict, Verdict::Accepted);
    to(&mut relay, "b.test");
    let list = address("https://ssp2.b.test/", "");
    let refusal = format!(
        "<LoginResponse timeToLive=\"0\"><Status code=\"503\"/><RedirectList>{list}</RedirectList></LoginResponse>"
    );
    let verdict = relay.say(&print_setup("x", Mode::Request, "77", &refusal));
    assert_eq!(verdict, Verdict::Accepted);
    let step1 = to(&mut relay, "b.test");
    assert_eq!(step1.url.as_deref(), Some("https://ssp2.b.test/"));
}
