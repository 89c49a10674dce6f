//! A copy of a store in one file, also of a running node: the database as of one moment, and what the
//! journal held beyond it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::journal::reading::{self, Content, Frame};
use super::journal::recovery::{MARKS, Mark};
use super::sqlite::file::{self, Lock};
use super::sqlite::offline::{Reading, Writing};
use super::{StoreError, journal};

/// A running node may have turned to the next file of its journal while it was read.
const TRIES: usize = 10;

/// Writes everything that was acknowledged before the call to the new file `to`, readable by its owner
/// only. A node starts on it as it is. Says how many entries of the journal are in it.
///
/// # Errors
/// [`StoreError::Io`]: `to` exists or cannot be made. [`StoreError::Full`]: no room for it.
/// [`StoreError::Corrupt`]: the store is damaged.
pub fn backup(data: &Path, to: &Path) -> Result<u64, StoreError> {
    let database = data.join(super::DATABASE);
    if let Some(problem) = super::missing(&database) {
        return Err(StoreError::Corrupt(problem));
    }
    if fs::symlink_metadata(to).is_ok() {
        let text = format!("{} exists already; name another file", to.display());
        return Err(StoreError::Io(text));
    }
    // Held if no node runs, so that none starts meanwhile.
    let _lock = match Lock::look(&database) {
        Err(StoreError::Locked(_)) => None,
        looked => looked?,
    };
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut last = Err(StoreError::Closed);
    for _ in 0..TRIES {
        let _ = fs::remove_file(&part);
        last = copy(&database, &part);
        if !matches!(last, Err(StoreError::Conflict { .. })) {
            break;
        }
    }
    if let Err(StoreError::Conflict { key }) = last {
        last = Err(StoreError::Corrupt(format!(
            "the journal does not fit the database: {key}"
        )));
    }
    let moved = last.and_then(|entries| {
        let folder = file::directory_of(to);
        fs::rename(&part, to)
            .and_then(|()| File::open(folder)?.sync_all())
            .map(|()| entries)
            .map_err(|error| file::problem("cannot make", to, &error))
    });
    if moved.is_err() {
        let _ = fs::remove_file(&part);
    }
    moved
}

fn copy(database: &Path, part: &Path) -> Result<u64, StoreError> {
    file::make_file(part).map_err(|error| file::problem("cannot make", part, &error))?;
    // First the journal: what is acknowledged by now is in it, or in the database read after it.
    let paths = journal::files(&database.with_extension(super::JOURNAL));
    let mut frames: Vec<Frame> = Vec::new();
    let mut journals = Vec::new();
    for path in &paths {
        let read = reading::read(path, None)
            .map_err(|error| file::problem("cannot read the journal", path, &error))?;
        match read {
            Content::Missing => journals.push(None),
            Content::Frames(more) => {
                journals.push(more.journal);
                frames.extend(more.whole);
            }
            Content::Damaged { why, .. } => {
                return Err(StoreError::Corrupt(format!("{}: {why}", path.display())));
            }
        }
    }
    Reading::open(database)?.copy_to(database, part)?;
    let writing = Writing::open(part)?;
    let mut mark = Mark::of(MARKS.map(|key| writing.get(key))).unwrap_or_default();
    let gone = |entry: u64| StoreError::Conflict {
        key: format!("{} (entry {entry})", paths[0].display()),
    };
    if mark.journal.is_some() && journals.iter().any(|journal| *journal != mark.journal) {
        return Err(gone(mark.applied));
    }
    frames.retain(|frame| frame.sequence > mark.applied);
    frames.sort_by_key(|frame| frame.sequence);
    frames.dedup_by_key(|frame| frame.sequence);
    let entries = frames.len() as u64;
    for frame in frames {
        if frame.sequence != mark.applied + 1 {
            return Err(gone(mark.applied + 1));
        }
        mark.applied = frame.sequence;
        for write in &frame.writes {
            writing.apply(write)?;
        }
    }
    mark.journal = None;
    for write in mark.writes() {
        writing.apply(&write)?;
    }
    writing.finish()?;
    Ok(entries)
}
