//! One SAP alone in a pretend world: what it wants done is collected, time passes when the test
//! says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::xml::Limits;
use wvgate::sap::{
    Count, Delivered, Dialect, Effect, Element, Facts, Knock, Post, Posted, Random, Sap, Settings,
    Time, Token, Verdict,
};
use wvgate::ssp::Message;
use wvgate::ssp::envelope::scan;

/// A SAP and what has come out of it.
pub(crate) struct Alone {
    pub sap: Sap,
    pub now: Time,
    /// Not yet taken by the test.
    pub posts: Vec<Post>,
    pub disk: BTreeMap<String, Vec<u8>>,
    pub delivered: Vec<(Element, Delivered)>,
    pub answers: Vec<(Token, Primitive)>,
    taken_over: Vec<Token>,
    pub counts: Vec<Count>,
    /// Connections to be tried.
    pub knocks: Vec<Knock>,
    /// What is told of peers to those who watch their users.
    pub reached: Vec<(String, Reached)>,
    /// From where peers post.
    pub remote: Option<std::net::IpAddr>,
}

/// Whether a peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    NoSession,
    NoSince(Time),
}

fn sap(settings: Settings, seed: u64) -> Sap {
    let mut sap = Sap::new(Arc::new(settings), Random::repeatable(seed));
    sap.set_elements(super::world::elements());
    sap
}

impl Alone {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            sap: sap(settings, 11),
            now: Time(1_700_000_000_000),
            posts: Vec::new(),
            disk: BTreeMap::new(),
            delivered: Vec::new(),
            answers: Vec::new(),
            taken_over: Vec::new(),
            counts: Vec::new(),
            knocks: Vec::new(),
            reached: Vec::new(),
            remote: None,
        }
    }

    /// Kills it and starts it again from its disk.
    pub(crate) fn restart(&mut self) {
        self.restart_with(self.sap.settings().as_ref().clone());
    }

    /// Starts anew from what is on disk, with other settings.
    pub(crate) fn restart_with(&mut self, settings: Settings) {
        self.sap = sap(settings, self.now.0);
        for (key, value) in &self.disk {
            self.sap.restore(key, value).unwrap();
        }
        self.sap.start(self.now);
        self.posts.clear();
        self.drain();
    }

    /// A peer posts this.
    pub(crate) fn say(&mut self, body: &str) -> Verdict {
        let facts = Facts {
            remote: self.remote,
            ..Facts::default()
        };
        self.say_with(body, &facts)
    }

    /// Somebody at this address posts this.
    pub(crate) fn say_from(&mut self, remote: &str, body: &str) -> Verdict {
        let remote = Some(remote.parse().unwrap());
        let facts = Facts {
            remote,
            ..Facts::default()
        };
        self.say_with(body, &facts)
    }

    fn say_with(&mut self, body: &str, facts: &Facts) -> Verdict {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let message = scan(&body, &Limits::default()).unwrap_or_else(|e| panic!("{e}: {body:?}"));
        let verdict = self.sap.receive(&message, facts, self.now);
        self.drain();
        verdict
    }

    /// Time passes; everything due in between happens at its time.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        while let Some(next) = self.sap.next_timeout().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.sap.timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// The next post, which must be there.
    pub(crate) fn post(&mut self) -> Post {
        assert!(!self.posts.is_empty(), "nothing was posted");
        self.posts.remove(0)
    }

    /// The next post, acknowledged.
    pub(crate) fn acknowledged_post(&mut self) -> Post {
        let post = self.post();
        self.posted(&post, &Posted::Acknowledged);
        post
    }

    /// Tells the SAP what became of a post.
    pub(crate) fn posted(&mut self, post: &Post, outcome: &Posted) {
        self.sap.posted(post.number, outcome, self.now);
        self.drain();
    }

    /// A service element asks.
    pub(crate) fn request(&mut self, token: u64, primitive: &Primitive) {
        let expires = self.now.plus_seconds(86_400);
        let (element, token) = (wvgate::home::ELEMENT, Token(token));
        self.sap
            .request(element, token, primitive, expires, self.now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        while let Some(effect) = self.sap.next_effect() {
            match effect {
                Effect::Write(write) => write.apply(&mut self.disk),
                Effect::Load(load) => {
                    let loaded = load.from_disk(&self.disk);
                    self.sap.loaded(loaded, self.now);
                }
                Effect::Post(post) => self.posts.push(post),
                Effect::Deliver(element, delivered) => self.delivered.push((element, delivered)),
                Effect::TakenOver(_, token, known) => {
                    self.taken_over.push(token);
                    self.answers.push((token, known));
                }
                // What is heard of a message after 202 is no answer any more.
                Effect::Answer(_, token, _) if self.taken_over.contains(&token) => {}
                Effect::Answer(_, token, primitive) => self.answers.push((token, primitive)),
                Effect::Count(count) => self.counts.push(count),
                Effect::PeerState(peer, true) => self.reached.push((peer, Reached::Yes)),
                Effect::PeerState(peer, false) => self.reached.push((peer, Reached::NoSession)),
                Effect::PeerAway(peer, since) => self.reached.push((peer, Reached::NoSince(since))),
                Effect::Knock(knock) => self.knocks.push(knock),
                Effect::Hand(_) | Effect::Known(..) => {}
                Effect::Note(_) | Effect::Step(_) => {}
            }
        }
    }
}

/// The one transaction or setup transaction of a post.
pub(crate) fn only(post: &Post) -> wvgate::ssp::envelope::Transaction {
    let mut all = transactions(post);
    assert_eq!(all.len(), 1, "{post:?}");
    all.remove(0)
}

/// All transactions of a post.
pub(crate) fn transactions(post: &Post) -> Vec<wvgate::ssp::envelope::Transaction> {
    match scan(&post.body, &Limits::default()).unwrap() {
        Message::Setup(transaction) => vec![transaction],
        Message::Session(session) => session.transactions,
    }
}

/// The dialect of this name that comes with the program.
pub(crate) fn quiet() -> Arc<Dialect> {
    // Service discovery has tests of its own; here it would only be in the way.
    Arc::new(Dialect {
        discovery: false,
        ..Dialect::default()
    })
}

/// A dialect that comes along.
pub(crate) fn dialect(name: &str) -> Arc<Dialect> {
    let mut all = Dialect::built_in().unwrap().into_iter();
    Arc::new(all.find(|dialect| dialect.name == name).unwrap())
}
