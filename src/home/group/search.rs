//! Search for groups (WVFF, 7.2.4, 10.1; wire profile, 11.5).
//!
//! Found are groups that want to be found (`Searchable`), and those that the one who asks belongs
//! to. That somebody is joined is found out only if their user id is shown there.

use std::collections::BTreeMap;

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::GroupId;
use crate::imps::primitive::common::{SearchPair, SearchRequest, SearchResponse, SearchResult};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::person::Seat;
use super::{Asker, Group};

/// No such search.
const UNKNOWN_SEARCH: Code = Code(424);
/// There is no such result.
const BEYOND: Code = Code(425);
/// More is found than is told.
const TOO_MANY_HITS: Code = Code(536);
/// A criterion that says nothing.
const TOO_BROAD: Code = Code(537);
/// No criterion for groups.
const NOT_UNDERSTOOD: Code = Code(562);

/// Groups found by one search, at most; results of one answer, unless fewer are wanted. Our choice.
const MAX_HITS: usize = 1000;
const MAX_PAGE: u32 = 100;
/// Results of one answer, if nothing is said (wire profile, 11.5).
const PAGE: u32 = 5;
/// Criteria of one search, and bytes of each. Our choice.
const MAX_PAIRS: usize = 16;
const MAX_TEXT: usize = 256;
/// Searches that go on; beyond it the oldest ends. Our choice.
const MAX_SEARCHES: usize = 1000;
/// Of one user.
const MAX_OF_USER: usize = 8;
/// Seconds after which a search ends.
const LASTS: u64 = 600;

/// Searches with further pages, by id.
#[derive(Debug, Default)]
pub(super) struct Searches {
    open: BTreeMap<u64, Search>,
    last: u64,
}

#[derive(Debug)]
struct Search {
    user: Address,
    found: Vec<Address>,
    page: usize,
    until: Time,
}

impl Searches {
    /// Answers a new search, or the next page of one.
    pub(super) fn search(
        &mut self,
        groups: &BTreeMap<String, Group>,
        core: &mut Core,
        asker: &Asker,
        request: &SearchRequest,
        now: Time,
    ) {
        self.open.retain(|_, search| search.until > now);
        let page = match &request.search_id {
            Some(id) => self.next_page(asker, id, request.index.unwrap_or(1)),
            None => self.first_page(groups, core, asker, request, now),
        };
        match page {
            Ok(response) => core.respond(asker.id, response),
            Err(code) => core.respond(asker.id, Status::new(code)),
        }
    }

    /// Ends a search.
    pub(super) fn stop(&mut self, core: &mut Core, asker: &Asker, id: &str, now: Time) {
        self.open.retain(|_, search| search.until > now);
        let code = match self.of(asker, id) {
            Some(number) => {
                self.open.remove(&number);
                Code::OK
            }
            None => UNKNOWN_SEARCH,
        };
        core.respond(asker.id, Status::new(code));
    }

    fn first_page(
        &mut self,
        groups: &BTreeMap<String, Group>,
        core: &Core,
        asker: &Asker,
        request: &SearchRequest,
        now: Time,
    ) -> Result<SearchResponse, Code> {
        let pairs = request.pairs.as_deref().unwrap_or_default();
        if pairs.is_empty() || pairs.len() > MAX_PAIRS {
            return Err(Code::BAD_PARAMETER);
        }
        let criteria: Result<Vec<_>, Code> = pairs.iter().map(Criterion::of).collect();
        let criteria = criteria?;
        let mut found = Vec::new();
        for group in groups.values().filter(|group| !group.sheet.closing) {
            let user = &asker.user;
            let is_known = group.rank(user).is_some() || group.is_joined(user);
            let shown = is_known || group.sheet.properties.searchable;
            if shown && criteria.iter().all(|one| one.fits(group, core, user)) {
                if found.len() >= MAX_HITS {
                    return Err(TOO_MANY_HITS);
                }
                found.push(group.address(core));
            }
        }
        let page = request.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        let search = Search {
            user: asker.user.clone(),
            found,
            page: usize::try_from(page).unwrap_or(1),
            until: now.plus_seconds(LASTS),
        };
        self.last += 1;
        let response = search.page(self.last, 1)?;
        if response.completion != Some(true) {
            self.make_room(&asker.user);
            self.open.insert(self.last, search);
        }
        Ok(response)
    }

    fn next_page(&mut self, asker: &Asker, id: &str, index: u32) -> Result<SearchResponse, Code> {
        let number = self.of(asker, id).ok_or(UNKNOWN_SEARCH)?;
        let search = self.open.get(&number).ok_or(UNKNOWN_SEARCH)?;
        search.page(number, index)
    }

    /// The number of a search of this user.
    fn of(&self, asker: &Asker, id: &str) -> Option<u64> {
        let number = id.parse().ok()?;
        let search = self.open.get(&number)?;
        (search.user == asker.user).then_some(number)
    }

    fn make_room(&mut self, user: &Address) {
        let own = self.open.iter().filter(|(_, search)| search.user == *user);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        if own.len() >= MAX_OF_USER {
            self.open.remove(&own[0]);
        } else if self.open.len() >= MAX_SEARCHES {
            self.open.pop_first();
        }
    }
}

impl Search {
    /// The results from `index` on, counted from 1.
    fn page(&self, number: u64, index: u32) -> Result<SearchResponse, Code> {
        let first = usize::try_from(index).unwrap_or(usize::MAX);
        let from = first.checked_sub(1).ok_or(BEYOND)?;
        if from > 0 && from >= self.found.len() {
            return Err(BEYOND);
        }
        let end = self.found.len().min(from + self.page);
        let is_last = end == self.found.len();
        let groups = self.found[from..end].iter().cloned();
        Ok(SearchResponse {
            search_id: Some(number.to_string()),
            findings: u32::try_from(self.found.len()).ok(),
            completion: Some(is_last),
            index: u32::try_from(end + 1).ok().filter(|_| !is_last),
            status: Status::ok(),
            result: Some(SearchResult {
                users: None,
                groups: Some(groups.map(|group| GroupId { group }).collect()),
            }),
        })
    }
}

/// What a group that is found has.
#[derive(Debug)]
enum Criterion {
    /// Part of its address.
    Id(String),
    /// Part of its name.
    Name(String),
    /// Part of its topic.
    Topic(String),
    Owner(Address),
    Joined(Address),
    /// A user who wants to be joined at login.
    AutoJoin(Address),
}

impl Criterion {
    fn of(pair: &SearchPair) -> Result<Self, Code> {
        let text = pair.string.trim();
        if text.len() > MAX_TEXT {
            return Err(Code::BAD_PARAMETER);
        }
        let user = |make: fn(Address) -> Self| Ok(make(Address::new(text)));
        let part = |make: fn(String) -> Self| match text.to_lowercase() {
            text if text.is_empty() => Err(TOO_BROAD),
            text => Ok(make(text)),
        };
        match pair.element.trim().to_ascii_uppercase().as_str() {
            "GROUP_ID" => part(Self::Id),
            "GROUP_NAME" => part(Self::Name),
            "GROUP_TOPIC" => part(Self::Topic),
            "GROUP_USER_ID_OWNER" => user(Self::Owner),
            "GROUP_USER_ID_JOINED" => user(Self::Joined),
            "GROUP_USER_ID_AUTOJOIN" => user(Self::AutoJoin),
            _ => Err(NOT_UNDERSTOOD),
        }
    }

    fn fits(&self, group: &Group, core: &Core, asker: &Address) -> bool {
        let has = |text: Option<&String>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(part))
        };
        let seat = |user: &Address| -> Option<&Seat> {
            let seat = group.people.get(user)?.seat.as_ref()?;
            (user == asker || seat.shows_id()).then_some(seat)
        };
        let properties = &group.sheet.properties;
        match self {
            Self::Id(part) => group.address(core).as_str().contains(part),
            Self::Name(part) => has(properties.name.as_ref(), part),
            Self::Topic(part) => has(properties.topic.as_ref(), part),
            Self::Owner(user) => group.owns(&core.at_home(user)),
            Self::Joined(user) => seat(&core.at_home(user)).is_some(),
            Self::AutoJoin(user) => seat(&core.at_home(user)).is_some_and(|s| s.own.auto_join),
        }
    }
}
