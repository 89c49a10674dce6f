//! What is sent for one request: to a peer, to a service element of this node, or to another shard
//! of it.

use super::refusal;
use super::routing::{Incoming, Way, conversation};
use crate::element::{Delivered, Element, RequestId, Time};
use crate::imps::primitive::{Kind, Name};
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::association::outbox::Item;
use crate::sap::dialect::message_ids::Use;
use crate::sap::dialect::outbound;
use crate::sap::neighbour;
use crate::sap::settings::{Peer, Route};
use crate::sap::transaction::Transactions;
use crate::sap::transaction::delivery_report::{Reports, about};
use crate::sap::transaction::events::{Event, Queues};
use crate::sap::transaction::record::Place;
use crate::sap::transaction_id::TransactionId;
use crate::ssp::Mode;

/// Shards pass a request on no more often: only while they go by different settings, as during a
/// reload, does one of them take it for another's again.
const MOST_PASSED: u8 = 2;

/// What is sent, and where its answer comes from; or why nothing is.
pub(super) type Sent = Result<(Place, Event), Status>;

/// One request as it is sent to some of its targets.
pub(super) struct Dispatch<'t, 'i> {
    on: &'t mut Transactions,
    incoming: &'t Incoming<'i>,
    queues: &'t dyn Queues,
    now: Time,
}

impl<'t, 'i> Dispatch<'t, 'i> {
    /// Of this request, at this time.
    pub(super) fn of(
        on: &'t mut Transactions,
        incoming: &'t Incoming<'i>,
        queues: &'t dyn Queues,
        now: Time,
    ) -> Self {
        Self {
            on,
            incoming,
            queues,
            now,
        }
    }

    /// Makes what must be sent for one group of targets. `part`: what of the request concerns
    /// them; `None`: all of it.
    pub(super) fn send(self, way: Way, targets: &[Address], part: Option<Primitive>) -> Sent {
        if let Some(shard) = way.shard {
            return self.hand(shard, targets, part.as_ref());
        }
        match way.route {
            None => Err(refusal::nowhere(&self.incoming.transaction, targets)),
            // Back to where it came from: that is no way forward.
            Some(Route::Peer(peer)) if self.incoming.came_from(&peer) => {
                Err(Status::new(Code::DOMAIN_NOT_SUPPORTED).because(format!("{peer} sent it here")))
            }
            Some(Route::Peer(domain)) => self.queue(&domain, targets, part),
            Some(Route::Local(element)) => self.deliver(element, targets, part),
        }
    }

    /// Refuses what a full queue does not take.
    fn full(is_message: bool) -> Status {
        Status::new(if is_message {
            Code::QUEUE_FULL
        } else {
            Code::UNAVAILABLE
        })
    }

    fn is_message(&self) -> bool {
        self.incoming.transaction.name == Name::SendMessageRequest
    }

    fn queue(self, domain: &str, targets: &[Address], part: Option<Primitive>) -> Sent {
        let transaction = &self.incoming.transaction;
        let Some(peer) = self.on.settings.peers.get(domain).cloned() else {
            return Err(Status::new(Code::UNAVAILABLE));
        };
        if self
            .on
            .services
            .offers(self.now)
            .not_obtained(domain, transaction)
        {
            return Err(Status::new(Code::NOT_AGREED)
                .because(format!("not in the agreement with {domain}")));
        }
        let behind = targets.first().map_or("", Address::domain);
        if self
            .on
            .services
            .offers(self.now)
            .is_refused_there(domain, behind, transaction)
        {
            return Err(
                Status::new(Code::NOT_SUPPORTED).because(format!("{behind} has no such function"))
            );
        }
        if peer.dialect.forbids(&transaction.name) {
            return Err(Status::new(Code::NOT_SUPPORTED)
                .because("the target's server has no such function"));
        }
        let peer = self.on.settings.identity_for(&peer, &transaction.peek);
        if self.queues.is_full(&peer.domain, transaction.raw.len()) {
            return Err(Self::full(self.is_message()));
        }
        // Reports to some dialects go under the peer's own id.
        let (mode, id) = match report_id(&self.on.rows.reports, self.incoming, &peer) {
            Some(id) => (Mode::Response, id.clone()),
            None => (Mode::Request, self.on.numbers.id().into()),
        };
        let message_id = match self
            .on
            .deviations
            .use_of_id(&peer, transaction, &id, self.now)
        {
            Use::Fresh => None,
            Use::Changed(id) => Some(id),
            // It is on its way already, or was there.
            Use::Repeated => {
                return Err(Status::new(Code(202)).because("a repetition"));
            }
        };
        let passes = || peer.dialect.passes_raw(|| &transaction.raw);
        let typed = self.incoming.typed.filter(|_| !passes());
        let raw = outbound::request(
            &peer,
            part.or_else(|| typed.cloned()),
            &transaction.raw,
            &self.incoming.from_domain,
            message_id,
        );
        let raw = match raw {
            Ok(raw) => raw,
            Err(status) => {
                self.on.deviations.not_sent(&peer, transaction);
                return Err(status);
            }
        };
        let via = peer.dialect.via.then(|| {
            transaction.via.as_ref().map_or_else(
                || self.on.settings.domain.clone(),
                |via| format!("{via} {}", self.on.settings.domain),
            )
        });
        if self.is_message() {
            self.on.accepted();
        }
        let item = Item {
            mode,
            id,
            name: transaction.name.clone(),
            raw,
            conversation: conversation(transaction, targets),
            expires: self.incoming.expires,
            message: transaction.peek.message_id.clone(),
            via,
        };
        let place = Place::at(&peer.id, &item.id);
        Ok((place, Event::Enqueue(peer.id.clone(), item)))
    }

    /// For a service element of this node.
    fn deliver(self, element: Element, targets: &[Address], part: Option<Primitive>) -> Sent {
        let transaction = &self.incoming.transaction;
        let primitive = match part.or_else(|| self.incoming.typed.cloned()) {
            Some(primitive) => primitive,
            None => transaction
                .primitive()
                .map_err(|e| Status::new(Code::BAD_REQUEST).because(e.to_string()))?,
        };
        if self.is_message() {
            // A service element delivers, and ends, each copy by itself.
            for _ in targets {
                self.on.accepted();
            }
        }
        let request = RequestId(self.on.rows.table.next_number(self.now));
        let peek = &transaction.peek;
        let from_domain = peek
            .service
            .as_ref()
            .map_or(self.incoming.from_domain.as_str(), Address::domain);
        let delivered = Delivered {
            id: (self.incoming.kind != Kind::Notice).then_some(request),
            from_domain: from_domain.to_owned(),
            user: peek.user.clone().filter(|_| !peek.by_server),
            primitive,
            expires: self.incoming.expires,
        };
        Ok((
            Place::Element { element, request },
            Event::Deliver(element, Box::new(delivered)),
        ))
    }

    /// For another shard of this node.
    fn hand(self, shard: u16, targets: &[Address], part: Option<&Primitive>) -> Sent {
        let handed = self.incoming.hand(self.on.numbers.id(), targets, part);
        let peer = neighbour::name(shard);
        if handed.passed > MOST_PASSED {
            return Err(Status::new(Code::DOMAIN_NOT_SUPPORTED).because("relay loop"));
        }
        if self.queues.is_full(&peer, handed.transaction.raw.len()) {
            return Err(Self::full(handed.is_message()));
        }
        if handed.is_message() {
            self.on.accepted();
        }
        let id = handed.transaction.id.as_str().into();
        Ok((Place::Peer { peer, id }, Event::Hand(shard, handed.into())))
    }
}

/// The transaction id under which a peer wants a report, if it wants it as a response.
fn report_id<'r>(
    reports: &'r Reports,
    incoming: &Incoming<'_>,
    peer: &Peer,
) -> Option<&'r TransactionId> {
    let may_be = incoming.kind == Kind::Notice && peer.dialect.reports_as_response;
    let about = may_be.then(|| about(&incoming.transaction))??;
    reports.find(&peer.id, about)
}
