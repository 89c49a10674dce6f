//! What transactions want done, and what they need to know of the queues of peers.

use super::history::Step;
use super::record::Origin;
use crate::element::{Delivered, Element, Time, Token};
use crate::imps::Primitive;
use crate::sap::association::outbox::Item;
use crate::sap::body::Body;
use crate::sap::dialect::Waiting;
use crate::sap::neighbour::Handed;
use crate::sap::note::Note;
use crate::sap::presented_as::PeerId;
use crate::sap::service::Known;
use crate::sap::session_id::SessionId;
use crate::sap::watch::Count;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

/// What transactions want done.
#[derive(Debug)]
pub(in crate::sap) enum Event {
    /// A record is to be kept or forgotten.
    Write(Write),
    /// A transaction is to be queued for a peer.
    Enqueue(PeerId, Item),
    /// The same, to be posted not before then.
    EnqueueLater(PeerId, Item, Time),
    /// Something is to be queued for another shard of this node.
    Hand(u16, Box<Handed>),
    /// The other shards of this node are to know this of a peer.
    Known(String, Box<Known>),
    /// A request or notice is for a service element.
    Deliver(Element, Box<Delivered>),
    /// What is known of a service element's message, which was taken over.
    TakenOver(Element, Token, Box<Primitive>),
    /// A service element's request is answered.
    Answer(Element, Token, Box<Primitive>),
    /// A peer's request is about its session, or about services.
    ToThisSap(Box<ToThisSap>),
    /// This node asks or tells something by itself.
    Own(Box<Own>),
    Count(Count),
    Note(Note),
    Step(Box<Step>),
}

/// A request of a peer to the SAP itself.
#[derive(Debug)]
pub(in crate::sap) struct ToThisSap {
    /// The peer it came from, in its identity.
    pub(in crate::sap) peer: String,
    /// Our id of the session it came in.
    pub(in crate::sap) session: SessionId,
    pub(in crate::sap) origin: Origin,
    pub(in crate::sap) transaction: Transaction,
}

/// What follows from an answer.
#[derive(Debug)]
pub(in crate::sap) enum Own {
    /// A notice that a message has failed.
    Report(Primitive, Time),
    /// A message for those of our side who have joined its group.
    Copy(Primitive, Time),
    /// The question who has left a group was answered so.
    WhoLeft(Waiting, Body),
}

/// The queues of peers.
pub(in crate::sap) trait Queues {
    /// Whether the queue of a peer takes nothing of so many bytes.
    fn is_full(&self, peer: &str, bytes: usize) -> bool;

    /// Whether a request waits for a peer, or its post is under way.
    fn holds(&self, peer: &str, id: &str) -> bool;

    /// Takes a request back, unless its post is under way.
    fn withdraw(&mut self, peer: &str, id: &str, now: Time) -> Option<Item>;

    /// Does not post a request again, if it waits.
    fn forsake(&mut self, peer: &str, id: &str);
}
