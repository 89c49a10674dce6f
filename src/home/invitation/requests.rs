//! Invitations of others: which of our users they are for, and who is speaking.

use crate::element::Time;
use crate::imps::address::{Address, Kind};
use crate::imps::common::Party;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::status::{Code, Status};
use crate::text::Shown;

use super::super::user::User;
use super::super::{Caller, Home};
use super::{Invited, Inviting, form};

/// What others want of users of ours.
pub(in crate::home) struct InvitationRequests<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> InvitationRequests<'a> {
    /// For this caller, at this time.
    pub(in crate::home) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Somebody invites a user of ours.
    pub(in crate::home) fn invite(&mut self, request: InviteRequest) {
        let status = self.invited(request).unwrap_or_else(|status| status);
        self.home.core.respond(self.caller.id, status);
    }

    /// Somebody withdraws an invitation of theirs.
    pub(in crate::home) fn cancel(&mut self, request: CancelInviteRequest) {
        let status = self.canceled(request).unwrap_or_else(|status| status);
        self.home.core.respond(self.caller.id, status);
    }

    /// Somebody answers an invitation of a user of ours. It is a notice: what nobody has asked for
    /// is dropped.
    pub(in crate::home) fn answer(&mut self, response: &InviteResponse) {
        let (now, id) = (self.now, &response.invite_id);
        let parties = [&response.inviting, &response.responding];
        let parties = parties.map(|party| {
            let party = party.as_ref();
            party.map(|party| self.home.core.at_home(party.address()))
        });
        // Of a participant of a group of ours, who is known by screen name.
        if let Some(user) = self.responder(response)
            && self.home.groups.invitation_answered(&user, response, now)
        {
            return;
        }
        // Some exchange the two.
        let [inviting, responding] = parties;
        let ways = [
            (inviting.clone(), responding.clone()),
            (responding, inviting),
        ];
        for (inviter, responder) in ways {
            let (Some(inviter), Some(responder)) = (inviter, responder) else {
                continue;
            };
            let is_speaking = self
                .caller
                .user
                .as_ref()
                .is_none_or(|user| *user == responder || responder.kind() == Kind::Resource);
            let Ok(name) = self.home.known_user(&inviter) else {
                continue;
            };
            let Home { users, core, .. } = &mut *self.home;
            if let Some(user) = users.get_mut(&name)
                && is_speaking
                && Inviting::of(user, core, now).hear(&responder, response)
            {
                return;
            }
        }
        tracing::debug!(
            domain = %Shown(&self.caller.domain), invitation = %Shown(id),
            "an answer to an invitation that nobody waits for; dropped"
        );
    }

    /// The user who answers: who asks, or else the one of the asking domain. Nobody, if this domain
    /// itself hands on what somebody has answered.
    fn responder(&self, response: &InviteResponse) -> Option<Address> {
        if let Some(user) = &self.caller.user {
            return Some(user.clone());
        }
        let domain = &self.caller.domain;
        if domain == self.home.core.domain() {
            return None;
        }
        let parties = response.inviting.iter().chain(&response.responding);
        let users = parties.filter(|party| matches!(party, Party::User(_)));
        let mut users = users.map(|party| party.address().clone().or_domain(domain));
        users.find(|user| user.domain() == domain)
    }

    fn invited(&mut self, mut request: InviteRequest) -> Result<Status, Status> {
        form::check(&request)?;
        let inviter = self.speaker(request.inviting.as_ref())?;
        request.note = form::note(request.note);
        let now = self.now;
        let (user, core) = self.target(request.invited.as_ref(), "Nobody is invited.")?;
        Invited::of(user, core, now).receive(inviter, request)
    }

    fn canceled(&mut self, request: CancelInviteRequest) -> Result<Status, Status> {
        let inviter = self.speaker(request.canceling.as_ref())?;
        let now = self.now;
        let why = "The request says nobody whose invitation is withdrawn.";
        let (user, core) = self.target(request.canceled.as_ref(), why)?;
        Invited::of(user, core, now).withdraw(&inviter, request)
    }

    /// The user of ours that a party names.
    fn target(
        &mut self,
        party: Option<&Party>,
        nobody: &str,
    ) -> Result<(&mut User, &mut super::super::core::Core), Status> {
        let Some(party) = party else {
            return Err(Status::new(Code::BAD_PARAMETER).because(nobody));
        };
        let address = self.home.core.at_home(party.address());
        let name = self.home.known_user(&address).map_err(Status::new)?;
        let Home { users, core, .. } = &mut *self.home;
        match users.get_mut(&name) {
            Some(user) if user.has_account() => Ok((user, core)),
            _ => Err(Status::new(Code::UNAUTHORIZED_RECIPIENT)),
        }
    }

    /// Who invites: the party must be who asks.
    fn speaker(&self, party: Option<&Party>) -> Result<Address, Status> {
        let asking = self.caller.user.as_ref();
        let named = party.map(|party| party.address().clone().or_domain(&self.caller.domain));
        let claimed = asking.map_or(self.caller.domain.as_str(), Address::domain);
        match (named, asking) {
            // A participant of a group, behind whom stands who asks, or the group.
            (Some(named), Some(asking)) if named.kind() == Kind::Resource => Ok(asking.clone()),
            (Some(named), None)
                if matches!(party, Some(Party::ScreenName(_))) && named.domain() == claimed =>
            {
                Ok(named)
            }
            (Some(named), Some(asking)) if named != *asking => {
                let why = "The inviter is not the one who asks.";
                Err(Status::new(Code::INVALID_USER).because(why))
            }
            (Some(named), _) if named.kind() != Kind::User || named.domain() != claimed => {
                Err(Status::new(Code::ADDRESS))
            }
            (Some(named), _) => Ok(named),
            (None, Some(asking)) => Ok(asking.clone()),
            (None, None) => Err(Status::new(Code::INVALID_USER).because("Nobody is inviting.")),
        }
    }
}
