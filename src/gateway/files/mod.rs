//! Files that messages bring, in both directions (xmpp-mapping, 4.1 and 4.2).
//!
//! ```text
//!  SSP  ── image ─▶ held ── slot? ─▶ upload service ── PUT ─▶ link ─▶ message to XMPP
//!                     └──── no service, or it fails ── kept here ──┘
//!  XMPP ── link alone ─▶ held ── GET, if the operator allows it ─▶ image ─▶ message to SSP
//!                          └──── it fails: the link as text ───────────────┘
//! ```
//!
//! What is held is a record, and begins anew after a restart: a file may be uploaded twice then, and its
//! message is sent once.
//!
//! | file | what |
//! |---|---|
//! | `services` | which upload service each component's server has |
//! | `held` | one message whose content becomes a file |
//! | `outbound` | all of them |
//! | `inbound` | messages whose link becomes content |

mod held;
mod inbound;
mod outbound;
mod services;

use std::collections::VecDeque;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;

use super::reply::Reply;
use super::shared::Shared;
use crate::element::{Carried, RequestId, Time};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code};
use crate::translate::Context;
pub(super) use inbound::Fetched;
use inbound::Inbound;
use outbound::Outbound;
use services::Services;

/// A message of the SSP side, and how it is to be answered.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) request: Box<SendMessageRequest>,
    /// `None` if it is answered, or is not to be.
    pub(super) id: Option<RequestId>,
    /// Who sends it.
    pub(super) user: Option<Address>,
    pub(super) expires: Time,
}

impl Ordered {
    /// One for each recipient.
    fn copies(&self) -> usize {
        self.request.info.recipients.len().max(1)
    }
}

/// What goes on with a message that was held.
#[derive(Debug)]
pub(super) enum Ready {
    /// A message to XMPP whose content is a link now, or may stand as it is.
    Message(Ordered),
    /// A message to XMPP that failed.
    Failed(Ordered, Code),
    /// A message from XMPP, and what was at its link.
    Words(Box<Words>),
}

/// A message from XMPP.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) component: String,
    pub(super) message: Message,
    /// The one that its recipient prefers.
    pub(super) language: Option<String>,
    pub(super) file: Option<Fetched>,
}

/// Messages that wait for their files.
#[derive(Debug)]
pub(super) struct Files {
    services: Services,
    outbound: Outbound,
    inbound: Inbound,
    ready: VecDeque<Ready>,
}

impl Files {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            services: Services::default(),
            outbound: Outbound::default(),
            inbound: Inbound::new(own),
            ready: VecDeque::new(),
        }
    }

    /// Takes back a message to XMPP; `rest` is what follows the prefix of its key.
    pub(super) fn restore_sent(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.outbound.restore(rest, value)
    }

    /// Takes back a message from XMPP.
    pub(super) fn restore_received(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.inbound.restore(rest, value)
    }

    /// Copies of messages to XMPP that wait.
    pub(super) fn open(&self) -> u64 {
        self.outbound.open()
    }

    /// Holds a message whose content becomes a file; gives it back if it does not.
    pub(super) fn hold(
        &mut self,
        ordered: Ordered,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Ordered> {
        let (services, ready) = (&mut self.services, &mut self.ready);
        self.outbound.hold(ordered, (services, ready), now, shared)
    }

    /// Holds a message whose link is fetched; gives it back if it is not.
    pub(super) fn fetch(&mut self, words: Words, now: Time, shared: &mut Shared) -> Option<Words> {
        self.inbound.hold(words, now, shared)
    }

    /// An answer to what was asked for files; gives it back if it is none.
    pub(super) fn iq(&mut self, iq: Iq, now: Time, shared: &mut Shared) -> Option<Iq> {
        let awaits = |id: &str, from: &Jid| {
            self.services.awaits(id, from) || self.outbound.awaits(id, from).is_some()
        };
        let reply = match Reply::of(iq, Context::Other, awaits, shared) {
            Ok(reply) => reply,
            Err(iq) => return Some(*iq),
        };
        if self.services.awaits(&reply.id, &reply.from) {
            if let Some(component) = self.services.answered(reply, now, shared) {
                self.go_on(&component, now, shared);
            }
        } else {
            let (services, ready) = (&mut self.services, &mut self.ready);
            self.outbound
                .answered(reply, (services, ready), now, shared);
        }
        None
    }

    /// A transfer has ended.
    pub(super) fn carried(
        &mut self,
        number: u64,
        carried: Carried,
        now: Time,
        shared: &mut Shared,
    ) {
        if let Some(carried) = self
            .inbound
            .carried(number, carried, &mut self.ready, shared)
        {
            let (services, ready) = (&mut self.services, &mut self.ready);
            self.outbound
                .carried((number, carried), (services, ready), now, shared);
        }
    }

    /// The link of a component is there: its server may be another than before.
    pub(super) fn link_up(&mut self, component: &str, now: Time, shared: &mut Shared) {
        self.services.forget(component);
        self.go_on(component, now, shared);
    }

    /// The link of a component went, and what was asked by it with it.
    pub(super) fn link_down(&mut self, component: &str) {
        self.services.forget(component);
        self.outbound.link_down(component);
    }

    fn go_on(&mut self, component: &str, now: Time, shared: &mut Shared) {
        let (services, ready) = (&mut self.services, &mut self.ready);
        self.outbound
            .go_on(component, (services, ready), now, shared);
    }

    /// What goes on.
    pub(super) fn next_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [
            self.services.next_timeout(),
            self.outbound.next_timeout(),
            self.inbound.next_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        for component in self.services.timeout(now) {
            self.go_on(&component, now, shared);
        }
        let (services, ready) = (&mut self.services, &mut self.ready);
        self.outbound.timeout((services, ready), now, shared);
        self.inbound.timeout(&mut self.ready, now, shared);
    }
}
