//! Answers that come twice, never, late, from elsewhere, or to try again (wire profile, 7.3 to 7.5
//! and 8.1).

use std::time::Duration;

use wvgate::imps::Primitive;
use wvgate::sap::{Count, Delivered, Posted, Verdict};
use wvgate::ssp::Mode;

use super::{
    answer, answered, log_in, message, relay, say, say_in, settings, subscribe, take_all, taken,
    to, under_way, write,
};
use crate::support::alone::{Alone, only, transactions};

const OK: &str = "<Status code=\"200\"/>";
const AGAIN: &str = "<TryAgainTimeout>30</TryAgainTimeout>";

fn count(relay: &Alone, what: Count) -> usize {
    relay.counts.iter().filter(|count| **count == what).count()
}

/// What was accepted and has not ended.
fn open(relay: &Alone) -> usize {
    let ended = |count: &&Count| matches!(count, Count::Ended(_));
    count(relay, Count::Accepted) - relay.counts.iter().filter(ended).count()
}

fn report(relay: &mut Alone) -> u16 {
    let post = to(relay, "a.test");
    match only(&post).primitive() {
        Ok(Primitive::DeliveryStatusReport(report)) => report.result.status.code.0,
        other => panic!("{other:?}"),
    }
}

/// Alice subscribes; the relay's id towards b.test.
fn ask(relay: &mut Alone, id: &str) -> String {
    let verdict = say(relay, "a.test", Mode::Request, id, &subscribe());
    assert_eq!(verdict, Verdict::Accepted);
    only(&to(relay, "b.test")).id
}

#[test]
fn an_answer_that_comes_twice_goes_on_once() {
    let mut relay = relay();
    let sent = write(&mut relay, "m1", 600);
    let ok = taken("m1", 200, "");
    say(&mut relay, "b.test", Mode::Response, &sent.id, &ok);
    assert_eq!(answered(&mut relay), ("m1".to_owned(), 200));
    for again in [ok, taken("m1", 531, ""), OK.to_owned()] {
        let verdict = say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
        assert_eq!(verdict, Verdict::Accepted);
    }
    assert!(relay.posts.is_empty());
    assert_eq!(count(&relay, Count::Unasked), 3);
}

#[test]
fn without_an_answer_the_requestor_hears_504_and_what_comes_later_is_dropped() {
    let mut relay = relay();
    let id = ask(&mut relay, "7");
    relay.pass(19_999);
    assert!(relay.posts.is_empty());
    relay.pass(1);
    assert_eq!(answered(&mut relay), ("7".to_owned(), 504));
    relay.pass(1_000);
    say(&mut relay, "b.test", Mode::Response, &id, OK);
    assert!(relay.posts.is_empty());
    assert_eq!(count(&relay, Count::Unasked), 1);
}

#[test]
fn an_answer_just_in_time_still_counts() {
    let mut relay = relay();
    let id = ask(&mut relay, "7");
    relay.pass(19_999);
    say(&mut relay, "b.test", Mode::Response, &id, OK);
    assert_eq!(answered(&mut relay), ("7".to_owned(), 200));
    relay.pass(60_000);
    assert!(relay.posts.is_empty());
}

#[test]
fn an_answer_goes_along_the_table_whatever_it_is_addressed_to() {
    let mut relay = Alone::new(settings(&["a.test", "b.test", "c.test"]));
    for domain in ["a.test", "b.test", "c.test"] {
        log_in(&mut relay, "1", domain);
    }
    let (first, second) = (ask(&mut relay, "7"), ask(&mut relay, "8"));
    // c.test was not asked, and nobody gave this id.
    say(&mut relay, "c.test", Mode::Response, &first, OK);
    say(&mut relay, "b.test", Mode::Response, "7", OK);
    assert!(relay.posts.is_empty());
    assert_eq!(count(&relay, Count::Unasked), 2);
    // The right ones, in another order; each goes to its own request.
    say(
        &mut relay,
        "b.test",
        Mode::Response,
        &second,
        "<Status code=\"532\"/>",
    );
    say(&mut relay, "b.test", Mode::Response, &first, OK);
    assert_eq!(answered(&mut relay), ("8".to_owned(), 532));
    assert_eq!(answered(&mut relay), ("7".to_owned(), 200));
    assert!(relay.posts.is_empty());
}

#[test]
fn an_answer_with_the_id_of_another_transaction_is_not_taken_for_its_answer() {
    let mut relay = relay();
    let sent = write(&mut relay, "m1", 600);
    let subscription = ask(&mut relay, "7");
    // The ids have been exchanged.
    let ok = taken("m1", 200, "");
    say(&mut relay, "b.test", Mode::Response, &subscription, &ok);
    assert!(relay.posts.is_empty());
    assert_eq!(count(&relay, Count::Unasked), 1);
    say(&mut relay, "b.test", Mode::Response, &sent.id, &ok);
    assert_eq!(answered(&mut relay), ("m1".to_owned(), 200));
    relay.pass(20_000);
    assert_eq!(answered(&mut relay), ("7".to_owned(), 504));
}

#[test]
fn a_message_that_may_be_tried_again_is_after_that_time_and_under_another_id() {
    let mut relay = relay();
    let sent = write(&mut relay, "m1", 600);
    assert_eq!(open(&relay), 0, "the peer has it");
    let again = taken("m1", 503, AGAIN);
    say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
    assert!(relay.posts.is_empty());
    assert_eq!(open(&relay), 1, "this node has it again");
    // The same once more is nothing new.
    say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
    assert_eq!(count(&relay, Count::Unasked), 1);
    relay.pass(15_000);
    assert_eq!(answered(&mut relay), ("m1".to_owned(), 202));
    relay.pass(14_999);
    assert!(relay.posts.is_empty());
    relay.pass(1);
    let second = only(&to(&mut relay, "b.test"));
    assert_ne!(second.id, sent.id);
    assert_eq!(second.raw, sent.raw);
    let ok = taken("m1", 200, "");
    say(&mut relay, "b.test", Mode::Response, &second.id, &ok);
    assert_eq!(open(&relay), 0);
    relay.pass(3_600_000);
    relay
        .posts
        .retain(|post| only(post).name != "KeepAliveRequest");
    assert!(relay.posts.is_empty());
}

#[test]
fn a_message_is_given_back_in_any_case_of_letters() {
    let mut relay = relay();
    let sent = write(&mut relay, "m1", 600);
    let again = taken("m1", 503, &AGAIN.to_lowercase());
    say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
    assert!(relay.posts.is_empty());
    assert_eq!(open(&relay), 1, "this node has it again");
}

#[test]
fn a_message_given_back_goes_out_after_a_restart_too() {
    let mut relay = relay();
    let sent = write(&mut relay, "m1", 600);
    let again = taken("m1", 503, AGAIN);
    say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
    relay.restart();
    let second = only(&to(&mut relay, "b.test"));
    assert_eq!(second.raw, sent.raw);
    let ok = taken("m1", 200, "");
    say(&mut relay, "b.test", Mode::Response, &second.id, &ok);
    assert_eq!(answered(&mut relay), ("m1".to_owned(), 200));
}

#[test]
fn a_message_tried_again_to_the_end_of_its_validity_is_reported() {
    let mut relay = relay();
    let mut id = write(&mut relay, "m1", 100).id;
    for _ in 0..3 {
        let again = taken("m1", 507, AGAIN);
        say(&mut relay, "b.test", Mode::Response, &id, &again);
        relay.pass(30_000);
        take_all(&mut relay, "a.test");
        id = only(&to(&mut relay, "b.test")).id;
    }
    // The next time would be too late: the peer's word is passed on.
    let again = taken("m1", 507, AGAIN);
    say(&mut relay, "b.test", Mode::Response, &id, &again);
    assert_eq!(report(&mut relay), 507);
    assert_eq!(open(&relay), 0);
}

#[test]
fn other_requests_are_told_when_to_try_again() {
    let mut relay = relay();
    let id = ask(&mut relay, "7");
    let again = format!("<Status code=\"503\">{AGAIN}</Status>");
    say(&mut relay, "b.test", Mode::Response, &id, &again);
    let (id, status) = answer(&to(&mut relay, "a.test"));
    assert_eq!(
        (id.as_str(), status.code.0, status.try_again),
        ("7", 503, Some(30))
    );
    // A message too, if it cannot wait so long, or if waiting is of no use.
    for (id, validity, code) in [("m1", 20, 503), ("m2", 600, 531)] {
        let sent = write(&mut relay, id, validity);
        let again = taken(id, code, AGAIN);
        say(&mut relay, "b.test", Mode::Response, &sent.id, &again);
        let (_, status) = answer(&to(&mut relay, "a.test"));
        assert_eq!((status.code.0, status.try_again), (code, Some(30)));
    }
}

#[test]
fn what_has_expired_is_not_posted_and_its_sender_hears_of_it() {
    // For a short time: at once. For longer: after the 202, by a report.
    for (validity, first) in [(10, 542), (60, 202)] {
        let mut relay = relay();
        let body = message("m1", validity);
        say(&mut relay, "a.test", Mode::Request, "m1", &body);
        let post = under_way(&mut relay, "b.test");
        relay.posted(&post, &Posted::Failed("connection refused".to_owned()));
        let (mut tries, mut waited) = (1, 0);
        while waited < 90_000 {
            relay.pass(500);
            waited += 500;
            while let Some(at) = relay.posts.iter().position(|post| post.peer == "b.test") {
                let since = waited - 500;
                assert!(since < u64::from(validity) * 1_000, "posted after its time");
                let post = relay.posts.remove(at);
                tries += 1;
                relay.posted(&post, &Posted::Failed("connection refused".to_owned()));
            }
        }
        assert!(tries > 2, "{tries}");
        assert_eq!(answered(&mut relay), ("m1".to_owned(), first));
        if first == 202 {
            assert_eq!(report(&mut relay), 542);
        }
        assert!(relay.posts.is_empty());
        assert_eq!(open(&relay), 0);
    }
}

#[test]
fn what_expired_while_the_node_was_down_is_not_posted_at_its_start() {
    let mut relay = relay();
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 60),
    );
    let post = under_way(&mut relay, "b.test");
    relay.posted(&post, &Posted::Failed("connection refused".to_owned()));
    relay.now = relay.now.plus_seconds(600);
    relay.restart();
    relay.pass(0);
    assert_eq!(answered(&mut relay), ("m1".to_owned(), 542));
    relay.pass(90_000);
    assert!(relay.posts.iter().all(|post| post.peer != "b.test"));
    assert_eq!(open(&relay), 0);
}

#[test]
fn what_expires_while_it_is_under_way_is_not_posted_again() {
    let mut relay = relay();
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 60),
    );
    let hanging = under_way(&mut relay, "b.test");
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m2",
        &message("m2", 600),
    );
    relay.pass(61_000);
    take_all(&mut relay, "a.test");
    relay.posted(&hanging, &Posted::Failed("no answer in time".to_owned()));
    assert_eq!(report(&mut relay), 542);
    relay.pass(10_000);
    let next = only(&to(&mut relay, "b.test"));
    assert_eq!(next.peek.message_id.as_deref(), Some("m2"));
    assert!(relay.posts.is_empty());
}

#[test]
fn notices_and_answers_of_a_peer_that_was_never_asked_reach_nobody() {
    let mut relay = relay();
    for content in [
        OK,
        &taken("m1", 200, ""),
        "<GetListResponse><Status code=\"200\"/></GetListResponse>",
    ] {
        let verdict = say_in(&mut relay, "1@b.test", Mode::Response, "none", content);
        assert_eq!(verdict, Verdict::Accepted);
    }
    assert!(relay.posts.is_empty());
    let delivered: &[(_, Delivered)] = &relay.delivered;
    assert!(delivered.is_empty());
    assert_eq!(count(&relay, Count::Unasked), 3);
}

#[test]
fn a_peer_that_is_busy_is_left_alone_as_long_as_it_says() {
    let mut relay = relay();
    say(
        &mut relay,
        "a.test",
        Mode::Request,
        "m1",
        &message("m1", 3_600),
    );
    let post = under_way(&mut relay, "b.test");
    let busy = Posted::Refused {
        status: 503,
        retry_after: Some(Duration::from_secs(300)),
    };
    relay.posted(&post, &busy);
    relay.pass(299_999);
    take_all(&mut relay, "a.test");
    assert!(relay.posts.is_empty());
    relay.pass(1_000);
    assert_eq!(to(&mut relay, "b.test").body, post.body);
}

#[test]
fn a_peer_tells_the_presence_of_whom_it_was_asked_about_and_of_its_own() {
    for (user, code) in [
        ("bob@b.test", 200),
        ("carol@b.test", 200),
        ("zoe@a.test", 500),
        ("zoe@c.test", 500),
    ] {
        let mut relay = relay();
        let get = subscribe()
            .replace("SubscribeRequest", "GetPresenceRequest")
            .replace("<UserID", "<VerUserID");
        assert_eq!(
            say(&mut relay, "a.test", Mode::Request, "7", &get),
            Verdict::Accepted
        );
        let id = only(&to(&mut relay, "b.test")).id;
        let told = format!(
            "<GetPresenceResponse><Status code=\"200\"/><PresenceValue userID=\"wv:{user}\"/></GetPresenceResponse>"
        );
        say(&mut relay, "b.test", Mode::Response, &id, &told);
        let post = to(&mut relay, "a.test");
        let told_on = only(&post).name == "GetPresenceResponse";
        assert_eq!(told_on, code == 200, "{user}");
        assert_eq!(answer(&post).1.code.0, code, "{user}");
    }
}

#[test]
fn a_late_failure_is_reported_of_those_who_have_not_got_the_message() {
    let mut relay = Alone::new(settings(&["a.test", "b.test", "c.test"]));
    for domain in ["a.test", "b.test", "c.test"] {
        log_in(&mut relay, "1", domain);
    }
    let recipient = |user: &str| format!("<User userID=\"wv:{user}\"/></Recipient>");
    let all = ["bob@b.test", "carl@c.test", "cleo@c.test"];
    let all = all
        .map(|user| format!("<User userID=\"wv:{user}\"/>"))
        .join("</Recipient><Recipient>");
    let text = message("m1", 600).replace(&recipient("bob@b.test"), &format!("{all}</Recipient>"));
    say(&mut relay, "a.test", Mode::Request, "m1", &text);
    let id = only(&to(&mut relay, "b.test")).id;
    say(
        &mut relay,
        "b.test",
        Mode::Response,
        &id,
        &taken("m1", 200, ""),
    );
    let id = only(&to(&mut relay, "c.test")).id;
    relay.pass(20_000);
    assert_eq!(answered(&mut relay).0, "m1");
    let failure = taken("m1", 531, "");
    say(&mut relay, "c.test", Mode::Response, &id, &failure);
    let mut reported = Vec::new();
    while !relay.posts.is_empty() {
        for transaction in transactions(&relay.acknowledged_post()) {
            let Ok(Primitive::DeliveryStatusReport(report)) = transaction.primitive() else {
                panic!("{transaction:?}")
            };
            assert_eq!(report.result.status.code.0, 531);
            let by = report.info.sender.unwrap().user.unwrap();
            reported.push(by.user.to_string());
        }
    }
    assert_eq!(reported, ["wv:carl@c.test", "wv:cleo@c.test"]);
}
