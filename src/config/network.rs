//! Addresses of a network, as `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`.

use std::net::IpAddr;

/// Reads a network: an address, and how many of its leading bits count. `None` if it is
/// none, or has bits behind those.
pub fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let (value, all) = match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let digits = |bits: &str| bits.bytes().all(|b| b.is_ascii_digit());
    let bits = match bits {
        Some(bits) => bits.parse::<u8>().ok().filter(|_| digits(bits))?,
        None => all,
    };
    let behind = value.checked_shl(u32::from(bits)).unwrap_or(0);
    (bits <= all && behind == 0).then_some((address, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_mistakes_are_not() {
        for (text, bits) in [
            ("192.0.2.7", 32),
            ("192.0.2.0/24", 24),
            ("0.0.0.0/0", 0),
            ("2001:db8::/32", 32),
            ("::1", 128),
            ("::/0", 0),
        ] {
            assert_eq!(network(text).map(|(_, bits)| bits), Some(bits), "{text}");
        }
        for text in [
            "",
            "peer.test",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/+24",
            "192.0.2.0/",
            "10/8",
            "2001:db8::/129",
            "2001:db8::1/64",
        ] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
