//! Many peer domains in one process, each with a SAP of its own: the other side of a relay with
//! many sessions.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::Failure;
use crate::http::REST_AFTER;
use crate::http::link::{
    Link, LinkSettings, Post as HttpPost, PostOutcome, Posted as HttpPosted, Report, Target,
};
use crate::http::server::{self, Inbound, Receiver, ServerSettings, Verdict as HttpVerdict};
use crate::http::srv::SrvResolver;
use crate::http::tls::{self, ClientTls};
use crate::imps::common::{MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::xml::Limits;
use crate::imps::{Address, Code, Primitive, Status};
use crate::node::clock::{self, Clock};
use crate::sap::{
    Dialect, Effect, Facts, Login, Peer, Posted, Route, Sap, Settings, Token, Verdict,
};
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
    /// Messages that came.
    received: u64,
    /// Subscriptions that came.
    subscribed: u64,
    /// Numbers of what is asked besides messages that are counted.
    asked: u64,
    /// What went wrong, if anything did.
    wrong: Option<String>,
}

/// How long nothing has come, and when timers are looked after.
struct Pace {
    tick: Interval,
    quiet: Instant,
}

impl Pace {
    fn begin() -> Self {
        Self {
            tick: tokio::time::interval(TICK),
            quiet: Instant::now(),
        }
    }
}

struct Member {
    sap: Sap,
    link: Link<Told>,
}

enum Event {
    Inbound(usize, Box<Message>, oneshot::Sender<Verdict>),
    Posted(usize, HttpPosted),
}

/// Ports of domains that are to come.
pub(super) struct Places {
    servers: Vec<server::Server>,
    is_safe: bool,
}

/// The number of a domain, and its name.
pub(super) fn domain(number: usize) -> String {
    format!("p{number:05}.test")
}

impl Places {
    /// Binds a port for each of so many domains.
    pub(super) async fn bind(count: usize) -> Result<Self, Failure> {
        Self::bind_safe(count, None).await
    }

    /// The same, with TLS.
    pub(super) async fn bind_safe(
        count: usize,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Result<Self, Failure> {
        let mut servers = Vec::with_capacity(count);
        for _ in 0..count {
            let settings = ServerSettings {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                idle_timeout: Duration::from_secs(600),
                plain: tls.is_none(),
                tls: tls.clone(),
                ..ServerSettings::default()
            };
            let server = server::bind(settings)
                .await
                .map_err(|error| Failure::Failed(format!("cannot listen: {error}")))?;
            servers.push(server);
        }
        Ok(Self {
            servers,
            is_safe: tls.is_some(),
        })
    }

    pub(super) fn urls(&self) -> Vec<String> {
        let scheme = if self.is_safe { "https" } else { "http" };
        let url = |server: &server::Server| format!("{scheme}://{}/", server.local_addr());
        self.servers.iter().map(url).collect()
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

/// Where the word on posts of a domain goes.
struct Told {
    number: usize,
    events: mpsc::Sender<Event>,
}

impl Report for Told {
    async fn report(&self, posted: HttpPosted) {
        let _ = self.events.send(Event::Posted(self.number, posted)).await;
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
        for (number, server) in places.servers.into_iter().enumerate() {
            let own = domain(number);
            let mut relay = Peer::new("relay.test", Arc::clone(&dialect));
            relay.speaks_for.any = true;
            let settings = Settings::new(&own)
                .with_peer(relay)
                .with_route(&own, Route::Local(crate::home::ELEMENT))
                .with_route("*", Route::Peer("relay.test".to_owned()));
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
                rest_after: REST_AFTER,
                max_connections: 4,
                user_agent: "wvgate-bench".into(),
                srv: Arc::clone(&srv),
                known: None,
                shown: None,
            };
            let events = sender.clone();
            let told = Told {
                number,
                events: sender.clone(),
            };
            let link = Link::new(link, told, tracker.clone(), stop.clone());
            let door = Arc::new(Door { number, events });
            tokio::spawn(server.run(door, stop.clone(), stop.clone()));
            let sap = Sap::new(Arc::new(settings), clock::random());
            members.push(Member { sap, link });
        }
        Ok(Self {
            members,
            events,
            clock: Clock::start(),
            stop,
            message,
            answered: 0,
            received: 0,
            subscribed: 0,
            asked: 0,
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
        let next = |number: u64| {
            let from = usize::try_from(number).unwrap_or(0) % active;
            let bob = Address::user("bob", &domain((from + 1) % active));
            (from, Recipient::User(User::new(bob)))
        };
        self.send_all(count, window, next).await
    }

    /// Sends messages from the first domain to this recipient, `count` in all, `window` at a time;
    /// returns when all are answered.
    pub(super) async fn send_to(
        &mut self,
        to: &Recipient,
        count: u64,
        window: u64,
    ) -> Result<(), Failure> {
        self.send_all(count, window, |_| (0, to.clone())).await
    }

    async fn send_all(
        &mut self,
        count: u64,
        window: u64,
        next: impl Fn(u64) -> (usize, Recipient),
    ) -> Result<(), Failure> {
        let (mut sent, before) = (0_u64, self.answered);
        let mut pace = Pace::begin();
        while self.answered - before < count {
            while sent < count && sent - (self.answered - before) < window {
                let (from, to) = next(sent);
                self.send(from, to, sent);
                sent += 1;
            }
            self.step(&mut pace).await?;
        }
        Ok(())
    }

    /// Works until it is as wanted. It may be dropped meanwhile.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let mut pace = Pace::begin();
        while !wanted(self) {
            self.step(&mut pace).await?;
        }
        Ok(())
    }

    /// Lets these domains log in to the relay; returns when all have.
    pub(super) async fn log_in(&mut self, who: Range<usize>) -> Result<(), Failure> {
        let now = self.clock.now();
        for number in who.clone() {
            if let Some(member) = self.members.get_mut(number) {
                member.sap.connect_now("relay.test", now);
            }
            self.drain(number);
        }
        let of = |crowd: &Self, number: usize| {
            let member = crowd.members.get(number);
            member.map(|member| member.sap.login("relay.test"))
        };
        let is_under_way = |login: Option<Login>| matches!(login, Some(Login::UnderWay));
        let has_ended = |crowd: &Self| !who.clone().any(|it| is_under_way(of(crowd, it)));
        self.until(has_ended).await?;
        match who.clone().find_map(|number| of(self, number)) {
            Some(Login::Failed(why)) => Err(Failure::Failed(format!("no login: {why}"))),
            _ => Ok(()),
        }
    }

    /// Messages that came, to any domain.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Subscriptions that came, to any domain.
    pub(super) fn subscribed(&self) -> u64 {
        self.subscribed
    }

    /// Says something from the first domain; nothing waits for its answer.
    pub(super) fn tell(&mut self, primitive: &Primitive) {
        let now = self.clock.now();
        self.asked += 1;
        let token = Token(u64::MAX - self.asked);
        if let Some(first) = self.members.first_mut() {
            let expires = now.plus_millis(3_600_000);
            first
                .sap
                .request(crate::home::ELEMENT, token, primitive, expires, now);
        }
        self.drain(0);
    }

    /// Takes one event, or does what is due.
    async fn step(&mut self, pace: &mut Pace) -> Result<(), Failure> {
        tokio::select! {
            event = self.events.recv() => match event {
                Some(event) => {
                    pace.quiet = Instant::now();
                    self.take(event);
                }
                None => return Err(Failure::Failed("the peers have stopped".to_owned())),
            },
            _ = pace.tick.tick() => {
                if pace.quiet.elapsed() > PATIENCE {
                    return Err(Failure::Failed("no answer for a minute".to_owned()));
                }
                let now = self.clock.now();
                for number in 0..self.members.len() {
                    self.members[number].sap.timeout(now);
                    self.drain(number);
                }
            }
        }
        self.wrong
            .take()
            .map_or(Ok(()), |wrong| Err(Failure::Failed(wrong)))
    }

    fn send(&mut self, from: usize, to: Recipient, number: u64) {
        let now = self.clock.now();
        let mut message = self.message.clone();
        let sender = domain(from);
        let alice = User::new(Address::user("alice", &sender));
        message.info.message_id = Some(format!("{from}-{number}-{}", now.0));
        message.info.recipients = vec![to];
        message.info.sender = Some(Sender::user(alice));
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
                    let _ = member.link.post(HttpPost {
                        id: post.number,
                        body: post.body,
                        headers: Vec::new(),
                        target: post.url.map_or(Target::Usual, Target::Url),
                    });
                }
                Effect::Deliver(_, delivered) => {
                    let Some(id) = delivered.id else { continue };
                    let answer = match delivered.primitive {
                        Primitive::SendMessageRequest(message) => {
                            self.received += 1;
                            SendMessageResponse {
                                message_id: message.info.message_id.unwrap_or_default(),
                                status: Status::ok(),
                            }
                            .into()
                        }
                        Primitive::SubscribeRequest(_) => {
                            self.subscribed += 1;
                            Primitive::status(Code::OK)
                        }
                        Primitive::JoinGroupRequest(_) => Primitive::status(Code::OK),
                        _ => Primitive::status(Code::NOT_IMPLEMENTED),
                    };
                    member.sap.respond(crate::home::ELEMENT, id, answer, now);
                }
                Effect::TakenOver(..) => {
                    self.wrong = Some("a message was answered 202".to_owned());
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
