//! What the SAP must know of its node and its peers: plain values, made from the
//! configuration by the joint.

pub mod dialect;
mod provider;
mod routes;
mod service_set;
mod shards;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::network::Network;
use super::presented_as::{PeerId, domain_of};
use crate::element::Element;
use crate::imps::Address;
use crate::imps::address::Kind;
use crate::imps::primitive::common::Logo;
use crate::imps::xml::Names;
use crate::ssp::envelope::Peek;
use dialect::Dialect;

pub use provider::PseTable;
pub use routes::{Route, Routes};
pub use service_set::ServiceSet;
pub use shards::Shards;

/// Name of the user that answers every message with itself.
pub const ECHO: &str = "echo";

/// The node's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Own SSP domain; `wv:@domain` is the service id.
    pub domain: String,
    /// By domain; identities of ours (`front`) by the name of each.
    pub peers: BTreeMap<String, Arc<Peer>>,
    /// The domain of the peer that has an alias.
    pub(crate) by_alias: BTreeMap<String, String>,
    /// Whether the dialect of any peer allows a repair.
    pub(crate) repairs: bool,
    /// Where a domain's users are.
    pub routes: Routes,
    /// Wait for the answer to a request; then 504 (wire profile, 7.5).
    pub response_timeout: Duration,
    /// A peer with users who are watched, of whom nothing was heard for so long, is tried; one that
    /// is not reached for half of it is away.
    pub peer_silence: Duration,
    /// A whole handshake (6.6).
    pub handshake_timeout: Duration,
    /// Remember answered requests for so long (7.5).
    pub duplicate_window: Duration,
    /// Time to live we announce for sessions.
    pub session_ttl: Duration,
    /// How long a message without validity may wait.
    pub default_validity: Duration,
    /// Transactions waiting for one peer.
    pub max_queue: usize,
    /// Bytes waiting for one peer.
    pub max_queue_bytes: usize,
    /// Bytes waiting for all peers together, half of which are for peers for whom less than
    /// an equal share waits.
    pub max_queue_total: usize,
    /// Bytes of what waits for all peers together that are in memory; all of it is on disk.
    pub max_held_bytes: usize,
    /// Unanswered requests of one peer.
    pub max_pending: usize,
    /// Messages that were answered 202 and that the next hop has: of these a late failure is
    /// reported.
    pub max_lingering: usize,
    /// Bytes of what is kept of them.
    pub max_lingering_bytes: usize,
    /// Sessions with one peer, at least 1.
    pub max_sessions: usize,
    /// Transactions per POST, at most, whatever the dialect allows.
    pub batch_count: usize,
    /// Bytes per POST, about.
    pub batch_bytes: usize,
    /// Life of a service agreement, asked for and granted at most (11.3).
    pub agreement_ttl: Duration,
    /// How long a profile that passed by is remembered (11.4); 0: not at all.
    pub profile_cache: Duration,
    /// Which domain provides a service to whose users.
    pub pse: PseTable,
    /// Who runs this node, for those who ask (11.5).
    pub provider: Provider,
    /// What any of the peers calls the parts of an envelope.
    pub names: Names,
    /// The way to [`ECHO`], a user of the own domain whoever serves the others; none: there is no
    /// such user.
    pub echo: Option<Route>,
    /// This node is there to try that peer, and keeps nothing.
    pub visiting: Option<String>,
    /// Whether acknowledgements to any peer wait for the disk.
    pub(crate) any_strict: bool,
    /// Which part of the node this is.
    pub shards: Shards,
    /// Service elements that are not divided: they live in the first shard.
    pub undivided: BTreeSet<Element>,
}

/// What a peer may do with profiles beyond what the roles of home domain and
/// provider give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Access {
    /// The peer may do nothing with them.
    #[default]
    None,
    /// The peer may read them.
    Read,
    /// The peer may read and change them.
    Write,
}

/// What is told of the service provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provider {
    /// Its name; the domain if there is none.
    pub name: Option<String>,
    /// What it offers, for people.
    pub description: Option<String>,
    /// Address of its web site.
    pub url: Option<String>,
    /// A picture that stands for it.
    pub logo: Option<Logo>,
}

/// A peer, as it is configured.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its domain; of an identity of ours towards it, the name of that.
    pub domain: String,
    /// Further domains that are the same server (quirk E-18).
    pub aliases: Vec<String>,
    /// Home domains behind us that are presented to it as services of their own (quirk
    /// E-2).
    pub fronts: Vec<String>,
    /// The same as values.
    pub id: PeerId,
    /// Home domains it may relay for, besides its own.
    pub speaks_for: SpeaksFor,
    /// Agreed password mixed into the digests; usually empty (6.3).
    pub password: Secret,
    /// The dialect that it speaks.
    pub dialect: Arc<Dialect>,
    /// Whether to log in at start rather than when there is something to send.
    pub connect_always: bool,
    /// Whether a session id we do not know is taken as the peer's, if it carries
    /// its domain (6.9).
    pub adopt_unknown_session: bool,
    /// DNS name that its client certificate must carry.
    pub client_name: Option<String>,
    /// Addresses from which it speaks; none: any.
    pub from: Vec<Network>,
    /// Whether acknowledgements to it wait for the disk.
    pub strict: bool,
    /// Requests a second it may send; more are answered 503.
    pub max_rate: Option<u32>,
    /// One that does not heed that for so long is disconnected.
    pub max_flood: Option<Duration>,
    /// URLs or hosts to whose hosts it may redirect us (6.8).
    pub redirects: Vec<String>,
    /// Its addresses come from SRV records: the link compares redirects with them.
    pub found_by_srv: bool,
    /// What it may use here, unless an agreement says less (11.3).
    pub offers: ServiceSet,
    /// What we negotiate to use there; nothing: no negotiation.
    pub wants: ServiceSet,
    /// What it may do with profiles of users who are not its own (11.4).
    pub profiles: Access,
}

/// Bytes that never appear in a log.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// For which home domains a peer may send requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpeaksFor {
    /// Any domain, except those this node serves itself or reaches through
    /// another peer.
    pub any: bool,
    /// The domains that are named.
    pub domains: Vec<String>,
}

impl Peer {
    /// A peer with nothing out of the ordinary.
    pub fn new(domain: &str, dialect: Arc<Dialect>) -> Self {
        Self {
            domain: domain.to_owned(),
            aliases: Vec::new(),
            fronts: Vec::new(),
            id: PeerId::new(domain),
            speaks_for: SpeaksFor::default(),
            password: Secret::default(),
            dialect,
            connect_always: false,
            adopt_unknown_session: false,
            client_name: None,
            from: Vec::new(),
            strict: true,
            max_rate: None,
            max_flood: None,
            redirects: Vec::new(),
            found_by_srv: false,
            offers: ServiceSet::ALL,
            wants: ServiceSet::NONE,
            profiles: Access::None,
        }
    }

    /// Whether `domain` is the peer itself.
    pub fn is(&self, domain: &str) -> bool {
        self.domain == domain || self.aliases.iter().any(|alias| alias == domain)
    }

    /// The domain it has itself.
    pub fn real(&self) -> &str {
        self.id.real()
    }

    /// Whether this is an identity of ours towards a peer rather than the peer itself.
    pub fn is_identity(&self) -> bool {
        self.id.presented().is_some()
    }

    /// Whether we have several identities towards it.
    pub(super) fn has_identities(&self) -> bool {
        !self.fronts.is_empty() || self.is_identity()
    }

    /// The domain as which we present ourselves.
    pub(super) fn presented<'d>(&'d self, own: &'d str) -> &'d str {
        self.id.presented().unwrap_or(own)
    }

    /// The name of the identity that presents a domain.
    fn identity(&self, front: &str) -> PeerId {
        PeerId::presenting(self.real(), front)
    }

    /// The peer once more for each domain that it is to take for a service of its own.
    fn identities(&self) -> impl Iterator<Item = Self> {
        self.fronts.iter().map(|front| {
            let id = self.identity(front);
            Self {
                domain: id.as_str().to_owned(),
                id,
                aliases: self.names().map(str::to_owned).collect(),
                fronts: Vec::new(),
                ..self.clone()
            }
        })
    }

    /// Whether the peer may speak from this address; `None`: it is not known.
    pub fn is_from(&self, address: Option<IpAddr>) -> bool {
        let mut networks = self.from.iter();
        self.from.is_empty()
            || address.is_some_and(|address| networks.any(|network| network.contains(address)))
    }

    /// Its domain and its aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = std::iter::once(&self.domain).chain(&self.aliases);
        names.map(String::as_str)
    }
}

impl Settings {
    /// Settings with the wire profile's defaults.
    pub fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            peers: BTreeMap::new(),
            by_alias: BTreeMap::new(),
            repairs: false,
            routes: Routes::default(),
            response_timeout: Duration::from_secs(20),
            peer_silence: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(30),
            duplicate_window: Duration::from_secs(600),
            session_ttl: Duration::from_secs(86_400),
            default_validity: Duration::from_secs(86_400),
            max_queue: 100_000,
            max_queue_bytes: 256 * 1024 * 1024,
            max_queue_total: 1024 * 1024 * 1024,
            max_held_bytes: 64 * 1024 * 1024,
            max_pending: 100_000,
            max_lingering: 100_000,
            max_lingering_bytes: 128 * 1024 * 1024,
            max_sessions: 8,
            batch_count: 64,
            batch_bytes: 256 * 1024,
            agreement_ttl: Duration::from_secs(7 * 86_400),
            profile_cache: Duration::from_secs(300),
            pse: PseTable::default(),
            provider: Provider::default(),
            names: Names::default(),
            echo: None,
            visiting: None,
            any_strict: false,
            shards: Shards::ONE,
            undivided: BTreeSet::new(),
        }
    }

    /// Those of one shard: of what is bounded for all peers together it has an equal part, rounded
    /// up.
    #[must_use]
    pub fn of_shard(&self, shard: Shards) -> Self {
        Self {
            max_queue_total: shard.share(self.max_queue_total),
            max_held_bytes: shard.share(self.max_held_bytes),
            max_lingering: shard.share(self.max_lingering),
            max_lingering_bytes: shard.share(self.max_lingering_bytes),
            shards: shard,
            ..self.clone()
        }
    }

    /// Adds a peer and, unless another is there, the direct route to it.
    #[must_use]
    pub fn with_peer(mut self, peer: Peer) -> Self {
        for domain in peer.names() {
            if self.routes.find_exact(domain).is_none() {
                self.routes.add(domain, Route::Peer(peer.domain.clone()));
            }
        }
        let aliases = peer.aliases.iter().cloned();
        self.by_alias
            .extend(aliases.map(|alias| (alias, peer.domain.clone())));
        self.any_strict |= peer.strict;
        self.repairs |= !peer.dialect.repairs.is_empty();
        self.names.extend(peer.dialect.accept.of_envelope());
        for identity in peer.identities() {
            self.peers
                .insert(identity.domain.clone(), Arc::new(identity));
        }
        self.peers.insert(peer.domain.clone(), Arc::new(peer));
        self
    }

    /// The same with one more route.
    #[must_use]
    pub fn with_route(mut self, domain: &str, route: Route) -> Self {
        self.routes.add(domain, route);
        self
    }

    /// Where somebody is reached; without a domain they are one of ours.
    pub fn route_to(&self, target: &Address) -> Option<&Route> {
        let domain = match target.domain() {
            "" => self.domain.as_str(),
            domain => domain,
        };
        let is_echo = || target.kind() == Kind::User && target.local() == ECHO;
        if let Some(echo) = &self.echo
            && domain == self.domain
            && is_echo()
        {
            return Some(echo);
        }
        self.routes.find(domain)
    }

    /// The peer whose domain or alias `domain` is.
    pub fn peer_of(&self, domain: &str) -> Option<&Peer> {
        self.peers
            .get(domain)
            .or_else(|| self.peers.get(self.by_alias.get(domain)?))
            .map(Arc::as_ref)
            .filter(|peer| !peer.is_identity())
    }

    /// A peer with all its identities, itself first.
    pub(super) fn identities_of(&self, peer: &str) -> impl Iterator<Item = &Arc<Peer>> {
        let peer = self.peers.get(domain_of(peer));
        let fronts = peer.into_iter().flat_map(|peer| {
            let names = peer.fronts.iter().map(|front| peer.identity(front));
            names.filter_map(|name| self.peers.get(name.as_str()))
        });
        peer.into_iter().chain(fronts)
    }

    /// The identity that presents a domain, or the peer itself.
    fn presenting<'s>(&'s self, peer: &'s Arc<Peer>, front: Option<&String>) -> &'s Arc<Peer> {
        let identity = front.and_then(|front| self.peers.get(peer.identity(front).as_str()));
        identity.unwrap_or(peer)
    }

    /// The identity in which a request goes to a peer: that of its requestor's domain.
    pub(super) fn identity_for(&self, peer: &Arc<Peer>, peek: &Peek) -> Arc<Peer> {
        if peer.fronts.is_empty() {
            return peer.clone();
        }
        let user = peek.user.as_ref().filter(|_| !peek.by_server);
        let named = user.or(peek.service.as_ref()).or(peek.sender.as_ref());
        let from = named.or(peek.publishers.first()).map(Address::domain);
        let mut fronts = peer.fronts.iter();
        let front = fronts.find(|front| Some(front.as_str()) == from);
        self.presenting(peer, front).clone()
    }

    /// The identity whose host was posted to.
    pub(super) fn identity_at(&self, peer: &Arc<Peer>, host: Option<&str>) -> Arc<Peer> {
        let host = host.map(host_name);
        let fronts = peer.fronts.iter().filter(|front| {
            let rest = host
                .as_deref()
                .and_then(|host| host.strip_suffix(front.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let front = fronts.max_by_key(|front| front.len());
        self.presenting(peer, front).clone()
    }

    /// Whether acknowledgements to any peer wait for the disk.
    pub fn is_strict(&self) -> bool {
        self.any_strict
    }

    /// Whether there is a peer whose messages may be repaired.
    pub fn may_repair(&self) -> bool {
        self.repairs
    }

    /// Whether `peer` may send requests of users of `domain` (wire profile, 7.2).
    pub fn may_speak(&self, peer: &Peer, domain: &str) -> bool {
        if peer.is(domain) || peer.speaks_for.domains.iter().any(|d| d == domain) {
            return true;
        }
        // A wildcard never covers a domain known to be elsewhere.
        peer.speaks_for.any
            && domain != self.domain
            && match self.routes.find_exact(domain) {
                None => true,
                Some(Route::Peer(via)) => via == peer.real(),
                Some(Route::Local(_)) => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_of_a_node_have_together_what_is_for_all_peers() {
        let node = Settings::new("a.test");
        for count in [1, 2, 3, 7, Shards::MOST] {
            let shard = node.of_shard(Shards::new(0, count));
            let parts = [
                (node.max_queue_total, shard.max_queue_total),
                (node.max_held_bytes, shard.max_held_bytes),
                (node.max_lingering, shard.max_lingering),
                (node.max_lingering_bytes, shard.max_lingering_bytes),
            ];
            let count = usize::from(count);
            for (all, part) in parts {
                let together = part * count;
                assert!(
                    all <= together && together < all + count,
                    "{part} in each of {count} for {all}"
                );
            }
            // What one peer may have is the same everywhere.
            assert_eq!(shard.max_queue, node.max_queue);
            assert_eq!(shard.max_queue_bytes, node.max_queue_bytes);
        }
    }
}
