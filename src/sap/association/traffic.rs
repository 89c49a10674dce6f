//! What goes between this node and a peer.

use std::time::Duration;

use serde::Serialize;

use crate::element::Spans;

/// What went between this node and a peer since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Transactions that came in sessions.
    pub received: u64,
    /// Bytes of the messages that brought them.
    pub received_bytes: u64,
    /// Transactions of the queue that the peer has acknowledged.
    pub sent: u64,
    /// Bytes of what was posted of the queue, repetitions included.
    pub posted_bytes: u64,
    /// How long the peer took to acknowledge a post.
    #[serde(skip)]
    pub posts: Spans,
}

impl Traffic {
    /// A message with so many transactions came.
    pub(in crate::sap) fn received(&mut self, transactions: usize, bytes: usize) {
        self.received += transactions as u64;
        self.received_bytes += bytes as u64;
    }

    /// A message of so many bytes is posted.
    pub(super) fn posted(&mut self, bytes: usize) {
        self.posted_bytes += bytes as u64;
    }

    /// A post with so many transactions was acknowledged after this time.
    pub(super) fn acknowledged(&mut self, transactions: usize, took: Duration) {
        self.sent += transactions as u64;
        self.posts.note(took);
    }
}
