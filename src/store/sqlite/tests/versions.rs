//! Files of other versions of the schema.

use super::*;

#[test]
fn a_newer_schema_is_refused() {
    let directory = TestDirectory::new();
    drop(directory.open());
    let other = Connection::open(directory.database()).unwrap();
    let application: i64 = other
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .unwrap();
    assert_eq!(application, i64::from(u32::from_be_bytes(*b"WVGT")));
    other.pragma_update(None, "user_version", 4).unwrap();
    drop(other);
    let error = directory.open_error();
    assert!(
        matches!(&error, StoreError::Foreign(text) if text.contains("schema version 4")
            && text.contains("newer wvgate"))
    );
}

#[tokio::test]
async fn a_database_of_the_first_version_gets_checksums_and_keeps_everything() {
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.data()).unwrap();
    let old = Connection::open(directory.database()).unwrap();
    old.execute_batch(
        "CREATE TABLE record(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
         PRAGMA application_id = 0x57564754; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
         INSERT INTO record VALUES('a/1', X'0102'), ('a/2', X''), ('journal/applied', X'3137');",
    )
    .unwrap();
    drop(old);
    let store = directory.open();
    assert_eq!(store.get("a/1").await, Ok(Some(vec![1, 2])));
    assert_eq!(store.get("a/2").await, Ok(Some(Vec::new())));
    assert_eq!(store.stats().damaged, 0);
    store.commit(vec![Write::put("a/2", "new")]).await.unwrap();
    drop(store);
    let store = directory.open();
    assert_eq!(store.get("a/2").await, Ok(Some(b"new".to_vec())));
    assert_eq!(load_all(&store, "", |_, _| Ok(())).await, Ok(3));
}

#[tokio::test]
async fn a_database_of_the_second_version_keeps_everything_and_is_of_this_one_then() {
    let directory = TestDirectory::new();
    let store = directory.open();
    store.commit(vec![Write::put("a/1", "x")]).await.unwrap();
    drop(store);
    let other = Connection::open(directory.database()).unwrap();
    let version = || -> i32 {
        let version = other.pragma_query_value(None, "user_version", |row| row.get(0));
        version.unwrap()
    };
    assert_eq!(version(), 3);
    other.pragma_update(None, "user_version", 2).unwrap();
    let store = directory.open();
    assert_eq!(store.get("a/1").await, Ok(Some(b"x".to_vec())));
    assert_eq!(store.stats().damaged, 0);
    drop(store);
    assert_eq!(version(), 3);
}
