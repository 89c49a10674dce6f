//! Service Discovery in both roles (wire profile, 11.2).

use std::borrow::Cow;

use super::table::{Heard, What};
use super::tree::ServiceSet;
use super::{KNOWN_FOR, OF_SAP_BY_AGREEMENT, SPREAD, set};
use crate::sap::element::Time;
use crate::sap::settings::Route;
use crate::sap::transaction::Origin;
use crate::sap::{Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::service::{
    GetServiceRequest, GetServiceResponse, Protocol, ServiceTree,
};
use crate::ssp::xml::DecodeError;
use crate::ssp::{Address, Code, Primitive, Status};
use crate::text::Shown;

/// Domains behind us that are told of unasked; our choice.
const MOST_TOLD: usize = 64;

impl Sap {
    /// Asks a peer what it offers; the answer will stand in [`Sap::service_views`], and
    /// that there was one in [`Sap::heard`]. False if there is no such peer, or none that
    /// could answer.
    pub fn discover(&mut self, peer: &str, now: Time) -> bool {
        let Some(peer) = self.peer_settings(peer) else {
            return false;
        };
        if !peer.dialect.discovery {
            return false;
        }
        if !self.services.is_asking(peer.real(), What::Discovery, now) {
            // Again in an hour, whatever comes of it.
            self.refresh_later(peer.real(), now);
            let request = GetServiceRequest {
                service: None,
                meta: Some(self.own_meta()),
            };
            self.ask(&peer, What::Discovery, &request.into(), now);
        }
        true
    }

    /// Asks a peer what a domain offers that is reached through it; the number of the
    /// question, for [`Sap::probe_view`]. `None` if there is no such peer, or none that
    /// could answer.
    pub fn discover_behind(&mut self, peer: &str, domain: &str, now: Time) -> Option<u64> {
        let peer = self.peer_settings(peer)?;
        if !peer.dialect.discovery {
            return None;
        }
        let request = GetServiceRequest {
            service: Some(Address::service(domain)),
            meta: Some(self.own_meta()),
        };
        let number = self.begin_probe(None, now);
        self.ask(&peer, What::About(number), &request.into(), now);
        Some(number)
    }

    /// Whether a peer is being asked about itself, and how that ended the last time.
    pub fn heard(&self, peer: &str, now: Time) -> (bool, Option<Heard>) {
        let asking = self.services.is_asking(peer, What::Discovery, now);
        (asking, self.services.heard(peer).cloned())
    }

    /// The answer about the peer itself, and all those behind it.
    pub(super) fn discovered(
        &mut self,
        peer: &Peer,
        answer: Result<Primitive, DecodeError>,
        now: Time,
    ) {
        let problem = match answer {
            Ok(Primitive::GetServiceResponse(response)) if response.status.code.is_success() => {
                self.services.learn_all(peer.real(), &response, now);
                self.refresh_later(peer.real(), now);
                None
            }
            Ok(Primitive::GetServiceResponse(response)) => Some(said(&response.status)),
            Ok(Primitive::Status(status)) => {
                if status.code == Code::NOT_SUPPORTED {
                    self.not_supported(peer.real(), "GetServiceRequest", peer.real(), now);
                }
                Some(said(&status))
            }
            Ok(other) => Some(format!("a {} is no answer", other.name())),
            Err(error) => Some(format!("the answer cannot be read: {error}")),
        };
        if let Some(problem) = &problem {
            tracing::debug!(
                ssp.peer = peer.domain,
                problem = %Shown(problem),
                "the peer does not say what it offers"
            );
        }
        self.services.hear(peer.real(), problem, now);
    }

    fn refresh_later(&mut self, domain: &str, now: Time) {
        let early = self.random.below(SPREAD);
        let at = now.plus_millis(KNOWN_FOR - early);
        self.services.refresh_at(domain, at);
    }

    /// Answers a question about `about` (empty: ourselves), asked by a peer or an
    /// element of this node; `None` if it is to be passed on.
    pub(super) fn answer_discovery(
        &self,
        asker: Option<&str>,
        about: &str,
        now: Time,
    ) -> Option<Primitive> {
        let asking = asker.and_then(|asker| self.settings.peers.get(asker));
        let usable = asking.map_or(ServiceSet::ALL, |peer| self.usable_by(peer, now));
        let own = &self.settings.domain;
        if about.is_empty() || about == own {
            let trees = self.all_trees(asker, usable, now);
            return Some(response(own, trees));
        }
        match self.settings.routes.find(about)? {
            Route::Local(element) => {
                let functions = ServiceSet::of_element(*element).intersection(usable);
                Some(response(about, vec![tree(about, false, Some(functions))]))
            }
            // The usual way ends it: back to where it came from.
            Route::Peer(peer) if asker == Some(peer) => None,
            Route::Peer(peer) => {
                let peer = self.settings.peers.get(peer)?;
                if let Some(known) = self.services.offered(peer.real(), about)
                    && known.is_fresh(now)
                {
                    let functions = self.through(peer, known.functions, usable, now);
                    return Some(response(about, vec![tree(about, true, Some(functions))]));
                }
                if peer.dialect.discovery {
                    return None;
                }
                let functions = self.by_dialect(peer, about, now);
                Some(functions.map_or_else(
                    || Primitive::status(Code::DOMAIN_NOT_SUPPORTED),
                    |functions| {
                        let functions = self.through(peer, functions, usable, now);
                        response(about, vec![tree(about, true, Some(functions))])
                    },
                ))
            }
        }
    }

    /// Takes in the answer to a discovery that is passed on, and leaves of it what
    /// the asking peer may use through us.
    pub(in crate::sap) fn discovered_for<'t>(
        &mut self,
        peer: &Peer,
        origin: &Origin,
        transaction: Cow<'t, Transaction>,
        now: Time,
    ) -> Cow<'t, Transaction> {
        let Ok(Primitive::GetServiceResponse(mut answer)) = transaction.primitive() else {
            return transaction;
        };
        self.services.learn(peer.real(), &answer, now);
        let asking = match origin {
            Origin::Peer { peer, .. } => self.settings.peers.get(peer),
            Origin::Element { .. } => None,
        };
        let usable = asking.map_or(ServiceSet::ALL, |asking| self.usable_by(asking, now));
        if self.through(peer, ServiceSet::ALL, usable, now) == ServiceSet::ALL {
            return transaction;
        }
        for tree in &mut answer.trees {
            if let Some(features) = &mut tree.features {
                let functions = ServiceSet::of_features(features);
                *features = self.through(peer, functions, usable, now).features();
            }
        }
        Cow::Owned(Transaction::new(
            transaction.mode,
            transaction.id.clone(),
            &Primitive::GetServiceResponse(answer),
        ))
    }

    /// What a peer that cannot be asked offers, if `about` is the peer itself.
    fn by_dialect(&self, peer: &Peer, about: &str, now: Time) -> Option<ServiceSet> {
        let built_in = peer.dialect.service_set().filter(|_| peer.is(about))?;
        Some(built_in.difference(self.services.refused(peer.real(), about, now)))
    }

    /// What of a peer's functions somebody can use through us.
    fn through(
        &self,
        peer: &Peer,
        functions: ServiceSet,
        usable: ServiceSet,
        now: Time,
    ) -> ServiceSet {
        functions
            .intersection(usable)
            .intersection(self.usable_at(peer.real(), now))
    }

    /// What this node serves under its own domain.
    fn own_functions(&self) -> ServiceSet {
        let mut functions = ServiceSet::of_sap();
        if let Some(Route::Local(element)) = self.settings.routes.find(&self.settings.domain) {
            functions = functions.union(ServiceSet::of_element(*element));
        }
        if self.settings.echo {
            functions = functions.union(ServiceSet::of_echo());
        }
        functions
    }

    /// What this node, and the domains behind it that the Service Table knows, provide to
    /// a peer; and whether all that are behind have been heard, so that there is no more.
    pub(super) fn provided_to(&self, asker: &str, now: Time) -> (ServiceSet, bool) {
        let mut provided = self.own_functions().union(set(OF_SAP_BY_AGREEMENT));
        for (_, route) in self.settings.routes.iter() {
            if let Route::Local(element) = route {
                provided = provided.union(ServiceSet::of_element(*element));
            }
        }
        let mut is_all = true;
        let others = self
            .settings
            .peers
            .values()
            .filter(|peer| peer.front.is_none());
        for peer in others.filter(|peer| peer.domain != asker) {
            let name = peer.real();
            let through = |functions| self.through(peer, functions, ServiceSet::ALL, now);
            if let Some(functions) = self.by_dialect(peer, name, now) {
                provided = provided.union(through(functions));
            } else if peer.dialect.discovery {
                is_all &= self
                    .services
                    .heard(name)
                    .is_some_and(|h| h.problem.is_none());
            }
            for (domain, offered) in self.services.told_by(name) {
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
    fn all_trees(&self, asker: Option<&str>, usable: ServiceSet, now: Time) -> Vec<ServiceTree> {
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
                    let functions = ServiceSet::of_element(*element).intersection(usable);
                    trees.push(tree(domain, false, Some(functions)));
                }
                Route::Peer(peer) if asker == Some(peer) => {}
                Route::Peer(peer) => {
                    let Some(peer) = self.settings.peers.get(peer) else {
                        continue;
                    };
                    let known = self.services.offered(peer.real(), domain);
                    let functions = known
                        .map(|known| known.functions)
                        .or_else(|| self.by_dialect(peer, domain, now));
                    let functions =
                        functions.map(|functions| self.through(peer, functions, usable, now));
                    trees.push(tree(domain, true, functions));
                }
            }
        }
        trees
    }

    /// Home domains whose users' requests may reach `peer` from here.
    pub(super) fn served_towards(&self, peer: &str) -> Vec<String> {
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

/// A refusal in words.
fn said(status: &Status) -> String {
    let code = status.code.0;
    match &status.description {
        Some(description) => format!("{code} {description}"),
        None => code.to_string(),
    }
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
