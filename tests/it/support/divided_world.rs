//! One node of several shards in a pretend world: its cores are joined by a router in memory, each
//! with a disk of its own, between peers that are SAPs alone. Time stands still until somebody waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use wvgate::element::{self, Element, Found, Loaded};
use wvgate::home::{ELEMENT, Home, HomeSettings};
use wvgate::imps::common::{ContentData, GroupId, MessageInfo, MetaInfo, Recipient, Sender, User};
use wvgate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Code, Primitive, Status};
use wvgate::node::core::Turn;
use wvgate::node::{Core, Told};
use wvgate::sap::{
    Effect, Facts, Hand, Load, Post, Posted, Random, Route, Sap, ServiceSet, Settings, Shards,
    Time, Token, Verdict,
};
use wvgate::ssp::{Message, envelope};

use super::world::peer;

/// The node of several shards.
pub(crate) const NODE: &str = "r.test";

pub(crate) struct Shard {
    pub(crate) core: Core,
    pub(crate) disk: BTreeMap<String, Vec<u8>>,
    /// Its disk takes nothing.
    pub(crate) fails: bool,
    /// Its core was given up and does not work.
    closed: bool,
}

/// A peer, and what its users got and heard.
pub(crate) struct End {
    pub(crate) sap: Sap,
    pub(crate) away: bool,
    /// What it answers to messages.
    pub(crate) verdict: Code,
    /// Requests that were delivered, in order.
    pub(crate) delivered: Vec<Primitive>,
    pub(crate) answers: Vec<(Token, Primitive)>,
}

pub(crate) struct World {
    pub(crate) shards: Vec<Shard>,
    pub(crate) ends: BTreeMap<String, End>,
    pub(crate) now: Time,
    /// Batches on their way from shard to shard.
    pub(crate) hands: VecDeque<Hand>,
    /// Batches wait in `hands` until they are carried by hand.
    pub(crate) by_hand: bool,
    wire: VecDeque<(String, Post)>,
    loads: VecDeque<(usize, Load)>,
    reads: VecDeque<(usize, Element, element::Load)>,
    told: VecDeque<(u16, u16, Told)>,
    tokens: u64,
}

fn settings(shard: Shards) -> Settings {
    let mut settings = Settings::new(NODE).with_route(NODE, Route::Local(ELEMENT));
    for domain in ["a.test", "b.test", "c.test"] {
        settings = settings.with_peer(peer(domain, &[]));
    }
    settings.shards = shard;
    settings
}

fn core(shard: Shards, seed: u64) -> Core {
    let sap = Sap::new(Arc::new(settings(shard)), Random::repeatable(seed));
    let home = HomeSettings {
        found_by: ["USER_ID".to_owned()].into(),
        ..HomeSettings::new(NODE)
    };
    let home = Home::new(home, seed);
    Core::new(sap, vec![Box::new(home)])
}

impl World {
    /// A node of so many shards with the users bob and dora, between the peers a, b and c.
    pub(crate) fn new(count: u16) -> Self {
        let shards = (0..count).map(|own| Shard {
            core: core(Shards::new(own, count), u64::from(own) + 1),
            disk: BTreeMap::new(),
            fails: false,
            closed: false,
        });
        let ends = ["a.test", "b.test", "c.test"].map(|domain| {
            let mut settings = Settings::new(domain)
                .with_peer(peer(NODE, &["a.test", "b.test", "c.test"]))
                .with_route(domain, Route::Local(ELEMENT))
                .with_route("*", Route::Peer(NODE.to_owned()));
            // Its users search at the node.
            if let Some(search) = ServiceSet::named("SearchFunc") {
                settings.pse.add(search, domain, NODE);
            }
            let seed = u64::from(domain.as_bytes()[0]);
            let end = End {
                sap: Sap::new(Arc::new(settings), Random::repeatable(seed)),
                away: false,
                verdict: Code::OK,
                delivered: Vec::new(),
                answers: Vec::new(),
            };
            (domain.to_owned(), end)
        });
        let mut world = Self {
            shards: shards.collect(),
            ends: ends.into(),
            now: Time(1_700_000_000_000),
            hands: VecDeque::new(),
            by_hand: false,
            wire: VecDeque::new(),
            loads: VecDeque::new(),
            reads: VecDeque::new(),
            told: VecDeque::new(),
            tokens: 0,
        };
        for shard in 0..world.shards.len() {
            world.work(shard, |core, now, turn| core.start(now, turn));
        }
        for user in ["bob", "dora"] {
            world.work(world.of_user(user), |core, now, turn| {
                let hash = "x".to_owned();
                let added =
                    core.administer(now, turn, |home: &mut Home| home.add_user(user, hash, now));
                added.unwrap().unwrap();
            });
        }
        world
    }

    fn places(&self) -> Shards {
        Shards::new(0, self.shards.len() as u16)
    }

    pub(crate) fn of_peer(&self, peer: &str) -> usize {
        usize::from(self.places().of_peer(peer))
    }

    pub(crate) fn of_user(&self, user: &str) -> usize {
        usize::from(self.places().of_user(user))
    }

    pub(crate) fn end(&mut self, domain: &str) -> &mut End {
        self.ends.get_mut(domain).unwrap()
    }

    /// Texts that users of a domain got.
    pub(crate) fn texts(&self, domain: &str) -> Vec<String> {
        let messages = self.ends[domain]
            .delivered
            .iter()
            .filter_map(|primitive| match primitive {
                Primitive::SendMessageRequest(message) => message.content.as_ref(),
                _ => None,
            });
        messages
            .map(|content| String::from_utf8(content.bytes.clone()).unwrap())
            .collect()
    }

    /// Statuses that somebody at a domain heard for this.
    pub(crate) fn answer(&self, domain: &str, token: Token) -> Option<u16> {
        let mut answers = self.ends[domain].answers.iter();
        let (_, answer) = answers.find(|(to, _)| *to == token)?;
        Some(answer.verdict().unwrap().code.0)
    }

    /// Asks something in the name of a domain, and waits for the answer.
    pub(crate) fn ask(&mut self, domain: &str, primitive: &Primitive) -> Primitive {
        self.tokens += 1;
        let (token, now) = (Token(self.tokens), self.now);
        let expires = now.plus_seconds(60);
        let sap = &mut self.end(domain).sap;
        sap.request(ELEMENT, token, primitive, expires, now);
        self.run(10_000);
        let mut answers = self.ends[domain].answers.iter();
        let answer = answers.find(|(to, _)| *to == token);
        answer.expect("an answer comes").1.clone()
    }

    /// A message from a user of a domain.
    pub(crate) fn send(&mut self, from: &str, to: &[&str], text: &str) -> Token {
        let to = to.iter();
        let to = to.map(|to| Recipient::User(User::new(Address::new(to))));
        self.send_to(from, to.collect(), text)
    }

    /// The same to a group.
    pub(crate) fn say(&mut self, from: &str, group: &str, text: &str) -> Token {
        let group = Address::new(group);
        self.send_to(from, vec![Recipient::Group(GroupId { group })], text)
    }

    fn send_to(&mut self, from: &str, to: Vec<Recipient>, text: &str) -> Token {
        let (from, domain) = (Address::new(from), Address::new(from).domain().to_owned());
        self.tokens += 1;
        let token = Token(self.tokens);
        let message = message(&from, to, text, self.tokens);
        let now = self.now;
        let expires = now.plus_seconds(3_600);
        self.end(&domain)
            .sap
            .request(ELEMENT, token, &message, expires, now);
        token
    }

    /// Gives a shard an input, commits what it led to, and lets that out.
    pub(crate) fn work(
        &mut self,
        shard: usize,
        input: impl FnOnce(&mut Core, Time, &mut Turn),
    ) -> bool {
        let now = self.now;
        let of = &mut self.shards[shard];
        if of.closed {
            return false;
        }
        let mut turn = Turn::default();
        input(&mut of.core, now, &mut turn);
        if of.fails && !turn.writes.is_empty() {
            self.fail(shard);
            return false;
        }
        for write in std::mem::take(&mut turn.writes) {
            write.apply(&mut of.disk);
        }
        let loads = std::mem::take(&mut turn.loads);
        let reads = std::mem::take(&mut turn.reads);
        self.hands.extend(std::mem::take(&mut turn.hands));
        let posts = std::mem::take(&mut turn.posts).into_iter();
        self.wire
            .extend(posts.map(|post| (format!("#{shard}"), post)));
        for (to, told) in std::mem::take(&mut turn.told) {
            let others = (0..self.shards.len() as u16).filter(|other| usize::from(*other) != shard);
            for other in others.filter(|other| to.is_none_or(|to| to == *other)) {
                self.told.push_back((shard as u16, other, told.clone()));
            }
        }
        self.loads
            .extend(loads.into_iter().map(|load| (shard, load)));
        self.reads
            .extend(reads.into_iter().map(|(by, load)| (shard, by, load)));
        true
    }

    /// A commit failed: the core is made anew from the disk, and rests.
    fn fail(&mut self, shard: usize) {
        self.load(shard);
        self.shards[shard].closed = true;
    }

    fn load(&mut self, shard: usize) {
        let place = Shards::new(shard as u16, self.shards.len() as u16);
        let of = &mut self.shards[shard];
        let mut core = core(place, self.now.0);
        for (key, value) in &of.disk {
            core.restore(key, value).unwrap();
        }
        core.sap.continue_numbers(&of.core.sap);
        std::mem::swap(&mut core.metrics, &mut of.core.metrics);
        of.core = core;
    }

    /// The disk of a shard takes records again.
    pub(crate) fn open(&mut self, shard: usize) {
        self.shards[shard].fails = false;
        self.shards[shard].closed = false;
        self.work(shard, |core, now, turn| {
            core.start(now, turn);
            turn.told.push((None, Told::Begins));
        });
    }

    /// The whole node dies and begins anew; what is under way between shards is gone.
    pub(crate) fn restart(&mut self) {
        self.hands.clear();
        self.wire.retain(|(from, _)| !from.starts_with('#'));
        self.told.clear();
        self.loads.clear();
        self.reads.clear();
        let count = self.shards.len();
        for shard in 0..count {
            self.load(shard);
        }
        for own in 0..count {
            for other in (0..count).filter(|other| *other != own) {
                let taken = self.shards[other].core.sap.last_taken(own as u16);
                self.shards[own].core.sap.follow(other as u16, taken);
            }
        }
        for shard in 0..count {
            self.work(shard, |core, now, turn| core.start(now, turn));
        }
    }

    /// Lets a shard take a batch over; whether the one that handed it hears of that.
    pub(crate) fn carry(&mut self, hand: &Hand, heard: bool) {
        let taken = self.work(usize::from(hand.to), |core, now, turn| {
            core.take_handed(hand, now, turn);
        });
        if heard {
            self.work(usize::from(hand.from), |core, now, turn| {
                core.handed(hand.number, taken, now, turn);
            });
        }
    }

    /// Lets time pass, and everything happen that happens in it.
    pub(crate) fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let shards = self.shards.iter().filter(|shard| !shard.closed);
            let shards = shards.filter_map(|shard| shard.core.next_timeout());
            let ends = self.ends.values().filter_map(|end| end.sap.next_timeout());
            match shards.chain(ends).min().filter(|next| *next <= until) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            let now = self.now;
            for end in self.ends.values_mut() {
                end.sap.timeout(now);
            }
            for shard in 0..self.shards.len() {
                self.work(shard, |core, now, turn| core.timeout(now, turn));
            }
        }
        self.now = until;
    }

    fn settle(&mut self) {
        loop {
            let domains: Vec<String> = self.ends.keys().cloned().collect();
            for domain in domains {
                self.drain(&domain);
            }
            if let Some((shard, load)) = self.loads.pop_front() {
                let loaded = load.from_disk(&self.shards[shard].disk);
                self.work(shard, |core, now, turn| core.loaded(loaded, now, turn));
            } else if let Some((shard, by, load)) = self.reads.pop_front() {
                let disk = &self.shards[shard].disk;
                let records = load.keys.into_iter();
                let records = records.map(|(number, key)| (number, Found::in_memory(disk, &key)));
                let loaded = Loaded {
                    number: load.number,
                    records: records.collect(),
                };
                self.work(shard, |core, now, turn| core.read(by, loaded, now, turn));
            } else if let Some((from, to, told)) = self.told.pop_front() {
                self.work(usize::from(to), |core, now, turn| {
                    core.told(from, told, now, turn)
                });
            } else if let Some(hand) = (!self.by_hand).then(|| self.hands.pop_front()).flatten() {
                self.carry(&hand, true);
            } else if let Some((from, post)) = self.wire.pop_front() {
                self.transmit(&from, &post);
            } else {
                return;
            }
        }
    }

    fn drain(&mut self, domain: &str) {
        let now = self.now;
        let end = self.ends.get_mut(domain).unwrap();
        while let Some(effect) = end.sap.next_effect() {
            match effect {
                Effect::Post(post) => self.wire.push_back((domain.to_owned(), post)),
                Effect::Deliver(element, delivered) => {
                    if let Some(id) = delivered.id {
                        let answer = match &delivered.primitive {
                            Primitive::SendMessageRequest(message) => SendMessageResponse {
                                message_id: message.info.message_id.clone().unwrap_or_default(),
                                status: Status::new(end.verdict),
                            }
                            .into(),
                            _ => Primitive::status(Code::OK),
                        };
                        end.sap.respond(element, id, answer, now);
                    }
                    end.delivered.push(delivered.primitive);
                }
                Effect::TakenOver(_, token, primitive) | Effect::Answer(_, token, primitive) => {
                    end.answers.push((token, primitive));
                }
                _ => {}
            }
        }
    }

    fn transmit(&mut self, from: &str, post: &Post) {
        let now = self.now;
        let message = envelope::scan(&post.body, &Limits::default()).unwrap();
        let away = |world: &Self, domain: &str| world.ends[domain].away;
        let outcome = if from.starts_with('#') {
            if away(self, &post.peer) {
                Posted::Failed("connection refused".to_owned())
            } else {
                let end = self.ends.get_mut(&post.peer).unwrap();
                outcome(&end.sap.receive(&message, &Facts::default(), now))
            }
        } else {
            self.receive(from, &message)
        };
        match from.strip_prefix('#') {
            Some(shard) => {
                self.work(shard.parse().unwrap(), |core, now, turn| {
                    core.posted(post.number, &outcome, now, turn);
                });
            }
            None => self.end(from).sap.posted(post.number, &outcome, now),
        }
    }

    /// A message of a peer comes in; its verdict is given when the commit was.
    fn receive(&mut self, from: &str, message: &Message) -> Posted {
        let mut verdict = Verdict::Busy(Some(std::time::Duration::from_secs(1)));
        let shard = self.of_peer(from);
        let kept = self.work(shard, |core, now, turn| {
            verdict = core.receive(message, &Facts::default(), now, turn);
        });
        if kept {
            outcome(&verdict)
        } else {
            outcome(&Verdict::Busy(Some(std::time::Duration::from_secs(1))))
        }
    }

    /// What the shards have accepted, ended and still have, together.
    pub(crate) fn books(&self) -> (u64, u64, u64) {
        let cores = || self.shards.iter().map(|shard| &shard.core);
        (
            cores().map(|core| core.metrics.accepted()).sum(),
            cores().map(|core| core.metrics.ended()).sum(),
            cores().map(Core::messages_open).sum(),
        )
    }
}

fn outcome(verdict: &Verdict) -> Posted {
    let status = match verdict {
        Verdict::Accepted => return Posted::Acknowledged,
        Verdict::Malformed => 400,
        Verdict::Forbidden => 403,
        Verdict::Busy(_) => 503,
    };
    Posted::Refused {
        status,
        retry_after: None,
    }
}

fn message(from: &Address, to: Vec<Recipient>, text: &str, number: u64) -> Primitive {
    SendMessageRequest {
        delivery_report: true,
        meta: Some(MetaInfo::of_user(from.domain(), from.clone())),
        info: MessageInfo {
            message_id: Some(format!("m{number}")),
            uri: None,
            content_type: None,
            content_name: None,
            content_size: None,
            validity: Some(3_600),
            recipients: to,
            recipient_display: None,
            sender: Some(Sender::user(User::new(from.clone()))),
            date_time: None,
        },
        content: Some(ContentData::text(text)),
    }
    .into()
}
