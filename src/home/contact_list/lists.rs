//! What is kept of a user's contact lists, besides who is on them.

use crate::imps::common::Property;
use crate::imps::status::Code;

use super::super::authorization::AttributeSet;

/// The list that every user has to begin with.
pub(in crate::home) const FIRST: &str = "contacts";
/// Bytes of a name for people: of a list, or of somebody on it.
pub(super) const MAX_DISPLAY: usize = 256;
/// A property that contact lists do not have.
const LIST_PROPERTY: Code = Code(752);

/// A user's contact lists; one record. Who is on them stands with what there is between the user and
/// each of them ([`super::super::relation`]).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::home) struct Lists {
    /// In the order in which they were made.
    #[serde(rename = "lists")]
    all: Vec<List>,
    /// Name of the default list; absent if there is no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    /// The default attribute list, which is that of lists without one of their own; absent if it was
    /// deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::home) attributes: Option<AttributeSet>,
}

/// One contact list.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::home) struct List {
    /// What stands behind the `/` in its address.
    name: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<String>,
    /// Whether the user watches who is on it and who comes to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::home) watched: bool,
    /// Its attribute list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::home) attributes: Option<AttributeSet>,
}

impl List {
    /// The name for people.
    pub(in crate::home) fn display(&self) -> Option<&str> {
        self.display.as_deref()
    }
}

/// New values for properties of a list.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Empty: it has none any more.
    display: Option<String>,
    /// It becomes the default list.
    default: bool,
    /// It is said that it is not.
    no_default: bool,
}

/// Those of a user who has never changed any.
impl Default for Lists {
    fn default() -> Self {
        let first = List {
            name: FIRST.to_owned(),
            display: Some("Contacts".to_owned()),
            ..List::default()
        };
        Self {
            all: vec![first],
            default: Some(FIRST.to_owned()),
            attributes: Some(AttributeSet::ALL),
        }
    }
}

impl Lists {
    pub(in crate::home) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|list| list.name.as_str())
    }

    pub(in crate::home) fn get(&self, name: &str) -> Option<&List> {
        self.all.iter().find(|list| list.name == name)
    }

    pub(in crate::home) fn get_mut(&mut self, name: &str) -> Option<&mut List> {
        self.all.iter_mut().find(|list| list.name == name)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(in crate::home) fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// What those on these lists may see: of each its own attribute list or the default one, all of
    /// them together.
    pub(in crate::home) fn authorized<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
    ) -> AttributeSet {
        let lists = names.filter_map(|name| self.get(name));
        let sets = lists.filter_map(|list| list.attributes.or(self.attributes));
        sets.fold(AttributeSet::NONE, AttributeSet::or)
    }

    /// Makes a list. The first becomes the default one.
    pub(super) fn add(&mut self, name: &str) {
        self.all.push(List {
            name: name.to_owned(),
            ..List::default()
        });
        self.default.get_or_insert_with(|| name.to_owned());
    }

    /// Removes a list. If it was the default one, the oldest becomes that.
    pub(super) fn remove(&mut self, name: &str) {
        self.all.retain(|list| list.name != name);
        if self.default.as_deref() == Some(name) {
            self.default = self.all.first().map(|list| list.name.clone());
        }
    }

    /// Changes properties of a list.
    pub(super) fn change(&mut self, name: &str, changes: Changes) {
        if changes.default {
            self.default = Some(name.to_owned());
        }
        if let Some(list) = self.get_mut(name)
            && let Some(display) = changes.display
        {
            list.display = Some(display).filter(|display| !display.is_empty());
        }
    }

    /// A list's properties.
    pub(super) fn properties(&self, name: &str) -> Vec<Property> {
        let display = self.get(name).and_then(|list| list.display.clone());
        let is_default = self.default.as_deref() == Some(name);
        let default = if is_default { "T" } else { "F" };
        let property = |name: &str, value: String| Property {
            name: name.to_owned(),
            value: Some(value),
        };
        let display = display.map(|display| property("DisplayName", display));
        let default = property("Default", default.to_owned());
        display.into_iter().chain([default]).collect()
    }
}

impl Changes {
    /// What properties say, each of them once.
    pub(super) fn of(properties: &[Property]) -> Result<Self, (Code, &'static str)> {
        let mut changes = Self::default();
        for (at, property) in properties.iter().enumerate() {
            if properties[..at].iter().any(|p| p.name == property.name) {
                return Err((LIST_PROPERTY, "A property stands twice."));
            }
            let value = property.value.as_deref().unwrap_or_default().trim();
            match property.name.as_str() {
                "DisplayName" if value.len() > MAX_DISPLAY => {
                    return Err((LIST_PROPERTY, "The name is too long."));
                }
                "DisplayName" => changes.display = Some(value.to_owned()),
                "Default" => match value {
                    "T" | "t" => changes.default = true,
                    "F" | "f" => changes.no_default = true,
                    _ => return Err((LIST_PROPERTY, "Default is T or F.")),
                },
                _ => return Err((LIST_PROPERTY, "There is no such property of contact lists.")),
            }
        }
        Ok(changes)
    }

    /// The default list ceases to be that only when another becomes it.
    pub(super) fn may_change(&self, is_default: bool) -> Result<(), (Code, &'static str)> {
        if self.no_default && is_default {
            let why = "The default list stays that until another one becomes it.";
            return Err((LIST_PROPERTY, why));
        }
        Ok(())
    }
}
