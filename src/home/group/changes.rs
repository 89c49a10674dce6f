//! What changed in a group, and who is told (wire profile, 9.4.6 to 9.4.8).

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, ScreenName};
use crate::imps::primitive::group::{
    GetGroupSubStatusResponse, GroupChangeNotice, GroupProperties, LeftBlocked, Member, MemberList,
};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::outgoing::{Audience, Distribution, Outgoing, addressed};
use super::{Asker, Group};

/// Names in one notice that waits; further changes get a notice of their own. Our choice.
const MAX_NAMES: usize = 500;

/// What is told of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Names of those who came.
    pub(super) joined: Vec<String>,
    /// Names of those who went.
    pub(super) left: Vec<String>,
    /// Names of those who were put on the reject list and had to go.
    pub(super) ejected: Vec<String>,
    pub(super) properties: Option<GroupProperties>,
}

impl Change {
    /// Comings and goings after others: of each name the last counts.
    fn after(self, mut joined: Vec<String>, mut left: Vec<String>) -> Self {
        joined.retain(|name| !self.joined.contains(name) && !self.left.contains(name));
        left.retain(|name| !self.joined.contains(name) && !self.left.contains(name));
        joined.extend(self.joined);
        left.extend(self.left);
        Self {
            joined,
            left,
            ..Self::default()
        }
    }
}

/// Subscriptions to changes, and notices of them.
pub(super) struct Changes<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Changes<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// Tells a user of changes from now on, or no more.
    pub(super) fn subscribe(&mut self, asker: &Asker, wanted: bool) {
        if !self.group.is_joined(&asker.user) {
            return self.core.respond(asker.id, Status::new(Code::NOT_JOINED));
        }
        self.group.change(self.core, &asker.user, |person| {
            if let Some(seat) = &mut person.seat {
                seat.subscribed = wanted;
            }
        });
        self.core.respond(asker.id, Status::ok());
    }

    /// Says whether a user is told of changes.
    pub(super) fn status(&mut self, asker: &Asker) {
        let person = self.group.people.get(&asker.user);
        let Some(seat) = person.and_then(|person| person.seat.as_ref()) else {
            return self.core.respond(asker.id, Status::new(Code::NOT_JOINED));
        };
        let response = GetGroupSubStatusResponse {
            group: Some(self.group.address(self.core)),
            subscribed: seat.subscribed,
            status: Status::ok(),
        };
        self.core.respond(asker.id, response);
    }

    /// Tells those who want to know; all but `but`.
    pub(super) fn tell(&mut self, change: Change, but: Option<&Address>) {
        let mut change = change;
        let audience = Audience::Subscribers(but.cloned());
        if let Some((number, _)) = self.waits(&change)
            && let Some(before) =
                Distribution::of(self.group, self.core, self.now).take_back(number)
            && let Primitive::GroupChangeNotice(notice) = *before.primitive
        {
            let (joined, left) = (notice.joined, notice.left);
            change = change.after(joined.unwrap_or_default(), left.unwrap_or_default());
            // Who came after the first of them is told of what they know: no harm.
            return self.send(change, Audience::Subscribers(None));
        }
        self.send(change, audience);
    }

    /// Tells one user what changed of their own.
    pub(super) fn tell_own(&mut self, user: &Address) {
        let own = self.group.own(user);
        let person = self.group.people.get(user);
        let seat = person.and_then(|person| person.seat.as_ref());
        if !seat.is_some_and(|seat| seat.subscribed) {
            return;
        }
        let notice = GroupChangeNotice {
            own: Some(own),
            ..self.notice(Change::default())
        };
        let notice = addressed(notice.into(), vec![user.clone()]);
        let expires = self.now.plus(self.core.settings.validity);
        Distribution::of(self.group, self.core, self.now).request(notice, expires);
    }

    fn send(&mut self, change: Change, audience: Audience) {
        let outgoing = Outgoing {
            primitive: Box::new(self.notice(change).into()),
            audience,
            expires: self.now.plus(self.core.settings.validity),
            after: None,
        };
        Distribution::of(self.group, self.core, self.now).send(outgoing);
    }

    /// The last notice that waits, if this change can go into it: comings and goings only.
    fn waits(&mut self, change: &Change) -> Option<(u64, usize)> {
        let names = change.joined.len() + change.left.len();
        if names == 0 || change.properties.is_some() || !change.ejected.is_empty() {
            return None;
        }
        let (number, last) = self.group.outgoing.last_unbegun()?;
        let Primitive::GroupChangeNotice(notice) = &*last.primitive else {
            return None;
        };
        let names_of = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
        let there = names_of(&notice.joined) + names_of(&notice.left);
        let is_plain = notice.properties.is_none() && notice.left_blocked.is_none();
        (is_plain && there + names <= MAX_NAMES).then_some((number, there))
    }

    fn notice(&self, change: Change) -> GroupChangeNotice {
        let group = self.group.address(self.core);
        let ejected = change.ejected.into_iter().map(|name| {
            let group = group.clone();
            Member::ScreenName(ScreenName { group, name })
        });
        let ejected: Vec<Member> = ejected.collect();
        GroupChangeNotice {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            users: Vec::new(),
            joined: Some(change.joined).filter(|names| !names.is_empty()),
            left: Some(change.left).filter(|names| !names.is_empty()),
            joined_blocked: None,
            left_blocked: (!ejected.is_empty()).then_some(LeftBlocked {
                users: Some(MemberList { members: ejected }),
            }),
            properties: change.properties,
            own: None,
            group,
        }
    }
}
