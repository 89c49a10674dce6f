//! WV users' messages on their way to XMPP (xmpp-mapping, 4.1, 4.3 and 4.4).
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

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};

use super::super::fate::{Fate, GivenUp};
use super::super::records::{bare, number_of, read, sent_key};
use super::super::shared::Shared;
use super::super::timers::Timers;
use super::refusal::{fitting, refuse};
use super::sent::{Sent, Target, TargetState};
use crate::element::{RequestId, Time};
use crate::imps::Code;
use crate::imps::common::Recipient;
use crate::imps::primitive::message::SendMessageRequest;
use crate::store::Write;
use crate::text::Shown;
use crate::translate::Context;
use crate::translate::message::{Form, ToXmpp, is_plain_id, sender_of, to_xmpp};
use crate::translate::receipt::{error_of, receipt};
use crate::translate::words::{Words, words};

/// A request for a message, and how it is to be answered.
pub(in crate::gateway) struct Order<'r> {
    pub(in crate::gateway) request: &'r SendMessageRequest,
    /// `None` if it is not to be answered.
    pub(in crate::gateway) id: Option<RequestId>,
    pub(in crate::gateway) expires: Time,
    /// Its stanzas, if they are not those of a user's message.
    pub(in crate::gateway) copies: Option<ToXmpp>,
}

/// Messages to XMPP whose outcome is awaited.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Messages to XMPP, by number.
    sent: BTreeMap<u64, Sent>,
    /// Bytes of the messages in `sent`.
    bytes: usize,
    /// The same by stanza id and recipient's bare JID.
    by_stanza: BTreeMap<(String, String), u64>,
    timers: Timers<u64>,
}

impl Outbound {
    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(
        &mut self,
        rest: &str,
        value: &[u8],
        shared: &Shared,
    ) -> Result<(), String> {
        let number = number_of(rest)?;
        let mut sent: Sent = read(value)?;
        for target in &mut sent.targets {
            if target.state == TargetState::Waiting && !shared.links.holds(target.out) {
                target.state = TargetState::Confirmed(Time(0));
            }
        }
        self.keep(number, sent);
        self.timers.by(Time(0), number);
        Ok(())
    }

    /// Copies that have not ended yet.
    pub(super) fn open(&self) -> u64 {
        let open = self.sent.values().filter(|sent| !sent.concluded);
        open.map(|sent| sent.copies() as u64).sum()
    }

    /// Bytes of what is kept.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a message, or refuses it; whether it was taken.
    pub(super) fn deliver(&mut self, mut order: Order<'_>, now: Time, shared: &mut Shared) -> bool {
        let info = &order.request.info;
        let message_id = match &info.message_id {
            Some(id) if !id.is_empty() => id.clone(),
            _ => shared.id(),
        };
        let copies = order.copies.take();
        let Err(code) = self.accept(&order, copies, &message_id, now, shared) else {
            return true;
        };
        refuse(order.request, (order.id, &message_id), code, shared);
        false
    }

    fn accept(
        &mut self,
        order: &Order<'_>,
        copies: Option<ToXmpp>,
        message_id: &str,
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), Code> {
        let request = order.request;
        let sender = sender_of(request).ok_or(Code::BAD_REQUEST)?.clone();
        let component = shared.translator.component_of(&sender);
        let component = component.ok_or(Code::DOMAIN_NOT_SUPPORTED)?.to_owned();
        let is_of_groups = copies.is_some();
        let (stanza_id, translated) = match copies {
            Some(copies) => (copies.id().unwrap_or_default().to_owned(), copies),
            None => {
                let id = self.stanza_id(message_id, request, shared);
                let date = shared.skew.wall(now).0;
                let translated = to_xmpp(&shared.translator, request, &id, date)?;
                (id, translated)
            }
        };
        if !self.has_room_for(translated.stanzas.len(), shared) {
            return Err(Code::QUEUE_FULL);
        }
        let settings = &shared.settings;
        let validity = request.info.validity.filter(|seconds| *seconds > 0);
        let validity = validity.map_or(settings.default_validity, Duration::from_secs);
        let until = now.plus(validity.min(settings.max_validity));
        let answer_by = order.expires.minus(settings.answer_margin);

        let number = shared.number();
        let mut sent = Sent {
            request: order.id,
            answer_by,
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
            targets: Vec::new(),
            refused: Vec::new(),
            concluded: false,
        };
        for (recipient, stanza) in translated.stanzas {
            let address = recipient.address().clone();
            let result = match (&recipient, stanza) {
                _ if !shared.translator.is_xmpp(&address) => Err(Code::DOMAIN_NOT_SUPPORTED),
                (Recipient::User(_), Ok(message)) if !is_let_in(&message, request, shared) => {
                    Err(Code::BLOCKED)
                }
                // Who is in a room of XMPP speaks there as its occupant.
                (Recipient::Group(_) | Recipient::ScreenName(_), Ok(_)) if !is_of_groups => {
                    Err(Code::NOT_JOINED)
                }
                (_, Ok(message)) if !is_allowed(&message, shared) => Err(Code::FORBIDDEN),
                (_, result) => result,
            };
            let message = match result.and_then(|message| fitting(&component, message, now, shared))
            {
                Ok(message) => message,
                Err(code) => {
                    sent.refused.push((code.0, address));
                    continue;
                }
            };
            let client = match recipient {
                Recipient::User(user) => user.client.map(|client| client.url),
                _ => None,
            };
            let jid = message.to.as_ref().map(bare).unwrap_or_default();
            let out = shared.number();
            let stanza = Stanza::Message(message);
            shared
                .links
                .durable(out, &component, stanza, Some(number), until);
            sent.targets.push(Target {
                address,
                client,
                jid,
                out,
                state: TargetState::Waiting,
            });
        }
        self.keep(number, sent);
        self.put(number, shared);
        self.check(number, now, shared);
        Ok(())
    }

    fn has_room_for(&self, stanzas: usize, shared: &Shared) -> bool {
        let settings = &shared.settings;
        let room = settings.max_queue.saturating_sub(shared.links.len());
        stanzas <= room
            && shared.links.bytes() < settings.max_queue_bytes
            && self.sent.len() < settings.max_messages
            && self.bytes < settings.max_message_bytes
    }

    /// The message's id, unless it cannot be a stanza's or is in use between the
    /// same two users (2.6).
    fn stanza_id(
        &self,
        message_id: &str,
        request: &SendMessageRequest,
        shared: &mut Shared,
    ) -> String {
        let in_use = |recipient: &Recipient| {
            let jid = shared.translator.jid(recipient.address());
            jid.is_ok_and(|jid| {
                let key = (message_id.to_owned(), jid.to_string());
                self.by_stanza.contains_key(&key)
            })
        };
        if is_plain_id(message_id) && !request.info.recipients.iter().any(in_use) {
            return message_id.to_owned();
        }
        shared.id()
    }

    fn keep(&mut self, number: u64, sent: Sent) {
        for target in &sent.targets {
            let key = (sent.stanza_id.clone(), target.jid.clone());
            self.by_stanza.insert(key, number);
        }
        self.bytes += sent.bytes();
        self.sent.insert(number, sent);
    }

    fn put(&self, number: u64, shared: &mut Shared) {
        if let Some(sent) = self.sent.get(&number) {
            shared.write(Write::put_json(sent_key(number), sent));
        }
    }

    /// A message stanza of an XMPP user that may be a receipt or error; whether it was that and no
    /// more.
    pub(super) fn heard(&mut self, message: &Message, now: Time, shared: &mut Shared) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        if message.type_ == MessageType::Error {
            // Without a reason it has come back all the same.
            let table = &shared.translator.mappings.status;
            let code = error_of(message)
                .map_or(Code::INTERNAL, |error| table.code(error, Context::Message));
            let id = message.id.as_ref().map_or("", |id| id.0.as_str());
            if let Some(found) = self.find(id, from, to, shared) {
                self.became(found, TargetState::Failed(code.0), now, shared);
            } else if let Some(more) = shared.seldom.may("bounce", now.0) {
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
        if let Some(found) = self.find(&receipt.id, from, to, shared) {
            self.became(found, TargetState::Received, now, shared);
        }
        // It may come along with words.
        let table = &shared.translator.mappings.words;
        matches!(words(message, None, table), Words::Nothing(_))
    }

    /// A message of ours has not reached the server's users.
    pub(super) fn came_back(
        &mut self,
        message: &Message,
        code: Code,
        now: Time,
        shared: &mut Shared,
    ) {
        if message.type_ == MessageType::Error {
            return;
        }
        let (Some(id), Some(from), Some(to)) = (&message.id, &message.from, &message.to) else {
            return;
        };
        if let Some(found) = self.find(&id.0, to, from, shared) {
            self.became(found, TargetState::Failed(code.0), now, shared);
        }
    }

    /// What became of a stanza at its link.
    pub(super) fn settle(&mut self, fate: &Fate, now: Time, shared: &mut Shared) {
        match fate {
            Fate::Confirmed { number, message } => self.confirmed(*message, *number, now, shared),
            Fate::GivenUp(stanza) => self.gave_up(stanza, now, shared),
        }
    }

    fn confirmed(&mut self, number: u64, entry: u64, now: Time, shared: &mut Shared) {
        let Some(sent) = self.sent.get_mut(&number) else {
            return;
        };
        let report = sent.report;
        let target = sent.targets.iter_mut().find(|target| target.out == entry);
        if let Some(target) = target.filter(|target| target.state == TargetState::Waiting) {
            target.state = TargetState::Confirmed(now);
            if report {
                self.put(number, shared);
            }
        }
        self.check(number, now, shared);
    }

    fn gave_up(&mut self, stanza: &GivenUp, now: Time, shared: &mut Shared) {
        let sent = stanza.message.and_then(|number| self.sent.get(&number));
        let target = sent.and_then(|sent| {
            let mut targets = sent.targets.iter();
            targets.position(|target| target.out == stanza.number)
        });
        let message = sent.map_or("", |sent| sent.message_id.as_str());
        tracing::warn!(
            component = stanza.component,
            message_id = %Shown(message),
            stanza = stanza.number,
            bytes = stanza.bytes,
            "a stanza was given up: {}; if it is for its size, set max_stanza of the component",
            stanza.why
        );
        if let (Some(number), Some(target)) = (stanza.message, target) {
            let failed = TargetState::Failed(Code::UNDELIVERABLE.0);
            self.became((number, target), failed, now, shared);
        }
    }

    /// The message that a stanza from `from` about `stanza_id` to `to` means, and
    /// which of its recipients speaks.
    fn find(&self, stanza_id: &str, from: &Jid, to: &Jid, shared: &Shared) -> Option<(u64, usize)> {
        let jid = bare(from);
        let key = (stanza_id.to_owned(), jid.clone());
        let number = *self.by_stanza.get(&key)?;
        let sent = self.sent.get(&number)?;
        // Only the sender's own JID may be told about the message.
        if shared.translator.address(to).ok()? != sent.sender {
            return None;
        }
        let target = sent.targets.iter().position(|target| target.jid == jid)?;
        Some((number, target))
    }

    /// Notes what became of a message for one of its recipients.
    fn became(
        &mut self,
        (number, target): (u64, usize),
        state: TargetState,
        now: Time,
        shared: &mut Shared,
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
            // Whoever answers has it: it need not go out again.
            shared.links.remove(target.out);
            self.put(number, shared);
        }
        self.check(number, now, shared);
    }

    /// Does what has become possible or due for a message.
    fn check(&mut self, number: u64, now: Time, shared: &mut Shared) {
        let Some(mut sent) = self.sent.remove(&number) else {
            return;
        };
        let before = sent.clone();
        sent.advance(now, shared);
        if sent.is_over() {
            for target in &sent.targets {
                let key = (sent.stanza_id.clone(), target.jid.clone());
                self.by_stanza.remove(&key);
            }
            self.bytes = self.bytes.saturating_sub(sent.bytes());
            shared.write(Write::delete(sent_key(number)));
            return;
        }
        if let Some(at) = sent.next_look(now, shared) {
            self.timers.by(at, number);
        }
        let changed = sent != before;
        self.sent.insert(number, sent);
        if changed {
            self.put(number, shared);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.check(number, now, shared);
        }
    }
}

/// Whether the recipient of a stanza lets the sender of a message write to them.
fn is_let_in(message: &Message, request: &SendMessageRequest, shared: &Shared) -> bool {
    let (to, sender) = (message.to.as_ref(), request.info.sender.as_ref());
    let (Some(to), Some(sender)) = (to, sender) else {
        return true;
    };
    shared.accounts.admits(&bare(to), sender)
}

/// Whether anything may pass to the domain that a message is for.
fn is_allowed(message: &Message, shared: &Shared) -> bool {
    let to = message.to.as_ref();
    to.is_none_or(|to| shared.gate.may_talk(to.domain().as_str()))
}
