//! What SSP users have found in XMPP and are told page by page.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;
use crate::gateway::shared::Shared;
use crate::gateway::timers::Timers;
use crate::imps::primitive::common::{SearchResponse, SearchResult};
use crate::imps::{Address, Code, Status};

/// There is no such search, or it has ended.
const UNKNOWN_SEARCH: Code = Code(424);
/// There is no such result.
const BEYOND: Code = Code(425);

/// Results of one answer, at most, and if nothing is said (wire profile, 11.5).
const MAX_PAGE: u32 = 100;
const PAGE: u32 = 5;
/// Searches of one user with further pages; our choice.
const MAX_OF_USER: usize = 8;
/// A search ends after so long (wire profile, 11.5).
const LASTS: Duration = Duration::from_secs(600);

/// What a search has found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) result: SearchResult,
    /// Whether some criteria were passed over.
    pub(super) is_partial: bool,
}

/// Searches with further pages, by their ids, which nobody can guess. They are forgotten when the
/// node ends.
#[derive(Debug, Default)]
pub(super) struct Results {
    kept: BTreeMap<String, Kept>,
    bytes: usize,
    timers: Timers<String>,
}

#[derive(Debug)]
struct Kept {
    /// Counts up.
    number: u64,
    user: Address,
    page: usize,
    found: Found,
    bytes: usize,
}

impl Found {
    fn len(&self) -> usize {
        let users = self.result.users.as_ref().map_or(0, Vec::len);
        users + self.result.groups.as_ref().map_or(0, Vec::len)
    }

    /// What it takes, roughly.
    fn bytes(&self) -> usize {
        let users = self.result.users.iter().flatten().map(|user| {
            let name = user.friendly_name.as_ref().map_or(0, String::len);
            user.user.as_str().len() + name + 96
        });
        let groups = self.result.groups.iter().flatten();
        let groups = groups.map(|id| id.group.as_str().len() + 32);
        users.sum::<usize>() + groups.sum::<usize>() + 256
    }

    /// The results from `index` on, counted from 1.
    fn page(&self, size: usize, id: &str, index: u32) -> Result<SearchResponse, Code> {
        let all = self.len();
        let first = usize::try_from(index).unwrap_or(usize::MAX);
        let from = first.checked_sub(1).ok_or(BEYOND)?;
        if from > 0 && from >= all {
            return Err(BEYOND);
        }
        let end = all.min(from + size);
        let is_last = end == all;
        let status = if self.is_partial {
            Status::new(Code::PARTIAL).because("some criteria were passed over")
        } else {
            Status::ok()
        };
        let SearchResult { users, groups } = &self.result;
        Ok(SearchResponse {
            search_id: Some(id.to_owned()),
            findings: u32::try_from(all).ok(),
            completion: Some(is_last),
            index: u32::try_from(end + 1).ok().filter(|_| !is_last),
            status,
            result: Some(SearchResult {
                users: users
                    .as_ref()
                    .and_then(|all| Some(all.get(from..end)?.to_vec())),
                groups: groups
                    .as_ref()
                    .and_then(|all| Some(all.get(from..end)?.to_vec())),
            }),
        })
    }
}

impl Results {
    /// The first page of what a user has found. If there are more it is kept; the oldest of the
    /// user's ends if they have too many, and the oldest of all if there are too many.
    pub(super) fn tell(
        &mut self,
        user: &Address,
        limit: Option<u32>,
        found: Found,
        now: Time,
        shared: &mut Shared,
    ) -> Result<SearchResponse, Code> {
        let size = limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let size = usize::try_from(size).unwrap_or(1);
        let id = shared.id();
        let first = found.page(size, &id, 1)?;
        if first.completion == Some(true) {
            return Ok(first);
        }
        let own = self.kept.values().filter(|kept| kept.user == *user);
        if own.count() >= MAX_OF_USER {
            self.end_oldest(|kept| kept.user == *user);
        }
        let bytes = found.bytes();
        let (most, most_bytes) = {
            let settings = &shared.settings;
            (settings.max_searches, settings.max_search_bytes)
        };
        while !self.kept.is_empty() && (self.kept.len() >= most || self.bytes + bytes > most_bytes)
        {
            self.end_oldest(|_| true);
        }
        let kept = Kept {
            number: shared.number(),
            user: user.clone(),
            page: size,
            found,
            bytes,
        };
        self.bytes += bytes;
        self.timers.by(now.plus(LASTS), id.clone());
        self.kept.insert(id, kept);
        Ok(first)
    }

    /// A further page of a search of this user.
    pub(super) fn page(
        &mut self,
        user: &Address,
        id: &str,
        index: u32,
        now: Time,
    ) -> Result<SearchResponse, Code> {
        let kept = self.of(user, id, now)?;
        kept.found.page(kept.page, id, index)
    }

    /// Ends a search of this user.
    pub(super) fn stop(&mut self, user: &Address, id: &str, now: Time) -> Result<(), Code> {
        self.of(user, id, now)?;
        self.end(id);
        Ok(())
    }

    fn of(&mut self, user: &Address, id: &str, now: Time) -> Result<&Kept, Code> {
        self.timeout(now);
        let kept = self.kept.get(id).filter(|kept| kept.user == *user);
        kept.ok_or(UNKNOWN_SEARCH)
    }

    fn end(&mut self, id: &str) {
        if let Some(kept) = self.kept.remove(id) {
            self.bytes = self.bytes.saturating_sub(kept.bytes);
        }
    }

    fn end_oldest(&mut self, is_it: impl Fn(&Kept) -> bool) {
        let own = self.kept.iter().filter(|(_, kept)| is_it(kept));
        let oldest = own.min_by_key(|(_, kept)| kept.number);
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.end(&id);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Forgets those whose time is over.
    pub(super) fn timeout(&mut self, now: Time) {
        while let Some(id) = self.timers.pop(now) {
            self.end(&id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
