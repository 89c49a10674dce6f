//! Invitations of XMPP users, and the answers.

use std::collections::VecDeque;
use std::time::Duration;

use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::BareJid;
use xmpp_parsers::message::{Message, MessageType};

use super::super::shared::Shared;
use super::VALIDITY;
use super::book::{Book, Invitation, Way};
use super::outbound::sentence;
use crate::element::Time;
use crate::imps::address::Kind;
use crate::imps::common::{Party, ScreenName, User};
use crate::imps::primitive::invitation::{InviteRequest, InviteResponse};
use crate::imps::{Address, Code};
use crate::text::shown::cut;
use crate::translate::Context;
use crate::translate::invitation::{self, MAX_INVITED, MAX_REASON, To, called, told};
use crate::translate::message::refusal;
use crate::translate::stanza::{ns, parse, print};

/// For so long the SSP side may take to take an invitation over.
const TAKE: Duration = Duration::from_secs(120);

/// Invitations of XMPP users.
pub(super) struct Inbound<'a> {
    pub(super) book: &'a mut Book,
    /// Invitations that are told as messages, as they came.
    pub(super) words: &'a mut VecDeque<(String, Message)>,
    pub(super) shared: &'a mut Shared,
    pub(super) now: Time,
}

impl Inbound<'_> {
    /// A message to a user that may be an invitation; gives it back if it is none that SSP has.
    pub(super) fn message(&mut self, component: &str, message: Message) -> Option<Message> {
        let Some(into) = invitation::of_message(&self.shared.translator, &message) else {
            return Some(message);
        };
        let way = if into.is_by_room {
            Way::XmppRoom
        } else {
            Way::Direct
        };
        let new = New {
            way,
            inviter: into.inviter,
            invitee: into.invitee,
            to: To::Group(into.group),
            note: into.reason,
        };
        if let Err(code) = self.begin(new, component, &Stanza::Message(message.clone())) {
            self.shared.refuse(component, message, code);
        }
        None
    }

    /// A message to the room of a group that may invite others. Whether it was that.
    pub(super) fn at_room(
        &mut self,
        component: &str,
        group: &Address,
        message: &Message,
        is_inside: bool,
    ) -> bool {
        let (Some(invitees), Some(from)) = (invitation::invitees(message), &message.from) else {
            return false;
        };
        let refusal = if invitees.len() > MAX_INVITED {
            Some(Code::BAD_PARAMETER)
        } else if !is_inside {
            Some(Code::NOT_JOINED)
        } else {
            None
        };
        let translator = self.shared.translator.clone();
        let mut refused = refusal;
        for (invitee, note) in invitees {
            if refusal.is_some() {
                break;
            }
            let invitee = invitee.and_then(|jid| translator.address(&jid.to_bare().into()).ok());
            let invitee = invitee.filter(|invitee| invitee.kind() == Kind::User);
            let (Some(invitee), Ok(inviter)) = (invitee, translator.address(from)) else {
                refused = Some(Code::ADDRESS);
                continue;
            };
            let new = New {
                way: Way::Room,
                inviter,
                invitee,
                to: To::Group(group.clone()),
                note,
            };
            let stanza = Stanza::Message(message.clone());
            refused = self.begin(new, component, &stanza).err().or(refused);
        }
        if let Some(code) = refused {
            self.shared.refuse(component, message.clone(), code);
        }
        true
    }

    /// A question of an XMPP user that may hand over links; gives it back if it does not.
    pub(super) fn links(&mut self, component: &str, iq: Iq) -> Option<Iq> {
        let Iq::Set {
            from: Some(from),
            to: Some(to),
            payload,
            ..
        } = &iq
        else {
            return Some(iq);
        };
        if !payload.is("query", ns::OOB_IQ) || to.node().is_none() {
            return Some(iq);
        }
        let translator = &self.shared.translator;
        let (urls, note) = invitation::links(payload);
        let result = match (translator.address(from), translator.address(to)) {
            _ if urls.is_empty() => Err(Code::BAD_REQUEST),
            (Ok(inviter), Ok(invitee)) if !translator.is_room(to) => {
                let new = New {
                    way: Way::Links,
                    inviter,
                    invitee,
                    to: To::Content(urls),
                    note,
                };
                self.begin(new, component, &Stanza::Iq(iq.clone()))
            }
            _ => Err(Code::ADDRESS),
        };
        if let Err(code) = result {
            self.shared.refuse(component, iq, code);
        }
        None
    }

    /// An XMPP user invites: the group is asked first if it is one of SSP whose room they use.
    fn begin(&mut self, new: New, component: &str, stanza: &Stanza) -> Result<(), Code> {
        let number = self.shared.number();
        let is_asked_for = new.way == Way::Room;
        let group = match &new.to {
            To::Group(group) => Some(group.clone()),
            To::Content(_) => None,
        };
        let invitation = Invitation {
            id: self.shared.id(),
            inviter: new.inviter,
            invitee: new.invitee,
            group,
            way: new.way,
            note: new.note,
            until: self.now.plus(Duration::from_secs(VALIDITY.into())),
            component: component.to_owned(),
            stanza: Some(print(stanza)),
            sent_as: None,
            is_asked_for,
        };
        if !self.book.has_room(&invitation, self.shared) {
            return Err(Code::QUEUE_FULL);
        }
        self.ask(number, invitation, &new.to);
        Ok(())
    }

    /// Asks the group whether it may be, or the one who is invited.
    fn ask(&mut self, number: u64, invitation: Invitation, to: &To) {
        let invited = match (&invitation.group, invitation.is_asked_for) {
            // As home domains do: of others it is no participant's name.
            (Some(group), true) => Party::ScreenName(ScreenName {
                group: group.clone(),
                name: invitation.invitee.bare().to_owned(),
            }),
            _ => Party::User(User::new(invitation.invitee.clone())),
        };
        let (inviter, note) = (&invitation.inviter, invitation.note.as_deref());
        let kind = (invitation.id.as_str(), VALIDITY);
        let request: InviteRequest = invitation::request(kind, inviter, invited, to, note);
        self.book.put(number, invitation, self.shared);
        let expires = self.now.plus(TAKE);
        self.shared.request(number, request.into(), expires);
    }

    /// What the group, or the home domain of who is invited, says to an invitation.
    pub(super) fn answered(&mut self, number: u64, code: Code) {
        let Some(mut invitation) = self.book.remove(number, self.shared) else {
            return;
        };
        if !invitation.is_asked_for {
            if !code.is_success() {
                return self.failed(&invitation, code);
            }
            // What hands over links is answered when they are taken.
            invitation.stanza = invitation.stanza.filter(|_| invitation.way == Way::Links);
            return self.book.put(number, invitation, self.shared);
        }
        // Other groups may not know the question: everybody invites into them.
        if !code.is_success() && is_refusal(code) {
            return self.failed(&invitation, code);
        }
        let translator = self.shared.translator.clone();
        let inviter = translator.jid(&invitation.inviter);
        let may_talk = |jid: BareJid| self.shared.gate.may_talk(jid.domain().as_str());
        if !inviter.is_ok_and(may_talk) {
            // Denied while the group was asked.
            return self.failed(&invitation, Code::FORBIDDEN);
        }
        invitation.is_asked_for = false;
        let next = self.shared.number();
        let Some(group) = invitation.group.clone() else {
            return;
        };
        if !translator.is_xmpp(&invitation.invitee) {
            return self.ask(next, invitation, &To::Group(group));
        }
        let jids = (
            translator.jid(&group),
            translator.jid(&invitation.inviter),
            translator.jid(&invitation.invitee),
        );
        let (Ok(room), Ok(inviter), Ok(invitee)) = jids else {
            return self.failed(&invitation, Code::ADDRESS);
        };
        let note = invitation.note.as_deref();
        let message = invitation::by_room(&room, &inviter, &invitee, note);
        let id = Book::stanza_id(next, self.shared);
        let component = invitation.component.clone();
        invitation.stanza = None;
        invitation.sent_as = Some(id.clone());
        self.book.put(next, invitation, self.shared);
        self.shared.send(&component, called(message, &id), self.now);
    }

    /// An invitation could not be brought to whom it is for.
    fn failed(&mut self, invitation: &Invitation, code: Code) {
        let stanza = invitation
            .stanza
            .as_deref()
            .and_then(|text| parse(text).ok());
        let component = invitation.component.clone();
        let is_unknown = matches!(code.0, 405 | 501 | 506);
        match (invitation.way, stanza) {
            // Who does not know invitations reads them.
            (Way::Direct | Way::XmppRoom, Some(Stanza::Message(message))) if is_unknown => {
                self.words.push_back((component, message));
            }
            (Way::Room, Some(Stanza::Message(_))) if is_unknown => {
                let translator = &self.shared.translator;
                let jids = (
                    invitation
                        .group
                        .as_ref()
                        .and_then(|g| translator.jid(g).ok()),
                    translator.jid(&invitation.inviter),
                    translator.jid(&invitation.invitee),
                );
                if let (Some(room), Ok(inviter), Ok(invitee)) = jids {
                    let note = invitation.note.as_deref();
                    let message = invitation::direct(&room, inviter.into(), &invitee, note);
                    self.words.push_back((component, message));
                }
            }
            // A room tells who has invited only that somebody declines.
            (Way::XmppRoom, Some(Stanza::Message(_))) => {
                let means = self
                    .shared
                    .translator
                    .mappings
                    .status
                    .means(code)
                    .to_owned();
                self.decline(invitation, Some(&means));
            }
            (_, Some(Stanza::Message(message))) => {
                let table = &self.shared.translator.mappings.status;
                if let Some(error) = table.error(code, Context::Group, None) {
                    let refusal = refusal(&message, error);
                    self.shared.send(&component, refusal, self.now);
                }
            }
            (_, Some(stanza)) => self.shared.refuse(&component, stanza, code),
            (_, None) => {}
        }
    }

    /// An SSP user has answered an invitation. That they come is seen.
    pub(super) fn responded(&mut self, response: &InviteResponse) {
        let parties = [&response.responding, &response.inviting];
        let is_party = |address: &Address| {
            let mut named = parties.iter().copied().flatten();
            named.any(|party| party.address() == address)
        };
        let is_it = |one: &Invitation| one.way != Way::Ssp && is_party(&one.invitee);
        let number = self.book.of_id(response.invite_id.trim(), is_it);
        let invitation = number.and_then(|number| self.book.remove(number, self.shared));
        let Some(invitation) = invitation else {
            return self.shared.dropped.count("InviteResponse");
        };
        let note = response.note.as_deref().map(str::trim);
        let note = note.filter(|note| !note.is_empty());
        let note = note.map(|note| cut(note, MAX_REASON));
        if invitation.way == Way::Links {
            let stanza = invitation
                .stanza
                .as_deref()
                .and_then(|text| parse(text).ok());
            let Some(Stanza::Iq(iq)) = stanza else { return };
            let component = invitation.component.clone();
            if let (Iq::Set { from, to, id, .. }, true) = (&iq, response.acceptance) {
                let done = Iq::Result {
                    from: to.clone(),
                    to: from.clone(),
                    id: id.clone(),
                    payload: None,
                };
                self.shared.send(&component, done, self.now);
            } else {
                self.shared.refuse(&component, iq, Code::REJECTED);
            }
        } else if !response.acceptance {
            self.decline(&invitation, note);
        }
    }

    /// Tells who has invited that the other one does not come.
    fn decline(&mut self, invitation: &Invitation, note: Option<&str>) {
        let translator = self.shared.translator.clone();
        let Some(group) = &invitation.group else {
            return;
        };
        let by = translator.jid_from(&User::new(invitation.invitee.clone()));
        let jids = (
            translator.jid(group),
            translator.jid(&invitation.inviter),
            by,
        );
        let (Ok(room), Ok(inviter), Ok(by)) = jids else {
            return;
        };
        let message = match invitation.way {
            Way::Room => invitation::decline_of(&room, &by.to_bare(), &inviter, note),
            Way::XmppRoom => invitation::decline_to(by, &room, &inviter, note),
            _ => {
                let words = &translator.mappings.words.declined;
                let text = sentence(words, room.as_str(), note);
                told(by, &inviter, MessageType::Headline, &text)
            }
        };
        let id = self.shared.id();
        self.shared
            .send(&invitation.component, called(message, &id), self.now);
    }

    /// A user of XMPP declines, at the room, what another one has invited them to.
    pub(super) fn declined(&mut self, number: u64, note: Option<&str>) {
        if let Some(invitation) = self.book.remove(number, self.shared) {
            self.decline(&invitation, note);
        }
    }
}

/// An invitation of XMPP, as it comes.
struct New {
    way: Way,
    inviter: Address,
    invitee: Address,
    to: To,
    note: Option<String>,
}

/// Whether a group says by this code that nobody is to be invited, not that it has not understood.
fn is_refusal(code: Code) -> bool {
    matches!(
        code.0,
        403 | 408 | 500 | 503 | 504 | 507 | 516 | 521 | 522 | 532 | 535 | 600..=604 | 800 | 808..=818
    )
}
