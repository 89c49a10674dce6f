//! The world: nodes, their disks, and what is on the wire between them.

use super::*;

/// A node: a SAP, its disk, and a home domain that takes everything.
pub(super) struct Node {
    pub(super) sap: Sap,
    pub(super) disk: BTreeMap<String, Vec<u8>>,
    pub(super) delivered: Vec<Delivered>,
    pub(super) answers: Vec<(Token, Primitive)>,
    /// What is known of messages that were taken over, and their answers in the end.
    pub(super) taken_over: Vec<(Token, Primitive)>,
    pub(super) ended: Vec<(Token, Primitive)>,
    pub(super) counts: Vec<Count>,
    pub(super) down: bool,
    /// Answers every request with this; `None`: never answers.
    pub(super) verdict: Option<Code>,
}

/// All nodes and the messages under way between them.
pub(super) struct World {
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) now: Time,
    pub(super) wire: VecDeque<(String, Post)>,
    /// Acknowledgements lost on the way, from now on.
    pub(super) lose_acks: usize,
    pub(super) posts: usize,
    /// Posts to this peer that hold this text end like this.
    pub(super) poison: Option<(&'static str, String, Posted)>,
    /// Bodies read from the disks.
    pub(super) loads: usize,
    /// Records that can't be read now: those whose key ends so.
    pub(super) unreadable: Option<String>,
}

impl World {
    pub(super) fn new(settings: impl IntoIterator<Item = Settings>) -> Self {
        let mut world = Self {
            nodes: BTreeMap::new(),
            now: Time(1_000_000),
            wire: VecDeque::new(),
            lose_acks: 0,
            posts: 0,
            poison: None,
            loads: 0,
            unreadable: None,
        };
        for (seed, settings) in settings.into_iter().enumerate() {
            let domain = settings.domain.clone();
            let sap = Sap::new(Arc::new(settings), Random::repeatable(seed as u64 + 7));
            let node = Node {
                sap,
                disk: BTreeMap::new(),
                delivered: Vec::new(),
                answers: Vec::new(),
                taken_over: Vec::new(),
                ended: Vec::new(),
                counts: Vec::new(),
                down: false,
                verdict: Some(Code::OK),
            };
            world.nodes.insert(domain, node);
        }
        world
    }

    pub(super) fn node(&mut self, domain: &str) -> &mut Node {
        self.nodes.get_mut(domain).unwrap()
    }

    /// Runs until nothing happens before `until`.
    pub(super) fn run(&mut self, millis: u64) {
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

    pub(super) fn settle(&mut self) {
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

    pub(super) fn drain(&mut self, domain: &str) {
        let now = self.now;
        let node = self.nodes.get_mut(domain).unwrap();
        if node.down {
            while node.sap.next_effect().is_some() {}
            return;
        }
        while let Some(effect) = node.sap.next_effect() {
            match effect {
                Effect::Write(write) => write.apply(&mut node.disk),
                Effect::Post(post) => self.wire.push_back((domain.to_owned(), post)),
                Effect::Load(load) => {
                    self.loads += load.keys.len();
                    let keys = load.keys.clone();
                    let mut loaded = load.from_disk(&node.disk);
                    for ((_, key), (_, found)) in keys.iter().zip(&mut loaded.records) {
                        if self
                            .unreadable
                            .as_ref()
                            .is_some_and(|end| key.ends_with(end))
                        {
                            *found = Found::Later("a bad sector".to_owned());
                        }
                    }
                    node.sap.loaded(loaded, now);
                }
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
                        node.sap.respond(element, id, answer, now);
                    }
                    node.delivered.push(delivered);
                }
                Effect::TakenOver(_, token, known) => node.taken_over.push((token, known)),
                Effect::Answer(_, token, primitive) => {
                    let (ended, answers) = (&mut node.ended, &mut node.answers);
                    let before = node.taken_over.iter().any(|(over, _)| *over == token);
                    let heard = if before { ended } else { answers };
                    heard.push((token, primitive));
                }
                Effect::Count(count) => node.counts.push(count),
                Effect::PeerState(..)
                | Effect::PeerAway(..)
                | Effect::Knock(_)
                | Effect::Hand(_)
                | Effect::Known(..)
                | Effect::Note(_)
                | Effect::Step(_) => {}
            }
        }
    }

    pub(super) fn transmit(&mut self, from: &str, post: &Post) {
        self.posts += 1;
        let now = self.now;
        let holds = |text: &str| memchr::memmem::find(&post.body, text.as_bytes()).is_some();
        let outcome = match self.nodes.get_mut(&post.peer) {
            Some(_)
                if self
                    .poison
                    .as_ref()
                    .is_some_and(|(peer, text, _)| *peer == post.peer && holds(text)) =>
            {
                let poison = self.poison.as_ref();
                poison.map_or(Posted::Closed, |(_, _, outcome)| outcome.clone())
            }
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
                    Verdict::Busy(after) => Posted::Refused {
                        status: 503,
                        retry_after: after,
                    },
                }
            }
            _ => Posted::Failed("connection refused".to_owned()),
        };
        self.node(from).sap.posted(post.number, &outcome, now);
    }

    /// Kills a node and starts it again from its disk.
    pub(super) fn restart(&mut self, domain: &str) {
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

    pub(super) fn send(&mut self, from: &str, to: &[&str], id: &str) {
        let expires = self.now.plus_seconds(86_400);
        let now = self.now;
        let domain = Address::new(from).domain().to_owned();
        let token = Token(id[1..].parse().unwrap());
        self.node(&domain).sap.request(
            Element::named("Home"),
            token,
            &message(from, to, id),
            expires,
            now,
        );
    }

    /// As [`World::send`], with a text.
    pub(super) fn send_text(&mut self, from: &str, to: &str, id: &str, token: u64, text: &str) {
        let (now, expires) = (self.now, self.now.plus_seconds(86_400));
        let Primitive::SendMessageRequest(mut request) = message(from, &[to], id) else {
            panic!("this is no message");
        };
        request.content = Some(ContentData::text(text));
        let domain = Address::new(from).domain().to_owned();
        let sap = &mut self.node(&domain).sap;
        sap.request(
            Element::named("Home"),
            Token(token),
            &(*request).into(),
            expires,
            now,
        );
    }

    pub(super) fn received(&mut self, domain: &str) -> Vec<String> {
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

    pub(super) fn verdicts(&mut self, domain: &str) -> Vec<(u64, u16)> {
        let answers = &self.node(domain).answers;
        answers
            .iter()
            .map(|(token, answer)| (token.0, answer.verdict().unwrap().code.0))
            .collect()
    }
}

pub(super) fn message(from: &str, to: &[&str], id: &str) -> Primitive {
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

pub(super) fn speaking(peer: &str, for_domains: &[&str]) -> Peer {
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
pub(super) fn chain() -> World {
    let home = |own: &str, other: &str| {
        Settings::new(own)
            .with_peer(speaking("r.test", &[other]))
            .with_route(own, Route::Local(Element::named("Home")))
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
