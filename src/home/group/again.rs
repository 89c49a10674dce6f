//! Copies of a group's messages for which there was no room on the way: they are handed on again
//! later, to those who were refused alone.

use std::collections::HashSet;
use std::time::Duration;

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::status::{Code, Status};

use super::core::{Core, Timer};
use super::outgoing::{Distribution, addressed, bytes, recipients};
use super::{Group, records};

/// It is tried again after so long; twice as long after each further refusal.
const FIRST: Duration = Duration::from_secs(30);
/// Refusals after which it is given up: about four hours. Our choice.
const MOST: u32 = 9;

/// A message that was handed on, until it is known what became of it; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Sent {
    /// With those it was for.
    #[serde(with = "crate::element::xml")]
    pub(super) primitive: Box<Primitive>,
    pub(super) expires: Time,
    /// How often it was refused before.
    pub(super) refused: u32,
}

/// A message to be handed on again; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Again {
    /// Without those it is for.
    #[serde(with = "crate::element::xml")]
    primitive: Box<Primitive>,
    users: Vec<Address>,
    expires: Time,
    /// When it is tried.
    at: Time,
    refused: u32,
}

/// What a group hands on again.
pub(super) struct Repetition<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Repetition<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// A message was answered: who was refused for want of room gets it later.
    pub(super) fn answered(&mut self, sent: Sent, status: &Status) {
        let users = refused(&sent.primitive, status);
        let users = users.into_iter().filter(|user| self.group.is_joined(user));
        let users: Vec<Address> = users.collect();
        if users.is_empty() || self.group.sheet.closing {
            return;
        }
        let wait = FIRST * (1 << sent.refused.min(MOST));
        let again = Again {
            primitive: Box::new(addressed(*sent.primitive, Vec::new())),
            users,
            expires: sent.expires,
            at: self.now.plus(wait),
            refused: sent.refused + 1,
        };
        let settings = &self.core.settings;
        let has_room = self.group.again.len() < settings.max_outgoing
            && self.core.outgoing_bytes + again.bytes() <= settings.max_outgoing_bytes;
        if again.refused > MOST || again.at >= again.expires || !has_room {
            if let Some(left_out) = self.core.seldom.may("given up", self.now.0) {
                tracing::warn!(
                    group = self.group.name,
                    users = again.users.len(),
                    left_out,
                    "copies of a message of a group are given up: there is no room on the way"
                );
            }
            return;
        }
        let number = self.group.new_number(self.now);
        let act = records::put_again(&self.group.name, number, &again);
        self.core.act(act);
        self.put(number, again);
    }

    /// Puts one at its number; nothing is written.
    pub(super) fn put(&mut self, number: u64, again: Again) {
        self.group.numbered = self.group.numbered.max(number);
        let timer = Timer::Again(self.group.name.clone(), number);
        self.core.timers.insert((again.at, timer));
        self.core.outgoing_bytes += again.bytes();
        self.group.again.insert(number, again);
    }

    /// Hands one on, to those who are still there.
    pub(super) fn hand_on(&mut self, number: u64) {
        let Some(again) = self.group.again.remove(&number) else {
            return;
        };
        self.core.outgoing_bytes -= again.bytes();
        let act = records::delete_again(&self.group.name, number);
        self.core.act(act);
        let users = again.users.into_iter();
        let users = users.filter(|user| self.group.is_joined(user));
        let users: Vec<Address> = users.collect();
        if users.is_empty() {
            return;
        }
        let sent = Sent {
            primitive: Box::new(addressed(*again.primitive, users)),
            expires: again.expires,
            refused: again.refused,
        };
        Distribution::of(self.group, self.core, self.now).message(sent);
    }
}

impl Sent {
    /// About how many bytes it takes up.
    pub(super) fn bytes(&self) -> usize {
        let to = match &*self.primitive {
            Primitive::SendMessageRequest(message) => message.info.recipients.len(),
            _ => 0,
        };
        bytes(&self.primitive) + 64 * to
    }

    /// The same without those who are named in a status; `None` if nobody is left.
    pub(super) fn without(&self, status: &Status) -> Option<Self> {
        let named: HashSet<&Address> = status
            .details
            .iter()
            .flat_map(|detail| detail.users.iter().map(|id| &id.user))
            .collect();
        let mut left = recipients(&self.primitive);
        left.retain(|user| !named.contains(user));
        (!left.is_empty()).then(|| Self {
            primitive: Box::new(addressed((*self.primitive).clone(), left)),
            ..self.clone()
        })
    }
}

impl Again {
    /// About how many bytes it takes up.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.primitive) + 64 * self.users.len()
    }
}

/// Those for whom there was no room.
fn refused(sent: &Primitive, status: &Status) -> Vec<Address> {
    let is_full = |code: Code| matches!(code, Code::QUEUE_FULL | Code::UNAVAILABLE);
    if is_full(status.code) {
        return recipients(sent);
    }
    let all = recipients(sent);
    let details = status.details.iter().filter(|detail| is_full(detail.code));
    let named = details.flat_map(|detail| detail.users.iter().map(|id| id.user.clone()));
    named.filter(|user| all.contains(user)).collect()
}
