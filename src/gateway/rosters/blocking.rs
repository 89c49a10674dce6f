//! A request about block list and grant list, and what the user's server is told for it.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Change, Done, Effect, Plan};
use crate::element::access::{Change as ListChange, Changes, Entry, List, told};
use crate::gateway::kept::{Account, Book, MAX_ENTRIES, blocked, entry};
use crate::imps::common::{GroupId, UserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::access::{BlockEntityRequest, EntityList};
use crate::translate::Translator;
use crate::translate::block_list::{self, Blocked};

/// How the user's server has a part in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'s> {
    /// Whom it blocks, if it lets us read that.
    pub(super) blocked: Option<&'s [Blocked]>,
    /// Whether it lets us change that.
    pub(super) may_change: bool,
}

/// Does what is wanted with the lists of an account.
pub(super) fn plan(
    request: &Primitive,
    mut account: Account,
    book: &Book,
    server: Server<'_>,
    translator: &Translator,
) -> Plan {
    if let Some(there) = server.blocked {
        account.access.take_over(there, translator);
    }
    let (done, changes) = match request {
        Primitive::BlockEntityRequest(request) => {
            let before = account.access.in_force();
            let lists = &mut account.access.lists;
            let owner = book.owner().domain();
            let has_list = |list: &_| book.name_of(list).is_some();
            let wanted = Changes::of(request, lists, owner, has_list);
            if let Err(status) = wanted.find_room(lists, MAX_ENTRIES) {
                let done = Done::Refused(status);
                return Plan {
                    done,
                    account,
                    changes: Vec::new(),
                    is_sure: false,
                };
            }
            lists.set_in_use(wanted.in_use);
            for change in &wanted.changes {
                lists.change(change);
            }
            let is_empty = lists.on(List::Blocked).next().is_none();
            let after = account.access.in_force();
            let changes = if server.may_change {
                told_to_server(
                    &wanted.changes,
                    (&before, &after),
                    server.blocked,
                    translator,
                )
            } else {
                Vec::new()
            };
            account.access.is_at_server = server.may_change && !is_empty;
            (Done::Answer(wanted.status().into()), changes)
        }
        _ => {
            let mut answer = told(&account.access.lists);
            if let (Some(there), Some(list)) = (server.blocked, answer.blocked.as_mut()) {
                add(list, there);
            }
            (Done::Answer(answer.into()), Vec::new())
        }
    };
    Plan {
        done,
        account,
        changes,
        is_sure: false,
    }
}

/// Whether a request puts contact lists on one of the lists, which must exist then.
pub(super) fn adds_contact_lists(request: &BlockEntityRequest) -> bool {
    let lists = [&request.blocked, &request.granted].into_iter().flatten();
    let mut added = lists.filter_map(|changes| changes.add.as_ref());
    added.any(|list| !list.lists.is_empty())
}

/// What is told so that the server blocks those who are on the list in use, and those whom the request
/// takes off no more.
fn told_to_server(
    wanted: &[ListChange],
    (before, after): (&[Blocked], &[Blocked]),
    there: Option<&[Blocked]>,
    translator: &Translator,
) -> Vec<Change> {
    let of = |is_on: bool| {
        let changes = wanted.iter();
        let changes = changes.filter(|c| c.list == List::Blocked && c.is_on == is_on);
        let all = changes.filter_map(|change| blocked(&change.entry));
        all.collect::<Vec<Blocked>>()
    };
    let (added, removed) = (of(true), of(false));
    let after = by_key(after);
    let (on, off) = match there {
        Some(there) => {
            let there = by_key(there);
            let gone = by_key(before.iter().chain(&removed));
            let off = gone.into_iter().filter(|(key, _)| there.contains_key(key));
            let off: BTreeMap<String, &Blocked> = off.collect();
            let on = after.iter().filter(|(key, _)| !there.contains_key(*key));
            (on.map(|(_, b)| *b).collect::<Vec<_>>(), off)
        }
        // What is asked for is told, whether it is so already or not.
        None => {
            let known = by_key(before);
            let again = by_key(&added);
            let on = after
                .iter()
                .filter(|(key, _)| !known.contains_key(*key) || again.contains_key(*key));
            let off = by_key(before.iter().chain(&removed));
            (on.map(|(_, b)| *b).collect(), off)
        }
    };
    let off = off.iter().filter(|(key, _)| !after.contains_key(*key));
    let told = [
        block_list::change(on, true, translator),
        block_list::change(off.map(|(_, b)| *b), false, translator),
    ];
    let told = told.into_iter().flatten();
    told.map(|payload| Change {
        payload,
        effect: Effect::Plain,
    })
    .collect()
}

/// Each once: screen names are compared as groups compare them.
fn by_key<'b>(all: impl IntoIterator<Item = &'b Blocked>) -> BTreeMap<String, &'b Blocked> {
    let all = all.into_iter();
    all.map(|blocked| (entry(blocked).key(), blocked)).collect()
}

/// Those of a list whom a server can block.
fn entries(list: &EntityList) -> Vec<Blocked> {
    let users = list.users.iter().map(|id| Entry::User(id.user.clone()));
    let groups = list.groups.iter().map(|id| Entry::Group(id.group.clone()));
    let names = list.screen_names.iter();
    let names = names.map(|name| Entry::ScreenName(name.group.clone(), name.name.clone()));
    let all = users.chain(groups).chain(names);
    all.filter_map(|entry| blocked(&entry)).collect()
}

/// Puts those whom the server blocks on a list that is told.
fn add(list: &mut EntityList, there: &[Blocked]) {
    let known: BTreeSet<String> = entries(list).iter().map(|b| entry(b).key()).collect();
    for blocked in there {
        if known.contains(&entry(blocked).key()) {
            continue;
        }
        match blocked.clone() {
            Blocked::User(user) => list.users.push(UserId { user }),
            Blocked::Group(group) => list.groups.push(GroupId { group }),
            Blocked::ScreenName(name) => list.screen_names.push(name),
        }
    }
}
