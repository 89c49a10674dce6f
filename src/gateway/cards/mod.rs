//! Profiles of users, and who runs a domain, across the border (xmpp-mapping, 8 and 9).
//!
//! ```text
//!  SSP  ── GetUserProfileRequest ─▶ gateway ── vCard, vCard4, disco#info ─▶ user's server
//!       ── GetSPInfoRequest ──────▶         ── disco#info, vCard ─────────▶ the domain
//!  XMPP ── vCard ─────────────────▶ gateway ── GetUserProfileRequest ─▶ the user's domain
//!       ── disco#info, vCard ─────▶         ── GetSPInfoRequest ──────▶ the domain
//! ```
//!
//! | file | what |
//! |---|---|
//! | `outbound` | questions of the SSP side, which XMPP has to answer |
//! | `query` | one of them: what was heard, and what is answered |
//! | `inbound` | XMPP users ask for the card of a user |
//! | `providers` | XMPP users ask who runs a domain |

mod inbound;
mod outbound;
mod providers;
mod query;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::presence::Watches;
use super::reply::Reply;
use super::shared::Shared;
use crate::element::{RequestId, Time};
use crate::imps::Code;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::common::GetSPInfoRequest;
use crate::imps::primitive::profile::GetUserProfileRequest;
use crate::translate::Context;
use crate::translate::card::provider::Provider;
use inbound::Inbound;
use outbound::Outbound;
use providers::Providers;

/// Profiles and providers, in both directions.
#[derive(Debug)]
pub(super) struct Cards {
    outbound: Outbound,
    inbound: Inbound,
    providers: Providers,
}

impl Cards {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            outbound: Outbound::default(),
            inbound: Inbound::new(own),
            providers: Providers::default(),
        }
    }

    /// The SSP side asks for the profile of an XMPP user.
    pub(super) fn profile(
        &mut self,
        request: &GetUserProfileRequest,
        ask: (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) {
        if let Err(code) = self.outbound.profile(request, ask, now, shared) {
            shared.respond_code(ask.0, code);
        }
    }

    /// The SSP side asks who runs the XMPP domain.
    pub(super) fn provider(
        &mut self,
        request: &GetSPInfoRequest,
        ask: (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) {
        if let Err(code) = self.outbound.provider(request, ask, now, shared) {
            shared.respond_code(ask.0, code);
        }
    }

    /// A question of an XMPP user for a card, or an answer to one of ours; gives back what is neither,
    /// and what can be answered now.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        watches: &Watches,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        if matches!(iq, Iq::Get { .. }) {
            let iq = self.inbound.ask(component, iq, now, shared)?;
            return self.providers.hold(component, iq, now, shared);
        }
        match Reply::of(
            iq,
            Context::Other,
            |id, from| self.outbound.awaits(id, from),
            shared,
        ) {
            Ok(Reply { id, answer, .. }) => {
                self.outbound.answered(&id, answer, watches, (now, shared));
                None
            }
            Err(iq) => Some(*iq),
        }
    }

    /// A question of ours that its link cannot write.
    pub(super) fn unsent(
        &mut self,
        id: &str,
        to: &Jid,
        watches: &Watches,
        now: Time,
        shared: &mut Shared,
    ) {
        if self.outbound.awaits(id, to) {
            let answer = Err(Code::UNAVAILABLE);
            self.outbound.answered(id, answer, watches, (now, shared));
        }
    }

    /// Whether the token is of a question to the SSP side.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.inbound.asked(token) || self.providers.asked(token)
    }

    /// The SSP side has answered a question.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        watches: &Watches,
        now: Time,
        shared: &mut Shared,
    ) {
        if self.inbound.asked(token) {
            self.inbound.answered(token, answer, watches, shared);
        } else {
            self.providers.answered(token, answer, now);
        }
    }

    /// A question about a domain that can be answered by now, and the component it came by.
    pub(super) fn next_ready(&mut self) -> Option<(String, Iq)> {
        self.providers.next_ready()
    }

    /// What is known of who runs the domain of a component.
    pub(super) fn of(&self, component: &str) -> Option<&Provider> {
        self.providers.of(component)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [self.outbound.next_timeout(), self.providers.next_timeout()];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, watches: &Watches, now: Time, shared: &mut Shared) {
        self.outbound.timeout(watches, now, shared);
        self.providers.timeout(now);
    }

    /// Questions of either side that wait for their answers.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.outbound.count(), self.inbound.count())
    }
}
