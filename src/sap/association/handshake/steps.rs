//! The steps of a handshake on their way, and their repetition (wire profile, 6.6).

use super::Role;
use crate::sap::association::handshake::{Failure, Step};
use crate::sap::association::posting::PendingStep;
use crate::sap::element::Time;
use crate::sap::{Posted, Sap};

impl Sap {
    pub(super) fn send_step(&mut self, domain: &str, role: Role, step: Step, now: Time) {
        self.post_step(
            PendingStep {
                peer: domain.to_owned(),
                role,
                step,
                attempt: 0,
            },
            now,
        );
    }

    /// The fate of a posted step.
    pub(in crate::sap) fn step_posted(
        &mut self,
        mut pending: PendingStep,
        outcome: &Posted,
        now: Time,
    ) {
        let Some(peer) = self.peer_settings(&pending.peer) else {
            return;
        };
        if !self.role_is_alive(&pending) {
            return;
        }
        let why = match outcome {
            Posted::Acknowledged => {
                // Step 6 acknowledged: the peer knows our session id.
                if let (Role::Responder(id), 6) = (&pending.role, pending.step.number) {
                    self.responder_done(&peer.domain, id, now);
                }
                return;
            }
            // Unlike a closed connection these are not a matter of timing.
            Posted::Refused {
                status: status @ (400 | 403 | 413 | 415),
                ..
            } => {
                pending.attempt = usize::MAX;
                format!("HTTP {status}")
            }
            Posted::Refused { status, .. } => format!("HTTP {status}"),
            Posted::Closed => "connection closed without an answer".to_owned(),
            Posted::TimedOut => "no answer in time".to_owned(),
            Posted::Failed(why) => why.clone(),
        };
        let Some(wait) = peer.dialect.handshake_retries.get(pending.attempt).copied() else {
            let failure = Failure::NotAcknowledged {
                step: pending.step.number,
                why,
            };
            return self.handshake_failed(&peer, &pending.role.clone(), &failure, now);
        };
        pending.attempt += 1;
        pending.step.at = now.plus_millis(wait);
        self.post_step(pending, now);
    }

    /// Whether the step still waits for its answer.
    pub(in crate::sap) fn role_is_alive(&self, pending: &PendingStep) -> bool {
        self.peers
            .get(&pending.peer)
            .is_some_and(|state| match &pending.role {
                Role::Initiator => state.initiator.as_ref().is_some_and(|initiator| {
                    initiator.id == pending.step.id && initiator.awaits(pending.step.number)
                }),
                Role::Responder(id) => state
                    .responders
                    .iter()
                    .any(|responder| responder.id == *id && responder.awaits(pending.step.number)),
            })
    }
}
