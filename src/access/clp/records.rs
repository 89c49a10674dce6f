//! Sessions by short messages in the store: each in the shard of its user, as long as it lasts.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::records::write_for;
use crate::element::Time;
use crate::imps::Address;
use crate::node::NodeHandle;
use crate::store::{StoreError, Write, load_all};

/// How the keys of their records begin; the number of the phone follows.
const PREFIX: &str = "client/sms/";
/// How exactly the time is kept at which a phone said something.
const ROUGHLY: Duration = Duration::from_secs(600);

/// What must be known of a session to go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The local part of the user's address.
    pub(super) user: String,
    /// The number as the gateway writes it.
    pub(super) to: String,
    /// The gateway from which the user came.
    pub(super) gateway: String,
    /// When the user said something last; a little more than ten minutes may be missing.
    pub(super) heard: Time,
    /// To whom a line without slash goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partner: Option<Address>,
    /// Whether that is all who are on a contact list of the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    to_list: bool,
}

impl Kept {
    /// The session of a user, whose answers go to a number through a gateway, who said something
    /// at this time.
    pub(super) fn of(user: &str, (to, gateway): (&str, &str), heard: Time) -> Self {
        Self {
            user: user.to_owned(),
            to: to.to_owned(),
            gateway: gateway.to_owned(),
            heard,
            partner: None,
            to_list: false,
        }
    }

    /// The same, in which a line without slash goes to them.
    pub(super) fn writing_to(self, partner: Option<(&Address, bool)>) -> Self {
        Self {
            partner: partner.map(|(partner, _)| partner.clone()),
            to_list: partner.is_some_and(|(_, is_list)| is_list),
            ..self
        }
    }

    /// To whom a line without slash goes, and whether that is a contact list.
    pub(super) fn partner(&self) -> Option<(Address, bool)> {
        Some((self.partner.clone()?, self.to_list))
    }

    /// Whether nothing is lost that counts if this is kept in the place of another.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        let at_my_time = Self {
            heard: self.heard,
            ..other.clone()
        };
        *self == at_my_time && other.heard.after(self.heard) < ROUGHLY
    }
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

/// Keeps a session; whether it is on disk.
pub(super) async fn keep(node: &NodeHandle, number: &str, kept: &Kept) -> bool {
    let write = Write::put_json(format!("{PREFIX}{number}"), kept);
    let is_kept = write_for(node, &kept.user, write).await;
    if is_kept == Ok(false) {
        let user = &kept.user;
        tracing::warn!(
            user,
            "a session by short messages is not kept over a restart"
        );
    }
    is_kept == Ok(true)
}

/// Forgets the session of a number; whether that is on disk.
pub(super) async fn forget(node: &NodeHandle, number: &str, user: &str) -> bool {
    let write = Write::delete(format!("{PREFIX}{number}"));
    let is_forgotten = write_for(node, user, write).await;
    if is_forgotten == Ok(false) {
        tracing::warn!(
            user,
            "a session by short messages that is over is still kept"
        );
    }
    is_forgotten == Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_kept_roughly_against_what_was_kept_and_all_else_exactly() {
        let at = |minutes: u64| {
            let heard = Time(0).plus_seconds(minutes * 60);
            Kept::of("alice", ("+15550100", "kannel"), heard)
        };
        // Whoever writes every nine minutes is kept as well.
        let mut kept = at(0);
        let mut writes = Vec::new();
        for minutes in (9..=45).step_by(9) {
            if !kept.is_about(&at(minutes)) {
                kept = at(minutes);
                writes.push(minutes);
            }
        }
        assert_eq!(writes, [18, 36]);
        let bob = Address::new("bob@b.test");
        let to_bob = at(0).writing_to(Some((&bob, false)));
        assert!(!at(0).is_about(&to_bob) && to_bob.is_about(&to_bob));
        assert!(!to_bob.is_about(&at(0).writing_to(Some((&bob, true)))));
        let json = serde_json::to_string(&to_bob).unwrap();
        let read: Kept = serde_json::from_str(&json).unwrap();
        assert_eq!(read.partner(), Some((bob, false)));
    }

    #[test]
    fn a_record_without_a_partner_is_read() {
        let json = r#"{"user":"alice","to":"+15550100","gateway":"kannel","heard":5}"#;
        let read: Kept = serde_json::from_str(json).unwrap();
        assert_eq!(read, Kept::of("alice", ("+15550100", "kannel"), Time(5)));
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
