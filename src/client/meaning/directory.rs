//! Who provides the service, who there is, and what users say of themselves.

use crate::csp;
use crate::csp::Version;
use crate::csp::primitive::content::ContentBlock;
use crate::csp::primitive::notification as profile;
use crate::csp::primitive::search as client;
use crate::csp::primitive::service::GetSPInfoResponse;
use crate::imps::common::{ContactList, GroupId, ScreenName, UserId};
use crate::imps::primitive::common::{
    GetSPInfoRequest, Id, IdList, Logo, SearchRequest, StopSearchRequest, VerifyIDRequest,
};
use crate::imps::primitive::group::{Member, MemberList};
use crate::imps::primitive::profile::{
    GetUserProfileRequest, ProfileParts, UpdateUserProfileRequest, UserProfile,
};
use crate::imps::status::{Code, Status};
use crate::imps::xml::element::Empty;
use crate::imps::{Address, Primitive};

use super::answers::{combined, failure};
use super::contact_list;
use super::content;
use super::terms::Terms;

/// Users whose profiles one request may ask for. Our choice.
const MAX_PROFILES: usize = 20;

pub(super) fn provider(terms: &Terms) -> Primitive {
    GetSPInfoRequest {
        service: Some(Address::service(terms.user.domain())),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn provided(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    let Primitive::GetSPInfoResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let name = response.name.clone().filter(|name| !name.trim().is_empty());
    csp::Primitive::GetSPInfoResponse(Box::new(GetSPInfoResponse {
        client: None,
        name: name.unwrap_or_else(|| terms.user.domain().to_owned()),
        logo: response.logo.as_ref().and_then(|logo| picture(logo, terms)),
        description: response.description.clone(),
        url: response.url.clone(),
    }))
}

/// A logo that is here; one elsewhere has no place in the answer.
fn picture(logo: &Logo, terms: &Terms) -> Option<ContentBlock> {
    let content = logo.content.as_ref()?;
    Some(content::block(content, terms))
}

/// A new search, or the next page of one.
pub(super) fn search(request: &client::SearchRequest, terms: &Terms) -> Result<Primitive, Status> {
    if request
        .advanced
        .as_ref()
        .is_some_and(|one| !one.trim().is_empty())
    {
        let why = "Criteria that are joined otherwise than by \"and\" are not served.";
        return Err(Status::new(Code::NOT_IMPLEMENTED).because(why));
    }
    let pairs = request.criteria.0.iter().map(|one| one.pair.clone());
    let pairs: Vec<_> = pairs.collect();
    Ok(SearchRequest {
        limit: request.limit,
        search_id: request.search.map(|id| id.to_string()),
        index: request.index,
        meta: terms.meta(),
        pairs: (!pairs.is_empty()).then_some(pairs),
    }
    .into())
}

/// A page of results. A search whose id is no number has no further pages: clients could not ask
/// for them.
pub(super) fn found(answer: &Primitive) -> csp::Primitive {
    let Primitive::SearchResponse(page) = answer else {
        return failure(answer);
    };
    if !page.status.code.is_success() {
        return failure(answer);
    }
    let search: Option<u64> = page
        .search_id
        .as_deref()
        .and_then(|id| id.trim().parse().ok());
    let is_complete = page.completion == Some(true) || search.is_none();
    let result = page.result.as_ref();
    let users = result.and_then(|result| result.users.clone());
    let groups = result.and_then(|result| result.groups.clone());
    let told = users.as_ref().map_or(0, Vec::len) + groups.as_ref().map_or(0, Vec::len);
    let told = u32::try_from(told).unwrap_or(u32::MAX);
    let users = users.filter(|users| !users.is_empty());
    let groups = groups.filter(|groups| !groups.is_empty() && users.is_none());
    let findings = page.findings.unwrap_or(told);
    let result = client::SearchResult {
        users: users.map(|users| MemberList {
            members: users.into_iter().map(Member::User).collect(),
        }),
        groups: groups.map(|groups| groups.into_iter().map(|id| id.group).collect()),
    };
    let is_empty = result.users.is_none() && result.groups.is_none();
    csp::Primitive::SearchResponse(Box::new(client::SearchResponse {
        search: search.filter(|_| !is_complete),
        findings: Some(findings),
        is_complete: Some(is_complete),
        index: Some(page.index.unwrap_or(findings)),
        result: (!is_empty).then_some(result),
    }))
}

pub(super) fn stop(request: &client::StopSearchRequest, terms: &Terms) -> Primitive {
    StopSearchRequest {
        search_id: request.search.to_string(),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn verify(request: &client::VerifyIdRequest, terms: &Terms) -> Primitive {
    let whole = |id: &Id| match id {
        Id::User(id) => Id::User(UserId {
            user: terms.address(&id.user),
        }),
        Id::Group(id) => Id::Group(GroupId {
            group: terms.address(&id.group),
        }),
        Id::ScreenName(name) => Id::ScreenName(ScreenName {
            group: terms.address(&name.group),
            name: name.name.clone(),
        }),
        Id::ContactList(list) => Id::ContactList(ContactList {
            list: contact_list::address(&list.list, terms),
        }),
        Id::Domain(domain) => Id::Domain(domain.clone()),
    };
    VerifyIDRequest {
        meta: terms.meta(),
        ids: IdList {
            ids: request.ids.ids.iter().map(whole).collect(),
        },
    }
    .into()
}

/// Each user is asked for alone; without any, the user's own profile is meant.
pub(super) fn profiles(
    request: &profile::GetPublicProfileRequest,
    terms: &Terms,
) -> Result<Vec<Primitive>, Status> {
    let users = wanted(request, terms);
    if users.len() > MAX_PROFILES {
        let why = "A request asks for the profiles of at most 20 users.";
        return Err(Status::new(Code::BAD_PARAMETER).because(why));
    }
    let ask = |user| {
        Primitive::from(GetUserProfileRequest {
            user,
            meta: terms.meta(),
            parts: Some(ProfileParts {
                services: None,
                privacy: None,
                terminals: None,
                properties: Some(Empty),
            }),
        })
    };
    Ok(users.into_iter().map(ask).collect())
}

fn wanted(request: &profile::GetPublicProfileRequest, terms: &Terms) -> Vec<Address> {
    if request.users.is_empty() {
        return vec![terms.user.clone()];
    }
    let users = request.users.iter();
    users.map(|user| terms.address(user)).collect()
}

pub(super) fn told_profiles(
    request: &profile::GetPublicProfileRequest,
    answers: &[Primitive],
    terms: &Terms,
) -> csp::Primitive {
    let users = wanted(request, terms);
    let status = combined(users.iter(), answers);
    if terms.version < Version::V1_3 || status.code != Code::PARTIAL && !status.code.is_success() {
        return csp::Primitive::status(status);
    }
    let known = users.into_iter().zip(answers).filter_map(|(user, answer)| {
        let Primitive::GetUserProfileResponse(response) = answer else {
            return None;
        };
        let done = response.status.code.is_success();
        let properties = response.profile.as_ref().and_then(|p| p.properties.clone());
        done.then(|| profile::PublicProfile {
            user: Some(user),
            properties: properties.unwrap_or_default(),
        })
    });
    csp::Primitive::GetPublicProfileResponse(Box::new(profile::GetPublicProfileResponse {
        profiles: known.collect(),
        result: Some(status.into()),
    }))
}

/// What is cleared is replaced by what is said with it.
pub(super) fn update_profile(
    request: &profile::UpdatePublicProfileRequest,
    terms: &Terms,
) -> Primitive {
    let properties = request.profile.as_ref().map(|one| one.properties.clone());
    let mode = if request.clear == Some(true) {
        "Replace"
    } else {
        "Merge"
    };
    UpdateUserProfileRequest {
        user: terms.user.clone(),
        mode: Some(mode.to_owned()),
        meta: terms.meta(),
        profile: Some(UserProfile {
            user: Some(terms.user.clone()),
            modified: None,
            services: None,
            privacy: None,
            terminals: None,
            properties: Some(properties.unwrap_or_default()),
        }),
    }
    .into()
}

/// Types of notifications that a client wants: those that never come are named.
pub(super) fn notifications(types: Option<&[String]>) -> Status {
    let types = types.unwrap_or_default();
    let unknown = types.iter().map(|one| one.trim());
    let unknown: Vec<&str> = unknown
        .filter(|one| !super::authorization::notifies(one))
        .collect();
    if unknown.is_empty() {
        return Status::ok();
    }
    let why = format!("Not told: {}", unknown.join(" "));
    let detail = crate::imps::status::DetailedResult {
        description: Some(crate::text::cut(&why, 180).to_owned()),
        ..crate::imps::status::DetailedResult::new(Code::NOT_IMPLEMENTED)
    };
    if unknown.len() == types.len() {
        return Status {
            description: detail.description,
            ..Status::new(Code::NOT_IMPLEMENTED)
        };
    }
    Status {
        details: vec![detail],
        ..Status::new(Code::PARTIAL)
    }
}
