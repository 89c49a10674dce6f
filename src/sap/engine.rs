//! The two machines of the SAP, and what one wants of the other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::association::outbox::{Item, Totals};
use super::association::{Association, Event as OfPeer, Shared};
use super::associations::Associations;
use super::effect::Effect;
use super::neighbour::{Event as OfShards, Hand};
use super::numbers::Numbers;
use super::presented_as::PeerId;
use super::random::Random;
use super::service::Probe;
use super::settings::{Peer, Settings};
use super::transaction::{Event as OfTransactions, Transactions, report_as_request};
use super::watch::Count;
use crate::element::{Outcome, Time};
use crate::imps::Code;
use crate::imps::primitive::Name;
use crate::sap::session_id::SessionId;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

/// Associations and transactions. Each is fed with inputs and queues what it wants: after each
/// input that is heeded, one event after the other, or handed out as an effect.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Arc<Settings>,
    pub(super) associations: Associations,
    pub(super) transactions: Transactions,
    effects: VecDeque<Effect>,
}

impl Engine {
    pub(super) fn new(settings: Arc<Settings>, numbers: Arc<Numbers>, random: Random) -> Self {
        let shared = Shared {
            settings: Arc::clone(&settings),
            random: random.clone(),
            numbers: Arc::clone(&numbers),
            totals: Arc::new(Totals::new(settings.max_held_bytes)),
        };
        Self {
            associations: Associations::new(shared),
            transactions: Transactions::new(Arc::clone(&settings), numbers, random),
            settings,
            effects: VecDeque::new(),
        }
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Shared, not copied: asked for with every transaction.
    pub(super) fn peer(&self, domain: &str) -> Option<Arc<Peer>> {
        self.settings.peers.get(domain).cloned()
    }

    /// Takes back a record written before a restart.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        if !self.associations.restore(key, value)? {
            self.transactions.restore(key, value)?;
        }
        Ok(())
    }

    /// Goes to work after all records are back.
    pub(super) fn start(&mut self, now: Time) {
        self.associations.restored(now);
        self.transactions.start(&self.associations, now);
        self.associations.start(now);
        self.associations.neighbours.start();
        self.heed(now);
        let up = self.associations.iter().filter(|it| it.is_up());
        let up: Vec<PeerId> = up.map(|it| it.id().clone()).collect();
        for id in up {
            self.services_due(id.as_str(), now);
        }
    }

    /// Goes by other settings.
    pub(super) fn reload(&mut self, settings: Arc<Settings>, now: Time) {
        self.associations.cast_out(&settings, now);
        self.heed(now);
        self.transactions.configure(&settings);
        self.settings = settings;
        self.associations.reload(&self.settings, now);
        self.heed(now);
        let all: Vec<PeerId> = self.associations.iter().map(|it| it.id().clone()).collect();
        for id in all {
            self.services_due(id.as_str(), now);
        }
    }

    /// What is to be done next. `held`: nothing is let out to peers yet.
    pub(super) fn next_effect(&mut self, held: bool) -> Option<Effect> {
        // Only now, so that all that came together leaves together.
        while self.effects.is_empty()
            && !held
            && let Some(now) = self.associations.flush()
        {
            self.heed(now);
        }
        let effect = self.effects.pop_front();
        effect.or_else(|| {
            let ready = (!held).then(|| self.associations.neighbours.flush());
            ready.flatten().map(Effect::Hand)
        })
    }

    /// See [`super::Sap::take_handed`].
    pub(super) fn take_handed(&mut self, hand: &Hand, now: Time) {
        for handed in self.associations.neighbours.take(hand) {
            self.transact(now, |transactions, queues| {
                transactions.take_handed(hand.from, &handed, queues, now);
            });
        }
        self.heed(now);
    }

    /// Does what is due.
    pub(super) fn timeout(&mut self, now: Time) {
        while let Some(at) = self.next_timeout().filter(|at| *at <= now) {
            if self.transactions.next_timeout() == Some(at) {
                self.transactions.timeout(&mut self.associations, now);
            } else if self.associations.neighbours.next_timeout() == Some(at) {
                self.associations.neighbours.timeout(now);
            } else if self.associations.next_timeout() == Some(at) {
                self.associations.timeout(now);
            } else if let Some(peer) = self.transactions.services.due(now) {
                self.services_due(&peer, now);
            } else {
                self.transactions.profiles_due(now);
            }
            self.heed(now);
        }
    }

    /// When [`Engine::timeout`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        let machines = [
            self.transactions.next_timeout(),
            self.associations.next_timeout(),
            self.associations.neighbours.next_timeout(),
            self.transactions.services.next_timeout(),
            self.transactions.next_profile_timeout(),
        ];
        machines.into_iter().flatten().min()
    }

    /// Gives the associations an input, and heeds what they report.
    pub(super) fn associate<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Associations) -> R,
    ) -> R {
        let result = act(&mut self.associations);
        self.heed(now);
        result
    }

    /// Gives the transactions an input, and heeds what they report.
    pub(super) fn transact<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Transactions, &Associations) -> R,
    ) -> R {
        let result = act(&mut self.transactions, &self.associations);
        self.heed(now);
        result
    }

    /// Gives one association an input, and heeds what it reports. `None`: there is none.
    pub(super) fn with<R>(
        &mut self,
        domain: &str,
        now: Time,
        act: impl FnOnce(&mut Association) -> R,
    ) -> Option<R> {
        self.associate(now, |associations| associations.with(domain, act))
    }

    /// A transaction of a peer, in this session of ours.
    pub(super) fn transaction_of_peer(
        &mut self,
        peer: &Peer,
        session: &SessionId,
        transaction: &Transaction,
        now: Time,
    ) {
        let queues = &self.associations;
        if transaction.mode == Mode::Request {
            self.transactions
                .request_of_peer(peer, Some(session), transaction, queues, now);
        } else if let Some(report) = report_as_request(transaction) {
            self.transactions
                .request_of_peer(peer, None, &report, queues, now);
        } else if !self.answers_services(peer, transaction, now)
            && !self.session_answer(peer, transaction, now)
        {
            self.transactions.response_of_peer(peer, transaction, now);
        }
        self.heed(now);
    }

    /// Takes the answer to a request of service management; false if it is none.
    fn answers_services(&mut self, peer: &Peer, transaction: &Transaction, now: Time) -> bool {
        let services = &mut self.transactions.services;
        if !services.has_asked(peer.real(), &transaction.id) {
            return false;
        }
        let up = self.associations.is_up(peer.real());
        services.answered(peer, transaction, up, now);
        self.heed(now);
        true
    }

    /// The answer to a question of ours about a session; false if it is none.
    fn session_answer(&mut self, peer: &Peer, transaction: &Transaction, now: Time) -> bool {
        let association = self.associations.get(&peer.domain);
        if !association.is_some_and(|it| it.sessions().have_asked(&transaction.id)) {
            return false;
        }
        let answered = self.with(&peer.domain, now, |association| {
            association.session_answer(transaction, now)
        });
        answered == Some(true)
    }

    /// Looks after what is known of a peer and agreed with it.
    fn services_due(&mut self, domain: &str, now: Time) {
        let up = self.associations.is_up(domain);
        self.transactions.services.look_after(domain, up, now);
        self.heed(now);
    }

    /// See [`super::Sap::discover`].
    pub(super) fn discover(&mut self, peer: &str, now: Time) -> bool {
        self.transact(now, |transactions, _| {
            transactions.services.discover(peer, now)
        })
    }

    /// See [`super::Sap::discover_behind`].
    pub(super) fn discover_behind(&mut self, peer: &str, domain: &str, now: Time) -> Option<u64> {
        self.transact(now, |transactions, _| {
            transactions.services.discover_behind(peer, domain, now)
        })
    }

    /// See [`super::Sap::probe`].
    pub(super) fn probe(&mut self, peer: &str, probe: Probe, now: Time) -> Option<u64> {
        self.transact(now, |transactions, _| {
            transactions.services.probe(peer, probe, now)
        })
    }

    /// Does what the machines want done.
    fn heed(&mut self, now: Time) {
        loop {
            if let Some((id, event)) = self.associations.next_event() {
                self.heed_association(&id, event, now);
            } else if let Some(event) = self.transactions.next_event() {
                self.heed_transactions(event, now);
            } else if let Some(event) = self.associations.neighbours.next_event() {
                self.heed_neighbours(event, now);
            } else {
                return;
            }
        }
    }

    fn heed_neighbours(&mut self, event: OfShards, now: Time) {
        match event {
            OfShards::Write(write) => self.effect(Effect::Write(write)),
            OfShards::Taken(to, handed) => {
                let queues = &self.associations;
                self.transactions.handed(to, &handed, queues, now);
            }
        }
    }

    fn heed_association(&mut self, id: &PeerId, event: OfPeer, now: Time) {
        let peer = id.as_str();
        let real = || id.real().to_owned();
        match event {
            OfPeer::Write(write) => self.effect(Effect::Write(write)),
            OfPeer::Post(post) => self.effect(Effect::Post(post)),
            OfPeer::Knock(knock) => self.effect(Effect::Knock(knock)),
            OfPeer::Load(load) => self.effect(Effect::Load(load)),
            OfPeer::Count(count) => self.count(count),
            OfPeer::Note(note) => self.effect(Effect::Note(note)),
            OfPeer::Up => {
                self.effect(Effect::PeerState(real(), true));
                self.services_due(peer, now);
            }
            OfPeer::Reached => self.effect(Effect::PeerState(real(), true)),
            OfPeer::Away(since) => self.effect(Effect::PeerAway(real(), since)),
            OfPeer::Down => self.effect(Effect::PeerState(real(), false)),
            OfPeer::Acknowledged(item) => self.item_acknowledged(id, item, now),
            OfPeer::Lost(item, code) => self.item_lost(id, &item, code, now),
            OfPeer::Unanswered => {
                let queues = &mut self.associations;
                self.transactions.will_not_answer(id, queues, now);
            }
            OfPeer::TokenCame(_) => {}
        }
    }

    fn heed_transactions(&mut self, event: OfTransactions, now: Time) {
        match event {
            OfTransactions::Write(write) => self.effect(Effect::Write(write)),
            OfTransactions::Enqueue(peer, item) => {
                self.associations.with(&peer, |it| it.enqueue(item, now));
            }
            OfTransactions::EnqueueLater(peer, item, at) => {
                self.associations
                    .with(&peer, |it| it.enqueue_later(item, at, now));
            }
            OfTransactions::Hand(to, handed) => self.associations.neighbours.enqueue(to, *handed),
            OfTransactions::Known(peer, known) => self.effect(Effect::Known(peer, known)),
            OfTransactions::Deliver(element, delivered) => {
                self.effect(Effect::Deliver(element, *delivered));
            }
            OfTransactions::TakenOver(element, token, known) => {
                self.effect(Effect::TakenOver(element, token, *known));
            }
            OfTransactions::Answer(element, token, answer) => {
                self.effect(Effect::Answer(element, token, *answer));
            }
            OfTransactions::ToThisSap(request) => self.for_this_sap(*request, now),
            OfTransactions::Own(own) => self.transactions.own(*own, &self.associations, now),
            OfTransactions::Count(count) => self.count(count),
            OfTransactions::Note(note) => self.effect(Effect::Note(note)),
            OfTransactions::Step(step) => self.effect(Effect::Step(step)),
        }
    }

    /// The peer has taken an item over.
    fn item_acknowledged(&mut self, peer: &PeerId, item: Item, now: Time) {
        self.count(Count::Sent);
        if item.name == Name::SendMessageRequest {
            self.count(Count::Ended(Outcome::Relayed));
        }
        self.transactions
            .acknowledged(peer, item, &self.associations, now);
    }

    /// An item will never reach the peer.
    fn item_lost(&mut self, peer: &PeerId, item: &Item, code: Code, now: Time) {
        if item.name == Name::SendMessageRequest {
            let outcome = if code == Code::EXPIRED {
                Outcome::Expired
            } else {
                Outcome::Refused(code.0)
            };
            self.count(Count::Ended(outcome));
        }
        if item.mode == Mode::Request {
            self.transactions.failed(peer, &item.id, code, now);
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn count(&mut self, count: Count) {
        self.effects.push_back(Effect::Count(count));
    }
}
