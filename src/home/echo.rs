//! `echo@domain`: answers every message to its sender with the same content, so that an operator
//! or a user can see that the way there and back works.

use crate::sap::element::{Act, Time};
use crate::ssp::address::{Address, Kind};
use crate::ssp::common::{
    ContentData, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement,
};
use crate::ssp::datetime::DateTime;
use crate::ssp::primitive::message::SendMessageRequest;

use super::core::Core;
use super::inbox::Letter;
use super::user::ECHO;

/// Answers a message. Groups, services and other domains' echo users get no answer: it might go
/// round for ever.
pub(super) fn answer(
    core: &mut Core,
    echo: &Address,
    sender: &Address,
    letter: &Letter,
    now: Time,
    out: &mut Vec<Act>,
) {
    if sender.kind() != Kind::User || sender.local() == ECHO {
        return;
    }
    let request = SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user(core.domain(), echo.clone())),
        info: MessageInfo {
            message_id: Some(core.message_id()),
            uri: letter.uri.clone(),
            content_type: Some(letter.content_type.clone()),
            content_name: None,
            content_size: u64::try_from(letter.content.len()).ok(),
            validity: Some(core.settings.offline_validity),
            recipients: vec![Recipient::User(UserElement::new(sender.clone()))],
            recipient_display: None,
            sender: Some(Sender::user(UserElement::new(echo.clone()))),
            date_time: Some(DateTime::from_millis(now.0)),
        },
        content: Some(ContentData {
            content_type: letter.content_type.clone(),
            bytes: letter.content.clone(),
        }),
    };
    let expires = now.plus_seconds(core.settings.offline_validity);
    out.push(Act::Request {
        token: core.token(),
        primitive: request.into(),
        expires,
    });
}
