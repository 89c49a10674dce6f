//! Goes on with what is left of a damaged store: a new database of all that can be read. The files as
//! they were found are moved to a folder beside it; nothing is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::journal::recovery::{self, MARKS, Mark};
use super::sqlite::file::{self, Lock};
use super::sqlite::offline::{self, Writing};
use super::sqlite::wal::{self, Log};
use super::{StoreError, Write, aside, boot, journal, room};

/// What a repair has done.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Records taken, those of the journal among them.
    pub taken: u64,
    /// Entries of the journal that were taken, and those behind a gap among them.
    pub journal: (u64, u64),
    /// Damaged records, set aside in the new database: key, and why.
    pub aside: Vec<(String, String)>,
    /// Where the files are now as they were found.
    pub folder: PathBuf,
    /// What is not in the new database, as far as that is known.
    pub remarks: Vec<String>,
}

/// Repairs the store in a data directory. `with_journal`: takes what the journal holds beyond the
/// database, also behind a gap; else the database alone.
///
/// # Errors
/// [`StoreError::Locked`]: a node uses it. [`StoreError::Full`]: there is no room for the new
/// database. [`StoreError::Io`]: a file cannot be read or made. Then the files are where they were,
/// or a second call goes on.
pub fn repair(data: &Path, with_journal: bool) -> Result<Repaired, StoreError> {
    let database = data.join(super::DATABASE);
    if !data.is_dir() {
        return Err(StoreError::Io(format!("{} is no folder", data.display())));
    }
    let _lock = Lock::take(&database)?;
    let new = database.with_extension(super::REPAIRED);
    if new.exists() && !database.exists() {
        // The last one was ended when its database was complete, and began to take its place.
        let folder = make_folder(data)?;
        put_in_place(&database, &new, &folder)?;
        return Ok(Repaired {
            folder,
            remarks: vec!["an earlier repair was brought to its end".to_owned()],
            ..Repaired::default()
        });
    }
    let size = fs::metadata(&database).map_or(0, |file| file.len());
    if let Some(room) = room::beside(&database)
        && room < 3 * size + (1 << 20)
    {
        return Err(StoreError::Full(format!(
            "{} takes {} MiB, a repair needs three times as much and {} are left",
            database.display(),
            size >> 20,
            room >> 20
        )));
    }
    let folder = make_folder(data)?;
    let mut repaired = Repaired {
        folder: folder.clone(),
        ..Repaired::default()
    };
    let journal = journal::files(&database.with_extension(super::JOURNAL));
    let part = database.with_extension("repairing");
    let made = build(&database, &journal, &part, with_journal, &mut repaired);
    // Under its name it is complete.
    let made = made.and_then(|()| {
        fs::rename(&part, &new).map_err(|error| file::problem("cannot move", &part, &error))
    });
    if let Err(error) = made {
        // Nothing was moved yet.
        let _ = fs::remove_file(&part);
        let _ = fs::remove_dir_all(&folder);
        return Err(error);
    }
    put_in_place(&database, &new, &folder)?;
    Ok(repaired)
}

/// Moves the files as they were found to the folder, and the new database to its place.
fn put_in_place(database: &Path, new: &Path, folder: &Path) -> Result<(), StoreError> {
    let [one, two] = journal::files(&database.with_extension(super::JOURNAL));
    let companion = |end: &str| PathBuf::from(format!("{}{end}", database.display()));
    // The database first: without it a repair that is ended here is gone on with, and not begun
    // anew with a part of the files.
    let old = [
        database.to_owned(),
        companion("-wal"),
        companion("-shm"),
        one,
        two,
    ];
    for path in old {
        let Some(name) = path.file_name() else {
            continue;
        };
        match fs::rename(&path, folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file::problem("cannot move", &path, &error));
            }
            _ => {}
        }
    }
    let data = file::directory_of(database);
    let moved = fs::rename(new, database).and_then(|()| File::open(data)?.sync_all());
    moved.map_err(|error| file::problem("cannot move", new, &error))
}

/// Makes the new database of what can be read.
fn build(
    database: &Path,
    journal: &[PathBuf; 2],
    new: &Path,
    with_journal: bool,
    repaired: &mut Repaired,
) -> Result<(), StoreError> {
    let log = file::log_of(database);
    if let Ok(Log::Damaged { before, behind }) = wal::inspect(&log, false) {
        repaired.remarks.push(format!(
            "{} is damaged after {before} entries; about {behind} behind are not taken",
            log.display()
        ));
    }
    // SQLite writes into what it opens; the originals stay as they are.
    let copy = repaired.folder.join("reading.db");
    let copies = [
        (database.to_owned(), copy.clone()),
        (log, file::log_of(&copy)),
    ];
    for (from, to) in &copies {
        match fs::copy(from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(file::problem("cannot copy", from, &error));
            }
            _ => {}
        }
    }
    let mut records = BTreeMap::new();
    let found = offline::salvage(&copy, |key, value| {
        records.insert(key.to_owned(), value.to_vec());
    });
    let shared = PathBuf::from(format!("{}-shm", copy.display()));
    for path in copies.iter().map(|(_, to)| to).chain([&shared]) {
        let _ = fs::remove_file(path);
    }
    let problems = found.problems.iter();
    repaired.remarks.extend(problems.map(|problem| {
        format!(
            "{}: {problem}; what is there is not taken",
            database.display()
        )
    }));

    let aside = records.keys().filter(|key| key.starts_with(aside::PREFIX));
    let earlier: BTreeSet<String> = aside.cloned().collect();
    let marks = MARKS.map(|mark| records.remove(mark));
    let mut mark = Mark::of(marks).unwrap_or_default();
    if with_journal {
        mark.applied = take_journal(journal, mark, &mut records, repaired)?;
    }
    mark.journal = None;
    let before = records.len();
    records.retain(|key, _| !earlier.contains(key));
    if records.len() < before {
        repaired.remarks.push(format!(
            "{} records set aside earlier are in the old files only",
            before - records.len()
        ));
    }
    let damaged = found.damaged.into_iter();
    // A good one of the same key was found elsewhere, or it is a mark, of which there are two.
    let damaged =
        damaged.filter(|(key, ..)| !records.contains_key(key) && !MARKS.contains(&key.as_str()));
    let damaged: Vec<_> = damaged.collect();
    for (key, value, why) in damaged {
        let (kept, value) = aside::record(&key, &value, why);
        records.insert(kept, value);
        repaired.aside.push((key, why.to_owned()));
    }

    remove(new)?;
    remove(&PathBuf::from(format!("{}-journal", new.display())))?;
    file::make_file(new).map_err(|error| file::problem("cannot make", new, &error))?;
    let writing = Writing::create(new)?;
    repaired.taken = records.len() as u64 - repaired.aside.len() as u64;
    for (key, value) in records {
        writing.apply(&Write::put(key, value))?;
    }
    for write in mark.writes() {
        writing.apply(&write)?;
    }
    writing.finish()
}

/// Applies what the journal holds; says up to which sequence.
fn take_journal(
    journal: &[PathBuf; 2],
    mark: Mark,
    records: &mut BTreeMap<String, Vec<u8>>,
    repaired: &mut Repaired,
) -> Result<u64, StoreError> {
    let mut state = recovery::examine(journal, mark)
        .map_err(|error| file::problem("cannot read the journal", &journal[0], &error))?;
    repaired.remarks.extend(state.problem.take());
    let behind = state.behind.len() as u64;
    repaired.journal = (state.frames.len() as u64 + behind, behind);
    let highest = state.behind.iter().map(|frame| frame.sequence).max();
    let frames = state.frames.drain(..).chain(state.behind.drain(..));
    let writes: Vec<Write> = frames.flat_map(|frame| frame.writes).collect();
    let torn = state.writes(mark.journal.unwrap_or_default());
    for write in writes.into_iter().chain(torn) {
        write.apply(records);
    }
    Ok(highest.unwrap_or(state.last).max(state.last))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(file::problem("cannot remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// A folder of this moment's name.
fn make_folder(data: &Path) -> Result<PathBuf, StoreError> {
    let stamp = date(boot::time().as_secs());
    for number in 1..100 {
        let folder = match number {
            1 => data.join(format!("set-aside-{stamp}")),
            _ => data.join(format!("set-aside-{stamp}-{number}")),
        };
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(file::problem("cannot make", &folder, &error)),
        }
    }
    let error = io::Error::from(ErrorKind::AlreadyExists);
    Err(file::problem("cannot make a folder in", data, &error))
}

/// `20261127T142500Z` of seconds since 1970.
fn date(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days of 400 years from 1 March 2000 on, by the usual calendar arithmetic.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn folders_have_the_names_of_moments() {
        assert_eq!(date(0), "19700101T000000Z");
        assert_eq!(date(951_827_696), "20000229T123456Z");
        assert_eq!(date(4_102_444_799), "20991231T235959Z");
    }
}
