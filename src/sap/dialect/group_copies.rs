//! Messages to a group whose server hands them to its own users only: the members
//! on our side get them from us, as soon as the group has taken the message (wire
//! profile, 10 E-3). Members on domains behind others miss it.
//!
//! What is for the whole group goes to all of them but who wrote it; what is for one
//! participant goes to that member alone, and to nobody if it is not known here.

use serde::{Deserialize, Serialize};

use crate::sap::dialect::GroupDistribution;
use crate::sap::dialect::memberships::Seat;
use crate::sap::element::{Time, Token};
use crate::sap::transaction::{Part, Place};
use crate::sap::{OWN, Peer, Sap};
use crate::ssp::address::Kind as AddressKind;
use crate::ssp::common::{MessageInfo, MetaInfo, Recipient, ScreenName, Sender, User};
use crate::ssp::envelope::{Transaction, decode_fragment};
use crate::ssp::primitive::message::SendMessageRequest;
use crate::ssp::{Address, Code, Primitive, Status};

/// Whom a message is for in groups of a peer whose server serves its own users only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circle {
    /// The sender of the message.
    from: Option<Address>,
    /// Groups, as a whole.
    groups: Vec<Address>,
    /// Single participants: group and screen name.
    participants: Vec<(Address, String)>,
}

impl Circle {
    /// Of the groups of `peer`; `None` if the message is for none of them.
    fn of(message: &SendMessageRequest, peer: &Peer) -> Option<Self> {
        let mut circle = Self::default();
        for recipient in &message.info.recipients {
            if !peer.is(recipient.address().domain()) {
                continue;
            }
            match recipient {
                Recipient::Group(group) => circle.groups.push(group.group.clone()),
                // Quirk A-14: a group can stand where a user should.
                Recipient::User(user) if user.user.kind() == AddressKind::Resource => {
                    circle.groups.push(user.user.clone());
                }
                Recipient::ScreenName(name) => {
                    let named = (name.group.clone(), name.name.trim().to_owned());
                    circle.participants.push(named);
                }
                Recipient::User(_) | Recipient::ContactList(_) => {}
            }
        }
        if circle.groups.is_empty() && circle.participants.is_empty() {
            return None;
        }
        let asking = message.meta.as_ref().and_then(MetaInfo::user);
        let from = message.info.sender.as_ref();
        let from = from.and_then(|sender| sender.user.as_ref()).or(asking);
        circle.from = from.map(|user| user.user.clone());
        Some(circle)
    }
}

impl Sap {
    /// Whom a message is for in groups of a peer that leaves members of other domains
    /// to us; and the message, if there are some who will have to get it.
    pub(in crate::sap) fn kept_for_members(
        &self,
        transaction: &Transaction,
        parts: &[Part],
    ) -> (Option<Circle>, Option<String>) {
        if transaction.name != "SendMessageRequest" {
            return (None, None);
        }
        let Some(peer) = parts.iter().find_map(|part| self.leaves_members(part)) else {
            return (None, None);
        };
        let Ok(Primitive::SendMessageRequest(message)) = transaction.primitive() else {
            return (None, None);
        };
        let Some(circle) = Circle::of(&message, peer) else {
            return (None, None);
        };
        let has_members = !self.copies(peer, &circle).is_empty();
        let raw = std::str::from_utf8(&transaction.raw).ok();
        let raw = raw.filter(|_| has_members).map(str::to_owned);
        (Some(circle), raw)
    }

    /// The peer that a part went to, if its server leaves the members of its groups to
    /// us and the part may be for such a group.
    fn leaves_members(&self, part: &Part) -> Option<&Peer> {
        let Place::Peer { peer, .. } = &part.place else {
            return None;
        };
        let peer = self.settings.peers.get(peer)?;
        let mut targets = part.targets.iter();
        let may_be_group = targets.any(|target| target.kind() == AddressKind::Resource);
        let by_domain = peer.dialect.group_distribution == GroupDistribution::Members;
        (by_domain && may_be_group).then_some(peer)
    }

    /// A peer has answered to a message: if its group has taken it, the members on our
    /// side get it now.
    pub(in crate::sap) fn hand_to_members(
        &mut self,
        peer: &Peer,
        number: u64,
        answer: &Transaction,
        now: Time,
    ) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let Some(kept) = &record.kept else {
            return;
        };
        match answer.primitive() {
            Ok(Primitive::SendMessageResponse(answer)) if is_taken(&answer.status) => {}
            _ => return,
        }
        let Ok(Primitive::SendMessageRequest(message)) = decode_fragment(kept.as_bytes()) else {
            return;
        };
        let Some(circle) = Circle::of(&message, peer) else {
            return;
        };
        let expires = record.expires;
        let part = record.parts.iter().find(|part| {
            matches!(&part.place, Place::Peer { peer: at, id } if *at == peer.domain && *id == answer.id)
        });
        // A second answer is not for us any more.
        if part.is_none_or(|part| part.answer.is_some()) {
            return;
        }
        let Some(from) = &circle.from else {
            return;
        };
        for (group, members) in self.copies(peer, &circle) {
            let name = self.standing.name(&seat(peer, &group, from));
            let name = name.unwrap_or(from.user_part()).to_owned();
            tracing::debug!(
                ssp.peer = peer.domain,
                ssp.transaction = answer.id,
                members = members.len(),
                "handing a group message to our members"
            );
            let copy = copy(&message, group, name, members);
            let token = Token(self.table.next_number(now));
            self.request(OWN, token, &copy.into(), expires, now);
        }
    }

    /// Who of our side gets a copy: by group. Nobody through who is no member.
    fn copies(&self, peer: &Peer, circle: &Circle) -> Vec<(Address, Vec<Address>)> {
        let Some(from) = &circle.from else {
            return Vec::new();
        };
        let mut copies: Vec<(Address, Vec<Address>)> = Vec::new();
        for group in &circle.groups {
            if copies.iter().all(|(known, _)| known != group) {
                copies.push((group.clone(), self.other_members(peer, group, from)));
            }
        }
        for (group, name) in &circle.participants {
            let Some(member) = self.member(peer, group, name, from) else {
                continue;
            };
            match copies.iter_mut().find(|(known, _)| known == group) {
                Some((_, members)) if members.contains(&member) => {}
                Some((_, members)) => members.push(member),
                None => copies.push((group.clone(), vec![member])),
            }
        }
        copies.retain(|(_, members)| !members.is_empty());
        copies
    }

    /// Whether the details 516 of an answer are about members of groups who get the
    /// message from us: a participant who is none of ours has not got it.
    pub(in crate::sap) fn are_served_here(&self, peer: &Peer, circle: &Circle) -> bool {
        let mut participants = circle.participants.iter();
        participants.all(|(group, name)| {
            let from = circle.from.as_ref();
            from.is_some_and(|from| self.member(peer, group, name, from).is_some())
        })
    }

    /// Members of a group on our side but for one of them; nobody if they are none.
    fn other_members(&self, peer: &Peer, group: &Address, from: &Address) -> Vec<Address> {
        let mut members = self.standing.who(peer.real(), group);
        let all = members.len();
        members.retain(|member| member != from);
        if members.len() == all {
            members.clear();
        }
        members
    }

    /// The member of our side with this screen name, towards another member. `None` if
    /// it is not certain who that is. Who gave no name has the user id for one.
    fn member(&self, peer: &Peer, group: &Address, name: &str, from: &Address) -> Option<Address> {
        let mut named = self.other_members(peer, group, from);
        named.retain(
            |member| match self.standing.name(&seat(peer, group, member)) {
                Some(known) => known.trim() == name,
                None => name == member.user_part() || Address::new(name) == *member,
            },
        );
        match <[Address; 1]>::try_from(named) {
            Ok([member]) => Some(member),
            Err(_) => None,
        }
    }
}

fn seat(peer: &Peer, group: &Address, who: &Address) -> Seat {
    Seat {
        peer: peer.real().to_owned(),
        at: group.clone(),
        who: who.clone(),
    }
}

/// The message as the group would have sent it to these members.
fn copy(
    message: &SendMessageRequest,
    group: Address,
    name: String,
    members: Vec<Address>,
) -> SendMessageRequest {
    let to = |user| Recipient::User(User::new(user));
    SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_server(group.domain())),
        info: MessageInfo {
            recipients: members.into_iter().map(to).collect(),
            recipient_display: None,
            sender: Some(Sender {
                user: None,
                group: None,
                screen_name: Some(ScreenName { group, name }),
                display: None,
            }),
            ..message.info.clone()
        },
        content: message.content.clone(),
    }
}

/// Whether the group has the message, if for nobody but members whom its server does
/// not serve.
fn is_taken(status: &Status) -> bool {
    let unserved = || {
        let mut details = status.details.iter();
        !status.details.is_empty() && details.all(|d| d.code == Code::DOMAIN_NOT_SUPPORTED)
    };
    status.code.is_success() || (status.code == Code::MULTIPLE && unserved())
}
