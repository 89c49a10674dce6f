//! The addresses of peers, as far as they have shown themselves: places and memory are kept for
//! them when strangers take all that strangers may have.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Most addresses remembered; the one not seen for longest gives way.
const MOST: usize = 4096;
/// An address is forgotten when nothing of a peer has come from it, or gone there, for so long.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How exactly the last time is known; spares a lock that is held for a clean-up.
const ROUGHLY: Duration = Duration::from_secs(60);

/// Addresses from which peers have spoken in a session, or at which they were reached. Not kept
/// over a restart.
#[derive(Debug, Default)]
pub struct KnownAddresses {
    seen: Mutex<HashMap<IpAddr, Instant>>,
}

impl KnownAddresses {
    /// Remembers the address of a peer.
    pub fn note(&self, address: IpAddr) {
        self.note_at(address, Instant::now());
    }

    fn note_at(&self, address: IpAddr, now: Instant) {
        let key = network(address);
        let mut seen = self.seen();
        if seen.get(&key).is_some_and(|at| now - *at < ROUGHLY) {
            return;
        }
        if seen.len() >= MOST && !seen.contains_key(&key) {
            seen.retain(|_, at| now - *at < KEPT);
            let oldest = seen.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
            if let Some(oldest) = oldest.filter(|_| seen.len() >= MOST) {
                seen.remove(&oldest);
            }
        }
        seen.insert(key, now);
    }

    /// Whether a peer has been at the address lately.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.knows_at(address, Instant::now())
    }

    fn knows_at(&self, address: IpAddr, now: Instant) -> bool {
        let seen = self.seen();
        let at = seen.get(&network(address));
        at.is_some_and(|at| now - *at < KEPT)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address: an IPv4 address, also where it comes as an IPv6 one, and the first
/// 64 bits of an IPv6 address, which is what one customer gets.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_seen_longest_ago_gives_way() {
        let (known, start) = (KnownAddresses::default(), Instant::now());
        let address = |n: usize| IpAddr::from(u32::try_from(n).unwrap_or(0).to_be_bytes());
        let mut now = start;
        for n in 0..=MOST {
            now += Duration::from_secs(1);
            known.note_at(address(n), now);
        }
        assert!(!known.knows_at(address(0), now));
        assert!(known.knows_at(address(1), now) && known.knows_at(address(MOST), now));
        assert_eq!(known.seen().len(), MOST);
        assert!(!known.knows_at(address(MOST), now + KEPT));
    }

    #[test]
    fn a_customer_is_one_address() {
        let at = |text: &str| network(text.parse().unwrap_or(IpAddr::from([0; 4])));
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2::"));
        assert_ne!(at("2001:db8:1:3::1"), at("2001:db8:1:2::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
        assert_ne!(at("10.0.0.2"), at("10.0.0.1"));
    }
}
