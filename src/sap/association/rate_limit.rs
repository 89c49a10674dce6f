//! How much a peer may ask: its rate, and for how long it may exceed that (wire profile, 11.1:
//! disconnection for overload).

use std::time::Duration;

use crate::element::Time;
use crate::sap::settings::Peer;

/// Who is refused is told to come again after so long; our choice.
pub(in crate::sap) const LATER: Duration = Duration::from_secs(1);
/// A flood has ended when nothing came too early for so long; our choice.
const CALM: Duration = Duration::from_secs(10);
/// Who was disconnected may log in again after so long; our choice.
pub(super) const PAUSE: Duration = Duration::from_secs(60);
pub(super) const REASON: &str = "too many requests for too long";

/// What a peer may still ask, and how it takes a refusal.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    /// Thousandths of a request, and since when that is known.
    left: u64,
    since: Time,
    /// The last refusal.
    refused: Option<Time>,
    /// First and last post that came earlier after a refusal than it was told.
    flood: Option<(Time, Time)>,
}

/// Whether requests keep to the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sap) enum Rate {
    /// The peer keeps to its rate.
    Kept,
    /// They come too early.
    TooFast,
    /// They have come too early for so long that it must end.
    Flood,
}

impl RateLimit {
    /// Looks at so many requests more.
    pub(super) fn ask(&mut self, peer: &Peer, requests: usize, now: Time) -> Rate {
        let Some(rate) = peer.max_rate else {
            return Rate::Kept;
        };
        if self.takes(requests, rate, now) {
            return Rate::Kept;
        }
        let flooding = self.refused(now);
        tracing::debug!(ssp.peer = peer.domain, "the peer sends faster than it may");
        let borne = peer.max_flood.is_none_or(|most| flooding < most);
        // Who does not understand it may never log in again by itself.
        if borne || !peer.dialect.logout {
            return Rate::TooFast;
        }
        Rate::Flood
    }

    /// The peer was disconnected for its flood.
    pub(super) fn forgive(&mut self) {
        self.flood = None;
    }

    /// Whether so many requests more keep to the rate; a second's worth may come
    /// in one burst.
    fn takes(&mut self, requests: usize, per_second: u32, now: Time) -> bool {
        let (rate, requests) = (u64::from(per_second), requests as u64);
        let gained = now.since(self.since).saturating_mul(rate);
        let left = self.left.saturating_add(gained);
        self.left = left.min(rate.saturating_mul(1000));
        self.since = now;
        let enough = self.left >= requests.min(rate).saturating_mul(1000);
        if enough {
            self.left = self.left.saturating_sub(requests.saturating_mul(1000));
        }
        enough
    }

    /// Notes a refusal; for how long the peer has not heeded them.
    fn refused(&mut self, now: Time) -> Duration {
        let last = self.refused.replace(now);
        if last.is_none_or(|last| now.after(last) >= LATER) {
            return Duration::ZERO;
        }
        let going_on = self.flood.filter(|(_, last)| now.after(*last) < CALM);
        let (begun, _) = going_on.unwrap_or((now, now));
        self.flood = Some((begun, now));
        now.after(begun)
    }
}
