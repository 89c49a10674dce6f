//! Service management (wire profile, 1, 11.2 and 11.3): what each side offers
//! (`offers`), finding out (`discovery`), agreeing on it
//! (`agreement`), the Service Table that keeps both ([`table`], and for people
//! [`view`]), and trying whether a peer answers at all ([`mod@probe`]).
//!
//! A request that its sender may not use is answered 506 before it is routed.

mod agreement;
mod discovery;
mod elements;
mod offers;
pub mod probe;
pub mod table;
pub mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::association::outbox::Item;
use super::deadlines::Deadlines;
use super::numbers::Numbers;
use super::presented_as::domain_of;
use super::random::Random;
use super::settings::{ECHO, Peer, Route, ServiceSet, Settings};
use super::watch::Count;
use crate::element::{Outcome, Skew, Time};
use crate::imps::common::MetaInfo;
use crate::imps::primitive::common::GetSPInfoResponse;
use crate::imps::primitive::{Name, Primitive};
use crate::imps::{Address, Status};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

pub use elements::Elements;
pub use probe::{Probe, ProbeView};
pub use table::{Agreement, Direction, Heard, Known};
pub use view::{AgreementView, ProviderView, ServiceView, Source};

pub(super) use offers::Offers;
use probe::Probes;
use table::{Question, ServiceTable, What};

/// Functions of the session and of service management need no agreement: without
/// them none could be reached.
const ALWAYS: &[&str] = &["SessionFunc", "ServiceMgmtFunc"];
/// What every domain has (11.2).
const MINIMUM: &[&str] = &[
    "SUBPR", "GETPR", "SENDM", "MDELIV", "INVIT", "CAINV", "JOING", "GETJU",
];
/// What the SAP serves to those with whom it has agreed on it: it is told of profiles (11.4).
const OF_SAP_BY_AGREEMENT: &[&str] = &["UPDUP"];
/// Requests that a provider sends to the home domain it serves: they follow from
/// what the home domain may ask, not from what the provider may.
const OF_PROVIDERS: &[Name] = &[
    Name::PresenceAuthRequest,
    Name::NewMessage,
    Name::MessageNotification,
];

/// What service management wants done.
#[derive(Debug)]
pub(super) enum Event {
    /// A request of its own is to go to a peer.
    Ask(String, Box<Item>),
    /// A record is to be kept or forgotten.
    Write(Write),
    Count(Count),
    /// The other shards of this node are to know this of a peer.
    Known(String, Box<Known>),
}

/// The Service Table, the questions under way, and who tries what.
#[derive(Debug)]
pub struct Services {
    settings: Arc<Settings>,
    numbers: Arc<Numbers>,
    random: Random,
    skew: Skew,
    elements: Elements,
    table: ServiceTable,
    probes: Probes,
    /// Peers to look after.
    deadlines: Deadlines<String>,
    events: VecDeque<Event>,
}

impl Services {
    pub(super) fn new(settings: Arc<Settings>, numbers: Arc<Numbers>, random: Random) -> Self {
        Self {
            settings,
            numbers,
            random,
            skew: Skew::default(),
            elements: Elements::default(),
            table: ServiceTable::default(),
            probes: Probes::default(),
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
        }
    }

    /// Takes back an agreement; `rest` is the key without [`table::PREFIX`].
    pub(super) fn restore(&mut self, rest: &str, agreement: Agreement) -> Result<(), String> {
        self.table.restore(rest, agreement)
    }

    pub(super) fn configure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Says which service elements stand behind this SAP.
    pub(super) fn set_elements(&mut self, elements: Elements) {
        self.elements = elements;
    }

    pub(super) fn set_skew(&mut self, skew: Skew) {
        self.skew = skew;
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let shards = self.settings.shards;
        while let Some(peer) = self.table.take_changed() {
            if !shards.is_single()
                && shards.has_peer(&peer)
                && let Some(known) = self.table.known(&peer)
            {
                return Some(Event::Known(peer, Box::new(known)));
            }
        }
        None
    }

    /// What is known of the peers of this shard, for another one that begins.
    pub(super) fn tell_all(&mut self) {
        let shards = self.settings.shards;
        let peers = self
            .settings
            .peers
            .keys()
            .filter(|peer| shards.has_peer(peer));
        let known = peers.filter_map(|peer| Some((peer.clone(), self.table.known(peer)?)));
        let known = known.map(|(peer, known)| Event::Known(peer, Box::new(known)));
        self.events.extend(known);
    }

    /// Takes in what another shard of this node, whose peer it is, knows of it.
    pub(super) fn told(&mut self, peer: String, known: Known, now: Time) {
        if !self.settings.shards.has_peer(&peer) {
            self.table.told(peer, known);
            self.keep_all_to_offers(now);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// A peer that is to be looked after now.
    pub(super) fn due(&mut self, now: Time) -> Option<String> {
        self.deadlines.due(now)
    }

    /// What is offered at this moment, and who may use it.
    pub(super) fn offers(&self, now: Time) -> Offers<'_> {
        Offers {
            settings: &self.settings,
            elements: &self.elements,
            table: &self.table,
            now,
        }
    }

    /// What a peer may use here.
    pub fn usable_by(&self, peer: &Peer, now: Time) -> ServiceSet {
        self.offers(now).usable_by(peer)
    }

    /// The Service Table: one row per domain a peer has told of, and at least one
    /// per peer.
    pub fn views(&self, now: Time) -> Vec<ServiceView> {
        ServiceView::all(&self.offers(now))
    }

    /// Which domain provides what to whose users: what this node serves itself, then
    /// what is configured.
    pub fn providers(&self) -> Vec<ProviderView> {
        ProviderView::all(&self.settings, &self.elements)
    }

    /// What was agreed with a peer in one direction, as long as it holds.
    pub(super) fn agreement(
        &self,
        peer: &str,
        direction: Direction,
        now: Time,
    ) -> Option<&Agreement> {
        self.table.agreement(peer, direction, now)
    }

    /// Answers a request about a domain itself, where the SAP can: discovery, and
    /// who runs this node if no home domain says so.
    pub(super) fn answer(
        &self,
        asker: Option<&str>,
        transaction: &Transaction,
        now: Time,
    ) -> Option<Primitive> {
        let about = transaction.peek.about.as_ref();
        let about = about.map_or("", Address::domain);
        let own = about.is_empty() || about == self.settings.domain;
        match transaction.name.known() {
            Some(Name::GetServiceRequest) => self.offers(now).answer_discovery(asker, about),
            Some(Name::GetSPInfoRequest) if own && !self.home_answers() => {
                Some(self.provider_info())
            }
            _ => None,
        }
    }

    fn home_answers(&self) -> bool {
        match self.settings.routes.find(&self.settings.domain) {
            Some(Route::Local(element)) => {
                let functions = self.elements.functions(*element);
                functions.includes(set(&["GETSPI"]))
            }
            _ => false,
        }
    }

    fn provider_info(&self) -> Primitive {
        let settings = &self.settings;
        let provider = &settings.provider;
        GetSPInfoResponse {
            service: Some(Address::service(&settings.domain)),
            status: Status::ok(),
            name: Some(
                provider
                    .name
                    .clone()
                    .unwrap_or_else(|| settings.domain.clone()),
            ),
            logo: provider.logo.clone(),
            description: provider.description.clone(),
            url: provider.url.clone(),
        }
        .into()
    }

    /// Looks after what is known of a peer and agreed with it, and sets the next time
    /// to do so. `up`: there is a session with it, or one has just come up.
    pub(super) fn look_after(&mut self, domain: &str, up: bool, now: Time) {
        // One of several identities: services are agreed on with the peer itself.
        if domain_of(domain) != domain {
            return;
        }
        self.table.forget_asked(now);
        let ended = self.table.expire(domain, now);
        self.write(ended);
        self.keep_to_offers(domain, now);
        if up && self.table.is_discovery_due(domain, now) {
            self.discover(domain, now);
        }
        if up {
            self.negotiate(domain, now);
        }
        if let Some(next) = self.table.next_due(domain, up) {
            let at = next.max(now.plus(Duration::from_millis(1)));
            self.deadlines.set(at, domain.to_owned());
        }
    }

    /// The answer to a request of the SAP itself.
    pub(super) fn answered(&mut self, peer: &Peer, transaction: &Transaction, up: bool, now: Time) {
        let Some(what) = self.table.answered(peer.real(), &transaction.id) else {
            return;
        };
        match (what, transaction.primitive()) {
            (What::Discovery, answer) => self.discovered(peer, answer, now),
            (What::About(number), Ok(answer)) => {
                self.probes.answered(number, &answer, now);
                if let Primitive::GetServiceResponse(response) = &answer {
                    self.table.learn(peer.real(), response, now);
                }
            }
            (What::Agreement, Ok(answer)) => self.negotiated(peer, &answer, up, now),
            (What::Probe(number), Ok(answer)) => self.probes.answered(number, &answer, now),
            (What::Told, Ok(_)) => {}
            (_, Err(error)) => tracing::debug!(
                ssp.peer = peer.domain,
                error = %error,
                "answer about services cannot be read"
            ),
        }
        self.look_after(peer.real(), up, now);
        if matches!(what, What::Discovery | What::About(_)) {
            self.keep_all_to_offers(now);
        }
    }

    /// Whether an id is that of a question not answered yet.
    pub(super) fn has_asked(&self, peer: &str, id: &str) -> bool {
        self.table.has_asked(peer, id)
    }

    /// A peer has answered a request for `domain` with 405 or 501: it does not have that
    /// function (wire profile, 11). What was granted of it is reduced.
    pub(super) fn not_supported(
        &mut self,
        peer: &str,
        name: Option<Name>,
        domain: &str,
        now: Time,
    ) {
        let Some((name, function)) =
            name.and_then(|name| Some((name, ServiceSet::named(name.facts().leaf)?)))
        else {
            return;
        };
        tracing::info!(
            ssp.peer = peer,
            ssp.primitive = name.as_str(),
            domain,
            "the function is taken out of the Service Table: 405 or 501"
        );
        self.table.refuse(peer, domain, function, now);
        self.keep_all_to_offers(now);
    }

    /// Begins to try a peer; its number for [`Services::probe_view`]. `None` if there is no
    /// such peer, or one that would not understand.
    pub(super) fn probe(&mut self, peer: &str, probe: Probe, now: Time) -> Option<u64> {
        let peer = self.settings.peers.get(peer)?.clone();
        let (request, echo) = match probe {
            Probe::KeepAlive if !peer.dialect.keep_alive => return None,
            Probe::KeepAlive => (probe::keep_alive(self.own_meta()), None),
            Probe::Echo if !peer.dialect.echo => return None,
            Probe::Echo => {
                let echo = Address::user(ECHO, peer.real());
                let unique = self.numbers.next();
                let name = format!("wvgate-check-{}{unique}", self.numbers.run());
                let sender = Address::user(&name, &self.settings.domain);
                let date = self.skew.date(now);
                let message = probe::message(&self.settings, &echo, &sender, date);
                // It ends when it is acknowledged or has expired, like any other.
                self.events.push_back(Event::Count(Count::Accepted));
                (message, Some((echo, sender)))
            }
        };
        let number = self.numbers.next();
        self.probes.begin(number, echo, now);
        self.ask(&peer, What::Probe(number), &request, now);
        Some(number)
    }

    /// How far a probe, or a question about a domain, has come.
    pub fn probe_view(&self, number: u64) -> Option<&ProbeView> {
        self.probes.view(number)
    }

    /// Whether a message between these two is the echo to a probe.
    pub(super) fn awaits_echo(&self, from: &Address, to: &Address) -> bool {
        self.probes.awaits(from, to)
    }

    /// Takes a peer's message that is the echo to a probe, and answers it.
    pub(super) fn take_echo(&mut self, transaction: &Transaction, now: Time) -> Option<Primitive> {
        let answer = self.probes.take_echo(transaction, now)?;
        self.events.push_back(Event::Count(Count::Accepted));
        let ended = Count::Ended(Outcome::Delivered);
        self.events.push_back(Event::Count(ended));
        Some(answer)
    }

    /// Sends a request of the SAP itself.
    fn ask(&mut self, peer: &Peer, what: What, request: &Primitive, now: Time) {
        let id = self.numbers.id();
        let until = now.plus(self.settings.response_timeout);
        let asked = Question { what, until };
        self.table.ask(peer.real(), &id, asked);
        self.deadlines.set(until, peer.real().to_owned());
        let item = Item {
            mode: Mode::Request,
            id: id.into(),
            name: request.any_name(),
            raw: peer.dialect.print(request),
            conversation: None,
            expires: until,
            message: None,
            via: None,
        };
        let to = peer.real().to_owned();
        self.events.push_back(Event::Ask(to, Box::new(item)));
    }

    fn write(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.events.extend(writes.into_iter().map(Event::Write));
    }

    fn own_meta(&self) -> MetaInfo {
        MetaInfo::of_server(&self.settings.domain)
    }
}

/// Leaves by name; all names are of this module.
fn set(names: &[&str]) -> ServiceSet {
    ServiceSet::of_known(names)
}
