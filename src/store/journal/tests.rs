use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::store::conformance::{Subject, suite};
use crate::store::{MemoryStore, load_all};

/// A directory of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wvgate-journal-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    fn open(&self, behind: &Arc<MemoryStore>, options: Options) -> JournalStore {
        JournalStore::open(&self.journal(), behind.clone(), options).unwrap()
    }

    fn files(&self) -> [PathBuf; 2] {
        [numbered(&self.journal(), 1), numbered(&self.journal(), 2)]
    }

    /// What a killed process leaves: the files as they are.
    fn copy_files_to(&self, other: &Folder) {
        for (from, to) in self.files().iter().zip(other.files()) {
            fs::copy(from, to).unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Passes on at once, or hardly ever.
fn eager() -> Options {
    Options {
        flush_after: Duration::ZERO,
        flush_bytes: 64,
        ..Options::default()
    }
}

fn lazy() -> Options {
    Options {
        flush_after: Duration::from_secs(3600),
        ..Options::default()
    }
}

fn subject(options: Options) -> Subject {
    let folder = Folder::new();
    let store = folder.open(&Arc::new(MemoryStore::new()), options);
    Subject::keeping(store, folder)
}

mod conforms_when_eager {
    use super::*;
    suite!(subject(eager()));
}

mod conforms_when_lazy {
    use super::*;
    suite!(subject(lazy()));
}

/// As on a disk with hardly any room.
fn cramped() -> Options {
    Options {
        reserve_bytes: u64::MAX,
        ..Options::default()
    }
}

mod conforms_without_room {
    use super::*;
    suite!(subject(cramped()));
}

#[tokio::test]
async fn without_room_commits_go_to_the_engine_at_once() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, cramped());
    store.commit(vec![Write::put("a", "1")]).await.unwrap();
    assert_eq!(behind.stats().commits, 1);
    behind.fail_next(StoreError::Full("as arranged".to_owned()));
    let refused = store.commit(vec![Write::put("b", "1")]).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert!(folder.files().iter().all(|file| !file.exists()));
}

async fn records(store: &dyn Store) -> Vec<(String, String)> {
    let mut records = Vec::new();
    load_all(store, "", |key, value| {
        records.push((key, String::from_utf8_lossy(&value).into_owned()));
        Ok(())
    })
    .await
    .unwrap();
    records
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_record_that_comes_and_goes_never_reaches_the_engine() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    for number in 0..100 {
        let key = format!("a/{number}");
        store.commit(vec![Write::put(&key, "x")]).await.unwrap();
        store.commit(vec![Write::delete(&key)]).await.unwrap();
    }
    store
        .commit(vec![Write::put("a/stays", "y")])
        .await
        .unwrap();
    // At the beginning it was told that there is a journal.
    assert_eq!(behind.stats().commits, 1);
    assert_eq!(store.stats().commits, 201);
    drop(store);
    assert_eq!(behind.stats().commits, 2);
    assert!(folder.files().iter().all(|file| !file.exists()));
    let store = folder.open(&behind, lazy());
    assert_eq!(records(&store).await, pairs(&[("a/stays", "y")]));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    for options in [lazy(), eager()] {
        let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
        let store = folder.open(&behind, options);
        for number in 0..50 {
            let writes = vec![
                Write::put(format!("a/{number:02}"), "x"),
                Write::put("a/last", number.to_string()),
            ];
            store.commit(writes).await.unwrap();
        }
        // The files of this moment, and the engine of this moment or later.
        let crashed = Folder::new();
        folder.copy_files_to(&crashed);
        drop(store);
        let store = crashed.open(&behind, lazy());
        let found = records(&store).await;
        assert_eq!(found.len(), 51);
        assert_eq!(found[50], ("a/last".to_owned(), "49".to_owned()));
    }
}

/// Where the file's frames begin, and how long one is with these writes.
fn frame_places(writes: usize) -> (usize, usize) {
    let begin = usize::try_from(segment::FRAMES).unwrap() + segment::HEAD;
    (begin, segment::HEAD + writes)
}

#[tokio::test]
async fn a_torn_frame_is_as_if_it_had_never_been_and_is_told() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    for value in ["1", "2", "3"] {
        let writes = vec![Write::put("a", value), Write::put("b", value)];
        store.commit(writes).await.unwrap();
    }
    let whole = fs::read(&folder.files()[0]).unwrap();
    let (begin, frame) = frame_places(2 * 11);
    for cut in 0..frame {
        let crashed = Folder::new();
        folder.copy_files_to(&crashed);
        let file = fs::OpenOptions::new()
            .write(true)
            .open(&crashed.files()[0])
            .unwrap();
        let at = begin + 2 * frame + cut;
        assert_ne!(whole[begin + 2 * frame], 0, "the third frame begins here");
        file.write_all_at(&vec![0xA5; frame - cut], at as u64)
            .unwrap();
        let behind = Arc::new(MemoryStore::new());
        let store = crashed.open(&behind, lazy());
        let found: Vec<_> = records(&store).await;
        let (aside, found): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(key, _)| key.starts_with(crate::store::aside::PREFIX));
        assert_eq!(found, pairs(&[("a", "2"), ("b", "2")]), "{cut}");
        assert_eq!((aside.len(), store.stats().damaged), (1, 1));
    }
}

#[tokio::test]
async fn a_damaged_frame_before_a_whole_one_is_refused_and_nothing_is_touched() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    for value in ["1", "2", "3"] {
        store.commit(vec![Write::put("a", value)]).await.unwrap();
    }
    let (begin, frame) = frame_places(11);
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    let path = &crashed.files()[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[begin + frame + 30] ^= 4;
    fs::write(path, &bytes).unwrap();
    let refused = JournalStore::open(&crashed.journal(), behind.clone(), lazy());
    let Err(StoreError::Corrupt(text)) = refused else {
        panic!("{refused:?}");
    };
    for word in [
        "journal.1",
        "entries 3 to 3 are missing",
        "1 whole ones with 1 records",
        "wvgate store repair",
        "--without-journal",
    ] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn a_power_cut_may_take_what_was_left_to_the_system_in_any_order() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    store.commit(vec![Write::put("a", "1")]).await.unwrap();
    for value in ["2", "3", "4"] {
        let soon = store.commit_soon(vec![Write::put("a", value)]);
        soon.await.unwrap();
    }
    let (begin, frame) = frame_places(11);
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    let path = &crashed.files()[0];
    let mut bytes = fs::read(path).unwrap();
    // The second of three is not there.
    bytes[begin + 2 * frame..begin + 3 * frame].fill(0);
    fs::write(path, &bytes).unwrap();
    // As long as the system was not started anew that is damage.
    assert!(JournalStore::open(&crashed.journal(), behind, lazy()).is_err());
    // In another start of the system it is what was allowed to be lost.
    for path in crashed.files() {
        let mut bytes = fs::read(&path).unwrap();
        segment::in_another_boot(&mut bytes);
        fs::write(&path, &bytes).unwrap();
    }
    let store = crashed.open(&Arc::new(MemoryStore::new()), lazy());
    assert_eq!(store.get("a").await.unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.stats().damaged, 1);
}

#[tokio::test]
async fn what_the_engine_has_already_is_not_committed_again() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    store.commit(vec![Write::put("a", "old")]).await.unwrap();
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    drop(store);
    // Another run, without these files, goes on.
    let store = folder.open(&behind, lazy());
    store.commit(vec![Write::put("a", "new")]).await.unwrap();
    drop(store);
    let store = crashed.open(&behind, lazy());
    assert_eq!(records(&store).await, pairs(&[("a", "new")]));
}

#[tokio::test]
async fn files_that_do_not_fit_the_engine_are_refused() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    drop(folder.open(&behind, lazy()));
    let store = folder.open(&behind, eager());
    for _ in 0..100 {
        store.commit(vec![Write::put("a", "x")]).await.unwrap();
        assert_eq!(store.get("a").await.unwrap().unwrap(), b"x");
    }
    let other = Folder::new();
    folder.copy_files_to(&other);
    // An engine that was set back to its beginning.
    let refused = JournalStore::open(&other.journal(), Arc::new(MemoryStore::new()), lazy());
    let Err(StoreError::Corrupt(text)) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        text.contains("journal.") && text.contains("restored") && text.contains("repair"),
        "{text}"
    );
}

#[tokio::test]
async fn an_engine_that_is_full_stops_the_journal_until_it_takes_something() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, eager());
    let full = || behind.fail_next(StoreError::Full("as arranged".to_owned()));
    full();
    store.commit(vec![Write::put("a", "1")]).await.unwrap();
    // The engine has refused it when nobody waited any more; now it refuses this one too.
    while !store.writer.lock().unwrap().is_passed_by() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    full();
    let refused = store.commit(vec![Write::put("b", "1")]).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert!(store.health().is_err());
    assert_eq!(records(&store).await, pairs(&[("a", "1")]));
    // A crash now loses nothing that was acknowledged.
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    let other = crashed.open(&Arc::new(MemoryStore::new()), lazy());
    assert_eq!(records(&other).await, pairs(&[("a", "1")]));
    // A deletion makes room.
    let room = vec![Write::delete("a"), Write::put("c", "1")];
    store.commit(room).await.unwrap();
    assert_eq!(store.health(), Ok(()));
    assert_eq!(records(&store).await, pairs(&[("c", "1")]));
    store.commit(vec![Write::put("d", "1")]).await.unwrap();
    drop(store);
    assert_eq!(
        records(behind.as_ref()).await[..2],
        pairs(&[("c", "1"), ("d", "1")])
    );
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_is_passed_by() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    store.commit(vec![Write::put("a", "1")]).await.unwrap();
    // A commit that no file may hold: its length does not fit into the number in the frame, or,
    // here, the files are gone and cannot be made again, so the engine gets the commits.
    fs::remove_dir_all(&folder.0).unwrap();
    let big = vec![b'x'; 3 << 20];
    store.commit(vec![Write::put("b", big)]).await.unwrap();
    drop(store);
    let keys: Vec<String> = records(behind.as_ref())
        .await
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys[..2], ["a", "b"]);
    assert_eq!(keys[2..], recovery::MARKS);
}

#[tokio::test]
async fn a_commit_may_be_left_to_the_system() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    store.commit_soon(vec![Write::put("a", "1")]).await.unwrap();
    store.commit(Vec::new()).await.unwrap();
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    let other = crashed.open(&Arc::new(MemoryStore::new()), lazy());
    assert_eq!(records(&other).await, pairs(&[("a", "1")]));
}

#[tokio::test]
async fn commits_with_and_without_waiting_for_the_disk_keep_their_order() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    let mut commits = Vec::new();
    for number in 0..300 {
        let write = || vec![Write::put("a", number.to_string())];
        // Some find the thread at work, some not.
        match number % 7 {
            0 => commits.push(store.commit(write())),
            _ => commits.push(store.commit_soon(write())),
        }
        if number % 10 == 0 {
            for commit in commits.drain(..) {
                commit.await.unwrap();
            }
        }
    }
    for commit in commits {
        commit.await.unwrap();
    }
    assert_eq!(store.get("a").await.unwrap().as_deref(), Some(&b"299"[..]));
    assert_eq!(store.stats().commits, 300);
    // And so they are found again.
    let after = Folder::new();
    folder.copy_files_to(&after);
    let store = after.open(&behind, lazy());
    assert_eq!(records(&store).await, pairs(&[("a", "299")]));
}

#[tokio::test]
async fn a_commit_that_waits_for_nothing_reaches_the_engine_in_time() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let options = Options {
        flush_after: Duration::from_millis(20),
        ..Options::default()
    };
    let store = folder.open(&behind, options);
    for number in ["1", "2"] {
        let commit = store.commit_soon(vec![Write::put("a", number)]);
        commit.await.unwrap();
        while behind.get("a").await.unwrap().as_deref() != Some(number.as_bytes()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_journal_of_the_first_version_is_taken_over() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    behind
        .commit(vec![Write::put(recovery::MARKS[0], "7")])
        .await
        .unwrap();
    // No header; a frame is length, checksum, sequence and payload.
    let mut file = Vec::new();
    for (sequence, value) in [(7_u64, b'o'), (8, b'1'), (9, b'2')] {
        let mut rest = sequence.to_le_bytes().to_vec();
        rest.extend_from_slice(&[1, 1, 0, 0, 0, b'a', 1, 0, 0, 0, value]);
        file.extend_from_slice(&11_u32.to_le_bytes());
        file.extend_from_slice(&crc32fast::hash(&rest).to_le_bytes());
        file.extend_from_slice(&rest);
    }
    file.resize(1 << 20, 0);
    fs::write(&folder.files()[0], file).unwrap();
    fs::write(&folder.files()[1], vec![0; 1 << 20]).unwrap();
    let store = folder.open(&behind, lazy());
    assert_eq!(records(&store).await, pairs(&[("a", "2")]));
    assert_eq!(store.stats().damaged, 0);
}

#[tokio::test]
async fn of_a_long_torn_frame_a_part_is_kept() {
    let (folder, behind) = (Folder::new(), Arc::new(MemoryStore::new()));
    let store = folder.open(&behind, lazy());
    let long = vec![Write::put("a", vec![b'x'; 200 << 10])];
    store.commit(long).await.unwrap();
    let crashed = Folder::new();
    folder.copy_files_to(&crashed);
    let path = &crashed.files()[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[100 << 10] ^= 1;
    fs::write(path, bytes).unwrap();
    let store = crashed.open(&Arc::new(MemoryStore::new()), lazy());
    let page = store.scan("", None, 10).await.unwrap();
    let [(_, kept)] = &page[..] else {
        panic!("{} records", page.len());
    };
    let (_, bytes) = crate::store::aside::read(kept).unwrap();
    assert_eq!(bytes.len(), 64 << 10);
}
