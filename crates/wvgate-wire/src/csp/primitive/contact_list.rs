//! Contact lists.

use super::system::Verdict;
use crate::csp::element::Element;
use crate::csp::typed::{Content, element};
use crate::csp::version::Version;
use crate::imps::Address;
use crate::imps::common::Property;
use crate::imps::primitive::contact_list::NickName;
use crate::imps::xml::DecodeError;

element! {
    /// Asks for the user's lists.
    GetListRequest {}

    /// The user's lists.
    GetListResponse {
        many "ContactList" | "ContactListIDList" / "ContactList" lists: Address,
        opt "DefaultContactList" default: Address,
    }

    /// Makes a contact list, with its members and properties.
    CreateListRequest {
        one "ContactList" list: Address,
        opt "NickList" members: NickList,
        list "ContactListProperties" / "Property" properties: Property,
    }

    /// The list that was made (1.3).
    CreateListResponse {
        opt "ContactList" list: Address,
        list "ContactListProperties" / "Property" properties: Property,
    }

    /// Removes a contact list and what was authorized for it.
    DeleteListRequest {
        one "ContactList" list: Address,
    }

    /// Reads or changes a list.
    ListManageRequest {
        one "ContactList" list: Address,
        opt "AddNickList" add: NickList,
        list "RemoveNickList" / "UserID" remove: Address,
        list "ContactListProperties" / "Property" properties: Property,
        opt "ReceiveList" wants_list: bool,
        opt "AuthorizeAndGrant" authorize: bool,
    }

    /// The list as it is now.
    ListManageResponse {
        one "Result" result: Verdict,
        opt "NickList" members: NickList,
        list "ContactListProperties" / "Property" properties: Property,
    }
}

/// Members of a list, with or without a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NickList(pub Vec<NickName>);

impl Content for NickList {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut members = Vec::with_capacity(element.children.len());
        for child in &element.children {
            match child.name {
                "UserID" => members.push(NickName {
                    name: None,
                    user: Address::read(child)?,
                }),
                "NickName" => members.push(NickName::read(child)?),
                _ => {}
            }
        }
        Ok(Self(members))
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let child = |member: &'v NickName| match member.name {
            Some(_) => member.element("NickName", version),
            None => member.user.element("UserID", version),
        };
        Element::of(name, self.0.iter().map(child).collect())
    }
}

impl Content for NickName {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        // Some clients write the id as they write users elsewhere.
        let user = element.child("User").and_then(|user| user.child("UserID"));
        let user = element.child("UserID").or(user);
        let user = user.ok_or(DecodeError::Missing {
            element: "NickName",
            what: "UserID",
        })?;
        let name = element.child("Name").map(String::read).transpose()?;
        Ok(Self {
            name: Some(name.unwrap_or_default()),
            user: Address::read(user)?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let nick = self.name.as_deref().unwrap_or_default();
        Element::of(
            name,
            vec![
                Element::leaf("Name", nick),
                self.user.element("UserID", version),
            ],
        )
    }
}
