//! `wvgate bench core`: what the core of a relay does alone, in one thread and in two.

use std::fmt::Write as _;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser as _;
use serde::Serialize;
use tokio::time::Instant;

use super::super::Failure;
use super::super::output::{self, Format};
use super::pretend::{self, Plan, Tape};
use super::process;

#[derive(Args)]
#[command(after_help = "\
Two senders write to two recipients over a relay, in a pretend world without sockets, disk and clock.
What each shard of the relay was told is noted, and told again to a fresh relay while the time is
taken: first to one that is not divided, then to one of two shards, each in a thread of its own. Once
each sender's recipient is in the sender's shard, and once in the other, so that every message and
every answer is handed over.

The memory of an answered message is the growth of this process while the second half of the messages
is relayed. This program has an allocator of its own (mimalloc); benches/core.rs, which counts
instructions of the same, has the system's.

Figures of one machine and one moment: compare only what was measured in the same run.

Examples:
  wvgate bench core
  wvgate bench core --batch 1 --messages 200000 --format json")]
pub(super) struct CoreAlone {
    /// Messages of each measurement
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(2..).map(|it| it as usize))]
    messages: usize,
    /// Messages in one POST
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    batch: usize,
    /// Each measurement is repeated so often; its median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..).map(usize::from))]
    rounds: usize,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    messages: usize,
    /// Messages in one POST.
    batch: usize,
    /// Of an answered message that is remembered.
    bytes_per_remembered: f64,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    /// Every message goes from one shard to the other, if there are two.
    is_handed: bool,
    messages_per_second_one_shard: f64,
    messages_per_second_two_shards: f64,
    two_over_one: f64,
}

pub(super) fn core_alone(args: &CoreAlone) -> Result<(), Failure> {
    let plan = |shards, is_handed| Plan {
        shards,
        is_handed,
        messages: args.messages,
        batch: args.batch,
    };
    // First, while nothing is free that could be used again.
    let tapes = record(plan(1, false))?;
    let bytes_per_remembered = tapes.first().map(remembered).transpose()?;
    let mut runs = Vec::new();
    for is_handed in [false, true] {
        let speed = |shards| {
            let tapes = record(plan(shards, is_handed))?;
            speed(&tapes, args)
        };
        let (one, two) = (speed(1)?, speed(2)?);
        runs.push(Run {
            is_handed,
            messages_per_second_one_shard: one,
            messages_per_second_two_shards: two,
            two_over_one: two / one,
        });
    }
    let report = Report {
        messages: args.messages,
        batch: args.batch,
        bytes_per_remembered: bytes_per_remembered.unwrap_or_default(),
        runs,
    };
    output::report(&report, text, args.format)
}

fn record(plan: Plan) -> Result<Vec<Tape>, Failure> {
    pretend::record(plan).map_err(Failure::Failed)
}

/// Messages a second, of the median round.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn speed(tapes: &[Tape], args: &CoreAlone) -> Result<f64, Failure> {
    let rounds: Result<Vec<Duration>, Failure> = (0..args.rounds)
        .map(|_| round(tapes, args.messages))
        .collect();
    let mut rounds = rounds?;
    rounds.sort_unstable();
    let median = rounds.get(rounds.len() / 2).copied().unwrap_or_default();
    Ok(args.messages as f64 / median.as_secs_f64())
}

/// Replays each tape in a thread of its own; how long it took until the last one was at its end.
fn round(tapes: &[Tape], messages: usize) -> Result<Duration, Failure> {
    let begin = Barrier::new(tapes.len());
    let ends = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for tape in tapes {
            scope.spawn(|| {
                begin.wait();
                let start = Instant::now();
                let replayed = tape.replay(|_| ());
                let end = replayed.map(|(_, sent)| (start, Instant::now(), sent));
                ends.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(end);
            });
        }
    });
    let ends = ends.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ends: Result<Vec<(Instant, Instant, usize)>, String> = ends.into_iter().collect();
    let ends = ends.map_err(Failure::Failed)?;
    // Each message went on, and its answer back.
    let sent: usize = ends.iter().map(|(.., sent)| sent).sum();
    let start = ends.iter().map(|(start, ..)| *start).min();
    let end = ends.iter().map(|(_, end, _)| *end).max();
    match (start, end) {
        (Some(start), Some(end)) if sent >= 2 * messages => Ok(end - start),
        _ => Err(Failure::Failed("not all messages were relayed".to_owned())),
    }
}

/// Bytes by which this process grows for each answered message.
fn remembered(tape: &Tape) -> Result<f64, Failure> {
    let mut half = (0, 0);
    let noted = |core: &crate::node::Core| {
        let answered = core.sap.transactions().answered().number;
        (process::rss_kib("self"), answered)
    };
    let (core, _) = tape
        .replay(|core| half = noted(core))
        .map_err(Failure::Failed)?;
    let end = noted(&core);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let grown = (end.0.saturating_sub(half.0) * 1024) as f64;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let answered = end.1.saturating_sub(half.1).max(1) as f64;
    Ok(grown / answered)
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} messages, {} in a POST\n{:<14} {:>16} {:>16} {:>10}",
        report.messages, report.batch, "", "ONE SHARD, MSG/s", "TWO, MSG/s", "TWO/ONE"
    );
    for run in &report.runs {
        let _ = write!(
            text,
            "\n{:<14} {:>16.0} {:>16.0} {:>10.2}",
            if run.is_handed {
                "handed over"
            } else {
                "in one shard"
            },
            run.messages_per_second_one_shard,
            run.messages_per_second_two_shards,
            run.two_over_one
        );
    }
    let _ = write!(
        text,
        "\n{:.0} bytes for each answered message that is remembered",
        report.bytes_per_remembered
    );
    text
}
