//! Certificates that are renewed while the node runs: their files are looked at now and then.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::Config;

/// How often the files are looked at; our choice.
const LOOK: Duration = Duration::from_secs(3);

/// The files of certificates, keys and authorities that the node uses.
#[derive(Debug, Clone)]
pub(super) struct Renewals(Arc<Mutex<Files>>);

impl Renewals {
    /// Those of a configuration, as they are before anybody reads them.
    pub(super) fn of(config: &Config) -> Self {
        Self(Arc::new(Mutex::new(Files::new(config.certificate_files()))))
    }

    /// The node has read these instead.
    pub(super) fn take(&self, read: &Self) {
        let read = std::mem::replace(&mut *read.files(), Files::new([]));
        *self.files() = read;
    }

    /// Tells of files that have changed. Ends with who is told.
    pub(super) async fn watch(self, changed: mpsc::Sender<()>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let files = self.clone();
            let looked = tokio::task::spawn_blocking(move || files.files().have_changed());
            if looked.await.unwrap_or(false) && changed.send(()).await.is_err() {
                return;
            }
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Files {
    /// As they were when they were read.
    known: BTreeMap<PathBuf, Option<Stamp>>,
    /// As they were at the last look, if that was otherwise.
    otherwise: Option<BTreeMap<PathBuf, Option<Stamp>>>,
}

/// What tells a file from another, or from what it was: when it was changed, in nanoseconds of a
/// second too, its length, and its number.
type Stamp = (i64, i64, u64, u64);

impl Files {
    fn new<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let paths = paths.into_iter();
        Self {
            known: paths.map(|path| (path.to_owned(), stamp(path))).collect(),
            otherwise: None,
        }
    }

    /// Whether files are not as they were, and stand still since the look before: a certificate and
    /// its key are two.
    fn have_changed(&mut self) -> bool {
        let paths = self.known.keys();
        let now = paths.map(|path| (path.clone(), stamp(path))).collect();
        if now == self.known {
            self.otherwise = None;
            return false;
        }
        let stand_still = self.otherwise.as_ref() == Some(&now);
        if stand_still {
            self.known = now;
            self.otherwise = None;
        } else {
            self.otherwise = Some(now);
        }
        stand_still
    }
}

/// `None` if there is no such file.
fn stamp(path: &Path) -> Option<Stamp> {
    let facts = fs::metadata(path).ok()?;
    Some((facts.mtime(), facts.mtime_nsec(), facts.len(), facts.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_changed_once_when_they_stand_still() {
        let name = format!("wvgate-renewals-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = (folder.join("a.pem"), folder.join("a.key"));
        fs::write(&certificate, "old").unwrap();
        let mut files = Files::new([certificate.as_path(), key.as_path()]);
        assert!(!files.have_changed());
        // One after the other: only the second is followed by rest. Another file has another number,
        // whenever it was written.
        fs::write(folder.join("new"), "new").unwrap();
        fs::rename(folder.join("new"), &certificate).unwrap();
        assert!(!files.have_changed());
        fs::write(&key, "new").unwrap();
        assert!(!files.have_changed());
        assert!(files.have_changed());
        assert!(!files.have_changed());
        // What comes back is no change.
        fs::rename(&key, folder.join("away")).unwrap();
        assert!(!files.have_changed());
        fs::rename(folder.join("away"), &key).unwrap();
        assert!(!files.have_changed());
        fs::remove_file(&key).unwrap();
        assert!(!files.have_changed());
        assert!(files.have_changed());
        fs::remove_dir_all(&folder).unwrap();
    }
}
