//! What came in and has no counterpart, and what did not go out, by kind.

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;
use xmpp_parsers::message::MessageType;

/// All kinds, so that a rate can be made of each before the first.
const KINDS: &[&str] = &[
    "GroupChangeNotice",
    "InviteResponse",
    "LeaveGroupIndication",
    "answer to no question",
    "chat state",
    "copy",
    "error",
    "event",
    "headline",
    "history",
    "key transport",
    "lists of users without room",
    "mark",
    "marker",
    "message of a room that has no text",
    "message of a room that was left",
    "messages of the gateway that are too large",
    "messages of the gateway without a link",
    "presence for nobody",
    "presence in rooms",
    "presence that is too large",
    "privileges by a stranger",
    "questions that are too large",
    "reaction",
    "receipt",
    "reflection",
    "retraction",
    "room notice",
    "stanzas beyond what may wait for the link",
    "stanzas of denied domains",
    "stanzas that the server does not take",
    "stanzas that waited too long for the link",
    "stanzas to denied domains",
];

/// Counts what was dropped without a word. The kinds are named in the code, so there are few.
#[derive(Debug, Default)]
pub(super) struct Dropped(BTreeMap<&'static str, u64>);

impl Dropped {
    /// One more of this kind.
    pub(super) fn count(&mut self, kind: &'static str) {
        debug_assert!(KINDS.contains(&kind), "{kind}: not among all kinds");
        *self.0.entry(kind).or_default() += 1;
    }

    /// How many there were of each kind.
    pub(super) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        let none = KINDS.iter().map(|kind| (*kind, 0));
        let mut all: BTreeMap<_, _> = none.collect();
        all.extend(&self.0);
        all
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
