//! Requests of a peer to the SAP itself: session and service management (wire
//! profile, 11.1 and 11.3).

use crate::sap::element::Time;
use crate::sap::transaction::Origin;
use crate::sap::{Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::session::KeepAliveResponse;
use crate::ssp::{Code, Primitive, Status};

impl Sap {
    /// Requests to the SAP itself.
    pub(in crate::sap) fn hop_request(
        &mut self,
        peer: &Peer,
        session: &str,
        origin: Origin,
        transaction: &Transaction,
        now: Time,
    ) {
        match transaction.primitive() {
            Ok(Primitive::KeepAliveRequest(request)) => {
                let kept = self.with(&peer.domain, now, |association| {
                    association.kept_alive(session, &request, now)
                });
                match kept.flatten() {
                    Some(answer) => {
                        self.answer_at_once(origin, transaction, &answer.into(), now);
                    }
                    None => self.answer_unknown(peer, session, transaction, now),
                }
            }
            Ok(Primitive::LogoutRequest(request)) => {
                self.with(&peer.domain, now, |association| {
                    association.logged_out(session, transaction, &request, now);
                });
            }
            Ok(Primitive::Disconnect(notice)) => {
                self.with(&peer.domain, now, |association| {
                    association.disconnected(session, &notice, now);
                });
            }
            Ok(Primitive::ServiceRequest(request)) => {
                let up = self.is_up(peer.real());
                let answer = self.services.agree(peer, &request, up, now);
                self.drive_services(now);
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

    /// A keep-alive for a session that ended a moment ago: said in that session, for
    /// there may be no other.
    fn answer_unknown(&mut self, peer: &Peer, session: &str, transaction: &Transaction, now: Time) {
        let answer = KeepAliveResponse {
            time_to_live: None,
            status: Status::new(Code::INVALID_SESSION),
        };
        let (id, answer) = (&transaction.id, answer.into());
        self.with(&peer.domain, now, |association| {
            association.answer_in_session(session, id, &answer, now);
        });
    }
}
