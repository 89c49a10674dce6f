//! What a client says of itself.

use serde::{Deserialize, Serialize};

use crate::imps::common::ClientId;
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::text::cut;

/// Of each mark, at most so many bytes are kept.
const MAX_MARK: usize = 64;

/// Marks of a client: from its `ClientID` and the `ClientInfo` of its presence. As a pattern, each
/// mark that is there must fit; `*` stands for anything, and case does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// URL or number of the `ClientID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `ClientProducer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<String>,
    /// `DevManufacturer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// `Model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `ClientVersion`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Identity {
    /// Of a client that has logged in, by the name it gives itself.
    pub fn of(client: Option<&ClientId>) -> Self {
        let url = client.map(|client| client.url.as_str());
        Self {
            client_id: url.and_then(mark),
            ..Self::default()
        }
    }

    /// Takes what the presence says of the client. Says whether it says anything.
    pub(super) fn learn(&mut self, presence: &PresenceSubList) -> bool {
        let Some(info) = presence.get(&AttributeName::ClientInfo) else {
            return false;
        };
        let field = |name: &str| Attribute::field(info, name).and_then(mark);
        self.producer = field("ClientProducer");
        self.manufacturer = field("DevManufacturer");
        self.model = field("Model");
        self.version = field("ClientVersion");
        true
    }

    /// Whether a pattern fits: each of its marks.
    pub fn fits(&self, pattern: &Self) -> bool {
        let marks = self.marks().into_iter().zip(pattern.marks());
        let mut wanted = marks.filter(|(_, pattern)| pattern.is_some()).peekable();
        wanted.peek().is_some()
            && wanted.all(|(mark, pattern)| {
                let (mark, pattern) = (mark.as_deref(), pattern.as_deref());
                fits(mark.unwrap_or_default(), pattern.unwrap_or_default())
            })
    }

    /// Whether nothing is said.
    pub fn is_anybody(&self) -> bool {
        self.marks().iter().all(|mark| mark.is_none())
    }

    fn marks(&self) -> [&Option<String>; 5] {
        [
            &self.client_id,
            &self.producer,
            &self.manufacturer,
            &self.model,
            &self.version,
        ]
    }
}

fn mark(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| cut(text, MAX_MARK).to_owned())
}

/// Whether a text fits a pattern, in which `*` stands for anything.
fn fits(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_case_does_not_count() {
        for (text, pattern, expected) in [
            ("Nokia 6600", "nokia*", true),
            ("Nokia", "*kia", true),
            ("Nokia", "nok", false),
            ("Nokia", "n*k*a", true),
            ("Nokia", "n*k*b", false),
            ("aa", "a*aa", false),
            ("", "*", true),
            ("x", "", false),
        ] {
            assert_eq!(fits(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn every_mark_of_a_pattern_must_fit_and_none_is_nobody() {
        let marks = |producer: &str, model: &str| Identity {
            producer: mark(producer),
            model: mark(model),
            ..Identity::default()
        };
        let client = marks("Nokia", "6600");
        assert!(client.fits(&marks("nokia", "")));
        assert!(client.fits(&marks("nokia", "66*")));
        assert!(!client.fits(&marks("nokia", "77*")));
        assert!(!client.fits(&Identity::default()));
        assert!(!Identity::default().fits(&marks("nokia", "")));
    }

    #[test]
    fn marks_are_taken_from_the_client_id_and_from_presence_and_are_short() {
        let client = ClientId {
            url: "x".repeat(1000),
            application: None,
        };
        let mut identity = Identity::of(Some(&client));
        assert_eq!(identity.client_id.as_ref().map(String::len), Some(MAX_MARK));
        assert!(!identity.learn(&PresenceSubList::default()));
        let item = crate::imps::presence::Item::text("ClientProducer", " Nokia ");
        let info = Attribute::fields(AttributeName::ClientInfo, vec![item]);
        assert!(identity.learn(&PresenceSubList {
            attributes: vec![info]
        }));
        assert_eq!(identity.producer.as_deref(), Some("Nokia"));
    }
}
