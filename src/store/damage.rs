//! Damage at every place of a small store, as a killed process has left it. Each time it must have
//! started with everything, or refused with a line that names the file, or started without what is
//! damaged, told and counted. Never in silence.
//!
//! `WVGATE_DAMAGE=all` tries every byte, `WVGATE_DAMAGE=500` about so many of each file; without it
//! it is a share that takes seconds.

mod killed;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing_subscriber::Registry;

use super::repair::repair;
use super::{SqliteStore, Store, Write, aside, load_all, open, sqlite};
use killed::{Folder, Killed, Outcome};

const FILES: [&str; 4] = [
    "wvgate.db",
    "wvgate.db-wal",
    "wvgate.journal.1",
    "wvgate.journal.2",
];

type Records = BTreeMap<String, Vec<u8>>;

fn put(key: &str, value: &str) -> Write {
    Write::put(key, value)
}

/// All records, and how many were set aside.
fn all(store: &dyn Store) -> (Records, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (mut records, mut aside) = (Records::new(), 0);
    let loaded = load_all(store, "", |key, value| {
        if key.starts_with(aside::PREFIX) {
            assert!(aside::read(&value).is_some(), "{key}");
            aside += 1;
        } else {
            records.insert(key, value);
        }
        Ok(())
    });
    runtime.block_on(loaded).unwrap();
    (records, aside)
}

/// What is done, and what it logs.
fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // With one subscriber alone, what another test's thread logs first of a kind would decide, without
    // any, that nobody wants that kind.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Registry::default()));
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let done = tracing::subscriber::with_default(subscriber, work);
    let text = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    (done, text)
}

/// The bytes that are tried: about so many, or all.
fn places(range: std::ops::Range<usize>, share: usize) -> impl Iterator<Item = usize> {
    let wanted = std::env::var("WVGATE_DAMAGE").unwrap_or_default();
    let share = match wanted.as_str() {
        "all" => range.len(),
        number => number.parse().unwrap_or(share),
    };
    // Odd, so that all bits of a byte have their turn.
    let step = (range.len() / share.max(1)).max(1) | 1;
    range.step_by(step)
}

/// Where something is in a file: of the journal's the header and the frames.
fn used(killed: &Killed, name: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = killed.file(name);
    if name.contains("journal") {
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 40;
        return vec![0..64, 4096..end];
    }
    vec![0..100, 100..bytes.len()]
}

#[test]
fn the_files_of_a_killed_node_hold_everything() {
    let killed = Killed::new();
    for name in FILES {
        let folder = killed.with(name, Some(killed.file(name)));
        assert_eq!(killed.judge(&folder, name), Outcome::Everything);
    }
}

#[test]
fn no_flipped_bit_passes_in_silence() {
    let killed = Killed::new();
    let mut seen = BTreeMap::new();
    for name in FILES {
        for range in used(&killed, name) {
            let share = if range.start == 0 { 12 } else { 60 };
            for at in places(range, share) {
                let mut bytes = killed.file(name).to_vec();
                bytes[at] ^= 1 << (at % 8);
                let folder = killed.with(name, Some(&bytes));
                let what = format!("{name}: bit {} of byte {at}", at % 8);
                let outcome = killed.judge(&folder, &what);
                *seen.entry(outcome).or_insert(0) += 1;
                if outcome == Outcome::Refused && at % 5 == 0 {
                    killed.repair(&folder, &what);
                }
            }
        }
    }
    // Each of the three ways was taken.
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn no_cut_passes_in_silence() {
    let killed = Killed::new();
    for name in FILES {
        let whole = killed.file(name);
        let ranges = used(&killed, name);
        let end = ranges.last().unwrap().end;
        let cuts = places(0..end, 30).chain([0, whole.len() - 1, whole.len() / 2]);
        for length in cuts {
            let folder = killed.with(name, Some(&whole[..length]));
            let what = format!("{name}: cut to {length}");
            let outcome = killed.judge(&folder, &what);
            if outcome == Outcome::Refused && length % 3 == 0 {
                killed.repair(&folder, &what);
            }
        }
    }
}

#[test]
fn no_missing_or_zeroed_file_passes_in_silence() {
    let killed = Killed::new();
    for name in FILES {
        let zeros = vec![0; killed.file(name).len()];
        for (changed, what) in [(None, "removed"), (Some(&zeros[..]), "zeroed")] {
            let folder = killed.with(name, changed);
            let what = format!("{name}: {what}");
            let outcome = killed.judge(&folder, &what);
            // What of the database is in its log too is not missed.
            if outcome == Outcome::Aside && changed.is_some() && name == "wvgate.db" {
                continue;
            }
            assert_eq!(outcome, Outcome::Refused, "{what}");
            let taken = killed.repair(&folder, &what);
            if name != "wvgate.db" {
                assert!(taken > 10, "{what}: {taken}");
            }
        }
    }
}

#[test]
fn what_is_refused_is_left_as_it_was() {
    let killed = Killed::new();
    for name in ["wvgate.journal.1", "wvgate.journal.2", "wvgate.db-wal"] {
        let folder = killed.with(name, Some(&vec![0; killed.file(name).len()]));
        open(&folder.0).unwrap_err();
        for (file, bytes) in &killed.files {
            // What was in a good log may have gone to where it belongs.
            if name.contains("journal") && file.contains("db") {
                continue;
            }
            let now = fs::read(folder.0.join(file)).unwrap();
            if *file == name {
                assert!(now.iter().all(|byte| *byte == 0) && now.len() == bytes.len());
            } else {
                assert!(now == *bytes, "{file} after {name}");
            }
        }
    }
}

#[test]
fn a_repair_that_was_ended_while_it_moved_files_is_brought_to_its_end() {
    let killed = Killed::new();
    let damaged = vec![0; killed.file("wvgate.journal.1").len()];
    let whole = killed.with("wvgate.journal.1", Some(&damaged));
    repair(&whole.0, true).unwrap();
    let new = fs::read(whole.0.join("wvgate.db")).unwrap();
    let (expected, _) = all(&open(&whole.0).unwrap());

    let folder = killed.with("wvgate.db", None);
    fs::write(folder.0.join("wvgate.repaired"), new).unwrap();
    let repaired = repair(&folder.0, true).unwrap();
    for name in &FILES[1..] {
        let kept = fs::read(repaired.folder.join(name)).unwrap();
        assert!(kept == killed.file(name), "{name}");
    }
    assert_eq!(all(&open(&folder.0).unwrap()).0, expected);
}

/// The files of a store as they are now, in another folder.
fn copied(from: &Folder) -> Folder {
    let to = Folder::new();
    for name in ["wvgate.db", "wvgate.db-wal", "wvgate.lock"] {
        fs::copy(from.0.join(name), to.0.join(name)).unwrap();
    }
    to
}

#[test]
fn what_is_left_of_a_transaction_that_was_cut_off_is_not_taken_for_damage() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let begin = |folder: &Folder| {
        SqliteStore::open(&folder.0.join("wvgate.db"), sqlite::Options::default()).unwrap()
    };
    let commit = |store: &SqliteStore, key: &str, bytes: usize| {
        let write = Write::put(key, vec![b'x'; bytes]);
        runtime.block_on(store.commit(vec![write])).unwrap();
    };
    let first = Folder::new();
    let store = begin(&first);
    commit(&store, "a/1", 10);
    let log = |folder: &Folder| fs::read(folder.0.join("wvgate.db-wal")).unwrap();
    let before = log(&first).len();
    commit(&store, "a/2", 200_000);

    // Killed while the long one was written, and again after a short one.
    let second = copied(&first);
    let cut = log(&second)[..before + 15 * (8192 + 24)].to_vec();
    fs::write(second.0.join("wvgate.db-wal"), cut).unwrap();
    let store = begin(&second);
    commit(&store, "a/3", 10);
    let third = begin(&copied(&second));
    assert_eq!(
        all(&third).0.into_keys().collect::<Vec<_>>(),
        ["a/1", "a/3"]
    );

    // A power cut has left its end without its beginning, and the node is killed at once.
    let second = copied(&first);
    let mut torn = log(&second);
    torn[before + 1000] ^= 1;
    fs::write(second.0.join("wvgate.db-wal"), torn).unwrap();
    fs::write(second.0.join("wvgate.lock"), "1\nan-earlier-boot\n").unwrap();
    let _store = begin(&second);
    let third = begin(&copied(&second));
    assert_eq!(all(&third).0.into_keys().collect::<Vec<_>>(), ["a/1"]);
}

fn flip(path: &Path, needle: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(needle.len()).position(|part| part == needle);
    bytes[at.expect("it is in the file")] ^= 1;
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&bytes).unwrap();
}

#[test]
fn a_damaged_record_is_set_aside_told_and_counted_once() {
    let folder = Folder::new();
    let store = open(&folder.0).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let writes = vec![
        put("a/1", "an innocent"),
        put("a/2", "a victim"),
        put("a/3", "another"),
    ];
    runtime.block_on(store.commit(writes)).unwrap();
    drop(store);
    flip(&folder.0.join("wvgate.db"), b"a victim");

    let (store, log) = logged(|| open(&folder.0).unwrap());
    assert!(log.contains("a/2") && log.contains("aside"), "{log}");
    assert_eq!(store.stats().damaged, 1);
    let (records, aside) = all(&store);
    assert_eq!(records.into_keys().collect::<Vec<_>>(), ["a/1", "a/3"]);
    assert_eq!(aside, 1);
    drop(store);
    // The next start has nothing to tell, and the remains are still there.
    let store = open(&folder.0).unwrap();
    assert_eq!((store.stats().damaged, all(&store).1), (0, 1));
}

#[test]
fn a_damaged_key_does_not_hide_its_neighbours() {
    let folder = Folder::new();
    let store = open(&folder.0).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let writes = (0..20).map(|n| put(&format!("a/{n:02}"), "x")).collect();
    runtime.block_on(store.commit(writes)).unwrap();
    drop(store);
    let path = folder.0.join("wvgate.db");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|part| part == b"a/07").unwrap();
    // Far behind all others: a search would turn off before those that follow it here.
    bytes[at] = b'z';
    fs::write(&path, bytes).unwrap();
    let store = open(&folder.0).unwrap();
    let (records, aside) = all(&store);
    assert_eq!((records.len(), aside, store.stats().damaged), (19, 1, 1));
    assert!(!records.contains_key("a/07") && records.contains_key("a/08"));
}
