//! The writer thread: drains the queue of commits and puts each group into one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Options, sort_error};
use crate::store::engine::Engine;
use crate::store::{StoreError, Write, setting};

/// One commit that waits to be written.
#[derive(Debug)]
pub(super) struct Job {
    bytes: usize,
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

/// The sending side of the bounded queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// `None` once closed.
    jobs: Option<SyncSender<Job>>,
    waiting_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The receiving side.
#[derive(Debug)]
pub(super) struct Jobs {
    jobs: Receiver<Job>,
    waiting_bytes: Arc<AtomicUsize>,
}

pub(super) fn queue(options: &Options) -> (Queue, Jobs) {
    let (sender, jobs) = sync_channel(options.queue_commits.max(1));
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let queue = Queue {
        jobs: Some(sender),
        waiting_bytes: Arc::clone(&waiting_bytes),
        max_bytes: options.queue_bytes,
    };
    let jobs = Jobs {
        jobs,
        waiting_bytes,
    };
    (queue, jobs)
}

impl Queue {
    /// Queues a commit without waiting.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Closed);
        };
        let bytes = job.bytes;
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let refusal = if before > 0 && before.saturating_add(bytes) > self.max_bytes {
            StoreError::Full(format!("{before} bytes wait to be written already"))
        } else {
            match jobs.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    StoreError::Full("too many commits wait to be written already".to_owned())
                }
                Err(TrySendError::Disconnected(_)) => StoreError::Closed,
            }
        };
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(refusal)
    }

    /// Lets the writer end after what is queued.
    pub(super) fn close(&mut self) {
        self.jobs = None;
    }
}

impl Jobs {
    /// Waits for a commit and takes those that are there besides, in order; `None` when closed
    /// and drained.
    fn next_group(&self, options: &Options) -> Option<Vec<Job>> {
        let first = self.jobs.recv().ok()?;
        let mut bytes = first.bytes;
        let mut group = vec![first];
        while group.len() < options.group_commits && bytes < options.group_bytes {
            let Ok(job) = self.jobs.try_recv() else { break };
            bytes = bytes.saturating_add(job.bytes);
            group.push(job);
        }
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(group)
    }
}

/// The owner of the writing connection.
pub(super) struct Writer {
    connection: Connection,
    engine: Arc<Engine>,
    options: Options,
}

impl Writer {
    pub(super) fn new(connection: Connection, engine: Arc<Engine>, options: Options) -> Self {
        Self {
            connection,
            engine,
            options,
        }
    }

    /// Works until the queue is closed and drained, then tidies up the log.
    // By value: the receiver must go with the thread, so that a crashed one shows as closed.
    #[allow(clippy::needless_pass_by_value)]
    pub(super) fn run(mut self, jobs: Jobs) {
        while let Some(group) = jobs.next_group(&self.options) {
            self.commit(group);
        }
        self.close();
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
        tracing::warn!(commits = group.len(), %error, "a commit has failed");
        self.engine.failed(group.len() as u64, error);
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

fn apply_write(transaction: &Transaction<'_>, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Put { key, value } => transaction
            .prepare_cached(
                "INSERT INTO record(key, value) VALUES(?1, ?2) \
                 ON CONFLICT(key) DO UPDATE SET value = excluded.value",
            )?
            .execute((key, value))?,
        Write::Delete { key } => transaction
            .prepare_cached("DELETE FROM record WHERE key = ?1")?
            .execute([key])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn job(bytes: usize) -> Job {
        Job::batch(vec![Write::put("", vec![0; bytes])]).0
    }

    #[test]
    fn a_full_queue_refuses_until_a_group_is_taken() {
        let options = Options {
            queue_bytes: 100,
            queue_commits: 3,
            ..Options::default()
        };
        let (mut queue, jobs) = queue(&options);
        let refused = |verdict| matches!(verdict, Err(StoreError::Full(_)));

        // Alone, even a job beyond the limit passes.
        assert_eq!(queue.push(job(200)), Ok(()));
        assert!(refused(queue.push(job(1))));
        assert_eq!(jobs.next_group(&options).unwrap().len(), 1);

        assert_eq!(queue.push(job(60)), Ok(()));
        assert_eq!(queue.push(job(40)), Ok(()));
        assert!(refused(queue.push(job(1))));
        assert_eq!(queue.push(job(0)), Ok(()));
        assert!(refused(queue.push(job(0))));
        assert_eq!(jobs.next_group(&options).unwrap().len(), 3);
        assert_eq!(queue.push(job(100)), Ok(()));

        queue.close();
        assert_eq!(queue.push(job(1)), Err(StoreError::Closed));
        assert_eq!(jobs.next_group(&options).unwrap().len(), 1);
        assert!(jobs.next_group(&options).is_none());
    }

    #[test]
    fn a_queue_whose_writer_has_gone_is_closed() {
        let (queue, jobs) = queue(&Options::default());
        drop(jobs);
        assert_eq!(queue.push(job(1)), Err(StoreError::Closed));
    }

    #[test]
    fn groups_are_bounded_in_commits_and_bytes() {
        let options = Options {
            group_commits: 3,
            group_bytes: 100,
            ..Options::default()
        };
        let (queue, jobs) = queue(&options);
        for bytes in [1, 1, 1, 1, 99, 1, 1] {
            queue.push(job(bytes)).unwrap();
        }
        let sizes = || jobs.next_group(&options).unwrap().len();
        assert_eq!([sizes(), sizes(), sizes()], [3, 2, 2]);
    }
}
