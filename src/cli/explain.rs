//! `wvgate explain`: what happened to one message or transaction.

use clap::Args;
use serde_json::Value;

use super::output::{self, Format, aligned};
use super::{Failure, Global, trace};
use crate::admin::Request;

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
    let value = global.connect().await?.ask(&request).await?;
    let traces: &[Value] = value.as_array().map_or(&[], Vec::as_slice);
    if traces.is_empty() {
        let why = "the node remembers nothing of it since its start";
        return Err(Failure::Failed(format!("{}: {why}", args.id)));
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
