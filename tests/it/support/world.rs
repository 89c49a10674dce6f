//! SAPs of several domains in one pretend world: no sockets, no clock; time stands
//! still until somebody waits. Every POST is noted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use wvgate::imps::Primitive;
use wvgate::imps::xml::Limits;
use wvgate::sap::{
    Delivered, Dialect, Effect, Elements, Facts, Peer, Post, Posted, Random, Sap, ServiceSet,
    Settings, Time, Token, Verdict,
};
use wvgate::ssp::{Message, Mode, envelope};

/// One transaction on its way from one domain to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    pub from: String,
    pub to: String,
    pub mode: Mode,
    pub name: String,
}

/// A domain: its SAP, its disk, and what its service elements got.
pub(crate) struct Node {
    pub sap: Sap,
    pub disk: BTreeMap<String, Vec<u8>>,
    pub delivered: Vec<Delivered>,
    pub answers: Vec<(Token, Primitive)>,
    /// What the service elements answer to every request; `None`: nothing.
    pub answer: Option<Primitive>,
}

pub(crate) struct World {
    pub nodes: BTreeMap<String, Node>,
    pub now: Time,
    pub hops: Vec<Hop>,
    /// Every response on the wire, by transaction id.
    raw_answers: BTreeMap<String, Primitive>,
    wire: VecDeque<(String, Post)>,
    tokens: u64,
}

/// A peer of our own kind that may relay for these domains.
pub(crate) fn peer(domain: &str, speaks_for: &[&str]) -> Peer {
    let mut peer = Peer::new(domain, Arc::new(Dialect::default()));
    peer.speaks_for.domains = speaks_for.iter().map(ToString::to_string).collect();
    peer
}

/// The service elements as the SAPs of these tests know them.
pub(crate) fn elements() -> Elements {
    let mut elements = Elements::default();
    let home = ServiceSet::of_element(wvgate::home::SERVES);
    elements.add(wvgate::home::ELEMENT, home, "local");
    let gateway = ServiceSet::of_element(wvgate::gateway::SERVES);
    elements.add(wvgate::gateway::ELEMENT, gateway, "xmpp");
    elements
}

pub(crate) fn set(names: &[&str]) -> ServiceSet {
    ServiceSet::of_names(names.iter().copied()).unwrap()
}

impl World {
    pub(crate) fn new(settings: impl IntoIterator<Item = Settings>) -> Self {
        let mut nodes = BTreeMap::new();
        for (seed, settings) in settings.into_iter().enumerate() {
            let domain = settings.domain.clone();
            let mut sap = Sap::new(Arc::new(settings), Random::repeatable(seed as u64 + 1));
            sap.set_elements(elements());
            let node = Node {
                sap,
                disk: BTreeMap::new(),
                delivered: Vec::new(),
                answers: Vec::new(),
                answer: None,
            };
            nodes.insert(domain, node);
        }
        Self {
            nodes,
            now: Time(1_700_000_000_000),
            hops: Vec::new(),
            raw_answers: BTreeMap::new(),
            wire: VecDeque::new(),
            tokens: 0,
        }
    }

    pub(crate) fn node(&mut self, domain: &str) -> &mut Node {
        self.nodes.get_mut(domain).unwrap()
    }

    /// Sends a request of a user or server of a domain; its token.
    pub(crate) fn request(&mut self, domain: &str, primitive: &Primitive) -> Token {
        self.tokens += 1;
        let (token, now) = (Token(self.tokens), self.now);
        let expires = now.plus_seconds(60);
        let sap = &mut self.node(domain).sap;
        sap.request(wvgate::home::ELEMENT, token, primitive, expires, now);
        token
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, domain: &str, primitive: &Primitive) -> Primitive {
        let token = self.request(domain, primitive);
        self.run(30_000);
        let mut answers = self.node(domain).answers.iter();
        let answer = answers.find(|(to, _)| *to == token);
        answer.expect("an answer comes").1.clone()
    }

    /// Puts a request of `from` on the wire to `to`, past the SAP of `from`, in their
    /// session; waits for the answer.
    pub(crate) fn ask_hop(&mut self, from: &str, to: &str, primitive: &Primitive) -> Primitive {
        if self.node(from).sap.session_views().is_empty() {
            let now = self.now;
            self.node(from).sap.discover(to, now);
            self.run(5_000);
        }
        let id = self.put(from, to, primitive);
        self.run(5_000);
        self.raw_answers.remove(&id).expect("an answer comes")
    }

    /// As [`World::ask_hop`], without waiting; the transaction id.
    pub(crate) fn put(&mut self, from: &str, to: &str, primitive: &Primitive) -> String {
        self.tokens += 1;
        let id = format!("raw-{}", self.tokens);
        let session = self.node(from).sap.session_views()[0].own_id.clone();
        let raw = primitive.to_xml(None);
        let parts = [(Mode::Request, id.as_str(), raw.as_str())];
        let body = envelope::print_session(envelope::NAMESPACE, session.as_str(), parts);
        let message = envelope::scan(&body.into(), &Limits::default()).unwrap();
        let now = self.now;
        let verdict = self.node(to).sap.receive(&message, &Facts::default(), now);
        assert_eq!(verdict, Verdict::Accepted);
        id
    }

    /// Lets time pass, and everything happen that happens in it.
    pub(crate) fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let next = self.nodes.values().filter_map(|n| n.sap.next_timeout());
            match next.min().filter(|next| *next <= until) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            let now = self.now;
            for node in self.nodes.values_mut() {
                node.sap.timeout(now);
            }
        }
        self.now = until;
    }

    /// A node with other settings.
    pub(crate) fn reload(&mut self, domain: &str, settings: Settings) {
        let now = self.now;
        self.node(domain).sap.reload(Arc::new(settings), now);
    }

    /// A node begun anew from its disk.
    pub(crate) fn restart(&mut self, domain: &str) {
        let now = self.now;
        let node = self.node(domain);
        let mut sap = Sap::new(node.sap.settings().clone(), Random::repeatable(now.0));
        sap.set_elements(elements());
        for (key, value) in &node.disk {
            sap.restore(key, value).unwrap();
        }
        sap.start(now);
        node.sap = sap;
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
        while let Some(effect) = node.sap.next_effect() {
            match effect {
                Effect::Write(write) => write.apply(&mut node.disk),
                Effect::Load(load) => {
                    let loaded = load.from_disk(&node.disk);
                    node.sap.loaded(loaded, now);
                }
                Effect::Post(post) => self.wire.push_back((domain.to_owned(), post)),
                Effect::Deliver(element, delivered) => {
                    if let (Some(id), Some(answer)) = (delivered.id, &node.answer) {
                        node.sap.respond(element, id, answer.clone(), now);
                    }
                    node.delivered.push(delivered);
                }
                Effect::TakenOver(_, token, primitive) | Effect::Answer(_, token, primitive) => {
                    node.answers.push((token, primitive));
                }
                Effect::PeerState(..)
                | Effect::PeerAway(..)
                | Effect::Knock(_)
                | Effect::Hand(_)
                | Effect::Known(..)
                | Effect::Count(_)
                | Effect::Note(_)
                | Effect::Step(_) => {}
            }
        }
    }

    fn transmit(&mut self, from: &str, post: &Post) {
        let now = self.now;
        let message = envelope::scan(&post.body, &Limits::default()).unwrap();
        if let Message::Session(session) = &message {
            let hops = session.transactions.iter().map(|transaction| Hop {
                from: from.to_owned(),
                to: post.peer.clone(),
                mode: transaction.mode,
                name: transaction.name.to_string(),
            });
            self.hops.extend(hops);
            for transaction in session
                .transactions
                .iter()
                .filter(|t| t.mode == Mode::Response)
            {
                let primitive = transaction.primitive().unwrap();
                self.raw_answers.insert(transaction.id.clone(), primitive);
            }
        }
        let outcome = match self.nodes.get_mut(&post.peer) {
            None => Posted::Failed("connection refused".to_owned()),
            Some(node) => match node.sap.receive(&message, &Facts::default(), now) {
                Verdict::Accepted => Posted::Acknowledged,
                Verdict::Malformed => refused(400),
                Verdict::Forbidden => refused(403),
                Verdict::Busy(_) => refused(503),
            },
        };
        self.node(from).sap.posted(post.number, &outcome, now);
    }
}

fn refused(status: u16) -> Posted {
    Posted::Refused {
        status,
        retry_after: None,
    }
}
