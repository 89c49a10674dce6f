//! Searches of SSP users, which XMPP has to answer.

use std::collections::BTreeMap;
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use super::results::Results;
use super::step::{Next, Of, Question, Search};
use super::{Known, TIMED_OUT};
use crate::element::{RequestId, Time};
use crate::gateway::presence::Watches;
use crate::gateway::shared::{Ask, Shared};
use crate::gateway::timers::Timers;
use crate::imps::common::User;
use crate::imps::primitive::common::SearchRequest;
use crate::imps::{Address, Code};
use crate::translate::search::criteria::{Criteria, NOT_UNDERSTOOD, RoomCriterion};

/// How long XMPP has for all its answers; our choice.
const WAIT: Duration = Duration::from_secs(30);
/// Searches of one user that are under way; our choice.
const MAX_OF_USER: usize = 4;
/// So long a service that was found to be the directory is asked without looking again; our choice.
const DIRECTORY_LASTS: Duration = Duration::from_secs(3600);

/// Searches of SSP users: those under way, and what others have found.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    pub(super) results: Results,
    open: BTreeMap<u64, Search>,
    /// What was asked in XMPP, by the id of the stanza, which nobody can guess: for which search, and
    /// who alone may answer.
    asked: BTreeMap<String, (u64, String)>,
    timers: Timers<u64>,
    directory: Option<(BareJid, Time)>,
}

impl Outbound {
    /// A user begins a search.
    ///
    /// # Errors
    /// The status of who searches.
    pub(super) fn begin(
        &mut self,
        request: &SearchRequest,
        user: &Address,
        (id, expires): (RequestId, Time),
        known: Known<'_>,
        (now, shared): (Time, &mut Shared),
    ) -> Result<(), Code> {
        let criteria = Criteria::of(request.pairs.as_deref().unwrap_or_default())?;
        let known = known_groups(&criteria, known)?;
        let translator = shared.translator.clone();
        let component = translator.component_of(user).map(str::to_owned);
        let component = component.ok_or(Code::DOMAIN_NOT_SUPPORTED)?;
        let own = self.open.values().filter(|search| search.user == *user);
        let is_full = own.count() >= MAX_OF_USER || self.open.len() >= shared.settings.max_searches;
        if is_full || !shared.links.is_up(&component) {
            return Err(Code::UNAVAILABLE);
        }
        let from = translator.jid_from(&User::new(user.clone()));
        let of = Of {
            request: id,
            user,
            limit: request.limit,
            from: from.map_err(|error| error.code())?,
            component,
        };
        let directory = self.directory.as_ref().filter(|(_, until)| *until > now);
        let directory = directory.map(|(jid, _)| jid);
        let (search, next) = Search::new(of, criteria, directory, known, &translator)?;
        let number = shared.number();
        let until = expires.minus(shared.settings.answer_margin);
        let until = until.min(now.plus(WAIT)).max(now);
        self.timers.by(until, number);
        self.open.insert(number, search);
        self.go_on(number, Ok(next), now, shared);
        Ok(())
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, id: &str, from: &Jid) -> bool {
        let asked = self.asked.get(id);
        asked.is_some_and(|(_, jid)| jid == from.as_str())
    }

    /// An answer that is awaited.
    pub(super) fn answered(
        &mut self,
        id: &str,
        from: &Jid,
        answer: Result<Option<Element>, Code>,
        watches: &Watches,
        (now, shared): (Time, &mut Shared),
    ) {
        let Some((number, _)) = self.asked.remove(id) else {
            return;
        };
        let Some(search) = self.open.get_mut(&number) else {
            return;
        };
        search.waits = search.waits.saturating_sub(1);
        let next = search.heard(from, answer, watches, shared);
        if let Some(jid) = search.directory() {
            self.directory = Some((jid.clone(), now.plus(DIRECTORY_LASTS)));
        }
        self.go_on(number, next, now, shared);
    }

    /// Does what follows in a search.
    fn go_on(&mut self, number: u64, next: Result<Next, Code>, now: Time, shared: &mut Shared) {
        match next {
            Ok(Next::Wait) => {}
            Ok(Next::Ask(questions)) => self.ask(number, questions, shared),
            Ok(Next::Done(found)) => {
                if let Some(search) = self.close(number) {
                    let Search { user, limit, .. } = &search;
                    match self.results.tell(user, *limit, found, now, shared) {
                        Ok(page) => shared.respond(search.request, page),
                        Err(code) => shared.respond_code(search.request, code),
                    }
                }
            }
            Err(code) => {
                if code != NOT_UNDERSTOOD {
                    // It may be another one by now.
                    self.directory = None;
                }
                if let Some(search) = self.close(number) {
                    shared.respond_code(search.request, code);
                }
            }
        }
    }

    fn ask(&mut self, number: u64, questions: Vec<Question>, shared: &mut Shared) {
        let Some(search) = self.open.get_mut(&number) else {
            return;
        };
        let gate = &shared.gate;
        let open = questions.into_iter();
        let open = open.filter(|(to, ..)| gate.may_talk(to.domain().as_str()));
        let open: Vec<Question> = open.collect();
        if open.is_empty() {
            if let Some(search) = self.close(number) {
                shared.respond_code(search.request, Code::FORBIDDEN);
            }
            return;
        }
        for (to, payload, is_set) in open {
            search.waits += 1;
            let ends = (search.from.clone(), Jid::from(to.clone()));
            // What does not go out is not answered, and the search ends with its time.
            let id = shared.ask(&search.component, ends, Ask::new(payload, is_set));
            self.asked
                .extend(id.map(|id| (id, (number, to.to_string()))));
        }
    }

    /// Takes a search out; what is still answered to it is nothing any more.
    fn close(&mut self, number: u64) -> Option<Search> {
        self.asked.retain(|_, (search, _)| *search != number);
        self.open.remove(&number)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            if let Some(search) = self.close(number) {
                self.directory = None;
                shared.respond_code(search.request, TIMED_OUT);
            }
        }
        self.results.timeout(now);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.open.len(), self.results.len())
    }
}

/// The groups that all criteria about people have; `None`: there is no such criterion.
fn known_groups(criteria: &Criteria, known: Known<'_>) -> Result<Option<Vec<Address>>, Code> {
    let Criteria::Rooms(criteria) = criteria else {
        return Ok(None);
    };
    let mut groups: Option<Vec<Address>> = None;
    for criterion in criteria
        .iter()
        .filter(|c| RoomCriterion::is_about_people(c))
    {
        let of_it = known(criterion)?;
        groups = Some(match groups {
            None => of_it,
            Some(mut all) => {
                all.retain(|group| of_it.contains(group));
                all
            }
        });
    }
    Ok(groups)
}
