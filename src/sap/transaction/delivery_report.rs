//! What must be known later about a message or invitation: who wants a report,
//! under which transaction id, and that its id was used (quirk D-2; deployed-server,
//! advice 7 and 8).

use crate::sap::element::Time;
use crate::sap::transaction::recipients;
use crate::sap::transaction::{Origin, Part, Record};
use crate::sap::{OWN, Sap};
use crate::ssp::common::{MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::ssp::envelope::{Transaction, decode_fragment};
use crate::ssp::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::ssp::status::DetailedResult;
use crate::ssp::{Address, Code, Primitive, Status};

/// Recipients of a part whose failure is reported, at most; our choice.
const REPORTED: usize = 64;

impl Sap {
    /// The sender, if they want to hear what becomes of the message.
    pub(in crate::sap) fn report_to(transaction: &Transaction) -> Option<Address> {
        let peek = &transaction.peek;
        let wanted = transaction.name == "SendMessageRequest" && peek.report;
        wanted.then(|| peek.sender.clone().or_else(|| peek.user.clone()))?
    }

    /// Keeps the transaction id under which a peer wants the report.
    pub(in crate::sap) fn remember_report(&mut self, record: &Record) {
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

    /// The result of a message whose requestor was told 202 already: a failure
    /// becomes a delivery report, if one was asked for. That somebody further on has
    /// no answer is none: it may have delivered it, and then there is a report of that.
    pub(in crate::sap) fn report_late(&mut self, number: u64, part: usize, raw: &str, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let Ok(answer) = decode_fragment(raw.as_bytes()) else {
            return;
        };
        let Some(status) = recipients::status_of(&answer)
            .filter(|status| ![Code::OK, Code(202), Code::TIMEOUT].contains(&status.code))
        else {
            return;
        };
        tracing::info!(
            ssp.transaction = number,
            code = status.code.0,
            "a message taken over earlier has failed"
        );
        let (Some(sender), Some(message)) = (&record.report_to, &record.message) else {
            return;
        };
        let Some(part) = record.parts.get(part) else {
            return;
        };
        let (sender, message, received) = (sender.clone(), message.clone(), record.received);
        for (recipient, status) in failed(part, status) {
            self.report_failure(&sender, &message, recipient, status, received, now);
        }
    }

    fn report_failure(
        &mut self,
        sender: &Address,
        message: &str,
        recipient: Address,
        status: Status,
        received: Time,
        now: Time,
    ) {
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
        let report = DeliveryStatusReport {
            meta: Some(MetaInfo::of_server(&self.settings.domain)),
            result: DeliveryResult { status },
            time: Some(self.skew.date(now)),
            info,
        };
        let expires = now.plus_millis(self.settings.default_validity);
        self.request(OWN, crate::sap::Token(0), &report.into(), expires, now);
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
pub(in crate::sap) fn is_reported_on(record: &Record) -> bool {
    record.report_to.is_some() || record.name == "InviteRequest"
}

/// What a message, an invitation, or a later notice about it is about. Invitations
/// are unique for their parties only, which some peers exchange in the response.
pub(in crate::sap) fn about(transaction: &Transaction) -> Option<String> {
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
