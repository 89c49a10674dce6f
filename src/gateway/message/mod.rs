//! Messages, in both directions, with their receipts and reports (xmpp-mapping, 4).

mod clients;
mod hints;
mod inbound;
mod outbound;
mod refusal;
mod sent;

use xmpp_parsers::message::{Message, MessageType};

use super::fate::Fate;
use super::files::Words;
use super::shared::Shared;
use crate::element::{Act, Outcome, Time};
use crate::imps::Code;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::message::DeliveryStatusReport;
use crate::translate::message::{ToSsp, refusal, to_ssp};
use crate::translate::words::is_encrypted;
use clients::Clients;
use hints::Hints;
#[cfg(test)]
pub(super) use hints::MAX_HINTED;
use inbound::Inbound;
pub(super) use outbound::Order;
use outbound::Outbound;
pub(super) use refusal::fail;

/// Messages under way between both sides.
#[derive(Debug)]
pub(super) struct Messages {
    outbound: Outbound,
    inbound: Inbound,
    clients: Clients,
    hints: Hints,
}

impl Messages {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            outbound: Outbound::default(),
            inbound: Inbound::new(own),
            clients: Clients::default(),
            hints: Hints::default(),
        }
    }

    /// Takes back a message to XMPP. The stanzas that wait must be back.
    pub(super) fn restore_sent(
        &mut self,
        rest: &str,
        value: &[u8],
        shared: &Shared,
    ) -> Result<(), String> {
        self.outbound.restore(rest, value, shared)
    }

    /// Takes back a message from XMPP.
    pub(super) fn restore_received(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.inbound.restore(rest, value)
    }

    /// Copies of messages to XMPP that have not ended yet.
    pub(super) fn open(&self) -> u64 {
        self.outbound.open()
    }

    /// Bytes of messages to XMPP, and ids of messages from there that may not be used yet.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.outbound.bytes(), self.inbound.used_ids())
    }

    /// Conversations in which it was said that nobody can read encrypted messages.
    #[cfg(test)]
    pub(super) fn hinted(&self) -> usize {
        self.hints.len()
    }

    /// A WV user's message, or one of a group.
    pub(super) fn deliver(&mut self, order: Order<'_>, now: Time, shared: &mut Shared) {
        let request = order.request;
        if self.outbound.deliver(order, now, shared) {
            let most = shared.settings.max_messages;
            self.clients.note(request, &shared.translator, most);
        }
    }

    /// A report about a message from XMPP.
    pub(super) fn reported(
        &mut self,
        report: &DeliveryStatusReport,
        now: Time,
        shared: &mut Shared,
    ) {
        self.inbound.reported(report, now, shared);
    }

    /// Whether the token is of a message from XMPP.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.inbound.asked(token)
    }

    /// The SSP side has taken a message from XMPP, or not. If it does not take what was at the link of
    /// one, that goes again as it came.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) -> Option<(String, Message)> {
        self.inbound.answered(token, answer, now, shared)
    }

    /// A message stanza of an XMPP user that may be a receipt or error; whether it was that and no
    /// more.
    pub(super) fn heard(&mut self, message: &Message, now: Time, shared: &mut Shared) -> bool {
        self.outbound.heard(message, now, shared) || message.type_ == MessageType::Error
    }

    /// An XMPP user's message, perhaps with what is at its link.
    pub(super) fn stanza(&mut self, words: Words, now: Time, shared: &mut Shared) {
        let Words {
            component,
            message,
            language,
            file,
        } = words;
        let component = component.as_str();
        let message_id = self.inbound.message_id(&message, shared);
        let translated = to_ssp(
            &shared.translator,
            &message,
            &message_id,
            shared.settings.default_validity.as_secs(),
            language.as_deref(),
            shared.skew.wall(now).0,
        );
        let outcome = match translated {
            Ok(ToSsp::Message(mut request)) => {
                if is_encrypted(&message) {
                    self.hints.tell(component, &message, now, shared);
                }
                if self.inbound.has_room_for(&message, shared) {
                    self.clients.restore(&mut request.info.recipients);
                    let has_file = file.is_some();
                    if let Some(file) = file {
                        file.put_into(&mut request);
                    }
                    let came = (&message, has_file);
                    self.inbound.send(component, came, request, now, shared);
                    return;
                }
                shared.refuse(component, message, Code::QUEUE_FULL);
                Outcome::Refused(Code::QUEUE_FULL.0)
            }
            Ok(ToSsp::Nothing(kind)) => {
                shared.dropped.count(kind);
                Outcome::Untranslatable
            }
            Ok(ToSsp::Expired(is_told)) => {
                if is_told {
                    shared.refuse(component, message, Code::EXPIRED);
                }
                Outcome::Expired
            }
            Ok(ToSsp::Refuse(error)) => {
                shared.hand(component, refusal(&message, *error));
                if is_encrypted(&message) {
                    self.hints.tell(component, &message, now, shared);
                }
                Outcome::Refused(Code::MEDIA_TYPE.0)
            }
            Err(error) => {
                let code = error.code();
                shared.refuse(component, message, code);
                Outcome::Refused(code.0)
            }
        };
        // The SAP, which counts what is sent, never hears of this one.
        shared.act(Act::Accepted);
        shared.outcome(&message_id, outcome);
    }

    /// A message of ours has not reached the server's users.
    pub(super) fn came_back(
        &mut self,
        message: &Message,
        code: Code,
        now: Time,
        shared: &mut Shared,
    ) {
        self.outbound.came_back(message, code, now, shared);
    }

    /// What became of a stanza at its link.
    pub(super) fn settle(&mut self, fate: &Fate, now: Time, shared: &mut Shared) {
        self.outbound.settle(fate, now, shared);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [self.outbound.next_timeout(), self.inbound.next_timeout()];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        self.outbound.timeout(now, shared);
        self.inbound.timeout(now, shared);
    }
}
