//! What must be known later about a message or invitation: who wants a report,
//! under which transaction id, and that its id was used (quirk D-2; deployed-server,
//! section 9, advice 7 and 8).

use super::Sap;
use super::transaction::{Origin, Place, Record};
use crate::ssp::envelope::Transaction;
use crate::ssp::{Address, Primitive};

impl Sap {
    /// The sender, if he wants to hear what becomes of the message.
    pub(super) fn report_to(transaction: &Transaction) -> Option<Address> {
        if transaction.name != "SendMessageRequest" {
            return None;
        }
        let wanted = std::str::from_utf8(&transaction.raw).is_ok_and(|raw| {
            let tag = raw.split('>').next().unwrap_or_default();
            tag.split_once("deliveryReport=").is_some_and(|(_, value)| {
                value
                    .get(1..4)
                    .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
            })
        });
        wanted.then(|| {
            transaction
                .peek
                .sender
                .clone()
                .or_else(|| transaction.peek.user.clone())
        })?
    }

    /// Keeps the transaction id under which a peer wants the report.
    pub(super) fn remember_report(&mut self, record: &Record) {
        let (Origin::Peer { peer, id }, Some(message)) = (&record.origin, &record.message) else {
            return;
        };
        if !is_reported_on(record) {
            return;
        }
        if self
            .settings
            .peers
            .get(peer)
            .is_some_and(|peer| peer.dialect.reports_as_response)
        {
            self.reports
                .insert((peer.clone(), message.clone()), id.clone());
        }
    }

    /// Keeps in mind that a message went to a peer, after a restart.
    pub(super) fn remember_message_id(&mut self, record: &Record) {
        let Some(message) = &record.message else {
            return;
        };
        if record.name != "SendMessageRequest" {
            return;
        }
        for part in &record.parts {
            if let Place::Peer { peer, .. } = &part.place {
                let settings = self.settings.peers.get(peer);
                if settings.is_some_and(|peer| peer.dialect.unique_message_ids) {
                    self.message_ids.remember(peer, message, record.received);
                }
            }
        }
    }
}

/// Whether the peer that sent this wants what becomes of it under its own
/// transaction id.
pub(super) fn is_reported_on(record: &Record) -> bool {
    record.report_to.is_some() || record.name == "InviteRequest"
}

/// What a message, an invitation, or a later notice about it is about. Invitations
/// are unique for their parties only, which some peers exchange in the response.
pub(super) fn about(transaction: &Transaction) -> Option<String> {
    let (id, a, b) = match transaction.name.as_ref() {
        "InviteRequest" => match transaction.primitive().ok()? {
            Primitive::InviteRequest(p) => (p.invite_id, p.inviting, p.invited),
            _ => return None,
        },
        "InviteResponse" => match transaction.primitive().ok()? {
            Primitive::InviteResponse(p) => (p.invite_id, p.inviting, p.responding),
            _ => return None,
        },
        _ => return transaction.peek.message_id.clone(),
    };
    let mut parties = [a, b].map(|party| party.map(|party| party.address().clone()));
    parties.sort();
    let [a, b] = parties.map(|party| party.map_or_else(String::new, |a| a.to_string()));
    Some(format!("invitation {id} {a} {b}"))
}
