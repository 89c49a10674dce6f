//! Search across the border (xmpp-mapping, 7; XEP-0055).
//!
//! ```text
//!  SSP  ── SearchRequest ─▶ gateway ── which service? its form? ─▶ directory ── found ─▶ SearchResponse
//!                                   └─ which rooms? about what? ─▶ room services, rooms
//!  XMPP ── <query xmlns='jabber:iq:search'/> ─▶ gateway ── SearchRequest, page by page ─▶ SSP domain
//! ```
//!
//! | file | what |
//! |---|---|
//! | `outbound` | searches of SSP users, which XMPP has to answer |
//! | `step` | one of them: what it has found, and what it asks next |
//! | `results` | what was found and is told page by page |
//! | `inbound` | searches of XMPP users |

mod inbound;
mod outbound;
mod results;
mod step;

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::presence::Watches;
use super::reply::Reply;
use super::shared::Shared;
use crate::element::{RequestId, Time};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::common::{SearchRequest, StopSearchRequest};
use crate::imps::{Address, Code};
use crate::translate::Context;
use crate::translate::search::criteria::RoomCriterion;
use crate::translate::search::{NS, form};
use inbound::Inbound;
use outbound::Outbound;

/// It took too long.
const TIMED_OUT: Code = Code(535);

/// Searches in both directions.
#[derive(Debug)]
pub(super) struct Searches {
    outbound: Outbound,
    inbound: Inbound,
}

/// Who is in which room, as far as a user knows: the groups of a criterion about people.
pub(super) type Known<'k> = &'k dyn Fn(&RoomCriterion) -> Result<Vec<Address>, Code>;

impl Searches {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            outbound: Outbound::default(),
            inbound: Inbound::new(own),
        }
    }

    /// An SSP user begins a search, or wants a further page of one.
    pub(super) fn search(
        &mut self,
        request: &SearchRequest,
        user: &Address,
        ask: (RequestId, Time),
        known: Known<'_>,
        (now, shared): (Time, &mut Shared),
    ) {
        let done = if shared.translator.is_xmpp(user) {
            // Between two users of XMPP there is no SSP.
            Err(Code::NOT_SUPPORTED)
        } else if let Some(id) = &request.search_id {
            let index = request.index.unwrap_or(1);
            let page = self.outbound.results.page(user, id, index, now);
            page.map(|page| shared.respond(ask.0, page))
        } else {
            self.outbound
                .begin(request, user, ask, known, (now, shared))
        };
        if let Err(code) = done {
            shared.respond_code(ask.0, code);
        }
    }

    /// An SSP user wants no further page.
    pub(super) fn stop(
        &mut self,
        request: &StopSearchRequest,
        user: &Address,
        id: RequestId,
        now: Time,
        shared: &mut Shared,
    ) {
        let results = &mut self.outbound.results;
        let stopped = results.stop(user, &request.search_id, now);
        let code = stopped.map_or_else(|code| code, |()| Code::OK);
        shared.respond_code(id, code);
    }

    /// A question of an XMPP user that is a search, or an answer to one of ours; gives back what is
    /// neither.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        watches: &Watches,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        match iq {
            Iq::Get {
                from: Some(from),
                to: Some(to),
                id,
                payload,
            } if is_search(&to, &payload) => {
                let result = Iq::Result {
                    from: Some(to),
                    to: Some(from),
                    id,
                    payload: Some(form::offer(shared.translator.mode)),
                };
                shared.hand(component, result);
                None
            }
            Iq::Set {
                from: Some(from),
                to: Some(to),
                id,
                payload,
            } if is_search(&to, &payload) => {
                let asker = inbound::Asker {
                    component: component.to_owned(),
                    from,
                    to,
                    id,
                };
                self.inbound.begin(asker, &payload, now, shared);
                None
            }
            iq => match Reply::of(
                iq,
                Context::Other,
                |id, from| self.outbound.awaits(id, from),
                shared,
            ) {
                Ok(Reply {
                    id, from, answer, ..
                }) => {
                    self.outbound
                        .answered(&id, &from, answer, watches, (now, shared));
                    None
                }
                Err(iq) => Some(*iq),
            },
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
            self.outbound
                .answered(id, to, answer, watches, (now, shared));
        }
    }

    /// Whether the token is of a search of an XMPP user.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.inbound.asked(token)
    }

    /// The SSP side has answered a search of an XMPP user.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) {
        self.inbound.answered(token, answer, now, shared);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [
            self.outbound.next_timeout(),
            self.outbound.results.next_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        self.outbound.timeout(now, shared);
    }

    /// Searches under way, results kept, searches of XMPP users.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize, usize) {
        let (open, kept) = self.outbound.count();
        (open, kept, self.inbound.count())
    }
}

fn is_search(to: &Jid, payload: &Element) -> bool {
    to.node().is_none() && to.resource().is_none() && payload.is("query", NS)
}
