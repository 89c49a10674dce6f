//! Room for the handshakes that peers open.
//!
//! Anybody can begin one in a peer's name: who it is shows only in step 3, by the digest over a
//! token that was posted to the peer's own address. So those that have not come so far are counted
//! by the address they came from, and the oldest gives way: a stranger takes room from themselves.

use std::net::{IpAddr, Ipv6Addr};

use super::Role;
use crate::sap::association::PeerState;
use crate::sap::association::handshake::{Failure, Responder};
use crate::sap::association::posting::Flight;
use crate::sap::element::Time;
use crate::sap::verdict::Verdict;
use crate::sap::{Count, Peer, Sap};

/// Unfinished handshakes of one address in one peer's name; glare needs two.
const PER_ADDRESS: usize = 4;
/// ... of all addresses.
const UNPROVEN: usize = 32;
/// ... of those whose digest was right.
const PROVEN: usize = 8;
/// Steps 2 on their way to one peer; more would take its link from everything else.
const TOKENS: usize = 16;
/// Bytes of a token that is kept.
pub(super) const MAX_TOKEN: usize = 512;
/// A login of ours waits so long for those of others that may not be the peer's: milliseconds;
/// our choice, some times what a handshake takes.
pub(in crate::sap) const YIELD: u64 = 3_000;

impl Sap {
    /// Makes room for one more handshake in a peer's name, begun at this address.
    ///
    /// # Errors
    /// The answer if there can be none.
    pub(super) fn make_room(
        &mut self,
        peer: &Peer,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(), Verdict> {
        let Some(state) = self.peers.get(&peer.domain) else {
            return Err(Verdict::Forbidden);
        };
        let Some(id) = who_gives_way(state, from) else {
            return Ok(());
        };
        let on_their_way = self.flights.values().filter(|flight| {
            matches!(flight, Flight::Step(step) if step.step.number == 2 && step.peer == peer.domain)
        });
        if on_their_way.count() >= TOKENS {
            return Err(Verdict::Busy(Some(1_000)));
        }
        self.give_way(peer, &id, from, now);
        Ok(())
    }

    /// A handshake of the peer itself has come so far that its digest was right.
    pub(super) fn proven(&mut self, peer: &Peer, id: &str, now: Time) {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let responder = state.responders.iter().find(|r| r.id == id);
        state.at_home = responder.and_then(|responder| responder.from.map(neighbourhood));
        let proven = || state.responders.iter().filter(|r| r.is_proven());
        if proven().count() > PROVEN
            && let Some(oldest) = proven().next().map(|r| r.id.clone())
        {
            self.give_way(peer, &oldest, None, now);
        }
    }

    fn give_way(&mut self, peer: &Peer, id: &str, from: Option<IpAddr>, now: Time) {
        let Some(state) = self.peers.get_mut(&peer.domain) else {
            return;
        };
        let (_, unusable) = state.abandon(&Role::Responder(id.to_owned()));
        if let Some(left_out) = state.quiet.due("handshakes", now) {
            tracing::warn!(
                ssp.peer = peer.domain,
                remote = from.map(|from| from.to_string()),
                left_out,
                "too many unfinished logins in the peer's name: the oldest gives way"
            );
        }
        self.count(Count::HandshakeFailed);
        // If it was the peer's own, it may wait for ever.
        self.abandoned(peer, &Failure::TimedOut, unusable, now);
    }
}

/// The handshake that gives way to one more from this address, if there are too many.
fn who_gives_way(state: &PeerState, from: Option<IpAddr>) -> Option<String> {
    let unproven: Vec<(Option<IpAddr>, &Responder)> = state
        .responders
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
        let strange = strange.filter(|near| near.is_none() || *near != state.at_home);
        let most = strange.max_by_key(|near| of(*near).count());
        most.unwrap_or(state.at_home)
    } else {
        return None;
    };
    of(crowded).next().map(|(_, oldest)| oldest.id.clone())
}

/// Whoever has one address of an IPv6 network has 2^64 of them.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
