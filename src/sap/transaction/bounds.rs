//! How many rows of the Transaction Table are kept: in number and in bytes.

use std::collections::{BTreeMap, HashMap};

use super::table::{Sum, Table};
use crate::element::Time;
use crate::sap::settings::Shards;

/// Answered requests remembered at most, whatever the duplicate window, by all shards together.
/// Our choice.
const REMEMBERED: Sum = Sum {
    number: 250_000,
    bytes: 256 * 1024 * 1024,
};

/// Rows of the table that may be forgotten before their time, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Forgettable {
    /// By origin: answered requests, and when each is forgotten.
    answered: HashMap<String, BTreeMap<u64, Time>>,
    /// Taken over, and the next hop has them; with their bytes.
    lingering: BTreeMap<u64, usize>,
    lingering_bytes: usize,
}

impl Forgettable {
    /// Frees what a row took.
    pub(super) fn gone(&mut self, origin: &str, number: u64) {
        self.lingering_bytes -= self.lingering.remove(&number).unwrap_or_default();
        if let Some(rows) = self.answered.get_mut(origin) {
            rows.remove(&number);
        }
    }

    /// A row was answered and is remembered until then.
    pub(super) fn answered(&mut self, origin: &str, number: u64, until: Time) {
        let rows = self.answered.entry(origin.to_owned()).or_default();
        rows.insert(number, until);
    }

    /// Takes the oldest answered row that has to go for others, with the time until which
    /// it was to be remembered.
    pub(super) fn too_old(&mut self, table: &Table, shards: Shards) -> Option<(u64, Time)> {
        let origin = table.remembers_too_much(Sum {
            number: shards.share(REMEMBERED.number),
            bytes: shards.share(REMEMBERED.bytes),
        })?;
        self.answered.get_mut(origin)?.pop_first()
    }

    /// A row of so many bytes was taken over, and the next hop has it.
    pub(super) fn lingers(&mut self, number: u64, bytes: usize) {
        let before = self.lingering.insert(number, bytes);
        self.lingering_bytes += bytes;
        self.lingering_bytes -= before.unwrap_or_default();
    }

    /// The oldest of these, if it has to go for others.
    pub(super) fn lingers_too_long(&self, most: Sum) -> Option<u64> {
        let too_many = self.lingering.len() > most.number || self.lingering_bytes > most.bytes;
        let oldest = self.lingering.first_key_value();
        oldest.map(|(number, _)| *number).filter(|_| too_many)
    }
}
