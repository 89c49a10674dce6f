//! Requests of a peer to the SAP itself: session and service management (wire
//! profile, 11.1 and 11.3).

use super::element::Time;
use super::transaction::Origin;
use super::{Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::session::KeepAliveResponse;
use crate::ssp::{Code, Primitive, Status};

impl Sap {
    /// Requests to the SAP itself.
    pub(super) fn hop_request(
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
}
