//! What a contact goes by: what the configuration says of the peer, and what the node is about.

use std::sync::Arc;

use crate::element::Time;
use crate::sap::association::Shared;
use crate::sap::association::login::Around;
use crate::sap::settings::Peer;
use crate::sap::settings::dialect::Dialect;

/// What the contact with one peer goes by, and does not change.
#[derive(Debug)]
pub(super) struct Terms {
    /// What the configuration says of the peer; `None`: it was taken out.
    pub(super) peer: Option<Arc<Peer>>,
    pub(super) shared: Shared,
    /// The node is about to stop: nobody is logged in to.
    pub(super) closing: bool,
    /// Another identity of the same peer awaits its token: only one may, because the token does
    /// not say to whom it is given.
    pub(super) others_await_token: bool,
}

impl Terms {
    pub(super) fn new(peer: Option<Arc<Peer>>, shared: Shared) -> Self {
        Self {
            peer,
            shared,
            closing: false,
            others_await_token: false,
        }
    }

    /// How the peer differs.
    pub(super) fn dialect(&self) -> Option<&Dialect> {
        self.peer.as_ref().map(|peer| &*peer.dialect)
    }

    /// Whether there is to be a session also when nothing waits.
    pub(super) fn connects_always(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.connect_always)
    }

    /// Whether it matters here that a silent peer is away.
    pub(super) fn mind_reach(&self) -> bool {
        let settings = &self.shared.settings;
        !self.closing && settings.visiting.is_none() && settings.routes.any_local()
    }

    /// The same, for logins. `None`: the peer is none any more.
    pub(super) fn around(&self, up: bool, leaving: bool, now: Time) -> Option<Around> {
        Some(Around {
            peer: self.peer.clone()?,
            shared: self.shared.clone(),
            up,
            leaving,
            closing: self.closing,
            others_await_token: self.others_await_token,
            now,
        })
    }
}
