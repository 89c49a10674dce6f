//! A user's contact lists (WVFF, 5.2; wire profile, 11.6).
//!
//! Who is on a list may see of the user's presence what its attribute list, or the default one, has
//! in it ([`super::authorization`]). A list is also a distribution list: for messages, subscriptions
//! and queries, see [`expansion`].

mod expansion;
mod lists;

use super::presence::Presence;
use super::relation::{Contact, Relation};
use super::watching::Watching;
use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::ContactList as ContactListId;
use crate::imps::primitive::contact_list::{
    CreateListRequest, GetListResponse, ListManageRequest, ListManageResponse, NickName,
};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::user::User;

pub(super) use expansion::Expansion;
use lists::{Changes, MAX_DISPLAY};
pub(super) use lists::{FIRST, Lists};

/// Bytes of a list's name within its address; our choice.
const MAX_NAME: usize = 64;

/// A user's contact lists.
pub(super) struct ContactLists<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> ContactLists<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Which lists there are.
    pub(super) fn all(&self) -> GetListResponse {
        let lists = self.user.contact_lists();
        let id = |name: &str| ContactListId {
            list: self.user.list_address(self.core, name),
        };
        GetListResponse {
            status: Status::ok(),
            lists: lists.names().map(id).collect(),
            default: lists.default_name().map(id),
        }
    }

    /// Makes a list, with its first members and properties, or nothing of it.
    pub(super) fn create(&mut self, request: &CreateListRequest) -> Status {
        match self.may_create(request) {
            Ok((name, changes)) => {
                let mut lists = self.user.contact_lists().into_owned();
                lists.add(&name);
                lists.change(&name, changes);
                self.user.keep_contact_lists(self.core, lists);
                for member in request.members.iter().flatten() {
                    self.add_member(&name, member);
                }
                Status::ok()
            }
            Err((code, why)) => Status::new(code).because(why),
        }
    }

    fn may_create(
        &self,
        request: &CreateListRequest,
    ) -> Result<(String, Changes), (Code, &'static str)> {
        let list = self.core.at_home(&request.list);
        let name = name_within(self.user, self.core, &list);
        let name = name.ok_or((Code::ADDRESS, "The address is of no list of the user's."))?;
        if name.len() > MAX_NAME {
            return Err((Code::BAD_PARAMETER, "The list's name is too long."));
        }
        let lists = self.user.contact_lists();
        if lists.get(name).is_some() {
            return Err((
                Code::CONTACT_LIST_EXISTS,
                "There is a contact list of that name.",
            ));
        }
        if lists.len() >= self.core.settings.max_lists {
            return Err((
                Code::TOO_MANY_CONTACT_LISTS,
                "There is no room for another contact list.",
            ));
        }
        let changes = Changes::of(request.properties.as_deref().unwrap_or_default())?;
        self.may_add(request.members.as_deref().unwrap_or_default())?;
        Ok((name.to_owned(), changes))
    }

    /// Removes a list. Who was on it sees what remains for them to see.
    pub(super) fn delete(&mut self, list: &Address) -> Status {
        let list = self.core.at_home(list);
        let mut lists = self.user.contact_lists().into_owned();
        let name = name_within(self.user, self.core, &list);
        let Some(name) = name.filter(|name| lists.get(name).is_some()) else {
            return Status::new(Code::NO_CONTACT_LIST).because("There is no such contact list.");
        };
        let members = self.members(name);
        lists.remove(name);
        self.user.keep_contact_lists(self.core, lists);
        for member in members {
            self.remove_member(name, &member.user);
        }
        Status::ok()
    }

    /// Changes a list, all that is wanted or nothing, and shows it.
    pub(super) fn manage(&mut self, request: &ListManageRequest) -> ListManageResponse {
        let list = self.core.at_home(&request.list);
        let (name, changes) = match self.may_manage(&list, request) {
            Ok(may) => may,
            Err((code, why)) => {
                return ListManageResponse {
                    status: Status::new(code).because(why),
                    members: None,
                    properties: None,
                };
            }
        };
        let mut lists = self.user.contact_lists().into_owned();
        lists.change(&name, changes);
        self.user.keep_contact_lists(self.core, lists);
        for member in request.add.iter().flatten() {
            self.add_member(&name, member);
        }
        for member in request.remove.iter().flatten() {
            self.remove_member(&name, &self.core.at_home(&member.user));
        }
        let shows = request.receive;
        ListManageResponse {
            members: shows.then(|| self.members(&name)),
            properties: shows.then(|| self.user.contact_lists().properties(&name)),
            status: Status::ok(),
        }
    }

    fn may_manage(
        &self,
        list: &Address,
        request: &ListManageRequest,
    ) -> Result<(String, Changes), (Code, &'static str)> {
        let lists = self.user.contact_lists();
        let name = name_within(self.user, self.core, list);
        let name = name.filter(|name| lists.get(name).is_some());
        let name = name.ok_or((Code::NO_CONTACT_LIST, "There is no such contact list."))?;
        let changes = Changes::of(request.properties.as_deref().unwrap_or_default())?;
        changes.may_change(lists.default_name() == Some(name))?;
        self.may_add(request.add.as_deref().unwrap_or_default())?;
        let mut removed = request.remove.iter().flatten();
        if !removed.all(|id| is_user(&self.core.at_home(&id.user))) {
            return Err((Code::ADDRESS, "The address names no user."));
        }
        Ok((name.to_owned(), changes))
    }

    /// From now on watches, or not any more, who is on these lists and who comes to them, as far as
    /// the lists are here.
    pub(super) fn watch(&mut self, lists: &[Address], watched: bool) {
        let mut kept = self.user.contact_lists().into_owned();
        for list in lists {
            let name = name_within(self.user, self.core, list);
            if let Some(list) = name.and_then(|name| kept.get_mut(name)) {
                list.watched = watched;
            }
        }
        self.user.keep_contact_lists(self.core, kept);
    }

    fn may_add(&self, members: &[NickName]) -> Result<(), (Code, &'static str)> {
        let mut new = 0;
        for member in members {
            let address = self.core.at_home(&member.user);
            if !is_user(&address) {
                return Err((Code::ADDRESS, "The address names no user."));
            }
            let name = member.name.as_ref();
            if name.is_some_and(|name| name.len() > MAX_DISPLAY) {
                return Err((Code::BAD_PARAMETER, "The name is too long."));
            }
            let known = self.user.relations.get(&address);
            new += usize::from(!known.is_some_and(Relation::is_own));
        }
        if self.user.has_room_for_more(new, self.core) {
            Ok(())
        } else {
            Err((
                Code::TOO_MANY_CONTACTS,
                "There is no room for another contact.",
            ))
        }
    }

    /// Who is on a list, in order of address.
    fn members(&self, list: &str) -> Vec<NickName> {
        let relations = self.user.relations.iter();
        let members = relations.filter_map(|(other, relation)| {
            Some(NickName {
                name: relation.contact(list)?.name.clone(),
                user: other.clone(),
            })
        });
        members.collect()
    }

    /// Puts somebody on a list, or names them anew.
    fn add_member(&mut self, list: &str, member: &NickName) {
        let other = self.core.at_home(&member.user);
        let contact = Contact {
            list: list.to_owned(),
            name: member.name.clone().filter(|name| !name.is_empty()),
        };
        self.user.relate(self.core, &other, |relation| {
            relation.contacts.retain(|old| old.list != list);
            relation.contacts.push(contact);
        });
        // Nothing is put to the user any more about somebody who sees by a list.
        if !self
            .user
            .authority(self.core, &other)
            .proactive()
            .is_empty()
        {
            self.user.relate(self.core, &other, |relation| {
                if let Some(watcher) = &mut relation.watcher {
                    watcher.asked = false;
                }
            });
        }
        Presence::of(self.user, self.core, self.now).show(&other, false);
        let lists = self.user.contact_lists();
        if lists.get(list).is_some_and(|list| list.watched) {
            Watching::of(self.user, self.core, self.now).watch_member(&other);
        }
    }

    /// Takes somebody off a list.
    fn remove_member(&mut self, list: &str, other: &Address) {
        if !self.user.relations.contains_key(other) {
            return;
        }
        self.user.relate(self.core, other, |relation| {
            relation.contacts.retain(|contact| contact.list != list);
        });
        Presence::of(self.user, self.core, self.now).show(other, false);
        Watching::of(self.user, self.core, self.now).unwatch_member(other);
    }
}

/// The name of a list of the user's, by its address.
pub(super) fn name_within<'l>(user: &User, core: &Core, list: &'l Address) -> Option<&'l str> {
    let is_own = list.is_valid()
        && list.kind() == Kind::Resource
        && list.user_part() == user.local()
        && list.domain() == user.home(core);
    list.resource_part().filter(|_| is_own)
}

pub(super) fn is_user(address: &Address) -> bool {
    address.is_valid() && address.kind() == Kind::User
}
