//! `wvgate bench peers`: what a relay costs as its peers grow in number.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::super::Failure;
use super::super::output::{self, Format};
use super::chain::{Folder, free_port};
use super::crowd::{self, Crowd, Places};
use super::process::Node;
use crate::imps::Primitive;
use crate::imps::xml::Limits;
use crate::ssp::Message;
use crate::ssp::envelope::{Transaction, scan};

#[derive(Args)]
#[command(after_help = "\
For each number of configured peers a relay is started anew; some of its peers, all played by one
process, log in and send messages to each other through it. Shown are the relay's memory after the
start, memory for each session that came up, and CPU time for 10 000 messages while two peers talk
and while all do.

Examples:
  wvgate bench peers
  wvgate bench peers --configured 10,100,1000,10000 --sessions 1000 --format json")]
pub(super) struct Peers {
    /// Configured peers, one measurement for each number
    #[arg(long, value_delimiter = ',', default_values_t = [2, 100, 1_000, 10_000])]
    configured: Vec<usize>,
    /// Of them so many log in, at most
    #[arg(long, default_value_t = 1_000)]
    sessions: usize,
    /// Messages of each measurement
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Messages under way at once
    #[arg(long, default_value_t = 64)]
    window: u64,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    configured: usize,
    sessions: usize,
    start_kib: u64,
    loaded_kib: u64,
    kib_per_session: f64,
    cpu_seconds_per_10k_two_peers: f64,
    cpu_seconds_per_10k_all_sessions: f64,
}

pub(super) async fn peers(args: Peers) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for configured in &args.configured {
        rows.push(measure(*configured, &args).await?);
    }
    output::report(&rows, |rows| text(rows), args.format)
}

async fn measure(configured: usize, args: &Peers) -> Result<Row, Failure> {
    let sessions = args.sessions.min(configured).max(2);
    let folder = Folder::make("peers")?;
    let places = Places::bind(sessions).await?;
    let port = free_port()?;
    let file = folder.path().join("relay.toml");
    std::fs::write(
        &file,
        config(folder.path(), port, configured, &places.urls()),
    )
    .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let socket = folder.path().join("relay.sock");
    let relay = tokio::task::spawn_blocking(move || Node::start("relay", &file, socket))
        .await
        .map_err(|error| Failure::Failed(error.to_string()))??;
    let start_kib = relay.process().rss_kib();

    let mut crowd = Crowd::new(places, &format!("http://127.0.0.1:{port}/"), message()?)?;
    let few = cpu(&relay, &mut crowd, args, 2).await?;
    let before = relay.process().rss_kib();
    crowd.carry(sessions as u64, args.window, sessions).await?;
    let loaded_kib = relay.process().rss_kib();
    let all = cpu(&relay, &mut crowd, args, sessions).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let kib_per_session =
        loaded_kib.saturating_sub(before) as f64 / (sessions.saturating_sub(2)).max(1) as f64;
    Ok(Row {
        configured,
        sessions,
        start_kib,
        loaded_kib,
        kib_per_session,
        cpu_seconds_per_10k_two_peers: few,
        cpu_seconds_per_10k_all_sessions: all,
    })
}

/// CPU seconds of the relay for 10 000 messages among so many peers.
async fn cpu(relay: &Node, crowd: &mut Crowd, args: &Peers, active: usize) -> Result<f64, Failure> {
    crowd.carry(args.window * 8, args.window, active).await?;
    let before = relay.process().cpu();
    crowd.carry(args.messages, args.window, active).await?;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let messages = args.messages as f64;
    Ok((relay.process().cpu() - before) / messages * 10_000.0)
}

pub(super) fn config(folder: &Path, port: u16, configured: usize, urls: &[String]) -> String {
    let mut text = format!(
        "[node]\ndomain = \"relay.test\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/relay.sock\"\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{port}\"\nplain = true\nmax_connections = {1}\nmax_connections_per_address = {1}\n",
        folder.display(),
        4 * urls.len() + 64
    );
    for number in 0..configured {
        // Nobody listens where the others should be.
        let url = urls
            .get(number)
            .map_or("http://127.0.0.1:9/", String::as_str);
        let _ = write!(
            text,
            "[[peer]]\ndomain = \"{}\"\nurl = \"{url}\"\nallow_plain = true\n",
            crowd::domain(number)
        );
    }
    text
}

/// The message of the usual size.
pub(super) fn message() -> Result<crate::imps::primitive::message::SendMessageRequest, Failure> {
    let unread = || Failure::Failed("the message to send cannot be read".to_owned());
    let read = scan(&super::MESSAGE.into(), &Limits::default()).map_err(|_| unread())?;
    let Message::Session(session) = read else {
        return Err(unread());
    };
    match session.transactions.first().map(Transaction::primitive) {
        Some(Ok(Primitive::SendMessageRequest(message))) => Ok(*message),
        _ => Err(unread()),
    }
}

fn text(rows: &[Row]) -> String {
    let mut text = format!(
        "{:>10} {:>8} {:>12} {:>12} {:>12} {:>16} {:>16}",
        "CONFIGURED",
        "SESSIONS",
        "START KIB",
        "LOADED KIB",
        "KIB/SESSION",
        "CPU s/10k, TWO",
        "CPU s/10k, ALL"
    );
    for row in rows {
        let _ = write!(
            text,
            "\n{:>10} {:>8} {:>12} {:>12} {:>12.1} {:>16.3} {:>16.3}",
            row.configured,
            row.sessions,
            row.start_kib,
            row.loaded_kib,
            row.kib_per_session,
            row.cpu_seconds_per_10k_two_peers,
            row.cpu_seconds_per_10k_all_sessions
        );
    }
    text
}
