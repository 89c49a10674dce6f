//! Instant messages (xmpp-mapping, 4.1 and 4.2).

use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Id, Lang, Message, MessageType};
use xmpp_parsers::stanza_error::StanzaError;

use super::file::sharing;
use super::stanza::{attribute, clean, element, ns, payload};
use super::tables::{Rendering, text_of_html};
use super::words::{Words, words};
use super::{AddressError, Translator};
use crate::imps::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, Recipient, ScreenName, Sender, User,
};
use crate::imps::datetime::DateTime;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code};

/// The contact list does not exist.
const NO_LIST: Code = Code(700);
/// Age above which a message says when it was sent, in seconds.
const DELAYED_AFTER: i64 = 60;

/// What a message lost on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Nothing was lost.
    Full,
    /// Rich content became plain text.
    PlainText,
    /// Content became a link.
    Reference,
}

/// A message for XMPP: one stanza, or a refusal, per recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct ToXmpp {
    /// In the order of the request.
    pub stanzas: Vec<(Recipient, Result<Message, Code>)>,
    /// What the message lost.
    pub form: Form,
}

impl ToXmpp {
    /// The id of its stanzas; `None` if there are none.
    pub fn id(&self) -> Option<&str> {
        let mut stanzas = self.stanzas.iter();
        stanzas.find_map(|(_, stanza)| Some(stanza.as_ref().ok()?.id.as_ref()?.0.as_str()))
    }
}

/// What a message stanza is for the SSP side.
#[derive(Debug, Clone, PartialEq)]
pub enum ToSsp {
    /// A message for SSP.
    Message(Box<SendMessageRequest>),
    /// Nothing that has a counterpart; its kind: typing notices and the like.
    Nothing(&'static str),
    /// A message that may not be delivered any more; whether its sender wants to hear of it.
    Expired(bool),
    /// Something its sender must know was not delivered.
    Refuse(Box<StanzaError>),
}

/// Stanzas for a message, all with the id `stanza_id`. `now` is in
/// milliseconds since 1970.
///
/// # Errors
/// The status for the whole request: 400 without sender or content, 415 for
/// content that cannot be shown (what is to become a file is one by now: its message has a link), 901 for an unusable sender.
pub fn to_xmpp(
    translator: &Translator,
    request: &SendMessageRequest,
    stanza_id: &str,
    now: u64,
) -> Result<ToXmpp, Code> {
    let from = sender_jid(translator, request)?;
    let (body, links, form) = body(translator, request)?;
    let is_from_room = request
        .info
        .sender
        .as_ref()
        .is_some_and(|sender| sender.user.is_none());
    let stanza = |to: Jid, kind: MessageType, in_room: bool| {
        let mut message = Message::new_with_type(kind, to);
        message.from = Some(from.clone());
        message.id = Some(Id(stanza_id.to_owned()));
        message.bodies.insert(Lang::new(), body.clone());
        let payloads = &mut message.payloads;
        if in_room {
            payloads.push(element("x", ns::MUC_USER).build());
        }
        if request.delivery_report && message.type_ != MessageType::Groupchat {
            payloads.push(element("request", ns::RECEIPTS).build());
        }
        if let Some(stamp) = sent_before(request.info.date_time, now) {
            let delay = element("delay", ns::DELAY);
            payloads.push(attribute(delay, "stamp", &stamp.to_string()).build());
        }
        payloads.extend(links.clone());
        let origin = element("origin-id", ns::SID);
        payloads.push(attribute(origin, "id", stanza_id).build());
        message
    };
    let stanzas = request.info.recipients.iter().map(|recipient| {
        let result = match recipient {
            Recipient::User(user) => translator.jid_of(user).map(|to| {
                let kind = if is_from_room {
                    MessageType::Groupchat
                } else {
                    MessageType::Chat
                };
                stanza(to, kind, false)
            }),
            Recipient::Group(group) => translator
                .jid(&group.group)
                .map(|room| stanza(room.into(), MessageType::Groupchat, false)),
            Recipient::ScreenName(name) => translator
                .occupant(name)
                .map(|to| stanza(to, MessageType::Chat, true)),
            // The lists of XMPP users are in their rosters, which nobody shows us.
            Recipient::ContactList(list) if translator.is_xmpp(&list.list) => {
                return (recipient.clone(), Err(NO_LIST));
            }
            Recipient::ContactList(list) => Err(AddressError::Foreign(list.list.to_string())),
        };
        (recipient.clone(), result.map_err(|error| error.code()))
    });
    let stanzas: Vec<_> = stanzas.collect();
    if stanzas.is_empty() {
        return Err(Code::BAD_REQUEST);
    }
    Ok(ToXmpp { stanzas, form })
}

/// The JID a message is from: a user at their client, or an occupant of a room.
fn sender_jid(translator: &Translator, request: &SendMessageRequest) -> Result<Jid, Code> {
    let sender = request.info.sender.as_ref();
    let by_user = sender.and_then(|sender| sender.user.as_ref()).or_else(|| {
        if sender.is_some_and(|sender| sender.group.is_some()) {
            None
        } else {
            request.meta.as_ref().and_then(MetaInfo::user)
        }
    });
    if let Some(user) = by_user {
        return translator.jid_from(user).map_err(|error| error.code());
    }
    let sender = sender.ok_or(Code::BAD_REQUEST)?;
    let shown = sender.display.as_ref().and_then(|d| d.screen_name.as_ref());
    if let Some(name) = sender.screen_name.as_ref().or(shown) {
        return translator.occupant(name).map_err(|error| error.code());
    }
    let group = sender.group.as_ref().ok_or(Code::BAD_REQUEST)?;
    let room = translator.jid(&group.group).map_err(|error| error.code())?;
    Ok(room.into())
}

fn body(
    translator: &Translator,
    request: &SendMessageRequest,
) -> Result<(String, Vec<Element>, Form), Code> {
    let info = &request.info;
    let content = request.content.as_ref().filter(|c| !c.bytes.is_empty());
    let Some(content) = content else {
        let uri = info
            .uri
            .as_deref()
            .map(str::trim)
            .filter(|uri| !uri.is_empty());
        let uri = uri.ok_or(Code::BAD_REQUEST)?;
        return Ok((clean(uri), sharing(uri, info), Form::Reference));
    };
    let content_type = match &info.content_type {
        Some(kind) if !kind.trim().is_empty() => kind,
        _ => &content.content_type,
    };
    let table = &translator.mappings.content;
    let text = || table.decode(info.charset(content), &content.bytes);
    let (body, form) = match table.rendering(content_type) {
        Rendering::Body => (text(), Form::Full),
        Rendering::Html => (text_of_html(&text()), Form::PlainText),
        Rendering::Plain | Rendering::FileOrPlain => (text(), Form::PlainText),
        Rendering::File | Rendering::Refuse => return Err(Code::MEDIA_TYPE),
    };
    if body.trim().is_empty() {
        return Err(Code::BAD_REQUEST);
    }
    Ok((body, Vec::new(), form))
}

/// The request for a message stanza that is no error. `message_id` is its id
/// in SSP, `validity` the seconds it may wait if it does not say itself,
/// `language` the recipient's, `now` milliseconds since 1970.
///
/// # Errors
/// Sender or recipient have no WV address, or the recipient is no user but the gateway.
pub fn to_ssp(
    translator: &Translator,
    message: &Message,
    message_id: &str,
    validity: u64,
    language: Option<&str>,
    now: u64,
) -> Result<ToSsp, AddressError> {
    let (Some(from), Some(to)) = (&message.from, &message.to) else {
        return Err(AddressError::Malformed(String::new()));
    };
    let payloads = &message.payloads;
    if message.type_ == MessageType::Error {
        return Ok(ToSsp::Nothing("error"));
    }
    let body = match words(message, language, &translator.mappings.words) {
        Words::Text(text) => text,
        Words::Nothing(kind) => return Ok(ToSsp::Nothing(kind)),
        Words::Refuse(error) => return Ok(ToSsp::Refuse(error)),
    };
    if to.node().is_none() {
        return Err(AddressError::Foreign(to.to_string()));
    }
    let validity = match expiry(payloads, now) {
        Expiry::Never => validity,
        Expiry::In(seconds) => seconds,
        Expiry::Past { is_silent } => return Ok(ToSsp::Expired(!is_silent)),
    };
    let is_group = message.type_ == MessageType::Groupchat;
    let in_room = translator.is_room(to);
    let recipient = match (is_group || in_room, to.resource()) {
        (true, Some(nick)) if !is_group => Recipient::ScreenName(ScreenName {
            group: translator.group(to)?,
            name: translator.screen_name(nick.as_str()),
        }),
        (true, _) => Recipient::Group(GroupId {
            group: translator.group(to)?,
        }),
        (false, _) => Recipient::User(recipient(translator, to)?),
    };
    let mut sender = translator.user(from)?;
    let user = sender.user.clone();
    if is_group || in_room {
        sender.client = None;
    }
    let delay = payload(payloads, "delay", ns::DELAY)
        .and_then(|delay| DateTime::read(delay.attr("stamp")?));
    let content = ContentData::text(&body);
    let request = payload(payloads, "request", ns::RECEIPTS).is_some();
    Ok(ToSsp::Message(Box::new(SendMessageRequest {
        delivery_report: request && !is_group,
        meta: Some(MetaInfo::of_user(user.domain(), user.clone())),
        info: MessageInfo {
            message_id: Some(message_id.to_owned()),
            uri: None,
            content_type: Some(content.content_type.clone()),
            content_name: None,
            content_size: Some(content.bytes.len() as u64),
            validity: Some(validity),
            recipients: vec![recipient],
            recipient_display: None,
            sender: Some(Sender::user(sender)),
            date_time: Some(delay.unwrap_or(DateTime::from_millis(now))),
        },
        content: Some(content),
    })))
}

/// The user a stanza is for; the resource that stands for no client at all
/// names none.
fn recipient(translator: &Translator, to: &Jid) -> Result<User, AddressError> {
    let mut user = translator.user(to)?;
    let default = &translator.mappings.addresses.default_resource;
    user.client = user.client.filter(|client| client.url != *default);
    Ok(user)
}

/// The stanza that tells the sender of `message` that it was not delivered.
pub fn refusal(message: &Message, error: StanzaError) -> Message {
    let mut refusal = Message::new_with_type(MessageType::Error, message.from.clone());
    refusal.from.clone_from(&message.to);
    refusal.id.clone_from(&message.id);
    refusal.payloads.push(error.into());
    refusal
}

/// The address that a message about `info` came from, if it names a user.
pub fn sender_of(request: &SendMessageRequest) -> Option<&Address> {
    let sender = request.info.sender.as_ref();
    let user = sender.and_then(|sender| sender.user.as_ref());
    let group = sender.and_then(|sender| sender.group.as_ref());
    user.map(|user| &user.user)
        .or(group.map(|group| &group.group))
        .or_else(|| Some(&request.meta.as_ref()?.user()?.user))
}

/// Whether an id may be used on both sides as it is (section 2.6).
pub fn is_plain_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

/// Says when a message was sent that waited from `since` to `now` (milliseconds) to leave, if it does
/// not say so itself; whether it does now.
pub fn stamp(message: &mut Message, since: u64, now: u64) -> bool {
    let is_said = payload(&message.payloads, "delay", ns::DELAY).is_some();
    let is_word = message.type_ != MessageType::Error && !message.bodies.is_empty();
    let Some(stamp) = sent_before(Some(DateTime::from_millis(since)), now) else {
        return false;
    };
    if is_said || !is_word {
        return false;
    }
    let delay = element("delay", ns::DELAY);
    let delay = attribute(delay, "stamp", &stamp.to_string());
    message.payloads.push(delay.build());
    true
}

/// Times of the deployed server are wrong, also in the future: only an age
/// between a minute and a month is believed.
fn sent_before(sent: Option<DateTime>, now: u64) -> Option<DateTime> {
    let sent = sent?;
    let age = DateTime::from_millis(now).0.saturating_sub(sent.0);
    (age > DELAYED_AFTER && age < 31 * 86_400).then_some(sent)
}

/// Until when a message may be delivered (XEP-0079).
enum Expiry {
    /// It does not end by itself.
    Never,
    /// So many seconds more.
    In(u64),
    /// No longer; whether its sender wants it dropped without a word.
    Past { is_silent: bool },
}

fn expiry(payloads: &[Element], now: u64) -> Expiry {
    let rules = payload(payloads, "amp", ns::AMP);
    let mut rules = rules.into_iter().flat_map(Element::children);
    let rule = rules.find(|rule| rule.attr("condition") == Some("expire-at"));
    let at = rule.and_then(|rule| DateTime::read(rule.attr("value")?));
    let (Some(rule), Some(at)) = (rule, at) else {
        return Expiry::Never;
    };
    match u64::try_from(at.0 - DateTime::from_millis(now).0) {
        Ok(seconds) if seconds > 0 => Expiry::In(seconds),
        _ => Expiry::Past {
            is_silent: rule.attr("action") == Some("drop"),
        },
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
