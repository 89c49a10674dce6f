//! `wvgate status`, `peers`, `sessions`, `routes`, `transactions`, `queue`: lists of the
//! running node.

use clap::Args;
use serde_json::Value;

use super::output::{self, Column, Format, aligned, duration, field, time_field};
use super::{Failure, Global};
use crate::admin::{Request, Status};

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate peers
  wvgate peers --format json | jq '.[] | select(.state != \"up\")'")]
pub(super) struct List {
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

#[derive(Args)]
#[command(after_help = "\
Answered requests stay for the duplicate window (ssp.duplicate_window).

Examples:
  wvgate transactions --limit 20
  wvgate explain MESSAGE     what happened to the message in the last column")]
pub(super) struct Transactions {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate queue
  wvgate queue --peer relay.test --limit 1000")]
pub(super) struct Queue {
    /// Only what waits for this peer
    #[arg(long, value_name = "DOMAIN")]
    peer: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Columns of the Transaction Table.
pub(super) const TRANSACTIONS: &[Column] = &[
    ("RECEIVED", |row| time_field(row, "received")),
    ("STATE", |row| field(row, "state")),
    ("PRIMITIVE", |row| field(row, "primitive")),
    ("FROM", |row| field(row, "from")),
    ("TO", |row| field(row, "to")),
    ("WHAT", |row| field(row, "what")),
    ("MESSAGE", |row| field(row, "message")),
];

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate status
  wvgate status --ready && echo ready")]
pub(super) struct StatusArgs {
    /// Only whether the node is ready, as /ready says: exit code 1 and the reasons if it is not
    #[arg(long)]
    ready: bool,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn status(global: &Global, args: &StatusArgs) -> Result<(), Failure> {
    let value = global.connect().await?.ask(&Request::Status).await?;
    if args.ready {
        return ready(&value["not_ready"], args.format);
    }
    if args.format == Format::Json {
        return output::json(&value);
    }
    let status: Status = serde_json::from_value(value)
        .map_err(|error| Failure::Failed(format!("the answer cannot be read: {error}")))?;
    let mut rows = vec![
        (
            "node",
            format!("{}, wvgate {}", status.domain, status.version),
        ),
        ("up for", duration(status.uptime)),
        (
            "store",
            status
                .store
                .map_or_else(|| "fine".to_owned(), |why| format!("FAILING: {why}")),
        ),
        (
            "peers",
            format!(
                "{} of {} up, {} sessions, {} transactions queued",
                status.peers_up, status.peers, status.sessions, status.queued
            ),
        ),
        (
            "messages",
            format!(
                "{} accepted, {} ended, {} under way",
                status.accepted,
                status.ended,
                status.accepted.saturating_sub(status.ended)
            ),
        ),
        ("requests", format!("{} wait for an answer", status.pending)),
    ];
    if let (Some(users), Some(online)) = (status.users, status.online) {
        rows.push(("users", format!("{users}, {online} online")));
    }
    for (component, up) in &status.components {
        let state = if *up { "up" } else { "DOWN" };
        rows.push(("xmpp", format!("component {component} is {state}")));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    output::print(&aligned(&rows))
}

fn ready(reasons: &Value, format: Format) -> Result<(), Failure> {
    let list = reasons.as_array().map_or(&[][..], Vec::as_slice);
    match (format, list) {
        (Format::Json, _) => output::json(reasons)?,
        (Format::Text, []) => output::line("ready")?,
        (Format::Text, _) => {
            for reason in list.iter().filter_map(Value::as_str) {
                output::line(format!("not ready: {reason}"))?;
            }
        }
    }
    if list.is_empty() {
        Ok(())
    } else {
        Err(Failure::Silent)
    }
}

pub(super) async fn peers(global: &Global, format: Format) -> Result<(), Failure> {
    const COLUMNS: &[Column] = &[
        ("PEER", |row| field(row, "domain")),
        ("STATE", |row| field(row, "state")),
        ("SESSIONS", |row| field(row, "sessions")),
        ("QUEUED", |row| field(row, "queued")),
        ("POSTING", |row| field(row, "posting")),
        ("PENDING", |row| field(row, "pending")),
        ("DIALECT", |row| field(row, "dialect")),
        ("NO LOGIN BEFORE", |row| time_field(row, "not_before")),
        ("LAST ERROR", |row| field(row, "last_error")),
    ];
    show(global, &Request::Peers, COLUMNS, format).await
}

pub(super) async fn sessions(global: &Global, format: Format) -> Result<(), Failure> {
    const COLUMNS: &[Column] = &[
        ("PEER", |row| field(row, "peer")),
        ("OUR ID", |row| field(row, "own_id")),
        ("THEIR ID", |row| field(row, "peer_id")),
        ("OPENED BY", |row| {
            let ours = row["opened_by_us"].as_bool() == Some(true);
            if ours { "us" } else { "peer" }.to_owned()
        }),
        ("SINCE", |row| time_field(row, "established")),
        ("LAST IN", |row| time_field(row, "last_in")),
        ("LAST OUT", |row| time_field(row, "last_out")),
        ("IDLE", |row| duration(row["idle"].as_u64().unwrap_or(0))),
        ("LIVES", |row| duration(row["ttl"].as_u64().unwrap_or(0))),
        ("ENDS IN", |row| {
            row["ends_in"]
                .as_u64()
                .map_or_else(|| "never".to_owned(), duration)
        }),
    ];
    show(global, &Request::Sessions, COLUMNS, format).await
}

pub(super) async fn routes(global: &Global, format: Format) -> Result<(), Failure> {
    const COLUMNS: &[Column] = &[
        ("DOMAIN", |row| field(row, "domain")),
        ("VIA", |row| field(row, "via")),
    ];
    show(global, &Request::Routes, COLUMNS, format).await
}

pub(super) async fn transactions(global: &Global, args: &Transactions) -> Result<(), Failure> {
    let request = Request::Transactions { limit: args.limit };
    show(global, &request, TRANSACTIONS, args.format).await
}

pub(super) async fn queue(global: &Global, args: Queue) -> Result<(), Failure> {
    const COLUMNS: &[Column] = &[
        ("PEER", |row| field(row, "peer")),
        ("MODE", |row| field(row, "mode")),
        ("PRIMITIVE", |row| field(row, "primitive")),
        ("TRANSACTION", |row| field(row, "transaction")),
        ("EXPIRES", |row| time_field(row, "expires")),
        ("BYTES", |row| field(row, "bytes")),
        ("WAITS FOR", |row| field(row, "waits")),
        ("MESSAGE", |row| field(row, "message")),
    ];
    let (peer, limit) = (args.peer, args.limit);
    show(
        global,
        &Request::Queue { peer, limit },
        COLUMNS,
        args.format,
    )
    .await
}

async fn show(
    global: &Global,
    request: &Request,
    columns: &[Column],
    format: Format,
) -> Result<(), Failure> {
    let rows: Value = global.connect().await?.ask(request).await?;
    output::list(&rows, columns, format)
}
