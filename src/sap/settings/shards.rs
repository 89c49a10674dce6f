//! Which shard of a node has what.
//!
//! A node runs one or several shards, each with a SAP, service elements and a store of its own.
//! What belongs together is in one of them: a peer with all its identities; a user of ours with
//! their lists and groups; a public group of ours. Who is where follows from its name alone, so
//! that every shard knows it.

use super::{Route, Settings, domain_of};
use crate::imps::Address;
use crate::imps::address::Kind;
use crate::ssp::envelope::Peek;

/// A shard of a node, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    own: u16,
    count: u16,
}

impl Shards {
    /// The most that a node may have.
    pub const MOST: u16 = 64;

    /// That of a node which is not divided.
    pub const ONE: Self = Self { own: 0, count: 1 };

    /// The shard of this number, from 0, of so many.
    pub fn new(own: u16, count: u16) -> Self {
        let count = count.clamp(1, Self::MOST);
        let own = own.min(count - 1);
        Self { own, count }
    }

    /// The number of this shard.
    pub fn own(self) -> u16 {
        self.own
    }

    /// How many shards the node has.
    pub fn count(self) -> u16 {
        self.count
    }

    /// The numbers of all shards.
    pub fn all(self) -> impl Iterator<Item = u16> {
        0..self.count
    }

    /// Whether the node is not divided.
    pub fn is_single(self) -> bool {
        self.count == 1
    }

    /// The shard of a peer, by its domain or the name of an identity towards it.
    pub fn of_peer(self, peer: &str) -> u16 {
        self.of("peer", domain_of(peer))
    }

    /// The shard of a user of ours, by the local part of their address.
    pub fn of_user(self, user: &str) -> u16 {
        self.of("user", user)
    }

    /// The shard of a group of ours, by what stands before the domain of its address.
    pub fn of_group(self, group: &str) -> u16 {
        self.of("group", group)
    }

    /// Whether a peer is one of this shard.
    pub fn has_peer(self, peer: &str) -> bool {
        self.is_single() || self.of_peer(peer) == self.own
    }

    /// The lowest number from `least` on that no other shard gives.
    pub fn number(self, least: u64) -> u64 {
        if self.is_single() {
            return least;
        }
        let (step, own) = (u64::from(Self::MOST), u64::from(self.own));
        least.saturating_sub(own).div_ceil(step) * step + own
    }

    /// The `n`th of the numbers that no other shard gives.
    pub fn nth(self, n: u64) -> u64 {
        if self.is_single() {
            return n;
        }
        n.saturating_mul(u64::from(Self::MOST)) + u64::from(self.own)
    }

    /// FNV-1a with 64 bits over kind, `:` and name in lower case; its upper half folded upon the
    /// lower one; the remainder by the number of shards. Stores are divided by it: it never changes.
    fn of(self, kind: &str, name: &str) -> u16 {
        if self.is_single() {
            return 0;
        }
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let lower = name.chars().flat_map(char::to_lowercase);
        for letter in kind.chars().chain([':']).chain(lower) {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let folded = (hash >> 32) ^ (hash & 0xffff_ffff);
        // Less than 64.
        u16::try_from(folded % u64::from(self.count)).unwrap_or(0)
    }

    /// The part of one shard of what is bounded for all together: an equal one, rounded up.
    pub fn share(self, all: usize) -> usize {
        all.div_ceil(usize::from(self.count.max(1)))
    }

    /// The other shard where a request for `target` goes on, which is reached by `route`; `None` if
    /// that is here. Who is nobody's in particular, as the domain itself, is served where the
    /// request came in, but what a user of ours asks the domain is asked where that user is.
    pub(in crate::sap) fn elsewhere(
        self,
        settings: &Settings,
        route: &Route,
        target: &Address,
        peek: &Peek,
    ) -> Option<u16> {
        if self.is_single() {
            return None;
        }
        let owner = match route {
            Route::Peer(peer) => self.of_peer(peer),
            Route::Local(element) if settings.undivided.contains(element) => 0,
            Route::Local(_) => match target.kind() {
                Kind::User => self.of_user(target.local()),
                Kind::Resource => match target.user_part() {
                    "" => self.of_group(target.local()),
                    user => self.of_user(user),
                },
                Kind::Service => {
                    let user = peek.user.as_ref().filter(|_| !peek.by_server)?;
                    let is_served = settings.route_to(user) == Some(route)
                        || settings.pse.serves(&settings.domain, user.domain());
                    if user.kind() != Kind::User || !is_served {
                        return None;
                    }
                    self.of_user(user.local())
                }
            },
        };
        (owner != self.own).then_some(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_where_never_changes() {
        let shards = Shards::new(0, 3);
        let peers = ["a.test", "b.test", "c.test", "d.test"].map(|peer| shards.of_peer(peer));
        let users = ["alice", "bob", "carol", "dora"].map(|user| shards.of_user(user));
        assert_eq!((peers, users), ([2, 2, 0, 2], [0, 0, 0, 1]));
    }

    #[test]
    fn an_identity_is_where_its_peer_is_and_case_does_not_count() {
        for count in 1..=Shards::MOST {
            let shards = Shards::new(0, count);
            assert_eq!(shards.of_peer("a.test+b.test"), shards.of_peer("a.test"));
            assert_eq!(shards.of_user("Alice"), shards.of_user("alice"));
            assert!(shards.of_peer("a.test") < count);
        }
    }

    #[test]
    fn shards_are_about_equally_full() {
        let shards = Shards::new(0, 3);
        let mut sizes = [0; 3];
        for number in 0..3_000 {
            sizes[usize::from(shards.of_user(&format!("user{number}")))] += 1;
        }
        assert!(sizes.iter().all(|size| *size > 900), "{sizes:?}");
    }

    #[test]
    fn no_number_is_given_by_two_shards_and_they_grow() {
        let mut given = std::collections::BTreeSet::new();
        for own in 0..Shards::MOST {
            let shards = Shards::new(own, Shards::MOST);
            let mut last = 0;
            for _ in 0..10 {
                let next = shards.number(last + 1);
                assert!(next > last && given.insert(next));
                last = next;
            }
        }
        assert_eq!(Shards::ONE.number(17), 17);
    }
}
