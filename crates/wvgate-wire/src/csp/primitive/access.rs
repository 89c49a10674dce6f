//! Whom the user hears: lists of those who are blocked and those who are granted.

use crate::csp::element::Element;
use crate::csp::typed::{Content, Part, element};
use crate::csp::version::Version;
use crate::imps::Address;
use crate::imps::common::ScreenName;
use crate::imps::xml::DecodeError;

element! {
    /// Asks for the lists.
    GetBlockedListRequest {}

    /// Whom the user blocks and whom they let through, and which of the lists is in use.
    GetBlockedListResponse {
        part lists: Lists,
    }

    /// Changes the lists.
    BlockEntityRequest {
        part lists: Lists,
    }

    /// One list: what is in it, or how it changes.
    #[derive(Default)]
    EntityList {
        opt "InUse" in_use: bool,
        opt "EntityList" entities: Entities,
        opt "AddList" add: Entities,
        opt "RemoveList" remove: Entities,
    }

    /// Users, participants, groups, lists and applications.
    Entities {
        many "UserID" users: Address,
        many "ScreenName" screen_names: ScreenName,
        many "GroupID" groups: Address,
        many "ContactList" lists: Address,
        many "ApplicationID" applications: String,
    }
}

/// Both lists. Whether one is in use stands in it until 1.2, and beside it from 1.3 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// Those who are not heard.
    pub blocked: Option<EntityList>,
    /// Those who alone are heard.
    pub granted: Option<EntityList>,
}

impl Part for Lists {
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError> {
        let list = |name, in_use| -> Result<Option<EntityList>, DecodeError> {
            let list = parent.child(name).map(EntityList::read).transpose()?;
            let in_use = parent.child(in_use).map(bool::read).transpose()?;
            let Some(in_use) = in_use else {
                return Ok(list);
            };
            Ok(Some(EntityList {
                in_use: Some(in_use),
                ..list.unwrap_or_default()
            }))
        };
        Ok(Self {
            blocked: list("BlockList", "BlockListInUse")?,
            granted: list("GrantList", "GrantListInUse")?,
        })
    }

    fn add<'v>(&'v self, _: &'static str, version: Version, out: &mut Vec<Element<'v>>) {
        let lists = [
            (&self.blocked, "BlockList", "BlockListInUse"),
            (&self.granted, "GrantList", "GrantListInUse"),
        ];
        for (list, name, in_use) in lists {
            let Some(list) = list else { continue };
            let beside = list.in_use.as_ref().filter(|_| version == Version::V1_3);
            if beside.is_none() || list.has_entities() {
                out.push(list.element(name, version));
            }
            out.extend(beside.map(|truth| truth.element(in_use, version)));
        }
    }
}

impl EntityList {
    fn has_entities(&self) -> bool {
        self.entities.is_some() || self.add.is_some() || self.remove.is_some()
    }
}
