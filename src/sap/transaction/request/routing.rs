//! Where a request goes (wire profile, 1 and 7.4).

use std::borrow::Cow;

use crate::element::Time;
use crate::imps::Address;
use crate::imps::primitive::{Kind, Name, Routing};
use crate::sap::profile::Profiles;
use crate::sap::settings::{Route, Settings};
use crate::sap::transaction::Origin;
use crate::ssp::envelope::Transaction;

/// A request on its way through the SAP.
pub(in crate::sap::transaction) struct Incoming<'a> {
    pub(super) origin: Origin,
    /// Who asks: the peer it came from, or this node.
    pub(super) from_domain: String,
    pub(super) transaction: Cow<'a, Transaction>,
    pub(super) kind: Kind,
    pub(super) routing: Routing,
    pub(super) expires: Time,
}

impl Incoming<'_> {
    /// Whom a primitive is for.
    pub(super) fn targets(&self, settings: &Settings, profiles: &Profiles) -> Vec<Address> {
        let peek = &self.transaction.peek;
        let own = &settings.domain;
        let one = |address: &Option<Address>| address.clone().into_iter().collect();
        match self.routing {
            Routing::Recipients if !peek.recipients.is_empty() => peek.recipients.clone(),
            Routing::Recipients => peek.users.clone(),
            Routing::Group => one(&peek.group),
            Routing::Subject => one(&peek.subject),
            Routing::Requestor => peek
                .about
                .clone()
                .or_else(|| {
                    let from_peer = matches!(self.origin, Origin::Peer { .. });
                    let home = profiles.kept_at_home(&self.transaction);
                    home.filter(|_| from_peer)
                })
                .or_else(|| self.provider(settings))
                .into_iter()
                .collect(),
            Routing::Service => vec![peek.about.clone().unwrap_or_else(|| Address::service(own))],
            Routing::Hop => Vec::new(),
        }
    }

    /// Who provides a service to the requesting user: the Service Table's entry for
    /// their home domain; without one, whoever is asked. A peer asks this node; an
    /// element of this node asks for its own users.
    fn provider(&self, settings: &Settings) -> Option<Address> {
        let transaction = &self.transaction;
        let peek = &transaction.peek;
        let requestor = peek.user.as_ref().or(peek.service.as_ref());
        let home = requestor.map_or(self.from_domain.as_str(), Address::domain);
        let leaf = transaction.name.facts().map_or("", |facts| facts.leaf);
        if let Some(pse) = settings.pse.find(leaf, home) {
            return Some(Address::service(pse));
        }
        match &self.origin {
            Origin::Peer { .. } => Some(Address::service(&settings.domain)),
            Origin::Element { .. } => peek.user.clone(),
        }
    }

    /// Targets by where they are reached; one group if they cannot be told apart.
    pub(super) fn group(
        &self,
        settings: &Settings,
        targets: Vec<Address>,
    ) -> Vec<(Option<Route>, Vec<Address>)> {
        let mut groups: Vec<(Option<Route>, Vec<Address>)> = Vec::new();
        let (ill_formed, targets): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| target.fault_in_context().is_some());
        if !ill_formed.is_empty() {
            groups.push((None, ill_formed));
        }
        let well_formed = groups.len();
        for target in targets {
            let route = self.route(settings, &target);
            let mut known = groups[well_formed..].iter_mut();
            match known.find(|(known, _)| *known == route) {
                Some((_, targets)) => targets.push(target),
                None => groups.push((route, vec![target])),
            }
        }
        let divisible = matches!(
            self.transaction.name.known(),
            Some(
                Name::SendMessageRequest
                    | Name::SubscribeRequest
                    | Name::UnsubscribeRequest
                    | Name::GetPresenceRequest
                    | Name::PresenceNotification
                    | Name::LeaveGroupIndication
                    | Name::GroupChangeNotice
            )
        );
        if groups.len() > 1 && !divisible {
            let all: Vec<Address> = groups
                .iter()
                .flat_map(|(_, targets)| targets.clone())
                .collect();
            let route = groups.swap_remove(0).0;
            return vec![(route, all)];
        }
        groups
    }

    /// Where a target is reached: at their domain; a user's presence where the Service
    /// Table says that their home domain has it. Whoever is asked by that provider asks
    /// the home domain.
    fn route(&self, settings: &Settings, target: &Address) -> Option<Route> {
        let usual = settings.route_to(target);
        let name = self.transaction.name.known();
        let of_presence = |name: &Name| {
            matches!(
                name,
                Name::SubscribeRequest | Name::UnsubscribeRequest | Name::GetPresenceRequest
            )
        };
        let Some(name) = name.filter(of_presence) else {
            return usual.cloned();
        };
        let domain = match target.domain() {
            "" => settings.domain.as_str(),
            domain => domain,
        };
        let provider = settings
            .pse
            .find(name.facts().leaf, domain)
            .and_then(|pse| settings.routes.find(pse))
            .filter(|route| !matches!(route, Route::Peer(peer) if self.came_from(peer)));
        provider.or(usual).cloned()
    }

    /// Whether this peer sent the request here.
    pub(super) fn came_from(&self, peer: &str) -> bool {
        self.origin.is_of(peer)
    }
}

/// Messages and reports between the same two parties stay in order; so do the
/// presence notifications of a publisher.
pub(super) fn conversation(transaction: &Transaction, targets: &[Address]) -> Option<String> {
    let peek = &transaction.peek;
    let from = peek
        .sender
        .as_ref()
        .or(peek.user.as_ref())
        .or(peek.publishers.first())
        .or(peek.group.as_ref())?;
    Some(format!("{from} {}", targets.first()?))
}
