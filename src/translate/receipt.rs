//! Delivery reports and receipts (xmpp-mapping, 4.3).

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Id, Message, MessageType};

use super::stanza::{attribute, element, ns, payload};
use super::tables::StatusTable;
use super::{AddressError, Context, Translator};
use crate::imps::common::{MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::datetime::DateTime;
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::imps::{Address, Code, Status};

/// The message a report is about, as its reporter remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The id of the message in SSP.
    pub message_id: String,
    /// The user who sent it.
    pub sender: Address,
    /// To whom: the one who reports.
    pub recipient: User,
    /// When it was sent.
    pub date_time: Option<DateTime>,
    /// Its content type.
    pub content_type: Option<String>,
    /// Bytes of its content.
    pub content_size: Option<u64>,
}

/// What a stanza says about an earlier message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The stanza id of that message.
    pub id: String,
    /// Whether it was shown, not just received: of less authority.
    pub displayed: bool,
}

/// The stanza for a report about the message that came with the stanza id
/// `id` from `to`; `None` for what has no stanza (541, forwarded).
///
/// # Errors
/// The reporter has no JID.
pub fn to_xmpp(
    translator: &Translator,
    report: &DeliveryStatusReport,
    id: &str,
    to: &Jid,
) -> Result<Option<Message>, AddressError> {
    let sender = report.info.sender.as_ref();
    let reporter = sender
        .and_then(|sender| sender.user.as_ref())
        .or_else(|| report.meta.as_ref()?.user())
        .ok_or_else(|| AddressError::Malformed(String::new()))?;
    let status = &report.result.status;
    let code = status.code;
    let mut message = Message::new_with_type(MessageType::Chat, to.clone());
    if code.is_success() {
        message.from = Some(translator.jid_from(reporter)?);
        let received = attribute(element("received", ns::RECEIPTS), "id", id);
        message.payloads.push(received.build());
        return Ok(Some(message));
    }
    let description = status.description.as_deref();
    let table = &translator.mappings.status;
    let Some(error) = table.error(code, Context::Message, description) else {
        return Ok(None);
    };
    message.from = Some(translator.jid(&reporter.user)?.into());
    message.type_ = MessageType::Error;
    message.id = Some(Id(id.to_owned()));
    message.payloads.push(error.into());
    Ok(Some(message))
}

/// The report about a message: 200, or why it was not delivered. `now` is in
/// milliseconds since 1970.
pub fn report(table: &StatusTable, about: &About, code: Code, now: u64) -> DeliveryStatusReport {
    let reporter = about.recipient.user.clone();
    let mut status = Status::new(code);
    if !code.is_success() {
        status = status.because(table.means(code));
    }
    DeliveryStatusReport {
        meta: Some(MetaInfo::of_user(reporter.domain(), reporter.clone())),
        result: DeliveryResult { status },
        time: Some(DateTime::from_millis(now)),
        info: MessageInfo {
            message_id: Some(about.message_id.clone()),
            uri: None,
            content_type: about.content_type.clone(),
            content_name: None,
            content_size: about.content_size,
            validity: None,
            recipients: vec![Recipient::User(User::new(about.sender.clone()))],
            recipient_display: None,
            sender: Some(Sender::user(about.recipient.clone())),
            date_time: about.date_time,
        },
    }
}

/// The receipt (XEP-0184, also its old form without id) or displayed marker
/// (XEP-0333) in a message.
pub fn receipt(message: &Message) -> Option<Receipt> {
    if message.type_ == MessageType::Error {
        return None;
    }
    let stanza_id = || message.id.as_ref().map(|id| id.0.clone());
    let id_of = |element: &minidom::Element| element.attr("id").map(str::to_owned);
    if let Some(received) = payload(&message.payloads, "received", ns::RECEIPTS) {
        let id = id_of(received)
            .filter(|id| !id.is_empty())
            .or_else(stanza_id)?;
        return Some(Receipt {
            id,
            displayed: false,
        });
    }
    let displayed = payload(&message.payloads, "displayed", ns::DISPLAYED_MARKERS)?;
    Some(Receipt {
        id: id_of(displayed)?,
        displayed: true,
    })
}

/// The error element of an error stanza.
pub fn error_of(message: &Message) -> Option<&minidom::Element> {
    if message.type_ != MessageType::Error {
        return None;
    }
    payload(&message.payloads, "error", ns::DEFAULT_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(inner: &str, attributes: &str) -> Message {
        let text = format!(
            "<message xmlns='{}' from='alice@home.example/x' to='bob@village.example' {attributes}>{inner}</message>",
            ns::DEFAULT_NS
        );
        text.parse::<minidom::Element>()
            .unwrap()
            .try_into()
            .unwrap()
    }

    fn about() -> About {
        About {
            message_id: "m-1".to_owned(),
            sender: Address::new("wv:bob@village.example"),
            recipient: User::new(Address::new("wv:alice@home.example")),
            date_time: Some(DateTime(1_714_570_800)),
            content_type: Some("text/plain".to_owned()),
            content_size: Some(36),
        }
    }

    #[test]
    fn receipts_are_found_in_all_their_forms() {
        let received = "<received xmlns='urn:xmpp:receipts' id='m-1'/>";
        let old = "<received xmlns='urn:xmpp:receipts'/>";
        let shown = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m-1'/>";
        let found = |inner: &str, attributes: &str| {
            receipt(&message(inner, attributes)).map(|r| (r.id, r.displayed))
        };
        assert_eq!(found(received, "id='r1'"), Some(("m-1".to_owned(), false)));
        assert_eq!(found(old, "id='m-1'"), Some(("m-1".to_owned(), false)));
        assert_eq!(found(shown, ""), Some(("m-1".to_owned(), true)));
        assert_eq!(found(old, ""), None);
        assert_eq!(found("<body>hi</body>", "id='m-1'"), None);
        assert_eq!(found(received, "type='error'"), None);
    }

    #[test]
    fn a_report_exchanges_sender_and_recipient() {
        let translator = Translator::new("home.example", &["village.example"]);
        let report = report(
            &translator.mappings.status,
            &about(),
            Code::OK,
            1_714_570_809_000,
        );
        assert_eq!(report.time.unwrap().to_string(), "2024-05-01T13:40:09Z");
        assert_eq!(report.info.message_id.as_deref(), Some("m-1"));
        let Recipient::User(to) = &report.info.recipients[0] else {
            panic!("a user");
        };
        assert_eq!(to.user.as_str(), "wv:bob@village.example");
        let from = report.info.sender.as_ref().unwrap().user.as_ref().unwrap();
        assert_eq!(from.user.as_str(), "wv:alice@home.example");
        let meta = report.meta.unwrap();
        assert_eq!(meta.requestor.service.as_str(), "wv:@home.example");
    }

    #[test]
    fn reports_become_receipts_and_errors() {
        // The other way round: bob reports about a message of alice.
        let translator = Translator::new("home.example", &["village.example"]);
        let about = About {
            sender: Address::new("wv:alice@home.example"),
            recipient: User::new(Address::new("wv:bob@village.example")),
            ..about()
        };
        let to = Jid::new("alice@home.example/laptop").unwrap();
        let stanza = |code: u16| {
            let report = report(&translator.mappings.status, &about, Code(code), 0);
            to_xmpp(&translator, &report, "orig", &to).unwrap()
        };
        let received = stanza(200).unwrap();
        assert_eq!(
            received.from.as_ref().unwrap().as_str(),
            "bob@village.example/imps"
        );
        assert_eq!(received.to.as_ref().unwrap(), &to);
        assert_eq!(receipt(&received).unwrap().id, "orig");
        assert_eq!(stanza(541), None);
        for (code, condition) in [
            (538, "not-acceptable"),
            (542, "remote-server-timeout"),
            (410, "service-unavailable"),
            (533, "recipient-unavailable"),
            (500, "internal-server-error"),
        ] {
            let message = stanza(code).unwrap();
            assert_eq!(message.id.as_ref().unwrap().0, "orig");
            let error = error_of(&message).unwrap();
            assert!(error.has_child(condition, ns::XMPP_STANZAS), "{code}");
        }
    }
}
