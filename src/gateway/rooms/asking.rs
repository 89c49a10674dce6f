//! XMPP users ask a room, or want something changed in it: the group decides.

use std::collections::BTreeMap;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;

use super::core::{Asked, Core, Who, meta};
use super::questions::{self, First, Question, Then, What};
use super::room::Room;
use super::speaking::nick_of;
use crate::element::Time;
use crate::gateway::query::not_understood;
use crate::gateway::shared::{Shared, verdict};
use crate::imps::address::Kind;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group_admin::SetGroupPropsRequest;
use crate::imps::{Address, Code};
use crate::translate::room::settings;
use crate::translate::stanza::{element, ns};
use crate::translate::{Context, Mode};

/// Questions of XMPP users.
pub(super) struct Asking<'a> {
    all: &'a mut BTreeMap<Address, Room>,
    core: &'a mut Core,
    shared: &'a mut Shared,
    now: Time,
}

impl<'a> Asking<'a> {
    /// Of all rooms, at this time.
    pub(super) fn of(
        all: &'a mut BTreeMap<Address, Room>,
        core: &'a mut Core,
        shared: &'a mut Shared,
        now: Time,
    ) -> Self {
        Self {
            all,
            core,
            shared,
            now,
        }
    }

    /// A question or answer of an XMPP user; gives it back if it is about no room.
    pub(super) fn ask(&mut self, component: &str, iq: Iq, (from, to): (&Jid, &Jid)) -> Option<Iq> {
        let (id, payload, is_set) = match &iq {
            Iq::Get { id, payload, .. } => (id.clone(), payload.clone(), false),
            Iq::Set { id, payload, .. } => (id.clone(), payload.clone(), true),
            Iq::Result { .. } | Iq::Error { .. } => return Some(iq),
        };
        let translator = self.shared.translator.clone();
        let lists_rooms = to.node().is_none()
            && !is_set
            && payload.is("query", ns::DISCO_ITEMS)
            && payload.attr("node").is_none();
        let group = translator.group(to).ok();
        let group = group.filter(|group| group.kind() == Kind::Resource || lists_rooms);
        let (Some(group), Ok(user)) = (group, translator.address(from)) else {
            return Some(iq);
        };
        let room = self.all.get(&group);
        let first = match to.resource() {
            Some(nick) => {
                let own = room.and_then(|room| nick_of(room, Some(from)));
                let is_there = room.is_some_and(|room| room.names.contains_key(nick.as_str()));
                match own {
                    // Whether it is still there itself (XEP-0410).
                    Some(own) if own == nick.as_str() && payload.is("ping", ns::PING) => {
                        First::Answer(None)
                    }
                    Some(_) if is_there => First::Unknown,
                    Some(_) => First::Refuse(Code::UNKNOWN_USER),
                    None => {
                        let code = Code::NOT_JOINED;
                        let table = &translator.mappings.status;
                        let context = Context::Message;
                        if let Some(error) = table.error(code, context, None) {
                            self.shared.refuse_iq(component, iq, error);
                        }
                        return None;
                    }
                }
            }
            None if lists_rooms => questions::all_rooms(&user),
            None => questions::first((&payload, is_set), (&group, room), &user, &translator),
        };
        let mut question = Question {
            component: component.to_owned(),
            from: from.clone(),
            to: to.clone(),
            id,
            group,
            what: What::Info,
        };
        match first {
            First::Unknown => self.shared.refuse_iq(component, iq, *not_understood()),
            First::Answer(payload) => question.answer(payload, self.shared),
            First::Refuse(code) => question.refuse(code, self.shared),
            First::Ask(what, primitive) => {
                if self.core.open() >= self.shared.settings.rooms.max_questions {
                    question.refuse(Code::QUEUE_FULL, self.shared);
                    return None;
                }
                if let Some(room) = self.all.get_mut(&question.group) {
                    room.kicked.extend(questions::kicked(&what, &primitive));
                }
                // Of several domains behind one component it is open which is meant.
                let is_one = translator.mode == Mode::Names;
                let domain = matches!(what, What::Rooms) && is_one;
                let domain = domain.then(|| question.group.clone());
                question.what = what;
                let asked = Asked::Question(Box::new(question));
                let core = &mut *self.core;
                if let Some(domain) = domain {
                    core.ask_at(asked, domain, primitive, self.now, self.shared);
                } else {
                    core.ask(asked, primitive, self.now, self.shared);
                }
            }
        }
        None
    }

    pub(super) fn answer(&mut self, mut question: Box<Question>, answer: &Primitive) {
        match question.heard(answer, self.shared) {
            Then::Ask(next) => {
                let asked = Asked::Question(question);
                self.core.ask(asked, next, self.now, self.shared);
            }
            Then::Answer(payload) => question.answer(payload, self.shared),
            // Who may not search sees those that are known.
            Then::Refuse(_) if matches!(question.what, What::Rooms) => {
                let items = element("query", ns::DISCO_ITEMS).build();
                question.answer(Some(items), self.shared);
            }
            Then::Refuse(code) => question.refuse(code, self.shared),
        }
    }

    /// An occupant wants to talk about something else.
    pub(super) fn set_topic(&mut self, group: Address, message: Message) {
        let from = message.from.as_ref();
        let user = from.map(|from| from.to_bare().to_string());
        let room = self.all.get(&group);
        let occupant = user
            .as_ref()
            .and_then(|user| room?.occupants.get(user).cloned());
        let (Some(user), Some(occupant)) = (user, occupant) else {
            return;
        };
        let topic = message.subjects.values().next().cloned();
        let topic = topic.unwrap_or_default();
        let request = SetGroupPropsRequest {
            group: group.clone(),
            meta: Some(meta(&occupant.user)),
            properties: Some(settings::only("Topic", topic.trim())),
            own: None,
        };
        if self.core.open() >= self.shared.settings.rooms.max_questions {
            let component = self.all.get(&group).map(|room| room.component.clone());
            return self
                .shared
                .refuse(&component.unwrap_or_default(), message, Code::QUEUE_FULL);
        }
        let asked = Asked::Topic(Who { group, user }, Box::new(message));
        self.core.ask(asked, request, self.now, self.shared);
    }

    pub(super) fn topic_set(&mut self, who: &Who, message: &Message, answer: &Primitive) {
        let Some(room) = self.all.get_mut(&who.group) else {
            return;
        };
        let code = verdict(answer);
        if !code.is_success() {
            return self.shared.refuse(&room.component, message.clone(), code);
        }
        let topic = message.subjects.values().next().cloned();
        room.subject = Some(topic.unwrap_or_default().trim().to_owned());
        let by = room.occupants.get(&who.user).map(|o| o.nick.clone());
        room.tell_all_subject(by.as_deref(), self.shared);
    }
}
