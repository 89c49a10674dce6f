//! Messages of our users: one request per message, whoever the recipient is.

use super::addresses::Addresses;
use super::notice::{report, said};
use super::notices::Notices;
use super::records;
use super::sent::State;
use super::sent::Taken;
use super::session::too_many;
use crate::element::{RequestId, Time, validity};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender, User as UserElement,
};
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::status::{Code, Status};

use super::answers::status_of;
use super::body::Body;
use super::core::{Asked, Asker, Core};
use super::user::User;

/// Bytes of a message id given by a client.
pub(super) const MAX_ID: usize = 128;
/// Recipients of one message; our choice.
pub(super) const MAX_RECIPIENTS: usize = 100;

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

    /// Sends a message. What is wrong with it the client is told at once, by a `Status`.
    /// `named`: its recipients as the client has named them, if contact lists were among them.
    pub(super) fn send(
        &mut self,
        asker: Asker,
        mut request: SendMessageRequest,
        named: Option<Vec<Address>>,
    ) {
        let lists = named.is_some();
        let most = if lists { usize::MAX } else { MAX_RECIPIENTS };
        let may_address = self.may_address(&mut request.info.recipients, most);
        if let Err((code, why)) = may_address.and_then(|()| self.may_send(&request)) {
            return self.core.answer(asker, Status::new(code).because(why));
        }
        let recipients = request.info.recipients.iter();
        let recipients = recipients.map(|r| r.address().clone());
        let to = Addresses(named.unwrap_or_else(|| recipients.collect()));
        let given = request.info.message_id.take();
        let client = asker.client;
        let is_repetition = given
            .as_ref()
            .is_some_and(|id| self.is_repetition(&asker, id, &to));
        if !is_repetition && !self.user.may_ask(self.core) {
            return self.core.answer(asker, too_many());
        }
        let id = given.unwrap_or_else(|| self.core.message_id());
        if let Some(feed) = self.user.clients.get_mut(&client) {
            feed.has_sent(&id);
        }
        if is_repetition {
            return;
        }
        let longest = self.core.settings.offline_validity;
        let own = self.user.address(self.core);
        let info = &mut request.info;
        info.message_id = Some(id.clone());
        let validity = validity(info.validity, longest);
        info.validity = Some(validity.as_secs().max(1));
        info.sender = Some(Sender::user(UserElement::new(own.clone())));
        info.date_time = Some(self.core.skew.date(self.now));
        if let Some(content) = &request.content {
            info.content_size = u64::try_from(content.bytes.len()).ok();
            info.content_type
                .get_or_insert_with(|| content.content_type.clone());
        }
        request.meta = Some(MetaInfo::of_user(self.core.domain(), own));
        let asked = Asked::Message { id, to, lists };
        let expires = self.now.plus(validity);
        self.user
            .ask(self.core, Some(asker), asked, request, expires);
    }

    /// Sends on a message that waits, as it is. The same one has the same id, whenever it is sent on:
    /// who has it already does not get it twice.
    pub(super) fn forward(
        &mut self,
        at: u64,
        body: Body,
        recipients: Vec<Recipient>,
        caller: Option<RequestId>,
    ) {
        let own = self.user.address(self.core);
        let id = format!("fwd-{at:x}");
        let validity = self.core.settings.offline_validity;
        let content = ContentData {
            content_type: body.content_type,
            bytes: body.content,
        };
        let request = SendMessageRequest {
            delivery_report: false,
            meta: Some(MetaInfo::of_user(self.user.home(self.core), own.clone())),
            info: MessageInfo {
                message_id: Some(id.clone()),
                uri: body.uri,
                content_type: Some(content.content_type.clone()),
                content_name: body.content_name,
                content_size: u64::try_from(content.bytes.len()).ok(),
                validity: Some(validity.as_secs().max(1)),
                recipients,
                recipient_display: None,
                sender: Some(Sender::user(UserElement::new(own))),
                date_time: Some(self.core.skew.date(self.now)),
            },
            content: (!content.bytes.is_empty()).then_some(content),
        };
        let asked = Asked::Forward { at, id, caller };
        let expires = self.now.plus(validity);
        self.user.ask(self.core, None, asked, request, expires);
    }

    /// Puts the domain into the address of a recipient who is of this one.
    fn complete(&self, recipient: &mut Recipient) {
        let (Recipient::User(UserElement { user: address, .. })
        | Recipient::Group(GroupId { group: address })
        | Recipient::ScreenName(ScreenName { group: address, .. })
        | Recipient::ContactList(crate::imps::common::ContactList { list: address })) = recipient;
        *address = self.core.at_home(address);
    }

    /// Whether a message can be for these, and so many, whose addresses it completes.
    pub(super) fn may_address(
        &self,
        recipients: &mut [Recipient],
        most: usize,
    ) -> Result<(), (Code, &'static str)> {
        for recipient in &mut *recipients {
            self.complete(recipient);
        }
        if !(1..=most).contains(&recipients.len()) {
            return Err((
                Code::BAD_PARAMETER,
                "A message has a recipient, and at most a hundred.",
            ));
        }
        let names_nobody = |recipient: &Recipient| {
            let address = recipient.address();
            !address.is_valid() || address.kind() == Kind::Service
        };
        if recipients.iter().any(names_nobody) {
            return Err((Code::ADDRESS, "The address names nobody."));
        }
        Ok(())
    }

    fn may_send(&self, request: &SendMessageRequest) -> Result<(), (Code, &'static str)> {
        let info = &request.info;
        let content = request.content.as_ref();
        if content.is_some_and(|content| content.bytes.len() > self.core.settings.max_content) {
            return Err((Code::BAD_PARAMETER, "The content is too long."));
        }
        let usable = |id: &String| {
            (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
        };
        if info.message_id.as_ref().is_some_and(|id| !usable(id)) {
            return Err((
                Code::BAD_PARAMETER,
                "A message id is at most 128 printable ASCII characters without spaces.",
            ));
        }
        Ok(())
    }

    /// The recipient's side has answered to a message. The client that sent it is told. A refusal
    /// is kept until that client has acknowledged it; if it is gone, any client of the user. `lists`:
    /// contact lists are among those whom the client has named.
    pub(super) fn message_answered(
        &mut self,
        asker: Option<Asker>,
        id: String,
        to: Addresses,
        lists: bool,
        answer: &Primitive,
    ) {
        let status = said(&status_of(answer));
        let verdict = match &to.0[..] {
            [_] if !lists => status.effective(),
            _ => status.code,
        };
        // Of several recipients some may have been reached.
        let has_failed = !verdict.is_success() || verdict == Code::PARTIAL;
        let from = match &to.0[..] {
            [one] if !lists => Some(one.clone()),
            _ => None,
        };
        let own = self.user.address(self.core);
        let report = has_failed.then(|| report(&own, id.clone(), &status, from));
        self.user.sent.forget(&id, &to);
        if !has_failed {
            self.remember_sent(&id, to, verdict);
        }
        let response = SendMessageResponse {
            message_id: id,
            status,
        };
        let here = |asker: &Asker| self.user.clients.contains_key(&asker.client);
        let asker = asker.filter(here);
        match (report, asker) {
            (Some(report), asker) => {
                Notices::of(self.user, self.core, self.now).keep(report.into(), asker);
            }
            (None, Some(asker)) => self.core.answer(asker, response),
            (None, None) => {}
        }
    }

    /// Whether a message has been sent before. Then the client hears what became of it, now or
    /// when that is known; who has asked before does not hear it any more.
    fn is_repetition(&mut self, asker: &Asker, id: &str, to: &Addresses) -> bool {
        let sent = &self.user.sent;
        match sent.state(id, to) {
            Some(State::Waiting(token)) => match self.core.requests.get_mut(&token) {
                Some(pending) => {
                    pending.asker = Some(asker.clone());
                    true
                }
                None => false,
            },
            Some(State::Taken(number)) => match sent.taken(number) {
                Some(taken) => {
                    let response = SendMessageResponse {
                        message_id: id.to_owned(),
                        status: Status::new(Code(taken.status)),
                    };
                    self.core.answer(asker.clone(), response);
                    true
                }
                None => false,
            },
            None => false,
        }
    }

    /// Remembers a message that was taken. One that reached some of its recipients only is not
    /// remembered: those know it when it comes again.
    fn remember_sent(&mut self, id: &str, to: Addresses, verdict: Code) {
        let taken = Taken {
            id: id.to_owned(),
            to,
            status: verdict.0,
            until: self.now.plus(self.core.settings.offline_validity),
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
