//! The decision: who may see which attributes of somebody's presence (WVFF, 5.3).

use super::AttributeSet;

/// All that a publisher has said which decides what one other user may see. Of anybody the
/// publisher has said nothing about, all of it is empty, and nothing is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::home) struct Authority {
    /// The attribute list attached to that user.
    pub(in crate::home) individual: Option<AttributeSet>,
    /// The attribute lists of all contact lists that the user is on, combined.
    pub(in crate::home) contact_lists: AttributeSet,
    /// What was granted to the user on request.
    pub(in crate::home) granted: AttributeSet,
    /// What was denied to the user.
    pub(in crate::home) denied: AttributeSet,
}

impl Authority {
    /// That of the publishers themselves, and of those who show everybody everything.
    pub(in crate::home) const FULL: Self = Self {
        individual: Some(AttributeSet::ALL),
        contact_lists: AttributeSet::NONE,
        granted: AttributeSet::NONE,
        denied: AttributeSet::NONE,
    };

    /// What is authorized before anyone asks: the user's own list overrides those of contact lists
    /// (5.3.2).
    pub(in crate::home) fn proactive(self) -> AttributeSet {
        self.individual.unwrap_or(self.contact_lists)
    }

    /// Whether the publisher may be asked at all: not where some attribute is authorized proactively,
    /// even if others are requested (5.3.6).
    fn is_reactive(self) -> bool {
        self.proactive().is_empty()
    }

    /// What the user may see.
    pub(in crate::home) fn visible(self) -> AttributeSet {
        if self.is_reactive() {
            self.granted.without(self.denied)
        } else {
            self.proactive()
        }
    }

    /// About which of these attributes the publisher is to be asked: those that were neither granted
    /// nor denied (5.3.3).
    pub(in crate::home) fn undecided(self, requested: AttributeSet) -> AttributeSet {
        if self.is_reactive() {
            requested.without(self.granted).without(self.denied)
        } else {
            AttributeSet::NONE
        }
    }
}
