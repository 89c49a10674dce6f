//! Where a request goes (wire profile, 1 and 7.4).

use std::borrow::Cow;
use std::collections::HashSet;

use crate::element::Time;
use crate::imps::address::Kind as AddressKind;
use crate::imps::primitive::common::Id;
use crate::imps::primitive::{Kind, Name, Routing};
use crate::imps::{Address, Primitive};
use crate::sap::neighbour::Handed;
use crate::sap::presented_as::domain_of;
use crate::sap::profile::Profiles;
use crate::sap::settings::{Route, Settings};
use crate::sap::transaction::Origin;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

/// A request on its way through the SAP.
pub(in crate::sap::transaction) struct Incoming<'a> {
    pub(in crate::sap::transaction) origin: Origin,
    /// Who asks: the peer it came from, or this node.
    pub(in crate::sap::transaction) from_domain: String,
    pub(in crate::sap::transaction) transaction: Cow<'a, Transaction>,
    /// Of requestor and content; see [`super::fingerprint`].
    pub(in crate::sap::transaction) fingerprint: u64,
    /// The value, if it comes from this node: it is not read again.
    pub(in crate::sap::transaction) typed: Option<&'a Primitive>,
    pub(in crate::sap::transaction) kind: Kind,
    pub(in crate::sap::transaction) routing: Routing,
    pub(in crate::sap::transaction) expires: Time,
    /// The domain that is asked, if an element of this node says it.
    pub(in crate::sap::transaction) to: Option<Address>,
    /// Set if it comes from another shard of this node.
    pub(in crate::sap::transaction) handed: Option<&'a Handed>,
}

/// Where some targets of a request are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) route: Option<Route>,
    /// The other shard of this node in which that way begins.
    pub(super) shard: Option<u16>,
}

impl Incoming<'_> {
    /// The peer that asks, in its identity; `None` for this node.
    pub(super) fn asking(&self) -> Option<&str> {
        match (self.handed, &self.origin) {
            (Some(handed), _) => handed.asking.as_deref(),
            (None, Origin::Peer { peer, .. }) => Some(peer),
            (None, Origin::Element { .. }) => None,
        }
    }

    /// Whether this node itself searches for what it hosts, of which any shard can have some.
    fn is_for_all_shards(&self) -> bool {
        let transaction = &self.transaction;
        let is_search = transaction.name == Name::SearchRequest && transaction.peek.by_server;
        is_search && self.asking().is_none()
    }

    /// Whom a primitive is for.
    pub(super) fn targets(&self, settings: &Settings, profiles: &Profiles) -> Vec<Address> {
        if let Some(handed) = self.handed
            && !handed.targets.is_empty()
        {
            return handed.targets.clone();
        }
        if let Some(to) = &self.to {
            return vec![to.clone()];
        }
        if self.is_for_all_shards() {
            return vec![Address::service(&settings.domain)];
        }
        if self.transaction.name == Name::VerifyIDRequest {
            return self.verified();
        }
        let peek = &self.transaction.peek;
        let own = &settings.domain;
        let one = |address: &Option<Address>| address.clone().into_iter().collect();
        match self.routing {
            Routing::Recipients if !peek.recipients.is_empty() => peek.recipients.clone(),
            Routing::Recipients => peek.users.clone(),
            Routing::Group => one(&peek.group),
            // What a group has kept is with the group.
            Routing::Requestor if self.is_about_history() => one(&peek.group),
            Routing::Subject => one(&peek.subject),
            Routing::Requestor => peek
                .about
                .clone()
                .or_else(|| {
                    let from_peer = self.asking().is_some();
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

    /// Whether messages are wanted that a group has kept.
    fn is_about_history(&self) -> bool {
        let transaction = &self.transaction;
        let name = transaction.name.known();
        let is_of_messages = matches!(
            name,
            Some(Name::GetMessageListRequest | Name::GetMessageRequest)
        );
        is_of_messages && transaction.peek.group.is_some()
    }

    /// What is to be verified, each where it would be.
    fn verified(&self) -> Vec<Address> {
        let read = || self.transaction.primitive().ok();
        let primitive = self.typed.cloned().or_else(read);
        let Some(Primitive::VerifyIDRequest(request)) = primitive else {
            return Vec::new();
        };
        let mut all: Vec<Address> = request.ids.ids.iter().map(Id::whereabouts).collect();
        let mut seen = HashSet::new();
        all.retain(|address| seen.insert(address.clone()));
        all
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
        match self.asking() {
            Some(_) => Some(Address::service(&settings.domain)),
            None => peek.user.clone(),
        }
    }

    /// Targets by where they are reached; one group if they cannot be told apart.
    pub(super) fn group(
        &self,
        settings: &Settings,
        targets: Vec<Address>,
    ) -> Vec<(Way, Vec<Address>)> {
        if self.is_for_all_shards() && self.handed.is_none() {
            let route = targets.first().and_then(|own| settings.route_to(own));
            let shards = settings.shards.all();
            let ways = shards.map(|shard| Way {
                route: route.cloned(),
                shard: (shard != settings.shards.own()).then_some(shard),
            });
            return ways.map(|way| (way, targets.clone())).collect();
        }
        let mut groups: Vec<(Way, Vec<Address>)> = Vec::new();
        let nowhere = Way {
            route: None,
            shard: None,
        };
        let (ill_formed, targets): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| target.fault_in_context().is_some());
        if !ill_formed.is_empty() {
            groups.push((nowhere, ill_formed));
        }
        let well_formed = groups.len();
        for target in targets {
            let route = self.route(settings, &target);
            let shard = route.as_ref().and_then(|route| {
                let peek = &self.transaction.peek;
                settings.shards.elsewhere(settings, route, &target, peek)
            });
            let way = Way { route, shard };
            let mut known = groups[well_formed..].iter_mut();
            match known.find(|(known, _)| *known == way) {
                Some((_, targets)) => targets.push(target),
                None => groups.push((way, vec![target])),
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
                    | Name::VerifyIDRequest
            )
        );
        if groups.len() > 1 && !divisible {
            let all: Vec<Address> = groups
                .iter()
                .flat_map(|(_, targets)| targets.clone())
                .collect();
            let way = groups.swap_remove(0).0;
            return vec![(way, all)];
        }
        groups
    }

    /// Where a target is reached: at their domain; a user's presence, and messages for the user, where
    /// the Service Table says that their home domain has them. Whoever is asked by that provider
    /// asks the home domain.
    fn route(&self, settings: &Settings, target: &Address) -> Option<Route> {
        let usual = settings.route_to(target);
        let name = self.transaction.name.known();
        let is_provided = |name: &Name| match name {
            Name::SubscribeRequest | Name::UnsubscribeRequest | Name::GetPresenceRequest => true,
            Name::SendMessageRequest => target.kind() == AddressKind::User,
            _ => false,
        };
        let Some(name) = name.filter(is_provided) else {
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

    /// What is handed to another shard for these targets, under this id; `part` is what of the
    /// request concerns them.
    pub(super) fn hand(&self, id: String, targets: &[Address], part: Option<&Primitive>) -> Handed {
        let via = self.transaction.via.clone();
        let transaction = match part {
            Some(part) => Transaction {
                via,
                ..Transaction::new(Mode::Request, id, part)
            },
            None => Transaction {
                mode: Mode::Request,
                id,
                ..Transaction::clone(&self.transaction)
            },
        };
        Handed {
            transaction,
            asking: self.asking().map(str::to_owned),
            from_domain: self.from_domain.clone(),
            targets: targets.to_vec(),
            expires: self.expires,
            passed: self.handed.map_or(0, |handed| handed.passed + 1),
            is_followed: false,
        }
    }

    /// Whether this peer sent the request here.
    pub(super) fn came_from(&self, peer: &str) -> bool {
        self.asking()
            .is_some_and(|asking| domain_of(asking) == peer)
    }
}

/// Messages and reports between the same two parties stay in order; so do the
/// presence notifications of a publisher, and what a group tells.
pub(super) fn conversation(transaction: &Transaction, targets: &[Address]) -> Option<String> {
    let peek = &transaction.peek;
    let from = peek
        .sender
        .as_ref()
        .or(peek.user.as_ref())
        .or(peek.publishers.first())
        .or(peek.group.as_ref())?;
    if from.kind() == AddressKind::Resource {
        // A group's to all at a peer.
        return Some(from.to_string());
    }
    Some([from.as_str(), targets.first()?.as_str()].join(" "))
}
