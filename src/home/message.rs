//! Messages for our users (wire profile, 9.3).
//!
//! A message is refused at once or accepted; accepted, it waits in its recipient's inbox until
//! one of their clients has taken it ([`super::feed`]), which is what "delivered" means. It is
//! remembered by sender and id until its validity ends: a second one of the same id gets the same
//! answer and is not delivered.

use super::body::Body;
use super::feed;
use super::feeds::Feeds;
use crate::element::{Act, Outcome, Time, validity};
use crate::imps::address::Address;
use crate::imps::address::Kind;
use crate::imps::common::MetaInfo;
use crate::imps::common::Sender;
use crate::imps::common::User as UserElement;
use crate::imps::common::UserId;
use crate::imps::common::{GroupId, MessageInfo, Recipient};
use crate::imps::presence::AttributeName;
use crate::imps::primitive::message::DeliveryResult;
use crate::imps::primitive::message::DeliveryStatusReport;
use crate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::imps::status::{Code, Status};
use crate::text::media;

use super::core::Core;
use super::group::ForGroup;
use super::inbox::{Arrival, Letter};
use super::profile;
use super::records;
use super::showing;
use super::user::User;
use super::{Caller, Home};

/// A domain has a small part of an inbox with less than one in so many; so much is kept for these
/// beyond the bound.
pub(super) const SMALL: usize = 8;

/// Said with 200 to who may know it.
const WAITS: &str = "The user is away: it is kept until he logs in.";

/// A message on its way to one recipient.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) sender: Address,
    pub(super) until: Time,
    pub(super) letter: Letter,
    pub(super) body: Body,
}

/// Messages of others, for users of ours.
pub(super) struct Submission<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> Submission<'a> {
    /// For this caller, at this time.
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Takes a message for users and groups of ours. They are answered together.
    pub(super) fn take(&mut self, mut request: SendMessageRequest) {
        let caller = self.caller;
        let from = caller.from();
        let mut for_groups = self.home.groups.take_out(from, &mut request);
        if for_groups.is_empty() {
            self.serve(request, &[]);
            return;
        }
        if request.info.recipients.is_empty() {
            let response = response(&request, &for_groups);
            self.home.core.respond(self.caller.id, response);
        } else if !self.serve(request.clone(), &for_groups) {
            let refuse = |group: &mut ForGroup| group.refuse(Code::ADDRESS);
            for_groups.iter_mut().for_each(refuse);
        }
        self.home
            .groups
            .take_messages(from, &request, for_groups, self.now);
    }

    /// Takes a message for users of ours.
    ///
    /// `for_groups`: what becomes of it at groups that are named beside them. Says whether its
    /// sender may send it.
    fn serve(&mut self, request: SendMessageRequest, for_groups: &[ForGroup]) -> bool {
        let sender = match sender_of(self.caller, &request.info) {
            Ok(sender) => sender,
            Err(code) => {
                let status = Status::new(code).because("The sender is not the one who asks.");
                let id = request.info.message_id.unwrap_or_default();
                let copies = request.info.recipients.len().max(1);
                self.home.core.acts((0..copies).map(|_| refused(&id, code)));
                self.home.core.respond(self.caller.id, status);
                return false;
            }
        };
        let targets = targets_of(&request.info);
        let copies = request.info.recipients.len();
        let message = self.message_of(request, sender);
        let mut accepted: Vec<(String, bool)> = Vec::new();
        let mut failures = Vec::new();
        let groups = failures_of(for_groups);
        for target in &targets {
            let address = self.home.core.at_home(target.address());
            match self.may_accept(target, &address, &message) {
                Ok((name, _)) if accepted.iter().any(|(other, _)| *other == name) => {}
                Ok(new) => accepted.push(new),
                Err(code) => failures.push((code, address)),
            }
        }
        // Each copy ends: these at once, the new ones when they are handed over.
        let new = accepted.iter().filter(|(_, is_new)| *is_new).count();
        self.home
            .core
            .acts(failures.iter().map(|(code, _)| refused(&message.id, *code)));
        let repeated = copies.saturating_sub(failures.len() + new);
        self.home.core.acts((0..repeated).map(|_| Act::Outcome {
            message: message.id.clone(),
            outcome: Outcome::Repeated,
        }));
        failures.extend(groups);
        let all = targets.len() + for_groups.len();
        let waits = new == 1 && all == 1;
        let waits = waits
            && accepted
                .iter()
                .any(|(name, _)| self.is_seen_away(name, &message));
        let status = if targets.is_empty() {
            Status::new(Code::BAD_PARAMETER).because("There is no recipient.")
        } else {
            let status = status_for(all, failures);
            if waits { status.because(WAITS) } else { status }
        };
        let response = SendMessageResponse {
            message_id: message.id.clone(),
            status,
        };
        self.home.core.respond(self.caller.id, response);
        for (name, is_new) in accepted {
            if is_new && let Some(user) = self.home.users.get_mut(&name) {
                Arrivals::of(user, &mut self.home.core, self.now).receive(&message);
            }
        }
        true
    }

    fn message_of(&mut self, request: SendMessageRequest, sender: Address) -> Message {
        let info = request.info;
        let content = request.content.map(|content| {
            let content_type = match info.charset(&content) {
                Some(charset) => media::with_charset(&content.content_type, charset),
                None => content.content_type,
            };
            (content_type, content.bytes)
        });
        let (content_type, content) = content.unzip();
        let given = info.message_id.filter(|id| !id.is_empty());
        let longest = self.home.core.settings.offline_validity;
        let validity = validity(info.validity, longest);
        let screen_name = info.sender.and_then(|sender| {
            let display = sender.display.and_then(|display| display.screen_name);
            sender.screen_name.or(display).map(|screen| screen.name)
        });
        let body = Body {
            name: screen_name.filter(|name| !name.is_empty()),
            // The content's own type is the better one: the info's may be the client's guess.
            content_type: content_type
                .or(info.content_type)
                .unwrap_or_else(|| "text/plain".to_owned()),
            content: content.unwrap_or_default(),
            uri: info.uri,
            content_name: info.content_name,
        };
        Message {
            id: given.unwrap_or_else(|| self.home.core.message_id()),
            sender,
            until: self.now.plus(validity),
            letter: Letter::of(&body, self.now, info.date_time, request.delivery_report),
            body,
        }
    }

    /// Whether the sender may see that the recipient has no client that takes the message.
    fn is_seen_away(&self, name: &str, message: &Message) -> bool {
        let takes = |user: &User| user.clients.values().any(|feed| feed.takes_everything());
        self.home.users.get(name).is_some_and(|user| {
            !user.builtin
                && !takes(user)
                && user
                    .may_see(&self.home.core, &message.sender)
                    .contains(&AttributeName::OnlineStatus)
        })
    }

    /// The recipient's name and whether the message is new to them; or why they do not get it.
    fn may_accept(
        &self,
        target: &Recipient,
        address: &Address,
        message: &Message,
    ) -> Result<(String, bool), Code> {
        match target {
            Recipient::User(_) => {}
            _ if address.domain() != self.home.core.domain() => {
                return Err(Code::DOMAIN_NOT_SUPPORTED);
            }
            // Those that exist were taken out before.
            Recipient::Group(_) | Recipient::ScreenName(_) => return Err(Code::NO_GROUP),
            Recipient::ContactList(_) => return Err(Code::NO_CONTACT_LIST),
        }
        let name = self.home.known_user(address)?;
        let user = self.home.users.get(&name).ok_or(Code::UNKNOWN_USER)?;
        if !user.may_use(&self.home.core, profile::IM) {
            return Err(Code::UNAUTHORIZED_RECIPIENT);
        }
        if user.inbox.knows(&message.sender, &message.id) {
            return Ok((name, false));
        }
        if message.body.uri.is_none()
            && let Some(code) = showing::refusal(&user.clients, &message.letter)
            && user.admits(
                &self.home.core,
                &message.sender,
                message.body.name.as_deref(),
            )
        {
            return Err(code);
        }
        let now = message.letter.arrived;
        if user.builtin && !self.home.core.echoes.allows(&message.sender, now) {
            return Err(Code::UNAVAILABLE);
        }
        if !user.builtin && !user.has_room_for_message(&self.home.core, message) {
            return Err(Code::QUEUE_FULL);
        }
        Ok((name, true))
    }
}

/// Messages on their way into a user's inbox, and out of it.
pub(super) struct Arrivals<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Arrivals<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Keeps an accepted message and tells the user's clients of it. The echo user takes it at
    /// once. Of a message whose sender the user does not admit nobody is told, and its sender sees
    /// what they would see if the user never logged in.
    fn receive(&mut self, message: &Message) {
        let Message {
            id, sender, letter, ..
        } = message;
        let name = message.body.name.as_deref();
        let is_blocked = !self.user.builtin && !self.user.admits(self.core, sender, name);
        let arrival = Arrival {
            id: id.clone(),
            sender: sender.clone(),
            until: message.until,
            waiting: (!self.user.builtin && !is_blocked).then(|| letter.clone()),
            blocked: is_blocked.then(|| letter.clone()),
        };
        let waits = arrival.waiting.is_some();
        if is_blocked {
            self.core.act(refused(id, Code::BLOCKED));
        }
        let number = self.user.new_number(self.now);
        self.core
            .act(records::new_arrival(&self.user.name, number, &arrival));
        self.user.put_arrival(self.core, number, arrival);
        if waits {
            self.core
                .act(records::new_body(&self.user.name, number, &message.body));
            Feeds::of(self.user, self.core, self.now).has_come(number, &message.body);
        }
        if self.user.builtin {
            let delivered = Status::ok().because("Delivered");
            self.report(id, sender, letter, &delivered);
            self.core.act(Act::Outcome {
                message: id.clone(),
                outcome: Outcome::Delivered,
            });
            super::echo::answer(self.core, &self.user.address(self.core), message, self.now);
        }
        Feeds::of(self.user, self.core, self.now).feed();
        self.trim_inbox();
    }

    /// The validity of an arrival is over.
    pub(super) fn expire_arrival(&mut self, number: u64) {
        let expired = Status::new(Code::EXPIRED).because("Expired");
        self.end_arrival(number, &expired, Outcome::Expired);
    }

    /// Forgets an arrival. If it was still waiting, that is how the message ends.
    pub(super) fn end_arrival(&mut self, number: u64, status: &Status, outcome: Outcome) {
        let Some(arrival) = self.user.remove_arrival(self.core, number) else {
            return;
        };
        self.core
            .act(records::delete_arrival(&self.user.name, number));
        if let Some(letter) = &arrival.blocked {
            self.report(&arrival.id, &arrival.sender, letter, status);
        }
        if let Some(letter) = arrival.waiting {
            if !letter.has_body {
                self.core.act(records::delete_body(&self.user.name, number));
            }
            let told_as = feed::number(number, feed::MESSAGE);
            self.user.let_go(self.core, told_as);
            self.report(&arrival.id, &arrival.sender, &letter, status);
            self.core.act(Act::Outcome {
                message: arrival.id,
                outcome,
            });
        }
    }

    /// Takes a message that waits out of the inbox, where it stays remembered: that is its end. Who
    /// has sent it, and what was known of it; its body is the caller's business.
    pub(super) fn take_out(
        &mut self,
        number: u64,
        status: &Status,
        outcome: Outcome,
    ) -> Option<(Address, Letter)> {
        let letter = self.user.take_letter(self.core, number)?;
        let arrival = self.user.inbox.get(number).cloned()?;
        self.core
            .act(records::put_arrival(&self.user.name, number, &arrival));
        let Arrival { id, sender, .. } = arrival;
        self.report(&id, &sender, &letter, status);
        self.core.act(Act::Outcome {
            message: id,
            outcome,
        });
        Some((sender, letter))
    }

    pub(super) fn trim_inbox(&mut self) {
        while self.user.inbox.remembered() > self.core.settings.max_remembered
            && let Some(number) = self.user.inbox.first_remembered()
        {
            // Nothing waits in it, so status and outcome mean nothing.
            self.user.inbox.forget_report(number);
            self.end_arrival(number, &Status::ok(), Outcome::Delivered);
        }
    }

    /// Reports to the sender, if they want it; sender and recipient change places.
    pub(super) fn report(&mut self, id: &str, sender: &Address, letter: &Letter, status: &Status) {
        if !letter.report {
            return;
        }
        let recipient = if sender.kind() == Kind::Resource {
            Recipient::Group(GroupId {
                group: sender.clone(),
            })
        } else {
            Recipient::User(UserElement::new(sender.clone()))
        };
        let own = self.user.address(self.core);
        let report = DeliveryStatusReport {
            meta: Some(MetaInfo::of_user(self.user.home(self.core), own.clone())),
            result: DeliveryResult {
                status: status.clone(),
            },
            time: Some(self.core.skew.date(self.now)),
            info: MessageInfo {
                message_id: Some(id.to_owned()),
                uri: None,
                content_type: Some(letter.content_type.clone()),
                content_name: None,
                content_size: u64::try_from(letter.size).ok(),
                validity: None,
                recipients: vec![recipient],
                recipient_display: None,
                sender: Some(Sender::user(UserElement::new(own))),
                date_time: letter.sent,
            },
        };
        // The sender's domain may be away for a while; the report is worth waiting as long as
        // the message was.
        let expires = self.now.plus(self.core.settings.offline_validity);
        let token = self.core.token();
        self.core.act(Act::Request {
            token,
            primitive: report.into(),
            expires,
        });
    }
}

fn refused(id: &str, code: Code) -> Act {
    Act::Outcome {
        message: id.to_owned(),
        outcome: Outcome::Refused(code.0),
    }
}

/// Who sends; what the message says must agree with who asks.
fn sender_of(caller: &Caller, info: &MessageInfo) -> Result<Address, Code> {
    let sender = info.sender.as_ref();
    let user = sender.and_then(|sender| sender.user.as_ref());
    let group = sender.and_then(|sender| {
        let named = sender.group.as_ref().map(|group| &group.group);
        named.or(sender.screen_name.as_ref().map(|name| &name.group))
    });
    let here = |address: &Address| address.clone().or_domain(&caller.domain);
    match (user, group, &caller.user) {
        (Some(user), _, Some(asking)) if here(&user.user) != *asking => Err(Code::INVALID_USER),
        (Some(user), _, _) if here(&user.user).domain() != claimed_domain(caller) => {
            Err(Code::ADDRESS)
        }
        (Some(user), _, _) => Ok(here(&user.user)),
        (None, Some(group), _) if here(group).domain() != claimed_domain(caller) => {
            Err(Code::ADDRESS)
        }
        (None, Some(group), _) => Ok(here(group)),
        (None, None, Some(asking)) => Ok(asking.clone()),
        (None, None, None) => Err(Code::INVALID_USER),
    }
}

/// The domain for which the caller may speak.
fn claimed_domain(caller: &Caller) -> &str {
    caller
        .user
        .as_ref()
        .map_or(caller.domain.as_str(), Address::domain)
}

/// The recipients, each once.
fn targets_of(info: &MessageInfo) -> Vec<Recipient> {
    let mut targets: Vec<Recipient> = Vec::with_capacity(info.recipients.len());
    for recipient in &info.recipients {
        if !targets.contains(recipient) {
            targets.push(recipient.clone());
        }
    }
    targets
}

/// The answer to a message that is for groups alone.
fn response(request: &SendMessageRequest, groups: &[ForGroup]) -> SendMessageResponse {
    SendMessageResponse {
        message_id: request.info.message_id.clone().unwrap_or_default(),
        status: status_for(groups.len(), failures_of(groups).collect()),
    }
}

fn failures_of(groups: &[ForGroup]) -> impl Iterator<Item = (Code, Address)> {
    let failed = |group: &ForGroup| Some((group.failure()?, group.address.clone()));
    groups.iter().filter_map(failed)
}

/// Like [`Status::of_users`], with groups and contact lists where they belong.
fn status_for(targets: usize, failures: Vec<(Code, Address)>) -> Status {
    let mut status = Status::of_users(targets, failures);
    for detail in &mut status.details {
        let users = std::mem::take(&mut detail.users);
        if detail.code == Code::NO_CONTACT_LIST {
            let list = |id: UserId| crate::imps::common::ContactList { list: id.user };
            detail.contact_lists = users.into_iter().map(list).collect();
            continue;
        }
        let (groups, users): (Vec<_>, _) = users
            .into_iter()
            .partition(|id| id.user.kind() == Kind::Resource);
        detail.users = users;
        let group = |id: UserId| GroupId { group: id.user };
        detail.groups = groups.into_iter().map(group).collect();
    }
    status
}
