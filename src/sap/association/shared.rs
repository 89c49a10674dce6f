//! What the associations of one node share.

use std::sync::Arc;

use crate::sap::association::outbox::Totals;
use crate::sap::numbers::Numbers;
use crate::sap::random::Random;
use crate::sap::settings::Settings;

/// What the associations of one node share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The node's settings.
    pub settings: Arc<Settings>,
    /// The source of chance: ids, tokens, jitter.
    pub random: Random,
    /// Numbers of posts and ids of transactions.
    pub numbers: Arc<Numbers>,
    /// What all queues take together.
    pub totals: Arc<Totals>,
}
