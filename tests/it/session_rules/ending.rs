//! Logout and disconnection (wire profile, 11.1).

use std::sync::Arc;

use wvgate::imps::Primitive;
use wvgate::sap::{Count, LoggedOut, Peer, Posted, Settings, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;

use super::{
    answer, answered, be_logged_in, but, log_in, message, names, records, relay, say, say_in,
    sessions, settings, subscribe, taken, to, under_way, write,
};
use crate::support::alone::{Alone, dialect, only};
use crate::support::world::{self, World};

const OK: &str = "<Status code=\"200\"/>";

#[test]
fn a_node_that_stops_logs_out_and_comes_back_to_those_it_left() {
    let with_baraza = settings(&["a.test", "b.test"])
        .with_peer(Peer::new("c.test", dialect("baraza")))
        .with_peer(Peer::new("d.test", crate::support::alone::quiet()));
    let mut node = Alone::new(with_baraza);
    for domain in ["a.test", "b.test", "c.test"] {
        log_in(&mut node, "1", domain);
    }
    node.sap.drain();
    node.sap.log_out_everywhere("maintenance", node.now);
    node.drain();
    assert_eq!(node.posts.len(), 2, "nothing to c.test: {:?}", names(&node));
    for domain in ["a.test", "b.test"] {
        let post = to(&mut node, domain);
        let Ok(Primitive::LogoutRequest(request)) = only(&post).primitive() else {
            panic!("{post:?}")
        };
        assert_eq!(request.reason.as_deref(), Some("maintenance"));
        if domain == "a.test" {
            let id = only(&post).id;
            assert_eq!(
                say(&mut node, domain, Mode::Response, &id, OK),
                Verdict::Accepted
            );
            assert!(sessions(&node, domain).is_empty());
        }
    }
    // b.test does not answer. It is not waited for longer than two seconds.
    node.pass(1_999);
    assert!(node.sap.is_leaving());
    node.pass(1);
    assert!(!node.sap.is_leaving());
    assert_eq!(records(&node, "sap/session/"), 1);
    assert_eq!(sessions(&node, "c.test"), ["1@c.test"]);

    node.pass(1_000);
    node.restart();
    let came_back = names(&node);
    let step1 = |domain: &str| (domain.to_owned(), "SendSecretToken".to_owned());
    assert_eq!(came_back, [step1("a.test"), step1("b.test")]);
    let posted = to(&mut node, "a.test");
    be_logged_in(&mut node, &posted, "2");
    assert_eq!(sessions(&node, "a.test"), ["2@a.test"]);
    // Once: the next start is not reminded of it.
    assert_eq!(records(&node, "sap/come-back/"), 0);
}

#[test]
fn a_peer_that_is_down_or_busy_does_not_delay_the_stop() {
    let mut node = relay();
    // A post to b.test hangs.
    say(&mut node, "a.test", Mode::Request, "7", &message("m7", 600));
    let hanging = under_way(&mut node, "b.test");
    node.sap.log_out_everywhere("maintenance", node.now);
    node.drain();
    let post = under_way(&mut node, "a.test");
    assert_eq!(only(&post).name, "LogoutRequest");
    node.posted(&post, &Posted::Failed("connection refused".to_owned()));
    assert!(
        sessions(&node, "a.test").is_empty(),
        "refused: over at once"
    );
    assert!(node.posts.is_empty(), "not overtaking what is under way");
    node.pass(2_000);
    assert!(!node.sap.is_leaving());
    assert!(sessions(&node, "b.test").is_empty());
    node.posted(&hanging, &Posted::Failed("no answer in time".to_owned()));
    assert_eq!(node.sap.messages_queued(), 1, "the message is not lost");
}

#[test]
fn a_node_about_to_stop_takes_answers_and_farewells_but_nothing_new() {
    let mut node = relay();
    say(&mut node, "a.test", Mode::Request, "7", &subscribe());
    let id = only(&to(&mut node, "b.test")).id;
    node.sap.drain();
    let busy = Verdict::Busy(Some(std::time::Duration::from_secs(1)));
    assert_eq!(
        say(&mut node, "a.test", Mode::Request, "8", &subscribe()),
        busy
    );
    let knock = super::token(Mode::Request, "9", "a.test");
    assert_eq!(node.say(&knock), busy);
    assert_eq!(
        say(&mut node, "b.test", Mode::Response, &id, OK),
        Verdict::Accepted
    );
    assert_eq!(answered(&mut node), ("7".to_owned(), 200));
    let farewell = "<LogoutRequest/>";
    assert_eq!(
        say(&mut node, "b.test", Mode::Request, "10", farewell),
        Verdict::Accepted
    );
    assert_eq!(answer(&to(&mut node, "b.test")).1.code.0, 200);
    node.pass(60_000);
    assert!(node.posts.is_empty(), "nobody is logged in to");
}

#[test]
fn an_operators_logout_tells_the_peer_and_the_next_message_logs_in_again() {
    let mut node = relay();
    log_in(&mut node, "2", "b.test");
    let ended = node.sap.log_out("b.test", Some("moved"), node.now);
    node.drain();
    let both = LoggedOut {
        sessions: 2,
        told: true,
    };
    assert_eq!(ended, both);
    for session in ["1@b.test", "2@b.test"] {
        let id = only(&to(&mut node, "b.test")).id;
        let verdict = say_in(&mut node, session, Mode::Response, &id, OK);
        assert_eq!(verdict, Verdict::Accepted);
    }
    assert!(sessions(&node, "b.test").is_empty());
    node.pass(60_000);
    assert!(node.posts.is_empty());
    say(&mut node, "a.test", Mode::Request, "7", &message("m7", 600));
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "3");
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendMessageRequest");
}

#[test]
fn an_operators_logout_of_a_peer_without_that_function_is_silent() {
    let mut node =
        Alone::new(Settings::new("r.test").with_peer(Peer::new("a.test", dialect("baraza"))));
    log_in(&mut node, "1", "a.test");
    let ended = node.sap.log_out("a.test", None, node.now);
    node.drain();
    assert_eq!((ended.sessions, ended.told), (1, false));
    assert!(node.posts.is_empty());
    assert_eq!(records(&node, "sap/session/"), 0);
}

#[test]
fn open_requests_end_with_503_when_a_peer_logs_out_and_messages_go_on() {
    let mut node = relay();
    // One message has arrived, one request has arrived, one request is under way, one
    // message waits behind it.
    let arrived = write(&mut node, "m1", 600);
    say(&mut node, "a.test", Mode::Request, "2", &subscribe());
    to(&mut node, "b.test");
    say(&mut node, "a.test", Mode::Request, "3", &subscribe());
    let hanging = under_way(&mut node, "b.test");
    say(&mut node, "a.test", Mode::Request, "4", &message("m4", 600));

    let farewell = "<LogoutRequest reason=\"maintenance\"/>";
    assert_eq!(
        say(&mut node, "b.test", Mode::Request, "10", farewell),
        Verdict::Accepted
    );
    let post = to(&mut node, "b.test");
    assert_eq!(
        (answer(&post).0.as_str(), answer(&post).1.code.0),
        ("10", 200)
    );
    assert!(sessions(&node, "b.test").is_empty());
    let told = String::from_utf8(to(&mut node, "a.test").body.to_vec()).unwrap();
    assert_eq!(told.matches("code=\"503\"").count(), 2, "{told}");
    node.posted(&hanging, &Posted::Failed("connection refused".to_owned()));

    // The peer may be starting anew, and is left alone for a moment.
    node.pass(1_999);
    assert!(node.posts.is_empty(), "{:?}", names(&node));
    node.pass(1);
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "2");
    let post = to(&mut node, "b.test");
    let sent = only(&post);
    assert_eq!(sent.peek.message_id.as_deref(), Some("m4"));
    assert!(
        node.posts.is_empty(),
        "nobody waits for the request any more"
    );
    // The answer to what had arrived comes in the new session.
    let ok = taken("m1", 200, "");
    let verdict = say_in(&mut node, "2@b.test", Mode::Response, &arrived.id, &ok);
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(answered(&mut node), ("m1".to_owned(), 200));
}

#[test]
fn what_is_asked_in_a_session_just_ended_is_answered_604() {
    let mut node = relay();
    let body = print_session(
        "x",
        "1@a.test",
        [
            (Mode::Request, "1", "<LogoutRequest/>"),
            (Mode::Request, "2", "<KeepAliveRequest timeToLive=\"60\"/>"),
        ],
    );
    assert_eq!(node.say(&body), Verdict::Accepted);
    assert_eq!(answered(&mut node), ("1".to_owned(), 200));
    let Ok(Primitive::KeepAliveResponse(late)) = only(&to(&mut node, "a.test")).primitive() else {
        panic!()
    };
    assert_eq!(late.status.code.0, 604);
    assert_eq!(
        say(&mut node, "a.test", Mode::Request, "3", "<LogoutRequest/>"),
        Verdict::Forbidden
    );
}

#[test]
fn both_sides_of_a_logout_forget_the_session_and_begin_afresh() {
    let pair = |own: &str, other: &str| {
        Settings::new(own)
            .with_peer(Peer {
                connect_always: own == "a.test",
                ..world::peer(other, &[])
            })
            .with_route(own, wvgate::sap::Route::Local(wvgate::home::ELEMENT))
    };
    let mut world = World::new([pair("a.test", "b.test"), pair("b.test", "a.test")]);
    let now = world.now;
    world.node("a.test").sap.start(now);
    world.run(1_000);
    assert_eq!(world.node("b.test").sap.session_views().len(), 1);
    let now = world.now;
    // b.test stops; a.test would log in again by itself, and does when b.test is back.
    let b = &mut world.node("b.test").sap;
    b.drain();
    b.log_out_everywhere("maintenance", now);
    world.run(1_500);
    for domain in ["a.test", "b.test"] {
        let node = world.node(domain);
        assert!(node.sap.session_views().is_empty(), "{domain}");
        assert!(!node.disk.keys().any(|key| key.starts_with("sap/session/")));
    }
    world.restart("b.test");
    world.run(5_000);
    for domain in ["a.test", "b.test"] {
        assert_eq!(world.node(domain).sap.session_views().len(), 1, "{domain}");
    }
}

#[test]
fn without_another_word_a_disconnect_means_ten_minutes() {
    let mut node = relay();
    say(&mut node, "a.test", Mode::Request, "7", &subscribe());
    to(&mut node, "b.test");
    let notice = "<Disconnect><Status code=\"403\"/></Disconnect>";
    assert_eq!(
        say(&mut node, "b.test", Mode::Request, "8", notice),
        Verdict::Accepted
    );
    assert!(sessions(&node, "b.test").is_empty());
    assert_eq!(answered(&mut node), ("7".to_owned(), 503));
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "9",
        &message("m9", 3_600),
    );
    node.pass(599_999);
    node.posts.retain(|post| post.peer != "a.test");
    assert!(node.posts.is_empty());
    node.pass(1);
    assert_eq!(only(&to(&mut node, "b.test")).name, "SendSecretToken");
}

#[test]
fn a_peer_taken_out_is_disconnected_with_403_and_a_200_to_that_is_borne() {
    let mut node = relay();
    log_in(&mut node, "2", "a.test");
    say(
        &mut node,
        "b.test",
        Mode::Request,
        "1",
        "<KeepAliveRequest/>",
    );
    to(&mut node, "b.test");
    node.sap.reload(Arc::new(settings(&["b.test"])), node.now);
    node.drain();
    for _ in 0..2 {
        let post = to(&mut node, "a.test");
        let Ok(Primitive::Disconnect(notice)) = only(&post).primitive() else {
            panic!("{post:?}")
        };
        assert_eq!(notice.status.code.0, 403);
        let id = only(&post).id;
        assert_eq!(
            say(&mut node, "a.test", Mode::Response, &id, OK),
            Verdict::Forbidden
        );
    }
    assert!(node.posts.is_empty());
    assert!(sessions(&node, "a.test").is_empty());
    assert_eq!(sessions(&node, "b.test"), ["1@b.test"]);
    assert_eq!(records(&node, "sap/session/a.test/"), 0);
}

#[test]
fn a_session_idle_for_its_time_ends_with_600_and_may_be_followed_by_another() {
    let silent = but(|dialect| dialect.keep_alive = false);
    let peer = || Peer::new("a.test", silent.clone());
    let mut node = Alone::new(Settings::new("r.test").with_peer(peer()));
    super::log_in_for(&mut node, "1", "a.test", 60);
    node.pass(59_999);
    assert!(node.posts.is_empty());
    node.pass(1);
    let post = to(&mut node, "a.test");
    let Ok(Primitive::Disconnect(notice)) = only(&post).primitive() else {
        panic!("{post:?}")
    };
    assert_eq!(
        (notice.status.code.0, notice.status.try_again),
        (600, Some(0))
    );
    assert!(sessions(&node, "a.test").is_empty());
    assert_eq!(records(&node, "sap/session/"), 0);
    assert!(!node.counts.contains(&Count::Unasked));
}
