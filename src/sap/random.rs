//! Chance, handed in from outside: tokens, ids and jitter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::element::millis;

/// A source of random bytes. The node gives the operating system's; tests give a
/// repeatable one. Copies share it.
#[derive(Clone)]
pub struct Random(Arc<Mutex<Fill>>);

/// Fills a slice with random bytes.
type Fill = Box<dyn FnMut(&mut [u8]) + Send>;

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}

impl Random {
    /// Wraps a source; it must fill the whole slice.
    pub fn new(fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(fill))))
    }

    /// A repeatable source, for tests and simulations only.
    pub fn repeatable(seed: u64) -> Self {
        let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
        Self::new(move |bytes| {
            for byte in bytes {
                // SplitMix64, one byte a step.
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut mixed = state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                *byte = (mixed >> 56) as u8;
            }
        })
    }

    fn fill(&self, bytes: &mut [u8]) {
        // Chance is as good after a panic as before.
        let mut fill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fill(bytes);
    }

    /// So many random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Lower-case hexadecimal digits of `bytes` random bytes.
    pub fn hex(&self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        self.fill(&mut buffer);
        buffer
            .iter()
            .fold(String::with_capacity(bytes * 2), |mut text, byte| {
                use std::fmt::Write as _;
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// Something shorter than `limit`, in whole milliseconds.
    pub fn shorter(&self, limit: Duration) -> Duration {
        Duration::from_millis(self.below(millis::of(limit)))
    }

    /// A number below `limit`, 0 if `limit` is 0.
    pub fn below(&self, limit: u64) -> u64 {
        let mut buffer = [0; 8];
        self.fill(&mut buffer);
        u64::from_le_bytes(buffer) % limit.max(1)
    }
}
