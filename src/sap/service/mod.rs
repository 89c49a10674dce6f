//! Service management (wire profile, 1, 11.2 and 11.3): what each side offers
//! ([`tree`]), finding out ([`mod@discovery`]), agreeing on it ([`mod@agreement`]),
//! the Service Table that keeps both ([`table`], and for people [`view`]), which domain
//! provides a service to a home domain's users ([`pse`]), and trying whether a peer
//! answers at all ([`mod@probe`]).
//!
//! A request that its sender may not use is answered 506 before it is routed.

mod agreement;
mod discovery;
pub mod probe;
pub mod provider;
pub mod table;
pub mod tree;
pub mod view;

use super::association::outbox::Item;
use super::element::{Element, Time};
use super::presented_as::domain_of;
use super::settings::Route;
use super::timers::Timer;
use super::{Peer, Sap};
use crate::ssp::common::MetaInfo;
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::common::GetSPInfoResponse;
use crate::ssp::primitive::{self, Kind};
use crate::ssp::{Address, Mode, Primitive, Status};

pub use probe::{Probe, ProbeView};
pub use provider::PseTable;
pub use table::{Agreement, Direction, Heard};
pub use tree::ServiceSet;
pub use view::{AgreementView, ProviderView, ServiceView, Source};

pub(super) use probe::Probes;
pub(super) use table::ServiceTable;
use table::{Asked, KNOWN_FOR, SPREAD, What};

/// Functions of the session and of service management need no agreement: without
/// them none could be reached.
const ALWAYS: &[&str] = &["SessionFunc", "ServiceMgmtFunc"];
/// What every domain has (11.2).
const MINIMUM: &[&str] = &[
    "SUBPR", "GETPR", "SENDM", "MDELIV", "INVIT", "CAINV", "JOING", "GETJU",
];
/// What the SAP itself serves.
const OF_SAP: &[&str] = &["KEEPA", "LOGOU", "GETSV", "NEGSV", "GETSPI"];
/// What it serves to those with whom it has agreed on it: it is told of profiles (11.4).
const OF_SAP_BY_AGREEMENT: &[&str] = &["UPDUP"];
/// What the embedded home domain serves.
const OF_HOME: &[&str] = &[
    "SUBPR", "GETPR", "SENDM", "MDELIV", "GETSPI", "VRID", "GETUP", "UPDUP",
];
/// What the echo user of a node without home domain serves.
const OF_ECHO: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV"];
/// What the XMPP gateway serves.
const OF_GATEWAY: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV", "VRID"];
/// Requests that a provider sends to the home domain it serves: they follow from
/// what the home domain may ask, not from what the provider may.
const OF_PROVIDERS: &[&str] = &["PresenceAuthRequest", "NewMessage", "MessageNotification"];

/// Leaves by name; all names are of this module.
fn set(names: &[&str]) -> ServiceSet {
    names
        .iter()
        .filter_map(|name| ServiceSet::named(name))
        .fold(ServiceSet::NONE, ServiceSet::union)
}

impl ServiceSet {
    /// What a service element of this node really serves.
    pub fn of_element(element: Element) -> Self {
        set(match element {
            Element::Home => OF_HOME,
            Element::Gateway => OF_GATEWAY,
        })
    }

    /// What the echo user serves.
    pub fn of_echo() -> Self {
        set(OF_ECHO)
    }

    /// What the SAP serves: session and service management.
    pub fn of_sap() -> Self {
        set(OF_SAP)
    }
}

impl Sap {
    /// What a peer may use here: what was agreed, or without an agreement what its
    /// record offers; never more than the record offers.
    pub fn usable_by(&self, peer: &Peer, now: Time) -> ServiceSet {
        let agreed = self
            .services
            .agreement(peer.real(), Direction::Granted, now)
            .map_or(peer.offers, |agreement| {
                agreement.functions.intersection(peer.offers)
            });
        agreed.union(set(ALWAYS))
    }

    /// What we may use at a peer; without an agreement nothing is forbidden.
    pub fn usable_at(&self, peer: &str, now: Time) -> ServiceSet {
        self.services
            .agreement(peer, Direction::Obtained, now)
            .map_or(ServiceSet::ALL, |agreement| {
                agreement.functions.union(set(ALWAYS))
            })
    }

    /// Whether a request of the peer is outside of what it may use: 506.
    pub(super) fn not_agreed(&self, peer: &Peer, transaction: &Transaction, now: Time) -> bool {
        if peer.offers == ServiceSet::ALL && !self.has_agreement(peer.real(), Direction::Granted) {
            return false;
        }
        let Some(function) = function(transaction) else {
            return false;
        };
        if self.usable_by(peer, now).includes(function) {
            return false;
        }
        let ours = || self.usable_at(peer.real(), now).intersection(peer.wants);
        !(is_of_provider(transaction) && ours().includes(function))
    }

    /// Whether an agreement with the peer leaves out a request that would go there.
    pub(super) fn not_obtained(&self, peer: &str, transaction: &Transaction, now: Time) -> bool {
        self.has_agreement(peer, Direction::Obtained)
            && !is_of_provider(transaction)
            && function(transaction)
                .is_some_and(|function| !self.usable_at(peer, now).includes(function))
    }

    /// Whether there is one at all; most peers have none, and nothing to be checked.
    fn has_agreement(&self, peer: &str, direction: Direction) -> bool {
        self.services
            .agreement(peer, direction, Time::default())
            .is_some()
    }

    /// Answers a request about a domain itself, where the SAP can: discovery, and
    /// who runs this node if no home domain says so.
    pub(super) fn answer_for_service(
        &mut self,
        asker: Option<&str>,
        transaction: &Transaction,
        now: Time,
    ) -> Option<Primitive> {
        let about = transaction.peek.about.as_ref();
        let about = about.map_or("", Address::domain);
        let own = about.is_empty() || about == self.settings.domain;
        match transaction.name.as_ref() {
            "GetServiceRequest" => self.answer_discovery(asker, about, now),
            "GetSPInfoRequest" if own && !self.home_answers() => Some(self.provider_info()),
            _ => None,
        }
    }

    fn home_answers(&self) -> bool {
        let route = self.settings.routes.find(&self.settings.domain);
        route == Some(&Route::Local(Element::Home))
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
            logo: None,
            description: provider.description.clone(),
            url: provider.url.clone(),
        }
        .into()
    }

    /// Looks after what is known of a peer and agreed with it, and sets the next time
    /// to do so. Also called when its session comes up.
    pub(super) fn services_due(&mut self, domain: &str, now: Time) {
        // One of several identities: services are agreed on with the peer itself.
        if domain_of(domain) != domain {
            return;
        }
        self.services.forget_asked(now);
        let ended = self.services.expire(domain, now);
        self.write(ended);
        self.keep_to_offers(domain, now);
        let up = self.is_up(domain);
        if up && self.services.is_discovery_due(domain, now) {
            self.discover(domain, now);
        }
        self.negotiate(domain, now);
        if let Some(next) = self.services.next_due(domain, up) {
            let at = next.max(now.plus_millis(1));
            self.timers.set(at, Timer::Service(domain.to_owned()));
        }
    }

    fn is_up(&self, domain: &str) -> bool {
        let state = self.peers.get(domain);
        state.is_some_and(|state| state.ready_session().is_some())
    }

    /// The answer to a request of the SAP itself; false if it is none.
    pub(super) fn service_answer(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let Some(what) = self.services.answered(peer.real(), &transaction.id) else {
            return false;
        };
        match (what, transaction.primitive()) {
            (What::Discovery, answer) => self.discovered(peer, answer, now),
            (What::About(number), Ok(answer)) => {
                self.probes.answered(number, &answer, now);
                if let Primitive::GetServiceResponse(response) = &answer {
                    self.services.learn(peer.real(), response, now);
                }
            }
            (What::Agreement, Ok(answer)) => self.negotiated(peer, &answer, now),
            (What::Probe(number), Ok(answer)) => self.probes.answered(number, &answer, now),
            (What::Told, Ok(_)) => {}
            (_, Err(error)) => tracing::debug!(
                ssp.peer = peer.domain,
                error = %error,
                "answer about services cannot be read"
            ),
        }
        self.services_due(peer.real(), now);
        if matches!(what, What::Discovery | What::About(_)) {
            self.keep_all_to_offers(now);
        }
        true
    }

    /// A peer has answered a request for `domain` with 405 or 501: it does not have that
    /// function (wire profile, 11, common conventions). What was granted of it is reduced.
    pub(super) fn not_supported(&mut self, peer: &str, name: &str, domain: &str, now: Time) {
        let leaf = primitive::facts(name).map_or("", |facts| facts.leaf);
        let Some(function) = ServiceSet::named(leaf) else {
            return;
        };
        tracing::info!(
            ssp.peer = peer,
            ssp.primitive = name,
            domain,
            "the function is taken out of the Service Table: 405 or 501"
        );
        self.services.refuse(peer, domain, function, now);
        self.keep_all_to_offers(now);
    }

    /// Whether a peer has said lately that `domain` does not have the function a request
    /// belongs to. The minimum set is tried again and again: every domain has it.
    pub(super) fn is_refused_there(
        &self,
        peer: &str,
        domain: &str,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let refused = self.services.refused(peer, domain, now);
        let refused = refused.difference(set(MINIMUM));
        !refused.is_empty()
            && function(transaction).is_some_and(|function| refused.includes(function))
    }

    /// Sends a request of the SAP itself.
    fn ask(&mut self, peer: &Peer, what: What, request: &Primitive, now: Time) {
        let id = self.numbers.id();
        let until = now.plus_millis(self.settings.response_timeout);
        let asked = Asked { what, until };
        self.services.ask(peer.real(), &id, asked);
        self.timers
            .set(until, Timer::Service(peer.real().to_owned()));
        let item = Item {
            mode: Mode::Request,
            id,
            name: request.name().to_owned(),
            raw: request.to_xml(Some(peer.dialect.style())),
            conversation: None,
            expires: until,
            message: None,
            via: None,
        };
        self.enqueue(peer.real(), item, now);
    }

    fn own_meta(&self) -> MetaInfo {
        MetaInfo::of_server(&self.settings.domain)
    }
}

/// The function of the service tree that a request belongs to; `None` for what
/// needs no agreement. Notices belong to the requests they follow from.
fn function(transaction: &Transaction) -> Option<ServiceSet> {
    let facts = primitive::facts(&transaction.name)?;
    if facts.kind != Kind::Request {
        return None;
    }
    let leaf = match transaction.name.as_ref() {
        "InviteRequest" if shares_content(transaction) => "INVSC",
        "CancelInviteRequest" if shares_content(transaction) => "CASC",
        _ => facts.leaf,
    };
    ServiceSet::named(leaf)
}

/// An invitation to content (type SC), or its cancellation, which names no type
/// but the content.
fn shares_content(transaction: &Transaction) -> bool {
    match transaction.primitive() {
        Ok(Primitive::InviteRequest(request)) => request.invite_type.eq_ignore_ascii_case("SC"),
        Ok(Primitive::CancelInviteRequest(request)) => request.contents.is_some(),
        _ => false,
    }
}

fn is_of_provider(transaction: &Transaction) -> bool {
    OF_PROVIDERS.contains(&transaction.name.as_ref())
}
