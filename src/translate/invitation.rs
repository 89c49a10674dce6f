//! Invitations, as stanzas say them (xmpp-mapping, 6): by the room (XEP-0045), by who invites
//! (XEP-0249), and links that are handed over (XEP-0066).

use minidom::Element;
use tokio_xmpp::Stanza;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::{Id, Lang, Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use super::Translator;
use super::stanza::{attribute, child_text, element, ns, payload, text_element};
use crate::imps::address::Kind;
use crate::imps::common::{ContentId, GroupId, MetaInfo, Party, ScreenName, User};
use crate::imps::primitive::invitation::{InviteRequest, InviteResponse};
use crate::imps::{Address, Code, Status};
use crate::text::shown::cut;

/// Bytes of a reason; our choice. The rest is cut.
pub const MAX_REASON: usize = 1024;
/// Users that one message can invite; our choice.
pub const MAX_INVITED: usize = 10;
/// Links of one invitation; our choice.
const MAX_LINKS: usize = 16;
/// A group is missing, or its address is none.
const NO_GROUP_ID: Code = Code(429);

/// An invitation of XMPP into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The room.
    pub room: BareJid,
    /// Who invites, as a bare JID.
    pub inviter: BareJid,
    /// What they say with it.
    pub reason: Option<String>,
    /// Whether the room says so; else who invites.
    pub is_by_room: bool,
}

/// The invitation in a message to a user, if it is one.
pub fn read(message: &Message) -> Option<Invited> {
    let from = message.from.as_ref()?.to_bare();
    if !matches!(
        message.type_,
        MessageType::Normal | MessageType::Chat | MessageType::Headline
    ) {
        return None;
    }
    let bare = |text: &str| Jid::new(text).ok().map(|jid| jid.to_bare());
    let body = || message.bodies.values().next().cloned();
    let direct = payload(&message.payloads, "x", ns::CONFERENCE);
    let by_room = payload(&message.payloads, "x", ns::MUC_USER)
        .and_then(|x| x.get_child("invite", ns::MUC_USER));
    if let Some(invite) = by_room {
        return Some(Invited {
            inviter: bare(invite.attr("from")?)?,
            reason: filled(child_text(invite, "reason").or_else(body)),
            room: from,
            is_by_room: true,
        });
    }
    let direct = direct?;
    let reason = direct.attr("reason").map(str::to_owned);
    Some(Invited {
        room: bare(direct.attr("jid")?)?,
        inviter: from,
        reason: filled(filled(reason).or_else(body)),
        is_by_room: false,
    })
}

/// An invitation of an XMPP user to an SSP user, into a group that both know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntoGroup {
    /// The group.
    pub group: Address,
    /// Who invites.
    pub inviter: Address,
    /// Who is invited.
    pub invitee: Address,
    /// What is said with it.
    pub reason: Option<String>,
    /// Whether a room of XMPP says so; else who invites.
    pub is_by_room: bool,
}

/// The invitation in a message to a user, if it is one that SSP has: rooms that are no groups there
/// are told as text.
pub fn of_message(translator: &Translator, message: &Message) -> Option<IntoGroup> {
    let invited = read(message)?;
    let to = message.to.as_ref().filter(|to| to.node().is_some())?;
    let group = translator.group(&invited.room.into()).ok()?;
    let found = IntoGroup {
        inviter: translator.address(&invited.inviter.into()).ok()?,
        invitee: translator.address(to).ok()?,
        reason: invited.reason,
        is_by_room: invited.is_by_room,
        group,
    };
    // Only rooms of XMPP speak for others; rooms of groups are on this side.
    let is_of_room = !found.is_by_room || translator.is_xmpp(&found.group);
    let is_one = found.group.kind() == Kind::Resource
        && translator.is_xmpp(&found.inviter)
        && !translator.is_room(to)
        && is_of_room;
    is_one.then_some(found)
}

/// An SSP user's invitation as a stanza.
#[derive(Debug, PartialEq)]
pub struct ToXmpp {
    /// The component by which it goes.
    pub component: String,
    /// The stanza, without an id.
    pub stanza: Stanza,
    /// What an answer will be about; `None` if XMPP has no answer to it.
    pub awaits: Option<About>,
}

/// What an invitation is about whose answer will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The inviter's presence.
    Presence,
    /// This group.
    Group(Address),
}

/// The stanza for an invitation of an SSP user; `occupant` is what they are in the room of XMPP
/// into which they invite.
///
/// # Errors
/// The status for who invites.
pub fn to_xmpp(
    translator: &Translator,
    request: &InviteRequest,
    inviter: &Address,
    occupant: Option<Jid>,
) -> Result<ToXmpp, Code> {
    let Some(Party::User(invitee)) = &request.invited else {
        return Err(Code::BAD_PARAMETER);
    };
    let to = translator.jid(&invitee.user).map_err(|e| e.code())?;
    let sender = translator.jid_from(&User::new(inviter.clone()));
    let sender = sender.map_err(|e| e.code())?;
    let component = |speaker: &Address| {
        let component = translator.component_of(speaker).map(str::to_owned);
        component.ok_or(Code::DOMAIN_NOT_SUPPORTED)
    };
    let note = request.note.as_deref().map(str::trim);
    let note = note.filter(|note| !note.is_empty());
    let note = note.map(|note| cut(note, MAX_REASON));
    let kind = request.invite_type.trim().to_ascii_uppercase();
    let (stanza, awaits) = match kind.as_str() {
        "GR" | "GM" => {
            let group = request.group.as_ref().map(|id| &id.group);
            let group = group.filter(|group| group.kind() == Kind::Resource);
            let group = group.ok_or(NO_GROUP_ID)?;
            let room = translator.jid(group).map_err(|e| e.code())?;
            let is_xmpp = translator.is_xmpp(group);
            let message = match occupant.filter(|_| is_xmpp) {
                Some(occupant) => through_room(occupant, &room, &to, note),
                None if is_xmpp => direct(&room, sender, &to, note),
                None => by_room(&room, &sender.to_bare(), &to, note),
            };
            return Ok(ToXmpp {
                component: component(if is_xmpp { inviter } else { group })?,
                stanza: message.into(),
                awaits: Some(About::Group(group.clone())),
            });
        }
        "PR" => {
            let mut asked = Presence::new(Type::Subscribe)
                .with_from(sender.to_bare())
                .with_to(to);
            if let Some(note) = note {
                asked.set_status("", note);
            }
            (asked.into(), Some(About::Presence))
        }
        "SC" => {
            let contents = request.contents.iter().flatten();
            let urls = contents.map(|content| content.url.trim());
            let urls: Vec<&str> = urls.filter(|url| !url.is_empty()).collect();
            if urls.is_empty() {
                return Err(Code::BAD_REQUEST);
            }
            (with_links(sender, &to, note, &urls).into(), None)
        }
        "IM" => {
            let words = note.unwrap_or(&translator.mappings.words.talk);
            (told(sender, &to, MessageType::Chat, words).into(), None)
        }
        "AP" | "EC" | "EG" => return Err(Code::NOT_IMPLEMENTED),
        _ => return Err(Code::BAD_PARAMETER),
    };
    Ok(ToXmpp {
        component: component(inviter)?,
        stanza,
        awaits,
    })
}

/// Whom a message to a room invites, and why. `None` if it invites nobody.
pub fn invitees(message: &Message) -> Option<Vec<(Option<Jid>, Option<String>)>> {
    let x = payload(&message.payloads, "x", ns::MUC_USER)?;
    let invites = x
        .children()
        .filter(|child| child.is("invite", ns::MUC_USER));
    let invites: Vec<_> = invites
        .map(|invite| {
            let to = invite.attr("to").and_then(|to| Jid::new(to).ok());
            (to, filled(child_text(invite, "reason")))
        })
        .collect();
    (!invites.is_empty()).then_some(invites)
}

/// Whose invitation a message to a room declines, and why. `None` if it declines none.
pub fn declined(message: &Message) -> Option<(Option<BareJid>, Option<String>)> {
    let x = payload(&message.payloads, "x", ns::MUC_USER)?;
    let decline = x.get_child("decline", ns::MUC_USER)?;
    let to = decline.attr("to").and_then(|to| Jid::new(to).ok());
    let reason = filled(child_text(decline, "reason"));
    Some((to.map(|to| to.to_bare()), reason))
}

/// Links that a question hands over (XEP-0066), and what is said with them.
pub fn links(query: &Element) -> (Vec<String>, Option<String>) {
    let urls = query.children().filter(|child| child.is("url", ns::OOB_IQ));
    let urls = urls.map(|url| url.text().trim().to_owned());
    let urls = urls.filter(|url| !url.is_empty()).take(MAX_LINKS);
    (urls.collect(), filled(child_text(query, "desc")))
}

fn filled(text: Option<String>) -> Option<String> {
    let text = text?;
    let text = cut(text.trim(), MAX_REASON).trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An invitation in the name of a room: as rooms write it, and as users do, for clients that know
/// that alone.
pub fn by_room(room: &BareJid, inviter: &BareJid, to: &BareJid, reason: Option<&str>) -> Message {
    let invite = attribute(element("invite", ns::MUC_USER), "from", inviter.as_str());
    let x = element("x", ns::MUC_USER).append(invite.append_all(said(reason)).build());
    let mut message = from(room.clone().into(), to);
    message.payloads.push(x.build());
    message.payloads.push(conference(room, reason));
    message
}

/// An invitation of a user to a room.
pub fn direct(room: &BareJid, inviter: Jid, to: &BareJid, reason: Option<&str>) -> Message {
    let mut message = from(inviter, to);
    message.payloads.push(conference(room, reason));
    message
}

/// An invitation that a room of XMPP is asked to pass on.
pub fn through_room(occupant: Jid, room: &BareJid, to: &BareJid, reason: Option<&str>) -> Message {
    let invite = attribute(element("invite", ns::MUC_USER), "to", to.as_str());
    let x = element("x", ns::MUC_USER).append(invite.append_all(said(reason)).build());
    let mut message = from(occupant, room);
    message.payloads.push(x.build());
    message
}

/// A room tells who has invited that the other one does not come.
pub fn decline_of(room: &BareJid, by: &BareJid, to: &BareJid, reason: Option<&str>) -> Message {
    decline(room.clone().into(), to, ("from", by), reason)
}

/// A room of XMPP is told that one who was invited does not come.
pub fn decline_to(by: Jid, room: &BareJid, inviter: &BareJid, reason: Option<&str>) -> Message {
    decline(by, room, ("to", inviter), reason)
}

fn decline(
    sender: Jid,
    to: &BareJid,
    (name, whom): (&str, &BareJid),
    reason: Option<&str>,
) -> Message {
    let decline = attribute(element("decline", ns::MUC_USER), name, whom.as_str());
    let x = element("x", ns::MUC_USER).append(decline.append_all(said(reason)).build());
    let mut message = from(sender, to);
    message.payloads.push(x.build());
    message
}

fn conference(room: &BareJid, reason: Option<&str>) -> Element {
    let x = attribute(element("x", ns::CONFERENCE), "jid", room.as_str());
    match reason {
        Some(reason) => attribute(x, "reason", cut(reason, MAX_REASON)).build(),
        None => x.build(),
    }
}

fn said(reason: Option<&str>) -> Option<Element> {
    reason.map(|reason| text_element("reason", ns::MUC_USER, cut(reason, MAX_REASON)))
}

fn from(sender: Jid, to: &BareJid) -> Message {
    let mut message = Message::new_with_type(MessageType::Normal, Jid::from(to.clone()));
    message.from = Some(sender);
    message
}

/// What a user says who talks about an invitation without a form for it.
pub fn told(sender: Jid, to: &BareJid, kind: MessageType, text: &str) -> Message {
    let mut message = Message::new_with_type(kind, Jid::from(to.clone()));
    message.from = Some(sender);
    message.bodies.insert(Lang::new(), text.to_owned());
    message
}

/// A message with links.
pub fn with_links(sender: Jid, to: &BareJid, note: Option<&str>, urls: &[&str]) -> Message {
    let lines = note.into_iter().chain(urls.iter().copied());
    let text: Vec<&str> = lines.collect();
    let mut message = told(sender, to, MessageType::Chat, &text.join("\n"));
    for url in urls {
        let link = element("x", ns::OOB).append(text_element("url", ns::OOB, url));
        message.payloads.push(link.build());
    }
    message
}

/// The message with that id.
#[must_use]
pub fn called(mut message: Message, id: &str) -> Message {
    message.id = Some(Id(id.to_owned()));
    message
}

/// To what a user of XMPP invites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To join a group.
    Group(Address),
    /// To fetch what is at these links.
    Content(Vec<String>),
}

/// The request for an invitation of XMPP.
pub fn request(
    (id, validity): (&str, u32),
    inviter: &Address,
    invited: Party,
    to: &To,
    note: Option<&str>,
) -> InviteRequest {
    let (kind, group, contents) = match to {
        To::Group(group) => {
            let group = GroupId {
                group: group.clone(),
            };
            ("GR", Some(group), None)
        }
        To::Content(urls) => {
            let urls = urls.iter().map(|url| ContentId { url: url.clone() });
            ("SC", None, Some(urls.collect()))
        }
    };
    InviteRequest {
        invite_id: id.to_owned(),
        invite_type: kind.to_owned(),
        validity,
        meta: Some(MetaInfo::of_user(inviter.domain(), inviter.clone())),
        inviting: Some(Party::User(User::new(inviter.clone()))),
        invited: Some(invited),
        group,
        application: None,
        attributes: None,
        contents,
        note: note.map(str::to_owned),
        screen_name: None,
    }
}

/// An XMPP user's answer to an invitation of SSP: under which name they have come, or why they have
/// not.
pub fn response(
    id: &str,
    (inviter, invitee): (&Address, &Address),
    accepted: Result<Option<ScreenName>, Code>,
    note: Option<&str>,
) -> InviteResponse {
    let code = accepted.as_ref().err().copied().unwrap_or(Code::OK);
    InviteResponse {
        invite_id: id.to_owned(),
        acceptance: accepted.is_ok(),
        meta: Some(MetaInfo::of_user(invitee.domain(), invitee.clone())),
        status: Some(Status::new(code)),
        inviting: Some(Party::User(User::new(inviter.clone()))),
        responding: Some(Party::User(User::new(invitee.clone()))),
        note: note.map(str::to_owned),
        screen_name: accepted.ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stanza::parse;
    use super::*;

    fn message(inner: &str) -> Message {
        let text = format!(
            "<message xmlns='{}' from='a@x.example/r' to='b@y.example'>{inner}</message>",
            ns::DEFAULT_NS
        );
        match parse(&text) {
            Ok(Stanza::Message(message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_invitation_is_read_in_both_forms() {
        let by_room = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='c@z.example/q'><reason> Come </reason></invite></x>";
        let direct = "<x xmlns='jabber:x:conference' jid='r@z.example' reason='Now'/>";
        let read_room = read(&message(by_room)).unwrap();
        assert_eq!(read_room.room.as_str(), "a@x.example");
        assert_eq!(read_room.inviter.as_str(), "c@z.example");
        assert_eq!(read_room.reason.as_deref(), Some("Come"));
        assert!(read_room.is_by_room);
        // A room says both, for clients that know one of them.
        assert_eq!(
            read(&message(&format!("{direct}{by_room}"))).unwrap(),
            read_room
        );
        let read_direct = read(&message(direct)).unwrap();
        assert_eq!(read_direct.room.as_str(), "r@z.example");
        assert_eq!(read_direct.inviter.as_str(), "a@x.example");
        assert_eq!(read_direct.reason.as_deref(), Some("Now"));
        assert!(!read_direct.is_by_room);
    }

    #[test]
    fn what_a_client_writes_beside_an_invitation_is_its_reason_if_it_has_none() {
        let direct = "<x xmlns='jabber:x:conference' jid='r@z.example'/><body>Come in</body>";
        let found = read(&message(direct)).unwrap();
        assert_eq!(found.reason.as_deref(), Some("Come in"));
    }

    #[test]
    fn what_is_no_invitation_is_none() {
        for inner in [
            "<body>hi</body>",
            "<x xmlns='jabber:x:conference'/>",
            "<x xmlns='http://jabber.org/protocol/muc#user'/>",
            "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>",
        ] {
            assert_eq!(read(&message(inner)), None, "{inner}");
        }
    }

    #[test]
    fn what_is_built_is_read_as_the_same() {
        let bare = |text: &str| BareJid::new(text).unwrap();
        let (room, bob, alice) = (
            bare("r@z.example"),
            bare("b@y.example"),
            bare("a@x.example"),
        );
        for message in [
            by_room(&room, &bob, &alice, Some("Come")),
            direct(&room, bob.clone().into(), &alice, Some("Come")),
        ] {
            let found = read(&message).unwrap();
            assert_eq!(found.room, room);
            assert_eq!(found.inviter, bob);
            assert_eq!(found.reason.as_deref(), Some("Come"));
        }
        let asked = through_room(bob.clone().into(), &room, &alice, Some("Come"));
        assert_eq!(
            invitees(&asked),
            Some(vec![(Some(alice.clone().into()), Some("Come".to_owned()))])
        );
        let declined_by = decline_to(alice.into(), &room, &bob, Some("No"));
        assert_eq!(
            declined(&declined_by),
            Some((Some(bob), Some("No".to_owned())))
        );
    }

    #[test]
    fn long_reasons_are_cut() {
        let long = "é".repeat(MAX_REASON);
        let body = format!("<x xmlns='jabber:x:conference' jid='r@z.example' reason='{long}'/>");
        let reason = read(&message(&body)).unwrap().reason.unwrap();
        assert_eq!(reason.len(), MAX_REASON);
    }
}
