//! `wvgate trace`: everything that happens, as it happens.

use clap::Args;
use serde_json::Value;

use super::output::{self, Format, field, time_field};
use super::{Failure, Global};
use crate::admin::{Line, Request};

#[derive(Args)]
#[command(after_help = "\
Columns: time, direction, peer, session, transaction, primitive, what happened. Bodies of
messages are never shown. It goes on until it is interrupted; for what has been, see
wvgate explain.

Several conditions must all hold. With --user and --transaction everything that belongs to
what was shown once comes along, answers and the message's end among it; --peer narrows
that to one neighbour.

Examples:
  wvgate trace
  wvgate trace --peer relay.test                          a neighbour, logins too
  wvgate trace --peer xmpp                                stanzas
  wvgate trace --user alice@village.test --format json    what the user sends and gets
  wvgate trace --transaction 5f0c3a@village.test          a message, on all its ways")]
pub(super) struct TraceArgs {
    /// Only with this peer (`xmpp` for the XMPP server)
    #[arg(long, value_name = "DOMAIN")]
    peer: Option<String>,
    /// Only what this user sends or gets
    #[arg(long, value_name = "ADDRESS")]
    user: Option<String>,
    /// Only this transaction or message, as `wvgate send` and `transactions` show its id
    #[arg(long, value_name = "ID")]
    transaction: Option<String>,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn trace(global: &Global, args: TraceArgs) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let request = Request::Trace {
        peer: args.peer,
        user: args.user,
        transaction: args.transaction,
    };
    node.say(&request).await?;
    loop {
        match (node.next().await?, args.format) {
            (Line::Trace { trace }, Format::Json) => output::line(&trace)?,
            (Line::Trace { trace }, Format::Text) => {
                output::line(cells(&trace).join("  ").trim_end())?;
            }
            (Line::Lagged { lagged }, _) => {
                output::complain(format!("({lagged} traces were lost)"));
            }
            _ => {}
        }
    }
}

/// Time, direction, peer, session, transaction, primitive, what.
pub(super) fn cells(trace: &Value) -> Vec<String> {
    let millis = trace["time"].as_u64().unwrap_or(0) % 1000;
    let arrow = match trace["direction"].as_str() {
        Some("in") => "in  <-",
        Some("out") => "out ->",
        _ => "here",
    };
    vec![
        format!("{}.{millis:03}", time_field(trace, "time")),
        arrow.to_owned(),
        field(trace, "peer"),
        field(trace, "session"),
        field(trace, "transaction"),
        field(trace, "primitive"),
        field(trace, "what"),
    ]
}
