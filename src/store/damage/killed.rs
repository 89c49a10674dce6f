//! A node that was killed: its files, and what it had acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{FILES, Records, all, logged, put};
use crate::store::journal::{JournalStore, Options};
use crate::store::repair::repair;
use crate::store::{SqliteStore, Store, StoreError, Write, open, sqlite};

/// A directory that goes away.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Thousands of stores are opened: in memory where there is such a place.
        let memory = PathBuf::from("/dev/shm");
        let root = Some(memory).filter(|memory| memory.is_dir());
        let root = root.unwrap_or_else(std::env::temp_dir);
        let path = root.join(format!("wvgate-damage-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files of a killed node, and what it had acknowledged.
pub(super) struct Killed {
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    pub(super) lock: Vec<u8>,
    pub(super) records: Records,
    /// Values that a key has had.
    pub(super) ever: BTreeMap<String, BTreeSet<Vec<u8>>>,
}

impl Killed {
    /// Records in the database, in its log, and in the journal alone; both files of the journal were
    /// written more than once.
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        let mut killed = Self {
            files: Vec::new(),
            lock: Vec::new(),
            records: Records::new(),
            ever: BTreeMap::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let first = open(&folder.0).unwrap();
        for n in 0..30 {
            let value = format!("first {n} {}", "x".repeat(n * 7));
            runtime.block_on(killed.commit(&first, vec![put(&format!("sap/out/{n:03}"), &value)]));
        }
        let long = vec![put("sap/long/1", &"long ".repeat(2000))];
        runtime.block_on(killed.commit(&first, long));
        drop(first);

        let database = folder.0.join("wvgate.db");
        let behind = SqliteStore::open(&database, sqlite::Options::default()).unwrap();
        let behind = Arc::new(behind);
        let options = Options {
            flush_after: Duration::from_secs(3600),
            flush_bytes: 3000,
            ..Options::default()
        };
        let path = folder.0.join("wvgate.journal");
        let store = JournalStore::open(&path, behind.clone(), options).unwrap();
        for round in 0..4 {
            for n in 0..4 {
                let writes = vec![
                    put(
                        &format!("home/message/{round}{n}"),
                        &format!("text {round} {n}"),
                    ),
                    Write::delete(format!("sap/out/{:03}", round * 4 + n)),
                    put("sap/out/029", &format!("changed {round} {n}")),
                ];
                runtime.block_on(killed.commit(&store, writes));
            }
            if round == 3 {
                break;
            }
            // So much that the database gets it all.
            let key = format!("home/large/{round}");
            let large = vec![put(&key, &"large ".repeat(600))];
            runtime.block_on(killed.commit(&store, large));
            while runtime.block_on(behind.get(&key)).unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for name in FILES {
            killed
                .files
                .push((name, fs::read(folder.0.join(name)).unwrap()));
        }
        killed.lock = fs::read(folder.0.join("wvgate.lock")).unwrap();
        killed
    }

    async fn commit(&mut self, store: &dyn Store, writes: Vec<Write>) {
        for write in &writes {
            match write {
                Write::Put { key, value, .. } => {
                    self.records.insert(key.clone(), value.clone());
                    let ever = self.ever.entry(key.clone()).or_default();
                    ever.insert(value.clone());
                }
                Write::Delete { key } => drop(self.records.remove(key)),
            }
        }
        store.commit(writes).await.unwrap();
    }

    pub(super) fn file(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(file, _)| *file == name).unwrap().1
    }

    /// The files with one changed; `None`: removed.
    pub(super) fn with(&self, name: &str, changed: Option<&[u8]>) -> Folder {
        let folder = Folder::new();
        for (file, bytes) in &self.files {
            let bytes = if *file == name {
                changed
            } else {
                Some(&bytes[..])
            };
            if let Some(bytes) = bytes {
                fs::write(folder.0.join(file), bytes).unwrap();
            }
        }
        fs::write(folder.0.join("wvgate.lock"), &self.lock).unwrap();
        folder
    }

    /// Opens, and says how it ended; fails if something was lost or invented in silence.
    pub(super) fn judge(&self, folder: &Folder, what: &str) -> Outcome {
        let (opened, log) = logged(|| open(&folder.0));
        let store = match opened {
            Err(StoreError::Corrupt(text) | StoreError::Foreign(text)) => {
                let path = folder.0.join("wvgate.");
                assert!(text.contains(path.to_str().unwrap()), "{what}: {text}");
                return Outcome::Refused;
            }
            Err(other) => panic!("{what}: {other}"),
            Ok(store) => store,
        };
        let (records, aside) = all(&store);
        let damaged = store.stats().damaged;
        drop(store);
        for (key, value) in &records {
            assert!(
                self.ever.get(key).is_some_and(|ever| ever.contains(value)),
                "{what}: {key}"
            );
        }
        if records == self.records {
            return Outcome::Everything;
        }
        assert!(damaged > 0 && aside > 0, "{what}: lost in silence");
        assert!(log.contains("aside"), "{what}: {log:?}");
        Outcome::Aside
    }

    /// A refused store can be repaired, and holds nothing that was never in it.
    pub(super) fn repair(&self, folder: &Folder, what: &str) -> usize {
        let before = fs::read(folder.0.join("wvgate.db")).ok();
        let repaired = repair(&folder.0, true).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(
            fs::read(repaired.folder.join("wvgate.db")).ok(),
            before,
            "{what}"
        );
        let store = open(&folder.0).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (records, _) = all(&store);
        for (key, value) in &records {
            assert!(
                self.ever.get(key).is_some_and(|ever| ever.contains(value)),
                "{what}: {key}"
            );
        }
        records.len()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Everything,
    Refused,
    Aside,
}
