//! Home domains in a pretend world, each a node of several shards with disks of its own, and their
//! users with a client each. Time stands still until somebody waits. A node can be killed at any of
//! its commits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use wvgate::element::{
    self, ClientKey, Delivery, Edge, Element, Found, FromClient, Input, Loaded, Takes, ToClient,
};
use wvgate::home::{ELEMENT, Home, HomeSettings, Known};
use wvgate::imps::Primitive;
use wvgate::imps::xml::Limits;
use wvgate::node::core::Turn;
use wvgate::node::{Core, Told};
use wvgate::sap::{
    Facts, Hand, Load, Post, Posted, Random, Route, Sap, Settings, Shards, Time, Verdict,
};
use wvgate::ssp::envelope;

use super::world::peer;

/// What is answered to whom asks again for what was done before: no such invitation, no such contact
/// list, a list of that name; no such group, a group of that name, joined, not joined.
const ALREADY: [u16; 7] = [423, 700, 701, 800, 801, 807, 808];

/// When a node is killed at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Its records are not on disk.
    Before,
    /// They are, and nothing of what follows has left the process.
    After,
}

struct Shard {
    core: Core,
    disk: BTreeMap<String, Vec<u8>>,
}

/// A home domain.
struct Node {
    shards: Vec<Shard>,
    commits: usize,
    starts: u64,
}

/// A user with a client, which opens a new session when the old one is gone, and acknowledges what
/// it is told.
#[derive(Default)]
pub(crate) struct Person {
    client: Option<ClientKey>,
    /// Texts of the messages that came, each message once, whichever client heard it.
    pub(crate) texts: Vec<String>,
    known: BTreeSet<u64>,
    /// Invitations, and what became of their own.
    pub(crate) invitations: BTreeSet<String>,
    /// What was last heard of somebody's presence, by attribute.
    pub(crate) seen: BTreeMap<String, String>,
    answers: BTreeMap<String, Primitive>,
}

pub(crate) struct Homes {
    nodes: BTreeMap<&'static str, Node>,
    pub(crate) people: BTreeMap<&'static str, Person>,
    pub(crate) now: Time,
    kill: Option<(&'static str, usize, Kill)>,
    /// Whether the node was killed.
    pub(crate) was_killed: bool,
    hands: VecDeque<(&'static str, Hand)>,
    wire: VecDeque<(&'static str, usize, Post)>,
    loads: VecDeque<(&'static str, usize, Load)>,
    reads: VecDeque<(&'static str, usize, Element, element::Load)>,
    told: VecDeque<(&'static str, u16, u16, Told)>,
    clients: u64,
    requests: u64,
}

fn name_of(user: &str) -> &str {
    user.split('@').next().unwrap()
}

fn core(own: &str, others: &[&str], shard: Shards, seed: u64) -> Core {
    let mut settings = Settings::new(own).with_route(own, Route::Local(ELEMENT));
    for other in others {
        settings = settings.with_peer(peer(other, &[]));
    }
    settings.shards = shard;
    let sap = Sap::new(Arc::new(settings), Random::repeatable(seed));
    let home = Home::new(HomeSettings::new(own), seed);
    Core::new(sap, vec![Box::new(home)])
}

impl Homes {
    /// A domain for each user, of so many shards.
    pub(crate) fn new(users: &[&'static str], shards: u16) -> Self {
        let domain = |user: &&'static str| user.split_once('@').unwrap().1;
        let domains: BTreeSet<&'static str> = users.iter().map(domain).collect();
        let mut homes = Self {
            nodes: BTreeMap::new(),
            people: BTreeMap::new(),
            now: Time(1_700_000_000_000),
            kill: None,
            was_killed: false,
            hands: VecDeque::new(),
            wire: VecDeque::new(),
            loads: VecDeque::new(),
            reads: VecDeque::new(),
            told: VecDeque::new(),
            clients: 0,
            requests: 0,
        };
        for domain in &domains {
            let disks = vec![BTreeMap::new(); usize::from(shards)];
            let node = Node {
                shards: homes.cores(domain, &domains, disks, 0),
                commits: 0,
                starts: 0,
            };
            homes.nodes.insert(domain, node);
        }
        for domain in domains {
            for shard in 0..usize::from(shards) {
                homes.work(domain, shard, |core, now, turn| core.start(now, turn));
            }
        }
        for user in users {
            let (name, domain) = user.split_once('@').unwrap();
            let shard = homes.shard_of(domain, name);
            homes.work(domain, shard, |core, now, turn| {
                let add = |home: &mut Home| home.add_user(name, "x".to_owned(), now);
                core.administer(now, turn, add).unwrap().unwrap();
            });
            homes.people.insert(user, Person::default());
        }
        for node in homes.nodes.values_mut() {
            node.commits = 0;
        }
        homes
    }

    /// From now on, a node is killed at its commit of this number.
    pub(crate) fn kill_at(&mut self, domain: &'static str, commit: usize, kill: Kill) {
        self.kill = Some((domain, commit, kill));
    }

    /// How many commits the node has made.
    pub(crate) fn commits(&self, domain: &str) -> usize {
        self.nodes[domain].commits
    }

    fn cores(
        &self,
        domain: &'static str,
        domains: &BTreeSet<&'static str>,
        disks: Vec<BTreeMap<String, Vec<u8>>>,
        starts: u64,
    ) -> Vec<Shard> {
        let others: Vec<&str> = domains.iter().filter(|d| **d != domain).copied().collect();
        let count = disks.len() as u16;
        let shards = disks.into_iter().enumerate().map(|(own, disk)| {
            let seed = u64::from(domain.as_bytes()[0]) << 32 | starts << 8 | own as u64;
            let mut core = core(domain, &others, Shards::new(own as u16, count), seed);
            for (key, value) in &disk {
                core.restore(key, value).unwrap();
            }
            Shard { core, disk }
        });
        shards.collect()
    }

    fn shard_of(&self, domain: &str, user: &str) -> usize {
        let places = Shards::new(0, self.nodes[domain].shards.len() as u16);
        usize::from(places.of_user(user))
    }

    /// Gives a shard an input, commits what it led to, and lets that out. Says whether it came so
    /// far.
    fn work(
        &mut self,
        domain: &'static str,
        shard: usize,
        input: impl FnOnce(&mut Core, Time, &mut Turn),
    ) -> bool {
        let now = self.now;
        let node = self.nodes.get_mut(domain).unwrap();
        let mut turn = Turn::default();
        input(&mut node.shards[shard].core, now, &mut turn);
        let mut kill = None;
        if !turn.writes.is_empty() {
            node.commits += 1;
            let at = (domain, node.commits);
            kill = self
                .kill
                .filter(|(domain, commit, _)| (*domain, *commit) == at);
            if !matches!(kill, Some((_, _, Kill::Before))) {
                for write in std::mem::take(&mut turn.writes) {
                    write.apply(&mut node.shards[shard].disk);
                }
            }
        }
        if kill.is_some() {
            self.kill = None;
            self.was_killed = true;
            drop(turn);
            self.restart(domain);
            return false;
        }
        self.let_out(domain, shard, turn);
        true
    }

    fn let_out(&mut self, domain: &'static str, shard: usize, turn: Turn) {
        let own = shard as u16;
        let count = self.nodes[domain].shards.len() as u16;
        self.hands
            .extend(turn.hands.into_iter().map(|hand| (domain, hand)));
        self.wire
            .extend(turn.posts.into_iter().map(|post| (domain, shard, post)));
        self.loads
            .extend(turn.loads.into_iter().map(|load| (domain, shard, load)));
        let reads = turn.reads.into_iter();
        self.reads
            .extend(reads.map(|(by, load)| (domain, shard, by, load)));
        for (to, told) in turn.told {
            let others = (0..count).filter(|other| *other != own);
            for other in others.filter(|other| to.is_none_or(|to| to == *other)) {
                self.told.push_back((domain, own, other, told.clone()));
            }
        }
        for (client, told) in turn.events {
            self.hear(client, told);
        }
    }

    /// The process dies and begins anew: what was under way from it is gone, and its clients.
    fn restart(&mut self, domain: &'static str) {
        self.hands.retain(|(of, _)| *of != domain);
        self.wire.retain(|(from, _, _)| *from != domain);
        self.loads.retain(|(of, _, _)| *of != domain);
        self.reads.retain(|(of, _, _, _)| *of != domain);
        self.told.retain(|(of, _, _, _)| *of != domain);
        for (user, person) in &mut self.people {
            if user.ends_with(&format!("@{domain}")) {
                person.client = None;
            }
        }
        let domains: BTreeSet<&'static str> = self.nodes.keys().copied().collect();
        let node = self.nodes.get_mut(domain).unwrap();
        node.starts += 1;
        let (starts, shards) = (node.starts, std::mem::take(&mut node.shards));
        let disks = shards.into_iter().map(|shard| shard.disk).collect();
        let mut shards = self.cores(domain, &domains, disks, starts);
        let count = shards.len();
        for own in 0..count {
            for other in (0..count).filter(|other| *other != own) {
                let taken = shards[other].core.sap.last_taken(own as u16);
                shards[own].core.sap.follow(other as u16, taken);
            }
        }
        self.nodes.get_mut(domain).unwrap().shards = shards;
        for shard in 0..count {
            self.work(domain, shard, |core, now, turn| core.start(now, turn));
        }
    }

    fn hear(&mut self, client: ClientKey, told: ToClient) {
        let number = told.number();
        let mut people = self.people.iter_mut();
        let Some((user, person)) = people.find(|(_, person)| person.client == Some(client)) else {
            return;
        };
        let user = *user;
        match told {
            ToClient::Opened { watched, .. } => {
                if let Some(Primitive::PresenceNotification(told)) = watched.map(|it| *it) {
                    person.see(&told);
                }
            }
            ToClient::Answer { id, primitive, .. } => {
                person.answers.insert(id, *primitive);
            }
            ToClient::Take { number, primitive } => {
                if person.known.insert(number) {
                    person.takes(*primitive);
                }
            }
            ToClient::Now { primitive } => {
                if let Primitive::PresenceNotification(told) = *primitive {
                    person.see(&told);
                }
            }
            ToClient::Over { .. } => person.client = None,
        }
        if let Some(number) = number {
            self.say(user, FromClient::Ack { number });
        }
    }

    /// Says something as the user's client. Says whether the node has it.
    fn say(&mut self, user: &'static str, said: FromClient) -> bool {
        let domain = user.split_once('@').unwrap().1;
        let shard = self.shard_of(domain, name_of(user));
        let Some(client) = self.people[user].client else {
            return false;
        };
        self.work(domain, shard, |core, now, turn| {
            core.take(Edge::Clients, Input::Client(client, said), now, turn);
        })
    }

    /// Everybody without a session opens one.
    fn log_in(&mut self) {
        let gone = self.people.iter();
        let gone: Vec<&'static str> = gone
            .filter(|(_, person)| person.client.is_none())
            .map(|(user, _)| *user)
            .collect();
        for user in gone {
            self.clients += 1;
            self.people.get_mut(user).unwrap().client = Some(ClientKey(self.clients));
            let open = FromClient::Open {
                user: name_of(user).to_owned(),
                takes: Takes::Everything,
                delivery: Delivery::default(),
            };
            self.say(user, open);
        }
    }

    /// The user asks something, in XML with `META` for who asks, and asks the same again if the
    /// connection was lost before the answer came. The answer.
    pub(crate) fn ask(&mut self, user: &'static str, xml: &str) -> Primitive {
        let domain = user.split_once('@').unwrap().1;
        let meta = format!(
            r#"<MetaInfo clientOriginated="Yes"><Requestor serviceID="wv:@{domain}"><User userID="wv:{user}"/></Requestor></MetaInfo>"#
        );
        let primitive = envelope::decode_fragment(xml.replace("META", &meta).as_bytes()).unwrap();
        for _ in 0..10 {
            self.log_in();
            self.requests += 1;
            let id = format!("r{}", self.requests);
            let request = FromClient::Request {
                id: id.clone(),
                primitive: Box::new(primitive.clone()),
            };
            let client = self.people[user].client;
            self.say(user, request);
            for _ in 0..90 {
                self.run(1_000);
                if let Some(answer) = self.people.get_mut(user).unwrap().answers.remove(&id) {
                    return answer;
                }
                if self.people[user].client != client {
                    break;
                }
            }
        }
        panic!("{user} gets no answer to {xml}")
    }

    /// As [`Self::ask`], of something that is to be done: it is, or was before the connection was
    /// lost, when it is said to be so already.
    pub(crate) fn does(&mut self, user: &'static str, xml: &str) {
        let was_killed = self.was_killed;
        let answer = self.ask(user, xml);
        let code = answer.verdict().map_or(200, |status| status.code.0);
        // The request has been heeded before its answer was lost.
        let is_repeated = self.was_killed != was_killed && ALREADY.contains(&code);
        assert!(
            matches!(code, 200..=202) || is_repeated,
            "{user} is answered {code} to {xml}: {answer:?}"
        );
    }

    /// Lets time pass, and everything happen that happens in it. Whoever lost their connection comes
    /// back.
    pub(crate) fn run(&mut self, millis: u64) {
        let until = self.now.plus_millis(millis);
        loop {
            self.settle();
            let nodes = self.nodes.values();
            let shards = nodes.flat_map(|node| &node.shards);
            let next = shards.filter_map(|shard| shard.core.next_timeout()).min();
            match next.filter(|next| *next <= until) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            let domains: Vec<&'static str> = self.nodes.keys().copied().collect();
            for domain in domains {
                for shard in 0..self.nodes[domain].shards.len() {
                    self.work(domain, shard, |core, now, turn| core.timeout(now, turn));
                }
            }
        }
        self.now = until;
    }

    fn settle(&mut self) {
        loop {
            self.log_in();
            if let Some((domain, shard, load)) = self.loads.pop_front() {
                let loaded = load.from_disk(&self.nodes[domain].shards[shard].disk);
                self.work(domain, shard, |core, now, turn| {
                    core.loaded(loaded, now, turn);
                });
            } else if let Some((domain, shard, by, load)) = self.reads.pop_front() {
                let disk = &self.nodes[domain].shards[shard].disk;
                let records = load.keys.into_iter();
                let records = records.map(|(number, key)| (number, Found::in_memory(disk, &key)));
                let loaded = Loaded {
                    number: load.number,
                    records: records.collect(),
                };
                self.work(domain, shard, |core, now, turn| {
                    core.read(by, loaded, now, turn);
                });
            } else if let Some((domain, from, to, told)) = self.told.pop_front() {
                self.work(domain, usize::from(to), |core, now, turn| {
                    core.told(from, told, now, turn);
                });
            } else if let Some((domain, hand)) = self.hands.pop_front() {
                let taken = self.work(domain, usize::from(hand.to), |core, now, turn| {
                    core.take_handed(&hand, now, turn);
                });
                if taken {
                    self.work(domain, usize::from(hand.from), |core, now, turn| {
                        core.handed(hand.number, true, now, turn);
                    });
                }
            } else if let Some((domain, shard, post)) = self.wire.pop_front() {
                let outcome = self.receive(domain, &post);
                self.work(domain, shard, |core, now, turn| {
                    core.posted(post.number, &outcome, now, turn);
                });
            } else {
                return;
            }
        }
    }

    /// What becomes of a post at the domain that it is for.
    fn receive(&mut self, from: &'static str, post: &Post) -> Posted {
        let (to, _) = self.nodes.get_key_value(post.peer.as_str()).unwrap();
        let to = *to;
        let places = Shards::new(0, self.nodes[to].shards.len() as u16);
        let shard = usize::from(places.of_peer(from));
        let message = envelope::scan(&post.body, &Limits::default()).unwrap();
        let mut verdict = Verdict::Malformed;
        let lives = self.work(to, shard, |core, now, turn| {
            verdict = core.receive(&message, &Facts::default(), now, turn);
        });
        let status = match verdict {
            _ if !lives => return Posted::Failed("the connection was reset".to_owned()),
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

    /// Messages that are neither delivered nor given up, and items between shards, at all nodes.
    pub(crate) fn under_way(&self) -> (u64, bool) {
        let shards = || self.nodes.values().flat_map(|node| &node.shards);
        (
            shards().map(|shard| shard.core.messages_open()).sum(),
            shards().all(|shard| shard.core.sap.has_handed_all()),
        )
    }
}

impl Person {
    fn takes(&mut self, primitive: Primitive) {
        match primitive {
            Primitive::NewMessage(message) => {
                let content = message.content.map(|content| content.bytes);
                self.texts
                    .push(String::from_utf8(content.unwrap_or_default()).unwrap());
            }
            Primitive::InviteRequest(invite) => {
                self.invitations
                    .insert(format!("asked {}", invite.invite_id));
            }
            Primitive::InviteResponse(answer) => {
                let said = if answer.acceptance { "yes" } else { "no" };
                self.invitations
                    .insert(format!("{said} to {}", answer.invite_id));
            }
            Primitive::CancelInviteRequest(cancel) => {
                self.invitations
                    .insert(format!("cancelled {}", cancel.invite_id));
            }
            _ => {}
        }
    }

    fn see(&mut self, told: &wvgate::imps::primitive::presence::PresenceNotification) {
        for value in &told.values {
            if value.presence.is_none() {
                let of = format!("{} ", value.user);
                self.seen.retain(|key, _| !key.starts_with(&of));
            }
            let attributes = value.presence.iter().flat_map(|list| &list.attributes);
            // A client that comes later hears what is kept.
            for attribute in attributes.filter(|attribute| Known::has(&attribute.name)) {
                let key = format!("{} {:?}", value.user, attribute.name);
                // What is not known is as if it had never been told.
                if attribute.qualifier == Some(false) {
                    self.seen.remove(&key);
                } else {
                    self.seen.insert(key, format!("{:?}", attribute.fields));
                }
            }
        }
    }
}
