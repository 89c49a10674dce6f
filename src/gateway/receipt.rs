//! Delivery reports and receipts (xmpp-mapping, 4.3).

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};

use super::Gateway;
use super::records::{Sent, TargetState, received_key};
use crate::sap::{Act, Time};
use crate::ssp::Code;
use crate::ssp::common::{ClientId, Recipient, User};
use crate::ssp::datetime::DateTime;
use crate::ssp::primitive::message::DeliveryStatusReport;
use crate::store::Write;
use crate::text::Shown;
use crate::translate::Context;
use crate::translate::message::is_plain_id;
use crate::translate::receipt::{About, error_of, receipt};
use crate::translate::words::{Words, words};

impl Gateway {
    /// A receipt or error among the messages from XMPP; whether it was one.
    pub(super) fn receipt_in(&mut self, message: &Message, now: Time, out: &mut Vec<Act>) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        if message.type_ == MessageType::Error {
            // Without a reason it has come back all the same.
            let table = &self.translator.mappings.status;
            let code = error_of(message)
                .map_or(Code::INTERNAL, |error| table.code(error, Context::Message));
            let id = message.id.as_ref().map_or("", |id| id.0.as_str());
            if let Some(found) = self.find_sent(id, from, to) {
                self.sent_became(found, TargetState::Failed(code.0), now, out);
            } else if let Some(more) = self.seldom.may("bounce", now.0) {
                tracing::info!(
                    xmpp.stanza_id = %Shown(id),
                    code = code.0,
                    more,
                    "an error about a message that has ended, or never was"
                );
            }
            return true;
        }
        let Some(receipt) = receipt(message) else {
            return false;
        };
        if let Some(found) = self.find_sent(&receipt.id, from, to) {
            self.sent_became(found, TargetState::Received, now, out);
        }
        // It may come along with words.
        matches!(words(message, None), Words::Nothing(_))
    }

    /// Sends the reports that are due for an answered message.
    pub(super) fn report_sent(&mut self, sent: &mut Sent, now: Time, out: &mut Vec<Act>) {
        if !sent.report {
            return;
        }
        let (settings, skew) = (&self.settings, self.skew);
        let mut reports = Vec::new();
        for target in &mut sent.targets {
            let code = match target.state {
                TargetState::Received => Code::OK,
                TargetState::Failed(code) => Code(code),
                TargetState::Confirmed(_) if settings.strict_receipts => {
                    if now < sent.until {
                        continue;
                    }
                    Code::EXPIRED
                }
                // Delivered means: to the client, or to the server for it.
                TargetState::Confirmed(at) if now >= at.plus_millis(settings.handover_millis) => {
                    Code::OK
                }
                _ => continue,
            };
            target.state = TargetState::Done;
            let mut recipient = User::new(target.address.clone());
            recipient.client = target.client.clone().map(|url| ClientId {
                url,
                application: None,
            });
            let about = About {
                message_id: sent.message_id.clone(),
                sender: sent.sender.clone(),
                recipient,
                date_time: sent.date_time.map(DateTime),
                content_type: sent.content_type.clone(),
                content_size: sent.content_size,
            };
            reports.push(self.translator.report(&about, code, skew.wall(now).0));
        }
        for report in reports {
            self.tell(report.into(), now, out);
        }
    }

    /// Whether the report is by the one whom the message was for.
    fn may_report(&self, number: Option<u64>, report: &DeliveryStatusReport) -> bool {
        let received = number.and_then(|number| self.received.get(&number));
        let Some(to) = received.and_then(|received| Jid::new(&received.to).ok()) else {
            return true;
        };
        // Occupants of rooms have other addresses.
        if self.translator.is_room(&to) {
            return true;
        }
        let sender = report.info.sender.as_ref();
        let reporter = sender.and_then(|sender| sender.user.as_ref());
        let reporter = reporter.or_else(|| report.meta.as_ref()?.user());
        reporter.is_none_or(|reporter| {
            let jid = self.translator.jid(&reporter.user);
            jid.is_ok_and(|jid| jid == to.to_bare())
        })
    }

    /// A report about a message from XMPP.
    pub(super) fn report_in(
        &mut self,
        report: &DeliveryStatusReport,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let message_id = report.info.message_id.clone().unwrap_or_default();
        let number = self.received_by_id.get(&message_id).copied();
        if !self.may_report(number, report) {
            tracing::debug!(
                message_id = %Shown(&message_id),
                "a delivery report by somebody else than the recipient was dropped"
            );
            return;
        }
        let (id, to) = if let Some(received) = number.and_then(|number| self.received.get(&number))
        {
            (received.stanza_id.clone(), Jid::new(&received.from).ok())
        } else {
            let to = report
                .info
                .recipients
                .iter()
                .find_map(|recipient| match recipient {
                    Recipient::User(user) if self.translator.is_xmpp(&user.user) => {
                        self.translator.jid_of(user).ok()
                    }
                    _ => None,
                });
            (is_plain_id(&message_id).then(|| message_id.clone()), to)
        };
        // Without an id there is nothing a receipt could name.
        let (Some(id), Some(to)) = (id, to) else {
            tracing::debug!(message_id = %Shown(&message_id), "a delivery report about an unknown message");
            return;
        };
        let reporter = report.info.sender.as_ref().and_then(|s| s.user.as_ref());
        let reporter = reporter.or_else(|| report.meta.as_ref()?.user());
        let component = reporter.and_then(|user| self.translator.component_of(&user.user));
        let Some(component) = component.map(str::to_owned) else {
            return;
        };
        match self.translator.report_to_xmpp(report, &id, &to) {
            Ok(Some(mut stanza)) => {
                if stanza.id.is_none() {
                    stanza.id = Some(xmpp_parsers::message::Id(self.numbers.id(out)));
                }
                self.send(&component, stanza, now, out);
            }
            // Forwarded: the final report is still to come.
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "a delivery report without reporter"),
        }
        let Some(number) = number else { return };
        match self.received.get_mut(&number) {
            // The answer is still to come; after it there is nothing to wait for.
            Some(received) if !received.answered => received.report = false,
            Some(_) => {
                self.drop_received(number);
                out.push(Act::Write(Write::delete(received_key(number))));
            }
            None => {}
        }
    }
}
