//! Lets the effects of a batch out once its writes are on disk, in order.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::core::{ToXmpp, Turn};
use super::inbox::Input;
use crate::home::{ClientKey, Event};
use crate::http::link::{Post as HttpPost, Target};
use crate::sap::{Post, Posted, Trace, Verdict};
use crate::store::CommitFuture;
use crate::xmpp::link::Outgoing;

/// One step of the releaser.
pub(super) enum Release {
    /// A batch.
    Batch {
        commit: Option<CommitFuture>,
        turn: Box<Turn>,
        verdicts: Vec<(oneshot::Sender<Verdict>, Verdict)>,
    },
    /// A client came.
    Client(ClientKey, mpsc::Sender<Event>),
    /// A client went.
    ClientGone(ClientKey),
    /// A link to a peer.
    Link(String, mpsc::Sender<HttpPost>),
    /// An XMPP link came up with this connection number.
    Connection(String, u64),
    /// The core was made anew from the disk after a failed commit.
    Reset,
}

/// Owns the ends of all channels outwards.
pub(super) struct Releaser {
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) traces: broadcast::Sender<Arc<Trace>>,
    pub(super) links: HashMap<String, mpsc::Sender<HttpPost>>,
    pub(super) components: HashMap<String, (mpsc::Sender<Outgoing>, u64)>,
    pub(super) clients: HashMap<ClientKey, mpsc::Sender<Event>>,
    /// After a failed commit everything is refused until the core is made anew.
    pub(super) failed: bool,
}

impl Releaser {
    pub(super) async fn run(mut self, mut steps: mpsc::Receiver<Release>, stop: CancellationToken) {
        loop {
            let step = tokio::select! {
                biased;
                step = steps.recv() => step,
                () = stop.cancelled() => break,
            };
            let Some(step) = step else { break };
            match step {
                Release::Batch {
                    commit,
                    turn,
                    verdicts,
                } => self.batch(commit, *turn, verdicts).await,
                Release::Client(client, events) => {
                    self.clients.insert(client, events);
                }
                Release::ClientGone(client) => {
                    self.clients.remove(&client);
                }
                Release::Link(peer, posts) => {
                    self.links.insert(peer, posts);
                }
                Release::Connection(domain, number) => {
                    if let Some(component) = self.components.get_mut(&domain) {
                        component.1 = number;
                    }
                }
                Release::Reset => self.failed = false,
            }
        }
    }

    async fn batch(
        &mut self,
        commit: Option<CommitFuture>,
        turn: Turn,
        verdicts: Vec<(oneshot::Sender<Verdict>, Verdict)>,
    ) {
        let committed = match commit {
            Some(commit) => commit.await,
            None => Ok(()),
        };
        if let Err(error) = &committed
            && !self.failed
        {
            self.failed = true;
            tracing::error!("the store does not take records, requests are refused: {error}");
            let _ = self.inbox.send(Input::CommitFailed).await;
        }
        if self.failed {
            for (reply, _) in verdicts {
                let _ = reply.send(Verdict::Busy(Some(5_000)));
            }
            return;
        }
        for (reply, verdict) in verdicts {
            let _ = reply.send(verdict);
        }
        for post in turn.posts {
            self.post(post).await;
        }
        self.stanzas(turn.stanzas).await;
        for (client, event) in turn.events {
            let full = self
                .clients
                .get(&client)
                .is_some_and(|events| events.try_send(event).is_err());
            if full {
                // Its session ends when the channel's end is dropped.
                self.clients.remove(&client);
                let _ = self.inbox.send(Input::ClientClose(client)).await;
            }
        }
        for trace in turn.traces {
            let _ = self.traces.send(trace);
        }
    }

    async fn post(&mut self, post: Post) {
        let number = post.number;
        let mut headers = Vec::new();
        headers.extend(post.transaction.map(|id| ("x-wv-transactionid", id)));
        headers.extend(post.session.map(|id| ("x-wv-sessionid", id)));
        let http = HttpPost {
            id: number,
            body: post.body,
            headers,
            target: post.url.map_or(Target::Usual, Target::Url),
        };
        let why = match self.links.get(&post.peer) {
            Some(link) => match link.try_send(http) {
                Ok(()) => return,
                Err(_) => "the link to the peer is overloaded or stopped",
            },
            None => "there is no link to the peer",
        };
        let _ = self
            .inbox
            .send(Input::Posted(number, Posted::Failed(why.to_owned())))
            .await;
    }

    /// Stanzas of one component go out together, with their newest mark.
    async fn stanzas(&mut self, stanzas: Vec<ToXmpp>) {
        let mut by_component: HashMap<String, (Vec<_>, Option<u64>)> = HashMap::new();
        for out in stanzas {
            let entry = by_component.entry(out.component).or_default();
            entry.0.push(out.stanza);
            entry.1 = entry.1.max(out.mark);
        }
        for (component, (stanzas, mark)) in by_component {
            if let Some((outgoing, connection)) = self.components.get(&component) {
                let outgoing_message = Outgoing {
                    connection: *connection,
                    stanzas,
                    mark,
                };
                // A link that takes nothing more slows the node down until its own
                // time-outs have made it anew: nothing may be left out.
                if outgoing.send(outgoing_message).await.is_err() {
                    tracing::warn!(component, "the XMPP link has ended");
                }
            }
        }
    }
}
