//! Events as a person reads them. What comes from others may not move the cursor.

use crate::cli::output::date;
use crate::home::Event;
use crate::home::client::{
    Availability, ContactEntry, Known, Standing, SubscriptionState, WatcherEntry,
};
use crate::imps::{Address, Code};
use crate::node::history;

/// An event as lines for the user.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Ready { user, waiting } => {
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
        Event::Message {
            from,
            name,
            text,
            content_type,
            data,
            uri,
            delayed,
            ..
        } => {
            let from = match name {
                Some(name) => format!("{} in {}", clean(name), who(from)),
                None => who(from),
            };
            let late = delayed.map_or_else(String::new, |at| format!(" (sent {})", date(at)));
            let content = match (data, uri) {
                _ if !text.is_empty() => clean(text),
                (Some(data), _) => bytes(content_type, data),
                (None, Some(uri)) => format!("[{} at {}]", clean(content_type), clean(uri)),
                (None, None) => "[empty]".to_owned(),
            };
            format!("{from}{late}: {content}")
        }
        Event::Sent {
            to,
            status,
            description,
            details,
            ..
        } => match details.first() {
            _ if details.iter().map(|detail| detail.status).any(is_unknown)
                || is_unknown(*status) =>
            {
                format!("* {UNKNOWN}: to {}", who(to))
            }
            None if *status == 202 => format!(
                "* waits on the way to {}: {}; it is kept, and delivered when the way is free",
                who(to),
                reason(*status, description.as_ref())
            ),
            None if (200..300).contains(status) => taken(to, description.as_ref()),
            None => format!(
                "* NOT sent to {}: {}",
                who(to),
                reason(*status, description.as_ref())
            ),
            Some(detail) => {
                let why = detail.description.as_ref().or(description.as_ref());
                format!("* NOT sent to {}: {}", who(to), reason(detail.status, why))
            }
        },
        Event::Report {
            status,
            description,
            to,
            ..
        } => {
            let to = to
                .as_ref()
                .map_or_else(String::new, |to| format!(" to {}", who(to)));
            if *status == 200 {
                format!("* delivered{to}")
            } else {
                format!(
                    "* NOT delivered{to}: {}",
                    reason(*status, description.as_ref())
                )
            }
        }
        Event::Presence { user, presence } => format!("* {} {}", who(user), known(presence)),
        Event::AuthorizationRequest { user, .. } => {
            let user = who(user);
            format!("* {user} wants to see your presence: /allow {user} or /deny {user}")
        }
        Event::Contacts { contacts } if contacts.is_empty() => "* no contacts".to_owned(),
        Event::Contacts { contacts } => contacts.iter().map(contact).collect::<Vec<_>>().join("\n"),
        Event::Watchers { watchers } if watchers.is_empty() => "* nobody watches you".to_owned(),
        Event::Watchers { watchers } => watchers.iter().map(watcher).collect::<Vec<_>>().join("\n"),
        Event::Verified { user, status } => match status {
            200 => format!("* {} exists", who(user)),
            status => format!("* {}: {}", who(user), reason(*status, None)),
        },
        Event::Answer { id, primitive } => format!("* {id}: {}", primitive.name()),
        Event::Done { command, user } => {
            let user = about(user.as_ref());
            format!("* done: {}{user}", command.replace('_', " "))
        }
        Event::Error {
            command,
            user,
            status,
            description,
        } => {
            let user = about(user.as_ref());
            let why = reason(*status, description.as_ref());
            format!("* {}{user} failed: {why}", command.replace('_', " "))
        }
    }
}

/// A message that the recipient's side has; that they have read it tells a report only.
fn taken(to: &Address, said: Option<&String>) -> String {
    let said = said.map_or_else(String::new, |said| format!(". {}", clean(said)));
    format!("* taken by {} for {}{said}", clean(to.domain()), who(to))
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

fn who(address: &Address) -> String {
    clean(address.bare())
}

fn bytes(content_type: &str, base64: &str) -> String {
    format!("[{}, {} bytes]", clean(content_type), base64.len() * 3 / 4)
}

/// `" carol@village.test"`, or nothing.
fn about(user: Option<&Address>) -> String {
    user.map_or_else(String::new, |user| format!(" {}", who(user)))
}

fn contact(entry: &ContactEntry) -> String {
    let mut text = format!("* {}", who(&entry.user));
    if let Some(name) = &entry.name {
        text = format!("{text} \"{}\"", clean(name));
    }
    if entry.blocked {
        text.push_str(" (blocked)");
    }
    match entry.subscription {
        None => format!("{text} is not watched: /subscribe {}", who(&entry.user)),
        Some(SubscriptionState::Pending) if !entry.presence.authorized => {
            format!("{text} has not allowed you to see their presence yet")
        }
        Some(_) => format!("{text} {}", known(&entry.presence)),
    }
}

fn watcher(entry: &WatcherEntry) -> String {
    let state = match entry.state {
        Standing::Authorized => "sees your presence",
        Standing::Denied => "is denied",
        Standing::Pending => "waits for your decision",
        Standing::Unknown => "sees nothing",
    };
    format!("* {} {state}", who(&entry.user))
}

/// What is known of a message without an answer: who sends it again may send it twice.
pub(crate) const UNKNOWN: &str = "no answer, it may have arrived";

/// Whether nobody knows what became of a message.
pub(crate) fn is_unknown(status: u16) -> bool {
    status == Code::TIMEOUT.0
}

/// A status code and what was said with it, else what it means.
pub(crate) fn reason(status: u16, description: Option<&String>) -> String {
    match description {
        Some(text) => format!("{status} {}", clean(text)),
        None => format!("{status} {}", history::means(status)),
    }
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
    words.extend(
        presence
            .text
            .as_ref()
            .map(|text| format!("\"{}\"", clean(text))),
    );
    words.extend(
        presence
            .mood
            .as_ref()
            .map(|mood| format!("({})", clean(mood))),
    );
    words.extend(
        presence
            .alias
            .as_ref()
            .map(|alias| format!("alias {}", clean(alias))),
    );
    words.join(" ")
}

/// Lines after the first are indented, other control characters shown as blanks.
fn clean(text: &str) -> String {
    let blank = |c: char| c.is_control() && c != '\n';
    text.replace("\r\n", "\n")
        .replace(blank, " ")
        .replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_message_cannot_move_the_cursor() {
        let message: Event = serde_json::from_str(
            r#"{"event":"message","id":"1","from":"wv:bob@b.test","text":"a\u001b[2Jb\nc","content_type":"text/plain"}"#,
        )
        .unwrap();
        assert_eq!(event(&message), "bob@b.test: a [2Jb\n    c");
    }

    #[test]
    fn a_message_is_shown_as_what_became_of_it() {
        let sent = |more: &str| {
            let text = format!(r#"{{"event":"sent","id":"1","to":"wv:bob@b.test",{more}}}"#);
            event(&serde_json::from_str(&text).unwrap())
        };
        assert_eq!(sent(r#""status":200"#), "* taken by b.test for bob@b.test");
        assert_eq!(
            sent(r#""status":200,"description":"The user is away.""#),
            "* taken by b.test for bob@b.test. The user is away."
        );
        let waits = sent(r#""status":202,"description":"The next hop does not answer.""#);
        assert!(
            waits.starts_with("* waits on the way to bob@b.test: 202 The next hop"),
            "{waits}"
        );
        assert!(waits.contains("it is kept"), "{waits}");
    }

    #[test]
    fn a_contact_whose_presence_is_not_shown_says_what_to_do() {
        let contacts: Event = serde_json::from_str(
            r#"{"event":"contacts","contacts":[{"user":"wv:bob@b.test","contact":true,"blocked":false,"authorized":false},{"user":"wv:eve@b.test","contact":true,"blocked":false,"authorized":false,"subscription":"pending"}]}"#,
        )
        .unwrap();
        assert_eq!(
            event(&contacts),
            "* bob@b.test is not watched: /subscribe bob@b.test\n* eve@b.test has not allowed you to see their presence yet"
        );
    }

    #[test]
    fn what_was_not_answered_is_not_called_unsent() {
        let sent: Event = serde_json::from_str(
            r#"{"event":"sent","id":"1","to":"wv:no@b.test","status":504,"details":[]}"#,
        )
        .unwrap();
        assert_eq!(
            event(&sent),
            "* no answer, it may have arrived: to no@b.test"
        );
    }

    #[test]
    fn a_refusal_says_why() {
        let sent: Event = serde_json::from_str(
            r#"{"event":"sent","id":"1","to":"wv:no@b.test","status":900,"details":[{"status":531,"description":"Unknown user."}]}"#,
        )
        .unwrap();
        assert_eq!(event(&sent), "* NOT sent to no@b.test: 531 Unknown user.");
    }
}
