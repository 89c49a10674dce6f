//! `[trace]`: how long it is remembered what became of messages.

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units::{Duration, Size};

/// What `wvgate explain` can still tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSection {
    /// What became of a message is kept in the store for so long; `"0s"`: not at all.
    /// Default `3d`.
    pub keep: Duration,
    /// Bytes that it takes in the store at most; the oldest is forgotten. Default `64MiB`.
    pub max_bytes: Size,
}

impl Default for TraceSection {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(3 * 86_400),
            max_bytes: Size::kib(64 << 10),
        }
    }
}

impl TraceSection {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        if !self.keep.is_zero() && self.max_bytes < Size::kib(1024) {
            let fix = "write at least \"1MiB\", or keep = \"0s\" to keep nothing";
            report.error("trace.max_bytes", "is too small to be of use", fix);
        }
    }
}
