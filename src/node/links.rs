//! The links to peers: a link begins with the first post to its peer, so that a peer nobody talks
//! to costs no more than its settings.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::known::KnownAddresses;
use crate::http::link::{self, LinkSettings, Post, Posted};
use crate::http::shown::ShownCertificates;

/// Posts that may wait in a link; the core has one or a few under way for each peer.
const POSTS: usize = 64;

/// All links, by peer.
pub(super) struct Links {
    settings: HashMap<String, LinkSettings>,
    running: HashMap<String, mpsc::Sender<Post>>,
    /// Learns where peers are.
    known: Arc<KnownAddresses>,
    /// Learns which certificates they show.
    shown: Arc<ShownCertificates>,
    done: mpsc::Sender<Posted>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Links {
    /// Links that tell `done` what became of posts, and end at `stop`.
    pub(super) fn new(
        settings: Vec<LinkSettings>,
        (known, shown): (Arc<KnownAddresses>, Arc<ShownCertificates>),
        done: mpsc::Sender<Posted>,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            settings: by_peer(settings),
            running: HashMap::new(),
            known,
            shown,
            done,
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
            let (posts, receiver) = mpsc::channel(POSTS);
            let (done, stop) = (self.done.clone(), self.stop.clone());
            let settings = LinkSettings {
                known: Some(Arc::clone(&self.known)),
                shown: Some(Arc::clone(&self.shown)),
                ..settings.clone()
            };
            link::spawn(settings, receiver, done, &self.tracker, stop);
            self.running.insert(peer.to_owned(), posts);
        }
        let link = self
            .running
            .get(peer)
            .ok_or("there is no link to the peer")?;
        link.try_send(post)
            .map_err(|_| "the link to the peer is overloaded or stopped")
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
