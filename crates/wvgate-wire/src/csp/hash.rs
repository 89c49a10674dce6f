//! A quick hash for tables whose keys are our own.

use std::hash::{BuildHasherDefault, Hasher};

/// Hashes by Fowler, Noll and Vo. Nobody else chooses what is in the tables.
pub(super) type Fnv = BuildHasherDefault<FnvHasher>;

/// The state of [`Fnv`].
#[derive(Debug, Clone)]
pub(super) struct FnvHasher(u64);

impl Default for FnvHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for FnvHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
