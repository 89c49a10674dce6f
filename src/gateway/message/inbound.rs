//! XMPP users' messages on their way to SSP, until they are answered and reported (xmpp-mapping,
//! 4.2 and 4.3).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Id, Message, MessageType};

use super::super::records::{number_of, read, received_key};
use super::super::shared::{Shared, verdict};
use super::super::shares::{Most, Shares, domain_of};
use super::super::timers::Timers;
use crate::element::{Outcome, Time};
use crate::imps::Code;
use crate::imps::common::Recipient;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::message::{DeliveryStatusReport, SendMessageRequest};
use crate::store::Write;
use crate::text::Shown;
use crate::translate::message::is_plain_id;
use crate::translate::receipt::to_xmpp;
use crate::translate::stanza::{parse, print};
use crate::translate::{Context, Translator};

/// For so long the SSP side may take to take the message over.
const TAKE: Duration = Duration::from_secs(120);

/// A message from XMPP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    /// The id of the message in SSP.
    message_id: String,
    /// Its id in XMPP, if it had one.
    stanza_id: Option<String>,
    /// The full JID of the sender.
    from: String,
    to: String,
    component: String,
    /// Whether a report is awaited.
    report: bool,
    groupchat: bool,
    answered: bool,
    until: Time,
    /// The stanza as it came, if it goes with what is at its link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stanza: Option<String>,
}

impl Received {
    /// What it takes, roughly.
    fn bytes(&self) -> usize {
        let id = self.stanza_id.as_ref().map_or(0, String::len);
        let stanza = self.stanza.as_ref().map_or(0, String::len);
        self.from.len() + self.to.len() + id + stanza
    }

    /// How the SSP side took it.
    fn code(&self, answer: &Primitive) -> Code {
        let code = verdict(answer);
        // The deployed server counts members of other domains as failures (E-3).
        let is_partial = answer
            .verdict()
            .is_some_and(|status| status.code == Code::PARTIAL);
        if self.groupchat && is_partial && code == Code::DOMAIN_NOT_SUPPORTED {
            Code::OK
        } else {
            code
        }
    }

    /// The error stanza for a failure, if there is one.
    fn bounce(&self, code: Code, answer: &Primitive, translator: &Translator) -> Option<Message> {
        let context = if self.groupchat {
            Context::Groupchat
        } else {
            Context::Message
        };
        let description = answer.verdict().and_then(|status| {
            let detail = status
                .details
                .first()
                .and_then(|d| d.description.as_deref());
            detail.or(status.description.as_deref())
        });
        let table = &translator.mappings.status;
        let error = table.error(code, context, description)?;
        let mut message = Message::new_with_type(MessageType::Error, Jid::new(&self.from).ok());
        message.from = Jid::new(&self.to).ok();
        message.id = self.stanza_id.clone().map(Id);
        message.payloads.push(error.into());
        Some(message)
    }

    /// Whether the report is by the one whom the message was for.
    fn may_be_reported_by(&self, report: &DeliveryStatusReport, translator: &Translator) -> bool {
        let Ok(to) = Jid::new(&self.to) else {
            return true;
        };
        // Occupants of rooms have other addresses.
        if translator.is_room(&to) {
            return true;
        }
        let sender = report.info.sender.as_ref();
        let reporter = sender.and_then(|sender| sender.user.as_ref());
        let reporter = reporter.or_else(|| report.meta.as_ref()?.user());
        reporter.is_none_or(|reporter| {
            let jid = translator.jid(&reporter.user);
            jid.is_ok_and(|jid| jid == to.to_bare())
        })
    }
}

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A message whose validity is over.
    Message(u64),
    /// An id that is free again.
    Ids,
}

/// Messages from XMPP that wait for their answer or report.
#[derive(Debug)]
pub(super) struct Inbound {
    /// By the token of their request.
    received: BTreeMap<u64, Received>,
    /// The same by message id.
    by_id: BTreeMap<String, u64>,
    shares: Shares,
    /// Ids of messages that may still wait in the queue of a peer, until when.
    used_ids: BTreeMap<String, Time>,
    timers: Timers<Due>,
}

impl Inbound {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            received: BTreeMap::new(),
            by_id: BTreeMap::new(),
            shares: Shares::new(own),
            used_ids: BTreeMap::new(),
            timers: Timers::default(),
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let number = number_of(rest)?;
        self.keep(number, read(value)?);
        Ok(())
    }

    /// How many ids may not be used yet.
    #[cfg(test)]
    pub(super) fn used_ids(&self) -> usize {
        self.used_ids.len()
    }

    /// Sends the message that the stanza became. The caller knows that there is room.
    pub(super) fn send(
        &mut self,
        component: &str,
        (stanza, has_file): (&Message, bool),
        request: Box<SendMessageRequest>,
        now: Time,
        shared: &mut Shared,
    ) {
        let settings = &shared.settings;
        let validity = request.info.validity;
        let validity = validity.map_or(settings.default_validity, Duration::from_secs);
        let jid = |jid: &Option<Jid>| jid.as_ref().map(Jid::to_string).unwrap_or_default();
        let received = Received {
            message_id: request.info.message_id.clone().unwrap_or_default(),
            stanza_id: stanza.id.as_ref().map(|id| id.0.clone()),
            from: jid(&stanza.from),
            to: jid(&stanza.to),
            component: component.to_owned(),
            report: request.delivery_report,
            groupchat: stanza.type_ == MessageType::Groupchat,
            answered: false,
            until: now.plus(validity.min(settings.max_validity)),
            stanza: has_file.then(|| print(&Stanza::Message(stanza.clone()))),
        };
        let number = shared.number();
        shared.write(Write::put_json(received_key(number), &received).as_new());
        let expires = now.plus(TAKE);
        shared.request(number, Primitive::SendMessageRequest(request), expires);
        self.keep(number, received);
    }

    /// Whether one more message of this sender can be kept until it is answered.
    pub(super) fn has_room_for(&self, message: &Message, shared: &Shared) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        let id = message.id.as_ref().map_or(0, |id| id.0.len());
        let bytes = from.as_str().len() + to.as_str().len() + id;
        let most = Most {
            items: shared.settings.max_messages,
            bytes: shared.settings.max_message_bytes,
        };
        self.shares.have_room(from.domain().as_str(), bytes, most)
    }

    /// The stanza's id, unless it cannot be a message's or is in use (2.6): the
    /// deployed server loses the second message of an id.
    pub(super) fn message_id(&self, message: &Message, shared: &mut Shared) -> String {
        let is_used = |id: &String| self.by_id.contains_key(id) || self.used_ids.contains_key(id);
        match &message.id {
            Some(Id(id)) if is_plain_id(id) && !is_used(id) => id.clone(),
            _ => shared.id(),
        }
    }

    fn keep(&mut self, number: u64, received: Received) {
        let domain = domain_of(&received.from);
        self.shares.add(domain, received.bytes());
        self.timers.by(received.until, Due::Message(number));
        self.by_id.insert(received.message_id.clone(), number);
        self.received.insert(number, received);
    }

    fn forget(&mut self, number: u64, shared: &mut Shared) {
        let Some(received) = self.received.remove(&number) else {
            return;
        };
        shared.write(Write::delete(received_key(number)));
        let domain = domain_of(&received.from);
        self.shares.remove(domain, received.bytes());
        if self.by_id.get(&received.message_id) == Some(&number) {
            self.by_id.remove(&received.message_id);
            // The peer may keep the message, and the id with it.
            if self.used_ids.len() < shared.settings.max_messages {
                self.timers.by(received.until, Due::Ids);
                self.used_ids.insert(received.message_id, received.until);
            }
        }
    }

    /// Whether the token is of one of these messages.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.received.contains_key(&token)
    }

    /// The SSP side has taken the message, or not. Gives it back as it came if only what was at its
    /// link is not taken.
    pub(super) fn answered(
        &mut self,
        number: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) -> Option<(String, Message)> {
        let received = self.received.get_mut(&number).filter(|r| !r.answered)?;
        received.answered = true;
        let code = received.code(answer);
        let stanza = received.stanza.take();
        if !code.is_success()
            && let Some(Ok(Stanza::Message(message))) = stanza.as_deref().map(parse)
        {
            let component = received.component.clone();
            shared.outcome(&received.message_id, Outcome::Refused(code.0));
            self.forget(number, shared);
            return Some((component, message));
        }
        let outcome = if code.is_success() {
            Outcome::Relayed
        } else {
            Outcome::Refused(code.0)
        };
        shared.outcome(&received.message_id, outcome);
        if !code.is_success()
            && let Some(message) = received.bounce(code, answer, &shared.translator)
        {
            shared.send(&received.component, message, now);
        }
        if code.is_success() && received.report {
            shared.write(Write::put_json(received_key(number), received));
        } else {
            self.forget(number, shared);
        }
        None
    }

    /// A report about a message from XMPP.
    pub(super) fn reported(
        &mut self,
        report: &DeliveryStatusReport,
        now: Time,
        shared: &mut Shared,
    ) {
        let message_id = report.info.message_id.as_deref().unwrap_or_default();
        let number = self.by_id.get(message_id).copied();
        let received = number.and_then(|number| self.received.get(&number));
        if received.is_some_and(|r| !r.may_be_reported_by(report, &shared.translator)) {
            tracing::debug!(
                message_id = %Shown(message_id),
                "a delivery report by somebody else than the recipient was dropped"
            );
            return;
        }
        let (id, to) = match received {
            Some(received) => (received.stanza_id.clone(), Jid::new(&received.from).ok()),
            None => (
                is_plain_id(message_id).then(|| message_id.to_owned()),
                recipient_of(report, &shared.translator),
            ),
        };
        // Without an id there is nothing a receipt could name.
        let (Some(id), Some(to)) = (id, to) else {
            tracing::debug!(message_id = %Shown(message_id), "a delivery report about an unknown message");
            return;
        };
        let reporter = report.info.sender.as_ref().and_then(|s| s.user.as_ref());
        let reporter = reporter.or_else(|| report.meta.as_ref()?.user());
        let component = reporter.and_then(|user| shared.translator.component_of(&user.user));
        let Some(component) = component.map(str::to_owned) else {
            return;
        };
        match to_xmpp(&shared.translator, report, &id, &to) {
            Ok(Some(mut stanza)) => {
                if stanza.id.is_none() {
                    stanza.id = Some(Id(shared.id()));
                }
                shared.send(&component, stanza, now);
            }
            // Forwarded: the final report is still to come.
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "a delivery report without reporter"),
        }
        let Some(number) = number else { return };
        match self.received.get_mut(&number) {
            // The answer is still to come; after it there is nothing to wait for.
            Some(received) if !received.answered => received.report = false,
            Some(_) => self.forget(number, shared),
            None => {}
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Message(number) => {
                    if self.received.get(&number).is_some_and(|r| r.until <= now) {
                        self.forget(number, shared);
                    }
                }
                Due::Ids => {
                    self.used_ids.retain(|_, until| *until > now);
                    if let Some(next) = self.used_ids.values().min() {
                        self.timers.by(*next, Due::Ids);
                    }
                }
            }
        }
    }
}

/// The XMPP user a report is for.
fn recipient_of(report: &DeliveryStatusReport, translator: &Translator) -> Option<Jid> {
    let mut recipients = report.info.recipients.iter();
    recipients.find_map(|recipient| match recipient {
        Recipient::User(user) if translator.is_xmpp(&user.user) => translator.jid_of(user).ok(),
        _ => None,
    })
}
