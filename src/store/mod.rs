//! Durable storage: ordered key-value records behind one small trait.
//!
//! Everything the node must still know after a restart (session records, agreements, queued
//! messages, the home domain's state) is a record with a text key such as `sap/session/17` and an
//! opaque value. The owner collects the changes of a batch and gives them to [`Store::commit`] in
//! one go; when the future resolves they are on disk and the acknowledgements may leave.
//!
//! | engine | for |
//! |---|---|
//! | [`sqlite::SqliteStore`] | a node; one file, nothing to install |
//! | [`journal::JournalStore`] | a journal in front of one of them, for speed |
//! | [`memory::MemoryStore`] | simulated worlds in tests, offline tools; forgets everything |
//!
//! All pass the same conformance suite. [`queue`] builds a durable FIFO upon any of them.

pub mod aside;
mod backlog;
pub mod backup;
mod boot;
pub mod check;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod damage;
pub mod described;
mod engine;
pub mod journal;
pub mod memory;
pub mod packed;
mod page;
pub mod queue;
pub mod repair;
mod room;
pub mod sqlite;
pub mod watch;
mod write;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

pub use journal::JournalStore;
pub use memory::MemoryStore;
pub use page::{PAGE_BYTES, PAGE_RECORDS, Records, load_all};
pub use queue::{Queue, QueueKey};
pub use room::beside as room_beside;
pub use sqlite::SqliteStore;
pub use watch::{Watch, WatchError};
pub use write::Write;

/// Why the store did not do what it was asked. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk, the quota or the queue of waiting commits has no room. Nothing of the batch was
    /// written; it may be tried again later.
    #[error("the store is full: {0}")]
    Full(String),
    /// The operating system refused to read, write or lock a file. Of a commit nothing counts as
    /// written.
    #[error("the store cannot use its files: {0}")]
    Io(String),
    /// The data is damaged. Nothing was changed; `wvgate store repair` goes on with what is left.
    #[error("the data in the store cannot be used: {0}")]
    Corrupt(String),
    /// The data is of somebody else: another program, a newer version of this one, another domain.
    #[error("the store is not one for this node: {0}")]
    Foreign(String),
    /// Another process uses the store.
    #[error("the store is in use: {0}")]
    Locked(String),
    /// Another writer was faster; only engines with several writing nodes answer this.
    #[error("the record {key} was changed by another writer")]
    Conflict {
        /// The record in question.
        key: String,
    },
    /// The store was closed before the answer was known.
    #[error("the store is closed")]
    Closed,
}

/// What a store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches and compare-and-sets that are on disk.
    pub commits: u64,
    /// Transactions (one fsync each) that carried them.
    pub transactions: u64,
    /// Records put or deleted by them.
    pub records: u64,
    /// Batches and compare-and-sets that failed.
    pub failed: u64,
    /// Records found damaged or unreadable, and ends of files found torn.
    pub damaged: u64,
}

impl Stats {
    /// Those of two stores together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            commits: self.commits + other.commits,
            transactions: self.transactions + other.transactions,
            records: self.records + other.records,
            failed: self.failed + other.failed,
            damaged: self.damaged + other.damaged,
        }
    }
}

/// The answer to a read or to [`Store::compare_and_set`].
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'static>>;

/// Resolves when the batch is on disk, or has failed.
///
/// The commit was asked for when the future was made; dropping the future does not take it back.
#[derive(Debug)]
#[must_use = "the batch is only known to be on disk when the future has resolved"]
pub struct CommitFuture(Commit);

#[derive(Debug)]
enum Commit {
    Ready(Result<(), StoreError>),
    Waiting(oneshot::Receiver<Result<(), StoreError>>),
}

impl CommitFuture {
    /// A commit whose verdict is known.
    pub fn ready(verdict: Result<(), StoreError>) -> Self {
        Self(Commit::Ready(verdict))
    }

    /// A commit whose verdict will come; a dropped sender means [`StoreError::Closed`].
    pub fn waiting(verdict: oneshot::Receiver<Result<(), StoreError>>) -> Self {
        Self(Commit::Waiting(verdict))
    }
}

impl Future for CommitFuture {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Commit::Ready(verdict) => Poll::Ready(verdict.clone()),
            Commit::Waiting(receiver) => Pin::new(receiver)
                .poll(cx)
                .map(|answer| answer.unwrap_or(Err(StoreError::Closed))),
        }
    }
}

/// Ordered key-value records with atomic batches.
///
/// No method blocks; all futures are `'static` and may be awaited anywhere.
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Applies all writes of the batch atomically, in order (the last write to a key wins), and
    /// resolves when they are on disk.
    ///
    /// Commits asked for at the same time share one fsync. Batches are applied in the order of
    /// the calls. When too much waits to be written the batch is refused at once with
    /// [`StoreError::Full`]. An empty batch resolves after the commits before it were settled.
    fn commit(&self, batch: Vec<Write>) -> CommitFuture;

    /// As [`Store::commit`], but it may be left to the operating system when the batch reaches the
    /// disk: a killed process loses nothing, a power cut may take the last commits of this kind.
    fn commit_soon(&self, batch: Vec<Write>) -> CommitFuture {
        self.commit(batch)
    }

    /// If the record's value is `expected` (`None`: there is no record), makes it `new` (`None`:
    /// deletes it) and says `true` when that is on disk; otherwise changes nothing and says
    /// `false`. Takes its place among the commits, in the order of the calls.
    fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> StoreFuture<bool>;

    /// The value of one record. Sees every commit that has resolved.
    fn get(&self, key: &str) -> StoreFuture<Option<Vec<u8>>>;

    /// One page of the records whose key starts with `prefix`, in bytewise order of their keys:
    /// the first `limit` ones with a key greater than `after`, or fewer if those have
    /// [`PAGE_BYTES`] already. An empty page says that there are no more. Each page sees the
    /// commits that have resolved by then; the pages of a walk are not one snapshot.
    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> StoreFuture<Records>;

    /// Every write applied under the prefix from now on, in order of application, once it is on
    /// disk. To follow a section without a gap, watch first and scan then.
    fn watch(&self, prefix: &str) -> Watch;

    /// The verdict on the last commit, for `/ready`. It changes only with the next commit: a node
    /// that refuses traffic because of it should write some small record now and then.
    fn health(&self) -> Result<(), StoreError>;

    /// Whether there is room for new work. What is left without it is kept for the end of what is
    /// under way: a store that is full to the last byte could not even keep the session over which
    /// its messages would leave.
    fn has_room(&self) -> bool {
        true
    }

    /// What was done since the store was opened.
    fn stats(&self) -> Stats;
}

/// The database in the data directory of a node.
const DATABASE: &str = "wvgate.db";
/// What takes the place of `db` in the names of the journal's files.
const JOURNAL: &str = "journal";
/// And in that of a repaired database that is not in its place yet.
const REPAIRED: &str = "repaired";

/// Opens the store of a node in its data directory, or makes one: `wvgate.db` with a journal before
/// it. Blocks; meant for start-up.
///
/// # Errors
/// See [`SqliteStore::open`] and [`JournalStore::open`].
pub fn open(data: &Path) -> Result<JournalStore, StoreError> {
    let path = data.join(DATABASE);
    if let Some(problem) = missing(&path) {
        return Err(StoreError::Corrupt(problem));
    }
    let database = SqliteStore::open(&path, sqlite::Options::default())?;
    let journal = path.with_extension(JOURNAL);
    JournalStore::open(&journal, Arc::new(database), journal::Options::default())
}

/// What is wrong if a database is not there though it should be.
fn missing(database: &Path) -> Option<String> {
    if database.exists() {
        return None;
    }
    let repaired = database.with_extension(REPAIRED);
    let path = database.display();
    if repaired.exists() {
        let done = repaired.display();
        return Some(format!(
            "{path} is missing and {done} is there: a repair was not brought to its end; run it again"
        ));
    }
    let files = journal::files(&database.with_extension(JOURNAL));
    let left = files.iter().find(|file| file.exists())?;
    Some(format!(
        "{path} is missing, though its journal {} is there",
        left.display()
    ))
}

/// The write that makes a record's value `new`; `None` deletes it.
fn setting(key: &str, new: Option<Vec<u8>>) -> Write {
    match new {
        Some(value) => Write::put(key, value),
        None => Write::delete(key),
    }
}

/// The smallest text greater than every text that starts with `prefix`; `None` if there is none
/// (the empty prefix). Bytewise order of UTF-8 is the order of code points.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // U+D7FF is followed by U+E000: the surrogates between are not characters.
        let mut after_last = (last..=char::MAX).skip(1);
        if let Some(next) = after_last.next() {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_lies_just_behind_it() {
        assert_eq!(end_of("sap/").as_deref(), Some("sap0"));
        assert_eq!(end_of("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(end_of("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(end_of("\u{10ffff}"), None);
        assert_eq!(end_of(""), None);
    }

    #[tokio::test]
    async fn a_commit_whose_store_vanished_is_closed() {
        let (sender, receiver) = oneshot::channel();
        drop(sender);
        assert_eq!(
            CommitFuture::waiting(receiver).await,
            Err(StoreError::Closed)
        );
    }

    #[test]
    fn errors_read_as_sentences() {
        let error = StoreError::Conflict {
            key: "sap/session/1".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "the record sap/session/1 was changed by another writer"
        );
        assert_eq!(StoreError::Closed.to_string(), "the store is closed");
    }
}
