//! Presence: asked for, told, watched.

use crate::csp;
use crate::csp::presence::fits;
use crate::csp::primitive::presence as client;
use crate::imps::common::{AttributeList, PresenceValue, User, UserId, VerUserId};
use crate::imps::presence::{Attribute, AttributeName, Item, PresenceSubList};
use crate::imps::primitive::presence::{
    GetPresenceRequest, PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::primitive::presence_admin::UpdatePresenceRequest;
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::answers::{failure, status_of};
use super::contact_list;
use super::terms::Terms;

/// Users and contact lists that a request names; a list is a user id of its own form (the home
/// domain takes it apart).
fn named(users: &[User], lists: &[Address], terms: &Terms) -> Result<Vec<Address>, Status> {
    let users = users.iter().map(|user| terms.address(&user.user));
    let lists = lists.iter().map(|list| contact_list::address(list, terms));
    let named: Vec<Address> = users.chain(lists).collect();
    if named.is_empty() {
        let why = "The request names nobody.";
        return Err(Status::new(Code::BAD_PARAMETER).because(why));
    }
    Ok(named)
}

/// Attributes that are asked for; absent or empty means all.
pub(super) fn attributes(list: Option<&PresenceSubList>) -> Option<AttributeList> {
    let list = list.filter(|list| !list.attributes.is_empty())?;
    let names = list.attributes.iter().map(|one| one.name.clone());
    Some(AttributeList {
        presence: Some(PresenceSubList::request(names)),
    })
}

pub(super) fn get(
    request: &client::GetPresenceRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let named = named(&request.users, &request.lists, terms)?.into_iter();
    Ok(GetPresenceRequest {
        meta: terms.meta(),
        users: named
            .map(|user| VerUserId {
                user,
                version: None,
            })
            .collect(),
        attributes: attributes(request.attributes.as_ref()),
    }
    .into())
}

/// Presence of those of whom something may be seen. Who was named and shows nothing is there too,
/// as one of whom nothing is known: clients read the first one without looking whether it is there.
pub(super) fn got(
    request: &client::GetPresenceRequest,
    answer: &Primitive,
    terms: &Terms,
) -> csp::Primitive {
    let Primitive::GetPresenceResponse(response) = answer else {
        return failure(answer);
    };
    let status = response.status.clone().unwrap_or_else(Status::ok);
    if !status.code.is_success() {
        return csp::Primitive::status(status);
    }
    let mut presences: Vec<client::Presence> = response
        .values
        .iter()
        .map(|value| shown(value, terms))
        .collect();
    for user in &request.users {
        let user = terms.address(&user.user);
        let is_told = presences.iter().any(|one| one.user.as_ref() == Some(&user));
        let named = status.details.iter().flat_map(|detail| &detail.users);
        let mut failed = named.map(|id| &id.user);
        if !is_told && !failed.any(|failed| *failed == user) {
            presences.push(presence(user, unknown()));
        }
    }
    csp::Primitive::GetPresenceResponse(Box::new(client::GetPresenceResponse {
        result: status.into(),
        presences,
    }))
}

/// The user's own presence; nothing if it says no more than that they are online. That the session
/// itself says, and some clients say it with each change.
pub(super) fn update(request: &client::UpdatePresenceRequest, terms: &Terms) -> Option<Primitive> {
    let mut presence = request.presence.clone();
    let is_known =
        |one: &Attribute| one.name == AttributeName::OnlineStatus && one.truth() == Some(true);
    let said = presence.attributes.len();
    presence.attributes.retain(|one| !is_known(one));
    if presence.attributes.is_empty() && said > 0 {
        return None;
    }
    let update = UpdatePresenceRequest {
        meta: terms.meta(),
        value: PresenceValue {
            user: terms.user.clone(),
            presence: Some(presence),
        },
    };
    Some(update.into())
}

pub(super) fn subscribe(
    request: &client::SubscribePresenceRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let named = named(&request.users, &request.lists, terms)?.into_iter();
    Ok(SubscribeRequest {
        meta: terms.meta(),
        users: named.map(|user| UserId { user }).collect(),
        attributes: attributes(request.attributes.as_ref()),
    }
    .into())
}

pub(super) fn unsubscribe(
    request: &client::UnsubscribePresenceRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let named = named(&request.users, &request.lists, terms)?.into_iter();
    Ok(UnsubscribeRequest {
        meta: terms.meta(),
        users: named.map(|user| UserId { user }).collect(),
    }
    .into())
}

/// Presence of those whom the user watches; nothing if it is of nobody.
pub(super) fn notification(
    notification: &PresenceNotification,
    terms: &Terms,
) -> Option<csp::Primitive> {
    let presences = notification.values.iter();
    told(presences.map(|value| shown(value, terms)).collect())
}

/// A subscription that was accepted has failed in the end: of whom it was, nothing is known.
pub(super) fn failed(status: &Status) -> Option<csp::Primitive> {
    if status.code.is_success() {
        return None;
    }
    let users = status.details.iter().flat_map(|detail| &detail.users);
    told(
        users
            .map(|id| presence(id.user.clone(), unknown()))
            .collect(),
    )
}

fn told(presences: Vec<client::Presence>) -> Option<csp::Primitive> {
    if presences.is_empty() {
        return None;
    }
    let notification = client::PresenceNotification { presences };
    Some(csp::Primitive::PresenceNotification(Box::new(notification)))
}

/// The presence of one user as the client's version has it.
fn shown(value: &PresenceValue, terms: &Terms) -> client::Presence {
    let list = value.presence.clone();
    let list = list.filter(|list| !list.attributes.is_empty());
    let list = list.map_or_else(unknown, |list| {
        let list = if terms.switches.full_presence {
            full(list)
        } else {
            list
        };
        sayable(list, terms)
    });
    presence(value.user.clone(), list)
}

fn presence(user: Address, attributes: PresenceSubList) -> client::Presence {
    client::Presence {
        user: Some(user),
        user_notify: None,
        list: None,
        list_notify: None,
        attributes: vec![attributes],
    }
}

/// Nothing is known of somebody.
fn unknown() -> PresenceSubList {
    PresenceSubList {
        attributes: vec![Attribute::unknown(AttributeName::OnlineStatus)],
    }
}

/// The list as the version can write it: an attribute that it cannot is made smaller, or left out.
pub(super) fn sayable(mut list: PresenceSubList, terms: &Terms) -> PresenceSubList {
    list.sort();
    list.attributes.truncate(MAX_ATTRIBUTES);
    let fields = list.attributes.iter_mut().flat_map(|one| &mut one.fields);
    fields.for_each(in_client_form);
    if fits(&list, terms.version) {
        return list;
    }
    let mut kept = PresenceSubList::default();
    for attribute in list.attributes {
        let smaller = smaller(&attribute, terms.version);
        for candidate in [Some(attribute), smaller].into_iter().flatten() {
            kept.attributes.push(candidate);
            if fits(&kept, terms.version) {
                break;
            }
            kept.attributes.pop();
        }
    }
    kept
}

/// The attribute with those of its fields that can be written; `None` if it has none.
fn smaller(attribute: &Attribute, version: csp::Version) -> Option<Attribute> {
    let with = |fields: Vec<Item>| Attribute {
        name: attribute.name.clone(),
        qualifier: attribute.qualifier,
        fields,
    };
    let fields = attribute.fields.iter().filter(|field| {
        let alone = PresenceSubList {
            attributes: vec![with(vec![(*field).clone()])],
        };
        fits(&alone, version)
    });
    let fields: Vec<Item> = fields.cloned().collect();
    (!fields.is_empty()).then(|| with(fields))
}

/// What stands in an attribute in the other protocol stands in an element here, and a note that
/// says nothing is none.
fn in_client_form(field: &mut Item) {
    if field.name == "ClientID" && field.children.is_empty() {
        let url = field.attributes.iter().find(|(name, _)| name == "url");
        let url = url.map_or_else(|| std::mem::take(&mut field.text), |(_, url)| url.clone());
        field.text.clear();
        if !url.is_empty() {
            field.children.push(Item::text("URL", url));
        }
    }
    field
        .children
        .retain(|child| child.name != "Note" || !child.text.trim().is_empty());
}

/// Attributes of one user that are told. Our choice: there are 18, some of them for each client.
const MAX_ATTRIBUTES: usize = 64;

/// Of who is online, says so by ways to reach them and by their client, if nothing does.
fn full(mut list: PresenceSubList) -> PresenceSubList {
    let online = list.get(&AttributeName::OnlineStatus);
    if online.and_then(Attribute::truth) != Some(true) {
        return list;
    }
    let has = |list: &PresenceSubList, name| list.get(&name).is_some_and(Attribute::is_valid);
    if !has(&list, AttributeName::CommCap) {
        let (way, open) = (Item::text("Cap", "IM"), Item::text("Status", "OPEN"));
        let way = Item::of("CommC", vec![way, open]);
        replace(
            &mut list,
            Attribute::fields(AttributeName::CommCap, vec![way]),
        );
    }
    if !has(&list, AttributeName::ClientInfo) {
        let kind = Item::text("ClientType", "OTHER");
        replace(
            &mut list,
            Attribute::fields(AttributeName::ClientInfo, vec![kind]),
        );
    }
    list
}

fn replace(list: &mut PresenceSubList, attribute: Attribute) {
    list.attributes.retain(|other| other.name != attribute.name);
    list.attributes.push(attribute);
}

/// The status of an answer, with what the client calls it.
pub(super) fn subscribed(answer: &Primitive) -> csp::Primitive {
    let status = status_of(answer);
    // Accepted, and no result yet: clients know it as done.
    let code = if status.code == ACCEPTED {
        Code::OK
    } else {
        status.code
    };
    csp::Primitive::status(Status { code, ..status })
}

const ACCEPTED: Code = Code(202);
