//! The handshake row by row (wire profile, 6.5 to 6.8), one SAP in pretend time against steps
//! written by hand.

mod responding;

use std::sync::Arc;

use wvgate::imps::Primitive;
use wvgate::sap::{Count, Dialect, Peer, Post, Posted, Settings, Verdict};
use wvgate::ssp::Mode;

use super::support::alone::{Alone, dialect, only};
use super::support::peer::digest;

const TOKEN: &str = "48406d74545dda1838edc3b20c9e8e99";
/// The second URL is on the list of those to which a peer may send us.
const ELSEWHERE: &str = "http://127.0.0.2:1/";

fn alone_with(dialect: Arc<Dialect>) -> Alone {
    let mut peer = Peer::new("a.test", dialect);
    peer.redirects = vec!["http://127.0.0.1:1/".to_owned(), ELSEWHERE.to_owned()];
    let other = Peer::new("c.test", crate::support::alone::quiet());
    Alone::new(Settings::new("b.test").with_peer(peer).with_peer(other))
}

fn alone() -> Alone {
    alone_with(crate::support::alone::quiet())
}

fn setup(mode: Mode, id: &str, content: &str) -> String {
    wvgate::ssp::envelope::print_setup("x", mode, id, content)
}

fn token(mode: Mode, id: &str, domain: &str) -> String {
    let content = format!(
        "<SendSecretToken serviceID=\"wv:@{domain}\" protocol=\"WV-SSP\" procotolVersion=\"1.3\"><SecretToken>\n{TOKEN}\n</SecretToken></SendSecretToken>"
    );
    setup(mode, id, &content)
}

fn login(mode: Mode, id: &str, domain: &str, over: &str) -> String {
    let content = format!(
        "<LoginRequest serviceID=\"wv:@{domain}\" timeToLive=\"86400\"><PasswordDigest encoding=\"base64\">{}</PasswordDigest></LoginRequest>",
        digest(over)
    );
    setup(mode, id, &content)
}

fn response(mode: Mode, id: &str, session: &str) -> String {
    let content = format!(
        "<LoginResponse sessionID=\"{session}\" timeToLive=\"86400\"><Status code=\"200\"/></LoginResponse>"
    );
    setup(mode, id, &content)
}

fn refusal(mode: Mode, id: &str, code: u16, redirect: &str) -> String {
    let list = if redirect.is_empty() {
        String::new()
    } else {
        format!("<RedirectList><RedirectAddress url=\"{redirect}\"/></RedirectList>")
    };
    let content =
        format!("<LoginResponse timeToLive=\"0\"><Status code=\"{code}\"/>{list}</LoginResponse>");
    setup(mode, id, &content)
}

fn message(session: &str, id: &str) -> String {
    wvgate::ssp::envelope::print_session(
        "x",
        session,
        [(Mode::Request, id, "<UpdateUserProfileRequest/>")],
    )
}

/// Something to send, so that a session is needed.
fn knock(alone: &mut Alone) {
    let text = "<SubscribeRequest><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@b.test\"><User userID=\"wv:bob@b.test\"/></Requestor></MetaInfo><UserID userID=\"wv:alice@a.test\"/></SubscribeRequest>";
    let primitive = wvgate::ssp::envelope::decode_fragment(text.as_bytes()).unwrap();
    alone.request(1, &primitive);
}

fn name(post: &Post) -> (String, Mode, String) {
    let transaction = only(post);
    (
        transaction.name.to_string(),
        transaction.mode,
        transaction.id,
    )
}

fn sent_token(post: &Post) -> String {
    let Ok(Primitive::SendSecretToken(token)) = only(post).primitive() else {
        panic!("no token: {post:?}")
    };
    String::from_utf8(token.token.0).unwrap()
}

fn code(post: &Post) -> u16 {
    let Ok(Primitive::LoginResponse(response)) = only(post).primitive() else {
        panic!("no login response: {post:?}")
    };
    response.status.code.0
}

/// I1: our step 1 is out and acknowledged. N and our token.
fn i1(alone: &mut Alone) -> (String, String) {
    knock(alone);
    let step1 = alone.acknowledged_post();
    let (name, mode, id) = name(&step1);
    assert_eq!((name.as_str(), mode), ("SendSecretToken", Mode::Request));
    (id, sent_token(&step1))
}

/// I2: step 3 is out.
fn i2(alone: &mut Alone) -> (String, String) {
    let (id, own) = i1(alone);
    assert_eq!(
        alone.say(&token(Mode::Response, "501", "a.test")),
        Verdict::Accepted
    );
    let step3 = alone.acknowledged_post();
    assert_eq!(
        name(&step3),
        ("LoginRequest".to_owned(), Mode::Request, id.clone())
    );
    (id, own)
}

/// I3: step 5 is out.
fn i3(alone: &mut Alone) -> String {
    let (id, own) = i2(alone);
    let step4 = login(Mode::Response, &id, "a.test", &own);
    assert_eq!(alone.say(&step4), Verdict::Accepted);
    let step5 = alone.acknowledged_post();
    assert_eq!(
        name(&step5),
        ("LoginResponse".to_owned(), Mode::Request, id.clone())
    );
    assert_eq!(code(&step5), 200);
    id
}

/// R1: step 2 is out. Our token.
fn r1(alone: &mut Alone, id: &str) -> String {
    assert_eq!(
        alone.say(&token(Mode::Request, id, "a.test")),
        Verdict::Accepted
    );
    let step2 = alone.acknowledged_post();
    let (name, mode, own_id) = name(&step2);
    assert_eq!((name.as_str(), mode), ("SendSecretToken", Mode::Response));
    assert_ne!(own_id, id, "step 2 has an id of our own");
    sent_token(&step2)
}

/// R2: step 4 is out.
fn r2(alone: &mut Alone, id: &str) {
    let own = r1(alone, id);
    let step3 = login(Mode::Request, id, "a.test", &own);
    assert_eq!(alone.say(&step3), Verdict::Accepted);
    let step4 = alone.acknowledged_post();
    assert_eq!(
        name(&step4),
        ("LoginRequest".to_owned(), Mode::Response, id.to_owned())
    );
}

fn sessions(alone: &Alone) -> usize {
    alone.sap.session_views().len()
}

fn closed(alone: &mut Alone) -> Post {
    let post = alone.post();
    alone.posted(&post, &Posted::Closed);
    post
}

#[test]
fn i4_is_reached_and_what_waited_is_sent() {
    let mut alone = alone();
    let id = i3(&mut alone);
    assert_eq!(
        alone.say(&response(Mode::Response, &id, "501@a.test")),
        Verdict::Accepted
    );
    assert_eq!(sessions(&alone), 1);
    assert_eq!(only(&alone.acknowledged_post()).name, "SubscribeRequest");
    assert!(alone.disk.keys().any(|key| key.starts_with("sap/session/")));
}

#[test]
fn i1_glare_is_served_in_a_handshake_of_its_own_and_both_complete() {
    let mut alone = alone();
    let (id, own) = i1(&mut alone);
    r2(&mut alone, "101");
    // The crossing one is unharmed.
    assert_eq!(
        alone.say(&token(Mode::Response, "501", "a.test")),
        Verdict::Accepted
    );
    assert_eq!(only(&alone.acknowledged_post()).id, id);
    assert_eq!(
        alone.say(&response(Mode::Request, "101", "101@a.test")),
        Verdict::Accepted
    );
    let step6 = alone.acknowledged_post();
    assert_eq!(
        name(&step6),
        ("LoginResponse".to_owned(), Mode::Response, "101".to_owned())
    );
    assert_eq!(only(&alone.acknowledged_post()).name, "SubscribeRequest");
    assert_eq!(
        alone.say(&login(Mode::Response, &id, "a.test", &own)),
        Verdict::Accepted
    );
    alone.acknowledged_post();
    assert_eq!(
        alone.say(&response(Mode::Response, &id, "501@a.test")),
        Verdict::Accepted
    );
    assert_eq!(sessions(&alone), 2);
    for session in ["101@a.test", "501@a.test"] {
        assert_eq!(alone.say(&message(session, session)), Verdict::Accepted);
    }
}

#[test]
fn a_token_of_another_domain_is_no_answer_to_ours() {
    let mut alone = alone();
    i1(&mut alone);
    for domain in ["c.test", "evil.test"] {
        let theirs = token(Mode::Response, "501", domain);
        assert_eq!(alone.say(&theirs), Verdict::Forbidden, "{domain}");
    }
    assert!(alone.posts.is_empty());
    assert_eq!(
        alone.say(&token(Mode::Response, "501", "a.test")),
        Verdict::Accepted
    );
    alone.post();
}

#[test]
fn a_domain_that_is_no_peer_gets_no_token() {
    let mut alone = alone();
    assert_eq!(
        alone.say(&token(Mode::Request, "1", "evil.test")),
        Verdict::Forbidden
    );
    assert!(alone.posts.is_empty());
}

#[test]
fn a_step_of_another_domain_or_id_is_refused() {
    let mut alone = alone();
    let (id, own) = i2(&mut alone);
    let of_other = login(Mode::Response, &id, "c.test", &own);
    assert_eq!(alone.say(&of_other), Verdict::Forbidden);
    let of_none = login(Mode::Response, "other", "a.test", &own);
    assert_eq!(alone.say(&of_none), Verdict::Forbidden);
    assert_eq!(
        alone.say(&login(Mode::Response, &id, "a.test", &own)),
        Verdict::Accepted
    );
}

#[test]
fn i2_a_wrong_digest_is_answered_401_once() {
    let mut alone = alone();
    let (id, _) = i2(&mut alone);
    let wrong = login(Mode::Response, &id, "a.test", "something else");
    assert_eq!(alone.say(&wrong), Verdict::Accepted);
    let told = alone.post();
    assert_eq!(
        name(&told),
        ("LoginResponse".to_owned(), Mode::Request, id.clone())
    );
    assert_eq!(code(&told), 401);
    // A peer that closes without an answer has understood.
    alone.posted(&told, &Posted::Closed);
    alone.pass(900);
    assert!(alone.posts.is_empty());
    assert!(alone.counts.contains(&Count::HandshakeFailed));
    let late = response(Mode::Response, &id, "501@a.test");
    assert_eq!(alone.say(&late), Verdict::Forbidden);
}

#[test]
fn i1_a_login_before_the_token_ends_the_handshake() {
    let mut alone = alone();
    let (id, own) = i1(&mut alone);
    assert_eq!(
        alone.say(&login(Mode::Response, &id, "a.test", &own)),
        Verdict::Accepted
    );
    assert!(alone.counts.contains(&Count::HandshakeFailed));
    assert_eq!(sessions(&alone), 0);
}

#[test]
fn i2_a_session_before_the_digest_ends_the_handshake() {
    let mut alone = alone();
    let (id, _) = i2(&mut alone);
    assert_eq!(
        alone.say(&response(Mode::Response, &id, "501@a.test")),
        Verdict::Accepted
    );
    assert!(alone.counts.contains(&Count::HandshakeFailed));
    assert_eq!(sessions(&alone), 0);
}

#[test]
fn i3_a_refusal_ends_the_handshake() {
    let mut alone = alone();
    let id = i3(&mut alone);
    assert_eq!(
        alone.say(&refusal(Mode::Response, &id, 503, "")),
        Verdict::Accepted
    );
    assert!(alone.counts.contains(&Count::HandshakeFailed));
    assert_eq!(sessions(&alone), 0);
}

#[test]
fn i2_redirects_are_followed_three_times_to_allowed_urls_only() {
    let mut alone = alone();
    let (mut id, _) = i2(&mut alone);
    for n in 1..=4 {
        let before = alone.now;
        assert_eq!(
            alone.say(&refusal(Mode::Response, &id, 503, ELSEWHERE)),
            Verdict::Accepted
        );
        if n == 4 {
            break;
        }
        let step1 = alone.acknowledged_post();
        assert_eq!((step1.url.as_deref(), alone.now), (Some(ELSEWHERE), before));
        id = only(&step1).id;
    }
    assert!(
        alone.posts.is_empty(),
        "a fourth redirect in a row is a failure"
    );
    alone.pass(30_000);
    let step1 = alone.post();
    assert_eq!(
        (only(&step1).name.as_ref(), step1.url),
        ("SendSecretToken", None)
    );
}

#[test]
fn i2_a_redirect_to_a_foreign_url_is_a_refusal() {
    let mut alone = alone();
    let (id, _) = i2(&mut alone);
    let foreign = refusal(Mode::Response, &id, 503, "http://evil.test/");
    assert_eq!(alone.say(&foreign), Verdict::Accepted);
    assert!(alone.posts.is_empty());
    alone.pass(30_000);
    assert_eq!(alone.post().url, None);
}

#[test]
fn i3_a_message_that_overtakes_step_6_is_held_for_five_seconds() {
    let mut held = alone();
    let id = i3(&mut held);
    assert!(matches!(
        held.say(&message("501@a.test", "1")),
        Verdict::Busy(Some(_))
    ));
    held.pass(2_000);
    assert!(matches!(
        held.say(&message("501@a.test", "1")),
        Verdict::Busy(Some(_))
    ));
    assert_eq!(
        held.say(&response(Mode::Response, &id, "501@a.test")),
        Verdict::Accepted
    );
    assert_eq!(held.say(&message("501@a.test", "1")), Verdict::Accepted);

    let mut late = alone();
    i3(&mut late);
    late.pass(5_000);
    assert_eq!(late.say(&message("501@a.test", "1")), Verdict::Forbidden);
}

#[test]
fn every_unacknowledged_step_is_repeated_as_it_is_after_half_one_and_two_seconds() {
    type Reach = fn(&mut Alone);
    let to_step: [(u8, Reach); 6] = [
        (1, knock),
        (2, |alone| {
            alone.say(&token(Mode::Request, "101", "a.test"));
        }),
        (3, |alone| {
            i1(alone);
            alone.say(&token(Mode::Response, "501", "a.test"));
        }),
        (4, |alone| {
            let own = r1(alone, "101");
            alone.say(&login(Mode::Request, "101", "a.test", &own));
        }),
        (5, |alone| {
            let (id, own) = i2(alone);
            alone.say(&login(Mode::Response, &id, "a.test", &own));
        }),
        (6, |alone| {
            r2(alone, "101");
            alone.say(&response(Mode::Request, "101", "101@a.test"));
        }),
    ];
    for (step, reach) in to_step {
        let mut alone = alone();
        reach(&mut alone);
        let first = closed(&mut alone);
        for wait in [500, 1000, 2000] {
            alone.pass(wait - 1);
            assert!(alone.posts.is_empty(), "step {step} too early");
            alone.pass(1);
            assert_eq!(closed(&mut alone).body, first.body, "step {step}");
        }
        assert!(
            alone.counts.contains(&Count::HandshakeFailed),
            "step {step}"
        );
        assert_eq!(sessions(&alone), 0, "step {step}");
    }
}

#[test]
fn a_step_that_was_answered_is_not_repeated_although_its_acknowledgement_is_lost() {
    let mut alone = alone();
    knock(&mut alone);
    let step1 = alone.post();
    assert_eq!(
        alone.say(&token(Mode::Response, "501", "a.test")),
        Verdict::Accepted
    );
    let step3 = alone.post();
    alone.posted(&step1, &Posted::Closed);
    let own = sent_token(&step1);
    let id = only(&step1).id;
    assert_eq!(
        alone.say(&login(Mode::Response, &id, "a.test", &own)),
        Verdict::Accepted
    );
    alone.posted(&step3, &Posted::Failed("no answer in time".to_owned()));
    let step5 = alone.acknowledged_post();
    assert_eq!(only(&step5).name, "LoginResponse");
    alone.pass(20_000);
    assert!(
        alone.posts.is_empty(),
        "an id that was dealt with is fatal to the login"
    );
    assert!(!alone.counts.contains(&Count::HandshakeFailed));
}

#[test]
fn thirty_seconds_without_progress_end_a_handshake_and_progress_begins_them_anew() {
    type Reach = fn(&mut Alone);
    let states: [(&str, Reach); 5] = [
        ("I1", |a| drop(i1(a))),
        ("I2", |a| drop(i2(a))),
        ("I3", |a| drop(i3(a))),
        ("R1", |a| drop(r1(a, "101"))),
        ("R2", |a| r2(a, "101")),
    ];
    for (state, reach) in states {
        let mut alone = alone();
        reach(&mut alone);
        alone.pass(29_999);
        assert!(!alone.counts.contains(&Count::HandshakeFailed), "{state}");
        alone.pass(1);
        assert!(alone.counts.contains(&Count::HandshakeFailed), "{state}");
    }
    let mut alone = alone();
    let (id, own) = i1(&mut alone);
    alone.pass(25_000);
    assert_eq!(
        alone.say(&token(Mode::Response, "501", "a.test")),
        Verdict::Accepted
    );
    alone.acknowledged_post();
    alone.pass(25_000);
    assert_eq!(
        alone.say(&login(Mode::Response, &id, "a.test", &own)),
        Verdict::Accepted
    );
    assert!(!alone.counts.contains(&Count::HandshakeFailed));
}

#[test]
fn failed_handshakes_are_spaced_by_ten_seconds_times_attempts_up_to_ten_minutes() {
    let mut alone = alone();
    alone.pass(1);
    let text = "<SendMessageRequest><MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@b.test\"><User userID=\"wv:bob@b.test\"/></Requestor></MetaInfo><MessageInfo messageID=\"m\"><Recipient><User userID=\"wv:alice@a.test\"/></Recipient><Sender><User userID=\"wv:bob@b.test\"/></Sender></MessageInfo></SendMessageRequest>";
    let primitive = wvgate::ssp::envelope::decode_fragment(text.as_bytes()).unwrap();
    alone.request(1, &primitive);
    for attempt in 1..=70u64 {
        let step1 = alone.post();
        assert_eq!(only(&step1).name, "SendSecretToken");
        let refused = Posted::Refused {
            status: 403,
            retry_after: None,
        };
        alone.posted(&step1, &refused);
        // The first failure is usually a neighbour that is just starting.
        let least = if attempt == 1 {
            1_000
        } else {
            (attempt * 10_000).min(600_000)
        };
        alone.pass(least - 1);
        assert!(alone.posts.is_empty(), "attempt {attempt} too early");
        // A quarter of a step at random keeps many peers apart.
        alone.pass(2_502);
        assert_eq!(alone.posts.len(), 1, "attempt {attempt}");
    }
}

#[test]
fn requests_that_wait_for_a_login_in_vain_are_answered_when_their_time_is_over() {
    let mut alone = alone();
    knock(&mut alone);
    let step1 = alone.post();
    let refused = Posted::Refused {
        status: 403,
        retry_after: None,
    };
    alone.posted(&step1, &refused);
    alone.pass(19_999);
    assert!(alone.answers.is_empty());
    alone.pass(1);
    assert!(matches!(&alone.answers[..], [(_, Primitive::Status(status))] if status.code.0 == 504));
}
