//! Messages of our users: one request per message, whoever the recipient is.

use crate::element::Time;
use crate::ssp::address::{Address, Kind};
use crate::ssp::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement,
};
use crate::ssp::primitive::message::SendMessageRequest;
use crate::ssp::status::{Code, Status};

use super::client::{ClientKey, Event};
use super::core::{Asked, Core};
use super::user::User;
use super::{effective, watching};

/// Bytes of a message id given by a client.
pub(super) const MAX_ID: usize = 128;

/// A text that a client wants to send.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) to: Address,
    pub(super) text: String,
    pub(super) report: bool,
    pub(super) id: Option<String>,
}

impl User {
    /// Sends a text. What is wrong with it the client is told at once.
    pub(super) fn send(&mut self, core: &mut Core, client: ClientKey, draft: Draft, now: Time) {
        let Draft {
            to,
            text,
            report,
            id,
        } = draft;
        let refuse = |core: &mut Core, code, why: &str| {
            core.tell(client, Event::error("message", Some(&to), code, why));
        };
        if !to.is_valid() || to.kind() == Kind::Service {
            return refuse(core, Code::ADDRESS, "The address names nobody.");
        }
        if text.len() > core.settings.max_text {
            return refuse(core, Code::BAD_PARAMETER, "The text is too long.");
        }
        let usable = |id: &String| {
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
        };
        if id.as_ref().is_some_and(|id| !usable(id)) {
            return refuse(
                core,
                Code::BAD_PARAMETER,
                "A message id is at most 128 printable ASCII characters without spaces.",
            );
        }
        let is_repetition = id
            .as_ref()
            .is_some_and(|id| self.is_repetition(core, client, id, &to));
        if !is_repetition && !self.may_ask(core) {
            return core.tell(client, watching::too_many_requests("message", &to));
        }
        let id = id.unwrap_or_else(|| core.message_id());
        if let Some(feed) = self.clients.get_mut(&client) {
            feed.has_sent(&id);
        }
        if is_repetition {
            return;
        }
        let validity = core.settings.offline_validity;
        let own = self.address(core);
        let content = ContentData::text(&text);
        let request = SendMessageRequest {
            delivery_report: report,
            meta: Some(MetaInfo::of_user(core.domain(), own.clone())),
            info: MessageInfo {
                message_id: Some(id.clone()),
                uri: None,
                content_type: Some(content.content_type.clone()),
                content_name: None,
                content_size: u64::try_from(content.bytes.len()).ok(),
                validity: Some(validity),
                recipients: vec![if to.kind() == Kind::Resource {
                    Recipient::Group(GroupId { group: to.clone() })
                } else {
                    Recipient::User(UserElement::new(to.clone()))
                }],
                recipient_display: None,
                sender: Some(Sender::user(UserElement::new(own))),
                date_time: Some(core.skew.date(now)),
            },
            content: Some(content),
        };
        let asked = Asked::Message { id, to };
        let expires = now.plus_seconds(validity);
        self.ask(core, Some(client), asked, request, expires);
    }

    /// The recipient's side has answered to a message. The client that sent it is told. A refusal
    /// is kept until that client has acknowledged it; if it is gone, any client of the user.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn message_answered(
        &mut self,
        core: &mut Core,
        client: Option<ClientKey>,
        id: String,
        to: Address,
        status: &Status,
        now: Time,
    ) {
        let verdict = effective(status);
        self.remember_sent(core, &id, &to, verdict, now);
        let event = Event::sent(id, to, status);
        let client = client.filter(|client| self.clients.contains_key(client));
        if !verdict.is_success() {
            self.notice(core, event, client, now);
        } else if let Some(client) = client {
            core.tell(client, event);
        }
    }
}
