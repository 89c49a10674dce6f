//! Sessions in the store: each in the shard of its user, as long as it lives.

use super::key::Key;
use crate::client::session::Record;
use crate::node::{Gone, NodeHandle};
use crate::store::{StoreError, Write, load_all};

/// How the keys of their records begin.
const PREFIX: &str = "client/session/";

/// All that were kept. What cannot be read stays where it is, and is said.
pub(super) async fn all(node: &NodeHandle) -> Result<Vec<(Key, Record)>, StoreError> {
    let mut found = Vec::new();
    for store in node.stores() {
        let read = load_all(store.as_ref(), PREFIX, |name, value| {
            let key = name.strip_prefix(PREFIX).and_then(Key::parse);
            match (key, serde_json::from_slice(&value)) {
                (Some(key), Ok(record)) => found.push((key, record)),
                (_, Err(error)) => {
                    tracing::warn!(record = name, "a session cannot be read: {error}");
                }
                (None, _) => tracing::warn!(record = name, "a session has no key"),
            }
            Ok(())
        });
        read.await?;
    }
    Ok(found)
}

/// Keeps a session; whether it is on disk.
pub(super) async fn keep(node: &NodeHandle, key: Key, record: &Record) -> Result<bool, Gone> {
    let write = Write::put_json(format!("{PREFIX}{}", key.to_hex()), record);
    write_for(node, &record.user, write).await
}

/// Forgets a session of a user; whether that is on disk.
pub(super) async fn forget(node: &NodeHandle, key: Key, user: &str) -> Result<bool, Gone> {
    let write = Write::delete(format!("{PREFIX}{}", key.to_hex()));
    write_for(node, user, write).await
}

/// Writes a record in the shard of a user; whether it is on disk.
pub(super) async fn write_for(node: &NodeHandle, user: &str, write: Write) -> Result<bool, Gone> {
    let shard = node.shard_of_user(user);
    let written = node.change_in(shard, |_, _, turn| turn.writes.push(write));
    Ok(written.await?.is_some())
}
