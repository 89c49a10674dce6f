//! Invitations of SSP users to XMPP users, and the answers.

use std::time::Duration;

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Id, Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use super::super::shared::Shared;
use super::book::{Book, Invitation, Way};
use super::{MAX_ID, VALIDITY};
use crate::element::Time;
use crate::imps::common::{Party, ScreenName, User};
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest};
use crate::imps::{Address, Code, Status};
use crate::text::shown::cut;
use crate::translate::invitation::{self, About, MAX_REASON, called, told};
use crate::translate::message::is_plain_id;
use crate::translate::stanza::print;

/// The status of an invitation that was declined.
pub(super) const DECLINED: Code = Code::NOT_FOUND;
/// The longest that an invitation may wait, seconds; our choice.
const LONGEST: u32 = 30 * VALIDITY;

/// Invitations of SSP users.
pub(super) struct Outbound<'a> {
    pub(super) book: &'a mut Book,
    pub(super) shared: &'a mut Shared,
    pub(super) now: Time,
}

impl Outbound<'_> {
    /// An SSP user invites an XMPP user; `occupant` is what they are in the room of XMPP into
    /// which they invite.
    pub(super) fn invite(
        &mut self,
        request: &InviteRequest,
        inviter: &Address,
        occupant: Option<Jid>,
    ) -> Status {
        let done = self.invited(request, inviter, occupant);
        Status::new(done.err().unwrap_or(Code::OK))
    }

    fn invited(
        &mut self,
        request: &InviteRequest,
        inviter: &Address,
        occupant: Option<Jid>,
    ) -> Result<(), Code> {
        let id = request.invite_id.trim();
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Code::BAD_PARAMETER);
        }
        let translator = self.shared.translator.clone();
        if let Some(Party::User(invited)) = &request.invited
            && let Ok(jid) = translator.jid(&invited.user)
            && !self.shared.accounts.admits_user(&jid.to_string(), inviter)
        {
            return Err(Code::BLOCKED);
        }
        let invitation::ToXmpp {
            component,
            stanza,
            awaits,
        } = invitation::to_xmpp(&translator, request, inviter, occupant)?;
        if self.shared.passes(&stanza).is_err() {
            return Err(Code::FORBIDDEN);
        }
        let group = match awaits {
            Some(About::Group(group)) => Some(group),
            Some(About::Presence) => None,
            None => {
                let id = if is_plain_id(id) {
                    id.to_owned()
                } else {
                    self.shared.id()
                };
                return self.send(&component, named(stanza, &id));
            }
        };
        let Some((number, kept)) = self.invitation(request, inviter, group)? else {
            return Ok(());
        };
        let id = kept.sent_as.clone().unwrap_or_default();
        self.send(&component, named(stanza, &id))?;
        self.book.put(number, kept, self.shared);
        Ok(())
    }

    fn send(&mut self, component: &str, stanza: Stanza) -> Result<(), Code> {
        let most = self.shared.links.most(component);
        if print(&stanza).len() > most {
            return Err(Code::UNDELIVERABLE);
        }
        let has_room = self.shared.send(component, stanza, self.now);
        has_room.then_some(()).ok_or(Code::QUEUE_FULL)
    }

    /// The invitation to be kept, under its number; `None` if it is there already.
    fn invitation(
        &mut self,
        request: &InviteRequest,
        inviter: &Address,
        group: Option<Address>,
    ) -> Result<Option<(u64, Invitation)>, Code> {
        let id = request.invite_id.trim();
        let invitee = request.invited.as_ref().ok_or(Code::BAD_PARAMETER)?;
        let invitee = invitee.address();
        let is_same = |one: &Invitation| {
            one.way == Way::Ssp && one.inviter == *inviter && one.invitee == *invitee
        };
        if let Some(known) = self.book.of_id(id, is_same) {
            let known = self.book.get(known);
            let is_about_it = known.is_some_and(|known| known.group == group);
            return if is_about_it {
                Ok(None)
            } else {
                Err(Code::INVALID_INVITATION)
            };
        }
        let seconds = match request.validity {
            0 => VALIDITY,
            seconds => seconds.min(LONGEST),
        };
        let number = self.shared.number();
        let invitation = Invitation {
            id: id.to_owned(),
            inviter: inviter.clone(),
            invitee: invitee.clone(),
            group,
            way: Way::Ssp,
            note: None,
            until: self.now.plus(Duration::from_secs(seconds.into())),
            component: String::new(),
            stanza: None,
            sent_as: Some(Book::stanza_id(number, self.shared)),
            is_asked_for: false,
        };
        if self.book.has_room(&invitation, self.shared) {
            Ok(Some((number, invitation)))
        } else {
            Err(Code::QUEUE_FULL)
        }
    }

    /// An SSP user withdraws an invitation.
    pub(super) fn cancel(&mut self, request: &CancelInviteRequest, inviter: &Address) -> Status {
        let Some(Party::User(invitee)) = &request.canceled else {
            return Status::new(Code::BAD_PARAMETER);
        };
        let translator = self.shared.translator.clone();
        let is_it = |one: &Invitation| {
            one.way == Way::Ssp && one.inviter == *inviter && one.invitee == invitee.user
        };
        let number = self.book.of_id(request.invite_id.trim(), is_it);
        let known = number.and_then(|number| self.book.remove(number, self.shared));
        let is_about_group = request.group.is_some();
        if known.is_none() && is_about_group {
            // It was answered, or is over.
            return Status::new(Code::INVALID_INVITATION);
        }
        let (Ok(from), Ok(to), Some(component)) = (
            translator.jid_from(&User::new(inviter.clone())),
            translator.jid(&invitee.user),
            translator.component_of(inviter),
        ) else {
            return Status::new(Code::ADDRESS);
        };
        if let Some(Invitation { group: None, .. }) = known {
            let presence = Presence::new(Type::Unsubscribe)
                .with_from(from.to_bare())
                .with_to(to);
            self.shared.send(component, presence, self.now);
            return Status::ok();
        }
        if !self.shared.gate.may_talk(to.domain().as_str()) {
            return Status::new(Code::FORBIDDEN);
        }
        let words = &translator.mappings.words.withdrawn;
        let room = known.and_then(|known| translator.jid(&known.group?).ok());
        let urls = request
            .contents
            .iter()
            .flatten()
            .map(|content| content.url.trim());
        let about: Vec<&str> = room.iter().map(|room| room.as_str()).chain(urls).collect();
        let text = sentence(words, &about.join(" "), request.note.as_deref());
        let message = told(from, &to, MessageType::Headline, &text);
        let id = self.shared.id();
        self.shared.send(component, called(message, &id), self.now);
        Status::ok()
    }

    /// A user of XMPP has come into a group, under this name: whoever has invited them hears it.
    pub(super) fn came(&mut self, group: &Address, user: &Address, name: &str) {
        let screen_name = || ScreenName {
            group: group.clone(),
            name: name.to_owned(),
        };
        for number in self
            .book
            .of_invitee(user, |one| one.group.as_ref() == Some(group))
        {
            self.respond(number, Ok(Some(screen_name())), None);
        }
    }

    /// A user of XMPP lets themselves be watched, or not, by one who has invited them to that.
    pub(super) fn presence(&mut self, ends: (&Jid, &Jid), presence: &Presence) {
        let accepted = match presence.type_ {
            Type::Subscribed => Ok(None),
            Type::Unsubscribed => Err(DECLINED),
            Type::Error => Err(Code::UNKNOWN_USER),
            _ => return,
        };
        let translator = &self.shared.translator;
        let addresses = (translator.address(ends.0), translator.address(ends.1));
        let (Ok(invitee), Ok(inviter)) = addresses else {
            return;
        };
        let is_it =
            |one: &Invitation| one.way == Way::Ssp && one.group.is_none() && one.inviter == inviter;
        let note = presence.statuses.values().next();
        for number in self.book.of_invitee(&invitee, is_it) {
            self.respond(number, accepted.clone(), note.map(String::as_str));
        }
    }

    /// An invitation has come back; says whether it was one.
    pub(super) fn bounced(&mut self, message: &Message, code: Code) -> bool {
        let (Some(id), Some(from)) = (&message.id, &message.from) else {
            return false;
        };
        let translator = &self.shared.translator;
        let number = self.book.sent_as(&id.0);
        let Some((number, one)) = number.and_then(|n| Some((n, self.book.get(n)?))) else {
            return false;
        };
        let whom = [Some(&one.invitee), one.group.as_ref()];
        let is_from = whom.into_iter().flatten().any(|address| {
            let jid = translator.jid(address);
            jid.is_ok_and(|jid| jid == from.to_bare())
        });
        if is_from {
            let means = translator.mappings.status.means(code).to_owned();
            self.respond(number, Err(code), Some(&means));
        }
        true
    }

    /// Tells who has invited what became of it; that is the end of it.
    pub(super) fn respond(
        &mut self,
        number: u64,
        accepted: Result<Option<ScreenName>, Code>,
        note: Option<&str>,
    ) {
        let Some(one) = self.book.remove(number, self.shared) else {
            return;
        };
        if self.shared.translator.is_xmpp(&one.inviter) {
            return;
        }
        let ends = (&one.inviter, &one.invitee);
        let note = note.map(|note| cut(note, MAX_REASON));
        let response = invitation::response(&one.id, ends, accepted, note);
        self.shared.tell(response, self.now);
    }
}

/// The stanza with that id.
fn named(mut stanza: Stanza, id: &str) -> Stanza {
    match &mut stanza {
        Stanza::Message(message) => message.id = Some(Id(id.to_owned())),
        Stanza::Presence(presence) => presence.id = Some(id.to_owned()),
        Stanza::Iq(_) => {}
    }
    stanza
}

/// Words, what they are about, and why.
pub(super) fn sentence(words: &str, about: &str, why: Option<&str>) -> String {
    let mut text = words.to_owned();
    if !about.is_empty() {
        text = format!("{text} {about}");
    }
    let why = why.map(str::trim).filter(|why| !why.is_empty());
    match why {
        Some(why) => format!("{text}: {}", cut(why, MAX_REASON)),
        None => text,
    }
}
