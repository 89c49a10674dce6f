//! The Service Table as an operator sees it.

use serde::Serialize;

use super::elements::Elements;
use super::offers::Offers;
use super::table::{Agreement, Direction, KNOWN_FOR, Offered};
use crate::element::Time;
use crate::sap::settings::{Peer, Route, ServiceSet, Settings};

/// Where knowledge of a peer's services comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The peer said so.
    Discovered,
    /// Its dialect says so: such peers cannot be asked.
    Dialect,
}

/// A row of the Service Table: one domain a peer serves or reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// The peer: the next hop.
    pub peer: String,
    /// The domain, the peer's own or one behind it.
    pub domain: String,
    /// What the domain offers, in the fewest names of the service tree; `None`
    /// while that is not known.
    pub offers: Option<Vec<String>>,
    /// What of it was answered 405 lately, and is therefore not among the offers.
    pub refused: Vec<String>,
    /// From where it is known.
    pub source: Option<Source>,
    /// When it was said. Milliseconds since the epoch.
    pub seen: Option<Time>,
    /// Until when it is believed. Milliseconds since the epoch.
    pub known_until: Option<Time>,
    /// Why the last question to the peer was of no use, if it was not.
    pub problem: Option<String>,
    /// What the peer may use here now, by agreement or by its record.
    pub usable: Vec<String>,
    /// What we want to use at the peer, as configured.
    pub wants: Vec<String>,
    /// What was agreed that the peer may use here.
    pub granted: Option<AgreementView>,
    /// What was agreed that we may use at the peer.
    pub obtained: Option<AgreementView>,
    /// When we ask for an agreement again after a refusal. Milliseconds since the
    /// epoch.
    pub next_try: Option<Time>,
}

/// An agreement with a peer, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgreementView {
    /// The id of the agreement.
    pub id: String,
    /// What was agreed, in the fewest names.
    pub functions: Vec<String>,
    /// Home domains it was concluded for.
    pub served: Vec<String>,
    /// Milliseconds since the epoch.
    pub since: Time,
    /// Milliseconds since the epoch.
    pub expires: Time,
    /// Whether the time to renew it has come.
    pub renewal_due: bool,
}

/// Who provides functions to the users of a home domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderView {
    /// The home domain of the users.
    pub home: String,
    /// The functions, in the fewest names.
    pub functions: Vec<String>,
    /// The domain that provides them.
    pub pse: String,
    /// The next hop towards it: a peer, `local`, `xmpp`; `None` without a route.
    pub via: Option<String>,
}

impl AgreementView {
    fn new(agreement: &Agreement, now: Time) -> Self {
        Self {
            id: agreement.id.clone(),
            functions: agreement.functions.names(),
            served: agreement.served.clone(),
            since: agreement.since,
            expires: agreement.expires,
            renewal_due: agreement.renew_at() <= now,
        }
    }
}

impl ServiceView {
    /// The Service Table: one row per domain a peer has told of, and at least one
    /// per peer.
    pub(super) fn all(offers: &Offers<'_>) -> Vec<Self> {
        let peers = offers.settings.peers.values();
        let peers = peers.filter(|peer| !peer.is_identity());
        peers.flat_map(|peer| Self::of(peer, offers)).collect()
    }

    fn of(peer: &Peer, offers: &Offers<'_>) -> Vec<Self> {
        let now = offers.now;
        let agreement = |direction| {
            let agreement = offers.table.agreement(&peer.domain, direction, now);
            agreement.map(|agreement| AgreementView::new(agreement, now))
        };
        let heard = offers.table.heard(&peer.domain);
        let not_before = offers.table.not_before(&peer.domain);
        let blank = |domain: &str| Self {
            peer: peer.domain.clone(),
            domain: domain.to_owned(),
            offers: None,
            refused: offers.table.refused(&peer.domain, domain, now).names(),
            source: None,
            seen: None,
            known_until: None,
            problem: heard.and_then(|heard| heard.problem.clone()),
            usable: offers.usable_by(peer).names(),
            wants: peer.wants.names(),
            granted: agreement(Direction::Granted),
            obtained: agreement(Direction::Obtained),
            next_try: not_before.filter(|at| !peer.wants.is_empty() && *at > now),
        };
        let mut views = Vec::new();
        if offers.table.offered(&peer.domain, &peer.domain).is_none() {
            let refused = offers.table.refused(&peer.domain, &peer.domain, now);
            let built_in = peer.dialect.service_set();
            views.push(Self {
                offers: built_in.map(|offers| offers.difference(refused).names()),
                source: built_in.map(|_| Source::Dialect),
                ..blank(&peer.domain)
            });
        }
        let is_other = |(domain, _): &(&str, &Offered)| *domain != peer.domain;
        let mut told: Vec<_> = offers.table.told_by(&peer.domain).collect();
        told.sort_by_key(is_other);
        for (domain, offered) in told {
            views.push(Self {
                offers: Some(offered.functions.names()),
                source: Some(Source::Discovered),
                seen: Some(offered.at),
                known_until: Some(offered.at.plus(KNOWN_FOR)),
                ..blank(domain)
            });
        }
        views
    }
}

impl ProviderView {
    /// Which domain provides what to whose users: what this node serves itself, then
    /// what is configured.
    pub(super) fn all(settings: &Settings, elements: &Elements) -> Vec<Self> {
        let via = |domain: &str| {
            Some(match settings.routes.find(domain)? {
                Route::Local(element) => elements.word(*element),
                Route::Peer(peer) => peer.clone(),
            })
        };
        let here = settings.routes.iter().filter_map(|(domain, route)| {
            let Route::Local(element) = route else {
                return None;
            };
            Some((elements.functions(*element), domain, domain))
        });
        let view = |(functions, home, pse): (ServiceSet, &str, &str)| Self {
            home: home.to_owned(),
            functions: functions.names(),
            pse: pse.to_owned(),
            via: via(pse),
        };
        here.chain(settings.pse.iter()).map(view).collect()
    }
}
