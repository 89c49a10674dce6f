//! What somebody is in a group: privileges and affiliations (xmpp-mapping, 5.1).

use serde::{Deserialize, Serialize};

use crate::imps::common::Property;

/// What somebody is in a room, joined or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affiliation {
    /// An administrator of the group.
    Owner,
    /// A moderator of the group.
    Admin,
    /// On the list of members.
    Member,
    /// Nothing of these.
    #[default]
    None,
    /// On the reject list.
    Outcast,
}

impl Affiliation {
    /// That of the name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "owner" => Self::Owner,
            "admin" => Self::Admin,
            "member" => Self::Member,
            "none" => Self::None,
            "outcast" => Self::Outcast,
            _ => return None,
        })
    }

    /// The name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::None => "none",
            Self::Outcast => "outcast",
        }
    }

    /// The role of an occupant who is that.
    pub fn role(self) -> &'static str {
        match self {
            Self::Owner | Self::Admin => "moderator",
            Self::Member | Self::None => "participant",
            Self::Outcast => "none",
        }
    }

    /// Whether it sees who is behind the nicknames.
    pub fn moderates(self) -> bool {
        self.role() == "moderator"
    }

    /// What somebody shows as a hat (XEP-0317); `None` for most.
    pub fn hat(self) -> Option<&'static str> {
        match self {
            Self::Owner => Some("Administrator"),
            Self::Admin => Some("Moderator"),
            Self::Member | Self::None | Self::Outcast => None,
        }
    }

    /// What a user is by their own properties in the group; `None` if these say nothing of it.
    pub fn of_own(own: &[Property]) -> Option<Self> {
        let value = |name: &str| {
            let mut own = own.iter();
            let found = own.find(|property| property.name.trim().eq_ignore_ascii_case(name))?;
            Some(found.value.as_deref().unwrap_or_default().trim())
        };
        let level = value("PrivilegeLevel");
        let is_member = value("IsMember").is_some_and(|value| value.eq_ignore_ascii_case("T"));
        match level {
            Some(level) if level.eq_ignore_ascii_case("Admin") => Some(Self::Owner),
            Some(level) if level.eq_ignore_ascii_case("Mod") => Some(Self::Admin),
            _ if is_member => Some(Self::Member),
            Some(_) => Some(Self::None),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_affiliations_with_their_roles() {
        let own = |pairs: &[(&str, &str)]| -> Vec<Property> {
            let property = |(name, value): &(&str, &str)| Property {
                name: (*name).to_owned(),
                value: Some((*value).to_owned()),
            };
            pairs.iter().map(property).collect()
        };
        for (pairs, affiliation, role) in [
            (&[("PrivilegeLevel", "Admin")][..], "owner", "moderator"),
            (&[("privilegelevel", " mod ")], "admin", "moderator"),
            (
                &[("PrivilegeLevel", "User"), ("IsMember", "T")],
                "member",
                "participant",
            ),
            (
                &[("PrivilegeLevel", "User"), ("IsMember", "F")],
                "none",
                "participant",
            ),
        ] {
            let found = Affiliation::of_own(&own(pairs)).unwrap();
            assert_eq!((found.name(), found.role()), (affiliation, role));
            assert_eq!(Affiliation::named(affiliation), Some(found));
        }
        assert_eq!(Affiliation::of_own(&own(&[("ShowID", "T")])), None);
        assert_eq!(Affiliation::named("king"), None);
    }
}
