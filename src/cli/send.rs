//! `wvgate send`: one message, and what became of it.

use std::time::Duration;

use clap::Args;

use super::output::{self, Format};
use super::{Failure, Global};
use crate::access::line::{Requests, screen};
use crate::admin::{Client, Line, Request};
use crate::home::{Delivery, FromClient, Takes, ToClient};
use crate::imps::{Address, Code, Primitive, Status};
use crate::node::clock;

/// The id of the one request.
const REQUEST: &str = "message";

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
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// The text of the message
    text: String,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn send(global: &Global, args: Send) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    let request = Request::Chat {
        user: args.from.clone(),
        password: None,
        takes: Takes::OwnAnswers,
        delivery: Delivery::default(),
    };
    node.say(&request).await?;
    let user = loop {
        if let Line::Event(ToClient::Opened { user, .. }) = node.next().await? {
            break user;
        }
    };
    let id = format!("{}@{}", clock::random().hex(12), user.domain());
    let requests = Requests::of(user);
    let mut sending = Sending {
        to: requests.address(&args.to),
        wants_report: args.report,
        outcome: Outcome {
            id: id.clone(),
            sent: None,
            report: None,
            description: None,
        },
    };
    let message = requests.message(sending.to.clone(), &args.text, args.report, Some(id));
    let request = FromClient::Request {
        id: REQUEST.to_owned(),
        primitive: Box::new(message),
    };
    node.say(&request).await?;
    let patience = Duration::from_secs(args.timeout.clamp(1, 86_400));
    let heard = hear(&mut node, &mut sending, args.format);
    if let Ok(heard) = tokio::time::timeout(patience, heard).await {
        heard?;
    }
    if args.format == Format::Json {
        output::json(&serde_json::json!(sending.outcome))?;
    } else {
        output::line(format!("message {}", sending.outcome.id))?;
    }
    sending.verdict()
}

/// Listens until it is known what became of the message.
async fn hear(node: &mut Client, sending: &mut Sending, format: Format) -> Result<(), Failure> {
    while !sending.is_over() {
        let Line::Event(told) = node.next().await? else {
            continue;
        };
        if let Some(line) = sending.hear(&told)
            && format == Format::Text
        {
            output::line(line)?;
        }
        if let Some(number) = told.number() {
            node.say(&FromClient::Ack { number }).await?;
        }
    }
    Ok(())
}

/// A message on its way: a codec of what the node tells of it.
struct Sending {
    to: Address,
    wants_report: bool,
    outcome: Outcome,
}

/// What became of it.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Outcome {
    id: String,
    /// The answer of the recipient's side, if it came in time: 200 taken.
    sent: Option<u16>,
    /// The delivery report, if it was asked for and came in time: 200 delivered.
    report: Option<u16>,
    /// What was said with a status that is no success.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Sending {
    /// Takes in what is told, and says it in a line.
    fn hear(&mut self, told: &ToClient) -> Option<String> {
        match told {
            ToClient::Answer { id, primitive, .. } if id == REQUEST => {
                let missing = || Status::new(Code::INTERNAL);
                let status = primitive.verdict().cloned().unwrap_or_else(missing);
                self.outcome.sent = Some(self.note(&status));
                Some(match primitive.as_ref() {
                    Primitive::Status(status) => screen::failed("message", Some(&self.to), status),
                    _ => screen::sent(&self.to, &status),
                })
            }
            ToClient::Take { primitive, .. } => match primitive.as_ref() {
                Primitive::DeliveryStatusReport(report) => {
                    self.outcome.report = Some(self.note(&report.result.status));
                    Some(screen::report(report))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn note(&mut self, status: &Status) -> u16 {
        let code = status.effective();
        if !code.is_success() {
            self.outcome.description = screen::words(status).map(str::to_owned);
        }
        code.0
    }

    fn is_over(&self) -> bool {
        match (self.outcome.sent, self.outcome.report) {
            (Some(status), None) => !self.wants_report || !good(status),
            (Some(_), Some(_)) => true,
            (None, _) => false,
        }
    }

    fn verdict(&self) -> Result<(), Failure> {
        let Outcome {
            sent,
            report,
            description,
            ..
        } = &self.outcome;
        let why = |status| screen::reason(status, description.as_deref());
        Err(Failure::Failed(match (*sent, *report) {
            (Some(status), _) if screen::is_unknown(status) => screen::UNKNOWN.to_owned(),
            (Some(status), _) if !good(status) => format!("not taken: {}", why(status)),
            (None, _) => "no answer in time; the message is still under way".to_owned(),
            (_, None) if self.wants_report => {
                "taken, but there was no delivery report in time".to_owned()
            }
            (_, Some(status)) if !good(status) => format!("not delivered: {}", why(status)),
            _ => return Ok(()),
        }))
    }
}

fn good(status: u16) -> bool {
    Code(status).is_success()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssp::envelope::decode_fragment;

    fn sending(wants_report: bool) -> Sending {
        Sending {
            to: Address::new("bob@b.test"),
            wants_report,
            outcome: Outcome {
                id: "m-1".to_owned(),
                sent: None,
                report: None,
                description: None,
            },
        }
    }

    fn answer(xml: &str) -> ToClient {
        let primitive = decode_fragment(xml.as_bytes()).unwrap();
        ToClient::answer(REQUEST.to_owned(), primitive)
    }

    const TAKEN: &str =
        r#"<SendMessageResponse messageID="m-1"><Status code="200"/></SendMessageResponse>"#;

    #[test]
    fn a_message_is_over_with_its_answer_or_its_report() {
        let mut plain = sending(false);
        let line = plain.hear(&answer(TAKEN)).unwrap();
        assert_eq!(line, "* taken by b.test for bob@b.test");
        assert!(plain.is_over() && plain.verdict().is_ok());
        let mut reported = sending(true);
        reported.hear(&answer(TAKEN));
        assert!(!reported.is_over() && reported.verdict().is_err());
        let report = r#"<DeliveryStatusReport><DeliveryResult><Status code="200"/></DeliveryResult><MessageInfo messageID="m-1"><Sender><User userID="wv:bob@b.test"/></Sender></MessageInfo></DeliveryStatusReport>"#;
        let report = decode_fragment(report.as_bytes()).unwrap();
        let take = ToClient::Take {
            number: 1,
            primitive: Box::new(report),
        };
        assert_eq!(reported.hear(&take).unwrap(), "* delivered to bob@b.test");
        assert!(reported.is_over() && reported.verdict().is_ok());
    }

    #[test]
    fn a_refusal_ends_it_and_says_why() {
        let mut refused = sending(true);
        refused.hear(&answer(
            r#"<SendMessageResponse messageID=""><Status code="900"><DetailedResult code="531"><StatusDescription>Who?</StatusDescription></DetailedResult></Status></SendMessageResponse>"#,
        ));
        assert!(refused.is_over());
        assert_eq!(refused.outcome.sent, Some(531));
        assert_eq!(refused.outcome.description.as_deref(), Some("Who?"));
        let Err(Failure::Failed(why)) = refused.verdict() else {
            panic!("no failure");
        };
        assert_eq!(why, "not taken: 531 Who?");
    }
}
