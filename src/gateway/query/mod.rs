//! Questions: of the SSP side, which XMPP has to answer, and of XMPP, which the gateway answers
//! itself (xmpp-mapping, 3.2, 8 and 11).

mod ids;
mod iq;
mod manners;
mod presence;

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::presence::{WatchedXmpp, Watches};
use super::records::Pair;
use super::reply::Reply;
use super::shared::{Ask, Shared};
use super::timers::Timers;
use crate::element::{RequestId, Time};
use crate::imps::common::MetaInfo;
use crate::imps::primitive::common::VerifyIDRequest;
use crate::imps::primitive::presence::GetPresenceRequest;
use crate::imps::{Address, Code};
use crate::translate::Context;
use crate::translate::card::provider::Provider;
use crate::translate::stanza::{element, ns};
use ids::IdQuery;
pub(super) use iq::not_understood;
use iq::{Answer, Question};
use presence::PresenceQuery;

/// How long XMPP has for its answers.
const WAIT: Duration = Duration::from_secs(5);

/// Open questions of the SSP side.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// Queries that wait for their answer, by number.
    open: BTreeMap<u64, Query>,
    /// What was asked in XMPP, by the id of the stanza, which nobody can guess.
    asked: BTreeMap<String, Asked>,
    timers: Timers<u64>,
}

#[derive(Debug)]
enum Query {
    Presence(PresenceQuery),
    Ids(IdQuery),
}

/// A question on the wire.
#[derive(Debug)]
struct Asked {
    /// The question it is part of, and which part.
    query: u64,
    at: usize,
    /// Who alone may answer.
    jid: String,
}

impl Queries {
    /// A WV user asks for the presence of XMPP users.
    pub(super) fn presence(
        &mut self,
        request: &GetPresenceRequest,
        watcher: &Address,
        (id, expires): (RequestId, Time),
        users: &mut WatchedXmpp,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(component) = shared.translator.component_of(watcher).map(str::to_owned) else {
            shared.respond_code(id, Code::DOMAIN_NOT_SUPPORTED);
            return;
        };
        let query = PresenceQuery::new(request, watcher, id, users, shared);
        if query.open().is_empty() {
            query.answer(users, shared);
            return;
        }
        if !shared.links.is_up(&component) || self.is_full(shared) {
            shared.respond_code(id, Code::UNAVAILABLE);
            return;
        }
        for pair in query.open() {
            users.probe(pair, now, shared);
        }
        self.open(Query::Presence(query), expires, now, shared);
    }

    /// Somebody of the SSP side asks whether users and rooms of XMPP exist.
    pub(super) fn ids(
        &mut self,
        request: &VerifyIDRequest,
        (id, expires): (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) {
        let component = component_for(request, shared);
        let is_up = shared.links.is_up(&component);
        let (query, open) = IdQuery::new(request, id, is_up, shared);
        if open.is_empty() {
            query.answer(shared);
            return;
        }
        if !is_up || self.is_full(shared) {
            shared.respond_code(id, Code::UNAVAILABLE);
            return;
        }
        let Some(asker) = asker_of(request, &component, shared) else {
            shared.respond_code(id, Code::UNAVAILABLE);
            return;
        };
        let number = self.open(Query::Ids(query), expires, now, shared);
        for (at, jid) in open {
            let asked = Asked {
                query: number,
                at,
                jid: jid.to_string(),
            };
            let question = Ask::Get(element("query", ns::DISCO_INFO).build());
            let ends = (asker.clone(), jid.into());
            let id = shared.ask(&component, ends, question);
            self.asked.extend(id.map(|id| (id, asked)));
        }
    }

    fn is_full(&self, shared: &Shared) -> bool {
        self.open.len() >= shared.settings.max_queries
    }

    fn open(&mut self, query: Query, expires: Time, now: Time, shared: &mut Shared) -> u64 {
        let number = shared.number();
        let at = now.plus(WAIT).min(expires).max(now);
        self.timers.by(at, number);
        self.open.insert(number, query);
        number
    }

    /// Something was heard of a pair: whoever waited only for that is answered.
    pub(super) fn heard(&mut self, pair: &Pair, users: &WatchedXmpp, shared: &mut Shared) {
        let mut done = Vec::new();
        for (number, query) in &mut self.open {
            if let Query::Presence(query) = query
                && query.heard(pair)
            {
                done.push(*number);
            }
        }
        for number in done {
            self.close(number, users, shared);
        }
    }

    /// Answers with what is known by now.
    fn close(&mut self, number: u64, users: &WatchedXmpp, shared: &mut Shared) {
        self.asked.retain(|_, asked| asked.query != number);
        match self.open.remove(&number) {
            Some(Query::Presence(query)) => query.answer(users, shared),
            Some(Query::Ids(query)) => query.answer(shared),
            None => {}
        }
    }

    /// A question or answer of an XMPP user; `provider` runs the domain of the component, if that is
    /// known.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        (watches, provider): (&Watches, Option<&Provider>),
        now: Time,
        shared: &mut Shared,
    ) {
        match iq {
            Iq::Get {
                from: Some(from),
                to: Some(to),
                id,
                payload,
            } => {
                let question = Question {
                    payload: &payload,
                    to: &to,
                    known: watches.known(&from, &to, shared),
                    provider,
                    date: shared.skew.date(now),
                    uptime: shared.uptime(now),
                    translator: &shared.translator,
                    capabilities: &shared.capabilities,
                };
                let answer = match question.answer() {
                    Ok(answer) => answer,
                    Err(error) => {
                        let iq = Iq::Get {
                            from: Some(from),
                            to: Some(to),
                            id,
                            payload,
                        };
                        shared.refuse_iq(component, iq, *error);
                        return;
                    }
                };
                let result = Iq::Result {
                    from: Some(to),
                    to: Some(from),
                    id,
                    payload: match answer {
                        Answer::Empty => None,
                        Answer::With(element) => Some(element),
                    },
                };
                // The logo of a domain can be large.
                shared.answer(component, result);
            }
            Iq::Set {
                from: Some(from),
                to: Some(to),
                id,
                payload,
            } if to.node().is_none() && payload.is("query", ns::GATEWAY) => {
                let answer = match manners::address_of(&payload, &shared.translator) {
                    Ok(payload) => Iq::Result {
                        from: Some(to),
                        to: Some(from),
                        id,
                        payload: Some(payload),
                    },
                    Err(error) => Iq::Error {
                        from: Some(to),
                        to: Some(from),
                        id,
                        payload: None,
                        error: *error,
                    },
                };
                shared.hand(component, answer);
            }
            set @ Iq::Set { .. } => shared.refuse_iq(component, set, *not_understood()),
            answer @ (Iq::Result { .. } | Iq::Error { .. }) => {
                match Reply::of(
                    answer,
                    Context::Other,
                    |id, from| self.awaits(id, from),
                    shared,
                ) {
                    Ok(Reply { id, answer, .. }) => {
                        let code = answer.err().unwrap_or(Code::OK);
                        self.heard_of_id(&id, code, shared);
                    }
                    Err(_) => shared.dropped.count("answer to no question"),
                }
            }
            Iq::Get { .. } => {}
        }
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    fn awaits(&self, id: &str, from: &Jid) -> bool {
        let asked = self.asked.get(id);
        asked.is_some_and(|asked| asked.jid == from.as_str())
    }

    /// A question of ours that its link cannot write.
    pub(super) fn unsent(&mut self, id: &str, to: &Jid, shared: &mut Shared) {
        if self.awaits(id, to) {
            self.heard_of_id(id, Code::UNAVAILABLE, shared);
        }
    }

    /// An answer to what was asked for [`Queries::ids`].
    fn heard_of_id(&mut self, id: &str, code: Code, shared: &mut Shared) {
        let Some(Asked {
            query: number, at, ..
        }) = self.asked.remove(id)
        else {
            return;
        };
        let Some(Query::Ids(query)) = self.open.get_mut(&number) else {
            return;
        };
        query.take(at, code);
        if query.is_complete() {
            query.answer(shared);
            self.open.remove(&number);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, users: &WatchedXmpp, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.close(number, users, shared);
        }
    }
}

/// The component in whose name XMPP is asked.
fn component_for(request: &VerifyIDRequest, shared: &Shared) -> String {
    let asker = request.meta.as_ref().map(|meta| match meta.user() {
        Some(user) => &user.user,
        None => &meta.requestor.service,
    });
    let translator = &shared.translator;
    let component = asker.and_then(|asker| translator.component_of(asker));
    let component = component.or_else(|| translator.components.first().map(String::as_str));
    component.unwrap_or_default().to_owned()
}

/// In whose name XMPP is asked: servers tell of their users to those whom these let watch them, and
/// to strangers as if there were nobody.
fn asker_of(request: &VerifyIDRequest, component: &str, shared: &Shared) -> Option<Jid> {
    let translator = &shared.translator;
    let user = request.meta.as_ref().and_then(MetaInfo::user);
    let user = user.filter(|user| translator.component_of(&user.user) == Some(component));
    let jid = user.and_then(|user| translator.jid_from(user).ok());
    jid.or_else(|| Jid::new(component).ok())
}
