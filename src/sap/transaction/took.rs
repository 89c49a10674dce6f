//! How long peers take to answer.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::element::Spans;
use crate::sap::presented_as::PeerId;

/// How long requests that were handed on to each peer were here until it had answered them, since the
/// start. Peers are those of the configuration.
#[derive(Debug, Default)]
pub(in crate::sap) struct Took(FxHashMap<PeerId, Box<Spans>>);

impl Took {
    /// A peer has answered a request that was here for so long.
    pub(super) fn note(&mut self, peer: &PeerId, took: Duration) {
        match self.0.get_mut(peer) {
            Some(spans) => spans.note(took),
            None => self.0.entry(peer.clone()).or_default().note(took),
        }
    }

    /// Of a peer, in its identity.
    pub(in crate::sap) fn of(&self, peer: &str) -> Option<&Spans> {
        self.0.get(peer).map(AsRef::as_ref)
    }
}
