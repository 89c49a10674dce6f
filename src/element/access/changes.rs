//! What a request changes of a user's block list and grant list.

use super::{AccessLists, Entry, InUse, List};
use crate::imps::address::{Address, Kind};
use crate::imps::common::{ContactList, GroupId, ScreenName, UserId};
use crate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListResponse,
};
use crate::imps::status::{Code, DetailedResult, Status};

/// Bytes of a name within a group; our choice.
const MAX_NAME: usize = 256;

/// A change of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which list.
    pub list: List,
    /// Who is put on it, or taken off.
    pub entry: Entry,
    /// Whether they are put on it.
    pub is_on: bool,
}

/// What a request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Which lists are in force from then on.
    pub in_use: InUse,
    /// What can be done, in order.
    pub changes: Vec<Change>,
    targets: usize,
    failures: Vec<(Code, Entry)>,
}

impl Changes {
    /// Of a request of a user of this domain, whose lists are these. Entries that cannot be are named
    /// in its status, and the others taken. Whether users and groups exist is not asked: they may be
    /// made. `has_list` says whether there is such a contact list of the user's.
    pub fn of(
        request: &BlockEntityRequest,
        lists: &AccessLists,
        domain: &str,
        has_list: impl Fn(&Address) -> bool,
    ) -> Self {
        let mut all = Self {
            in_use: lists.in_use(),
            changes: Vec::new(),
            targets: 0,
            failures: Vec::new(),
        };
        for (list, wanted) in [
            (List::Blocked, &request.blocked),
            (List::Granted, &request.granted),
        ] {
            let Some(wanted) = wanted else { continue };
            if let Some(is_used) = wanted.in_use {
                all.targets += 1;
                match list {
                    List::Blocked => all.in_use.blocked = is_used,
                    List::Granted => all.in_use.granted = is_used,
                }
            }
            for (entry, is_on) in entries(wanted) {
                all.targets += 1;
                let entry = at_home(entry, domain);
                match may_stand(&entry, is_on, &has_list) {
                    Ok(()) => all.changes.push(Change { list, entry, is_on }),
                    Err(code) => all.failures.push((code, entry)),
                }
            }
        }
        all
    }

    /// Whether all of them together find room among `most` entries. Who is on both lists is counted
    /// once.
    ///
    /// # Errors
    /// The status of the request, of which nothing is done.
    pub fn find_room(&self, lists: &AccessLists, most: usize) -> Result<(), Status> {
        let added = self.changes.iter().filter(|change| change.is_on);
        let keys = added.map(|change| change.entry.key());
        let mut new: Vec<String> = keys.filter(|key| lists.get(key).is_none()).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() || lists.len() + new.len() <= most {
            return Ok(());
        }
        let why = "There is no room for another entry.";
        Err(Status::new(Code::TOO_MANY_CONTACTS).because(why))
    }

    /// What became of the request, once the changes are done.
    pub fn status(self) -> Status {
        let failed = self.failures.len();
        match self.failures.first() {
            None => return Status::ok(),
            Some((code, _)) if self.targets == 1 => return Status::new(*code),
            Some(_) => {}
        }
        let mut details: Vec<DetailedResult> = Vec::new();
        for (code, entry) in self.failures {
            let known = details.iter().position(|detail| detail.code == code);
            let at = known.unwrap_or_else(|| {
                details.push(DetailedResult::new(code));
                details.len() - 1
            });
            let detail = &mut details[at];
            match entry {
                Entry::User(user) => detail.users.push(UserId { user }),
                Entry::ScreenName(group, name) => {
                    detail.screen_names.push(ScreenName { group, name });
                }
                Entry::Group(group) => detail.groups.push(GroupId { group }),
                Entry::ContactList(list) => detail.contact_lists.push(ContactList { list }),
            }
        }
        let all = failed == self.targets;
        Status {
            details,
            ..Status::new(if all { Code::MULTIPLE } else { Code::PARTIAL })
        }
    }
}

/// Both lists as they are told.
pub fn told(lists: &AccessLists) -> GetBlockedListResponse {
    let in_use = lists.in_use();
    GetBlockedListResponse {
        status: Status::ok(),
        blocked: Some(list_of(in_use.blocked, lists.on(List::Blocked))),
        granted: Some(list_of(in_use.granted, lists.on(List::Granted))),
    }
}

/// With this domain where there is none.
fn at_home(entry: Entry, domain: &str) -> Entry {
    let here = |address: Address| address.or_domain(domain);
    match entry {
        Entry::User(user) => Entry::User(here(user)),
        Entry::ScreenName(group, name) => Entry::ScreenName(here(group), name),
        Entry::Group(group) => Entry::Group(here(group)),
        Entry::ContactList(list) => Entry::ContactList(here(list)),
    }
}

/// Whether an entry can stand on a list.
fn may_stand(entry: &Entry, is_on: bool, has_list: impl Fn(&Address) -> bool) -> Result<(), Code> {
    let is = |address: &Address, kind: Kind| address.is_valid() && address.kind() == kind;
    match entry {
        Entry::User(user) if !is(user, Kind::User) => Err(Code::ADDRESS),
        Entry::Group(group) | Entry::ScreenName(group, _) if !is(group, Kind::Resource) => {
            Err(Code::NO_GROUP)
        }
        Entry::ScreenName(_, name) if name.trim().is_empty() || name.len() > MAX_NAME => {
            Err(Code::BAD_PARAMETER)
        }
        // Of a list that is no more only the entry is left.
        Entry::ContactList(list) if is_on && !has_list(list) => Err(Code::NO_CONTACT_LIST),
        _ => Ok(()),
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
fn list_of<'e>(in_use: bool, entries: impl Iterator<Item = &'e Entry>) -> EntityList {
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
            Entry::ContactList(of) => list.lists.push(ContactList { list: of }),
        }
    }
    list
}
