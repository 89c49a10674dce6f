//! Messages, and what became of them.

use super::{clean, said, who, why};
use crate::imps::common::MessageInfo;
use crate::imps::datetime::DateTime;
use crate::imps::primitive::message::DeliveryStatusReport;
use crate::imps::primitive::message_store::NewMessage;
use crate::imps::{Address, Code, Status};
use crate::text::charset::{self, Charset, Reading};
use crate::text::media;

/// The user or group that sent a message.
pub(in crate::access::line) fn sender(info: &MessageInfo) -> Option<&Address> {
    let sender = info.sender.as_ref()?;
    let user = sender.user.as_ref().map(|user| &user.user);
    user.or(sender.group.as_ref().map(|group| &group.group))
}

pub(in crate::access::line) fn message(message: &NewMessage, has_waited: bool) -> String {
    let info = &message.info;
    let from = from(info);
    let late = info.date_time.filter(|_| has_waited);
    let late = late.map_or_else(String::new, |at| format!(" (sent {})", date(at)));
    let content = match (&message.content, &info.uri) {
        (Some(content), _) => {
            let content_type = &content.content_type;
            match text_of(content_type, &content.bytes) {
                Some(Reading::Text(text)) if text.is_empty() => "[empty]".to_owned(),
                Some(Reading::Text(text)) => clean(&text),
                Some(Reading::Unreadable) => {
                    let charset = media::parameter(content_type, "charset");
                    clean(&charset::notice(charset, content.bytes.len()))
                }
                None => format!("[{}, {} bytes]", clean(content_type), content.bytes.len()),
            }
        }
        (None, Some(uri)) => {
            let content_type = info.content_type.as_deref().unwrap_or_default();
            format!("[{} at {}]", clean(content_type), clean(uri))
        }
        (None, None) => "[empty]".to_owned(),
    };
    format!("{from}{late}: {content}")
}

/// A message that waits, by the number under which it is fetched here.
pub(in crate::access::line) fn announced(number: usize, info: &MessageInfo) -> String {
    let from = from(info);
    let content_type = info.content_type.as_deref().unwrap_or("text/plain");
    let name = info.content_name.as_ref();
    let name = name.map_or_else(String::new, |name| format!(" \"{}\"", clean(name)));
    let size = info.content_size;
    let size = size.map_or_else(String::new, |size| format!(", {size} bytes"));
    let what = format!("{}{name}{size}", clean(content_type));
    format!(
        "* [{number}] {from}: {what}: /get {number}, /reject {number} or /forward {number} ADDRESS"
    )
}

/// Who has sent a message.
fn from(info: &MessageInfo) -> String {
    let display = info.sender.as_ref().and_then(|s| s.display.as_ref());
    let name = display.and_then(|display| display.screen_name.as_ref());
    let from = sender(info).map_or_else(|| "somebody".to_owned(), who);
    match name {
        Some(name) => format!("{} in {from}", clean(&name.name)),
        None => from,
    }
}

/// The answer to a message.
pub(crate) fn sent(to: &Address, status: &Status) -> String {
    let code = status.effective();
    let to = who(to);
    if is_unknown(code.0) || is_unknown(status.code.0) {
        return format!("* {UNKNOWN}: to {to}");
    }
    match code.0 {
        202 => format!(
            "* waits on the way to {to}: {}; it is kept, and delivered when the way is free",
            why(status)
        ),
        // That they have read it tells a report only.
        200..300 => {
            let domain = to.rsplit('@').next().unwrap_or_default();
            format!("* taken by {domain} for {to}{}", said(status))
        }
        _ => format!("* NOT sent to {to}: {}", why(status)),
    }
}

/// What became of a message in the end.
pub(crate) fn report(report: &DeliveryStatusReport) -> String {
    let status = &report.result.status;
    let to = sender(&report.info).map_or_else(String::new, |to| format!(" to {}", who(to)));
    if status.code == Code::OK {
        format!("* delivered{to}")
    } else {
        format!("* NOT delivered{to}: {}", why(status))
    }
}

/// Said of a message that has no answer for a while.
pub(crate) fn no_answer(to: &Address) -> String {
    let domain = match to.domain() {
        "" => "the recipient's side".to_owned(),
        domain => clean(domain),
    };
    format!(
        "* no answer from {domain} yet: the message to {} is kept here and tried until there is one",
        who(to)
    )
}

/// What is known of a message without an answer: who sends it again may send it twice.
pub(crate) const UNKNOWN: &str = "no answer, it may have arrived";

/// Whether nobody knows what became of a message.
pub(crate) fn is_unknown(status: u16) -> bool {
    status == Code::TIMEOUT.0
}

/// `2026-01-02 03:04:05`, in UTC.
fn date(at: DateTime) -> String {
    at.to_string().trim_end_matches('Z').replace('T', " ")
}

/// The text of a content that is text; `None` if it is not.
pub(super) fn text_of(content_type: &str, content: &[u8]) -> Option<Reading> {
    if !media::essence(content_type).starts_with("text/") {
        return None;
    }
    let name = media::parameter(content_type, "charset");
    Some(charset::read(name.and_then(Charset::named), content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::Primitive;
    use crate::imps::status::DetailedResult;
    use crate::ssp::envelope::decode_fragment;

    #[test]
    fn text_is_read_in_its_charset() {
        let text = |text: &str| Some(Reading::Text(text.to_owned()));
        for (content_type, content, expected) in [
            ("text/plain", "é".as_bytes(), "é"),
            ("Text/Plain; charset=\"ISO-8859-1\"", &[0xe9], "é"),
            ("text/plain; charset=windows-1252", &[0xe9, 0x80], "é€"),
            ("text/plain; charset=utf-16", b"\xff\xfea\0", "a"),
            ("text/plain", b"caf\xe9", "café"),
            ("", b"x", "x"),
        ] {
            assert_eq!(
                text_of(content_type, content),
                text(expected),
                "{content_type}"
            );
        }
        let broken = text_of("text/plain; charset=utf-8", b"\xff\xfa\x80");
        assert_eq!(broken, Some(Reading::Unreadable));
        assert_eq!(text_of("image/png", b"x"), None);
    }

    /// A message from a screen name in a group, at a known time.
    fn shown(content: &str, has_waited: bool) -> String {
        let xml = format!(
            r#"<NewMessage><MessageInfo messageID="1"><Sender><GroupID groupID="wv:bob/club@b.test"/><SenderDisplay><ScreenName groupID="wv:bob/club@b.test">Vicky</ScreenName></SenderDisplay></Sender><DateTime format="iso8601">2026-01-02T03:04:05Z</DateTime></MessageInfo>{content}</NewMessage>"#
        );
        match decode_fragment(xml.as_bytes()).unwrap() {
            Primitive::NewMessage(new) => message(&new, has_waited),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_is_shown_with_who_and_when_and_cannot_move_the_cursor() {
        let hostile = crate::imps::common::encode_base64(b"a\x1b[2Jb\nc");
        let content = format!(
            r#"<ContentData contentType="text/plain" encoding="base64">{hostile}</ContentData>"#
        );
        assert_eq!(
            shown(&content, false),
            "Vicky in bob/club@b.test: a [2Jb\n    c"
        );
        let image = r#"<ContentData contentType="image/png" encoding="base64">iVA=</ContentData>"#;
        assert_eq!(
            shown(image, true),
            "Vicky in bob/club@b.test (sent 2026-01-02 03:04:05): [image/png, 2 bytes]"
        );
        assert_eq!(shown("", false), "Vicky in bob/club@b.test: [empty]");
    }

    #[test]
    fn a_message_is_shown_as_what_became_of_it() {
        let bob = Address::new("bob@b.test");
        let shown = |status: &Status| sent(&bob, status);
        assert_eq!(shown(&Status::ok()), "* taken by b.test for bob@b.test");
        assert_eq!(
            shown(&Status::ok().because("The user is away.")),
            "* taken by b.test for bob@b.test. The user is away."
        );
        let waits = Status::new(Code(202)).because("The next hop does not answer.");
        let waits = shown(&waits);
        assert!(
            waits.starts_with("* waits on the way to bob@b.test: 202 The next hop"),
            "{waits}"
        );
        assert!(waits.contains("it is kept"), "{waits}");
        // Nobody knows that it was not sent.
        assert_eq!(
            shown(&Status::new(Code::TIMEOUT)),
            "* no answer, it may have arrived: to bob@b.test"
        );
        let refused = Status {
            details: vec![DetailedResult {
                description: Some("Unknown user.".to_owned()),
                ..DetailedResult::new(Code::UNKNOWN_USER)
            }],
            ..Status::new(Code::MULTIPLE)
        };
        assert_eq!(
            shown(&refused),
            "* NOT sent to bob@b.test: 531 Unknown user."
        );
    }
}
