//! What a session wants done outside.

use bytes::Bytes;

use super::record::Record;
use crate::element::{Delivery, FromClient};

/// What a session wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The record is to be on disk before anything that follows.
    Keep(Box<Record>),
    /// Said to the user's domain.
    Say(FromClient),
    /// What was said to the user's domain is to be on disk before anything that follows.
    Settle,
    /// Messages are to come in another way: the session at the user's domain is begun anew.
    Reopen(Delivery),
    /// These posts are answered so; without a body if nothing is to be said.
    Answer {
        /// Their numbers.
        posts: Vec<u64>,
        /// The message.
        body: Option<Bytes>,
    },
    /// The client is to be woken with this line.
    Wake(String),
    /// The session at the user's domain is over, and its record is removed.
    Leave,
    /// Nothing more comes.
    End,
}
