//! Who may see the user's presence, and who does.

use crate::csp;
use crate::csp::Version;
use crate::csp::primitive::notification::NotificationRequest;
use crate::csp::primitive::presence as client;
use crate::csp::primitive::watcher::{Watcher, Watchers};
use crate::imps::common::{AttributeList, ContactList, User, UserId};
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::presence_admin::{
    AttributeGrant, CancelAuthRequest, CreateAttributeListRequest, DeleteAttributeListRequest,
    GetAttributeListRequest, GetReactiveAuthStatusRequest, GetWatcherListRequest,
    PresenceAuthRequest, PresenceAuthUserRequest,
};
use crate::imps::{Address, Primitive};

use super::answers::failure;
use super::contact_list;
use super::presence::{attributes, sayable};
use super::terms::Terms;

/// Of somebody who watches now.
const CURRENT: &str = "CURRENT_SUBSCRIBER";
/// Somebody wants to see the user's presence.
const WANTS_TO_SEE: &str = "ANU";

pub(super) fn watchers(request: &client::GetWatcherListRequest, terms: &Terms) -> Primitive {
    GetWatcherListRequest {
        history: request.history,
        max: request.max,
        meta: terms.meta(),
    }
    .into()
}

/// 1.1 does not say who watches no more, so these are not on its list.
pub(super) fn watched(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    let Primitive::GetWatcherListResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let watchers = response.watchers.iter();
    let watchers = watchers.filter(|watcher| {
        let status = watcher.status.as_deref();
        terms.version > Version::V1_1 || status.is_none_or(|status| status == CURRENT)
    });
    let watchers = watchers.map(|watcher| Watcher {
        user: User::new(watcher.user.clone()),
        friendly_name: watcher.friendly_name.clone(),
        status: watcher.status.clone(),
    });
    csp::Primitive::GetWatcherListResponse(Box::new(client::GetWatcherListResponse {
        history: response.history,
        count: response.count,
        watchers: Watchers(watchers.collect()),
    }))
}

pub(super) fn decide(request: &client::PresenceAuthUser, terms: &Terms) -> Primitive {
    PresenceAuthUserRequest {
        watcher: terms.address(&request.watcher),
        acceptance: request.acceptance,
        meta: terms.meta(),
        attributes: attributes(request.attributes.as_ref()),
    }
    .into()
}

pub(super) fn cancel(request: &client::CancelAuthRequest, terms: &Terms) -> Primitive {
    CancelAuthRequest {
        watcher: terms.address(&request.watcher),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn decisions(
    request: &client::GetReactiveAuthStatusRequest,
    terms: &Terms,
) -> Primitive {
    GetReactiveAuthStatusRequest {
        meta: terms.meta(),
        users: user_ids(&request.watchers, terms),
    }
    .into()
}

pub(super) fn decided(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    let Primitive::GetReactiveAuthStatusResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let states = response
        .states
        .iter()
        .map(|state| client::ReactiveAuthStatus {
            watcher: state.user.clone(),
            state: state.state.clone().unwrap_or_else(|| "PENDING".to_owned()),
            attributes: requested(state.attributes.as_ref(), terms),
        });
    csp::Primitive::GetReactiveAuthStatusResponse(Box::new(client::GetReactiveAuthStatusResponse {
        states: Some(states.collect()),
    }))
}

/// An attribute list that is empty authorizes nothing, so it is kept as it is.
pub(super) fn attach(request: &client::CreateAttributeListRequest, terms: &Terms) -> Primitive {
    let list = request.attributes.as_ref();
    let names = list.map(|list| list.attributes.iter().map(|one| one.name.clone()));
    CreateAttributeListRequest {
        default: request.default,
        meta: terms.meta(),
        attributes: names.map(|names| AttributeList {
            presence: Some(PresenceSubList::request(names)),
        }),
        users: user_ids(&request.users, terms),
        lists: lists(&request.lists, terms),
    }
    .into()
}

pub(super) fn detach(request: &client::DeleteAttributeListRequest, terms: &Terms) -> Primitive {
    DeleteAttributeListRequest {
        default: request.default,
        meta: terms.meta(),
        users: user_ids(&request.users, terms),
        lists: lists(&request.lists, terms),
    }
    .into()
}

pub(super) fn attribute_lists(
    request: &client::GetAttributeListRequest,
    terms: &Terms,
) -> Primitive {
    let users: Vec<Address> = request.users.iter().map(|user| user.user.clone()).collect();
    GetAttributeListRequest {
        default: request.default,
        meta: terms.meta(),
        users: user_ids(&users, terms),
        lists: lists(&request.lists, terms),
    }
    .into()
}

pub(super) fn attached(answer: &Primitive, terms: &Terms) -> csp::Primitive {
    let Primitive::GetAttributeListResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let default = response.default.as_ref();
    csp::Primitive::GetAttributeListResponse(Box::new(client::GetAttributeListResponse {
        result: response.status.clone().into(),
        default: default.map(|list| client::DefaultAttributes {
            notify: None,
            attributes: vec![requested(Some(list), terms).unwrap_or_default()],
        }),
        grants: response
            .presences
            .iter()
            .filter_map(|grant| granted(grant, terms))
            .collect(),
    }))
}

/// What a user, or who is on a list, may see.
fn granted(grant: &AttributeGrant, terms: &Terms) -> Option<client::Presence> {
    let user = grant.user.as_ref().map(|id| id.user.clone());
    let list = grant.list.as_ref().map(|list| list.list.clone());
    let list = list.filter(|_| user.is_none());
    if user.is_none() && list.is_none() {
        return None;
    }
    let attributes = grant.presence.clone().unwrap_or_default();
    Some(client::Presence {
        user,
        user_notify: None,
        list,
        list_notify: None,
        attributes: vec![sayable(attributes, terms)],
    })
}

/// Somebody wants to see the user's presence. 1.3 has a notification for it, which the user
/// answers by an attribute list.
pub(super) fn question(request: &PresenceAuthRequest, terms: &Terms) -> csp::Primitive {
    let watcher = request.requesting.clone();
    let attributes = requested(request.attributes.as_ref(), terms);
    if terms.version < Version::V1_3 {
        return csp::Primitive::PresenceAuthRequest(Box::new(client::PresenceAuthRequest {
            watcher,
            attributes,
        }));
    }
    csp::Primitive::NotificationRequest(Box::new(NotificationRequest {
        kind: Some(WANTS_TO_SEE.to_owned()),
        block_list_in_use: None,
        grant_list_in_use: None,
        group: None,
        invite: None,
        online_handling: None,
        attributes,
        user_ids: Some(vec![watcher]),
        lists: None,
        default_list: None,
        priority: None,
        users: None,
        pair: None,
    }))
}

/// Whether notifications of a type ever come.
pub(super) fn notifies(kind: &str) -> bool {
    kind.trim().eq_ignore_ascii_case(WANTS_TO_SEE)
}

/// Attributes that are asked for or granted; absent means all.
fn requested(list: Option<&AttributeList>, terms: &Terms) -> Option<PresenceSubList> {
    let presence = list?.presence.clone()?;
    Some(sayable(presence, terms))
}

fn user_ids(users: &[Address], terms: &Terms) -> Vec<UserId> {
    let users = users.iter().map(|user| terms.address(user));
    users.map(|user| UserId { user }).collect()
}

fn lists(lists: &[Address], terms: &Terms) -> Vec<ContactList> {
    let lists = lists.iter().map(|list| contact_list::address(list, terms));
    lists.map(|list| ContactList { list }).collect()
}
