//! What a link keeps between two POSTs: open connections, and which candidate works.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;

use super::endpoint::Endpoint;

/// The body of every request.
pub(crate) type Body = Full<Bytes>;

/// For how long the candidate that acknowledged last is tried first. Our choice: long enough to
/// spare failing attempts, short enough to return to a preferred one within the hour.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Shared by the POSTs of one link; never locked across an await.
pub(crate) struct Pool {
    idle_timeout: Duration,
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections without an exchange, the one idle longest first.
    idle: Vec<Idle>,
    /// The candidate that acknowledged last, and until when it is preferred.
    good: Option<(Endpoint, Instant)>,
}

struct Idle {
    endpoint: Endpoint,
    sender: SendRequest<Body>,
    since: Instant,
}

impl Pool {
    /// Keeps at most `max` connections (at least one), each unused for at most `idle_timeout`.
    pub(crate) fn new(idle_timeout: Duration, max: usize) -> Self {
        Pool {
            idle_timeout,
            max: max.max(1),
            state: Mutex::default(),
        }
    }

    /// The youngest open connection to the endpoint's origin.
    pub(crate) fn take(&self, endpoint: &Endpoint) -> Option<SendRequest<Body>> {
        let mut state = self.swept();
        let place = state
            .idle
            .iter()
            .rposition(|idle| idle.endpoint.same_origin(endpoint))?;
        Some(state.idle.remove(place).sender)
    }

    /// Keeps a connection, in place of the oldest if there are enough.
    pub(crate) fn keep(&self, endpoint: Endpoint, sender: SendRequest<Body>) {
        let mut state = self.swept();
        if state.idle.len() >= self.max {
            state.idle.remove(0);
        }
        state.idle.push(Idle {
            endpoint,
            sender,
            since: Instant::now(),
        });
    }

    /// Drops connections that are closed or have been unused for too long.
    pub(crate) fn sweep(&self) {
        drop(self.swept());
    }

    /// The candidate to try first.
    pub(crate) fn good(&self) -> Option<Endpoint> {
        let state = self.state();
        let (endpoint, until) = state.good.as_ref()?;
        (*until > Instant::now()).then(|| endpoint.clone())
    }

    /// Notes the candidate that acknowledged; whether it is another one than before.
    pub(crate) fn remember(&self, endpoint: &Endpoint) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let known = state.good.as_ref();
        if known.is_some_and(|(known, until)| known == endpoint && *until > now) {
            return false;
        }
        let changed = known.is_none_or(|(known, _)| known != endpoint);
        state.good = Some((endpoint.clone(), now + GOOD_FOR));
        changed
    }

    fn swept(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state
            .idle
            .retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < self.idle_timeout);
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
