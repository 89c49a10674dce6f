//! Who waits for the body of a message that is on disk. Reads share the bound of all that is read
//! for users ([`super::reads`]); who comes when that is used up waits for their turn.

use std::collections::{BTreeMap, VecDeque};

use crate::element::RequestId;
use crate::imps::common::Recipient;

/// A user wants the body of a message of theirs.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    pub(super) user: String,
    /// The message, by its number in the inbox.
    pub(super) at: u64,
    pub(super) wish: Wish,
    pub(super) caller: Option<RequestId>,
}

/// What is to be done with the message.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// Its user is told it.
    Get,
    /// It is sent on to these.
    Forward(Vec<Recipient>),
}

/// All who wait. Each is a request of a user, and these are bounded.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    /// By the number of the read.
    under_way: BTreeMap<u64, Fetch>,
    waiting: VecDeque<Fetch>,
}

impl Fetches {
    /// A read has begun.
    pub(super) fn begin(&mut self, read: u64, fetch: Fetch) {
        self.under_way.insert(read, fetch);
    }

    /// A read has ended: who has waited for it, if it is one of these.
    pub(super) fn end(&mut self, read: u64) -> Option<Fetch> {
        self.under_way.remove(&read)
    }

    /// Somebody waits for their turn.
    pub(super) fn wait(&mut self, fetch: Fetch) {
        self.waiting.push_back(fetch);
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<Fetch> {
        self.waiting.pop_front()
    }
}
