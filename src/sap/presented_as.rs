//! An identity for each home domain behind us (quirk E-2): towards a peer that
//! takes only users of the session's own domain, the domains that its record names as
//! `fronts` are presented as services of their own.
//!
//! Such an identity is a peer of its own wherever sessions, handshakes and queues are kept,
//! under a name made of both domains; wherever it is asked whose users somebody speaks for
//! it is the peer itself. So each has its sessions, and its queue, and what is asked in one
//! identity is answered there.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Between the peer's domain and the one presented; no domain contains it.
const AS: char = '+';

/// A peer, and the domain as which we present ourselves to it if that is not our own.
///
/// In records, and where names are compared, both are one text: `a.test+r.test`. Copies share it.
#[derive(Debug, Clone)]
pub struct PeerId {
    name: Arc<str>,
    /// Length of the peer's own domain, with which the name begins.
    real: usize,
}

impl PeerId {
    /// The peer itself, or an identity, by its text.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            real: domain_of(name).len(),
        }
    }

    /// The identity that presents a domain to a peer.
    pub fn presenting(peer: &str, domain: &str) -> Self {
        Self {
            name: format!("{peer}{AS}{domain}").into(),
            real: peer.len(),
        }
    }

    /// Both domains as one text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The peer's own domain.
    pub fn real(&self) -> &str {
        self.name.get(..self.real).unwrap_or_default()
    }

    /// The domain that is presented; `None`: our own.
    pub fn presented(&self) -> Option<&str> {
        self.name.get(self.real + AS.len_utf8()..)
    }
}

impl Borrow<str> for PeerId {
    fn borrow(&self) -> &str {
        &self.name
    }
}

impl Deref for PeerId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::new(&name))
    }
}

impl PartialEq for PeerId {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for PeerId {}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PeerId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for PeerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl std::fmt::Display for PeerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// The peer's own domain, from the name of any of its identities.
pub fn domain_of(peer: &str) -> &str {
    peer.split(AS).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept_as_one_text_and_read_back_as_two_domains() {
        let it = PeerId::presenting("a.test", "r.test");
        assert_eq!(it.as_str(), "a.test+r.test");
        for it in [PeerId::new(it.as_str()), it] {
            assert_eq!((it.real(), it.presented()), ("a.test", Some("r.test")));
        }
        let itself = PeerId::new("a.test");
        assert_eq!((itself.real(), itself.presented()), ("a.test", None));
    }
}
