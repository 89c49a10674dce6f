//! What is done in a home domain while it is measured.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::super::super::Failure;
use super::super::chain::Folder;
use super::super::process::Node;
use super::Home;
use super::domain::{address, start};
use super::user::User;
use crate::imps::presence::AttributeName;

/// No answer for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(60);
/// Users who log in at once, of those who are only there.
const AT_ONCE: usize = 32;

/// What a start took.
pub(super) struct Started {
    pub(super) seconds: f64,
    pub(super) cpu: f64,
    pub(super) rss_kib: u64,
}

/// What its users took.
#[derive(Serialize)]
pub(super) struct Load {
    pub(super) login_ms: f64,
    /// KiB of memory for each of those who are only there; absent if nobody is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kib_per_user_online: Option<f64>,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// What messages and presence took; the same for every server.
#[derive(Serialize)]
pub(in super::super) struct Figures {
    pub(in super::super) messages_per_second: f64,
    pub(in super::super) cpu_seconds_per_10k_messages: f64,
    pub(in super::super) notifications_per_second: f64,
    pub(in super::super) cpu_seconds_per_10k_notifications: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0} messages/s, {:.2} CPU s per 10 000; {:.0} notifications/s, {:.2} CPU s per 10 000",
            self.messages_per_second,
            self.cpu_seconds_per_10k_messages,
            self.notifications_per_second,
            self.cpu_seconds_per_10k_notifications
        )
    }
}

/// Starts a node on a folder, and lets its users do what they do.
pub(super) async fn measure(
    folder: &Folder,
    args: &Home,
    users: usize,
) -> Result<(Started, Load), Failure> {
    let before = Instant::now();
    let node = start(folder, "1m", users).await?;
    let started = Started {
        seconds: before.elapsed().as_secs_f64(),
        cpu: node.process().cpu(),
        rss_kib: node.process().rss_kib(),
    };
    let online = come_online(&node, args, users).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let kib_per_user_online = (!online.is_empty()).then(|| {
        node.process().rss_kib().saturating_sub(started.rss_kib) as f64 / online.len() as f64
    });
    let before = Instant::now();
    let mut pairs = Vec::new();
    // Spread over all users.
    let step = (users / (2 * args.pairs).max(1)).max(1);
    for pair in 0..args.pairs {
        let sender = User::login(&node.socket, 2 * pair * step).await?;
        let recipient = User::login(&node.socket, (2 * pair + 1) * step).await?;
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
        kib_per_user_online,
        figures: Figures {
            messages_per_second: sent / messages,
            cpu_seconds_per_10k_messages: message_cpu / sent * 10_000.0,
            notifications_per_second: told / seconds,
            cpu_seconds_per_10k_notifications: told_cpu / told * 10_000.0,
        },
    };
    drop(online);
    Ok((started, load))
}

/// Lets as many users as are wanted be there, spread over a domain with more of them.
async fn come_online(node: &Node, args: &Home, users: usize) -> Result<Vec<User>, Failure> {
    let online = if users > args.least() { args.online } else { 0 };
    let step = (users / online.max(1)).max(1);
    let mut all = Vec::with_capacity(online);
    let numbers: Vec<usize> = (0..online).map(|number| number * step + step / 2).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let mut logins = tokio::task::JoinSet::new();
        for number in numbers.iter().copied() {
            let socket = node.socket.clone();
            logins.spawn(async move { User::login(&socket, number).await });
        }
        for user in logins.join_all().await {
            all.push(user?);
        }
    }
    Ok(all)
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
    let watchers = args.watchers;
    let mut publisher = User::login(&node.socket, 0).await?;
    let mut running = Vec::new();
    for number in 1..=watchers {
        let mut watcher = User::login(&node.socket, number).await?;
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
