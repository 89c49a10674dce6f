//! From where the sessions of a peer are used.

use std::net::IpAddr;

use crate::sap::settings::Peer;

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

    /// Whether an unknown session may be taken for the peer's, from this address: one of
    /// those configured, or one from which a session of it was used.
    pub(super) fn is_known(&self, peer: &Peer, address: Option<IpAddr>) -> bool {
        let known = |address: IpAddr| self.0.contains(&address.to_canonical());
        !peer.from.is_empty() || address.is_none_or(known)
    }

    /// Whether a lost session may be reset, asked from this address: as [`Seen::is_known`], or
    /// no address is known, as after the loss of the store.
    pub(super) fn may_have_lost(&self, peer: &Peer, address: Option<IpAddr>) -> bool {
        self.0.is_empty() || self.is_known(peer, address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_addresses_of_a_peer_are_remembered() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
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
