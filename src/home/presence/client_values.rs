//! Client status attributes (WVFF, 5.1.1), as each client of a user has told them. They go with the
//! client.

use std::collections::BTreeMap;

use crate::imps::presence::{Attribute, AttributeName};

use super::super::client::ClientKey;

/// Bytes of what one client tells; our choice.
const MAX_BYTES: usize = 8 * 1024;

/// What the clients of a user have told of themselves.
#[derive(Debug, Default)]
pub(in crate::home) struct ClientValues {
    clients: BTreeMap<ClientKey, Vec<Told>>,
    /// Counts what was told.
    told: u64,
}

#[derive(Debug)]
struct Told {
    attribute: Attribute,
    /// The later, the higher.
    at: u64,
}

impl ClientValues {
    /// Whether a client may tell so much more.
    pub(super) fn has_room(&self, client: ClientKey, attributes: &[&Attribute]) -> bool {
        let told = self.clients.get(&client).into_iter().flatten();
        let is_new = |told: &&Told| !attributes.iter().any(|a| a.name == told.attribute.name);
        let kept: usize = told.filter(is_new).map(|told| told.attribute.bytes()).sum();
        let new: usize = attributes.iter().map(|attribute| attribute.bytes()).sum();
        kept + new <= MAX_BYTES
    }

    /// Takes what a client tells in place of what it has told; a value that is not valid goes.
    pub(super) fn tell(&mut self, client: ClientKey, attribute: Attribute) {
        let told = self.clients.entry(client).or_default();
        told.retain(|old| old.attribute.name != attribute.name);
        if attribute.is_valid() {
            self.told += 1;
            let at = self.told;
            told.push(Told { attribute, at });
        }
        if told.is_empty() {
            self.clients.remove(&client);
        }
    }

    /// A client is gone. Says whether it had told anything.
    pub(in crate::home) fn forget(&mut self, client: ClientKey) -> bool {
        self.clients.remove(&client).is_some()
    }

    /// What is published of all clients together: the value of the client with the highest priority,
    /// of several the one told last (presence-attributes, 1).
    pub(super) fn merged(&self, name: &AttributeName) -> Option<&Attribute> {
        let of_client = |told: &'_ Vec<Told>| told.iter().position(|t| t.attribute.name == *name);
        let clients = self.clients.values();
        let values = clients.filter_map(|told| Some((told, &told[of_client(told)?])));
        let best = values.max_by_key(|(all, told)| (priority(all), told.at));
        best.map(|(_, told)| &told.attribute)
    }
}

/// The priority that a client gives itself.
fn priority(told: &[Told]) -> i64 {
    let info = told
        .iter()
        .find(|told| told.attribute.name == AttributeName::ClientInfo);
    let priority = info.and_then(|told| told.attribute.field("ClientIMPriority"));
    priority.and_then(|p| p.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::presence::Item;

    fn zone(zone: &str) -> Attribute {
        Attribute::fields(AttributeName::TimeZone, vec![Item::text("Zone", zone)])
    }

    fn merged(values: &ClientValues) -> Option<&str> {
        values.merged(&AttributeName::TimeZone)?.field("Zone")
    }

    #[test]
    fn the_client_with_the_highest_priority_counts_and_of_equal_ones_the_latest() {
        let mut values = ClientValues::default();
        values.tell(ClientKey(1), zone("+01"));
        values.tell(ClientKey(2), zone("+02"));
        assert_eq!(merged(&values), Some("+02"));
        let info = vec![Item::text("ClientIMPriority", "5")];
        let info = Attribute::fields(AttributeName::ClientInfo, info);
        values.tell(ClientKey(1), info);
        assert_eq!(merged(&values), Some("+01"));
        values.forget(ClientKey(1));
        assert_eq!(merged(&values), Some("+02"));
        values.tell(ClientKey(2), Attribute::unknown(AttributeName::TimeZone));
        assert_eq!(merged(&values), None);
    }
}
