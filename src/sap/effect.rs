//! What the SAP wants done outside.

use super::neighbour::Hand;
use super::note::Note;
use super::post::{Knock, Load, Post};
use super::service::Known;
use super::transaction::history::Step;
use super::watch::Count;
use crate::element::{Delivered, Element, Time, Token};
use crate::imps::Primitive;
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
    /// Hand a batch to another shard of this node. The outcome comes back with the same number.
    Hand(Hand),
    /// The other shards of this node are to know this of a peer, whose services they tell of.
    Known(String, Box<Known>),
    /// Hand a request or notice to a service element of this node.
    Deliver(Element, Delivered),
    /// Tell a service element what is known of its own message, which was taken over.
    TakenOver(Element, Token, Primitive),
    /// Hand a service element the answer to its own request.
    Answer(Element, Token, Primitive),
    /// Sessions with a peer came up, or it is reached again (true); or they are all gone.
    PeerState(String, bool),
    /// A peer is not reached any more, since then, though there is a session.
    PeerAway(String, Time),
    /// Something is to be counted.
    Count(Count),
    /// For `wvgate trace` and `wvgate explain`.
    Note(Note),
    /// What becomes of a message, for `wvgate explain`.
    Step(Box<Step>),
}
