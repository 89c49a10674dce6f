//! From where a peer speaks.

use std::net::IpAddr;

use super::Peer;
use super::association::PeerState;

/// Addresses whose first bits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many bits count.
    pub bits: u8,
}

impl Network {
    /// Whether an address is of this network. An IPv4 address written as IPv6 is the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, all: u32| {
            let behind = all.saturating_sub(u32::from(self.bits));
            (a ^ b).checked_shr(behind).unwrap_or(0) == 0
        };
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

impl Peer {
    /// Whether the peer may speak from this address; `None`: it is not known.
    pub fn is_from(&self, address: Option<IpAddr>) -> bool {
        let mut networks = self.from.iter();
        self.from.is_empty()
            || address.is_some_and(|address| networks.any(|network| network.contains(address)))
    }
}

/// Addresses remembered of a peer, at most.
const MOST: usize = 8;

/// Addresses from which sessions of a peer were used in this run, the last one last; and those
/// from which the kept ones were used first.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<IpAddr>);

impl Seen {
    /// A session of the peer was used from here.
    pub(super) fn note(&mut self, address: Option<IpAddr>) {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return;
        };
        if self.0.last() == Some(&address) {
            return;
        }
        self.0.retain(|known| *known != address);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(address);
    }
}

impl PeerState {
    /// Whether an unknown session may be taken for the peer's, from this address: one of
    /// those configured, or one from which a session of it was used.
    pub(super) fn is_known_from(&self, peer: &Peer, address: Option<IpAddr>) -> bool {
        let known = |address: IpAddr| self.seen.0.contains(&address.to_canonical());
        !peer.from.is_empty() || address.is_none_or(known)
    }

    /// Whether a lost session may be reset, asked from this address: as
    /// [`PeerState::is_known_from`], or no address is known, as after the loss of the store.
    pub(super) fn may_have_lost(&self, peer: &Peer, address: Option<IpAddr>) -> bool {
        self.seen.0.is_empty() || self.is_known_from(peer, address)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_compared_by_their_first_bits() {
        for (address, bits, within, without) in [
            ("192.0.2.0", 24, "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", 32, "::ffff:192.0.2.7", "192.0.2.8"),
            ("0.0.0.0", 0, "255.1.2.3", "::1"),
            ("2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::"),
            ("::", 0, "2001:db8::", "10.0.0.1"),
        ] {
            let address = ip(address);
            let network = Network { address, bits };
            assert!(network.contains(ip(within)), "{within}");
            assert!(!network.contains(ip(without)), "{without}");
        }
    }

    #[test]
    fn the_last_addresses_of_a_peer_are_remembered() {
        let mut seen = Seen::default();
        for n in 0..20 {
            seen.note(Some(ip(&format!("10.0.0.{n}"))));
            seen.note(Some(ip("10.0.0.0")));
        }
        assert_eq!(seen.0.len(), MOST);
        assert_eq!(seen.0[MOST - 1], ip("10.0.0.0"));
        assert_eq!(seen.0[0], ip("10.0.0.13"));
    }
}
