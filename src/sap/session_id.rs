//! The id of a session with a peer.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::IdShown;

/// The id of a session, as one side has given it to the other. It is a secret: whoever has it may
/// speak for the peer. So it is shown only in part, and whole only where [`SessionId::as_str`] is
/// asked for: on the wire and in records. Copies share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first characters, for the log and for operators.
    pub fn shown(&self) -> IdShown<'_> {
        IdShown(&self.0)
    }
}

impl From<&str> for SessionId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for SessionId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl PartialEq<str> for SessionId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for SessionId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialEq<String> for SessionId {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.shown())
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_only_in_part_and_kept_as_it_is() {
        let id = SessionId::from("0123456789abcdef@a.test");
        for shown in [format!("{id:?}"), id.shown().to_string()] {
            assert!(!shown.contains("89abcdef"), "{shown}");
        }
        let kept = serde_json::to_string(&id).unwrap();
        assert_eq!(kept, r#""0123456789abcdef@a.test""#);
        assert_eq!(serde_json::from_str::<SessionId>(&kept).unwrap(), id);
    }
}
