//! The reader thread: answers gets and scans from a read-only connection of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::sort_error;
use super::sum::{self, Row};
use crate::store::engine::Engine;
use crate::store::page::Page;
use crate::store::{Records, StoreError, StoreFuture, aside, end_of};

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
        reply: oneshot::Sender<Result<Records, StoreError>>,
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
    ) -> StoreFuture<Records> {
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
    engine: Arc<Engine>,
}

impl Reader {
    pub(super) fn new(connection: Connection, engine: Arc<Engine>) -> Self {
        Self { connection, engine }
    }

    /// Works until the queue is closed and drained.
    pub(super) fn run(self, requests: Receiver<Request>) {
        for request in requests {
            match request {
                Request::Get { key, reply } if !reply.is_closed() => {
                    drop(reply.send(self.get(&key)));
                }
                Request::Scan {
                    prefix,
                    after,
                    limit,
                    reply,
                } if !reply.is_closed() => {
                    let page = self.scan(&prefix, after, limit);
                    drop(reply.send(page.map_err(|error| sort_error(&error))));
                }
                // Whoever asked has left.
                Request::Get { .. } | Request::Scan { .. } => {}
            }
        }
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || {
            let mut select = self
                .connection
                .prepare_cached("SELECT key, value, sum FROM record WHERE key = ?1")?;
            let mut rows = select.query([key])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            sum::check(row).map(|row| match row {
                Row::Good(_, value) => Some(Ok(value.to_vec())),
                Row::Damaged(damaged) => Some(Err(damaged.why)),
            })
        };
        match read().map_err(|error: rusqlite::Error| sort_error(&error))? {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(why)) => {
                self.engine.damaged(1);
                aside::tell(key, why, false);
                Err(StoreError::Corrupt(format!("the record {key}: {why}")))
            }
        }
    }

    /// A page of good records; what has been damaged since the store was opened is told, counted
    /// and passed over.
    fn scan(&self, prefix: &str, after: Option<String>, limit: usize) -> rusqlite::Result<Records> {
        let from = match after {
            Some(after) if after.as_str() >= prefix => behind(after),
            _ => prefix.to_owned(),
        };
        let end = end_of(prefix);
        let mut select = self.connection.prepare_cached(if end.is_some() {
            "SELECT key, value, sum FROM record WHERE key >= ?1 AND key < ?2 ORDER BY key"
        } else {
            "SELECT key, value, sum FROM record WHERE key >= ?1 ORDER BY key"
        })?;
        let mut rows = match &end {
            Some(end) => select.query((from, end))?,
            None => select.query([from])?,
        };
        let mut page = Page::new(limit);
        while !page.is_full()
            && let Some(row) = rows.next()?
        {
            match sum::check(row)? {
                Row::Good(key, value) => page.push(key.to_owned(), value.to_vec()),
                Row::Damaged(record) => {
                    self.engine.damaged(1);
                    aside::tell(&record.key_text(), record.why, false);
                }
            }
        }
        Ok(page.records())
    }
}

/// The least key behind this one: the one with a NUL more.
fn behind(mut key: String) -> String {
    key.push('\0');
    key
}
