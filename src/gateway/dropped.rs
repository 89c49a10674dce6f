//! What came in and has no counterpart, and what did not go out, by kind.

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;
use xmpp_parsers::message::MessageType;

/// Counts what was dropped without a word. The kinds are named in the code, so there are few.
#[derive(Debug, Default)]
pub(super) struct Dropped(BTreeMap<&'static str, u64>);

impl Dropped {
    /// One more of this kind.
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    pub(super) fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.0
    }
}

/// What is lost with a stanza that finds no link: presence is shown anew when it is back, and who
/// asks hears from their own server that nobody is there.
pub(super) fn kind_without_link(stanza: &Stanza) -> Option<&'static str> {
    match stanza {
        Stanza::Message(message) if message.type_ != MessageType::Error => {
            Some("messages of the gateway without a link")
        }
        _ => None,
    }
}
