//! Nodes with several shards: so many as the environment says, for all tests.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use wvgate::store::{MemoryStore, Store};

/// Says how many shards the nodes of the tests have.
const SHARDS: &str = "WVGATE_TEST_SHARDS";

/// How many shards the nodes of the tests have.
pub(crate) fn shards() -> u16 {
    let named = std::env::var(SHARDS).ok();
    named.map_or(1, |number| number.parse().unwrap())
}

/// The stores of a node whose first one this is: the others are found again by it.
pub(crate) fn stores(first: &Arc<MemoryStore>) -> Vec<Arc<dyn Store>> {
    static OTHERS: Mutex<BTreeMap<usize, Vec<Arc<MemoryStore>>>> = Mutex::new(BTreeMap::new());
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    // It is kept, so no other one is ever in its place.
    let all = others
        .entry(Arc::as_ptr(first) as usize)
        .or_insert_with(|| {
            let others = (1..shards()).map(|_| Arc::new(MemoryStore::new()));
            std::iter::once(Arc::clone(first)).chain(others).collect()
        });
    all.iter()
        .map(|store| Arc::clone(store) as Arc<dyn Store>)
        .collect()
}

/// The program, with so many shards as the environment says, whatever machine this is.
pub(crate) fn divide(command: &mut Command) {
    divide_into(command, shards());
}

/// The program, with so many shards.
pub(crate) fn divide_into(command: &mut Command, shards: u16) {
    command.env("WVGATE_CONFIG_NODE__SHARDS", shards.to_string());
}
