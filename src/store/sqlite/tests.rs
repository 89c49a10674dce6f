//! What only the `SQLite` engine does: files, groups, full disks, crashes.

mod versions;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use super::*;
use crate::store::conformance::{self, Subject};
use crate::store::load_all;

conformance::suite!({
    let directory = TestDirectory::new();
    let options = Options {
        relaxed: true,
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    Subject::keeping(store, directory)
});

/// A place for one database; removed on drop.
struct TestDirectory(PathBuf);

impl TestDirectory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wvgate-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("data/wvgate.db")
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.database(), Options::default()).unwrap()
    }

    fn open_error(&self) -> StoreError {
        SqliteStore::open(&self.database(), Options::default()).unwrap_err()
    }

    /// The database as it is on disk now, opened as after a crash.
    fn copy(&self) -> Self {
        let copy = Self::new();
        fs::create_dir_all(copy.data()).unwrap();
        for name in ["wvgate.db", "wvgate.db-wal"] {
            fs::copy(self.data().join(name), copy.data().join(name)).unwrap();
        }
        copy
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let directory = TestDirectory::new();
    let store = directory.open();
    store.commit(vec![Write::put("a/1", "x")]).await.unwrap();
    drop(store);
    let store = directory.open();
    assert_eq!(store.path(), directory.database());
    assert_eq!(store.get("a/1").await, Ok(Some(b"x".to_vec())));
}

#[tokio::test]
async fn dropping_writes_what_is_queued_and_empties_the_log() {
    let directory = TestDirectory::new();
    let store = directory.open();
    let commits: Vec<_> = (0..500)
        .map(|n| store.commit(vec![Write::put(format!("a/{n}"), "x")]))
        .collect();
    drop(store);
    for commit in commits {
        assert_eq!(commit.await, Ok(()));
    }
    assert!(!directory.data().join("wvgate.db-wal").exists());
    let store = directory.open();
    assert_eq!(load_all(&store, "a/", |_, _| Ok(())).await, Ok(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_commits_share_transactions() {
    let directory = TestDirectory::new();
    let store = Arc::new(directory.open());
    let producers: Vec<_> = (0..200)
        .map(|producer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..10 {
                    let key = format!("a/{producer}/{n}");
                    store.commit(vec![Write::put(key, "x")]).await.unwrap();
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!(
        (stats.commits, stats.records, stats.failed),
        (2000, 2000, 0)
    );
    assert!(stats.transactions < 1000, "{stats:?}");
}

#[tokio::test]
async fn groups_keep_to_their_bounds() {
    let directory = TestDirectory::new();
    let options = Options {
        group_commits: 10,
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    let commits: Vec<_> = (0..100)
        .map(|n| store.commit(vec![Write::put(format!("a/{n}"), "x")]))
        .collect();
    for commit in commits {
        commit.await.unwrap();
    }
    assert!(store.stats().transactions >= 10);
    drop(store);

    let options = Options {
        group_bytes: 1,
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    let commits: Vec<_> = (0..20)
        .map(|n| store.commit(vec![Write::put(format!("a/{n}"), "x")]))
        .collect();
    for commit in commits {
        commit.await.unwrap();
    }
    assert_eq!(store.stats().transactions, 20);
}

#[tokio::test]
async fn a_full_database_refuses_and_recovers() {
    let directory = TestDirectory::new();
    let options = Options {
        max_bytes: Some(256 << 10),
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    let large = |n: u32| vec![Write::put(format!("a/{n:03}"), vec![0; 16 << 10])];
    let mut kept = 0;
    let error = loop {
        match store.commit(large(kept)).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100);
    };
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert_eq!(store.health(), Err(error));
    assert_eq!(store.stats().failed, 1);
    // Nothing of a batch that does not fit is there, not even what would have fitted.
    let mut batch = vec![Write::put("b/small", "x"), Write::delete("a/000")];
    batch.extend(large(500));
    batch.extend(large(501));
    let error = store.commit(batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert_eq!(store.get("b/small").await, Ok(None));
    let count = load_all(&store, "", |_, _| Ok(())).await;
    assert_eq!(count, Ok(u64::from(kept)));

    // A deletion passes though what is queued around it does not fit, and makes room.
    let too_much = store.commit(large(600));
    let deletion = store.commit((0..3).map(|n| Write::delete(format!("a/{n:03}"))).collect());
    let swap = store.compare_and_set("a/003", None, None);
    let now_fits = store.commit(large(601));
    assert!(matches!(too_much.await, Err(StoreError::Full(_))));
    assert_eq!(deletion.await, Ok(()));
    assert_eq!(swap.await, Ok(false));
    assert_eq!(now_fits.await, Ok(()));
    assert_eq!(store.health(), Ok(()));
}

#[tokio::test]
async fn the_last_room_is_not_for_new_work() {
    let directory = TestDirectory::new();
    let options = Options {
        max_bytes: Some(256 << 10),
        reserve_bytes: 64 << 10,
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    let large = |n: u32| vec![Write::put(format!("a/{n}"), vec![0; 16 << 10])];
    let mut kept = 0;
    while store.has_room() {
        store.commit(large(kept)).await.unwrap();
        // It is said after the commit is answered.
        store.commit(Vec::new()).await.unwrap();
        kept += 1;
        assert!(kept < 16);
    }
    assert!(kept > 8, "{kept}");
    store.commit(vec![Write::put("b", "small")]).await.unwrap();
    let deletion = (0..4).map(|n| Write::delete(format!("a/{n}"))).collect();
    store.commit(deletion).await.unwrap();
    store.commit(Vec::new()).await.unwrap();
    assert!(store.has_room());

    // A disk of which nothing may be used.
    let directory = TestDirectory::new();
    let options = Options {
        reserve_bytes: u64::MAX,
        ..Options::default()
    };
    let store = SqliteStore::open(&directory.database(), options).unwrap();
    assert_eq!(store.commit(large(0)).await, Ok(()));
    assert!(!store.has_room());
}

#[tokio::test]
async fn a_damaged_table_fails_commits_but_not_the_thread() {
    let directory = TestDirectory::new();
    let store = directory.open();
    let other = Connection::open(directory.database()).unwrap();
    other
        .execute_batch("ALTER TABLE record RENAME TO gone")
        .unwrap();
    let put = || vec![Write::put("a/1", "x")];
    let error = store.commit(put()).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
    assert_eq!(store.health(), Err(error));
    assert!(store.get("a/1").await.is_err());
    other
        .execute_batch("ALTER TABLE gone RENAME TO record")
        .unwrap();
    assert_eq!(store.commit(put()).await, Ok(()));
    assert_eq!(store.health(), Ok(()));
    assert_eq!(store.get("a/1").await, Ok(Some(b"x".to_vec())));
}

#[tokio::test]
async fn files_are_private() {
    let directory = TestDirectory::new();
    let store = directory.open();
    store.commit(vec![Write::put("a/1", "x")]).await.unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.data()), 0o700);
    for name in ["wvgate.db", "wvgate.db-wal", "wvgate.db-shm", "wvgate.lock"] {
        assert_eq!(mode(directory.data().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_data_directory_has_one_owner() {
    let directory = TestDirectory::new();
    let store = directory.open();
    let text = directory.open_error().to_string();
    let lock = directory.data().join("wvgate.lock");
    assert!(text.contains(lock.to_str().unwrap()), "{text}");
    let process = format!("process {}", std::process::id());
    assert!(text.contains(&process), "{text}");
    drop(store);
    directory.open();
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.data()).unwrap();
    let path = directory.database();

    fs::write(&path, "this is a text of some length, no database at all").unwrap();
    let before = fs::read(&path).unwrap();
    let error = directory.open_error();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("wvgate.db")));
    assert_eq!(fs::read(&path).unwrap(), before);

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE other(x); PRAGMA user_version = 1")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = directory.open_error();
    assert!(matches!(&error, StoreError::Foreign(text) if text.contains("no store of wvgate")));
    assert_eq!(fs::read(&path).unwrap(), before);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(directory.open_error(), StoreError::Io(_)));
}

#[tokio::test]
async fn an_operator_can_read_along() {
    let directory = TestDirectory::new();
    let store = directory.open();
    store.commit(vec![Write::put("a/1", "x")]).await.unwrap();
    let operator = Connection::open(directory.database()).unwrap();
    operator.execute_batch("BEGIN").unwrap();
    let count = || -> i64 {
        operator
            .query_row("SELECT count(*) FROM record", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(), 1);
    store.commit(vec![Write::put("a/2", "x")]).await.unwrap();
    assert_eq!(count(), 1);
    operator.execute_batch("COMMIT").unwrap();
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn acknowledged_commits_are_on_disk_already() {
    let directory = TestDirectory::new();
    let store = directory.open();
    for n in 0..20_u32 {
        store
            .commit(vec![Write::put(format!("a/{n}"), "x")])
            .await
            .unwrap();
        let copy = directory.copy();
        let count = load_all(&copy.open(), "a/", |_, _| Ok(())).await;
        assert_eq!(count, Ok(u64::from(n) + 1));
    }
}

/// Where the child of the crash test finds its database.
const CHILD: &str = "WVGATE_TEST_STORE_CHILD";

/// Not a test by itself: the child process of the crash test, which writes until it is killed and
/// prints the number of each acknowledged commit.
#[tokio::test]
#[ignore = "only run as a child of the crash test"]
async fn child_that_writes_until_it_is_killed() {
    let path = PathBuf::from(std::env::var_os(CHILD).expect("started by the crash test"));
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    for round in 0_u32.. {
        let commits: Vec<_> = (0..10)
            .map(|n| {
                let number = round * 10 + n;
                let pair = ["a", "b"].map(|half| Write::put(format!("{half}/{number:08}"), "x"));
                (number, store.commit(pair.to_vec()))
            })
            .collect();
        for (number, commit) in commits {
            commit.await.unwrap();
            println!("acknowledged {number}");
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged_and_tears_no_batch() {
    let directory = TestDirectory::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("store::sqlite::tests::child_that_writes_until_it_is_killed")
        .env(CHILD, directory.database())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: &str| line.strip_prefix("acknowledged ")?.parse::<u64>().ok();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 300 {
        let line = lines.next().expect("the child ended early").unwrap();
        acknowledged.extend(number(&line));
    }
    // SIGKILL; what it had printed by then counts too.
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| number(&line)));

    let store = directory.open();
    let mut halves = [Vec::new(), Vec::new()];
    for (half, found) in ["a/", "b/"].into_iter().zip(&mut halves) {
        load_all(&store, half, |key, _| {
            found.push(key[2..].parse::<u64>().unwrap());
            Ok(())
        })
        .await
        .unwrap();
    }
    let [first, second] = halves;
    assert_eq!(first, second);
    assert!(first.len() >= acknowledged.len());
    assert!(acknowledged.iter().all(|n| first.binary_search(n).is_ok()));
    // Applied in the order of the calls: there is no gap.
    assert_eq!(first.last(), Some(&(first.len() as u64 - 1)));
}

#[test]
fn a_database_of_which_very_much_is_damaged_is_refused() {
    let directory = TestDirectory::new();
    drop(directory.open());
    let other = Connection::open(directory.database()).unwrap();
    let most = crate::store::aside::MAX_RECORDS;
    let spoil = |from: usize, to: usize| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
            INSERT INTO record SELECT printf('a/%05d', i), X'00', 1 FROM n";
        other.execute(sql, (from, to)).unwrap();
    };
    spoil(1, most + 1);
    let error = directory.open_error();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("wvgate.db")));
    other
        .execute("DELETE FROM record WHERE key = 'a/00001'", [])
        .unwrap();
    assert_eq!(directory.open().stats().damaged, most as u64);
}

#[tokio::test]
async fn what_is_damaged_while_the_store_is_open_is_passed_over_and_counted() {
    let directory = TestDirectory::new();
    let store = directory.open();
    let writes = (0..5).map(|n| Write::put(format!("a/{n}"), "x")).collect();
    store.commit(writes).await.unwrap();
    let other = Connection::open(directory.database()).unwrap();
    other
        .execute(
            "UPDATE record SET value = X'79' WHERE key IN ('a/1', 'a/4')",
            [],
        )
        .unwrap();
    let error = store.get("a/1").await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("a/1")));
    // A page has as many as were asked for all the same.
    let keys = |page: Vec<(String, Vec<u8>)>| -> Vec<String> {
        page.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(
        keys(store.scan("a/", None, 2).await.unwrap()),
        ["a/0", "a/2"]
    );
    let rest = store.scan("a/", Some("a/2"), 2).await.unwrap();
    assert_eq!(keys(rest), ["a/3"]);
    assert_eq!(store.stats().damaged, 3);
    assert_eq!(store.health(), Ok(()));
}
