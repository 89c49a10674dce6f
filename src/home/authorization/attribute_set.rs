//! Sets of presence attributes.

use crate::imps::common::AttributeList;
use crate::imps::presence::{AttributeName, PresenceSubList};

/// The one bit for all attributes beyond the known ones.
const BEYOND: u32 = 1 << 31;
/// That bit in a record.
const OTHERS: &str = "*";
/// A set of nothing in a record: no names at all mean everything, as on the wire.
const NOTHING: &str = "-";

/// A set of presence attributes. Those beyond the known ones are in it all or none: whoever may see
/// everything may see what nobody has heard of yet.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub(in crate::home) struct AttributeSet(u32);

impl AttributeSet {
    pub(in crate::home) const NONE: Self = Self(0);
    pub(in crate::home) const ALL: Self = Self(BEYOND | ((1 << AttributeName::KNOWN.len()) - 1));

    /// One attribute; one that is not known stands for all such.
    pub(in crate::home) fn of(name: &AttributeName) -> Self {
        let at = AttributeName::KNOWN.iter().position(|known| known == name);
        Self(at.map_or(BEYOND, |at| 1 << at))
    }

    /// The known ones of a list of names.
    pub(in crate::home) fn known(list: &PresenceSubList) -> Self {
        let names = list.attributes.iter().map(|attribute| &attribute.name);
        let known = names.filter(|name| !matches!(name, AttributeName::Other(_)));
        known.fold(Self::NONE, |set, name| set.or(Self::of(name)))
    }

    /// What a request asks for: no list and an empty one mean everything.
    pub(in crate::home) fn asked(list: Option<&AttributeList>) -> Self {
        match list.and_then(|list| list.presence.as_ref()) {
            Some(list) if !list.attributes.is_empty() => Self::known(list),
            _ => Self::ALL,
        }
    }

    pub(in crate::home) fn is_empty(&self) -> bool {
        self.0 == 0
    }

    pub(in crate::home) fn contains(self, name: &AttributeName) -> bool {
        !self.and(Self::of(name)).is_empty()
    }

    #[must_use]
    pub(in crate::home) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub(in crate::home) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(in crate::home) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The known ones in it, in order of emission.
    pub(in crate::home) fn names(self) -> impl Iterator<Item = &'static AttributeName> {
        let known = AttributeName::KNOWN.iter().enumerate();
        known.filter_map(move |(at, name)| (self.0 & (1 << at) != 0).then_some(name))
    }

    /// As a list of names.
    pub(in crate::home) fn to_list(self) -> PresenceSubList {
        PresenceSubList::request(self.names().cloned())
    }

    /// As a request or decision has it: no list means everything.
    pub(in crate::home) fn to_wire(self) -> Option<AttributeList> {
        (self != Self::ALL).then(|| AttributeList {
            presence: Some(self.to_list()),
        })
    }
}

impl From<AttributeSet> for Vec<String> {
    fn from(set: AttributeSet) -> Self {
        if set == AttributeSet::ALL {
            return Vec::new();
        }
        if set.is_empty() {
            return vec![NOTHING.to_owned()];
        }
        let others = (set.0 & BEYOND != 0).then_some(OTHERS);
        let names = set.names().map(AttributeName::as_str).chain(others);
        names.map(str::to_owned).collect()
    }
}

impl From<Vec<String>> for AttributeSet {
    fn from(names: Vec<String>) -> Self {
        if names.is_empty() {
            return Self::ALL;
        }
        names.iter().fold(Self::NONE, |set, name| {
            set.or(match AttributeName::from_name(name) {
                AttributeName::Other(name) if name == OTHERS => Self(BEYOND),
                AttributeName::Other(_) => Self::NONE,
                known => Self::of(&known),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[AttributeName]) -> AttributeSet {
        AttributeSet::known(&PresenceSubList::request(names.iter().cloned()))
    }

    #[test]
    fn every_set_is_the_same_when_it_comes_back_from_a_record() {
        let text = set(&[AttributeName::StatusText]);
        for (set, record) in [
            (AttributeSet::ALL, "[]"),
            (AttributeSet::NONE, r#"["-"]"#),
            (text, r#"["StatusText"]"#),
            (
                set(&[AttributeName::InfoLink, AttributeName::OnlineStatus]),
                r#"["OnlineStatus","InfoLink"]"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&set).unwrap(), record);
            assert_eq!(serde_json::from_str::<AttributeSet>(record).unwrap(), set);
        }
        let rest = AttributeSet::ALL.without(text);
        let record = serde_json::to_string(&rest).unwrap();
        assert_eq!(serde_json::from_str::<AttributeSet>(&record).unwrap(), rest);
    }

    #[test]
    fn what_is_beyond_the_known_is_only_in_everything() {
        let other = AttributeName::Other("X-Tune".to_owned());
        assert!(AttributeSet::ALL.contains(&other));
        assert!(!set(AttributeName::KNOWN).contains(&other));
        assert!(set(&[other]).is_empty());
    }
}
