//! One available client of an XMPP user, as its presence shows it.

use std::collections::BTreeMap;

use minidom::Element;
use xmpp_parsers::presence::{Presence, Show};

use super::to_ssp::{MAX_LINK, MAX_NAME, MAX_STATUS};
use crate::text::cut;
use crate::translate::stanza::{child_text, ns, payload};

/// One available resource.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Resource {
    /// The text of `<show/>`, empty without.
    pub show: String,
    /// Texts of `<status/>` by language.
    pub statuses: BTreeMap<String, String>,
    /// From -128 to 127.
    pub priority: i8,
    /// The nickname of XEP-0172.
    pub nick: Option<String>,
    /// URL and description of XEP-0066.
    pub link: Option<(String, Option<String>)>,
    /// When it came, to tell which is newer.
    pub at: u64,
}

impl Resource {
    pub(super) fn of(presence: &Presence, now: u64) -> Self {
        let link = payload(&presence.payloads, "x", ns::OOB)
            .and_then(|link| Some((child_text(link, "url")?, child_text(link, "desc"))))
            .filter(|(url, _)| url.len() <= MAX_LINK)
            .map(|(url, text)| (url, text.map(|text| cut(&text, MAX_NAME).to_owned())));
        let nick = payload(&presence.payloads, "nick", ns::NICK).map(Element::text);
        Self {
            show: match presence.show {
                None => "",
                Some(Show::Away) => "away",
                Some(Show::Chat) => "chat",
                Some(Show::Dnd) => "dnd",
                Some(Show::Xa) => "xa",
            }
            .to_owned(),
            statuses: presence
                .statuses
                .iter()
                .map(|(language, text)| {
                    let language = cut(&language.0, MAX_NAME).to_owned();
                    (language, cut(text, MAX_STATUS).to_owned())
                })
                .collect(),
            priority: presence.priority.0,
            nick: nick.as_deref().and_then(name_of),
            link,
            at: now,
        }
    }
}

/// A name without what is too long of it; nothing if it is none.
pub(super) fn name_of(text: &str) -> Option<String> {
    let text = cut(text.trim(), MAX_NAME);
    (!text.is_empty()).then(|| text.to_owned())
}
