//! Handshake steps on their way: each at its time, to the peer or to where it has sent us.

use crate::sap::association::handshake::Role;
use crate::sap::association::handshake::Step;
use crate::sap::association::posting::{Flight, PendingStep};
use crate::sap::element::Time;
use crate::sap::timers::Timer;
use crate::sap::{Effect, Post, Sap};
use crate::ssp::envelope::print_styled_setup;

impl Sap {
    /// Posts a step when its time has come.
    pub(in crate::sap) fn post_step(&mut self, pending: PendingStep, now: Time) {
        if pending.step.at > now {
            let number = self.numbers.next();
            self.timers.set(pending.step.at, Timer::Step(number));
            self.steps.insert(number, pending);
            return;
        }
        let Some(peer) = self.peer_settings(&pending.peer) else {
            return;
        };
        let step = &pending.step;
        let raw = step.primitive.to_xml(Some(peer.dialect.style()));
        let (style, namespace) = (peer.dialect.style(), &peer.dialect.namespace);
        let body = print_styled_setup(style, namespace, step.mode, &step.id, &raw);
        let url = self.elsewhere(&pending.peer, &pending.role, now);
        let number = self.numbers.next();
        let post = Post {
            peer: peer.real().to_owned(),
            number,
            body: body.into(),
            session: None,
            // The binding carries the id on steps 1 and 2 only.
            transaction: (step.number <= 2).then(|| step.id.clone()),
            url,
            transactions: 1,
        };
        tracing::debug!(
            ssp.peer = pending.peer,
            ssp.transaction = step.id,
            ssp.primitive = step.primitive.name(),
            step = step.number,
            attempt = pending.attempt,
            "posting handshake step"
        );
        self.flights.insert(number, Flight::Step(pending));
        self.effect(Effect::Post(post));
    }

    pub(in crate::sap) fn step_due(&mut self, number: u64) {
        if let Some(pending) = self.steps.remove(&number) {
            let at = pending.step.at;
            if self.role_is_alive(&pending) {
                self.post_step(pending, at);
            }
        }
    }

    /// Where the steps of a handshake go, if not to the peer's usual address.
    fn elsewhere(&self, domain: &str, role: &Role, now: Time) -> Option<String> {
        let redirect = self.peers.get(domain)?.redirect.as_ref();
        let redirect = redirect.filter(|to| *role == Role::Initiator && to.counts(now));
        redirect.map(|to| to.url.clone())
    }

    /// Posts a setup message that is never repeated.
    pub(in crate::sap) fn post_once(&mut self, domain: &str, role: &Role, step: &Step, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        let raw = step.primitive.to_xml(Some(peer.dialect.style()));
        let (style, namespace) = (peer.dialect.style(), &peer.dialect.namespace);
        let body = print_styled_setup(style, namespace, step.mode, &step.id, &raw);
        let url = self.elsewhere(domain, role, now);
        let number = self.numbers.next();
        self.flights.insert(number, Flight::Once);
        self.effect(Effect::Post(Post {
            peer: peer.real().to_owned(),
            number,
            body: body.into(),
            session: None,
            transaction: None,
            url,
            transactions: 1,
        }));
    }
}
