//! The writer thread: drains the queue of commits and puts each group into one transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Options, sort_error, sum};
use crate::store::backlog::Jobs;
use crate::store::engine::Engine;
use crate::store::{StoreError, Write, room, setting};

/// The disk is looked at that often, while there are commits or room is short.
const LOOK: Duration = Duration::from_secs(1);

/// One commit that waits to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) bytes: usize,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Batch {
        writes: Vec<Write>,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    Swap {
        expected: Option<Vec<u8>>,
        write: Write,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
}

impl Job {
    pub(super) fn batch(writes: Vec<Write>) -> (Self, oneshot::Receiver<Result<(), StoreError>>) {
        let (reply, verdict) = oneshot::channel();
        let bytes = writes.iter().map(Write::size).sum();
        let task = Task::Batch { writes, reply };
        (Self { bytes, task }, verdict)
    }

    pub(super) fn swap(
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> (Self, oneshot::Receiver<Result<bool, StoreError>>) {
        let (reply, verdict) = oneshot::channel();
        let write = setting(key, new);
        let bytes = write.size() + expected.as_ref().map_or(0, Vec::len);
        let task = Task::Swap {
            expected,
            write,
            reply,
        };
        (Self { bytes, task }, verdict)
    }

    /// The writes that were applied; `took_place` is what [`Writer::apply`] said.
    fn applied(&self, took_place: bool) -> &[Write] {
        match &self.task {
            Task::Batch { writes, .. } => writes,
            Task::Swap { write, .. } if took_place => std::slice::from_ref(write),
            Task::Swap { .. } => &[],
        }
    }

    /// Answers the caller, who may have left.
    fn settle(self, verdict: Result<bool, StoreError>) {
        match self.task {
            Task::Batch { reply, .. } => drop(reply.send(verdict.map(|_| ()))),
            Task::Swap { reply, .. } => drop(reply.send(verdict)),
        }
    }
}

/// The owner of the writing connection.
pub(super) struct Writer {
    path: PathBuf,
    connection: Connection,
    engine: Arc<Engine>,
    options: Options,
    /// When the disk was last looked at.
    looked: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        path: &Path,
        connection: Connection,
        engine: Arc<Engine>,
        options: Options,
    ) -> Self {
        Self {
            path: path.to_owned(),
            connection,
            engine,
            options,
            looked: None,
        }
    }

    /// Works until the queue is closed and drained, then tidies up the log.
    // By value: the receiver must go with the thread, so that a crashed one shows as closed.
    #[expect(clippy::needless_pass_by_value)]
    pub(super) fn run(mut self, jobs: Jobs<Job>) {
        let (commits, bytes) = (self.options.group_commits, self.options.group_bytes);
        self.measure();
        loop {
            let pause = (!self.engine.has_room()).then_some(LOOK);
            let Some(group) = jobs.next_group(commits, bytes, pause) else {
                break;
            };
            if !group.is_empty() {
                self.commit(group);
            }
            self.measure();
        }
        self.close();
    }

    /// Looks whether there is room for new work, and says when that changes.
    fn measure(&mut self) {
        let left = self.left();
        let room = left.is_none_or(|left| left >= self.options.reserve_bytes);
        if room != self.engine.has_room() {
            self.engine.set_room(room);
            let (path, kib) = (self.path.display(), left.map(|left| left >> 10));
            if room {
                tracing::info!("{path} has room again; new requests are taken");
            } else {
                tracing::error!(
                    kib,
                    "{path} has hardly any room; new requests are refused, what is under way goes on"
                );
            }
        }
    }

    /// Bytes left; `None` if that is not known, or was looked at just now and enough.
    fn left(&mut self) -> Option<u64> {
        let free = self.options.max_bytes.and_then(|max| {
            let pragma = |name: &str| {
                self.connection
                    .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0))
                    .ok()
            };
            let used = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
            Some(max.saturating_sub(u64::from(used) * u64::from(pragma("page_size")?)))
        });
        if self.engine.has_room() && self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return free;
        }
        self.looked = Some(Instant::now());
        free.into_iter().chain(room::beside(&self.path)).min()
    }

    fn commit(&mut self, group: Vec<Job>) {
        match self.transact(&group) {
            Ok(took_place) => self.succeed(group, &took_place),
            // Of a group that finds no room some may still fit, above all deletions: each for
            // itself, in order. Other errors would only repeat themselves.
            Err(StoreError::Full(_)) if group.len() > 1 => {
                for job in group {
                    let alone = vec![job];
                    match self.transact(&alone) {
                        Ok(took_place) => self.succeed(alone, &took_place),
                        Err(error) => self.fail(alone, &error),
                    }
                }
            }
            Err(error) => self.fail(group, &error),
        }
    }

    /// One transaction for all; says for each job whether it took place. On an error nothing has
    /// changed: the transaction rolls back when it is dropped.
    fn transact(&mut self, group: &[Job]) -> Result<Vec<bool>, StoreError> {
        let mut transact = || {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let took_place = group
                .iter()
                .map(|job| apply(&transaction, &job.task))
                .collect::<rusqlite::Result<Vec<bool>>>()?;
            transaction.commit()?;
            Ok(took_place)
        };
        transact().map_err(|error| sort_error(&error))
    }

    fn succeed(&self, group: Vec<Job>, took_place: &[bool]) {
        let writes = group
            .iter()
            .zip(took_place)
            .flat_map(|(job, took_place)| job.applied(*took_place));
        self.engine.committed(group.len() as u64, writes);
        for (job, took_place) in group.into_iter().zip(took_place) {
            job.settle(Ok(*took_place));
        }
    }

    fn fail(&self, group: Vec<Job>, error: &StoreError) {
        if self.engine.failed(group.len() as u64, error) {
            tracing::warn!(commits = group.len(), %error, "a commit has failed");
        }
        for job in group {
            job.settle(Err(error.clone()));
        }
    }

    /// Moves the log into the database file. Nothing is lost if that fails: the log stays.
    fn close(self) {
        let checkpoint = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let closed = self.connection.close().map_err(|(_, error)| error);
        if let Err(error) = checkpoint.and(closed) {
            tracing::warn!(%error, "the store was not closed tidily; its log will be read at the next start");
        }
    }
}

/// Applies one job within a transaction; says whether it took place.
fn apply(transaction: &Transaction<'_>, task: &Task) -> rusqlite::Result<bool> {
    match task {
        Task::Batch { writes, .. } => {
            for write in writes {
                apply_write(transaction, write)?;
            }
            Ok(true)
        }
        Task::Swap {
            expected, write, ..
        } => {
            let found: Option<Vec<u8>> = transaction
                .prepare_cached("SELECT value FROM record WHERE key = ?1")?
                .query_row([write.key()], |row| row.get(0))
                .optional()?;
            if found != *expected {
                return Ok(false);
            }
            apply_write(transaction, write)?;
            Ok(true)
        }
    }
}

pub(super) fn apply_write(transaction: &Connection, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Put { key, value, .. } => transaction
            .prepare_cached(
                "INSERT INTO record(key, value, sum) VALUES(?1, ?2, ?3) \
                 ON CONFLICT(key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
            )?
            .execute((key, value, sum::of(key.as_bytes(), value)))?,
        Write::Delete { key } => transaction
            .prepare_cached("DELETE FROM record WHERE key = ?1")?
            .execute([key])?,
    };
    Ok(())
}
