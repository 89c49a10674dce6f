//! Room for the handshakes that peers open.
//!
//! Anybody can begin one in a peer's name: who it is shows only in step 3, by the digest over a
//! token that was posted to the peer's own address. So those that have not come so far are counted
//! by the address they came from, and the oldest gives way: a stranger takes room from themselves.

use std::net::{IpAddr, Ipv6Addr};

use crate::sap::association::handshake::Responder;

/// Unfinished handshakes of one address in one peer's name; glare needs two.
const PER_ADDRESS: usize = 4;
/// ... of all addresses.
const UNPROVEN: usize = 32;
/// ... of those whose digest was right.
pub(super) const PROVEN: usize = 8;
/// Steps 2 on their way to one peer; more would take its link from everything else.
pub(super) const TOKENS: usize = 16;
/// Bytes of a token that is kept.
pub(in crate::sap) const MAX_TOKEN: usize = 512;

/// The handshake that gives way to one more from this address, if there are too many. `home`:
/// where the peer itself was last.
pub(super) fn who_gives_way(
    responders: &[Responder],
    from: Option<IpAddr>,
    home: Option<IpAddr>,
) -> Option<String> {
    let unproven: Vec<(Option<IpAddr>, &Responder)> = responders
        .iter()
        .filter(|responder| !responder.is_proven())
        .map(|responder| (responder.from.map(neighbourhood), responder))
        .collect();
    let of = |at: Option<IpAddr>| unproven.iter().filter(move |(near, _)| *near == at);
    let from = from.map(neighbourhood);
    let crowded = if of(from).count() >= PER_ADDRESS {
        from
    } else if unproven.len() >= UNPROVEN {
        // Not where the peer itself was last, if there is another.
        let strange = unproven.iter().map(|(near, _)| *near);
        let strange = strange.filter(|near| near.is_none() || *near != home);
        let most = strange.max_by_key(|near| of(*near).count());
        most.unwrap_or(home)
    } else {
        return None;
    };
    of(crowded).next().map(|(_, oldest)| oldest.id.clone())
}

/// Whoever has one address of an IPv6 network has 2^64 of them.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
