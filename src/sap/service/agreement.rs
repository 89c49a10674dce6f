//! Service Negotiation and Agreement in both roles (wire profile, 11.3). An
//! agreement covers one direction; each side negotiates what it wants to ask.

use std::time::Duration;

use super::set;
use super::table::{Agreement, Direction, What};
use super::{ALWAYS, Services};
use crate::element::{Time, seconds};
use crate::imps::primitive::service::{Functions, ServiceRequest, ServiceResponse};
use crate::imps::{Code, Primitive, Status};
use crate::sap::settings::{Peer, ServiceSet};
use crate::text::Shown;

/// The shortest agreement: shorter ones would be renewed all the time.
const SHORTEST: Duration = Duration::from_secs(60);

impl Services {
    /// A peer's request for functions, or word from it about our agreement.
    pub(in crate::sap) fn agree(
        &mut self,
        peer: &Peer,
        request: &ServiceRequest,
        up: bool,
        now: Time,
    ) -> Primitive {
        let answer = match &request.agreement {
            Some(id) if self.is_agreement(peer, Direction::Obtained, id, now) => {
                self.provider_says(peer, request, now)
            }
            Some(id) if !self.is_agreement(peer, Direction::Granted, id, now) => {
                Status::new(Code::NOT_FOUND)
                    .because(format!("there is no agreement {id}"))
                    .into()
            }
            Some(id) if request.cancel == Some(true) => {
                let write = self.table.end(peer.real(), Direction::Granted);
                self.write(write);
                tracing::info!(
                    ssp.peer = peer.domain,
                    agreement = %Shown(id),
                    "agreement ended by the peer"
                );
                let mut answer = refusal(Status::ok(), ServiceSet::NONE);
                answer.agreement = Some(id.clone());
                answer.into()
            }
            _ => self.grant(peer, request, now),
        };
        self.look_after(peer.real(), up, now);
        answer
    }

    /// Provider: what of the wanted functions the peer gets.
    fn grant(&mut self, peer: &Peer, request: &ServiceRequest, now: Time) -> Primitive {
        let current = self
            .table
            .agreement(peer.real(), Direction::Granted, now)
            .cloned();
        let named = request.functions.as_ref().map(wanted);
        // A renewal need not name the functions again.
        let wanted = named.or_else(|| {
            let current = current.as_ref().filter(|_| request.agreement.is_some());
            current.map(|agreement| agreement.functions)
        });
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else {
            let status = Status::new(Code::BAD_PARAMETER).because("no function is named");
            return status.into();
        };
        if peer.offers.is_empty() {
            return refusal(Status::new(Code::FORBIDDEN), wanted).into();
        }
        // What is answered 501 in the end is not to be had.
        let (provided, _) = self.offers(now).provided_to(peer.real());
        let grantable = peer.offers.intersection(provided).union(set(ALWAYS));
        let agreed = wanted.intersection(grantable);
        let refused = wanted.difference(agreed);
        if agreed.is_empty() {
            return refusal(Status::new(Code::NOT_AGREED), wanted).into();
        }
        let longest = self.settings.agreement_ttl;
        let asked = request
            .time_to_live
            .map(|seconds| Duration::from_secs(seconds.into()));
        let ttl = asked.map_or(longest, |asked| asked.clamp(SHORTEST.min(longest), longest));
        let id = match (current, &request.agreement) {
            (Some(current), Some(_)) => current.id,
            _ => format!(
                "agr-{}@{}",
                self.table.next_agreement(now),
                self.settings.domain
            ),
        };
        // Whom a peer may speak for is not a matter of negotiation.
        let served = request.served.iter().flatten();
        let served = served.filter(|domain| self.settings.may_speak(peer, domain));
        let agreement = Agreement {
            id: id.clone(),
            functions: agreed,
            served: served.cloned().collect(),
            since: now,
            expires: now.plus(ttl),
        };
        tracing::info!(
            ssp.peer = peer.domain,
            agreement = %Shown(&id),
            functions = agreed.names().join(" "),
            "agreement granted"
        );
        let write = self.table.agree(peer.real(), Direction::Granted, agreement);
        self.write([write]);
        let code = if refused.is_empty() {
            Code::OK
        } else {
            Code::PARTIAL
        };
        let mut answer = refusal(Status::new(code), refused);
        answer.agreement = Some(id);
        answer.time_to_live = u32::try_from(ttl.as_secs()).ok();
        answer.agreed = Some(functions(agreed));
        answer.into()
    }

    /// Requestor: the provider reduces or ends the agreement.
    fn provider_says(&mut self, peer: &Peer, request: &ServiceRequest, now: Time) -> Primitive {
        let Some(mut agreement) = self
            .table
            .agreement(peer.real(), Direction::Obtained, now)
            .cloned()
        else {
            return Primitive::status(Code::NOT_FOUND);
        };
        let left = request.functions.as_ref().map_or(agreement.functions, |f| {
            wanted(f).intersection(agreement.functions)
        });
        tracing::warn!(
            ssp.peer = peer.domain,
            agreement = %Shown(&agreement.id),
            functions = left.names().join(" "),
            "the peer reduces what it agreed to"
        );
        if request.cancel == Some(true) {
            let write = self.table.end(peer.real(), Direction::Obtained);
            self.write(write);
            // It will hardly want to hear the same wish again at once.
            self.table.negotiating(peer.real(), peer.wants, now);
        } else {
            agreement.functions = left;
            let write = self
                .table
                .agree(peer.real(), Direction::Obtained, agreement);
            self.write([write]);
            self.table.negotiating(peer.real(), peer.wants, now);
        }
        Primitive::status(Code::OK)
    }

    /// Requestor: asks for what is wanted, renews, or cancels what is not wanted
    /// any more. There is a session.
    pub(super) fn negotiate(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.settings.peers.get(domain).cloned() else {
            return;
        };
        if !peer.dialect.discovery || !self.table.is_negotiation_due(domain, peer.wants, now) {
            return;
        }
        let current = self
            .table
            .agreement(domain, Direction::Obtained, now)
            .map(|agreement| agreement.id.clone());
        let cancel = peer.wants.is_empty();
        let ttl = self.settings.agreement_ttl;
        let request = ServiceRequest {
            agreement: current,
            time_to_live: (!cancel).then(|| seconds(ttl)),
            cancel: cancel.then_some(true),
            meta: Some(self.own_meta()),
            functions: (!cancel).then(|| functions(peer.wants)),
            served: (!cancel).then(|| self.offers(now).served_towards(domain)),
        };
        self.table.negotiating(domain, peer.wants, now);
        let what = if cancel {
            let write = self.table.end(domain, Direction::Obtained);
            self.write(write);
            What::Told
        } else {
            What::Agreement
        };
        self.ask(&peer, what, &request.into(), now);
    }

    /// Requestor: the provider's answer.
    pub(super) fn negotiated(&mut self, peer: &Peer, answer: &Primitive, up: bool, now: Time) {
        let response = match answer {
            Primitive::ServiceResponse(response) => response,
            Primitive::Status(status) => return self.not_granted(peer, status, up, now),
            other => {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.primitive = %Shown(other.name()),
                    "not an answer to a ServiceRequest"
                );
                return;
            }
        };
        let (true, Some(id)) = (response.status.code.is_success(), &response.agreement) else {
            return self.not_granted(peer, &response.status, up, now);
        };
        let agreed = response.agreed.as_ref().map_or_else(
            // All of it, as nothing was refused.
            || {
                let refused = response.not_available.as_ref();
                peer.wants
                    .difference(refused.map_or(ServiceSet::NONE, wanted))
            },
            |functions| wanted(functions).intersection(peer.wants),
        );
        let ttl = response
            .time_to_live
            .map_or(self.settings.agreement_ttl, |seconds| {
                Duration::from_secs(seconds.into()).max(SHORTEST)
            });
        tracing::info!(
            ssp.peer = peer.domain,
            agreement = %Shown(id),
            functions = agreed.names().join(" "),
            refused = peer.wants.difference(agreed).names().join(" "),
            "agreement obtained"
        );
        let agreement = Agreement {
            id: id.clone(),
            functions: agreed,
            served: self.offers(now).served_towards(peer.real()),
            since: now,
            expires: now.plus(ttl),
        };
        let write = self
            .table
            .agree(peer.real(), Direction::Obtained, agreement);
        self.write([write]);
        // What is missing may be provided later: it is asked for again in an hour.
        if agreed.includes(peer.wants) {
            self.table.settled(peer.real());
        }
        self.look_after(peer.real(), up, now);
    }

    fn not_granted(&mut self, peer: &Peer, status: &Status, up: bool, now: Time) {
        tracing::warn!(
            ssp.peer = peer.domain,
            code = status.code.0,
            "the peer agrees to nothing of what we want"
        );
        if status.code == Code::NOT_FOUND {
            // It has lost the agreement: one more try, without the id.
            let ended = self.table.end(peer.real(), Direction::Obtained);
            if ended.is_some() {
                self.write(ended);
                self.table.settled(peer.real());
                self.look_after(peer.real(), up, now);
            }
        }
    }

    /// Provider: what is behind this node has changed.
    pub(super) fn keep_all_to_offers(&mut self, now: Time) {
        let shards = self.settings.shards;
        let granted = self.table.granted().into_iter();
        for domain in granted.filter(|peer| shards.has_peer(peer)) {
            self.keep_to_offers(&domain, now);
        }
    }

    /// Provider: what the record does not offer any more, or nobody provides, is taken out
    /// of the agreement, and the peer is told. Whoever is behind this node and was not
    /// heard yet, as after a restart, may provide anything.
    pub(super) fn keep_to_offers(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.settings.peers.get(domain).cloned() else {
            return;
        };
        let granted = self.table.agreement(domain, Direction::Granted, now);
        let Some(mut agreement) = granted.cloned() else {
            return;
        };
        let mut offers = peer.offers;
        if let (provided, true) = self.offers(now).provided_to(domain) {
            offers = offers.intersection(provided);
        }
        let offers = offers.union(set(ALWAYS));
        if offers.includes(agreement.functions) {
            return;
        }
        agreement.functions = agreement.functions.intersection(offers);
        let left = agreement.functions;
        let request = ServiceRequest {
            agreement: Some(agreement.id.clone()),
            time_to_live: None,
            cancel: left.is_empty().then_some(true),
            meta: Some(self.own_meta()),
            functions: (!left.is_empty()).then(|| functions(left)),
            served: None,
        };
        let write = if left.is_empty() {
            self.table.end(domain, Direction::Granted)
        } else {
            Some(self.table.agree(domain, Direction::Granted, agreement))
        };
        self.write(write);
        self.ask(&peer, What::Told, &request.into(), now);
    }

    fn is_agreement(&self, peer: &Peer, direction: Direction, id: &str, now: Time) -> bool {
        self.table
            .agreement(peer.real(), direction, now)
            .is_some_and(|agreement| agreement.id == id)
    }
}

/// An answer that grants nothing; `not_available` is what was asked for in vain.
fn refusal(status: Status, not_available: ServiceSet) -> ServiceResponse {
    ServiceResponse {
        agreement: None,
        time_to_live: None,
        status,
        agreed: None,
        not_available: (!not_available.is_empty()).then(|| functions(not_available)),
    }
}

fn wanted(functions: &Functions) -> ServiceSet {
    functions
        .features
        .as_ref()
        .map_or(ServiceSet::NONE, ServiceSet::of_features)
}

fn functions(set: ServiceSet) -> Functions {
    Functions {
        features: Some(set.features()),
    }
}
