//! Two associations talk to each other in pretend time, without a SAP around them.

use std::collections::BTreeMap;

use super::*;
use crate::element::millis;
use crate::imps::Status;
use crate::imps::primitive::Name;
use crate::imps::primitive::session::RedirectAddress;
use crate::imps::xml::Limits;
use crate::sap::Dialect;
use crate::sap::numbers::Numbers;
use crate::sap::post::Post;
use crate::sap::random::Random;
use crate::ssp::{Message, Mode, envelope};

const PEERS: [&str; 2] = ["a.test", "b.test"];

/// One side: its association, what it keeps, and what it has reported and received.
struct End {
    it: Association,
    disk: BTreeMap<String, Vec<u8>>,
    reported: Vec<Event>,
    /// Transactions in the order in which they came, without those about sessions.
    received: Vec<String>,
    /// Nobody answers.
    down: bool,
}

impl End {
    fn new(own: usize, now: Time) -> Self {
        let settings = Settings::new(PEERS[own]);
        let mut peer = Peer::new(PEERS[1 - own], Arc::new(Dialect::default()));
        peer.redirects = vec!["https://elsewhere.test/".to_owned()];
        let random = Random::repeatable(now.0 + own as u64);
        let shared = Shared {
            settings: Arc::new(settings),
            numbers: Arc::new(Numbers::new(&random, crate::sap::Shards::ONE)),
            random,
            totals: Arc::new(outbox::Totals::new(usize::MAX)),
        };
        Self {
            it: Association::new(peer.id.clone(), Some(Arc::new(peer)), shared),
            disk: BTreeMap::new(),
            reported: Vec::new(),
            received: Vec::new(),
            down: false,
        }
    }

    /// What the peer's transport is told.
    fn receive(&mut self, message: &Message, now: Time) -> Verdict {
        match message {
            Message::Setup(transaction) => {
                let primitive = transaction.primitive().unwrap();
                let facts = Facts::default();
                self.it.setup(transaction, &primitive, &facts, now)
            }
            Message::Session(message) => {
                let own_id = self.it.sessions().own_id_of(&message.session);
                let Some(own_id) = own_id.cloned() else {
                    return Verdict::Forbidden;
                };
                self.it.session_is_used(&own_id, now);
                self.it.message_came(&own_id, None, true, now);
                for transaction in &message.transactions {
                    self.take(&own_id, transaction, now);
                }
                Verdict::Accepted
            }
        }
    }

    fn take(&mut self, own_id: &SessionId, transaction: &Transaction, now: Time) {
        let id = transaction.id.clone();
        match transaction.primitive() {
            _ if transaction.mode == Mode::Response && self.it.session_answer(transaction, now) => {
            }
            Ok(Primitive::KeepAliveRequest(request)) => {
                let answer = self.it.kept_alive(own_id, &request, now).unwrap();
                let answer = answer.into();
                self.it.answer_in_session((own_id, &id), &answer, now);
            }
            Ok(Primitive::LogoutRequest(request)) => {
                self.it.logged_out((own_id, &id), &request, now);
            }
            Ok(Primitive::Disconnect(notice)) => self.it.disconnected(own_id, &notice, now),
            _ => self.received.push(id),
        }
    }

    fn has_reported(&self, event: &Event) -> bool {
        self.reported.contains(event)
    }

    fn acknowledged(&self) -> Vec<&str> {
        let items = self.reported.iter().filter_map(|event| match event {
            Event::Acknowledged(item) => Some(item.id.as_str()),
            _ => None,
        });
        items.collect()
    }
}

struct Two {
    ends: [End; 2],
    now: Time,
    /// Posts on their way, and of whom.
    wire: VecDeque<(usize, Post)>,
    /// All that were ever posted.
    posts: Vec<(usize, Post)>,
    /// Posts in sessions end like this instead of arriving.
    fate: Option<Posted>,
}

impl Two {
    fn new() -> Self {
        let now = Time(1_000_000);
        Self {
            ends: [End::new(0, now), End::new(1, now)],
            now,
            wire: VecDeque::new(),
            posts: Vec::new(),
            fate: None,
        }
    }

    /// With a session that a.test has opened.
    fn up() -> Self {
        let mut two = Self::new();
        two.ends[0].it.connect(two.now);
        two.run(0);
        two
    }

    fn drain(&mut self, own: usize) {
        let end = &mut self.ends[own];
        loop {
            while let Some(event) = end.it.next_event() {
                match event {
                    Event::Write(write) => write.apply(&mut end.disk),
                    Event::Post(post) => self.wire.push_back((own, post)),
                    Event::Load(load) => end.it.loaded(load.from_disk(&end.disk), self.now),
                    event => end.reported.push(event),
                }
            }
            if end.it.flush().is_none() {
                return;
            }
        }
    }

    fn settle(&mut self) {
        loop {
            self.drain(0);
            self.drain(1);
            let Some((from, post)) = self.wire.pop_front() else {
                return;
            };
            self.posts.push((from, post.clone()));
            let outcome = self.transmit(from, &post);
            self.ends[from].it.posted(post.number, &outcome, self.now);
        }
    }

    fn transmit(&mut self, from: usize, post: &Post) -> Posted {
        let to = &mut self.ends[1 - from];
        if to.down {
            return Posted::Failed("connection refused".to_owned());
        }
        if let Some(fate) = self.fate.clone().filter(|_| post.session.is_some()) {
            return fate;
        }
        let message = envelope::scan(&post.body, &Limits::default()).unwrap();
        let (status, retry_after) = match to.receive(&message, self.now) {
            Verdict::Accepted => return Posted::Acknowledged,
            Verdict::Malformed => (400, None),
            Verdict::Forbidden => (403, None),
            Verdict::Busy(after) => (503, after),
        };
        Posted::Refused {
            status,
            retry_after,
        }
    }

    /// Time passes; what is due happens at its time.
    fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let due = self.ends.iter().filter_map(|end| end.it.next_timeout());
            let Some(next) = due.min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            for end in &mut self.ends {
                end.it.timeout(self.now);
            }
        }
        self.now = until;
    }

    fn send(&mut self, id: &str) {
        let item = Item {
            mode: Mode::Request,
            id: id.into(),
            name: Name::SendMessageRequest.into(),
            raw: "<SendMessageRequest/>".to_owned(),
            conversation: Some("alice bob".to_owned()),
            expires: self.now.plus_seconds(3_600),
            message: None,
            via: None,
        };
        self.ends[0].it.enqueue(item, self.now);
    }

    /// Kills a.test and starts it again from what it has kept.
    fn restart(&mut self) {
        let before = std::mem::replace(&mut self.ends[0], End::new(0, self.now.plus_millis(7)));
        let end = &mut self.ends[0];
        for (key, value) in &before.disk {
            if key.starts_with(SessionRecord::PREFIX) {
                end.it
                    .restore_session(serde_json::from_slice(value).unwrap());
            } else if let Some(rest) = key.strip_prefix(outbox::PREFIX) {
                let (_, number) = rest.rsplit_once('/').unwrap();
                let item = Item::from_record(value).unwrap();
                end.it.restore_item(number.parse().unwrap(), item);
            }
        }
        end.disk = before.disk;
        end.it.restored(self.now);
        end.it.start(self.now);
        self.wire.retain(|(from, _)| *from != 0);
    }
}

#[test]
fn a_login_brings_one_session_with_a_record_on_each_side() {
    let two = Two::up();
    assert_eq!(two.posts.len(), 6);
    for (own, end) in two.ends.iter().enumerate() {
        assert!(end.has_reported(&Event::Up));
        let session = end.it.sessions().usable().unwrap();
        assert_eq!(session.record.opened_by_us, own == 0);
        assert!(end.disk.contains_key(&session.record.key()));
        let other = two.ends[1 - own].it.sessions();
        assert_eq!(
            other.own_id_of(session.record.own_id.as_str()),
            Some(&session.record.peer_id)
        );
    }
}

#[test]
fn logins_of_both_sides_at_once_both_come_about() {
    let mut two = Two::new();
    for end in &mut two.ends {
        end.it.connect(two.now);
    }
    two.run(0);
    for end in &two.ends {
        assert_eq!(end.it.sessions().len(), 2);
        let ups = end.reported.iter().filter(|event| **event == Event::Up);
        assert_eq!(ups.count(), 1);
    }
}

#[test]
fn what_waits_makes_the_login_and_goes_in_order() {
    let mut two = Two::new();
    for n in 0..5 {
        two.send(&format!("m{n}"));
    }
    two.run(0);
    assert_eq!(two.ends[1].received, ["m0", "m1", "m2", "m3", "m4"]);
    assert_eq!(two.ends[0].acknowledged(), ["m0", "m1", "m2", "m3", "m4"]);
    assert!(
        !two.ends[0]
            .disk
            .keys()
            .any(|key| key.starts_with(outbox::PREFIX))
    );
}

#[test]
fn what_is_refused_is_repeated_under_the_same_ids_in_order() {
    let mut two = Two::up();
    two.fate = Some(Posted::Refused {
        status: 503,
        retry_after: None,
    });
    for n in 0..3 {
        two.send(&format!("m{n}"));
    }
    two.run(10_000);
    assert!(two.ends[1].received.is_empty() && two.ends[0].acknowledged().is_empty());
    assert!(two.ends[0].has_reported(&Event::Count(Count::Retried)));
    two.fate = None;
    two.run(60_000);
    assert_eq!(two.ends[1].received, ["m0", "m1", "m2"]);
    assert_eq!(two.ends[0].acknowledged(), ["m0", "m1", "m2"]);
}

#[test]
fn what_is_refused_for_its_form_is_lost_and_nothing_else() {
    let mut two = Two::up();
    two.fate = Some(Posted::Refused {
        status: 400,
        retry_after: None,
    });
    two.send("m0");
    two.run(0);
    let lost = two.ends[0].reported.iter();
    let lost = lost
        .filter(|event| matches!(event, Event::Lost(item, Code::BAD_REQUEST) if item.id == "m0"));
    assert_eq!(lost.count(), 1);
    two.fate = None;
    two.send("m1");
    two.run(0);
    assert_eq!(two.ends[1].received, ["m1"]);
}

#[test]
fn an_idle_session_is_kept_alive_for_days() {
    let mut two = Two::up();
    let (session, posts) = (
        two.ends[0]
            .it
            .sessions()
            .usable()
            .unwrap()
            .record
            .own_id
            .clone(),
        6,
    );
    two.run(3 * 86_400_000);
    let usable = two.ends[0].it.sessions().usable().unwrap();
    assert_eq!(usable.record.own_id, session);
    assert!(two.posts.len() > posts && !two.ends[0].has_reported(&Event::Down));
}

#[test]
fn a_keep_alive_that_is_lost_is_told_and_the_next_one_keeps_the_session() {
    let mut two = Two::up();
    let is_one = |item: &Item| item.name == "KeepAliveRequest";
    let session = two.ends[0].it.sessions().usable().unwrap().record.clone();
    two.ends[1].down = true;
    two.run(millis::of(session.ttl));
    let mut reported = two.ends[0].reported.iter();
    assert!(reported.any(|e| matches!(e, Event::Lost(item, Code::TIMEOUT) if is_one(item))));
    two.ends[1].down = false;
    two.ends[0].reported.clear();
    two.run(millis::of(session.ttl));
    let mut reported = two.ends[0].reported.iter();
    assert!(reported.any(|e| matches!(e, Event::Acknowledged(item) if is_one(item))));
    let usable = two.ends[0].it.sessions().usable().unwrap();
    assert_eq!(usable.record.own_id, session.own_id);
}

#[test]
fn a_session_that_the_peer_has_forgotten_is_replaced() {
    let mut two = Two::up();
    two.ends[1].it.forget_sessions(two.now);
    two.send("m0");
    two.run(0);
    assert_eq!(two.ends[1].received, ["m0"]);
    assert_eq!(two.ends[0].it.sessions().len(), 1);
}

#[test]
fn a_peer_that_disconnects_is_followed_to_where_it_sends_us() {
    let mut two = Two::up();
    let own_id = two.ends[0]
        .it
        .sessions()
        .usable()
        .unwrap()
        .record
        .own_id
        .clone();
    let elsewhere = "https://elsewhere.test/ssp";
    let notice = Disconnect {
        meta: None,
        status: Status::new(Code::UNAVAILABLE),
        redirects: Some(vec![RedirectAddress {
            url: elsewhere.to_owned(),
            priority: None,
            time_to_live: None,
        }]),
    };
    two.posts.clear();
    two.ends[0].it.disconnected(&own_id, &notice, two.now);
    two.send("m0");
    two.run(0);
    let ours = two.posts.iter().filter(|(from, _)| *from == 0);
    assert!(ours.clone().count() >= 4);
    for (_, post) in ours {
        assert_eq!(post.url.as_deref(), Some(elsewhere));
    }
    assert_eq!(two.ends[1].received, ["m0"]);
}

#[test]
fn a_logout_lets_out_what_waits_and_ends_the_session_on_both_sides() {
    let mut two = Two::up();
    two.send("m0");
    let ended = two.ends[0].it.log_out(None, two.now);
    assert!(ended.told && two.ends[0].it.is_leaving());
    two.run(1_000);
    assert_eq!(two.ends[1].received, ["m0"]);
    for end in &two.ends {
        assert!(end.it.sessions().is_empty() && end.has_reported(&Event::Down));
        assert!(end.has_reported(&Event::Unanswered));
    }
    // Nobody wanted it back.
    two.run(60_000);
    assert!(!two.ends[0].it.is_up());
}

#[test]
fn after_a_restart_session_and_queue_are_as_they_were() {
    let mut two = Two::up();
    two.ends[1].down = true;
    for n in 0..3 {
        two.send(&format!("m{n}"));
    }
    two.run(5_000);
    two.restart();
    two.ends[1].down = false;
    two.posts.clear();
    two.run(60_000);
    assert_eq!(two.ends[1].received, ["m0", "m1", "m2"]);
    assert_eq!(two.posts.len(), 1, "nobody logs in again");
    assert!(
        !two.ends[0]
            .disk
            .keys()
            .any(|key| key.starts_with(outbox::PREFIX))
    );
}
