//! The relay SAP: sessions, transactions, routing. Pure: values and a `now` in,
//! effects out.
//!
//! ```text
//!            receive ─▶ session ─▶ request ─▶ permission ─▶ duplicate? ─▶ route ─┬▶ outbox ─▶ post
//!  peer ───▶                                                                     └▶ service element
//!            receive ─▶ session ─▶ response ─▶ Transaction Table ─▶ outbox, or service element
//! ```
//!
//! [`Sap`] is one value with a handful of methods: [`Sap::receive`] takes a
//! message of a peer, [`Sap::request`] and [`Sap::respond`] those of the service
//! elements, [`Sap::posted`] the fate of a POST, [`Sap::timeout`] the time; each
//! leaves its [`Effect`]s to be drained by [`Sap::next_effect`].

mod admission;
pub mod association;
mod associations;
mod check_only;
mod deadlines;
pub mod dialect;
pub mod effect;
mod inbound;
mod network;
pub mod numbers;
mod post;
mod presented_as;
pub mod profile;
pub mod random;
pub mod service;
pub mod settings;
#[cfg(test)]
mod tests;
mod to_this_sap;
pub mod transaction;
mod verdict;
pub mod watch;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use crate::imps::{Code, Primitive};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

pub use crate::element::{
    Act, Degraded, Delivered, Element, Outcome, RequestId, ServiceElement, Skew, Time, Token,
};
pub use association::login::Login;
pub use association::logout::LoggedOut;
pub use association::outbox;
pub use association::record::SessionRecord;
pub use association::trouble::Trouble;
pub use association::view::{PeerView, Queued, SessionView, Wait};
pub use effect::Effect;
pub use network::Network;
pub use post::{Found, Knock, Load, Loaded, Post, Posted};
pub use presented_as::PeerId;
pub use random::Random;
pub use service::{Elements, ServiceView};
pub use settings::dialect::Dialect;
pub use settings::{
    ECHO, Peer, Provider, PseTable, Route, Routes, Secret, ServiceSet, Settings, SpeaksFor,
};
pub use transaction::{Origin, Place, Record};
pub use verdict::{Facts, Verdict};
pub use watch::{Count, Direction, Trace};

use admission::Admission;
use association::{Association, Shared};
use associations::Associations;
use numbers::Numbers;
use service::{Probe, Services};
use transaction::{Table, Transactions, report_as_request};

/// The relay SAP of one node.
#[derive(Debug)]
pub struct Sap {
    settings: Arc<Settings>,
    associations: Associations,
    transactions: Transactions,
    admission: Admission,
    /// Messages that only the real node may take; see `Settings::visiting`.
    turned_away: u64,
    numbers: Arc<Numbers>,
    effects: VecDeque<Effect>,
    /// Whether what was queued for peers must wait for [`Sap::release`].
    held: bool,
}

impl Sap {
    /// Prefix of all records the SAP keeps.
    pub const PREFIX: &'static str = "sap/";

    /// A SAP without sessions. Call [`Sap::restore`] for each kept record, then
    /// [`Sap::start`].
    pub fn new(settings: Arc<Settings>, random: Random) -> Self {
        let numbers = Arc::new(Numbers::new(&random));
        let shared = Shared {
            settings: Arc::clone(&settings),
            random: random.clone(),
            numbers: Arc::clone(&numbers),
            totals: Arc::default(),
        };
        Self {
            transactions: Transactions::new(settings.clone(), numbers.clone(), random),
            settings,
            associations: Associations::new(shared),
            admission: Admission::default(),
            turned_away: 0,
            numbers,
            effects: VecDeque::new(),
            held: false,
        }
    }

    /// Says which service elements stand behind this SAP.
    pub fn set_elements(&mut self, elements: Elements) {
        self.transactions.services.set_elements(elements);
    }

    /// Says how the wall clock stands, for dates that others see.
    pub fn set_skew(&mut self, skew: Skew) {
        self.transactions.set_skew(skew);
    }

    /// Takes back a record written before a restart.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let bad = |e: serde_json::Error| format!("record {key} cannot be read: {e}");
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("record {key} has no number"))
        };
        if key.starts_with(SessionRecord::PREFIX) {
            let record: SessionRecord = serde_json::from_slice(value).map_err(bad)?;
            // A peer taken out of the configuration loses its sessions.
            if !self.associations.restore_session(&record) {
                self.effects.push_back(Effect::Write(record.delete()));
            }
        } else if let Some(rest) = key.strip_prefix(outbox::PREFIX) {
            let (peer, seq) = rest
                .rsplit_once('/')
                .ok_or_else(|| format!("record {key} names no peer"))?;
            let item = outbox::Item::from_record(value)
                .map_err(|error| format!("record {key} cannot be read: {error}"))?;
            self.associations.restore_item(peer, number(seq)?, item);
        } else if let Some(peer) = key.strip_prefix(association::logout::COME_BACK) {
            self.associations.come_back(peer);
            self.effects.push_back(Effect::Write(Write::delete(key)));
        } else {
            self.transactions.restore(key, value)?;
        }
        Ok(())
    }

    /// Goes to work after all records are back.
    pub fn start(&mut self, now: Time) {
        self.associations.restored(now);
        self.transactions.start(&self.associations, now);
        self.associations.start(now);
        self.heed(now);
        let up = self.associations.iter().filter(|it| it.is_up());
        let up: Vec<PeerId> = up.map(|it| it.id().clone()).collect();
        for id in up {
            self.services_due(id.as_str(), now);
        }
    }

    /// Replaces the settings: peers, policies, dialects, routes.
    pub fn reload(&mut self, settings: Arc<Settings>, now: Time) {
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

    /// Numbers posts on from where another SAP of the same node left off, whose
    /// posts may still be under way.
    pub fn continue_numbers(&mut self, before: &Self) {
        self.numbers.follow(&before.numbers);
        self.admission = before.admission;
        self.associations.set_closing(before.admission.closing);
    }

    /// What is to be done next; `None` when all is drained.
    pub fn next_effect(&mut self) -> Option<Effect> {
        // Only now, so that all that came together leaves together.
        while self.effects.is_empty()
            && !self.held
            && let Some(now) = self.associations.flush()
        {
            self.heed(now);
        }
        self.effects.pop_front()
    }

    /// Lets nothing out to peers until [`Sap::release`], so that what several
    /// inputs queue up for one peer fills one POST.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Ends [`Sap::hold`]; the effects are to be drained again.
    pub fn release(&mut self) {
        self.held = false;
    }

    /// The settings in force.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The Transaction Table, for looking in.
    pub fn transactions(&self) -> &Table {
        self.transactions.table()
    }

    /// The Service Table, and what is being asked, for looking in.
    pub fn services(&self) -> &Services {
        &self.transactions.services
    }

    /// Asks a peer what it offers; the answer will stand in [`Services::views`], and
    /// that there was one in [`Services::heard`]. False if there is no such peer, or none
    /// that could answer.
    pub fn discover(&mut self, peer: &str, now: Time) -> bool {
        let asks = self.transactions.services.discover(peer, now);
        self.heed(now);
        asks
    }

    /// Asks a peer what a domain offers that is reached through it; the number of the
    /// question, for [`Services::probe_view`]. `None` if there is no such peer, or none
    /// that could answer.
    pub fn discover_behind(&mut self, peer: &str, domain: &str, now: Time) -> Option<u64> {
        let number = self
            .transactions
            .services
            .discover_behind(peer, domain, now);
        self.heed(now);
        number
    }

    /// Begins to try a peer; its number for [`Services::probe_view`]. `None` if there is no
    /// such peer, or one that would not understand.
    pub fn probe(&mut self, peer: &str, probe: Probe, now: Time) -> Option<u64> {
        let number = self.transactions.services.probe(peer, probe, now);
        self.heed(now);
        number
    }

    /// Messages under way: accepted, not yet ended, waiting for a peer.
    pub fn messages_queued(&self) -> u64 {
        let queued = self.associations.iter().map(|it| it.outbox().messages());
        queued.sum::<usize>() as u64
    }

    /// Shared, not copied: asked for with every transaction.
    fn peer_settings(&self, domain: &str) -> Option<Arc<Peer>> {
        self.settings.peers.get(domain).cloned()
    }

    /// Whether there is a session with a peer.
    fn is_up(&self, domain: &str) -> bool {
        self.associations.is_up(domain)
    }

    /// Looks after what is known of a peer and agreed with it.
    fn services_due(&mut self, domain: &str, now: Time) {
        let up = self.is_up(domain);
        self.transactions.services.look_after(domain, up, now);
        self.heed(now);
    }

    /// Takes the answer to a request of service management; false if it is none.
    fn answers_services(&mut self, peer: &Peer, transaction: &Transaction, now: Time) -> bool {
        if !self
            .transactions
            .services
            .has_asked(peer.real(), &transaction.id)
        {
            return false;
        }
        let up = self.is_up(peer.real());
        self.transactions
            .services
            .answered(peer, transaction, up, now);
        self.heed(now);
        true
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        while let Some(at) = self.next_timeout().filter(|at| *at <= now) {
            if self.transactions.next_timeout() == Some(at) {
                self.transactions.timeout(&mut self.associations, now);
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

    /// When [`Sap::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        let machines = [
            self.transactions.next_timeout(),
            self.associations.next_timeout(),
            self.transactions.services.next_timeout(),
            self.transactions.next_profile_timeout(),
        ];
        machines.into_iter().flatten().min()
    }

    /// A request or notice of a service element of this node.
    pub fn request(
        &mut self,
        element: Element,
        token: Token,
        primitive: &Primitive,
        expires: Time,
        now: Time,
    ) {
        let queues = &self.associations;
        self.transactions
            .request(element, token, primitive, expires, queues, now);
        self.heed(now);
    }

    /// The answer of a service element.
    pub fn respond(&mut self, element: Element, to: RequestId, primitive: &Primitive, now: Time) {
        self.transactions.respond(element, to, primitive, now);
        self.heed(now);
    }

    /// A transaction of a peer, in this session of ours.
    fn transaction_of_peer(
        &mut self,
        peer: &Peer,
        session: &str,
        transaction: &Transaction,
        now: Time,
    ) {
        let queues = &self.associations;
        if transaction.mode == Mode::Request {
            self.transactions
                .request_of_peer(peer, session, transaction, queues, now);
        } else if let Some(report) = report_as_request(transaction) {
            self.transactions
                .request_of_peer(peer, "", &report, queues, now);
        } else if !self.answers_services(peer, transaction, now)
            && !self.session_answer(peer, transaction, now)
        {
            self.transactions.response_of_peer(peer, transaction, now);
        }
        self.heed(now);
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        self.associations.posted(number, outcome, now);
        self.heed(now);
    }

    /// Bodies came from the store.
    pub fn loaded(&mut self, loaded: Loaded, now: Time) {
        self.associations.loaded(loaded, now);
        self.heed(now);
    }

    /// Something came from this address, perhaps with the id of a session in its head, that
    /// never became a message.
    pub fn trouble(
        &mut self,
        trouble: Trouble,
        remote: Option<IpAddr>,
        session: Option<&str>,
        now: Time,
    ) {
        if trouble == Trouble::TooLarge {
            self.count(Count::TooLarge);
        }
        self.associations.trouble(trouble, remote, session, now);
        self.heed(now);
    }

    /// The node is about to stop: from now on peers are told to come again later with
    /// new requests, and nobody is logged in to. Answers are still taken.
    pub fn drain(&mut self) {
        self.admission.closing = true;
        self.associations.set_closing(true);
    }

    /// Whether the node is about to stop.
    pub fn is_closing(&self) -> bool {
        self.admission.closing
    }

    /// Says whether the store has hardly any room. While it has, peers are told to come again later
    /// with requests; sessions are kept up, and answers taken, so that what is under way ends.
    pub fn set_crowded(&mut self, crowded: bool) {
        self.admission.crowded = crowded;
    }

    /// Opens a handshake unless one is open, a session stands, or it is too early.
    pub fn connect(&mut self, domain: &str, now: Time) {
        self.with(domain, now, |association| association.connect(now));
    }

    /// Logs in to a peer now, whatever has kept us from it, unless there is a session.
    pub fn connect_now(&mut self, domain: &str, now: Time) {
        self.with(domain, now, |association| association.connect_now(now));
    }

    /// What became of a login.
    pub fn login(&self, domain: &str) -> Login {
        self.associations.login(domain)
    }

    /// Ends all sessions with a peer. One that understands it is told; that takes two
    /// seconds at most.
    pub fn log_out(&mut self, domain: &str, reason: Option<&str>, now: Time) -> LoggedOut {
        let ended = self.associations.log_out(domain, reason, now);
        self.heed(now);
        ended
    }

    /// Logs out from all peers that understand it, and remembers to log in to them
    /// after the next start.
    pub fn log_out_everywhere(&mut self, reason: &str, now: Time) {
        self.associations.log_out_everywhere(reason, now);
        self.heed(now);
    }

    /// Whether a logout of ours is under way.
    pub fn is_leaving(&self) -> bool {
        self.associations.is_leaving()
    }

    /// Forgets all sessions with a peer, which is not told.
    pub fn drop_sessions(&mut self, domain: &str) -> usize {
        let dropped = self.associations.with(domain, Association::drop_sessions);
        self.heed(Time::default());
        dropped.unwrap_or_default()
    }

    /// All peers, as an operator sees them.
    pub fn peer_views(&self) -> Vec<PeerView> {
        self.associations
            .views(|domain| self.transactions.table().pending_of(domain))
    }

    /// All sessions, as an operator sees them.
    pub fn session_views(&self) -> Vec<SessionView> {
        self.associations.session_views()
    }

    /// What a peer's outbox waits for; `None` if there is no such peer.
    pub fn wait_of(&self, domain: &str, now: Time) -> Option<Wait> {
        self.associations.wait_of(domain, now)
    }

    /// The messages in outboxes that are wanted, at most `most`.
    pub fn queued_messages(
        &self,
        wanted: impl Fn(&outbox::Item) -> bool,
        most: usize,
        now: Time,
    ) -> Vec<Queued> {
        self.associations.queued_messages(wanted, most, now)
    }

    /// Gives an association an input, and heeds what it reports.
    fn with<R>(
        &mut self,
        domain: &str,
        now: Time,
        act: impl FnOnce(&mut Association) -> R,
    ) -> Option<R> {
        let result = self.associations.with(domain, act);
        self.heed(now);
        result
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

    /// Does what the machines want done.
    fn heed(&mut self, now: Time) {
        loop {
            if let Some((id, event)) = self.associations.next_event() {
                self.heed_association(&id, event, now);
            } else if let Some(event) = self.transactions.next_event() {
                self.heed_transactions(event, now);
            } else {
                return;
            }
        }
    }

    fn heed_association(&mut self, id: &PeerId, event: association::Event, now: Time) {
        use association::Event;
        let peer = id.as_str();
        let real = || id.real().to_owned();
        match event {
            Event::Write(write) => self.effect(Effect::Write(write)),
            Event::Post(post) => self.effect(Effect::Post(post)),
            Event::Knock(knock) => self.effect(Effect::Knock(knock)),
            Event::Load(load) => self.effect(Effect::Load(load)),
            Event::Count(count) => self.count(count),
            Event::Trace(trace) => self.effect(Effect::Trace(trace)),
            Event::Up => {
                self.effect(Effect::PeerState(real(), true));
                self.services_due(peer, now);
            }
            Event::Reached => self.effect(Effect::PeerState(real(), true)),
            Event::Away(since) => self.effect(Effect::PeerAway(real(), since)),
            Event::Down => self.effect(Effect::PeerState(real(), false)),
            Event::Acknowledged(item) => self.item_acknowledged(peer, item, now),
            Event::Lost(item, code) => self.item_lost(peer, &item, code, now),
            Event::Unanswered => {
                let queues = &mut self.associations;
                self.transactions.will_not_answer(peer, queues, now);
            }
            Event::TokenCame(_) => {}
        }
    }

    fn heed_transactions(&mut self, event: transaction::Event, now: Time) {
        use transaction::Event;
        match event {
            Event::Write(write) => self.effect(Effect::Write(write)),
            Event::Enqueue(peer, item) => {
                self.associations.with(&peer, |it| it.enqueue(item, now));
            }
            Event::EnqueueLater(peer, item, at) => {
                self.associations
                    .with(&peer, |it| it.enqueue_later(item, at, now));
            }
            Event::Deliver(element, delivered) => {
                self.effect(Effect::Deliver(element, *delivered));
            }
            Event::Answer(element, token, answer) => {
                self.effect(Effect::Answer(element, token, *answer));
            }
            Event::ToThisSap(request) => self.for_this_sap(*request, now),
            Event::Own(own) => self.transactions.own(*own, &self.associations, now),
            Event::Count(count) => self.count(count),
            Event::Trace(trace) => self.effect(Effect::Trace(trace)),
            Event::Step(step) => self.effect(Effect::Step(step)),
        }
    }

    /// The peer has taken an item over.
    fn item_acknowledged(&mut self, domain: &str, item: outbox::Item, now: Time) {
        self.count(Count::Sent);
        if item.name == "SendMessageRequest" {
            self.count(Count::Ended(Outcome::Relayed));
        }
        self.transactions
            .acknowledged(domain, item, &self.associations, now);
    }

    /// An item will never reach the peer.
    fn item_lost(&mut self, domain: &str, item: &outbox::Item, code: Code, now: Time) {
        if item.name == "SendMessageRequest" {
            let outcome = if code == Code::EXPIRED {
                Outcome::Expired
            } else {
                Outcome::Refused(code.0)
            };
            self.count(Count::Ended(outcome));
        }
        if item.mode == Mode::Request {
            self.transactions.failed(domain, &item.id, code, now);
        }
    }

    /// Refuses with a counted code.
    fn count_refusal(&mut self, code: u16) {
        self.count(Count::Refused(code));
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn count(&mut self, count: Count) {
        self.effects.push_back(Effect::Count(count));
    }
}
