//! When this is: which start of the system, after which what was not yet on disk may be missing, and
//! the time for notes to people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The id of this start of the system; `None` where that cannot be known.
pub(super) fn id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim();
    (id.len() == LENGTH && id.is_ascii()).then(|| id.to_owned())
}

/// Bytes of an id.
pub(super) const LENGTH: usize = 36;

/// Time since 1970, for notes and names that people read; nothing is decided by it.
#[expect(clippy::disallowed_methods)]
pub(super) fn time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
