//! The files: directory, permissions, lock, connections, schema.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::wal::{self, Log};
use super::{Options, schema, sort_error, verify};
use crate::store::{StoreError, boot};

/// The file that the owner of a data directory keeps locked.
const LOCK_FILE: &str = "wvgate.lock";

/// Bytes of log after which a commit moves its pages into the database.
const CHECKPOINT_BYTES: i64 = 16 << 20;

/// The log file is cut back to this size after a checkpoint (64 MiB).
const LOG_BYTES: i64 = 64 << 20;

/// Page cache of each connection, in KiB: the file is in the cache of the system besides.
const CACHE_KIB: i64 = 8 << 10;

/// The right to use a data directory; given back on drop, or by the system when the process dies.
#[derive(Debug)]
pub(in crate::store) struct Lock {
    file: File,
    /// The directory was used before, by a node that noted itself in it.
    pub(in crate::store) used_before: bool,
    /// That was since the system was started last.
    pub(in crate::store) same_boot: bool,
}

impl Lock {
    /// Locks the directory of the database file, making the directory if need be.
    pub(in crate::store) fn take(database: &Path) -> Result<Self, StoreError> {
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
                let (before, boot) = note(&mut file);
                let now = boot::id();
                // A hint for the operator whose second process is refused. The files are still
                // of the start of the system that was noted before.
                let _ = note_owner(&mut file, boot.as_deref());
                Ok(Self {
                    file,
                    used_before: before.is_some(),
                    same_boot: now.is_some() && boot == now,
                })
            }
            Err(TryLockError::WouldBlock) => Err(locked(&path, &mut file)),
            Err(TryLockError::Error(error)) => Err(problem("cannot lock", &path, &error)),
        }
    }

    /// From now on the files are of this start of the system.
    pub(super) fn note_boot(&mut self) {
        let _ = note_owner(&mut self.file, boot::id().as_deref());
    }

    /// Locks the directory for a look; `None` if it was never used, and then nothing is made.
    pub(in crate::store) fn look(database: &Path) -> Result<Option<File>, StoreError> {
        let path = directory_of(database).join(LOCK_FILE);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(problem("cannot open the lock file", &path, &error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(locked(&path, &mut file)),
            Err(TryLockError::Error(error)) => Err(problem("cannot lock", &path, &error)),
        }
    }
}

fn locked(path: &Path, file: &mut File) -> StoreError {
    let owner = note(file).0;
    let owner = owner.map_or(String::new(), |process| format!(" (process {process})"));
    StoreError::Locked(format!(
        "{} is locked by another wvgate{owner}",
        path.display()
    ))
}

/// A database ready for work.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Records that were set aside, and a torn end of the log.
    pub(super) damaged: u64,
}

/// Opens the writer's connection; makes the file and its schema if they are missing. Reads
/// everything once: see [`verify`].
pub(super) fn open_for_writing(
    path: &Path,
    options: &Options,
    lock: &Lock,
) -> Result<Opened, StoreError> {
    if !path.exists() {
        make_database(path, lock)?;
    }
    let torn = check_log(path, lock.same_boot)?;
    let opened = open_and_prepare(path, options).map_err(|error| error.at(path))?;
    let damaged = opened.damaged + u64::from(torn);
    Ok(Opened { damaged, ..opened })
}

/// The write-ahead log of a database.
pub(in crate::store) fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Refuses a log that `SQLite` would cut where it is broken. Says whether its end is torn.
fn check_log(database: &Path, same_boot: bool) -> Result<bool, StoreError> {
    let path = log_of(database);
    let log = wal::inspect(&path, same_boot)
        .map_err(|error| problem("cannot read the log", &path, &error))?;
    match log {
        Log::Whole(_) => Ok(false),
        Log::Torn(whole) => {
            tracing::warn!(
                whole,
                "the last entry of {} is not whole: it was being written when the node or the \
                 system ended, or it is damaged; what is not in it must be in the journal",
                path.display()
            );
            Ok(true)
        }
        Log::Damaged { before, behind } => Err(StoreError::Corrupt(format!(
            "{} is damaged after {before} entries, about {behind} are behind",
            path.display()
        ))),
    }
}

/// Makes the database beside its place and moves it there, so that a file in place is never empty.
fn make_database(path: &Path, lock: &Lock) -> Result<(), StoreError> {
    let log = log_of(path);
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(StoreError::Corrupt(format!(
            "{} is missing, though its log {} is there",
            path.display(),
            log.display()
        )));
    }
    if lock.used_before {
        tracing::warn!(
            "{} was used before and has no database; an empty one is begun",
            directory_of(path).display()
        );
    }
    let new = path.with_extension("new");
    let made = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => make_file(&new),
        }
    };
    made().map_err(|error| problem("cannot make the database", path, &error))?;
    let filled = || {
        let mut connection = connect(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::create(&mut connection)?;
        connection.close().map_err(|(_, error)| error)
    };
    filled().map_err(|error: rusqlite::Error| OpenError::Sqlite(error).at(path))?;
    let moved = fs::rename(&new, path).and_then(|()| File::open(directory_of(path))?.sync_all());
    moved.map_err(|error| problem("cannot make the database", path, &error))
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
pub(in crate::store) enum OpenError {
    Sqlite(rusqlite::Error),
    Damaged(String),
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
    pub(in crate::store) fn at(self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            // A statement that fits the schema and is not understood: the schema is damaged.
            Self::Sqlite(error) if is_plain(&error) => {
                StoreError::Corrupt(format!("{path} is damaged: {error}"))
            }
            Self::Sqlite(error) => match sort_error(&error) {
                StoreError::Full(text) => StoreError::Full(format!("{path}: {text}")),
                StoreError::Corrupt(text) => StoreError::Corrupt(format!("{path}: {text}")),
                StoreError::Io(text) => StoreError::Io(format!("{path}: {text}")),
                other => other,
            },
            Self::Damaged(why) => StoreError::Corrupt(format!("{path} is damaged: {why}")),
            Self::Foreign => StoreError::Foreign(format!(
                "{path} is no store of wvgate, or its header is damaged; give wvgate a folder of \
                 its own, or take what is in the file with: wvgate store repair"
            )),
            Self::NoLog => StoreError::Io(format!(
                "{path} cannot have a write-ahead log here; put it on a local file system"
            )),
            Self::Newer(version) => StoreError::Foreign(format!(
                "{path} has schema version {version}, this wvgate knows versions up to {}; it was \
                 written by a newer wvgate, run that one (if there was none it is damaged: wvgate \
                 store repair)",
                schema::SCHEMA_VERSION
            )),
        }
    }
}

/// An error of `SQLite` that is about a statement, not about the disk.
fn is_plain(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|cause| cause.extended_code);
    code == Some(rusqlite::ffi::SQLITE_ERROR)
}

fn open_and_prepare(path: &Path, options: &Options) -> Result<Opened, OpenError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // First of all, so that a file which is not ours stays as it is.
    let version = schema::version(&connection)?;
    if version == 0 {
        return Err(OpenError::Damaged("it is empty".to_owned()));
    }

    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoLog);
    }
    let synchronous = if options.relaxed { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let page = page.max(1);
    pragma_echoed(&connection, "wal_autocheckpoint", CHECKPOINT_BYTES / page)?;
    pragma_echoed(&connection, "journal_size_limit", LOG_BYTES)?;

    if version < schema::WITH_SUMS {
        verify::structure(&connection)?;
        schema::migrate(&mut connection)?;
        tracing::info!("the records of {} have checksums now", path.display());
    }
    let damaged = verify::verify(&mut connection, path)?;
    if version < schema::SCHEMA_VERSION {
        schema::say_version(&connection)?;
    }
    // Behind what is whole the log may have the rest of a transaction that was under way when a
    // process or the system ended. It goes, or it would be taken for what a broken entry hides.
    // A full disk or a reader beside us may be in the way; that keeps nobody from starting.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Some(bytes) = options.max_bytes {
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page;
        pragma_echoed(&connection, "max_page_count", pages.max(1))?;
    }
    Ok(Opened {
        connection,
        damaged,
    })
}

pub(in crate::store) fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection belongs to one thread, so SQLite's own mutexes can be left out.
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Sets a pragma that answers with its value.
fn pragma_echoed(connection: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, name, value, |_| Ok(()))
}

pub(in crate::store) fn directory_of(database: &Path) -> PathBuf {
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
pub(in crate::store) fn make_file(path: &Path) -> io::Result<()> {
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

fn note_owner(file: &mut File, boot: Option<&str>) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}\n{}", std::process::id(), boot.unwrap_or_default())
}

/// Process and start of the system, as the last owner has noted them.
fn note(file: &mut File) -> (Option<u32>, Option<String>) {
    let mut text = String::new();
    if file.take(128).read_to_string(&mut text).is_err() {
        return (None, None);
    }
    let mut lines = text.lines();
    let process = lines.next().and_then(|line| line.trim().parse().ok());
    (process, lines.next().map(str::to_owned))
}

pub(in crate::store) fn problem(what: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{what} {}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Io(text),
    }
}
