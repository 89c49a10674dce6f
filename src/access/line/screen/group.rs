//! Groups.

use super::message::text_of;
use super::{clean, who, why};
use crate::imps::Address;
use crate::imps::common::Property;
use crate::imps::primitive::group::{
    GetJoinedUsersResponse, GroupChangeNotice, JoinGroupResponse, LeaveGroupIndication,
};
use crate::imps::primitive::group_admin::{GetGroupMemberResponse, GetGroupPropsResponse};
use crate::text::charset::Reading;

/// Who came to a group, who went, and whether its properties changed; nothing if it says none of it.
pub(in crate::access::line) fn changed(notice: &GroupChangeNotice) -> Option<String> {
    let names = |names: &Option<Vec<String>>, what: &str| {
        let names: Vec<String> = names.iter().flatten().map(|name| clean(name)).collect();
        (!names.is_empty()).then(|| format!("{} {what}", names.join(", ")))
    };
    let has_properties = notice.properties.is_some() || notice.own.is_some();
    let news = [
        names(&notice.joined, "joined"),
        names(&notice.left, "left"),
        has_properties.then(|| "its properties have changed".to_owned()),
    ];
    let news: Vec<String> = news.into_iter().flatten().collect();
    (!news.is_empty()).then(|| format!("* {}: {}", who(&notice.group), news.join("; ")))
}

/// The user has left a group, or had to.
pub(in crate::access::line) fn has_left(notice: &LeaveGroupIndication) -> String {
    let group = notice
        .group
        .as_ref()
        .map_or_else(|| "a group".to_owned(), who);
    let why = why(&notice.status);
    format!("* you are no longer in {group}: {why}")
}

/// Groups that the user owns, and those they are in.
pub(in crate::access::line) fn groups(owned: &[Address], joined: &[Address]) -> String {
    let line = |what: &str, groups: &[Address]| {
        let groups: Vec<String> = groups.iter().map(who).collect();
        (!groups.is_empty()).then(|| format!("* {what}: {}", groups.join(", ")))
    };
    let lines = [line("yours", owned), line("you are in", joined)];
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    if lines.is_empty() {
        return "* no groups; /group create NAME makes one, /find group TEXT looks for others"
            .to_owned();
    }
    lines.join("\n")
}

/// Nothing was kept of what was said in a group.
pub(in crate::access::line) fn no_history(group: &Address) -> String {
    format!("* {} has kept nothing", who(group))
}

/// The user has made a group.
pub(in crate::access::line) fn created(group: &Address) -> String {
    let group = who(group);
    format!("* {group} is there, and you write to it now; others join by /group join {group}")
}

/// The user has joined a group.
pub(in crate::access::line) fn joined(group: &Address, response: &JoinGroupResponse) -> String {
    let names: Vec<String> = response.joined.iter().flatten().map(|n| clean(n)).collect();
    let with = if names.is_empty() {
        String::new()
    } else {
        format!(", with {}", names.join(", "))
    };
    let mut text = format!("* you are in {}{with}; you write to it now", who(group));
    let note = response
        .welcome
        .as_ref()
        .and_then(|note| note.content.as_ref());
    if let Some(Reading::Text(note)) =
        note.and_then(|content| text_of(&content.content_type, &content.bytes))
    {
        text = format!("{text}\n* {}", clean(&note));
    }
    text
}

/// Who is in a group, and its members as far as they are shown.
pub(in crate::access::line) fn people(
    group: &Address,
    joined: &GetJoinedUsersResponse,
    members: Option<&GetGroupMemberResponse>,
) -> String {
    let mut there = Vec::new();
    for (list, role) in [
        (&joined.admins, "admin"),
        (&joined.moderators, "moderator"),
        (&joined.users, ""),
    ] {
        let map = list.as_ref().and_then(|list| list.map.as_ref());
        for mapping in map.iter().flat_map(|map| map.mappings.iter().flatten()) {
            let user = mapping.user.as_ref().map(|id| who(&id.user));
            let name = mapping.screen_name.as_deref().map(clean);
            let (shown, more) = match (name, user) {
                (Some(name), user) => (name, user),
                (None, Some(user)) => (user, None),
                (None, None) => continue,
            };
            let more: Vec<String> = more
                .into_iter()
                .chain(Some(role.to_owned()).filter(|role| !role.is_empty()))
                .collect();
            there.push(if more.is_empty() {
                shown
            } else {
                format!("{shown} ({})", more.join(", "))
            });
        }
    }
    let there = if there.is_empty() {
        "nobody is there".to_owned()
    } else {
        format!("there: {}", there.join(", "))
    };
    let mut text = format!("* {}\n* {there}", who(group));
    let mut named = Vec::new();
    if let Some(members) = members {
        for (list, role) in [
            (&members.admins, " (admin)"),
            (&members.moderators, " (moderator)"),
            (&members.users, ""),
        ] {
            let users = list.iter().flatten();
            named.extend(users.map(|id| format!("{}{role}", who(&id.user))));
        }
    }
    if !named.is_empty() {
        text = format!("{text}\n* members: {}", named.join(", "));
    }
    text
}

/// The properties of a group, and the user's own in it.
pub(in crate::access::line) fn properties(
    group: &Address,
    response: &GetGroupPropsResponse,
) -> String {
    let line = |owner: &str, property: &Property| {
        let value = property.value.as_deref().unwrap_or_default();
        format!("* {owner}{}: {}", clean(&property.name), clean(value))
    };
    let common = response.properties.iter().flat_map(|all| &all.properties);
    let common = common.map(|property| line("", property));
    let own = response.own.iter().flatten();
    let own = own.map(|property| line("your ", property));
    let head = std::iter::once(format!("* {}", who(group)));
    head.chain(common).chain(own).collect::<Vec<_>>().join("\n")
}
