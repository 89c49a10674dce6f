//! What the SAP wants done, and what it tells those who watch it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::element::{Delivered, Element, Time, Token};
use super::transaction::history::Step;
use super::watch::{Count, Trace};
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
    /// Something is to be counted.
    Count(Count),
    /// For `wvgate trace` and `wvgate explain`.
    Trace(Box<Trace>),
    /// What becomes of a message, for `wvgate explain`.
    Step(Box<Step>),
}

/// A POST to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The peer that it is for.
    pub peer: String,
    /// Our number for it.
    pub number: u64,
    /// The whole body.
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
        let found = |key: String| match disk.get(&key) {
            Some(record) => Found::Record(record.clone()),
            None => Found::Damaged("there is no such record".to_owned()),
        };
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

/// What the store has said of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The record that was read.
    Record(Vec<u8>),
    /// It is not there, or damaged: in words.
    Damaged(String),
    /// It can't be read now: in words.
    Later(String),
}

/// How a POST ended, as far as the core cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// 2xx: the peer has it.
    Acknowledged,
    /// HTTP has another status than 2xx.
    Refused {
        /// The HTTP status.
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
