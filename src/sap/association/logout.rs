//! A logout of ours (wire profile, 11.1).

use serde::Serialize;

use std::time::Duration;

use crate::element::{Time, seconds};
use crate::imps::common::MetaInfo;
use crate::imps::primitive::session::{Disconnect, LogoutRequest};
use crate::imps::{Primitive, Status};
use crate::sap::presented_as::PeerId;
use crate::sap::settings::{Peer, Settings};
use crate::store::Write;

/// After that a peer may come again to a node that is stopping; our choice.
pub(in crate::sap) const AWAY: Duration = Duration::from_secs(1);
/// Prefix of the records that name the peers to log in to after the next start.
pub(in crate::sap) const COME_BACK: &str = "sap/come-back/";
/// For so long a logout may take; our choice.
const FAREWELL: Duration = Duration::from_secs(2);
/// Back-off after a `Disconnect` that says nothing else (11.1).
pub(super) const DISCONNECTED: Duration = Duration::from_secs(600);

/// A logout of ours.
#[derive(Debug)]
pub(super) struct Leaving {
    reason: Option<String>,
    /// What waited has been posted.
    flushed: bool,
    /// Then the sessions end whatever the peer says.
    pub(super) until: Time,
}

impl Leaving {
    pub(super) fn new(reason: Option<&str>, now: Time) -> Self {
        Self {
            reason: reason.map(str::to_owned),
            flushed: false,
            until: now.plus(FAREWELL),
        }
    }

    /// What waits is posted once more. Whether that was done before.
    pub(super) fn flush(&mut self) -> bool {
        std::mem::replace(&mut self.flushed, true)
    }

    /// What the peer is asked.
    pub(super) fn request(&self, peer: &Peer, settings: &Settings) -> Primitive {
        let request = LogoutRequest {
            reason: self.reason.clone(),
            meta: Some(MetaInfo::of_server(peer.presented(&settings.domain))),
        };
        request.into()
    }
}

/// What a logout was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoggedOut {
    /// So many sessions end.
    pub sessions: usize,
    /// The peer is told; else they are only forgotten.
    pub told: bool,
}

/// The record that makes this node log in to a peer after its next start.
pub(super) fn come_back(peer: &PeerId) -> Write {
    Write::put(format!("{COME_BACK}{peer}"), *b"1")
}

/// A status with the time after which the peer may come again.
pub(super) fn come_again(status: Status, after: Duration) -> Status {
    Status {
        try_again: Some(seconds(after)),
        ..status
    }
}

/// What a peer is told whose session ends without its doing.
pub(super) fn farewell(peer: &Peer, settings: &Settings, status: Status) -> Primitive {
    let notice = Disconnect {
        meta: Some(MetaInfo::of_server(peer.presented(&settings.domain))),
        status,
        redirects: None,
    };
    notice.into()
}
