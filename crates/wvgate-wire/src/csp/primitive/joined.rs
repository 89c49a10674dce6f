//! Who has joined a group and who has left it, in the forms of the versions.

use super::group::UserMapList;
use crate::csp::element::Element;
use crate::csp::typed::{Content, Part};
use crate::csp::version::Version;
use crate::imps::Address;
use crate::imps::common::{ScreenName, User};
use crate::imps::primitive::group::{Mapping, Member, MemberList};
use crate::imps::xml::DecodeError;

/// Who has joined: names, with users from 1.2 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Joined {
    /// The group that the names are of, which 1.1 repeats with each.
    pub group: Option<Address>,
    /// Names and users; `None` if the list is not there (1.2, 1.3).
    pub users: Option<Vec<Mapping>>,
}

/// Who has left: names in 1.1, users or names later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Left(pub Vec<Member>);

/// Who is in a group that is being joined: `UserList` in 1.1, `UserMapList` in 1.2, within `Joined`
/// in 1.3.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AtJoin {
    /// Users and participants (1.1).
    pub members: Option<MemberList>,
    /// Names and users (1.2, 1.3).
    pub users: Option<UserMapList>,
    /// `Joined` is there, with the list or without it (1.3).
    pub is_joined: bool,
}

/// The mappings of a list that may also stand there without `UserMapping` around them.
fn mappings(list: &Element<'_>) -> Result<Option<Vec<Mapping>>, DecodeError> {
    let wrapped = UserMapList::read(list)?.users;
    let flat: Vec<Mapping> = list
        .named("Mapping")
        .map(Mapping::read)
        .collect::<Result<_, _>>()?;
    Ok(match wrapped {
        None if flat.is_empty() => None,
        wrapped => Some(
            wrapped
                .unwrap_or_default()
                .into_iter()
                .chain(flat)
                .collect(),
        ),
    })
}

impl Content for Joined {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        if let Some(list) = element.child("UserMapList") {
            return Ok(Self {
                group: None,
                users: mappings(list)?,
            });
        }
        let mut joined = Self::default();
        for child in element.named("ScreenName") {
            let name = ScreenName::read(child)?;
            joined.group.get_or_insert(name.group);
            joined.users.get_or_insert_default().push(Mapping {
                screen_name: Some(name.name),
                user: None,
            });
        }
        Ok(joined)
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        if version > Version::V1_1 {
            return Element::of(name, vec![map_list(self.users.as_deref(), version)]);
        }
        let named = self.users.iter().flatten();
        let names = named.filter_map(|mapping| {
            let group = self.group.as_ref().map_or("", Address::as_str);
            let children = vec![
                mapping.screen_name.as_ref()?.element("SName", version),
                Element::leaf("GroupID", group),
            ];
            Some(Element::of("ScreenName", children))
        });
        Element::of(name, names.collect())
    }
}

fn map_list(users: Option<&[Mapping]>, version: Version) -> Element<'_> {
    let mapping = users.map(|users| {
        let each = users.iter().map(|user| user.element("Mapping", version));
        Element::of("UserMapping", each.collect())
    });
    Element::of("UserMapList", mapping.into_iter().collect())
}

impl Content for Left {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let list = element.child("UserList").unwrap_or(element);
        MemberList::read(list).map(|list| Self(list.members))
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let child = |member: &'v Member| match member {
            Member::User(user) => user.element("User", version),
            Member::ScreenName(screen_name) => screen_name.element("ScreenName", version),
        };
        let members = self.0.iter().map(child).collect();
        if version > Version::V1_1 {
            return Element::of(name, vec![Element::of("UserList", members)]);
        }
        Element::of(name, members)
    }
}

impl Part for AtJoin {
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError> {
        let joined = parent.child("Joined");
        let list = joined.unwrap_or(parent).child("UserMapList");
        Ok(Self {
            members: parent.child("UserList").map(MemberList::read).transpose()?,
            users: match list {
                Some(list) => Some(UserMapList {
                    users: mappings(list)?,
                }),
                None => None,
            },
            is_joined: joined.is_some(),
        })
    }

    fn add<'v>(&'v self, _: &'static str, version: Version, out: &mut Vec<Element<'v>>) {
        if let Some(members) = self.members.as_ref().filter(|_| version == Version::V1_1) {
            out.push(members.element("UserList", version));
        }
        let users = self.users.as_ref();
        let list = users.map(|list| map_list(list.users.as_deref(), version));
        match version {
            Version::V1_1 => {}
            Version::V1_2 => out.extend(list),
            Version::V1_3 => {
                if self.is_joined || list.is_some() {
                    out.push(Element::of("Joined", list.into_iter().collect()));
                }
            }
        }
    }
}

impl AtJoin {
    /// Users by name, in whichever form the version has.
    pub fn new(users: Vec<Mapping>, group: &Address) -> Self {
        let member = |mapping: &Mapping| match (&mapping.user, &mapping.screen_name) {
            (_, Some(name)) => Some(Member::ScreenName(ScreenName {
                group: group.clone(),
                name: name.clone(),
            })),
            (Some(user), None) => Some(Member::User(User::new(user.user.clone()))),
            (None, None) => None,
        };
        Self {
            members: Some(MemberList {
                members: users.iter().filter_map(member).collect(),
            }),
            users: Some(UserMapList { users: Some(users) }),
            is_joined: true,
        }
    }
}
