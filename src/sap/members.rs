//! Messages to a group whose server hands them to its own users only: the members
//! on our side get them from us, as soon as the group has taken the message (wire
//! profile, 10 E-3). Members on domains behind others miss it.

use super::dialect::GroupDistribution;
use super::element::{Element, Time, Token};
use super::standing::Seat;
use super::transaction::{Part, Place};
use super::{Peer, Sap};
use crate::ssp::Address;
use crate::ssp::Primitive;
use crate::ssp::address::Kind as AddressKind;
use crate::ssp::common::{MetaInfo, Recipient, ScreenName, Sender, User};
use crate::ssp::envelope::{Transaction, decode_fragment};

impl Sap {
    /// The message, if members on our side will have to get it from us.
    pub(super) fn kept_for_members(
        &self,
        transaction: &Transaction,
        parts: &[Part],
    ) -> Option<String> {
        if transaction.name != "SendMessageRequest" {
            return None;
        }
        let from = sender(transaction)?;
        let has_members = parts.iter().any(|part| {
            let Place::Peer { peer, .. } = &part.place else {
                return false;
            };
            let Some(peer) = self.settings.peers.get(peer) else {
                return false;
            };
            let mut groups = groups(peer, part);
            groups.any(|group| !self.other_members(peer, group, from).is_empty())
        });
        if !has_members {
            return None;
        }
        let raw = std::str::from_utf8(&transaction.raw);
        raw.ok().map(str::to_owned)
    }

    /// A peer has answered to a message: if its group has taken it, the members on our
    /// side get it now.
    pub(super) fn hand_to_members(
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
            Ok(Primitive::SendMessageResponse(answer)) if answer.status.code.is_success() => {}
            _ => return,
        }
        let Ok(Primitive::SendMessageRequest(message)) = decode_fragment(kept.as_bytes()) else {
            return;
        };
        let asking = message.meta.as_ref().and_then(MetaInfo::user);
        let from = message.info.sender.as_ref();
        let from = from.and_then(|sender| sender.user.as_ref()).or(asking);
        let Some(from) = from.map(|user| user.user.clone()) else {
            return;
        };
        let expires = record.expires;
        let part = record.parts.iter().find(|part| {
            matches!(&part.place, Place::Peer { peer: at, id } if *at == peer.domain && *id == answer.id)
        });
        // A second answer is not for us any more.
        let Some(part) = part.filter(|part| part.answer.is_none()) else {
            return;
        };
        let groups: Vec<Address> = groups(peer, part).cloned().collect();
        for group in groups {
            let members = self.other_members(peer, &group, &from);
            if members.is_empty() {
                continue;
            }
            let seat = Seat {
                peer: peer.real().to_owned(),
                at: group.clone(),
                who: from.clone(),
            };
            let name = self
                .standing
                .name(&seat)
                .unwrap_or(from.user_part())
                .to_owned();
            let mut copy = message.clone();
            copy.delivery_report = false;
            copy.meta = Some(MetaInfo::of_server(group.domain()));
            copy.info.sender = Some(Sender {
                user: None,
                group: None,
                screen_name: Some(ScreenName { group, name }),
                display: None,
            });
            let members = members
                .into_iter()
                .map(|user| Recipient::User(User::new(user)));
            copy.info.recipients = members.collect();
            copy.info.recipient_display = None;
            tracing::debug!(
                ssp.peer = peer.domain,
                ssp.transaction = answer.id,
                members = copy.info.recipients.len(),
                "handing a group message to our members"
            );
            // The element named does not matter: it knows of no such request.
            let token = Token(self.table.next_number(now));
            let copy = Primitive::SendMessageRequest(copy);
            self.request(Element::Home, token, &copy, expires, now);
        }
    }

    /// Members of a group on our side but for one of them; nobody if he is none.
    fn other_members(&self, peer: &Peer, group: &Address, from: &Address) -> Vec<Address> {
        let mut members = self.standing.who(peer.real(), group);
        let all = members.len();
        members.retain(|member| member != from);
        if members.len() == all {
            members.clear();
        }
        members
    }
}

/// Who sends a message.
fn sender(transaction: &Transaction) -> Option<&Address> {
    let peek = &transaction.peek;
    peek.sender.as_ref().or(peek.user.as_ref())
}

/// The groups of a peer that a part of a message is for, if its server leaves the
/// members of other domains to us.
fn groups<'p>(peer: &'p Peer, part: &'p Part) -> impl Iterator<Item = &'p Address> {
    let by_domain = peer.dialect.group_distribution == GroupDistribution::Members;
    part.targets.iter().filter(move |group| {
        by_domain && group.kind() == AddressKind::Resource && peer.is(group.domain())
    })
}
