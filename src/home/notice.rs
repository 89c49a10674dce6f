//! What a user is to be told of their own messages, when a client takes it: delivery reports,
//! and refusals. It waits on disk until one has acknowledged it.

use crate::element::Time;

use super::client::{ClientKey, Event};

/// What is known of an event that waits until a client has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// When it is dropped.
    pub(super) until: Time,
    /// The message of the user that it is about.
    pub(super) about: Option<String>,
    /// Bytes of the event.
    pub(super) bytes: usize,
    /// The one client that is told, as long as it is there.
    pub(super) only: Option<ClientKey>,
}

/// The record of one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    /// When it is dropped.
    pub(super) until: Time,
    /// The event, without number.
    pub(super) event: Event,
}

impl Kept {
    /// What is known of it as long as it waits.
    pub(super) fn notice(&self, only: Option<ClientKey>) -> Notice {
        Notice {
            until: self.until,
            about: self.event.message_id().map(str::to_owned),
            bytes: self.event.bytes(),
            only,
        }
    }
}
