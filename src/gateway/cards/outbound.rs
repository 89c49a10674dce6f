//! Questions of the SSP side, which XMPP has to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use super::query::{OfDomain, OfUser, Part, Query, What};
use crate::element::{RequestId, Time};
use crate::gateway::presence::Watches;
use crate::gateway::shared::{Ask, Shared};
use crate::gateway::timers::Timers;
use crate::imps::address::Kind;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::common::GetSPInfoRequest;
use crate::imps::primitive::profile::{GetUserProfileRequest, ProfileParts};
use crate::imps::xml::element::Empty;
use crate::imps::{Address, Code};

/// How long XMPP has for its answers (xmpp-mapping, 8).
const WAIT: Duration = Duration::from_secs(5);
/// Questions about the domain that are open; our choice: each can hold a picture.
const MAX_OF_DOMAIN: usize = 64;

/// Open questions of the SSP side.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    open: BTreeMap<u64, Query>,
    /// What was asked in XMPP, by the id of the stanza, which nobody can guess.
    asked: BTreeMap<String, (u64, Part)>,
    timers: Timers<u64>,
}

impl Outbound {
    /// A question for a profile.
    ///
    /// # Errors
    /// The status of who asks.
    pub(super) fn profile(
        &mut self,
        request: &GetUserProfileRequest,
        (id, expires): (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), Code> {
        let translator = shared.translator.clone();
        let user = &request.user;
        if user.kind() != Kind::User {
            return Err(Code::ADDRESS);
        }
        if !translator.is_xmpp(user) {
            return Err(Code::UNKNOWN_USER);
        }
        let to = translator.jid(user).map_err(|error| error.code())?;
        let parts = request.parts.clone().unwrap_or(ProfileParts {
            services: Some(Empty),
            privacy: Some(Empty),
            terminals: Some(Empty),
            properties: Some(Empty),
        });
        let mut wanted = vec![Part::Info, Part::Card];
        if parts.properties.is_some() {
            wanted.push(Part::Card4);
        }
        if parts.privacy.is_some() {
            wanted.push(Part::Location);
        }
        let asker = request.meta.as_ref().and_then(MetaInfo::user);
        let asker = asker.map(|asker| asker.user.clone());
        let of = OfUser::new(user.clone(), asker, parts);
        let what = What::Profile(Box::new(of));
        let until = (expires, now);
        self.begin(
            id,
            request.meta.as_ref(),
            (to, what),
            &wanted,
            until,
            shared,
        )
    }

    /// A question who runs the domain.
    ///
    /// # Errors
    /// The status of who asks.
    pub(super) fn provider(
        &mut self,
        request: &GetSPInfoRequest,
        (id, expires): (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) -> Result<(), Code> {
        let own = Address::service(&shared.translator.own_ssp_domain());
        let service = request.service.clone().unwrap_or_else(|| own.clone());
        if service != own {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let is_of_domain = |query: &&Query| matches!(query.what, What::Provider(_));
        if self.open.values().filter(is_of_domain).count() >= MAX_OF_DOMAIN {
            return Err(Code::UNAVAILABLE);
        }
        let to = BareJid::new(&shared.translator.domain).map_err(|_| Code::ADDRESS)?;
        let of = OfDomain {
            service,
            info: None,
            card: None,
        };
        let what = What::Provider(Box::new(of));
        let wanted = [Part::Info, Part::Card];
        let until = (expires, now);
        self.begin(
            id,
            request.meta.as_ref(),
            (to, what),
            &wanted,
            until,
            shared,
        )
    }

    fn begin(
        &mut self,
        request: RequestId,
        meta: Option<&MetaInfo>,
        (to, what): (BareJid, What),
        wanted: &[Part],
        (expires, now): (Time, Time),
        shared: &mut Shared,
    ) -> Result<(), Code> {
        let (component, from) = asker(meta, shared).ok_or(Code::DOMAIN_NOT_SUPPORTED)?;
        let is_full = self.open.len() >= shared.settings.max_queries;
        if is_full || !shared.links.is_up(&component) {
            return Err(Code::UNAVAILABLE);
        }
        if !shared.gate.may_talk(to.domain().as_str()) {
            return Err(Code::FORBIDDEN);
        }
        let number = shared.number();
        let at = now.plus(WAIT).min(expires).max(now);
        self.timers.by(at, number);
        for part in wanted {
            let ends = (from.clone(), to.clone().into());
            let id = shared.ask(&component, ends, Ask::Get(part.payload()));
            self.asked.extend(id.map(|id| (id, (number, *part))));
        }
        let query = Query {
            request,
            to,
            waits: wanted.len(),
            what,
        };
        self.open.insert(number, query);
        Ok(())
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, id: &str, from: &Jid) -> bool {
        let query = self
            .asked
            .get(id)
            .and_then(|(number, _)| self.open.get(number));
        query.is_some_and(|query| from.resource().is_none() && query.to == from.to_bare())
    }

    /// An answer that is awaited.
    pub(super) fn answered(
        &mut self,
        id: &str,
        answer: Result<Option<Element>, Code>,
        watches: &Watches,
        (now, shared): (Time, &mut Shared),
    ) {
        let Some((number, part)) = self.asked.remove(id) else {
            return;
        };
        let Some(query) = self.open.get_mut(&number) else {
            return;
        };
        query.take(part, answer);
        if query.waits == 0 {
            self.close(number, watches, now, shared);
        }
    }

    /// Answers with what is known by now.
    fn close(&mut self, number: u64, watches: &Watches, now: Time, shared: &mut Shared) {
        self.asked.retain(|_, (query, _)| *query != number);
        if let Some(query) = self.open.remove(&number) {
            let today = shared.skew.date(now);
            query.answer(watches, today, shared);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, watches: &Watches, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.close(number, watches, now, shared);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }
}

/// Through which component XMPP is asked, and in whose name: servers tell of their users to those
/// whom these let watch them.
fn asker(meta: Option<&MetaInfo>, shared: &Shared) -> Option<(String, Jid)> {
    let translator = &shared.translator;
    let user = meta.and_then(MetaInfo::user);
    if let Some(user) = user
        && let Some(component) = translator.component_of(&user.user)
        && let Ok(jid) = translator.jid_from(user)
    {
        return Some((component.to_owned(), jid));
    }
    let server = meta.and_then(|meta| translator.component_of(&meta.requestor.service));
    let component = server.or_else(|| translator.components.first().map(String::as_str))?;
    Some((component.to_owned(), Jid::new(component).ok()?))
}
