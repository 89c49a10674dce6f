//! How many files the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough where the system sets no limit.
const ENOUGH: u64 = 1 << 20;

/// Lets this process have as many open files as the system lets it ask for: each connection is one,
/// and what a shell allows by default is meant for programs that wait with `select`.
pub(super) fn allow_most() {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(ENOUGH);
    if limit.current.is_some_and(|current| current < most) {
        let limit = Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
}
