//! What is heard, as a person reads it. What comes from others may not move the cursor.

use std::collections::BTreeMap;

use crate::home::{Availability, Known};
use crate::imps::common::MessageInfo;
use crate::imps::datetime::DateTime;
use crate::imps::primitive::group::{GroupChangeNotice, LeaveGroupIndication};
use crate::imps::primitive::message::DeliveryStatusReport;
use crate::imps::primitive::message_store::NewMessage;
use crate::imps::{Address, Code, Status};
use crate::node::history;
use crate::text::charset::{self, Charset, Reading};
use crate::text::media;

/// One line of the contact list.
#[derive(Debug, Default)]
pub(super) struct Contact {
    /// The user's own name for them.
    pub(super) name: Option<String>,
    pub(super) blocked: bool,
    /// What is known of them, if they are watched.
    pub(super) watched: Option<Known>,
}

/// What somebody who watches may see.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sees {
    Presence,
    Denied,
    Pending,
    Nothing,
}

/// A session was opened.
pub(super) fn opened(user: &Address, waiting: usize) -> String {
    let waiting = match waiting {
        0 => String::new(),
        1 => "; one message has waited".to_owned(),
        many => format!("; {many} messages have waited"),
    };
    format!(
        "* you are {}{waiting} (/help lists the commands)",
        who(user)
    )
}

/// The user or group that sent a message.
pub(super) fn sender(info: &MessageInfo) -> Option<&Address> {
    let sender = info.sender.as_ref()?;
    let user = sender.user.as_ref().map(|user| &user.user);
    user.or(sender.group.as_ref().map(|group| &group.group))
}

/// A message.
pub(super) fn message(message: &NewMessage, has_waited: bool) -> String {
    let info = &message.info;
    let display = info.sender.as_ref().and_then(|s| s.display.as_ref());
    let name = display.and_then(|display| display.screen_name.as_ref());
    let from = sender(info).map_or_else(|| "somebody".to_owned(), who);
    let from = match name {
        Some(name) => format!("{} in {from}", clean(&name.name)),
        None => from,
    };
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

/// Somebody wants to see the user's presence.
pub(super) fn question(user: &Address) -> String {
    let user = who(user);
    format!("* {user} wants to see your presence: /allow {user} or /deny {user}")
}

/// Somebody's presence.
pub(super) fn presence(user: &Address, presence: &Known) -> String {
    format!("* {} {}", who(user), known(presence))
}

/// Who came to a group, who went, and whether its properties changed; nothing if it says none of it.
pub(super) fn changed(notice: &GroupChangeNotice) -> Option<String> {
    let names = |names: &Option<Vec<String>>, what: &str| {
        let names: Vec<String> = names.iter().flatten().map(|name| clean(name)).collect();
        (!names.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let has_properties = notice.properties.is_some() || notice.own.is_some();
    let news = [
        names(&notice.joined, "joined"),
        names(&notice.left, "left"),
        has_properties.then(|| "its properties have changed".to_owned()),
    ];
    let news: Vec<String> = news.into_iter().flatten().collect();
    (!news.is_empty()).then(|| format!("* {}: {}", who(&notice.group), news.join("; ")))
}

/// The user has left a group, or had to.
pub(super) fn has_left(notice: &LeaveGroupIndication) -> String {
    let group = notice
        .group
        .as_ref()
        .map_or_else(|| "a group".to_owned(), who);
    let why = why(&notice.status);
    format!("* you are no longer in {group}: {why}")
}

/// Whether somebody exists.
pub(super) fn exists(user: &Address, status: &Status) -> String {
    match status.effective() {
        Code::OK => format!("* {} exists", who(user)),
        code => format!("* {}: {}", who(user), reason(code.0, None)),
    }
}

/// Something was done, or was not.
pub(super) fn done(what: &str, user: Option<&Address>, status: &Status) -> String {
    if status.effective().is_success() {
        format!("* done: {what}{}{}", about(user), said(status))
    } else {
        failed(what, user, status)
    }
}

/// Something was not done.
pub(crate) fn failed(what: &str, user: Option<&Address>, status: &Status) -> String {
    format!("* {what}{} failed: {}", about(user), why(status))
}

/// The contact list, and others with whom there is something.
pub(super) fn contacts(contacts: &BTreeMap<Address, Contact>) -> String {
    if contacts.is_empty() {
        return "* no contacts".to_owned();
    }
    let line = |(user, entry): (&Address, &Contact)| {
        let user = who(user);
        let mut text = format!("* {user}");
        if let Some(name) = &entry.name {
            text = format!("{text} \"{}\"", clean(name));
        }
        if entry.blocked {
            text.push_str(" (blocked)");
        }
        match &entry.watched {
            None => format!("{text} is not watched: /subscribe {user}"),
            Some(presence) if !presence.authorized => {
                format!("{text} has not allowed you to see their presence yet")
            }
            Some(presence) => format!("{text} {}", known(presence)),
        }
    };
    contacts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Those who watch.
pub(super) fn watchers(watchers: &BTreeMap<Address, Sees>) -> String {
    if watchers.is_empty() {
        return "* nobody watches you".to_owned();
    }
    let line = |(user, sees): (&Address, &Sees)| {
        let sees = match sees {
            Sees::Presence => "sees your presence",
            Sees::Denied => "is denied",
            Sees::Pending => "waits for your decision",
            Sees::Nothing => "sees nothing",
        };
        format!("* {} {sees}", who(user))
    };
    watchers.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Said of a message that has no answer for a while.
pub(super) fn no_answer(to: &Address) -> String {
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

/// A status code and what was said with it, else what it means.
pub(crate) fn reason(status: u16, description: Option<&str>) -> String {
    match description {
        Some(text) => format!("{status} {}", clean(text)),
        None => format!("{status} {}", history::means(status)),
    }
}

/// What was said with a status on a single target.
pub(crate) fn words(status: &Status) -> Option<&str> {
    let detail = status.details.first().and_then(|detail| detail.words());
    detail.or_else(|| status.words())
}

fn why(status: &Status) -> String {
    reason(status.effective().0, words(status))
}

/// `". The user is away."`, or nothing.
fn said(status: &Status) -> String {
    let words = status.words();
    words.map_or_else(String::new, |words| format!(". {}", clean(words)))
}

fn who(address: &Address) -> String {
    clean(address.bare())
}

/// `" carol@village.test"`, or nothing.
fn about(user: Option<&Address>) -> String {
    user.map_or_else(String::new, |user| format!(" {}", who(user)))
}

/// `2026-01-02 03:04:05`, in UTC.
fn date(at: DateTime) -> String {
    at.to_string().trim_end_matches('Z').replace('T', " ")
}

fn known(presence: &Known) -> String {
    if !presence.authorized {
        return "is not shown to you".to_owned();
    }
    let mut words = vec![
        match (presence.online, presence.availability) {
            (Some(false), _) => "is offline",
            (_, Some(Availability::Discreet)) => "is busy",
            (_, Some(Availability::NotAvailable)) => "is away",
            (Some(true), _) | (_, Some(Availability::Available)) => "is online",
            (None, None) => "is of unknown presence",
        }
        .to_owned(),
    ];
    let quoted = presence.text.as_ref();
    words.extend(quoted.map(|text| format!("\"{}\"", clean(text))));
    let mood = presence.mood.as_ref();
    words.extend(mood.map(|mood| format!("({})", clean(mood))));
    let alias = presence.alias.as_ref();
    words.extend(alias.map(|alias| format!("alias {}", clean(alias))));
    words.join(" ")
}

/// Lines after the first are indented, other control characters shown as blanks.
fn clean(text: &str) -> String {
    let blank = |c: char| c.is_control() && c != '\n';
    text.replace("\r\n", "\n")
        .replace(blank, " ")
        .replace('\n', "\n    ")
}

/// The text of a content that is text; `None` if it is not.
fn text_of(content_type: &str, content: &[u8]) -> Option<Reading> {
    if !media::essence(content_type).starts_with("text/") {
        return None;
    }
    let name = media::parameter(content_type, "charset");
    Some(charset::read(name.and_then(Charset::named), content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

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
