//! The session record: kept on disk, because the deployed server never logs in
//! again (wire profile, 6.9).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::element::{Time, millis};
use crate::sap::session_id::SessionId;
use crate::store::Write;

/// One established session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The peer's domain.
    pub peer: String,
    /// Our id: what we write into `Session`.
    pub own_id: SessionId,
    /// The peer's id: what it writes.
    pub peer_id: SessionId,
    /// When it was established.
    pub established: Time,
    /// It ends when it was idle for so long: the smaller of both sides' values.
    #[serde(with = "millis")]
    pub ttl: Duration,
    /// Whether we opened it.
    #[serde(default)]
    pub opened_by_us: bool,
    /// What we announced last as our time to live; zero if an older version made the session.
    #[serde(default, with = "millis")]
    pub own_ttl: Duration,
    /// Where the peer has redirected us; `None`: its usual address.
    #[serde(default)]
    pub url: Option<String>,
    /// Until when that counts; `None`: as long as the session.
    #[serde(default)]
    pub url_until: Option<Time>,
    /// The address that the peer's messages come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// Last message from the peer. Not written at every message.
    #[serde(default)]
    pub last_in: Time,
    /// Last message to the peer.
    #[serde(default)]
    pub last_out: Time,
}

impl SessionRecord {
    /// Prefix of all session records.
    pub const PREFIX: &'static str = "sap/session/";

    /// The record's key.
    pub fn key(&self) -> String {
        format!("{}{}/{}", Self::PREFIX, self.peer, self.own_id.as_str())
    }

    /// Where to post now, if not to the usual address.
    pub fn address(&self, now: Time) -> Option<&str> {
        let counts = self.url_until.is_none_or(|until| now < until);
        self.url.as_deref().filter(|_| counts)
    }

    /// Keeps the record.
    pub fn put(&self) -> Write {
        Write::put_json(self.key(), self)
    }

    /// Forgets the record.
    pub fn delete(&self) -> Write {
        Write::delete(self.key())
    }
}
