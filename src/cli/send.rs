//! `wvgate send`: one message, and what became of it.

use clap::Args;

use super::chat::screen;
use super::output::{self, Format};
use super::{Failure, Global};
use crate::admin::{Line, Request, Sent};
use crate::home::{Command, Event};

#[derive(Args)]
#[command(after_help = "\
The sender is online for the moment it takes; what waits for them stays for their next chat.
With --report it waits until the recipient has the message; a recipient who is away gets it
later, and the report may come after the time is over.

Examples:
  wvgate send --from alice --to carol hello
  wvgate send --from alice --to romeo@xmpp.test --report 'good night'")]
pub(super) struct Send {
    /// A user of this node
    #[arg(long, value_name = "USER")]
    from: String,
    /// An address; without domain a user of this node
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// Ask for a delivery report and wait for it
    #[arg(long)]
    report: bool,
    /// Seconds to wait
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// The text
    text: String,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn send(global: &Global, args: Send) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let request = Request::Send {
        from: args.from,
        to: args.to,
        text: args.text,
        report: args.report,
        timeout: args.timeout,
    };
    node.say(&request).await?;
    let sent: Sent = loop {
        match node.next().await? {
            Line::Event(Event::Ready { .. }) => {}
            Line::Event(event) => {
                if args.format == Format::Text {
                    output::line(screen::event(&event))?;
                }
                if let Some(number) = event.number() {
                    node.say(&Command::Ack { number }).await?;
                }
            }
            Line::Result { result } => {
                if args.format == Format::Json {
                    output::json(&result)?;
                }
                break serde_json::from_value(result).map_err(|error| {
                    Failure::Failed(format!("the answer cannot be read: {error}"))
                })?;
            }
            _ => {}
        }
    };
    if args.format == Format::Text {
        output::line(format!("message {}", sent.id))?;
    }
    let good = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
    if !good(sent.sent) {
        return Err(Failure::Failed(match sent.sent {
            Some(status) if screen::is_unknown(status) => screen::UNKNOWN.to_owned(),
            Some(status) => {
                let why = screen::reason(status, sent.description.as_ref());
                format!("not taken: {why}")
            }
            None => "no answer in time; the message is still under way".to_owned(),
        }));
    }
    match sent.report {
        None if args.report => Err(Failure::Failed(
            "taken, but there was no delivery report in time".to_owned(),
        )),
        Some(status) if !good(Some(status)) => {
            let why = screen::reason(status, sent.description.as_ref());
            Err(Failure::Failed(format!("not delivered: {why}")))
        }
        _ => Ok(()),
    }
}
