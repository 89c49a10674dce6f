//! Requests of SSP users about rooms of XMPP (xmpp-mapping, 5.2).

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::Message;

use super::asking::{self, Question, What};
use super::visit::{Key, Visit, Waiting};
use super::{Groups, NO_GROUP_ID};
use crate::element::{RequestId, Time};
use crate::gateway::shared::Shared;
use crate::imps::address::Kind;
use crate::imps::common::{Property, ScreenName, User, UserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group::{
    GetGroupSubStatusResponse, GetJoinedUsersResponse, Mapping, MappingList, UserMapList,
};
use crate::imps::{Address, Code, Status};
use crate::translate::room::settings::value;
use crate::translate::room::{Affiliation, names, visit as stanzas};
use crate::translate::stanza::print;

/// A request of a user, and where it goes.
pub(super) struct Desk<'a> {
    groups: &'a mut Groups,
    shared: &'a mut Shared,
    now: Time,
    key: Key,
    component: String,
    room: BareJid,
    from: Jid,
    id: RequestId,
    until: Time,
}

impl<'a> Desk<'a> {
    /// A request that rooms can have; `expires` is when it must be answered.
    ///
    /// # Errors
    /// The status of who asks.
    pub(super) fn of(
        groups: &'a mut Groups,
        primitive: &Primitive,
        user: &Address,
        (id, expires): (RequestId, Time),
        (now, shared): (Time, &'a mut Shared),
    ) -> Result<Self, Code> {
        let translator = shared.translator.clone();
        let group = group_of(primitive).ok_or(Code::NOT_IMPLEMENTED)?;
        if group.kind() != Kind::Resource {
            return Err(NO_GROUP_ID);
        }
        if !translator.is_xmpp(group) {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let component = translator.component_of(user);
        let component = component.ok_or(Code::DOMAIN_NOT_SUPPORTED)?.to_owned();
        let bound = shared.settings.rooms.max_questions;
        if !shared.links.is_up(&component) || groups.core.questions.len() >= bound {
            return Err(Code::UNAVAILABLE);
        }
        let from = translator.jid_from(&User::new(user.clone()));
        let room = translator.jid(group).map_err(|error| error.code())?;
        let leaves = matches!(primitive, Primitive::LeaveGroupRequest(_));
        if !leaves && !shared.gate.may_talk(room.domain().as_str()) {
            return Err(Code::FORBIDDEN);
        }
        Ok(Self {
            room,
            from: from.map_err(|error| error.code())?,
            until: expires.minus(shared.settings.answer_margin),
            key: Key {
                group: group.clone(),
                user: user.clone(),
            },
            groups,
            shared,
            now,
            component,
            id,
        })
    }

    /// Does what is asked.
    pub(super) fn take(&mut self, primitive: &Primitive) {
        match primitive {
            Primitive::JoinGroupRequest(request) => {
                let name = request.screen_name.as_ref();
                self.join(name, (request.joined_list, request.subscribe));
            }
            Primitive::CreateGroupRequest(request) => {
                let name = request.screen_name.as_ref();
                let wanted = request.properties.as_ref();
                let wanted = wanted.map_or(&[][..], |p| &p.properties);
                self.create(name, (request.join, request.subscribe), wanted);
            }
            Primitive::LeaveGroupRequest(_) => {
                match self.groups.seat(&self.key, self.now, self.shared) {
                    Some(mut seat) => seat.leave(self.id),
                    None => self.refuse(Code::NOT_JOINED),
                }
            }
            Primitive::GetJoinedUsersRequest(_) => self.who_is_there(),
            Primitive::SubscribeGroupChangeRequest(_) => self.subscribe(true),
            Primitive::UnsubscribeGroupChangeRequest(_) => self.subscribe(false),
            Primitive::GetGroupSubStatusRequest(_) => match self.groups.inside(&self.key) {
                Some(visit) => {
                    let response = GetGroupSubStatusResponse {
                        group: Some(self.key.group.clone()),
                        subscribed: visit.subscribes,
                        status: Status::ok(),
                    };
                    self.shared.respond(self.id, response);
                }
                None => self.refuse(Code::NOT_JOINED),
            },
            other => self.question(other),
        }
    }

    fn refuse(&mut self, code: Code) {
        self.shared.respond_code(self.id, code);
    }

    /// A visit that is to begin.
    fn visit(&self, name: Option<&ScreenName>, (lists, subscribes): (bool, bool)) -> Visit {
        let named = name.map(|name| name.name.trim());
        let named = named.filter(|name| !name.is_empty());
        let nick = names::nick(named.unwrap_or(self.key.user.user_part()));
        let mut visit = Visit::new(self.component.clone(), nick, subscribes);
        visit.waiting = Some(Waiting {
            id: self.id,
            until: self.until,
            wants_list: lists,
            is_named: named.is_some(),
            makes: None,
        });
        visit
    }

    fn ask(&mut self, what: What, steps: impl IntoIterator<Item = asking::Step>) -> Question {
        Question {
            request: Some(self.id),
            key: self.key.clone(),
            component: self.component.clone(),
            room: self.room.clone(),
            from: self.from.clone(),
            until: self.until,
            what,
            steps: steps.into_iter().collect(),
        }
    }

    /// A user wants to come in: that must not make a room, so it is looked for first.
    fn join(&mut self, name: Option<&ScreenName>, wants: (bool, bool)) {
        if let Err(code) = self.groups.may_begin(&self.key, self.shared) {
            return self.refuse(code);
        }
        let visit = self.visit(name, wants);
        let question = self.ask(What::Enter(Box::new(visit)), [(stanzas::info(), false)]);
        self.groups.core.open(question, self.now, self.shared);
    }

    /// A user wants to make a room.
    fn create(
        &mut self,
        name: Option<&ScreenName>,
        (stays, subscribes): (bool, bool),
        wanted: &[Property],
    ) {
        if let Err(code) = self.groups.may_begin(&self.key, self.shared) {
            return self.refuse(code);
        }
        let mut visit = self.visit(name, (false, subscribes));
        if let Some(waiting) = &mut visit.waiting {
            waiting.makes = Some(stays);
        }
        visit.wanted = wanted.to_vec();
        if !stays {
            // Nobody would be left in it.
            let is_it = |p: &Property| p.name.trim().eq_ignore_ascii_case("AutoDelete");
            visit.wanted.retain(|property| !is_it(property));
            visit.wanted.push(Property {
                name: "AutoDelete".to_owned(),
                value: Some("F".to_owned()),
            });
        }
        self.groups.begin(&self.key, visit, self.now, self.shared);
    }

    fn subscribe(&mut self, subscribes: bool) {
        if self.groups.inside(&self.key).is_none() {
            return self.refuse(Code::NOT_JOINED);
        }
        if let Some(mut seat) = self.groups.seat(&self.key, self.now, self.shared) {
            seat.visit.subscribes = subscribes;
            seat.save();
        }
        self.refuse(Code::OK);
    }

    fn who_is_there(&mut self) {
        let Some(visit) = self.groups.inside(&self.key) else {
            return self.refuse(Code::NOT_JOINED);
        };
        let translator = &self.shared.translator;
        let list = |is_it: fn(Affiliation) -> bool| {
            let seen = visit.names.values();
            let seen = seen.filter(|seen| is_it(seen.affiliation));
            let mappings = seen.map(|seen| Mapping {
                screen_name: Some(seen.name.clone()),
                user: seen.jid.as_ref().and_then(|jid| {
                    let user = translator.address(&Jid::new(jid).ok()?).ok()?;
                    Some(UserId { user })
                }),
            });
            MappingList {
                map: Some(UserMapList {
                    mappings: Some(mappings.collect()),
                }),
            }
        };
        let response = GetJoinedUsersResponse {
            status: Status::ok(),
            admins: Some(list(|affiliation| affiliation == Affiliation::Owner)),
            moderators: Some(list(|affiliation| affiliation == Affiliation::Admin)),
            users: Some(list(|affiliation| !affiliation.moderates())),
            blocked: None,
        };
        self.shared.respond(self.id, response);
    }

    /// What the room has to answer.
    fn question(&mut self, primitive: &Primitive) {
        let own = self.groups.inside(&self.key);
        let own = own.map(|visit| visit.affiliation);
        let first = asking::first(primitive, own, &self.shared.translator);
        let (what, steps) = match first {
            Ok(first) => first,
            Err(code) => return self.refuse(code),
        };
        let topic = match primitive {
            Primitive::SetGroupPropsRequest(request) => request.properties.as_ref(),
            _ => None,
        };
        let topic = topic.and_then(|p| value(&p.properties, "Topic"));
        if topic.is_some() && own.is_none() {
            return self.refuse(Code::NOT_JOINED);
        }
        let id = self.shared.id();
        let message = topic.map(|topic| stanzas::topic(&self.from, &self.room, topic, &id));
        let most = self.shared.links.most(&self.component);
        if message
            .as_ref()
            .is_some_and(|message| size_of_message(message) > most)
        {
            return self.refuse(Code::UNDELIVERABLE);
        }
        let question = self.ask(what, steps);
        let Some(message) = message else {
            if question.steps.is_empty() {
                return self.refuse(Code::OK);
            }
            return self.groups.core.open(question, self.now, self.shared);
        };
        // The room tells all of it when it has taken it.
        self.shared.hand(&self.component, message);
        if let Some(visit) = self.groups.visits.get_mut(&self.key) {
            visit.sets_topic = Some(id.clone());
        }
        let core = &mut self.groups.core;
        core.open_after(question, &id, self.now, self.shared);
    }
}

/// Bytes of a message as a stanza.
fn size_of_message(message: &Message) -> usize {
    print(&Stanza::Message(message.clone())).len()
}

/// The group that a request is about.
fn group_of(primitive: &Primitive) -> Option<&Address> {
    Some(match primitive {
        Primitive::JoinGroupRequest(request) => &request.group,
        Primitive::LeaveGroupRequest(request) => &request.group,
        Primitive::GetJoinedUsersRequest(request) => &request.group,
        Primitive::SubscribeGroupChangeRequest(request) => &request.group,
        Primitive::UnsubscribeGroupChangeRequest(request) => &request.group,
        Primitive::GetGroupSubStatusRequest(request) => &request.group,
        Primitive::CreateGroupRequest(request) => &request.group,
        Primitive::DeleteGroupRequest(request) => &request.group,
        Primitive::GetGroupMemberRequest(request) => &request.group,
        Primitive::AddGroupMemberRequest(request) => &request.group,
        Primitive::RemoveGroupMemberRequest(request) => &request.group,
        Primitive::MemberAccessRequest(request) => &request.group,
        Primitive::GetGroupPropsRequest(request) => &request.group,
        Primitive::SetGroupPropsRequest(request) => &request.group,
        Primitive::RejectListRequest(request) => &request.group,
        _ => return None,
    })
}
