//! Where a request goes (wire profile, 1 and 7.4).

use crate::sap::association::outbox::Item;
use crate::sap::dialect::message_ids::{Use, content_of};
use crate::sap::dialect::outbound;
use crate::sap::element::{Delivered, Element, RequestId, Time};
use crate::sap::settings::Route;
use crate::sap::transaction::delivery_report::about;
use crate::sap::transaction::request::Incoming;
use crate::sap::transaction::{Origin, Place};
use crate::sap::{Count, Peer, Sap};
use crate::ssp::address::Address;
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::{self, Kind, Routing};
use crate::ssp::{Code, Mode, Primitive, Status};

/// What one part of a request needs sent.
pub(super) enum Send {
    Enqueue(String, Box<Item>),
    Deliver(Element, Box<Delivered>),
}

impl Sap {
    /// Whom a primitive is for.
    pub(super) fn targets(&self, incoming: &Incoming<'_>) -> Vec<Address> {
        let peek = &incoming.transaction.peek;
        let own = &self.settings.domain;
        let one = |address: &Option<Address>| address.clone().into_iter().collect();
        match incoming.routing {
            Routing::Recipients if !peek.recipients.is_empty() => peek.recipients.clone(),
            Routing::Recipients => peek.users.clone(),
            Routing::Group => one(&peek.group),
            Routing::Subject => one(&peek.subject),
            Routing::Requestor => peek
                .about
                .clone()
                .or_else(|| {
                    let from_peer = matches!(incoming.origin, Origin::Peer { .. });
                    let home = self.profiles.kept_at_home(&incoming.transaction);
                    home.filter(|_| from_peer)
                })
                .or_else(|| self.provider(incoming))
                .into_iter()
                .collect(),
            Routing::Service => vec![peek.about.clone().unwrap_or_else(|| Address::service(own))],
            Routing::Hop => Vec::new(),
        }
    }

    /// Who provides a service to the requesting user: the Service Table's entry for
    /// the home domain; without one, whoever is asked. A peer asks this node; an
    /// element of this node asks for its own users.
    fn provider(&self, incoming: &Incoming<'_>) -> Option<Address> {
        let transaction = &incoming.transaction;
        let peek = &transaction.peek;
        let requestor = peek.user.as_ref().or(peek.service.as_ref());
        let home = requestor.map_or(incoming.from_domain.as_str(), Address::domain);
        let leaf = primitive::facts(&transaction.name).map_or("", |facts| facts.leaf);
        if let Some(pse) = self.settings.pse.find(leaf, home) {
            return Some(Address::service(pse));
        }
        match &incoming.origin {
            Origin::Peer { .. } => Some(Address::service(&self.settings.domain)),
            Origin::Element { .. } => peek.user.clone(),
        }
    }

    /// Targets by where they are reached; one group if they cannot be told apart.
    pub(super) fn group(
        &self,
        incoming: &Incoming<'_>,
        targets: Vec<Address>,
    ) -> Vec<(Option<Route>, Vec<Address>)> {
        let mut groups: Vec<(Option<Route>, Vec<Address>)> = Vec::new();
        let (ill_formed, targets): (Vec<_>, Vec<_>) = targets
            .into_iter()
            .partition(|target| target.fault_in_context().is_some());
        if !ill_formed.is_empty() {
            groups.push((None, ill_formed));
        }
        for target in targets {
            let route = self.route(incoming, &target);
            let fits = |(known, with): &&mut (Option<Route>, Vec<Address>)| {
                *known == route && with.iter().all(|one| one.fault_in_context().is_none())
            };
            match groups.iter_mut().find(fits) {
                Some((_, targets)) => targets.push(target),
                None => groups.push((route, vec![target])),
            }
        }
        let divisible = matches!(
            incoming.transaction.name.as_ref(),
            "SendMessageRequest"
                | "SubscribeRequest"
                | "UnsubscribeRequest"
                | "GetPresenceRequest"
                | "PresenceNotification"
                | "LeaveGroupIndication"
                | "GroupChangeNotice"
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
    /// Table says that the home domain has it. Whoever is asked by that provider asks
    /// the home domain.
    fn route(&self, incoming: &Incoming<'_>, target: &Address) -> Option<Route> {
        let usual = self.settings.route_to(target);
        let name = incoming.transaction.name.as_ref();
        if !matches!(
            name,
            "SubscribeRequest" | "UnsubscribeRequest" | "GetPresenceRequest"
        ) {
            return usual.cloned();
        }
        let domain = match target.domain() {
            "" => self.settings.domain.as_str(),
            domain => domain,
        };
        let provider = primitive::facts(name)
            .and_then(|facts| self.settings.pse.find(facts.leaf, domain))
            .and_then(|pse| self.settings.routes.find(pse))
            .filter(|route| !matches!(route, Route::Peer(peer) if came_from(incoming, peer)));
        provider.or(usual).cloned()
    }

    /// Makes what must be sent for one group of targets.
    pub(super) fn send(
        &mut self,
        incoming: &Incoming<'_>,
        route: Option<Route>,
        targets: &[Address],
        primitive: Option<Primitive>,
        now: Time,
    ) -> Result<(Place, Send), Status> {
        let transaction = &incoming.transaction;
        let message = transaction.name == "SendMessageRequest";
        match route {
            None => Err(match targets.iter().find_map(Address::fault_in_context) {
                Some(why) => Status::new(Code::ADDRESS).because(why),
                None => Status::new(Code::DOMAIN_NOT_SUPPORTED),
            }),
            // Back to where it came from: that is no way forward.
            Some(Route::Peer(peer)) if came_from(incoming, &peer) => {
                Err(Status::new(Code::DOMAIN_NOT_SUPPORTED).because(format!("{peer} sent it here")))
            }
            Some(Route::Peer(domain)) => {
                let Some(peer) = self.peer_settings(&domain) else {
                    return Err(Status::new(Code::UNAVAILABLE));
                };
                if self.services.offers(now).not_obtained(&domain, transaction) {
                    return Err(Status::new(Code::NOT_AGREED)
                        .because(format!("not in the agreement with {domain}")));
                }
                let behind = targets.first().map_or("", Address::domain);
                if self
                    .services
                    .offers(now)
                    .is_refused_there(&domain, behind, transaction)
                {
                    return Err(Status::new(Code::NOT_SUPPORTED)
                        .because(format!("{behind} has no such function")));
                }
                if peer.dialect.forbids(&transaction.name) {
                    return Err(Status::new(Code::NOT_SUPPORTED)
                        .because("the target's server has no such function"));
                }
                let peer = self.settings.identity_for(&peer, &transaction.peek);
                if self.queue_is_full(&peer.domain, transaction.raw.len()) {
                    return Err(Status::new(if message {
                        Code::QUEUE_FULL
                    } else {
                        Code::UNAVAILABLE
                    }));
                }
                let (mode, id) = self.outgoing_id(incoming, &peer);
                let message_id = match &transaction.peek.message_id {
                    Some(message_id) if message && peer.dialect.unique_message_ids => {
                        let content = content_of(transaction);
                        match self
                            .message_ids
                            .next(&domain, message_id, content, &id, now)
                        {
                            Use::Fresh => None,
                            Use::Changed(id) => Some(id),
                            // It is on its way already, or was there.
                            Use::Repeated => {
                                return Err(Status::new(Code(202)).because("a repetition"));
                            }
                        }
                    }
                    _ => None,
                };
                let raw = outbound::request(
                    &peer,
                    primitive,
                    &transaction.raw,
                    &incoming.from_domain,
                    message_id,
                );
                let raw = match raw {
                    Ok(raw) => raw,
                    Err(status) => {
                        self.not_sent(&domain, transaction);
                        return Err(status);
                    }
                };
                let via = peer.dialect.via.then(|| {
                    transaction.via.as_ref().map_or_else(
                        || self.settings.domain.clone(),
                        |via| format!("{via} {}", self.settings.domain),
                    )
                });
                if message {
                    self.count(Count::Accepted);
                }
                let item = Item {
                    mode,
                    id: id.clone(),
                    name: transaction.name.clone().into_owned(),
                    raw,
                    conversation: conversation(transaction, targets),
                    expires: incoming.expires,
                    message: transaction.peek.message_id.clone(),
                    via,
                };
                Ok((
                    Place::Peer {
                        peer: peer.domain.clone(),
                        id,
                    },
                    Send::Enqueue(peer.domain.clone(), Box::new(item)),
                ))
            }
            Some(Route::Local(element)) => {
                let primitive = match primitive {
                    Some(primitive) => primitive,
                    None => transaction
                        .primitive()
                        .map_err(|e| Status::new(Code::BAD_REQUEST).because(e.to_string()))?,
                };
                if message {
                    // A service element delivers, and ends, each copy by itself.
                    for _ in targets {
                        self.count(Count::Accepted);
                    }
                }
                let request = RequestId(self.table.next_number(now));
                let peek = &transaction.peek;
                let from_domain = peek
                    .service
                    .as_ref()
                    .map_or(incoming.from_domain.as_str(), Address::domain);
                let delivered = Delivered {
                    id: (incoming.kind != Kind::Notice).then_some(request),
                    from_domain: from_domain.to_owned(),
                    user: peek.user.clone().filter(|_| !peek.by_server),
                    primitive,
                    expires: incoming.expires,
                };
                Ok((
                    Place::Element { element, request },
                    Send::Deliver(element, Box::new(delivered)),
                ))
            }
        }
    }

    /// Our transaction id; for reports to some dialects the peer's own.
    fn outgoing_id(&mut self, incoming: &Incoming<'_>, peer: &Peer) -> (Mode, String) {
        let transaction = &incoming.transaction;
        if incoming.kind == Kind::Notice
            && peer.dialect.reports_as_response
            && let Some(about) = about(transaction)
            && let Some(id) = self.reports.get(&(peer.domain.clone(), about))
        {
            return (Mode::Response, id.clone());
        }
        (Mode::Request, self.numbers.id())
    }
}

/// Whether this peer sent the request here.
fn came_from(incoming: &Incoming<'_>, peer: &str) -> bool {
    incoming.origin.is_of(peer)
}

/// Messages and reports between the same two parties stay in order; so do the
/// presence notifications of a publisher.
fn conversation(transaction: &Transaction, targets: &[Address]) -> Option<String> {
    let peek = &transaction.peek;
    let from = peek
        .sender
        .as_ref()
        .or(peek.user.as_ref())
        .or(peek.publishers.first())
        .or(peek.group.as_ref())?;
    Some(format!("{from} {}", targets.first()?))
}
