//! What a start finds: how far the database has everything, what the files hold beyond that, and
//! whether something that was acknowledged is missing.
//!
//! The database says which journal is in use and how far it has everything (a [`Mark`]). Everything
//! beyond that is in the files, without a gap. So a gap, a file that is missing, cut or zeroed, and a
//! journal of which nothing is left are noticed. What is torn at the very end was being written when
//! the process or the system ended.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::reading::{self, Content, Frame, Frames};
use super::wait::wait;
use super::{problem, segment};
use crate::store::{Store, StoreError, Write, aside};

/// The records behind the journal that say how far it has everything; not seen by readers. There are
/// two, so that one that is damaged does no harm.
pub(in crate::store) const MARKS: [&str; 2] = ["journal/applied", "journal/applied.2"];

/// How far the database has everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Mark {
    /// The last sequence that it has.
    pub(in crate::store) applied: u64,
    /// The journal in use; `None`: there is none, and nothing is anywhere else.
    pub(in crate::store) journal: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// As the first version wrote it.
    Applied(u64),
    Mark {
        applied: u64,
        journal: Option<String>,
    },
}

impl Mark {
    pub(in crate::store) fn writes(self) -> [Write; 2] {
        let written = Written::Mark {
            applied: self.applied,
            journal: self.journal.map(|journal| format!("{journal:016x}")),
        };
        MARKS.map(|key| Write::put_json(key, &written))
    }

    fn read(value: &[u8]) -> Option<Self> {
        match serde_json::from_slice(value).ok()? {
            Written::Applied(applied) => Some(Self {
                applied,
                journal: None,
            }),
            Written::Mark { applied, journal } => Some(Self {
                applied,
                journal: match journal {
                    None => None,
                    Some(journal) => Some(u64::from_str_radix(&journal, 16).ok()?),
                },
            }),
        }
    }

    /// The newer one of two records, as far as they can be read; `None` if there is none.
    pub(in crate::store) fn of(values: [Option<Vec<u8>>; 2]) -> Option<Self> {
        let marks = values.into_iter().flatten();
        marks
            .filter_map(|value| Self::read(&value))
            .max_by_key(|mark| mark.applied)
    }

    fn load(behind: &dyn Store) -> Result<Option<Self>, StoreError> {
        let mut values = [None, None];
        for (value, key) in values.iter_mut().zip(MARKS) {
            *value = match wait(behind.get(key)) {
                // The other one is there for that.
                Err(StoreError::Corrupt(_)) => None,
                read => read?,
            };
        }
        Ok(Self::of(values))
    }
}

/// What the files hold.
#[derive(Debug, Default)]
pub(in crate::store) struct State {
    /// What the database does not have yet, without a gap.
    pub(in crate::store) frames: Vec<Frame>,
    /// Whole frames behind a gap.
    pub(in crate::store) behind: Vec<Frame>,
    /// Why a node must not start with them.
    pub(in crate::store) problem: Option<String>,
    /// What was found torn at the end, and where.
    pub(in crate::store) torn: Option<(PathBuf, Vec<u8>)>,
    /// Frames that a power cut has separated from those before; nobody was promised them.
    pub(in crate::store) dropped: Vec<Frame>,
    /// The last sequence of `frames`, or what the mark says.
    pub(in crate::store) last: u64,
}

/// Looks at the files; changes nothing.
pub(in crate::store) fn examine(paths: &[PathBuf; 2], mark: Mark) -> io::Result<State> {
    let mut state = State::default();
    let (mut same_boot, mut newest) = (false, 0);
    let mut found: Vec<(usize, Frame)> = Vec::new();
    for (file, path) in paths.iter().enumerate() {
        let frames = match reading::read(path, mark.journal)? {
            Content::Missing => {
                if mark.journal.is_some() {
                    state.blame(path, "is missing, though the journal is in use");
                }
                continue;
            }
            Content::Damaged { why, frames } => {
                if mark.journal.is_some() {
                    state.blame(path, &format!("is damaged: {why}"));
                }
                frames
            }
            Content::Frames(Frames { journal, .. })
                if mark.journal.is_some() && journal != mark.journal =>
            {
                state.blame(
                    path,
                    "is not of the journal in use (was the database restored?)",
                );
                continue;
            }
            Content::Frames(frames) => {
                same_boot |= frames.same_boot;
                let highest = frames.whole.iter().map(|frame| frame.sequence).max();
                // Of the file written to last the end is where it was torn, if it was.
                if highest.unwrap_or(0) >= newest {
                    newest = highest.unwrap_or(0);
                    state.torn = frames.torn.map(|torn| (path.clone(), torn));
                }
                frames.whole
            }
        };
        found.extend(frames.into_iter().map(|frame| (file, frame)));
    }
    found.retain(|(_, frame)| frame.sequence > mark.applied);
    found.sort_by_key(|(_, frame)| frame.sequence);
    found.dedup_by_key(|(_, frame)| frame.sequence);
    state.last = mark.applied;
    let mut last_file = None;
    let mut found = found.into_iter().peekable();
    while let Some((file, frame)) = found.next_if(|(_, frame)| frame.sequence == state.last + 1) {
        state.last = frame.sequence;
        last_file = Some(file);
        state.frames.push(frame);
    }
    let first_behind = found.peek().map(|(file, frame)| (*file, frame.sequence));
    let behind: Vec<Frame> = found.map(|(_, frame)| frame).collect();
    if let Some((file, sequence)) = first_behind {
        let missing = state.last + 1;
        // Frames that need not wait for the disk may reach it in any order; a power cut may leave
        // later ones without earlier ones.
        if !same_boot && behind.iter().all(|frame| frame.synced < missing) {
            state.dropped = behind;
        } else {
            let records: usize = behind.iter().map(|frame| frame.writes.len()).sum();
            let what = if state.frames.is_empty() && mark.journal.is_none() {
                "does not go on where the database ends (was that restored?)"
            } else {
                "is damaged"
            };
            let other = last_file.filter(|last| *last != file);
            let other = other.map_or(String::new(), |other| {
                format!(" or {}", paths[other].display())
            });
            let text = format!(
                "{what}{other}: entries {missing} to {} are missing, {} whole ones with {records} \
                 records are behind",
                sequence - 1,
                behind.len()
            );
            state.blame(&paths[file], &text);
            state.behind = behind;
        }
    } else if state.frames.is_empty() && mark.journal.is_some() && same_boot {
        let text = "holds nothing of what was written last";
        state.blame(&paths[0], &format!("or {} {text}", paths[1].display()));
    }
    Ok(state)
}

impl State {
    /// The first problem is the one that is told.
    fn blame(&mut self, path: &Path, what: &str) {
        if self.problem.is_none() {
            self.problem = Some(format!("{} {what}", path.display()));
        }
    }

    /// The changes that the database lacks, and what is set aside.
    pub(in crate::store) fn writes(&mut self, journal: u64) -> Vec<Write> {
        let frames = std::mem::take(&mut self.frames);
        let mut writes: Vec<Write> = frames.into_iter().flat_map(|frame| frame.writes).collect();
        let mut aside = |bytes: &[u8], why: &str| {
            let (key, value) = aside::record("journal", bytes, why);
            writes.push(Write::put(key, value));
        };
        if let Some((path, bytes)) = &self.torn {
            aside(bytes, &format!("torn at the end of {}", path.display()));
        }
        for frame in &self.dropped {
            let bytes = segment::of(&frame.writes, journal, frame.sequence, frame.synced);
            aside(&bytes, "what was before it was lost in a power cut");
        }
        writes
    }
}

/// Commits to the engine what a crash has left; says the last sequence.
///
/// # Errors
/// [`StoreError::Corrupt`]: something that was acknowledged is missing. Nothing was changed.
pub(super) fn take_over(paths: &[PathBuf; 2], behind: &dyn Store) -> Result<u64, StoreError> {
    let mark = Mark::load(behind)?;
    let known = mark.unwrap_or_default();
    let mut state = examine(paths, known)
        .map_err(|error| problem("cannot read the journal", &paths[0], &error))?;
    if let Some(why) = state.problem {
        return Err(StoreError::Corrupt(format!(
            "{why}; to go on with all that is whole: wvgate store repair; with the database alone: \
             wvgate store repair --without-journal"
        )));
    }
    if let Some((path, _)) = &state.torn {
        tracing::warn!(
            "the last entry of {} is not whole: it was being written when the node or the system \
             ended, and was not acknowledged, or it is damaged; it was set aside",
            path.display()
        );
    }
    if !state.dropped.is_empty() {
        tracing::warn!(
            entries = state.dropped.len(),
            "{} lacks entries that were not yet on disk; those behind were set aside",
            paths[0].display()
        );
    }
    let last = state.last;
    let mut writes = state.writes(known.journal.unwrap_or_default());
    if writes.is_empty() && last == known.applied && known.journal.is_none() {
        return Ok(last);
    }
    tracing::info!(records = writes.len(), "taken over from the journal");
    // What was found behind a gap has a sequence that must not come again.
    let highest = state.dropped.iter().map(|frame| frame.sequence).max();
    let applied = highest.unwrap_or(last).max(last);
    let mark = Mark {
        applied,
        journal: None,
    };
    writes.extend(mark.writes());
    wait(behind.commit(writes))?;
    Ok(applied)
}
