//! Search for users and groups (WVFF, 7.2.4, 10.1; wire profile, 11.5).
//!
//! A user or group is looked at in its own shard. So a search asks all shards of the node, by a
//! `SearchRequest` of the node itself (`clientOriginated="No"`, with the user who searches named
//! all the same), which the SAP takes to each of them and whose answers it puts together. A shard
//! that is asked so tells everything it finds; pages are made where the user asked.
//!
//! | file | what |
//! |---|---|
//! | `criteria` | what is searched for |
//! | `findable` | what of a user is searched, and who finds them by it |
//! | `scan` | looking through users, some at a time |
//! | `open` | searches with further pages |
//! | `searches` | all of a shard |

mod criteria;
mod findable;
mod open;
mod scan;
mod searches;

use std::time::Duration;

use crate::element::{Act, Time};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::MetaInfo;
use crate::imps::primitive::common::{SearchRequest, SearchResponse, SearchResult};
use crate::imps::status::{Code, Status};

use super::{Caller, Home};
use criteria::Criteria;
pub(super) use criteria::{NOT_UNDERSTOOD, TOO_BROAD};
pub(super) use searches::Searches;

/// It took too long.
const TIMED_OUT: Code = Code(535);
/// More is found than is told.
pub(super) const TOO_MANY_HITS: Code = Code(536);

/// Users or groups found by one search, at most. Our choice.
pub(super) const MAX_HITS: usize = 1000;
/// All shards have so long to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests to search.
pub(super) struct Searching<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> Searching<'a> {
    /// For this caller, at this time.
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Begins a search, or tells a further page of one.
    pub(super) fn search(&mut self, request: &SearchRequest) {
        if let Some(asker) = self.asked_by_this_node(request) {
            return self.look(asker, request);
        }
        let Some(user) = self.user() else {
            return;
        };
        let answer = match &request.search_id {
            Some(id) => {
                let index = request.index.unwrap_or(1);
                let open = &mut self.home.searches.open;
                open.page(&user, id, index, self.now).map(Primitive::from)
            }
            None => match self.begin(&user, request) {
                Ok(()) => return,
                Err(code) => Err(code),
            },
        };
        let answer = answer.unwrap_or_else(|code| Status::new(code).into());
        self.home.core.respond(self.caller.id, answer);
    }

    pub(super) fn stop(&mut self, id: &str) {
        let Some(user) = self.user() else {
            return;
        };
        let stopped = self.home.searches.open.stop(&user, id, self.now);
        let code = stopped.map_or_else(|code| code, |()| Code::OK);
        self.home.core.respond(self.caller.id, Status::new(code));
    }

    /// The user who asks; else answered.
    fn user(&mut self) -> Option<Address> {
        let user = self.caller.requestor(&mut self.home.core)?;
        if user.kind() == Kind::User {
            return Some(user);
        }
        let status = Status::new(Code::ADDRESS);
        self.home.core.respond(self.caller.id, status);
        None
    }

    fn begin(&mut self, user: &Address, request: &SearchRequest) -> Result<(), Code> {
        Criteria::of(request)?;
        let Home { searches, core, .. } = &mut *self.home;
        let token = core.token();
        let asked = (token, self.caller.id);
        let most = core.settings.max_searches;
        searches
            .open
            .begin(user, asked, request.limit, most, self.now)?;
        let mut meta = MetaInfo::of_user(core.domain(), user.clone());
        meta.client_originated = Some(false);
        let request = SearchRequest {
            limit: None,
            search_id: None,
            index: None,
            meta: Some(meta),
            pairs: request.pairs.clone(),
        };
        core.act(Act::Request {
            token,
            primitive: request.into(),
            expires: self.now.plus(PATIENCE),
        });
        Ok(())
    }

    /// The user who searches, if this shard is asked by one of this node.
    fn asked_by_this_node(&self, request: &SearchRequest) -> Option<Address> {
        let is_own = self.caller.user.is_none() && self.caller.domain == self.home.core.domain();
        let meta = request.meta.as_ref().filter(|_| is_own)?;
        Some(meta.requestor.user.as_ref()?.user.clone())
    }

    /// Looks for what is in this shard.
    fn look(&mut self, asker: Address, request: &SearchRequest) {
        let Home {
            users,
            resting,
            groups,
            searches,
            core,
            ..
        } = &mut *self.home;
        let to = self.caller.id;
        match Criteria::of(request) {
            Ok(Criteria::Users(criteria)) => {
                let scans = &mut searches.scans;
                scans.begin(users, resting, core, (to, asker), criteria, self.now);
            }
            Ok(Criteria::Groups(criteria)) => match groups.find(&criteria, &asker) {
                Ok(groups) => {
                    let result = SearchResult {
                        users: None,
                        groups: Some(groups),
                    };
                    core.respond(to, found(result));
                }
                Err(code) => core.respond(to, Status::new(code)),
            },
            Err(code) => core.respond(to, Status::new(code)),
        }
    }
}

/// The answer of a shard.
fn found(result: SearchResult) -> SearchResponse {
    SearchResponse {
        search_id: None,
        findings: None,
        completion: Some(true),
        index: None,
        status: Status::ok(),
        result: Some(result),
    }
}
