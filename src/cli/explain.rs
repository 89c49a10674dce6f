//! `wvgate explain`: what happened to one message or transaction.

use clap::Args;
use serde_json::Value;

use super::output::{self, Format, aligned};
use super::{Failure, Global, look, trace};
use crate::admin::{Client, Request};

#[derive(Args)]
#[command(after_help = "\
The running node remembers the last 20000 events. Ask every node on the way for its part.
Ids are shown by `wvgate send`, `wvgate transactions` and `wvgate trace`.

Example:
  wvgate explain 5f0c3a@village.test")]
pub(super) struct Explain {
    /// Id of a message, a transaction or a stanza
    id: String,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn explain(global: &Global, args: Explain) -> Result<(), Failure> {
    let request = Request::Explain {
        id: args.id.clone(),
    };
    let mut node = global.connect().await?;
    let value = node.ask(&request).await?;
    let traces: &[Value] = value.as_array().map_or(&[], Vec::as_slice);
    if traces.is_empty() {
        return by_table(&mut node, &args).await;
    }
    if args.format == Format::Json {
        return output::json(&value);
    }
    let headings = [
        "TIME",
        "",
        "PEER",
        "SESSION",
        "TRANSACTION",
        "PRIMITIVE",
        "WHAT",
    ];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(traces.iter().map(trace::cells));
    output::print(&aligned(&rows))
}

/// What was answered at once leaves no trace, but a row in the Transaction Table.
async fn by_table(node: &mut Client, args: &Explain) -> Result<(), Failure> {
    let request = Request::Transactions { limit: usize::MAX };
    let rows = node.ask(&request).await?;
    let concerns = |row: &&Value| {
        let within = |field: &str| {
            row[field]
                .as_str()
                .is_some_and(|text| text.ends_with(&args.id))
        };
        let to = row["to"].as_array().into_iter().flatten();
        row["message"] == args.id.as_str()
            || within("from")
            || to
                .filter_map(Value::as_str)
                .any(|to| to.ends_with(&args.id))
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
        return Err(Failure::Failed(format!("{}: {why}", args.id)));
    }
    output::list(&Value::Array(rows), look::TRANSACTIONS, args.format)
}
