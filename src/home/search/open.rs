//! Searches that have begun: what was found, and how far it was told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::{RequestId, Time, Token};
use crate::imps::address::Address;
use crate::imps::primitive::common::{SearchResponse, SearchResult};
use crate::imps::status::{Code, Status};

use super::{MAX_HITS, TOO_MANY_HITS};

/// There is no such search, or it has ended.
const UNKNOWN_SEARCH: Code = Code(424);
/// There is no such result.
const BEYOND: Code = Code(425);

/// Results of one answer, at most, and if nothing is said (wire profile, 11.5).
const MAX_PAGE: u32 = 100;
const PAGE: u32 = 5;
/// Searches of one user with further pages.
const MAX_OF_USER: usize = 8;
/// Searches of one user whose result is not there yet; more are refused with 503. Our choice: a
/// person who looks for a word asks for three things at once, and may look for a few words.
const MAX_ASKED: usize = 12;
/// A search ends after so long (wire profile, 11.5).
const LASTS: Duration = Duration::from_secs(600);

/// All of this shard. What was found is forgotten when the node ends.
#[derive(Debug, Default)]
pub(super) struct OpenSearches {
    /// Those of which all shards are asked, by the token of the question.
    asked: BTreeMap<Token, Asked>,
    /// Those with further pages, by number.
    kept: BTreeMap<u64, Kept>,
    last: u64,
}

#[derive(Debug)]
struct Asked {
    user: Address,
    /// Results of one answer.
    page: usize,
    until: Time,
    /// To answer with; none: nobody waits for an answer.
    to: Option<RequestId>,
}

#[derive(Debug)]
struct Kept {
    user: Address,
    page: usize,
    until: Time,
    result: SearchResult,
}

impl OpenSearches {
    /// Begins a search, of which all shards are asked with this token. If so many are open, the
    /// oldest whose result is there ends.
    pub(super) fn begin(
        &mut self,
        user: &Address,
        (token, to): (Token, Option<RequestId>),
        limit: Option<u32>,
        most: usize,
        now: Time,
    ) -> Result<(), Code> {
        self.forget_over(now);
        let own = self.asked.values().filter(|search| search.user == *user);
        if own.count() >= MAX_ASKED {
            return Err(Code::UNAVAILABLE);
        }
        if self.asked.len() + self.kept.len() >= most {
            self.kept.pop_first().ok_or(Code::UNAVAILABLE)?;
        }
        let page = limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let search = Asked {
            user: user.clone(),
            page: usize::try_from(page).unwrap_or(1),
            until: now.plus(LASTS),
            to,
        };
        self.asked.insert(token, search);
        Ok(())
    }

    fn forget_over(&mut self, now: Time) {
        self.asked.retain(|_, search| search.until > now);
        self.kept.retain(|_, search| search.until > now);
    }

    /// Takes the answer to what was asked with this token, if anything was.
    pub(super) fn answered(&mut self, token: Token) -> Option<Answered<'_>> {
        let asked = self.asked.remove(&token)?;
        Some(Answered { asked, open: self })
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
        let search = self.kept.get(&number).ok_or(UNKNOWN_SEARCH)?;
        page(&search.result, search.page, number, index)
    }

    /// Ends a search of this user.
    pub(super) fn stop(&mut self, user: &Address, id: &str, now: Time) -> Result<(), Code> {
        let number = self.number(user, id, now)?;
        self.kept.remove(&number);
        Ok(())
    }

    /// The number of a search of this user that has an id.
    fn number(&mut self, user: &Address, id: &str, now: Time) -> Result<u64, Code> {
        self.forget_over(now);
        let number = id.parse().map_err(|_| UNKNOWN_SEARCH)?;
        let search = self.kept.get(&number);
        if search.is_some_and(|search| search.user == *user) {
            Ok(number)
        } else {
            Err(UNKNOWN_SEARCH)
        }
    }
}

/// A search whose shards have answered.
pub(super) struct Answered<'a> {
    asked: Asked,
    open: &'a mut OpenSearches,
}

impl Answered<'_> {
    /// To whom the answer goes.
    pub(super) fn to(&self) -> Option<RequestId> {
        self.asked.to
    }

    /// The first page of what was found. If there are more it is kept; the oldest of its user ends
    /// if they have too many.
    pub(super) fn found(self, result: SearchResult) -> Result<SearchResponse, Code> {
        if count(&result) > MAX_HITS {
            return Err(TOO_MANY_HITS);
        }
        let Self { asked, open } = self;
        open.last += 1;
        let number = open.last;
        let first = page(&result, asked.page, number, 1)?;
        if first.completion == Some(true) {
            return Ok(first);
        }
        let own = open.kept.iter().filter(|(_, kept)| kept.user == asked.user);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        if own.len() >= MAX_OF_USER {
            open.kept.remove(&own[0]);
        }
        let kept = Kept {
            user: asked.user,
            page: asked.page,
            until: asked.until,
            result,
        };
        open.kept.insert(number, kept);
        Ok(first)
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
