//! Contact lists.

use crate::csp;
use crate::csp::Version;
use crate::csp::primitive::contact_list as client;
use crate::imps::common::{Property, UserId};
use crate::imps::primitive::contact_list::{
    CreateListRequest, DeleteListRequest, GetListRequest, ListManageRequest, NickName,
};
use crate::imps::primitive::presence_admin::PresenceAuthUserRequest;
use crate::imps::{Address, Primitive};

use super::answers::{done, failure, status_of};
use super::terms::Terms;

/// A contact list as a client names it: its whole address, or the name alone.
pub(super) fn address(written: &Address, terms: &Terms) -> Address {
    let user = &terms.user;
    match written.resource_part() {
        Some(_) => written.clone().or_domain(user.domain()),
        None => Address::resource_of(user.user_part(), written.local(), user.domain()),
    }
}

pub(super) fn get(terms: &Terms) -> Primitive {
    GetListRequest { meta: terms.meta() }.into()
}

/// The default list stands apart from the others.
pub(super) fn got(answer: &Primitive) -> csp::Primitive {
    let Primitive::GetListResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let default = response.default.as_ref().map(|list| list.list.clone());
    let lists = response.lists.iter().map(|list| list.list.clone());
    csp::Primitive::GetListResponse(Box::new(client::GetListResponse {
        lists: lists
            .filter(|list| Some(list) != default.as_ref())
            .collect(),
        default,
    }))
}

pub(super) fn create(request: &client::CreateListRequest, terms: &Terms) -> Primitive {
    CreateListRequest {
        list: address(&request.list, terms),
        meta: terms.meta(),
        members: request.members.as_ref().map(|list| members(list, terms)),
        properties: request.properties.clone(),
    }
    .into()
}

/// A `Status` until 1.2; from 1.3 on the list that was made.
pub(super) fn created(
    request: &client::CreateListRequest,
    answer: &Primitive,
    terms: &Terms,
) -> csp::Primitive {
    if terms.version < Version::V1_3 || status_of(answer).code != crate::imps::Code::OK {
        return done(answer);
    }
    csp::Primitive::CreateListResponse(Box::new(client::CreateListResponse {
        list: Some(address(&request.list, terms)),
        properties: filled(request.properties.clone()),
    }))
}

pub(super) fn delete(request: &client::DeleteListRequest, terms: &Terms) -> Primitive {
    DeleteListRequest {
        list: address(&request.list, terms),
        meta: terms.meta(),
    }
    .into()
}

/// Changes or reads a list; from 1.3 on those who are put on it may be authorized with that.
pub(super) fn manage(request: &client::ListManageRequest, terms: &Terms) -> Vec<Primitive> {
    let add = request.add.as_ref().map(|list| members(list, terms));
    let remove = request.remove.as_ref().map(|users| {
        let users = users.iter().map(|user| terms.address(user));
        users.map(|user| UserId { user }).collect::<Vec<UserId>>()
    });
    let changes = add.is_some() || remove.is_some() || request.properties.is_some();
    // 1.1 has no word for it: there the list always comes.
    let receive = request.wants_list == Some(true) || terms.version == Version::V1_1 || !changes;
    let grants = add.iter().flatten().map(|member| member.user.clone());
    let grants = grants.filter(|_| request.authorize == Some(true));
    let grants = grants.map(|watcher| {
        Primitive::from(PresenceAuthUserRequest {
            watcher,
            acceptance: true,
            meta: terms.meta(),
            attributes: None,
        })
    });
    let grants: Vec<Primitive> = grants.collect();
    let managing = ListManageRequest {
        list: address(&request.list, terms),
        receive,
        meta: terms.meta(),
        add,
        remove,
        properties: request.properties.clone(),
    };
    [managing.into()].into_iter().chain(grants).collect()
}

pub(super) fn managed(answers: &[Primitive]) -> csp::Primitive {
    let Some(Primitive::ListManageResponse(response)) = answers.first() else {
        return failure(answers.first().unwrap_or(&crate::imps::Status::ok().into()));
    };
    // What has failed in the end, if the list was changed.
    let last = answers
        .last()
        .map_or_else(|| response.status.clone(), status_of);
    let status = if response.status.code.is_success() && !last.code.is_success() {
        last
    } else {
        response.status.clone()
    };
    let members = response.members.as_ref();
    let members = members.map(|list| client::NickList(list.iter().map(called).collect()));
    csp::Primitive::ListManageResponse(Box::new(client::ListManageResponse {
        result: status.into(),
        members,
        properties: filled(response.properties.clone()),
    }))
}

/// Members as a client writes them, with whole addresses.
fn members(list: &client::NickList, terms: &Terms) -> Vec<NickName> {
    let member = |one: &NickName| {
        called(&NickName {
            name: one.name.clone(),
            user: terms.address(&one.user),
        })
    };
    list.0.iter().map(member).collect()
}

/// A member who has no name has none, rather than an empty one.
fn called(member: &NickName) -> NickName {
    let name = member.name.as_ref();
    NickName {
        name: name.filter(|name| !name.trim().is_empty()).cloned(),
        user: member.user.clone(),
    }
}

/// Properties, if there are any: an empty list is none.
pub(super) fn filled(properties: Option<Vec<Property>>) -> Option<Vec<Property>> {
    properties.filter(|list| !list.is_empty())
}
