//! All searches of a shard.

use std::collections::BTreeMap;

use crate::element::{RequestId, Time, Token};
use crate::home::core::Core;
use crate::home::resting::Resting;
use crate::home::user::User;
use crate::imps::Primitive;
use crate::imps::primitive::common::SearchResult;
use crate::imps::status::{Code, Status};

use super::TIMED_OUT;
use super::open::OpenSearches;
use super::scan::Scans;

/// Those of its users, and those in which its users and groups are looked at.
#[derive(Debug, Default)]
pub(in crate::home) struct Searches {
    pub(super) open: OpenSearches,
    pub(super) scans: Scans,
}

impl Searches {
    /// When [`Searches::go_on`] wants to be called.
    pub(in crate::home) fn next_timeout(&self) -> Option<Time> {
        self.scans.are_under_way().then_some(Time(0))
    }

    /// Goes on with one of the searches that take long.
    pub(in crate::home) fn go_on(
        &mut self,
        users: &BTreeMap<String, Box<User>>,
        resting: &mut Resting,
        core: &mut Core,
        now: Time,
    ) {
        self.scans.go_on(users, resting, core, now);
    }

    /// Users who were at rest are awake.
    pub(in crate::home) fn resume(&mut self) {
        self.scans.resume();
    }

    /// What all shards have found. Says to whom what is answered; `None` if they were not asked
    /// with this token.
    pub(in crate::home) fn answered(
        &mut self,
        token: Token,
        answer: &Primitive,
    ) -> Option<(Option<RequestId>, Primitive)> {
        let search = self.open.answered(token)?;
        let to = search.to();
        let page = match answer {
            Primitive::SearchResponse(response) if response.status.code == Code::OK => {
                search.found(sorted(response.result.as_ref()))
            }
            other => Err(match other.verdict().map(|status| status.code) {
                None | Some(Code::TIMEOUT) => TIMED_OUT,
                Some(code) => code,
            }),
        };
        let answer = match page {
            Ok(page) => page.into(),
            Err(code) => Status::new(code).into(),
        };
        Some((to, answer))
    }
}

/// What the shards have found, in order.
fn sorted(result: Option<&SearchResult>) -> SearchResult {
    let mut result = result.cloned().unwrap_or(SearchResult {
        users: None,
        groups: None,
    });
    if let Some(users) = &mut result.users {
        users.sort_by(|a, b| a.user.cmp(&b.user));
    }
    if let Some(groups) = &mut result.groups {
        groups.sort_by(|a, b| a.group.cmp(&b.group));
    }
    result
}
