//! Questions of the SSP side that XMPP has to answer: presence on demand and
//! whether ids exist (xmpp-mapping, 3.2 and 11).

use std::collections::BTreeMap;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::records::Pair;
use super::watch_xmpp::names_of;
use super::{Gateway, Timer, respond};
use crate::sap::{Act, RequestId, Time};
use crate::ssp::common::{GroupId, PresenceValue, UserId};
use crate::ssp::presence::AttributeName;
use crate::ssp::primitive::common::{Id, VerifyIDRequest};
use crate::ssp::primitive::presence::{GetPresenceRequest, GetPresenceResponse};
use crate::ssp::status::DetailedResult;
use crate::ssp::{Address, Code, Status};
use crate::translate::stanza::{element, ns};

/// How long XMPP has for its answers, milliseconds.
const WAIT_MILLIS: u64 = 5_000;

/// Open questions, by number.
#[derive(Debug, Default)]
pub(super) struct Queries(BTreeMap<u64, Query>, BTreeMap<String, Probed>);

/// A question on the wire; its key is the id, which nobody can guess.
#[derive(Debug)]
struct Probed {
    /// The question it is part of, and which part.
    query: u64,
    at: usize,
    /// Who alone may answer.
    jid: String,
}

#[derive(Debug)]
enum Query {
    Presence(PresenceQuery),
    Ids(IdQuery),
}

#[derive(Debug)]
struct PresenceQuery {
    request: RequestId,
    watcher: Address,
    names: Vec<AttributeName>,
    /// In the order asked for.
    users: Vec<Address>,
    failures: Vec<(Code, Address)>,
    /// Whose presence was probed for.
    open: Vec<Pair>,
}

#[derive(Debug)]
struct IdQuery {
    request: RequestId,
    verdicts: Vec<(Id, Option<Code>)>,
}

impl Gateway {
    pub(super) fn get_presence(
        &mut self,
        request: &GetPresenceRequest,
        watcher: &Address,
        id: RequestId,
        expires: Time,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(component) = self.translator.component_of(watcher).map(str::to_owned) else {
            respond(id, Status::new(Code::DOMAIN_NOT_SUPPORTED), out);
            return;
        };
        let mut query = PresenceQuery {
            request: id,
            watcher: watcher.clone(),
            names: names_of(request.attributes.as_ref()),
            users: Vec::new(),
            failures: Vec::new(),
            open: Vec::new(),
        };
        for user in request.users.iter().map(|user| &user.user) {
            query.users.push(user.clone());
            match self.pair_asked(user, watcher) {
                Err(code) => query.failures.push((code, user.clone())),
                Ok(pair) => {
                    let watch = self.watch_xmpp.get(&pair);
                    if watch.is_some_and(|watch| watch.is_active() && !watch.seen.known) {
                        query.open.push(pair);
                    }
                }
            }
        }
        if query.open.is_empty() {
            self.answer_presence(&query, out);
            return;
        }
        if !self.outbox.is_up(&component) || self.queries.0.len() >= self.settings.max_queries {
            respond(id, Status::new(Code::UNAVAILABLE), out);
            return;
        }
        for pair in query.open.clone() {
            self.probe_xmpp(&pair, now);
        }
        self.open(Query::Presence(query), expires, now, out);
    }

    fn open(&mut self, query: Query, expires: Time, now: Time, out: &mut Vec<Act>) -> u64 {
        let number = self.numbers.next(out);
        let at = now.plus_millis(WAIT_MILLIS).min(expires).max(now);
        self.timers.by(at, Timer::Query(number));
        self.queries.0.insert(number, query);
        number
    }

    fn pair_asked(&self, user: &Address, watcher: &Address) -> Result<Pair, Code> {
        if !self.translator.is_xmpp(user) {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let jid = self.translator.jid(user).map_err(|error| error.code())?;
        let xmpp = jid.to_string();
        if self.nobody.contains_key(&xmpp) {
            return Err(Code::UNKNOWN_USER);
        }
        Ok(Pair {
            xmpp,
            wv: watcher.clone(),
        })
    }

    /// Presence has come: whoever waited only for it is answered.
    pub(super) fn answer_queries(&mut self, pair: &Pair, _now: Time, out: &mut Vec<Act>) {
        let mut done = Vec::new();
        for (number, query) in &mut self.queries.0 {
            if let Query::Presence(query) = query {
                let before = query.open.len();
                query.open.retain(|open| open != pair);
                if before > 0 && query.open.is_empty() {
                    done.push(*number);
                }
            }
        }
        for number in done {
            self.query_over(number, out);
        }
    }

    /// Answers with what is known by now.
    pub(super) fn query_over(&mut self, number: u64, out: &mut Vec<Act>) {
        self.queries.1.retain(|_, probed| probed.query != number);
        match self.queries.0.remove(&number) {
            Some(Query::Presence(query)) => self.answer_presence(&query, out),
            Some(Query::Ids(query)) => answer_ids(&query, out),
            None => {}
        }
    }

    fn answer_presence(&self, query: &PresenceQuery, out: &mut Vec<Act>) {
        let mut values = Vec::new();
        for user in &query.users {
            let Ok(pair) = self.pair_asked(user, &query.watcher) else {
                continue;
            };
            let Some(watch) = self.watch_xmpp.get(&pair).filter(|watch| watch.is_active()) else {
                // Not authorized: nothing is said of that user.
                continue;
            };
            let list = self
                .translator
                .presence_to_ssp(user, &watch.seen, &query.names, None);
            values.push(PresenceValue {
                user: user.clone(),
                presence: Some(list),
            });
        }
        let response = GetPresenceResponse {
            status: Some(Status::of_users(query.users.len(), query.failures.clone())),
            values,
        };
        out.push(Act::Respond {
            to: query.request,
            primitive: response.into(),
        });
    }

    pub(super) fn verify(
        &mut self,
        request: &VerifyIDRequest,
        id: RequestId,
        expires: Time,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let asker = request.meta.as_ref();
        let asker = asker.map(|meta| match meta.user() {
            Some(user) => user.user.clone(),
            None => meta.requestor.service.clone(),
        });
        let component = asker.and_then(|asker| {
            let component = self.translator.component_of(&asker);
            component.map(str::to_owned)
        });
        let component = component.or_else(|| self.translator.components.first().cloned());
        let component = component.unwrap_or_default();
        let is_up = self.outbox.is_up(&component);
        let mut open = Vec::new();
        let mut verdicts = Vec::new();
        for (at, id) in request.ids.ids.iter().enumerate() {
            let address = match id {
                Id::User(user) => Ok(&user.user),
                Id::Group(group) => Ok(&group.group),
                Id::ScreenName(_) => Err(Code::ADDRESS),
                Id::ContactList(_) => Err(Code(700)),
                Id::Domain(domain) if domain.to_lowercase() == self.translator.own_ssp_domain() => {
                    Err(if is_up { Code::OK } else { Code::UNAVAILABLE })
                }
                Id::Domain(_) => Err(Code::NOT_FOUND),
            };
            let jid = address.and_then(|address| {
                if !self.translator.is_xmpp(address) {
                    return Err(Code::UNKNOWN_USER);
                }
                self.translator.jid(address).map_err(|error| error.code())
            });
            verdicts.push((id.clone(), jid.as_ref().err().copied()));
            if let Ok(jid) = jid {
                open.push((at, jid));
            }
        }
        let query = IdQuery {
            request: id,
            verdicts,
        };
        if open.is_empty() {
            answer_ids(&query, out);
            return;
        }
        if !is_up || self.queries.0.len() >= self.settings.max_queries {
            respond(id, Status::new(Code::UNAVAILABLE), out);
            return;
        }
        let number = self.open(Query::Ids(query), expires, now, out);
        for (at, jid) in open {
            let id = self.numbers.id(out);
            let probed = Probed {
                query: number,
                at,
                jid: jid.to_string(),
            };
            self.queries.1.insert(id.clone(), probed);
            let get = Iq::Get {
                from: Jid::new(&component).ok(),
                to: Some(jid.into()),
                id,
                payload: element("query", ns::DISCO_INFO).build(),
            };
            self.outbox.volatile(&component, get);
        }
    }

    /// An answer to one of the questions of [`Gateway::verify`], if it is from whom
    /// was asked.
    pub(super) fn verified(&mut self, id: &str, from: &Jid, code: Code, out: &mut Vec<Act>) {
        let probed = self.queries.1.get(id);
        let Some(probed) = probed.filter(|probed| probed.jid == from.as_str()) else {
            return;
        };
        let (number, at) = (probed.query, probed.at);
        self.queries.1.remove(id);
        let Some(Query::Ids(query)) = self.queries.0.get_mut(&number) else {
            return;
        };
        if let Some((id, verdict)) = query.verdicts.get_mut(at) {
            *verdict = Some(match (id, code.0) {
                (Id::Group(_), 404 | 503 | 531) => Code::NO_GROUP,
                (_, 404 | 503) => Code::UNKNOWN_USER,
                _ => code,
            });
        }
        if query.verdicts.iter().all(|(_, verdict)| verdict.is_some()) {
            self.query_over(number, out);
        }
    }
}

/// 200 if all exist, else a detail for each verdict.
fn answer_ids(query: &IdQuery, out: &mut Vec<Act>) {
    let mut details: Vec<DetailedResult> = Vec::new();
    for (id, verdict) in &query.verdicts {
        let code = verdict.unwrap_or(Code::TIMEOUT);
        if !details.iter().any(|detail| detail.code == code) {
            details.push(DetailedResult::new(code));
        }
        let Some(detail) = details.iter_mut().find(|detail| detail.code == code) else {
            continue;
        };
        match id {
            Id::User(user) => detail.users.push(UserId {
                user: user.user.clone(),
            }),
            Id::Group(group) => detail.groups.push(GroupId {
                group: group.group.clone(),
            }),
            Id::ScreenName(name) => detail.screen_names.push(name.clone()),
            Id::ContactList(list) => detail.contact_lists.push(list.clone()),
            Id::Domain(domain) => detail.domains.push(domain.clone()),
        }
    }
    let status = match details.as_slice() {
        [] => Status::ok(),
        [only] if only.code == Code::OK => Status::ok(),
        _ => Status {
            details,
            ..Status::new(Code::PARTIAL)
        },
    };
    respond(query.request, status, out);
}
