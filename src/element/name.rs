//! The name of a service element.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, bytes.
const MAX: usize = 15;

/// Names a service element of this node, in routes and records. The relay core knows no more of
/// an element than its name and what it serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element([u8; MAX], u8);

impl Element {
    /// An element by its name, of which the first 15 bytes count. For constants.
    ///
    /// # Panics
    /// When compiled, if the name of a constant is longer, or no ASCII.
    pub const fn named(name: &'static str) -> Self {
        assert!(name.len() <= MAX && name.is_ascii());
        Self::cut(name.as_bytes())
    }

    /// The name, as records have it.
    pub fn as_str(&self) -> &str {
        let used = &self.0[..usize::from(self.1).min(MAX)];
        std::str::from_utf8(used).unwrap_or_default()
    }

    /// The element of a name that was kept; `None`: it is no name of one.
    pub fn read(name: &str) -> Option<Self> {
        let is_name = name.len() <= MAX && name.is_ascii();
        is_name.then(|| Self::cut(name.as_bytes()))
    }

    #[expect(clippy::cast_possible_truncation)]
    const fn cut(name: &[u8]) -> Self {
        let mut bytes = [0; MAX];
        let mut at = 0;
        while at < name.len() && at < MAX {
            bytes[at] = name[at];
            at += 1;
        }
        Self(bytes, at as u8)
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let none = || serde::de::Error::custom("no name of a service element");
        Self::read(&name).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_text() {
        let home = Element::named("Home");
        assert_eq!(serde_json::to_string(&home).unwrap(), r#""Home""#);
        assert_eq!(serde_json::from_str::<Element>(r#""Home""#).unwrap(), home);
        assert!(serde_json::from_str::<Element>(r#""a name that is too long""#).is_err());
    }
}
