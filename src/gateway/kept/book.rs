//! The contact lists of an XMPP user, in a roster or here (xmpp-mapping, 3.3; wire profile, 11.6).
//!
//! A list is a group of the roster. The default list has those who are in no group, so it is always
//! there, and no other can be it.

use std::collections::BTreeSet;

use super::lists::{List, Lists};
use crate::imps::address::Kind;
use crate::imps::common::{ContactList as ListId, Property};
use crate::imps::primitive::contact_list::{
    CreateListRequest, GetListResponse, ListManageRequest, NickName,
};
use crate::imps::{Address, Code, Status};
use crate::translate::roster::{Contact, Contacts, Subscription};

/// A property that contact lists do not have.
const LIST_PROPERTY: Code = Code(752);
/// Contact lists of one user; our choice.
const MAX_LISTS: usize = 100;
/// Contacts of one user; our choice.
const MAX_CONTACTS: usize = 1_000;
/// Bytes of a list's name within its address, and of a name for people; our choice.
const MAX_NAME: (usize, usize) = (64, 256);

/// Why something is not done.
type Refusal = (Code, &'static str);

/// The contact lists of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct Book {
    owner: Address,
    lists: Vec<List>,
    contacts: Contacts,
}

impl Book {
    /// The lists as they are kept here.
    pub(in crate::gateway) fn new(owner: Address, kept: Lists) -> Self {
        Self {
            owner,
            lists: List::all(&kept.named, &kept.contacts),
            contacts: kept.contacts,
        }
    }

    /// Whose lists they are.
    pub(in crate::gateway) fn owner(&self) -> &Address {
        &self.owner
    }

    pub(in crate::gateway) fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// The lists as they are to be kept: of those that are named after a group of somebody, the
    /// contacts tell.
    pub(in crate::gateway) fn kept(&self) -> Lists {
        let groups = self.contacts.values().flat_map(|contact| &contact.groups);
        let used: BTreeSet<&String> = groups.collect();
        let is_told = |list: &List| {
            list.group.is_empty() || used.contains(&list.group) && list.is_called_by_group()
        };
        let named = self.lists.iter().filter(|list| !is_told(list));
        Lists {
            named: named.cloned().collect(),
            contacts: self.contacts.clone(),
        }
    }

    fn find(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name)
    }

    /// The address of a list.
    pub(in crate::gateway) fn address(&self, name: &str) -> Address {
        Address::resource_of(self.owner.user_part(), name, self.owner.domain())
    }

    /// The name of a list of the owner's that there is.
    pub(in crate::gateway) fn name_of(&self, list: &Address) -> Option<String> {
        let list = list.clone().or_domain(self.owner.domain());
        let name = name_within(&list, &self.owner)?;
        self.find(name).map(|list| list.name.clone())
    }

    /// Which lists there are.
    pub(in crate::gateway) fn all(&self) -> GetListResponse {
        let id = |list: &List| ListId {
            list: self.address(&list.name),
        };
        GetListResponse {
            status: Status::ok(),
            lists: self.lists.iter().map(id).collect(),
            default: self.lists.first().map(id),
        }
    }

    /// Who is on a list, by its name.
    pub(in crate::gateway) fn members(&self, name: &str) -> Vec<NickName> {
        let Some(list) = self.find(name) else {
            return Vec::new();
        };
        let on = self
            .contacts
            .iter()
            .filter(|(_, contact)| list.has(contact));
        let member = |(user, contact): (&Address, &Contact)| NickName {
            name: contact.name.clone(),
            user: user.clone(),
        };
        on.map(member).collect()
    }

    /// The properties of a list, by its name.
    pub(in crate::gateway) fn properties(&self, name: &str) -> Vec<Property> {
        let Some(list) = self.find(name) else {
            return Vec::new();
        };
        let property = |name: &str, value: &str| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        let default = if list.group.is_empty() { "T" } else { "F" };
        vec![
            property("DisplayName", list.shown()),
            property("Default", default),
        ]
    }

    /// Makes a list, with its first members.
    ///
    /// # Errors
    /// Nothing of it is done.
    pub(in crate::gateway) fn create(
        &mut self,
        request: &CreateListRequest,
    ) -> Result<(), Refusal> {
        let list = request.list.clone().or_domain(self.owner.domain());
        let name = name_within(&list, &self.owner);
        let name = name.ok_or((Code::ADDRESS, "The address is of no list of the user's."))?;
        if name.is_empty() || name.len() > MAX_NAME.0 {
            return Err((Code::BAD_PARAMETER, "The list's name is empty or too long."));
        }
        if self.find(name).is_some() {
            return Err((
                Code::CONTACT_LIST_EXISTS,
                "There is a contact list of that name.",
            ));
        }
        if self.lists.len() >= MAX_LISTS {
            return Err((
                Code::TOO_MANY_CONTACT_LISTS,
                "There is no room for another contact list.",
            ));
        }
        let display = display(request.properties.as_deref().unwrap_or_default(), false)?;
        let group = display.unwrap_or_else(|| name.to_owned());
        if self.is_taken(&group) {
            return Err((
                Code::CONTACT_LIST_EXISTS,
                "There is a contact list that is shown like that.",
            ));
        }
        let list = List {
            name: name.to_owned(),
            group,
        };
        let members = request.members.as_deref().unwrap_or_default();
        self.may_add(members)?;
        self.lists.push(list.clone());
        self.add(&list, members);
        Ok(())
    }

    /// Removes a list. Who was on no other one is on the default list, if presence is shared with them;
    /// else they are no contact any more.
    ///
    /// # Errors
    /// Nothing of it is done.
    pub(in crate::gateway) fn delete(&mut self, list: &Address) -> Result<String, Refusal> {
        let name = self.name_of(list);
        let name = name.ok_or((Code::NO_CONTACT_LIST, "There is no such contact list."))?;
        let list = self.find(&name).cloned();
        let list = list.filter(|list| !list.group.is_empty());
        let list = list.ok_or((
            Code::FORBIDDEN,
            "The default list has those who are in no group, and is always there.",
        ))?;
        let members: Vec<Address> = self.members(&name).into_iter().map(|m| m.user).collect();
        for user in &members {
            self.remove(&list, user);
        }
        self.lists.retain(|list| list.name != name);
        Ok(name)
    }

    /// Changes a list; its name.
    ///
    /// # Errors
    /// Nothing of it is done.
    pub(in crate::gateway) fn manage(
        &mut self,
        request: &ListManageRequest,
    ) -> Result<String, Refusal> {
        let name = self.name_of(&request.list);
        let name = name.ok_or((Code::NO_CONTACT_LIST, "There is no such contact list."))?;
        let list = self.find(&name).cloned();
        let mut list = list.ok_or((Code::NO_CONTACT_LIST, "There is no such contact list."))?;
        let properties = request.properties.as_deref().unwrap_or_default();
        let display = display(properties, list.group.is_empty())?;
        let display = display.filter(|display| display != list.shown());
        if display.is_some() && list.group.is_empty() {
            let why = "The default list has no name of its own.";
            return Err((LIST_PROPERTY, why));
        }
        if display.as_deref().is_some_and(|shown| self.is_taken(shown)) {
            return Err((
                Code::CONTACT_LIST_EXISTS,
                "There is a contact list that is shown like that.",
            ));
        }
        let added = request.add.as_deref().unwrap_or_default();
        self.may_add(added)?;
        let mut removed = request.remove.iter().flatten();
        if !removed.all(|id| is_user(&id.user)) {
            return Err((Code::ADDRESS, "The address names no user."));
        }
        if let Some(display) = display {
            for contact in self.contacts.values_mut() {
                if contact.groups.remove(&list.group) {
                    contact.groups.insert(display.clone());
                }
            }
            list.group = display;
            for known in self.lists.iter_mut().filter(|known| known.name == name) {
                *known = list.clone();
            }
        }
        self.add(&list, added);
        for id in request.remove.iter().flatten() {
            self.remove(&list, &id.user);
        }
        Ok(name)
    }

    /// The names of the lists on which somebody is.
    pub(in crate::gateway) fn lists_of(&self, user: &Address) -> Vec<String> {
        let Some(contact) = self.contacts.get(user) else {
            return Vec::new();
        };
        let on = self.lists.iter().filter(|list| list.has(contact));
        on.map(|list| list.name.clone()).collect()
    }

    /// A contact sees the owner's presence from now on.
    pub(in crate::gateway) fn approve(&mut self, user: &Address) {
        if let Some(contact) = self.contacts.get_mut(user) {
            contact.subscription = contact.subscription.seen();
        }
    }

    /// A contact does not see the owner's presence any more.
    pub(in crate::gateway) fn withdraw(&mut self, user: &Address) {
        if let Some(contact) = self.contacts.get_mut(user) {
            contact.subscription = contact.subscription.unseen();
        }
    }

    fn is_taken(&self, shown: &str) -> bool {
        let mut lists = self.lists.iter();
        lists.any(|list| !list.group.is_empty() && list.group == shown)
    }

    fn has_room(&self, new: usize) -> bool {
        new == 0 || self.contacts.len() + new <= MAX_CONTACTS
    }

    fn may_add(&self, members: &[NickName]) -> Result<(), Refusal> {
        let mut new = BTreeSet::new();
        for member in members {
            if !is_user(&member.user) {
                return Err((Code::ADDRESS, "The address names no user."));
            }
            if member.name.as_ref().is_some_and(|n| n.len() > MAX_NAME.1) {
                return Err((Code::BAD_PARAMETER, "The name is too long."));
            }
            if !self.contacts.contains_key(&member.user) {
                new.insert(&member.user);
            }
        }
        if self.has_room(new.len()) {
            Ok(())
        } else {
            Err((
                Code::TOO_MANY_CONTACTS,
                "There is no room for another contact.",
            ))
        }
    }

    /// Puts somebody on a list. Who is in a group stays in it when they come on the default list.
    fn add(&mut self, list: &List, members: &[NickName]) {
        for member in members {
            let contact = self.contacts.entry(member.user.clone()).or_default();
            if !list.group.is_empty() {
                contact.groups.insert(list.group.clone());
            }
            if let Some(name) = &member.name {
                contact.name = Some(name.clone()).filter(|name| !name.is_empty());
            }
        }
    }

    /// Takes somebody off a list.
    fn remove(&mut self, list: &List, user: &Address) {
        let Some(contact) = self.contacts.get_mut(user) else {
            return;
        };
        if !list.has(contact) {
            return;
        }
        contact.groups.remove(&list.group);
        let is_last = contact.groups.is_empty();
        let is_default = list.group.is_empty();
        if is_default || is_last && contact.subscription == Subscription::None {
            self.contacts.remove(user);
        }
    }
}

/// What of a list's address is its name, if it is one of this owner's.
fn name_within<'l>(list: &'l Address, owner: &Address) -> Option<&'l str> {
    let is_own = list.is_valid()
        && list.kind() == Kind::Resource
        && list.user_part() == owner.user_part()
        && list.domain() == owner.domain();
    list.resource_part().filter(|_| is_own)
}

fn is_user(address: &Address) -> bool {
    address.is_valid() && address.kind() == Kind::User
}

/// The name for people that properties give; of nothing else they may be.
fn display(properties: &[Property], is_default: bool) -> Result<Option<String>, Refusal> {
    let mut display = None;
    for property in properties {
        let value = property.value.as_deref().unwrap_or_default().trim();
        match (property.name.as_str(), value) {
            ("DisplayName", value) if value.is_empty() || value.len() > MAX_NAME.1 => {
                return Err((LIST_PROPERTY, "The name is empty or too long."));
            }
            ("DisplayName", value) => display = Some(value.to_owned()),
            ("Default", "T" | "t") if is_default => {}
            ("Default", "F" | "f") if !is_default => {}
            ("Default", _) => {
                let why = "The default list is that of those who are in no group.";
                return Err((LIST_PROPERTY, why));
            }
            _ => return Err((LIST_PROPERTY, "There is no such property of contact lists.")),
        }
    }
    Ok(display)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
