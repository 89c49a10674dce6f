//! Posts under way.

/// A post under way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) items: Vec<u64>,
    /// Failures in a row when it started: one that ends after a further one is of the same
    /// outage.
    pub(super) outage: u32,
    /// It was tried although the peer is to be left alone.
    pub(super) probe: bool,
}
