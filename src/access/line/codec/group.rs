//! Groups: `/group` and what groups tell.

#[cfg(test)]
mod tests;

use super::super::screen;
use super::family::{Command, Family, Heard, Meaning, failure, filled, verdict};
use super::memory::Memory;
use crate::imps::common::{GroupId, MetaInfo, Property, Recipient, ScreenName, UserId};
use crate::imps::primitive::common::{SearchPair, SearchRequest};
use crate::imps::primitive::group::{
    GetJoinedUsersRequest, GroupProperties, JoinGroupRequest, LeaveGroupRequest,
};
use crate::imps::primitive::group_admin::{
    AddGroupMemberRequest, CreateGroupRequest, DeleteGroupRequest, GetGroupMemberRequest,
    GetGroupPropsRequest, MemberAccessRequest, RejectListRequest, RemoveGroupMemberRequest,
    SetGroupPropsRequest,
};
use crate::imps::primitive::message_store::NewMessage;
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/group list             groups that you own, and those you are in
/group create NAME [TOPIC]  make a group of your own, alice/NAME, and join it
/group join GROUP [NAME]  join, under a name or as yourself; then lines without slash go there
/group leave GROUP      leave; bob/club@other.domain, or club for your own; a slash alone before the provider's
/group who GROUP        who is there, and who are the members
/group tell GROUP NAME TEXT  write to one of those who are there, by their name in the group
/group history GROUP [N]  what was said there before, if the group keeps it
/group info GROUP       its properties; /group set GROUP Topic=Tea changes one
/group add GROUP ADDRESS    make somebody a member; /group remove ends it
/group admin GROUP ADDRESS  give a role: admin, moderator or user
/group kick GROUP ADDRESS   make somebody leave; /group bar keeps them out, /group unbar ends it
/group delete GROUP     end it",
    understand,
    hear,
};

/// Messages of a group's history that are shown at once.
const HISTORY: u32 = 50;

const USAGE: &str = "/group needs to know what: list, create, join, leave, who, tell, history, info, \
                     set, add, remove, admin, moderator, user, kick, bar, unbar, delete; see /help";

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    if command.name != "group" {
        return None;
    }
    let order = Command::read(command.rest);
    if order.name == "list" {
        return Some(list(memory));
    }
    let asks = match order.name {
        "create" => create,
        "join" => join,
        "leave" => leave,
        "who" => who,
        "tell" => tell,
        "history" => history,
        "info" => info,
        "set" => set,
        "add" | "remove" | "admin" | "moderator" | "user" | "kick" | "bar" | "unbar" => member,
        "delete" => delete,
        _ => return Some(Meaning::Show(USAGE.to_owned())),
    };
    let (typed, rest) = order.split();
    if typed.is_empty() {
        let why = format!("/group {} needs a group", order.name);
        return Some(Meaning::Show(why));
    }
    let group = group(memory, typed);
    let about = About {
        order: order.name,
        group,
        rest,
    };
    Some(asks(memory, &about))
}

/// A command about a group.
struct About<'a> {
    order: &'a str,
    group: Address,
    /// What follows the group.
    rest: &'a str,
}

/// A group as it was typed; a name alone is one of the user's own.
fn group(memory: &Memory, typed: &str) -> Address {
    if typed.contains('/') {
        return memory.requests.address(typed);
    }
    let user = memory.requests.user();
    let (name, domain) = typed.split_once('@').unwrap_or((typed, user.domain()));
    Address::resource_of(user.user_part(), name, domain)
}

fn meta(memory: &Memory) -> Option<MetaInfo> {
    memory.requests.meta()
}

fn list(memory: &Memory) -> Meaning {
    let user = memory.requests.user().to_string();
    let search = |element: &str| -> Primitive {
        let pair = SearchPair {
            element: element.to_owned(),
            string: user.clone(),
        };
        SearchRequest {
            limit: Some(100),
            search_id: None,
            index: None,
            meta: meta(memory),
            pairs: Some(vec![pair]),
        }
        .into()
    };
    let requests = vec![
        search("GROUP_USER_ID_OWNER"),
        search("GROUP_USER_ID_JOINED"),
    ];
    Meaning::ask(requests, |_, answers| match (failure(answers), answers) {
        (
            None,
            [
                Primitive::SearchResponse(owned),
                Primitive::SearchResponse(joined),
            ],
        ) => {
            let groups = |found: Option<&Vec<GroupId>>| -> Vec<Address> {
                let found = found.into_iter().flatten();
                found.map(|id| id.group.clone()).collect()
            };
            let owned = owned.result.as_ref().and_then(|r| r.groups.as_ref());
            let joined = joined.result.as_ref().and_then(|r| r.groups.as_ref());
            screen::groups(&groups(owned), &groups(joined))
        }
        _ => screen::failed("groups", None, &verdict(answers)),
    })
}

fn create(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let topic = filled(about.rest);
    let given = |name: &str, value: Option<String>| Property {
        name: name.to_owned(),
        value,
    };
    let topic = topic.map(|topic| given("Topic", Some(topic)));
    let request = CreateGroupRequest {
        group: about.group.clone(),
        join: true,
        subscribe: true,
        meta: meta(memory),
        properties: topic.map(|topic| GroupProperties {
            properties: vec![topic],
            welcome: None,
        }),
        own: None,
        screen_name: None,
    };
    let group = about.group.clone();
    Meaning::ask(vec![request.into()], move |memory, answers| {
        let verdict = verdict(answers);
        if !verdict.effective().is_success() {
            return screen::failed("create", Some(&group), &verdict);
        }
        memory.choose(group.clone(), false);
        screen::created(&group)
    })
}

fn join(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let name = filled(about.rest);
    let request = JoinGroupRequest {
        group: about.group.clone(),
        joined_list: true,
        subscribe: true,
        meta: meta(memory),
        screen_name: name.map(|name| ScreenName {
            group: about.group.clone(),
            name,
        }),
        own: None,
    };
    let group = about.group.clone();
    Meaning::ask(vec![request.into()], move |memory, answers| {
        let verdict = verdict(answers);
        match answers {
            [Primitive::JoinGroupResponse(response)] if verdict.effective().is_success() => {
                memory.choose(group.clone(), false);
                screen::joined(&group, response)
            }
            _ => screen::failed("join", Some(&group), &verdict),
        }
    })
}

fn leave(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let request = LeaveGroupRequest {
        group: about.group.clone(),
        meta: meta(memory),
    };
    let group = about.group.clone();
    Meaning::ask(vec![request.into()], move |memory, answers| {
        let verdict = verdict(answers);
        if memory.partner.as_ref() == Some(&group) && verdict.effective().is_success() {
            memory.partner = None;
        }
        screen::done("leave", Some(&group), &verdict)
    })
}

fn who(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let joined = GetJoinedUsersRequest {
        group: about.group.clone(),
        meta: meta(memory),
    };
    let members = GetGroupMemberRequest {
        group: about.group.clone(),
        meta: meta(memory),
    };
    let group = about.group.clone();
    let requests = vec![joined.into(), members.into()];
    Meaning::ask(requests, move |_, answers| match answers {
        [Primitive::GetJoinedUsersResponse(joined), members]
            if joined.status.effective().is_success() =>
        {
            // Only members see the list of members.
            let members = match members {
                Primitive::GetGroupMemberResponse(members) => Some(members.as_ref()),
                _ => None,
            };
            screen::people(&group, joined, members)
        }
        _ => screen::failed("who", Some(&group), &verdict(answers)),
    })
}

fn tell(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let (name, text) = about.rest.split_once(' ').unwrap_or((about.rest, ""));
    if text.trim().is_empty() {
        return Meaning::Show("write /group tell GROUP NAME TEXT".to_owned());
    }
    let group = about.group.clone();
    let report = memory.report;
    let mut request = memory
        .requests
        .message(group.clone(), text.trim(), report, None);
    if let Primitive::SendMessageRequest(message) = &mut request {
        message.info.recipients = vec![Recipient::ScreenName(ScreenName {
            group: group.clone(),
            name: name.to_owned(),
        })];
    }
    Meaning::ask(vec![request], move |_, answers| match answers {
        [Primitive::SendMessageResponse(response)] => screen::sent(&group, &response.status),
        _ => screen::failed("message", Some(&group), &verdict(answers)),
    })
}

/// The list first, then each message that is on it.
fn history(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let most = match about.rest {
        "" => Some(HISTORY),
        number => number
            .parse()
            .ok()
            .filter(|most| (1..=HISTORY).contains(most)),
    };
    let Some(most) = most else {
        return Meaning::Show("write /group history GROUP [NUMBER], 50 at most".to_owned());
    };
    let group = about.group.clone();
    let list = memory.requests.history(group.clone(), most);
    Meaning::then(vec![list], move |memory, answers| {
        let [Primitive::GetMessageListResponse(list)] = &answers[..] else {
            return Meaning::Show(screen::failed("history", Some(&group), &verdict(&answers)));
        };
        if !list.status.effective().is_success() {
            return Meaning::Show(screen::failed("history", Some(&group), &list.status));
        }
        let ids = list
            .messages
            .iter()
            .filter_map(|info| info.message_id.clone());
        let fetch = ids.map(|id| memory.requests.fetch_of(group.clone(), id));
        let fetches: Vec<Primitive> = fetch.collect();
        if fetches.is_empty() {
            return Meaning::Show(screen::no_history(&group));
        }
        Meaning::ask(fetches, |_, answers| {
            let said = answers.iter().filter_map(|answer| match answer {
                Primitive::GetMessageResponse(response) => Some(screen::message(
                    &NewMessage {
                        meta: None,
                        info: response.info.clone()?,
                        content: response.content.clone(),
                    },
                    true,
                )),
                // It has gone meanwhile.
                _ => None,
            });
            said.collect::<Vec<_>>().join("\n")
        })
    })
}

fn info(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let request = GetGroupPropsRequest {
        group: about.group.clone(),
        meta: meta(memory),
    };
    let group = about.group.clone();
    Meaning::ask(vec![request.into()], move |_, answers| {
        let verdict = verdict(answers);
        match answers {
            [Primitive::GetGroupPropsResponse(response)] if verdict.effective().is_success() => {
                screen::properties(&group, response)
            }
            _ => screen::failed("info", Some(&group), &verdict),
        }
    })
}

fn set(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let Some((name, value)) = about.rest.split_once('=') else {
        let why = "write /group set GROUP NAME=VALUE; names are Name, Topic, AccessType \
                   (Open or Restricted), Searchable, PrivateMessaging, History, AutoDelete (T or F), \
                   MaxActiveUsers";
        return Meaning::Show(why.to_owned());
    };
    let property = Property {
        name: name.trim().to_owned(),
        value: Some(value.trim().to_owned()),
    };
    let request = SetGroupPropsRequest {
        group: about.group.clone(),
        meta: meta(memory),
        properties: Some(GroupProperties {
            properties: vec![property],
            welcome: None,
        }),
        own: None,
    };
    Meaning::done("set", Some(about.group.clone()), request.into())
}

/// What is done to one user of a group.
fn member(memory: &mut Memory, about: &About<'_>) -> Meaning {
    if about.rest.is_empty() {
        let why = format!("/group {} needs a group and an address", about.order);
        return Meaning::Show(why);
    }
    let user = memory.requests.address(about.rest);
    let users = || vec![UserId { user: user.clone() }];
    let (group, meta) = (about.group.clone(), meta(memory));
    let role = |role: &str| -> Primitive {
        MemberAccessRequest {
            group: group.clone(),
            meta: meta.clone(),
            admins: (role == "admin").then(users),
            moderators: (role == "moderator").then(users),
            users: (role == "user").then(users),
        }
        .into()
    };
    let bar = |add: bool| -> Primitive {
        RejectListRequest {
            group: group.clone(),
            meta: meta.clone(),
            add: add.then(users),
            remove: (!add).then(users),
        }
        .into()
    };
    let (what, requests) = match about.order {
        "add" => {
            let (group, meta, users) = (group.clone(), meta.clone(), users());
            let request = AddGroupMemberRequest { group, meta, users };
            ("add member", vec![request.into()])
        }
        "remove" => {
            let (group, meta, users) = (group.clone(), meta.clone(), users());
            let request = RemoveGroupMemberRequest { group, meta, users };
            ("remove member", vec![request.into()])
        }
        "kick" => ("kick", vec![bar(true), bar(false)]),
        "bar" => ("bar", vec![bar(true)]),
        "unbar" => ("unbar", vec![bar(false)]),
        other => ("role", vec![role(other)]),
    };
    Meaning::ask(requests, move |_, answers| match failure(answers) {
        Some(status) => screen::failed(what, Some(&user), status),
        None => screen::done(what, Some(&user), &verdict(answers)),
    })
}

fn delete(memory: &mut Memory, about: &About<'_>) -> Meaning {
    let request = DeleteGroupRequest {
        group: about.group.clone(),
        meta: meta(memory),
    };
    Meaning::done("delete", Some(about.group.clone()), request.into())
}

fn hear(memory: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    match primitive {
        Primitive::GroupChangeNotice(notice) => Some(screen::changed(notice)),
        Primitive::LeaveGroupIndication(notice) => {
            if memory.partner == notice.group {
                memory.partner = None;
            }
            Some(Some(screen::has_left(notice)))
        }
        _ => None,
    }
}
