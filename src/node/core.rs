//! The whole state of a node as one pure value: the SAP and the service elements
//! behind it. Inputs and time in, one [`Turn`] out.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_xmpp::Stanza;

use super::clock::Kept;
use super::history::{self, History};
use super::metrics::{self, Metrics};
use super::trace::{self, TraceLog};
pub use super::turn::{Answer, ToXmpp, Turn};
use crate::gateway::Gateway;
use crate::home::{ClientKey, Command, Event, Home, Takes};
use crate::sap::waiting::Wait;
use crate::sap::{
    Act, Count, Delivered, Direction, Effect, Element, Facts, Loaded, Outcome, Posted, Sap,
    ServiceElement, Skew, Time, Trace, Verdict,
};
use crate::ssp::{Code, Message, Primitive};
use crate::xmpp::link::Blame;

/// The state of a node.
#[derive(Debug)]
pub struct Core {
    /// The relay SAP.
    pub sap: Sap,
    /// The home domain, if this node hosts one; without it perhaps an echo user.
    pub home: Option<Home>,
    /// The XMPP gateway, if this node is one.
    pub gateway: Option<Gateway>,
    /// Counters.
    pub metrics: Metrics,
    /// The last things that happened.
    pub traces: TraceLog,
    /// What became of messages.
    pub history: History,
    /// Whether somebody watches what happens.
    pub watched: bool,
    /// Which XMPP components are connected.
    pub components: BTreeMap<String, bool>,
    /// Where the clocks stood before a restart.
    pub kept_clock: Option<Kept>,
    skew: Skew,
}

impl Core {
    /// A core without records.
    pub fn new(sap: Sap, home: Option<Home>, gateway: Option<Gateway>) -> Self {
        Self {
            sap,
            home,
            gateway,
            metrics: Metrics::default(),
            traces: TraceLog::default(),
            history: History::default(),
            watched: false,
            components: BTreeMap::new(),
            kept_clock: None,
            skew: Skew::default(),
        }
    }

    /// Takes back a record written before a restart.
    ///
    /// # Errors
    /// The record cannot be read. The node goes on without it.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        if key.starts_with(Sap::PREFIX) {
            self.sap.restore(key, value)
        } else if key.starts_with(Home::PREFIX) {
            self.home
                .as_mut()
                .map_or(Ok(()), |home| home.restore(key, value))
        } else if key.starts_with(Gateway::PREFIX) {
            self.gateway
                .as_mut()
                .map_or(Ok(()), |gateway| gateway.restore(key, value))
        } else if key == metrics::KEY {
            self.metrics = Metrics::restore(value)?;
            Ok(())
        } else if key == Kept::KEY {
            // Without it the clock starts as if there had been none.
            self.kept_clock = serde_json::from_slice(value).ok();
            Ok(())
        } else if key.starts_with(history::PREFIX) {
            self.history.restore(key, value)
        } else {
            Ok(())
        }
    }

    /// Goes to work after all records are back.
    pub fn start(&mut self, now: Time, turn: &mut Turn) {
        self.history.start(now);
        self.sap.start(now);
        self.settle(now, turn);
    }

    /// Says how the wall clock stands, for dates that others see.
    pub fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
        self.sap.set_skew(skew);
        if let Some(home) = &mut self.home {
            home.set_skew(skew);
        }
        if let Some(gateway) = &mut self.gateway {
            gateway.set_skew(skew);
        }
    }

    /// What the wall clock shows at a time of the node.
    pub fn wall(&self, time: Time) -> Time {
        self.skew.wall(time)
    }

    /// How far the wall clock is ahead of the node's time.
    pub fn skew(&self) -> Skew {
        self.skew
    }

    /// What a peer's outbox waits for, its times by the wall clock.
    pub fn wait_of(&self, peer: &str, now: Time) -> Option<Wait> {
        let mut wait = self.sap.wait_of(peer, now)?;
        wait.next_try = wait.next_try.map(|at| self.wall(at));
        Some(wait)
    }

    /// The home domain, if this node hosts users.
    pub fn home_domain(&self) -> Option<&Home> {
        self.home.as_ref().filter(|home| home.has_users())
    }

    /// A message of a peer.
    pub fn receive(
        &mut self,
        message: &Message,
        facts: &Facts,
        now: Time,
        turn: &mut Turn,
    ) -> Verdict {
        let verdict = self.sap.receive(message, facts, now);
        self.settle(now, turn);
        verdict
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time, turn: &mut Turn) {
        self.sap.posted(number, outcome, now);
        self.settle(now, turn);
    }

    /// Bodies came from the store.
    pub fn loaded(&mut self, loaded: Loaded, now: Time, turn: &mut Turn) {
        self.sap.loaded(loaded, now);
        self.settle(now, turn);
    }

    /// A stanza from the XMPP network.
    pub fn stanza(&mut self, component: &str, stanza: Stanza, now: Time, turn: &mut Turn) {
        let trace = stanza_trace(Direction::In, &stanza, now);
        self.trace(trace, turn);
        self.with_gateway(now, turn, |gateway, acts| {
            gateway.stanza(component, stanza, now, acts);
        });
    }

    /// Tells the sender of a stanza that it cannot be taken now. Keeps nothing.
    pub fn refuse_stanza(&mut self, component: &str, stanza: Stanza, now: Time, turn: &mut Turn) {
        if let Some(gateway) = &mut self.gateway {
            gateway.refuse_for_now(component, stanza);
        }
        self.settle(now, turn);
    }

    /// Messages accepted and not yet ended: `accepted == ended + open`, always and
    /// across restarts. They wait for a peer, for the XMPP server's word, or for
    /// a client of their recipient to take them.
    pub fn messages_open(&self) -> u64 {
        self.sap.messages_queued()
            + self.gateway.as_ref().map_or(0, Gateway::messages_open)
            + self.home.as_ref().map_or(0, Home::messages_waiting)
    }

    /// An XMPP link came up, or went down and a stanza may be to blame.
    pub fn link(&mut self, component: &str, down: Option<Blame>, now: Time, turn: &mut Turn) {
        self.components.insert(component.to_owned(), down.is_none());
        self.with_gateway(now, turn, |gateway, acts| match down {
            None => gateway.link_up(component, now, acts),
            Some(blame) => gateway.link_down(component, blame, now, acts),
        });
    }

    /// A stanza of ours could not be written to its link.
    pub fn unsent(&mut self, stanza: &Stanza, now: Time, turn: &mut Turn) {
        self.with_gateway(now, turn, |gateway, acts| gateway.unsent(stanza, now, acts));
    }

    /// The XMPP server has said how large a stanza may be.
    pub fn link_limit(&mut self, component: &str, bytes: usize, now: Time, turn: &mut Turn) {
        self.with_gateway(now, turn, |gateway, acts| {
            gateway.limit(component, bytes, now, acts);
        });
    }

    /// As [`Core::link`], for a core that has not begun: it only refuses what comes.
    pub fn link_before_start(&mut self, component: &str, up: bool) {
        self.components.insert(component.to_owned(), up);
        if let Some(gateway) = &mut self.gateway {
            gateway.may_refuse(component, up);
        }
    }

    /// The XMPP server has processed everything up to `mark`.
    pub fn confirmed(&mut self, component: &str, mark: u64, now: Time, turn: &mut Turn) {
        self.with_gateway(now, turn, |gateway, acts| {
            gateway.confirmed(component, mark, now, acts);
        });
    }

    /// A client of the home domain came; false if there is no such user.
    pub fn client_open(
        &mut self,
        client: ClientKey,
        user: &str,
        takes: Takes,
        now: Time,
        turn: &mut Turn,
    ) -> bool {
        let known = self
            .home
            .as_ref()
            .is_some_and(|home| home.users().any(|name| name == user));
        if known {
            self.with_home(now, turn, |home, acts| {
                // A failure is told by an event.
                let _ = home.client_open(client, user, takes, now, acts);
            });
        }
        known
    }

    /// A client's command.
    pub fn client(&mut self, client: ClientKey, command: Command, now: Time, turn: &mut Turn) {
        self.with_home(now, turn, |home, acts| {
            home.client(client, command, now, acts);
        });
    }

    /// A client went.
    pub fn client_close(&mut self, client: ClientKey, now: Time, turn: &mut Turn) {
        self.with_home(now, turn, |home, acts| home.client_close(client, now, acts));
    }

    /// Works on the home domain and does what it wants done.
    pub fn with_home<T>(
        &mut self,
        now: Time,
        turn: &mut Turn,
        work: impl FnOnce(&mut Home, &mut Vec<Act>) -> T,
    ) -> Option<T> {
        let mut acts = Vec::new();
        let result = self.home.as_mut().map(|home| work(home, &mut acts));
        self.perform(Element::Home, acts, now, turn);
        self.settle(now, turn);
        result
    }

    fn with_gateway(
        &mut self,
        now: Time,
        turn: &mut Turn,
        work: impl FnOnce(&mut Gateway, &mut Vec<Act>),
    ) {
        let mut acts = Vec::new();
        if let Some(gateway) = &mut self.gateway {
            work(gateway, &mut acts);
        }
        self.perform(Element::Gateway, acts, now, turn);
        self.settle(now, turn);
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time, turn: &mut Turn) {
        self.sap.timeout(now);
        self.settle(now, turn);
        if self
            .home
            .as_ref()
            .and_then(ServiceElement::next_timeout)
            .is_some_and(|at| at <= now)
        {
            self.with_home(now, turn, |home, acts| home.timeout(now, acts));
        }
        if self
            .gateway
            .as_ref()
            .and_then(ServiceElement::next_timeout)
            .is_some_and(|at| at <= now)
        {
            self.with_gateway(now, turn, |gateway, acts| gateway.timeout(now, acts));
        }
    }

    /// When [`Core::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let home = self.home.as_ref().and_then(ServiceElement::next_timeout);
        let gateway = self.gateway.as_ref().and_then(ServiceElement::next_timeout);
        [self.sap.next_timeout(), home, gateway]
            .into_iter()
            .flatten()
            .min()
    }

    /// Carries effects between the SAP and the elements until nothing moves.
    pub fn settle(&mut self, now: Time, turn: &mut Turn) {
        while let Some(effect) = self.sap.next_effect() {
            match effect {
                Effect::Write(write) => turn.writes.push(write),
                Effect::Post(post) => turn.posts.push(post),
                Effect::Knock(knock) => turn.knocks.push(knock),
                Effect::Load(load) => turn.loads.push(load),
                Effect::Count(count) => self.metrics.count(count),
                Effect::Trace(trace) => self.trace(*trace, turn),
                Effect::Step(step) => self.history.note(*step),
                Effect::Deliver(element, delivered) => {
                    let mut acts = Vec::new();
                    match (element, &mut self.home, &mut self.gateway) {
                        (Element::Home, Some(home), _) => home.deliver(delivered, now, &mut acts),
                        (Element::Gateway, _, Some(gateway)) => {
                            gateway.deliver(delivered, now, &mut acts);
                        }
                        // Its section is new in the configuration, and waits for a restart.
                        _ => not_there(delivered, &mut acts),
                    }
                    self.perform(element, acts, now, turn);
                }
                Effect::Answer(element, token, answer) => {
                    let mut acts = Vec::new();
                    match (element, &mut self.home, &mut self.gateway) {
                        (Element::Home, Some(home), _) => {
                            home.answer(token, &answer, now, &mut acts);
                        }
                        (Element::Gateway, _, Some(gateway)) => {
                            gateway.answer(token, &answer, now, &mut acts);
                        }
                        _ => {}
                    }
                    // What an element sends is counted by the SAP, which knows its way.
                    acts.retain(|act| !matches!(act, Act::Outcome { .. }));
                    self.perform(element, acts, now, turn);
                }
                Effect::PeerState(peer, up) => self.peer_state(&peer, up, now, turn),
                Effect::PeerAway(peer, since) => self.peer_state(&peer, false, since, turn),
            }
        }
        self.collect(now, turn);
    }

    fn perform(&mut self, element: Element, acts: Vec<Act>, now: Time, turn: &mut Turn) {
        for act in acts {
            match act {
                Act::Respond { to, primitive } => self.sap.respond(element, to, &primitive, now),
                Act::Request {
                    token,
                    primitive,
                    expires,
                } => self.sap.request(element, token, &primitive, expires, now),
                Act::Write(write) => turn.writes.push(write),
                Act::Accepted => self.metrics.count(Count::Accepted),
                Act::Outcome { message, outcome } => {
                    self.metrics.count(Count::Ended(outcome));
                    self.history.note_outcome(&message, element, outcome, now);
                    let trace = Trace {
                        time: now,
                        direction: Direction::Here,
                        peer: None,
                        session: None,
                        transaction: None,
                        primitive: "SendMessageRequest".into(),
                        message: Some(message),
                        user: None,
                        to: Vec::new(),
                        what: history::outcome(outcome).into(),
                    };
                    self.trace(trace, turn);
                }
            }
        }
    }

    /// Subscriptions over a peer's sessions are refreshed when these come back
    /// (presence-attributes, 5).
    fn peer_state(&mut self, peer: &str, up: bool, now: Time, turn: &mut Turn) {
        let settings = self.sap.settings().clone();
        let behind = |domain: &str| match settings.routes.find(domain) {
            Some(crate::sap::Route::Peer(via)) => via == peer,
            _ => false,
        };
        let mut acts = Vec::new();
        match &mut self.home {
            Some(home) if up => home.peer_up(behind, now, &mut acts),
            Some(home) => home.peer_down(behind, now),
            None => {}
        }
        self.perform(Element::Home, acts, now, turn);
        let mut acts = Vec::new();
        if let Some(gateway) = &mut self.gateway {
            for domain in gateway
                .remote_domains()
                .into_iter()
                .filter(|domain| behind(domain))
            {
                if up {
                    gateway.peer_up(&domain, now, &mut acts);
                } else {
                    gateway.peer_down(&domain, now, &mut acts);
                }
            }
        }
        self.perform(Element::Gateway, acts, now, turn);
    }

    /// Fetches what the elements tell others than the SAP.
    fn collect(&mut self, now: Time, turn: &mut Turn) {
        if let Some(home) = &mut self.home {
            for (client, mut event) in home.take_events() {
                if let Event::Message {
                    delayed: Some(arrived),
                    ..
                } = &mut event
                {
                    *arrived = self.skew.wall(*arrived);
                }
                turn.events.push((client, event));
            }
        }
        let stanzas = self
            .gateway
            .as_mut()
            .map_or_else(Vec::new, Gateway::take_stanzas);
        for out in stanzas {
            let trace = stanza_trace(Direction::Out, &out.stanza, now);
            self.trace(trace, turn);
            turn.stanzas.push(ToXmpp {
                component: out.component,
                stanza: out.stanza,
                mark: out.mark,
            });
        }
    }

    fn trace(&mut self, trace: Trace, turn: &mut Turn) {
        self.traces.push(&trace);
        if self.watched {
            let time = self.skew.wall(trace.time);
            let trace = Trace { time, ..trace };
            turn.traces.push(Arc::new(trace::bounded(trace)));
        }
    }
}

/// Refuses what is for an element that is not there; each copy of a message ends here.
fn not_there(delivered: Delivered, acts: &mut Vec<Act>) {
    acts.extend(delivered.id.map(|to| Act::Respond {
        to,
        primitive: Primitive::status(Code::UNAVAILABLE),
    }));
    if let Primitive::SendMessageRequest(message) = delivered.primitive {
        let id = message.info.message_id.unwrap_or_default();
        acts.extend(message.info.recipients.iter().map(|_| Act::Outcome {
            message: id.clone(),
            outcome: Outcome::Refused(Code::UNAVAILABLE.0),
        }));
    }
}

fn stanza_trace(direction: Direction, stanza: &Stanza, now: Time) -> Trace {
    let (kind, id, from, to) = match stanza {
        Stanza::Message(message) => (
            "message",
            message.id.as_ref().map(|id| id.0.clone()),
            message.from.as_ref(),
            message.to.as_ref(),
        ),
        Stanza::Presence(presence) => (
            "presence",
            presence.id.clone(),
            presence.from.as_ref(),
            presence.to.as_ref(),
        ),
        Stanza::Iq(iq) => ("iq", Some(iq.id().to_owned()), iq.from(), iq.to()),
    };
    Trace {
        time: now,
        direction,
        peer: Some("xmpp".to_owned()),
        session: None,
        transaction: None,
        primitive: format!("<{kind}/>").into(),
        message: id,
        user: from.map(ToString::to_string),
        to: to.map(ToString::to_string).into_iter().collect(),
        what: match direction {
            Direction::In => "stanza received".into(),
            _ => "stanza sent".into(),
        },
    }
}
