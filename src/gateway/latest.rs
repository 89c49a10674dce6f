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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::links::{Links, SURE, Volatile};
    use crate::translate::stanza::print;
    use crate::xmpp::text::parse;

    const VILLAGE: &str = "village.example";

    #[test]
    fn news_takes_the_place_of_presence_that_was_written_down_before_a_start() {
        let presence = |status: &str| {
            let text = format!(
                "<presence from='bob@village.example' to='alice@home.example'><status>{status}</status></presence>"
            );
            parse(text).unwrap()
        };
        let new = || Links::new(&[VILLAGE.to_owned()], 100_000);
        let mut store = BTreeMap::new();
        let mut before = new();
        let minute = Duration::from_secs(60);
        before.kept(1, VILLAGE, presence(&"x".repeat(SURE)), minute);
        while let Some(write) = before.next_write() {
            write.apply(&mut store);
        }
        let mut links = new();
        for (key, value) in &store {
            let rest = key.rsplit('/').next().unwrap();
            links.restore(rest, value).unwrap();
        }
        assert_eq!(links.len(), 1);
        links.up(VILLAGE);
        let news = presence("news");
        let text = print(&news);
        let sent = links.volatile(VILLAGE, news);
        assert!(matches!(sent, Volatile::Out), "{sent:?}");
        let out = links.next_stanza().map(|out| print(&out.stanza));
        assert_eq!(out, Some(text));
        assert!(links.next_stanza().is_none() && links.len() == 0);
    }
}
