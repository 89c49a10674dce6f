//! What a group keeps of one user: a role on the list of members, a place on the reject list, an
//! invitation, and a seat while the user is joined.

use crate::element::Time;
use crate::imps::common::Property;
use crate::imps::status::Code;

use super::INVALID_PROPERTIES;
use super::properties::{flag, switch};

/// What a member may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(in crate::home) enum Role {
    /// On the list of members, no more.
    User,
    /// May see the members and make others ordinary ones.
    Moderator,
    /// May change everything but who owns the group.
    Admin,
}

/// One user, as a group knows them; one record.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Person {
    /// On the list of members; absent for those who are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Role>,
    /// On the reject list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) rejected: bool,
    /// Until when an invitation lets them join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) invited: Option<Time>,
    /// Absent while they are not joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seat: Option<Seat>,
}

/// One who is joined.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seat {
    /// What the group sends under a higher number is for them.
    pub(super) since: u64,
    /// The screen name; without one the user id serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Whether they are told of changes.
    #[serde(default)]
    pub(super) subscribed: bool,
    #[serde(default)]
    pub(super) own: Own,
}

/// The properties of a user in a group (wire profile, 8.5).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Own {
    /// Whether messages to them alone are taken.
    pub(super) private_messaging: bool,
    /// Whether they want to be joined at login; kept for their home domain.
    pub(super) auto_join: bool,
    /// Whether others see the user id. `None`: if there is no screen name to hide behind.
    pub(super) show_id: Option<bool>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            private_messaging: true,
            auto_join: false,
            show_id: None,
        }
    }
}

impl Person {
    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Seat {
    /// Whether others see the user id.
    pub(super) fn shows_id(&self) -> bool {
        self.own.show_id.unwrap_or(self.name.is_none())
    }
}

impl Own {
    /// These with what a user sets.
    pub(super) fn with(&self, given: &[Property]) -> Result<Self, Code> {
        let mut own = self.clone();
        for (number, property) in given.iter().enumerate() {
            let is = |name: &str| property.name.trim().eq_ignore_ascii_case(name);
            let repeated = given[..number].iter().any(|other| is(other.name.trim()));
            let value = property.value.as_deref().unwrap_or_default();
            match flag(value) {
                Some(on) if is("PrivateMessaging") && !repeated => own.private_messaging = on,
                Some(on) if is("AutoJoin") && !repeated => own.auto_join = on,
                Some(on) if is("ShowID") && !repeated => own.show_id = Some(on),
                _ => return Err(INVALID_PROPERTIES),
            }
        }
        Ok(own)
    }

    /// As they are listed, with what the group says of the user.
    pub(super) fn listed(&self, rank: Option<Role>, shows_id: bool) -> Vec<Property> {
        let property = |name: &str, value: &str| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        vec![
            property("PrivilegeLevel", privilege(rank)),
            property("IsMember", switch(rank.is_some())),
            property("PrivateMessaging", switch(self.private_messaging)),
            property("AutoJoin", switch(self.auto_join)),
            property("ShowID", switch(shows_id)),
        ]
    }
}

/// The value of `PrivilegeLevel`.
pub(super) fn privilege(rank: Option<Role>) -> &'static str {
    match rank {
        Some(Role::Admin) => "Admin",
        Some(Role::Moderator) => "Mod",
        Some(Role::User) | None => "User",
    }
}
