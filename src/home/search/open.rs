//! Searches that have begun: what was found, and how far it was told.

use std::collections::BTreeMap;

use crate::element::{RequestId, Time, Token};
use crate::imps::address::Address;
use crate::imps::primitive::common::{SearchResponse, SearchResult};
use crate::imps::status::{Code, Status};

use super::{MAX_HITS, TOO_MANY_HITS};

/// No such search.
const UNKNOWN_SEARCH: Code = Code(424);
/// There is no such result.
const BEYOND: Code = Code(425);

/// Results of one answer, at most, and if nothing is said (wire profile, 11.5).
const MAX_PAGE: u32 = 100;
const PAGE: u32 = 5;
/// Searches that are open; beyond it the oldest ends. Our choice.
const MAX_SEARCHES: usize = 1000;
/// Of one user, with further pages.
const MAX_OF_USER: usize = 8;
/// Searches of one user whose result is not there yet; more are refused with 503. Our choice: a
/// person who looks for a word asks for three things at once, and may look for a few words.
const MAX_ASKED: usize = 12;
/// Seconds after which a search ends (wire profile, 11.5).
const LASTS: u64 = 600;

/// All of this shard, by number. What was found is forgotten when the node ends.
#[derive(Debug, Default)]
pub(super) struct OpenSearches {
    open: BTreeMap<u64, Search>,
    last: u64,
}

#[derive(Debug)]
struct Search {
    user: Address,
    /// Results of one answer.
    page: usize,
    until: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    /// All shards are asked with this token. The answer goes to this request.
    Asked(Token, Option<RequestId>),
    Found(SearchResult),
}

impl OpenSearches {
    /// Begins a search, of which all shards are asked with this token.
    pub(super) fn begin(
        &mut self,
        user: &Address,
        (token, to): (Token, Option<RequestId>),
        limit: Option<u32>,
        now: Time,
    ) -> Result<(), Code> {
        self.open.retain(|_, search| search.until > now);
        let own = self.open.values().filter(|search| search.user == *user);
        if own.filter(|search| search.is_asked()).count() >= MAX_ASKED {
            return Err(Code::UNAVAILABLE);
        }
        if self.open.len() >= MAX_SEARCHES {
            let mut found = self.open.iter().filter(|(_, search)| !search.is_asked());
            let (oldest, _) = found.next().ok_or(Code::UNAVAILABLE)?;
            let oldest = *oldest;
            self.open.remove(&oldest);
        }
        let page = limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let search = Search {
            user: user.clone(),
            page: usize::try_from(page).unwrap_or(1),
            until: now.plus_seconds(LASTS),
            state: State::Asked(token, to),
        };
        self.last += 1;
        self.open.insert(self.last, search);
        Ok(())
    }

    /// What the shards have found: the first page, and to whom it goes. `None` if nothing was asked
    /// with this token.
    pub(super) fn found(
        &mut self,
        token: Token,
        result: Result<SearchResult, Code>,
    ) -> Option<(Option<RequestId>, Result<SearchResponse, Code>)> {
        let (number, to) = self.open.iter().find_map(|(number, search)| {
            let State::Asked(asked, to) = &search.state else {
                return None;
            };
            (*asked == token).then_some((*number, *to))
        })?;
        let mut search = self.open.remove(&number)?;
        let first = result.and_then(|result| {
            if count(&result) > MAX_HITS {
                return Err(TOO_MANY_HITS);
            }
            let page = page(&result, search.page, number, 1)?;
            search.state = State::Found(result);
            Ok(page)
        });
        if first
            .as_ref()
            .is_ok_and(|page| page.completion != Some(true))
        {
            self.keep(number, search);
        }
        Some((to, first))
    }

    /// Keeps a search with further pages; the oldest of its user ends if they have too many.
    fn keep(&mut self, number: u64, search: Search) {
        let kept = self
            .open
            .iter()
            .filter(|(_, other)| other.user == search.user && !other.is_asked());
        let kept: Vec<u64> = kept.map(|(number, _)| *number).collect();
        if kept.len() >= MAX_OF_USER {
            self.open.remove(&kept[0]);
        }
        self.open.insert(number, search);
    }

    /// A further page of a search of this user.
    pub(super) fn page(
        &mut self,
        user: &Address,
        id: &str,
        index: u32,
        now: Time,
    ) -> Result<SearchResponse, Code> {
        let number = self.number(user, id, now)?;
        match self.open.get(&number) {
            Some(Search {
                state: State::Found(result),
                page: size,
                ..
            }) => page(result, *size, number, index),
            _ => Err(UNKNOWN_SEARCH),
        }
    }

    /// Ends a search of this user.
    pub(super) fn stop(&mut self, user: &Address, id: &str, now: Time) -> Result<(), Code> {
        let number = self.number(user, id, now)?;
        self.open.remove(&number);
        Ok(())
    }

    /// The number of a search of this user that has an id.
    fn number(&mut self, user: &Address, id: &str, now: Time) -> Result<u64, Code> {
        self.open.retain(|_, search| search.until > now);
        let number = id.parse().map_err(|_| UNKNOWN_SEARCH)?;
        let search = self.open.get(&number);
        let is_own = search.is_some_and(|search| search.user == *user && !search.is_asked());
        if is_own {
            Ok(number)
        } else {
            Err(UNKNOWN_SEARCH)
        }
    }
}

impl Search {
    fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked(..))
    }
}

fn count(result: &SearchResult) -> usize {
    result.users.as_ref().map_or(0, Vec::len) + result.groups.as_ref().map_or(0, Vec::len)
}

/// The results from `index` on, counted from 1.
fn page(
    result: &SearchResult,
    size: usize,
    number: u64,
    index: u32,
) -> Result<SearchResponse, Code> {
    let all = count(result);
    let first = usize::try_from(index).unwrap_or(usize::MAX);
    let from = first.checked_sub(1).ok_or(BEYOND)?;
    if from > 0 && from >= all {
        return Err(BEYOND);
    }
    let end = all.min(from + size);
    let is_last = end == all;
    Ok(SearchResponse {
        search_id: Some(number.to_string()),
        findings: u32::try_from(all).ok(),
        completion: Some(is_last),
        index: u32::try_from(end + 1).ok().filter(|_| !is_last),
        status: Status::ok(),
        result: Some(SearchResult {
            users: result.users.as_ref().map(|all| all[from..end].to_vec()),
            groups: result.groups.as_ref().map(|all| all[from..end].to_vec()),
        }),
    })
}
