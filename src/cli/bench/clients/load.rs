//! What phones do while their access point is measured.

use std::ops::Range;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::super::Failure;
use super::domain::Domain;
use super::phone::{Channel, Phone};
use crate::csp::Encoding;

/// Phones that log in at once.
const AT_ONCE: usize = 32;
/// Phones that log in by password, at most.
const BY_PASSWORD: usize = 200;
/// No end for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(600);
/// A phone that polls waits that long if nothing was there.
const POLL: Duration = Duration::from_millis(5);
const TEXT: &str = "a message of about the length of a short message";

/// What logins took.
#[derive(Serialize)]
pub(super) struct Logins {
    pub(super) by: &'static str,
    pub(super) per_second: f64,
    pub(super) cpu_seconds_per_1k: f64,
}

/// The node's memory for phones that do nothing.
#[derive(Serialize)]
pub(super) struct Idle {
    pub(super) kib_per_phone: f64,
    pub(super) kib_per_channel: f64,
}

/// What messages took.
#[derive(Serialize)]
pub(super) struct Sent {
    pub(super) encoding: &'static str,
    /// Whether recipients are woken on the channel, or poll.
    pub(super) way: &'static str,
    pub(super) messages_per_second: f64,
    pub(super) cpu_seconds_per_10k: f64,
}

/// Phones that are logged in, each with the channel on which it is woken.
pub(super) type Woken = Vec<(Phone, Channel)>;

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn each(all: f64, count: usize) -> f64 {
    all / count.max(1) as f64
}

/// Runs work for each of these, some at once, in order.
async fn in_turn<T: Send + 'static, W>(
    numbers: Vec<usize>,
    work: impl Fn(usize) -> W,
) -> Result<Vec<T>, Failure>
where
    W: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let mut all = Vec::with_capacity(numbers.len());
    for numbers in numbers.chunks(AT_ONCE) {
        let mut running = JoinSet::new();
        for number in numbers {
            running.spawn(work(*number));
        }
        for done in running.join_all().await {
            all.push(done?);
        }
    }
    Ok(all)
}

/// Lets some log in by password and go again.
pub(super) async fn by_password(domain: &Domain, phones: usize) -> Result<Logins, Failure> {
    let count = phones.min(BY_PASSWORD);
    let (cpu, begun) = (domain.node.process().cpu(), Instant::now());
    let inside = in_turn((0..count).collect(), |number| {
        let mut phone = Phone::new(domain, number);
        async move {
            phone.log_in().await?;
            Ok(phone)
        }
    });
    let inside = inside.await?;
    let logins = logins("password", domain, count, cpu, begun);
    for mut phone in inside {
        phone.log_out().await?;
    }
    Ok(logins)
}

fn logins(by: &'static str, domain: &Domain, count: usize, cpu: f64, begun: Instant) -> Logins {
    Logins {
        by,
        per_second: 1.0 / each(begun.elapsed().as_secs_f64(), count),
        cpu_seconds_per_1k: each(domain.node.process().cpu() - cpu, count) * 1000.0,
    }
}

/// Lets all log in by digest and stay, and opens their channels. What they take is the growth from
/// half of them to all: the first ones use what the process has still from before, and fill what
/// is kept whoever is there, as the cache of the store.
pub(super) async fn all(domain: &Domain, phones: usize) -> Result<(Logins, Idle, Woken), Failure> {
    let half = phones / 2;
    let (cpu, begun) = (domain.node.process().cpu(), Instant::now());
    let mut inside = stay(domain, 0..half).await?;
    let half_in = domain.node.process().rss_kib();
    inside.extend(stay(domain, half..phones).await?);
    let logins = logins("digest", domain, phones, cpu, begun);
    let logged_in = domain.node.process().rss_kib();
    let mut woken = Vec::with_capacity(phones);
    for phone in inside {
        let channel = phone.channel(domain.wake_port).await?;
        woken.push((phone, channel));
    }
    let with_channels = domain.node.process().rss_kib();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let grown = |from: u64, to: u64, by| each(to.saturating_sub(from) as f64, by);
    let idle = Idle {
        kib_per_phone: grown(half_in, logged_in, phones - half),
        kib_per_channel: grown(logged_in, with_channels, phones),
    };
    Ok((logins, idle, woken))
}

/// Lets these log in by digest; their connections are closed again.
async fn stay(domain: &Domain, numbers: Range<usize>) -> Result<Vec<Phone>, Failure> {
    in_turn(numbers.collect(), |number| {
        let mut phone = Phone::new(domain, number);
        async move {
            phone.log_in_by_digest().await?;
            phone.hang_up();
            Ok(phone)
        }
    })
    .await
}

/// Has pairs of phones write to each other in each way. The other phones stay.
pub(super) async fn send(
    domain: &Domain,
    mut phones: Woken,
    pairs: usize,
    messages: u64,
) -> Result<Vec<Sent>, Failure> {
    let idle = phones.split_off(2 * pairs);
    let mut sent = Vec::new();
    for (encoding, name) in [(Encoding::Xml, "XML"), (Encoding::Wbxml, "WBXML")] {
        for (way, is_woken) in [("woken", true), ("polling", false)] {
            for (phone, _) in &mut phones {
                phone.encoding = encoding;
            }
            phones = carry(phones, pairs as u64 * 4, is_woken).await?;
            let (cpu, begun) = (domain.node.process().cpu(), Instant::now());
            phones = carry(phones, messages, is_woken).await?;
            let seconds = begun.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "figures for people")]
            let count = messages as f64;
            sent.push(Sent {
                encoding: name,
                way,
                messages_per_second: count / seconds,
                cpu_seconds_per_10k: (domain.node.process().cpu() - cpu) / count * 10_000.0,
            });
        }
    }
    drop(idle);
    Ok(sent)
}

/// Has the first of each two write to the second, one message at a time.
async fn carry(phones: Woken, messages: u64, is_woken: bool) -> Result<Woken, Failure> {
    let pairs = phones.len() / 2;
    let share = (messages / (pairs as u64).max(1)).max(1);
    let mut running = JoinSet::new();
    let mut phones = phones.into_iter();
    while let (Some(sender), Some(recipient)) = (phones.next(), phones.next()) {
        running.spawn(async move {
            let to = recipient.0.number;
            let reading = tokio::spawn(take(recipient, share, is_woken));
            let (mut phone, channel) = sender;
            for _ in 0..share {
                phone.send(to, TEXT).await?;
            }
            let recipient = reading
                .await
                .map_err(|error| Failure::Failed(error.to_string()))??;
            Ok::<_, Failure>([(phone, channel), recipient])
        });
    }
    let done = tokio::time::timeout(PATIENCE, running.join_all()).await;
    let done = done.map_err(|_| Failure::Failed("not all messages arrived".to_owned()))?;
    let done = done.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    Ok(done.into_iter().flatten().collect())
}

/// Takes so many messages.
async fn take(
    (mut phone, mut channel): (Phone, Channel),
    messages: u64,
    is_woken: bool,
) -> Result<(Phone, Channel), Failure> {
    let mut taken = 0;
    while taken < messages {
        let fetched = phone.fetch().await?;
        taken += fetched;
        if taken < messages && fetched == 0 {
            if is_woken {
                channel.wake().await?;
            } else {
                tokio::time::sleep(POLL).await;
            }
        }
    }
    Ok((phone, channel))
}
