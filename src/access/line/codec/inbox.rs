//! Messages that wait: `/inbox`, `/read`, `/get`, `/reject`, `/forward`, and how messages come: `/push`,
//! `/notify`.

use std::collections::VecDeque;

use super::super::screen;
use super::family::{Command, Family, Heard, Meaning, verdict};
use super::memory::Memory;
use crate::imps::Primitive;
use crate::imps::common::MessageInfo;
use crate::imps::primitive::message_store::NewMessage;

/// Messages that are remembered by number.
const MAX_NUMBERED: usize = 1000;

/// Said if no message waits.
const NOTHING: &str = "* no message waits";

pub(super) const FAMILY: Family = Family {
    help: "\
/inbox                  messages that wait, by number
/get N                  fetch one of them; /reject N refuses it
/read [N]               fetch that one, or the one that has waited longest
/forward N ADDRESS      send it on to somebody else, without fetching it
/notify                 hear that messages wait, and fetch them
/push [BYTES]           get messages at once, up to so many bytes",
    understand,
    hear,
};

/// The messages that were announced, by the numbers under which the user sees them.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    ids: VecDeque<String>,
    /// How many were forgotten, the oldest first.
    forgotten: usize,
}

impl Inbox {
    /// The number of a message: the one it has had before, or a new one.
    fn number(&mut self, id: &str) -> usize {
        let known = self.ids.iter().position(|known| known == id);
        let at = known.unwrap_or_else(|| {
            self.ids.push_back(id.to_owned());
            if self.ids.len() > MAX_NUMBERED {
                self.ids.pop_front();
                self.forgotten += 1;
            }
            self.ids.len() - 1
        });
        self.forgotten + at + 1
    }

    /// The id of the message with a number.
    fn id(&self, number: &str) -> Option<String> {
        let number: usize = number.parse().ok()?;
        let at = number.checked_sub(self.forgotten + 1)?;
        self.ids.get(at).cloned()
    }

    /// A message with its number, as it is shown.
    fn announced(&mut self, info: &MessageInfo) -> String {
        let id = info.message_id.as_deref().unwrap_or_default();
        screen::announced(self.number(id), info)
    }
}

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let (number, rest) = command.split();
    let requests = &memory.requests;
    match command.name {
        "inbox" => {
            return Some(Meaning::ask(vec![requests.messages()], list));
        }
        "notify" => {
            let request = requests.delivery("N", None);
            return Some(Meaning::done("notify", None, request));
        }
        "push" => {
            let most = match command.rest {
                "" => Some(u64::MAX),
                bytes => bytes.parse().ok(),
            };
            return Some(match most {
                Some(most) => Meaning::done("push", None, requests.delivery("P", Some(most))),
                None => Meaning::Show("write /push or /push BYTES".to_owned()),
            });
        }
        "read" if number.is_empty() => return Some(oldest(memory)),
        "get" | "read" | "reject" | "forward" => {}
        _ => return None,
    }
    let Some(id) = memory.inbox.id(number) else {
        let name = command.name;
        let why = format!("/{name} needs the number of a message; /inbox lists them");
        return Some(Meaning::Show(why));
    };
    Some(match command.name {
        "get" | "read" => Meaning::ask(vec![requests.fetch(id)], fetched),
        "reject" => Meaning::done("reject", None, requests.reject(id)),
        _ if rest.is_empty() => command.needs_address(),
        _ => {
            let to = requests.address(rest);
            let request = requests.forward(id, to.clone());
            Meaning::done("forward to", Some(to), request)
        }
    })
}

/// Fetches what has waited longest.
fn oldest(memory: &Memory) -> Meaning {
    Meaning::then(vec![memory.requests.messages()], |memory, answers| {
        let [Primitive::GetMessageListResponse(list)] = &answers[..] else {
            return Meaning::Show(screen::failed("read", None, &verdict(&answers)));
        };
        if !list.status.code.is_success() {
            return Meaning::Show(screen::failed("read", None, &list.status));
        }
        let first = list
            .messages
            .iter()
            .find_map(|info| info.message_id.clone());
        match first {
            Some(id) => Meaning::ask(vec![memory.requests.fetch(id)], fetched),
            None => Meaning::Show(NOTHING.to_owned()),
        }
    })
}

fn list(memory: &mut Memory, answers: &[Primitive]) -> String {
    let [Primitive::GetMessageListResponse(list)] = answers else {
        return screen::failed("inbox", None, &verdict(answers));
    };
    if !list.status.code.is_success() {
        return screen::failed("inbox", None, &list.status);
    }
    let messages = list.messages.iter();
    let mut lines: Vec<String> = messages.map(|info| memory.inbox.announced(info)).collect();
    let total = list.total.map_or(lines.len(), |total| total as usize);
    match total.saturating_sub(lines.len()) {
        0 if lines.is_empty() => lines.push(NOTHING.to_owned()),
        0 => {}
        more => lines.push(format!("* and {more} more")),
    }
    lines.join("\n")
}

fn fetched(_: &mut Memory, answers: &[Primitive]) -> String {
    match answers {
        [Primitive::GetMessageResponse(response)] if response.status.code.is_success() => {
            let Some(info) = response.info.clone() else {
                return screen::failed("get", None, &response.status);
            };
            let message = NewMessage {
                meta: None,
                info,
                content: response.content.clone(),
            };
            screen::message(&message, true)
        }
        _ => screen::failed("get", None, &verdict(answers)),
    }
}

fn hear(memory: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    match primitive {
        Primitive::MessageNotification(notification) => {
            memory.waited = memory.waited.saturating_sub(1);
            Some(Some(memory.inbox.announced(&notification.info)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{answer, codec, now, said};
    use super::*;

    const INFO: &str = r#"<MessageInfo messageID="m1" contentType="image/png" contentName="a.png" contentSize="51200"><Sender><User userID="wv:bob@b.test"/></Sender></MessageInfo>"#;

    #[test]
    fn a_message_that_waits_is_fetched_rejected_or_forwarded_by_its_number() {
        let mut codec = codec();
        for line in ["/get 1", "/reject", "/forward 0 bob", "/push some"] {
            assert!(matches!(codec.understand(line), Action::Show(_)), "{line}");
        }
        let line = "* [1] bob@b.test: image/png \"a.png\", 51200 bytes: /get 1, /reject 1 or /forward 1 ADDRESS";
        let notification = format!("<MessageNotification>{INFO}</MessageNotification>");
        assert_eq!(now(&mut codec, &notification).as_deref(), Some(line));
        // It keeps its number.
        let (id, _) = said(&mut codec, "/inbox").pop().unwrap();
        let list = format!(
            r#"<GetMessageListResponse messageTotalCount="3"><Status code="200"/>{INFO}</GetMessageListResponse>"#
        );
        let told = answer(&mut codec, &id, &list).unwrap();
        assert_eq!(told, format!("{line}\n* and 2 more"));
        for (line, written) in [
            ("/get 1", r#"<GetMessageRequest messageID="m1">"#),
            ("/reject 1", r#"<MessageID messageID="m1"/>"#),
            (
                "/forward 1 carol",
                r#"<User userID="wv:carol@home.test"/></Recipient>"#,
            ),
            ("/notify", r#"deliveryMethod="N">"#),
            (
                "/push 100",
                r#"deliveryMethod="P" acceptedContentLength="100">"#,
            ),
        ] {
            let (_, request) = said(&mut codec, line).pop().unwrap();
            let xml = request.to_xml(None);
            assert!(xml.contains(written), "{line}: {xml}");
        }
        assert!(matches!(codec.understand("/forward 1"), Action::Show(_)));
        let (id, _) = said(&mut codec, "/get 1").pop().unwrap();
        let message = format!(
            r#"<GetMessageResponse><Status code="200"/>{INFO}<ContentData contentType="image/png" encoding="base64">iVA=</ContentData></GetMessageResponse>"#
        );
        let told = answer(&mut codec, &id, &message);
        assert_eq!(told.as_deref(), Some("bob@b.test: [image/png, 2 bytes]"));
        let (id, _) = said(&mut codec, "/get 1").pop().unwrap();
        let told = answer(&mut codec, &id, r#"<Status code="426"/>"#).unwrap();
        assert!(told.starts_with("* get failed: 426"), "{told}");
    }

    #[test]
    fn the_message_that_has_waited_longest_is_read_without_a_number() {
        let mut codec = codec();
        let list = |what: &str| {
            format!(
                r#"<GetMessageListResponse><Status code="200"/>{what}</GetMessageListResponse>"#
            )
        };
        let (id, request) = said(&mut codec, "/Read").pop().unwrap();
        assert_eq!(request.name(), "GetMessageListRequest");
        let told = answer(&mut codec, &id, &list(""));
        assert_eq!(told.as_deref(), Some(NOTHING));
        let (id, _) = said(&mut codec, "/read").pop().unwrap();
        assert_eq!(answer(&mut codec, &id, &list(INFO)), None);
        let (_, request) = super::super::tests::further(&mut codec).pop().unwrap();
        let xml = request.to_xml(None);
        assert!(
            xml.contains(r#"<GetMessageRequest messageID="m1">"#),
            "{xml}"
        );
        assert!(matches!(codec.understand("/read 7"), Action::Show(_)));
    }

    #[test]
    fn numbers_of_messages_are_bounded() {
        let mut inbox = Inbox::default();
        for number in 1..=MAX_NUMBERED + 2 {
            assert_eq!(inbox.number(&number.to_string()), number);
        }
        assert_eq!(inbox.id("2"), None);
        assert_eq!(inbox.id("3").as_deref(), Some("3"));
        assert_eq!(inbox.number("3"), 3);
    }
}
