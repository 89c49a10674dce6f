//! Searches of XMPP users, which an SSP domain has to answer: who is found by whom is its business.

use std::collections::BTreeMap;
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use crate::element::Time;
use crate::gateway::shared::{Shared, verdict};
use crate::gateway::shares::{Most, Shares};
use crate::imps::common::{MetaInfo, User};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::common::{SearchRequest, SearchResponse, StopSearchRequest};
use crate::imps::{Address, Code};
use crate::translate::search::criteria::NOT_UNDERSTOOD;
use crate::translate::search::form;
use crate::translate::{Context, Mode};

/// How long the SSP side has for each answer, and for all of them; our choice.
const WAIT: Duration = Duration::from_secs(30);
const WAIT_FOR_ALL: Duration = Duration::from_secs(60);
/// Users who are told (xmpp-mapping, 7), and answers in which they may come; our choice.
const MAX_FOUND: usize = 100;
const MAX_PAGES: usize = 20;
/// Searches of one user that are under way; our choice.
const MAX_OF_USER: usize = 4;
/// What a search takes, roughly, bytes.
const BYTES: usize = 4096;

/// Who wants to know.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) component: String,
    pub(super) from: Jid,
    pub(super) to: Jid,
    pub(super) id: String,
}

/// Searches of XMPP users that are under way.
#[derive(Debug)]
pub(super) struct Inbound {
    /// By the token of the request; `None` is to be answered to nobody.
    asked: BTreeMap<u64, Option<Hunt>>,
    shares: Shares,
}

/// A search of an XMPP user.
#[derive(Debug)]
struct Hunt {
    asker: Asker,
    user: Address,
    /// The domain that is asked.
    domain: Address,
    is_form: bool,
    found: Vec<User>,
    pages: usize,
    until: Time,
}

impl Asker {
    fn answer(self, payload: Element, shared: &mut Shared) {
        let result = Iq::Result {
            from: Some(self.to),
            to: Some(self.from),
            id: self.id,
            payload: Some(payload),
        };
        shared.answer(&self.component, result);
    }

    fn refuse(self, code: Code, shared: &mut Shared) {
        let question = (self.from, self.to, self.id);
        shared.refuse_question(&self.component, question, code, Context::Other);
    }
}

impl Inbound {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            asked: BTreeMap::new(),
            shares: Shares::new(own),
        }
    }

    /// An XMPP user sends a form that is filled in.
    pub(super) fn begin(&mut self, asker: Asker, query: &Element, now: Time, shared: &mut Shared) {
        let Some(asked) = form::asked(query) else {
            return asker.refuse(Code::BAD_REQUEST, shared);
        };
        if asked.pairs.is_empty() {
            return asker.refuse(NOT_UNDERSTOOD, shared);
        }
        let translator = shared.translator.clone();
        let domain = match (translator.mode, &asked.domain) {
            (Mode::Names, _) => translator.address(&asker.to).ok(),
            (Mode::Gateway, Some(domain)) => {
                let domain = Address::service(&domain.to_lowercase());
                let is_one = domain.is_valid() && !translator.is_xmpp(&domain);
                Some(domain).filter(|_| is_one)
            }
            (Mode::Gateway, None) => None,
        };
        let user = translator.address(&asker.from).ok();
        let (Some(domain), Some(user)) = (domain, user) else {
            return asker.refuse(Code::BAD_PARAMETER, shared);
        };
        let most = Most {
            items: shared.settings.max_searches,
            bytes: shared.settings.max_search_bytes,
        };
        let own = self.asked.values().flatten();
        let own = own.filter(|hunt| hunt.user == user).count();
        let of = asker.from.domain().as_str();
        if own >= MAX_OF_USER || !self.shares.have_room(of, BYTES, most) {
            return asker.refuse(Code::QUEUE_FULL, shared);
        }
        self.shares.add(of, BYTES);
        let request = SearchRequest {
            limit: u32::try_from(MAX_FOUND).ok(),
            search_id: None,
            index: None,
            meta: Some(MetaInfo::of_user(user.domain(), user.clone())),
            pairs: Some(asked.pairs),
        };
        let hunt = Hunt {
            asker,
            user,
            domain,
            is_form: asked.is_form,
            found: Vec::new(),
            pages: 0,
            until: now.plus(WAIT_FOR_ALL),
        };
        self.ask(hunt, request, now, shared);
    }

    fn ask(&mut self, hunt: Hunt, request: SearchRequest, now: Time, shared: &mut Shared) {
        let token = shared.number();
        let expires = now.plus(WAIT).min(hunt.until);
        let to = hunt.domain.clone();
        self.asked.insert(token, Some(hunt));
        shared.request_at(token, to, request, expires);
    }

    pub(super) fn asked(&self, token: u64) -> bool {
        self.asked.contains_key(&token)
    }

    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(Some(mut hunt)) = self.asked.remove(&token) else {
            return;
        };
        let response = match answer {
            Primitive::SearchResponse(response) if response.status.code.is_success() => response,
            other => {
                let code = match verdict(other) {
                    // That of an answer of another kind.
                    code if code.is_success() => Code::INTERNAL,
                    code => code,
                };
                // What was found so far is something.
                return match hunt.pages {
                    0 => self.end(hunt, Err(code), shared),
                    _ => self.end(hunt, Ok(()), shared),
                };
            }
        };
        hunt.pages += 1;
        let users = response.result.iter().flat_map(|result| &result.users);
        let left = MAX_FOUND.saturating_sub(hunt.found.len());
        hunt.found.extend(users.flatten().take(left).cloned());
        match next_page(response, hunt.found.len(), &hunt.user) {
            Some(next)
                if hunt.found.len() < MAX_FOUND && hunt.pages < MAX_PAGES && hunt.until > now =>
            {
                self.ask(hunt, next, now, shared);
            }
            Some(SearchRequest {
                search_id: Some(search_id),
                meta,
                ..
            }) => {
                let token = shared.number();
                let stop = StopSearchRequest { search_id, meta };
                self.asked.insert(token, None);
                shared.request_at(token, hunt.domain.clone(), stop, now.plus(WAIT));
                self.end(hunt, Ok(()), shared);
            }
            _ => self.end(hunt, Ok(()), shared),
        }
    }

    fn end(&mut self, hunt: Hunt, done: Result<(), Code>, shared: &mut Shared) {
        self.shares.remove(hunt.asker.from.domain().as_str(), BYTES);
        match done {
            Ok(()) => {
                let translator = shared.translator.clone();
                let result = form::result(&hunt.found, hunt.is_form, &translator);
                hunt.asker.answer(result, shared);
            }
            Err(code) => hunt.asker.refuse(code, shared),
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.asked.len()
    }
}

/// The request for the page that follows, if there is one.
fn next_page(response: &SearchResponse, found: usize, user: &Address) -> Option<SearchRequest> {
    let id = response.search_id.as_ref()?;
    if response.completion != Some(false) {
        return None;
    }
    let next = u32::try_from(found + 1).ok();
    Some(SearchRequest {
        limit: None,
        search_id: Some(id.clone()),
        index: response.index.or(next),
        meta: Some(MetaInfo::of_user(user.domain(), user.clone())),
        pairs: None,
    })
}
