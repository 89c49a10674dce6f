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

pub mod association;
mod check_only;
mod deadlines;
pub mod dialect;
pub mod effect;
mod network;
pub mod numbers;
mod presented_as;
pub mod profile;
pub mod random;
pub mod service;
pub mod settings;
#[cfg(test)]
mod tests;
mod timers;
pub mod transaction;
mod verdict;
pub mod waiting;
pub mod watch;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::ssp::envelope::Transaction;
use crate::store::Write;

pub use crate::element;
pub use association::hold::Login;
pub use association::logout::LoggedOut;
pub use association::outbox::{self, Found, Load, Loaded};
pub use association::record::SessionRecord;
pub use association::trouble::Trouble;
pub use association::{PeerView, SessionView};
pub use dialect::Dialect;
pub use effect::{Effect, Knock, Post, Posted};
pub use element::{
    Act, Degraded, Delivered, Element, Outcome, RequestId, ServiceElement, Skew, Time, Token,
};
pub use network::Network;
pub use presented_as::Front;
pub use random::Random;
pub use service::{Elements, PseTable, ServiceSet, ServiceView};
pub use settings::{ECHO, Peer, Provider, Route, Routes, Secret, Settings, SpeaksFor};
pub use transaction::{Origin, Place, Record};
pub use verdict::{Facts, Verdict};
pub use watch::{Count, Direction, Trace};

use association::PeerState;
use association::posting::{Flight, PendingStep};
use association::quiet::Quiet;
use numbers::Numbers;
use profile::Profiles;
use service::{Probe, Services};
use timers::Timers;
use transaction::Table;

/// The name under which this SAP keeps what it asks itself. No element knows of such a request.
pub(crate) const OWN: Element = Element::named("Home");

/// The relay SAP of one node.
#[derive(Debug)]
pub struct Sap {
    settings: Arc<Settings>,
    random: Random,
    peers: BTreeMap<String, PeerState>,
    /// What all outboxes take together.
    totals: Arc<outbox::Totals>,
    table: Table,
    timers: Timers,
    /// Posts under way.
    flights: HashMap<u64, Flight>,
    /// Handshake steps waiting for their time.
    steps: HashMap<u64, PendingStep>,
    /// `(peer, message id or invitation)` to the peer's own transaction id, for
    /// dialects that want reports under it.
    reports: HashMap<(String, String), String>,
    forgettable: transaction::bounds::Forgettable,
    message_ids: dialect::message_ids::MessageIds,
    asked: transaction::asked::Asked,
    services: Services,
    /// Messages that peers have taken and not yet answered.
    kept: transaction::try_again::Kept,
    /// The node is about to stop: nothing new is taken, nobody is logged in to.
    closing: bool,
    /// The store has hardly any room: requests are refused, what is under way goes on.
    crowded: bool,
    /// What the log says of those who are no peers.
    quiet: Quiet,
    /// Messages that only the real node may take; see `Settings::visiting`.
    turned_away: u64,
    profiles: Profiles,
    standing: dialect::memberships::Standing,
    questions: dialect::unnamed_leave::Questions,
    numbers: Arc<Numbers>,
    effects: VecDeque<Effect>,
    /// Peers for whom something was queued, and when.
    to_pump: BTreeMap<String, Time>,
    /// Whether they must wait for [`Sap::release`].
    held: bool,
    skew: Skew,
}

impl Sap {
    /// Prefix of all records the SAP keeps.
    pub const PREFIX: &'static str = "sap/";

    /// A SAP without sessions. Call [`Sap::restore`] for each kept record, then
    /// [`Sap::start`].
    pub fn new(settings: Arc<Settings>, random: Random) -> Self {
        let totals = Arc::default();
        let peers = settings
            .peers
            .keys()
            .map(|domain| (domain.clone(), PeerState::new(domain, &totals)))
            .collect();
        let numbers = Arc::new(Numbers::new(&random));
        Self {
            services: Services::new(settings.clone(), numbers.clone(), random.clone()),
            profiles: Profiles::new(settings.clone()),
            settings,
            random,
            peers,
            totals,
            table: Table::default(),
            timers: Timers::default(),
            flights: HashMap::new(),
            steps: HashMap::new(),
            reports: HashMap::new(),
            forgettable: transaction::bounds::Forgettable::default(),
            message_ids: dialect::message_ids::MessageIds::default(),
            asked: transaction::asked::Asked::default(),
            kept: transaction::try_again::Kept::default(),
            closing: false,
            crowded: false,
            quiet: Quiet::default(),
            turned_away: 0,
            standing: dialect::memberships::Standing::default(),
            questions: dialect::unnamed_leave::Questions::default(),
            numbers,
            effects: VecDeque::new(),
            to_pump: BTreeMap::new(),
            held: false,
            skew: Skew::default(),
        }
    }

    /// Says which service elements stand behind this SAP.
    pub fn set_elements(&mut self, elements: Elements) {
        self.services.set_elements(elements);
    }

    /// Says how the wall clock stands, for dates that others see.
    pub fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
        self.services.set_skew(skew);
        self.profiles.set_skew(skew);
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
            if let Some(peer) = self.peers.get_mut(&record.peer) {
                peer.seen.note(record.from);
                peer.add_session(record, true);
            } else {
                self.effects.push_back(Effect::Write(record.delete()));
            }
        } else if let Some(rest) = key.strip_prefix(outbox::PREFIX) {
            let (peer, seq) = rest
                .rsplit_once('/')
                .ok_or_else(|| format!("record {key} names no peer"))?;
            let item = outbox::Item::from_record(value)
                .map_err(|error| format!("record {key} cannot be read: {error}"))?;
            // The queue of a peer taken out is kept until it expires, in case it
            // comes back.
            self.peers
                .entry(peer.to_owned())
                .or_insert_with(|| PeerState::new(peer, &self.totals))
                .outbox
                .restore(number(seq)?, item);
        } else if let Some(peer) = key.strip_prefix(association::logout::COME_BACK) {
            if let Some(state) = self.peers.get_mut(peer) {
                state.wanted = true;
            }
            self.effects.push_back(Effect::Write(Write::delete(key)));
        } else if let Some(rest) = key.strip_prefix(service::table::PREFIX) {
            let agreement = serde_json::from_slice(value).map_err(bad)?;
            self.services.restore(rest, agreement)?;
        } else if let Some(user) = key.strip_prefix(profile::cache::PREFIX) {
            let told = serde_json::from_slice(value).map_err(bad)?;
            self.profiles.restore(user, told);
        } else if key.starts_with(dialect::memberships::PREFIX) {
            let taken: dialect::memberships::Taken = serde_json::from_slice(value).map_err(bad)?;
            if self.peers.contains_key(&taken.seat.peer) {
                self.standing.restore(taken);
            } else {
                self.effects
                    .push_back(Effect::Write(dialect::memberships::forget(&taken.seat)));
            }
        } else if let Some(rest) = key.strip_prefix(transaction::asked::PREFIX) {
            let kept = serde_json::from_slice(value).map_err(bad)?;
            self.asked.restore(number(rest)?, kept);
        } else if key == transaction::asked::SINCE {
            let since = serde_json::from_slice(value).map_err(bad)?;
            self.asked.restore_since(since);
        } else if let Some(rest) = key.strip_prefix(transaction::PREFIX) {
            let record: Record = serde_json::from_slice(value).map_err(bad)?;
            self.remember_report(&record);
            self.remember_message_id(&record);
            let number = number(rest)?;
            self.questions.restore(number, &record);
            self.asked.restore_row(number, &record);
            self.table.restore(number, record);
        }
        Ok(())
    }

    /// Goes to work after all records are back.
    pub fn start(&mut self, now: Time) {
        let domains: Vec<String> = self.peers.keys().cloned().collect();
        for domain in &domains {
            self.forget_sessions(domain);
        }
        self.set_right(now);
        let mut rows: Vec<_> = self
            .table
            .iter()
            .map(|(number, record)| {
                (
                    number,
                    record.name.clone(),
                    record.state.clone(),
                    record.received,
                    record.expires,
                )
            })
            .collect();
        self.asked.start(!rows.is_empty());
        for (number, until) in self.asked.ends() {
            self.timers.set(until, timers::Timer::Forget(number));
        }
        rows.sort_unstable_by_key(|(number, ..)| *number);
        for (number, name, state, received, expires) in rows {
            match state {
                transaction::State::Answered(_) => self.forget_later(number, received),
                _ => {
                    self.timers.set(
                        self.answer_by(&name, received, expires).max(now),
                        timers::Timer::Answer(number),
                    );
                    self.timers
                        .set(expires.max(now), timers::Timer::GiveUp(number));
                    self.linger(number, now);
                }
            }
        }
        self.profiles.timeout(now);
        self.drive_profiles();
        for domain in domains {
            let always = self.settings.peers.get(&domain);
            let always = always.is_some_and(|peer| peer.connect_always);
            if always || self.peers.get(&domain).is_some_and(|state| state.wanted) {
                self.want_session(&domain, now);
            }
            if self
                .peers
                .get(&domain)
                .is_some_and(|state| state.ready_session().is_some())
            {
                self.services_due(&domain, now);
            }
            // What has expired meanwhile is not posted any more.
            if let Some(state) = self.peers.get_mut(&domain) {
                state.next_expiry = state.outbox.next_expiry();
            }
            self.expire_queue(&domain, now);
            self.pump(&domain, now);
            self.schedule_peer(&domain, now);
        }
    }

    /// Replaces the settings: peers, policies, dialects, routes.
    pub fn reload(&mut self, settings: Arc<Settings>, now: Time) {
        let gone: Vec<String> = self
            .peers
            .keys()
            .filter(|domain| !settings.peers.contains_key(*domain))
            .cloned()
            .collect();
        for domain in gone {
            self.cast_out(&domain, now);
        }
        self.services.configure(settings.clone());
        self.profiles.configure(settings.clone());
        self.settings = settings;
        for domain in self.settings.peers.keys() {
            self.peers
                .entry(domain.clone())
                .or_insert_with(|| PeerState::new(domain, &self.totals));
        }
        let domains: Vec<String> = self.peers.keys().cloned().collect();
        for domain in domains {
            if let Some(peer) = self.peer_settings(&domain) {
                self.begin_anew(&peer, now);
                self.limit_sessions(&peer, now);
            }
            self.keep_alive(&domain, now);
            self.services_due(&domain, now);
            self.pump(&domain, now);
            self.schedule_peer(&domain, now);
        }
    }

    /// Numbers posts on from where another SAP of the same node left off, whose
    /// posts may still be under way.
    pub fn continue_numbers(&mut self, before: &Self) {
        self.numbers.follow(&before.numbers);
        self.closing = before.closing;
        self.crowded = before.crowded;
    }

    /// What is to be done next; `None` when all is drained.
    pub fn next_effect(&mut self) -> Option<Effect> {
        if self.effects.is_empty() && !self.held {
            // Only now, so that all that came together leaves together.
            for (domain, now) in std::mem::take(&mut self.to_pump) {
                self.pump(&domain, now);
            }
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
        &self.table
    }

    /// The Service Table, and what is being asked, for looking in.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Asks a peer what it offers; the answer will stand in [`Services::views`], and
    /// that there was one in [`Services::heard`]. False if there is no such peer, or none
    /// that could answer.
    pub fn discover(&mut self, peer: &str, now: Time) -> bool {
        let asks = self.services.discover(peer, now);
        self.drive_services(now);
        asks
    }

    /// Asks a peer what a domain offers that is reached through it; the number of the
    /// question, for [`Services::probe_view`]. `None` if there is no such peer, or none
    /// that could answer.
    pub fn discover_behind(&mut self, peer: &str, domain: &str, now: Time) -> Option<u64> {
        let number = self.services.discover_behind(peer, domain, now);
        self.drive_services(now);
        number
    }

    /// Begins to try a peer; its number for [`Services::probe_view`]. `None` if there is no
    /// such peer, or one that would not understand.
    pub fn probe(&mut self, peer: &str, probe: Probe, now: Time) -> Option<u64> {
        let number = self.services.probe(peer, probe, now);
        self.drive_services(now);
        number
    }

    /// Messages under way: accepted, not yet ended, waiting for a peer.
    pub fn messages_queued(&self) -> u64 {
        let queued = self.peers.values().map(|peer| peer.outbox.messages());
        queued.sum::<usize>() as u64
    }

    /// Shared, not copied: asked for with every transaction.
    fn peer_settings(&self, domain: &str) -> Option<Arc<Peer>> {
        self.settings.peers.get(domain).cloned()
    }

    /// Whether there is a session with a peer.
    fn is_up(&self, domain: &str) -> bool {
        let state = self.peers.get(domain);
        state.is_some_and(|state| state.ready_session().is_some())
    }

    /// Looks after what is known of a peer and agreed with it.
    fn services_due(&mut self, domain: &str, now: Time) {
        let up = self.is_up(domain);
        self.services.look_after(domain, up, now);
        self.drive_services(now);
    }

    /// Takes the answer to a request of service management; false if it is none.
    fn answers_services(&mut self, peer: &Peer, transaction: &Transaction, now: Time) -> bool {
        if !self.services.has_asked(peer.real(), &transaction.id) {
            return false;
        }
        let up = self.is_up(peer.real());
        self.services.answered(peer, transaction, up, now);
        self.drive_services(now);
        true
    }

    /// Does what service management wants done.
    fn drive_services(&mut self, now: Time) {
        while let Some(event) = self.services.next_event() {
            match event {
                service::Event::Ask(peer, item) => self.enqueue(&peer, *item, now),
                service::Event::Write(write) => self.effect(Effect::Write(write)),
                service::Event::Count(count) => self.count(count),
            }
        }
    }

    fn drive_profiles(&mut self) {
        while let Some(write) = self.profiles.next_event() {
            self.effect(Effect::Write(write));
        }
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn write(&mut self, write: impl IntoIterator<Item = crate::store::Write>) {
        self.effects.extend(write.into_iter().map(Effect::Write));
    }

    fn count(&mut self, count: Count) {
        self.effects.push_back(Effect::Count(count));
    }
}
