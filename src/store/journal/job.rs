//! What waits for the journal's thread.

use tokio::sync::oneshot;

use crate::store::{Records, StoreError, Write};

/// What the writer of the journal is given to do.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Batch),
    Swap {
        expected: Option<Vec<u8>>,
        write: Write,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    Get {
        key: String,
        reply: oneshot::Sender<Result<Option<Vec<u8>>, StoreError>>,
    },
    Scan {
        prefix: String,
        after: Option<String>,
        limit: usize,
        reply: oneshot::Sender<Result<Records, StoreError>>,
    },
    /// There is something to pass on in a while.
    LookAfter,
}

/// What one commit writes.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) writes: Vec<Write>,
    /// Whether the answer waits for the disk.
    pub(super) sync: bool,
    pub(super) reply: Reply,
}

#[derive(Debug)]
pub(super) enum Reply {
    Commit(oneshot::Sender<Result<(), StoreError>>),
    Swap(oneshot::Sender<Result<bool, StoreError>>),
}

impl Reply {
    /// Answers the caller, who may have left.
    pub(super) fn settle(self, verdict: Result<(), StoreError>) {
        match self {
            Self::Commit(reply) => drop(reply.send(verdict)),
            Self::Swap(reply) => drop(reply.send(verdict.map(|()| true))),
        }
    }
}
