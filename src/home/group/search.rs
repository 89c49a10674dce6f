//! Who finds a group (WVFF, 7.2.4, 10.1; wire profile, 11.5).
//!
//! Found are groups that want to be found (`Searchable`), and those that the one who asks belongs
//! to. That somebody is joined is found out only if their user id is shown there.

use std::collections::BTreeMap;

use crate::home::search::{MAX_HITS, NOT_UNDERSTOOD, TOO_BROAD, TOO_MANY_HITS};
use crate::imps::address::Address;
use crate::imps::common::GroupId;
use crate::imps::primitive::common::SearchPair;
use crate::imps::status::Code;

use super::Group;
use super::core::Core;
use super::person::Seat;

/// Groups that are like that, as far as `asker` finds them.
pub(super) fn find(
    all: &BTreeMap<String, Group>,
    core: &Core,
    criteria: &[GroupCriterion],
    asker: &Address,
) -> Result<Vec<GroupId>, Code> {
    let mut found = Vec::new();
    for group in all.values().filter(|group| !group.sheet.closing) {
        let is_known = group.rank(asker).is_some() || group.is_joined(asker);
        let shown = is_known || group.sheet.properties.searchable;
        if shown && criteria.iter().all(|one| one.fits(group, core, asker)) {
            if found.len() >= MAX_HITS {
                return Err(TOO_MANY_HITS);
            }
            found.push(GroupId {
                group: group.address(core),
            });
        }
    }
    Ok(found)
}

/// What a group that is found has.
#[derive(Debug)]
pub(in crate::home) enum GroupCriterion {
    /// Part of its address.
    Id(String),
    /// Part of its name.
    Name(String),
    /// Part of its topic.
    Topic(String),
    Owner(Address),
    Joined(Address),
    /// A user who wants to be joined at login.
    AutoJoin(Address),
}

impl GroupCriterion {
    /// That of a pair of element and text.
    pub(in crate::home) fn of(pair: &SearchPair) -> Result<Self, Code> {
        let text = pair.string.trim();
        let user = |make: fn(Address) -> Self| Ok(make(Address::new(text)));
        let part = |make: fn(String) -> Self| match text.to_lowercase() {
            text if text.is_empty() => Err(TOO_BROAD),
            text => Ok(make(text)),
        };
        match pair.element.trim().to_ascii_uppercase().as_str() {
            "GROUP_ID" => part(Self::Id),
            "GROUP_NAME" => part(Self::Name),
            "GROUP_TOPIC" => part(Self::Topic),
            "GROUP_USER_ID_OWNER" => user(Self::Owner),
            "GROUP_USER_ID_JOINED" => user(Self::Joined),
            "GROUP_USER_ID_AUTOJOIN" => user(Self::AutoJoin),
            _ => Err(NOT_UNDERSTOOD),
        }
    }

    fn fits(&self, group: &Group, core: &Core, asker: &Address) -> bool {
        let has = |text: Option<&String>, part: &str| {
            text.is_some_and(|text| text.to_lowercase().contains(part))
        };
        let seat = |user: &Address| -> Option<&Seat> {
            let seat = group.people.get(user)?.seat.as_ref()?;
            (user == asker || seat.shows_id()).then_some(seat)
        };
        let properties = &group.sheet.properties;
        match self {
            Self::Id(part) => group.address(core).as_str().contains(part),
            Self::Name(part) => has(properties.name.as_ref(), part),
            Self::Topic(part) => has(properties.topic.as_ref(), part),
            Self::Owner(user) => group.owns(&core.at_home(user)),
            Self::Joined(user) => seat(&core.at_home(user)).is_some(),
            Self::AutoJoin(user) => seat(&core.at_home(user)).is_some_and(|s| s.own.auto_join),
        }
    }
}
