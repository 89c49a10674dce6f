//! What waits for a user, as a client hears it.

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, Display, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender,
    User as UserElement,
};
use crate::imps::primitive::message_store::{MessageNotification, NewMessage};

use super::body::Body;
use super::client::ToClient;
use super::core::Core;
use super::feed::{self, Feed, KINDS, MESSAGE, NOTIFICATION};
use super::held::Content;
use super::inbox::{Arrival, Letter};
use super::notice::response;
use super::user::User;

/// What a user's clients are told.
pub(super) struct Telling<'a> {
    user: &'a User,
    core: &'a Core,
}

impl<'a> Telling<'a> {
    pub(super) fn of(user: &'a User, core: &'a Core) -> Self {
        Self { user, core }
    }

    /// What has a number, as a client hears it; `None` if it is on disk only.
    pub(super) fn told(&self, number: u64, feed: &Feed, now: Time) -> Option<ToClient> {
        let at = number / KINDS;
        if number % KINDS == MESSAGE
            && let Some(arrival) = self.user.inbox.untold(at)
            && let Some(letter) = &arrival.waiting
            && !feed.is_pushed(&arrival.sender, letter)
        {
            let notification = MessageNotification {
                meta: Some(MetaInfo::of_server(self.core.domain())),
                info: self.notice(at, arrival, now)?,
            };
            return Some(take(feed::number(at, NOTIFICATION), notification));
        }
        match self.user.held.get(number)? {
            Content::Message(body) => {
                let arrival = self.user.inbox.untold(at)?;
                Some(take(number, self.message(arrival, body)?))
            }
            Content::Notice(primitive) => {
                let notice = self.user.notices.get(&at)?;
                match (&notice.only, primitive) {
                    (Some(asker), Primitive::DeliveryStatusReport(report)) => {
                        Some(ToClient::Answer {
                            id: asker.id.clone(),
                            number: Some(number),
                            primitive: Box::new(response(report).into()),
                        })
                    }
                    _ => Some(take(number, primitive.clone())),
                }
            }
        }
    }

    /// A message that waits, as the user who fetches it hears it.
    pub(super) fn fetched(&self, at: u64, body: &Body) -> Option<NewMessage> {
        let mut message = self.message(self.user.inbox.get(at)?, body)?;
        message.info.message_id = self.user.inbox.name(at);
        Some(message)
    }

    /// What is told of a message that waits before it is fetched.
    pub(super) fn notice(&self, at: u64, arrival: &Arrival, now: Time) -> Option<MessageInfo> {
        let letter = arrival.waiting.as_ref()?;
        let labels = letter.labels.as_deref();
        let content_type = letter.content_type.clone();
        Some(MessageInfo {
            message_id: self.user.inbox.name(at),
            uri: labels.and_then(|labels| labels.uri.clone()),
            content_name: labels.and_then(|labels| labels.content_name.clone()),
            validity: Some(arrival.until.after(now).as_secs()),
            ..self.info(
                arrival,
                letter,
                content_type,
                labels.and_then(|labels| labels.name.as_ref()),
            )
        })
    }

    /// A message as a client hears it.
    fn message(&self, arrival: &Arrival, body: &Body) -> Option<NewMessage> {
        let letter = arrival.waiting.as_ref()?;
        let content = ContentData {
            content_type: body.content_type.clone(),
            bytes: body.content.clone(),
        };
        let content_type = body.content_type.clone();
        Some(NewMessage {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            info: MessageInfo {
                uri: body.uri.clone(),
                content_name: body.content_name.clone(),
                ..self.info(arrival, letter, content_type, body.name.as_ref())
            },
            content: (!content.bytes.is_empty()).then_some(content),
        })
    }

    fn info(
        &self,
        arrival: &Arrival,
        letter: &Letter,
        content_type: String,
        name: Option<&String>,
    ) -> MessageInfo {
        let own = UserElement::new(self.user.address(self.core));
        let labels = letter.labels.as_ref();
        // The size of what lies elsewhere is not known.
        let is_here = letter.size > 0 || labels.is_none_or(|labels| labels.uri.is_none());
        let size = Some(letter.size).filter(|_| is_here);
        MessageInfo {
            message_id: Some(arrival.id.clone()),
            uri: None,
            content_type: Some(content_type),
            content_name: None,
            content_size: size.and_then(|size| u64::try_from(size).ok()),
            validity: None,
            recipients: vec![Recipient::User(own)],
            recipient_display: None,
            sender: Some(sender(&arrival.sender, name)),
            date_time: Some(self.core.skew.date(letter.arrived)),
        }
    }
}

/// Something that waits until it is acknowledged under its number.
pub(super) fn take(number: u64, primitive: impl Into<Primitive>) -> ToClient {
    ToClient::Take {
        number,
        primitive: Box::new(primitive.into()),
    }
}

/// A user, or a group with the screen name to show.
fn sender(address: &Address, name: Option<&String>) -> Sender {
    let screen_name = |name: &String| ScreenName {
        group: address.clone(),
        name: name.clone(),
    };
    let display = name.map(|name| Display {
        user: None,
        group: None,
        screen_name: Some(screen_name(name)),
        name: None,
    });
    let group = GroupId {
        group: address.clone(),
    };
    let is_group = address.kind() == Kind::Resource;
    Sender {
        user: (!is_group).then(|| UserElement::new(address.clone())),
        group: is_group.then_some(group),
        screen_name: None,
        display,
    }
}
