//! Requests between the SAP and the elements.

use crate::imps::Primitive;
use crate::imps::address::Address;

use super::Time;

/// A request that was handed to a service element and waits for its answer.
/// Never used twice in the life of a store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct RequestId(pub u64);

/// What a service element calls a request of its own, so that it knows the answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Token(pub u64);

/// A primitive handed to a service element, permission already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// To answer with; `None` for a notice, which is not answered.
    pub id: Option<RequestId>,
    /// The requesting home domain.
    pub from_domain: String,
    /// The requesting user, if a user asks.
    pub user: Option<Address>,
    /// What is asked or told.
    pub primitive: Primitive,
    /// After this time the answer is of no use to anybody.
    pub expires: Time,
}
