//! Who may invite into a group, and whom an invitation lets in (WVFF, 7.2.3).
//!
//! The home domain of a user who invites asks the group first, by an `InviteRequest` to a participant
//! who is called as the invitee's address. The group tells nobody of it: it says whether the inviter
//! may, and remembers whom it has to let in, until the invitation ends or is withdrawn.

use crate::element::{self, Time};
use crate::imps::address::{Address, Kind};
use crate::imps::common::Party;
use crate::imps::primitive::invitation::InviteRequest;
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::person::Role;
use super::{Asker, FULL, Group, NO_PRIVILEGE, REJECTED_USER};

/// Invitations into a group.
pub(super) struct Invites<'a> {
    group: &'a mut Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Invites<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a mut Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// Says whether a user may invite another one, who may join from then on.
    pub(super) fn invite(&mut self, asker: &Asker, request: &InviteRequest) {
        let status = match self.invitee(asker, request.invited.as_ref()) {
            Ok(user) => Status::new(self.admit(asker, &user, request.validity)),
            Err(status) => status,
        };
        self.core.respond(asker.id, status);
    }

    /// An invitation is withdrawn, or was declined. Who has joined stays.
    pub(super) fn withdraw(&mut self, asker: &Asker, party: Option<&Party>) {
        let status = match self.invitee(asker, party) {
            Ok(user) => match self.may_invite(&asker.user) {
                Ok(()) => {
                    self.group
                        .change(self.core, &user, |person| person.invited = None);
                    Status::ok()
                }
                Err(code) => Status::new(code),
            },
            Err(status) => status,
        };
        self.core.respond(asker.id, status);
    }

    fn admit(&mut self, asker: &Asker, user: &Address, validity: u32) -> Code {
        if let Err(code) = self.may_invite(&asker.user) {
            return code;
        }
        let person = self.group.people.get(user);
        if person.is_some_and(|person| person.rejected) {
            return REJECTED_USER;
        }
        // Others join without being let in.
        if !self.group.sheet.properties.is_closed() || self.group.rank(user).is_some() {
            return Code::OK;
        }
        let is_new = person.is_none_or(|person| person.invited.is_none());
        if is_new && !self.has_room() {
            return FULL;
        }
        let longest = self.core.settings.validity;
        let until = self
            .now
            .plus(element::validity(Some(validity.into()), longest));
        self.group.change(self.core, user, |person| {
            person.invited = person.invited.max(Some(until));
        });
        Code::OK
    }

    /// Who is in the group invites into one that is open; moderators into one that is not.
    fn may_invite(&self, user: &Address) -> Result<(), Code> {
        let rank = self.group.rank(user);
        if rank.is_none() && !self.group.is_joined(user) {
            Err(Code::NOT_JOINED)
        } else if self.group.sheet.properties.is_closed() && rank < Some(Role::Moderator) {
            Err(NO_PRIVILEGE)
        } else {
            Ok(())
        }
    }

    /// Who is invited: a participant called as an address, which is nobody's screen name.
    fn invitee(&self, asker: &Asker, party: Option<&Party>) -> Result<Address, Status> {
        let name = match party {
            Some(Party::ScreenName(name)) => Some(&name.name),
            _ => None,
        };
        if let Some(name) = name.filter(|name| name.contains('@')) {
            let user = Address::new(name.trim());
            return if user.is_valid() && user.kind() == Kind::User {
                Ok(user)
            } else {
                Err(Status::new(Code::UNKNOWN_USER))
            };
        }
        if !self.group.is_joined(&asker.user) {
            return Err(Status::new(Code::NOT_JOINED));
        }
        Err(match name {
            Some(name) if self.group.named(name).is_none() => Status::new(Code::UNDELIVERABLE),
            Some(_) => not_served("Participants are invited by their addresses."),
            None => not_served("A group cannot be invited as a whole."),
        })
    }

    /// Whether one more may be invited, after those whose invitations have ended are forgotten.
    fn has_room(&mut self) -> bool {
        let most = self.core.settings.max_invited;
        if self.group.invited < most {
            return true;
        }
        let people = self.group.people.iter();
        let ended = people.filter(|(_, person)| person.invited.is_some_and(|at| at <= self.now));
        let ended: Vec<Address> = ended.map(|(user, _)| user.clone()).collect();
        for user in ended {
            self.group
                .change(self.core, &user, |person| person.invited = None);
        }
        self.group.invited < most
    }
}

/// Said of invitations that a group does not hand on.
fn not_served(why: &str) -> Status {
    Status::new(Code::NOT_IMPLEMENTED).because(why)
}
