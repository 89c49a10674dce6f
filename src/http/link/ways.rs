//! Where POSTs of a link go, as far as that is known without asking: what connections are chosen by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use super::candidates::Candidates;
use crate::http::endpoint::Endpoint;

/// For how long the candidate that acknowledged last is tried first. Our choice: long enough to
/// spare failing attempts, short enough to return to a preferred one within the hour.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Shared by the lanes of one link; never locked across an await.
pub(super) struct Ways {
    pub(super) candidates: Candidates,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The candidate that acknowledged last, and until when it is preferred.
    good: Option<(Arc<Endpoint>, Instant)>,
    /// The exact URL that was asked for last, and what it says.
    named: Option<(String, Arc<Endpoint>)>,
}

impl Ways {
    pub(super) fn new(candidates: Candidates) -> Self {
        Self {
            candidates,
            state: Mutex::default(),
        }
    }

    /// The endpoint on whose kept connections a POST may start at once.
    pub(super) fn wanted(&self, target: &Target) -> Option<Arc<Endpoint>> {
        let url = match target {
            Target::Url(url) => url,
            Target::Usual => return self.good(),
        };
        let mut state = self.state();
        if let Some((named, endpoint)) = &state.named
            && named == url
        {
            return Some(Arc::clone(endpoint));
        }
        let endpoint = Arc::new(self.candidates.allowed(url).ok()?);
        state.named = Some((url.clone(), Arc::clone(&endpoint)));
        Some(endpoint)
    }

    /// The candidate to try first.
    pub(super) fn good(&self) -> Option<Arc<Endpoint>> {
        let state = self.state();
        let (endpoint, until) = state.good.as_ref()?;
        (*until > Instant::now()).then(|| Arc::clone(endpoint))
    }

    /// Notes the candidate that acknowledged; whether it is another one than before.
    pub(super) fn remember(&self, endpoint: &Arc<Endpoint>) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let known = state.good.as_ref();
        let is_same = known.is_some_and(|(known, _)| known == endpoint);
        if !is_same || known.is_none_or(|(_, until)| *until <= now) {
            state.good = Some((Arc::clone(endpoint), now + GOOD_FOR));
        }
        !is_same
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
