//! How CSP writes the values that it shares with SSP: what stands in an attribute there is an element
//! here.

use super::element::Element;
use super::presence;
use super::typed::{Content, Form, read_many, read_optional, read_required};
use super::version::{Scope, Version};
use crate::imps::common::{
    ClientId, ContactList, GroupId, MessageId, Property, Recipient, ScreenName, Sender, User,
    UserId,
};
use crate::imps::datetime::DateTime;
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::group::{Mapping, Member, MemberList};
use crate::imps::status::{DetailedResult, Status};
use crate::imps::xml::DecodeError;
use crate::imps::xml::element::Empty;
use crate::imps::{Address, Code};

/// A form that is one element.
const fn plain(name: &'static str) -> Form {
    Form { name, item: None }
}

/// A text that must have a meaning.
fn parsed<T>(value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Invalid {
        element: "value",
        what: "text",
    })
}

impl Content for String {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(element.text.clone().into_owned())
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::leaf(name, self.as_str())
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        /// Digits, or `0x` and hexadecimal ones.
        impl Content for $type {
            fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
                let text = element.text.trim();
                let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
                let number = match hexadecimal {
                    Some(digits) => <$type>::from_str_radix(digits, 16).ok(),
                    None => text.parse().ok(),
                };
                parsed(number)
            }
            fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
                Element::leaf(name, self.to_string())
            }
        }
    )*};
}
number!(u16, u32, u64);

/// `T` or `F`; what is not true is false.
impl Content for bool {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(matches!(
            element.text.trim(),
            "T" | "t" | "true" | "TRUE" | "True" | "1"
        ))
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::leaf(name, if *self { "T" } else { "F" })
    }
}

impl Content for Empty {
    fn read(_: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::of(name, Vec::new())
    }
}

impl Content for Code {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        u16::read(element).map(Self)
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::leaf(name, self.to_string())
    }
}

/// A text that is no time is read as the epoch, as in SSP.
impl Content for DateTime {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(super::datetime::read(&element.text).unwrap_or(Self(0)))
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::leaf(name, super::datetime::print(*self))
    }
}

impl Content for Address {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(&element.text))
    }
    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        Element::leaf(name, self.as_str())
    }
}

macro_rules! of_address {
    ($($type:ident . $field:ident),*) => {$(
        impl Content for $type {
            fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
                Address::read(element).map(|$field| Self { $field })
            }
            fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
                self.$field.element(name, version)
            }
        }
    )*};
}
of_address!(UserId.user, GroupId.group, ContactList.list);

impl Content for MessageId {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        String::read(element).map(|id| Self { id })
    }
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        self.id.element(name, version)
    }
}

/// `User`, or a bare `UserID` in a list.
impl Content for User {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        if element.name == "UserID" {
            return Address::read(element).map(Self::new);
        }
        let application: Option<String> = read_optional(element, &[plain("ApplicationID")])?;
        let client: Option<ClientId> = read_optional(element, &[plain("ClientID")])?;
        Ok(Self {
            user: read_required(element, "User", &[plain("UserID")])?,
            friendly_name: read_optional(element, &[plain("FriendlyName")])?,
            client: match application {
                Some(application) => Some(ClientId {
                    url: client.map(|client| client.url).unwrap_or_default(),
                    application: Some(application),
                }),
                None => client,
            },
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        if name == "UserID" {
            return self.user.element(name, version);
        }
        let mut children = vec![self.user.element("UserID", version)];
        let friendly_name = self.friendly_name.iter();
        children.extend(friendly_name.map(|name| name.element("FriendlyName", version)));
        if let Some(client) = &self.client {
            children.push(match &client.application {
                Some(application) if version == Version::V1_3 => {
                    application.element("ApplicationID", version)
                }
                _ => client.element("ClientID", version),
            });
        }
        Element::of(name, children)
    }
}

/// A URL, or a phone number written as `tel:`.
impl Content for ClientId {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let url = element.child("URL").map(|url| url.text.as_ref());
        let number = element.child("MSISDN").map(|number| number.text.as_ref());
        let url = match (url, number) {
            (Some(url), _) => url.to_owned(),
            (None, Some(number)) => format!("{TELEPHONE}{number}"),
            (None, None) => element.text.as_ref().to_owned(),
        };
        Ok(Self {
            url,
            application: None,
        })
    }

    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        let child = match self.url.strip_prefix(TELEPHONE) {
            Some(number) => Element::leaf("MSISDN", number),
            None if self.url.is_empty() => return Element::of(name, Vec::new()),
            None => Element::leaf("URL", self.url.as_str()),
        };
        Element::of(name, vec![child])
    }
}

/// Begins the URL of a client that is named by its phone number.
const TELEPHONE: &str = "tel:";

impl Content for ScreenName {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            group: read_required(element, "ScreenName", &[plain("GroupID")])?,
            name: read_required(element, "ScreenName", &[plain("SName")])?,
        })
    }
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        Element::of(
            name,
            vec![
                self.name.element("SName", version),
                self.group.element("GroupID", version),
            ],
        )
    }
}

impl Content for Property {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: read_required(element, "Property", &[plain("Name")])?,
            value: read_optional(element, &[plain("Value")])?,
        })
    }
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let mut children = vec![self.name.element("Name", version)];
        children.extend(self.value.iter().map(|v| v.element("Value", version)));
        Element::of(name, children)
    }
}

/// `Group`: a whole group, or one participant of it.
fn read_group(element: &Element<'_>) -> Result<(Option<GroupId>, Option<ScreenName>), DecodeError> {
    Ok((
        read_optional(element, &[plain("GroupID")])?,
        read_optional(element, &[plain("ScreenName")])?,
    ))
}

impl Content for Sender {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let group = element.child("Group").map(read_group).transpose()?;
        let (group, screen_name) = group.unwrap_or_default();
        Ok(Self {
            user: read_optional(element, &[plain("User")])?,
            group,
            screen_name,
            display: None,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let child = match (&self.user, &self.screen_name, &self.group) {
            // Who speaks in a group is known there by the name alone.
            (_, Some(screen_name), _) => {
                Element::of("Group", vec![screen_name.element("ScreenName", version)])
            }
            (_, None, Some(group)) => Element::of("Group", vec![group.element("GroupID", version)]),
            (Some(user), None, None) => user.element("User", version),
            (None, None, None) => return Element::of(name, Vec::new()),
        };
        Element::of(name, vec![child])
    }
}

impl Content for Vec<Recipient> {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut recipients = Vec::with_capacity(element.children.len());
        for child in &element.children {
            match child.name {
                "User" => recipients.push(Recipient::User(User::read(child)?)),
                "ContactList" => {
                    recipients.push(Recipient::ContactList(ContactList::read(child)?));
                }
                "Group" => {
                    let (group, screen_name) = read_group(child)?;
                    recipients.extend(screen_name.map(Recipient::ScreenName));
                    recipients.extend(group.map(Recipient::Group));
                }
                _ => {}
            }
        }
        Ok(recipients)
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let child = |recipient: &'v Recipient| match recipient {
            Recipient::User(user) => user.element("User", version),
            Recipient::ContactList(list) => list.element("ContactList", version),
            Recipient::Group(group) => {
                Element::of("Group", vec![group.element("GroupID", version)])
            }
            Recipient::ScreenName(screen_name) => {
                Element::of("Group", vec![screen_name.element("ScreenName", version)])
            }
        };
        Element::of(name, self.iter().map(child).collect())
    }
}

impl Content for MemberList {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut members = Vec::with_capacity(element.children.len());
        for child in &element.children {
            match child.name {
                // A list of 1.3 has bare ids.
                "User" | "UserID" => members.push(Member::User(User::read(child)?)),
                "ScreenName" => members.push(Member::ScreenName(ScreenName::read(child)?)),
                _ => {}
            }
        }
        Ok(Self { members })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let user = if name == "UserIDList" {
            "UserID"
        } else {
            "User"
        };
        let child = |member: &'v Member| match member {
            Member::User(of) => of.element(user, version),
            Member::ScreenName(screen_name) => screen_name.element("ScreenName", version),
        };
        Element::of(name, self.members.iter().map(child).collect())
    }
}

impl Content for Mapping {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            screen_name: read_optional(element, &[plain("SName")])?,
            user: read_optional(element, &[plain("UserID")])?,
        })
    }
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let name_of = self.screen_name.iter().map(|n| n.element("SName", version));
        let user = self.user.iter().map(|user| user.element("UserID", version));
        Element::of(name, name_of.chain(user).collect())
    }
}

/// `Result`.
impl Content for Status {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: read_optional(element, &[plain("Code")])?.unwrap_or_default(),
            description: read_optional(element, &[plain("Description")])?,
            details: read_many(element, &[plain("DetailedResult")])?,
            try_again: read_optional(element, &[plain("TryAgainTimeout")])?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let mut children = vec![self.code.element("Code", version)];
        let description = self.description.iter();
        children.extend(description.map(|text| text.element("Description", version)));
        let details = self.details.iter();
        children.extend(details.map(|detail| detail.element("DetailedResult", version)));
        let again = self.try_again.iter();
        children.extend(again.map(|seconds| seconds.element("TryAgainTimeout", version)));
        Element::of(name, children)
    }
}

impl Content for DetailedResult {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: read_optional(element, &[plain("Code")])?.unwrap_or_default(),
            description: read_optional(element, &[plain("Description")])?,
            users: read_many(element, &[plain("UserID")])?,
            groups: read_many(element, &[plain("GroupID")])?,
            screen_names: read_many(element, &[plain("ScreenName")])?,
            domains: read_many(element, &[plain("Domain")])?,
            messages: read_many(element, &[plain("MessageID")])?,
            contact_lists: read_many(element, &[plain("ContactList")])?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        fn all<'v, T: Content>(
            values: &'v [T],
            name: &'static str,
            version: Version,
        ) -> impl Iterator<Item = Element<'v>> {
            values.iter().map(move |value| value.element(name, version))
        }
        let mut children = vec![self.code.element("Code", version)];
        let description = self.description.iter();
        children.extend(description.map(|text| text.element("Description", version)));
        children.extend(all(&self.users, "UserID", version));
        children.extend(all(&self.groups, "GroupID", version));
        children.extend(all(&self.screen_names, "ScreenName", version));
        children.extend(all(&self.messages, "MessageID", version));
        children.extend(all(&self.contact_lists, "ContactList", version));
        children.extend(all(&self.domains, "Domain", version));
        Element::of(name, children)
    }
}

impl Content for PresenceSubList {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(presence::read(element))
    }
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        Element {
            namespace: Some(version.namespace(Scope::Presence).into()),
            ..presence::element(self, name)
        }
    }
}
