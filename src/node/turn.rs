//! What a batch of inputs wants done outside.

use std::sync::Arc;

use super::told::Told;
use crate::element::{self, ClientKey, Element, Over, ToClient, ToXmpp, Transfer, Wish};
use crate::sap::{Hand, Knock, Load, Post, Trace};
use crate::store::Write;

/// Everything a batch of inputs wants done, in order. Nothing of it may take
/// effect before the writes are committed.
#[derive(Debug, Default)]
pub struct Turn {
    /// To be kept or forgotten, in one commit.
    pub writes: Vec<Write>,
    /// Posts to peers, in the order in which they were queued.
    pub posts: Vec<Post>,
    /// Connections to be tried.
    pub knocks: Vec<Knock>,
    /// To be handed to other shards of this node.
    pub hands: Vec<Hand>,
    /// What another shard, or every other one, is to know.
    pub told: Vec<(Option<u16>, Told)>,
    /// To be read from the store, once the writes are there.
    pub loads: Vec<Load>,
    /// The same for elements.
    pub reads: Vec<(Element, element::Load)>,
    /// To be written to XMPP links.
    pub stanzas: Vec<ToXmpp>,
    /// To be told to clients.
    pub events: Vec<(ClientKey, ToClient)>,
    /// Sessions of clients to be ended, after what they are told.
    pub ended: Vec<(ClientKey, Over)>,
    /// Files of users that are shared no more: those with these URLs, or all.
    pub unshared: Vec<(String, Option<Vec<String>>)>,
    /// Files to be moved for elements.
    pub transfers: Vec<(Element, Transfer)>,
    /// What elements want of the process around the node.
    pub wishes: Vec<(Element, u64, Wish)>,
    /// For those who watch.
    pub traces: Vec<Arc<Trace>>,
    /// Answers to those who gave an input.
    pub answers: Vec<Answer>,
}

impl Turn {
    /// Tells a client something, and ends its session if that is over.
    pub(super) fn tell(&mut self, client: ClientKey, told: ToClient) {
        if let ToClient::Over { why } = &told {
            self.ended.push((client, *why));
        }
        self.events.push((client, told));
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.posts.is_empty()
            && self.knocks.is_empty()
            && self.hands.is_empty()
            && self.told.is_empty()
            && self.loads.is_empty()
            && self.reads.is_empty()
            && self.stanzas.is_empty()
            && self.events.is_empty()
            && self.ended.is_empty()
            && self.unshared.is_empty()
            && self.transfers.is_empty()
            && self.wishes.is_empty()
            && self.traces.is_empty()
            && self.answers.is_empty()
    }
}

/// The answer to somebody who asked for a change. Dropped unused, it tells them
/// that the change was not kept.
pub struct Answer(pub Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}
