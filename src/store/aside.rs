//! Records set aside: what is damaged or cannot be understood is kept under another key, where it
//! keeps nobody from starting, until somebody has looked at it.
//!
//! The value of such a record is a line of JSON ([`Note`]), a line feed, and the bytes as they were
//! found.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Write, boot, described};
use crate::text::{Shown, cut};

/// What the keys of records set aside begin with.
pub const PREFIX: &str = "aside/";

/// So many are set aside of one store at most at one start: more is no accident of one record.
pub const MAX_RECORDS: usize = 10_000;
/// Bytes of the records that are kept aside, at most.
pub const MAX_BYTES: usize = 64 << 20;

/// Of a key so much is kept in the key of what is set aside.
const KEY_BYTES: usize = 200;

/// What is known of a record set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its key, as far as it can be read.
    pub key: String,
    /// Why it was set aside.
    pub why: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// The record that keeps `value`, which was found under `key`.
pub fn record(key: &str, value: &[u8], why: &str) -> (String, Vec<u8>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = boot::time();
    let note = Note {
        key: key.to_owned(),
        why: why.to_owned(),
        at: now.as_secs(),
    };
    // One that was set aside already keeps its own key, so that keys do not grow.
    let stamped = key
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('/'));
    let origin = stamped.map_or(key, |(_, origin)| origin);
    let short = cut(origin, KEY_BYTES);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let key = format!("{PREFIX}{:013}-{number:06}/{short}", now.as_millis());
    (key, described::written(&note, value))
}

/// The note and the bytes of a record set aside; `None` if it is none.
pub fn read(value: &[u8]) -> Option<(Note, &[u8])> {
    let (note, found) = described::parts(value);
    Some((serde_json::from_slice(note).ok()?, found?))
}

/// The writes that set a record aside.
pub fn writes(key: &str, value: &[u8], why: &str) -> [Write; 2] {
    let (kept, note) = record(key, value, why);
    [Write::put(kept, note), Write::delete(key)]
}

/// Sets records aside that passed their checksums and cannot be understood: key, value, and why.
/// Each is told in the log. Beyond [`MAX_RECORDS`] and [`MAX_BYTES`] they are told and stay where
/// they are.
///
/// # Errors
/// The store takes nothing.
pub async fn set_aside(
    store: &dyn Store,
    records: Vec<(String, Vec<u8>, String)>,
) -> Result<(), StoreError> {
    let mut bytes = 0;
    let mut batch = Vec::new();
    for (number, (key, value, why)) in records.iter().enumerate() {
        bytes += value.len();
        let fits = number < MAX_RECORDS && bytes <= MAX_BYTES;
        if fits {
            batch.extend(writes(key, value, why));
        }
        if number < TOLD {
            tell(key, why, fits);
        }
    }
    if records.len() > TOLD {
        tracing::error!(
            records = records.len(),
            "so many records cannot be used; see: wvgate store check"
        );
    }
    if batch.is_empty() {
        return Ok(());
    }
    store.commit(batch).await
}

/// So many are told in a line each.
pub(super) const TOLD: usize = 20;

/// One line in the log.
pub(super) fn tell(key: &str, why: &str, aside: bool) {
    let what = if aside {
        "was set aside"
    } else {
        "is passed over"
    };
    let key = Shown(key);
    tracing::error!(%key, why, "a record of the store cannot be used and {what}; see: wvgate store check");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_read_again() {
        let (key, value) = record("sap/session/1", b"\0\n{", "as arranged");
        assert!(key.starts_with(PREFIX) && key.ends_with("/sap/session/1"));
        let (note, bytes) = read(&value).unwrap();
        assert_eq!((note.key.as_str(), bytes), ("sap/session/1", &b"\0\n{"[..]));
        assert_eq!(note.why, "as arranged");
        let (again, _) = record(&key, &value, "again");
        assert_eq!(again.len(), key.len(), "{again}");
        let (long, _) = record(&"ü".repeat(1000), b"", "long");
        assert!(long.len() < 2 * KEY_BYTES);
    }
}
