//! A WV user's message on its way to XMPP (xmpp-mapping, 4.1 and 4.4).
//!
//! ```text
//!  accepted ──▶ Waiting ──confirmed──▶ Confirmed ──settle──▶ answered 200
//!                  │                       │                     │
//!                  │ validity over         │ error: Failed       │ receipt, or time: report 200
//!                  ▼                       ▼                     │ error: report of its code
//!             Failed(542)             answered with its code     ▼
//!                                                               Done
//! ```
//!
//! A message that waits for the link is answered 200 shortly before its request
//! ends: it is in the store and will be sent within its validity.

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;

use super::records::{Sent, Target, TargetState, sent_key};
use super::{Gateway, Timer, bare};
use crate::sap::{Act, Degraded, Outcome, RequestId, Time};
use crate::ssp::common::Recipient;
use crate::ssp::primitive::message::{SendMessageRequest, SendMessageResponse};
use crate::ssp::{Address, Code, Status};
use crate::store::Write;
use crate::translate::message::{Form, is_plain_id, sender_of};
use crate::translate::stanza::print;

impl Gateway {
    pub(super) fn send_message(
        &mut self,
        request: &SendMessageRequest,
        id: Option<RequestId>,
        expires: Time,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let message_id = match &request.info.message_id {
            Some(id) if !id.is_empty() => id.clone(),
            _ => self.numbers.id(out),
        };
        if let Err(code) = self.accept(request, &message_id, id, expires, now, out) {
            let status = Status::new(code).because(self.translator.mappings.status.means(code));
            answer(id, &message_id, status, out);
            let copies = request.info.recipients.len().max(1);
            out.extend((0..copies).map(|_| Act::Outcome {
                message: message_id.clone(),
                outcome: Outcome::Refused(code.0),
            }));
        }
    }

    fn accept(
        &mut self,
        request: &SendMessageRequest,
        message_id: &str,
        id: Option<RequestId>,
        expires: Time,
        now: Time,
        out: &mut Vec<Act>,
    ) -> Result<(), Code> {
        let sender = sender_of(request).ok_or(Code::BAD_REQUEST)?.clone();
        let component = self.translator.component_of(&sender);
        let component = component.ok_or(Code::DOMAIN_NOT_SUPPORTED)?.to_owned();
        let stanza_id = self.stanza_id(message_id, request, out);
        let translated =
            self.translator
                .message_to_xmpp(request, &stanza_id, self.skew.wall(now).0)?;
        let room = self.settings.max_queue.saturating_sub(self.outbox.len());
        let is_full = translated.stanzas.len() > room
            || self.outbox.bytes() >= self.settings.max_queue_bytes
            || self.sent.len() >= self.settings.max_messages
            || self.sent_bytes >= self.settings.max_message_bytes;
        if is_full {
            return Err(Code::QUEUE_FULL);
        }
        let validity = request.info.validity.filter(|seconds| *seconds > 0);
        let validity = validity.unwrap_or(self.settings.default_validity);
        let until = now.plus_seconds(validity.min(self.settings.max_validity));
        self.remember_clients(request);

        let number = self.numbers.next(out);
        let mut targets = Vec::new();
        let mut refused = Vec::new();
        for (recipient, stanza) in translated.stanzas {
            let address = recipient.address().clone();
            let result = match (&recipient, stanza) {
                _ if !self.translator.is_xmpp(&address) => Err(Code::DOMAIN_NOT_SUPPORTED),
                // No WV user is in a room of XMPP yet.
                (Recipient::Group(_) | Recipient::ScreenName(_), Ok(_)) => Err(Code::NOT_JOINED),
                (_, result) => result,
            };
            let message = match result.and_then(|message| self.fitting(&component, message, now)) {
                Ok(message) => message,
                Err(code) => {
                    refused.push((code.0, address));
                    continue;
                }
            };
            let client = match recipient {
                Recipient::User(user) => user.client.map(|client| client.url),
                _ => None,
            };
            let jid = message.to.as_ref().map(bare).unwrap_or_default();
            let entry = self.numbers.next(out);
            self.outbox.durable(
                entry,
                &component,
                Stanza::Message(message),
                Some(number),
                until,
                out,
            );
            targets.push(Target {
                address,
                client,
                jid,
                out: entry,
                state: TargetState::Waiting,
            });
        }
        let sent = Sent {
            request: id,
            answer_by: Time(expires.0.saturating_sub(self.settings.answer_margin_millis)),
            message_id: message_id.to_owned(),
            stanza_id,
            sender,
            report: request.delivery_report,
            until,
            form: match translated.form {
                Form::Full => 0,
                Form::PlainText => 1,
                Form::Reference => 2,
            },
            date_time: request.info.date_time.map(|time| time.0),
            content_type: request.info.content_type.clone(),
            content_size: request.info.content_size,
            targets,
            refused,
            concluded: false,
        };
        self.keep_sent(number, sent);
        self.put_sent(number, out);
        self.check_sent(number, now, out);
        Ok(())
    }

    /// The message, unless it has more bytes than the server takes: it would end the
    /// link.
    fn fitting(&mut self, component: &str, message: Message, now: Time) -> Result<Message, Code> {
        let most = self.outbox.most(component);
        let stanza = Stanza::Message(message);
        let bytes = print(&stanza).len();
        if bytes > most {
            if let Some(more) = self.seldom.may("large", now.0) {
                tracing::info!(
                    component,
                    bytes,
                    more,
                    "a message was refused: the XMPP server takes {most} bytes (max_stanza)"
                );
            }
            return Err(Code::UNDELIVERABLE);
        }
        match stanza {
            Stanza::Message(message) => Ok(message),
            _ => Err(Code::INTERNAL),
        }
    }

    /// The message's id, unless it cannot be a stanza's or is in use between the
    /// same two users (2.6).
    fn stanza_id(
        &mut self,
        message_id: &str,
        request: &SendMessageRequest,
        out: &mut Vec<Act>,
    ) -> String {
        let in_use = |recipient: &Recipient| {
            let jid = self.translator.jid(recipient.address());
            jid.is_ok_and(|jid| {
                let key = (message_id.to_owned(), jid.to_string());
                self.sent_by_stanza.contains_key(&key)
            })
        };
        if is_plain_id(message_id) && !request.info.recipients.iter().any(in_use) {
            return message_id.to_owned();
        }
        self.numbers.id(out)
    }

    pub(super) fn restore_sent(&mut self, number: u64, mut sent: Sent) {
        for target in &mut sent.targets {
            if target.state == TargetState::Waiting && !self.outbox.holds(target.out) {
                target.state = TargetState::Confirmed(Time(0));
            }
        }
        self.keep_sent(number, sent);
        self.timers.by(Time(0), Timer::Sent(number));
    }

    fn keep_sent(&mut self, number: u64, sent: Sent) {
        for target in &sent.targets {
            let key = (sent.stanza_id.clone(), target.jid.clone());
            self.sent_by_stanza.insert(key, number);
        }
        self.sent_bytes += sent.bytes();
        self.sent.insert(number, sent);
    }

    /// The message that a stanza from `from` about `stanza_id` to `to` means, and
    /// which of its recipients speaks.
    pub(super) fn find_sent(&self, stanza_id: &str, from: &Jid, to: &Jid) -> Option<(u64, usize)> {
        let jid = bare(from);
        let key = (stanza_id.to_owned(), jid.clone());
        let number = *self.sent_by_stanza.get(&key)?;
        let sent = self.sent.get(&number)?;
        // Only the sender's own JID may be told about the message.
        if self.translator.address(to).ok()? != sent.sender {
            return None;
        }
        let target = sent.targets.iter().position(|target| target.jid == jid)?;
        Some((number, target))
    }

    /// Notes what became of the message for one of its recipients.
    pub(super) fn sent_became(
        &mut self,
        (number, target): (u64, usize),
        state: TargetState,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(sent) = self.sent.get_mut(&number) else {
            return;
        };
        let target = &mut sent.targets[target];
        if matches!(
            target.state,
            TargetState::Waiting | TargetState::Confirmed(_)
        ) {
            target.state = state;
            let entry = target.out;
            // Whoever answers has it: it need not go out again.
            self.outbox.remove(entry, out);
            self.put_sent(number, out);
        }
        self.check_sent(number, now, out);
    }

    pub(super) fn sent_confirmed(
        &mut self,
        number: u64,
        entry: u64,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(sent) = self.sent.get_mut(&number) else {
            return;
        };
        let report = sent.report;
        let target = sent.targets.iter_mut().find(|target| target.out == entry);
        if let Some(target) = target.filter(|target| target.state == TargetState::Waiting) {
            target.state = TargetState::Confirmed(now);
            if report {
                self.put_sent(number, out);
            }
        }
        self.check_sent(number, now, out);
    }

    /// Does what has become possible or due for a message.
    pub(super) fn check_sent(&mut self, number: u64, now: Time, out: &mut Vec<Act>) {
        let Some(mut sent) = self.sent.remove(&number) else {
            return;
        };
        let before = sent.clone();
        self.expire_waiting(&mut sent, now, out);
        let settled = sent.targets.iter().all(|target| match target.state {
            TargetState::Waiting => false,
            TargetState::Confirmed(at) => now >= at.plus_millis(self.settings.settle_millis),
            _ => true,
        });
        if settled && !sent.concluded {
            self.conclude(&mut sent, out);
        } else if sent.request.is_some() && now >= sent.answer_by {
            let status = sent.status(&self.translator);
            answer(sent.request.take(), &sent.message_id, status, out);
        }
        if sent.concluded {
            self.report_sent(&mut sent, now, out);
        }
        let over = sent.concluded
            && (!sent.report || sent.targets.iter().all(|t| t.state == TargetState::Done));
        if over {
            for target in &sent.targets {
                let key = (sent.stanza_id.clone(), target.jid.clone());
                self.sent_by_stanza.remove(&key);
            }
            self.sent_bytes = self.sent_bytes.saturating_sub(sent.bytes());
            out.push(Act::Write(Write::delete(sent_key(number))));
            return;
        }
        if let Some(at) = self.next_look(&sent, now) {
            self.timers.by(at, Timer::Sent(number));
        }
        let changed = sent != before;
        self.sent.insert(number, sent);
        if changed {
            self.put_sent(number, out);
        }
    }

    fn expire_waiting(&mut self, sent: &mut Sent, now: Time, out: &mut Vec<Act>) {
        if now < sent.until {
            return;
        }
        for target in &mut sent.targets {
            if target.state == TargetState::Waiting {
                self.outbox.remove(target.out, out);
                target.state = TargetState::Failed(Code::EXPIRED.0);
            }
        }
    }

    /// Answers, and tells how the message ended.
    fn conclude(&mut self, sent: &mut Sent, out: &mut Vec<Act>) {
        let status = sent.status(&self.translator);
        let failed = sent.failures();
        // A failure that is in the answer needs no report.
        if sent.request.is_some() {
            for target in &mut sent.targets {
                if matches!(target.state, TargetState::Failed(_)) {
                    target.state = TargetState::Done;
                }
            }
        }
        answer(sent.request.take(), &sent.message_id, status, out);
        let copies = sent.targets.len() + sent.refused.len();
        let arrived = match sent.form {
            1 => Outcome::Degraded(Degraded::PlainText),
            2 => Outcome::Degraded(Degraded::Reference),
            _ => Outcome::Delivered,
        };
        // Each copy of the message ends by itself.
        let ends = failed.iter().map(|(code, _)| match *code {
            Code::EXPIRED => Outcome::Expired,
            code => Outcome::Refused(code.0),
        });
        let ends = ends.chain(std::iter::repeat(arrived)).take(copies);
        out.extend(ends.map(|outcome| Act::Outcome {
            message: sent.message_id.clone(),
            outcome,
        }));
        sent.concluded = true;
    }

    /// When something may be due for the message next, besides events.
    fn next_look(&self, sent: &Sent, now: Time) -> Option<Time> {
        let settings = &self.settings;
        let mut times = vec![];
        if sent.request.is_some() {
            times.push(sent.answer_by);
        }
        for target in &sent.targets {
            match target.state {
                TargetState::Waiting => times.push(sent.until),
                TargetState::Confirmed(at) if !sent.concluded => {
                    times.push(at.plus_millis(settings.settle_millis));
                }
                TargetState::Confirmed(_) if settings.strict_receipts => times.push(sent.until),
                TargetState::Confirmed(at) => times.push(at.plus_millis(settings.handover_millis)),
                _ => {}
            }
        }
        times.into_iter().filter(|at| *at > now).min()
    }

    fn put_sent(&self, number: u64, out: &mut Vec<Act>) {
        if let Some(sent) = self.sent.get(&number) {
            out.push(Act::Write(Write::put_json(sent_key(number), sent)));
        }
    }

    /// Clients that cannot be resources come back under their digest.
    fn remember_clients(&mut self, request: &SendMessageRequest) {
        let sender = request.info.sender.as_ref().and_then(|s| s.user.as_ref());
        let Some(client) = sender.and_then(|user| user.client.as_ref()) else {
            return;
        };
        let Some(resource) = self.translator.resource(client) else {
            return;
        };
        let is_digest = resource.as_str() != client.url && client.application.is_none();
        if is_digest && self.clients.len() < self.settings.max_messages {
            self.clients
                .insert(resource.to_string(), client.url.clone());
        }
    }
}

impl Sent {
    /// Who does not get the message, and why.
    fn failures(&self) -> Vec<(Code, Address)> {
        let refused = self
            .refused
            .iter()
            .map(|(code, who)| (Code(*code), who.clone()));
        let failed = self.targets.iter().filter_map(|target| match target.state {
            TargetState::Failed(code) => Some((Code(code), target.address.clone())),
            _ => None,
        });
        refused.chain(failed).collect()
    }

    fn status(&self, translator: &crate::translate::Translator) -> Status {
        let targets = self.targets.len() + self.refused.len();
        let status = Status::of_users(targets, self.failures());
        if status.code == Code::OK {
            return status;
        }
        let means = translator.mappings.status.means(status.code).to_owned();
        status.because(means)
    }
}

fn answer(to: Option<RequestId>, message_id: &str, status: Status, out: &mut Vec<Act>) {
    if let Some(to) = to {
        let response = SendMessageResponse {
            message_id: message_id.to_owned(),
            status,
        };
        out.push(Act::Respond {
            to,
            primitive: response.into(),
        });
    }
}
