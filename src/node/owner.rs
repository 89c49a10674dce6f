//! The owner task: drains the inbox in batches, computes, hands each batch to
//! the releaser with its commit under way, and goes on with the next.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::core::{Core, Turn};
use super::inbox::Input;
use super::releaser::Release;
use crate::sap::{Time, Verdict};
use crate::store::{Store, StoreError, load_all};
use crate::xmpp::link::LinkEvent;

/// Inputs taken in one batch; bounds the time until the first of them is answered.
const BATCH: usize = 512;

pub(super) struct Owner {
    pub(super) core: Core,
    pub(super) clock: Clock,
    pub(super) store: Arc<dyn Store>,
    pub(super) inbox: mpsc::Receiver<Input>,
    pub(super) release: mpsc::Sender<Release>,
    /// Makes an empty core, for a new start from the disk.
    pub(super) fresh: Box<dyn FnMut() -> Core + Send>,
    pub(super) stop: CancellationToken,
}

type Verdicts = Vec<(oneshot::Sender<Verdict>, Verdict)>;

impl Owner {
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        let mut inputs = Vec::with_capacity(BATCH);
        let mut first = Turn::default();
        self.core.start(self.clock.now(), &mut first);
        self.hand_over(first, Vec::new()).await;
        loop {
            let wake = self.core.next_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                count = self.inbox.recv_many(&mut inputs, BATCH) => {
                    if count == 0 {
                        return Ok(());
                    }
                }
                () = sleep_until(wake) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
            let now = self.clock.now();
            let mut turn = Turn::default();
            let mut verdicts = Vec::new();
            for input in inputs.drain(..) {
                if matches!(input, Input::CommitFailed) {
                    self.recover().await?;
                    turn = Turn::default();
                    self.core.start(now, &mut turn);
                    continue;
                }
                self.take(input, now, &mut turn, &mut verdicts).await;
            }
            if self.core.next_timeout().is_some_and(|at| at <= now) {
                self.core.timeout(now, &mut turn);
            }
            self.hand_over(turn, verdicts).await;
        }
    }

    async fn hand_over(&mut self, mut turn: Turn, verdicts: Verdicts) {
        if !turn.writes.is_empty() {
            turn.writes.extend(self.core.metrics.take_write());
        }
        let writes = std::mem::take(&mut turn.writes);
        let commit = (!writes.is_empty()).then(|| self.store.commit(writes));
        let nothing = commit.is_none()
            && verdicts.is_empty()
            && turn.posts.is_empty()
            && turn.stanzas.is_empty()
            && turn.events.is_empty()
            && turn.traces.is_empty();
        if !nothing {
            let _ = self
                .release
                .send(Release::Batch {
                    commit,
                    turn: Box::new(turn),
                    verdicts,
                })
                .await;
        }
    }

    async fn take(&mut self, input: Input, now: Time, turn: &mut Turn, verdicts: &mut Verdicts) {
        match input {
            Input::Message {
                message,
                facts,
                strict,
                reply,
            } => {
                let verdict = self.core.receive(&message, &facts, now, turn);
                if strict {
                    verdicts.push((reply, verdict));
                } else {
                    let _ = reply.send(verdict);
                }
            }
            Input::Posted(number, outcome) => self.core.posted(number, &outcome, now, turn),
            Input::Xmpp(event) => self.xmpp(*event, now, turn).await,
            Input::ClientOpen {
                client,
                user,
                events,
                reply,
            } => {
                let _ = self.release.send(Release::Client(client, events)).await;
                let known = self.core.client_open(client, &user, now, turn);
                if !known {
                    let _ = self.release.send(Release::ClientGone(client)).await;
                }
                let _ = reply.send(known);
            }
            Input::Client(client, command) => self.core.client(client, command, now, turn),
            Input::ClientClose(client) => {
                let _ = self.release.send(Release::ClientGone(client)).await;
                self.core.client_close(client, now, turn);
            }
            Input::Ask(question) => {
                question(&mut self.core, now, turn);
                self.core.settle(now, turn);
            }
            Input::CommitFailed => {}
        }
    }

    async fn xmpp(&mut self, event: LinkEvent, now: Time, turn: &mut Turn) {
        match event {
            LinkEvent::Up { domain, connection } => {
                tracing::info!(component = domain, "XMPP link is up");
                let _ = self
                    .release
                    .send(Release::Connection(domain.clone(), connection))
                    .await;
                self.core.link(&domain, true, now, turn);
            }
            LinkEvent::Down {
                domain,
                reason,
                retry_in,
            } => {
                tracing::warn!(
                    component = domain,
                    retry_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(0),
                    "XMPP link is down: {reason}"
                );
                self.core.link(&domain, false, now, turn);
            }
            LinkEvent::Stanza { domain, stanza } => self.core.stanza(&domain, stanza, now, turn),
            LinkEvent::Confirmed { domain, mark } => self.core.confirmed(&domain, mark, now, turn),
        }
    }

    /// Makes the core anew from the disk after a commit has failed, so that it
    /// never acts on what is not kept. Clients and links notice nothing but
    /// refusals; posts under way are forgotten and repeated under their ids.
    async fn recover(&mut self) -> Result<(), StoreError> {
        let mut core = (self.fresh)();
        load_all(self.store.as_ref(), "", |key, value| {
            core.restore(&key, &value).map_err(StoreError::Corrupt)
        })
        .await?;
        core.sap.continue_numbers(&self.core.sap);
        core.components = std::mem::take(&mut self.core.components);
        self.core = core;
        let _ = self.release.send(Release::Reset).await;
        Ok(())
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
