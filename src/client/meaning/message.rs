//! Messages: sent, told, fetched, forwarded, reported.

use crate::csp;
use crate::csp::primitive::content::Info;
use crate::csp::primitive::message as client;
use crate::element::Method;
use crate::imps::common::{
    ContentData, MessageId, MessageInfo, Recipient, ScreenName, Sender, User,
};
use crate::imps::primitive::message::{DeliveryStatusReport, SendMessageRequest};
use crate::imps::primitive::message_store::{
    ForwardMessageRequest, GetMessageListRequest, GetMessageRequest, MessageDelivered,
    RejectMessageRequest, SetDeliveryMethodRequest,
};
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::answers::{failure, status_of};
use super::content;
use super::memory::Memory;
use super::terms::Terms;

/// A message of the client. Who sends it, when, and how long it is, is not what the client says.
pub(super) fn send(
    request: &client::SendMessageRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let said = &request.info.message;
    let encoding = request.info.encoding;
    let content_type = said.content_type.as_deref();
    let content = request.content.as_ref();
    let content = content.map(|data| content::read(data, encoding, content_type));
    let content = content.transpose()?;
    let info = MessageInfo {
        message_id: said.message_id.clone().filter(|id| !id.is_empty()),
        uri: said.uri.clone(),
        content_type: match content {
            Some(_) => None,
            None => said.content_type.clone(),
        },
        content_name: said.content_name.clone(),
        content_size: match &content {
            Some(_) => None,
            None => said.content_size,
        },
        validity: said.validity,
        recipients: recipients(&said.recipients, terms)?,
        recipient_display: None,
        sender: None,
        date_time: None,
    };
    Ok(SendMessageRequest {
        delivery_report: request.wants_report,
        meta: terms.meta(),
        info,
        content,
    }
    .into())
}

/// To whom a client writes, with whole addresses.
fn recipients(written: &[Recipient], terms: &Terms) -> Result<Vec<Recipient>, Status> {
    if written.is_empty() {
        let why = "The message has no recipient.";
        return Err(Status::new(Code::BAD_PARAMETER).because(why));
    }
    let whole = |recipient: &Recipient| match recipient {
        Recipient::User(user) => Recipient::User(User {
            user: terms.address(&user.user),
            ..user.clone()
        }),
        Recipient::Group(group) => Recipient::Group(crate::imps::common::GroupId {
            group: terms.address(&group.group),
        }),
        Recipient::ScreenName(name) => Recipient::ScreenName(ScreenName {
            group: terms.address(&name.group),
            name: name.name.clone(),
        }),
        Recipient::ContactList(list) => Recipient::ContactList(crate::imps::common::ContactList {
            list: super::contact_list::address(&list.list, terms),
        }),
    };
    Ok(written.iter().map(whole).collect())
}

/// Whether the message was taken. Of one recipient it is 200 or an error: clients take everything
/// else for a failure.
pub(super) fn sent(request: &client::SendMessageRequest, answer: &Primitive) -> csp::Primitive {
    let (mut status, message) = match answer {
        Primitive::SendMessageResponse(response) => {
            (response.status.clone(), response.message_id.clone())
        }
        other => (status_of(other), String::new()),
    };
    if request.info.message.recipients.len() == 1 {
        let code = status.effective();
        let code = if code.is_success() { Code::OK } else { code };
        let detail = status.details.first();
        let words = detail.and_then(|detail| detail.words().map(str::to_owned));
        status = Status {
            description: words.or(status.description),
            try_again: status.try_again,
            ..Status::new(code)
        };
    }
    csp::Primitive::SendMessageResponse(Box::new(client::SendMessageResponse {
        message: Some(message).filter(|id| !id.is_empty() && status.code.is_success()),
        result: status.into(),
    }))
}

/// Which messages wait, or what a group has kept.
pub(super) fn list(request: &client::GetMessageListRequest, terms: &Terms) -> Primitive {
    GetMessageListRequest {
        count: request.count,
        group: request.group.as_ref().map(|group| terms.address(group)),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn listed(
    request: &client::GetMessageListRequest,
    answer: &Primitive,
    terms: &Terms,
    memory: &mut Memory,
) -> csp::Primitive {
    let Primitive::GetMessageListResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    if let Some(group) = &request.group {
        let ids = response
            .messages
            .iter()
            .filter_map(|m| m.message_id.clone());
        memory.keep(&terms.address(group), ids);
    }
    let messages = response.messages.iter();
    csp::Primitive::GetMessageListResponse(Box::new(client::GetMessageListResponse {
        messages: messages.map(|info| about(info, terms)).collect(),
        total: response.total,
    }))
}

/// A message that waits, or that a group has kept.
pub(super) fn get(
    request: &client::GetMessageRequest,
    terms: &Terms,
    memory: &Memory,
) -> Primitive {
    GetMessageRequest {
        message_id: request.message.clone(),
        group: memory.group_of(&request.message).cloned(),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn got(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    let Primitive::GetMessageResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let Some(info) = &response.info else {
        return csp::Primitive::status(Status::new(Code::INVALID_MESSAGE));
    };
    let content = response.content.as_ref();
    if let Some(Err(status)) = content.map(|content| content::may_fetch(content, terms)) {
        return csp::Primitive::status(status);
    }
    let (info, content) = whole(info, content, terms);
    csp::Primitive::GetMessageResponse(Box::new(client::GetMessageResponse { info, content }))
}

pub(super) fn reject(request: &client::RejectMessageRequest, terms: &Terms) -> Primitive {
    let ids = request.messages.iter();
    RejectMessageRequest {
        meta: terms.meta(),
        messages: ids.map(|id| MessageId { id: id.clone() }).collect(),
    }
    .into()
}

pub(super) fn forward(
    request: &client::ForwardMessageRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    Ok(ForwardMessageRequest {
        message_id: request.message.clone(),
        meta: terms.meta(),
        recipients: recipients(request.recipients.as_deref().unwrap_or_default(), terms)?,
        sender: None,
    }
    .into())
}

/// A `Status` until 1.2; from 1.3 on a response with the new id.
pub(super) fn forwarded(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    match answer {
        Primitive::ForwardMessageResponse(response)
            if terms.version == csp::Version::V1_3 && response.status.code == Code::OK =>
        {
            csp::Primitive::ForwardMessageResponse(Box::new(client::ForwardMessageResponse {
                message: response.message_id.clone(),
            }))
        }
        other => csp::Primitive::status(status_of(other)),
    }
}

/// That a message which was fetched has come.
pub(super) fn delivered(request: &client::MessageDelivered, terms: &Terms) -> Primitive {
    MessageDelivered {
        message_id: request.message.clone(),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn set_delivery(
    request: &client::SetDeliveryMethodRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    if Method::parse(&request.method).is_none() {
        let why = "A delivery method is P or N.";
        return Err(Status::new(Code::BAD_PARAMETER).because(why));
    }
    let length = request.content_length.or(request.group_limit);
    Ok(SetDeliveryMethodRequest {
        method: request.method.trim().to_ascii_uppercase(),
        content_length: length.map(u64::from),
        group: request.group.as_ref().map(|group| terms.address(group)),
        meta: terms.meta(),
    }
    .into())
}

/// A message comes.
pub(super) fn new(
    message: &crate::imps::primitive::message_store::NewMessage,
    terms: &Terms,
) -> csp::Primitive {
    let (info, content) = whole(&message.info, message.content.as_ref(), terms);
    csp::Primitive::NewMessage(Box::new(client::NewMessage { info, content }))
}

/// A message waits.
pub(super) fn notification(
    notification: &crate::imps::primitive::message_store::MessageNotification,
    terms: &Terms,
) -> csp::Primitive {
    csp::Primitive::MessageNotification(Box::new(client::MessageNotification {
        info: about(&notification.info, terms),
    }))
}

/// What became of a message: its sender is the user, its recipient who reports.
pub(super) fn report(report: &DeliveryStatusReport, terms: &Terms) -> csp::Primitive {
    let told = about(&report.info, terms);
    let reporter = report.info.sender.as_ref().and_then(recipient_of);
    let message = MessageInfo {
        recipients: reporter.into_iter().collect(),
        sender: Some(Sender::user(User::new(terms.user.clone()))),
        ..told.message
    };
    csp::Primitive::DeliveryReportRequest(Box::new(client::DeliveryReportRequest {
        result: report.result.status.clone().into(),
        time: report.time,
        info: message.into(),
    }))
}

/// Who sends, as somebody to whom something goes.
fn recipient_of(sender: &Sender) -> Option<Recipient> {
    let name = sender.screen_name.clone().map(Recipient::ScreenName);
    let user = sender.user.clone().map(Recipient::User);
    let group = sender.group.clone().map(Recipient::Group);
    name.or(user).or(group)
}

/// A message and what is said about it.
fn whole(
    info: &MessageInfo,
    content: Option<&ContentData>,
    terms: &Terms,
) -> (Info, Option<csp::primitive::content::Data>) {
    let mut told = about(info, terms);
    let shown = content.map(|content| content::show(content, info.content_type.as_deref(), terms));
    let Some(shown) = shown else {
        // 1.1 has no message without content.
        let empty = (terms.version == csp::Version::V1_1).then(Default::default);
        return (told, empty);
    };
    told.message.content_type = Some(shown.content_type);
    told.message.content_size = Some(shown.size);
    told.encoding = Some(shown.encoding);
    (told, Some(shown.data))
}

/// What is said about a message, with all that every version asks for.
fn about(info: &MessageInfo, terms: &Terms) -> Info {
    let own = || Recipient::User(User::new(terms.user.clone()));
    let mut recipients = info.recipients.clone();
    if recipients.is_empty() {
        recipients.push(own());
    }
    let kind = info.content_type.as_deref();
    let message = MessageInfo {
        message_id: info.message_id.clone(),
        uri: info.uri.clone(),
        content_type: kind.map(|kind| content::announced(kind, terms)),
        content_name: info.content_name.clone(),
        content_size: Some(info.content_size.unwrap_or_default()),
        validity: info.validity,
        recipients,
        recipient_display: None,
        sender: Some(sender(info, terms)),
        date_time: info.date_time,
    };
    message.into()
}

/// From whom a message is; of one that says nothing of it, the domain. A group says by a display
/// who in it speaks.
fn sender(info: &MessageInfo, terms: &Terms) -> Sender {
    let nobody = Sender {
        user: None,
        group: None,
        screen_name: None,
        display: None,
    };
    let Some(named) = info.sender.clone() else {
        return Sender::user(User::new(Address::service(terms.user.domain())));
    };
    let display = named.display.as_ref();
    let shown = display.and_then(|display| display.screen_name.as_ref());
    if let (None, None, Some(shown)) = (&named.user, &named.screen_name, shown) {
        let name = shown.name.strip_prefix("wv:").unwrap_or(&shown.name);
        return Sender {
            screen_name: Some(ScreenName {
                group: shown.group.clone(),
                name: name.to_owned(),
            }),
            ..nobody
        };
    }
    if named.user.is_some() || named.group.is_some() || named.screen_name.is_some() {
        return named;
    }
    let user = display.and_then(|display| Some(display.user.as_ref()?.user.clone()));
    let group = display.and_then(|display| display.group.clone());
    let is_nobody = user.is_none() && group.is_none();
    let user = user.or_else(|| is_nobody.then(|| Address::service(terms.user.domain())));
    Sender {
        user: user.map(User::new),
        group,
        ..nobody
    }
}
