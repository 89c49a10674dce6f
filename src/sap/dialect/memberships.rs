//! Who of our side stands at a peer: has joined one of its groups or watches one
//! of its users. Some peers send notices that do not say for whom they are (wire
//! profile, 10 B-5 and B-6); towards those the SAP learns it from the requests and
//! answers that pass.
//!
//! Each seat is a record of its own, so a restart forgets nothing. The number of
//! seats is bounded; the oldest are given up first, and then a notice that needs
//! them is dropped with a line in the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sap::element::Time;
use crate::sap::transaction::{Part, Place};
use crate::sap::{Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::{Address, Code, Primitive, Status};
use crate::store::Write;

/// Prefix of all seats.
pub(in crate::sap) const PREFIX: &str = "sap/standing/";
/// Seats remembered of all peers together. Our choice: some twenty megabytes.
const MOST: usize = 100_000;

/// Who asks for a seat.
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
pub(in crate::sap) struct Seat {
    /// The domain of the peer.
    pub(in crate::sap) peer: String,
    /// Its group, or its user.
    pub(in crate::sap) at: Address,
    /// Who joined, or watches.
    pub(in crate::sap) who: Address,
}

/// A seat with the name of who has it; what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sap) struct Taken {
    #[serde(flatten)]
    pub(in crate::sap) seat: Seat,
    /// The screen name under which the user joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::sap) name: Option<String>,
}

/// Who of this side is in which group of a peer, or watches whom there.
#[derive(Debug, Default)]
pub(in crate::sap) struct Standing {
    /// With the number by which they are given up, and the screen name.
    seats: BTreeMap<Seat, (u64, Option<String>)>,
    oldest: BTreeMap<u64, Seat>,
    last: u64,
}

impl Standing {
    /// Takes back a record written before a restart.
    pub(in crate::sap) fn restore(&mut self, taken: Taken) {
        let _ = self.take(taken);
    }

    /// Remembers a seat; of who has it already the new name.
    pub(in crate::sap) fn take(&mut self, taken: Taken) -> Vec<Write> {
        let mut writes = vec![Write::put_json(key(&taken.seat), &taken)];
        let Taken { seat, name } = taken;
        if let Some((_, known)) = self.seats.get_mut(&seat) {
            if *known == name {
                return Vec::new();
            }
            *known = name;
            return writes;
        }
        if self.seats.len() >= MOST
            && let Some((_, oldest)) = self.oldest.pop_first()
        {
            self.seats.remove(&oldest);
            writes.push(forget(&oldest));
        }
        self.last += 1;
        self.oldest.insert(self.last, seat.clone());
        self.seats.insert(seat, (self.last, name));
        writes
    }

    pub(in crate::sap) fn leave(&mut self, seat: &Seat) -> Option<Write> {
        let (number, _) = self.seats.remove(seat)?;
        self.oldest.remove(&number);
        Some(forget(seat))
    }

    /// The screen name of who stands there; `None` if nobody does, or they gave none.
    pub(in crate::sap) fn name(&self, seat: &Seat) -> Option<&str> {
        self.seats.get(seat).and_then(|(_, name)| name.as_deref())
    }

    /// Who stands there, by address.
    pub(in crate::sap) fn who(&self, peer: &str, at: &Address) -> Vec<Address> {
        let first = Seat {
            peer: peer.to_owned(),
            at: at.clone(),
            who: Address::new(""),
        };
        self.seats
            .range(first..)
            .map(|(seat, _)| seat)
            .take_while(|seat| seat.peer == peer && seat.at == *at)
            .map(|seat| seat.who.clone())
            .collect()
    }
}

/// The end of a seat's record.
pub(in crate::sap) fn forget(seat: &Seat) -> Write {
    Write::delete(key(seat))
}

fn key(seat: &Seat) -> String {
    format!("{PREFIX}{}/{} {}", seat.peer, seat.at, seat.who)
}

impl Sap {
    /// Who asks, where the answer will say whether they then stand at a peer that has
    /// to be remembered.
    pub(in crate::sap) fn asker(&self, transaction: &Transaction, parts: &[Part]) -> Option<Asker> {
        let (joins, leaves) = changes_standing(&transaction.name);
        let remembered = |part: &Part| {
            let Place::Peer { peer, .. } = &part.place else {
                return false;
            };
            let peer = self.settings.peers.get(peer);
            peer.is_some_and(|peer| peer.dialect.wants_standing())
        };
        if !(joins || leaves) || !parts.iter().any(remembered) {
            return None;
        }
        let name = match transaction.primitive() {
            Ok(Primitive::JoinGroupRequest(join)) => join.screen_name.map(|name| name.name),
            _ => None,
        };
        let user = transaction.peek.user.clone()?;
        Some(Asker { user, name })
    }

    /// Learns from the answer of a peer who of our side now stands there.
    pub(in crate::sap) fn learn_standing(
        &mut self,
        peer: &Peer,
        number: u64,
        answer: &Transaction,
    ) {
        if !peer.dialect.wants_standing() {
            return;
        }
        let Some(record) = self.table.get(number) else {
            return;
        };
        let Some(Asker { user: who, name }) = record.asker.clone() else {
            return;
        };
        let (joins, _) = changes_standing(&record.name);
        let Ok(answer) = answer.primitive() else {
            return;
        };
        let Some(status) = verdict(&answer) else {
            return;
        };
        // Nobody leaves what is not there, or where they are not.
        let gone = status.code.is_success()
            || matches!(
                status.code,
                Code::NO_GROUP | Code::NOT_JOINED | Code::UNKNOWN_USER
            );
        if (joins && !status.code.is_success()) || (!joins && !gone) {
            return;
        }
        let failed: Vec<&Address> = status
            .details
            .iter()
            .flat_map(|detail| detail.users.iter().map(|user| &user.user))
            .collect();
        let parts = record.parts.iter();
        let seats: Vec<Seat> = parts
            .filter(
                |part| matches!(&part.place, Place::Peer { peer: at, .. } if *at == peer.domain),
            )
            .flat_map(|part| part.targets.iter())
            .filter(|target| !failed.contains(target))
            .map(|target| Seat {
                peer: peer.real().to_owned(),
                at: target.clone(),
                who: who.clone(),
            })
            .collect();
        for seat in seats {
            if joins {
                let name = name.clone();
                let writes = self.standing.take(Taken { seat, name });
                self.write(writes);
            } else {
                let write = self.standing.leave(&seat);
                self.write(write);
            }
        }
    }

    /// Whom a notice of a peer is for that does not say so. Empty if that is not known.
    pub(in crate::sap) fn addressees(
        &self,
        peer: &Peer,
        notice: &Primitive,
        now: Time,
    ) -> Vec<Address> {
        match notice {
            Primitive::LeaveGroupIndication(notice) => {
                let Some(group) = &notice.group else {
                    return Vec::new();
                };
                let joined = self.standing.who(peer.real(), group);
                // The group is no more, or there is only one whom it can be about.
                let only = joined.len() == 1;
                if notice.status.code == Code::NO_GROUP
                    || (only && !self.questions.concern(peer.real(), group, now))
                {
                    return joined;
                }
                Vec::new()
            }
            Primitive::PresenceNotification(notice) => {
                let mut publishers = notice.values.iter().map(|value| &value.user);
                let Some(first) = publishers.next() else {
                    return Vec::new();
                };
                let mut watchers = self.standing.who(peer.real(), first);
                for other in publishers {
                    let others = self.standing.who(peer.real(), other);
                    watchers.retain(|watcher| others.contains(watcher));
                }
                watchers
            }
            _ => Vec::new(),
        }
    }

    /// Forgets those whom a peer tells that they have left its group.
    pub(in crate::sap) fn forget_standing(&mut self, peer: &Peer, notice: &Transaction) {
        if !peer.dialect.wants_standing() || notice.name != "LeaveGroupIndication" {
            return;
        }
        let Some(group) = &notice.peek.group else {
            return;
        };
        for who in notice.peek.users.iter().chain(&notice.peek.recipients) {
            let seat = Seat {
                peer: peer.real().to_owned(),
                at: group.clone(),
                who: who.clone(),
            };
            let write = self.standing.leave(&seat);
            self.write(write);
        }
    }
}

/// Whether a request of this name makes its requestor stand somewhere, or ends that.
fn changes_standing(name: &str) -> (bool, bool) {
    (
        matches!(name, "JoinGroupRequest" | "SubscribeRequest"),
        matches!(name, "LeaveGroupRequest" | "UnsubscribeRequest"),
    )
}

fn verdict(answer: &Primitive) -> Option<&Status> {
    match answer {
        Primitive::Status(status) => Some(status),
        Primitive::JoinGroupResponse(answer) => Some(&answer.status),
        Primitive::LeaveGroupIndication(answer) => Some(&answer.status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(peer: &str, at: &str, who: &str) -> Taken {
        let seat = seat(peer, at, who);
        Taken { seat, name: None }
    }

    fn seat(peer: &str, at: &str, who: &str) -> Seat {
        Seat {
            peer: peer.to_owned(),
            at: Address::new(at),
            who: Address::new(who),
        }
    }

    #[test]
    fn seats_are_found_by_place_and_left_one_by_one() {
        let mut standing = Standing::default();
        for who in ["carol@b", "alice@b"] {
            assert_eq!(standing.take(taken("a", "bob/room@a", who)).len(), 1);
        }
        assert!(
            standing
                .take(taken("a", "bob/room@a", "alice@b"))
                .is_empty()
        );
        standing.restore(taken("a", "bob/room2@a", "dave@b"));
        standing.restore(taken("c", "bob/room@a", "dave@b"));
        let room = Address::new("bob/room@a");
        let there = [Address::new("alice@b"), Address::new("carol@b")];
        assert_eq!(standing.who("a", &room), there);
        assert!(
            standing
                .leave(&seat("a", "bob/room@a", "alice@b"))
                .is_some()
        );
        assert!(
            standing
                .leave(&seat("a", "bob/room@a", "alice@b"))
                .is_none()
        );
        assert_eq!(standing.who("a", &room), there[1..]);
    }

    #[test]
    fn the_oldest_seats_are_given_up_at_the_bound() {
        let mut standing = Standing::default();
        for n in 0..=MOST {
            let writes = standing.take(taken("a", "bob/room@a", &format!("{n}@b")));
            assert_eq!(writes.len(), if n < MOST { 1 } else { 2 });
        }
        assert_eq!((standing.seats.len(), standing.oldest.len()), (MOST, MOST));
        assert!(standing.leave(&seat("a", "bob/room@a", "0@b")).is_none());
    }
}
