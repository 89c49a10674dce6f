//! The invitations that one user has sent and received, as long as they are valid.

use std::collections::{BTreeMap, HashMap};

use crate::element::{Time, seconds};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::primitive::invitation::InviteRequest;

/// On which side of an invitation the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::home) enum Side {
    Inviter,
    Invitee,
}

/// One invitation; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::home) struct Invitation {
    pub(super) side: Side,
    /// Who is on the other side.
    pub(super) other: Address,
    /// Until when it is valid.
    pub(super) until: Time,
    /// What the invitee has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) accepted: Option<bool>,
    /// The inviter has withdrawn it: nobody answers it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) withdrawn: bool,
    /// An `InviteRequest`, with both parties.
    #[serde(with = "crate::element::xml")]
    pub(super) request: Box<Primitive>,
}

/// All invitations of one user, sent and received.
#[derive(Debug, Default)]
pub(in crate::home) struct Invitations {
    all: BTreeMap<u64, Invitation>,
    known: HashMap<(Side, Address, String), u64>,
    bytes: usize,
}

impl Invitation {
    /// One that nobody has answered.
    pub(super) fn new(side: Side, other: Address, until: Time, request: InviteRequest) -> Self {
        Self {
            side,
            other,
            until,
            accepted: None,
            withdrawn: false,
            request: Box::new(request.into()),
        }
    }

    /// Its request; `None` if the record is of something else.
    pub(super) fn request(&self) -> Option<&InviteRequest> {
        match self.request.as_ref() {
            Primitive::InviteRequest(request) => Some(request),
            _ => None,
        }
    }

    pub(super) fn id(&self) -> &str {
        self.request().map_or("", |request| &request.invite_id)
    }

    /// About how many bytes it takes up.
    pub(super) fn bytes(&self) -> usize {
        256 + self.other.as_str().len() + self.request().map_or(0, super::form::bytes)
    }

    /// Whether nothing can come of it any more.
    pub(super) fn has_ended(&self) -> bool {
        self.withdrawn || self.accepted.is_some()
    }

    fn key(&self) -> (Side, Address, String) {
        (self.side, self.other.clone(), self.id().to_owned())
    }
}

impl Invitations {
    pub(super) fn insert(&mut self, number: u64, invitation: Invitation) {
        self.remove(number);
        self.bytes += invitation.bytes();
        self.known.insert(invitation.key(), number);
        self.all.insert(number, invitation);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Invitation> {
        let invitation = self.all.remove(&number)?;
        self.bytes -= invitation.bytes();
        let key = invitation.key();
        if self.known.get(&key) == Some(&number) {
            self.known.remove(&key);
        }
        Some(invitation)
    }

    pub(super) fn get(&self, number: u64) -> Option<&Invitation> {
        self.all.get(&number)
    }

    /// By its id, and who is on the other side.
    pub(super) fn find(&self, side: Side, other: &Address, id: &str) -> Option<u64> {
        let key = (side, other.clone(), id.to_owned());
        self.known.get(&key).copied()
    }

    /// The only one with an id.
    pub(super) fn find_only(&self, side: Side, id: &str) -> Option<u64> {
        let mut found = self
            .all
            .iter()
            .filter(|(_, one)| one.side == side && one.id() == id);
        let first = found.next();
        first.filter(|_| found.next().is_none()).map(|(at, _)| *at)
    }

    /// The highest number.
    pub(in crate::home) fn last(&self) -> Option<u64> {
        self.all.last_key_value().map(|(number, _)| *number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }

    /// How many there are on a side; `of`: from or to this domain only.
    pub(super) fn count(&self, side: Side, of: Option<&str>) -> usize {
        let is_of = |one: &&Invitation| {
            one.side == side && of.is_none_or(|domain| one.other.domain() == domain)
        };
        self.all.values().filter(is_of).count()
    }

    /// Bytes of all of them together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an invitation of the user's that stands shares what is at a URL.
    pub(super) fn shares(&self, url: &str) -> bool {
        let sent = |one: &&Invitation| one.side == Side::Inviter && !one.withdrawn;
        let names = |one: &Invitation| {
            let contents = one.request().and_then(|request| request.contents.as_ref());
            contents.is_some_and(|contents| contents.iter().any(|content| content.url == url))
        };
        self.all.values().filter(sent).any(names)
    }

    /// The oldest on a side of which nothing can come any more.
    pub(super) fn first_ended(&self, side: Side) -> Option<u64> {
        let mut all = self.all.iter();
        let ended = all.find(|(_, one)| one.side == side && one.has_ended());
        ended.map(|(number, _)| *number)
    }

    /// Those that the user has still to answer.
    pub(in crate::home) fn unanswered(&self) -> impl Iterator<Item = u64> + '_ {
        let open = |one: &Invitation| one.side == Side::Invitee && !one.has_ended();
        let all = self.all.iter();
        all.filter(move |(_, one)| open(one)).map(|(at, _)| *at)
    }

    /// One that the user has still to answer, with the validity that is left.
    pub(in crate::home) fn question(&self, number: u64, now: Time) -> Option<InviteRequest> {
        let one = self.all.get(&number).filter(|one| !one.has_ended())?;
        if one.side != Side::Invitee || one.until <= now {
            return None;
        }
        Some(InviteRequest {
            validity: seconds(one.until.after(now)).max(1),
            ..one.request()?.clone()
        })
    }
}
