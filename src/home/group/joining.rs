//! Joining and leaving a group, and being made to leave (wire profile, 9.4.1 to 9.4.4).

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, Property, ScreenName, User};
use crate::imps::primitive::group::{JoinGroupRequest, JoinGroupResponse, LeaveGroupIndication};
use crate::imps::status::{Code, Status};
use crate::text::shown::steers;

use super::changes::{Change, Changes};
use super::core::Core;
use super::outgoing::{Audience, Distribution, Outgoing, addressed};
use super::person::{Own, Role, Seat};
use super::{
    ALREADY_JOINED, Asker, FULL, Group, MAX_SCREEN_NAME, NAME_TAKEN, NO_PRIVILEGE, REJECTED_USER,
    records,
};

/// The requestor is joined to too many groups, or owns too many.
pub(super) const TOO_MANY_GROUPS: Code = Code(814);
/// Names told to one who joins: a hint, which `GetJoinedUsersRequest` makes complete.
const MAX_NAMES: usize = 1000;

/// Who comes and goes.
pub(super) struct Joining<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Joining<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    pub(super) fn join(&mut self, asker: &Asker, request: &JoinGroupRequest) {
        let user = &asker.user;
        let name = request.screen_name.as_ref();
        let seat = self
            .may_join(user)
            .and_then(|()| self.seat(user, name, request.own.as_deref()));
        let seat = match seat {
            Ok(seat) => seat,
            Err(code) => return self.core.respond(asker.id, Status::new(code)),
        };
        let role = self.becomes_member(user).then_some(Role::User);
        self.sit(user, seat, request.subscribe);
        if role.is_some() {
            self.group
                .change(self.core, user, |person| person.role = role);
        }
        let joined = request.joined_list.then(|| {
            let names = self.group.joined.keys().take(MAX_NAMES);
            names.map(|place| self.group.shown(&place.user)).collect()
        });
        let response = JoinGroupResponse {
            status: Status::ok(),
            joined,
            welcome: self.group.sheet.properties.welcome_note(),
        };
        self.core.respond(asker.id, response);
        self.came(user);
    }

    /// What a user who joins gets: a name nobody has, and properties of their own.
    pub(super) fn seat(
        &mut self,
        user: &Address,
        name: Option<&ScreenName>,
        own: Option<&[Property]>,
    ) -> Result<Seat, Code> {
        let name = name.map(|name| name.name.trim());
        let name = name.filter(|name| !name.is_empty() && *name != user.bare());
        if let Some(name) = name {
            // An address is nobody's screen name: it would be taken for that user.
            let is_usable =
                name.len() <= MAX_SCREEN_NAME && !name.chars().any(|c| steers(c) || c == '@');
            if !is_usable {
                return Err(Code::BAD_PARAMETER);
            }
            if self.group.named(name).is_some() {
                return Err(NAME_TAKEN);
            }
        }
        Ok(Seat {
            since: 0,
            name: name.map(str::to_owned),
            subscribed: false,
            own: Own::default().with(own.unwrap_or_default())?,
        })
    }

    /// Seats a user; nobody is told yet.
    pub(super) fn sit(&mut self, user: &Address, seat: Seat, subscribed: bool) {
        let since = self.group.new_number(self.now);
        let seat = Seat {
            since,
            subscribed,
            ..seat
        };
        self.group
            .change(self.core, user, |person| person.seat = Some(seat));
    }

    /// Tells that a user has come, and them what was said before.
    fn came(&mut self, user: &Address) {
        let change = Change {
            joined: vec![self.group.shown(user)],
            ..Change::default()
        };
        Changes::of(self.group, self.core, self.now).tell(change, Some(user));
        if !self.group.sheet.properties.history {
            return;
        }
        let history = self.group.posts.history(self.now);
        let history: Vec<_> = history
            .map(|(kept, until)| (kept.primitive().clone(), until))
            .collect();
        for (message, until) in history {
            let message = addressed(message, vec![user.clone()]);
            Distribution::of(self.group, self.core, self.now).request(message, until);
        }
    }

    pub(super) fn leave(&mut self, asker: &Asker) {
        let code = if self.group.is_joined(&asker.user) {
            Code::OK
        } else {
            Code::NOT_JOINED
        };
        let answer = left(&self.group.address(self.core), code);
        self.core.respond(asker.id, answer);
        if code == Code::OK {
            self.unseat(std::slice::from_ref(&asker.user), None);
        }
    }

    /// Makes users leave who may not stay, and tells them why.
    pub(super) fn expel(&mut self, users: &[Address], code: Code) {
        let joined = users.iter().filter(|user| self.group.is_joined(user));
        let joined: Vec<Address> = joined.cloned().collect();
        if joined.is_empty() {
            return;
        }
        let notice = self.indication(code);
        for some in joined.chunks(self.core.settings.max_recipients.max(1)) {
            let notice = LeaveGroupIndication {
                users: some.iter().cloned().map(User::new).collect(),
                ..notice.clone()
            };
            let expires = self.now.plus(self.core.settings.validity);
            Distribution::of(self.group, self.core, self.now).request(notice.into(), expires);
        }
        self.unseat(&joined, Some(code));
    }

    /// Ends the group: nobody finds it any more, and all who are joined are told.
    pub(super) fn end(&mut self) {
        if self.group.sheet.closing {
            return;
        }
        self.group.sheet.closing = true;
        self.group.save(self.core);
        let notice = self.indication(Code::NO_GROUP);
        let outgoing = Outgoing {
            primitive: Box::new(notice.into()),
            audience: Audience::Joined,
            expires: self.now.plus(self.core.settings.validity),
            after: None,
        };
        Distribution::of(self.group, self.core, self.now).send(outgoing);
        self.forget_if_told();
    }

    /// Forgets a group that has ended, when all who were joined are told.
    pub(super) fn forget_if_told(&mut self) {
        if !self.group.sheet.closing || !self.group.outgoing.is_empty() || self.group.is_over {
            return;
        }
        self.core.acts(records::delete_all(self.group));
        self.core.forget_messages(&self.group.name);
        for place in self.group.joined.keys() {
            self.core.leaves(&place.user);
        }
        if let Some(owner) = &self.group.sheet.owner {
            self.core.owns_less(owner);
        }
        self.group.is_over = true;
    }

    fn may_join(&self, user: &Address) -> Result<(), Code> {
        let person = self.group.people.get(user);
        let properties = &self.group.sheet.properties;
        let settings = &self.core.settings;
        let most = properties.max_active_users.unwrap_or(usize::MAX);
        if self.group.is_joined(user) {
            Err(ALREADY_JOINED)
        } else if person.is_some_and(|person| person.rejected) {
            Err(REJECTED_USER)
        } else if properties.is_closed() && !self.is_let_in(user) {
            Err(NO_PRIVILEGE)
        } else if self.group.joined.len() >= most.min(settings.max_members)
            || self.becomes_member(user) && self.group.members >= settings.max_members
            || !self.has_share(user)
        {
            Err(FULL)
        } else if self.core.joined_by(user) >= settings.max_joined {
            Err(TOO_MANY_GROUPS)
        } else {
            Ok(())
        }
    }

    /// Whether a user's domain has still room in a group that is open: another one cannot fill it.
    /// Members, and who is invited, come in all the same.
    fn has_share(&self, user: &Address) -> bool {
        user.domain() == self.core.domain()
            || self.is_let_in(user)
            || self.group.count_of(user.domain()) < self.core.settings.max_of_domain
    }

    /// Whether a user may join a group that is not open to all.
    fn is_let_in(&self, user: &Address) -> bool {
        let person = self.group.people.get(user);
        let invited = person.and_then(|person| person.invited);
        self.group.rank(user).is_some() || invited.is_some_and(|until| until > self.now)
    }

    /// Whether a user who joins is put on the list of members: only they are in a restricted group.
    fn becomes_member(&self, user: &Address) -> bool {
        self.group.sheet.properties.restricted && self.group.rank(user).is_none()
    }

    /// Takes seats away. `code`: why they had to go, if they had to.
    fn unseat(&mut self, users: &[Address], code: Option<Code>) {
        let mut change = Change::default();
        for user in users {
            let name = self.group.shown(user);
            if code == Some(REJECTED_USER) {
                change.ejected.push(name);
            } else {
                change.left.push(name);
            }
            self.group
                .change(self.core, user, |person| person.seat = None);
        }
        if self.group.joined.is_empty() && self.group.sheet.properties.auto_delete {
            return self.end();
        }
        Changes::of(self.group, self.core, self.now).tell(change, None);
    }

    fn indication(&self, code: Code) -> LeaveGroupIndication {
        LeaveGroupIndication {
            meta: Some(MetaInfo::of_server(self.core.domain())),
            ..left(&self.group.address(self.core), code)
        }
    }
}

/// That a user is not, or no longer, in a group.
pub(super) fn left(group: &Address, code: Code) -> LeaveGroupIndication {
    LeaveGroupIndication {
        group: Some(group.clone()),
        meta: None,
        status: Status::new(code),
        reason: Some(String::new()),
        users: Vec::new(),
    }
}
