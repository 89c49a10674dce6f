//! The time limits of a lane.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// One timer for one limit after the other. It is set anew only when it must go off earlier, or has
/// gone off: each of many short waits would cost more than the wait.
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(super) fn new() -> Self {
        Self(Box::pin(sleep(Duration::MAX)))
    }

    /// Ready when `due` has come.
    pub(super) fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.0.deadline() > due || self.0.is_elapsed() {
                self.0.as_mut().reset(due);
            }
            ready!(self.0.as_mut().poll(context));
            if self.0.deadline() >= due {
                return Poll::Ready(());
            }
        }
    }

    /// What `work` results in; `None`: it has not ended when `due` came.
    pub(super) async fn before<F: Future>(&mut self, due: Instant, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => self.poll(due, context).map(|()| None),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_goes_off_when_it_is_due_whatever_it_was_set_to_before() {
        let mut alarm = Alarm::new();
        for milliseconds in [5, 3_600_000, 5, 0, 3_600_000, 1] {
            let limit = Duration::from_millis(milliseconds);
            let due = Instant::now() + limit;
            // Looks once at the alarm before it ends.
            let work = tokio::task::yield_now();
            let ended = alarm.before(due, work).await;
            assert!(ended.is_some() || Instant::now() >= due);
            if limit < Duration::from_secs(1) {
                let never = std::future::pending::<()>();
                assert_eq!(alarm.before(due, never).await, None);
                assert!(Instant::now() >= due);
            }
        }
    }
}
