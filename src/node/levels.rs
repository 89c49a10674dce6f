//! Which lines are logged, and how that changes while the node runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::{Registry, reload};

/// The filter of the log. Copies change the same one.
#[derive(Debug, Clone)]
pub struct Levels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    filter: reload::Handle<EnvFilter, Registry>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What holds if nobody has said otherwise.
    usual: String,
    /// What holds.
    now: String,
    /// When the usual holds again, if it does by itself, and what sees to that.
    until: Option<(Instant, AbortHandle)>,
    /// How often it was changed: a change that comes later outlives the end of one before.
    changes: u64,
}

/// What is logged, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelsView {
    /// The directives that hold.
    pub now: String,
    /// Those that hold if nobody has said otherwise.
    pub usual: String,
    /// Seconds until the usual ones hold again by themselves; nothing: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Levels {
    /// Of a filter that was made of these directives.
    pub fn new(filter: reload::Handle<EnvFilter, Registry>, usual: &str) -> Self {
        let state = State {
            usual: usual.to_owned(),
            now: usual.to_owned(),
            until: None,
            changes: 0,
        };
        let state = Mutex::new(state);
        Self(Arc::new(Inner { filter, state }))
    }

    /// What holds now.
    pub fn view(&self) -> LevelsView {
        let state = self.state();
        let left = |until: Instant| until.saturating_duration_since(Instant::now()).as_secs();
        LevelsView {
            now: state.now.clone(),
            usual: state.usual.clone(),
            seconds: state.until.as_ref().map(|(until, _)| left(*until)),
        }
    }

    /// Goes by these directives, which were checked, for so long, or until something else is said.
    /// Needs a runtime of tokio if the time is bounded. A time whose end cannot be told has none.
    ///
    /// # Errors
    /// They are none after all.
    pub fn set(&self, directives: &str, span: Option<Duration>) -> Result<(), String> {
        let mut state = self.state();
        self.apply(&mut state, directives)?;
        let until = span.and_then(|span| Instant::now().checked_add(span));
        state.until = until.map(|until| {
            let (levels, change) = (self.clone(), state.changes);
            let end = async move {
                tokio::time::sleep_until(until).await;
                let mut state = levels.state();
                if state.changes == change {
                    levels.apply_usual(&mut state);
                }
            };
            (until, tokio::spawn(end).abort_handle())
        });
        Ok(())
    }

    /// Goes by the usual directives again.
    pub fn reset(&self) {
        self.apply_usual(&mut self.state());
    }

    /// These directives, which were checked, are the usual ones from now on, and hold.
    pub fn set_usual(&self, directives: &str) {
        let mut state = self.state();
        directives.clone_into(&mut state.usual);
        self.apply_usual(&mut state);
    }

    fn apply_usual(&self, state: &mut State) {
        let usual = state.usual.clone();
        if let Err(why) = self.apply(state, &usual) {
            tracing::warn!("the log stays as it is: {why}");
        }
    }

    /// They hold, without an end.
    fn apply(&self, state: &mut State, directives: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        let reloaded = self.0.filter.reload(filter);
        reloaded.map_err(|error| error.to_string())?;
        directives.clone_into(&mut state.now);
        state.changes += 1;
        if let Some((_, end)) = state.until.take() {
            end.abort();
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[tokio::test]
    async fn what_holds_for_a_while_ends_by_itself_unless_something_else_was_said() {
        let (filter, handle) = reload::Layer::new(EnvFilter::new("info"));
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(filter));
        let levels = Levels::new(handle, "info");
        let now = || levels.view().now;
        levels
            .set("debug", Some(Duration::from_millis(20)))
            .unwrap();
        assert!(levels.view().seconds.is_some());
        tokio::time::timeout(Duration::from_secs(60), async {
            while now() != "info" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(levels.view().seconds, None);

        levels
            .set("debug", Some(Duration::from_millis(20)))
            .unwrap();
        levels.set("warn", None).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(now(), "warn", "the time of the one before is over");
        levels.set_usual("error");
        assert_eq!(now(), "error");
        levels.set("warn", Some(Duration::MAX)).unwrap();
        assert_eq!((now(), levels.view().seconds), ("warn".to_owned(), None));
        levels.reset();
        assert!(levels.set("wvgate=[", None).is_err());
        assert_eq!(now(), "error", "what is wrong changes nothing");
    }
}
