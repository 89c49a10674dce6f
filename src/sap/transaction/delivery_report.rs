//! What must be known later about a message or invitation: who wants a report,
//! under which transaction id, and that its id was used (quirk D-2; deployed-server,
//! advice 7 and 8).

use std::collections::HashMap;

use super::record::{Origin, Part, Record};
use crate::element::{Skew, Time};
use crate::imps::common::{MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::Name;
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::imps::status::DetailedResult;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::presented_as::PeerId;
use crate::sap::settings::Settings;
use crate::sap::transaction_id::TransactionId;
use crate::ssp::envelope::Transaction;

/// Recipients of a part whose failure is reported, at most; our choice.
const REPORTED: usize = 64;

/// Under which transaction ids peers want the reports, for dialects that want them under
/// that of the message or invitation: by peer and message id or invitation.
#[derive(Debug, Default)]
pub(super) struct Reports(HashMap<(PeerId, String), TransactionId>);

impl Reports {
    /// Keeps the transaction id under which a peer wants the report.
    pub(super) fn remember(&mut self, settings: &Settings, record: &Record) {
        let (Origin::Peer { peer, id }, Some(message)) = (&record.origin, &record.message) else {
            return;
        };
        if is_reported_on(record) && wants_reports_as_response(settings, &record.origin) {
            self.0.insert((peer.clone(), message.clone()), id.clone());
        }
    }

    /// The transaction id under which a peer wants the report on a message.
    pub(super) fn find(&self, peer: &PeerId, message: String) -> Option<&TransactionId> {
        self.0.get(&(peer.clone(), message))
    }

    /// A row is forgotten.
    pub(super) fn forget(&mut self, record: &Record) {
        if self.0.is_empty() {
            return;
        }
        if let (Origin::Peer { peer, id }, Some(message)) = (&record.origin, &record.message) {
            let key = (peer.clone(), message.clone());
            // A newer message of that id may have taken its place.
            if self.0.get(&key) == Some(id) {
                self.0.remove(&key);
            }
        }
    }
}

/// Whether who sent a request wants reports on it as responses to it.
pub(super) fn wants_reports_as_response(settings: &Settings, origin: &Origin) -> bool {
    matches!(origin, Origin::Peer { peer, .. }
        if settings.peers.get(peer.as_str()).is_some_and(|peer| peer.dialect.reports_as_response))
}

/// The sender, if they want to hear what becomes of the message.
pub(super) fn report_to(transaction: &Transaction) -> Option<Address> {
    let peek = &transaction.peek;
    let wanted = transaction.name == Name::SendMessageRequest && peek.report;
    wanted.then(|| peek.sender.clone().or_else(|| peek.user.clone()))?
}

/// The result of a message whose requestor was told 202 already: a failure becomes a
/// delivery report for each recipient, if one was asked for. That somebody further on has
/// no answer is none: they may have delivered it, and then there is a report of that.
pub(super) fn late(
    record: &Record,
    number: u64,
    part: usize,
    answer: &Body,
    reporter: &Reporter<'_>,
) -> Vec<DeliveryStatusReport> {
    let Some(status) = answer
        .status()
        .filter(|status| ![Code::OK, Code(202), Code::TIMEOUT].contains(&status.code))
    else {
        return Vec::new();
    };
    tracing::info!(
        ssp.transaction = number,
        code = status.code.0,
        "a message taken over earlier has failed"
    );
    let (Some(sender), Some(message)) = (&record.report_to, &record.message) else {
        return Vec::new();
    };
    let Some(part) = record.parts.get(part) else {
        return Vec::new();
    };
    let reports = failed(part, &status)
        .into_iter()
        .map(|(recipient, status)| {
            reporter.failure(sender, message, recipient, status, record.received)
        });
    reports.collect()
}

/// Who reports, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reporter<'r> {
    /// The domain of this node.
    pub(super) domain: &'r str,
    pub(super) skew: Skew,
    pub(super) now: Time,
}

impl Reporter<'_> {
    fn failure(
        &self,
        sender: &Address,
        message: &str,
        recipient: Address,
        status: Status,
        received: Time,
    ) -> DeliveryStatusReport {
        let info = MessageInfo {
            message_id: Some(message.to_owned()),
            uri: None,
            content_type: None,
            content_name: None,
            content_size: None,
            validity: None,
            recipients: vec![Recipient::User(User::new(sender.clone()))],
            recipient_display: None,
            sender: Some(Sender::user(User::new(recipient))),
            date_time: Some(self.skew.date(received)),
        };
        DeliveryStatusReport {
            meta: Some(MetaInfo::of_server(self.domain)),
            result: DeliveryResult { status },
            time: Some(self.skew.date(self.now)),
            info,
        }
    }
}

/// Who has not got a part of a message, and why: those whom the details name, if any.
fn failed(part: &Part, status: &Status) -> Vec<(Address, Status)> {
    let of = |target: &Address| {
        let names = |detail: &&DetailedResult| detail.users.iter().any(|user| user.user == *target);
        let detail = status.details.iter().find(names)?;
        Some(Status {
            description: detail.description.clone(),
            ..Status::new(detail.code)
        })
    };
    let targets = part.targets.iter().take(REPORTED);
    let named: Vec<_> = targets
        .clone()
        .filter_map(|target| Some((target.clone(), of(target)?)))
        .collect();
    if !named.is_empty() {
        return named;
    }
    targets
        .map(|target| (target.clone(), status.clone()))
        .collect()
}

/// Whether the peer that sent this wants what becomes of it under its own
/// transaction id.
pub(super) fn is_reported_on(record: &Record) -> bool {
    record.report_to.is_some() || record.name == Name::InviteRequest
}

/// What a message, an invitation, or a later notice about it is about. Invitations
/// are unique for their parties only, which some peers exchange in the response.
pub(super) fn about(transaction: &Transaction) -> Option<String> {
    let (id, a, b) = match transaction.name.known() {
        Some(Name::InviteRequest) => match transaction.primitive().ok()? {
            Primitive::InviteRequest(p) => (p.invite_id, p.inviting, p.invited),
            _ => return None,
        },
        Some(Name::InviteResponse) => match transaction.primitive().ok()? {
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
