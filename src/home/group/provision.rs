//! What an operator does with groups: those of the provider are made, all are looked at, given
//! administrators, and ended.

use std::collections::BTreeMap;

use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::Property;
use crate::imps::primitive::group::GroupProperties;

use super::core::Core;
use super::joining::Joining;
use super::person::{Person, Role, privilege};
use super::properties::Properties;
use super::{Group, Sheet, forget_if_over};

/// Why an operator cannot change groups so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The name cannot stand in an address.
    #[error("{0:?} is not a possible name of a group of the provider")]
    Name(String),
    /// The address names no user.
    #[error("{0} is not the address of a user")]
    User(Address),
    /// A property that there is not, or not with this value.
    #[error("a property is unknown, or its value is impossible")]
    Properties,
    /// There is one of that name.
    #[error("the group {0} exists already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no group {0}")]
    Unknown(String),
    /// The bound of the settings is reached.
    #[error("there is no room for another group")]
    Full,
}

/// A group as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GroupView {
    /// Its address, `wv:name@domain`.
    pub group: Address,
    /// Who owns it; nobody owns a group of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
    /// The properties, as on the wire.
    pub properties: BTreeMap<String, String>,
    /// Members with their roles.
    pub members: BTreeMap<Address, &'static str>,
    /// Those who are joined, with the names they are shown by.
    pub joined: BTreeMap<Address, String>,
    /// Those on the reject list.
    pub rejected: Vec<Address>,
    /// What is still to be handed on.
    pub outgoing: usize,
}

impl GroupView {
    pub(super) fn of(group: &Group, core: &Core) -> Self {
        let listed = &group.sheet.properties;
        let listed = listed.listed(group.is_public(), group.joined.len());
        let properties = listed.properties.into_iter();
        let with_role = |(user, person): (&Address, &Person)| {
            Some((user.clone(), privilege(Some(person.role?))))
        };
        let rejected = group.people.iter().filter(|(_, person)| person.rejected);
        Self {
            group: group.address(core),
            owner: group.sheet.owner.clone(),
            properties: properties
                .map(|property| (property.name, property.value.unwrap_or_default()))
                .collect(),
            members: group.people.iter().filter_map(with_role).collect(),
            joined: group
                .joined
                .keys()
                .map(|place| (place.user.clone(), group.shown(&place.user)))
                .collect(),
            rejected: rejected.map(|(user, _)| user.clone()).collect(),
            outgoing: group.outgoing.len(),
        }
    }
}

/// The operator's hand on all groups.
pub(in crate::home) struct Provision<'a> {
    pub(super) all: &'a mut BTreeMap<String, Group>,
    pub(super) core: &'a mut Core,
}

impl Provision<'_> {
    /// Makes a group of the provider, or changes its properties: names and values as on the wire.
    pub(in crate::home) fn provide(
        &mut self,
        name: &str,
        properties: &[(String, String)],
        now: Time,
    ) -> Result<(), GroupError> {
        let (key, _) = provided(self.core, name)?;
        let given = GroupProperties {
            properties: properties
                .iter()
                .map(|(name, value)| Property {
                    name: name.clone(),
                    value: Some(value.clone()),
                })
                .collect(),
            welcome: None,
        };
        let settings = &self.core.settings;
        let old = Properties::default();
        let properties = old
            .with(&given, settings)
            .map_err(|_| GroupError::Properties)?;
        if self.all.contains_key(&key) {
            return Err(GroupError::Exists(key));
        }
        if self.all.len() >= settings.max_groups {
            return Err(GroupError::Full);
        }
        let sheet = Sheet {
            owner: None,
            created: now,
            properties,
            closing: false,
        };
        let group = Group::new(&key, sheet);
        group.save(self.core);
        group.end_in_time(self.core);
        self.all.insert(key, group);
        Ok(())
    }

    /// Gives somebody a role in a group, as an operator can; without one they are no member.
    pub(in crate::home) fn appoint(
        &mut self,
        name: &str,
        user: &Address,
        role: Option<Role>,
    ) -> Result<(), GroupError> {
        let key = key_of(self.core, name);
        let group = self.all.get_mut(&key);
        let group = group.filter(|group| !group.sheet.closing);
        let group = group.ok_or(GroupError::Unknown(key))?;
        if !user.is_valid() || user.kind() != Kind::User {
            return Err(GroupError::User(user.clone()));
        }
        group.change(self.core, user, |person| person.role = role);
        Ok(())
    }

    /// Ends a group, whoever owns it.
    pub(in crate::home) fn withdraw(&mut self, name: &str, now: Time) -> Result<(), GroupError> {
        let key = key_of(self.core, name);
        let group = self.all.get_mut(&key);
        let group = group.filter(|group| !group.sheet.closing);
        let Some(group) = group else {
            return Err(GroupError::Unknown(key));
        };
        Joining::of(group, self.core, now).end();
        forget_if_over(self.all, &key);
        Ok(())
    }
}

/// A group's key, by its name or address; a bare name is a provider's.
pub(super) fn key_of(core: &Core, name: &str) -> String {
    let address = core.at_home(&Address::new(name));
    match address.resource_part() {
        Some(_) => address.local().to_owned(),
        None => format!("/{}", address.local()),
    }
}

/// The key and address of a group that the provider may make.
fn provided(core: &Core, name: &str) -> Result<(String, Address), GroupError> {
    let key = key_of(core, name);
    let address = Address::new(&format!("{key}@{}", core.domain()));
    let is_ours = core.at_home(&Address::new(name)).domain() == core.domain();
    let is_possible = is_ours && key.starts_with('/') && address.is_valid() && key.len() <= 64;
    if is_possible {
        Ok((key, address))
    } else {
        Err(GroupError::Name(name.to_owned()))
    }
}
