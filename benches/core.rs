//! The relay core on messages with their answers, in a pretend world: no sockets, no disk, no clock.
//!
//! A sender's and a recipient's SAP talk once over a relay, and what the relay was told is noted.
//! Then a fresh relay is told the same again. Instructions for one relayed message are those of
//! `replay` without those of `record`, by the number of messages:
//! `valgrind --tool=callgrind target/release/deps/core-… record 1000 64`, the same with `replay`.
//! Arguments: what to do, how many messages, how many in one POST.
#![expect(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use wvgate::imps::primitive::message::SendMessageResponse;
use wvgate::imps::primitive::service::GetServiceRequest;
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Code, Primitive, Status};
use wvgate::node::Core;
use wvgate::node::core::Turn;
use wvgate::sap::{
    Dialect, Effect, Elements, Facts, Peer, Posted, Random, Route, Sap, ServiceSet, Settings, Time,
    Token, Verdict,
};
use wvgate::ssp::{Message, Mode, envelope};

const SENDER: &str = "sender.example";
const RELAY: &str = "relay.example";
const RECIPIENT: &str = "recipient.example";
const MESSAGE: &[u8] = include_bytes!("../tests/fixtures/message.xml");

/// What a relay is told.
enum Input {
    Received(Bytes),
    Posted(u64),
    Time,
}

/// A relay, and what it wants done.
struct Relay {
    core: Core,
    told: Vec<(Time, Input)>,
    relayed: usize,
}

impl Relay {
    fn new() -> Self {
        let settings = settings(RELAY, &[SENDER, RECIPIENT]);
        let sap = Sap::new(Arc::new(settings), Random::repeatable(7));
        let mut core = Core::new(sap, Vec::new());
        core.start(Time(1), &mut Turn::default());
        Self {
            core,
            told: Vec::new(),
            relayed: 0,
        }
    }

    /// Takes an input; the posts that follow.
    fn take(&mut self, input: &Input, now: Time) -> Turn {
        let mut turn = Turn::default();
        match input {
            Input::Received(body) => {
                let message = envelope::scan(body, &Limits::default()).unwrap();
                let core = &mut self.core;
                let verdict = core.receive(&message, &Facts::default(), now, &mut turn);
                assert_eq!(verdict, Verdict::Accepted);
            }
            Input::Posted(number) => {
                let acknowledged = Posted::Acknowledged;
                self.core.posted(*number, &acknowledged, now, &mut turn);
            }
            Input::Time => self.core.timeout(now, &mut turn),
        }
        turn
    }

    fn note(&mut self, input: Input, now: Time) -> Turn {
        let turn = self.take(&input, now);
        self.told.push((now, input));
        turn
    }
}

/// A domain at one end: its SAP, and its disk.
struct End {
    sap: Sap,
    disk: BTreeMap<String, Vec<u8>>,
    posts: Vec<(u64, Bytes)>,
}

impl End {
    fn new(domain: &str, seed: u64) -> Self {
        let mut sap = Sap::new(
            Arc::new(settings(domain, &[RELAY])),
            Random::repeatable(seed),
        );
        let mut elements = Elements::default();
        let serves = ServiceSet::of_element(wvgate::home::SERVES);
        elements.add(wvgate::home::ELEMENT, serves, "local");
        sap.set_elements(elements);
        sap.start(Time(1));
        Self {
            sap,
            disk: BTreeMap::new(),
            posts: Vec::new(),
        }
    }

    fn receive(&mut self, body: &Bytes, now: Time) {
        let message = envelope::scan(body, &Limits::default()).unwrap();
        let verdict = self.sap.receive(&message, &Facts::default(), now);
        assert_eq!(verdict, Verdict::Accepted);
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        while let Some(effect) = self.sap.next_effect() {
            match effect {
                Effect::Write(write) => write.apply(&mut self.disk),
                Effect::Load(load) => {
                    let loaded = load.from_disk(&self.disk);
                    self.sap.loaded(loaded, now);
                }
                Effect::Post(post) => self.posts.push((post.number, post.body)),
                Effect::Deliver(element, delivered) => {
                    if let Some(id) = delivered.id {
                        self.sap
                            .respond(element, id, answer(delivered.primitive), now);
                    }
                }
                _ => {}
            }
        }
    }
}

struct World {
    relay: Relay,
    ends: BTreeMap<&'static str, End>,
    now: Time,
    /// Between relay and ends: to whom, from whom, the number there, the body.
    wire: VecDeque<(String, String, u64, Bytes)>,
}

impl World {
    fn new() -> Self {
        let ends = [(SENDER, 1), (RECIPIENT, 2)];
        let ends = ends.map(|(domain, seed)| (domain, End::new(domain, seed)));
        Self {
            relay: Relay::new(),
            ends: ends.into(),
            now: Time(1_700_000_000_000),
            wire: VecDeque::new(),
        }
    }

    fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let relay = self.relay.core.next_timeout();
            let ends = self.ends.values().filter_map(|end| end.sap.next_timeout());
            let next = ends.chain(relay).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            for end in self.ends.values_mut() {
                end.sap.timeout(now);
                end.drain(now);
            }
            if relay.is_some_and(|at| at <= now) {
                let turn = self.relay.note(Input::Time, now);
                self.send(turn);
            }
        }
        self.now = until;
    }

    fn send(&mut self, turn: Turn) {
        let posts = turn.posts.into_iter();
        let out = posts.map(|post| (post.peer, RELAY.to_owned(), post.number, post.body));
        self.wire.extend(out);
    }

    fn settle(&mut self) {
        loop {
            for (domain, end) in &mut self.ends {
                let posts = end.posts.drain(..);
                let from = (*domain).to_owned();
                let out =
                    posts.map(|(number, body)| (RELAY.to_owned(), from.clone(), number, body));
                self.wire.extend(out);
            }
            let Some((to, from, number, body)) = self.wire.pop_front() else {
                return;
            };
            self.now = self.now.plus_millis(1);
            let now = self.now;
            if to == RELAY {
                let turn = self.relay.note(Input::Received(body), now);
                self.send(turn);
                if let Some(end) = self.ends.get_mut(from.as_str()) {
                    end.sap.posted(number, &Posted::Acknowledged, now);
                    end.drain(now);
                }
            } else {
                self.ends.get_mut(to.as_str()).unwrap().receive(&body, now);
                let turn = self.relay.note(Input::Posted(number), now);
                self.send(turn);
            }
        }
    }
}

fn settings(domain: &str, peers: &[&str]) -> Settings {
    let mut settings =
        Settings::new(domain).with_route(domain, Route::Local(wvgate::home::ELEMENT));
    for name in peers {
        let mut peer = Peer::new(name, Arc::new(Dialect::default()));
        peer.speaks_for.any = true;
        settings = settings.with_peer(peer);
    }
    if domain == RELAY {
        settings.routes.add(RELAY, Route::Peer(SENDER.to_owned()));
    } else {
        settings.routes.add("*", Route::Peer(RELAY.to_owned()));
    }
    settings
}

fn answer(request: Primitive) -> Primitive {
    let Primitive::SendMessageRequest(request) = request else {
        return Primitive::status(Code::OK);
    };
    SendMessageResponse {
        status: Status::ok(),
        message_id: request.info.message_id.unwrap_or_default(),
    }
    .into()
}

fn primitive() -> String {
    let body = Bytes::from_static(MESSAGE);
    let Message::Session(session) = envelope::scan(&body, &Limits::default()).unwrap() else {
        panic!("a session's message")
    };
    let raw = std::str::from_utf8(session.transactions[0].raw.as_ref()).unwrap();
    raw.replace("imps.example.com", SENDER)
        .replace("peer00001.example.net", RECIPIENT)
}

/// Lets so many messages be relayed; what the relay was told.
fn record(messages: usize, batch: usize) -> Vec<(Time, Input)> {
    let mut world = World::new();
    // The first request brings the sessions.
    for (from, to) in [(SENDER, RECIPIENT), (RECIPIENT, SENDER)] {
        let ask = GetServiceRequest {
            service: Some(Address::service(to)),
            meta: None,
        };
        let (now, end) = (world.now, world.ends.get_mut(from).unwrap());
        let expires = now.plus_seconds(60);
        let element = wvgate::home::ELEMENT;
        end.sap
            .request(element, Token(1), &ask.into(), expires, now);
        end.drain(now);
        world.run(5_000);
    }
    let sender = &world.ends[SENDER];
    let session = sender.sap.session_views()[0].own_id.as_str().to_owned();
    let template = primitive();
    let mut sent = 0;
    while sent < messages {
        let parts: Vec<(String, String)> = (0..batch)
            .map(|at| {
                let id = format!("m-20261122-071500-{:06}", sent + at);
                let id = template.replace("m-20261122-071500-000017", &id);
                (format!("raw-{}", sent + at), id)
            })
            .collect();
        let parts = parts.iter();
        let parts = parts.map(|(id, raw)| (Mode::Request, id.as_str(), raw.as_str()));
        let body = envelope::print_session(envelope::NAMESPACE, &session, parts);
        sent += batch;
        let now = world.now;
        let turn = world.relay.note(Input::Received(body.into()), now);
        world.send(turn);
        world.settle();
    }
    world.relay.relayed = sent;
    world.relay.told
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let (messages, batch) = (number(2).unwrap_or(1_000), number(3).unwrap_or(64));
    let told = record(messages, batch);
    let ended = |turn: &Turn| {
        turn.posts
            .iter()
            .map(|post| post.transactions)
            .sum::<usize>()
    };
    if arguments.get(1).is_some_and(|what| what == "replay") {
        let mut relay = Relay::new();
        let mut posted = 0;
        for (now, input) in &told {
            posted += ended(&black_box(relay.take(input, *now)));
        }
        // Each of them went on, and its answer back.
        assert!(posted >= 2 * messages, "{posted} of {messages} messages");
    }
}
