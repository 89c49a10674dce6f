//! Accepts requests: permission, duplicates, loops, routing (wire profile, 7).

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::element::{Delivered, Element, RequestId, Time, Token};
use super::outbox::Item;
use super::report::about;
use super::settings::Route;
use super::transaction::{Origin, Part, Place, Record, State};
use super::{Count, Effect, Outcome, Peer, Sap, express, split, timers};
use crate::ssp::address::{Address, Kind as AddressKind};
use crate::ssp::envelope::{Peek, Transaction};
use crate::ssp::primitive::session::KeepAliveResponse;
use crate::ssp::primitive::{self, Kind, Routing};
use crate::ssp::{Code, Mode, Primitive, Status};

/// More hops than this are taken for a loop.
const MAX_HOPS: usize = 16;
/// Notices and delivery reports wait this long for a peer: milliseconds.
const NOTICE_VALIDITY: u64 = 86_400_000;

/// A request on its way through the SAP.
struct Incoming<'a> {
    origin: Origin,
    /// Who asks: the peer it came from, or this node.
    from_domain: String,
    transaction: Cow<'a, Transaction>,
    kind: Kind,
    routing: Routing,
    expires: Time,
}

impl Sap {
    /// A request in mode Request from a peer.
    pub(super) fn peer_request(
        &mut self,
        peer: &Peer,
        session: &str,
        transaction: &Transaction,
        now: Time,
    ) {
        let origin = Origin::Peer {
            peer: peer.domain.clone(),
            id: transaction.id.clone(),
        };
        if let Some(number) = self.table.by_origin(&origin) {
            return self.repeat_answer(peer, number, transaction, now);
        }
        let transaction = self.understood(peer, transaction, now);
        let transaction = transaction.as_ref();
        let Some(facts) = primitive::facts(&transaction.name) else {
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "unknown primitive");
            return self.refuse(origin, transaction, Status::new(Code::NOT_SUPPORTED), now);
        };
        match facts.kind {
            // A Status in mode Request has no meaning (9.6).
            Kind::Response if transaction.name == "Status" => return,
            Kind::Setup | Kind::Response => {
                return self.refuse(origin, transaction, Status::new(Code::BAD_REQUEST), now);
            }
            Kind::Request | Kind::Notice => {}
        }
        if self.not_agreed(peer, transaction, now) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name,
                "the peer may not use this function"
            );
            return self.refuse(origin, transaction, Status::new(Code::NOT_AGREED), now);
        }
        if let Some(code) = self.forbidden(peer, &transaction.peek) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name,
                user = transaction.peek.user.as_ref().map_or("", Address::as_str),
                "the peer may not speak for this user"
            );
            if facts.kind == Kind::Notice {
                return self.count_refusal(code.0);
            }
            return self.refuse(origin, transaction, Status::new(code), now);
        }
        if self.profile_forbidden(peer, transaction) {
            let status = Status::new(Code::FORBIDDEN);
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name,
                "the peer has no business with this user's profile"
            );
            return self.refuse(origin, transaction, status, now);
        }
        if self.is_loop(peer, transaction) {
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "relay loop cut");
            self.count(Count::Loop);
            return self.refuse(
                origin,
                transaction,
                Status::new(Code::DOMAIN_NOT_SUPPORTED).because("relay loop"),
                now,
            );
        }
        if facts.routing == Routing::Hop {
            return self.hop_request(peer, session, origin, transaction, now);
        }
        self.forget_standing(peer, transaction);
        let validity = transaction
            .peek
            .validity
            .filter(|seconds| *seconds > 0)
            .map(|s| s.saturating_mul(1000));
        let lifetime = match (facts.kind, transaction.name.as_ref()) {
            (_, "SendMessageRequest") => validity
                .unwrap_or(self.settings.default_validity)
                .min(7 * self.settings.default_validity),
            (Kind::Notice, _) => NOTICE_VALIDITY,
            _ => self.settings.response_timeout,
        };
        let incoming = Incoming {
            origin,
            from_domain: peer.domain.clone(),
            transaction: Cow::Borrowed(transaction),
            kind: facts.kind,
            routing: facts.routing,
            expires: now.plus_millis(lifetime),
        };
        self.accept(&incoming, now);
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
        let (kind, routing) = primitive::facts(primitive.name())
            .map_or((Kind::Request, Routing::Recipients), |facts| {
                (facts.kind, facts.routing)
            });
        let number = self.table.next_number(now);
        // A notice is not answered, so its token need not be unique.
        let token_key = if kind == Kind::Notice {
            Token(number)
        } else {
            token
        };
        let incoming = Incoming {
            origin: Origin::Element {
                element,
                token: token_key,
            },
            from_domain: self.settings.domain.clone(),
            transaction: Cow::Owned(Transaction::new(
                Mode::Request,
                number.to_string(),
                primitive,
            )),
            kind,
            routing,
            expires,
        };
        self.accept(&incoming, now);
    }

    /// Who may speak for whom (wire profile, 7.2). A message's sender counts as
    /// much as its requestor: the deployed server checks only one of them.
    fn forbidden(&self, peer: &Peer, peek: &Peek) -> Option<Code> {
        let may = |address: &Address| {
            let domain = address.domain();
            domain.is_empty() || self.settings.may_speak(peer, domain)
        };
        let user = peek.user.as_ref().filter(|_| !peek.by_server);
        let named = user.into_iter().chain(&peek.service).chain(&peek.sender);
        let may_tell = |publisher: &Address| may(publisher) || self.provides(peer, publisher);
        if !named.into_iter().all(may) || !peek.publishers.iter().all(may_tell) {
            return Some(Code::ADDRESS);
        }
        match (user, &peek.sender) {
            (Some(user), Some(sender)) if user.kind() == AddressKind::User && user != sender => {
                Some(Code::ADDRESS)
            }
            _ => None,
        }
    }

    /// Whether the peer is, or leads to, the provider of a user's presence.
    fn provides(&self, peer: &Peer, publisher: &Address) -> bool {
        let pse = self.settings.pse.find("SUBPR", publisher.domain());
        let route = pse.and_then(|pse| self.settings.routes.find(pse));
        matches!(route, Some(Route::Peer(via)) if *via == peer.domain)
    }

    fn is_loop(&self, peer: &Peer, transaction: &Transaction) -> bool {
        if let Some(via) = &transaction.via {
            return via.split(' ').any(|hop| hop == self.settings.domain)
                || via.split(' ').count() > MAX_HOPS;
        }
        let fingerprint = fingerprint(transaction);
        self.table.by_fingerprint(fingerprint).is_some_and(|record| {
            matches!(&record.origin, Origin::Peer { peer: other, .. } if *other != peer.domain)
        })
    }

    /// Requests to the SAP itself.
    fn hop_request(
        &mut self,
        peer: &Peer,
        session: &str,
        origin: Origin,
        transaction: &Transaction,
        now: Time,
    ) {
        match transaction.primitive() {
            Ok(Primitive::KeepAliveRequest(request)) => {
                // A new value is taken if it is not longer than what we announced.
                let wanted = request
                    .time_to_live
                    .map(|seconds| u64::from(seconds) * 1000);
                let mut code = Code::OK;
                let mut ttl = self.settings.session_ttl;
                let mut changed = None;
                if let Some(session) = self
                    .peers
                    .get_mut(&peer.domain)
                    .and_then(|state| state.session_mut(session))
                {
                    match wanted {
                        Some(wanted) if wanted >= 1000 && wanted <= self.settings.session_ttl => {
                            session.record.ttl = wanted;
                            changed = Some(session.record.put());
                        }
                        Some(wanted) if wanted != session.record.ttl => code = Code(605),
                        _ => {}
                    }
                    ttl = session.record.ttl;
                }
                self.write(changed);
                let seconds = u32::try_from(ttl / 1000).unwrap_or(u32::MAX);
                let answer = KeepAliveResponse {
                    time_to_live: Some(seconds),
                    status: Status::new(code),
                };
                self.answer_at_once(origin, transaction, &answer.into(), now);
            }
            Ok(Primitive::LogoutRequest(_)) => {
                tracing::info!(
                    ssp.peer = peer.domain,
                    ssp.session = session,
                    "the peer logs out"
                );
                self.answer_at_once(origin, transaction, &Primitive::status(Code::OK), now);
                self.drop_session(&peer.domain, session);
            }
            Ok(Primitive::Disconnect(notice)) => {
                let wait = notice
                    .status
                    .try_again
                    .map_or(600_000, |seconds| u64::from(seconds) * 1000);
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = session,
                    code = notice.status.code.0,
                    "the peer disconnects"
                );
                self.drop_session(&peer.domain, session);
                if let Some(state) = self.peers.get_mut(&peer.domain) {
                    state.login_not_before = now.plus_millis(wait);
                }
                self.schedule_peer(&peer.domain, now);
            }
            Ok(Primitive::ServiceRequest(request)) => {
                let answer = self.agree(peer, &request, now);
                self.answer_at_once(origin, transaction, &answer, now);
            }
            Ok(_) => self.refuse(origin, transaction, Status::new(Code::NOT_IMPLEMENTED), now),
            Err(error) => self.refuse(
                origin,
                transaction,
                Status::new(Code::BAD_REQUEST).because(error.to_string()),
                now,
            ),
        }
    }

    /// Routes a request whose sender may send it.
    fn accept(&mut self, incoming: &Incoming<'_>, now: Time) {
        let transaction = &incoming.transaction;
        if let Some(answer) = self.take_echo(&incoming.origin, transaction, now) {
            return self.answer_at_once(incoming.origin.clone(), transaction, &answer, now);
        }
        let asker = match &incoming.origin {
            Origin::Peer { peer, .. } => Some(peer.as_str()),
            Origin::Element { .. } => None,
        };
        let answer = if incoming.routing == Routing::Service {
            self.answer_for_service(asker, transaction, now)
        } else {
            self.answer_for_profile(asker, transaction, now)
        };
        if let Some(answer) = answer {
            return self.answer_at_once(incoming.origin.clone(), transaction, &answer, now);
        }
        let targets = self.targets(incoming);
        if targets.is_empty() {
            let status = Status::new(Code::BAD_PARAMETER).because("nobody is addressed");
            return self.refuse(incoming.origin.clone(), transaction, status, now);
        }
        let groups = self.group(incoming, targets);
        let typed = if groups.len() > 1 {
            transaction.primitive().ok()
        } else {
            None
        };
        let number = self.table.next_number(now);
        let mut parts = Vec::with_capacity(groups.len());
        let mut sends = Vec::with_capacity(groups.len());
        for (route, targets) in groups {
            let primitive = typed
                .as_ref()
                .and_then(|typed| split::part(typed, &targets));
            match self.send(incoming, route, &targets, primitive, now) {
                Ok((place, send)) => {
                    parts.push(Part {
                        place,
                        targets,
                        answer: None,
                        acknowledged: None,
                    });
                    sends.push(send);
                }
                Err(status) => {
                    self.refused_part(incoming, status.code);
                    let answer = split::answer(
                        &transaction.name,
                        transaction.peek.message_id.as_deref(),
                        status,
                    );
                    parts.push(Part {
                        place: Place::Here,
                        targets,
                        answer: Some(answer.to_xml(None)),
                        acknowledged: None,
                    });
                }
            }
        }
        let asker = self.asker(transaction, &parts);
        let kept = self.kept_for_members(transaction, &parts);
        let record = Record {
            origin: incoming.origin.clone(),
            name: transaction.name.clone().into_owned(),
            received: now,
            expires: incoming.expires,
            parts,
            state: if incoming.kind == Kind::Notice {
                State::Answered(None)
            } else {
                State::Pending
            },
            message: about(transaction),
            report_to: Self::report_to(transaction),
            asker,
            kept,
            fingerprint: fingerprint(transaction),
        };
        self.remember_report(&record);
        let pending = record.state == State::Pending;
        let write = self.table.insert(number, record);
        self.effect(Effect::Write(write));
        self.profile_asked(number, transaction, now);
        for send in sends {
            match send {
                Send::Enqueue(peer, item) => self.enqueue(&peer, *item, now),
                Send::Deliver(element, delivered) => {
                    self.effect(Effect::Deliver(element, *delivered));
                }
            }
        }
        if pending {
            self.timers.set(
                self.answer_by(&transaction.name, now, incoming.expires),
                timers::Timer::Answer(number),
            );
            self.timers
                .set(incoming.expires, timers::Timer::GiveUp(number));
            // Everything may have been refused here and now.
            self.finish_if_complete(number, now);
        } else {
            self.forget_later(number, now);
        }
    }

    /// Whom a primitive is for.
    fn targets(&self, incoming: &Incoming<'_>) -> Vec<Address> {
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
                    let home = self.profile_at_home(&incoming.transaction);
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
    /// his home domain; without one, whoever is asked. A peer asks this node; an
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
    fn group(
        &self,
        incoming: &Incoming<'_>,
        targets: Vec<Address>,
    ) -> Vec<(Option<Route>, Vec<Address>)> {
        let mut groups: Vec<(Option<Route>, Vec<Address>)> = Vec::new();
        for target in targets {
            let route = self.route(incoming, &target);
            match groups.iter_mut().find(|(known, _)| *known == route) {
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

    /// Where a target is reached: at his domain; a user's presence where the Service
    /// Table says that his home domain has it. Whoever is asked by that provider asks
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
            .filter(|route| !came_from(incoming, route));
        provider.or(usual).cloned()
    }

    /// Makes what must be sent for one group of targets.
    fn send(
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
            None => Err(Status::new(Code::DOMAIN_NOT_SUPPORTED)),
            // Back to where it came from: that is no way forward.
            Some(Route::Peer(peer)) if came_from(incoming, &Route::Peer(peer.clone())) => {
                Err(Status::new(Code::DOMAIN_NOT_SUPPORTED).because(format!("{peer} sent it here")))
            }
            Some(Route::Peer(domain)) => {
                let Some(peer) = self.peer_settings(&domain) else {
                    return Err(Status::new(Code::UNAVAILABLE));
                };
                if self.not_obtained(&domain, transaction, now) {
                    return Err(Status::new(Code::NOT_AGREED)
                        .because(format!("not in the agreement with {domain}")));
                }
                let behind = targets.first().map_or("", Address::domain);
                if self.is_refused_there(&domain, behind, transaction, now) {
                    return Err(Status::new(Code::NOT_SUPPORTED)
                        .because(format!("{behind} has no such function")));
                }
                if peer.dialect.forbids(&transaction.name) {
                    return Err(Status::new(Code::NOT_SUPPORTED)
                        .because("the target's server has no such function"));
                }
                if self
                    .peers
                    .get(&domain)
                    .is_some_and(|state| state.outbox.len() >= self.settings.max_queue)
                {
                    return Err(Status::new(if message {
                        Code::QUEUE_FULL
                    } else {
                        Code::UNAVAILABLE
                    }));
                }
                let (mode, id) = self.outgoing_id(incoming, &peer);
                let message_id = match &transaction.peek.message_id {
                    Some(message_id) if message && peer.dialect.unique_message_ids => {
                        self.message_ids.next(&domain, message_id, &id, now)
                    }
                    _ => None,
                };
                let raw = express::request(
                    &peer,
                    primitive,
                    &transaction.raw,
                    &incoming.from_domain,
                    message_id,
                )?;
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
                        peer: domain.clone(),
                        id,
                    },
                    Send::Enqueue(domain, Box::new(item)),
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
        self.last += 1;
        (Mode::Request, format!("{}-{}", self.run, self.last))
    }

    fn refused_part(&mut self, incoming: &Incoming<'_>, code: Code) {
        if incoming.transaction.name == "SendMessageRequest" {
            self.count(Count::Accepted);
            self.count(Count::Ended(Outcome::Refused(code.0)));
        }
        self.count_refusal(code.0);
    }

    /// Answers a request that goes nowhere, and remembers the answer.
    fn refuse(&mut self, origin: Origin, transaction: &Transaction, status: Status, now: Time) {
        self.count_refusal(status.code.0);
        let kind = primitive::facts(&transaction.name).map(|facts| facts.kind);
        if kind == Some(Kind::Notice) {
            return;
        }
        if transaction.name == "SendMessageRequest" {
            self.count(Count::Accepted);
            self.count(Count::Ended(Outcome::Refused(status.code.0)));
        }
        let answer = split::answer(
            &transaction.name,
            transaction.peek.message_id.as_deref(),
            status,
        );
        self.answer_at_once(origin, transaction, &answer, now);
    }

    fn answer_at_once(
        &mut self,
        origin: Origin,
        transaction: &Transaction,
        answer: &Primitive,
        now: Time,
    ) {
        let number = self.table.next_number(now);
        let record = Record {
            origin,
            name: transaction.name.clone().into_owned(),
            received: now,
            expires: now.plus_millis(self.settings.response_timeout),
            parts: Vec::new(),
            state: State::Pending,
            message: transaction.peek.message_id.clone(),
            report_to: None,
            asker: None,
            kept: None,
            fingerprint: 0,
        };
        let _ = self.table.insert(number, record);
        self.finish(number, answer, now);
    }

    /// The peer asks again: same answer, no second effect.
    fn repeat_answer(&mut self, peer: &Peer, number: u64, transaction: &Transaction, now: Time) {
        self.count(Count::Duplicate);
        tracing::debug!(ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "repeated transaction");
        let Some(record) = self.table.get(number) else {
            return;
        };
        if let State::Answered(Some(answer)) = &record.state {
            let answer = answer.clone();
            self.send_answer(number, &answer, now);
        }
    }
}

/// What one part of a request needs sent.
enum Send {
    Enqueue(String, Box<Item>),
    Deliver(Element, Box<Delivered>),
}

/// Whether a route leads back to the peer that sent the request here.
fn came_from(incoming: &Incoming<'_>, route: &Route) -> bool {
    match (&incoming.origin, route) {
        (Origin::Peer { peer: from, .. }, Route::Peer(to)) => from == to,
        _ => false,
    }
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

/// Of requestor and content: the same request seen twice on its way is in a loop.
pub(super) fn fingerprint(transaction: &Transaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    transaction.peek.user.hash(&mut hasher);
    transaction.peek.service.hash(&mut hasher);
    transaction.raw.hash(&mut hasher);
    hasher.finish()
}
