//! Sessions by short messages in the store: each in the shard of its user, as long as it lasts.

use serde::{Deserialize, Serialize};

use crate::access::records::write_for;
use crate::element::Time;
use crate::node::NodeHandle;
use crate::store::{StoreError, Write, load_all};

/// How the keys of their records begin; the number of the phone follows.
const PREFIX: &str = "client/sms/";

/// What must be known of a session to go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The local part of the user's address.
    pub(super) user: String,
    /// The number as the gateway writes it.
    pub(super) to: String,
    /// The gateway from which the user came.
    pub(super) gateway: String,
    /// When the user said something last.
    pub(super) heard: Time,
}

/// All that were kept, by number. What cannot be read stays where it is, and is said.
pub(super) async fn all(node: &NodeHandle) -> Result<Vec<(String, Kept)>, StoreError> {
    let mut found = Vec::new();
    for store in node.stores() {
        let read = load_all(store.as_ref(), PREFIX, |name, value| {
            match (name.strip_prefix(PREFIX), serde_json::from_slice(&value)) {
                (Some(number), Ok(kept)) => found.push((number.to_owned(), kept)),
                (_, Err(error)) => {
                    tracing::warn!(record = name, "a session cannot be read: {error}");
                }
                (None, _) => {}
            }
            Ok(())
        });
        read.await?;
    }
    Ok(found)
}

/// Keeps a session.
pub(super) async fn keep(node: &NodeHandle, number: &str, kept: &Kept) {
    let write = Write::put_json(format!("{PREFIX}{number}"), kept);
    if write_for(node, &kept.user, write).await == Ok(false) {
        let user = &kept.user;
        tracing::warn!(
            user,
            "a session by short messages is not kept over a restart"
        );
    }
}

/// Forgets the session of a number.
pub(super) async fn forget(node: &NodeHandle, number: &str, user: &str) {
    let write = Write::delete(format!("{PREFIX}{number}"));
    if write_for(node, user, write).await == Ok(false) {
        tracing::warn!(
            user,
            "a session by short messages that is over is still kept"
        );
    }
}
