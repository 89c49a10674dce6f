//! What is offered, by this node and through it, and who may use what of it.

use super::elements::Elements;
use super::table::{Direction, ServiceTable};
use super::{ALWAYS, MINIMUM, OF_PROVIDERS, OF_SAP_BY_AGREEMENT, set};
use crate::element::Time;
use crate::imps::primitive::service::{GetServiceResponse, Protocol, ServiceTree};
use crate::imps::primitive::{Kind, Name};
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::settings::{Peer, Route, ServiceSet, Settings};
use crate::ssp::envelope::Transaction;

/// Domains behind us that are told of unasked; our choice.
const MOST_TOLD: usize = 64;

/// Settings and Service Table at one moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::sap) struct Offers<'s> {
    pub(super) settings: &'s Settings,
    pub(super) elements: &'s Elements,
    pub(super) table: &'s ServiceTable,
    pub(super) now: Time,
}

impl Offers<'_> {
    /// What a peer may use here: what was agreed, or without an agreement what its
    /// record offers; never more than the record offers.
    pub(crate) fn usable_by(&self, peer: &Peer) -> ServiceSet {
        let agreed = self
            .table
            .agreement(peer.real(), Direction::Granted, self.now)
            .map_or(peer.offers, |agreement| {
                agreement.functions.intersection(peer.offers)
            });
        agreed.union(set(ALWAYS))
    }

    /// What we may use at a peer; without an agreement nothing is forbidden.
    pub(crate) fn usable_at(&self, peer: &str) -> ServiceSet {
        self.table
            .agreement(peer, Direction::Obtained, self.now)
            .map_or(ServiceSet::ALL, |agreement| {
                agreement.functions.union(set(ALWAYS))
            })
    }

    /// Whether a request of the peer is outside of what it may use: 506.
    pub(crate) fn not_agreed(&self, peer: &Peer, transaction: &Transaction) -> bool {
        if peer.offers == ServiceSet::ALL && !self.has_agreement(peer.real(), Direction::Granted) {
            return false;
        }
        let Some(function) = function(transaction) else {
            return false;
        };
        if self.usable_by(peer).includes(function) {
            return false;
        }
        let ours = || self.usable_at(peer.real()).intersection(peer.wants);
        !(is_of_provider(transaction) && ours().includes(function))
    }

    /// Whether an agreement with the peer leaves out a request that would go there.
    pub(crate) fn not_obtained(&self, peer: &str, transaction: &Transaction) -> bool {
        self.has_agreement(peer, Direction::Obtained)
            && !is_of_provider(transaction)
            && function(transaction)
                .is_some_and(|function| !self.usable_at(peer).includes(function))
    }

    /// Whether there is one at all; most peers have none, and nothing to be checked.
    fn has_agreement(&self, peer: &str, direction: Direction) -> bool {
        self.table
            .agreement(peer, direction, Time::default())
            .is_some()
    }

    /// Whether a peer has said lately that `domain` does not have the function a request
    /// belongs to. The minimum set is tried again and again: every domain has it.
    pub(crate) fn is_refused_there(
        &self,
        peer: &str,
        domain: &str,
        transaction: &Transaction,
    ) -> bool {
        let refused = self.table.refused(peer, domain, self.now);
        let refused = refused.difference(set(MINIMUM));
        !refused.is_empty()
            && function(transaction).is_some_and(|function| refused.includes(function))
    }

    /// Answers a question about `about` (empty: ourselves), asked by a peer or an
    /// element of this node; `None` if it is to be passed on.
    pub(crate) fn answer_discovery(&self, asker: Option<&str>, about: &str) -> Option<Primitive> {
        let asking = asker.and_then(|asker| self.settings.peers.get(asker));
        let usable = asking.map_or(ServiceSet::ALL, |peer| self.usable_by(peer));
        let own = &self.settings.domain;
        if about.is_empty() || about == own {
            let trees = self.all_trees(asker, usable);
            return Some(response(own, trees));
        }
        match self.settings.routes.find(about)? {
            Route::Local(element) => {
                let functions = self.elements.functions(*element).intersection(usable);
                Some(response(about, vec![tree(about, false, Some(functions))]))
            }
            // The usual way ends it: back to where it came from.
            Route::Peer(peer) if asker == Some(peer) => None,
            Route::Peer(peer) => {
                let peer = self.settings.peers.get(peer)?;
                if let Some(known) = self.table.offered(peer.real(), about)
                    && known.is_fresh(self.now)
                {
                    let functions = self.through(peer, known.functions, usable);
                    return Some(response(about, vec![tree(about, true, Some(functions))]));
                }
                if peer.dialect.discovery {
                    return None;
                }
                let functions = self.by_dialect(peer, about);
                Some(functions.map_or_else(
                    || Primitive::status(Code::DOMAIN_NOT_SUPPORTED),
                    |functions| {
                        let functions = self.through(peer, functions, usable);
                        response(about, vec![tree(about, true, Some(functions))])
                    },
                ))
            }
        }
    }

    /// What a peer that cannot be asked offers, if `about` is the peer itself.
    fn by_dialect(&self, peer: &Peer, about: &str) -> Option<ServiceSet> {
        let built_in = peer.dialect.service_set().filter(|_| peer.is(about))?;
        Some(built_in.difference(self.table.refused(peer.real(), about, self.now)))
    }

    /// What of a peer's functions somebody can use through us.
    pub(crate) fn through(
        &self,
        peer: &Peer,
        functions: ServiceSet,
        usable: ServiceSet,
    ) -> ServiceSet {
        functions
            .intersection(usable)
            .intersection(self.usable_at(peer.real()))
    }

    /// What this node serves under its own domain.
    fn own_functions(&self) -> ServiceSet {
        let mut functions = ServiceSet::of_sap();
        if let Some(Route::Local(element)) = self.settings.routes.find(&self.settings.domain) {
            functions = functions.union(self.elements.functions(*element));
        }
        if let Some(Route::Local(element)) = self.settings.echo {
            functions = functions.union(self.elements.functions(element));
        }
        functions
    }

    /// What this node, and the domains behind it that the Service Table knows, provide to
    /// a peer; and whether all that are behind have been heard, so that there is no more.
    pub(crate) fn provided_to(&self, asker: &str) -> (ServiceSet, bool) {
        let mut provided = self.own_functions().union(set(OF_SAP_BY_AGREEMENT));
        for (_, route) in self.settings.routes.iter() {
            if let Route::Local(element) = route {
                provided = provided.union(self.elements.functions(*element));
            }
        }
        let mut is_all = true;
        let others = self
            .settings
            .peers
            .values()
            .filter(|peer| !peer.is_identity());
        for peer in others.filter(|peer| peer.domain != asker) {
            let name = peer.real();
            let through = |functions| self.through(peer, functions, ServiceSet::ALL);
            if let Some(functions) = self.by_dialect(peer, name) {
                provided = provided.union(through(functions));
            } else if peer.dialect.discovery {
                is_all &= self.table.heard(name).is_some_and(|h| h.problem.is_none());
            }
            for (domain, offered) in self.table.told_by(name) {
                // Of several ways to a domain one is taken.
                let leads = |via: &Route| matches!(via, Route::Peer(via) if via == name);
                if self.settings.routes.find(domain).is_some_and(leads) {
                    provided = provided.union(through(offered.functions));
                }
            }
        }
        (provided, is_all)
    }

    /// Ourselves, the other domains served here, and those reached through us, if they
    /// are few: of many each is asked for by name, or the answer would grow with the
    /// peers, and all answers together with their square.
    fn all_trees(&self, asker: Option<&str>, usable: ServiceSet) -> Vec<ServiceTree> {
        let own = &self.settings.domain;
        let functions = self.own_functions();
        let mut trees = vec![tree(own, false, Some(functions.intersection(usable)))];
        let behind = |route: &Route| matches!(route, Route::Peer(_));
        let routes = || self.settings.routes.iter();
        let many = routes()
            .filter(|(_, route)| behind(route))
            .nth(MOST_TOLD)
            .is_some();
        let routes = routes().filter(|(_, route)| !many || !behind(route));
        for (domain, route) in routes.filter(|(domain, _)| *domain != "*" && domain != own) {
            match route {
                Route::Local(element) => {
                    let functions = self.elements.functions(*element).intersection(usable);
                    trees.push(tree(domain, false, Some(functions)));
                }
                Route::Peer(peer) if asker == Some(peer) => {}
                Route::Peer(peer) => {
                    let Some(peer) = self.settings.peers.get(peer) else {
                        continue;
                    };
                    let known = self.table.offered(peer.real(), domain);
                    let functions = known
                        .map(|known| known.functions)
                        .or_else(|| self.by_dialect(peer, domain));
                    let functions =
                        functions.map(|functions| self.through(peer, functions, usable));
                    trees.push(tree(domain, true, functions));
                }
            }
        }
        trees
    }

    /// Home domains whose users' requests may reach `peer` from here.
    pub(crate) fn served_towards(&self, peer: &str) -> Vec<String> {
        let elsewhere = |(domain, route): &(&str, &Route)| {
            *domain != "*" && *route != &Route::Peer(peer.to_owned())
        };
        let own = self.settings.domain.as_str();
        let routes = self.settings.routes.iter().filter(elsewhere);
        let others = routes.map(|(domain, _)| domain).filter(|d| *d != own);
        std::iter::once(own)
            .chain(others)
            .map(str::to_owned)
            .collect()
    }
}

/// The function of the service tree that a request belongs to; `None` for what
/// needs no agreement. Notices belong to the requests they follow from.
fn function(transaction: &Transaction) -> Option<ServiceSet> {
    let facts = transaction.name.facts()?;
    if facts.kind != Kind::Request {
        return None;
    }
    let leaf = match facts.is {
        Name::InviteRequest if shares_content(transaction) => "INVSC",
        Name::CancelInviteRequest if shares_content(transaction) => "CASC",
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
    let name = transaction.name.known();
    name.is_some_and(|name| OF_PROVIDERS.contains(&name))
}

/// A tree; `functions` is `None` where they are not known.
fn tree(domain: &str, relay: bool, functions: Option<ServiceSet>) -> ServiceTree {
    ServiceTree {
        service: Address::service(domain),
        relay: Some(relay),
        features: functions.map(ServiceSet::features),
    }
}

fn response(about: &str, trees: Vec<ServiceTree>) -> Primitive {
    GetServiceResponse {
        service: Some(Address::service(about)),
        status: Status::ok(),
        trees,
        protocols: Some(vec![Protocol {
            name: "WV-SSP".to_owned(),
            version: "1.3".to_owned(),
        }]),
    }
    .into()
}
