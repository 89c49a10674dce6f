//! The name of a primitive, known or not.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Facts, Name};

/// The name of a primitive as it stands on the wire. It reads as a text; copies share what is not
/// known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AnyName(Inner);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Inner {
    Known(Name),
    Other(Arc<str>),
}

impl AnyName {
    /// The known name in the spelling of this crate, in whatever case it came, or the text.
    pub fn new(text: &str) -> Self {
        Self(match Name::parse(text) {
            Some(name) => Inner::Known(name),
            None => Inner::Other(text.into()),
        })
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Inner::Known(name) => name.as_str(),
            Inner::Other(text) => text,
        }
    }

    /// The name, if this crate knows the primitive.
    pub fn known(&self) -> Option<Name> {
        match &self.0 {
            Inner::Known(name) => Some(*name),
            Inner::Other(_) => None,
        }
    }

    /// What is known of the primitive.
    pub fn facts(&self) -> Option<&'static Facts> {
        self.known().map(Name::facts)
    }
}

impl From<Name> for AnyName {
    fn from(name: Name) -> Self {
        Self(Inner::Known(name))
    }
}

impl From<AnyName> for Cow<'static, str> {
    fn from(name: AnyName) -> Self {
        match name.0 {
            Inner::Known(name) => Cow::Borrowed(name.as_str()),
            Inner::Other(text) => Cow::Owned(String::from(&*text)),
        }
    }
}

impl Deref for AnyName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<Name> for AnyName {
    fn eq(&self, other: &Name) -> bool {
        self.known() == Some(*other)
    }
}

impl PartialEq<str> for AnyName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for AnyName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<AnyName> for &str {
    fn eq(&self, other: &AnyName) -> bool {
        other.as_str() == *self
    }
}

impl fmt::Display for AnyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for AnyName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for AnyName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_read_back_in_any_case() {
        for name in Name::ALL {
            let text = name.as_str();
            assert_eq!(Name::parse(&text.to_ascii_lowercase()), Some(*name));
            assert_eq!(AnyName::new(text), AnyName::from(*name));
            assert_eq!(name.facts().name, text);
        }
        assert_eq!(Name::ALL.len(), super::super::Primitive::NAMES.len());
    }

    #[test]
    fn a_name_that_is_not_known_stays_as_it_came() {
        let name = AnyName::new("TeleportRequest");
        assert_eq!((name.known(), name.as_str()), (None, "TeleportRequest"));
        assert!(name.facts().is_none());
    }
}
