//! Several SAPs in one pretend world: time stands still until somebody waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::dialect::message_ids;
use super::transaction::Queues;
use super::*;
use crate::imps::common::{ContentData, MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::primitive::presence::SubscribeRequest;
use crate::imps::xml::Limits;
use crate::imps::{Address, Code, Primitive, Status};
use crate::ssp::{Message, envelope};

mod queues;
mod taken_over;
mod transactions;
mod world;

use world::*;

#[test]
fn a_message_crosses_an_intermediate_domain_and_its_answer_comes_back() {
    let mut world = chain();
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.run(1000);
    assert_eq!(world.received("b.test"), ["m1"]);
    assert_eq!(world.verdicts("a.test"), [(1, 200)]);
    // Two handshakes of six steps, two hops each way.
    assert_eq!(world.posts, 12 + 4);
    for domain in ["a.test", "r.test"] {
        let queued: Vec<_> = world
            .node(domain)
            .disk
            .keys()
            .filter(|key| key.starts_with(outbox::PREFIX))
            .collect();
        assert!(queued.is_empty(), "{domain}: {queued:?}");
    }
}

#[test]
fn crossing_handshakes_both_complete_and_messages_flow() {
    let mut world = chain();
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.send("wv:bob@b.test", &["wv:alice@a.test"], "m2");
    world.run(2000);
    assert_eq!(world.received("b.test"), ["m1"]);
    assert_eq!(world.received("a.test"), ["m2"]);
}

#[test]
fn a_lost_acknowledgement_neither_loses_nor_doubles_a_message() {
    let mut world = chain();
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.run(1000);
    world.lose_acks = 3;
    for n in 2..20 {
        world.send("wv:alice@a.test", &["wv:bob@b.test"], &format!("m{n}"));
    }
    world.run(60_000);
    let expected: Vec<String> = (1..20).map(|n| format!("m{n}")).collect();
    assert_eq!(world.received("b.test"), expected);
    assert!(world.node("r.test").counts.contains(&Count::Duplicate));
}

#[test]
fn a_relay_that_is_killed_goes_on_where_it_was() {
    let mut world = chain();
    world.node("b.test").down = true;
    for n in 1..5 {
        world.send("wv:alice@a.test", &["wv:bob@b.test"], &format!("m{n}"));
    }
    world.run(3000);
    world.restart("r.test");
    world.run(3000);
    world.restart("a.test");
    world.restart("b.test");
    world.run(120_000);
    assert_eq!(world.received("b.test"), ["m1", "m2", "m3", "m4"]);
}

#[test]
fn an_unreachable_next_hop_is_answered_202_and_later_in_order() {
    let mut world = chain();
    world.node("b.test").down = true;
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m2");
    world.run(30_000);
    assert_eq!(world.verdicts("a.test"), [(1, 202), (2, 202)]);
    world.node("b.test").down = false;
    world.run(700_000);
    assert_eq!(world.received("b.test"), ["m1", "m2"]);
    assert_eq!(world.verdicts("a.test").len(), 2);
}

#[test]
fn a_message_taken_over_that_fails_later_is_reported() {
    let mut world = chain();
    world.node("b.test").down = true;
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.run(30_000);
    world.node("b.test").verdict = Some(Code::UNKNOWN_USER);
    world.node("b.test").down = false;
    world.run(700_000);
    let reports: Vec<_> = world
        .node("a.test")
        .delivered
        .iter()
        .map(|d| d.primitive.clone())
        .collect();
    assert!(
        matches!(reports.as_slice(), [Primitive::DeliveryStatusReport(r)]
        if r.result.status.code == Code::UNKNOWN_USER && r.info.message_id.as_deref() == Some("m1"))
    );
}

#[test]
fn what_is_never_answered_is_answered_202_or_504() {
    let mut world = chain();
    world.node("b.test").verdict = None;
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    let request = SubscribeRequest {
        meta: Some(MetaInfo::of_user("a.test", Address::new("alice@a.test"))),
        users: vec![crate::imps::common::UserId {
            user: Address::new("bob@b.test"),
        }],
        attributes: None,
    };
    let (now, expires) = (world.now, world.now.plus_seconds(60));
    world.node("a.test").sap.request(
        Element::named("Home"),
        Token(2),
        &request.into(),
        expires,
        now,
    );
    world.run(60_000);
    let mut verdicts = world.verdicts("a.test");
    verdicts.sort_unstable();
    // The message is safe with b.test's element; the subscription is worth nothing later.
    assert_eq!(verdicts, [(1, 202), (2, 504)]);
}

#[test]
fn recipients_in_several_domains_get_one_joined_answer() {
    let mut world = chain();
    world.send(
        "wv:alice@a.test",
        &["wv:bob@b.test", "wv:carol@a.test"],
        "m1",
    );
    world.run(2000);
    assert_eq!(world.received("b.test"), ["m1"]);
    assert_eq!(world.received("a.test"), ["m1"]);
    assert_eq!(world.verdicts("a.test"), [(1, 200)]);
    world.node("b.test").verdict = Some(Code::UNKNOWN_USER);
    world.send(
        "wv:alice@a.test",
        &["wv:bob@b.test", "wv:carol@a.test"],
        "m2",
    );
    world.run(2000);
    assert_eq!(world.verdicts("a.test")[1], (2, 201));
}

#[test]
fn a_peer_may_speak_only_for_its_domains() {
    let mut world = chain();
    let now = world.now;
    // b.test claims to be a user of c.test, then one of a.test.
    for (n, user) in [(1, "wv:eve@c.test"), (2, "wv:alice@a.test")] {
        let primitive = message(user, &["wv:alice@a.test"], "m1");
        world.node("b.test").sap.request(
            Element::named("Home"),
            Token(n),
            &primitive,
            now.plus_seconds(60),
            now,
        );
    }
    world.run(2000);
    assert_eq!(world.verdicts("b.test")[0], (1, 901));
    assert!(
        world.received("a.test").iter().all(|id| id != "m1")
            || world.verdicts("b.test")[1].1 == 901
    );
}

#[test]
fn a_loop_of_three_domains_is_cut() {
    let ring = |own: &str, next: &str, before: &str| {
        let all = ["l.test", "m.test", "n.test", "x.test"];
        Settings::new(own)
            .with_peer(speaking(next, &all))
            .with_peer(speaking(before, &all))
            .with_route("x.test", Route::Peer(next.into()))
    };
    let mut world = World::new([
        ring("l.test", "m.test", "n.test"),
        ring("m.test", "n.test", "l.test"),
        ring("n.test", "l.test", "m.test"),
    ]);
    world.send("wv:u@l.test", &["wv:v@x.test"], "m1");
    world.run(30_000);
    assert_eq!(world.verdicts("l.test"), [(1, 516)]);
    assert!(world.posts < 40, "{}", world.posts);
}

#[test]
fn an_unknown_session_makes_the_sender_log_in_anew() {
    let mut world = chain();
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.run(1000);
    world.node("r.test").disk.clear();
    world.restart("r.test");
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m2");
    world.run(60_000);
    assert_eq!(world.received("b.test"), ["m1", "m2"]);
}

#[test]
fn accepted_messages_are_all_accounted_for() {
    let mut world = chain();
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m1");
    world.send("wv:alice@a.test", &["wv:nobody@"], "m2");
    world.run(1000);
    world.node("b.test").down = true;
    world.send("wv:alice@a.test", &["wv:bob@b.test"], "m3");
    world.run(100_000_000);
    for domain in ["a.test", "r.test"] {
        let node = world.node(domain);
        let accepted = node
            .counts
            .iter()
            .filter(|count| **count == Count::Accepted)
            .count();
        let ended = node
            .counts
            .iter()
            .filter(|count| matches!(count, Count::Ended(_)))
            .count();
        let delivered = node
            .delivered
            .iter()
            .filter(|d| d.primitive.name() == "SendMessageRequest")
            .count();
        let queued = usize::try_from(node.sap.messages_queued()).unwrap();
        assert_eq!(
            accepted,
            ended + queued + delivered,
            "{domain}: {:?}",
            node.counts
        );
    }
}

#[test]
fn garbage_in_setup_is_refused_without_trace() {
    let mut world = chain();
    let now = world.now;
    for body in [
        r#"<WV-SSP-Message><SetupTransaction mode="Request" transactionID="1"><LoginRequest serviceID="wv:@r.test" timeToLive="1"><PasswordDigest encoding="base64">AAAA</PasswordDigest></LoginRequest></SetupTransaction></WV-SSP-Message>"#,
        r#"<WV-SSP-Message><SetupTransaction mode="Request" transactionID="1"><SendSecretToken serviceID="wv:@evil.test"><SecretToken>x</SecretToken></SendSecretToken></SetupTransaction></WV-SSP-Message>"#,
        r#"<WV-SSP-Message><SetupTransaction mode="Response" transactionID="1"><SendSecretToken serviceID="wv:@r.test"><SecretToken>x</SecretToken></SendSecretToken></SetupTransaction></WV-SSP-Message>"#,
        r#"<WV-SSP-Message><SetupTransaction mode="Response" transactionID="1"><LoginResponse sessionID="1@r.test"><Status code="200"/></LoginResponse></SetupTransaction></WV-SSP-Message>"#,
        r#"<WV-SSP-Message><Session sessionID="1@r.test"><Transaction mode="Request" transactionID="1"><KeepAliveRequest/></Transaction></Session></WV-SSP-Message>"#,
    ] {
        let message: Message =
            envelope::scan(&Bytes::from_static(body.as_bytes()), &Limits::default()).unwrap();
        let node = world.node("a.test");
        assert_eq!(
            node.sap.receive(&message, &Facts::default(), now),
            Verdict::Forbidden,
            "{body}"
        );
        assert!(
            !std::iter::from_fn(|| node.sap.next_effect())
                .any(|effect| matches!(effect, Effect::Post(_)))
        );
    }
}
