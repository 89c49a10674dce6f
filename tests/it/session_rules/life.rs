//! The life of a session: time to live, keep-alive, several at once, lost ones, restarts with
//! another clock, and peers that send too much (wire profile, 5.3, 6.6, 6.9 and 11.1).

use std::sync::Arc;
use std::time::Duration;

use wvgate::element::millis;
use wvgate::imps::Primitive;
use wvgate::sap::{Count, Peer, Posted, Settings, Time, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::print_session;

use super::{
    answered, be_logged_in, but, log_in, log_in_for, message, records, relay, say, say_in,
    sessions, settings, subscribe, to, under_way,
};
use crate::support::alone::{Alone, only, quiet};

fn ttl(node: &Alone, domain: &str) -> u64 {
    let views = node.sap.session_views().into_iter();
    let mut views = views.filter(|view| view.peer == domain);
    millis::of(views.next_back().unwrap().ttl)
}

/// The keep-alive that was posted next: its id and what it asks for.
fn keep_alive(node: &mut Alone, domain: &str) -> (String, Option<u32>) {
    let post = to(node, domain);
    let Ok(Primitive::KeepAliveRequest(request)) = only(&post).primitive() else {
        panic!("{post:?}")
    };
    (only(&post).id, request.time_to_live)
}

fn kept(ttl: u32, code: u16) -> String {
    format!("<KeepAliveResponse timeToLive=\"{ttl}\"><Status code=\"{code}\"/></KeepAliveResponse>")
}

fn with_ttl(millis: u64) -> Settings {
    let mut settings = settings(&["a.test", "b.test"]);
    settings.session_ttl = Duration::from_millis(millis);
    settings
}

#[test]
fn the_smaller_time_to_live_counts_in_both_roles() {
    let mut node = Alone::new(with_ttl(3_600_000));
    for (theirs, effective) in [(600, 600_000), (86_400, 3_600_000), (0, 3_600_000)] {
        log_in_for(&mut node, &theirs.to_string(), "a.test", theirs);
        assert_eq!(ttl(&node, "a.test"), effective, "{theirs}");
    }
    say(&mut node, "a.test", Mode::Request, "7", &message("m7", 600));
    let verdict = say_in(
        &mut node,
        "0@a.test",
        Mode::Request,
        "7",
        &message("m7", 600),
    );
    assert_eq!(verdict, Verdict::Accepted);
    let step1 = to(&mut node, "b.test");
    be_logged_in(&mut node, &step1, "1");
    assert_eq!(ttl(&node, "b.test"), 3_600_000);
    let opened: Vec<bool> = node
        .sap
        .session_views()
        .iter()
        .map(|v| v.opened_by_us)
        .collect();
    assert_eq!(opened, [false, false, false, true]);
}

#[test]
fn a_changed_time_to_live_is_asked_for_once_and_only_a_yes_changes_it() {
    let mut node = Alone::new(with_ttl(3_600_000));
    log_in(&mut node, "1", "a.test");
    node.sap.reload(Arc::new(with_ttl(600_000)), node.now);
    node.drain();
    let (id, asked) = keep_alive(&mut node, "a.test");
    assert_eq!((asked, ttl(&node, "a.test")), (Some(600), 3_600_000));
    say(&mut node, "a.test", Mode::Response, &id, &kept(600, 200));
    assert_eq!(ttl(&node, "a.test"), 600_000);
    assert!(!node.counts.contains(&Count::Unasked));

    node.sap.reload(Arc::new(with_ttl(7_200_000)), node.now);
    node.drain();
    let (id, asked) = keep_alive(&mut node, "a.test");
    assert_eq!(asked, Some(7_200));
    say(&mut node, "a.test", Mode::Response, &id, &kept(600, 605));
    assert_eq!(ttl(&node, "a.test"), 600_000, "the old one stays");
    // It is not asked again, not even by the next that is due.
    node.pass(570_000);
    assert_eq!(keep_alive(&mut node, "a.test").1, None);
}

#[test]
fn a_keep_alive_that_is_answered_604_is_followed_by_a_login() {
    let mut node = Alone::new(with_ttl(600_000));
    log_in(&mut node, "1", "a.test");
    node.pass(570_000);
    let (id, _) = keep_alive(&mut node, "a.test");
    say(
        &mut node,
        "a.test",
        Mode::Request,
        "1",
        "<GetSPInfoRequest/>",
    );
    node.posts.clear();
    say(&mut node, "a.test", Mode::Response, &id, &kept(0, 604));
    assert!(sessions(&node, "a.test").is_empty());
    assert_eq!(records(&node, "sap/session/"), 0);
}

#[test]
fn an_older_session_fades_away_and_does_not_keep_the_clock_busy() {
    let mut node = Alone::new(with_ttl(600_000));
    log_in(&mut node, "1", "a.test");
    node.pass(60_000);
    log_in(&mut node, "2", "a.test");
    let until = node.now.plus_millis(600_000);
    let mut looks = 0;
    while let Some(next) = node.sap.next_timeout().filter(|next| *next <= until) {
        node.now = next;
        node.sap.timeout(next);
        node.drain();
        looks += 1;
    }
    assert!(looks < 20, "{looks}");
    assert_eq!(sessions(&node, "a.test"), ["2@a.test"]);
    let said: Vec<String> = node
        .posts
        .iter()
        .map(|p| only(p).name.to_string())
        .collect();
    assert_eq!(said, ["Disconnect", "KeepAliveRequest"]);
}

#[test]
fn the_newest_session_is_used_and_all_are_heard() {
    let mut node = relay();
    node.pass(1);
    let newer = log_in(&mut node, "2", "b.test");
    say(&mut node, "a.test", Mode::Request, "7", &message("m7", 600));
    let post = to(&mut node, "b.test");
    assert_eq!(post.session.clone().unwrap(), newer);
    for session in ["1@b.test", "2@b.test"] {
        let verdict = say_in(&mut node, session, Mode::Request, session, &subscribe());
        assert_eq!(verdict, Verdict::Accepted);
    }
    // An answer may come in either.
    let ok = super::taken("m7", 200, "");
    let id = only(&post).id;
    let verdict = say_in(&mut node, "1@b.test", Mode::Response, &id, &ok);
    assert_eq!(verdict, Verdict::Accepted);
    assert_eq!(answered(&mut node), ("7".to_owned(), 200));
}

#[test]
fn an_unknown_session_is_adopted_only_where_the_record_says_so_and_one_stands() {
    let adopting = |adopt| {
        let mut peer = Peer::new("a.test", quiet());
        peer.adopt_unknown_session = adopt;
        Alone::new(Settings::new("r.test").with_peer(peer))
    };
    for (adopt, verdict) in [(true, Verdict::Accepted), (false, Verdict::Forbidden)] {
        let mut node = adopting(adopt);
        let lost = |node: &mut Alone| {
            let keep_alive = "<KeepAliveRequest/>";
            say_in(node, "77@a.test", Mode::Request, "1", keep_alive)
        };
        assert_eq!(lost(&mut node), Verdict::Forbidden, "no session of ours");
        log_in(&mut node, "1", "a.test");
        assert_eq!(lost(&mut node), verdict, "{adopt}");
        let foreign = say_in(
            &mut node,
            "77@evil.test",
            Mode::Request,
            "1",
            "<KeepAliveRequest/>",
        );
        assert_eq!(foreign, Verdict::Forbidden);
    }
}

#[test]
fn a_restart_after_a_long_time_or_with_another_clock_ends_no_session_and_stalls_nothing() {
    const DAY: u64 = 86_400_000;
    for (name, shift) in [("later", 3 * DAY as i64), ("earlier", -3 * DAY as i64)] {
        let mut node = relay();
        say(&mut node, "a.test", Mode::Request, "7", &subscribe());
        to(&mut node, "b.test");
        node.now = Time(node.now.0.checked_add_signed(shift).unwrap());
        node.restart();
        assert_eq!(node.sap.session_views().len(), 2, "{name}");
        node.posts
            .retain(|post| only(post).name != "KeepAliveRequest");
        // What was open is answered in the usual time.
        node.pass(20_000);
        assert_eq!(answered(&mut node), ("7".to_owned(), 504), "{name}");
        let verdict = say(&mut node, "a.test", Mode::Request, "8", &message("m8", 600));
        assert_eq!(verdict, Verdict::Accepted, "{name}");
        assert!(
            node.posts.iter().any(|post| post.peer == "b.test"),
            "{name}"
        );
    }
}

#[test]
fn a_flood_is_refused_before_it_costs_and_the_others_are_served_meanwhile() {
    let mut flooding = Peer::new("a.test", quiet());
    flooding.max_rate = Some(10);
    let mut node = Alone::new(settings(&["b.test", "c.test"]).with_peer(flooding));
    for domain in ["a.test", "b.test", "c.test"] {
        log_in(&mut node, "1", domain);
    }
    let received = |node: &Alone| {
        let counts = node.counts.iter();
        counts.filter(|count| **count == Count::Received).count()
    };
    let (mut taken, before) = (0, received(&node));
    for n in 0..300 {
        let id = format!("f{n}");
        match say(&mut node, "a.test", Mode::Request, &id, &subscribe()) {
            Verdict::Accepted => taken += 1,
            Verdict::Busy(after) => assert_eq!(after, Some(std::time::Duration::from_secs(1))),
            other => panic!("{other:?}"),
        }
        if n % 10 == 0 {
            // Its answers are no requests.
            let late = say(
                &mut node,
                "a.test",
                Mode::Response,
                "nothing",
                "<Status code=\"200\"/>",
            );
            assert_eq!(late, Verdict::Accepted);
            let other = say(
                &mut node,
                "c.test",
                Mode::Request,
                &id,
                "<KeepAliveRequest/>",
            );
            assert_eq!(other, Verdict::Accepted);
        }
    }
    assert_eq!(taken, 10);
    assert_eq!(received(&node) - before, 10 + 30 + 30);
    assert!(node.counts.contains(&Count::Refused(503)));
    // A second later a second's worth may come again, in one post too.
    node.pass(1_000);
    let ids: Vec<String> = (0..11).map(|n| format!("g{n}")).collect();
    let request = subscribe();
    let parts = ids[..10]
        .iter()
        .map(|id| (Mode::Request, id.as_str(), request.as_str()));
    let batch = print_session("x", "1@a.test", parts);
    assert_eq!(node.say(&batch), Verdict::Accepted);
    assert_eq!(
        say(&mut node, "a.test", Mode::Request, &ids[10], &request),
        Verdict::Busy(Some(std::time::Duration::from_secs(1)))
    );
}

#[test]
fn a_session_used_by_the_peer_before_its_last_step_is_acknowledged_is_up() {
    let mut node = Alone::new(settings(&["a.test", "b.test"]));
    log_in(&mut node, "1", "b.test");
    say(
        &mut node,
        "b.test",
        Mode::Request,
        "1",
        "<KeepAliveRequest/>",
    );
    node.posts.clear();
    node.say(&super::token(Mode::Request, "5", "a.test"));
    let over = super::secret(&to(&mut node, "a.test"));
    node.say(&super::login(Mode::Request, "5", "a.test", &over, 60));
    to(&mut node, "a.test");
    node.say(&super::logged_in(Mode::Request, "5", "5@a.test", 60));
    let step6 = under_way(&mut node, "a.test");
    let verdict = say_in(
        &mut node,
        "5@a.test",
        Mode::Request,
        "1",
        "<KeepAliveRequest/>",
    );
    assert_eq!(verdict, Verdict::Accepted);
    let Ok(Primitive::KeepAliveResponse(answer)) = only(&to(&mut node, "a.test")).primitive()
    else {
        panic!()
    };
    assert_eq!(answer.time_to_live, Some(60));
    node.posted(&step6, &wvgate::sap::Posted::Acknowledged);
    assert_eq!(sessions(&node, "a.test"), ["5@a.test"]);
}

#[test]
fn a_dialect_whose_sessions_do_not_end_is_kept_alive_without_haste() {
    let endless = but(|dialect| dialect.sessions_expire = false);
    let peer = Peer::new("a.test", endless);
    let mut settings = Settings::new("r.test").with_peer(peer);
    settings.session_ttl = Duration::from_secs(600);
    let mut node = Alone::new(settings);
    log_in(&mut node, "1", "a.test");
    node.pass(2_000_000);
    let said = node.posts.iter().map(|p| only(p).name.to_string());
    assert_eq!(said.collect::<Vec<_>>(), ["KeepAliveRequest"], "it hangs");
    assert_eq!(sessions(&node, "a.test"), ["1@a.test"]);
}

#[test]
fn a_peer_that_knows_none_of_its_sessions_is_logged_in_to_ever_more_slowly() {
    let mut relay = relay();
    let body = message("m1", 86_400);
    say(&mut relay, "a.test", Mode::Request, "m1", &body);
    let forbidden = Posted::Refused {
        status: 403,
        retry_after: None,
    };
    for (round, pause) in [0, 10_000, 20_000].into_iter().enumerate() {
        let post = under_way(&mut relay, "b.test");
        assert_eq!(only(&post).name, "SendMessageRequest");
        relay.posted(&post, &forbidden);
        if pause > 0 {
            relay.pass(pause - 1);
            assert!(relay.posts.iter().all(|post| post.peer != "b.test"));
            relay.pass(1);
        }
        let step1 = to(&mut relay, "b.test");
        assert_eq!(only(&step1).name, "SendSecretToken", "round {round}");
        be_logged_in(&mut relay, &step1, &format!("9{round}"));
    }
    // Once it takes something, all is forgotten.
    let taken = to(&mut relay, "b.test");
    assert_eq!(only(&taken).name, "SendMessageRequest");
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m2",
        &message("m2", 600),
    );
    let post = under_way(&mut relay, "b.test");
    relay.posted(&post, &forbidden);
    assert_eq!(only(&to(&mut relay, "b.test")).name, "SendSecretToken");
}
