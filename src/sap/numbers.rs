//! Numbers and ids that are unique to one run of a node.

use std::sync::atomic::{AtomicU64, Ordering};

use super::random::Random;
use super::settings::Shards;

/// Counts posts, and makes ids of transactions. Shared by all who post.
#[derive(Debug)]
pub struct Numbers {
    run: String,
    shards: Shards,
    last: AtomicU64,
}

impl Numbers {
    /// Those of a new run.
    pub fn new(random: &Random, shards: Shards) -> Self {
        Self {
            shards,
            run: random.hex(4),
            last: AtomicU64::new(0),
        }
    }

    /// One that was not used before.
    pub fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A transaction id that no other run has used either.
    pub fn id(&self) -> String {
        // That of another shard neither, should chance have given it the same run.
        format!("{}-{}", self.run, self.shards.nth(self.next()))
    }

    /// Prefix of the ids of this run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Goes on behind the numbers of another run, whose posts may still be under way.
    pub fn follow(&self, before: &Self) {
        let last = before.last.load(Ordering::Relaxed);
        self.last.fetch_max(last, Ordering::Relaxed);
    }
}
