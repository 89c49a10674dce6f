//! Records that are read again while the node runs: what waits for long is on disk only.

use std::collections::BTreeMap;

/// Records to be read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Comes back with what was read; never used twice in one run.
    pub number: u64,
    /// The records' keys, each with what it means to whoever asks.
    pub keys: Vec<(u64, String)>,
}

/// What the store has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The number of the [`Load`].
    pub number: u64,
    /// The records, each with what it means to whoever asked.
    pub records: Vec<(u64, Found)>,
}

/// What the store has said of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The record that was read.
    Record(Vec<u8>),
    /// It is not there, or damaged: in words.
    Damaged(String),
    /// It can't be read now: in words.
    Later(String),
}

impl Found {
    /// A record in memory: for worlds without a store.
    pub fn in_memory(disk: &BTreeMap<String, Vec<u8>>, key: &str) -> Self {
        match disk.get(key) {
            Some(record) => Self::Record(record.clone()),
            None => Self::Damaged("there is no such record".to_owned()),
        }
    }
}
