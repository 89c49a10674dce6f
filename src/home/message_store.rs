//! Messages that wait, as their user lists, fetches, rejects and forwards them (wire profile, 11.9).

use crate::element::{Act, Found, Load, Method, Outcome, RequestId, Time};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::MessageId;
use crate::imps::primitive::message_store::{
    ForwardMessageRequest, ForwardMessageResponse, GetMessageListRequest, GetMessageListResponse,
    GetMessageResponse, RejectMessageRequest, SetDeliveryMethodRequest,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::answers::status_of;
use super::body::Body;
use super::contents::Contents;
use super::core::Core;
use super::feed::{MESSAGE, number};
use super::feeds::Feeds;
use super::fetches::{Fetch, Wish};
use super::held::Content;
use super::message::Arrivals;
use super::records;
use super::sending::{MAX_RECIPIENTS, Sending};
use super::session::too_many;
use super::telling::Telling;
use super::user::User;

/// No such message waits.
const NO_MESSAGE: Code = Code(426);
/// Messages in one list, unless fewer are wanted; our choice.
const LISTED: u32 = 100;
/// Messages that a user has forwarded and whose end is not known, at most; our choice.
pub(super) const MAX_FORWARDED: usize = 100;
/// Messages in one list at most, and messages that are rejected at once; our choice.
const MAX_LISTED: usize = 500;

/// The messages that wait for one user.
pub(super) struct MessageStore<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> MessageStore<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Does what the user asks. The answer; `None` if it follows.
    pub(super) fn serve(
        &mut self,
        caller: Option<RequestId>,
        primitive: Primitive,
    ) -> Option<Primitive> {
        Some(match primitive {
            Primitive::SetDeliveryMethodRequest(request) => may_set(&request).into(),
            Primitive::GetMessageListRequest(request) => self.list(&request).into(),
            Primitive::RejectMessageRequest(request) => self.reject(&request).into(),
            Primitive::MessageDelivered(delivered) => self.delivered(&delivered.message_id).into(),
            Primitive::GetMessageRequest(request) => {
                match self.user.inbox.named(&request.message_id) {
                    Some(at) => return self.fetch(at, Wish::Get, caller),
                    None => Status::new(NO_MESSAGE).into(),
                }
            }
            Primitive::ForwardMessageRequest(request) => {
                return self.forward(*request, caller);
            }
            _ => Status::new(Code::NOT_IMPLEMENTED).into(),
        })
    }

    /// Which messages wait, the oldest first.
    fn list(&self, request: &GetMessageListRequest) -> GetMessageListResponse {
        let wanted = request.count.unwrap_or(LISTED);
        let wanted = usize::try_from(wanted).map_or(MAX_LISTED, |count| count.min(MAX_LISTED));
        let telling = Telling::of(self.user, self.core);
        let waiting = self.user.inbox.all_waiting().take(wanted);
        let messages = waiting.filter_map(|(at, arrival)| telling.notice(at, arrival, self.now));
        GetMessageListResponse {
            total: u32::try_from(self.user.inbox.waiting()).ok(),
            status: Status::ok(),
            messages: messages.collect(),
        }
    }

    /// Ends messages that the user does not want, and names those that do not wait.
    fn reject(&mut self, request: &RejectMessageRequest) -> Status {
        let wanted = request.messages.len();
        if !(1..=MAX_LISTED).contains(&wanted) {
            let why = "A message is named, and at most 500.";
            return Status::new(Code::BAD_PARAMETER).because(why);
        }
        let mut unknown = Vec::new();
        for MessageId { id } in &request.messages {
            match self.user.inbox.named(id) {
                Some(at) => {
                    let rejected = Status::new(Code::REJECTED).because("Rejected");
                    let outcome = Outcome::Refused(Code::REJECTED.0);
                    self.end(at, &rejected, outcome);
                }
                None => unknown.push(MessageId { id: id.clone() }),
            }
        }
        match unknown.len() {
            0 => Status::ok(),
            1 if wanted == 1 => Status::new(NO_MESSAGE),
            failed => {
                let code = if failed < wanted {
                    Code::PARTIAL
                } else {
                    Code::MULTIPLE
                };
                let detail = DetailedResult {
                    messages: unknown,
                    ..DetailedResult::new(NO_MESSAGE)
                };
                Status {
                    details: vec![detail],
                    ..Status::new(code)
                }
            }
        }
    }

    /// A message that was fetched has reached its client.
    fn delivered(&mut self, id: &str) -> Status {
        let Some(at) = self.user.inbox.named(id) else {
            return Status::new(NO_MESSAGE);
        };
        for feed in self.user.clients.values_mut() {
            feed.forgets(number(at, MESSAGE));
        }
        let mut feeds = Feeds::of(self.user, self.core, self.now);
        feeds.delivered(at);
        feeds.feed();
        Status::ok()
    }

    /// Sends a message on to others, if that can be.
    fn forward(
        &mut self,
        request: ForwardMessageRequest,
        caller: Option<RequestId>,
    ) -> Option<Primitive> {
        let refused = |status: Status| {
            let response = ForwardMessageResponse {
                message_id: None,
                status,
            };
            Some(response.into())
        };
        let own = self.user.address(self.core);
        let sender = request.sender.as_ref().and_then(|s| s.user.as_ref());
        if sender.is_some_and(|sender| self.core.at_home(&sender.user) != own) {
            return refused(Status::new(Code::INVALID_USER).because("Who forwards is the user."));
        }
        let mut recipients = request.recipients;
        let sending = Sending::of(self.user, self.core, self.now);
        if let Err((code, why)) = sending.may_address(&mut recipients, MAX_RECIPIENTS) {
            return refused(Status::new(code).because(why));
        }
        let Some(at) = self.user.inbox.named(&request.message_id) else {
            return refused(Status::new(NO_MESSAGE));
        };
        if !self.user.may_ask(self.core) || self.user.forwarded >= MAX_FORWARDED {
            return refused(too_many());
        }
        self.fetch(at, Wish::Forward(recipients), caller)
    }

    /// Does something with the body of a message, if that is at hand; else has it read first.
    fn fetch(&mut self, at: u64, wish: Wish, caller: Option<RequestId>) -> Option<Primitive> {
        let fetch = Fetch {
            user: self.user.name.clone(),
            at,
            wish,
            caller,
        };
        match self.user.held.get(number(at, MESSAGE)) {
            Some(Content::Message(body)) => {
                let body = body.clone();
                return self.with(fetch, body);
            }
            _ => self.read(fetch),
        }
        None
    }

    /// Has a body read, when it is its turn.
    pub(super) fn read(&mut self, fetch: Fetch) {
        if !self.core.reads.may_begin(self.core.settings.max_read_bytes) {
            return self.core.fetches.wait(fetch);
        }
        let letter = self.user.inbox.letter(fetch.at);
        let (bytes, has_body) = letter.map_or((0, false), |l| (l.bytes, l.has_body));
        let key = records::key_of_body(&fetch.user, fetch.at, has_body);
        let read = self.core.read_number();
        let keys = vec![(number(fetch.at, MESSAGE), key)];
        self.core.reads.begin(read, &fetch.user, bytes);
        self.core.fetches.begin(read, fetch);
        self.core.act(Act::Load(Load { number: read, keys }));
    }

    /// A body came from the store, or did not.
    pub(super) fn fetched(&mut self, fetch: Fetch, found: Option<Found>) {
        let caller = fetch.caller;
        let told_as = number(fetch.at, MESSAGE);
        let is_gone = self.user.inbox.letter(fetch.at).is_none();
        let read = match found {
            _ if is_gone => Err(NO_MESSAGE),
            Some(Found::Record(record)) => {
                let mut contents = Contents::of(self.user, self.core, self.now);
                match contents.content(told_as, &record) {
                    Ok(Some(Content::Message(body))) => Ok(body),
                    Ok(_) => Err(NO_MESSAGE),
                    Err(why) => {
                        contents.unreadable(told_as, &why);
                        Err(Code::INTERNAL)
                    }
                }
            }
            Some(Found::Damaged(why)) => {
                Contents::of(self.user, self.core, self.now).unreadable(told_as, &why);
                Err(Code::INTERNAL)
            }
            Some(Found::Later(_)) | None => Err(Code::UNAVAILABLE),
        };
        let answer = match read {
            Ok(body) => self.with(fetch, body),
            Err(code) => Some(Status::new(code).into()),
        };
        if let Some(answer) = answer {
            self.core.respond(caller, answer);
        }
    }

    /// The body is at hand. The answer; `None` if it follows.
    fn with(&mut self, fetch: Fetch, body: Body) -> Option<Primitive> {
        let Fetch {
            at, wish, caller, ..
        } = fetch;
        match wish {
            Wish::Get => {
                let message = Telling::of(self.user, self.core).fetched(at, &body);
                let answer = message.map_or_else(
                    || Primitive::from(Status::new(NO_MESSAGE)),
                    |message| {
                        let response = GetMessageResponse {
                            status: Status::ok(),
                            info: Some(message.info),
                            content: message.content,
                        };
                        response.into()
                    },
                );
                Some(answer)
            }
            Wish::Forward(recipients) => {
                Sending::of(self.user, self.core, self.now).forward(at, body, recipients, caller);
                None
            }
        }
    }

    /// Those to whom a message was forwarded have it, or not.
    pub(super) fn forwarded(
        &mut self,
        at: u64,
        id: String,
        caller: Option<RequestId>,
        answer: &Primitive,
    ) {
        let status = status_of(answer);
        if status.effective().is_success() || status.code == Code::PARTIAL {
            let forwarded = Status::new(Code::FORWARDED).because("Forwarded");
            self.end(at, &forwarded, Outcome::Delivered);
        }
        self.told_of_forward(id, caller, status);
    }

    /// Who forwards a message hears what is known of it.
    pub(super) fn told_of_forward(
        &mut self,
        id: String,
        caller: Option<RequestId>,
        status: Status,
    ) {
        let response = ForwardMessageResponse {
            message_id: Some(id),
            status,
        };
        self.core.respond(caller, response);
    }

    /// The home domain of a guest does not take a message.
    pub(super) fn refused(&mut self, at: u64) {
        let rejected = Status::new(Code::REJECTED).because("Rejected");
        self.end(at, &rejected, Outcome::Refused(Code::REJECTED.0));
    }

    fn end(&mut self, at: u64, status: &Status, outcome: Outcome) {
        let mut arrivals = Arrivals::of(self.user, self.core, self.now);
        if arrivals.take_out(at, status, outcome).is_some() {
            arrivals.trim_inbox();
            self.user.let_go(self.core, number(at, MESSAGE));
            self.core.act(records::delete_body(&self.user.name, at));
        }
    }
}

/// Whether a delivery method can be set. It is the session's ([`super::session`]).
fn may_set(request: &SetDeliveryMethodRequest) -> Status {
    let is_group = |group: &Address| group.is_valid() && group.kind() == Kind::Resource;
    if Method::parse(&request.method).is_none() {
        let why = "The delivery method is P or N.";
        return Status::new(Code::BAD_PARAMETER).because(why);
    }
    if request.group.as_ref().is_some_and(|group| !is_group(group)) {
        return Status::new(Code::NO_GROUP);
    }
    Status::ok()
}
