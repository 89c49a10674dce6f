//! The steps of a handshake on their way, each at its time, and their repetition (wire
//! profile, 6.6).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::element::Time;
use crate::sap::association::Shared;
use crate::sap::association::event::Event;
use crate::sap::association::handshake::{Role, Step};
use crate::sap::post::{Post, Posted};
use crate::sap::presented_as::PeerId;
use crate::sap::settings::Peer;
use crate::ssp::envelope::print_styled_setup;

/// A handshake step with its place in the handshake.
#[derive(Debug, Clone)]
pub(in crate::sap::association) struct PendingStep {
    pub(super) role: Role,
    pub(super) step: Step,
    pub(super) attempt: usize,
}

/// What becomes of a step that was posted.
#[derive(Debug)]
pub(super) enum Landed {
    /// The peer has acknowledged the post; its answer may still come.
    Acknowledged(PendingStep),
    /// It is to be posted again.
    Again(PendingStep),
    /// It was posted in vain, for this reason.
    Failed(PendingStep, String),
}

/// Steps that wait for their time or are being posted.
#[derive(Debug)]
pub(super) struct Steps {
    id: PeerId,
    waiting: BTreeMap<(Time, u64), PendingStep>,
    flights: HashMap<u64, PendingStep>,
    pub(super) events: VecDeque<Event>,
}

impl Steps {
    pub(super) fn new(id: PeerId) -> Self {
        Self {
            id,
            waiting: BTreeMap::new(),
            flights: HashMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Posts a step when its time has come.
    pub(super) fn post(
        &mut self,
        pending: PendingStep,
        peer: &Peer,
        url: Option<&str>,
        shared: &Shared,
        now: Time,
    ) {
        let number = shared.numbers.next();
        if pending.step.at > now {
            self.waiting.insert((pending.step.at, number), pending);
            return;
        }
        let step = &pending.step;
        // The binding carries the id on steps 1 and 2 only.
        let transaction = (step.number <= 2).then(|| step.id.clone());
        self.print(number, step, transaction, peer, url);
        tracing::debug!(
            ssp.peer = self.id.as_str(),
            ssp.transaction = step.id,
            ssp.primitive = step.primitive.name(),
            step = step.number,
            attempt = pending.attempt,
            "posting handshake step"
        );
        self.flights.insert(number, pending);
    }

    /// Posts a setup message that is never repeated.
    pub(super) fn post_once(
        &mut self,
        step: &Step,
        peer: &Peer,
        url: Option<&str>,
        shared: &Shared,
    ) {
        self.print(shared.numbers.next(), step, None, peer, url);
    }

    fn print(
        &mut self,
        number: u64,
        step: &Step,
        transaction: Option<String>,
        peer: &Peer,
        url: Option<&str>,
    ) {
        let raw = step.primitive.to_xml(Some(peer.dialect.style()));
        let (style, namespace) = (peer.dialect.style(), &peer.dialect.namespace);
        let body = print_styled_setup(style, namespace, step.mode, &step.id, &raw);
        self.events.push_back(Event::Post(Post {
            peer: self.id.real().to_owned(),
            number,
            body: body.into(),
            session: None,
            transaction,
            url: url.map(str::to_owned),
            transactions: 1,
        }));
    }

    /// When the next one may be posted.
    pub(super) fn next(&self) -> Option<Time> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// The next one that waits for its time.
    pub(super) fn take_next(&mut self) -> Option<PendingStep> {
        self.waiting.pop_first().map(|(_, pending)| pending)
    }

    /// Steps 2 on their way.
    pub(super) fn tokens(&self) -> usize {
        let flights = self.flights.values();
        flights.filter(|pending| pending.step.number == 2).count()
    }

    /// Nothing waits any more, and what is being posted is of no interest.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.flights.clear();
    }

    pub(super) fn is_posting(&self, number: u64) -> bool {
        self.flights.contains_key(&number)
    }

    /// A post has ended; `None` if it was none of a step.
    pub(super) fn take_posted(&mut self, number: u64) -> Option<PendingStep> {
        self.flights.remove(&number)
    }
}

impl PendingStep {
    /// What its post has come to.
    pub(super) fn landed(mut self, outcome: &Posted, peer: &Peer, now: Time) -> Landed {
        let why = match outcome {
            Posted::Acknowledged => return Landed::Acknowledged(self),
            // Unlike a closed connection these are not a matter of timing.
            Posted::Refused {
                status: status @ (400 | 403 | 413 | 415),
                ..
            } => {
                self.attempt = usize::MAX;
                format!("HTTP {status}")
            }
            Posted::Refused { status, .. } => format!("HTTP {status}"),
            Posted::Closed => "connection closed without an answer".to_owned(),
            Posted::TimedOut => "no answer in time".to_owned(),
            Posted::Failed(why) => why.clone(),
        };
        let Some(wait) = peer.dialect.handshake_retries.get(self.attempt) else {
            return Landed::Failed(self, why);
        };
        self.attempt += 1;
        self.step.at = now.plus(Duration::from_millis(*wait));
        Landed::Again(self)
    }
}
