//! Management of a group: members and roles, the reject list, properties (wire profile, 9.5).

use std::collections::BTreeSet;

use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::UserId;
use crate::imps::primitive::group::{GetJoinedUsersResponse, Mapping, MappingList, UserMapList};
use crate::imps::primitive::group_admin::{
    GetGroupMemberResponse, GetGroupPropsResponse, MemberAccessRequest, RejectListRequest,
    RejectListResponse, SetGroupPropsRequest,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::changes::{Change, Changes};
use super::core::{Core, Timer};
use super::joining::Joining;
use super::person::{Own, Role};
use super::{Asker, FULL, Group, NO_MEMBER, NO_PRIVILEGE, REJECTED_USER};

/// Users told to one who asks who is joined: what fits into a POST of the usual size.
const MAX_LISTED: usize = 5000;
/// The operation is not for a provider's group.
const GROUP_IS_PUBLIC: Code = Code(804);

/// What administrators do, and what others may see of it.
pub(super) struct Administration<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Administration<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    pub(super) fn delete(&mut self, asker: &Asker) {
        let code = if !self.group.administers(&asker.user) {
            NO_PRIVILEGE
        } else if self.group.is_public() {
            GROUP_IS_PUBLIC
        } else {
            Code::OK
        };
        self.core.respond(asker.id, Status::new(code));
        if code == Code::OK {
            Joining::of(self.group, self.core, self.now).end();
        }
    }

    /// Lists the members by role.
    pub(super) fn members(&mut self, asker: &Asker) {
        let rank = self.group.rank(&asker.user);
        if rank.is_none_or(|rank| rank < Role::Moderator) {
            let is_known = rank.is_some() || self.group.is_joined(&asker.user);
            let code = if is_known {
                NO_PRIVILEGE
            } else {
                Code::NOT_JOINED
            };
            return self.core.respond(asker.id, Status::new(code));
        }
        let (mut moderators, mut users) = (Vec::new(), Vec::new());
        let owner = self.group.sheet.owner.iter().cloned();
        let mut admins: Vec<UserId> = owner.map(|user| UserId { user }).collect();
        for (user, person) in &self.group.people {
            let list = match person.role {
                Some(_) if self.group.owns(user) => continue,
                Some(Role::Admin) => &mut admins,
                Some(Role::Moderator) => &mut moderators,
                Some(Role::User) => &mut users,
                None => continue,
            };
            list.push(UserId { user: user.clone() });
        }
        let response = GetGroupMemberResponse {
            status: Status::ok(),
            admins: Some(admins),
            moderators: Some(moderators),
            users: Some(users),
        };
        self.core.respond(asker.id, response);
    }

    /// Puts users on the list of members.
    pub(super) fn add(&mut self, asker: &Asker, users: &[UserId]) {
        if !self.group.administers(&asker.user) {
            return self.core.respond(asker.id, Status::new(NO_PRIVILEGE));
        }
        let users = self.listed(Some(users));
        let mut failures = Vec::new();
        for user in &users {
            if let Err(code) = self.may_be_member(user) {
                failures.push((code, user.clone()));
            } else if self.group.rank(user).is_none() {
                self.set_role(user, Some(Role::User));
            }
        }
        self.done(asker, users.len(), failures);
    }

    /// Takes users off the list of members. Of a restricted group they have to go.
    pub(super) fn remove(&mut self, asker: &Asker, users: &[UserId]) {
        if !self.group.administers(&asker.user) {
            return self.core.respond(asker.id, Status::new(NO_PRIVILEGE));
        }
        let users = self.listed(Some(users));
        let (mut failures, mut removed) = (Vec::new(), Vec::new());
        for user in &users {
            if self.group.owns(user) {
                failures.push((NO_PRIVILEGE, user.clone()));
            } else if self.group.rank(user).is_none() {
                failures.push((Code::UNKNOWN_USER, user.clone()));
            } else {
                self.set_role(user, None);
                removed.push(user.clone());
            }
        }
        self.done(asker, users.len(), failures);
        if self.group.sheet.properties.restricted {
            Joining::of(self.group, self.core, self.now).expel(&removed, NO_PRIVILEGE);
        }
    }

    /// Gives users roles. A moderator gives nobody one but that of an ordinary member.
    pub(super) fn access(&mut self, asker: &Asker, request: &MemberAccessRequest) {
        let rank = self.group.rank(&asker.user);
        if rank.is_none_or(|rank| rank < Role::Moderator) {
            let is_known = rank.is_some() || self.group.is_joined(&asker.user);
            let code = if is_known { NO_PRIVILEGE } else { NO_MEMBER };
            return self.core.respond(asker.id, Status::new(code));
        }
        let lists = [
            (Role::Admin, &request.admins),
            (Role::Moderator, &request.moderators),
            (Role::User, &request.users),
        ];
        let lists = lists.map(|(role, users)| (role, self.listed(users.as_deref())));
        let named = lists.iter().map(|(_, users)| users.len()).sum::<usize>();
        let mut failures = Vec::new();
        let mut changed = BTreeSet::new();
        for (role, users) in lists {
            for user in users {
                let may = self.group.administers(&asker.user)
                    || (role == Role::User && self.group.rank(&user) <= Some(Role::User));
                if !may || self.group.owns(&user) || changed.contains(&user) {
                    failures.push((NO_PRIVILEGE, user));
                } else if let Err(code) = self.may_be_member(&user) {
                    failures.push((code, user));
                } else {
                    if self.group.rank(&user) != Some(role) {
                        self.set_role(&user, Some(role));
                    }
                    changed.insert(user);
                }
            }
        }
        self.done(asker, named, failures);
        for user in changed {
            Changes::of(self.group, self.core, self.now).tell_own(&user);
        }
    }

    /// Reads and edits the reject list. Whoever is put on it has to go.
    pub(super) fn reject(&mut self, asker: &Asker, request: &RejectListRequest) {
        if !self.group.administers(&asker.user) {
            return self.core.respond(asker.id, Status::new(NO_PRIVILEGE));
        }
        let (added, removed) = (
            self.listed(request.add.as_deref()),
            self.listed(request.remove.as_deref()),
        );
        let mut failures = Vec::new();
        for user in &removed {
            let person = self.group.people.get(user);
            if person.is_some_and(|person| person.rejected) {
                self.group
                    .change(self.core, user, |person| person.rejected = false);
            } else {
                failures.push((Code::UNKNOWN_USER, user.clone()));
            }
        }
        let mut barred = Vec::new();
        for user in &added {
            let known = self.group.people.get(user);
            if !is_user(user) {
                failures.push((Code::UNKNOWN_USER, user.clone()));
            } else if self.group.owns(user) {
                failures.push((NO_PRIVILEGE, user.clone()));
            } else if known.is_some_and(|person| person.rejected) {
            } else if self.group.rejected >= self.core.settings.max_rejected {
                failures.push((FULL, user.clone()));
            } else {
                self.group
                    .change(self.core, user, |person| person.rejected = true);
                barred.push(user.clone());
            }
        }
        let people = self.group.people.iter();
        let rejected = people.filter(|(_, person)| person.rejected);
        let response = RejectListResponse {
            status: Status::of_users(added.len() + removed.len(), failures),
            users: Some(
                rejected
                    .map(|(user, _)| UserId { user: user.clone() })
                    .collect(),
            ),
        };
        self.core.respond(asker.id, response);
        Joining::of(self.group, self.core, self.now).expel(&barred, REJECTED_USER);
    }

    /// Lists who is joined. Administrators and moderators see the roles.
    pub(super) fn joined(&mut self, asker: &Asker) {
        let rank = self.group.rank(&asker.user);
        let sees_roles = rank >= Some(Role::Moderator);
        if !self.group.is_joined(&asker.user) && !sees_roles {
            return self.core.respond(asker.id, Status::new(Code::NOT_JOINED));
        }
        let mut lists: [Vec<Mapping>; 3] = Default::default();
        for place in self.group.joined.keys().take(MAX_LISTED) {
            let user = &place.user;
            let seat = self.group.people.get(user).and_then(|p| p.seat.as_ref());
            let shows = seat.is_some_and(super::person::Seat::shows_id);
            let list = match self.group.rank(user) {
                Some(Role::Admin) if sees_roles => &mut lists[0],
                Some(Role::Moderator) if sees_roles => &mut lists[1],
                _ => &mut lists[2],
            };
            list.push(Mapping {
                screen_name: Some(self.group.shown(user)),
                user: shows.then(|| UserId { user: user.clone() }),
            });
        }
        let list = |mappings: Vec<Mapping>| {
            let mappings = Some(mappings);
            let map = Some(UserMapList { mappings });
            MappingList { map }
        };
        let [admins, moderators, users] = lists;
        let response = GetJoinedUsersResponse {
            status: Status::ok(),
            admins: sees_roles.then(|| list(admins)),
            moderators: sees_roles.then(|| list(moderators)),
            users: Some(list(users)),
            blocked: None,
        };
        self.core.respond(asker.id, response);
    }

    /// Tells the properties: of the group to those who know it, or to all if search finds it.
    pub(super) fn properties(&mut self, asker: &Asker) {
        let user = &asker.user;
        let properties = &self.group.sheet.properties;
        let is_known = self.group.rank(user).is_some() || self.group.is_joined(user);
        if !is_known && !properties.searchable {
            return self.core.respond(asker.id, Status::new(NO_PRIVILEGE));
        }
        let mut listed = properties.listed(self.group.is_public(), self.group.joined.len());
        if !is_known {
            listed.welcome = None;
        }
        let response = GetGroupPropsResponse {
            status: Status::ok(),
            properties: Some(listed),
            own: Some(self.group.own(user)),
        };
        self.core.respond(asker.id, response);
    }

    /// Sets properties, the group's and the user's own: each whole, or not at all.
    pub(super) fn set_properties(&mut self, asker: &Asker, request: &SetGroupPropsRequest) {
        let of_group = request.properties.as_ref();
        let settings = &self.core.settings;
        let new = of_group.map(|given| {
            if self.group.administers(&asker.user) {
                self.group.sheet.properties.with(given, settings)
            } else {
                Err(NO_PRIVILEGE)
            }
        });
        let seat = self.group.people.get(&asker.user);
        let seat = seat.and_then(|person| person.seat.as_ref());
        let own = request.own.as_ref().map(|given| match seat {
            Some(seat) => seat.own.with(given),
            None => Err(Code::NOT_JOINED),
        });
        let status = verdict(
            new.as_ref()
                .map(|new| new.as_ref().map(|_| ()).map_err(|code| *code)),
            own.as_ref()
                .map(|own| own.as_ref().map(|_| ()).map_err(|code| *code)),
        );
        self.core.respond(asker.id, status);
        if let Some(Ok(own)) = own {
            self.set_own(&asker.user, own);
        }
        if let (Some(Ok(new)), Some(given)) = (new, of_group) {
            let was_restricted = self.group.sheet.properties.restricted;
            if new == self.group.sheet.properties {
                return;
            }
            self.group.sheet.properties = new;
            self.group.save(self.core);
            if let Some(at) = self.group.ends() {
                let timer = Timer::Group(self.group.name.clone());
                self.core.timers.insert((at, timer));
            }
            let change = Change {
                properties: Some(given.clone()),
                ..Change::default()
            };
            Changes::of(self.group, self.core, self.now).tell(change, None);
            if self.group.sheet.properties.restricted && !was_restricted {
                self.restrict();
            }
        }
    }

    /// Makes all leave who are no members.
    fn restrict(&mut self) {
        let joined = self.group.joined.keys().map(|place| &place.user);
        let strangers = joined.filter(|user| self.group.rank(user).is_none());
        let strangers: Vec<Address> = strangers.cloned().collect();
        Joining::of(self.group, self.core, self.now).expel(&strangers, NO_PRIVILEGE);
    }

    fn set_own(&mut self, user: &Address, own: Own) {
        self.group.change(self.core, user, |person| {
            if let Some(seat) = &mut person.seat {
                seat.own = own;
            }
        });
    }

    fn set_role(&mut self, user: &Address, role: Option<Role>) {
        self.group
            .change(self.core, user, |person| person.role = role);
    }

    fn may_be_member(&self, user: &Address) -> Result<(), Code> {
        if !is_user(user) {
            Err(Code::UNKNOWN_USER)
        } else if self.group.rank(user).is_none()
            && self.group.members >= self.core.settings.max_members
        {
            Err(FULL)
        } else {
            Ok(())
        }
    }

    /// The users of a list, each once, with a domain.
    fn listed(&self, users: Option<&[UserId]>) -> Vec<Address> {
        let users = users
            .unwrap_or_default()
            .iter()
            .map(|id| self.core.at_home(&id.user));
        let mut seen = BTreeSet::new();
        users.filter(|user| seen.insert(user.clone())).collect()
    }

    fn done(&mut self, asker: &Asker, targets: usize, failures: Vec<(Code, Address)>) {
        let status = if targets == 0 {
            Status::new(Code::BAD_PARAMETER).because("Nobody is named.")
        } else {
            Status::of_users(targets, failures)
        };
        self.core.respond(asker.id, status);
    }
}

fn is_user(address: &Address) -> bool {
    address.is_valid() && address.kind() == Kind::User
}

/// The answer to a change of properties, of the group and of the user: `None` if there was none of
/// them.
fn verdict(group: Option<Result<(), Code>>, own: Option<Result<(), Code>>) -> Status {
    let detailed = |code: Code, details: &[Code]| Status {
        details: details
            .iter()
            .map(|code| DetailedResult::new(*code))
            .collect(),
        ..Status::new(code)
    };
    match (group, own) {
        (None, None) => Status::new(Code::BAD_PARAMETER).because("No property is named."),
        (Some(Err(code)), None) | (None, Some(Err(code))) => Status::new(code),
        (Some(Err(group)), Some(Err(own))) => detailed(Code::MULTIPLE, &[group, own]),
        (Some(Err(code)), Some(Ok(()))) | (Some(Ok(())), Some(Err(code))) => {
            detailed(Code::PARTIAL, &[code])
        }
        _ => Status::ok(),
    }
}
