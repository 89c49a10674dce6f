//! The properties of a group (wire profile, 8.5).

use crate::imps::common::{ContentData, Property, decode_base64, encode_base64};
use crate::imps::primitive::group::{GroupProperties, WelcomeNote};
use crate::imps::status::Code;
use crate::text::shown::steers;

use super::INVALID_PROPERTIES;
use super::settings::GroupSettings;

/// A group that is found by search has a name or a topic.
const NOTHING_TO_FIND: Code = Code(822);

/// What is set of a group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(in crate::home) struct Properties {
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// What is talked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<String>,
    /// Whether only members may join.
    pub(super) restricted: bool,
    /// Whether only members, and those who are invited, may join.
    pub(super) by_invitation: bool,
    /// Whether a message may go to one participant.
    pub(super) private_messaging: bool,
    /// Whether search finds it, and strangers see its properties.
    pub(super) searchable: bool,
    /// The most that may be joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_active_users: Option<usize>,
    /// Whether it ends when the last user leaves.
    pub(super) auto_delete: bool,
    /// Whether those who join get the last messages.
    pub(super) history: bool,
    /// Seconds from its creation after which it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validity: Option<u64>,
    /// What is said to those who join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) welcome: Option<Welcome>,
}

/// The welcome note.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Welcome {
    content_type: String,
    /// In base64.
    content: String,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            name: None,
            topic: None,
            restricted: false,
            by_invitation: false,
            private_messaging: true,
            searchable: false,
            max_active_users: None,
            auto_delete: false,
            history: false,
            validity: None,
            welcome: None,
        }
    }
}

impl Properties {
    /// These with what is set: all of it, or an error.
    pub(super) fn with(
        &self,
        given: &GroupProperties,
        settings: &GroupSettings,
    ) -> Result<Self, Code> {
        let mut new = self.clone();
        for (number, property) in given.properties.iter().enumerate() {
            let name = property.name.trim();
            let same = |other: &Property| other.name.trim().eq_ignore_ascii_case(name);
            if given.properties[..number].iter().any(same) {
                return Err(INVALID_PROPERTIES);
            }
            let value = property.value.as_deref().unwrap_or_default().trim();
            new.set(name, value, settings).ok_or(INVALID_PROPERTIES)?;
        }
        if let Some(note) = &given.welcome {
            new.welcome = match &note.content {
                Some(content) if !content.bytes.is_empty() => {
                    let bytes = content.bytes.len() + content.content_type.len();
                    if bytes > settings.max_welcome {
                        return Err(INVALID_PROPERTIES);
                    }
                    Some(Welcome::of(content))
                }
                _ => None,
            };
        }
        if new.searchable && new.name.is_none() && new.topic.is_none() {
            return Err(NOTHING_TO_FIND);
        }
        Ok(new)
    }

    fn set(&mut self, name: &str, value: &str, settings: &GroupSettings) -> Option<()> {
        let text = || {
            let usable = value.len() <= settings.max_text && !value.chars().any(steers);
            usable.then(|| Some(value.to_owned()).filter(|value| !value.is_empty()))
        };
        match name.to_ascii_lowercase().as_str() {
            "name" => self.name = text()?,
            "topic" => self.topic = text()?,
            "accesstype" if value.eq_ignore_ascii_case("Open") => self.restricted = false,
            "accesstype" if value.eq_ignore_ascii_case("Restricted") => self.restricted = true,
            "requireinvitation" => self.by_invitation = flag(value)?,
            "privatemessaging" => self.private_messaging = flag(value)?,
            "searchable" => self.searchable = flag(value)?,
            "maxactiveusers" => {
                let most = value.parse().ok().filter(|most| *most > 0)?;
                self.max_active_users = Some(most);
            }
            "autodelete" => self.auto_delete = flag(value)?,
            "history" => self.history = flag(value)?,
            "validity" => {
                let seconds = value.parse().ok()?;
                self.validity = Some(seconds).filter(|seconds| *seconds > 0);
            }
            // `Type` and `ActiveUsers` can only be read; the others nobody knows here.
            _ => return None,
        }
        Some(())
    }

    /// As they are listed. `is_public`: a provider's group.
    pub(super) fn listed(&self, is_public: bool, active: usize) -> GroupProperties {
        let mut properties = Vec::new();
        let mut add = |name: &str, value: String| {
            properties.push(Property {
                name: name.to_owned(),
                value: Some(value),
            });
        };
        if let Some(name) = &self.name {
            add("Name", name.clone());
        }
        if let Some(topic) = &self.topic {
            add("Topic", topic.clone());
        }
        add("AccessType", self.access().to_owned());
        add("RequireInvitation", switch(self.by_invitation).into());
        let kind = if is_public { "Public" } else { "Private" };
        add("Type", kind.to_owned());
        add("PrivateMessaging", switch(self.private_messaging).into());
        add("Searchable", switch(self.searchable).into());
        if let Some(most) = self.max_active_users {
            add("MaxActiveUsers", most.to_string());
        }
        add("ActiveUsers", active.to_string());
        add("AutoDelete", switch(self.auto_delete).into());
        add("History", switch(self.history).into());
        if let Some(seconds) = self.validity {
            add("Validity", seconds.to_string());
        }
        GroupProperties {
            properties,
            welcome: self.welcome_note(),
        }
    }

    /// The welcome note, if there is one.
    pub(super) fn welcome_note(&self) -> Option<WelcomeNote> {
        let content = self.welcome.as_ref().map(Welcome::content)?;
        Some(WelcomeNote {
            content: Some(content),
        })
    }

    /// Whether not everybody may join.
    pub(super) fn is_closed(&self) -> bool {
        self.restricted || self.by_invitation
    }

    fn access(&self) -> &'static str {
        if self.restricted {
            "Restricted"
        } else {
            "Open"
        }
    }
}

impl Welcome {
    fn of(content: &ContentData) -> Self {
        Self {
            content_type: content.content_type.clone(),
            content: encode_base64(&content.bytes),
        }
    }

    fn content(&self) -> ContentData {
        ContentData {
            content_type: self.content_type.clone(),
            bytes: decode_base64(&self.content).unwrap_or_default(),
        }
    }
}

/// A value that is `T` or `F`.
pub(super) fn flag(value: &str) -> Option<bool> {
    match value.trim() {
        "T" | "t" => Some(true),
        "F" | "f" => Some(false),
        _ => None,
    }
}

/// A flag as a value.
pub(super) fn switch(on: bool) -> &'static str {
    if on { "T" } else { "F" }
}
