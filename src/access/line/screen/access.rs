//! Who may reach the user.

use super::{clean, who, why};
use crate::imps::Status;
use crate::imps::primitive::access::{EntityList, GetBlockedListResponse};

/// Somebody was put on a list or taken off, or was not; as it was typed.
pub(in crate::access::line) fn listed(what: &str, typed: &str, status: &Status) -> String {
    let typed = clean(typed);
    if status.effective().is_success() {
        format!("* done: {what} {typed}")
    } else {
        format!("* {what} {typed} failed: {}", why(status))
    }
}

pub(in crate::access::line) fn access(lists: &GetBlockedListResponse) -> String {
    let line = |what: &str, list: &EntityList| {
        let off = if list.in_use == Some(false) {
            " (not in use)"
        } else {
            ""
        };
        format!("* {what}{off}: {}", names(list))
    };
    let blocked = lists.blocked.iter().map(|list| line("blocked", list));
    let granted = lists.granted.iter().map(|list| line("granted", list));
    blocked.chain(granted).collect::<Vec<_>>().join("\n")
}

fn names(list: &EntityList) -> String {
    let users = list.users.iter().map(|id| who(&id.user));
    let groups = list.groups.iter().map(|id| who(&id.group));
    let names = list.screen_names.iter();
    let names = names.map(|name| format!("{} in {}", clean(&name.name), who(&name.group)));
    let lists = list.lists.iter();
    let lists = lists.map(|id| format!("contact list {}", who(&id.list)));
    let all: Vec<String> = users.chain(groups).chain(names).chain(lists).collect();
    match &all[..] {
        [] => "nobody".to_owned(),
        all => all.join(", "),
    }
}
