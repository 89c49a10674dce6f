//! `wvgate bench restart`: how long a node with much in its store takes to start.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use super::super::Failure;
use super::super::output::{self, Format};
use super::chain::{Folder, free_port};
use super::crowd;
use super::peers;
use super::process::Node;
use crate::imps::common::{MetaInfo, Recipient, Sender, User};
use crate::imps::{Address, Code, Primitive};
use crate::node::clock::{self, Clock};
use crate::sap::{Dialect, Effect, Peer, Sap, Settings, Token};
use crate::store::{self, Store as _, StoreError, Write};

/// Requests whose records are committed together.
const TOGETHER: u64 = 1_000;
/// After so long a process has given back what only its start needed.
const LATER: Duration = Duration::from_secs(3);

#[derive(Args)]
#[command(after_help = "\
Fills a store with messages of the usual size that wait for peers which are away, and were answered
202: each is a row of the Transaction Table and an item of a queue. Then a relay is started on it, killed, and started
again. Shown are the time until it serves, and its memory then and three seconds later.

Examples:
  wvgate bench restart
  wvgate bench restart --messages 1000000 --peers 1000 --format json")]
pub(super) struct Restart {
    /// Messages that wait; twice as many records
    #[arg(long, default_value_t = 500_000)]
    messages: u64,
    /// Peers that they wait for
    #[arg(long, default_value_t = 100)]
    peers: usize,
    /// Starts, one after the other
    #[arg(long, default_value_t = 3)]
    starts: usize,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    messages: u64,
    records: u64,
    store_kib: u64,
    starts: Vec<Start>,
}

#[derive(Serialize)]
struct Start {
    seconds: f64,
    cpu_seconds: f64,
    rss_kib: u64,
    rss_kib_later: u64,
}

pub(super) async fn restart(args: Restart) -> Result<(), Failure> {
    let folder = Folder::make("restart")?;
    let data = folder.path().join("data");
    let records = fill(&data, &args).await?;
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, config(folder.path(), free_port()?, &args))
        .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let mut report = Report {
        messages: args.messages,
        records,
        store_kib: folder.data_kib(),
        starts: Vec::new(),
    };
    for _ in 0..args.starts {
        let (file, socket) = (file.clone(), folder.path().join("relay.sock"));
        let before = Instant::now();
        let relay = tokio::task::spawn_blocking(move || Node::start("relay", &file, socket))
            .await
            .map_err(|error| Failure::Failed(error.to_string()))??;
        let seconds = before.elapsed().as_secs_f64();
        let (cpu_seconds, rss_kib) = (relay.process().cpu(), relay.process().rss_kib());
        tokio::time::sleep(LATER).await;
        report.starts.push(Start {
            seconds,
            cpu_seconds,
            rss_kib,
            rss_kib_later: relay.process().rss_kib(),
        });
    }
    output::report(&report, text, args.format)
}

/// Has a relay take so many messages, whose recipients are away. How many records that makes.
async fn fill(data: &Path, args: &Restart) -> Result<u64, Failure> {
    let failed = |error: StoreError| Failure::Failed(format!("cannot fill a store: {error}"));
    let store = store::open(data).map_err(failed)?;
    let mut settings = Settings::new("relay.test");
    settings.max_queue = usize::MAX;
    settings.max_queue_bytes = usize::MAX;
    settings.max_queue_total = usize::MAX;
    let dialect = Arc::new(Dialect::default());
    for number in 0..args.peers {
        settings = settings.with_peer(Peer::new(&crowd::domain(number), dialect.clone()));
    }
    let mut sap = Sap::new(Arc::new(settings), clock::random());
    let (now, mut message) = (Clock::start().now(), peers::message()?);
    let sender = Address::user("alice", "relay.test");
    message.info.sender = Some(Sender::user(User::new(sender.clone())));
    message.meta = Some(MetaInfo::of_user("relay.test", sender));
    let (mut records, mut taken) = (0, 0);
    while taken < args.messages {
        let until = args.messages.min(taken + TOGETHER);
        for number in taken..until {
            let peer = usize::try_from(number).unwrap_or(0) % args.peers.max(1);
            let recipient = Address::user(&format!("user{number}"), &crowd::domain(peer));
            message.info.message_id = Some(format!("m-{number}"));
            message.info.recipients = vec![Recipient::User(User::new(recipient))];
            let primitive = Primitive::from(message.clone());
            let expires = now.plus_seconds(86_400);
            let token = Token(number + 1);
            sap.request(crate::home::ELEMENT, token, &primitive, expires, now);
        }
        taken = until;
        let writes = writes_of(&mut sap)?;
        let put = writes.iter().filter(|w| matches!(w, Write::Put { .. }));
        records += put.count() as u64;
        store.commit_soon(writes).await.map_err(failed)?;
    }
    sap.timeout(now.plus_seconds(60));
    let writes = writes_of(&mut sap)?;
    for writes in writes.chunks(usize::try_from(TOGETHER).unwrap_or(1)) {
        store.commit_soon(writes.to_vec()).await.map_err(failed)?;
    }
    Ok(records)
}

fn writes_of(sap: &mut Sap) -> Result<Vec<Write>, Failure> {
    let mut writes = Vec::new();
    while let Some(effect) = sap.next_effect() {
        match effect {
            Effect::Write(write) => writes.push(write),
            Effect::TakenOver(_, _, answer) | Effect::Answer(_, _, answer) => {
                let code = answer.verdict().map(|status| status.code);
                if code != Some(Code(202)) {
                    let why = format!("a message was answered {code:?}");
                    return Err(Failure::Failed(why));
                }
            }
            _ => {}
        }
    }
    Ok(writes)
}

fn config(folder: &Path, port: u16, args: &Restart) -> String {
    let mut text = format!(
        "[node]\ndomain = \"relay.test\"\ndata = \"{0}/data\"\n[admin]\nsocket = \"{0}/relay.sock\"\n\
         [log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{port}\"\nplain = true\n",
        folder.display()
    );
    for number in 0..args.peers {
        let _ = write!(
            text,
            "[[peer]]\ndomain = \"{}\"\nurl = \"http://127.0.0.1:9/\"\nallow_plain = true\n",
            crowd::domain(number)
        );
    }
    text
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} messages wait, {} records, {} KiB on disk",
        report.messages, report.records, report.store_kib
    );
    for start in &report.starts {
        let _ = write!(
            text,
            "\nserves after {:.2} s, {:.2} CPU s; {} KiB resident, {} three seconds later",
            start.seconds, start.cpu_seconds, start.rss_kib, start.rss_kib_later
        );
    }
    text
}
