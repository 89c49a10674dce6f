//! What an XMPP user says about themselves when they ask to watch.

use serde::{Deserialize, Serialize};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Lang, Message, MessageType};
use xmpp_parsers::presence::Presence;

use super::super::records::Pair;
use crate::text::cut;
use crate::translate::Translator;
use crate::translate::presence::MAX_STATUS;
use crate::translate::stanza::{clean, ns, payload};

/// The longest name that is passed on, bytes (xmpp-mapping, 2.4).
const MAX_NICK: usize = 64;

/// Name and words in a request for presence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduction {
    /// XEP-0172.
    pub(super) nick: Option<String>,
    /// The text of the request, until it is told.
    pub(super) words: Option<String>,
}

impl Introduction {
    pub(super) fn of(presence: &Presence) -> Self {
        let some = |text: &str, most| {
            let text = clean(cut(text.trim(), most));
            (!text.is_empty()).then_some(text)
        };
        let nick = payload(&presence.payloads, "nick", ns::NICK);
        let statuses = &presence.statuses;
        let words = statuses.get("").or_else(|| statuses.values().next());
        Self {
            nick: nick.and_then(|nick| some(&nick.text(), MAX_NICK)),
            words: words.and_then(|words| some(words, MAX_STATUS)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        length(&self.nick) + length(&self.words)
    }

    /// The words as a message to the one who is asked. They are told once.
    pub(super) fn tell(&mut self, pair: &Pair, translator: &Translator) -> Option<Message> {
        let words = self.words.take()?;
        let to = Jid::from(translator.jid(&pair.wv).ok()?);
        let mut message = Message::new_with_type(MessageType::Chat, to);
        message.from = Jid::new(&pair.xmpp).ok();
        message.bodies.insert(Lang::new(), words);
        Some(message)
    }
}
