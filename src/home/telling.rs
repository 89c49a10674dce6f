//! What waits for a user, as a client hears it.

use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContentData, Display, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender,
    User as UserElement,
};
use crate::imps::primitive::message_store::NewMessage;

use super::body::Body;
use super::client::ToClient;
use super::core::Core;
use super::feed::KINDS;
use super::held::Content;
use super::inbox::Arrival;
use super::notice::response;
use super::user::User;

/// What a user's clients are told.
pub(super) struct Telling<'a> {
    user: &'a User,
    core: &'a Core,
}

impl<'a> Telling<'a> {
    /// Of this user.
    pub(super) fn of(user: &'a User, core: &'a Core) -> Self {
        Self { user, core }
    }

    /// What has a number, as a client hears it; `None` if it is on disk only.
    pub(super) fn told(&self, number: u64) -> Option<ToClient> {
        match self.user.held.get(number)? {
            Content::Message(body) => {
                let arrival = self.user.inbox.untold(number / KINDS)?;
                Some(take(number, self.new_message(arrival, body)?))
            }
            Content::Notice(primitive) => {
                let notice = self.user.notices.get(&(number / KINDS))?;
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

    /// A message as a client hears it.
    fn new_message(&self, arrival: &Arrival, body: &Body) -> Option<NewMessage> {
        let letter = arrival.waiting.as_ref()?;
        let content = ContentData {
            content_type: body.content_type.clone(),
            bytes: body.content.clone(),
        };
        let own = UserElement::new(self.user.address(self.core));
        Some(NewMessage {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            info: MessageInfo {
                message_id: Some(arrival.id.clone()),
                uri: body.uri.clone(),
                content_type: Some(body.content_type.clone()),
                content_name: None,
                content_size: u64::try_from(body.content.len()).ok(),
                validity: None,
                recipients: vec![Recipient::User(own)],
                recipient_display: None,
                sender: Some(sender(&arrival.sender, body.name.as_ref())),
                date_time: Some(self.core.skew.date(letter.arrived)),
            },
            content: (!content.bytes.is_empty()).then_some(content),
        })
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
