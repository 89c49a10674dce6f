//! What XMPP users have chosen at the gateway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{PREFERENCE, read};
use super::shares::{Most, Shares, domain_of};
use crate::store::Write;

/// Users who have chosen something, and bytes of their addresses; our choice.
const MOST: Most = Most {
    items: 20_000,
    bytes: 4 << 20,
};

/// What one has chosen; one record, unless it is what everybody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Preference {
    /// To be told when an encrypted message could not be read.
    pub(super) hints: bool,
    /// That what is at a link is fetched for its recipient, where the operator allows it.
    pub(super) files: bool,
}

impl Default for Preference {
    fn default() -> Self {
        Self {
            hints: true,
            files: true,
        }
    }
}

/// What all have chosen, by bare JID.
#[derive(Debug)]
pub(super) struct Preferences {
    of: BTreeMap<String, Preference>,
    shares: Shares,
}

impl Preferences {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            of: BTreeMap::new(),
            shares: Shares::new(own),
        }
    }

    /// Takes back a record; `jid` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, jid: &str, value: &[u8]) -> Result<(), String> {
        let preference = read(value)?;
        self.shares.add(domain_of(jid), jid.len());
        self.of.insert(jid.to_owned(), preference);
        Ok(())
    }

    pub(super) fn of(&self, jid: &str) -> Preference {
        self.of.get(jid).copied().unwrap_or_default()
    }

    /// Notes what somebody has chosen; what is to be written for it, or nothing where there is no
    /// room.
    pub(super) fn set(&mut self, jid: &str, preference: Preference) -> Option<Write> {
        let key = format!("{PREFERENCE}{jid}");
        let domain = domain_of(jid);
        if preference == Preference::default() {
            if self.of.remove(jid).is_some() {
                self.shares.remove(domain, jid.len());
            }
            return Some(Write::delete(key));
        }
        if !self.of.contains_key(jid) {
            if !self.shares.have_room(domain, jid.len(), MOST) {
                return None;
            }
            self.shares.add(domain, jid.len());
        }
        self.of.insert(jid.to_owned(), preference);
        Some(Write::put_json(key, &preference))
    }
}
