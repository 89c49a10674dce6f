//! The links to peers: a link begins with the first post to its peer, so that a peer nobody talks
//! to costs no more than its settings.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::inbox::Input;
use crate::http::known::KnownAddresses;
use crate::http::link::{Link, LinkSettings, Post, PostOutcome, Posted, Report};
use crate::http::shown::ShownCertificates;
use crate::sap;

/// Where posts end.
#[derive(Clone)]
struct Owner(mpsc::Sender<Input>);

impl Report for Owner {
    async fn report(&self, posted: Posted) {
        let outcome = match posted.outcome {
            PostOutcome::Acknowledged => sap::Posted::Acknowledged,
            PostOutcome::Refused {
                status,
                retry_after,
            } => sap::Posted::Refused {
                status,
                retry_after,
            },
            PostOutcome::Closed => sap::Posted::Closed,
            PostOutcome::Unreachable { reason } => sap::Posted::Failed(reason),
            PostOutcome::TimedOut => sap::Posted::TimedOut,
        };
        let _ = self.0.send(Input::Posted(posted.id, outcome)).await;
    }
}

/// All links, by peer.
pub(super) struct Links {
    settings: HashMap<String, LinkSettings>,
    running: HashMap<String, Link<Owner>>,
    /// Learns where peers are.
    known: Arc<KnownAddresses>,
    /// Learns which certificates they show.
    shown: Arc<ShownCertificates>,
    done: Owner,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Links {
    /// Links that tell the owner what became of posts, and end at `stop`.
    pub(super) fn new(
        settings: Vec<LinkSettings>,
        (known, shown): (Arc<KnownAddresses>, Arc<ShownCertificates>),
        inbox: mpsc::Sender<Input>,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            settings: by_peer(settings),
            running: HashMap::new(),
            known,
            shown,
            done: Owner(inbox),
            tracker,
            stop,
        }
    }

    /// Hands a post to the peer's link.
    ///
    /// # Errors
    /// Why it cannot leave.
    pub(super) fn post(&mut self, peer: &str, post: Post) -> Result<(), &'static str> {
        if !self.running.contains_key(peer) {
            let settings = self
                .settings
                .get(peer)
                .ok_or("there is no link to the peer")?;
            let (done, stop) = (self.done.clone(), self.stop.clone());
            let settings = LinkSettings {
                known: Some(Arc::clone(&self.known)),
                shown: Some(Arc::clone(&self.shown)),
                ..settings.clone()
            };
            let link = Link::new(settings, done, self.tracker.clone(), stop);
            self.running.insert(peer.to_owned(), link);
        }
        let link = self
            .running
            .get(peer)
            .ok_or("there is no link to the peer")?;
        link.post(post)
            .map_err(|_| "the link to the peer is overloaded")
    }

    /// Takes over changed settings. Links of before finish what they have; a peer that was taken
    /// out can still be told so.
    pub(super) fn replace(&mut self, settings: Vec<LinkSettings>) {
        self.settings.extend(by_peer(settings));
        self.running.clear();
    }
}

fn by_peer(settings: Vec<LinkSettings>) -> HashMap<String, LinkSettings> {
    settings
        .into_iter()
        .map(|settings| (settings.peer.clone(), settings))
        .collect()
}
