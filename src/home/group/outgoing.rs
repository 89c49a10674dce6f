//! What a group hands on to many of its users.
//!
//! The SAP takes one request with all recipients and divides it by the way to them. A request has
//! only so many recipients, and there is one in a turn: users are taken domain by domain, and a
//! domain is not divided unless it has more than that. What does not fit into the first request is
//! a record until it is done, so a restart loses and doubles nothing, and what is sent later waits
//! behind it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::element::{Act, Time};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{Recipient, User};

use super::again::Sent;
use super::core::{Core, Timer};
use super::{Group, Place, records};

/// Bytes of a request, counted once for each domain it goes to, unless it goes to one: each gets its
/// own. Our choice: a small part of what the SAP takes apart.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Between two pieces there is a turn.
const PAUSE: Duration = Duration::from_millis(1);

/// Something on its way to many; a record until all have it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Outgoing {
    /// Without those it is for.
    #[serde(with = "crate::element::xml")]
    pub(super) primitive: Box<Primitive>,
    pub(super) audience: Audience,
    /// When it is given up.
    pub(super) expires: Time,
    /// How far it has got: the last who has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Address>,
}

/// For whom it is, of those who were joined before.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Audience {
    /// Everybody who is joined.
    Joined,
    /// All but this one.
    Others(Address),
    /// Those who want to be told of changes, but for this one.
    Subscribers(Option<Address>),
}

/// What a group has still to hand on, by number.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<u64, Outgoing>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.waiting.keys().copied()
    }

    /// The last that waits and that nobody has yet.
    pub(super) fn last_unbegun(&mut self) -> Option<(u64, &mut Outgoing)> {
        let (number, last) = self.waiting.iter_mut().next_back()?;
        last.after.is_none().then_some((*number, last))
    }
}

impl Outgoing {
    fn bytes(&self) -> usize {
        bytes(&self.primitive)
    }

    fn addressed(&self, users: Vec<Address>) -> Primitive {
        addressed((*self.primitive).clone(), users)
    }
}

impl Audience {
    /// Among whom they are, and who of these it is not for.
    fn of<'s>(&'s self, group: &'s Group) -> (&'s BTreeMap<Place, u64>, Option<&'s Address>) {
        match self {
            Self::Joined => (&group.joined, None),
            Self::Others(but) => (&group.joined, Some(but)),
            Self::Subscribers(but) => (&group.subscribers, but.as_ref()),
        }
    }
}

/// Hands on what goes to many.
pub(super) struct Distribution<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Distribution<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// Hands something on: at once, as far as that goes in one turn.
    pub(super) fn send(&mut self, mut outgoing: Outgoing) {
        let number = self.group.new_number(self.now);
        if self.group.outgoing.is_empty() && self.piece(number, &mut outgoing) {
            return;
        }
        let is_first = self.group.outgoing.is_empty();
        self.keep(number, outgoing);
        if is_first {
            self.go_on_soon();
        }
    }

    /// Hands on the next piece of what waits.
    pub(super) fn go_on(&mut self) {
        let Some((number, mut outgoing)) = self.group.outgoing.waiting.pop_first() else {
            return;
        };
        self.core.outgoing_bytes -= outgoing.bytes();
        if self.piece(number, &mut outgoing) {
            self.core
                .act(records::delete_outgoing(&self.group.name, number));
        } else {
            self.keep(number, outgoing);
        }
        if !self.group.outgoing.is_empty() {
            self.go_on_soon();
        }
    }

    /// Takes back what waited before a restart.
    pub(super) fn restore(&mut self, number: u64, outgoing: Outgoing) {
        self.group.numbered = self.group.numbered.max(number);
        self.core.outgoing_bytes += outgoing.bytes();
        self.group.outgoing.waiting.insert(number, outgoing);
        self.go_on_soon();
    }

    /// Takes out the last that waits, to be sent again with more in it.
    pub(super) fn take_back(&mut self, number: u64) -> Option<Outgoing> {
        let outgoing = self.group.outgoing.waiting.remove(&number)?;
        self.core.outgoing_bytes -= outgoing.bytes();
        self.core
            .act(records::delete_outgoing(&self.group.name, number));
        Some(outgoing)
    }

    fn keep(&mut self, number: u64, outgoing: Outgoing) {
        self.core
            .act(records::put_outgoing(&self.group.name, number, &outgoing));
        self.core.outgoing_bytes += outgoing.bytes();
        self.group.outgoing.waiting.insert(number, outgoing);
    }

    fn go_on_soon(&mut self) {
        let at = self.now.plus(PAUSE);
        let timer = Timer::Group(self.group.name.clone());
        self.core.timers.insert((at, timer));
    }

    /// Hands something to the next of those it is for. Says whether all have it.
    fn piece(&mut self, number: u64, outgoing: &mut Outgoing) -> bool {
        if outgoing.expires <= self.now {
            return true;
        }
        let (users, is_last) = self.next(number, outgoing);
        let Some(last) = users.last() else {
            return true;
        };
        outgoing.after = Some(last.clone());
        let primitive = outgoing.addressed(users);
        self.request(primitive, outgoing.expires);
        is_last
    }

    /// Sends a request or notice of the group.
    pub(super) fn request(&mut self, primitive: Primitive, expires: Time) {
        if matches!(primitive, Primitive::SendMessageRequest(_)) {
            return self.message(Sent {
                primitive: Box::new(primitive),
                expires,
                refused: 0,
            });
        }
        let token = self.core.token();
        self.core.act(Act::Request {
            token,
            primitive,
            expires,
        });
    }

    /// Sends a message of the group.
    pub(super) fn message(&mut self, sent: Sent) {
        let token = self.core.ask_to_take(&self.group.name, &sent);
        self.core.act(Act::Request {
            token,
            primitive: *sent.primitive,
            expires: sent.expires,
        });
    }

    /// Those who are next, and whether they are the last.
    fn next(&self, number: u64, outgoing: &Outgoing) -> (Vec<Address>, bool) {
        let most = self.core.settings.max_recipients.max(1);
        let from = match &outgoing.after {
            Some(after) => Bound::Excluded(Place::of(after)),
            None => Bound::Unbounded,
        };
        let (among, but) = outgoing.audience.of(self.group);
        let of_it = among
            .range((from, Bound::Unbounded))
            .filter(|(place, since)| **since < number && Some(&place.user) != but)
            .map(|(place, _)| place);
        // In base64 a third more.
        let most_domains = (MAX_BYTES / (outgoing.bytes() * 4 / 3)).max(1);
        let mut users: Vec<Address> = Vec::new();
        let mut domains = 0;
        for place in of_it {
            let is_new = users
                .last()
                .is_none_or(|last| last.domain() != place.domain);
            domains += usize::from(is_new);
            if domains > most_domains {
                return (users, false);
            }
            if users.len() < most {
                users.push(place.user.clone());
                continue;
            }
            // Whole domains, as long as there is more than one.
            let whole = users
                .iter()
                .rposition(|user| user.domain() != place.domain)
                .map_or(users.len(), |last| last + 1);
            users.truncate(whole);
            return (users, false);
        }
        (users, true)
    }
}

/// A primitive for these users.
pub(super) fn addressed(mut primitive: Primitive, to: Vec<Address>) -> Primitive {
    let users = to.into_iter().map(User::new);
    match &mut primitive {
        Primitive::SendMessageRequest(message) => {
            message.info.recipients = users.map(Recipient::User).collect();
        }
        Primitive::LeaveGroupIndication(notice) => notice.users = users.collect(),
        Primitive::GroupChangeNotice(notice) => notice.users = users.collect(),
        _ => {}
    }
    primitive
}

/// Whom a message is for.
pub(super) fn recipients(primitive: &Primitive) -> Vec<Address> {
    let Primitive::SendMessageRequest(message) = primitive else {
        return Vec::new();
    };
    let to = message.info.recipients.iter();
    to.map(|to| to.address().clone()).collect()
}

/// About how many bytes a primitive takes up.
pub(super) fn bytes(primitive: &Primitive) -> usize {
    let content = match primitive {
        Primitive::SendMessageRequest(message) => {
            message.content.as_ref().map_or(0, |c| c.bytes.len())
        }
        Primitive::GroupChangeNotice(notice) => {
            let names = [&notice.joined, &notice.left];
            let names = names.into_iter().flatten().flatten();
            names.map(String::len).sum()
        }
        _ => 0,
    };
    content + 512
}
