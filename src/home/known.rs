//! What is known of another user's presence: of the values that a screen shows, the last that came.

use serde::{Deserialize, Serialize};

use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::text::cut;

/// Bytes of a text value that are kept.
const MAX_VALUE: usize = 1024;

/// Availability of a user (presence-attributes, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Ready to communicate.
    #[default]
    #[serde(rename = "yes", alias = "available")]
    Available,
    /// Disturb only if necessary.
    Discreet,
    /// Not to be disturbed.
    #[serde(rename = "no", alias = "not_available")]
    NotAvailable,
}

impl Availability {
    /// The value of `UserAvailability`.
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Discreet => "DISCREET",
            Self::NotAvailable => "NOT_AVAILABLE",
        }
    }

    /// By value of `UserAvailability`.
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::Available, Self::Discreet, Self::NotAvailable]
            .into_iter()
            .find(|value| value.as_wire() == text)
    }
}

/// What is known of another user's presence. `None`: unknown or not shown to us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Record", from = "Record")]
pub struct Known {
    /// Whether any value is shown to us.
    pub authorized: bool,
    /// Whether the user is logged in.
    pub online: Option<bool>,
    /// Absent if nobody has said, or the user may not see it.
    pub availability: Option<Availability>,
    /// Status text.
    pub text: Option<String>,
    /// Mood, as on the wire.
    pub mood: Option<String>,
    /// Nickname.
    pub alias: Option<String>,
}

/// The same in a record. Whoever shows us a value has authorized us, so that is said only where it
/// is otherwise.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorized: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
    #[serde(
        default,
        rename = "free",
        alias = "availability",
        skip_serializing_if = "Option::is_none"
    )]
    availability: Option<Availability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mood: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
}

impl Known {
    /// Whether values of an attribute are kept.
    pub fn has(name: &AttributeName) -> bool {
        matches!(
            name,
            AttributeName::OnlineStatus
                | AttributeName::UserAvailability
                | AttributeName::StatusText
                | AttributeName::StatusMood
                | AttributeName::Alias
        )
    }

    /// Takes in new values (presence-attributes, 1): what is absent stays, what has qualifier F
    /// is forgotten.
    pub fn merge(&mut self, list: &PresenceSubList) {
        let text = |name: &AttributeName, old: &mut Option<String>| {
            if let Some(attribute) = list.get(name) {
                *old = attribute
                    .simple()
                    .filter(|text| !text.is_empty())
                    .map(|text| cut(text, MAX_VALUE).to_owned());
            }
        };
        text(&AttributeName::StatusText, &mut self.text);
        text(&AttributeName::StatusMood, &mut self.mood);
        text(&AttributeName::Alias, &mut self.alias);
        if let Some(attribute) = list.get(&AttributeName::UserAvailability) {
            self.availability = attribute.simple().and_then(Availability::from_wire);
        }
        // One instance per client from version 1.3: one that is online suffices.
        let mut instances = list.all(&AttributeName::OnlineStatus).peekable();
        if instances.peek().is_some() {
            let values: Vec<bool> = instances.filter_map(Attribute::truth).collect();
            self.online = (!values.is_empty()).then(|| values.contains(&true));
        }
        self.authorized = if list.attributes.iter().any(Attribute::is_valid) {
            true
        } else {
            self.authorized && self.has_any()
        };
    }

    /// Whether any of these values is known.
    fn has_any(&self) -> bool {
        self.online.is_some()
            || self.availability.is_some()
            || self.text.is_some()
            || self.mood.is_some()
            || self.alias.is_some()
    }

    /// The same as attributes, those that are not known with qualifier F.
    pub fn to_list(&self) -> PresenceSubList {
        let value = |name: AttributeName, value: Option<&str>| match value {
            Some(value) => Attribute::value(name, value),
            None => Attribute::unknown(name),
        };
        let online = self.online.map(|online| if online { "T" } else { "F" });
        let availability = self.availability.map(Availability::as_wire);
        PresenceSubList {
            attributes: vec![
                value(AttributeName::OnlineStatus, online),
                value(AttributeName::UserAvailability, availability),
                value(AttributeName::StatusText, self.text.as_deref()),
                value(AttributeName::StatusMood, self.mood.as_deref()),
                value(AttributeName::Alias, self.alias.as_deref()),
            ],
        }
    }
}

impl From<Known> for Record {
    fn from(known: Known) -> Self {
        Self {
            authorized: (known.authorized != known.has_any()).then_some(known.authorized),
            online: known.online,
            availability: known.availability,
            text: known.text,
            mood: known.mood,
            alias: known.alias,
        }
    }
}

impl From<Record> for Known {
    fn from(record: Record) -> Self {
        let mut known = Self {
            authorized: false,
            online: record.online,
            availability: record.availability,
            text: record.text,
            mood: record.mood,
            alias: record.alias,
        };
        known.authorized = record.authorized.unwrap_or_else(|| known.has_any());
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_the_same_when_it_comes_back_from_a_record() {
        let away = Known {
            authorized: true,
            online: Some(false),
            availability: Some(Availability::NotAvailable),
            ..Known::default()
        };
        let (mut hidden, mut empty) = (away.clone(), Known::default());
        hidden.authorized = false;
        empty.authorized = true;
        for (known, now, before) in [
            (
                away,
                r#"{"online":false,"free":"no"}"#,
                r#"{"authorized":true,"online":false,"availability":"not_available"}"#,
            ),
            (
                hidden,
                r#"{"authorized":false,"online":false,"free":"no"}"#,
                r#"{"online":false,"availability":"not_available","authorized":false}"#,
            ),
            (empty, r#"{"authorized":true}"#, r#"{"authorized":true}"#),
            (Known::default(), "{}", r#"{"authorized":false}"#),
        ] {
            assert_eq!(serde_json::to_string(&known).unwrap(), now);
            for record in [now, before] {
                assert_eq!(serde_json::from_str::<Known>(record).unwrap(), known);
            }
        }
    }

    fn list(attributes: Vec<Attribute>) -> PresenceSubList {
        PresenceSubList { attributes }
    }

    #[test]
    fn absent_stays_and_unknown_is_forgotten() {
        let mut known = Known::default();
        known.merge(&list(vec![
            Attribute::value(AttributeName::OnlineStatus, "T"),
            Attribute::value(AttributeName::StatusText, "here"),
        ]));
        assert!(known.authorized);
        known.merge(&list(vec![Attribute::value(
            AttributeName::OnlineStatus,
            "F",
        )]));
        assert_eq!(known.online, Some(false));
        assert_eq!(known.text.as_deref(), Some("here"));
        known.merge(&list(vec![
            Attribute::unknown(AttributeName::OnlineStatus),
            Attribute::unknown(AttributeName::StatusText),
        ]));
        assert_eq!(known, Known::default());
    }

    #[test]
    fn one_client_online_is_online() {
        let mut known = Known::default();
        known.merge(&list(vec![
            Attribute::value(AttributeName::OnlineStatus, "F"),
            Attribute::value(AttributeName::OnlineStatus, "t"),
        ]));
        assert_eq!(known.online, Some(true));
    }

    #[test]
    fn what_is_known_is_the_same_as_attributes() {
        let known = Known {
            authorized: true,
            online: Some(true),
            availability: Some(Availability::Discreet),
            text: Some("here".to_owned()),
            ..Known::default()
        };
        let mut again = Known {
            alias: Some("old".to_owned()),
            ..Known::default()
        };
        again.merge(&known.to_list());
        assert_eq!(again, known);
    }
}
