//! An identity for each home domain behind us (quirk E-2): towards a peer that
//! takes only users of the session's own domain, the domains that its record names as
//! `fronts` are presented as services of their own.
//!
//! Such an identity is a peer of its own wherever sessions, handshakes and queues are kept,
//! under a name made of both domains; wherever it is asked whose users somebody speaks for
//! it is the peer itself. So each has its sessions, and its queue, and what is asked in one
//! identity is answered there.

use std::sync::Arc;

use super::association::handshake::Role;
use super::element::Time;
use super::transaction::Place;
use super::{Peer, Sap, Settings};
use crate::ssp::Address;
use crate::ssp::envelope::Peek;

/// Between the peer's domain and the one presented; no domain contains it.
const AS: char = '+';

/// What an identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// The domain that is presented.
    pub domain: String,
    /// The peer's own domain.
    pub peer: String,
}

/// The peer's own domain, from the name of any of its identities.
pub fn domain_of(peer: &str) -> &str {
    peer.split(AS).next().unwrap_or_default()
}

impl Peer {
    /// The domain it has itself.
    pub fn real(&self) -> &str {
        self.front
            .as_ref()
            .map_or(&self.domain, |front| &front.peer)
    }

    /// The domain as which we present ourselves.
    pub(super) fn presented<'d>(&'d self, own: &'d str) -> &'d str {
        self.front.as_ref().map_or(own, |front| &front.domain)
    }

    /// The name of the identity that presents a domain.
    fn identity(&self, front: &str) -> String {
        format!("{}{AS}{front}", self.real())
    }

    /// The peer once more for each domain that it is to take for a service of its own.
    pub(super) fn identities(&self) -> impl Iterator<Item = Self> {
        self.fronts.iter().map(|front| Self {
            domain: self.identity(front),
            aliases: self.names().map(str::to_owned).collect(),
            fronts: Vec::new(),
            front: Some(Front {
                domain: front.clone(),
                peer: self.domain.clone(),
            }),
            ..self.clone()
        })
    }
}

impl Settings {
    /// A peer with all its identities, itself first.
    pub(super) fn identities_of(&self, peer: &str) -> impl Iterator<Item = &Arc<Peer>> {
        let peer = self.peers.get(domain_of(peer));
        let fronts = peer.into_iter().flat_map(|peer| {
            let names = peer.fronts.iter().map(|front| peer.identity(front));
            names.filter_map(|name| self.peers.get(&name))
        });
        peer.into_iter().chain(fronts)
    }
}

impl Sap {
    /// The identity in which a request goes to a peer: that of its requestor's domain.
    pub(super) fn identity_for(&self, peer: &Arc<Peer>, peek: &Peek) -> Arc<Peer> {
        if peer.fronts.is_empty() {
            return peer.clone();
        }
        let user = peek.user.as_ref().filter(|_| !peek.by_server);
        let named = user.or(peek.service.as_ref()).or(peek.sender.as_ref());
        let from = named.or(peek.publishers.first()).map(Address::domain);
        let front = peer
            .fronts
            .iter()
            .find(|front| Some(front.as_str()) == from);
        let identity = front.and_then(|front| self.settings.peers.get(&peer.identity(front)));
        identity.unwrap_or(peer).clone()
    }

    /// The identity in which a peer was asked what it answers now: it may answer in any
    /// session.
    pub(super) fn identity_asked(&self, peer: &Peer, id: &str) -> Option<Arc<Peer>> {
        if peer.fronts.is_empty() && peer.front.is_none() {
            return None;
        }
        let asked = |identity: &&Arc<Peer>| {
            let place = Place::Peer {
                peer: identity.domain.clone(),
                id: id.to_owned(),
            };
            self.table.by_place(&place).is_some()
        };
        self.settings
            .identities_of(&peer.domain)
            .find(asked)
            .cloned()
    }

    /// The identity that a handshake is with: the one in which it is open, or, for a new
    /// one, the one whose host was posted to.
    pub(super) fn identity_addressed(
        &self,
        peer: Arc<Peer>,
        host: Option<&str>,
        open: impl Fn(&super::association::PeerState) -> bool,
    ) -> Arc<Peer> {
        if peer.fronts.is_empty() {
            return peer;
        }
        let has_it = |identity: &&Arc<Peer>| {
            let state = self.peers.get(&identity.domain);
            state.is_some_and(&open)
        };
        if let Some(identity) = self.settings.identities_of(&peer.domain).find(has_it) {
            return identity.clone();
        }
        let host = host.map(host_name);
        let front = peer.fronts.iter().filter(|front| {
            let rest = host
                .as_deref()
                .and_then(|host| host.strip_suffix(front.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let front = front.max_by_key(|front| front.len());
        let identity = front.and_then(|front| self.settings.peers.get(&peer.identity(front)));
        identity.cloned().unwrap_or(peer)
    }

    /// Whether another identity waits for the peer's token, which does not say to whom it
    /// is given (6.1): only one may.
    pub(super) fn token_is_awaited(&self, peer: &Peer) -> bool {
        let mut others = self.settings.identities_of(&peer.domain);
        others.any(|other| {
            let state = self.peers.get(&other.domain);
            let initiator = state.and_then(|state| state.initiator.as_ref());
            other.domain != peer.domain && initiator.is_some_and(|i| i.awaits(1))
        })
    }

    /// Our handshake in one identity waits for no token any more: others may log in.
    pub(super) fn let_others_log_in(&mut self, peer: &Peer, role: &Role, now: Time) {
        if *role != Role::Initiator || (peer.fronts.is_empty() && peer.front.is_none()) {
            return;
        }
        let others: Vec<String> = self
            .settings
            .identities_of(&peer.domain)
            .map(|other| other.domain.clone())
            .filter(|other| *other != peer.domain)
            .collect();
        for other in others {
            self.pump(&other, now);
        }
    }
}

/// The name in a `Host` header, in lower case.
fn host_name(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a request was posted by this peer, in whatever identity.
pub(super) fn is_of(origin: &super::Origin, domain: &str) -> bool {
    matches!(origin, super::Origin::Peer { peer, .. } if domain_of(peer) == domain)
}
