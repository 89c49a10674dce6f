//! `[[route]]`: which way the requests for a domain go.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One route. A peer's own domain and aliases go to that peer without any.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteSection {
    /// The domain of the target user, in lower-case ASCII, or `*` for every domain without
    /// a route of its own. Required.
    pub domain: String,
    /// A peer's domain, `local` (the embedded home domain) or `xmpp` (the gateway).
    /// Required.
    pub via: Via,
}

/// Where a route leads; written as a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// To the embedded home domain.
    Local,
    /// To the XMPP gateway.
    Xmpp,
    /// To the peer with this domain.
    Peer(String),
}

impl Default for Via {
    fn default() -> Self {
        Self::Peer(String::new())
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Xmpp => "xmpp",
            Self::Peer(domain) => domain,
        })
    }
}

impl Serialize for Via {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Via {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)?.as_str() {
            "local" => Self::Local,
            "xmpp" => Self::Xmpp,
            domain => Self::Peer(domain.to_string()),
        })
    }
}
