//! `wvgate log`: what the running node logs.

use clap::Args;

use super::{Failure, Global, output};
use crate::admin::Request;
use crate::config::Duration;
use crate::node::LevelsView;

#[derive(Args)]
#[command(after_help = "\
What is set here holds until the time is over, until it is set again, until a reload with another
log.level, or until the node ends; the configuration stays as it is.

Examples:
  wvgate log                                        what is logged now
  wvgate log info,wvgate::sap=debug --for 10m       more of the relay, for ten minutes
  wvgate log --reset                                as the configuration says")]
pub(super) struct LogArgs {
    /// A level (error, warn, info, debug, trace, off), or levels by module; without it: what holds
    #[arg(conflicts_with = "reset")]
    directives: Option<String>,
    /// For how long, e.g. 10m; then what is usual holds again
    #[arg(long = "for", value_name = "TIME", requires = "directives",
          value_parser = str::parse::<Duration>)]
    span: Option<Duration>,
    /// Go by the configuration again
    #[arg(long)]
    reset: bool,
}

pub(super) async fn log(global: &Global, args: LogArgs) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let request = Request::Log {
        set: args.directives,
        seconds: args.span.map(|span| span.get().as_secs().max(1)),
        reset: args.reset,
    };
    let answer = node.ask(&request).await?;
    let view = serde_json::from_value::<LevelsView>(answer);
    let view = view.map_err(|error| Failure::Failed(error.to_string()))?;
    let mut line = view.now.clone();
    if let Some(seconds) = view.seconds {
        let left = Duration::from_secs(seconds);
        line += &format!("  (for {left}, then {})", view.usual);
    } else if view.now != view.usual {
        line += &format!("  (usual: {})", view.usual);
    }
    output::line(line)
}
