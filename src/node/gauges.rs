//! What is measured beside the cores of a node.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::element::Spans;
use crate::http::shown::ShownCertificates;

/// What is measured beside the cores, for all shards together.
#[derive(Debug, Default)]
pub struct Gauges {
    /// How long commits took, from when they were handed to the store.
    commits: Mutex<Spans>,
    /// When the certificates end that the node shows, by file.
    certificates: Mutex<BTreeMap<PathBuf, SystemTime>>,
    /// When the certificates end that peers have shown.
    pub peers: Arc<ShownCertificates>,
}

impl Gauges {
    /// A commit took so long.
    pub(super) fn committed(&self, took: Duration) {
        let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.note(took);
    }

    /// How long commits took since the start.
    pub fn commits(&self) -> Spans {
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
        commits.clone()
    }

    /// These certificates are shown from now on.
    pub(super) fn show(&self, certificates: BTreeMap<PathBuf, SystemTime>) {
        let shown = self.certificates.lock();
        *shown.unwrap_or_else(PoisonError::into_inner) = certificates;
    }

    /// When the certificates end that the node shows, by file.
    pub fn certificates(&self) -> BTreeMap<PathBuf, SystemTime> {
        let shown = self.certificates.lock();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }
}
