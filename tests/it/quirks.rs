//! One test for each row of the wire profile's section 10, and of the deployed server's output
//! quirks; `docs/dialects.md` names them (`table`).
//!
//! Most are about a relay: b.test stands between a.test, the deployed server, and r.test, which
//! is of our own kind and speaks for the domains behind it.

mod accepted;
mod confused;
mod damaged;
mod emitted;
mod fronts;
mod keys;
mod limits;
mod oma;
mod omitted;
mod output;
mod table;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::xml::{Limits, Repair};
use wvgate::sap::{Facts, Peer, Route, SessionRecord, Settings, SpeaksFor, Time, Verdict};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::{Transaction, print_session, scan_lenient};
use wvgate::store::Write;

use super::codec_captures::emitted as recorded;
use super::support::alone::{Alone, dialect, quiet, transactions};

/// The relay with sessions to both peers.
struct Between {
    alone: Alone,
    /// What came along in a post that was looked at.
    rest: VecDeque<(String, Transaction)>,
    last: usize,
}

impl Between {
    fn new() -> Self {
        Self::with(Peer::new("a.test", dialect("baraza")))
    }

    /// With another a.test.
    fn with(peer: Peer) -> Self {
        let mut relay = Peer::new("r.test", quiet());
        relay.speaks_for = SpeaksFor {
            any: true,
            domains: Vec::new(),
        };
        let settings = Settings::new("b.test")
            .with_peer(peer)
            .with_peer(relay)
            .with_route("c.test", Route::Peer("r.test".to_owned()));
        let mut alone = Alone::new(settings);
        for (peer, id) in [("a.test", "101"), ("r.test", "101"), ("a.test", "95")] {
            let record = SessionRecord {
                peer: peer.to_owned(),
                own_id: format!("own-{id}-{peer}@b.test").into(),
                peer_id: format!("{id}@{peer}").into(),
                established: Time(if id == "95" { 1 } else { 2 }),
                ttl: Duration::from_secs(86_400),
                opened_by_us: false,
                own_ttl: Duration::ZERO,
                url: None,
                url_until: None,
                from: None,
                last_in: alone.now,
                last_out: alone.now,
            };
            let Write::Put { key, value, .. } = record.put() else {
                panic!("a record is put")
            };
            alone.disk.insert(key, value);
        }
        alone.restart();
        Self {
            alone,
            rest: VecDeque::new(),
            last: 0,
        }
    }

    /// A peer posts a primitive; it is taken over.
    fn say(&mut self, from: &str, mode: Mode, id: &str, xml: &str) {
        let body = print_session("x", &format!("101@{from}"), [(mode, id, xml)]);
        assert_eq!(self.alone.say(&body), Verdict::Accepted, "{xml}");
    }

    /// A peer posts a recorded message, whatever it takes to read it.
    fn replay(&mut self, number: &str, replaced: &[(&str, &str)]) {
        let (message, repairs) = read(number, replaced);
        let facts = Facts {
            repairs: repairs.iter().map(|r| r.name().to_owned()).collect(),
            ..Facts::default()
        };
        let verdict = self.alone.sap.receive(&message, &facts, self.alone.now);
        assert_eq!(verdict, Verdict::Accepted, "{number}");
        self.alone.drain();
    }

    /// The next transaction that is posted, which must be for this peer.
    fn sent(&mut self, to: &str) -> Transaction {
        if self.rest.is_empty() {
            let post = self.alone.acknowledged_post();
            let all = transactions(&post).into_iter();
            self.rest
                .extend(all.map(|transaction| (post.peer.clone(), transaction)));
        }
        let (peer, transaction) = self.rest.pop_front().unwrap();
        assert_eq!(peer, to, "{transaction:?}");
        transaction
    }

    /// A request of r.test, as it reaches a.test.
    fn relayed_to_it(&mut self, xml: &str) -> Transaction {
        self.last += 1;
        self.say("r.test", Mode::Request, &format!("r{}", self.last), xml);
        self.sent("a.test")
    }

    /// A request of a.test, as it reaches r.test.
    fn relayed_from_it(&mut self, xml: &str) -> Transaction {
        self.last += 1;
        self.say("a.test", Mode::Request, &format!("a{}-0", self.last), xml);
        self.sent("r.test")
    }

    /// Asks a.test for r.test, lets it answer, gives what r.test hears.
    fn answered(&mut self, request: &str, answer: &str) -> Primitive {
        let asked = self.relayed_to_it(request);
        self.say("a.test", Mode::Response, &asked.id, answer);
        self.sent("r.test").primitive().unwrap()
    }

    fn is_quiet(&self) -> bool {
        self.rest.is_empty() && self.alone.posts.is_empty()
    }
}

/// A recorded message with replacements.
fn read(number: &str, replaced: &[(&str, &str)]) -> (wvgate::ssp::Message, Vec<Repair>) {
    let mut body = recorded()[number].1.to_vec();
    if !replaced.is_empty() {
        let mut text = String::from_utf8(body).unwrap();
        for (old, new) in replaced {
            assert!(text.contains(old), "{number} has no {old}");
            text = text.replace(old, new);
        }
        body = text.into_bytes();
    }
    scan_lenient(&Bytes::from(body), &Limits::default(), Repair::ALL).unwrap()
}

/// The typed primitive of a recorded message.
fn primitive(number: &str) -> Primitive {
    let (message, _) = read(number, &[]);
    super::codec_fixtures::transactions(&message).1[0]
        .primitive()
        .unwrap()
}

/// A `MetaInfo` of this user.
fn asks(user: &str) -> String {
    let domain = user.rsplit('@').next().unwrap();
    format!(
        "<MetaInfo clientOriginated=\"Yes\"><Requestor serviceID=\"wv:@{domain}\"><User userID=\"{user}\"/></Requestor></MetaInfo>"
    )
}

/// A message from a user to what this element says.
fn message(from: &str, to: &str) -> String {
    format!(
        "<SendMessageRequest>{}<MessageInfo messageID=\"m1\" contentType=\"text/plain\"><Recipient>{to}</Recipient><Sender><User userID=\"{from}\"/></Sender></MessageInfo><ContentData contentType=\"text/plain\">hi</ContentData></SendMessageRequest>",
        asks(from)
    )
}

fn user(user: &str) -> String {
    format!("<User userID=\"{user}\"/>")
}

/// A request of one user that names a group.
fn about_group(name: &str, from: &str, group: &str) -> String {
    format!("<{name} groupID=\"{group}\">{}</{name}>", asks(from))
}

fn text(transaction: &Transaction) -> &str {
    std::str::from_utf8(&transaction.raw).unwrap()
}

fn code(primitive: &Primitive) -> u16 {
    match primitive {
        Primitive::Status(status) => status.code.0,
        Primitive::SendMessageResponse(response) => response.status.code.0,
        Primitive::JoinGroupResponse(response) => response.status.code.0,
        other => panic!("no verdict: {other:?}"),
    }
}

const ROB: &str = "wv:rob@r.test";
const ALICE: &str = "wv:alice@a.test";
const ROOM: &str = "wv:alice/den@a.test";
