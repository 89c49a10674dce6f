//! What a peer says in its own way, said in ours.

use std::borrow::Cow;

use super::{Peer, Sap, message_ids};
use crate::ssp::Primitive;
use crate::ssp::common::Party;
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::invitation::InviteResponse;

impl Sap {
    /// A transaction of a peer as we mean it: message ids that were changed on the
    /// way to the peer are the sender's again, and the parties of an
    /// `InviteResponse` are who they should be (wire profile, 9.1.2: the responder
    /// is of the peer's domain).
    pub(super) fn understood<'t>(
        &self,
        peer: &Peer,
        transaction: &'t Transaction,
    ) -> Cow<'t, Transaction> {
        let changed = |primitive: &Primitive| {
            let mut changed = Transaction::new(transaction.mode, transaction.id.clone(), primitive);
            changed.via.clone_from(&transaction.via);
            Cow::Owned(changed)
        };
        let may_be_changed = peer.dialect.unique_message_ids && transaction.raw.contains(&b'~');
        match transaction.name.as_ref() {
            "SendMessageResponse" | "DeliveryStatusReport" if may_be_changed => {
                let mut primitive = transaction.primitive();
                let id = match &mut primitive {
                    Ok(Primitive::SendMessageResponse(p)) => Some(&mut p.message_id),
                    Ok(Primitive::DeliveryStatusReport(p)) => p.info.message_id.as_mut(),
                    _ => None,
                };
                if let Some(id) = id
                    && let Some(original) = message_ids::original(id)
                {
                    *id = original.to_owned();
                }
                primitive.map_or(Cow::Borrowed(transaction), |primitive| changed(&primitive))
            }
            "InviteResponse" => match transaction.primitive() {
                Ok(Primitive::InviteResponse(mut response)) if self.is_crossed(peer, &response) => {
                    let InviteResponse {
                        inviting,
                        responding,
                        ..
                    } = response.as_mut();
                    std::mem::swap(inviting, responding);
                    changed(&Primitive::InviteResponse(response))
                }
                _ => Cow::Borrowed(transaction),
            },
            _ => Cow::Borrowed(transaction),
        }
    }

    fn is_crossed(&self, peer: &Peer, response: &InviteResponse) -> bool {
        let of_peer = |party: &Option<Party>| {
            party
                .as_ref()
                .map(|party| self.settings.may_speak(peer, party.address().domain()))
        };
        of_peer(&response.inviting) == Some(true) && of_peer(&response.responding) == Some(false)
    }
}
