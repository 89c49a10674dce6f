//! What a group tells: messages, who came and went, what was set, and who has to leave
//! (xmpp-mapping, 5.2 and 5.3).

use xmpp_parsers::message::{Message, MessageType};

use super::clients::Clients;
use super::core::{About, Core, is_passing};
use super::membership::{Membership, NO_GROUP};
use super::occupant::{Seen, State};
use super::room::{Room, address};
use super::speaking::stanza_id;
use crate::element::Time;
use crate::gateway::shared::{Shared, verdict};
use crate::imps::common::{GroupId, Recipient, ScreenName, Sender, User};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group::{
    GetJoinedUsersResponse, GroupChangeNotice, LeaveGroupIndication, MappingList, Member,
};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code};
use crate::translate::message::{Form, ToXmpp, to_xmpp};
use crate::translate::room::{Affiliation, Shown, names, ns, occupant, settings};
use crate::translate::stanza::element;

/// Who had to go because they are barred.
const BARRED: Code = Code(809);
/// Who had to go because they are no members.
const NO_MEMBER: Code = Code(816);
/// The group is over.
const OVER: Code = Code(823);
/// A list that says no more names is not complete.
const MOST_LISTED: usize = 5000;

/// What a group tells.
pub(super) struct Hearing<'a> {
    room: &'a mut Room,
    core: &'a mut Core,
    shared: &'a mut Shared,
    now: Time,
}

impl<'a> Hearing<'a> {
    /// Of this room, at this time.
    pub(super) fn of(
        room: &'a mut Room,
        core: &'a mut Core,
        shared: &'a mut Shared,
        now: Time,
    ) -> Self {
        Self {
            room,
            core,
            shared,
            now,
        }
    }

    fn membership(&mut self) -> Membership<'_> {
        Membership::of(self.room, self.core, self.shared, self.now)
    }

    /// Who came, went, had to go; what was set. Of a room that nobody here knows it matters only
    /// whom the group tells.
    pub(super) fn changed(&mut self, notice: &GroupChangeNotice, is_known: bool) {
        if !is_known {
            return self.are_here(&notice.users);
        }
        for name in notice.joined.iter().flatten() {
            let nick = names::nick(name);
            if self.room.own(&nick).is_none() {
                let known = self.room.names.get(&nick).cloned().unwrap_or_default();
                let name = Seen {
                    name: name.clone(),
                    ..known
                };
                self.room.show(&nick, name, self.core, self.shared);
            }
        }
        for name in notice.left.iter().flatten() {
            self.goes(&names::nick(name), &Shown::default());
        }
        let ejected = notice.left_blocked.iter();
        let ejected = ejected.flat_map(|blocked| &blocked.users);
        for member in ejected.flat_map(|list| &list.members) {
            let nick = match member {
                Member::ScreenName(name) => Some(names::nick(&name.name)),
                Member::User(user) => self.nick_of(&user.user),
            };
            let how = Shown {
                codes: vec![301],
                affiliation: Affiliation::Outcast,
                ..Shown::default()
            };
            if let Some(nick) = nick {
                self.goes(&nick, &how);
            }
        }
        if let Some(properties) = &notice.properties {
            let properties = &properties.properties;
            if let Some(topic) = settings::value(properties, "Topic")
                && self.room.subject.as_deref() != Some(topic)
            {
                self.room.subject = Some(topic.to_owned());
                self.room.tell_all_subject(None, self.shared);
            }
            if let Some(is_fleeting) = settings::is_on(properties, "AutoDelete") {
                self.room.is_fleeting = is_fleeting;
            }
            let is_more = |name: &str| !name.trim().eq_ignore_ascii_case("Topic");
            if properties.iter().any(|property| is_more(&property.name)) {
                self.room.tell_set(self.shared);
            }
        }
        let users: Vec<String> = notice.users.iter().filter_map(|u| self.jid(u)).collect();
        if let Some(affiliation) = notice.own.as_deref().and_then(Affiliation::of_own) {
            for user in &users {
                self.membership().stands(user, affiliation);
            }
        }
        self.are_here(&notice.users);
    }

    /// Somebody goes. Of XMPP users here that is known otherwise.
    fn goes(&mut self, nick: &str, how: &Shown<'_>) {
        if self.room.own(nick).is_none() {
            self.room.hide(nick, how, self.core, self.shared);
        }
    }

    fn nick_of(&self, user: &Address) -> Option<String> {
        let jid = self.shared.translator.jid(user).ok()?.to_string();
        let mut names = self.room.names.iter();
        let found = names.find(|(_, name)| name.jid.as_deref() == Some(&jid));
        found.map(|(nick, _)| nick.clone())
    }

    fn jid(&self, user: &User) -> Option<String> {
        let jid = self.shared.translator.jid(&user.user).ok()?;
        Some(jid.to_string())
    }

    /// The group speaks to these users: those who are not there have not left for it.
    fn are_here(&mut self, users: &[User]) {
        for user in users {
            self.membership().is_nobody(&user.user);
        }
    }

    /// Users have to leave.
    pub(super) fn must_leave(&mut self, notice: &LeaveGroupIndication) {
        let code = notice.status.effective();
        let users: Vec<String> = match notice.users.as_slice() {
            // The deployed server names nobody when a group has ended (quirk A-9).
            [] => self.room.occupants.keys().cloned().collect(),
            users => users.iter().filter_map(|user| self.jid(user)).collect(),
        };
        for user in users {
            let Some(occupant) = self.room.occupants.get(&user) else {
                continue;
            };
            let is_kicked = self.room.kicked.remove(&occupant.user);
            let reason = notice.reason.as_deref().filter(|text| !text.is_empty());
            let mut how = Shown {
                reason,
                ..Shown::default()
            };
            match code {
                NO_GROUP | OVER => how.destroyed = true,
                BARRED if !is_kicked => {
                    how.codes = vec![301];
                    how.affiliation = Affiliation::Outcast;
                }
                NO_MEMBER => how.codes = vec![321],
                code if is_passing(code) => how.codes = vec![333],
                _ => how.codes = vec![307],
            }
            self.membership().take_out(&user, &how);
        }
    }

    /// The answer to what the group was asked about a user, under this token.
    pub(super) fn answered(&mut self, user: &str, (about, token): (About, u64), answer: Primitive) {
        let code = verdict(&answer);
        match about {
            About::Join => self.membership().joined(user, token, answer),
            About::Create => self.membership().created(user, token, &answer),
            About::Leave => self.membership().left(user, token, code),
            // To leave is no question.
            About::Still if matches!(answer, Primitive::LeaveGroupIndication(_)) => {}
            About::Still => self.membership().heard_of(user, code),
            About::Properties => self.is_like(user, &answer),
            About::Joined => self.listed(user, &answer),
        }
    }

    /// Who is there, as the group has said to a user.
    fn listed(&mut self, user: &str, answer: &Primitive) {
        let code = verdict(answer);
        if let (true, Primitive::GetJoinedUsersResponse(response)) = (code.is_success(), answer) {
            self.are(user, response);
        }
        self.membership().heard_of(user, code);
    }

    fn are(&mut self, user: &str, response: &GetJoinedUsersResponse) {
        let lists = [
            (Affiliation::Owner, &response.admins),
            (Affiliation::Admin, &response.moderators),
            (Affiliation::None, &response.users),
        ];
        let sees_roles = response.admins.is_some() || response.moderators.is_some();
        let mut there = std::collections::BTreeSet::new();
        for (affiliation, list) in lists {
            for mapping in mappings(list.as_ref()) {
                let id = mapping.user.as_ref().map(|id| &id.user);
                let Some(shown) = mapping.screen_name.as_deref().or(id.map(Address::bare)) else {
                    continue;
                };
                let nick = names::nick(shown);
                there.insert(nick.clone());
                let known = self.room.names.get(&nick).cloned();
                let own = self.room.own(&nick).is_some();
                if own && known.is_none() {
                    continue;
                }
                let known = known.unwrap_or_default();
                let jid = id.and_then(|id| self.shared.translator.jid(id).ok());
                let affiliation = match affiliation {
                    // Members are listed with all others.
                    Affiliation::None if known.affiliation == Affiliation::Member => {
                        known.affiliation
                    }
                    affiliation if sees_roles => affiliation,
                    _ => known.affiliation,
                };
                let name = Seen {
                    name: shown.to_owned(),
                    affiliation,
                    jid: known.jid.clone().or(jid.map(|jid| jid.to_string())),
                    ..known
                };
                self.room.show(&nick, name, self.core, self.shared);
            }
        }
        // A list without the one who asks is none.
        let asker = self.room.occupants.get(user);
        let is_list = asker.is_some_and(|asker| there.contains(&asker.nick));
        if there.len() >= MOST_LISTED || !is_list {
            return;
        }
        let gone = self.room.names.keys().filter(|nick| !there.contains(*nick));
        let gone: Vec<String> = gone.cloned().collect();
        for nick in gone {
            self.goes(&nick, &Shown::default());
        }
    }

    /// What the group is, and a user in it.
    fn is_like(&mut self, user: &str, answer: &Primitive) {
        if let (true, Primitive::GetGroupPropsResponse(response)) =
            (verdict(answer).is_success(), answer)
        {
            let properties = response.properties.as_ref();
            let properties = properties.map_or(&[][..], |p| p.properties.as_slice());
            let topic = settings::value(properties, "Topic").unwrap_or_default();
            let before = self.room.subject.replace(topic.to_owned());
            if before.is_some_and(|before| before != topic) {
                self.room.tell_all_subject(None, self.shared);
            }
            self.room.is_fleeting = settings::is_on(properties, "AutoDelete") == Some(true);
            if let Some(affiliation) = response.own.as_deref().and_then(Affiliation::of_own) {
                self.membership().stands(user, affiliation);
            }
        }
        self.room.subject.get_or_insert_default();
        Clients::of(self.room, self.core, self.shared).told_subject(user);
    }

    /// A message of the group: a stanza for each of its users here, and further ones for their
    /// other clients. `None` if it cannot be translated.
    pub(super) fn message(&mut self, request: &SendMessageRequest) -> Option<ToXmpp> {
        let (name, is_private) = (name_of(request), is_private(request));
        let nick = name.map(names::nick);
        let id = self.shared.id();
        let date = self.shared.skew.wall(self.now).0;
        let of_room = SendMessageRequest {
            delivery_report: false,
            info: crate::imps::common::MessageInfo {
                sender: Some(Sender {
                    user: None,
                    group: Some(GroupId {
                        group: self.room.group.clone(),
                    }),
                    screen_name: None,
                    display: None,
                }),
                ..request.info.clone()
            },
            ..request.clone()
        };
        let translated = to_xmpp(&self.shared.translator, &of_room, &id, date).ok()?;
        let message_id = request.info.message_id.as_deref().unwrap_or(&id);
        let marks = nick.as_ref().map(|nick| {
            let id = stanza_id(self.core, self.room, nick, message_id);
            let occupant = self.room.occupant_id(nick, self.core);
            occupant::marks(&self.room.jid, &id, &occupant)
        });
        let from = match &nick {
            Some(nick) => self.room.jid.with_resource_str(nick).ok()?.into(),
            None => self.room.jid.clone().into(),
        };
        let sent = request.info.date_time;
        let sent = sent.and_then(|sent| u64::try_from(sent.0).ok());
        let mut stanzas = Vec::new();
        let mut users = Vec::new();
        for (recipient, result) in translated.stanzas {
            let message = match result {
                Ok(message) => message,
                Err(code) => {
                    stanzas.push((recipient, Err(code)));
                    continue;
                }
            };
            let mut message = message;
            message.from = Some(std::clone::Clone::clone(&from));
            if is_private {
                message.type_ = MessageType::Chat;
                message.payloads.push(element("x", ns::MUC_USER).build());
            } else {
                message.payloads.extend(marks.iter().flatten().cloned());
            }
            let result = self.copies(&recipient, &message, sent);
            if let (Err(_), Recipient::User(user)) = (&result, &recipient) {
                users.push(user.clone());
            }
            stanzas.push((recipient, result));
        }
        self.are_here(&users);
        Some(ToXmpp {
            stanzas,
            form: translated.form,
        })
    }

    /// The message for the first client of a user; the others get it on the way.
    fn copies(
        &mut self,
        recipient: &Recipient,
        message: &Message,
        sent: Option<u64>,
    ) -> Result<Message, Code> {
        let user = message.to.as_ref().map(|to| to.to_bare().to_string());
        let user = user.ok_or(Code::ADDRESS)?;
        let occupant = self.room.occupants.get(&user);
        let occupant = occupant.filter(|occupant| occupant.state != State::Leaving);
        let occupant = occupant.ok_or(Code::NOT_JOINED)?;
        if occupant.sessions.is_empty() {
            // They may come back, and the group hands it on again.
            return Err(Code::UNAVAILABLE);
        }
        if !matches!(recipient, Recipient::User(_)) {
            return Err(Code::ADDRESS);
        }
        let now = self.now;
        // What was said before somebody came they may not want.
        let wants = |session: &super::occupant::Session| match (session.past, sent) {
            (Some((until, since)), Some(sent)) => now > until || sent * 1000 + 999 >= since.0,
            _ => true,
        };
        let clients = occupant.sessions.iter().filter(|(_, s)| wants(s));
        let clients: Vec<&String> = clients.map(|(resource, _)| resource).collect();
        let mut copies = clients.into_iter().filter_map(|resource| {
            let mut copy = message.clone();
            copy.to = Some(address(&user, resource)?);
            Some(copy)
        });
        let Some(first) = copies.next() else {
            return Err(Code::REJECTED);
        };
        let others: Vec<Message> = copies.collect();
        for other in others {
            self.shared.send(&self.room.component, other, self.now);
        }
        Ok(first)
    }
}

/// The answer to a message of a group while nobody is told anything.
pub(super) fn later(request: &SendMessageRequest) -> ToXmpp {
    let recipients = request.info.recipients.iter();
    let stanzas = recipients.map(|recipient| (recipient.clone(), Err(Code::UNAVAILABLE)));
    ToXmpp {
        stanzas: stanzas.collect(),
        form: Form::Full,
    }
}

fn mappings(
    list: Option<&MappingList>,
) -> impl Iterator<Item = &crate::imps::primitive::group::Mapping> {
    let map = list.and_then(|list| list.map.as_ref());
    map.and_then(|map| map.mappings.as_ref())
        .into_iter()
        .flatten()
}

/// The group that a message comes from, if it comes from one.
pub(super) fn group_of(request: &SendMessageRequest) -> Option<&Address> {
    let sender = request.info.sender.as_ref()?;
    if sender.user.is_some() {
        return None;
    }
    let group = sender.group.as_ref().map(|group| &group.group);
    group.or_else(|| shown(sender).map(|name| &name.group))
}

fn shown(sender: &Sender) -> Option<&ScreenName> {
    let display = sender.display.as_ref();
    let display = display.and_then(|display| display.screen_name.as_ref());
    sender.screen_name.as_ref().or(display)
}

/// Who has said it, as the group calls them.
fn name_of(request: &SendMessageRequest) -> Option<&str> {
    let sender = request.info.sender.as_ref()?;
    let name = shown(sender)?.name.trim();
    (!name.is_empty()).then_some(name)
}

/// Whether it is for one participant: it is shown to be for a name.
fn is_private(request: &SendMessageRequest) -> bool {
    let display = request.info.recipient_display.as_ref();
    display.is_some_and(|display| display.screen_name.is_some())
}
