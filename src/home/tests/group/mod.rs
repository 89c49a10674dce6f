//! Groups in the pretended world: users of this domain and of others ask them by primitives.

mod bounds;
mod history;
mod members;
mod model;
mod rules;
mod search;
mod taken_over;
mod talk;

use super::*;
use crate::imps::common::{GroupId, Property, ScreenName, UserId};
use crate::imps::primitive::group::*;
use crate::imps::primitive::group_admin::*;

pub(super) const CLUB: &str = "wv:alice/club@home.test";
pub(super) const ALICE: &str = "alice@home.test";
pub(super) const BOB: &str = "bob@far.test";
pub(super) const CAROL: &str = "carol@home.test";
pub(super) const DAN: &str = "dan@other.test";

pub(super) fn property(name: &str, value: &str) -> Property {
    Property {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    }
}

pub(super) fn properties(given: &[(&str, &str)]) -> GroupProperties {
    GroupProperties {
        properties: given.iter().map(|(n, v)| property(n, v)).collect(),
        welcome: None,
    }
}

pub(super) fn ids(users: &[&str]) -> Vec<UserId> {
    let users = users.iter().map(|user| UserId {
        user: address(user),
    });
    users.collect()
}

pub(super) fn create(group: &str, given: &[(&str, &str)]) -> CreateGroupRequest {
    CreateGroupRequest {
        group: address(group),
        join: true,
        subscribe: true,
        meta: None,
        properties: Some(properties(given)),
        own: None,
        screen_name: None,
    }
}

pub(super) fn join(group: &str, name: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group: address(group),
        joined_list: true,
        subscribe: true,
        meta: None,
        screen_name: (!name.is_empty()).then(|| screen_name(group, name)),
        own: None,
    }
}

pub(super) fn leave(group: &str) -> LeaveGroupRequest {
    LeaveGroupRequest {
        group: address(group),
        meta: None,
    }
}

pub(super) fn set(group: &str, given: &[(&str, &str)]) -> SetGroupPropsRequest {
    SetGroupPropsRequest {
        group: address(group),
        meta: None,
        properties: Some(properties(given)),
        own: None,
    }
}

pub(super) fn add(group: &str, users: &[&str]) -> AddGroupMemberRequest {
    AddGroupMemberRequest {
        group: address(group),
        meta: None,
        users: ids(users),
    }
}

pub(super) fn remove(group: &str, users: &[&str]) -> RemoveGroupMemberRequest {
    RemoveGroupMemberRequest {
        group: address(group),
        meta: None,
        users: ids(users),
    }
}

pub(super) fn access(
    group: &str,
    admins: &[&str],
    moderators: &[&str],
    users: &[&str],
) -> MemberAccessRequest {
    MemberAccessRequest {
        group: address(group),
        meta: None,
        admins: Some(ids(admins)),
        moderators: Some(ids(moderators)),
        users: Some(ids(users)),
    }
}

pub(super) fn reject(group: &str, add: &[&str], remove: &[&str]) -> RejectListRequest {
    RejectListRequest {
        group: address(group),
        meta: None,
        add: Some(ids(add)),
        remove: Some(ids(remove)),
    }
}

pub(super) fn screen_name(group: &str, name: &str) -> ScreenName {
    ScreenName {
        group: address(group),
        name: name.to_owned(),
    }
}

/// A message of a user to a group.
pub(super) fn to_group(id: &str, from: &str, group: &str, said: &str) -> SendMessageRequest {
    let mut message = text(id, from, &[], said);
    message.info.recipients = vec![Recipient::Group(GroupId {
        group: address(group),
    })];
    message
}

pub(super) fn code(answer: &Primitive) -> u16 {
    answer.verdict().map_or(0, |status| status.code.0)
}

impl World {
    /// A user asks; the answer.
    pub(super) fn asks(&mut self, user: &str, primitive: impl Into<Primitive>) -> Primitive {
        let primitive = primitive.into();
        let name = primitive.name().to_owned();
        let from = address(user);
        self.deliver(from.domain(), Some(user), primitive)
            .unwrap_or_else(|| panic!("{name} is not answered"))
    }

    /// A user asks; the code of the answer.
    pub(super) fn does(&mut self, user: &str, primitive: impl Into<Primitive>) -> u16 {
        code(&self.asks(user, primitive))
    }

    /// Alice's club, with her in it.
    pub(super) fn club(&mut self, given: &[(&str, &str)]) {
        assert_eq!(self.does(ALICE, create(CLUB, given)), 200);
    }

    /// The messages that left the domain: recipient, screen name, text.
    pub(super) fn told(&mut self) -> Vec<(String, String, String)> {
        let mut told = Vec::new();
        for primitive in self.sent() {
            let Primitive::SendMessageRequest(message) = primitive else {
                continue;
            };
            let sender = message.info.sender.as_ref().unwrap();
            let display = sender.display.as_ref().unwrap();
            let name = &display.screen_name.as_ref().unwrap().name;
            let content = &message.content.as_ref().unwrap().bytes;
            let said = String::from_utf8(content.clone()).unwrap();
            for to in &message.info.recipients {
                told.push((to.address().bare().to_owned(), name.clone(), said.clone()));
            }
        }
        told
    }

    /// The notices of changes that left the domain.
    pub(super) fn notices(&mut self) -> Vec<GroupChangeNotice> {
        let sent = self.sent().into_iter();
        sent.filter_map(|primitive| match primitive {
            Primitive::GroupChangeNotice(notice) => Some(*notice),
            _ => None,
        })
        .collect()
    }

    /// Who was made to leave, with the code.
    pub(super) fn expelled(&mut self) -> Vec<(String, u16)> {
        let sent = self.sent().into_iter();
        sent.filter_map(|primitive| match primitive {
            Primitive::LeaveGroupIndication(notice) => Some(notice),
            _ => None,
        })
        .flat_map(|notice| {
            let code = notice.status.code.0;
            let users = notice.users.into_iter();
            users.map(move |user| (user.user.bare().to_owned(), code))
        })
        .collect()
    }

    /// Names and addresses of who is joined, as a user sees them.
    pub(super) fn who_is_joined(&mut self, asker: &str) -> Vec<(String, Option<String>)> {
        let request = GetJoinedUsersRequest {
            group: address(CLUB),
            meta: None,
        };
        let Primitive::GetJoinedUsersResponse(answer) = self.asks(asker, request) else {
            panic!("no list");
        };
        let lists = [answer.admins, answer.moderators, answer.users];
        let mappings = lists.into_iter().flatten().flat_map(|list| {
            let map = list.map.unwrap();
            map.mappings.unwrap_or_default()
        });
        mappings
            .map(|one| {
                let user = one.user.map(|id| id.user.bare().to_owned());
                (one.screen_name.unwrap(), user)
            })
            .collect()
    }
}
