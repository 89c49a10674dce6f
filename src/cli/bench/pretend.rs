//! A relay on messages with their answers, in a pretend world: no sockets, no disk, no clock.
//!
//! Domains talk once over a relay, and what each shard of the relay was told is noted. Then a fresh
//! relay is told the same again, shard by shard: what a relay does for a message, and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;

use crate::home;
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::primitive::service::GetServiceRequest;
use crate::imps::xml::Limits;
use crate::imps::{Address, Code, Primitive, Status};
use crate::node::core::Turn;
use crate::node::{Core, Told};
use crate::sap::{
    Dialect, Effect, Elements, Facts, Hand, Peer, Posted, Random, Route, Sap, ServiceSet, Settings,
    Shards, Time, Token, Verdict,
};
use crate::ssp::{Message, Mode, envelope};

const RELAY: &str = "relay.example";

/// What goes wrong in a world of one's own.
type Wrong = String;

/// How messages go.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Shards of the relay; 1 or 2.
    pub shards: u16,
    /// Senders and recipients are in different shards of two, so that each message and each answer is
    /// handed over if there are two.
    pub is_handed: bool,
    /// Messages, shared between two senders.
    pub messages: usize,
    /// Messages in one POST.
    pub batch: usize,
}

/// What a shard of a relay is told.
#[derive(Debug)]
enum Input {
    Received(Bytes),
    Posted(u64),
    Handed(Hand),
    HandedOver(u64),
    Told(u16, Told),
    Time,
}

/// All that one shard of a relay was told, in order.
#[derive(Debug)]
pub struct Tape {
    shards: Shards,
    told: Vec<(Time, Input)>,
}

impl Tape {
    /// Tells a fresh shard the same again; it, and how many transactions it has posted or handed
    /// over. `at_half` looks at it after half of all.
    ///
    /// # Errors
    /// It refuses what the first one took.
    pub fn replay(&self, at_half: impl FnOnce(&Core)) -> Result<(Core, usize), String> {
        let mut shard = Shard::new(self.shards);
        let mut sent = 0;
        let (first, second) = self.told.split_at(self.told.len() / 2);
        for (now, input) in first {
            sent += sent_in(&black_box(shard.take(input, *now)?));
        }
        at_half(&shard.core);
        for (now, input) in second {
            sent += sent_in(&black_box(shard.take(input, *now)?));
        }
        Ok((shard.core, sent))
    }
}

fn sent_in(turn: &Turn) -> usize {
    let posted = turn.posts.iter().map(|post| post.transactions);
    let handed = turn.hands.iter().map(|hand| hand.items.len());
    posted.sum::<usize>() + handed.sum::<usize>()
}

/// Lets messages be relayed; what each shard of the relay was told.
///
/// # Errors
/// A message did not arrive, or was not answered.
pub fn record(plan: Plan) -> Result<Vec<Tape>, String> {
    let mut world = World::new(plan);
    world.connect()?;
    let before = world.answered;
    world.talk()?;
    let answered = world.answered - before;
    if answered < plan.messages {
        let all = plan.messages;
        return Err(format!("{answered} of {all} messages were answered"));
    }
    let shards = world.shards.into_iter();
    Ok(shards
        .map(|shard| Tape {
            shards: shard.shards,
            told: shard.told,
        })
        .collect())
}

/// A shard of the relay.
struct Shard {
    shards: Shards,
    core: Core,
    told: Vec<(Time, Input)>,
}

impl Shard {
    fn new(shards: Shards) -> Self {
        let mut settings = settings(RELAY);
        settings.shards = shards;
        for pair in 0..PAIRS {
            for is_handed in [false, true] {
                let [sender, recipient] = pair_of(pair, is_handed);
                settings = with_peer(with_peer(settings, &sender), &recipient);
            }
        }
        let sap = Sap::new(Arc::new(settings), Random::repeatable(7));
        let mut core = Core::new(sap, Vec::new());
        core.start(Time(1), &mut Turn::default());
        Self {
            shards,
            core,
            told: Vec::new(),
        }
    }

    /// Takes an input; what follows from it.
    fn take(&mut self, input: &Input, now: Time) -> Result<Turn, Wrong> {
        let mut turn = Turn::default();
        let core = &mut self.core;
        match input {
            Input::Received(body) => {
                let message = read(body)?;
                let verdict = core.receive(&message, &Facts::default(), now, &mut turn);
                accepted(&verdict)?;
            }
            Input::Posted(number) => core.posted(*number, &Posted::Acknowledged, now, &mut turn),
            Input::Handed(hand) => core.take_handed(hand, now, &mut turn),
            Input::HandedOver(number) => core.handed(*number, true, now, &mut turn),
            Input::Told(from, told) => core.told(*from, told.clone(), now, &mut turn),
            Input::Time => core.timeout(now, &mut turn),
        }
        Ok(turn)
    }

    fn note(&mut self, input: Input, now: Time) -> Result<Turn, Wrong> {
        let turn = self.take(&input, now)?;
        self.told.push((now, input));
        Ok(turn)
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
        let settings = with_peer(settings(domain), RELAY);
        let mut sap = Sap::new(Arc::new(settings), Random::repeatable(seed));
        let mut elements = Elements::default();
        let serves = ServiceSet::of_element(home::SERVES);
        elements.add(home::ELEMENT, serves, "local");
        sap.set_elements(elements);
        sap.start(Time(1));
        Self {
            sap,
            disk: BTreeMap::new(),
            posts: Vec::new(),
        }
    }

    fn receive(&mut self, body: &Bytes, now: Time) -> Result<(), Wrong> {
        let verdict = self.sap.receive(&read(body)?, &Facts::default(), now);
        accepted(&verdict)?;
        self.drain(now);
        Ok(())
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
                        let answer = answer(delivered.primitive);
                        self.sap.respond(element, id, answer, now);
                    }
                }
                _ => {}
            }
        }
    }
}

/// What is on its way.
enum Sent {
    /// From a domain's end, or the relay, to the other: to whom, from whom, the number there, the body.
    Body(String, String, u64, Bytes),
    Hand(Hand),
    /// To a shard, from a shard.
    Told(u16, u16, Told),
}

struct World {
    plan: Plan,
    shards: Vec<Shard>,
    ends: BTreeMap<String, End>,
    now: Time,
    way: VecDeque<Sent>,
    /// Messages that came back to a sender as answers.
    answered: usize,
}

impl World {
    fn new(plan: Plan) -> Self {
        let shards = (0..plan.shards).map(|own| Shard::new(Shards::new(own, plan.shards)));
        let mut ends = BTreeMap::new();
        for pair in 0..PAIRS {
            for domain in pair_of(pair, plan.is_handed) {
                let end = End::new(&domain, ends.len() as u64 + 1);
                ends.insert(domain, end);
            }
        }
        Self {
            plan,
            shards: shards.collect(),
            ends,
            now: Time(1_700_000_000_000),
            way: VecDeque::new(),
            answered: 0,
        }
    }

    /// Brings the sessions, by a first request of each to its partner.
    fn connect(&mut self) -> Result<(), Wrong> {
        for pair in 0..PAIRS {
            let [sender, recipient] = pair_of(pair, self.plan.is_handed);
            for (from, to) in [(&sender, &recipient), (&recipient, &sender)] {
                let ask = GetServiceRequest {
                    service: Some(Address::service(to)),
                    meta: None,
                };
                let now = self.now;
                let expires = now.plus_seconds(60);
                if let Some(end) = self.ends.get_mut(from) {
                    end.sap
                        .request(home::ELEMENT, Token(1), &ask.into(), expires, now);
                    end.drain(now);
                }
                self.run(5_000)?;
            }
        }
        Ok(())
    }

    fn talk(&mut self) -> Result<(), Wrong> {
        let mut writers = Vec::new();
        for pair in 0..PAIRS {
            let [sender, recipient] = pair_of(pair, self.plan.is_handed);
            let views = self.ends.get(&sender).map(|end| end.sap.session_views());
            let session = views.iter().flatten().next();
            let session = session.ok_or("no session with the relay")?;
            let session = session.own_id.as_str().to_owned();
            writers.push((message(&sender, &recipient)?, sender, session));
        }
        let mut sent = 0;
        while sent < self.plan.messages {
            for (template, sender, session) in &writers {
                let parts: Vec<(String, String)> = (sent..sent + self.plan.batch)
                    .map(|number| {
                        let id = format!("m-20261122-071500-{number:06}");
                        let raw = template.replace(ID, &id);
                        (format!("raw-{number}"), raw)
                    })
                    .collect();
                let parts = parts.iter();
                let parts = parts.map(|(id, raw)| (Mode::Request, id.as_str(), raw.as_str()));
                let body = envelope::print_session(envelope::NAMESPACE, session, parts);
                sent += self.plan.batch;
                let shard = self.shard_of(sender);
                self.tell(shard, Input::Received(body.into()))?;
                self.settle()?;
            }
        }
        Ok(())
    }

    fn shard_of(&self, domain: &str) -> u16 {
        Shards::new(0, self.plan.shards).of_peer(domain)
    }

    fn tell(&mut self, shard: u16, input: Input) -> Result<(), Wrong> {
        let now = self.now;
        let at = self.shards.get_mut(usize::from(shard));
        let turn = at.ok_or("no such shard")?.note(input, now)?;
        for post in turn.posts {
            let body = Sent::Body(post.peer, RELAY.to_owned(), post.number, post.body);
            self.way.push_back(body);
        }
        self.way.extend(turn.hands.into_iter().map(Sent::Hand));
        for (to, told) in turn.told {
            for other in (0..self.plan.shards).filter(|other| *other != shard) {
                if to.is_none_or(|to| to == other) {
                    self.way.push_back(Sent::Told(other, shard, told.clone()));
                }
            }
        }
        Ok(())
    }

    /// Lets time pass.
    fn run(&mut self, millis: u64) -> Result<(), Wrong> {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle()?;
            let shards = self.shards.iter();
            let shards = shards.filter_map(|shard| shard.core.next_timeout());
            let ends = self.ends.values().filter_map(|end| end.sap.next_timeout());
            let next = ends.chain(shards).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            for end in self.ends.values_mut() {
                end.sap.timeout(now);
                end.drain(now);
            }
            for shard in 0..self.plan.shards {
                let at = self.shards.get(usize::from(shard));
                let next = at.and_then(|shard| shard.core.next_timeout());
                if next.is_some_and(|next| next <= now) {
                    self.tell(shard, Input::Time)?;
                }
            }
        }
        self.now = until;
        Ok(())
    }

    /// Lets all arrive that is on its way.
    fn settle(&mut self) -> Result<(), Wrong> {
        loop {
            for (domain, end) in &mut self.ends {
                for (number, body) in end.posts.drain(..) {
                    let (to, from) = (RELAY.to_owned(), domain.clone());
                    self.way.push_back(Sent::Body(to, from, number, body));
                }
            }
            let Some(sent) = self.way.pop_front() else {
                return Ok(());
            };
            self.now = self.now.plus_millis(1);
            let now = self.now;
            match sent {
                Sent::Body(to, from, number, body) if to == RELAY => {
                    self.tell(self.shard_of(&from), Input::Received(body))?;
                    if let Some(end) = self.ends.get_mut(&from) {
                        end.sap.posted(number, &Posted::Acknowledged, now);
                        end.drain(now);
                    }
                }
                Sent::Body(to, _, number, body) => {
                    let end = self.ends.get_mut(&to).ok_or("nobody is there")?;
                    self.answered += answers_in(&body);
                    end.receive(&body, now)?;
                    self.tell(self.shard_of(&to), Input::Posted(number))?;
                }
                Sent::Hand(hand) => {
                    let (from, number) = (hand.from, hand.number);
                    self.tell(hand.to, Input::Handed(hand))?;
                    self.tell(from, Input::HandedOver(number))?;
                }
                Sent::Told(to, from, told) => self.tell(to, Input::Told(from, told))?,
            }
        }
    }
}

/// Senders, each with a recipient.
const PAIRS: usize = 2;

/// The domains of a sender and a recipient. The sender is of the shard of the pair's number, of two, the
/// recipient of the other one if all is to be handed over.
fn pair_of(pair: usize, is_handed: bool) -> [String; 2] {
    let shard = u16::from(pair % 2 == 1);
    let other = if is_handed { 1 - shard } else { shard };
    let named = |what: &str, shard: u16| {
        let names = (0..).map(|n: u32| format!("{what}{pair}-{n}.example"));
        let mut names = names.filter(|name| Shards::new(0, 2).of_peer(name) == shard);
        names.next().unwrap_or_default()
    };
    [named("sender", shard), named("recipient", other)]
}

fn with_peer(settings: Settings, name: &str) -> Settings {
    let mut peer = Peer::new(name, Arc::new(Dialect::default()));
    peer.speaks_for.any = true;
    settings.with_peer(peer)
}

fn settings(domain: &str) -> Settings {
    let mut settings = Settings::new(domain).with_route(domain, Route::Local(home::ELEMENT));
    if domain == RELAY {
        let [first, _] = pair_of(0, false);
        settings.routes.add(RELAY, Route::Peer(first));
    } else {
        settings.routes.add("*", Route::Peer(RELAY.to_owned()));
    }
    settings
}

fn read(body: &Bytes) -> Result<Message, Wrong> {
    envelope::scan(body, &Limits::default()).map_err(|error| format!("{error:?}"))
}

fn accepted(verdict: &Verdict) -> Result<(), Wrong> {
    match verdict {
        Verdict::Accepted => Ok(()),
        other => Err(format!("a body was not accepted: {other:?}")),
    }
}

/// Answers to messages in a body.
fn answers_in(body: &[u8]) -> usize {
    memchr::memmem::find_iter(body, b"<SendMessageResponse").count()
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

/// The id in the message of the usual size.
const ID: &str = "m-20261122-071500-000017";

/// That message, from a domain to another.
fn message(sender: &str, recipient: &str) -> Result<String, Wrong> {
    let Message::Session(session) = read(&Bytes::from_static(super::MESSAGE))? else {
        return Err("the message is none of a session".to_owned());
    };
    let raw = session.transactions.first().map(|first| first.raw.as_ref());
    let raw = std::str::from_utf8(raw.unwrap_or_default()).map_err(|error| error.to_string())?;
    Ok(raw
        .replace("imps.example.com", sender)
        .replace("peer00001.example.net", recipient))
}
