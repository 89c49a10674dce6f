//! The invitee's side: a user of ours is invited, answers, and hears that an invitation was
//! withdrawn.

use std::time::Duration;

use crate::element::{Time, validity};
use crate::imps::address::Address;
use crate::imps::common::{MetaInfo, Party, User as UserElement};
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::status::{Code, Status};

use super::super::core::{Asker, Core};
use super::super::feeds::Feeds;
use super::super::notices::Notices;
use super::super::user::User;
use super::invitations::{Invitation, Side};
use super::{Book, form};

/// The answer to an invitation that is about to end is worth sending for so long.
const ANSWER_LASTS: Duration = Duration::from_secs(60);

/// What others have invited a user to.
pub(in crate::home) struct Invited<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Invited<'a> {
    /// Of this user, at this time.
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Takes an invitation, which waits until the user answers it or it ends. Who is not admitted
    /// sees what they would see if the user never answered.
    pub(super) fn receive(
        &mut self,
        inviter: Address,
        request: InviteRequest,
    ) -> Result<Status, Status> {
        let service = form::service(&request);
        if service.is_some_and(|service| !self.user.may_use(self.core, service)) {
            return Err(Status::new(Code::UNAUTHORIZED_RECIPIENT));
        }
        if self.blocks(&inviter, request.inviting.as_ref()) {
            return Ok(Status::ok());
        }
        let own = self.user.address(self.core);
        let request = InviteRequest {
            meta: Some(MetaInfo::of_user(inviter.domain(), inviter.clone())),
            invited: Some(Party::User(UserElement::new(own))),
            inviting: request
                .inviting
                .or_else(|| Some(Party::User(UserElement::new(inviter.clone())))),
            ..request
        };
        let (id, invitations) = (&request.invite_id, &self.user.invitations);
        if let Some(number) = invitations.find(Side::Invitee, &inviter, id) {
            let known = invitations.get(number).and_then(Invitation::request);
            return if known == Some(&request) {
                Ok(Status::ok())
            } else {
                let why = "The id is that of another invitation.";
                Err(Status::new(Code::INVALID_INVITATION).because(why))
            };
        }
        let longest = self.core.settings.offline_validity;
        let validity = validity(Some(request.validity.into()), longest);
        let until = self.now.plus(validity);
        let invitation = Invitation::new(Side::Invitee, inviter, until, request);
        let mut book = Book::of(self.user, self.core);
        book.make_room(&invitation)?;
        let number = book.add(invitation, self.now);
        Feeds::of(self.user, self.core, self.now).invite(number);
        Ok(Status::ok())
    }

    /// The inviter has withdrawn an invitation, answered or not.
    pub(super) fn withdraw(
        &mut self,
        inviter: &Address,
        request: CancelInviteRequest,
    ) -> Result<Status, Status> {
        let found = self
            .user
            .invitations
            .find(Side::Invitee, inviter, &request.invite_id);
        let Some(number) = found else {
            return if self.blocks(inviter, request.canceling.as_ref()) {
                Ok(Status::ok())
            } else {
                Err(unknown())
            };
        };
        let taken = Book::of(self.user, self.core).remove(number);
        let own = self.user.address(self.core);
        // Its own words; of the rest what the invitation has said.
        let known = taken.as_ref().and_then(Invitation::request).cloned();
        let Some(known) = known else {
            return Ok(Status::ok());
        };
        let notice = CancelInviteRequest {
            invite_id: request.invite_id,
            meta: Some(MetaInfo::of_user(inviter.domain(), inviter.clone())),
            canceling: known.inviting,
            canceled: Some(Party::User(UserElement::new(own))),
            group: known.group,
            application: known.application,
            attributes: known.attributes,
            contents: known.contents,
            note: form::note(request.note),
            screen_name: None,
        };
        Notices::of(self.user, self.core, self.now).keep(notice.into(), None);
        Ok(Status::ok())
    }

    /// A client answers an invitation.
    pub(in crate::home) fn respond(&mut self, asker: Asker, response: InviteResponse) {
        let status = self.responded(response).unwrap_or_else(|status| status);
        self.core.answer(asker, status);
    }

    fn responded(&mut self, response: InviteResponse) -> Result<Status, Status> {
        form::check_note(response.note.as_deref())?;
        let invitations = &self.user.invitations;
        let id = &response.invite_id;
        let inviter = response.inviting.as_ref();
        let inviter = inviter.map(|party| self.core.at_home(party.address()));
        let number = match &inviter {
            Some(inviter) => invitations.find(Side::Invitee, inviter, id),
            None => invitations.find_only(Side::Invitee, id),
        };
        let known = number.and_then(|number| Some((number, invitations.get(number)?)));
        let (number, known) = known.ok_or_else(unknown)?;
        if known.until <= self.now {
            return Err(unknown());
        }
        match known.accepted {
            Some(before) if before == response.acceptance => return Ok(Status::ok()),
            Some(_) => {
                let why = "The invitation was answered before.";
                return Err(Status::new(Code::INVALID_INVITATION).because(why));
            }
            None => {}
        }
        let inviting = known.request().and_then(|request| request.inviting.clone());
        let expires = known.until.max(self.now.plus(ANSWER_LASTS));
        let accepted = response.acceptance;
        let own = self.user.address(self.core);
        let answer = InviteResponse {
            meta: Some(MetaInfo::of_user(self.core.domain(), own.clone())),
            status: Some(Status::new(verdict(accepted))),
            inviting,
            responding: Some(Party::User(UserElement::new(own))),
            ..response
        };
        Book::of(self.user, self.core).change(number, |one| one.accepted = Some(accepted));
        let token = self.core.token();
        self.core.act(crate::element::Act::Request {
            token,
            primitive: answer.into(),
            expires,
        });
        Ok(Status::ok())
    }

    /// The user is no more: who has invited them hears that.
    pub(super) fn end(&mut self, number: u64) {
        let Some(invitation) = Book::of(self.user, self.core).remove(number) else {
            return;
        };
        let Some(request) = invitation.request().filter(|_| !invitation.has_ended()) else {
            return;
        };
        let own = self.user.address(self.core);
        let gone = Status::new(Code::UNKNOWN_USER).because("The user was removed.");
        let answer = InviteResponse {
            invite_id: request.invite_id.clone(),
            acceptance: false,
            meta: Some(MetaInfo::of_user(self.core.domain(), own.clone())),
            status: Some(gone),
            inviting: request.inviting.clone(),
            responding: Some(Party::User(UserElement::new(own))),
            note: None,
            screen_name: None,
        };
        self.core.send(answer, self.now);
    }

    fn blocks(&self, inviter: &Address, party: Option<&Party>) -> bool {
        let name = match party {
            Some(Party::ScreenName(name)) => Some(name.name.as_str()),
            _ => None,
        };
        !self.user.admits(self.core, inviter, name)
    }
}

/// There is no such invitation, or not any more.
pub(super) fn unknown() -> Status {
    Status::new(Code::INVALID_INVITATION)
}

/// What an answer says as a code; 404 is how others say no.
pub(super) fn verdict(accepted: bool) -> Code {
    if accepted { Code::OK } else { Code::NOT_FOUND }
}
