//! The reader thread: answers gets and scans from a read-only connection of its own.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use rusqlite::{Connection, OptionalExtension, Row};
use tokio::sync::oneshot;

use super::sort_error;
use crate::store::{StoreError, StoreFuture, end_of};

type Page = Vec<(String, Vec<u8>)>;

/// One read that waits for the reader.
#[derive(Debug)]
pub(super) enum Request {
    Get {
        key: String,
        reply: oneshot::Sender<Result<Option<Vec<u8>>, StoreError>>,
    },
    Scan {
        prefix: String,
        after: Option<String>,
        limit: usize,
        reply: oneshot::Sender<Result<Page, StoreError>>,
    },
}

/// The sending side of the bounded queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// `None` once closed.
    requests: Option<SyncSender<Request>>,
}

pub(super) fn queue(capacity: usize) -> (Queue, Receiver<Request>) {
    let (sender, requests) = sync_channel(capacity.max(1));
    let queue = Queue {
        requests: Some(sender),
    };
    (queue, requests)
}

impl Queue {
    pub(super) fn get(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        let (reply, answer) = oneshot::channel();
        let key = key.to_owned();
        let queued = self.push(Request::Get { key, reply });
        answer_of(queued, answer)
    }

    pub(super) fn scan(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> StoreFuture<Page> {
        let (reply, answer) = oneshot::channel();
        let queued = self.push(Request::Scan {
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            limit,
            reply,
        });
        answer_of(queued, answer)
    }

    /// Lets the reader end after what is queued.
    pub(super) fn close(&mut self) {
        self.requests = None;
    }

    fn push(&self, request: Request) -> Result<(), StoreError> {
        let Some(requests) = &self.requests else {
            return Err(StoreError::Closed);
        };
        requests.try_send(request).map_err(|error| match error {
            TrySendError::Full(_) => {
                StoreError::Full("too many reads wait to be answered already".to_owned())
            }
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }
}

fn answer_of<T: Send + 'static>(
    queued: Result<(), StoreError>,
    answer: oneshot::Receiver<Result<T, StoreError>>,
) -> StoreFuture<T> {
    Box::pin(async move {
        queued?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    })
}

/// The owner of the reading connection.
pub(super) struct Reader {
    connection: Connection,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Works until the queue is closed and drained.
    pub(super) fn run(self, requests: Receiver<Request>) {
        for request in requests {
            match request {
                Request::Get { key, reply } if !reply.is_closed() => {
                    let answer = self.get(&key).map_err(|error| sort_error(&error));
                    drop(reply.send(answer));
                }
                Request::Scan {
                    prefix,
                    after,
                    limit,
                    reply,
                } if !reply.is_closed() => {
                    let answer = self
                        .scan(&prefix, after.as_deref(), limit)
                        .map_err(|error| sort_error(&error));
                    drop(reply.send(answer));
                }
                // Whoever asked has left.
                Request::Get { .. } | Request::Scan { .. } => {}
            }
        }
    }

    fn get(&self, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        self.connection
            .prepare_cached("SELECT value FROM record WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> rusqlite::Result<Page> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let from = match after {
            // `after` itself is left out; the least text behind it is the one with a NUL more.
            Some(after) if after >= prefix => format!("{after}\0"),
            _ => prefix.to_owned(),
        };
        let record = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        match end_of(prefix) {
            Some(end) => self
                .connection
                .prepare_cached(
                    "SELECT key, value FROM record WHERE key >= ?1 AND key < ?2 \
                     ORDER BY key LIMIT ?3",
                )?
                .query_map((from, end, limit), record)?
                .collect(),
            None => self
                .connection
                .prepare_cached(
                    "SELECT key, value FROM record WHERE key >= ?1 ORDER BY key LIMIT ?2",
                )?
                .query_map((from, limit), record)?
                .collect(),
        }
    }
}
