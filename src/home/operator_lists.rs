//! What an operator does with the contact lists of a user.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Home;
use super::contact_list::ContactLists;
use super::core::Core;
use super::user::User;
use super::user_error::UserError;
use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::{Property, UserId};
use crate::imps::primitive::contact_list::{CreateListRequest, ListManageRequest, NickName};
use crate::imps::status::Status;

/// A contact list as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListView {
    /// The name within its address.
    pub list: String,
    /// Its address, `wv:owner/name@domain`.
    pub address: Address,
    /// The name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// Whether it is the default list.
    pub default: bool,
    /// Who is on it, with the user's own names for them; empty: none.
    pub members: BTreeMap<Address, String>,
}

/// The contact lists of one user, in an operator's hands.
pub struct OperatorLists<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> OperatorLists<'a> {
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Makes a list; `display`: its name for people.
    ///
    /// # Errors
    /// There is one, it cannot be called so, or there is no room.
    pub fn create(&mut self, list: &str, display: Option<String>) -> Result<(), UserError> {
        let display = display.map(|display| Property {
            name: "DisplayName".to_owned(),
            value: Some(display),
        });
        let request = CreateListRequest {
            list: self.user.list_address(self.core, list),
            meta: None,
            members: None,
            properties: display.map(|display| vec![display]),
        };
        let status = self.lists().create(&request);
        self.done(&status)
    }

    /// Removes a list with all who are on it.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn delete(&mut self, list: &str) -> Result<(), UserError> {
        let list = self.user.list_address(self.core, list);
        let status = self.lists().delete(&list);
        self.done(&status)
    }

    /// Puts somebody on a list, or names them anew; `nick`: the user's own name for them.
    ///
    /// # Errors
    /// There is no such list, the address names no user, or there is no room.
    pub fn add(&mut self, list: &str, member: &str, nick: Option<String>) -> Result<(), UserError> {
        let member = NickName {
            name: nick,
            user: Address::new(member),
        };
        self.manage(list, Some(member), None)
    }

    /// Takes somebody off a list; who is not on it is no failure.
    ///
    /// # Errors
    /// There is no such list, or the address names no user.
    pub fn remove(&mut self, list: &str, member: &str) -> Result<(), UserError> {
        let member = UserId {
            user: Address::new(member),
        };
        self.manage(list, None, Some(member))
    }

    fn manage(
        &mut self,
        list: &str,
        add: Option<NickName>,
        remove: Option<UserId>,
    ) -> Result<(), UserError> {
        let request = ListManageRequest {
            list: self.user.list_address(self.core, list),
            receive: false,
            meta: None,
            add: add.map(|member| vec![member]),
            remove: remove.map(|member| vec![member]),
            properties: None,
        };
        let status = self.lists().manage(&request).status;
        self.done(&status)
    }

    fn lists(&mut self) -> ContactLists<'_> {
        ContactLists::of(self.user, self.core, self.now)
    }

    fn done(&self, status: &Status) -> Result<(), UserError> {
        if status.code.is_success() {
            return Ok(());
        }
        let why = status.words().map(|words| words.trim_end_matches('.'));
        let why = why.map_or_else(|| status.code.to_string(), str::to_owned);
        Err(UserError::Refused(self.user.name.clone(), why))
    }
}

impl Home {
    /// The contact lists of a user, in the order in which they were made.
    ///
    /// # Errors
    /// There is no such user, or another domain provides their lists.
    pub fn contact_lists(&self, user: &str) -> Result<Vec<ListView>, UserError> {
        let name = user.to_lowercase();
        let user = self.users.get(&name).filter(|user| user.has_account());
        let user = user.ok_or_else(|| self.not_awake(&name))?;
        if self.core.settings.is_elsewhere("MCLS") {
            return Err(elsewhere(name));
        }
        let lists = user.contact_lists();
        let default = lists.default_name();
        let view = |list: &str| ListView {
            list: list.to_owned(),
            address: user.list_address(&self.core, list),
            display: lists
                .get(list)
                .and_then(|list| list.display().map(str::to_owned)),
            default: default == Some(list),
            members: members(user, list),
        };
        Ok(lists.names().map(view).collect())
    }
}

fn members(user: &User, list: &str) -> BTreeMap<Address, String> {
    let relations = user.relations.iter();
    let members = relations.filter_map(|(other, relation)| {
        let name = relation.contact(list)?.name.clone();
        Some((other.clone(), name.unwrap_or_default()))
    });
    members.collect()
}

/// Said of a user whose contact lists are not here.
pub(super) fn elsewhere(name: String) -> UserError {
    let why = "another domain provides the contact lists of this one's users";
    UserError::Refused(name, why.to_owned())
}
