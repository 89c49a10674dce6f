//! Who of our side stands at a peer: has joined one of its groups or watches one
//! of its users. Some peers send notices that do not say for whom they are (wire
//! profile, 10 B-5 and B-6); towards those the SAP learns it from the requests and
//! answers that pass.
//!
//! Each membership is a record of its own, so a restart forgets nothing. The number of
//! memberships is bounded; the oldest are given up first, and then a notice that needs
//! them is dropped with a line in the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::imps::primitive::Name;
use crate::imps::{Address, Code, Primitive};
use crate::sap::settings::Peer;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

/// Prefix of all memberships.
pub(in crate::sap) const PREFIX: &str = "sap/standing/";
/// Memberships remembered of all peers together. Our choice: some twenty megabytes.
const MOST: usize = 100_000;

/// Who asks for a membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The user who joined or watches.
    pub user: Address,
    /// The screen name under which they join a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One of our side at one group or user of a peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::sap) struct Membership {
    /// The domain of the peer.
    pub(in crate::sap) peer: String,
    /// Its group, or its user.
    pub(in crate::sap) at: Address,
    /// Who joined, or watches.
    pub(in crate::sap) who: Address,
}

/// A membership with the name of who has it; what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sap) struct Named {
    #[serde(flatten)]
    pub(in crate::sap) membership: Membership,
    /// The screen name under which the user joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sap) name: Option<String>,
}

/// Who of this side is in which group of a peer, or watches whom there.
#[derive(Debug, Default)]
pub(in crate::sap) struct Memberships {
    /// With the number by which they are given up, and the screen name.
    all: BTreeMap<Membership, (u64, Option<String>)>,
    oldest: BTreeMap<u64, Membership>,
    last: u64,
}

impl Memberships {
    /// Takes back a record written before a restart.
    pub(in crate::sap) fn restore(&mut self, named: Named) {
        let _ = self.take(named);
    }

    /// Remembers a membership; of who has it already the new name.
    pub(in crate::sap) fn take(&mut self, named: Named) -> Vec<Write> {
        let mut writes = vec![Write::put_json(key(&named.membership), &named)];
        let Named { membership, name } = named;
        if let Some((_, known)) = self.all.get_mut(&membership) {
            if *known == name {
                return Vec::new();
            }
            *known = name;
            return writes;
        }
        if self.all.len() >= MOST
            && let Some((_, oldest)) = self.oldest.pop_first()
        {
            self.all.remove(&oldest);
            writes.push(forget(&oldest));
        }
        self.last += 1;
        self.oldest.insert(self.last, membership.clone());
        self.all.insert(membership, (self.last, name));
        writes
    }

    /// Forgets a membership.
    pub(in crate::sap) fn leave(&mut self, membership: &Membership) -> Option<Write> {
        let (number, _) = self.all.remove(membership)?;
        self.oldest.remove(&number);
        Some(forget(membership))
    }

    /// The screen name of who stands there; `None` if nobody does, or they gave none.
    pub(in crate::sap) fn name(&self, membership: &Membership) -> Option<&str> {
        self.all
            .get(membership)
            .and_then(|(_, name)| name.as_deref())
    }

    /// Who stands there, by address.
    pub(in crate::sap) fn who(&self, peer: &str, at: &Address) -> Vec<Address> {
        let first = Membership {
            peer: peer.to_owned(),
            at: at.clone(),
            who: Address::new(""),
        };
        self.all
            .range(first..)
            .map(|(membership, _)| membership)
            .take_while(|membership| membership.peer == peer && membership.at == *at)
            .map(|membership| membership.who.clone())
            .collect()
    }

    /// Learns from the answer of a peer who of our side now stands there. `targets`: whom
    /// the request asked there.
    pub(in crate::sap) fn learn(
        &mut self,
        peer: &Peer,
        request: Option<Name>,
        asker: &Asker,
        targets: &[&Address],
        answer: &Transaction,
    ) -> Vec<Write> {
        let (joins, _) = changes_memberships(request);
        let Ok(answer) = answer.primitive() else {
            return Vec::new();
        };
        let Some(status) = answer.verdict() else {
            return Vec::new();
        };
        // Nobody leaves what is not there, or where they are not.
        let gone = status.code.is_success()
            || matches!(
                status.code,
                Code::NO_GROUP | Code::NOT_JOINED | Code::UNKNOWN_USER
            );
        if (joins && !status.code.is_success()) || (!joins && !gone) {
            return Vec::new();
        }
        let failed: Vec<&Address> = status
            .details
            .iter()
            .flat_map(|detail| detail.users.iter().map(|user| &user.user))
            .collect();
        let mut writes = Vec::new();
        for at in targets.iter().filter(|target| !failed.contains(*target)) {
            let membership = Membership::new(peer.real(), at, &asker.user);
            if joins {
                let name = asker.name.clone();
                writes.extend(self.take(Named { membership, name }));
            } else {
                writes.extend(self.leave(&membership));
            }
        }
        writes
    }

    /// Forgets those whom a peer tells that they have left its group.
    pub(in crate::sap) fn left(&mut self, peer: &Peer, notice: &Transaction) -> Vec<Write> {
        if !peer.dialect.wants_memberships() || notice.name != "LeaveGroupIndication" {
            return Vec::new();
        }
        let Some(group) = &notice.peek.group else {
            return Vec::new();
        };
        let gone = notice.peek.users.iter().chain(&notice.peek.recipients);
        gone.filter_map(|who| self.leave(&Membership::new(peer.real(), group, who)))
            .collect()
    }

    /// The watchers of all of these users of a peer.
    pub(super) fn watchers<'a>(
        &self,
        peer: &str,
        mut publishers: impl Iterator<Item = &'a Address>,
    ) -> Vec<Address> {
        let Some(first) = publishers.next() else {
            return Vec::new();
        };
        let mut watchers = self.who(peer, first);
        for other in publishers {
            let others = self.who(peer, other);
            watchers.retain(|watcher| others.contains(watcher));
        }
        watchers
    }
}

impl Asker {
    /// Who asks, where the answer of one of these peers will say whether they then stand
    /// there and that has to be remembered.
    pub(in crate::sap) fn of<'p>(
        transaction: &Transaction,
        mut peers: impl Iterator<Item = &'p Peer>,
    ) -> Option<Self> {
        let (joins, leaves) = changes_memberships(transaction.name.known());
        if !(joins || leaves) || !peers.any(|peer| peer.dialect.wants_memberships()) {
            return None;
        }
        let name = match transaction.primitive() {
            Ok(Primitive::JoinGroupRequest(join)) => join.screen_name.map(|name| name.name),
            _ => None,
        };
        let user = transaction.peek.user.clone()?;
        Some(Self { user, name })
    }
}

impl Membership {
    pub(in crate::sap) fn new(peer: &str, at: &Address, who: &Address) -> Self {
        Self {
            peer: peer.to_owned(),
            at: at.clone(),
            who: who.clone(),
        }
    }
}

/// The end of a membership's record.
pub(in crate::sap) fn forget(membership: &Membership) -> Write {
    Write::delete(key(membership))
}

fn key(membership: &Membership) -> String {
    format!(
        "{PREFIX}{}/{} {}",
        membership.peer, membership.at, membership.who
    )
}

/// Whether a request of this name makes its requestor stand somewhere, or ends that.
fn changes_memberships(name: Option<Name>) -> (bool, bool) {
    (
        matches!(name, Some(Name::JoinGroupRequest | Name::SubscribeRequest)),
        matches!(
            name,
            Some(Name::LeaveGroupRequest | Name::UnsubscribeRequest)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(peer: &str, at: &str, who: &str) -> Named {
        let membership = membership(peer, at, who);
        Named {
            membership,
            name: None,
        }
    }

    fn membership(peer: &str, at: &str, who: &str) -> Membership {
        Membership {
            peer: peer.to_owned(),
            at: Address::new(at),
            who: Address::new(who),
        }
    }

    #[test]
    fn seats_are_found_by_place_and_left_one_by_one() {
        let mut memberships = Memberships::default();
        for who in ["carol@b", "alice@b"] {
            assert_eq!(memberships.take(taken("a", "bob/room@a", who)).len(), 1);
        }
        assert!(
            memberships
                .take(taken("a", "bob/room@a", "alice@b"))
                .is_empty()
        );
        memberships.restore(taken("a", "bob/room2@a", "dave@b"));
        memberships.restore(taken("c", "bob/room@a", "dave@b"));
        let room = Address::new("bob/room@a");
        let there = [Address::new("alice@b"), Address::new("carol@b")];
        assert_eq!(memberships.who("a", &room), there);
        assert!(
            memberships
                .leave(&membership("a", "bob/room@a", "alice@b"))
                .is_some()
        );
        assert!(
            memberships
                .leave(&membership("a", "bob/room@a", "alice@b"))
                .is_none()
        );
        assert_eq!(memberships.who("a", &room), there[1..]);
    }

    #[test]
    fn the_oldest_seats_are_given_up_at_the_bound() {
        let mut memberships = Memberships::default();
        for n in 0..=MOST {
            let writes = memberships.take(taken("a", "bob/room@a", &format!("{n}@b")));
            assert_eq!(writes.len(), if n < MOST { 1 } else { 2 });
        }
        assert_eq!(
            (memberships.all.len(), memberships.oldest.len()),
            (MOST, MOST)
        );
        assert!(
            memberships
                .leave(&membership("a", "bob/room@a", "0@b"))
                .is_none()
        );
    }
}
