//! `wvgate bench home`: what a home domain with many users takes.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::super::Failure;
use super::super::chat::requests::Requests;
use super::super::output::{self, Format};
use super::chain::{Folder, free_port};
use super::process::Node;
use crate::admin::{Client, Line, Request};
use crate::home::{Delivery, FromClient, Takes, ToClient};
use crate::imps::presence::AttributeName;
use crate::imps::primitive::contact_list::NickName;
use crate::imps::{Address, Code, Primitive};
use crate::store::{self, Store as _, StoreError, Write};

/// Users whose records are committed together.
const TOGETHER: usize = 1_000;
/// No answer for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(60);
const DOMAIN: &str = "home.test";
/// Of those who watch the first user; a node serves no more connections to its control socket.
const MAX_WATCHERS: usize = 200;

#[derive(Args)]
#[command(after_help = "\
Makes a home domain whose users have contacts, watch them, and are all offline. A node is started
on it: shown are the time until it serves, and its memory for a user. Then pairs of users log in
and write to each other, and one user's status goes to many who watch; the same in a domain that has
no more users than these, so that the price of the others is seen.

Examples:
  wvgate bench home
  wvgate bench home --users 1000000 --contacts 10 --format json")]
pub(super) struct Home {
    /// Users of the domain
    #[arg(long, default_value_t = 100_000)]
    users: usize,
    /// Contacts of each
    #[arg(long, default_value_t = 10)]
    contacts: usize,
    /// Messages of each measurement
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Messages under way at once, each of another pair of users
    #[arg(long, default_value_t = 32)]
    pairs: usize,
    /// Users who watch one, at most 200
    #[arg(long, default_value_t = 200)]
    watchers: usize,
    /// Changes of that one's status
    #[arg(long, default_value_t = 50)]
    changes: u64,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    users: usize,
    contacts: usize,
    store_kib: u64,
    start_seconds: f64,
    start_cpu_seconds: f64,
    rss_kib: u64,
    /// Above what the small domain takes.
    bytes_per_user: f64,
    many: Load,
    /// In a domain of no more users than take part.
    few: Load,
}

#[derive(Serialize)]
struct Load {
    login_ms: f64,
    messages_per_second: f64,
    cpu_seconds_per_10k_messages: f64,
    notifications_per_second: f64,
    cpu_seconds_per_10k_notifications: f64,
}

pub(super) async fn home(args: Home) -> Result<(), Failure> {
    let least = (2 * args.pairs).max(args.watchers.min(MAX_WATCHERS) + 1);
    let few = least.max(args.contacts + 1);
    let small = Folder::make("home-small")?;
    fill(&small, &args, few).await?;
    let (started, small_load) = measure(&small, &args, few).await?;
    let large = Folder::make("home")?;
    fill(&large, &args, args.users.max(few)).await?;
    let store_kib = large.data_kib();
    let (start, load) = measure(&large, &args, args.users.max(few)).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let bytes_per_user = start.rss_kib.saturating_sub(started.rss_kib) as f64 * 1024.0
        / (args.users.saturating_sub(few)).max(1) as f64;
    let report = Report {
        users: args.users.max(few),
        contacts: args.contacts,
        store_kib,
        start_seconds: start.seconds,
        start_cpu_seconds: start.cpu,
        rss_kib: start.rss_kib,
        bytes_per_user,
        many: load,
        few: small_load,
    };
    match args.format {
        Format::Json => {
            let report = serde_json::to_value(&report)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            output::json(&report)
        }
        Format::Text => output::line(text(&report)),
    }
}

struct Started {
    seconds: f64,
    cpu: f64,
    rss_kib: u64,
}

fn name(number: usize) -> String {
    format!("u{number:08}")
}

fn address(number: usize) -> Address {
    Address::user(&name(number), DOMAIN)
}

async fn start(folder: &Folder, rest_after: &str, users: usize) -> Result<Node, Failure> {
    let path = folder.path();
    let file = path.join("home.toml");
    let mut text = format!(
        "[node]\ndomain = \"{DOMAIN}\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/home.sock\"\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{1}\"\nplain = true\n\
         [home]\nrest_after = \"{rest_after}\"\nmax_users = {2}\n",
        path.display(),
        free_port()?,
        users.max(2_000_000)
    );
    if rest_after == "0s" {
        for number in 0..users {
            let _ = write!(
                text,
                "[[home.user]]\nname = \"{}\"\npassword = \"bench\"\n",
                name(number)
            );
        }
    }
    std::fs::write(&file, text)
        .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let socket = path.join("home.sock");
    tokio::task::spawn_blocking(move || Node::start("home domain", &file, socket))
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?
}

/// Makes the store of a domain of so many users: the first one with their contacts by a running
/// node, all others as they are.
async fn fill(folder: &Folder, args: &Home, users: usize) -> Result<(), Failure> {
    let node = start(folder, "0s", args.contacts + 1).await?;
    let mut clients = Vec::new();
    for number in 0..=args.contacts {
        clients.push(User::login(&node, number).await?);
    }
    for (number, user) in clients.iter_mut().enumerate() {
        for other in (0..=args.contacts).filter(|other| *other != number) {
            let nick = NickName {
                user: address(other),
                name: None,
            };
            let contact = user.requests.contacts(Some(nick), None);
            user.ask(contact).await?;
            let watch = user.requests.subscribe(address(other));
            user.ask(watch).await?;
        }
    }
    drop(clients);
    // Until all of them are at rest.
    let data = folder.path().join("data");
    let records = at_rest(node, folder, &data, args.contacts + 1).await?;
    let model = records.first().cloned().unwrap_or_default();
    let model = String::from_utf8_lossy(&model).into_owned();
    let failed = |error: StoreError| Failure::Failed(format!("cannot fill a store: {error}"));
    let store = store::open(&data).map_err(failed)?;
    let all: Vec<usize> = (args.contacts + 1..users).collect();
    for numbers in all.chunks(TOGETHER) {
        let writes = numbers.iter().map(|number| {
            let mut record = String::with_capacity(model.len());
            let mut rest = model.as_str();
            // Each contact of the first user becomes another one: a number that much higher.
            while let Some(at) = rest.find("wv:u") {
                let digits = &rest[at + 4..at + 12];
                let other: usize = digits.parse().unwrap_or(0);
                record.push_str(&rest[..at]);
                let _ = write!(record, "wv:{}", name((number + other) % users));
                rest = &rest[at + 12..];
            }
            record.push_str(rest);
            Write::put(format!("home/rest/{}", name(*number)), record)
        });
        let kept = store.commit_soon(writes.collect()).await;
        kept.map_err(failed)?;
    }
    // What is in order on disk is read as fast as it can be.
    drop(store);
    Ok(())
}

/// The records of the users of a node, once all are at rest; the node ends.
async fn at_rest(
    node: Node,
    folder: &Folder,
    data: &Path,
    users: usize,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut node = Some(node);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(node.take());
        let records = {
            let store = store::open(data);
            let store = store.map_err(|error| Failure::Failed(error.to_string()))?;
            let page = store.scan("home/rest/", None, users).await;
            page.map_err(|error| Failure::Failed(error.to_string()))?
        };
        if records.len() >= users {
            return Ok(records.into_iter().map(|(_, record)| record).collect());
        }
        node = Some(start(folder, "0s", users).await?);
    }
    Err(Failure::Failed("the users do not go to rest".to_owned()))
}

async fn measure(folder: &Folder, args: &Home, users: usize) -> Result<(Started, Load), Failure> {
    let before = Instant::now();
    let node = start(folder, "1m", users).await?;
    let started = Started {
        seconds: before.elapsed().as_secs_f64(),
        cpu: node.process().cpu(),
        rss_kib: node.process().rss_kib(),
    };
    let before = Instant::now();
    let mut pairs = Vec::new();
    // Spread over all users.
    let step = (users / (2 * args.pairs).max(1)).max(1);
    for pair in 0..args.pairs {
        let sender = User::login(&node, 2 * pair * step).await?;
        let recipient = User::login(&node, (2 * pair + 1) * step).await?;
        pairs.push((sender, recipient));
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let logins = before.elapsed().as_secs_f64() * 1000.0 / (2.0 * args.pairs.max(1) as f64);
    let pairs = carry(pairs, args.pairs as u64 * 4).await?;
    let (cpu, begun) = (node.process().cpu(), Instant::now());
    drop(carry(pairs, args.messages).await?);
    let messages = begun.elapsed().as_secs_f64();
    let message_cpu = node.process().cpu() - cpu;
    let (told, seconds, told_cpu) = tell(&node, args).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (sent, told) = (args.messages as f64, told as f64);
    let load = Load {
        login_ms: logins,
        messages_per_second: sent / messages,
        cpu_seconds_per_10k_messages: message_cpu / sent * 10_000.0,
        notifications_per_second: told / seconds,
        cpu_seconds_per_10k_notifications: told_cpu / told * 10_000.0,
    };
    Ok((started, load))
}

/// Has each sender write to its recipient, one message at a time.
async fn carry(pairs: Vec<(User, User)>, messages: u64) -> Result<Vec<(User, User)>, Failure> {
    let share = messages / (pairs.len() as u64).max(1);
    let mut running = tokio::task::JoinSet::new();
    for (mut sender, mut recipient) in pairs {
        running.spawn(async move {
            let to = address(recipient.number);
            let reading = tokio::spawn(async move {
                for _ in 0..share {
                    recipient.take().await?;
                }
                Ok::<_, Failure>(recipient)
            });
            for _ in 0..share {
                let text = "a message of about the length of a short message";
                let message = sender.requests.message(to.clone(), text, false, None);
                sender.ask(message).await?;
            }
            let recipient = reading
                .await
                .map_err(|error| Failure::Failed(error.to_string()))??;
            Ok::<_, Failure>((sender, recipient))
        });
    }
    let done = tokio::time::timeout(PATIENCE * 10, running.join_all()).await;
    let done = done.map_err(|_| Failure::Failed("not all messages arrived".to_owned()))?;
    done.into_iter().collect()
}

/// Has one user change their status before many: how often somebody was told, seconds, CPU seconds.
async fn tell(node: &Node, args: &Home) -> Result<(u64, f64, f64), Failure> {
    let watchers = args.watchers.min(MAX_WATCHERS);
    let mut publisher = User::login(node, 0).await?;
    let mut running = Vec::new();
    for number in 1..=watchers {
        let mut watcher = User::login(node, number).await?;
        let watch = watcher.requests.subscribe(address(0));
        watcher.ask(watch).await?;
        let grant = publisher.requests.authorize(address(number), true, None);
        publisher.ask(grant).await?;
        running.push(watcher);
    }
    let last = format!("status {}", args.changes);
    let reading: Vec<_> = running
        .into_iter()
        .map(|mut watcher| {
            let last = last.clone();
            tokio::spawn(async move { watcher.hear(&last).await })
        })
        .collect();
    let (cpu, begun) = (node.process().cpu(), Instant::now());
    for number in 1..=args.changes {
        let value = Some(format!("status {number}"));
        let values = vec![(AttributeName::StatusText, value)];
        let change = publisher.requests.own_presence(values);
        publisher.ask(change).await?;
    }
    for reading in reading {
        let heard = tokio::time::timeout(PATIENCE, reading).await;
        let heard = heard.map_err(|_| Failure::Failed("not all were told".to_owned()))?;
        heard.map_err(|error| Failure::Failed(error.to_string()))??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let told = args.changes * watchers as u64;
    Ok((told, seconds, node.process().cpu() - cpu))
}

/// A session of a user.
struct User {
    client: Client,
    requests: Requests,
    number: usize,
    asked: u64,
}

impl User {
    async fn login(node: &Node, number: usize) -> Result<Self, Failure> {
        let mut client = Client::connect(&node.socket).await?;
        let chat = Request::Chat {
            user: name(number),
            password: None,
            takes: Takes::Everything,
            delivery: Delivery::default(),
        };
        client.say(&chat).await?;
        while !matches!(client.next().await?, Line::Event(ToClient::Opened { .. })) {}
        Ok(Self {
            client,
            requests: Requests::of(address(number)),
            number,
            asked: 0,
        })
    }

    /// Asks, and waits for the answer.
    async fn ask(&mut self, primitive: Primitive) -> Result<(), Failure> {
        self.asked += 1;
        let id = self.asked.to_string();
        let request = FromClient::Request {
            id: id.clone(),
            primitive: Box::new(primitive),
        };
        self.client.say(&request).await?;
        loop {
            match self.next().await? {
                ToClient::Answer {
                    id: answered,
                    primitive,
                    ..
                } if answered == id => {
                    let code = primitive.verdict().map_or(Code::OK, |s| s.code);
                    if code.is_success() {
                        return Ok(());
                    }
                    let why = format!("{} was answered {}", primitive.name(), code.0);
                    return Err(Failure::Failed(why));
                }
                _ => {}
            }
        }
    }

    /// Waits for a message.
    async fn take(&mut self) -> Result<(), Failure> {
        loop {
            if let ToClient::Take { primitive, .. } = self.next().await?
                && matches!(*primitive, Primitive::NewMessage(_))
            {
                return Ok(());
            }
        }
    }

    /// Waits until somebody has this status.
    async fn hear(&mut self, status: &str) -> Result<(), Failure> {
        loop {
            if let ToClient::Now { primitive } = self.next().await?
                && primitive.to_xml(None).contains(&format!(">{status}<"))
            {
                return Ok(());
            }
        }
    }

    /// What it is told next; acknowledged, where that is wanted.
    async fn next(&mut self) -> Result<ToClient, Failure> {
        loop {
            if let Line::Event(told) = self.client.next().await? {
                if let Some(number) = told.number() {
                    self.client.say(&FromClient::Ack { number }).await?;
                }
                return Ok(told);
            }
        }
    }
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} users with {} contacts each, {} KiB on disk\nserves after {:.2} s, {:.2} CPU s; {} KiB resident, {:.0} bytes for a user who is offline",
        report.users,
        report.contacts,
        report.store_kib,
        report.start_seconds,
        report.start_cpu_seconds,
        report.rss_kib,
        report.bytes_per_user
    );
    for (which, load) in [("all", &report.many), ("few", &report.few)] {
        let _ = write!(
            text,
            "\nof {which} users: login {:.1} ms; {:.0} messages/s, {:.2} CPU s per 10 000; {:.0} notifications/s, {:.2} CPU s per 10 000",
            load.login_ms,
            load.messages_per_second,
            load.cpu_seconds_per_10k_messages,
            load.notifications_per_second,
            load.cpu_seconds_per_10k_notifications
        );
    }
    text
}
