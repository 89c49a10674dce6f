//! What the clients that XMPP is shown can do, told by the hash that stands in their presence
//! (XEP-0115).
//!
//! A server asks in the name of whom it likes, so what stands behind a hash is told to whoever names
//! it: only those who were shown the presence can.

use std::collections::{BTreeMap, VecDeque};

use minidom::Element;
use xmpp_parsers::presence::{Presence, Type};

use crate::imps::presence::PresenceSubList;
use crate::translate::Translator;
use crate::translate::presence::client;

/// Hashes that are remembered; our choice: one for each make of client.
pub(super) const MAX_KNOWN: usize = 500;

/// Answers to disco#info, by hash.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    by_hash: BTreeMap<String, Element>,
    /// The oldest first.
    order: VecDeque<String>,
}

impl Capabilities {
    /// Puts the hash of its client into a presence made of `list`.
    pub(super) fn mark(
        &mut self,
        presence: &mut Presence,
        list: &PresenceSubList,
        translator: &Translator,
    ) {
        let resource = presence.from.as_ref().and_then(|from| from.resource());
        let Some(resource) = resource.filter(|_| presence.type_ == Type::None) else {
            return;
        };
        let disco = client::disco(translator, Some(list), resource.as_str());
        let hash = client::hash(&disco);
        presence.payloads.push(client::caps(&hash));
        if self.by_hash.contains_key(&hash) {
            return;
        }
        if self.order.len() >= MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_hash.remove(&oldest);
        }
        self.order.push_back(hash.clone());
        self.by_hash.insert(hash, disco.into());
    }

    /// The answer to a question for a node of ours.
    pub(super) fn of_node(&self, node: &str) -> Option<&Element> {
        let hash = node.strip_prefix(client::NODE)?.strip_prefix('#')?;
        self.by_hash.get(hash)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }
}
