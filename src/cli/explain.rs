//! `wvgate explain`: what became of messages.

use clap::Args;
use serde_json::Value;

use super::output::{self, Format, aligned, field, time_field};
use super::{Failure, Global, look, trace};
use crate::admin::{Client, Request};
use crate::config::Duration;

#[derive(Args)]
#[command(after_help = "\
One line for each message and each way it went: where it is or how it ended, by whom, with code
and reason, and what it waits for. Kept in the store for trace.keep (3 days), over restarts.
With an id, what happened step by step follows, of the last 20000 events of this run. Ids are
shown by `wvgate send`, `wvgate transactions` and `wvgate trace`. Ask every node on the way for
its part.

Names in JSON: messages[].message, from, transaction, sender, received, expires, taken_over,
parts[].to, at, transaction, state (waiting, passed, delivered, refused, expired, ended), what,
code, reason, by, since, next_try; and traces[], as wvgate trace writes them. Times are
milliseconds since 1970.

Examples:
  wvgate explain 5f0c3a@village.test
  wvgate explain --user alice@village.test --since 2h
  wvgate explain --since 10m --format json")]
pub(super) struct Explain {
    /// Id of a message, a transaction or a stanza
    #[arg(required_unless_present_any = ["user", "since"])]
    id: Option<String>,
    /// Only messages that this user sent or is to get
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
    /// Only messages that something happened to since so long ago, and those that wait
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Duration>)]
    since: Option<Duration>,
    /// How many messages at most, the newest
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn explain(global: &Global, args: Explain) -> Result<(), Failure> {
    let since = args.since.map(|since| since.get().as_millis());
    let request = Request::Explain {
        id: args.id.clone(),
        user: args.user.clone(),
        since: since.map(|since| u64::try_from(since).unwrap_or(u64::MAX)),
        limit: args.limit,
    };
    let mut node = global.connect().await?;
    let value = node.ask(&request).await?;
    let list = |name: &str| value[name].as_array().map_or(&[][..], Vec::as_slice);
    let (messages, traces) = (list("messages"), list("traces"));
    if let (true, true, Some(id)) = (messages.is_empty(), traces.is_empty(), &args.id) {
        return by_table(&mut node, id, args.format).await;
    }
    if args.format == Format::Json {
        return output::json(&value);
    }
    let mut text = String::new();
    if messages.is_empty() && args.id.is_none() {
        return Err(Failure::Failed("no such message is remembered".to_owned()));
    }
    if !messages.is_empty() {
        text += &aligned(&rows(messages));
    }
    if !traces.is_empty() {
        let headings = [
            "TIME",
            "",
            "PEER",
            "SESSION",
            "TRANSACTION",
            "PRIMITIVE",
            "WHAT",
        ];
        let mut steps = vec![headings.map(str::to_owned).to_vec()];
        steps.extend(traces.iter().map(trace::cells));
        if !text.is_empty() {
            text.push('\n');
        }
        text += &aligned(&steps);
    }
    output::print(&text)
}

/// One row for each part of each message.
fn rows(messages: &[Value]) -> Vec<Vec<String>> {
    let headings = ["RECEIVED", "MESSAGE", "CAME FROM", "SENDER", "TO", "WHAT"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for message in messages {
        let parts = message["parts"].as_array().map_or(&[][..], Vec::as_slice);
        for part in parts {
            rows.push(vec![
                time_field(message, "received"),
                field(message, "message"),
                field(message, "from"),
                field(message, "sender"),
                field(part, "to"),
                field(part, "what"),
            ]);
        }
    }
    rows
}

/// Other requests than messages have no history, but a row in the Transaction Table.
async fn by_table(node: &mut Client, id: &str, format: Format) -> Result<(), Failure> {
    let request = Request::Transactions { limit: usize::MAX };
    let rows = node.ask(&request).await?;
    let concerns = |row: &&Value| {
        let within = |field: &str| row[field].as_str().is_some_and(|text| text.ends_with(id));
        let to = row["to"].as_array().into_iter().flatten();
        row["message"] == id
            || within("from")
            || to.filter_map(Value::as_str).any(|to| to.ends_with(id))
    };
    let rows: Vec<Value> = rows
        .as_array()
        .into_iter()
        .flatten()
        .filter(concerns)
        .cloned()
        .collect();
    if rows.is_empty() {
        let why = "the node remembers nothing of it";
        return Err(Failure::Failed(format!("{id}: {why}")));
    }
    output::list(&Value::Array(rows), look::TRANSACTIONS, format)
}
