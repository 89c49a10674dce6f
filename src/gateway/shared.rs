//! What the rooms of the gateway share: settings and tables, the links, numbers, and the queue of
//! what is to be done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use minidom::Element;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::presence::{Presence, Type};
use xmpp_parsers::stanza_error::StanzaError;

use super::capabilities::Capabilities;
use super::dropped::Dropped;
use super::gate::{Gate, Place};
use super::kept::{Account, Accounts};
use super::links::{Links, Volatile};
use super::numbers::Numbers;
use super::preferences::Preferences;
use super::records::Pair;
use super::settings::GatewaySettings;
use crate::element::{Act, Outcome, RequestId, Skew, Time, Token};
use crate::imps::primitive::Primitive;
use crate::imps::{Address, Code, Status};
use crate::store::Write;
use crate::text::Seldom;
use crate::translate::message::refusal;
use crate::translate::stanza::{ends, parse, print};
use crate::translate::{Context, Translator};
use crate::xmpp::text::MAX_OUT;

/// How long a stanza that belongs to no message may wait for the link, seconds.
const NOTICE_VALIDITY: Duration = Duration::from_secs(86_400);

/// How long an answer may wait for the link, that is more than every server takes; our choice.
const ANSWER_VALIDITY: Duration = Duration::from_secs(60);

/// A question to XMPP.
#[derive(Debug)]
pub(super) enum Ask {
    /// Something is to be told.
    Get(Element),
    /// Something is to be done.
    Set(Element),
}

impl Ask {
    /// To tell something or, if `is_set`, to do something.
    pub(super) fn new(payload: Element, is_set: bool) -> Self {
        if is_set {
            Self::Set(payload)
        } else {
            Self::Get(payload)
        }
    }
}

/// Handed to a room with each input.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: GatewaySettings,
    pub(super) translator: Arc<Translator>,
    pub(super) links: Links,
    pub(super) gate: Gate,
    pub(super) skew: Skew,
    pub(super) seldom: Seldom,
    pub(super) dropped: Dropped,
    pub(super) capabilities: Capabilities,
    pub(super) preferences: Preferences,
    pub(super) accounts: Accounts,
    /// When the first input came.
    began: Option<Time>,
    numbers: Numbers,
    acts: VecDeque<Act>,
}

impl Shared {
    /// `seed` makes ids differ from those of other nodes.
    pub(super) fn new(settings: GatewaySettings, translator: Arc<Translator>, seed: u64) -> Self {
        let mut links = Links::new(&translator.components, MAX_OUT);
        for (component, bytes) in &settings.max_stanza {
            links.limit(component, *bytes);
        }
        let own = translator.own_ssp_domain();
        Self {
            gate: Gate::new(settings.policies.clone()),
            settings,
            translator,
            links,
            skew: Skew::default(),
            seldom: Seldom::default(),
            dropped: Dropped::default(),
            capabilities: Capabilities::default(),
            preferences: Preferences::new(own.clone()),
            accounts: Accounts::new(own),
            began: None,
            numbers: Numbers::new(seed),
            acts: VecDeque::new(),
        }
    }

    /// Whether users of a domain may see SSP users who were not asked.
    pub(super) fn grants(&self, domain: &str) -> bool {
        self.gate.grants(domain, self.settings.auto_subscribed)
    }

    /// Takes back the record of the numbers reserved.
    pub(super) fn restore_numbers(&mut self, value: &[u8]) -> Result<(), String> {
        self.numbers.restore(value)
    }

    /// Says what time it is.
    pub(super) fn at(&mut self, now: Time) {
        self.began.get_or_insert(now);
        self.links.at(now, self.skew.wall(now).0);
    }

    /// Seconds since the first input.
    pub(super) fn uptime(&self, now: Time) -> u64 {
        self.began.map_or(0, |began| now.since(began) / 1000)
    }

    /// A number that is never given again.
    pub(super) fn number(&mut self) -> u64 {
        let number = self.numbers.next();
        self.acts.extend(self.numbers.next_write().map(Act::Write));
        number
    }

    /// An id for a stanza or message, which nobody can guess.
    pub(super) fn id(&mut self) -> String {
        let id = self.numbers.id();
        self.acts.extend(self.numbers.next_write().map(Act::Write));
        id
    }

    pub(super) fn act(&mut self, act: Act) {
        self.acts.push_back(act);
    }

    pub(super) fn write(&mut self, write: Write) {
        self.acts.push_back(Act::Write(write));
    }

    pub(super) fn respond(&mut self, to: RequestId, primitive: impl Into<Primitive>) {
        let primitive = primitive.into();
        self.acts.push_back(Act::Respond { to, primitive });
    }

    pub(super) fn respond_code(&mut self, to: RequestId, code: Code) {
        self.respond(to, Status::new(code));
    }

    /// Keeps what is kept for an XMPP user; whether there is room for it.
    pub(super) fn keep_account(&mut self, jid: &str, account: Account) -> bool {
        let write = self.accounts.set(jid, account);
        let is_kept = write.is_some();
        self.acts.extend(write.map(Act::Write));
        is_kept
    }

    /// A copy of a message has come to its end.
    pub(super) fn outcome(&mut self, message: &str, outcome: Outcome) {
        let message = message.to_owned();
        self.acts.push_back(Act::Outcome { message, outcome });
    }

    pub(super) fn request(&mut self, token: u64, primitive: Primitive, expires: Time) {
        self.acts.push_back(Act::Request {
            token: Token(token),
            primitive,
            expires,
        });
    }

    /// A request that does not say itself where it goes, to the domain of `to`.
    pub(super) fn request_at(
        &mut self,
        token: u64,
        to: Address,
        primitive: impl Into<Primitive>,
        expires: Time,
    ) {
        self.acts.push_back(Act::RequestAt {
            token: Token(token),
            to,
            primitive: primitive.into(),
            expires,
        });
    }

    /// Sends a notice to the SSP side.
    pub(super) fn tell(&mut self, primitive: impl Into<Primitive>, now: Time) {
        let token = self.number();
        let expires = now.plus(NOTICE_VALIDITY);
        self.request(token, primitive.into(), expires);
    }

    /// Sends a stanza that must arrive; whether it may go out and there was room for it. Who has nobody
    /// to tell that need not ask: it is counted.
    pub(super) fn send(&mut self, component: &str, stanza: impl Into<Stanza>, now: Time) -> bool {
        let Some(stanza) = self.let_out(stanza.into()) else {
            return false;
        };
        // Twice the bound of messages, so that answers still find room when
        // messages are refused.
        let settings = &self.settings;
        let is_full = self.links.len() >= settings.max_queue.saturating_mul(2)
            || self.links.bytes() >= settings.max_queue_bytes.saturating_mul(2);
        if is_full {
            self.dropped
                .count("stanzas beyond what may wait for the link");
            if let Some(more) = self.seldom.may("full", now.0) {
                tracing::warn!(
                    component,
                    more,
                    "a stanza was dropped: too many wait for the link"
                );
            }
            return false;
        }
        let number = self.number();
        let until = now.plus(NOTICE_VALIDITY);
        self.links.durable(number, component, stanza, None, until);
        true
    }

    /// What goes to the domain that a stanza is for: the stanza, or if it may not, an error in place
    /// of an answer, and nothing in place of anything else. What may not go is counted.
    fn let_out(&mut self, stanza: Stanza) -> Option<Stanza> {
        let Err(kind) = self.passes(&stanza) else {
            return Some(stanza);
        };
        self.dropped.count(kind);
        self.error_for(stanza, Code::FORBIDDEN).map(Into::into)
    }

    /// The error in place of an answer; none in place of anything else.
    fn error_for(&self, stanza: Stanza, code: Code) -> Option<Iq> {
        let Stanza::Iq(Iq::Result { from, to, id, .. }) = stanza else {
            return None;
        };
        let table = &self.translator.mappings.status;
        Some(Iq::Error {
            error: table.error(code, Context::Other, None)?,
            from,
            to,
            id,
            payload: None,
        })
    }

    /// Whether a stanza may go to the domain that it is for.
    ///
    /// # Errors
    /// It may not; the kind as which it is counted.
    pub(super) fn passes(&self, stanza: &Stanza) -> Result<(), &'static str> {
        let (from, Some(to)) = ends(stanza) else {
            return Ok(());
        };
        let place = Place::of((from.unwrap_or(to), to), &self.translator);
        self.gate.let_out(stanza, to.domain().as_str(), place)
    }

    /// What waits for a domain to which it may not go any more does not go out.
    pub(super) fn give_up_denied(&mut self) {
        let waiting = self.links.waiting().filter_map(|(number, text)| {
            // What cannot be read is found out by the link.
            let denied = parse(text).is_ok_and(|stanza| self.passes(&stanza).is_err());
            denied.then_some(number)
        });
        for number in waiting.collect::<Vec<u64>>() {
            self.links
                .give_up(number, "nothing may go to its domain any more");
        }
    }

    /// Hands out a stanza that is worth nothing later. What has more bytes than every server takes is
    /// kept until the server has it, for a while: a link that it ends is not ended by it for ever.
    pub(super) fn hand(&mut self, component: &str, stanza: impl Into<Stanza>) {
        if let Err(stanza) = self.release(component, stanza.into()) {
            self.dropped.count(too_large(&stanza));
        }
    }

    /// The same; says whether it has gone, else it is counted.
    ///
    /// # Errors
    /// It has more bytes than every server takes, and there is no room for it. It is not counted.
    fn release(&mut self, component: &str, stanza: Stanza) -> Result<bool, Box<Stanza>> {
        let Some(stanza) = self.let_out(stanza) else {
            return Ok(false);
        };
        match self.links.volatile(component, stanza) {
            Volatile::Out => Ok(true),
            Volatile::Lost => Ok(false),
            Volatile::Large(stanza) => {
                if !self.has_room_for(component, print(&stanza).len()) {
                    return Err(stanza);
                }
                let number = self.number();
                self.links.kept(number, component, *stanza, ANSWER_VALIDITY);
                Ok(true)
            }
        }
    }

    /// Whether a stanza of so many bytes, more than every server takes, may go out: half of the room
    /// is left to messages.
    fn has_room_for(&self, component: &str, bytes: usize) -> bool {
        let settings = &self.settings;
        self.links.len() < settings.max_queue / 2
            && self.links.bytes().saturating_add(bytes) <= settings.max_queue_bytes / 2
            && bytes <= self.links.most(component)
    }

    /// Asks XMPP something; the id of the question, which nobody can guess. `None`: it has not gone,
    /// and no answer will come.
    pub(super) fn ask(
        &mut self,
        component: &str,
        (from, to): (Jid, Jid),
        question: Ask,
    ) -> Option<String> {
        let id = self.id();
        let (from, to) = (Some(from), Some(to));
        let iq = match question {
            Ask::Get(payload) => Iq::Get {
                from,
                to,
                id: id.clone(),
                payload,
            },
            Ask::Set(payload) => Iq::Set {
                from,
                to,
                id: id.clone(),
                payload,
            },
        };
        match self.release(component, iq.into()) {
            Ok(has_gone) => has_gone.then_some(id),
            Err(iq) => {
                self.dropped.count(too_large(&iq));
                None
            }
        }
    }

    /// Answers a question. What has more bytes than every server takes is kept until the server has it,
    /// for a while, and refused where much waits already.
    pub(super) fn answer(&mut self, component: &str, answer: Iq) {
        let Err(stanza) = self.release(component, answer.into()) else {
            return;
        };
        if let Some(refusal) = self.error_for(*stanza, Code::QUEUE_FULL) {
            self.hand(component, refusal);
        }
    }

    /// Sends presence without content from a WV user to an XMPP one.
    pub(super) fn send_presence(&mut self, kind: Type, pair: &Pair, now: Time) {
        let Some(component) = self.component_of(pair) else {
            return;
        };
        if let Some(presence) = self.presence_of(pair, kind) {
            self.send(&component, presence, now);
        }
    }

    /// Presence from the bare JID of a WV user to an XMPP one.
    pub(super) fn presence_of(&self, pair: &Pair, kind: Type) -> Option<Presence> {
        let from = Jid::from(self.translator.jid(&pair.wv).ok()?);
        let to = Jid::new(&pair.xmpp).ok()?;
        Some(Presence::new(kind).with_from(from).with_to(to))
    }

    /// The component through which the WV user of a pair speaks.
    pub(super) fn component_of(&self, pair: &Pair) -> Option<String> {
        self.translator.component_of(&pair.wv).map(str::to_owned)
    }

    /// Answers a stanza with an error, unless it is an answer itself.
    pub(super) fn refuse(&mut self, component: &str, stanza: impl Into<Stanza>, code: Code) {
        let stanza = stanza.into();
        let context = match stanza {
            Stanza::Message(_) => Context::Message,
            Stanza::Presence(_) => Context::Presence,
            Stanza::Iq(_) => Context::Other,
        };
        let Some(error) = self.translator.mappings.status.error(code, context, None) else {
            return;
        };
        match stanza {
            Stanza::Message(message) if message.type_ != MessageType::Error => {
                self.hand(component, refusal(&message, error));
            }
            Stanza::Presence(presence) if presence.type_ != Type::Error => {
                let mut refusal = Presence::error();
                refusal.from = presence.to;
                refusal.to = presence.from;
                refusal.id = presence.id;
                refusal.payloads.push(error.into());
                self.hand(component, refusal);
            }
            Stanza::Iq(iq) => self.refuse_iq(component, iq, error),
            _ => {}
        }
    }

    /// Answers a question with an error.
    pub(super) fn refuse_iq(&mut self, component: &str, iq: Iq, error: StanzaError) {
        if let Iq::Get { from, to, id, .. } | Iq::Set { from, to, id, .. } = iq {
            let refusal = Iq::Error {
                from: to,
                to: from,
                id,
                payload: None,
                error,
            };
            self.hand(component, refusal);
        }
    }

    /// Refuses a question under this id, of `asker` to `asked`.
    pub(super) fn refuse_question(
        &mut self,
        component: &str,
        (asker, asked, id): (Jid, Jid, String),
        code: Code,
        context: Context,
    ) {
        let table = &self.translator.mappings.status;
        if let Some(error) = table.error(code, context, None) {
            let refusal = Iq::Error {
                from: Some(asked),
                to: Some(asker),
                id,
                payload: None,
                error,
            };
            self.hand(component, refusal);
        }
    }

    /// What is to be done next, in order: stanzas come last.
    pub(super) fn next_act(&mut self) -> Option<Act> {
        let act = self.acts.pop_front();
        let act = act.or_else(|| self.links.next_write().map(Act::Write));
        act.or_else(|| Some(Act::Stanza(Box::new(self.links.next_stanza()?))))
    }
}

/// The kind as which a stanza is counted that has too many bytes.
fn too_large(stanza: &Stanza) -> &'static str {
    match stanza {
        Stanza::Message(_) => "messages of the gateway that are too large",
        Stanza::Presence(_) => "presence that is too large",
        Stanza::Iq(_) => "questions that are too large",
    }
}

/// The verdict of an answer: that of its `Status`, or of the only detail.
pub(super) fn verdict(answer: &Primitive) -> Code {
    match answer {
        // Quirk B-4.
        Primitive::GetPresenceResponse(response) if response.status.is_none() => Code::OK,
        _ => answer.verdict().map_or(Code::INTERNAL, Status::effective),
    }
}
