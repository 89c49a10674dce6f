//! What is handed to the transport and the store for a peer, and what comes back.

use crate::sap::session_id::SessionId;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

pub use crate::element::Found;

/// A POST to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The peer that it is for.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
    /// The whole body, an SSP message.
    pub body: Bytes,
    /// `x-wv-sessionid`, where the binding wants it.
    pub session: Option<SessionId>,
    /// `x-wv-transactionid`, where the binding wants it.
    pub transaction: Option<String>,
    /// Exactly this URL instead of the peer's usual one.
    pub url: Option<String>,
    /// Transactions inside.
    pub transactions: usize,
}

impl Post {
    /// A connection that is only tried: nothing to send.
    pub fn knock(knock: Knock) -> Self {
        Self {
            peer: knock.peer,
            number: knock.number,
            body: Bytes::new(),
            session: None,
            transaction: None,
            url: None,
            transactions: 0,
        }
    }
}

/// A connection that is only tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// The peer that it is for.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
}

/// Bodies to be read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The peer in whose queue it waits.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
    /// Items and the keys of their records.
    pub keys: Vec<(u64, String)>,
}

impl Load {
    /// Answered from records in memory: for worlds without a store.
    pub fn from_disk(self, disk: &BTreeMap<String, Vec<u8>>) -> Loaded {
        let found = |key: String| Found::in_memory(disk, &key);
        let records = self.keys.into_iter().map(|(n, key)| (n, found(key)));
        Loaded {
            peer: self.peer,
            number: self.number,
            records: records.collect(),
        }
    }
}

/// What the store has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The peer in whose queue it waits.
    pub peer: String,
    /// The number of the [`Load`].
    pub number: u64,
    /// Items and their records.
    pub records: Vec<(u64, Found)>,
}

/// How a POST ended, as far as the core cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// 2xx: the peer has it.
    Acknowledged,
    /// HTTP has another status than 2xx.
    Refused {
        /// The HTTP status, anything but 2xx.
        status: u16,
        /// How long the peer asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Closed without an answer: the peer may have it, or not.
    Closed,
    /// Reached, and no answer in time: the peer may have it, or not.
    TimedOut,
    /// Never reached the peer; the reason for people.
    Failed(String),
}
