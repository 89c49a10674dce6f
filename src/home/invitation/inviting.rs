//! The inviter's side: a user of ours invites, withdraws an invitation, and hears the answer.
//!
//! Who may invite into a group of this domain, or of the provider of its groups, says the group: it
//! is asked before anybody is invited, and notes whom it has to let in. It is asked by the same primitive, whose `Invited` is
//! then a participant of the group who is called as the invitee's address.

use std::time::Duration;

use crate::element::{Act, Time, seconds, validity};
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{GroupId, MetaInfo, Party, ScreenName, User as UserElement};
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::status::{Code, Status};

use super::super::core::{Asked, Asker, Core};
use super::super::notices::Notices;
use super::super::session::{Session, too_many};
use super::super::user::User;
use super::invitations::{Invitation, Side};
use super::invited::unknown;
use super::{Book, Invited, form};

/// What a user has invited others to.
pub(in crate::home) struct Inviting<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Inviting<'a> {
    /// Of this user, at this time.
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// A client invites somebody.
    pub(in crate::home) fn invite(&mut self, asker: Asker, mut request: InviteRequest) {
        let own = self.user.address(self.core);
        request.meta = Some(MetaInfo::of_user(self.core.domain(), own.clone()));
        request.inviting = Some(Party::User(UserElement::new(own)));
        if let Some(party) = &mut request.invited {
            self.complete(party);
        }
        let (invitee, is_known) = match self.may_invite(&request) {
            Ok(may) => may,
            Err(status) => return self.core.answer(asker, status),
        };
        if is_known {
            return self.core.answer(asker, Status::ok());
        }
        if !self.user.may_ask(self.core) {
            return self.core.answer(asker, too_many());
        }
        match self.to_group(&request, &invitee) {
            Some(to_group) => {
                let asked = Asked::Admission {
                    invitation: Box::new(request.into()),
                };
                self.ask(asker, asked, to_group);
            }
            None => self.send(asker, request),
        }
    }

    /// The group was asked whether the user may invite.
    pub(in crate::home) fn admitted(
        &mut self,
        asker: Option<Asker>,
        invitation: Primitive,
        answer: Primitive,
    ) {
        let is_admitted = answer
            .verdict()
            .is_some_and(|status| status.effective().is_success());
        match (invitation, asker) {
            (Primitive::InviteRequest(request), Some(asker)) if is_admitted => {
                self.send(asker, *request);
            }
            (_, asker) => Session::of(self.user, self.core, self.now).answered(asker, answer),
        }
    }

    /// The invitee's side has answered that it has the invitation, or why it has not. If the client
    /// that asked is gone, others hear of a failure as if the invitee had declined.
    pub(in crate::home) fn answered(
        &mut self,
        asker: Option<Asker>,
        number: u64,
        answer: Primitive,
    ) {
        let status = answer.verdict().cloned();
        let status = status.unwrap_or_else(|| Status::new(Code::INTERNAL));
        let code = status.effective();
        // Without an answer it may be there all the same.
        let has_failed = !code.is_success() && code != Code::TIMEOUT;
        let taken = if has_failed {
            Book::of(self.user, self.core).remove(number)
        } else {
            None
        };
        let failed = taken.as_ref().and_then(Invitation::request);
        if let Some(request) = failed {
            self.tell_group(request);
        }
        let here = |asker: &Asker| self.user.clients.contains_key(&asker.client);
        if asker.as_ref().is_some_and(here) {
            return Session::of(self.user, self.core, self.now).answered(asker, answer);
        }
        let Some(request) = failed else {
            return;
        };
        let refusal = InviteResponse {
            invite_id: request.invite_id.clone(),
            acceptance: false,
            meta: Some(MetaInfo::of_server(self.core.domain())),
            status: Some(super::super::notice::said(&status)),
            inviting: request.inviting.clone(),
            responding: request.invited.clone(),
            note: None,
            screen_name: None,
        };
        Notices::of(self.user, self.core, self.now).keep(refusal.into(), None);
    }

    /// A client withdraws an invitation.
    pub(in crate::home) fn cancel(&mut self, asker: Asker, request: CancelInviteRequest) {
        if let Err(status) = form::check_note(request.note.as_deref()) {
            return self.core.answer(asker, status);
        }
        let invitations = &self.user.invitations;
        let other = request.canceled.as_ref();
        let other = other.map(|party| self.core.at_home(party.address()));
        let number = match &other {
            Some(other) => invitations.find(Side::Inviter, other, &request.invite_id),
            None => invitations.find_only(Side::Inviter, &request.invite_id),
        };
        let known = number.and_then(|number| {
            let request = invitations.get(number)?.request()?.clone();
            Some((number, request))
        });
        let Some((number, known)) = known else {
            return self.core.answer(asker, unknown());
        };
        if !self.user.may_ask(self.core) {
            return self.core.answer(asker, too_many());
        }
        let mut book = Book::of(self.user, self.core);
        book.change(number, |one| one.withdrawn = true);
        book.unshare(number);
        self.tell_group(&known);
        let request = self.withdrawal(known, request.note);
        self.ask(asker, Asked::Other, request);
    }

    /// Somebody has answered an invitation. Says whether it is one of the user's that waits for that.
    pub(super) fn hear(&mut self, responder: &Address, response: &InviteResponse) -> bool {
        let found = self
            .user
            .invitations
            .find(Side::Inviter, responder, &response.invite_id);
        let Some(number) = found else {
            return false;
        };
        let known = self.user.invitations.get(number);
        let Some(known) = known.filter(|one| !one.has_ended() && one.until > self.now) else {
            return false;
        };
        let request = known.request().cloned();
        let accepted = response.acceptance;
        let invited = request
            .as_ref()
            .and_then(|request| request.invited.as_ref());
        // Each participant of a group answers for themselves.
        let is_of_many = matches!(invited, Some(Party::Group(_)));
        if let Some(request) = request.as_ref().filter(|_| !accepted) {
            self.tell_group(request);
        }
        let (inviting, responding) =
            request.map_or((None, None), |request| (request.inviting, request.invited));
        if !is_of_many {
            Book::of(self.user, self.core).change(number, |one| one.accepted = Some(accepted));
        }
        let responding = match &response.responding {
            Some(participant @ Party::ScreenName(_)) if is_of_many => Some(participant.clone()),
            _ => responding,
        };
        let notice = InviteResponse {
            invite_id: response.invite_id.clone(),
            acceptance: accepted,
            meta: Some(MetaInfo::of_user(responder.domain(), responder.clone())),
            status: response.status.as_ref().map(super::super::notice::said),
            inviting,
            responding,
            note: form::note(response.note.clone()),
            screen_name: response.screen_name.clone(),
        };
        Notices::of(self.user, self.core, self.now).keep(notice.into(), None);
        true
    }

    /// The user is no more: nothing that they have shared or proposed stands any longer.
    pub(in crate::home) fn end_all(&mut self) {
        for number in self.user.invitations.numbers() {
            let Some(invitation) = self.user.invitations.get(number) else {
                continue;
            };
            if invitation.side == Side::Invitee {
                Invited::of(self.user, self.core, self.now).end(number);
                continue;
            }
            let is_open = !invitation.withdrawn;
            let request = invitation.request().filter(|_| is_open).cloned();
            if let Some(request) = request {
                let request = self.withdrawal(request, None);
                self.core.send(request, self.now);
            }
            Book::of(self.user, self.core).remove(number);
        }
        self.core.act(Act::Unshare {
            user: self.user.name.clone(),
            urls: None,
        });
    }

    /// Whether a client's invitation can be sent: whom it is for, and whether it was sent before.
    fn may_invite(&self, request: &InviteRequest) -> Result<(Address, bool), Status> {
        form::check(request)?;
        form::check_note(request.note.as_deref())?;
        let service = form::service(request);
        if service.is_some_and(|service| !self.user.may_use(self.core, service)) {
            return Err(Status::new(Code::NOT_AGREED).because("The service is not active."));
        }
        let Some(party) = &request.invited else {
            return Err(Status::new(Code::BAD_PARAMETER).because("Nobody is invited."));
        };
        let invitee = self.core.at_home(party.address());
        if !invitee.is_valid() || invitee.kind() == Kind::Service {
            return Err(Status::new(Code::ADDRESS).because("The address names nobody."));
        }
        if invitee == self.user.address(self.core) {
            let why = "The user invites themselves.";
            return Err(Status::new(Code::BAD_PARAMETER).because(why));
        }
        let (id, invitations) = (&request.invite_id, &self.user.invitations);
        let known = invitations.find(Side::Inviter, &invitee, id);
        let known = known.and_then(|number| invitations.get(number));
        match known {
            None => Ok((invitee, false)),
            Some(known) if known.request() == Some(request) && !known.withdrawn => {
                Ok((invitee, true))
            }
            Some(_) => {
                let why = "The id is that of another invitation.";
                Err(Status::new(Code::INVALID_INVITATION).because(why))
            }
        }
    }

    /// Sends an invitation, which is kept until its end.
    fn send(&mut self, asker: Asker, request: InviteRequest) {
        // While the group was asked, something may have come between.
        let invitee = match self.may_invite(&request) {
            Ok((invitee, false)) => invitee,
            Ok(_) => return self.core.answer(asker, Status::ok()),
            Err(status) => return self.core.answer(asker, status),
        };
        let until = self.now.plus(self.validity(&request));
        let invitation = Invitation::new(Side::Inviter, invitee, until, request.clone());
        let mut book = Book::of(self.user, self.core);
        if let Err(status) = book.make_room(&invitation) {
            return self.core.answer(asker, status);
        }
        let number = book.add(invitation, self.now);
        self.ask(asker, Asked::Invitation { number }, request);
    }

    /// Asks a group of this domain, or of the provider of the user's groups, whether the user may
    /// invite into it; `None` for any other invitation.
    fn to_group(&self, request: &InviteRequest, invitee: &Address) -> Option<InviteRequest> {
        let group = &request.group.as_ref()?.group;
        let is_here = form::is_into_group(request)
            && self.has_groups_of_ours(group.domain())
            && invitee.kind() == Kind::User;
        is_here.then(|| InviteRequest {
            invited: Some(participant(group, invitee)),
            validity: seconds(self.validity(request)),
            ..request.clone()
        })
    }

    /// Whether groups of our users are at a domain.
    fn has_groups_of_ours(&self, domain: &str) -> bool {
        let own = self.core.domain();
        domain == own || self.core.settings.pse.find("CREAG", own) == Some(domain)
    }

    /// How long an invitation stands.
    fn validity(&self, request: &InviteRequest) -> Duration {
        let longest = self.core.settings.offline_validity;
        validity(Some(request.validity.into()), longest)
    }

    fn withdrawal(&self, known: InviteRequest, note: Option<String>) -> CancelInviteRequest {
        let own = self.user.address(self.core);
        CancelInviteRequest {
            invite_id: known.invite_id,
            meta: Some(MetaInfo::of_user(self.core.domain(), own)),
            canceling: known.inviting,
            canceled: known.invited,
            group: known.group,
            application: known.application,
            attributes: known.attributes,
            contents: known.contents,
            note,
            screen_name: known.screen_name,
        }
    }

    /// A group of this domain need not let in any more whom an invitation is for.
    fn tell_group(&mut self, known: &InviteRequest) {
        let Some(other) = known.invited.as_ref().map(Party::address) else {
            return;
        };
        if self.to_group(known, other).is_some()
            && let Some(group) = &known.group
        {
            let request = CancelInviteRequest {
                canceled: Some(participant(&group.group, other)),
                ..self.withdrawal(known.clone(), None)
            };
            self.core.send(request, self.now);
        }
    }

    /// Puts the domain into the address of a party of this one.
    fn complete(&self, party: &mut Party) {
        let (Party::User(UserElement { user: address, .. })
        | Party::Group(GroupId { group: address })
        | Party::ScreenName(ScreenName { group: address, .. })) = party;
        *address = self.core.at_home(address);
    }

    fn ask(&mut self, asker: Asker, asked: Asked, primitive: impl Into<Primitive>) {
        let expires = self.now.plus(self.core.settings.request_validity);
        self.user
            .ask(self.core, Some(asker), asked, primitive, expires);
    }
}

/// A participant of a group, called as somebody's address.
fn participant(group: &Address, user: &Address) -> Party {
    Party::ScreenName(ScreenName {
        group: group.clone(),
        name: user.bare().to_owned(),
    })
}
