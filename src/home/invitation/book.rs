//! A user's invitations as records, within their bounds.

use crate::element::{Act, Time};
use crate::imps::status::{Code, Status};

use super::super::core::{Core, Timer};
use super::super::records;
use super::super::user::User;
use super::invitations::{Invitation, Side};

/// The invitations of one user.
pub(in crate::home) struct Book<'a> {
    user: &'a mut User,
    core: &'a mut Core,
}

impl<'a> Book<'a> {
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core) -> Self {
        Self { user, core }
    }

    /// Makes room for one more. Those of which nothing can come any more give way.
    ///
    /// # Errors
    /// There is none: the answer to who invites.
    pub(super) fn make_room(&mut self, invitation: &Invitation) -> Result<(), Status> {
        while !self.has_room(invitation) {
            let Some(ended) = self.user.invitations.first_ended(invitation.side) else {
                let why = "Too many invitations wait for an answer.";
                return Err(Status::new(Code::QUEUE_FULL).because(why));
            };
            self.remove(ended);
        }
        Ok(())
    }

    /// Users of one other domain have at most half of what a user may receive.
    fn has_room(&self, invitation: &Invitation) -> bool {
        let (settings, own) = (&self.core.settings, &self.user.invitations);
        let (side, domain) = (invitation.side, invitation.other.domain());
        let most = settings.max_invitations;
        let share = side == Side::Invitee && domain != self.core.domain();
        let bytes = invitation.bytes();
        own.count(side, None) < most
            && (!share || own.count(side, Some(domain)) < most.div_ceil(2))
            && own.bytes() + bytes <= settings.max_invitation_bytes
            && self.core.invitation_bytes + bytes <= settings.max_all_invitation_bytes
    }

    /// Keeps a new one. Says its number.
    pub(super) fn add(&mut self, invitation: Invitation, now: Time) -> u64 {
        let number = self.user.new_number(now);
        let act = records::put_invitation(&self.user.name, number, &invitation);
        self.core.act(act);
        self.put(number, invitation);
        number
    }

    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Invitation)) {
        let Some(mut invitation) = self.user.invitations.get(number).cloned() else {
            return;
        };
        change(&mut invitation);
        let act = records::put_invitation(&self.user.name, number, &invitation);
        self.core.act(act);
        self.user.invitations.insert(number, invitation);
    }

    /// One was withdrawn: what it has shared is shared no more, unless another one shares it too.
    pub(in crate::home) fn unshare(&mut self, number: u64) {
        let withdrawn = self
            .user
            .invitations
            .get(number)
            .filter(|one| one.withdrawn);
        let request = withdrawn.and_then(Invitation::request);
        let contents = request.and_then(|request| request.contents.as_ref());
        let urls = contents.into_iter().flatten().map(|content| &content.url);
        let urls = urls.filter(|url| !self.user.invitations.shares(url));
        let urls: Vec<String> = urls.cloned().collect();
        if !urls.is_empty() {
            self.core.act(Act::Unshare {
                user: self.user.name.clone(),
                urls: Some(urls),
            });
        }
    }

    /// Takes one back. If it was withdrawn, a killed process may not have deleted what it shared.
    pub(in crate::home) fn restore(&mut self, number: u64, invitation: Invitation) {
        if invitation.withdrawn {
            let timer = Timer::Unshare(self.user.name.clone(), number);
            self.core.timers.insert((Time(0), timer));
        }
        self.put(number, invitation);
    }

    /// Puts one at its number; nothing is written.
    fn put(&mut self, number: u64, invitation: Invitation) {
        let timer = Timer::Invitation(self.user.name.clone(), number);
        self.core.timers.insert((invitation.until, timer));
        self.core.invitation_bytes += invitation.bytes();
        self.user.invitations.insert(number, invitation);
    }

    /// Forgets one: its validity is over, or it gives way.
    pub(in crate::home) fn remove(&mut self, number: u64) -> Option<Invitation> {
        let invitation = self.user.invitations.remove(number)?;
        self.core.invitation_bytes -= invitation.bytes();
        let timer = Timer::Invitation(self.user.name.clone(), number);
        self.core.timers.remove(&(invitation.until, timer));
        let act = records::delete_invitation(&self.user.name, number);
        self.core.act(act);
        Some(invitation)
    }
}
