//! What those are told who watch what goes on: counters and traces.

use std::borrow::Cow;

use serde::Serialize;

use crate::element::{Outcome, Time};

/// What is counted. Every accepted message (one per recipient reached in the same
/// way) ends in exactly one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Count {
    /// A message was accepted.
    Accepted,
    /// A message came to its end.
    Ended(Outcome),
    /// A transaction was received.
    Received,
    /// A transaction was posted and acknowledged.
    Sent,
    /// A repetition was recognised.
    Duplicate,
    /// A response nobody asked for was dropped.
    Unasked,
    /// A request was refused.
    Refused(u16),
    /// A post failed and will be tried again.
    Retried,
    /// A handshake was completed.
    HandshakeDone,
    /// A handshake failed.
    HandshakeFailed,
    /// A request that went in a circle was refused.
    Loop,
    /// A body that could not be read was dropped or refused.
    Unreadable,
    /// A body above the limit was refused.
    TooLarge,
}

/// Which way something went, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a peer, a client or the XMPP network to this node.
    In,
    /// This node posts it.
    Out,
    /// It stays inside of this node.
    Here,
}

/// One thing that happened to a transaction or message. Bodies never appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// When it happened.
    pub time: Time,
    /// Whether it came, went, or stays inside.
    pub direction: Direction,
    /// The domain of the peer; none inside the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The session id used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The transaction id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// Name of the primitive.
    pub primitive: Cow<'static, str>,
    /// The message's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The user whom it is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// To whom, the first of many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// What happened, in words.
    pub what: Cow<'static, str>,
}
