//! An answer that is still being written.

use std::sync::Arc;
use std::time::Duration;

use super::watch::Watch;

/// Kept with the body of an answer: as long as it lives the connection is not idle, and if it lives
/// too long the connection is closed.
pub struct Hold(Arc<Watch>);

impl Hold {
    pub(super) fn of(watch: &Arc<Watch>, most: Duration) -> Self {
        watch.hold(Some(most));
        Self(Arc::clone(watch))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.hold(None);
    }
}
