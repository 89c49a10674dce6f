//! The checksum kept beside each record.

use rusqlite::types::ValueRef;

/// Of key and value (CRC-32, so that it fits what `SQLite` calls an integer). It covers the key, so
/// that a value does not pass under another one.
pub(super) fn of(key: &[u8], value: &[u8]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    i64::from(hasher.finalize())
}

/// A row as it was found: what is good of it, or its bytes and what is wrong.
pub(super) enum Row<'a> {
    Good(&'a str, &'a [u8]),
    Damaged(Damaged),
}

/// What is left of a damaged record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damaged {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) why: &'static str,
}

impl Damaged {
    /// The key as far as it can be read.
    pub(super) fn key_text(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }
}

/// Looks at the columns key, value and sum.
pub(super) fn check<'a>(row: &'a rusqlite::Row<'_>) -> rusqlite::Result<Row<'a>> {
    let (key, value, sum) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
    let why = match (key, value, sum) {
        (ValueRef::Text(key), ValueRef::Blob(value), ValueRef::Integer(sum)) => {
            match std::str::from_utf8(key) {
                Ok(text) if of(key, value) == sum => return Ok(Row::Good(text, value)),
                _ => "its checksum is wrong",
            }
        }
        _ => "its columns are not of the right kind",
    };
    Ok(Row::Damaged(Damaged {
        key: bytes(key),
        value: bytes(value),
        why,
    }))
}

fn bytes(column: ValueRef<'_>) -> Vec<u8> {
    match column {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Null => Vec::new(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
    }
}
