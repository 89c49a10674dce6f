//! Accepts requests: permission, duplicates, loops (wire profile, 7); where they
//! go is in [`routing`], what is answered here in [`refusal`].

mod dispatch;
mod refusal;
mod routing;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::delivery_report::{about, report_to};
use super::events::{Event, Queues, ToThisSap};
use super::history::Step;
use super::record::{Origin, Part, Place, Record, State};
use super::table::Table;
use super::{Transactions, permission, recipients};
use crate::element::{Element, Outcome, Time, Token};
use crate::imps::primitive::{self, Kind, Name, Routing};
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::neighbour::is_shard;
use crate::sap::presented_as::domain_of;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::sap::watch::Count;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::Shown;
use dispatch::Dispatch;
pub(super) use routing::Incoming;
use routing::Way;

/// More hops than this are taken for a loop.
const MAX_HOPS: usize = 16;
/// A primitive for more users than this is refused. Our choice: twice the longest contact list.
const MAX_TARGETS: usize = 2_000;
/// Bytes of the parts into which one request is taken apart. Our choice.
const MAX_PARTS_BYTES: usize = 64 * 1024 * 1024;
/// Notices and delivery reports wait this long for a peer.
const NOTICE_VALIDITY: Duration = Duration::from_secs(86_400);

impl Transactions {
    /// A request in mode Request from a peer, in this session of ours; `None`: something else of
    /// the peer's that means the same.
    pub(in crate::sap) fn request_of_peer(
        &mut self,
        peer: &Peer,
        session: Option<&SessionId>,
        transaction: &Transaction,
        queues: &dyn Queues,
        now: Time,
    ) {
        let origin = Origin::Peer {
            peer: peer.id.clone(),
            id: transaction.id.as_str().into(),
        };
        if let Some(number) = self.rows.table.by_origin(&origin) {
            self.count(Count::Duplicate);
            tracing::debug!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "repeated transaction");
            // Same answer, no second effect.
            let state = self.rows.table.get(number);
            let state = state.map(|record| record.state.clone());
            if let Some(State::Answered(Some(answer))) = state {
                self.send_answer(number, &answer, now);
            }
            return;
        }
        let transaction = self.deviations.inbound(peer, transaction, now);
        let transaction = transaction.as_ref();
        let Some(facts) = transaction.name.facts() else {
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "unknown primitive");
            return self.refuse(origin, transaction, Status::new(Code::NOT_SUPPORTED), now);
        };
        let kind = match facts.kind {
            // A Status in mode Request has no meaning (9.6).
            Kind::Response if transaction.name == Name::Status => return,
            // A home domain says itself of a message that its user has it (11.9).
            Kind::Response if transaction.name == Name::MessageDelivered => Kind::Request,
            Kind::Setup | Kind::Response => {
                return self.refuse(origin, transaction, Status::new(Code::BAD_REQUEST), now);
            }
            kind => kind,
        };
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
                return self.count(Count::Refused(Code::ADDRESS.0));
            }
            let status = Status::new(Code::ADDRESS).because(why);
            return self.refuse(origin, transaction, status, now);
        }
        if let Some(why) = permission::forbidden(&self.settings, peer, transaction) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                %why, "the peer may not speak for this user"
            );
            if facts.kind == Kind::Notice {
                return self.count(Count::Refused(Code::ADDRESS.0));
            }
            return self.refuse(origin, transaction, Status::new(Code::ADDRESS), now);
        }
        let unsent =
            self.rows
                .sent
                .is_unsent(&self.rows.table, &self.settings, peer, transaction, now);
        if unsent {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id),
                ssp.message = %Shown(transaction.peek.message_id.as_deref().unwrap_or_default()),
                "the peer reports on a message that was not sent to it; dropped"
            );
            return self.count(Count::Refused(Code::ADDRESS.0));
        }
        if self.profiles.is_forbidden(peer, transaction) {
            let status = Status::new(Code::FORBIDDEN);
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                "the peer has no business with this user's profile"
            );
            return self.refuse(origin, transaction, status, now);
        }
        let fingerprint = fingerprint(transaction);
        if is_loop(
            (&self.settings.domain, peer),
            &self.rows.table,
            transaction,
            fingerprint,
        ) {
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
            let Some(session) = session else {
                return self.refuse(origin, transaction, Status::new(Code::BAD_REQUEST), now);
            };
            let to_this_sap = ToThisSap {
                peer: peer.domain.clone(),
                session: session.clone(),
                origin,
                transaction: transaction.clone(),
            };
            return self
                .events
                .push_back(Event::ToThisSap(Box::new(to_this_sap)));
        }
        if let Some(next) = self.deviations.unnamed_leave(peer, transaction, now) {
            return self.unnamed_leave(next, queues, now);
        }
        self.deviations.left(peer, transaction);
        let validity = transaction
            .peek
            .validity
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let lifetime = match (facts.kind, facts.is) {
            (_, Name::SendMessageRequest) => validity
                .unwrap_or(self.settings.default_validity)
                .min(self.settings.default_validity.saturating_mul(7)),
            (Kind::Notice, _) => NOTICE_VALIDITY,
            _ => self.settings.response_timeout,
        };
        let incoming = Incoming {
            origin,
            from_domain: peer.real().to_owned(),
            transaction: Cow::Borrowed(transaction),
            fingerprint,
            typed: None,
            kind,
            routing: facts.routing,
            expires: now.plus(lifetime),
            to: None,
            handed: None,
        };
        self.accept(&incoming, queues, now);
    }

    /// A request or notice of a service element of this node; `to` is the domain that is asked, if
    /// the request does not say it.
    pub(in crate::sap) fn request(
        &mut self,
        element: Element,
        (token, expires): (Token, Time),
        to: Option<&Address>,
        primitive: &Primitive,
        queues: &dyn Queues,
        now: Time,
    ) {
        let (kind, routing) = primitive::facts(primitive.name())
            .map_or((Kind::Request, Routing::Recipients), |facts| {
                (facts.kind, facts.routing)
            });
        let number = self.rows.table.next_number(now);
        // A notice is not answered, so its token need not be unique.
        let token_key = if kind == Kind::Notice {
            Token(number)
        } else {
            token
        };
        let transaction = Transaction::new(Mode::Request, number.to_string(), primitive);
        let incoming = Incoming {
            origin: Origin::Element {
                element,
                token: token_key,
            },
            from_domain: self.settings.domain.clone(),
            fingerprint: fingerprint(&transaction),
            transaction: Cow::Owned(transaction),
            typed: Some(primitive),
            kind,
            routing,
            expires,
            to: to.cloned(),
            handed: None,
        };
        self.accept(&incoming, queues, now);
    }

    /// Routes a request whose sender may send it.
    pub(super) fn accept(&mut self, incoming: &Incoming<'_>, queues: &dyn Queues, now: Time) {
        let transaction = &incoming.transaction;
        let from_peer = matches!(incoming.origin, Origin::Peer { .. }) && incoming.handed.is_none();
        if from_peer && let Some(answer) = self.services.take_echo(transaction, now) {
            return self.answer_at_once(incoming.origin.clone(), transaction, answer, now);
        }
        let asker = incoming.asking().map(domain_of);
        // What another shard has found a way for has been where its profile is known.
        let has_way = incoming.handed.is_some_and(|it| !it.targets.is_empty());
        let elsewhere = self.profiles.elsewhere(transaction).filter(|_| !has_way);
        let answer = if elsewhere.is_some() {
            None
        } else if incoming.routing == Routing::Service {
            self.services.answer(asker, transaction, now)
        } else {
            self.profiles
                .answer(asker, transaction, &self.services, now)
        };
        if let Some(answer) = answer {
            return self.answer_at_once(incoming.origin.clone(), transaction, answer, now);
        }
        let targets = incoming.targets(&self.settings, &self.profiles);
        if targets.is_empty() && elsewhere.is_none() {
            let status = Status::new(Code::BAD_PARAMETER).because("nobody is addressed");
            return self.refuse(incoming.origin.clone(), transaction, status, now);
        }
        if targets.len() > MAX_TARGETS {
            tracing::warn!(
                ssp.peer = asker, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                targets = targets.len(), "too many are addressed at once"
            );
            let why = format!("more than {MAX_TARGETS} are addressed");
            let status = Status::new(Code::BAD_PARAMETER).because(why);
            return self.refuse(incoming.origin.clone(), transaction, status, now);
        }
        let groups = match elsewhere {
            Some(_) => vec![(
                Way {
                    route: None,
                    shard: elsewhere,
                },
                Vec::new(),
            )],
            None => incoming.group(&self.settings, targets),
        };
        if groups.len() > 1 && groups.len() * transaction.raw.len() > MAX_PARTS_BYTES {
            let status = Status::new(if transaction.name == Name::SendMessageRequest {
                Code::QUEUE_FULL
            } else {
                Code::UNAVAILABLE
            });
            let status = status.because("too large for so many domains");
            return self.refuse(incoming.origin.clone(), transaction, status, now);
        }
        // Only what is taken apart must be read for that.
        let read = (groups.len() > 1 && incoming.typed.is_none()).then(|| transaction.primitive());
        let read = read.and_then(Result::ok);
        let typed = incoming.typed.or(read.as_ref());
        let typed = typed.filter(|_| groups.len() > 1);
        let number = self.rows.table.next_number(now);
        let mut parts = Vec::with_capacity(groups.len());
        let mut sends = Vec::with_capacity(groups.len());
        for (way, targets) in groups {
            let primitive = typed.and_then(|typed| recipients::part(typed, &targets));
            let dispatch = Dispatch::of(self, incoming, queues, now);
            let sent = dispatch.send(way, &targets, primitive);
            match sent {
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
                        if incoming.transaction.name == Name::SendMessageRequest {
                            self.accepted();
                            self.count(Count::Ended(Outcome::Refused(status.code.0)));
                        }
                        self.count(Count::Refused(status.code.0));
                    }
                    let answer = recipients::answer(
                        transaction.name.known(),
                        transaction.peek.message_id.as_deref(),
                        status,
                    );
                    parts.push(Part {
                        place: Place::Here,
                        targets,
                        answer: Some(Body::typed(answer)),
                        acknowledged: None,
                    });
                }
            }
        }
        let is_elsewhere = |part: &Part| part.peer().is_some_and(is_shard);
        let stays = !parts.iter().any(is_elsewhere);
        let at_peers = || parts.iter().filter_map(Part::peer);
        let asker = self.deviations.asker(transaction, at_peers());
        let content = self.deviations.content_to_remember(transaction, at_peers());
        let with_targets = parts
            .iter()
            .filter_map(|part| Some((part.peer()?, &part.targets[..])));
        let (circle, kept) = self.deviations.circle(transaction, with_targets);
        let (origin, name) = (incoming.origin.clone(), transaction.name.clone());
        let record = Record {
            parts,
            state: if incoming.kind == Kind::Notice {
                State::Answered(None)
            } else {
                State::Pending
            },
            message: about(transaction),
            report_to: report_to(transaction),
            asker: asker.map(Box::new),
            kept,
            circle: circle.map(Box::new),
            fingerprint: incoming.fingerprint,
            content,
            asking: incoming.handed.and_then(|handed| handed.asking.clone()),
            ..Record::waiting(origin, name, (now, incoming.expires))
        };
        let pending = record.state == State::Pending;
        // A notice between elements of this node has come to its end.
        let is_kept =
            pending || !record.is_forgotten_at_once(|place| matches!(place, Place::Peer { .. }));
        let step = Step::accepted(&record, transaction, now);
        if is_kept {
            let writes = self.rows.insert(number, record, now);
            self.write(writes);
        }
        self.tell(step);
        // What passes by is remembered where the way leads, and there alone.
        if stays {
            self.profiles.asked(number, transaction, now);
        }
        self.events.extend(sends);
        if pending {
            // Everything may have been refused here and now.
            self.finish_if_complete(number, now);
        } else if is_kept {
            let writes = self.rows.forget_later(number, now);
            self.write(writes);
        }
    }
}

fn is_loop(
    (own, peer): (&str, &Peer),
    table: &Table,
    transaction: &Transaction,
    fingerprint: u64,
) -> bool {
    if let Some(via) = &transaction.via {
        return via.split(' ').any(|hop| hop == own) || via.split(' ').count() > MAX_HOPS;
    }
    let same = table.by_fingerprint(fingerprint);
    same.is_some_and(|record| {
        matches!(record.origin, Origin::Peer { .. }) && !record.origin.is_of(peer.real())
    })
}

/// Of requestor and content: the same request seen twice on its way is in a loop.
pub(super) fn fingerprint(transaction: &Transaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    transaction.peek.user.hash(&mut hasher);
    transaction.peek.service.hash(&mut hasher);
    transaction.raw.hash(&mut hasher);
    hasher.finish()
}
