//! The whole state of a node as one pure value: the SAP and the service elements
//! behind it. Inputs and time in, one [`Turn`] out.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::Kept;
use super::elements::word;
use super::history::{self, History};
use super::metrics::{self, Metrics};
use super::told::Told;
use super::trace::{TraceLog, stanza_note};
pub use super::turn::{Answer, Turn};
use super::twins::Twins;
use crate::element::{
    self, Act, Delivered, Edge, Element, FromXmpp, Input, Outcome, ServiceElement, Skew, Time,
};
use crate::gateway::{Gateway, Policies};
use crate::imps::{Code, Primitive};
use crate::sap::Wait;
use crate::sap::{
    About, Count, Direction, Effect, Elements, Facts, Hand, Loaded, Note, Posted, Route, Sap,
    ServiceSet, Verdict,
};
use crate::ssp::Message;

/// The state of a node.
#[derive(Debug)]
pub struct Core {
    /// The relay SAP.
    pub sap: Sap,
    elements: Vec<Box<dyn ServiceElement>>,
    /// What has been counted.
    pub metrics: Metrics,
    /// The last things that happened.
    pub traces: TraceLog,
    /// What became of messages.
    pub history: History,
    /// Whether somebody watches what happens.
    pub watched: bool,
    /// Which XMPP components are connected.
    pub components: BTreeMap<String, bool>,
    /// Components as which another process is connected too.
    pub twins: Twins,
    /// Where the clocks stood before a restart.
    pub kept_clock: Option<Kept>,
    skew: Skew,
}

impl Core {
    /// A core without records: a SAP, and the service elements behind it.
    pub fn new(mut sap: Sap, elements: Vec<Box<dyn ServiceElement>>) -> Self {
        let mut behind = Elements::default();
        for element in &elements {
            let functions = ServiceSet::of_element(element.serves());
            behind.add(element.name(), functions, word(element.name()));
        }
        sap.set_elements(behind);
        Self {
            sap,
            elements,
            metrics: Metrics::default(),
            traces: TraceLog::default(),
            history: History::default(),
            watched: false,
            components: BTreeMap::new(),
            twins: Twins::default(),
            kept_clock: None,
            skew: Skew::default(),
        }
    }

    /// Takes back a record written before a restart.
    ///
    /// # Errors
    /// The record cannot be read. The node goes on without it.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let mut elements = self.elements.iter_mut();
        if key.starts_with(Sap::PREFIX) {
            self.sap.restore(key, value)
        } else if let Some(element) = elements.find(|e| key.starts_with(e.prefix())) {
            element.restore(key, value)
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

    /// Looks at what stands in a record that has been taken back, and is read only when it is
    /// needed.
    ///
    /// # Errors
    /// What of it cannot be read then.
    pub fn look_into(&self, key: &str, value: &[u8]) -> Result<(), String> {
        let mut elements = self.elements.iter();
        let element = elements.find(|element| key.starts_with(element.prefix()));
        element.map_or(Ok(()), |element| element.look_into(key, value))
    }

    /// Takes over from a core that is given up what no record has.
    pub fn go_on_from(&mut self, old: &mut Self) {
        self.sap.continue_numbers(&old.sap);
        std::mem::swap(&mut self.traces, &mut old.traces);
        std::mem::swap(&mut self.history, &mut old.history);
        std::mem::swap(&mut self.twins, &mut old.twins);
    }

    /// What domains of XMPP may do, if there is a gateway.
    pub fn policies(&self) -> Option<&Policies> {
        self.element().map(Gateway::policies)
    }

    /// What domains of XMPP may do from now on.
    pub fn set_policies(&mut self, policies: Policies, now: Time, turn: &mut Turn) {
        self.administer(now, turn, |gateway: &mut Gateway| {
            gateway.set_policies(policies, now);
        });
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
        for element in &mut self.elements {
            element.set_skew(skew);
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

    /// An element of this kind, to be looked at.
    pub fn element<E: ServiceElement>(&self) -> Option<&E> {
        let mut elements = self.elements.iter();
        elements.find_map(|element| (element.as_ref() as &dyn Any).downcast_ref())
    }

    /// Changes an element of this kind, as its administration wants, and does what follows.
    pub fn administer<E: ServiceElement, T>(
        &mut self,
        now: Time,
        turn: &mut Turn,
        work: impl FnOnce(&mut E) -> T,
    ) -> Option<T> {
        for at in 0..self.elements.len() {
            let element = self.elements[at].as_mut() as &mut dyn Any;
            if let Some(element) = element.downcast_mut() {
                let result = work(element);
                self.drain(at, now, turn);
                self.settle(now, turn);
                return Some(result);
            }
        }
        None
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

    /// Records that an element wanted came from the store.
    pub fn read(&mut self, by: Element, loaded: element::Loaded, now: Time, turn: &mut Turn) {
        if let Some(at) = self.find(by) {
            self.elements[at].take(Input::Loaded(loaded), now);
            self.drain(at, now, turn);
        }
        self.settle(now, turn);
    }

    /// What an element has asked for outside has come: a file was moved, or a wish was granted.
    pub fn came(&mut self, by: Element, what: Input, now: Time, turn: &mut Turn) {
        if let Some(at) = self.find(by) {
            self.elements[at].take(what, now);
            self.drain(at, now, turn);
        }
        self.settle(now, turn);
    }

    /// Another shard of this node hands something over.
    pub fn take_handed(&mut self, hand: &Hand, now: Time, turn: &mut Turn) {
        self.sap.take_handed(hand, now);
        self.settle(now, turn);
    }

    /// What became of a batch for another shard: whether it was taken over.
    pub fn handed(&mut self, number: u64, taken: bool, now: Time, turn: &mut Turn) {
        self.sap.handed(number, taken, now);
        self.settle(now, turn);
    }

    /// Another shard tells something.
    pub fn told(&mut self, from: u16, told: Told, now: Time, turn: &mut Turn) {
        match told {
            Told::State(peer, true, _) => self.peer_state(&peer, true, now, turn),
            Told::State(peer, false, since) => self.peer_state(&peer, false, since, turn),
            Told::Known(peer, known) => self.sap.told(peer, *known, now),
            Told::Begins => {
                let up = self.sap.tell_all(now).into_iter();
                let up = up.map(|peer| (Some(from), Told::State(peer, true, now)));
                turn.told.extend(up);
            }
        }
        self.settle(now, turn);
    }

    fn tell_state(&self, peer: String, up: bool, since: Time, turn: &mut Turn) {
        if !self.sap.settings().shards.is_single() {
            turn.told.push((None, Told::State(peer, up, since)));
        }
    }

    /// Something came from an XMPP link.
    pub fn xmpp(&mut self, component: &str, from: FromXmpp, now: Time, turn: &mut Turn) {
        match &from {
            FromXmpp::Stanza(stanza) => {
                let note = stanza_note(Direction::In, stanza, now);
                self.note(note, turn);
            }
            FromXmpp::Up | FromXmpp::MayRefuse(true) => {
                self.components.insert(component.to_owned(), true);
            }
            FromXmpp::Down(_) | FromXmpp::MayRefuse(false) => {
                self.components.insert(component.to_owned(), false);
            }
            _ => {}
        }
        let input = Input::Xmpp(component.to_owned(), from);
        self.take(Edge::Xmpp, input, now, turn);
    }

    /// Messages accepted and not yet ended: `accepted == ended + open`, always and
    /// across restarts. They wait for a peer, for the XMPP server's word, or for
    /// a client of their recipient to take them.
    pub fn messages_open(&self) -> u64 {
        let open = self.elements.iter().map(|element| element.messages_open());
        self.sap.messages_queued() + open.sum::<u64>()
    }

    /// Something other than the SAP wants to say something to the element that is there for it.
    /// Says whether there is one.
    pub fn take(&mut self, edge: Edge, input: Input, now: Time, turn: &mut Turn) -> bool {
        let there = self.elements.iter().position(|element| element.is_at(edge));
        if let Some(at) = there {
            self.elements[at].take(input, now);
            self.drain(at, now, turn);
        }
        self.settle(now, turn);
        there.is_some()
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time, turn: &mut Turn) {
        self.sap.timeout(now);
        self.settle(now, turn);
        for at in 0..self.elements.len() {
            if self.elements[at].next_timeout().is_some_and(|at| at <= now) {
                self.elements[at].timeout(now);
                self.drain(at, now, turn);
                self.settle(now, turn);
            }
        }
    }

    /// When [`Core::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let elements = self.elements.iter().filter_map(|e| e.next_timeout());
        elements.chain(self.sap.next_timeout()).min()
    }

    /// Carries effects between the SAP and the elements until nothing moves.
    pub fn settle(&mut self, now: Time, turn: &mut Turn) {
        while let Some(effect) = self.sap.next_effect() {
            match effect {
                Effect::Write(write) => turn.writes.push(write),
                Effect::Post(post) => turn.posts.push(post),
                Effect::Knock(knock) => turn.knocks.push(knock),
                Effect::Load(load) => turn.loads.push(load),
                Effect::Hand(hand) => turn.hands.push(hand),
                Effect::Known(peer, known) => turn.told.push((None, Told::Known(peer, known))),
                Effect::Count(count) => self.metrics.count(count),
                Effect::Note(note) => self.note(note, turn),
                Effect::Step(step) => self.history.note(*step),
                Effect::Deliver(element, delivered) => match self.find(element) {
                    Some(at) => {
                        self.elements[at].take(Input::Deliver(delivered), now);
                        self.drain(at, now, turn);
                    }
                    // Its section is new in the configuration, and waits for a restart.
                    None => self.not_there(element, delivered, now, turn),
                },
                Effect::TakenOver(element, token, known) => {
                    self.answered(element, Input::TakenOver(token, known), now, turn);
                }
                Effect::Answer(element, token, answer) => {
                    self.answered(element, Input::Answer(token, answer), now, turn);
                }
                Effect::PeerState(peer, up) => {
                    self.peer_state(&peer, up, now, turn);
                    self.tell_state(peer, up, now, turn);
                }
                Effect::PeerAway(peer, since) => {
                    self.peer_state(&peer, false, since, turn);
                    self.tell_state(peer, false, since, turn);
                }
            }
        }
    }

    /// Tells an element what is answered to a request of its own.
    fn answered(&mut self, element: Element, input: Input, now: Time, turn: &mut Turn) {
        let Some(at) = self.find(element) else {
            return;
        };
        self.elements[at].take(input, now);
        while let Some(act) = self.elements[at].next_act() {
            // What an element sends is counted by the SAP, which knows its way.
            if !matches!(act, Act::Outcome { .. }) {
                self.perform(element, act, now, turn);
            }
        }
    }

    fn find(&self, name: Element) -> Option<usize> {
        let mut elements = self.elements.iter();
        elements.position(|element| element.name() == name)
    }

    /// Does what an element wants done.
    fn drain(&mut self, at: usize, now: Time, turn: &mut Turn) {
        let name = self.elements[at].name();
        while let Some(act) = self.elements[at].next_act() {
            self.perform(name, act, now, turn);
        }
    }

    fn perform(&mut self, element: Element, act: Act, now: Time, turn: &mut Turn) {
        match act {
            Act::Respond { to, primitive } => self.sap.respond(element, to, primitive, now),
            Act::Request {
                token,
                primitive,
                expires,
            } => self.sap.request(element, token, &primitive, expires, now),
            Act::RequestAt {
                token,
                to,
                primitive,
                expires,
            } => {
                let asked = (token, expires);
                self.sap.request_at(element, asked, &to, &primitive, now);
            }
            Act::Write(write) => turn.writes.push(write),
            Act::Load(load) => turn.reads.push((element, load)),
            Act::Tell(client, told) => turn.tell(client, told),
            Act::Stanza(out) => {
                let note = stanza_note(Direction::Out, &out.stanza, now);
                self.note(note, turn);
                turn.stanzas.push(*out);
            }
            Act::Unshare { user, urls } => turn.unshared.push((user, urls)),
            Act::Carry(transfer) => turn.transfers.push((element, *transfer)),
            Act::Wish(number, wish) => turn.wishes.push((element, number, wish)),
            Act::Accepted => self.metrics.count(Count::Accepted),
            Act::Outcome { message, outcome } => {
                self.metrics.count(Count::Ended(outcome));
                self.history.note_outcome(&message, element, outcome, now);
                let about = About {
                    message: Some(&message),
                    ..About::default()
                };
                let (at, what) = ((now, Direction::Here), history::outcome(outcome));
                self.note(Note::new(at, "SendMessageRequest", what, about, []), turn);
            }
        }
    }

    /// Refuses what is for an element that is not there; each copy of a message ends here.
    fn not_there(&mut self, element: Element, delivered: Delivered, now: Time, turn: &mut Turn) {
        if let Some(to) = delivered.id {
            let primitive = Primitive::status(Code::UNAVAILABLE);
            self.perform(element, Act::Respond { to, primitive }, now, turn);
        }
        if let Primitive::SendMessageRequest(message) = delivered.primitive {
            let id = message.info.message_id.unwrap_or_default();
            for _ in &message.info.recipients {
                let message = id.clone();
                let outcome = Outcome::Refused(Code::UNAVAILABLE.0);
                self.perform(element, Act::Outcome { message, outcome }, now, turn);
            }
        }
    }

    /// Subscriptions over a peer's sessions are refreshed when these come back
    /// (presence-attributes, 5).
    fn peer_state(&mut self, peer: &str, up: bool, now: Time, turn: &mut Turn) {
        let settings = self.sap.settings().clone();
        let behind = |domain: &String| matches!(settings.routes.find(domain), Some(Route::Peer(via)) if via == peer);
        for at in 0..self.elements.len() {
            let mut domains: Vec<String> = self.elements[at].concerned().into_iter().collect();
            domains.retain(behind);
            if domains.is_empty() {
                continue;
            }
            let input = if up {
                Input::Reached(domains)
            } else {
                Input::Lost(domains)
            };
            self.elements[at].take(input, now);
            self.drain(at, now, turn);
        }
    }

    fn note(&mut self, note: Note, turn: &mut Turn) {
        if self.watched {
            let mut trace = note.read();
            trace.time = self.skew.wall(trace.time);
            turn.traces.push(Arc::new(trace));
        }
        self.traces.push(note);
    }
}
