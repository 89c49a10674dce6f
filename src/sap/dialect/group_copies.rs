//! Messages to a group whose server hands them to its own users only: the members
//! on our side get them from us, as soon as the group has taken the message (wire
//! profile, 10 E-3). Members on domains behind others miss it.
//!
//! What is for the whole group goes to all of them but who wrote it; what is for one
//! participant goes to them alone, and to nobody if they are not known here.

use serde::{Deserialize, Serialize};

use super::memberships::{Membership, Memberships};
use crate::imps::address::Kind as AddressKind;
use crate::imps::common::{MessageInfo, MetaInfo, Recipient, ScreenName, Sender, User};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::settings::Peer;
use crate::sap::settings::dialect::GroupDistribution;
use crate::ssp::envelope::{Transaction, decode_fragment};

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
    pub(super) fn of(message: &SendMessageRequest, peer: &Peer) -> Option<Self> {
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

/// What is known of the members, while the copies of a message are made.
#[derive(Debug, Clone, Copy)]
pub(in crate::sap) struct Groups<'m> {
    pub(super) peer: &'m Peer,
    pub(super) memberships: &'m Memberships,
}

impl Groups<'_> {
    /// The copies of a message that the groups of the peer have taken, for the members on
    /// our side.
    pub(super) fn copies(self, kept: &str, answer: &Transaction) -> Vec<SendMessageRequest> {
        match answer.primitive() {
            Ok(Primitive::SendMessageResponse(answer)) if is_taken(&answer.status) => {}
            _ => return Vec::new(),
        }
        let Ok(Primitive::SendMessageRequest(message)) = decode_fragment(kept.as_bytes()) else {
            return Vec::new();
        };
        let Some(circle) = Circle::of(&message, self.peer) else {
            return Vec::new();
        };
        let Some(from) = &circle.from else {
            return Vec::new();
        };
        let copies = self.members(&circle).into_iter().map(|(group, members)| {
            let name = self.name(&group, from).unwrap_or(from.user_part());
            tracing::debug!(
                ssp.peer = self.peer.domain,
                ssp.transaction = answer.id,
                members = members.len(),
                "handing a group message to our members"
            );
            copy(&message, group.clone(), name.to_owned(), members)
        });
        copies.collect()
    }

    /// Who of our side gets a copy: by group. Nobody through who is no member.
    pub(super) fn members(self, circle: &Circle) -> Vec<(Address, Vec<Address>)> {
        let Some(from) = &circle.from else {
            return Vec::new();
        };
        let mut copies: Vec<(Address, Vec<Address>)> = Vec::new();
        for group in &circle.groups {
            if copies.iter().all(|(known, _)| known != group) {
                copies.push((group.clone(), self.others(group, from)));
            }
        }
        for (group, name) in &circle.participants {
            let Some(member) = self.member(group, name, from) else {
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
    pub(super) fn serves(self, circle: &Circle) -> bool {
        let mut participants = circle.participants.iter();
        participants.all(|(group, name)| {
            let from = circle.from.as_ref();
            from.is_some_and(|from| self.member(group, name, from).is_some())
        })
    }

    /// Members of a group on our side but for one of them; nobody if they are none.
    fn others(self, group: &Address, from: &Address) -> Vec<Address> {
        let mut members = self.memberships.who(self.peer.real(), group);
        let all = members.len();
        members.retain(|member| member != from);
        if members.len() == all {
            members.clear();
        }
        members
    }

    /// The member of our side with this screen name, towards another member. `None` if
    /// it is not certain who that is. Who gave no name has the user id for one.
    fn member(self, group: &Address, name: &str, from: &Address) -> Option<Address> {
        let mut named = self.others(group, from);
        named.retain(|member| match self.name(group, member) {
            Some(known) => known.trim() == name,
            None => name == member.user_part() || Address::new(name) == *member,
        });
        match <[Address; 1]>::try_from(named) {
            Ok([member]) => Some(member),
            Err(_) => None,
        }
    }

    fn name(&self, group: &Address, who: &Address) -> Option<&str> {
        let membership = Membership::new(self.peer.real(), group, who);
        self.memberships.name(&membership)
    }
}

/// Whether a peer leaves the members of its groups to us and a part of a message may be
/// for such a group.
pub(super) fn leaves_members(peer: &Peer, targets: &[Address]) -> bool {
    let mut targets = targets.iter();
    let may_be_group = targets.any(|target| target.kind() == AddressKind::Resource);
    peer.dialect.group_distribution == GroupDistribution::Members && may_be_group
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
