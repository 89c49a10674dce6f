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
pub mod body;
mod check_only;
mod deadlines;
pub mod dialect;
mod directory;
pub mod effect;
mod engine;
mod inbound;
mod neighbour;
mod network;
pub mod note;
pub mod numbers;
mod post;
mod presented_as;
pub mod profile;
pub mod random;
pub mod service;
mod session_id;
pub mod settings;
#[cfg(test)]
mod tests;
mod to_this_sap;
pub mod transaction;
mod transaction_id;
mod verdict;
pub mod watch;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::imps::{Address, Primitive};
use crate::ssp::envelope::Transaction;

pub use crate::element::{
    Act, Degraded, Delivered, Element, Outcome, RequestId, ServiceElement, Skew, Time, Token,
};
pub use association::login::Login;
pub use association::logout::LoggedOut;
pub use association::outbox;
pub use association::record::SessionRecord;
pub use association::traffic::Traffic;
pub use association::trouble::Trouble;
pub use association::view::{PeerView, Queued, SessionView, Wait};
pub use effect::Effect;
pub use neighbour::{Hand, Handed, is_shard};
pub use network::Network;
pub use note::{About, Note};
pub use post::{Found, Knock, Load, Loaded, Post, Posted};
pub use presented_as::PeerId;
pub use random::Random;
pub use service::{Elements, Known, ServiceView};
pub use session_id::SessionId;
pub use settings::dialect::Dialect;
pub use settings::{
    ECHO, Peer, Provider, PseTable, Route, Routes, Secret, ServiceSet, Settings, Shards, SpeaksFor,
};
pub use transaction::{Origin, Place, Record};
pub use transaction_id::TransactionId;
pub use verdict::{Facts, Verdict};
pub use watch::{Count, Direction, Trace};

use admission::Admission;
use engine::Engine;
use numbers::Numbers;
use service::{Probe, Services};
use transaction::Table;

/// The relay SAP of one node.
#[derive(Debug)]
pub struct Sap {
    engine: Engine,
    admission: Admission,
    /// Messages that only the real node may take; see `Settings::visiting`.
    turned_away: u64,
    numbers: Arc<Numbers>,
    /// Whether what was queued for peers must wait for [`Sap::release`].
    held: bool,
}

impl Sap {
    /// Prefix of all records the SAP keeps.
    pub const PREFIX: &'static str = "sap/";

    /// A SAP without sessions. Call [`Sap::restore`] for each kept record, then
    /// [`Sap::start`].
    pub fn new(settings: Arc<Settings>, random: Random) -> Self {
        let numbers = Arc::new(Numbers::new(&random, settings.shards));
        Self {
            engine: Engine::new(settings, Arc::clone(&numbers), random),
            admission: Admission::default(),
            turned_away: 0,
            numbers,
            held: false,
        }
    }

    /// Says which service elements stand behind this SAP.
    pub fn set_elements(&mut self, elements: Elements) {
        self.engine.transactions.services.set_elements(elements);
    }

    /// Says how the wall clock stands, for dates that others see.
    pub fn set_skew(&mut self, skew: Skew) {
        self.engine.transactions.set_skew(skew);
    }

    /// Takes back a record written before a restart.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        self.engine.restore(key, value)
    }

    /// Goes to work after all records are back.
    pub fn start(&mut self, now: Time) {
        self.engine.start(now);
    }

    /// Replaces the settings: peers, policies, dialects, routes.
    pub fn reload(&mut self, settings: Arc<Settings>, now: Time) {
        self.engine.reload(settings, now);
    }

    /// Numbers posts on from where another SAP of the same node left off, whose
    /// posts may still be under way.
    pub fn continue_numbers(&mut self, before: &Self) {
        self.numbers.follow(&before.numbers);
        self.admission = before.admission;
        self.engine
            .associations
            .set_closing(before.admission.closing);
    }

    /// What is to be done next; `None` when all is drained.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.engine.next_effect(self.held)
    }

    /// Takes over what another shard of this node hands to this one. It may be told so only after
    /// the effects have been committed. What was taken over before has no second effect.
    pub fn take_handed(&mut self, hand: &Hand, now: Time) {
        self.engine.take_handed(hand, now);
    }

    /// What became of a batch for another shard: whether it was taken over.
    pub fn handed(&mut self, number: u64, taken: bool, now: Time) {
        self.engine.associate(now, |associations| {
            associations.neighbours.handed(number, taken, now);
        });
    }

    /// How far this shard has taken over what another one has handed to it, by the number of the
    /// last item.
    pub fn last_taken(&self, from: u16) -> u64 {
        self.engine.associations.neighbours.last_taken(from)
    }

    /// Another shard has taken over so far; to be told after all records are back, since after a
    /// power cut it may know more than is known here.
    pub fn follow(&mut self, shard: u16, last_taken: u64) {
        let neighbours = &mut self.engine.associations.neighbours;
        neighbours.follow(shard, last_taken);
    }

    /// Whether nothing is on its way to other shards.
    pub fn has_handed_all(&self) -> bool {
        self.engine.associations.neighbours.is_idle()
    }

    /// Another shard begins: what is known of the peers of this one is told again. Gives those to
    /// whom there are sessions.
    pub fn tell_all(&mut self, now: Time) -> BTreeSet<String> {
        self.engine
            .transact(now, |transactions, _| transactions.services.tell_all());
        let all = self.engine.associations.iter();
        let up = all.filter(|association| association.is_up());
        up.map(|it| it.id().real().to_owned()).collect()
    }

    /// Another shard knows this of a peer of its own.
    pub fn told(&mut self, peer: String, known: Known, now: Time) {
        self.engine.transact(now, |transactions, _| {
            transactions.services.told(peer, known, now);
        });
    }

    /// Whether there is a session that a peer knows by this id.
    pub fn has_session(&self, id: &str) -> bool {
        self.engine.associations.has_session(id)
    }

    /// Whether a setup message is about a peer of this SAP, or part of a handshake with one.
    pub fn awaits_setup(&self, transaction: &Transaction) -> bool {
        let settings = self.engine.settings();
        let transaction = self.setup_in_our_names(transaction);
        let about = transaction.peek.service.iter();
        let mut about = about.chain(&transaction.peek.about);
        match about.find_map(|from| settings.peer_of(from.domain())) {
            Some(peer) => settings.shards.has_peer(peer.real()),
            None => self.engine.associations.awaits_setup(&transaction),
        }
    }

    /// Whether a session was opened or used from this address.
    pub fn hears_from(&self, remote: IpAddr) -> bool {
        self.engine.associations.hears_from(remote)
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
        self.engine.settings()
    }

    /// The Transaction Table, for looking in.
    pub fn transactions(&self) -> &Table {
        self.engine.transactions.table()
    }

    /// The Service Table, and what is being asked, for looking in.
    pub fn services(&self) -> &Services {
        &self.engine.transactions.services
    }

    /// Asks a peer what it offers; the answer will stand in [`Services::views`], and
    /// that there was one in [`Services::heard`]. False if there is no such peer, or none
    /// that could answer.
    pub fn discover(&mut self, peer: &str, now: Time) -> bool {
        self.engine.discover(peer, now)
    }

    /// Asks a peer what a domain offers that is reached through it; the number of the
    /// question, for [`Services::probe_view`]. `None` if there is no such peer, or none
    /// that could answer.
    pub fn discover_behind(&mut self, peer: &str, domain: &str, now: Time) -> Option<u64> {
        self.engine.discover_behind(peer, domain, now)
    }

    /// Begins to try a peer; its number for [`Services::probe_view`]. `None` if there is no
    /// such peer, or one that would not understand.
    pub fn probe(&mut self, peer: &str, probe: Probe, now: Time) -> Option<u64> {
        self.engine.probe(peer, probe, now)
    }

    /// Messages under way: accepted, not yet ended, waiting for a peer.
    pub fn messages_queued(&self) -> u64 {
        let associations = &self.engine.associations;
        let queued = associations.iter().map(|it| it.outbox().messages());
        (queued.sum::<usize>() + associations.neighbours.messages()) as u64
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        self.engine.timeout(now);
    }

    /// When [`Sap::timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Time> {
        self.engine.next_timeout()
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
        self.engine.transact(now, |transactions, queues| {
            transactions.request(element, (token, expires), None, primitive, queues, now);
        });
    }

    /// The same to the domain of `to`, whoever provides the service to the requestor otherwise.
    pub fn request_at(
        &mut self,
        element: Element,
        asked: (Token, Time),
        to: &Address,
        primitive: &Primitive,
        now: Time,
    ) {
        self.engine.transact(now, |transactions, queues| {
            transactions.request(element, asked, Some(to), primitive, queues, now);
        });
    }

    /// The answer of a service element.
    pub fn respond(&mut self, element: Element, to: RequestId, primitive: Primitive, now: Time) {
        self.engine.transact(now, |transactions, _| {
            transactions.respond(element, to, primitive, now);
        });
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        self.engine.associate(now, |associations| {
            associations.posted(number, outcome, now);
        });
    }

    /// Bodies came from the store.
    pub fn loaded(&mut self, loaded: Loaded, now: Time) {
        self.engine
            .associate(now, |associations| associations.loaded(loaded, now));
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
            self.engine.count(Count::TooLarge);
        }
        self.engine.associate(now, |associations| {
            associations.trouble(trouble, remote, session, now);
        });
    }

    /// The node is about to stop: from now on peers are told to come again later with
    /// new requests, and nobody is logged in to. Answers are still taken.
    pub fn drain(&mut self) {
        self.admission.closing = true;
        self.engine.associations.set_closing(true);
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
        self.engine
            .with(domain, now, |association| association.connect(now));
    }

    /// Logs in to a peer now, whatever has kept us from it, unless there is a session.
    pub fn connect_now(&mut self, domain: &str, now: Time) {
        self.engine
            .with(domain, now, |association| association.connect_now(now));
    }

    /// What became of a login.
    pub fn login(&self, domain: &str) -> Login {
        self.engine.associations.login(domain)
    }

    /// Ends all sessions with a peer. One that understands it is told; that takes two
    /// seconds at most.
    pub fn log_out(&mut self, domain: &str, reason: Option<&str>, now: Time) -> LoggedOut {
        self.engine.associate(now, |associations| {
            associations.log_out(domain, reason, now)
        })
    }

    /// Logs out from all peers that understand it, and remembers to log in to them
    /// after the next start.
    pub fn log_out_everywhere(&mut self, reason: &str, now: Time) {
        self.engine.associate(now, |associations| {
            associations.log_out_everywhere(reason, now);
        });
    }

    /// Whether a logout of ours is under way.
    pub fn is_leaving(&self) -> bool {
        self.engine.associations.is_leaving()
    }

    /// Forgets all sessions with a peer, which is not told; how many there were.
    pub fn drop_sessions(&mut self, domain: &str, now: Time) -> usize {
        let forgotten = self
            .engine
            .with(domain, now, |association| association.forget_sessions(now));
        forgotten.unwrap_or_default()
    }

    /// All peers, as an operator sees them.
    pub fn peer_views(&self) -> Vec<PeerView> {
        let transactions = &self.engine.transactions;
        self.engine.associations.views(|peer| {
            let answers = transactions.took().of(peer).cloned();
            let pending = transactions.table().pending_of(peer);
            (pending, answers.unwrap_or_default())
        })
    }

    /// All sessions, as an operator sees them.
    pub fn session_views(&self) -> Vec<SessionView> {
        self.engine.associations.session_views()
    }

    /// What a peer's outbox waits for; `None` if there is no such peer.
    pub fn wait_of(&self, domain: &str, now: Time) -> Option<Wait> {
        self.engine.associations.wait_of(domain, now)
    }

    /// The messages in outboxes that are wanted, at most `most`.
    pub fn queued_messages(
        &self,
        wanted: impl Fn(&outbox::Item) -> bool,
        most: usize,
        now: Time,
    ) -> Vec<Queued> {
        self.engine.associations.queued_messages(wanted, most, now)
    }
}
