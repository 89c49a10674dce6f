//! `wvgate bench`: what a chain of real processes carries on this machine.

mod chain;
mod clients;
mod core_alone;
mod crowd;
mod disk;
mod gateway;
mod home;
mod idle;
mod peers;
mod posts;
pub mod pretend;
mod process;
mod proxy;
mod restart;
mod xmpp_server;
mod xmpp_user;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Failure;
use super::output::{self, Format};
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::{Primitive, Status};
use crate::ssp::Mode;
use crate::ssp::envelope::{NAMESPACE, print_session};

#[derive(Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Messages from a home domain through a relay to another home domain
    Relay(Relay),
    /// A relay with few and with many peers
    Peers(peers::Peers),
    /// The core of a relay alone, in one thread and in two
    Core(core_alone::CoreAlone),
    /// The memory of a node that does nothing
    Idle(idle::Idle),
    /// An access point with many phones
    Clients(clients::Clients),
    /// A home domain with many users
    Home(home::Home),
    /// A gateway between an SSP domain and an XMPP server
    Gateway(gateway::Gateway),
    /// A relay that starts with much in its store
    Restart(restart::Restart),
}

#[derive(Args)]
#[command(after_help = "\
Starts three processes of this program on loopback ports: a home domain with the sender, a
relay, and a home domain with the recipient. The sender keeps a number of messages under way;
the time of each runs until its answer is back at the sender, two hops there and two hops back.

Figures of one machine and one moment: compare only what was measured in the same run.

Examples:
  wvgate bench relay
  wvgate bench relay --messages 50000 --window 256 --durability relaxed --format json
  wvgate bench relay --single --beside nginx,haproxy    the price of a hop, side by side
  wvgate bench relay --single --tls --beside nginx      the same with TLS on both sides
  wvgate bench relay --window 1 --beside nginx          the time of one at a time, side by side

A proxy carries for each message two POSTs, the message and its answer, over as many
connections as messages are under way, with TLS on both sides if --tls is given; its p50 is that of
both together. scripts/install-bench-tools.sh installs the proxies. With strict durability it is
also shown how long this disk takes for one message to be safe on it (fdatasync), which a message
and its answer wait for at each node that they pass.")]
struct Relay {
    /// Messages to send, in all
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Messages sent before the clock starts
    #[arg(long, default_value_t = 500)]
    warm_up: u64,
    /// Messages under way at once
    #[arg(long, default_value_t = 64)]
    window: u64,
    /// Whether acknowledgements wait for the disk
    #[arg(long, value_enum, default_value_t = Durability::Strict)]
    durability: Durability,
    /// TLS between the nodes
    #[arg(long)]
    tls: bool,
    /// The relay's neighbours put one message into each POST, to 64 recipients in turn
    #[arg(long)]
    single: bool,
    /// Reverse proxies to carry the same bodies afterwards
    #[arg(long, value_enum, value_delimiter = ',')]
    beside: Vec<proxy::Proxy>,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Durability {
    /// An answer waits until it is on disk
    Strict,
    /// An answer waits for the operating system only
    Relaxed,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    /// Messages whose answer was 200.
    messages: u64,
    /// Messages under way at once.
    window: u64,
    /// From the first message to the last answer.
    seconds: f64,
    /// Messages in a second.
    messages_per_second: f64,
    /// From sending to the answer, milliseconds.
    latency_ms: Latency,
    /// What each process used, in the order of the chain.
    processes: Vec<Process>,
    /// Of one append of a message to a file until it is safe on the disk, milliseconds; with
    /// strict durability.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_p50_ms: Option<f64>,
    /// Reverse proxies that carried as many messages and answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Beside>,
}

#[derive(Serialize)]
struct Beside {
    name: &'static str,
    messages_per_second: f64,
    cpu_seconds_per_10k: f64,
    rss_kib: u64,
    /// CPU time of the relay as a multiple of the proxy's.
    relay_over_this: f64,
    /// Of a message and its answer one after the other, milliseconds.
    p50_ms: f64,
    /// The p50 of the whole chain as a multiple of it.
    p50_over_this: f64,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

#[derive(Serialize)]
struct Process {
    role: &'static str,
    cpu_seconds_per_10k: f64,
    rss_kib: u64,
}

pub(super) async fn bench(args: Bench) -> Result<(), Failure> {
    match args.what {
        What::Relay(relay) => relay_bench(relay).await,
        What::Peers(args) => peers::peers(args).await,
        What::Core(args) => core_alone::core_alone(&args),
        What::Idle(args) => idle::idle(args).await,
        What::Clients(args) => clients::clients(args).await,
        What::Home(args) => home::home(args).await,
        What::Gateway(args) => gateway::gateway(args).await,
        What::Restart(args) => restart::restart(args).await,
    }
}

async fn relay_bench(relay: Relay) -> Result<(), Failure> {
    let wanted = chain::Wanted {
        strict: relay.durability == Durability::Strict,
        tls: relay.tls,
        single: relay.single.then_some(SINGLE_RECIPIENTS),
    };
    let chain = chain::Chain::start(&wanted).await?;
    chain.carry(relay.warm_up, relay.window).await?;
    let before = chain.cpu();
    let run = chain.carry(relay.messages, relay.window).await?;
    let after = chain.cpu();
    let mut report = report(&chain, &relay, &run, &before, &after);
    if wanted.strict {
        let syncs = disk::syncs(chain.folder(), MESSAGE)?;
        report.disk_p50_ms = Some(percentile(&syncs, 50));
    }
    let bodies = [MESSAGE.into(), answer().into_bytes()];
    for proxy in &relay.beside {
        let carried = proxy
            .carry(
                chain.folder(),
                &bodies,
                relay.messages,
                relay.window,
                relay.tls,
            )
            .await?;
        report.beside.push(beside(&carried, &relay, &report));
    }
    output::report(&report, text, relay.format)
}

/// Recipients of [`Relay::single`].
const SINGLE_RECIPIENTS: usize = 64;

/// What a proxy carries: a message of the usual size.
const MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/message.xml");

/// The answer to it.
fn answer() -> String {
    let answer = SendMessageResponse {
        message_id: "m-20261122-071500-000017".to_owned(),
        status: Status::ok(),
    };
    let answer = Primitive::from(answer).to_xml(None);
    let transaction = (Mode::Response, "IMApp01-12345", answer.as_str());
    print_session(NAMESPACE, "8a20b1@peer00001.example.net", [transaction])
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn beside(carried: &proxy::Carried, relay: &Relay, report: &Report) -> Beside {
    let messages = relay.messages as f64;
    let cpu = carried.cpu / messages * 10_000.0;
    let p50_ms = percentile(&carried.rounds, 50);
    let own = report
        .processes
        .first()
        .map_or(0.0, |own| own.cpu_seconds_per_10k);
    Beside {
        name: carried.name,
        messages_per_second: messages / carried.seconds,
        cpu_seconds_per_10k: cpu,
        rss_kib: carried.rss_kib,
        relay_over_this: own / cpu,
        p50_ms,
        p50_over_this: report.latency_ms.p50 / p50_ms,
    }
}

fn report(
    chain: &chain::Chain,
    relay: &Relay,
    run: &chain::Run,
    before: &[f64],
    after: &[f64],
) -> Report {
    let mut latencies = run.latencies.clone();
    latencies.sort_unstable();
    let seconds = run.total.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = latencies.len() as f64;
    let processes =
        chain
            .processes()
            .zip(before.iter().zip(after))
            .map(|(process, (before, after))| Process {
                role: process.name,
                cpu_seconds_per_10k: (after - before) / count * 10_000.0,
                rss_kib: process.rss_kib(),
            });
    Report {
        messages: run.latencies.len() as u64,
        window: relay.window,
        seconds,
        messages_per_second: count / seconds,
        latency_ms: Latency {
            p50: percentile(&latencies, 50),
            p90: percentile(&latencies, 90),
            p99: percentile(&latencies, 99),
            max: percentile(&latencies, 100),
        },
        processes: processes.collect(),
        disk_p50_ms: None,
        beside: Vec::new(),
    }
}

/// In milliseconds, of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * percent / 100)
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

fn text(report: &Report) -> String {
    use std::fmt::Write as _;
    let latency = &report.latency_ms;
    let mut text = format!(
        "{} messages, {} under way: {:.0} messages/s\nanswer after (ms)  p50 {:.2}  p90 {:.2}  p99 {:.2}  max {:.2}",
        report.messages,
        report.window,
        report.messages_per_second,
        latency.p50,
        latency.p90,
        latency.p99,
        latency.max
    );
    for process in &report.processes {
        let _ = write!(
            text,
            "\n{:<10} {:.3} CPU s per 10 000 messages, {} KiB resident",
            process.role, process.cpu_seconds_per_10k, process.rss_kib
        );
    }
    if let Some(disk) = report.disk_p50_ms {
        let _ = write!(
            text,
            "\ndisk       p50 {disk:.2} ms until one message is safe on it"
        );
    }
    for beside in &report.beside {
        let _ = write!(
            text,
            "\n{:<10} {:.3} CPU s per 10 000 messages, {} KiB resident; the relay takes {:.2} times its CPU time; p50 {:.2} ms, the chain's is {:.2} times that",
            beside.name,
            beside.cpu_seconds_per_10k,
            beside.rss_kib,
            beside.relay_over_this,
            beside.p50_ms,
            beside.p50_over_this
        );
    }
    text
}
