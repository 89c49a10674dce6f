//! What the shards of a node tell each other beside what they hand over: what is true now, and is
//! told anew after a start. None of it is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::inbox::Input;
use crate::element::Time;
use crate::sap::Known;

/// What one shard tells another.
#[derive(Debug, Clone)]
pub enum Told {
    /// Sessions with a peer came up, or it is reached again (true); or it is not, since then.
    State(String, bool, Time),
    /// What is known of a peer's services.
    Known(String, Box<Known>),
    /// The shard begins, and knows nothing of the others' peers.
    Begins,
}

/// What is on its way from one shard to another. Of several things of one kind about a peer the
/// newest counts, so it is bounded by the peers, and nobody waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Telling {
    waiting: Arc<Mutex<BTreeMap<(u8, String), Told>>>,
    more: Arc<Notify>,
}

impl Telling {
    /// Tells it as soon as there is room.
    pub(super) fn tell(&self, told: Told) {
        let key = match &told {
            Told::Begins => (0, String::new()),
            Told::State(peer, ..) => (1, peer.clone()),
            Told::Known(peer, _) => (2, peer.clone()),
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(key, told);
        drop(waiting);
        self.more.notify_one();
    }

    fn next(&self) -> Option<Told> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_first().map(|(_, told)| told)
    }

    /// Carries everything from shard `from` into the inbox of another, until `stop`.
    pub(super) async fn carry(self, from: u16, to: mpsc::Sender<Input>, stop: CancellationToken) {
        loop {
            while let Some(told) = self.next() {
                let sent = tokio::select! {
                    sent = to.send(Input::Told(from, told)) => sent,
                    () = stop.cancelled() => return,
                };
                if sent.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.more.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
