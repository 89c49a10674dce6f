//! The table, its versions, and the way from an older one.

use rusqlite::{Connection, TransactionBehavior};

use super::file::OpenError;
use super::sum;

/// Marks the file as ours (`PRAGMA application_id`): "WVGT".
pub(super) const APPLICATION_ID: i32 = 0x5756_4754;

/// The schema that this program writes (`PRAGMA user_version`). Version 1: the table `record`
/// without checksums. Version 2: with them. Version 3: the same, with values that programs of version
/// 2 do not read (what is packed).
pub(super) const SCHEMA_VERSION: i32 = 3;

/// The first version whose records have checksums.
pub(super) const WITH_SUMS: i32 = 2;

const COLUMNS: &str =
    "(key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID";

/// Bytes of a page of a new file. A record stays in one piece up to a quarter of it, a message of
/// the usual size with what describes it among them; a larger one takes pages of its own. With
/// `SQLite`'s 4096 such messages take a page each, three times the file.
pub(super) const PAGE_BYTES: i64 = 8192;

/// Makes the tables of an empty file.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(&format!("CREATE TABLE record{COLUMNS}"))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// The schema version of the file; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<i32, OpenError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version, objects) {
        (APPLICATION_ID, 1..=SCHEMA_VERSION, _) => Ok(version),
        (APPLICATION_ID, newer, _) if newer > SCHEMA_VERSION => Err(OpenError::Newer(newer)),
        (0, 0, 0) => Ok(0),
        _ => Err(OpenError::Foreign),
    }
}

/// Says that the file is of this program's version, which keeps older programs away. Its table is that
/// of today already.
pub(super) fn say_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)
}

/// Gives the records of version 1 their checksums, all or none.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    rebuild(&transaction, "SELECT key, value FROM record", |row, put| {
        let (key, value) = (row.get_ref(0)?.as_bytes(), row.get_ref(1)?.as_bytes());
        let (Ok(key), Ok(value)) = (key, value) else {
            return Ok(());
        };
        put(&String::from_utf8_lossy(key), value)
    })?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Writes the table anew with what `each` puts of the rows.
pub(super) fn rebuild(
    connection: &Connection,
    select: &str,
    mut each: impl FnMut(
        &rusqlite::Row<'_>,
        &mut dyn FnMut(&str, &[u8]) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("CREATE TABLE anew{COLUMNS}"))?;
    let mut insert = connection.prepare("INSERT OR REPLACE INTO anew VALUES(?1, ?2, ?3)")?;
    let mut put = |key: &str, value: &[u8]| {
        let row = (key, value, sum::of(key.as_bytes(), value));
        insert.execute(row).map(drop)
    };
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row, &mut put)?;
    }
    drop(rows);
    drop((select, insert));
    connection.execute_batch("DROP TABLE record; ALTER TABLE anew RENAME TO record")
}

/// Whether the table is the one that this program makes; a letter of it that has changed may
/// change what its columns take.
pub(super) fn is_as_made(connection: &Connection) -> rusqlite::Result<bool> {
    let mut select = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")?;
    let mut rows = select.query([])?;
    let mut tables = 0;
    while let Some(row) = rows.next()? {
        let text = |column| row.get::<_, Option<String>>(column);
        let (kind, name, table, sql) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let made = format!("CREATE TABLE record{COLUMNS}");
        let sql = sql.unwrap_or_default().replace("\"record\"", "record");
        let ours = [kind, name, table]
            .iter()
            .flatten()
            .eq(["table", "record", "record"]);
        if !ours || sql != made {
            return Ok(false);
        }
        tables += 1;
    }
    Ok(tables == 1)
}
