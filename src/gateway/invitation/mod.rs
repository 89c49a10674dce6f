//! Invitations across the border (xmpp-mapping, 6).
//!
//! ```text
//!  XMPP ── <invite to=…/> ─▶ room ── may they? ─▶ group ─200─▶ InviteRequest ─▶ SSP user
//!                                                      └─────▶ <invite from=…/> ─▶ XMPP user
//!  XMPP ── <invite from=…/>, <x jid=…/> ─▶ gateway ── InviteRequest ─▶ SSP user ── InviteResponse
//!  SSP  ── InviteRequest ─▶ gateway ── <invite from=…/> ─▶ XMPP user ── enters, or declines ─▶ InviteResponse
//! ```
//!
//! | file | what |
//! |---|---|
//! | `book` | those whose answers may come, each a record |
//! | `inbound` | of XMPP users |
//! | `outbound` | of SSP users |

mod book;
mod inbound;
mod outbound;

use std::collections::VecDeque;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::Presence;

use super::shared::{Shared, verdict};
use crate::element::Time;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::{Address, Code, Status};
use crate::translate::Context;
use crate::translate::invitation::declined;
use crate::translate::receipt::error_of;
use book::{Book, Way};
use inbound::Inbound;
use outbound::{DECLINED, Outbound};

/// How long an invitation may be answered that does not say it, seconds.
const VALIDITY: u32 = 86_400;
/// Bytes of an invitation's id.
const MAX_ID: usize = 128;

/// Invitations in both directions.
#[derive(Debug)]
pub(super) struct Invitations {
    book: Book,
    words: VecDeque<(String, Message)>,
}

impl Invitations {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            book: Book::new(own),
            words: VecDeque::new(),
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.book.restore(rest, value)
    }

    /// How many wait for their answer.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.book.len()
    }

    fn inbound<'a>(&'a mut self, now: Time, shared: &'a mut Shared) -> Inbound<'a> {
        Inbound {
            book: &mut self.book,
            words: &mut self.words,
            shared,
            now,
        }
    }

    fn outbound<'a>(&'a mut self, now: Time, shared: &'a mut Shared) -> Outbound<'a> {
        Outbound {
            book: &mut self.book,
            shared,
            now,
        }
    }

    /// An SSP user invites an XMPP user; `occupant` is what they are in the room of XMPP into which
    /// they invite.
    pub(super) fn invite(
        &mut self,
        request: &InviteRequest,
        (inviter, occupant): (&Address, Option<Jid>),
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        let mut outbound = self.outbound(now, shared);
        outbound.invite(request, inviter, occupant)
    }

    /// An SSP user withdraws an invitation.
    pub(super) fn cancel(
        &mut self,
        request: &CancelInviteRequest,
        inviter: &Address,
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        self.outbound(now, shared).cancel(request, inviter)
    }

    /// An SSP user has answered an invitation.
    pub(super) fn responded(&mut self, response: &InviteResponse, now: Time, shared: &mut Shared) {
        self.inbound(now, shared).responded(response);
    }

    /// A message to a user that may be an invitation; gives it back if it is none that SSP has.
    pub(super) fn message(
        &mut self,
        component: &str,
        message: Message,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Message> {
        self.inbound(now, shared).message(component, message)
    }

    /// A message to the room of a group that may be about an invitation; whether it was.
    /// `is_inside`: its sender is in the group.
    pub(super) fn at_room(
        &mut self,
        component: &str,
        (group, is_inside): (&Address, bool),
        message: &Message,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some((inviter, reason)) = declined(message) else {
            let mut inbound = self.inbound(now, shared);
            return inbound.at_room(component, group, message, is_inside);
        };
        let translator = shared.translator.clone();
        let address = |jid: Jid| translator.address(&jid).ok();
        let inviter = inviter.and_then(|inviter| address(inviter.into()));
        let invitee = message.from.clone().and_then(address);
        let Some(invitee) = invitee else { return true };
        let numbers = self.book.of_invitee(&invitee, |one| {
            one.group.as_ref() == Some(group)
                && !one.is_asked_for
                && inviter
                    .as_ref()
                    .is_none_or(|inviter| one.inviter == *inviter)
        });
        if numbers.is_empty() {
            shared.refuse(component, message.clone(), Code::INVALID_INVITATION);
        }
        for number in numbers {
            let is_of_ssp = self.book.get(number).is_some_and(|one| one.way == Way::Ssp);
            if is_of_ssp {
                let mut outbound = self.outbound(now, shared);
                outbound.respond(number, Err(DECLINED), reason.as_deref());
            } else {
                self.inbound(now, shared)
                    .declined(number, reason.as_deref());
            }
        }
        true
    }

    /// A question of an XMPP user that may hand over links; gives it back if it does not.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        self.inbound(now, shared).links(component, iq)
    }

    /// Presence of an XMPP user, which may answer an invitation.
    pub(super) fn presence(
        &mut self,
        ends: (&Jid, &Jid),
        presence: &Presence,
        now: Time,
        shared: &mut Shared,
    ) {
        self.outbound(now, shared).presence(ends, presence);
    }

    /// An error that may be that of an invitation; whether it was.
    pub(super) fn bounced(&mut self, message: &Message, now: Time, shared: &mut Shared) -> bool {
        let table = &shared.translator.mappings.status;
        let code = error_of(message).map(|error| table.code(error, Context::Message));
        let code = code.unwrap_or(Code::UNDELIVERABLE);
        self.outbound(now, shared).bounced(message, code)
    }

    /// A user of XMPP has come into a group, under this name.
    pub(super) fn came(
        &mut self,
        (group, user, name): (&Address, &Address, &str),
        now: Time,
        shared: &mut Shared,
    ) {
        self.outbound(now, shared).came(group, user, name);
    }

    /// An invitation that the SSP side does not know: it is told as a message.
    pub(super) fn next_words(&mut self) -> Option<(String, Message)> {
        self.words.pop_front()
    }

    /// Whether the token is of an invitation.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.book.get(token).is_some_and(|one| one.way != Way::Ssp)
    }

    /// The SSP side has taken an invitation, or not.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) {
        self.inbound(now, shared).answered(token, verdict(answer));
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.book.next_timeout()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        self.book.timeout(now, shared);
    }
}
