//! Several SAPs in one pretend world: time stands still until somebody waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::ssp::common::{ContentData, MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::ssp::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::ssp::primitive::presence::SubscribeRequest;
use crate::ssp::xml::Limits;
use crate::ssp::{Address, Code, Message, Primitive, Status, envelope};
use crate::store::Write;

/// A node: a SAP, its disk, and a home domain that takes everything.
struct Node {
    sap: Sap,
    disk: BTreeMap<String, Vec<u8>>,
    delivered: Vec<Delivered>,
    answers: Vec<(Token, Primitive)>,
    counts: Vec<Count>,
    down: bool,
    /// Answers every request with this; `None`: never answers.
    verdict: Option<Code>,
}

/// All nodes and the messages under way between them.
struct World {
    nodes: BTreeMap<String, Node>,
    now: Time,
    wire: VecDeque<(String, Post)>,
    /// Acknowledgements lost on the way, from now on.
    lose_acks: usize,
    posts: usize,
}

impl World {
    fn new(settings: impl IntoIterator<Item = Settings>) -> Self {
        let mut world = Self {
            nodes: BTreeMap::new(),
            now: Time(1_000_000),
            wire: VecDeque::new(),
            lose_acks: 0,
            posts: 0,
        };
        for (seed, settings) in settings.into_iter().enumerate() {
            let domain = settings.domain.clone();
            let sap = Sap::new(Arc::new(settings), Random::repeatable(seed as u64 + 7));
            let node = Node {
                sap,
                disk: BTreeMap::new(),
                delivered: Vec::new(),
                answers: Vec::new(),
                counts: Vec::new(),
                down: false,
                verdict: Some(Code::OK),
            };
            world.nodes.insert(domain, node);
        }
        world
    }

    fn node(&mut self, domain: &str) -> &mut Node {
        self.nodes.get_mut(domain).unwrap()
    }

    /// Runs until nothing happens before `until`.
    fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let next = self
                .nodes
                .values()
                .filter(|node| !node.down)
                .filter_map(|node| node.sap.next_timeout())
                .min();
            match next.filter(|next| *next <= until) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            let now = self.now;
            for node in self.nodes.values_mut().filter(|node| !node.down) {
                node.sap.timeout(now);
            }
        }
        self.now = until;
    }

    fn settle(&mut self) {
        loop {
            let domains: Vec<String> = self.nodes.keys().cloned().collect();
            for domain in domains {
                self.drain(&domain);
            }
            let Some((from, post)) = self.wire.pop_front() else {
                break;
            };
            self.transmit(&from, &post);
        }
    }

    fn drain(&mut self, domain: &str) {
        let now = self.now;
        let node = self.nodes.get_mut(domain).unwrap();
        if node.down {
            while node.sap.next_effect().is_some() {}
            return;
        }
        while let Some(effect) = node.sap.next_effect() {
            match effect {
                Effect::Write(Write::Put { key, value }) => {
                    node.disk.insert(key, value);
                }
                Effect::Write(Write::Delete { key }) => {
                    node.disk.remove(&key);
                }
                Effect::Post(post) => self.wire.push_back((domain.to_owned(), post)),
                Effect::Deliver(element, delivered) => {
                    if let (Some(id), Some(code)) = (delivered.id, node.verdict) {
                        let answer = match &delivered.primitive {
                            Primitive::SendMessageRequest(m) => SendMessageResponse {
                                message_id: m.info.message_id.clone().unwrap_or_default(),
                                status: Status::new(code),
                            }
                            .into(),
                            _ => Primitive::status(code),
                        };
                        node.sap.respond(element, id, &answer, now);
                    }
                    node.delivered.push(delivered);
                }
                Effect::Answer(_, token, primitive) => node.answers.push((token, primitive)),
                Effect::Count(count) => node.counts.push(count),
                Effect::PeerState(..) | Effect::Trace(_) => {}
            }
        }
    }

    fn transmit(&mut self, from: &str, post: &Post) {
        self.posts += 1;
        let now = self.now;
        let outcome = match self.nodes.get_mut(&post.peer) {
            Some(node) if !node.down => {
                let message = envelope::scan(&post.body, &Limits::default())
                    .expect("what a SAP posts can be read");
                let verdict = node.sap.receive(&message, &Facts::default(), now);
                match verdict {
                    Verdict::Accepted if self.lose_acks > 0 => {
                        self.lose_acks -= 1;
                        Posted::Closed
                    }
                    Verdict::Accepted => Posted::Acknowledged,
                    Verdict::Malformed => Posted::Refused {
                        status: 400,
                        retry_after: None,
                    },
                    Verdict::Forbidden => Posted::Refused {
                        status: 403,
                        retry_after: None,
                    },
                    Verdict::Busy(retry_after) => Posted::Refused {
                        status: 503,
                        retry_after,
                    },
                }
            }
            _ => Posted::Failed("connection refused".to_owned()),
        };
        self.node(from).sap.posted(post.number, &outcome, now);
    }

    /// Kills a node and starts it again from its disk.
    fn restart(&mut self, domain: &str) {
        let now = self.now;
        let node = self.node(domain);
        let settings = node.sap.settings().clone();
        let mut sap = Sap::new(settings, Random::repeatable(now.0));
        for (key, value) in &node.disk {
            sap.restore(key, value).unwrap();
        }
        sap.start(now);
        node.sap = sap;
        node.down = false;
        self.wire.retain(|(from, _)| from != domain);
    }

    fn send(&mut self, from: &str, to: &[&str], id: &str) {
        let expires = self.now.plus_seconds(86_400);
        let now = self.now;
        let domain = Address::new(from).domain().to_owned();
        let token = Token(id[1..].parse().unwrap());
        self.node(&domain)
            .sap
            .request(Element::Home, token, &message(from, to, id), expires, now);
    }

    fn received(&mut self, domain: &str) -> Vec<String> {
        let ids =
            self.node(domain)
                .delivered
                .iter()
                .filter_map(|delivered| match &delivered.primitive {
                    Primitive::SendMessageRequest(m) => m.info.message_id.clone(),
                    _ => None,
                });
        ids.collect()
    }

    fn verdicts(&mut self, domain: &str) -> Vec<(u64, u16)> {
        let answers = &self.node(domain).answers;
        answers
            .iter()
            .map(|(token, answer)| (token.0, split::status_of(answer).unwrap().code.0))
            .collect()
    }
}

fn message(from: &str, to: &[&str], id: &str) -> Primitive {
    let from = Address::new(from);
    SendMessageRequest {
        delivery_report: true,
        meta: Some(MetaInfo::of_user(from.domain(), from.clone())),
        info: MessageInfo {
            message_id: Some(id.to_owned()),
            uri: None,
            content_type: Some("text/plain".to_owned()),
            content_name: None,
            content_size: Some(2),
            validity: Some(3600),
            recipients: to
                .iter()
                .map(|to| Recipient::User(User::new(Address::new(to))))
                .collect(),
            recipient_display: None,
            sender: Some(Sender::user(User::new(from))),
            date_time: None,
        },
        content: Some(ContentData::text("hi")),
    }
    .into()
}

fn speaking(peer: &str, for_domains: &[&str]) -> Peer {
    // Discovery has tests of its own; here posts are counted.
    let dialect = Dialect {
        discovery: false,
        ..Dialect::default()
    };
    let mut peer = Peer::new(peer, Arc::new(dialect));
    peer.speaks_for.domains = for_domains.iter().map(ToString::to_string).collect();
    peer
}

/// a.test — r.test — b.test
fn chain() -> World {
    let home = |own: &str, other: &str| {
        Settings::new(own)
            .with_peer(speaking("r.test", &[other]))
            .with_route(own, Route::Local(Element::Home))
            .with_route("*", Route::Peer("r.test".into()))
    };
    World::new([
        home("a.test", "b.test"),
        home("b.test", "a.test"),
        Settings::new("r.test")
            .with_peer(speaking("a.test", &[]))
            .with_peer(speaking("b.test", &[])),
    ])
}

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
        users: vec![crate::ssp::common::UserId {
            user: Address::new("bob@b.test"),
        }],
        attributes: None,
    };
    let (now, expires) = (world.now, world.now.plus_seconds(60));
    world
        .node("a.test")
        .sap
        .request(Element::Home, Token(2), &request.into(), expires, now);
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
            Element::Home,
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
