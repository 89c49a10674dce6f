//! Who may reach a user (wire profile, 11.10): the block list and the grant list, as the user reads
//! and changes them.

use crate::imps::address::{Address, Kind};
use crate::imps::common::{ContactList as ContactListId, GroupId, ScreenName, UserId};
use crate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListResponse,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::access_lists::{Entry, List, Listed};
use super::contact_list::is_user;
use super::core::Core;
use super::records;
use super::user::User;

/// Who may reach a user.
pub(super) struct Access<'a> {
    user: &'a mut User,
    core: &'a mut Core,
}

/// A change of one entry.
struct Change {
    list: List,
    entry: Entry,
    is_on: bool,
}

impl<'a> Access<'a> {
    pub(super) fn of(user: &'a mut User, core: &'a mut Core) -> Self {
        Self { user, core }
    }

    pub(super) fn lists(&self) -> GetBlockedListResponse {
        let lists = &self.user.access;
        let in_use = lists.in_use();
        GetBlockedListResponse {
            status: Status::ok(),
            blocked: Some(told(in_use.blocked, lists.on(List::Blocked))),
            granted: Some(told(in_use.granted, lists.on(List::Granted))),
        }
    }

    /// Changes the lists. Entries that cannot be are named, and the others taken; if there is no room
    /// nothing is done.
    pub(super) fn change(&mut self, request: &BlockEntityRequest) -> Status {
        let mut in_use = self.user.access.in_use();
        let (mut changes, mut failures, mut targets) = (Vec::new(), Vec::new(), 0);
        for (list, wanted) in [
            (List::Blocked, &request.blocked),
            (List::Granted, &request.granted),
        ] {
            let Some(wanted) = wanted else { continue };
            if let Some(is_used) = wanted.in_use {
                targets += 1;
                match list {
                    List::Blocked => in_use.blocked = is_used,
                    List::Granted => in_use.granted = is_used,
                }
            }
            for (entry, is_on) in entries(wanted) {
                targets += 1;
                let entry = self.at_home(entry);
                match self.may_stand(&entry, is_on) {
                    Ok(()) => changes.push(Change { list, entry, is_on }),
                    Err(code) => failures.push((code, entry)),
                }
            }
        }
        if !self.has_room(&changes) {
            let why = "There is no room for another entry.";
            return Status::new(Code::TOO_MANY_CONTACTS).because(why);
        }
        if in_use != self.user.access.in_use() {
            self.user.access.set_in_use(in_use);
            self.core.act(records::put_access(&self.user.name, in_use));
        }
        for change in changes {
            self.put(change);
        }
        status(targets, failures)
    }

    fn put(&mut self, change: Change) {
        let key = change.entry.key();
        let known = self.user.access.get(&key);
        let mut listed = known.cloned().unwrap_or_else(|| Listed::new(change.entry));
        if listed.is_on(change.list) == change.is_on {
            return;
        }
        listed.put(change.list, change.is_on);
        self.core
            .act(records::put_listed(&self.user.name, &key, &listed));
        self.user.access.put(listed);
    }

    /// With our domain where there is none.
    fn at_home(&self, entry: Entry) -> Entry {
        let here = |address: Address| self.core.at_home(&address);
        match entry {
            Entry::User(user) => Entry::User(here(user)),
            Entry::ScreenName(group, name) => Entry::ScreenName(here(group), name),
            Entry::Group(group) => Entry::Group(here(group)),
            Entry::ContactList(list) => Entry::ContactList(here(list)),
        }
    }

    /// Whether it can stand on a list. Whether users and groups exist is not asked: they may be made.
    fn may_stand(&self, entry: &Entry, is_on: bool) -> Result<(), Code> {
        let is_group = |group: &Address| group.is_valid() && group.kind() == Kind::Resource;
        match entry {
            Entry::User(user) if !is_user(user) => Err(Code::ADDRESS),
            Entry::Group(group) | Entry::ScreenName(group, _) if !is_group(group) => {
                Err(Code::NO_GROUP)
            }
            Entry::ScreenName(_, name) if name.trim().is_empty() => Err(Code::BAD_PARAMETER),
            // Of a list that is no more only the entry is left.
            Entry::ContactList(list) if is_on && !self.user.has_contact_list(list, self.core) => {
                Err(Code::NO_CONTACT_LIST)
            }
            _ => Ok(()),
        }
    }

    /// Whether all changes together find room. Who is on both lists is counted once.
    fn has_room(&self, changes: &[Change]) -> bool {
        let lists = &self.user.access;
        let added = changes.iter().filter(|change| change.is_on);
        let keys = added.map(|change| change.entry.key());
        let mut new: Vec<String> = keys.filter(|key| lists.get(key).is_none()).collect();
        new.sort_unstable();
        new.dedup();
        new.is_empty() || lists.len() + new.len() <= self.core.settings.max_access
    }
}

/// The entries of a change, and whether each is put on the list or taken off.
fn entries(changes: &EntityChanges) -> impl Iterator<Item = (Entry, bool)> {
    let of = |list: &EntityList| {
        let users = list.users.iter().map(|id| Entry::User(id.user.clone()));
        let names = list.screen_names.iter();
        let names = names.map(|name| Entry::ScreenName(name.group.clone(), name.name.clone()));
        let groups = list.groups.iter();
        let groups = groups.map(|id| Entry::Group(id.group.clone()));
        let lists = list.lists.iter();
        let lists = lists.map(|id| Entry::ContactList(id.list.clone()));
        users
            .chain(names)
            .chain(groups)
            .chain(lists)
            .collect::<Vec<_>>()
    };
    let added = changes.add.iter().flat_map(of).map(|entry| (entry, true));
    let removed = changes.remove.iter().flat_map(of);
    added.chain(removed.map(|entry| (entry, false)))
}

/// A list as it is told.
fn told<'e>(in_use: bool, entries: impl Iterator<Item = &'e Entry>) -> EntityList {
    let mut list = EntityList {
        in_use: Some(in_use),
        users: Vec::new(),
        screen_names: Vec::new(),
        groups: Vec::new(),
        lists: Vec::new(),
    };
    for entry in entries.cloned() {
        match entry {
            Entry::User(user) => list.users.push(UserId { user }),
            Entry::ScreenName(group, name) => list.screen_names.push(ScreenName { group, name }),
            Entry::Group(group) => list.groups.push(GroupId { group }),
            Entry::ContactList(of) => list.lists.push(ContactListId { list: of }),
        }
    }
    list
}

/// What became of so many wishes, of which these failed.
fn status(targets: usize, failures: Vec<(Code, Entry)>) -> Status {
    let failed = failures.len();
    if failed == 0 {
        return Status::ok();
    }
    if targets == 1 {
        return Status::new(failures[0].0);
    }
    let mut details: Vec<DetailedResult> = Vec::new();
    for (code, entry) in failures {
        let known = details.iter().position(|detail| detail.code == code);
        let at = known.unwrap_or_else(|| {
            details.push(DetailedResult::new(code));
            details.len() - 1
        });
        let detail = &mut details[at];
        match entry {
            Entry::User(user) => detail.users.push(UserId { user }),
            Entry::ScreenName(group, name) => detail.screen_names.push(ScreenName { group, name }),
            Entry::Group(group) => detail.groups.push(GroupId { group }),
            Entry::ContactList(list) => detail.contact_lists.push(ContactListId { list }),
        }
    }
    let all = failed == targets;
    Status {
        details,
        ..Status::new(if all { Code::MULTIPLE } else { Code::PARTIAL })
    }
}
