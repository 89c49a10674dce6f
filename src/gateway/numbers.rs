//! Numbers that are never given twice.

use sha1::{Digest, Sha1};

use crate::store::Write;

/// Numbers reserved with one write.
const BLOCK: u64 = 1000;

/// Counts up for ever: stanzas, tokens and generated ids share it. What was reserved and not used
/// before a restart is skipped.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u64,
    reserved: u64,
    seed: u64,
    /// Whether a reservation is not written yet.
    unwritten: bool,
}

impl Numbers {
    pub(super) const KEY: &'static str = "gateway/next";

    pub(super) fn new(seed: u64) -> Self {
        Self {
            next: 1,
            reserved: 1,
            seed,
            unwritten: false,
        }
    }

    /// After a restart: goes on behind all that was reserved.
    pub(super) fn restore(&mut self, value: &[u8]) -> Result<(), String> {
        let reserved: u64 = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        self.next = reserved;
        self.reserved = reserved;
        Ok(())
    }

    pub(super) fn next(&mut self) -> u64 {
        if self.next >= self.reserved {
            self.reserved = self.next + BLOCK;
            self.unwritten = true;
        }
        self.next += 1;
        self.next - 1
    }

    /// An id for a stanza or message, 16 hex digits.
    pub(super) fn id(&mut self) -> String {
        let mut hash = Sha1::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.next().to_be_bytes());
        let mut id = String::with_capacity(16);
        for byte in &hash.finalize()[..8] {
            id.extend(char::from_digit(u32::from(byte >> 4), 16));
            id.extend(char::from_digit(u32::from(byte & 15), 16));
        }
        id
    }

    /// A reservation that must be on disk before the numbers are seen outside.
    pub(super) fn next_write(&mut self) -> Option<Write> {
        std::mem::take(&mut self.unwritten).then(|| Write::put_json(Self::KEY, &self.reserved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_repeat_across_a_restart() {
        let mut numbers = Numbers::new(7);
        let mut writes = Vec::new();
        let mut first = Vec::new();
        for _ in 0..1500 {
            first.push(numbers.next());
            writes.extend(numbers.next_write());
        }
        assert_eq!(writes.len(), 2);
        let Some(Write::Put { value, .. }) = writes.last() else {
            panic!("a write");
        };
        let mut again = Numbers::new(8);
        again.restore(value).unwrap();
        assert!(again.next() > *first.last().unwrap());
        assert_ne!(numbers.id(), numbers.id());
    }
}
