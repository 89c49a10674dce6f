//! Reads everything once before the store is used: a record whose checksum is wrong is set aside, a
//! file whose structure is damaged is refused.

use std::path::Path;
use std::thread;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::file::{OpenError, connect};
use super::schema;
use super::sum::{self, Damaged, Row};
use crate::store::aside;

const ALL: &str = "SELECT key, value, sum FROM record";

/// Verifies all records and the structure of the file at `path`; says how many records were set
/// aside.
pub(super) fn verify(connection: &mut Connection, path: &Path) -> Result<u64, OpenError> {
    if !schema::is_as_made(connection)? {
        return Err(OpenError::Damaged("its schema has changed".to_owned()));
    }
    // Each goes through the whole file, which may be large, so both go at once.
    let (damaged, structured) = thread::scope(|scope| {
        let looking = scope.spawn(|| structure(&connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?));
        (walk(connection), looking.join().ok())
    });
    let damaged = damaged?;
    match structured {
        Some(structured) if damaged.is_empty() => structured?,
        _ => {
            if !damaged.is_empty() {
                set_aside(connection, &damaged)?;
            }
            structure(connection)?;
        }
    }
    let told = damaged.len().min(aside::TOLD);
    for record in &damaged[..told] {
        aside::tell(&record.key_text(), record.why, true);
    }
    if damaged.len() > told {
        let records = damaged.len();
        tracing::error!(
            records,
            "so many records were damaged; see: wvgate store check"
        );
    }
    Ok(damaged.len() as u64)
}

/// Goes through all records in the order of the file: the damaged ones.
pub(super) fn walk(connection: &Connection) -> Result<Vec<Damaged>, OpenError> {
    let mut damaged = Vec::new();
    let (mut last, mut bytes) = (None::<String>, 0);
    let mut select = connection.prepare(ALL)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        match sum::check(row)? {
            Row::Good(key, _) => {
                if last.as_deref().is_some_and(|last| last >= key) {
                    return Err(OpenError::Damaged(
                        "its records are out of order".to_owned(),
                    ));
                }
                last = Some(key.to_owned());
            }
            Row::Damaged(record) => {
                bytes += record.value.len();
                damaged.push(record);
            }
        }
        if damaged.len() > aside::MAX_RECORDS || bytes > aside::MAX_BYTES {
            return Err(OpenError::Damaged(format!(
                "more than {} of its records are damaged",
                damaged.len() - 1
            )));
        }
    }
    Ok(damaged)
}

/// Moves damaged records out of the way. Where one can't be found by its key any more, the table is
/// written anew.
fn set_aside(connection: &mut Connection, damaged: &[Damaged]) -> Result<(), OpenError> {
    if remove(connection, damaged)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    schema::rebuild(&transaction, ALL, |row, put| match sum::check(row)? {
        Row::Good(key, value) => put(key, value),
        Row::Damaged(record) => {
            let (key, value) = aside::record(&record.key_text(), &record.value, record.why);
            put(&key, &value)
        }
    })?;
    Ok(transaction.commit()?)
}

/// Moves them record by record; false if that does not do.
fn remove(connection: &mut Connection, damaged: &[Damaged]) -> Result<bool, OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for record in damaged {
        let removed = transaction
            .prepare_cached("DELETE FROM record WHERE key = CAST(?1 AS TEXT)")?
            .execute([&record.key])?;
        if removed != 1 {
            return Ok(false);
        }
        let (key, value) = aside::record(&record.key_text(), &record.value, record.why);
        transaction
            .prepare_cached("INSERT INTO record VALUES(?1, ?2, ?3)")?
            .execute((&key, &value, sum::of(key.as_bytes(), &value)))?;
    }
    // One of them may have been found where another one is that is good.
    let good = walk(&transaction)?.is_empty();
    if good {
        transaction.commit()?;
    }
    Ok(good)
}

/// What `SQLite` itself can find out about its pages.
pub(super) fn structure(connection: &Connection) -> Result<(), OpenError> {
    let mut check = connection.prepare("PRAGMA quick_check(3)")?;
    let found: Vec<String> = check
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if found == ["ok"] {
        return Ok(());
    }
    Err(OpenError::Damaged(found.join("; ").replace('\n', " ")))
}
