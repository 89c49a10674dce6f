//! Sets of presence attributes.

use crate::imps::common::AttributeList;
use crate::imps::presence::{AttributeName, PresenceSubList};

/// The one bit for all attributes beyond the known ones.
const BEYOND: u32 = 1 << 31;
/// That bit in a record.
const OTHERS: char = '*';
/// A set of everything in a record; one of nothing is empty.
const EVERYTHING: &str = "+";
/// What stands in records for the known ones.
const LETTERS: [(char, AttributeName); 18] = [
    ('o', AttributeName::OnlineStatus),
    ('r', AttributeName::Registration),
    ('c', AttributeName::ClientInfo),
    ('z', AttributeName::TimeZone),
    ('g', AttributeName::GeoLocation),
    ('a', AttributeName::Address),
    ('f', AttributeName::FreeTextLocation),
    ('p', AttributeName::PLMN),
    ('k', AttributeName::CommCap),
    ('u', AttributeName::UserAvailability),
    ('d', AttributeName::PreferredContacts),
    ('l', AttributeName::PreferredLanguage),
    ('t', AttributeName::StatusText),
    ('m', AttributeName::StatusMood),
    ('n', AttributeName::Alias),
    ('i', AttributeName::StatusContent),
    ('b', AttributeName::ContactInfo),
    ('x', AttributeName::InfoLink),
];
/// In records of older versions, which have names, that bit and a set of nothing; no names at all
/// mean everything there, as on the wire.
const OLDER: (&str, &str) = ("*", "-");

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
#[serde(into = "String", from = "Record")]
pub struct AttributeSet(u32);

/// A set as it stands in a record.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Record {
    Letters(String),
    /// In those of older versions.
    Names(Vec<String>),
}

impl AttributeSet {
    /// No attribute.
    pub const NONE: Self = Self(0);
    /// Every attribute, those beyond the known ones too.
    pub const ALL: Self = Self(BEYOND | ((1 << AttributeName::KNOWN.len()) - 1));

    /// One attribute; one that is not known stands for all such.
    pub fn of(name: &AttributeName) -> Self {
        let at = AttributeName::KNOWN.iter().position(|known| known == name);
        Self(at.map_or(BEYOND, |at| 1 << at))
    }

    /// The known ones of a list of names.
    pub fn known(list: &PresenceSubList) -> Self {
        let names = list.attributes.iter().map(|attribute| &attribute.name);
        let known = names.filter(|name| !matches!(name, AttributeName::Other(_)));
        known.fold(Self::NONE, |set, name| set.or(Self::of(name)))
    }

    /// What a request asks for: no list and an empty one mean everything.
    pub fn asked(list: Option<&AttributeList>) -> Self {
        match list.and_then(|list| list.presence.as_ref()) {
            Some(list) if !list.attributes.is_empty() => Self::known(list),
            _ => Self::ALL,
        }
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether an attribute is in it.
    pub fn contains(self, name: &AttributeName) -> bool {
        !self.and(Self::of(name)).is_empty()
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one alone.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The known ones in it, in order of emission.
    pub fn names(self) -> impl Iterator<Item = &'static AttributeName> {
        let known = AttributeName::KNOWN.iter().enumerate();
        known.filter_map(move |(at, name)| (self.0 & (1 << at) != 0).then_some(name))
    }

    /// As a list of names.
    pub fn to_list(self) -> PresenceSubList {
        PresenceSubList::request(self.names().cloned())
    }

    /// As a request or decision has it: no list means everything.
    pub fn to_wire(self) -> Option<AttributeList> {
        (self != Self::ALL).then(|| AttributeList {
            presence: Some(self.to_list()),
        })
    }
}

impl From<AttributeSet> for String {
    fn from(set: AttributeSet) -> Self {
        if set == AttributeSet::ALL {
            return EVERYTHING.to_owned();
        }
        let known = LETTERS.iter().filter(|(_, name)| set.contains(name));
        let others = (set.0 & BEYOND != 0).then_some(OTHERS);
        known.map(|(letter, _)| *letter).chain(others).collect()
    }
}

impl From<Record> for AttributeSet {
    fn from(record: Record) -> Self {
        let one = |name: &str| match AttributeName::from_name(name) {
            AttributeName::Other(name) if name == OLDER.0 => Self(BEYOND),
            AttributeName::Other(_) => Self::NONE,
            known => Self::of(&known),
        };
        match record {
            Record::Letters(letters) if letters == EVERYTHING => Self::ALL,
            Record::Letters(letters) => letters.chars().fold(Self::NONE, |set, letter| {
                let known = LETTERS.iter().find(|(known, _)| *known == letter);
                let others = Self(if letter == OTHERS { BEYOND } else { 0 });
                set.or(known.map_or(others, |(_, name)| Self::of(name)))
            }),
            Record::Names(names) if names.is_empty() => Self::ALL,
            Record::Names(names) => {
                let names = names.iter().filter(|name| *name != OLDER.1);
                names.fold(Self::NONE, |set, name| set.or(one(name)))
            }
        }
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
            (AttributeSet::ALL, r#""+""#),
            (AttributeSet::NONE, r#""""#),
            (text, r#""t""#),
            (
                set(&[AttributeName::InfoLink, AttributeName::OnlineStatus]),
                r#""ox""#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&set).unwrap(), record);
            assert_eq!(serde_json::from_str::<AttributeSet>(record).unwrap(), set);
        }
        let rest = AttributeSet::ALL.without(text);
        let record = serde_json::to_string(&rest).unwrap();
        assert_eq!(record, r#""orczgafpkudlmnibx*""#);
        assert_eq!(serde_json::from_str::<AttributeSet>(&record).unwrap(), rest);
    }

    #[test]
    fn every_known_attribute_has_a_letter_of_its_own() {
        let names: Vec<_> = LETTERS.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(names, AttributeName::KNOWN);
        let mut letters: Vec<_> = LETTERS.iter().map(|(letter, _)| *letter).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), LETTERS.len());
        for name in AttributeName::KNOWN {
            let one = AttributeSet::of(name);
            let record = serde_json::to_string(&one).unwrap();
            assert_eq!(serde_json::from_str::<AttributeSet>(&record).unwrap(), one);
        }
    }

    #[test]
    fn names_in_a_record_of_an_older_version_are_read() {
        let beyond = AttributeSet::ALL.without(set(AttributeName::KNOWN));
        for (record, set) in [
            ("[]", AttributeSet::ALL),
            (r#"["-"]"#, AttributeSet::NONE),
            (r#"["*"]"#, beyond),
            (
                r#"["OnlineStatus","X-Tune","InfoLink"]"#,
                set(&[AttributeName::InfoLink, AttributeName::OnlineStatus]),
            ),
        ] {
            assert_eq!(serde_json::from_str::<AttributeSet>(record).unwrap(), set);
        }
    }

    #[test]
    fn what_is_beyond_the_known_is_only_in_everything() {
        let other = AttributeName::Other("X-Tune".to_owned());
        assert!(AttributeSet::ALL.contains(&other));
        assert!(!set(AttributeName::KNOWN).contains(&other));
        assert!(set(&[other]).is_empty());
    }
}
