//! Messages to XMPP that are not taken.

use tokio_xmpp::Stanza;
use xmpp_parsers::message::Message;

use super::super::shared::Shared;
use crate::element::{Outcome, RequestId, Time};
use crate::imps::common::{Recipient, User};
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::{Code, Status};
use crate::translate::message::sender_of;
use crate::translate::receipt::{About, report};
use crate::translate::stanza::print;

/// Answers a message that is not taken; each copy of it ends here.
pub(super) fn refuse(
    request: &SendMessageRequest,
    (to, message_id): (Option<RequestId>, &str),
    code: Code,
    shared: &mut Shared,
) {
    if let Some(to) = to {
        let means = shared.translator.mappings.status.means(code).to_owned();
        let response = SendMessageResponse {
            message_id: message_id.to_owned(),
            status: Status::new(code).because(means),
        };
        shared.respond(to, response);
    }
    let outcome = if code == Code::EXPIRED {
        Outcome::Expired
    } else {
        Outcome::Refused(code.0)
    };
    for _ in 0..request.info.recipients.len().max(1) {
        shared.outcome(message_id, outcome);
    }
}

/// A message failed before it could be sent. If it was answered, a report says so.
pub(in crate::gateway) fn fail(
    (request, to): (&SendMessageRequest, Option<RequestId>),
    code: Code,
    now: Time,
    shared: &mut Shared,
) {
    let info = &request.info;
    let message_id = info.message_id.clone().unwrap_or_default();
    refuse(request, (to, &message_id), code, shared);
    let sender = sender_of(request).filter(|_| to.is_none() && request.delivery_report);
    let Some(sender) = sender else { return };
    for recipient in &info.recipients {
        let about = About {
            message_id: message_id.clone(),
            sender: sender.clone(),
            recipient: match recipient {
                Recipient::User(user) => user.clone(),
                other => User::new(other.address().clone()),
            },
            date_time: info.date_time,
            content_type: info.content_type.clone(),
            content_size: info.content_size,
        };
        let date = shared.skew.wall(now).0;
        let report = report(&shared.translator.mappings.status, &about, code, date);
        shared.tell(report, now);
    }
}

/// The message, unless it has more bytes than the server takes: it would end the
/// link.
pub(super) fn fitting(
    component: &str,
    message: Message,
    now: Time,
    shared: &mut Shared,
) -> Result<Message, Code> {
    let most = shared.links.most(component);
    let stanza = Stanza::Message(message);
    let bytes = print(&stanza).len();
    if bytes > most {
        if let Some(more) = shared.seldom.may("large", now.0) {
            tracing::info!(
                component,
                bytes,
                more,
                "a message was refused: the XMPP server takes {most} bytes (max_stanza)"
            );
        }
        return Err(Code::UNDELIVERABLE);
    }
    match stanza {
        Stanza::Message(message) => Ok(message),
        _ => Err(Code::INTERNAL),
    }
}
