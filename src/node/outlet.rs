//! The way out of an owner: one commit under way, and what waits behind it.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::releaser::{Release, Releaser};

/// Steps that may wait for a commit before the owner waits for it too.
const WAITING: usize = 8;

type Work = Pin<Box<dyn Future<Output = Box<Releaser>> + Send>>;

/// Takes the owner's steps in order. What need not wait for the disk is done at once, without
/// another task; what must is done while the owner waits for its next input ([`Outlet::goes_on`]).
pub(super) struct Outlet {
    state: State,
    waiting: Vec<Release>,
}

enum State {
    Idle(Box<Releaser>),
    Works(Work),
    /// Only while it changes.
    Changes,
}

impl Outlet {
    pub(super) fn new(releaser: Releaser) -> Self {
        Self {
            state: State::Idle(Box::new(releaser)),
            waiting: Vec::new(),
        }
    }

    /// Does a step, or lets it wait for those before.
    pub(super) fn hand_over(&mut self, step: Release) {
        self.waiting.push(step);
        self.begin();
    }

    /// Whether the owner should take nothing new before [`Outlet::goes_on`].
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// Waits until what is under way has been done, and begins with what waits behind it. Nothing is
    /// lost if it is not waited for to its end.
    pub(super) async fn goes_on(&mut self) {
        let State::Works(work) = &mut self.state else {
            return pending().await;
        };
        let releaser = poll_fn(|context| work.as_mut().poll(context)).await;
        self.state = State::Idle(releaser);
        self.begin();
    }

    /// Does all that was handed over.
    pub(super) async fn finish(mut self) {
        while matches!(self.state, State::Works(_)) {
            self.goes_on().await;
        }
    }

    fn begin(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match std::mem::replace(&mut self.state, State::Changes) {
            State::Idle(mut releaser) => {
                let steps = std::mem::take(&mut self.waiting);
                let mut work: Work = Box::pin(async move {
                    releaser.take(steps).await;
                    releaser
                });
                // Who waits for it looks again.
                let mut context = Context::from_waker(Waker::noop());
                self.state = match work.as_mut().poll(&mut context) {
                    Poll::Ready(releaser) => State::Idle(releaser),
                    Poll::Pending => State::Works(work),
                };
            }
            state => self.state = state,
        }
    }
}
