//! Accepts requests: permission, duplicates, loops (wire profile, 7); where they
//! go is in [`routing`], what is answered here in [`refusal`].

mod refusal;
mod routing;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::sap::element::{Element, Time, Token};
use crate::sap::presented_as::domain_of;
use crate::sap::transaction::delivery_report::about;
use crate::sap::transaction::recipients;
use crate::sap::transaction::{Origin, Part, Place, Record, State};
use crate::sap::{Count, Effect, Peer, Sap, timers};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::{self, Kind, Routing};
use crate::ssp::{Code, Mode, Primitive, Status};
use crate::text::Shown;
use routing::Send;

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
    pub(in crate::sap) fn peer_request(
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
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "unknown primitive");
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
        if self.services.offers(now).not_agreed(peer, transaction) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                "the peer may not use this function"
            );
            return self.refuse(origin, transaction, Status::new(Code::NOT_AGREED), now);
        }
        if let Some((address, why)) = transaction.peek.ill_formed() {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                address = %Shown(address.as_str()), "an address that is none: {why}"
            );
            if facts.kind == Kind::Notice {
                return self.count_refusal(Code::ADDRESS.0);
            }
            let status = Status::new(Code::ADDRESS).because(why);
            return self.refuse(origin, transaction, status, now);
        }
        if let Some(why) = self.forbidden(peer, transaction) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                %why, "the peer may not speak for this user"
            );
            if facts.kind == Kind::Notice {
                return self.count_refusal(Code::ADDRESS.0);
            }
            return self.refuse(origin, transaction, Status::new(Code::ADDRESS), now);
        }
        if self.is_unsent(peer, transaction, now) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id),
                ssp.message = %Shown(transaction.peek.message_id.as_deref().unwrap_or_default()),
                "the peer reports on a message that was not sent to it; dropped"
            );
            return self.count_refusal(Code::ADDRESS.0);
        }
        if self.profiles.is_forbidden(peer, transaction) {
            let status = Status::new(Code::FORBIDDEN);
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                "the peer has no business with this user's profile"
            );
            return self.refuse(origin, transaction, status, now);
        }
        if self.is_loop(peer, transaction) {
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "relay loop cut");
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
        if self.asks_who_left(peer, transaction, now) {
            return;
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
            from_domain: peer.real().to_owned(),
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

    fn is_loop(&self, peer: &Peer, transaction: &Transaction) -> bool {
        if let Some(via) = &transaction.via {
            return via.split(' ').any(|hop| hop == self.settings.domain)
                || via.split(' ').count() > MAX_HOPS;
        }
        let fingerprint = fingerprint(transaction);
        self.table
            .by_fingerprint(fingerprint)
            .is_some_and(|record| {
                matches!(record.origin, Origin::Peer { .. }) && !record.origin.is_of(peer.real())
            })
    }

    /// Routes a request whose sender may send it.
    fn accept(&mut self, incoming: &Incoming<'_>, now: Time) {
        let transaction = &incoming.transaction;
        let from_peer = matches!(incoming.origin, Origin::Peer { .. });
        if from_peer && let Some(answer) = self.services.take_echo(transaction, now) {
            self.drive_services(now);
            return self.answer_at_once(incoming.origin.clone(), transaction, &answer, now);
        }
        let asker = match &incoming.origin {
            Origin::Peer { peer, .. } => Some(domain_of(peer)),
            Origin::Element { .. } => None,
        };
        let answer = if incoming.routing == Routing::Service {
            self.services.answer(asker, transaction, now)
        } else {
            let answer = self
                .profiles
                .answer(asker, transaction, &self.services, now);
            self.drive_profiles();
            answer
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
                .and_then(|typed| recipients::part(typed, &targets));
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
                    if status.code.is_success() {
                        self.count(Count::Duplicate);
                    } else {
                        self.refused_part(incoming, status.code);
                    }
                    let answer = recipients::answer(
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
        let (circle, kept) = self.kept_for_members(transaction, &parts);
        let content = self.content_to_remember(transaction, &parts);
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
            circle,
            sent: Vec::new(),
            waiting: None,
            fingerprint: fingerprint(transaction),
            content,
        };
        self.remember_report(&record);
        let begun = self.asked.note(number, &record, now);
        self.write(begun);
        let pending = record.state == State::Pending;
        let write = self.table.insert(number, record);
        self.effect(Effect::Write(write));
        self.tell_accepted(number, transaction, now);
        self.profiles.asked(number, transaction, now);
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
}

/// Of requestor and content: the same request seen twice on its way is in a loop.
pub(in crate::sap) fn fingerprint(transaction: &Transaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    transaction.peek.user.hash(&mut hasher);
    transaction.peek.service.hash(&mut hasher);
    transaction.raw.hash(&mut hasher);
    hasher.finish()
}
