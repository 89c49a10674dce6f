//! The XMPP network as a service element: what must be remembered between a
//! primitive and its stanzas.
//!
//! ```text
//!            deliver, answer              stanza, confirmed
//!   SAP  ───────────────────▶ ┌─────────┐ ◀──────────────────  component links
//!        ◀─────────────────── │ Gateway │ ──────────────────▶
//!            Act              └─────────┘  take_stanzas
//! ```
//!
//! Pure: values and a `now` in, [`Act`]s and stanzas out. What it accepted it
//! writes down before anybody is told (see `records`); the joint commits the
//! acts of an input before it takes the stanzas of the same input.
//!
//! | file | what |
//! |---|---|
//! | `element` | what the SAP sees of it |
//! | `message` | a WV user's message on its way to XMPP |
//! | `inbound` | an XMPP user's message on its way to SSP |
//! | `receipt` | delivery reports and receipts |
//! | `watch_wv` | XMPP users who watch WV users (xmpp-mapping, 3.1) |
//! | `watch_xmpp` | WV users who watch XMPP users (3.2) |
//! | `show` | what those are shown |
//! | `query` | questions that XMPP has to answer: presence, ids |
//! | `iq` | questions of XMPP that the gateway answers itself |
//! | `outbox` | stanzas until the server has them |
//! | `trouble` | stanzas that the link cannot take, or should not have brought |

mod element;
mod ids;
mod inbound;
mod iq;
mod message;
mod outbox;
mod query;
mod receipt;
mod records;
mod settings;
mod shares;
mod show;
mod trouble;
mod watch_wv;
mod watch_xmpp;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::presence::{Presence, Type};

pub use element::{ELEMENT, SERVES};
pub use outbox::OutStanza;
pub use settings::GatewaySettings;

use crate::sap::{Act, RequestId, Skew, Time, Token};
use crate::ssp::primitive::Primitive;
use crate::ssp::{Code, Status};
use crate::text::Seldom;
use crate::translate::stanza::ends;
use crate::translate::{Context, Translator};
use crate::xmpp::text::MAX_OUT;
use ids::{Numbers, Timers};
use outbox::Outbox;
use query::Queries;
use records::{Pair, Received, Sent};
use shares::Shares;
use watch_wv::WatchWv;
use watch_xmpp::WatchXmpp;

/// How long a stanza that belongs to no message may wait for the link, seconds.
const NOTICE_VALIDITY: u64 = 86_400;

/// The longest id of a stanza, bytes; our choice: it is kept, and goes back with the answer.
pub const MAX_ID: usize = 1024;

/// How long a request of the gateway's own may take, milliseconds.
const REQUEST_MILLIS: u64 = 60_000;

/// The XMPP network behind one or more components.
#[derive(Debug)]
pub struct Gateway {
    settings: GatewaySettings,
    translator: Arc<Translator>,
    /// What is to be done, not yet taken by the joint.
    acts: VecDeque<Act>,
    numbers: Numbers,
    timers: Timers<Timer>,
    outbox: Outbox,
    /// Messages to XMPP, by their number.
    sent: BTreeMap<u64, Sent>,
    /// Bytes of them.
    sent_bytes: usize,
    /// The same by stanza id and recipient's bare JID.
    sent_by_stanza: BTreeMap<(String, String), u64>,
    /// Messages from XMPP, by the token of their request.
    received: BTreeMap<u64, Received>,
    /// The same by message id.
    received_by_id: BTreeMap<String, u64>,
    received_shares: Shares,
    /// Ids of messages that may still wait in the queue of a peer, until when.
    used_ids: BTreeMap<String, Time>,
    /// Requests about presence, by their token.
    asked: BTreeMap<u64, Asked>,
    watch_wv: BTreeMap<Pair, WatchWv>,
    watch_wv_shares: Shares,
    /// Bytes of what their watchers are shown.
    shown_bytes: usize,
    watch_xmpp: BTreeMap<Pair, WatchXmpp>,
    /// Bytes of what is seen of them.
    seen_bytes: usize,
    /// Bare JIDs that turned out to be nobody, until when.
    nobody: BTreeMap<String, Time>,
    /// Resources made of clients that cannot be one, with the client.
    clients: BTreeMap<String, String>,
    queries: Queries,
    /// Peer domains without a session, since when.
    lost_peers: BTreeMap<String, Time>,
    /// Components without a link, since when.
    lost_links: BTreeMap<String, Time>,
    /// Domains whose watchers were told of a lost link or peer.
    told: BTreeSet<String>,
    skew: Skew,
    /// What came in that was no person's words, by kind.
    silent: BTreeMap<&'static str, u64>,
    seldom: Seldom,
}

/// What a request of the gateway was for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// The subscription of an XMPP user.
    Subscribe(Pair),
    /// The presence of a WV user for one who has, or has no, subscription.
    Presence(Pair, String),
    /// Nothing depends on the answer.
    Nothing,
}

/// What to look after at a certain time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Sent(u64),
    Received(u64),
    WatchWv(Pair),
    WatchXmpp(Pair),
    Query(u64),
    Peer(String),
    Link(String),
    Outbox,
    Forget,
}

impl Gateway {
    /// A gateway without any links yet. `seed` makes its ids differ from those of
    /// other nodes.
    pub fn new(settings: GatewaySettings, translator: Arc<Translator>, seed: u64) -> Self {
        let mut outbox = Outbox::new(&translator.components, MAX_OUT);
        for (component, bytes) in &settings.max_stanza {
            outbox.limit(component, *bytes, &mut Vec::new());
        }
        let own = translator.own_ssp_domain();
        Self {
            settings,
            translator,
            acts: VecDeque::new(),
            numbers: Numbers::new(seed),
            timers: Timers::new(),
            outbox,
            sent: BTreeMap::new(),
            sent_bytes: 0,
            sent_by_stanza: BTreeMap::new(),
            received: BTreeMap::new(),
            received_by_id: BTreeMap::new(),
            received_shares: Shares::new(own.clone()),
            used_ids: BTreeMap::new(),
            asked: BTreeMap::new(),
            watch_wv: BTreeMap::new(),
            watch_wv_shares: Shares::new(own),
            shown_bytes: 0,
            watch_xmpp: BTreeMap::new(),
            seen_bytes: 0,
            nobody: BTreeMap::new(),
            clients: BTreeMap::new(),
            queries: Queries::default(),
            lost_peers: BTreeMap::new(),
            lost_links: BTreeMap::new(),
            told: BTreeSet::new(),
            skew: Skew::default(),
            silent: BTreeMap::new(),
            seldom: Seldom::default(),
        }
    }

    /// A stanza that came in by the link of `component`.
    pub fn stanza(&mut self, component: &str, stanza: Stanza, now: Time, out: &mut Vec<Act>) {
        let (Some(from), Some(to)) = ends(&stanza) else {
            tracing::debug!(
                component,
                "a stanza without sender or recipient was dropped"
            );
            return;
        };
        let (from, to) = (from.clone(), to.clone());
        self.outbox.at(now);
        let translator = self.translator.clone();
        // A server may hand it to the link of another component than the one it is for.
        let Some(own) = translator.component_named(to.domain().as_str()) else {
            self.misrouted(component, stanza, now, out);
            return;
        };
        let component = own;
        if id_of(&stanza).len() > MAX_ID {
            self.refuse(component, stanza, Code::BAD_PARAMETER);
            return;
        }
        // Between two of our own components there is no XMPP: it would be a loop.
        if translator.component_named(from.domain().as_str()).is_some() {
            self.refuse(component, stanza, Code::DOMAIN_NOT_SUPPORTED);
            return;
        }
        match stanza {
            Stanza::Message(message) => self.message_in(component, message, now, out),
            Stanza::Presence(presence) => {
                self.presence_in(component, &from, &to, &presence, now, out);
            }
            Stanza::Iq(iq) => self.iq_in(component, iq, now, out),
        }
    }

    /// The link of `component` is there: what waits for it goes out, presence is
    /// asked for and shown anew.
    pub fn link_up(&mut self, component: &str, now: Time, out: &mut Vec<Act>) {
        self.lost_links.remove(component);
        self.told.remove(&link_name(component));
        self.outbox.at(now);
        self.outbox.link_up(component);
        let unreadable = self.outbox.take_unreadable(out);
        self.give_up(unreadable, now, out);
        self.show_all_wv(component, now, out);
        self.probe_all_xmpp(component, now);
    }

    /// The link of `component` is there, or not, for [`Gateway::refuse_for_now`]; nothing else
    /// happens before [`Gateway::link_up`].
    pub fn may_refuse(&mut self, component: &str, up: bool) {
        self.outbox.may_refuse(component, up);
    }

    /// A session with `domain` was made or made anew: everything is asked for and
    /// told anew (presence-attributes, 5).
    pub fn peer_up(&mut self, domain: &str, now: Time, out: &mut Vec<Act>) {
        self.lost_peers.remove(domain);
        self.told.remove(&peer_name(domain));
        self.subscribe_all_wv(domain, now, out);
        self.notify_all_xmpp(domain, now, out);
    }

    /// The last session with `domain` was lost: watchers of its users are told if
    /// it does not come back (xmpp-mapping, 11).
    pub fn peer_down(&mut self, domain: &str, now: Time, _out: &mut Vec<Act>) {
        self.lost_peers.entry(domain.to_owned()).or_insert(now);
        let at = now.plus_millis(self.settings.peer_grace_millis);
        self.timers.by(at, Timer::Peer(domain.to_owned()));
    }

    /// Stanzas to hand to the links, in order. To be taken when the acts of the
    /// same input are committed.
    pub fn take_stanzas(&mut self) -> Vec<OutStanza> {
        self.outbox.take()
    }

    /// The XMPP server has processed everything on the link of `component` up to
    /// and including `mark`.
    pub fn confirmed(&mut self, component: &str, mark: u64, now: Time, out: &mut Vec<Act>) {
        for (number, message) in self.outbox.confirmed(component, mark, out) {
            if let Some(message) = message {
                self.sent_confirmed(message, number, now, out);
            }
        }
        let unreadable = self.outbox.take_unreadable(out);
        self.give_up(unreadable, now, out);
    }

    /// What came in that was no person's words, by kind.
    pub fn silent(&self) -> &BTreeMap<&'static str, u64> {
        &self.silent
    }

    /// Stanzas that wait for a link or its confirmation.
    pub fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Answers a stanza that the node cannot keep now, as far as it wants an answer.
    pub fn refuse_for_now(&mut self, component: &str, stanza: Stanza) {
        // A refused `unavailable` or probe would only confuse.
        let wants_answer = match &stanza {
            Stanza::Presence(presence) => presence.type_ == Type::Subscribe,
            Stanza::Iq(iq) => matches!(iq, Iq::Get { .. } | Iq::Set { .. }),
            Stanza::Message(_) => true,
        };
        if wants_answer {
            self.refuse(component, stanza, Code::QUEUE_FULL);
        }
    }

    /// Subscriptions kept: of XMPP users, and of WV users.
    pub fn watches(&self) -> (usize, usize) {
        (self.watch_wv.len(), self.watch_xmpp.len())
    }

    fn presence_in(
        &mut self,
        component: &str,
        from: &Jid,
        to: &Jid,
        presence: &Presence,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let is_broadcast = matches!(presence.type_, Type::None | Type::Unavailable);
        let pair = match self.translator.address(to) {
            // A broadcast goes to whoever is in a roster: an error would be no answer to anything.
            Err(_) if is_broadcast => return,
            Ok(wv) if to.node().is_some() => Pair {
                xmpp: from.to_bare().to_string(),
                wv,
            },
            // Nobody can watch the gateway itself.
            Ok(_) if presence.type_ != Type::Subscribe => return,
            Ok(_) => {
                let stanza = Stanza::Presence(presence.clone());
                self.refuse(component, stanza, Code::UNKNOWN_USER);
                return;
            }
            Err(error) => {
                let stanza = Stanza::Presence(presence.clone());
                self.refuse(component, stanza, error.code());
                return;
            }
        };
        if presence.type_ != Type::Error && self.translator.is_room(to) {
            // Rooms of the SSP side.
            if presence.type_ != Type::Unavailable {
                let stanza = Stanza::Presence(presence.clone());
                self.refuse(component, stanza, Code::NOT_IMPLEMENTED);
            }
            return;
        }
        match presence.type_ {
            Type::Subscribe => self.subscribe_wv(component, &pair, now, out),
            Type::Unsubscribe => self.unsubscribe_wv(component, &pair, now, out),
            Type::Probe => self.probe_wv(component, from, pair, now, out),
            _ => self.presence_of_xmpp(&pair, presence, now, out),
        }
    }

    /// Answers a stanza with an error, unless it is an answer itself.
    fn refuse(&mut self, component: &str, stanza: Stanza, code: Code) {
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
                let refusal = crate::translate::message::refusal(&message, error);
                self.outbox.volatile(component, refusal);
            }
            Stanza::Presence(presence) if presence.type_ != Type::Error => {
                let mut refusal = Presence::error();
                refusal.from = presence.to;
                refusal.to = presence.from;
                refusal.id = presence.id;
                refusal.payloads.push(error.into());
                self.outbox.volatile(component, refusal);
            }
            Stanza::Iq(iq) => self.refuse_iq(component, iq, error),
            _ => {}
        }
    }

    /// Sends a stanza that must arrive.
    fn send(&mut self, component: &str, stanza: impl Into<Stanza>, now: Time, out: &mut Vec<Act>) {
        // Twice the bound of messages, so that answers still find room when
        // messages are refused.
        let settings = &self.settings;
        let is_full = self.outbox.len() >= settings.max_queue.saturating_mul(2)
            || self.outbox.bytes() >= settings.max_queue_bytes.saturating_mul(2);
        if is_full {
            if let Some(more) = self.seldom.may("full", now.0) {
                tracing::warn!(
                    component,
                    more,
                    "a stanza was dropped: too many wait for the link"
                );
            }
            return;
        }
        let number = self.numbers.next(out);
        let until = now.plus_seconds(NOTICE_VALIDITY);
        self.outbox
            .durable(number, component, stanza.into(), None, until, out);
        self.timers.by(until, Timer::Outbox);
    }

    /// Sends presence without content from a WV user to an XMPP one.
    fn send_presence(&mut self, kind: Type, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        let Some(component) = self.translator.component_of(&pair.wv).map(str::to_owned) else {
            return;
        };
        if let (Ok(from), Ok(to)) = (self.translator.jid(&pair.wv), Jid::new(&pair.xmpp)) {
            let presence = Presence::new(kind).with_from(Jid::from(from)).with_to(to);
            self.send(&component, presence, now, out);
        }
    }

    /// Sends a request that nobody in XMPP waits for, unless too many wait for their
    /// answers.
    fn ask(&mut self, asked: Asked, primitive: Primitive, now: Time, out: &mut Vec<Act>) {
        if self.asked.len() >= self.settings.max_queries {
            if let Some(more) = self.seldom.may("asked", now.0) {
                tracing::warn!(
                    more,
                    "a request was not sent: too many wait for their answers"
                );
            }
            if let Asked::Subscribe(pair) = asked {
                self.retry_wv(&pair, now);
            }
            return;
        }
        let token = self.numbers.next(out);
        self.asked.insert(token, asked);
        out.push(Act::Request {
            token: Token(token),
            primitive,
            expires: now.plus_millis(REQUEST_MILLIS),
        });
    }

    /// Sends a notice.
    fn tell(&mut self, primitive: Primitive, now: Time, out: &mut Vec<Act>) {
        let token = Token(self.numbers.next(out));
        out.push(Act::Request {
            token,
            primitive,
            expires: now.plus_seconds(NOTICE_VALIDITY),
        });
    }
}

fn id_of(stanza: &Stanza) -> &str {
    match stanza {
        Stanza::Message(message) => message.id.as_ref().map_or("", |id| id.0.as_str()),
        Stanza::Presence(presence) => presence.id.as_deref().unwrap_or(""),
        Stanza::Iq(iq) => iq.id(),
    }
}

fn respond(to: RequestId, status: Status, out: &mut Vec<Act>) {
    out.push(Act::Respond {
        to,
        primitive: status.into(),
    });
}

fn link_name(component: &str) -> String {
    format!("link {component}")
}

fn peer_name(domain: &str) -> String {
    format!("peer {domain}")
}

/// The verdict of an answer: that of its `Status`, or of the only detail.
fn verdict(answer: &Primitive) -> Code {
    let status = match answer {
        Primitive::Status(status) => status,
        Primitive::SendMessageResponse(response) => &response.status,
        Primitive::GetPresenceResponse(response) => match &response.status {
            Some(status) => status,
            // Quirk B-4.
            None => return Code::OK,
        },
        _ => return Code::INTERNAL,
    };
    match (status.code, status.details.first()) {
        (Code::PARTIAL | Code::MULTIPLE, Some(detail)) => detail.code,
        (code, _) => code,
    }
}

/// The bare form of a JID in text form.
fn bare(jid: &Jid) -> String {
    jid.to_bare().to_string()
}
