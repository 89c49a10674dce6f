//! The files: directory, permissions, lock, connections, schema.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Options, sort_error};
use crate::store::StoreError;

/// Marks the file as ours (`PRAGMA application_id`): "WVGT".
const APPLICATION_ID: i32 = 0x5756_4754;

/// The schema that this program writes (`PRAGMA user_version`). Version 1: the table `record`.
const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str =
    "CREATE TABLE record(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;";

/// The file that the owner of a data directory keeps locked.
const LOCK_FILE: &str = "wvgate.lock";

/// Pages of log after which a commit moves them into the database (16 MiB).
const CHECKPOINT_PAGES: i64 = 4096;

/// The log file is cut back to this size after a checkpoint (64 MiB).
const LOG_BYTES: i64 = 64 << 20;

/// Page cache of each connection, in KiB.
const CACHE_KIB: i64 = 32 << 10;

/// The right to use a data directory; given back on drop, or by the system when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the directory of the database file, making the directory if need be.
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let directory = directory_of(database);
        make_directory(&directory)
            .map_err(|error| problem("cannot make the data directory", &directory, &error))?;
        let path = directory.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| problem("cannot open the lock file", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                // Only a hint for the operator whose second process is refused.
                let _ = note_owner(&mut file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(StoreError::Io(format!(
                "{} is locked by another wvgate{}; stop that one, or give this one a data \
                 directory of its own",
                path.display(),
                owner(&mut file)
            ))),
            Err(TryLockError::Error(error)) => Err(problem("cannot lock", &path, &error)),
        }
    }
}

/// Opens the writer's connection; makes the file and its schema if they are missing.
pub(super) fn open_for_writing(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    make_file(path).map_err(|error| problem("cannot open the database", path, &error))?;
    open_and_prepare(path, options).map_err(|error| error.at(path))
}

/// Opens the reader's connection to a file that the writer's has prepared.
pub(super) fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| OpenError::Sqlite(error).at(path))
}

/// What may go wrong with a file that could be opened.
enum OpenError {
    Sqlite(rusqlite::Error),
    Foreign,
    Newer(i32),
    NoLog,
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl OpenError {
    fn at(self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            Self::Sqlite(error) => match sort_error(&error) {
                StoreError::Full(text) => StoreError::Full(format!("{path}: {text}")),
                StoreError::Corrupt(text) => StoreError::Corrupt(format!("{path}: {text}")),
                StoreError::Io(text) => StoreError::Io(format!("{path}: {text}")),
                other => other,
            },
            Self::Foreign => StoreError::Corrupt(format!(
                "{path} is an SQLite file of another program; give wvgate a file of its own"
            )),
            Self::NoLog => StoreError::Io(format!(
                "{path} cannot have a write-ahead log here; put it on a local file system"
            )),
            Self::Newer(version) => StoreError::Corrupt(format!(
                "{path} has schema version {version}, this wvgate knows versions up to \
                 {SCHEMA_VERSION}; it was written by a newer wvgate, run that one"
            )),
        }
    }
}

fn open_and_prepare(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // First of all, so that a file which is not ours stays as it is.
    let version = schema_version(&connection)?;
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer(version));
    }

    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoLog);
    }
    let synchronous = if options.relaxed { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    pragma_echoed(&connection, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    pragma_echoed(&connection, "journal_size_limit", LOG_BYTES)?;

    if version == 0 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        pragma_echoed(&connection, "max_page_count", pages.max(1))?;
    }
    Ok(connection)
}

/// The schema version of the file: 0 for an empty one.
fn schema_version(connection: &Connection) -> Result<i32, OpenError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version, objects) {
        (APPLICATION_ID, 1.., _) => Ok(version),
        (0, 0, 0) => Ok(0),
        _ => Err(OpenError::Foreign),
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread, so SQLite's own mutexes can be left out.
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Sets a pragma that answers with its value.
fn pragma_echoed(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, name, value, |_| Ok(()))
}

fn directory_of(database: &Path) -> PathBuf {
    match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a private directory; one that is there already keeps its permissions.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // The name of the new directory must survive a power cut as its contents do.
    File::open(directory_of(directory))?.sync_all()
}

/// Makes a private database file; `SQLite` gives its companions (`-wal`, `-shm`) the same mode.
fn make_file(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => File::open(directory_of(path))?.sync_all(),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if fs::metadata(path)?.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn note_owner(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// " (process 123)" if the lock file says so.
fn owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(process)) => format!(" (process {process})"),
        _ => String::new(),
    }
}

fn problem(what: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{what} {}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Io(text),
    }
}
