//! Messages of our users: one request per message, whoever the recipient is.

use super::feed::Feeds;
use super::records;
use super::sent::State;
use super::sent::Taken;
use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement,
};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::status::{Code, Status};

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

/// Messages that a user sends.
pub(super) struct Sending<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Sending<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Sends a text. What is wrong with it the client is told at once.
    pub(super) fn send(&mut self, client: ClientKey, draft: Draft) {
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
            return refuse(self.core, Code::ADDRESS, "The address names nobody.");
        }
        if text.len() > self.core.settings.max_text {
            return refuse(self.core, Code::BAD_PARAMETER, "The text is too long.");
        }
        let usable = |id: &String| {
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
        };
        if id.as_ref().is_some_and(|id| !usable(id)) {
            return refuse(
                self.core,
                Code::BAD_PARAMETER,
                "A message id is at most 128 printable ASCII characters without spaces.",
            );
        }
        let is_repetition = id
            .as_ref()
            .is_some_and(|id| self.is_repetition(client, id, &to));
        if !is_repetition && !self.user.may_ask(self.core) {
            return self
                .core
                .tell(client, watching::too_many_requests("message", &to));
        }
        let id = id.unwrap_or_else(|| self.core.message_id());
        if let Some(feed) = self.user.clients.get_mut(&client) {
            feed.has_sent(&id);
        }
        if is_repetition {
            return;
        }
        let validity = self.core.settings.offline_validity;
        let own = self.user.address(self.core);
        let content = ContentData::text(&text);
        let request = SendMessageRequest {
            delivery_report: report,
            meta: Some(MetaInfo::of_user(self.core.domain(), own.clone())),
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
                date_time: Some(self.core.skew.date(self.now)),
            },
            content: Some(content),
        };
        let asked = Asked::Message { id, to };
        let expires = self.now.plus_seconds(validity);
        self.user
            .ask(self.core, Some(client), asked, request, expires);
    }

    /// The recipient's side has answered to a message. The client that sent it is told. A refusal
    /// is kept until that client has acknowledged it; if it is gone, any client of the user.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn message_answered(
        &mut self,
        client: Option<ClientKey>,
        id: String,
        to: Address,
        status: &Status,
    ) {
        let verdict = effective(status);
        self.remember_sent(&id, &to, verdict);
        let event = Event::sent(id, to, status);
        let client = client.filter(|client| self.user.clients.contains_key(client));
        if !verdict.is_success() {
            Feeds::of(self.user, self.core, self.now).notice(event, client);
        } else if let Some(client) = client {
            self.core.tell(client, event);
        }
    }

    /// Whether a message has been sent before. Then the client hears what became of it, now or
    /// when that is known.
    pub(super) fn is_repetition(&mut self, client: ClientKey, id: &str, to: &Address) -> bool {
        let sent = &self.user.sent;
        match sent.state(id, to) {
            Some(State::Waiting(token)) => match self.core.requests.get_mut(&token) {
                Some(pending) => {
                    pending.client = Some(client);
                    true
                }
                None => false,
            },
            Some(State::Taken(number)) => match sent.taken(number) {
                Some(taken) => {
                    let status = Status::new(Code(taken.status));
                    self.core
                        .tell(client, Event::sent(id.to_owned(), to.clone(), &status));
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// A message was answered: by a success it is remembered, by anything else forgotten.
    pub(super) fn remember_sent(&mut self, id: &str, to: &Address, verdict: Code) {
        self.user.sent.forget(id, to);
        if !verdict.is_success() {
            return;
        }
        let taken = Taken {
            id: id.to_owned(),
            to: to.clone(),
            status: verdict.0,
            until: self.now.plus_seconds(self.core.settings.offline_validity),
        };
        let number = self.user.sent.next_number();
        self.core
            .act(records::put_sent(&self.user.name, number, &taken));
        self.user.sent.insert(number, taken);
        let most = self.core.settings.max_remembered;
        while let Some(number) = self.user.sent.forget_oldest(most, self.now) {
            self.core.act(records::delete_sent(&self.user.name, number));
        }
    }
}
