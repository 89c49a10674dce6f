//! Presence that was written down, until there is news: only the latest counts.

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Type;

/// Whose presence it is, and for whom.
type Ends = (Jid, Jid);

/// The numbers of presences that say whether somebody is there; few, for they are large.
#[derive(Debug, Default)]
pub(super) struct Latest(BTreeMap<Ends, u64>);

impl Latest {
    /// The number of the one of which this is news.
    pub(super) fn before(&self, stanza: &Stanza) -> Option<u64> {
        // It costs to know the ends.
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&ends_of(stanza)?).copied()
    }

    pub(super) fn put(&mut self, stanza: &Stanza, number: u64) {
        if let Some(ends) = ends_of(stanza) {
            self.0.insert(ends, number);
        }
    }

    pub(super) fn forget(&mut self, number: u64) {
        self.0.retain(|_, of| *of != number);
    }
}

/// The ends of a stanza that says whether somebody is there.
fn ends_of(stanza: &Stanza) -> Option<Ends> {
    let Stanza::Presence(presence) = stanza else {
        return None;
    };
    if !matches!(presence.type_, Type::None | Type::Unavailable) {
        return None;
    }
    presence.from.clone().zip(presence.to.clone())
}
