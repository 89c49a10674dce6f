//! Numbers and ids that differ from all others of this node, made from a seed.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// Bytes of an id, written as twice as many hexadecimal digits.
const ID: usize = 12;

/// Makes them; the same ones from the same seed.
#[derive(Debug)]
pub(super) struct Random {
    /// Never shown, so that nobody who sees some ids can tell the next.
    seed: u64,
    /// Moves with each number (splitmix64).
    state: u64,
    ids: u64,
}

impl Random {
    /// Its `seed` must be random and fresh at every start.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            state: seed,
            ids: 0,
        }
    }

    /// A number for use in this node: whoever sees one can compute the others.
    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A message id that nobody has used, and that nobody can guess from others.
    pub(super) fn message_id(&mut self) -> String {
        self.ids += 1;
        let mut hash = Sha1::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.ids.to_be_bytes());
        let mut id = String::with_capacity(2 * ID);
        for byte in &hash.finalize()[..ID] {
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_nothing_of_the_next_and_is_never_made_again() {
        let (mut one, mut other) = (Random::new(1), Random::new(2));
        let ids: std::collections::BTreeSet<String> = (0..1000)
            .flat_map(|_| [one.message_id(), other.message_id()])
            .collect();
        assert_eq!(ids.len(), 2000);
        // What was given out as an id is no state of the numbers.
        let numbers: Vec<String> = (0..1000).map(|_| format!("{:016x}", one.next())).collect();
        assert!(
            !numbers
                .iter()
                .any(|n| ids.iter().any(|id| id.contains(n.as_str())))
        );
    }
}
