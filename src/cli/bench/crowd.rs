//! Many peer domains in one process, each with a SAP of its own: the other side of a relay with
//! many sessions.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::Failure;
use crate::http::link::{
    self, LinkSettings, Post as HttpPost, PostOutcome, Posted as HttpPosted, Target,
};
use crate::http::server::{self, Inbound, Receiver, ServerSettings, Verdict as HttpVerdict};
use crate::http::srv::SrvResolver;
use crate::http::tls::{self, ClientTls};
use crate::imps::common::{MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::xml::Limits;
use crate::imps::{Address, Code, Primitive, Status};
use crate::node::clock::{self, Clock};
use crate::sap::{Dialect, Effect, Facts, Peer, Posted, Route, Sap, Settings, Token, Verdict};
use crate::ssp::{Message, envelope};

/// Nothing came for so long: the relay does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Timers of the SAPs are looked after that often.
const TICK: Duration = Duration::from_millis(100);

/// Many domains at one listener: the peers of the node that is measured.
pub(super) struct Crowd {
    members: Vec<Member>,
    events: mpsc::Receiver<Event>,
    clock: Clock,
    stop: CancellationToken,
    message: SendMessageRequest,
    answered: u64,
    /// What went wrong, if anything did.
    wrong: Option<String>,
}

struct Member {
    sap: Sap,
    posts: mpsc::Sender<HttpPost>,
}

enum Event {
    Inbound(usize, Box<Message>, oneshot::Sender<Verdict>),
    Posted(usize, HttpPosted),
}

/// Ports of domains that are to come.
pub(super) struct Places(Vec<server::Server>);

/// The number of a domain, and its name.
pub(super) fn domain(number: usize) -> String {
    format!("p{number:05}.test")
}

impl Places {
    /// Binds a port for each of so many domains.
    pub(super) async fn bind(count: usize) -> Result<Self, Failure> {
        let mut servers = Vec::with_capacity(count);
        for _ in 0..count {
            let settings = ServerSettings {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                idle_timeout: Duration::from_secs(600),
                ..ServerSettings::default()
            };
            let server = server::bind(settings)
                .await
                .map_err(|error| Failure::Failed(format!("cannot listen: {error}")))?;
            servers.push(server);
        }
        Ok(Self(servers))
    }

    pub(super) fn urls(&self) -> Vec<String> {
        let url = |server: &server::Server| format!("http://{}/", server.local_addr());
        self.0.iter().map(url).collect()
    }
}

struct Door {
    number: usize,
    events: mpsc::Sender<Event>,
}

impl Receiver for Door {
    async fn receive(&self, inbound: Inbound) -> HttpVerdict {
        let Ok(message) = envelope::scan(&inbound.body, &Limits::default()) else {
            return HttpVerdict::Malformed;
        };
        let (reply, verdict) = oneshot::channel();
        let event = Event::Inbound(self.number, Box::new(message), reply);
        if self.events.send(event).await.is_err() {
            return HttpVerdict::Busy { retry_after: None };
        }
        match verdict.await {
            Ok(Verdict::Accepted) => HttpVerdict::Accepted,
            Ok(Verdict::Malformed) => HttpVerdict::Malformed,
            Ok(Verdict::Forbidden) => HttpVerdict::Forbidden,
            Ok(Verdict::Busy(_)) | Err(_) => HttpVerdict::Busy { retry_after: None },
        }
    }
}

impl Crowd {
    /// Domains at these places, whose way to everywhere is the relay `relay.test` at `url`.
    pub(super) fn new(
        places: Places,
        url: &str,
        message: SendMessageRequest,
    ) -> Result<Self, Failure> {
        let (sender, events) = mpsc::channel(1024);
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let tls = tls::client_config(
            &ClientTls {
                verify: false,
                ..ClientTls::default()
            },
            "relay.test",
        )
        .map_err(|error| Failure::Failed(error.to_string()))?;
        let (dialect, srv) = (Arc::new(Dialect::default()), SrvResolver::system());
        let mut members = Vec::new();
        for (number, server) in places.0.into_iter().enumerate() {
            let own = domain(number);
            let mut relay = Peer::new("relay.test", Arc::clone(&dialect));
            relay.speaks_for.any = true;
            let settings = Settings::new(&own)
                .with_peer(relay)
                .with_route(&own, Route::Local(crate::home::ELEMENT))
                .with_route("*", Route::Peer("relay.test".to_owned()));
            let (posts, receiver) = mpsc::channel(64);
            let (posted, mut outcomes) = mpsc::channel::<HttpPosted>(64);
            let link = LinkSettings {
                peer: "relay.test".to_owned(),
                urls: vec![url.to_owned()],
                redirects: Vec::new(),
                allow_plain: true,
                tls: Arc::clone(&tls),
                server_name: None,
                connect_timeout: Duration::from_secs(10),
                answer_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(600),
                max_connections: 4,
                user_agent: "wvgate-bench".into(),
                srv: Arc::clone(&srv),
                known: None,
            };
            link::spawn(link, receiver, posted, &tracker, stop.clone());
            let events = sender.clone();
            let told = sender.clone();
            tokio::spawn(async move {
                while let Some(outcome) = outcomes.recv().await {
                    if told.send(Event::Posted(number, outcome)).await.is_err() {
                        return;
                    }
                }
            });
            let door = Arc::new(Door { number, events });
            tokio::spawn(server.run(door, stop.clone(), stop.clone()));
            let sap = Sap::new(Arc::new(settings), clock::random());
            members.push(Member { sap, posts });
        }
        Ok(Self {
            members,
            events,
            clock: Clock::start(),
            stop,
            message,
            answered: 0,
            wrong: None,
        })
    }

    /// Sends a message from each domain in turn to the next one, `count` in all, `window` at a
    /// time, among the first `active` domains; returns when all are answered.
    pub(super) async fn carry(
        &mut self,
        count: u64,
        window: u64,
        active: usize,
    ) -> Result<(), Failure> {
        let (mut sent, before) = (0_u64, self.answered);
        let mut tick = tokio::time::interval(TICK);
        let mut quiet = tokio::time::Instant::now();
        while self.answered - before < count {
            while sent < count && sent - (self.answered - before) < window {
                let from = usize::try_from(sent).unwrap_or(0) % active;
                self.send(from, (from + 1) % active, sent);
                sent += 1;
            }
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => {
                        quiet = tokio::time::Instant::now();
                        self.take(event);
                    }
                    None => return Err(Failure::Failed("the peers have stopped".to_owned())),
                },
                _ = tick.tick() => {
                    if quiet.elapsed() > PATIENCE {
                        return Err(Failure::Failed("no answer for a minute".to_owned()));
                    }
                    let now = self.clock.now();
                    for number in 0..self.members.len() {
                        self.members[number].sap.timeout(now);
                        self.drain(number);
                    }
                }
            }
            if let Some(wrong) = self.wrong.take() {
                return Err(Failure::Failed(wrong));
            }
        }
        Ok(())
    }

    fn send(&mut self, from: usize, to: usize, number: u64) {
        let now = self.clock.now();
        let mut message = self.message.clone();
        let (sender, recipient) = (domain(from), domain(to));
        let user = |name, domain: &str| User::new(Address::user(name, domain));
        message.info.message_id = Some(format!("{from}-{number}-{}", now.0));
        message.info.recipients = vec![Recipient::User(user("bob", &recipient))];
        message.info.sender = Some(Sender::user(user("alice", &sender)));
        message.meta = Some(MetaInfo::of_user(&sender, Address::user("alice", &sender)));
        let primitive = Primitive::from(message);
        self.members[from].sap.request(
            crate::home::ELEMENT,
            Token(number.wrapping_add(now.0 << 20)),
            &primitive,
            now.plus_millis(3_600_000),
            now,
        );
        self.drain(from);
    }

    fn take(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Inbound(number, message, reply) => {
                let verdict = self.members[number]
                    .sap
                    .receive(&message, &Facts::default(), now);
                let _ = reply.send(verdict);
                self.drain(number);
            }
            Event::Posted(number, posted) => {
                let outcome = match posted.outcome {
                    PostOutcome::Acknowledged => Posted::Acknowledged,
                    PostOutcome::Refused { status, .. } => Posted::Refused {
                        status,
                        retry_after: None,
                    },
                    PostOutcome::Closed => Posted::Closed,
                    PostOutcome::Unreachable { reason } => Posted::Failed(reason),
                    PostOutcome::TimedOut => Posted::TimedOut,
                };
                self.members[number].sap.posted(posted.id, &outcome, now);
                self.drain(number);
            }
        }
    }

    fn drain(&mut self, number: usize) {
        let now = self.clock.now();
        let Some(member) = self.members.get_mut(number) else {
            return;
        };
        while let Some(effect) = member.sap.next_effect() {
            match effect {
                Effect::Post(post) => {
                    let _ = member.posts.try_send(HttpPost {
                        id: post.number,
                        body: post.body,
                        headers: Vec::new(),
                        target: post.url.map_or(Target::Usual, Target::Url),
                    });
                }
                Effect::Deliver(_, delivered) => {
                    let Some(id) = delivered.id else { continue };
                    let answer = match delivered.primitive {
                        Primitive::SendMessageRequest(message) => SendMessageResponse {
                            message_id: message.info.message_id.unwrap_or_default(),
                            status: Status::ok(),
                        }
                        .into(),
                        _ => Primitive::status(Code::NOT_IMPLEMENTED),
                    };
                    member.sap.respond(crate::home::ELEMENT, id, answer, now);
                }
                Effect::Answer(_, _, answer) => {
                    self.answered += 1;
                    let code = match answer {
                        Primitive::SendMessageResponse(answer) => answer.status.code,
                        Primitive::Status(status) => status.code,
                        _ => Code::INTERNAL,
                    };
                    if code != Code::OK {
                        self.wrong = Some(format!("a message was answered {}", code.0));
                    }
                }
                // There is no store behind these domains.
                Effect::Load(_) => {
                    self.wrong = Some("more waits for the relay than is kept in memory".to_owned());
                }
                _ => {}
            }
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
