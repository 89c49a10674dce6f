//! Who may invite into a group, and whom an invitation lets in (WVFF, 7.2.3); invitations between
//! those who are joined.
//!
//! The home domain of a user who invites asks the group first, by an `InviteRequest` to a participant
//! who is called as the invitee's address. The group tells nobody of it: it says whether the inviter
//! may, and remembers whom it has to let in, until the invitation ends or is withdrawn.
//!
//! Those who are joined invite each other by screen names, or all of them at once, to whatever
//! there are invitations to. The group hands such an invitation on in the name of the participant,
//! to each user by their address, and hands the answers back in the same manner: nobody hears the
//! address of anybody. It keeps nothing of it.

use crate::element::{self, Time};
use crate::imps::address::{Address, Kind};
use crate::imps::common::{MetaInfo, Party, ScreenName, User};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::status::{Code, Status};

use super::core::Core;
use super::messages::Target;
use super::outgoing::Distribution;
use super::person::Role;
use super::{Asker, FULL, Group, NO_PRIVILEGE, REJECTED_USER};

/// So many are invited at once at most; our choice.
const MOST_AT_ONCE: usize = 100;

/// Invitations into a group, and in it.
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

    /// Says whether a user may invite another one, who may join from then on, or hands an invitation
    /// to participants on.
    pub(super) fn invite(&mut self, asker: &Asker, request: &InviteRequest) {
        let code = match self.invitees(&asker.user, request.invited.as_ref()) {
            Ok(Invitees::ToLetIn(user)) => self.admit(asker, &user, request.validity),
            Ok(Invitees::Joined(users)) => {
                let longest = self.core.settings.validity;
                let validity = element::validity(Some(request.validity.into()), longest);
                let until = self.now.plus(validity);
                let inviting = Some(self.participant(&asker.user));
                self.hand_on(users, until, |meta, invited| InviteRequest {
                    meta,
                    inviting: inviting.clone(),
                    invited,
                    ..request.clone()
                });
                Code::OK
            }
            Err(code) => code,
        };
        self.core.respond(asker.id, Status::new(code));
    }

    /// An invitation is withdrawn, or was declined. Who has joined stays.
    pub(super) fn withdraw(&mut self, asker: &Asker, request: &CancelInviteRequest) {
        let code = match self.invitees(&asker.user, request.canceled.as_ref()) {
            Ok(Invitees::ToLetIn(user)) => match self.may_invite(&asker.user) {
                Ok(()) => {
                    self.group
                        .change(self.core, &user, |person| person.invited = None);
                    Code::OK
                }
                Err(code) => code,
            },
            Ok(Invitees::Joined(users)) => {
                let until = self.now.plus(self.core.settings.validity);
                let canceling = Some(self.participant(&asker.user));
                self.hand_on(users, until, |meta, canceled| CancelInviteRequest {
                    meta,
                    canceling: canceling.clone(),
                    canceled,
                    ..request.clone()
                });
                Code::OK
            }
            Err(code) => code,
        };
        self.core.respond(asker.id, Status::new(code));
    }

    /// A user has answered the invitation of a participant. Says whether both are here.
    pub(super) fn answered(&mut self, responder: &Address, response: &InviteResponse) -> bool {
        let mut parties = response.inviting.iter().chain(&response.responding);
        let named = parties.find_map(|party| match party {
            Party::ScreenName(name) => self.shown_as(&name.name),
            _ => None,
        });
        let Some(inviter) = named.filter(|_| self.group.is_joined(responder)) else {
            return false;
        };
        let responding = self.participant(responder);
        let until = self.now.plus(self.core.settings.validity);
        self.hand_on(vec![inviter], until, |meta, inviting| InviteResponse {
            meta,
            inviting,
            responding: Some(responding.clone()),
            ..response.clone()
        });
        true
    }

    /// Sends something to each of them, from this domain.
    fn hand_on<P: Into<Primitive>>(
        &mut self,
        to: Vec<Address>,
        until: Time,
        made: impl Fn(Option<MetaInfo>, Option<Party>) -> P,
    ) {
        for user in to {
            let meta = Some(MetaInfo::of_server(self.core.domain()));
            let primitive = made(meta, Some(Party::User(User::new(user)))).into();
            Distribution::of(self.group, self.core, self.now).request(primitive, until);
        }
    }

    /// The participant whom others see under this name; without screen name it is the address.
    fn shown_as(&self, name: &str) -> Option<Address> {
        let user = self.group.named(name).cloned();
        let user = user.unwrap_or_else(|| Address::new(name));
        self.group.is_joined(&user).then_some(user)
    }

    /// A participant, as others see them.
    fn participant(&self, user: &Address) -> Party {
        Party::ScreenName(ScreenName {
            group: self.group.address(self.core),
            name: self.group.shown(user),
        })
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

    /// Who is invited: somebody called by an address, which is nobody's screen name, or participants.
    fn invitees(&self, from: &Address, party: Option<&Party>) -> Result<Invitees, Code> {
        let name = match party {
            Some(Party::ScreenName(name)) => Some(&name.name),
            _ => None,
        };
        if let Some(name) = name.filter(|name| name.contains('@')) {
            let user = Address::new(name.trim());
            return if user.is_valid() && user.kind() == Kind::User {
                Ok(Invitees::ToLetIn(user))
            } else {
                Err(Code::UNKNOWN_USER)
            };
        }
        if !self.group.is_joined(from) {
            return Err(Code::NOT_JOINED);
        }
        if let Some(name) = name {
            let user = Target::participant(self.group, from, name)?;
            return Ok(Invitees::Joined(vec![user]));
        }
        let others = self.group.joined.keys().map(|place| &place.user);
        let others = others.filter(|user| *user != from);
        let others: Vec<Address> = others.take(MOST_AT_ONCE + 1).cloned().collect();
        if others.len() > MOST_AT_ONCE {
            return Err(Code::QUEUE_FULL);
        }
        Ok(Invitees::Joined(others))
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

/// Whom an invitation is for.
enum Invitees {
    /// A user whom the group lets in.
    ToLetIn(Address),
    /// Users who are joined.
    Joined(Vec<Address>),
}
