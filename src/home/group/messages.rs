//! Messages to a group (WVFF, 7; wire profile, 9.3): to all who are joined, or to one of them by
//! screen name. A report says that the group has taken the message (WVFF, 6.1).

use std::time::Duration;

use crate::element::{Act, Outcome, Time, validity};
use crate::imps::address::Address;
use crate::imps::common::{
    Display, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender, User,
};
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport, SendMessageRequest};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::outgoing::{Audience, Distribution, Outgoing, addressed};
use super::posts::{Kept, Post, Trimmed};
use super::{Group, NO_MEMBER, records};

/// Nobody writes to one participant of the group.
const NO_PRIVATE_MESSAGES: Code = Code(812);
/// This participant takes no messages of their own.
const NO_PRIVATE_MESSAGES_OF_USER: Code = Code(813);
/// What a group calls its messages is at most so long; the sender's id serves if it is not longer.
const MAX_ID: usize = 128;

/// Whom a message to a group is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// All who are joined, but who writes.
    All,
    /// A private message, for one who is joined.
    One(Address),
    /// It has been taken before.
    Nobody,
}

/// A message for a group, and what is to be done with it.
#[derive(Debug)]
pub(in crate::home) struct ForGroup {
    /// The group, as it was named.
    pub(in crate::home) address: Address,
    /// Whom it is for; or why it is for nobody.
    pub(super) verdict: Result<Target, Code>,
}

impl ForGroup {
    /// It is refused with the rest of its message.
    pub(in crate::home) fn refuse(&mut self, code: Code) {
        self.verdict = Err(code);
    }

    /// Why the group does not take it.
    pub(in crate::home) fn failure(&self) -> Option<Code> {
        self.verdict.as_ref().err().copied()
    }
}

/// A message that a group does not take.
pub(super) fn refused(message: String, code: Code) -> Act {
    Act::Outcome {
        message,
        outcome: Outcome::Refused(code.0),
    }
}

/// Messages that a group takes.
pub(super) struct Messages<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Messages<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// Takes a message, once.
    pub(super) fn take(&mut self, from: &Address, request: &SendMessageRequest, target: &Target) {
        let given = request.info.message_id.clone();
        let given = given.filter(|id| !id.is_empty());
        let id = given.unwrap_or_else(|| self.core.message_id());
        if *target != Target::Nobody {
            self.hand_on(from, request, &id, target);
        }
        let outcome = match target {
            Target::Nobody => Outcome::Repeated,
            Target::All | Target::One(_) => Outcome::Delivered,
        };
        self.core.act(Act::Outcome {
            message: id,
            outcome,
        });
    }

    fn hand_on(&mut self, from: &Address, request: &SendMessageRequest, id: &str, target: &Target) {
        let longest = self.core.settings.validity;
        let validity = validity(request.info.validity, longest);
        let until = self.now.plus(validity);
        // Senders know nothing of each other's ids.
        let is_free = id.len() <= MAX_ID && !self.group.posts.has_named(id);
        let named = (!is_free).then(|| self.core.message_id());
        let mut message = self.copy(request, named.as_deref().unwrap_or(id), from, validity);
        if let Target::One(user) = target {
            message.info.recipient_display = Some(self.participant(user));
        }
        let is_kept = *target == Target::All && self.group.sheet.properties.history;
        let post = Post {
            id: id.to_owned(),
            sender: from.clone(),
            named,
            until,
            kept: is_kept.then(|| Kept::new(message.clone())),
        };
        self.remember(post);
        let mut distribution = Distribution::of(self.group, self.core, self.now);
        match target {
            Target::One(user) => {
                let message = addressed(message.into(), vec![user.clone()]);
                distribution.request(message, until);
            }
            _ => distribution.send(Outgoing {
                primitive: Box::new(message.into()),
                audience: Audience::Others(from.clone()),
                expires: until,
                after: None,
            }),
        }
        if request.delivery_report {
            self.report(from, request, id);
        }
    }

    fn remember(&mut self, post: Post) {
        let number = self.group.new_number(self.now);
        self.core
            .act(records::put_post(&self.group.name, number, &post));
        self.group.posts.insert(number, post);
        let settings = &self.core.settings;
        let whole = (settings.max_history, settings.max_history_bytes);
        let most = settings.max_remembered;
        for trimmed in self.group.posts.trim(most, whole, self.now) {
            let act = match trimmed {
                Trimmed::Forgotten(number) => records::delete_post(&self.group.name, number),
                Trimmed::Cut(number) => match self.group.posts.get(number) {
                    Some(post) => records::put_post(&self.group.name, number, post),
                    None => continue,
                },
            };
            self.core.act(act);
        }
    }

    /// The message as the group hands it on, without recipients.
    fn copy(
        &self,
        request: &SendMessageRequest,
        id: &str,
        from: &Address,
        validity: Duration,
    ) -> SendMessageRequest {
        let group = self.group.address(self.core);
        let date = request.info.date_time;
        SendMessageRequest {
            delivery_report: false,
            meta: Some(MetaInfo::of_server(self.core.domain())),
            info: MessageInfo {
                message_id: Some(id.to_owned()),
                validity: Some(validity.as_secs().max(1)),
                recipients: Vec::new(),
                recipient_display: None,
                sender: Some(Sender {
                    user: None,
                    group: Some(GroupId { group }),
                    screen_name: None,
                    display: Some(self.participant(from)),
                }),
                date_time: date.or_else(|| Some(self.core.skew.date(self.now))),
                ..request.info.clone()
            },
            content: request.content.clone(),
        }
    }

    /// How a participant is shown.
    fn participant(&self, user: &Address) -> Display {
        let group = self.group.address(self.core);
        let name = self.group.shown(user);
        Display {
            user: None,
            group: None,
            screen_name: Some(ScreenName { group, name }),
            name: None,
        }
    }

    /// Reports that the group has taken a message.
    fn report(&mut self, to: &Address, request: &SendMessageRequest, id: &str) {
        let group = self.group.address(self.core);
        let report = DeliveryStatusReport {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            result: DeliveryResult {
                status: Status::ok().because("Delivered"),
            },
            time: Some(self.core.skew.date(self.now)),
            info: MessageInfo {
                message_id: Some(id.to_owned()),
                uri: None,
                validity: None,
                recipients: vec![Recipient::User(User::new(to.clone()))],
                recipient_display: None,
                sender: Some(Sender {
                    user: None,
                    group: Some(GroupId { group }),
                    screen_name: None,
                    display: None,
                }),
                ..request.info.clone()
            },
        };
        let expires = self.now.plus(self.core.settings.validity);
        let token = self.core.token();
        self.core.act(Act::Request {
            token,
            primitive: report.into(),
            expires,
        });
    }
}

impl Target {
    /// Whom a message of a user is for, or why the group does not take it.
    pub(super) fn of(
        group: &Group,
        core: &Core,
        from: &Address,
        message: &SendMessageRequest,
        to: &Recipient,
    ) -> Result<Self, Code> {
        if !group.is_joined(from) {
            return Err(Code::NOT_JOINED);
        }
        let sender = message.info.sender.as_ref();
        let name = sender.and_then(|sender| sender.screen_name.as_ref());
        if name.is_some_and(|name| group.named(&name.name) != Some(from)) {
            return Err(NO_MEMBER);
        }
        let id = message.info.message_id.as_deref().unwrap_or_default();
        if group.posts.knows(from, id) {
            return Ok(Self::Nobody);
        }
        let settings = &core.settings;
        let bytes = message.content.as_ref().map_or(0, |c| c.bytes.len());
        if group.outgoing.len() >= settings.max_outgoing
            || core.outgoing_bytes + bytes > settings.max_outgoing_bytes
        {
            return Err(Code::QUEUE_FULL);
        }
        let Recipient::ScreenName(to) = to else {
            return Ok(Self::All);
        };
        Self::participant(group, from, &to.name).map(Self::One)
    }

    /// The participant of this screen name, whom another one may write to in private.
    pub(super) fn participant(group: &Group, from: &Address, name: &str) -> Result<Address, Code> {
        if !group.sheet.properties.private_messaging {
            return Err(NO_PRIVATE_MESSAGES);
        }
        let user = group.named(name).ok_or(Code::UNDELIVERABLE)?;
        let takes = |user: &Address| {
            let seat = group.people.get(user).and_then(|p| p.seat.as_ref());
            seat.is_some_and(|seat| seat.own.private_messaging)
        };
        if !takes(user) || !takes(from) {
            return Err(NO_PRIVATE_MESSAGES_OF_USER);
        }
        Ok(user.clone())
    }
}
