//! A user's contacts, who may see the user's presence, and the user's say in it (WVFF, 5.2, 5.3).
//!
//! There is one contact list, the default one. Its members are authorized without being asked for
//! (proactive); everybody else by the user's decision (reactive). A decision stands until it is
//! taken back, and is about all attributes.

use super::presence::{Presence, covers_all};
use super::relation::{Contact, Relation, Standing};
use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{ContactList as ContactListId, Property};
use crate::imps::primitive::contact_list::{
    GetListResponse, ListManageRequest, ListManageResponse, NickName,
};
use crate::imps::primitive::presence_admin::{
    GetReactiveAuthStatusRequest, GetReactiveAuthStatusResponse, PresenceAuthUserRequest,
    ReactiveAuthStatus,
};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::user::User;

/// There is no contact list of that name.
pub(super) const NO_CONTACT_LIST: Code = Code(700);
/// An attribute about which nothing can be decided alone.
const ATTRIBUTE: Code = Code(750);
/// A property that contact lists here do not have.
const LIST_PROPERTY: Code = Code(752);
/// The contact list is full.
pub(super) const MAX_CONTACTS: Code = Code(754);
/// Bytes of a user's own name for a contact.
const MAX_NAME: usize = 256;
/// The name of the list, within its address.
const NAME: &str = "contacts";

/// A user's contact list, and who may see the user's presence.
pub(super) struct ContactList<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> ContactList<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Which lists there are.
    pub(super) fn lists(&self) -> GetListResponse {
        let list = self.id();
        GetListResponse {
            status: Status::ok(),
            lists: vec![ContactListId { list: list.clone() }],
            default: Some(ContactListId { list }),
        }
    }

    /// Changes the list, all of it or nothing, and shows it.
    pub(super) fn manage(&mut self, request: ListManageRequest) -> ListManageResponse {
        let status = match self.may_manage(&request) {
            Ok(()) => Status::ok(),
            Err((code, why)) => Status::new(code).because(why),
        };
        if status.code.is_success() {
            for member in request.add.into_iter().flatten() {
                let name = member.name.filter(|name| !name.is_empty());
                self.add_contact(&self.core.at_home(&member.user), name);
            }
            for member in request.remove.into_iter().flatten() {
                self.remove_contact(&self.core.at_home(&member.user));
            }
        }
        let shows = request.receive && status.code.is_success();
        ListManageResponse {
            members: shows.then(|| self.members()),
            properties: shows.then(properties),
            status,
        }
    }

    fn may_manage(&self, request: &ListManageRequest) -> Result<(), (Code, &'static str)> {
        if request.list != self.id() {
            return Err((NO_CONTACT_LIST, "There is no such contact list."));
        }
        if request.properties.is_some() {
            return Err((LIST_PROPERTY, "Properties of the list are fixed."));
        }
        let mut new = 0;
        for member in request.add.iter().flatten() {
            let address = self.core.at_home(&member.user);
            if !is_user(&address) {
                return Err((Code::ADDRESS, "The address names no user."));
            }
            if member.name.as_ref().is_some_and(|n| n.len() > MAX_NAME) {
                return Err((Code::BAD_PARAMETER, "The name is too long."));
            }
            let known = self.user.relations.get(&address);
            new += usize::from(!known.is_some_and(Relation::is_own));
        }
        if !self.user.has_room_for_more(new, self.core) {
            return Err((MAX_CONTACTS, "There is no room for another contact."));
        }
        let removed = request.remove.iter().flatten();
        if removed
            .map(|id| self.core.at_home(&id.user))
            .all(|a| is_user(&a))
        {
            Ok(())
        } else {
            Err((Code::ADDRESS, "The address names no user."))
        }
    }

    /// Decides, asked or unasked.
    pub(super) fn authorize(&mut self, request: &PresenceAuthUserRequest) -> Status {
        let other = self.core.at_home(&request.watcher);
        let refused = |code, why: &str| Status::new(code).because(why);
        if !is_user(&other) {
            return refused(Code::ADDRESS, "The address names no user.");
        }
        if request.acceptance && !covers_all(request.attributes.as_ref()) {
            return refused(ATTRIBUTE, "Presence is shown as a whole or not at all.");
        }
        if !self.user.has_room_for(&other, self.core) {
            return refused(MAX_CONTACTS, "There is no room for another contact.");
        }
        self.decide(&other, Some(request.acceptance));
        Status::ok()
    }

    /// Takes a decision back.
    pub(super) fn cancel_authorization(&mut self, other: &Address) -> Status {
        let other = self.core.at_home(other);
        if !is_user(&other) {
            return Status::new(Code::ADDRESS).because("The address names no user.");
        }
        self.decide(&other, None);
        Status::ok()
    }

    /// What the user has decided, and about whom they are asked.
    pub(super) fn decisions(
        &self,
        request: &GetReactiveAuthStatusRequest,
    ) -> GetReactiveAuthStatusResponse {
        let asked: Vec<Address> = request
            .users
            .iter()
            .map(|id| self.core.at_home(&id.user))
            .collect();
        let relations = self.user.relations.iter();
        let states = relations.filter_map(|(other, relation)| {
            let state = match relation.decision {
                Some(true) => "GRANTED",
                Some(false) => "DENIED",
                None if relation.is_asked() => "PENDING",
                None => return None,
            };
            let wanted = asked.is_empty() || asked.contains(other);
            wanted.then(|| ReactiveAuthStatus {
                user: other.clone(),
                state: Some(state.to_owned()),
                attributes: None,
            })
        });
        GetReactiveAuthStatusResponse {
            status: Status::ok(),
            states: states.collect(),
        }
    }

    /// The list's address.
    fn id(&self) -> Address {
        id_of(&self.user.name, self.core.domain())
    }

    /// In order of address.
    fn members(&self) -> Vec<NickName> {
        let relations = self.user.relations.iter();
        let members = relations.filter_map(|(other, relation)| {
            Some(NickName {
                name: relation.contact.as_ref()?.name.clone(),
                user: other.clone(),
            })
        });
        members.collect()
    }

    /// Puts somebody on the list, or names them anew.
    fn add_contact(&mut self, other: &Address, name: Option<String>) {
        self.user.relate(self.core, other, |relation| {
            relation.contact = Some(Contact { name });
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
        Presence::of(self.user, self.core, self.now).show(other, false);
    }

    /// Takes somebody off the list.
    fn remove_contact(&mut self, other: &Address) {
        self.change(other, |relation| relation.contact = None);
    }

    fn decide(&mut self, other: &Address, decision: Option<bool>) {
        self.change(other, |relation| {
            relation.decision = decision;
            if let Some(watcher) = &mut relation.watcher {
                watcher.asked = false;
            }
        });
    }

    /// Changes what is between the user and somebody, who is shown what they may see then.
    fn change(&mut self, other: &Address, change: impl FnOnce(&mut Relation)) {
        let standing: Standing = self.user.standing(self.core, other);
        self.user.relate(self.core, other, change);
        if self.user.standing(self.core, other) != standing {
            Presence::of(self.user, self.core, self.now).show(other, false);
        }
    }
}

/// The address of a user's list.
pub(super) fn id_of(name: &str, domain: &str) -> Address {
    Address::resource_of(name, NAME, domain)
}

pub(super) fn is_user(address: &Address) -> bool {
    address.is_valid() && address.kind() == Kind::User
}

fn properties() -> Vec<Property> {
    [("DisplayName", "Contacts"), ("Default", "T")]
        .map(|(name, value)| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        })
        .to_vec()
}
