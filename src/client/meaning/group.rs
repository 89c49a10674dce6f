//! Groups: made, joined, left, watched.

use crate::csp;
use crate::csp::Version;
use crate::csp::primitive::group as client;
use crate::csp::primitive::joined::{AtJoin, Joined, Left};
use crate::imps::common::{Property, ScreenName, User, UserId};
use crate::imps::primitive::group::{
    GetGroupSubStatusRequest, GetJoinedUsersRequest, GroupChangeNotice, GroupProperties,
    JoinGroupRequest, LeaveGroupIndication, LeaveGroupRequest, Mapping, MappingList, Member,
    MemberList, SubscribeGroupChangeRequest, UnsubscribeGroupChangeRequest, WelcomeNote,
};
use crate::imps::primitive::group_admin::{CreateGroupRequest, DeleteGroupRequest};
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::answers::{failure, status_of};
use super::contact_list::filled;
use super::content;
use super::terms::Terms;

/// A group that is made; one that is named without its owner is the user's.
pub(super) fn create(
    request: &client::CreateGroupRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let group = super::contact_list::address(&request.group, terms);
    let properties = request.properties.as_ref().map(properties).transpose()?;
    Ok(CreateGroupRequest {
        join: request.join,
        subscribe: request.subscribe,
        meta: terms.meta(),
        properties,
        own: request.own.clone(),
        screen_name: request.screen_name.as_ref().map(|name| ScreenName {
            group: group.clone(),
            name: name.name.clone(),
        }),
        group,
    }
    .into())
}

/// Properties as a client writes them.
pub(super) fn properties(written: &client::GroupProperties) -> Result<GroupProperties, Status> {
    let welcome = written
        .welcome
        .as_ref()
        .map(content::of_block)
        .transpose()?;
    Ok(GroupProperties {
        properties: written.properties.clone(),
        welcome: welcome.map(|content| WelcomeNote { content }),
    })
}

/// Properties as a client reads them.
pub(super) fn told_properties(
    properties: &GroupProperties,
    terms: &Terms,
) -> client::GroupProperties {
    client::GroupProperties {
        properties: properties.properties.clone(),
        welcome: properties
            .welcome
            .as_ref()
            .and_then(|note| welcome(note, terms)),
    }
}

fn welcome(note: &WelcomeNote, terms: &Terms) -> Option<csp::primitive::content::ContentBlock> {
    let content = note
        .content
        .as_ref()
        .filter(|content| !content.bytes.is_empty())?;
    Some(content::block(content, terms))
}

pub(super) fn delete(request: &client::DeleteGroupRequest, terms: &Terms) -> Primitive {
    DeleteGroupRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn join(request: &client::JoinGroupRequest, terms: &Terms) -> Primitive {
    let group = terms.address(&request.group);
    JoinGroupRequest {
        joined_list: request.wants_joined,
        subscribe: request.subscribe,
        meta: terms.meta(),
        screen_name: request.screen_name.as_ref().map(|name| ScreenName {
            group: group.clone(),
            name: name.name.clone(),
        }),
        own: request.own.clone(),
        group,
    }
    .into()
}

/// Who is there, if the client wants to know it, and what it is welcomed with.
pub(super) fn joined(
    request: &client::JoinGroupRequest,
    answer: &Primitive,
    terms: &Terms,
) -> csp::Primitive {
    let status = status_of(answer);
    if !status.code.is_success() {
        return csp::Primitive::status(status);
    }
    let (names, note) = match answer {
        Primitive::JoinGroupResponse(response) => {
            (response.joined.as_ref(), response.welcome.as_ref())
        }
        _ => (None, None),
    };
    let names = names.filter(|_| request.wants_joined);
    let group = terms.address(&request.group);
    let joined = match names {
        Some(names) => at_join(names.iter().map(|name| mapping(name)).collect(), &group),
        None => AtJoin::default(),
    };
    csp::Primitive::JoinGroupResponse(Box::new(client::JoinGroupResponse {
        joined,
        screen_name: request.screen_name.clone(),
        welcome: note.and_then(|note| welcome(note, terms)),
    }))
}

fn at_join(users: Vec<Mapping>, group: &Address) -> AtJoin {
    let members = users.iter().filter_map(|one| member(one, group)).collect();
    AtJoin {
        members: Some(MemberList { members }),
        users: Some(client::UserMapList {
            users: (!users.is_empty()).then_some(users),
        }),
        is_joined: true,
    }
}

/// A name that is shown: who has none of their own is shown by address.
fn mapping(name: &str) -> Mapping {
    let address = name.contains('@').then(|| Address::new(name));
    Mapping {
        screen_name: Some(address.as_ref().map_or(name, Address::bare).to_owned()),
        user: address.map(|user| UserId { user }),
    }
}

fn member(mapping: &Mapping, group: &Address) -> Option<Member> {
    match (&mapping.user, &mapping.screen_name) {
        (Some(id), _) => Some(Member::User(User::new(id.user.clone()))),
        (None, Some(name)) => Some(Member::ScreenName(ScreenName {
            group: group.clone(),
            name: name.clone(),
        })),
        (None, None) => None,
    }
}

pub(super) fn leave(request: &client::LeaveGroupRequest, terms: &Terms) -> Primitive {
    LeaveGroupRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
    }
    .into()
}

pub(super) fn left(request: &client::LeaveGroupRequest, answer: &Primitive) -> csp::Primitive {
    csp::Primitive::LeaveGroupResponse(Box::new(client::LeaveGroupResponse {
        group: Some(request.group.clone()),
        result: status_of(answer).into(),
    }))
}

/// The user has to leave a group.
pub(super) fn made_to_leave(indication: &LeaveGroupIndication) -> csp::Primitive {
    let mut status = indication.status.clone();
    status.description = indication.reason.clone().or(status.description);
    csp::Primitive::LeaveGroupResponse(Box::new(client::LeaveGroupResponse {
        group: indication.group.clone(),
        result: status.into(),
    }))
}

pub(super) fn joined_users(request: &client::GetJoinedUsersRequest, terms: &Terms) -> Primitive {
    GetJoinedUsersRequest {
        group: terms.address(&request.group),
        meta: terms.meta(),
    }
    .into()
}

/// By role, if roles are told.
pub(super) fn who_is_joined(answer: &Primitive) -> csp::Primitive {
    let Primitive::GetJoinedUsersResponse(response) = answer else {
        return failure(answer);
    };
    if !response.status.code.is_success() {
        return failure(answer);
    }
    let of = |list: Option<&MappingList>| {
        let all = mappings(list).into_iter().map(|one| {
            let shown = one.screen_name.filter(|name| !name.is_empty());
            let address = one.user.as_ref().map(|id| id.user.bare().to_owned());
            Some(Mapping {
                screen_name: Some(shown.or(address)?),
                user: one.user,
            })
        });
        let all: Vec<Mapping> = all.flatten().collect();
        (!all.is_empty()).then_some(all)
    };
    let (admins, moderators) = (
        of(response.admins.as_ref()),
        of(response.moderators.as_ref()),
    );
    let users = of(response.users.as_ref());
    let by_role = admins.is_some() || moderators.is_some();
    let blocked = mappings(response.blocked.as_ref());
    let blocked = blocked.into_iter().filter_map(|one| one.user);
    let blocked: Vec<Member> = blocked.map(|id| Member::User(User::new(id.user))).collect();
    let answer = if by_role {
        client::GetJoinedUsersResponse {
            by_role: Some(client::RoleMappings {
                admins,
                moderators,
                users,
            }),
            users: None,
            blocked: None,
        }
    } else {
        client::GetJoinedUsersResponse {
            by_role: None,
            users: Some(client::UserMapList { users }),
            blocked: None,
        }
    };
    csp::Primitive::GetJoinedUsersResponse(Box::new(client::GetJoinedUsersResponse {
        blocked: (!blocked.is_empty()).then_some(MemberList { members: blocked }),
        ..answer
    }))
}

fn mappings(list: Option<&MappingList>) -> Vec<Mapping> {
    let map = list.and_then(|list| list.map.as_ref());
    map.and_then(|map| map.mappings.clone()).unwrap_or_default()
}

/// Asks, or changes, whether the client is told what changes in a group.
pub(super) fn notices(
    request: &client::SubscribeGroupNoticeRequest,
    terms: &Terms,
) -> Result<Primitive, Status> {
    let (group, meta) = (terms.address(&request.group), terms.meta());
    Ok(match request.kind.trim() {
        "G" | "g" => GetGroupSubStatusRequest { group, meta }.into(),
        "S" | "s" => SubscribeGroupChangeRequest { group, meta }.into(),
        "U" | "u" => UnsubscribeGroupChangeRequest { group, meta }.into(),
        _ => {
            let why = "It is G to ask, S to subscribe, or U to end that.";
            return Err(Status::new(Code::BAD_PARAMETER).because(why));
        }
    })
}

pub(super) fn noticed(answer: &Primitive) -> csp::Primitive {
    let status = status_of(answer);
    match answer {
        Primitive::GetGroupSubStatusResponse(response) if status.code.is_success() => {
            csp::Primitive::SubscribeGroupNoticeResponse(Box::new(
                client::SubscribeGroupNoticeResponse {
                    subscribed: response.subscribed,
                },
            ))
        }
        _ => csp::Primitive::status(status),
    }
}

/// What has changed in a group; nothing if it is nothing that a client knows.
pub(super) fn changed(notice: &GroupChangeNotice, terms: &Terms) -> Option<csp::Primitive> {
    let group = &notice.group;
    let joined: Vec<Mapping> = notice.joined.iter().flatten().map(|n| mapping(n)).collect();
    let left = notice.left.iter().flatten().map(|name| {
        let is_user = name.contains('@') && terms.version > Version::V1_1;
        if is_user {
            return Member::User(User::new(Address::new(name)));
        }
        Member::ScreenName(ScreenName {
            group: group.clone(),
            name: name.strip_prefix("wv:").unwrap_or(name).to_owned(),
        })
    });
    let left: Vec<Member> = left.collect();
    let refused = mappings(notice.joined_blocked.as_ref());
    let refused: Vec<Member> = refused
        .iter()
        .filter_map(|one| member(one, group))
        .collect();
    let properties = notice.properties.as_ref();
    let properties = properties.map(|properties| told_properties(properties, terms));
    let properties = properties.filter(|told| !told.properties.is_empty());
    let own: Option<Vec<Property>> = filled(notice.own.clone());
    let gone = notice.left_blocked.as_ref();
    let gone = gone.and_then(|gone| gone.users.clone());
    let gone = gone.filter(|gone| !gone.members.is_empty());
    let is_1_3 = terms.version == Version::V1_3;
    // Before 1.3 who was made to leave has left, and who was refused was never there.
    let mut left = left;
    if !is_1_3 {
        let in_left = |member: Member| match member {
            Member::User(user) if terms.version == Version::V1_1 => {
                Member::ScreenName(ScreenName {
                    group: group.clone(),
                    name: user.user.bare().to_owned(),
                })
            }
            other => other,
        };
        let gone = gone.iter().flat_map(|gone| gone.members.clone());
        left.extend(gone.map(in_left));
    }
    let is_nothing = joined.is_empty()
        && left.is_empty()
        && properties.is_none()
        && own.is_none()
        && !(is_1_3 && (gone.is_some() || !refused.is_empty()));
    if is_nothing {
        return None;
    }
    Some(csp::Primitive::GroupChangeNotice(Box::new(
        client::GroupChangeNotice {
            group: group.clone(),
            joined: (!joined.is_empty()).then(|| Joined {
                group: Some(group.clone()),
                users: Some(joined),
            }),
            left: (!left.is_empty()).then_some(Left(left)),
            joined_blocked: (!refused.is_empty()).then_some(MemberList { members: refused }),
            left_blocked: gone,
            properties,
            own,
        },
    )))
}
