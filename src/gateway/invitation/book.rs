//! Invitations whose answers may come.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::records::{invitation_key, number_of, read};
use super::super::shared::Shared;
use super::super::shares::{Most, Shares};
use super::super::timers::Timers;
use crate::element::Time;
use crate::imps::Address;
use crate::store::Write;

/// How an invitation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// By a user of SSP.
    Ssp,
    /// By a user of XMPP, through the room of a group here.
    Room,
    /// By a user of XMPP, through a room of XMPP.
    XmppRoom,
    /// By a user of XMPP.
    Direct,
    /// By a user of XMPP, who hands over links.
    Links,
}

/// An invitation; one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Invitation {
    /// Its id in SSP.
    pub(super) id: String,
    pub(super) inviter: Address,
    pub(super) invitee: Address,
    /// Into which group. Without one: to see the inviter's presence, or to fetch what is at links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<Address>,
    pub(super) way: Way,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    pub(super) until: Time,
    /// By which component it came.
    #[serde(default)]
    pub(super) component: String,
    /// The stanza as it came, until the SSP side has taken it, or while it waits for its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stanza: Option<String>,
    /// The id under which it was sent to XMPP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sent_as: Option<String>,
    /// The group is asked whether the inviter may.
    #[serde(default)]
    pub(super) is_asked_for: bool,
}

impl Invitation {
    fn bytes(&self) -> usize {
        let texts = [&self.note, &self.stanza, &self.sent_as];
        let texts = texts.into_iter().flatten().map(String::len);
        let group = self.group.as_ref().map_or(0, |group| group.as_str().len());
        let ends = self.inviter.as_str().len() + self.invitee.as_str().len();
        texts.sum::<usize>() + group + ends + self.id.len() + 256
    }
}

/// Invitations, by number.
#[derive(Debug)]
pub(super) struct Book {
    all: BTreeMap<u64, Invitation>,
    by_id: BTreeMap<String, BTreeSet<u64>>,
    by_invitee: BTreeMap<Address, BTreeSet<u64>>,
    shares: Shares,
    timers: Timers<u64>,
}

impl Book {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            all: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_invitee: BTreeMap::new(),
            shares: Shares::new(own),
            timers: Timers::default(),
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.insert(number_of(rest)?, read(value)?);
        Ok(())
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self, invitation: &Invitation, shared: &Shared) -> bool {
        let most = Most {
            items: shared.settings.max_invitations,
            bytes: shared.settings.max_invitation_bytes,
        };
        let domain = invitation.inviter.domain();
        self.shares.have_room(domain, invitation.bytes(), most)
    }

    /// Writes one down; the caller knows that there is room.
    pub(super) fn put(&mut self, number: u64, invitation: Invitation, shared: &mut Shared) {
        shared.write(Write::put_json(invitation_key(number), &invitation));
        self.insert(number, invitation);
    }

    fn insert(&mut self, number: u64, invitation: Invitation) {
        let domain = invitation.inviter.domain();
        self.shares.add(domain, invitation.bytes());
        self.timers.by(invitation.until, number);
        let of_id = self.by_id.entry(invitation.id.clone()).or_default();
        of_id.insert(number);
        let of_invitee = self.by_invitee.entry(invitation.invitee.clone());
        of_invitee.or_default().insert(number);
        self.all.insert(number, invitation);
    }

    pub(super) fn get(&self, number: u64) -> Option<&Invitation> {
        self.all.get(&number)
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, number: u64, shared: &mut Shared) -> Option<Invitation> {
        let invitation = self.all.remove(&number)?;
        let domain = invitation.inviter.domain();
        self.shares.remove(domain, invitation.bytes());
        take(&mut self.by_id, &invitation.id, number);
        take(&mut self.by_invitee, &invitation.invitee, number);
        shared.write(Write::delete(invitation_key(number)));
        Some(invitation)
    }

    /// The first one with that id in SSP of which `is_it` is true.
    pub(super) fn of_id(&self, id: &str, is_it: impl Fn(&Invitation) -> bool) -> Option<u64> {
        let numbers = self.by_id.get(id).into_iter().flatten();
        let mut found = numbers.filter(|number| self.all.get(number).is_some_and(&is_it));
        found.next().copied()
    }

    /// Those of one who is invited of which `is_it` is true.
    pub(super) fn of_invitee(
        &self,
        invitee: &Address,
        is_it: impl Fn(&Invitation) -> bool,
    ) -> Vec<u64> {
        let numbers = self.by_invitee.get(invitee).into_iter().flatten();
        let found = numbers.filter(|number| self.all.get(number).is_some_and(&is_it));
        found.copied().collect()
    }

    /// The id under which one is sent to XMPP. It begins with the number.
    pub(super) fn stanza_id(number: u64, shared: &mut Shared) -> String {
        format!("{number}-{}", shared.id())
    }

    /// The one that was sent to XMPP under that id.
    pub(super) fn sent_as(&self, id: &str) -> Option<u64> {
        let number = id.split('-').next()?.parse().ok()?;
        let invitation = self.all.get(&number)?;
        (invitation.sent_as.as_deref() == Some(id)).then_some(number)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Forgets what nobody will answer any more.
    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            if self.get(number).is_some_and(|one| one.until <= now) {
                self.remove(number, shared);
            }
        }
    }
}

fn take<K: Ord>(index: &mut BTreeMap<K, BTreeSet<u64>>, key: &K, number: u64) {
    if let Some(numbers) = index.get_mut(key) {
        numbers.remove(&number);
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}
