//! What a user has told of themself, whichever client they use; besides what stands in the account.

use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::PresenceValue;
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::presence_admin::UpdatePresenceRequest;
use crate::ssp::envelope;

/// Attributes with their values, in order of emission; one record, as the update that makes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::home) struct Told(PresenceSubList);

/// Not the XML of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the presence cannot be read")]
pub(in crate::home) struct Unreadable;

impl Told {
    pub(super) fn get(&self, name: &AttributeName) -> Option<&Attribute> {
        self.0.get(name)
    }

    /// Those that are not known here.
    pub(super) fn others(&self) -> impl Iterator<Item = &Attribute> {
        let all = self.0.attributes.iter();
        all.filter(|attribute| matches!(attribute.name, AttributeName::Other(_)))
    }

    pub(in crate::home) fn is_empty(&self) -> bool {
        self.0.attributes.is_empty()
    }

    /// What it takes, roughly.
    pub(in crate::home) fn bytes(&self) -> usize {
        self.0.attributes.iter().map(Attribute::bytes).sum()
    }

    /// Takes a value in place of the one there was; one that is not valid goes. Of an attribute that
    /// is not known here the name stays: nothing else says what watchers may have seen.
    pub(super) fn tell(&mut self, attribute: Attribute) {
        let was_told = self.get(&attribute.name).is_some();
        self.0.attributes.retain(|old| old.name != attribute.name);
        if attribute.is_valid() {
            self.0.attributes.push(attribute);
        } else if was_told && matches!(attribute.name, AttributeName::Other(_)) {
            self.0.attributes.push(Attribute::unknown(attribute.name));
        }
        self.0.sort();
    }
}

impl From<Told> for String {
    fn from(told: Told) -> Self {
        let update = UpdatePresenceRequest {
            meta: None,
            value: PresenceValue {
                user: Address::new(""),
                presence: Some(told.0),
            },
        };
        Primitive::from(update).to_xml(None)
    }
}

impl TryFrom<String> for Told {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        match envelope::decode_fragment(text.as_bytes()) {
            Ok(Primitive::UpdatePresenceRequest(update)) => {
                Ok(Self(update.value.presence.unwrap_or_default()))
            }
            _ => Err(Unreadable),
        }
    }
}
