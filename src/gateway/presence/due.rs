//! What is to be looked after of XMPP users as WV users watch them.

use super::super::records::Pair;

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Link(String),
    Nobody,
    Watch(Pair),
}
