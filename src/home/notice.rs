//! What a user is to be told of their own messages, when a client takes it: delivery reports,
//! and refusals. It waits on disk until one has acknowledged it.

use crate::element::Time;

use super::client::{ClientKey, Event};

/// An event that waits until a client has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Notice {
    /// When it is dropped.
    pub(super) until: Time,
    /// The event, without number.
    pub(super) event: Event,
    /// The one client that is told, as long as it is there.
    #[serde(skip)]
    pub(super) only: Option<ClientKey>,
}
