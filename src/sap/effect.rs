//! What the SAP wants done, and what it tells those who watch it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::association::outbox::Load;
use super::element::{Delivered, Element, Outcome, Time, Token};
use super::transaction::history::Step;
use crate::ssp::Primitive;
use crate::store::Write;

/// Something to be done outside. Everything that has an effect on others waits
/// until the writes before it are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Keep or forget a record.
    Write(Write),
    /// Send bytes to a peer. The outcome comes back with the same number.
    Post(Post),
    /// Try whether a connection to a peer can be had. The outcome comes back as that of a post.
    Knock(Knock),
    /// Read bodies that wait on disk. They come back in [`super::Sap::loaded`].
    Load(Load),
    /// Hand a request or notice to a service element of this node.
    Deliver(Element, Delivered),
    /// Hand a service element the answer to its own request.
    Answer(Element, Token, Primitive),
    /// Sessions with a peer came up, or it is reached again (true); or they are all gone.
    PeerState(String, bool),
    /// A peer is not reached any more, since then, though there is a session.
    PeerAway(String, Time),
    /// Count.
    Count(Count),
    /// For `wvgate trace` and `wvgate explain`.
    Trace(Box<Trace>),
    /// What becomes of a message, for `wvgate explain`.
    Step(Box<Step>),
}

/// A POST to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// To whom.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
    /// The body.
    pub body: Bytes,
    /// `x-wv-sessionid`, where the binding wants it.
    pub session: Option<String>,
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
    /// To whom.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
}

/// How a POST ended, as far as the core cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// 2xx: the peer has it.
    Acknowledged,
    /// Another status.
    Refused {
        /// The status.
        status: u16,
        /// Milliseconds the peer asked us to wait.
        retry_after: Option<u64>,
    },
    /// Closed without an answer: the peer may have it, or not.
    Closed,
    /// Reached, and no answer in time: the peer may have it, or not.
    TimedOut,
    /// Never reached the peer; the reason for people.
    Failed(String),
}

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
    /// A loop was cut.
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
    /// From this node.
    Out,
    /// Inside.
    Here,
}

/// One thing that happened to a transaction or message. Bodies never appear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// When.
    pub time: Time,
    /// Which way.
    pub direction: Direction,
    /// The peer domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The session id used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The transaction id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The primitive.
    pub primitive: Cow<'static, str>,
    /// The message's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// From whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// To whom, the first of many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// What happened, in words.
    pub what: Cow<'static, str>,
}
