//! A session that is over, while its client has still to hear of it.

use std::time::Duration;

use crate::element::Time;
use crate::imps::Status;

/// For how long it can hear of it; our choice.
const LINGER: Duration = Duration::from_secs(600);

/// Why a session is over.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) until: Time,
}

impl Ending {
    /// From now on, for this reason.
    pub(super) fn of(status: Status, now: Time) -> Self {
        let until = now.plus(LINGER);
        Self { status, until }
    }
}
