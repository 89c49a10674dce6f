//! What stands in memory of a user at rest.

use std::sync::Arc;

/// What is in memory of a user at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sleeper {
    /// Other domains in which they watch somebody, or somebody watches them.
    pub(super) domains: Box<[Arc<str>]>,
    /// What they may be found by, in lower case, a line each; `None` if nobody finds them.
    pub(super) searched: Option<Box<str>>,
    /// The account is disabled.
    pub(super) disabled: bool,
    /// The record could not be read when it was tried last.
    pub(super) lost: bool,
}

impl Sleeper {
    /// Whether they are concerned by what happens to one of these domains.
    pub(super) fn is_concerned(&self, domains: &[String]) -> bool {
        let mut own = self.domains.iter();
        own.any(|own| domains.iter().any(|domain| **own == **domain))
    }

    /// Whether anybody finds them by anything.
    pub(super) fn is_findable(&self) -> bool {
        self.searched.is_some() && !self.disabled
    }

    /// Whether a text that is searched for may stand in what they are found by.
    pub(super) fn may_have(&self, part: &str) -> bool {
        self.searched
            .as_ref()
            .is_some_and(|text| text.contains(part))
    }
}
