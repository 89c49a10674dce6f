//! Networks of addresses.

use std::net::IpAddr;

/// Addresses whose first bits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// An address of the network.
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

#[cfg(test)]
mod tests {
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
}
