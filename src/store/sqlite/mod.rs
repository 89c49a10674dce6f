//! The embedded engine: one `SQLite` file, written by one thread that commits in groups.
//!
//! ```text
//!  commit, compare_and_set ──▶ bounded queue ──▶ writer thread: one transaction per group, fsync
//!  get, scan               ──▶ bounded queue ──▶ reader thread: a read-only connection of its own
//! ```
//!
//! While the writer waits for the disk, more commits queue up; the next transaction takes all of
//! them (within bounds), so one fsync serves as many commits as arrived meanwhile. The write-ahead
//! log lets reads and an operator's `sqlite3` or online backup go on beside it.

pub(in crate::store) mod file;
pub(in crate::store) mod offline;
mod reader;
mod schema;
mod sum;
mod verify;
pub(in crate::store) mod wal;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::backlog::{Backlog, backlog};
use super::engine::Engine;
use super::{CommitFuture, Records, Stats, Store, StoreError, StoreFuture, Watch, Write};
use reader::Reader;
use writer::{Job, Writer};

/// How the engine works. The defaults suit a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Leaves the fsync of each transaction to the operating system: after a power cut the last
    /// commits may be missing, though none is torn. A killed process loses nothing either way.
    pub relaxed: bool,
    /// The database file never grows beyond this many bytes (rounded down to whole pages; the
    /// write-ahead log comes on top); commits that would need more fail with
    /// [`StoreError::Full`]. `None`: as large as the disk.
    pub max_bytes: Option<u64>,
    /// With less room than this, in what `max_bytes` allows or on the disk, there is none for new
    /// work: see [`Store::has_room`].
    pub reserve_bytes: u64,
    /// Commits that share a transaction at most; more make each of them wait longer.
    pub group_commits: usize,
    /// Bytes of keys and values after which a group takes no further commit.
    pub group_bytes: usize,
    /// Commits that may wait for the writer; beyond them [`StoreError::Full`].
    pub queue_commits: usize,
    /// Bytes of keys and values that may wait for the writer; beyond them [`StoreError::Full`].
    /// A commit that alone is larger passes when nothing else waits.
    pub queue_bytes: usize,
    /// Reads that may wait for the reader; beyond them [`StoreError::Full`].
    pub queue_reads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relaxed: false,
            max_bytes: None,
            reserve_bytes: 32 << 20,
            group_commits: 4096,
            group_bytes: 8 << 20,
            queue_commits: 16_384,
            queue_bytes: 64 << 20,
            queue_reads: 4096,
        }
    }
}

/// Records in an `SQLite` file.
///
/// Dropping it writes what is queued, moves the write-ahead log into the database file and gives
/// the data directory free; that blocks the dropping thread until the disk is done.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    engine: Arc<Engine>,
    writer: Backlog<Job>,
    reader: reader::Queue,
    /// `None` only while dropping.
    writer_thread: Option<JoinHandle<()>>,
    reader_thread: Option<JoinHandle<()>>,
    /// Held until the threads have ended. Declared last: fields are dropped in this order.
    _lock: file::Lock,
}

impl SqliteStore {
    /// Opens the database file `path` (`…/wvgate.db`), or creates it, with its directory if need
    /// be. Blocks; meant for start-up.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Locked`]: another process uses the directory (`wvgate.lock` in it is locked).
    /// - [`StoreError::Io`]: a file cannot be made or opened.
    /// - [`StoreError::Corrupt`]: the file or its log is damaged. A record whose checksum is wrong is
    ///   no error: it is set aside, told and counted.
    /// - [`StoreError::Foreign`]: the file is not a wvgate store, or was written by a newer version
    ///   of wvgate.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let mut lock = file::Lock::take(path)?;
        let opened = file::open_for_writing(path, &options, &lock)?;
        lock.note_boot();
        let read_connection = file::open_for_reading(path)?;

        let engine = Arc::new(Engine::new());
        engine.damaged(opened.damaged);
        let (reader, requests) = reader::queue(options.queue_reads);
        let (writer, jobs) = backlog(options.queue_commits, options.queue_bytes);
        let reader_thread = spawn("wvgate-store-r", {
            let engine = Arc::clone(&engine);
            move || Reader::new(read_connection, engine).run(requests)
        })?;
        let owner = Writer::new(path, opened.connection, Arc::clone(&engine), options);
        let writer_thread = spawn("wvgate-store-w", move || owner.run(jobs))?;

        Ok(Self {
            path: path.to_owned(),
            engine,
            writer,
            reader,
            writer_thread: Some(writer_thread),
            reader_thread: Some(reader_thread),
            _lock: lock,
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store for SqliteStore {
    fn commit(&self, batch: Vec<Write>) -> CommitFuture {
        let (job, verdict) = Job::batch(batch);
        let bytes = job.bytes;
        match self.writer.push(job, bytes) {
            Ok(()) => CommitFuture::waiting(verdict),
            Err(error) => CommitFuture::ready(Err(error)),
        }
    }

    fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> StoreFuture<bool> {
        let (job, verdict) = Job::swap(key, expected, new);
        let bytes = job.bytes;
        let queued = self.writer.push(job, bytes);
        Box::pin(async move {
            queued?;
            verdict.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn get(&self, key: &str) -> StoreFuture<Option<Vec<u8>>> {
        self.reader.get(key)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> StoreFuture<Records> {
        self.reader.scan(prefix, after, limit)
    }

    fn watch(&self, prefix: &str) -> Watch {
        self.engine.watchers.add(prefix)
    }

    fn health(&self) -> Result<(), StoreError> {
        let threads = [&self.writer_thread, &self.reader_thread];
        if threads.into_iter().flatten().any(JoinHandle::is_finished) {
            return Err(StoreError::Closed);
        }
        self.engine.health()
    }

    fn has_room(&self) -> bool {
        self.engine.has_room()
    }

    fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The reader first, so that no read is in the way of the writer's last checkpoint.
        self.reader.close();
        join(self.reader_thread.take());
        self.writer.close();
        join(self.writer_thread.take());
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| StoreError::Io(format!("cannot start the thread {name}: {error}")))
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread
        && thread.join().is_err()
    {
        tracing::error!("a thread of the store has crashed");
    }
}

/// Sorts `SQLite`'s errors by what the caller can do about them.
fn sort_error(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ};

    let text = error.to_string();
    match error.sqlite_error() {
        Some(cause) => match cause.code {
            ErrorCode::DiskFull => StoreError::Full(text),
            // The log's index is a small file next to it; it cannot grow on a full disk.
            _ if cause.extended_code == SQLITE_IOERR_SHMSIZE => StoreError::Full(text),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(text),
            // A file that ends within a page.
            _ if cause.extended_code == SQLITE_IOERR_SHORT_READ => StoreError::Corrupt(text),
            _ => StoreError::Io(text),
        },
        // A column that is not of the type that the schema gives it.
        None => StoreError::Corrupt(text),
    }
}
