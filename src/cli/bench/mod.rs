//! `wvgate bench`: what a chain of real processes carries on this machine.

mod chain;
mod process;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Failure;
use super::output::{self, Format};

#[derive(Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Messages from a home domain through a relay to another home domain
    Relay(Relay),
}

#[derive(Args)]
#[command(after_help = "\
Starts three processes of this program on loopback ports: a home domain with the sender, a
relay, and a home domain with the recipient. The sender keeps a number of messages under way;
the time of each runs until its answer is back at the sender, two hops there and two hops back.

Figures of one machine and one moment: compare only what was measured in the same run.

Examples:
  wvgate bench relay
  wvgate bench relay --messages 50000 --window 256 --durability relaxed --format json")]
struct Relay {
    /// Messages to send
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
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Durability {
    /// They do
    Strict,
    /// They do not
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
    /// One per process.
    processes: Vec<Process>,
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
    let What::Relay(relay) = args.what;
    let chain = chain::Chain::start(relay.durability == Durability::Strict, relay.tls).await?;
    chain.carry(relay.warm_up, relay.window).await?;
    let before = chain.cpu();
    let run = chain.carry(relay.messages, relay.window).await?;
    let after = chain.cpu();
    let report = report(&chain, &relay, &run, &before, &after);
    match relay.format {
        Format::Json => {
            let report = serde_json::to_value(&report)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            output::json(&report)
        }
        Format::Text => output::line(text(&report)),
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
            .iter()
            .zip(before.iter().zip(after))
            .map(|(process, (before, after))| Process {
                role: process.role,
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
        "{} messages, {} under way: {:.0} messages/s\nanswer after (ms)  p50 {:.1}  p90 {:.1}  p99 {:.1}  max {:.1}",
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
    text
}
