//! A look at a store that no node uses: what is in it, what is damaged, and whether a node would start
//! on it. Nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::aside::{self, Note};
use super::journal::recovery::{self, MARKS, Mark};
use super::sqlite::file::{self, Lock};
use super::sqlite::offline::Reading;
use super::sqlite::wal::{self, Log};
use super::{StoreError, Write, journal};

/// Records of one section, `sap/session` for instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Section {
    /// Number of records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Why a node has no use for a good record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It cannot be understood, and is set aside.
    Record(String),
    /// Something in it cannot be understood, and is not read at a start.
    Part(String),
    /// It says that the store is somebody else's.
    Store(String),
}

/// What a check of a store found.
#[derive(Debug, Default)]
pub struct Report {
    /// The database file.
    pub database: PathBuf,
    /// There is no store yet: a node begins an empty one.
    pub is_new: bool,
    /// Records by section, those of the journal among them.
    pub sections: BTreeMap<String, Section>,
    /// Records that a node would set aside: key, and why.
    pub damaged: Vec<(String, String)>,
    /// Records of which something is damaged that is not read at a start: key, and why.
    pub partly: Vec<(String, String)>,
    /// Records set aside before.
    pub aside: Vec<Note>,
    /// Entries of the journal that the database does not have yet, and records in them.
    pub journal: Option<(u64, u64)>,
    /// What is told at a start and does not prevent it.
    pub remarks: Vec<String>,
    /// What keeps a node from starting, with the file.
    pub problems: Vec<String>,
    /// Why the store is not one for the node that asks.
    foreign: Option<String>,
}

/// Reads everything in a data directory. `understand` looks at each good record as a node would.
///
/// # Errors
/// [`StoreError::Locked`]: a node uses it. [`StoreError::Io`]: a file cannot be read.
/// [`StoreError::Foreign`]: it is not a store of this program, version or node.
pub fn check(
    data: &Path,
    mut understand: impl FnMut(&str, &[u8]) -> Result<(), Unfit>,
) -> Result<Report, StoreError> {
    let database = data.join(super::DATABASE);
    let mut report = Report {
        database: database.clone(),
        ..Report::default()
    };
    let _lock = Lock::look(&database)?;
    if let Some(problem) = super::missing(&database) {
        report.problems.push(problem);
        return Ok(report);
    }
    if !database.exists() {
        report.is_new = true;
        return Ok(report);
    }
    let log = file::log_of(&database);
    let found = wal::inspect(&log, false)
        .map_err(|error| file::problem("cannot read the log", &log, &error))?;
    match found {
        Log::Whole(_) => {}
        Log::Torn(_) => report
            .remarks
            .push(format!("the last entry of {} is not whole", log.display())),
        Log::Damaged { before, behind } => {
            report.problems.push(format!(
                "{} is damaged after {before} entries, about {behind} are behind",
                log.display()
            ));
            return Ok(report);
        }
    }
    if let Err(error) = records(&database, &mut report, &mut understand) {
        match error {
            StoreError::Corrupt(why) => report.problems.push(why),
            other => return Err(other),
        }
    }
    Ok(report)
}

fn records(
    database: &Path,
    report: &mut Report,
    understand: &mut impl FnMut(&str, &[u8]) -> Result<(), Unfit>,
) -> Result<(), StoreError> {
    let reading = Reading::open(database)?;
    if !reading.has_checksums() {
        let why = "its records have no checksums yet; they get them at the next start";
        report.remarks.push(why.to_owned());
    }
    let mark = Mark::of(MARKS.map(|key| reading.get(key))).unwrap_or_default();
    let paths = journal::files(&database.with_extension(super::JOURNAL));
    let mut state = recovery::examine(&paths, mark)
        .map_err(|error| file::problem("cannot read the journal", &paths[0], &error))?;
    report.problems.extend(state.problem.take());
    if let Some((path, _)) = &state.torn {
        let text = format!("the last entry of {} is not whole", path.display());
        report.remarks.push(text);
    }
    let changes: usize = state.frames.iter().map(|frame| frame.writes.len()).sum();
    report.journal = (mark.journal.is_some() || !state.frames.is_empty())
        .then_some((state.frames.len() as u64, changes as u64));
    let mut newer = BTreeMap::new();
    for write in state.frames.drain(..).flat_map(|frame| frame.writes) {
        match write {
            Write::Put { key, value, .. } => newer.insert(key, Some(value)),
            Write::Delete { key } => newer.insert(key, None),
        };
    }
    let damaged = reading.walk(database, |key, value| {
        if !MARKS.contains(&key) && !newer.contains_key(key) {
            report.count(key, value, understand);
        }
    })?;
    for (key, value) in &newer {
        if let Some(value) = value {
            report.count(key, value, understand);
        }
    }
    let damaged = damaged.into_iter().map(|(key, why)| (key, why.to_owned()));
    report.damaged.extend(damaged);
    match report.foreign.take() {
        Some(why) => Err(StoreError::Foreign(why)),
        None => Ok(()),
    }
}

impl Report {
    fn count(
        &mut self,
        key: &str,
        value: &[u8],
        understand: &mut impl FnMut(&str, &[u8]) -> Result<(), Unfit>,
    ) {
        let is_aside = key.starts_with(aside::PREFIX);
        if let Some((note, _)) = is_aside.then(|| aside::read(value)).flatten() {
            self.aside.push(note);
            return;
        }
        let section = self.sections.entry(section_of(key)).or_default();
        section.records += 1;
        section.bytes += (key.len() + value.len()) as u64;
        match understand(key, value) {
            Ok(()) => {}
            Err(Unfit::Record(why)) => self.damaged.push((key.to_owned(), why)),
            Err(Unfit::Part(why)) => self.partly.push((key.to_owned(), why)),
            Err(Unfit::Store(why)) => self.foreign = Some(why),
        }
    }
}

/// The first two parts of a key, or the first one if there are no more than two.
fn section_of(key: &str) -> String {
    let mut parts = key.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(first), Some(second), Some(_)) => format!("{first}/{second}"),
        (first, _, _) => first.unwrap_or_default().to_owned(),
    }
}
