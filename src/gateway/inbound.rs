//! An XMPP user's message on its way to SSP (xmpp-mapping, 4.2).

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Id, Message, MessageType};

use super::records::{Pair, Received, received_key};
use super::shares::{Most, domain_of};
use super::{Gateway, Timer, bare, verdict};
use crate::sap::{Act, Outcome, Time, Token};
use crate::ssp::common::Recipient;
use crate::ssp::presence::{Attribute, AttributeName};
use crate::ssp::primitive::Primitive;
use crate::ssp::{Code, Status};
use crate::store::Write;
use crate::translate::Context;
use crate::translate::message::{ToSsp, is_plain_id, refusal};
use crate::translate::stanza::{ns, payload};

/// Milliseconds within which the SSP side must take the message.
const TAKE_MILLIS: u64 = 120_000;

impl Gateway {
    pub(super) fn message_in(
        &mut self,
        component: &str,
        message: Message,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if self.receipt_in(&message, now, out) || message.type_ == MessageType::Error {
            return;
        }
        let (Some(from), Some(to)) = (message.from.clone(), message.to.clone()) else {
            return;
        };
        if payload(&message.payloads, "event", ns::PUBSUB_EVENT).is_some()
            && let Ok(wv) = self.translator.address(&to)
        {
            let pair = Pair {
                xmpp: bare(&from),
                wv,
            };
            self.event_of_xmpp(&pair, &message, now, out);
        }
        let message_id = self.message_id(&message, out);
        let language = self.language_of(&from, &to);
        let validity = self.settings.default_validity;
        let translated = self.translator.message_to_ssp(
            &message,
            &message_id,
            validity,
            language.as_deref(),
            self.skew.wall(now).0,
        );
        let outcome = match translated {
            Ok(ToSsp::Message(mut request)) => {
                if self.has_room_for(&message) {
                    self.restore_client(&mut request.info.recipients);
                    let until = request.info.validity.unwrap_or(validity);
                    let received = Received {
                        message_id: message_id.clone(),
                        stanza_id: message.id.as_ref().map(|id| id.0.clone()),
                        from: from.to_string(),
                        to: to.to_string(),
                        component: component.to_owned(),
                        report: request.delivery_report,
                        groupchat: message.type_ == MessageType::Groupchat,
                        answered: false,
                        until: now.plus_seconds(until.min(self.settings.max_validity)),
                    };
                    self.request_message(
                        received,
                        Primitive::SendMessageRequest(request),
                        now,
                        out,
                    );
                    return;
                }
                self.refuse(component, Stanza::Message(message), Code::QUEUE_FULL);
                Outcome::Refused(Code::QUEUE_FULL.0)
            }
            Ok(ToSsp::Nothing(kind)) => {
                *self.silent.entry(kind).or_default() += 1;
                Outcome::Untranslatable
            }
            Ok(ToSsp::Expired(is_told)) => {
                if is_told {
                    self.refuse(component, Stanza::Message(message), Code::EXPIRED);
                }
                Outcome::Expired
            }
            Ok(ToSsp::Refuse(error)) => {
                self.outbox.volatile(component, refusal(&message, *error));
                Outcome::Refused(Code::MEDIA_TYPE.0)
            }
            Err(error) => {
                let code = error.code();
                self.refuse(component, Stanza::Message(message), code);
                Outcome::Refused(code.0)
            }
        };
        // The SAP, which counts what is sent, never hears of this one.
        out.push(Act::Accepted);
        out.push(Act::Outcome {
            message: message_id,
            outcome,
        });
    }

    fn request_message(
        &mut self,
        received: Received,
        primitive: Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let number = self.numbers.next(out);
        out.push(Act::Write(Write::put_json(received_key(number), &received)));
        out.push(Act::Request {
            token: Token(number),
            primitive,
            expires: now.plus_millis(TAKE_MILLIS),
        });
        self.keep_received(number, received);
    }

    /// Whether one more message of this sender can be kept until it is answered.
    fn has_room_for(&self, message: &Message) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        let id = message.id.as_ref().map_or(0, |id| id.0.len());
        let bytes = from.as_str().len() + to.as_str().len() + id;
        let most = Most {
            items: self.settings.max_messages,
            bytes: self.settings.max_message_bytes,
        };
        let domain = from.domain().as_str();
        self.received_shares.have_room(domain, bytes, most)
    }

    pub(super) fn keep_received(&mut self, number: u64, received: Received) {
        let domain = domain_of(&received.from);
        self.received_shares.add(domain, received.bytes());
        self.timers.by(received.until, Timer::Received(number));
        self.received_by_id
            .insert(received.message_id.clone(), number);
        self.received.insert(number, received);
    }

    pub(super) fn drop_received(&mut self, number: u64) {
        let Some(received) = self.received.remove(&number) else {
            return;
        };
        let domain = domain_of(&received.from);
        self.received_shares.remove(domain, received.bytes());
        if self.received_by_id.get(&received.message_id) == Some(&number) {
            self.received_by_id.remove(&received.message_id);
            // The peer may keep the message, and the id with it.
            if self.used_ids.len() < self.settings.max_messages {
                self.timers.by(received.until, Timer::Forget);
                self.used_ids.insert(received.message_id, received.until);
            }
        }
    }

    pub(super) fn forget_received(&mut self, number: u64, now: Time, out: &mut Vec<Act>) {
        if self.received.get(&number).is_some_and(|r| r.until <= now) {
            self.drop_received(number);
            out.push(Act::Write(Write::delete(received_key(number))));
        }
    }

    /// The SSP side has taken the message, or not.
    pub(super) fn message_answered(
        &mut self,
        number: u64,
        answer: &Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(received) = self.received.get_mut(&number) else {
            return;
        };
        if received.answered {
            return;
        }
        received.answered = true;
        let received = received.clone();
        let code = verdict(answer);
        // The deployed server counts members of other domains as failures (E-3).
        let is_partial = status_of(answer).is_some_and(|status| status.code == Code::PARTIAL);
        let code = if received.groupchat && is_partial && code == Code::DOMAIN_NOT_SUPPORTED {
            Code::OK
        } else {
            code
        };
        let outcome = if code.is_success() {
            Outcome::Relayed
        } else {
            Outcome::Refused(code.0)
        };
        out.push(Act::Outcome {
            message: received.message_id.clone(),
            outcome,
        });
        if !code.is_success() {
            self.bounce(&received, code, answer, now, out);
        }
        if code.is_success() && received.report {
            out.push(Act::Write(Write::put_json(received_key(number), &received)));
        } else {
            self.drop_received(number);
            out.push(Act::Write(Write::delete(received_key(number))));
        }
    }

    fn bounce(
        &mut self,
        received: &Received,
        code: Code,
        answer: &Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let context = if received.groupchat {
            Context::Groupchat
        } else {
            Context::Message
        };
        let description = status_of(answer).and_then(|status| {
            let detail = status
                .details
                .first()
                .and_then(|d| d.description.as_deref());
            detail.or(status.description.as_deref())
        });
        let table = &self.translator.mappings.status;
        let Some(error) = table.error(code, context, description) else {
            return;
        };
        let mut message = Message::new_with_type(MessageType::Error, Jid::new(&received.from).ok());
        message.from = Jid::new(&received.to).ok();
        message.id = received.stanza_id.clone().map(Id);
        message.payloads.push(error.into());
        let component = received.component.clone();
        self.send(&component, message, now, out);
    }

    /// The stanza's id, unless it cannot be a message's or is in use (2.6): the
    /// deployed server loses the second message of an id.
    fn message_id(&mut self, message: &Message, out: &mut Vec<Act>) -> String {
        let is_used =
            |id: &String| self.received_by_id.contains_key(id) || self.used_ids.contains_key(id);
        match &message.id {
            Some(Id(id)) if is_plain_id(id) && !is_used(id) => id.clone(),
            _ => self.numbers.id(out),
        }
    }

    /// The language a WV user prefers, as far as their watcher knows.
    fn language_of(&self, watcher: &Jid, to: &Jid) -> Option<String> {
        let pair = Pair {
            xmpp: bare(watcher),
            wv: self.translator.address(to).ok()?,
        };
        let values = &self.watch_wv.get(&pair)?.values;
        let code = values
            .get(&AttributeName::PreferredLanguage)
            .and_then(Attribute::simple)?;
        let table = &self.translator.mappings.presence;
        Some(table.language_to_xmpp(code).to_owned())
    }

    /// A resource made of a client that cannot be one is that client again.
    fn restore_client(&self, recipients: &mut [Recipient]) {
        for recipient in recipients {
            if let Recipient::User(user) = recipient
                && let Some(client) = &mut user.client
                && let Some(url) = self.clients.get(&client.url)
            {
                client.url.clone_from(url);
            }
        }
    }
}

fn status_of(answer: &Primitive) -> Option<&Status> {
    match answer {
        Primitive::Status(status) => Some(status),
        Primitive::SendMessageResponse(response) => Some(&response.status),
        _ => None,
    }
}
