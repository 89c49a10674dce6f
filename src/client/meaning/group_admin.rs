//! Management of groups: members, roles, properties, who may not join.

use crate::csp;
use crate::csp::primitive::access::Entities;
use crate::csp::primitive::group as client;
use crate::imps::common::{Property, User, UserId};
use crate::imps::primitive::group::{Member, MemberList};
use crate::imps::primitive::group_admin::{
    AddGroupMemberRequest, GetGroupMemberRequest, GetGroupPropsRequest, MemberAccessRequest,
    RejectListRequest, RemoveGroupMemberRequest, SetGroupPropsRequest,
};
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::answers::{done, failure};
use super::contact_list::filled;
use super::group;
use super::terms::Terms;

pub(super) fn members(request: &client::GetGroupMembersRequest, terms: &Terms) -> Primitive {
    GetGroupMemberRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn told_members(answer: &Primitive) -> csp::Primitive {
    let Primitive::GetGroupMemberResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    csp::Primitive::GetGroupMembersResponse(Box::new(client::GetGroupMembersResponse {
        admins: list(response.admins.as_deref()),
        moderators: list(response.moderators.as_deref()),
        users: list(response.users.as_deref()),
    }))
}

pub(super) fn add(
    request: &client::AddGroupMembersRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    Ok(AddGroupMemberRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
        users: users(&request.users, terms)?,
    }
    .into())
}

pub(super) fn remove(
    request: &client::RemoveGroupMembersRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    Ok(RemoveGroupMemberRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
        users: users(&request.users, terms)?,
    }
    .into())
}

pub(super) fn access(
    request: &client::MemberAccessRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let of = |list: Option<&MemberList>| list.map(|list| users(list, terms)).transpose();
    Ok(MemberAccessRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
        admins: of(request.admins.as_ref())?,
        moderators: of(request.moderators.as_ref())?,
        users: of(request.users.as_ref())?,
    }
    .into())
}

pub(super) fn properties(request: &client::GetGroupPropsRequest, terms: &Terms) -> Primitive {
    GetGroupPropsRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
    }
    .into()
}

/// Both kinds of properties are there, whatever is told of them: no version has an answer without.
pub(super) fn told_properties(
    request: &client::GetGroupPropsRequest,
    answer: &Primitive,
    terms: &Terms,
) -> csp::Primitive {
    let Primitive::GetGroupPropsResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let told = response.properties.as_ref();
    let told = told.map(|told| group::told_properties(told, terms));
    let mut told = told.unwrap_or(client::GroupProperties {
        properties: Vec::new(),
        welcome: None,
    });
    if told.properties.is_empty() {
        let name = request.group.resource_part();
        told.properties.push(property("Name", name));
    }
    let own = filled(response.own.clone());
    csp::Primitive::GetGroupPropsResponse(Box::new(client::GetGroupPropsResponse {
        properties: Some(told),
        own: Some(own.unwrap_or_else(|| vec![property("PrivilegeLevel", None)])),
    }))
}

fn property(name: &str, value: Option<&str>) -> Property {
    Property {
        name: name.to_owned(),
        value: value.map(str::to_owned),
    }
}

pub(super) fn set_properties(
    request: &client::SetGroupPropsRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let properties = request.properties.as_ref();
    Ok(SetGroupPropsRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
        properties: properties.map(group::properties).transpose()?,
        own: request.own.clone(),
    }
    .into())
}

pub(super) fn reject(request: &client::RejectListRequest, terms: &Terms) -> Primitive {
    let ids = |entities: &Entities| {
        let users = entities.users.iter().map(|user| terms.address(user));
        users.map(|user| UserId { user }).collect::<Vec<UserId>>()
    };
    RejectListRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
        add: request.add.as_ref().map(ids),
        remove: request.remove.as_ref().map(ids),
    }
    .into()
}

pub(super) fn rejected(answer: &Primitive) -> csp::Primitive {
    match answer {
        Primitive::RejectListResponse(response) if response.status.code.is_success() => {
            csp::Primitive::RejectListResponse(Box::new(client::RejectListResponse {
                users: list(response.users.as_deref()),
            }))
        }
        other => done(other),
    }
}

fn list(users: Option<&[UserId]>) -> Option<MemberList> {
    let members = users?.iter();
    Some(MemberList {
        members: members
            .map(|id| Member::User(User::new(id.user.clone())))
            .collect(),
    })
}

/// Users as a client lists them. Members are users: who is named by a screen name is none.
fn users(list: &MemberList, terms: &Terms) -> Result<Vec<UserId>, Status> {
    let user = |member: &Member| match member {
        Member::User(user) => Ok(terms.address(&user.user)),
        Member::ScreenName(_) => {
            let why = "Members are named by their address, not by a screen name.";
            Err(Status::new(Code::BAD_PARAMETER).because(why))
        }
    };
    let users: Result<Vec<Address>, Status> = list.members.iter().map(user).collect();
    Ok(users?.into_iter().map(|user| UserId { user }).collect())
}
