//! How a peer behaves: from where it speaks, how fast it asks, what it owes, and what comes from
//! it in vain.

use std::net::IpAddr;

use crate::element::Time;
use crate::sap::association::quiet::Quiet;
use crate::sap::association::rate_limit::{Rate, RateLimit};
use crate::sap::association::seen::Seen;
use crate::sap::association::traffic::Traffic;
use crate::sap::association::trouble::{Trouble, Troubles};
use crate::sap::presented_as::PeerId;
use crate::sap::settings::Peer;

/// How one peer behaves.
#[derive(Debug)]
pub(in crate::sap) struct Conduct {
    id: PeerId,
    rate_limit: RateLimit,
    /// The peer was refused requests because too much of it is open.
    owes: bool,
    /// From where its sessions were used.
    seen: Seen,
    /// What of it never became a message.
    troubles: Troubles,
    /// What the log says of it.
    quiet: Quiet,
    /// Nothing is kept of a peer with which there was none.
    traffic: Option<Box<Traffic>>,
}

impl Conduct {
    pub(super) fn new(id: PeerId) -> Self {
        Self {
            id,
            rate_limit: RateLimit::default(),
            owes: false,
            seen: Seen::default(),
            troubles: Troubles::default(),
            quiet: Quiet::default(),
            traffic: None,
        }
    }

    /// A session of the peer was used from here.
    pub(super) fn seen_from(&mut self, from: Option<IpAddr>) {
        self.seen.note(from);
    }

    /// See [`Seen::is_known`].
    pub(in crate::sap) fn is_known_from(&self, peer: &Peer, from: Option<IpAddr>) -> bool {
        self.seen.is_known(peer, from)
    }

    /// See [`Seen::may_have_lost`].
    pub(in crate::sap) fn may_have_lost(&self, peer: &Peer, from: Option<IpAddr>) -> bool {
        self.seen.may_have_lost(peer, from)
    }

    /// What went between this node and the peer.
    pub(super) fn traffic(&self) -> Traffic {
        self.traffic.as_deref().cloned().unwrap_or_default()
    }

    /// The same, to be counted.
    pub(in crate::sap) fn traffic_mut(&mut self) -> &mut Traffic {
        self.traffic.get_or_insert_default()
    }

    pub(super) fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// A message came in a session of ours, with or without requests.
    pub(super) fn message_came(&mut self, from: Option<IpAddr>, asks: bool, now: Time) {
        self.troubles.message_came(now);
        self.seen.note(from);
        self.owes &= !asks;
    }

    /// The peer is refused requests because too much of it is open. Whether that has just begun.
    pub(in crate::sap) fn owes(&mut self) -> bool {
        !std::mem::replace(&mut self.owes, true)
    }

    /// See [`RateLimit::ask`].
    pub(super) fn ask(&mut self, peer: &Peer, requests: usize, now: Time) -> Rate {
        self.rate_limit.ask(peer, requests, now)
    }

    /// The peer was disconnected for its flood.
    pub(super) fn forgive_flood(&mut self) {
        self.rate_limit.forgive();
    }

    /// Whether a line about what comes in the peer's name is due; see [`Quiet::due`].
    pub(in crate::sap) fn due_line(&mut self, kind: &'static str, now: Time) -> Option<u64> {
        self.quiet.due(kind, now)
    }

    /// Something came from the peer that never became a message.
    pub(in crate::sap) fn trouble(&mut self, trouble: Trouble, remote: &str, now: Time) {
        self.troubles.note(trouble, now);
        if let Some(left_out) = self.quiet.due(trouble.kind(), now) {
            tracing::warn!(
                ssp.peer = self.id.as_str(),
                remote,
                left_out,
                "the peer is not heard: {}",
                trouble.words()
            );
        }
    }
}
