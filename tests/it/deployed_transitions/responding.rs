//! The responding role, and what both roles do around a handshake.

use super::*;

#[test]
fn r0_the_deployed_server_is_left_its_pause() {
    let mut alone = alone_with(dialect("baraza"));
    assert_eq!(
        alone.say(&token(Mode::Request, "101", "a.test")),
        Verdict::Accepted
    );
    alone.pass(299);
    assert!(alone.posts.is_empty());
    alone.pass(1);
    let step2 = alone.acknowledged_post();
    let own = sent_token(&step2);
    assert_eq!(
        alone.say(&login(Mode::Request, "101", "a.test", &own)),
        Verdict::Accepted
    );
    assert_eq!(only(&alone.acknowledged_post()).name, "LoginRequest");
}

#[test]
fn r1_a_repeated_step_1_or_3_gets_the_same_answer() {
    let mut alone = alone();
    assert_eq!(
        alone.say(&token(Mode::Request, "101", "a.test")),
        Verdict::Accepted
    );
    let step2 = alone.acknowledged_post();
    assert_eq!(
        alone.say(&token(Mode::Request, "101", "a.test")),
        Verdict::Accepted
    );
    assert_eq!(alone.acknowledged_post().body, step2.body);
    let step3 = login(Mode::Request, "101", "a.test", &sent_token(&step2));
    assert_eq!(alone.say(&step3), Verdict::Accepted);
    let step4 = alone.acknowledged_post();
    assert_eq!(alone.say(&step3), Verdict::Accepted);
    assert_eq!(alone.acknowledged_post().body, step4.body);
    assert!(alone.posts.is_empty());
}

#[test]
fn r1_another_id_begins_another_handshake_and_the_first_goes_on() {
    let mut alone = alone();
    let first = r1(&mut alone, "101");
    let second = r1(&mut alone, "102");
    assert_ne!(first, second);
    for (id, own) in [("102", second), ("101", first)] {
        assert_eq!(
            alone.say(&login(Mode::Request, id, "a.test", &own)),
            Verdict::Accepted
        );
        assert_eq!(only(&alone.acknowledged_post()).id, id);
    }
}

#[test]
fn r1_a_wrong_digest_is_answered_401_once_and_not_followed_by_a_login_of_ours() {
    let mut alone = alone();
    r1(&mut alone, "101");
    let wrong = login(Mode::Request, "101", "a.test", "something else");
    assert_eq!(alone.say(&wrong), Verdict::Accepted);
    let told = alone.post();
    assert_eq!(
        name(&told),
        ("LoginResponse".to_owned(), Mode::Response, "101".to_owned())
    );
    assert_eq!(code(&told), 401);
    alone.posted(&told, &Posted::Closed);
    alone.pass(600_000);
    assert!(alone.posts.is_empty());
    assert_eq!(alone.say(&wrong), Verdict::Forbidden);
}

#[test]
fn r2_a_refusal_ends_the_handshake() {
    let mut alone = alone();
    r2(&mut alone, "101");
    assert_eq!(
        alone.say(&refusal(Mode::Request, "101", 503, "")),
        Verdict::Accepted
    );
    assert!(alone.counts.contains(&Count::HandshakeFailed));
    assert_eq!(sessions(&alone), 0);
}

#[test]
fn r3_the_session_is_used_when_step_6_is_acknowledged_and_dropped_if_it_never_is() {
    let mut used = alone();
    r2(&mut used, "101");
    knock(&mut used);
    assert_eq!(
        used.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    let step6 = used.post();
    assert!(
        used.posts.is_empty(),
        "the peer does not know our session yet"
    );
    used.posted(&step6, &Posted::Acknowledged);
    assert_eq!(only(&used.post()).name, "SubscribeRequest");

    let mut dropped = alone();
    r2(&mut dropped, "101");
    assert_eq!(
        dropped.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    for wait in [500, 1000, 2000, 0] {
        closed(&mut dropped);
        dropped.pass(wait);
    }
    assert_eq!(sessions(&dropped), 0);
    assert!(
        !dropped
            .disk
            .keys()
            .any(|key| key.starts_with("sap/session/"))
    );
}

#[test]
fn two_peers_that_number_alike_do_not_disturb_each_other() {
    let mut alone = alone();
    for domain in ["a.test", "c.test"] {
        assert_eq!(
            alone.say(&token(Mode::Request, "101", domain)),
            Verdict::Accepted
        );
        let own = sent_token(&alone.acknowledged_post());
        assert_eq!(
            alone.say(&login(Mode::Request, "101", domain, &own)),
            Verdict::Accepted
        );
        alone.acknowledged_post();
    }
    assert_eq!(
        alone.say(&response(Mode::Request, "101", "101@c.test")),
        Verdict::Accepted
    );
    assert_eq!(alone.acknowledged_post().peer, "c.test");
    assert_eq!(
        alone.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    assert_eq!(alone.acknowledged_post().peer, "a.test");
    let peers: Vec<_> = alone
        .sap
        .session_views()
        .into_iter()
        .map(|s| (s.peer, s.peer_id.as_str().to_owned()))
        .collect();
    assert_eq!(
        peers,
        [
            ("a.test".to_owned(), "101@a.test".to_owned()),
            ("c.test".to_owned(), "101@c.test".to_owned())
        ]
    );
}

#[test]
fn advice_5_we_log_in_within_a_minute_of_a_failed_login_of_the_deployed_server() {
    let mut alone = alone_with(dialect("baraza"));
    assert_eq!(
        alone.say(&token(Mode::Request, "101", "a.test")),
        Verdict::Accepted
    );
    alone.pass(300);
    alone.acknowledged_post();
    // Nothing more comes.
    alone.pass(30_000);
    let step1 = alone.post();
    assert_eq!(name(&step1).1, Mode::Request);
    assert_eq!(only(&step1).name, "SendSecretToken");
    // It is not reachable; we try again, although there is nothing to send.
    let refused = Posted::Refused {
        status: 403,
        retry_after: None,
    };
    alone.posted(&step1, &refused);
    alone.pass(13_000);
    assert_eq!(only(&alone.acknowledged_post()).name, "SendSecretToken");
}

#[test]
fn advice_5_an_abandoned_login_is_answered_with_one_of_ours_at_most_once_a_minute() {
    let mut alone = alone_with(dialect("baraza"));
    for id in ["101", "102"] {
        assert_eq!(
            alone.say(&token(Mode::Request, id, "a.test")),
            Verdict::Accepted
        );
        alone.pass(300);
        alone.acknowledged_post();
        assert_eq!(
            alone.say(&refusal(Mode::Request, id, 503, "")),
            Verdict::Accepted
        );
    }
    assert_eq!(alone.posts.len(), 1);
}

#[test]
fn advice_9_an_idle_session_with_the_deployed_server_stays_and_is_left_alone() {
    let mut alone = alone_with(dialect("baraza"));
    assert_eq!(
        alone.say(&token(Mode::Request, "101", "a.test")),
        Verdict::Accepted
    );
    alone.pass(300);
    let own = sent_token(&alone.acknowledged_post());
    assert_eq!(
        alone.say(&login(Mode::Request, "101", "a.test", &own)),
        Verdict::Accepted
    );
    alone.acknowledged_post();
    assert_eq!(
        alone.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    alone.acknowledged_post();
    alone.pass(30 * 86_400_000);
    assert!(alone.posts.is_empty(), "neither keep-alive nor logout");
    assert_eq!(alone.say(&message("101@a.test", "1")), Verdict::Accepted);
    assert_eq!(sessions(&alone), 1);
}

#[test]
fn an_idle_session_of_our_own_kind_is_kept_alive() {
    let mut alone = alone();
    r2(&mut alone, "101");
    assert_eq!(
        alone.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    alone.acknowledged_post();
    alone.pass(86_400_000 - 30_000);
    assert_eq!(only(&alone.acknowledged_post()).name, "KeepAliveRequest");
}
