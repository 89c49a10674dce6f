//! Requests of a peer to the SAP itself: session and service management (wire
//! profile, 11.1 and 11.3).

use crate::element::Time;
use crate::imps::primitive::session::KeepAliveResponse;
use crate::imps::{Code, Primitive, Status};
use crate::sap::engine::Engine;
use crate::sap::session_id::SessionId;
use crate::sap::settings::Peer;
use crate::sap::transaction::ToThisSap;
use crate::ssp::envelope::Transaction;

impl Engine {
    /// A request of a peer to the SAP itself.
    pub(super) fn for_this_sap(&mut self, request: ToThisSap, now: Time) {
        let ToThisSap {
            peer,
            session,
            origin,
            transaction,
        } = request;
        let Some(peer) = self.peer(&peer) else {
            return;
        };
        let answer = match transaction.primitive() {
            Ok(Primitive::KeepAliveRequest(request)) => {
                let kept = self.with(&peer.domain, now, |association| {
                    association.kept_alive(&session, &request, now)
                });
                match kept.flatten() {
                    Some(answer) => answer.into(),
                    None => return self.answer_unknown(&peer, &session, &transaction, now),
                }
            }
            Ok(Primitive::LogoutRequest(request)) => {
                self.with(&peer.domain, now, |association| {
                    association.logged_out((&session, &transaction.id), &request, now);
                });
                return;
            }
            Ok(Primitive::Disconnect(notice)) => {
                self.with(&peer.domain, now, |association| {
                    association.disconnected(&session, &notice, now);
                });
                return;
            }
            Ok(Primitive::ServiceRequest(request)) => {
                let up = self.associations.is_up(peer.real());
                let services = &mut self.transactions.services;
                services.agree(&peer, &request, up, now)
            }
            Ok(_) => {
                let status = Status::new(Code::NOT_IMPLEMENTED);
                return self.transactions.refuse(origin, &transaction, status, now);
            }
            Err(error) => {
                let status = Status::new(Code::BAD_REQUEST).because(error.to_string());
                return self.transactions.refuse(origin, &transaction, status, now);
            }
        };
        self.transactions
            .answer_at_once(origin, &transaction, answer, now);
    }

    /// A keep-alive for a session that ended a moment ago: said in that session, for
    /// there may be no other.
    fn answer_unknown(
        &mut self,
        peer: &Peer,
        session: &SessionId,
        transaction: &Transaction,
        now: Time,
    ) {
        let answer = KeepAliveResponse {
            time_to_live: None,
            status: Status::new(Code::INVALID_SESSION),
        };
        let (id, answer) = (&transaction.id, answer.into());
        self.with(&peer.domain, now, |association| {
            association.answer_in_session((session, id), &answer, now);
        });
    }
}
