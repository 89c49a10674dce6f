//! A journal in front of an engine: what was committed is on disk after one short write, and
//! reaches the engine later, many commits in one.
//!
//! ```text
//!  commit ──▶ bounded queue ──▶ journal thread: append a frame, fdatasync, answer
//!                                     │ remember in the overlay
//!                                     ▼ every second, or so many bytes
//!                               engine behind: one commit with the last change of each key
//! ```
//!
//! A commit that need not wait for the disk is appended by its caller, if nothing waits before it and
//! it is a copy into the system's memory; else it takes the same way.
//!
//! Most records of a relay live for a fraction of a second: a transaction is queued, posted, and
//! gone. They never reach the engine behind, nor does it hear of their deletion, where who made them
//! said that they are new. Reads see the engine through the overlay.
//!
//! There are two files, written in turn: while the engine takes over what one holds, commits go to
//! the other. A file is written anew only when the engine has all it held. Each commit to the engine
//! says which journal is in use and how far the engine has everything; at the next start after a
//! crash, what the files hold beyond that is committed, or, if something is missing, nothing is
//! touched and the store is not opened: see `recovery`.
//!
//! When the disk is nearly full, the journal cannot be written, or the engine takes nothing, commits
//! go to the engine itself, together with the overlay: nothing is acknowledged that is not kept, and
//! deletions can still make room. The journal is begun anew when there is room again.

mod job;
mod overlay;
pub(in crate::store) mod reading;
pub(in crate::store) mod recovery;
mod segment;
#[cfg(test)]
mod tests;
mod wait;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use self::job::{Batch, Job, Reply};
use self::recovery::{Mark, take_over};
use self::segment::Segment;
use self::wait::wait;
use self::writer::Writer;
use super::backlog::{Backlog, backlog};
use super::engine::Engine;
use super::{CommitFuture, Records, Stats, Store, StoreError, StoreFuture, Watch, Write, room};

/// How the journal works. The defaults suit a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Longest time until the engine behind gets a change.
    pub flush_after: Duration,
    /// Bytes of journal after which the engine behind gets them. Four times as much is the most
    /// that a file holds while the engine is busy.
    pub flush_bytes: u64,
    /// With less room than this on the disk there is no journal: the engine gets each commit itself,
    /// so that nothing is accepted that it might not have room for a second later.
    pub reserve_bytes: u64,
    /// Commits that may wait; beyond them [`StoreError::Full`].
    pub queue_commits: usize,
    /// Bytes of keys and values that may wait; beyond them [`StoreError::Full`].
    pub queue_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_secs(1),
            flush_bytes: 8 << 20,
            reserve_bytes: 64 << 20,
            queue_commits: 16_384,
            queue_bytes: 64 << 20,
        }
    }
}

/// An engine with a journal in front of it.
///
/// Dropping it commits what the journal holds to the engine and removes the files.
#[derive(Debug)]
pub struct JournalStore {
    engine: Arc<Engine>,
    jobs: Backlog<Job>,
    writer: Arc<Mutex<Writer>>,
    /// Jobs queued and not yet done.
    unfinished: Arc<AtomicUsize>,
    /// `None` only while dropping.
    thread: Option<JoinHandle<()>>,
    /// Dropped after the thread has ended.
    behind: Arc<dyn Store>,
}

impl JournalStore {
    /// Puts a journal before `behind`; its files are `path` with `.1` and `.2` added. Blocks; meant
    /// for start-up. The caller sees to it that nobody else uses them.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Io`], [`StoreError::Full`]: a file cannot be read or made, or `behind` does
    ///   not take over what was in it.
    /// - [`StoreError::Corrupt`]: something that was acknowledged is missing in the files. Nothing was
    ///   changed.
    pub fn open(path: &Path, behind: Arc<dyn Store>, options: Options) -> Result<Self, StoreError> {
        let paths = files(path);
        let mut last = take_over(&paths, behind.as_ref())?;
        let segments = match begin(&paths, options.reserve_bytes, behind.as_ref(), &mut last) {
            Ok(segments) => Some(segments),
            Err(StoreError::Full(why)) => {
                tracing::warn!("commits go past the journal: {why}");
                None
            }
            Err(error) => return Err(error),
        };
        let engine = Arc::new(Engine::new());
        let (jobs, receiver) = backlog(options.queue_commits, options.queue_bytes);
        let writer = Writer::new(
            Arc::clone(&behind),
            Arc::clone(&engine),
            paths,
            segments,
            last,
            options,
        );
        let writer = Arc::new(Mutex::new(writer));
        let unfinished = Arc::new(AtomicUsize::new(0));
        let thread = thread::Builder::new()
            .name("wvgate-journal".to_owned())
            .spawn({
                let (writer, unfinished) = (Arc::clone(&writer), Arc::clone(&unfinished));
                move || writer::run(&writer, receiver, &unfinished)
            })
            .map_err(|error| StoreError::Io(format!("cannot start the journal: {error}")))?;
        Ok(Self {
            engine,
            jobs,
            writer,
            unfinished,
            thread: Some(thread),
            behind,
        })
    }

    fn queue(&self, writes: Vec<Write>, sync: bool) -> CommitFuture {
        let (reply, verdict) = oneshot::channel();
        let bytes = writes.iter().map(Write::size).sum();
        let batch = Batch {
            writes,
            sync,
            reply: Reply::Commit(reply),
        };
        match self.push(Job::Commit(batch), bytes) {
            Ok(()) => CommitFuture::waiting(verdict),
            Err(error) => CommitFuture::ready(Err(error)),
        }
    }

    fn push(&self, job: Job, bytes: usize) -> Result<(), StoreError> {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        let queued = self.jobs.push(job, bytes);
        if queued.is_err() {
            self.unfinished.fetch_sub(1, Ordering::Relaxed);
        }
        queued
    }

    /// Commits in this thread, if nothing waits before it and nobody writes just now.
    fn commit_at_once(&self, writes: Vec<Write>) -> Result<(), Vec<Write>> {
        if self.unfinished.load(Ordering::Acquire) > 0 {
            return Err(writes);
        }
        let Ok(mut writer) = self.writer.try_lock() else {
            return Err(writes);
        };
        if writer.commit_at_once(writes)? {
            // Should there be no room for it, there is something else that wakes the thread.
            let _ = self.jobs.push(Job::LookAfter, 0);
        }
        Ok(())
    }

    fn ask<T: Send + 'static>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> StoreFuture<T> {
        let queued = self.push(job, 0);
        Box::pin(async move {
            queued?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }
}

impl Store for JournalStore {
    fn commit(&self, batch: Vec<Write>) -> CommitFuture {
        self.queue(batch, true)
    }

    fn commit_soon(&self, batch: Vec<Write>) -> CommitFuture {
        match self.commit_at_once(batch) {
            Ok(()) => CommitFuture::ready(Ok(())),
            Err(batch) => self.queue(batch, false),
        }
    }

    fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> StoreFuture<bool> {
        let (reply, answer) = oneshot::channel();
        let write = super::setting(key, new);
        self.ask(
            Job::Swap {
                expected,
                write,
                reply,
            },
            answer,
        )
    }

    fn get(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        let (reply, answer) = oneshot::channel();
        let key = key.to_owned();
        self.ask(Job::Get { key, reply }, answer)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> StoreFuture<Records> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Scan {
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            limit,
            reply,
        };
        self.ask(job, answer)
    }

    fn watch(&self, prefix: &str) -> Watch {
        self.engine.watchers.add(prefix)
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return Err(StoreError::Closed);
        }
        self.engine.health().and_then(|()| self.behind.health())
    }

    fn has_room(&self) -> bool {
        self.behind.has_room()
    }

    fn stats(&self) -> Stats {
        Stats {
            damaged: self.behind.stats().damaged,
            ..self.engine.stats()
        }
    }
}

impl Drop for JournalStore {
    fn drop(&mut self) {
        self.jobs.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the journal has crashed");
        }
    }
}

/// The files of the journal at `path`.
pub(in crate::store) fn files(path: &Path) -> [PathBuf; 2] {
    [numbered(path, 1), numbered(path, 2)]
}

/// Makes both files anew, with an empty frame in the first one, and says so in the engine: from then
/// on they must be there at the next start. `sequence` is that of the last frame.
///
/// # Errors
/// [`StoreError::Full`]: there is too little room. [`StoreError::Io`]: they cannot be made. Others:
/// the engine takes nothing.
fn begin(
    paths: &[PathBuf; 2],
    reserve: u64,
    behind: &dyn Store,
    sequence: &mut u64,
) -> Result<[Segment; 2], StoreError> {
    check_room(&paths[0], reserve)?;
    let journal = getrandom::u64()
        .map_err(|error| StoreError::Io(format!("the system has no random numbers: {error}")))?;
    let make = |path: &PathBuf| {
        Segment::create(path, journal)
            .map_err(|error| problem("cannot make the journal", path, &error))
    };
    let mut segments = [make(&paths[0])?, make(&paths[1])?];
    let applied = *sequence;
    *sequence += 1;
    segments[0]
        .append(&segment::of([], journal, *sequence, applied), true)
        .map_err(|error| problem("cannot write the journal", &paths[0], &error))?;
    let mark = Mark {
        applied,
        journal: Some(journal),
    };
    wait(behind.commit(mark.writes().to_vec()))?;
    Ok(segments)
}

/// Fails if there is too little room beside a file. Where that cannot be known it is not in the way.
fn check_room(path: &Path, reserve: u64) -> Result<(), StoreError> {
    let Some(room) = room::beside(path) else {
        return Ok(());
    };
    if room < reserve {
        return Err(StoreError::Full(format!(
            "the disk of {} has {} MiB left, fewer than {}",
            path.display(),
            room >> 20,
            reserve >> 20
        )));
    }
    Ok(())
}

fn numbered(path: &Path, number: u8) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn problem(what: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Io(text),
    }
}
