//! A domain at the end of a chain: a SAP on a disk, with service elements that answer every
//! request as the samples do. It runs in a process of its own and is told what to send.
//!
//! What its service elements get, and the results of what they send, is written down together
//! with the SAP's own records: whoever kills the process finds each of them once, or not at all.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wvgate::http::link::{self, Link, PostOutcome, Posted as HttpPosted, Report, Target};
use wvgate::http::server::{self, Inbound, Receiver, Verdict as HttpVerdict};
use wvgate::imps::common::Recipient;
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Primitive};
use wvgate::node::clock::{self, Clock};
use wvgate::sap::{
    Delivered, Effect, Element, Facts, Post, Posted, Sap, Settings, Time, Token, Verdict,
};
use wvgate::ssp::Message;
use wvgate::ssp::envelope::{decode_fragment, scan};
use wvgate::store::{SqliteStore, Store, Write, load_all, sqlite};

use super::process::plan;
use super::samples::{HOME, Sample, VILLAGE};
use super::samples::{answer_to, answers, samples, text};

/// Names the configuration of an end that runs in a process of its own.
pub(crate) const CONFIG: &str = "WVGATE_TEST_END";
/// Set if its service elements act upon what they get.
pub(crate) const ACTS: &str = "WVGATE_TEST_END_ACTS";
/// The test that is such an end.
pub(crate) const END: &str = "chain::end_process";
/// Before every answer to a command.
pub(crate) const ANSWER: &str = "@@ ";
/// From here on tokens are of what an end sends by itself.
pub(crate) const OWN_TOKENS: u64 = 1 << 40;

enum Input {
    Message(Box<Message>, oneshot::Sender<Verdict>),
    Posted(u64, Posted),
    Command(String),
}

struct End {
    sap: Sap,
    clock: Clock,
    store: SqliteStore,
    links: HashMap<String, Link<Told>>,
    answers: BTreeMap<String, Primitive>,
    acts: bool,
    received: Vec<Value>,
    results: Vec<Value>,
}

/// Where the word on posts goes.
struct Told(mpsc::Sender<Input>);

impl Report for Told {
    async fn report(&self, posted: HttpPosted) {
        let input = Input::Posted(posted.id, outcome(posted.outcome));
        let _ = self.0.send(input).await;
    }
}

/// Runs the end that the environment names, until its input ends or it is killed.
pub(crate) async fn serve() {
    let Some(file) = std::env::var_os(CONFIG) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let plan = plan(&PathBuf::from(file));
    std::fs::create_dir_all(&plan.data).unwrap();
    let store = SqliteStore::open(&plan.data.join("end.db"), sqlite::Options::default()).unwrap();
    let (inputs, mut inbox) = mpsc::channel(1024);
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let server = server::bind(plan.server.clone()).await.unwrap();
    let receiver = Arc::new(Door(inputs.clone()));
    tracker.spawn(server.run(receiver, stop.clone(), stop.clone()));
    let mut links = HashMap::new();
    for settings in &plan.links {
        let told = Told(inputs.clone());
        let link = Link::new(settings.clone(), told, tracker.clone(), stop.clone());
        links.insert(settings.peer.clone(), link);
    }
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = inputs.blocking_send(Input::Command(line));
        }
        std::process::exit(0);
    });
    let mut end = End::restored(plan.settings.clone(), store, links).await;
    loop {
        let due = end.sap.next_timeout().map(|at| end.clock.instant(at));
        let wake = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            input = inbox.recv() => end.take(input.unwrap()).await,
            () = wake => {
                let now = end.clock.now();
                end.sap.timeout(now);
                end.settle(now).await;
            }
        }
    }
}

impl End {
    async fn restored(
        settings: Arc<Settings>,
        store: SqliteStore,
        links: HashMap<String, Link<Told>>,
    ) -> Self {
        let mut sap = Sap::new(settings, clock::random());
        sap.set_elements(super::world::elements());
        let (mut received, mut results) = (Vec::new(), Vec::new());
        let restored = load_all(&store, "", |key, value| {
            if key.starts_with("end/received/") {
                received.push(serde_json::from_slice(&value).unwrap());
            } else if key.starts_with("end/result/") {
                results.push(serde_json::from_slice(&value).unwrap());
            } else {
                sap.restore(&key, &value).unwrap();
            }
            Ok(())
        });
        restored.await.unwrap();
        let mut end = Self {
            sap,
            clock: Clock::start(),
            store,
            links,
            answers: answers(&samples(false)),
            acts: std::env::var_os(ACTS).is_some(),
            received,
            results,
        };
        let now = end.clock.now();
        end.sap.start(now);
        end.settle(now).await;
        end
    }

    async fn take(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Message(message, reply) => {
                let verdict = self.sap.receive(&message, &Facts::default(), now);
                self.settle(now).await;
                let _ = reply.send(verdict);
            }
            Input::Posted(number, outcome) => {
                self.sap.posted(number, &outcome, now);
                self.settle(now).await;
            }
            Input::Command(line) => {
                let command: Value = serde_json::from_str(&line).unwrap();
                let answer = self.command(&command, now).await;
                println!("{ANSWER}{answer}");
            }
        }
    }

    /// `{"send": token, "xml": primitive}`, answered when it is on the disk; or
    /// `{"received": n, "results": n}`, answered by what came after those.
    async fn command(&mut self, command: &Value, now: Time) -> Value {
        if let Some(token) = command["send"].as_u64() {
            let xml = command["xml"].as_str().unwrap();
            let primitive = decode_fragment(xml.as_bytes()).unwrap();
            self.send(token, &primitive, now);
            self.settle(now).await;
            return json!({"sent": token});
        }
        let after = |list: &[Value], key: &str| {
            let from = usize::try_from(command[key].as_u64().unwrap()).unwrap();
            list.get(from..).unwrap_or_default().to_vec()
        };
        let open = self.sap.transactions().all_open();
        json!({
            "received": after(&self.received, "received"),
            "results": after(&self.results, "results"),
            "open": open.count(),
        })
    }

    fn send(&mut self, token: u64, primitive: &Primitive, now: Time) {
        let expires = now.plus_seconds(3600);
        let (element, token) = (wvgate::home::ELEMENT, Token(token));
        self.sap.request(element, token, primitive, expires, now);
    }

    fn has_result(&self, token: u64) -> bool {
        let mut results = self.results.iter();
        results.any(|result| result["token"].as_u64() == Some(token))
    }

    /// Does what the SAP wants done: nothing leaves before it is on the disk.
    async fn settle(&mut self, now: Time) {
        let (mut writes, mut posts) = (Vec::new(), Vec::new());
        while let Some(effect) = self.sap.next_effect() {
            match effect {
                Effect::Write(write) => writes.push(write),
                Effect::Post(post) => posts.push(post),
                Effect::Load(load) => panic!("more waits than is in memory: {load:?}"),
                Effect::Deliver(element, delivered) => {
                    writes.push(self.delivered(element, &delivered, now));
                }
                // What is heard of a message after 202 is no result any more.
                Effect::Answer(_, Token(token), _) if self.has_result(token) => {}
                Effect::TakenOver(_, Token(token), primitive)
                | Effect::Answer(_, Token(token), primitive) => {
                    let result = json!({"token": token, "xml": primitive.to_xml(None)});
                    let key = format!("end/result/{:012}", self.results.len());
                    writes.push(Write::put_json(key, &result));
                    self.results.push(result);
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
        if !writes.is_empty() {
            self.store.commit(writes).await.unwrap();
        }
        for post in posts {
            self.post(post, now);
        }
    }

    fn delivered(&mut self, element: Element, delivered: &Delivered, now: Time) -> Write {
        let primitive = &delivered.primitive;
        let number = self.received.len();
        let received = json!({"name": primitive.name(), "xml": primitive.to_xml(None)});
        let write = Write::put_json(format!("end/received/{number:012}"), &received);
        self.received.push(received);
        if let Some(id) = delivered.id {
            let answer = answer_to(primitive, &self.answers);
            self.sap.respond(element, id, answer, now);
        }
        if self.acts {
            let domain = self.sap.settings().domain.clone();
            for (nth, act) in acts(&domain, primitive).iter().enumerate() {
                self.send(OWN_TOKENS + (number * 8 + nth) as u64, act, now);
            }
        }
        write
    }

    fn post(&mut self, post: Post, now: Time) {
        let mut headers = Vec::new();
        headers.extend(post.transaction.map(|id| ("x-wv-transactionid", id)));
        let session = post.session.as_ref();
        headers.extend(session.map(|id| ("x-wv-sessionid", id.as_str().to_owned())));
        let http = link::Post {
            id: post.number,
            body: post.body,
            headers,
            target: post.url.map_or(Target::Usual, Target::Url),
        };
        if self.links[&post.peer].post(http).is_err() {
            let full = Posted::Failed("the link is full".to_owned());
            self.sap.posted(post.number, &full, now);
        }
    }
}

/// What service elements do upon a request: a subscription is followed by a notification, a
/// message by a report if one is wanted, joining a group by the news and a message of the group,
/// an invitation by its acceptance.
fn acts(own: &str, request: &Primitive) -> Vec<Primitive> {
    let user = |meta: &Option<wvgate::imps::common::MetaInfo>| {
        let user = meta.as_ref().and_then(|meta| meta.user()).cloned();
        user.map(|user| user.user)
    };
    match request {
        Primitive::SubscribeRequest(request) => {
            let (Some(watcher), Some(publisher)) = (user(&request.meta), request.users.first())
            else {
                return Vec::new();
            };
            vec![told(own, "017", &watcher, &publisher.user, &[])]
        }
        Primitive::SendMessageRequest(request) if request.delivery_report => {
            let sender = request.info.sender.as_ref().and_then(|s| s.user.as_ref());
            let (Some(sender), Some(Recipient::User(recipient)), Some(id)) = (
                sender,
                request.info.recipients.first(),
                &request.info.message_id,
            ) else {
                return Vec::new();
            };
            let change = ("m-20040522-0017", id.as_str());
            vec![told(own, "025", &sender.user, &recipient.user, &[change])]
        }
        Primitive::JoinGroupRequest(request) => {
            let Some(user) = user(&request.meta) else {
                return Vec::new();
            };
            let id = format!("of-{}", user.local());
            let group = ("wv:bob/party@village.example", request.group.as_str());
            let message = [group, ("77c2b1", id.as_str())];
            vec![
                told(own, "038", &user, &user, &[group]),
                told(own, "022", &user, &user, &message),
            ]
        }
        Primitive::InviteRequest(request) => {
            let (Some(inviting), Some(invited)) = (&request.inviting, &request.invited) else {
                return Vec::new();
            };
            let id = ("inv-8825", request.invite_id.as_str());
            vec![told(
                own,
                "013",
                inviting.address(),
                invited.address(),
                &[id],
            )]
        }
        _ => Vec::new(),
    }
}

/// A sample from `own`, to this user, about that one.
fn told(
    own: &str,
    file: &str,
    to: &Address,
    about: &Address,
    changes: &[(&str, &str)],
) -> Primitive {
    let mut text = text(file, false)
        .replace(&format!("bob@{VILLAGE}"), "\u{1}")
        .replace(&format!("alice@{HOME}"), "\u{2}");
    for (old, new) in changes {
        text = text.replace(old, new);
    }
    text = text
        .replace(&format!("wv:@{VILLAGE}"), &format!("wv:@{own}"))
        .replace('\u{1}', about.bare())
        .replace('\u{2}', to.bare());
    Sample::read(file, text).primitive
}

fn outcome(outcome: PostOutcome) -> Posted {
    match outcome {
        PostOutcome::Acknowledged => Posted::Acknowledged,
        PostOutcome::Refused {
            status,
            retry_after,
        } => Posted::Refused {
            status,
            retry_after,
        },
        PostOutcome::Closed => Posted::Closed,
        PostOutcome::Unreachable { reason } => Posted::Failed(reason),
        PostOutcome::TimedOut => Posted::Failed("no answer in time".to_owned()),
    }
}

/// Where peers come in.
struct Door(mpsc::Sender<Input>);

impl Receiver for Door {
    async fn receive(&self, inbound: Inbound) -> HttpVerdict {
        let Ok(message) = scan(&inbound.body, &Limits::default()) else {
            return HttpVerdict::Malformed;
        };
        let (reply, verdict) = oneshot::channel();
        let _ = self.0.send(Input::Message(Box::new(message), reply)).await;
        match verdict.await.unwrap() {
            Verdict::Accepted => HttpVerdict::Accepted,
            Verdict::Malformed => HttpVerdict::Malformed,
            Verdict::Forbidden => HttpVerdict::Forbidden,
            Verdict::Busy(_) => HttpVerdict::Busy { retry_after: None },
        }
    }
}
