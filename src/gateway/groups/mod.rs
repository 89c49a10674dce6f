//! Rooms of XMPP as groups, for SSP users (xmpp-mapping, 5.2): we are a client of the room service.
//!
//! ```text
//!  SSP ── JoinGroupRequest ─▶ disco ─▶ <presence to=room/nick> ─▶ all who are there, 110 ─▶ JoinGroupResponse
//!      ◀─ GroupChangeNotice, SendMessageRequest, LeaveGroupIndication ── what the room tells
//! ```
//!
//! | file | what |
//! |---|---|
//! | `visit` | a user in a room; one record each |
//! | `desk` | what users ask for |
//! | `seat` | to come in, to be seen, to leave |
//! | `hearing` | what the room says |
//! | `asking` | what is asked and changed by iq |
//! | `core` | what all share |
//!
//! Who is in a room is written down, and comes in again when the link is back, when the room has
//! lost them, or when it says so where it is asked every half hour (XEP-0410).

mod asking;
mod core;
mod desk;
mod hearing;
mod seat;
mod visit;

use std::collections::BTreeMap;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use super::records::{Member, member_of, read, visit_key};
use super::reply::Reply;
use super::shared::Shared;
use crate::element::{Outcome, RequestId, Time};
use crate::imps::address::Kind;
use crate::imps::common::{Recipient, User};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code, Status};
use crate::store::Write;
use crate::translate::message::{ToXmpp, to_xmpp};
use crate::translate::receipt::error_of;
use crate::translate::room::visit as stanzas;
use crate::translate::search::criteria::{RoomCriterion, TOO_BROAD};
use crate::translate::stanza::{ns, payload};
use crate::translate::{Context, Translator};
use asking::Then;
use core::{Core, Due};
use desk::Desk;
use hearing::Hearing;
use seat::Seat;
use visit::{Key, State, Visit};

/// Somebody is in a group already.
const JOINED: Code = Code(807);
/// A group is missing, or its address is none.
const NO_GROUP_ID: Code = Code(429);
/// Nobody is called so.
const NOBODY: Code = Code(410);

/// SSP users in rooms of XMPP.
#[derive(Debug, Default)]
pub(super) struct Groups {
    visits: BTreeMap<Key, Visit>,
    core: Core,
}

impl Groups {
    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let Member { user, group } = member_of(rest)?;
        let key = Key { group, user };
        self.core.timers.by(Time(0), Due::Visit(key.clone()));
        self.visits.insert(key, read(value)?);
        Ok(())
    }

    /// How many users are in rooms, and how many of them may be so on one side only.
    pub(super) fn count(&self) -> (usize, usize) {
        let visits = self.visits.values();
        let unsure = visits.filter(|visit| visit.state != State::Inside || !visit.is_sure);
        (self.visits.len(), unsure.count())
    }

    /// Domains of the users.
    pub(super) fn domains(&self) -> impl Iterator<Item = String> + '_ {
        self.visits.keys().map(|key| key.user.domain().to_owned())
    }

    /// By which address a user is in a room.
    pub(super) fn occupant(&self, user: &Address, group: &Address, shared: &Shared) -> Option<Jid> {
        let key = Key {
            group: group.clone(),
            user: user.clone(),
        };
        let visit = self.visits.get(&key)?;
        let from = shared.translator.jid_from(&User::new(user.clone()));
        from.ok().filter(|_| visit.state == State::Inside)
    }

    /// A user of XMPP who has come into a room: which, who, and under which name.
    pub(super) fn next_came(&mut self) -> Option<(Address, Address, String)> {
        self.core.came.pop_front()
    }

    /// The groups that a criterion is about, as far as a user is in them.
    ///
    /// # Errors
    /// 537: nothing is known of somebody else, who may be anywhere.
    pub(super) fn known(
        &self,
        asker: &Address,
        criterion: &RoomCriterion,
        translator: &Translator,
    ) -> Result<Vec<Address>, Code> {
        let (about, owns) = match criterion {
            RoomCriterion::Owner(user) => (user, true),
            RoomCriterion::Joined(user) => (user, false),
            _ => return Ok(Vec::new()),
        };
        let jid = translator.jid(about).map_err(|error| error.code())?;
        let jid = (about != asker).then(|| jid.to_string());
        let visits = self.visits.iter().filter(|(key, visit)| {
            key.user == *asker && visit.state == State::Inside && visit.has(jid.as_deref(), owns)
        });
        let groups: Vec<Address> = visits.map(|(key, _)| key.group.clone()).collect();
        if groups.is_empty() && jid.is_some() {
            return Err(TOO_BROAD);
        }
        Ok(groups)
    }

    fn seat<'a>(&'a mut self, key: &'a Key, now: Time, shared: &'a mut Shared) -> Option<Seat<'a>> {
        Some(Seat {
            key,
            visit: self.visits.get_mut(key)?,
            core: &mut self.core,
            shared,
            now,
        })
    }

    /// Forgets a visit that is over.
    fn tidy(&mut self, key: &Key, now: Time, shared: &mut Shared) {
        let is_over = |visit: &Visit| visit.state == State::Over;
        if self.visits.get(key).is_some_and(is_over) {
            if let Some(mut seat) = self.seat(key, now, shared) {
                seat.forget_all();
            }
            self.visits.remove(key);
            shared.write(Write::delete(visit_key(&key.user, &key.group)));
        }
    }

    /// A request of a user about a room of XMPP.
    pub(super) fn request(
        &mut self,
        primitive: &Primitive,
        user: &Address,
        (id, expires): (RequestId, Time),
        now: Time,
        shared: &mut Shared,
    ) {
        match Desk::of(self, primitive, user, (id, expires), (now, shared)) {
            Ok(mut desk) => desk.take(primitive),
            Err(code) => shared.respond_code(id, code),
        }
    }

    fn inside(&self, key: &Key) -> Option<&Visit> {
        let visit = self.visits.get(key)?;
        (visit.state == State::Inside).then_some(visit)
    }

    fn may_begin(&self, key: &Key, shared: &Shared) -> Result<(), Code> {
        match self.visits.get(key) {
            Some(visit) if visit.state != State::Leaving => Err(JOINED),
            None if self.visits.len() >= shared.settings.rooms.max_visits => Err(Code::QUEUE_FULL),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, key: &Key, visit: Visit, now: Time, shared: &mut Shared) {
        if let Some(mut before) = self.seat(key, now, shared) {
            before.forget_all();
        }
        self.visits.insert(key.clone(), visit);
        if let Some(mut seat) = self.seat(key, now, shared) {
            seat.save();
            seat.enter();
        }
    }

    /// Presence of a room of XMPP for a user; whether it was that.
    pub(super) fn presence(
        &mut self,
        (from, to): (&Jid, &Jid),
        presence: &Presence,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some(key) = key_of(from, to, shared) else {
            return false;
        };
        if presence.type_ == Type::Error {
            let table = &shared.translator.mappings.status;
            let error = payload(&presence.payloads, "error", ns::DEFAULT_NS);
            let code = error.map_or(Code::UNAVAILABLE, |e| table.code(e, Context::Join));
            if let Some(mut seat) = self.seat(&key, now, shared) {
                seat.refused(code);
            }
        } else if let Some(told) = stanzas::told(presence) {
            match self.seat(&key, now, shared) {
                Some(mut seat) => seat.told(&told),
                // Nobody of ours is there.
                None if told.has(110) && !told.is_gone => {
                    let exit = stanzas::exit(to, &from.to_bare(), &told.nick);
                    let component = shared.translator.component_of(&key.user);
                    if let (Some(exit), Some(component)) = (exit, component.map(str::to_owned)) {
                        shared.hand(&component, exit);
                    }
                }
                None => {}
            }
        }
        self.tidy(&key, now, shared);
        true
    }

    /// A message of a room of XMPP for a user; whether it was that.
    pub(super) fn message(&mut self, message: &Message, now: Time, shared: &mut Shared) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        let is_of_room = message.type_ == MessageType::Groupchat || from.resource().is_some();
        let Some(key) = key_of(from, to, shared).filter(|_| is_of_room) else {
            return false;
        };
        // Some rooms tell it to all under another id.
        if stanzas::topic_of(message).is_some()
            && let Some(visit) = self.visits.get_mut(&key)
            && from
                .resource()
                .is_some_and(|nick| nick.as_str() == visit.nick)
            && let Some(id) = visit.sets_topic.take()
        {
            self.heard(&id, from, Ok(None), now, shared);
        }
        match self.seat(&key, now, shared) {
            Some(mut seat) => Hearing(&mut seat).message(message),
            None => shared.dropped.count("message of a room that was left"),
        }
        self.tidy(&key, now, shared);
        true
    }

    /// An error message, which may say that a room does not have a user.
    pub(super) fn bounced(&mut self, message: &Message, now: Time, shared: &mut Shared) {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return;
        };
        let Some(key) = key_of(from, to, shared) else {
            return;
        };
        let table = &shared.translator.mappings.status;
        let code = error_of(message).map(|error| table.code(error, Context::Groupchat));
        let code = code.unwrap_or(Code::UNDELIVERABLE);
        if let Some(id) = &message.id {
            let failed = if code == Code::NOT_JOINED {
                code
            } else {
                Code(816)
            };
            self.heard(&id.0, from, Err(failed), now, shared);
        }
        let is_of_room = from.resource().is_none() && code == Code::NOT_JOINED;
        if let Some(mut seat) = self.seat(&key, now, shared).filter(|_| is_of_room) {
            seat.lost();
        }
    }

    /// An answer of a room; gives it back if it is none that is waited for.
    pub(super) fn iq(&mut self, iq: Iq, now: Time, shared: &mut Shared) -> Option<Iq> {
        let translator = shared.translator.clone();
        let awaits = |id: &str, from: &Jid| self.core.awaits(id, from, &translator);
        let reply = match Reply::of(iq, Context::Group, awaits, shared) {
            Ok(reply) => reply,
            Err(iq) => return Some(*iq),
        };
        if let Some(key) = self.core.pings.remove(&reply.id) {
            // XEP-0410, 3: by these a room says that there is nobody.
            let gone = ["not-acceptable", "item-not-found", "not-allowed"];
            let is_there = reply
                .error
                .is_none_or(|error| !error.children().any(|child| gone.contains(&child.name())));
            if let Some(mut seat) = self.seat(&key, now, shared) {
                seat.has_answered(is_there);
            }
        } else {
            self.heard(&reply.id, &reply.from, reply.answer, now, shared);
        }
        None
    }

    /// The answer to a question, if it is one.
    fn heard(
        &mut self,
        id: &str,
        from: &Jid,
        answer: Result<Option<minidom::Element>, Code>,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let Some(number) = self.core.answered(id, from) else {
            return false;
        };
        let translator = shared.translator.clone();
        let Some(question) = self.core.questions.get_mut(&number) else {
            return true;
        };
        let then = question.heard(answer, &translator);
        if let Then::Next = then {
            self.core.proceed(number, shared);
            return true;
        }
        let Some(question) = self.core.close(number) else {
            return true;
        };
        let key = question.key.clone();
        match then {
            Then::Next => {}
            Then::Answer(answer) => question.answer(*answer, shared),
            Then::Enter(visit) => match self.may_begin(&key, shared) {
                Ok(()) => self.begin(&key, *visit, now, shared),
                Err(code) => question.answer(Status::new(code).into(), shared),
            },
            Then::Made(stays) => {
                question.answer(Status::ok().into(), shared);
                if let Some(mut seat) = self.seat(&key, now, shared).filter(|_| !stays) {
                    seat.say_goodbye();
                    seat.visit.state = State::Over;
                }
            }
            Then::Tell(properties) => {
                if let Some(mut seat) = self.seat(&key, now, shared) {
                    seat.are_set(properties);
                }
            }
        }
        self.tidy(&key, now, shared);
        true
    }

    /// The stanzas for a message of a user that is for rooms of XMPP, or those in them.
    pub(super) fn copies(
        &self,
        request: &SendMessageRequest,
        user: Option<&Address>,
        now: Time,
        shared: &mut Shared,
    ) -> Option<ToXmpp> {
        let translator = shared.translator.clone();
        let is_of_room = |recipient: &Recipient| {
            matches!(recipient, Recipient::Group(_) | Recipient::ScreenName(_))
                && translator.is_xmpp(recipient.address())
        };
        if !request.info.recipients.iter().any(is_of_room) {
            return None;
        }
        let id = shared.id();
        let date = shared.skew.wall(now).0;
        let mut copies = to_xmpp(&translator, request, &id, date).ok()?;
        for (recipient, stanza) in &mut copies.stanzas {
            if !is_of_room(recipient) {
                continue;
            }
            let key = user.map(|user| Key {
                group: recipient.address().clone(),
                user: user.clone(),
            });
            let visit = key.as_ref().and_then(|key| self.inside(key));
            let (Some(key), Some(visit)) = (key, visit) else {
                *stanza = Err(Code::NOT_JOINED);
                continue;
            };
            let Ok(message) = stanza else { continue };
            message.from = translator.jid_from(&User::new(key.user.clone())).ok();
            if let Recipient::ScreenName(name) = recipient {
                let room = message.to.as_ref().map(Jid::to_bare);
                let nick = visit.nick_of(&name.name);
                let to = room
                    .zip(nick)
                    .and_then(|(r, n)| r.with_resource_str(n).ok());
                match to {
                    Some(to) => message.to = Some(to.into()),
                    None => *stanza = Err(NOBODY),
                }
            }
        }
        Some(copies)
    }

    /// Whether the token is of a message of a room.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.core.told.contains_key(&token)
    }

    /// The SSP side has taken a message of a room, or not.
    pub(super) fn answered(&mut self, token: u64, code: Code, shared: &mut Shared) {
        if let Some(message_id) = self.core.told.remove(&token) {
            let outcome = if code.is_success() {
                Outcome::Relayed
            } else {
                Outcome::Refused(code.0)
            };
            shared.outcome(&message_id, outcome);
        }
    }

    /// The link of `component` is there: whoever is in a room through it comes in again.
    pub(super) fn link_up(&mut self, component: &str, now: Time, shared: &mut Shared) {
        self.core.pings.clear();
        let of_it = self.visits.iter();
        let of_it = of_it.filter(|(_, visit)| visit.component == component);
        let keys: Vec<Key> = of_it.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(mut seat) = self.seat(&key, now, shared) {
                seat.link_up();
            }
        }
    }

    /// Users leave the rooms of domains with which there is nothing any more.
    pub(super) fn leave_denied(&mut self, now: Time, shared: &mut Shared) {
        for key in self.visits.keys().cloned().collect::<Vec<_>>() {
            if key.is_denied(shared)
                && let Some(mut seat) = self.seat(&key, now, shared)
            {
                seat.put_away();
            }
            self.tidy(&key, now, shared);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.core.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(due) = self.core.timers.pop(now) {
            match due {
                Due::Visit(key) => {
                    if let Some(mut seat) = self.seat(&key, now, shared) {
                        seat.look();
                    }
                    self.tidy(&key, now, shared);
                }
                Due::Question(number) => {
                    if let Some(question) = self.core.close(number) {
                        question.answer(Status::new(Code::TIMEOUT).into(), shared);
                    }
                }
            }
        }
    }
}

/// The user and the room, of a stanza of a room of XMPP to a user.
fn key_of(from: &Jid, to: &Jid, shared: &Shared) -> Option<Key> {
    let translator = &shared.translator;
    if !translator.is_room(from) || translator.is_room(to) || to.node().is_none() {
        return None;
    }
    let group = translator.group(from).ok()?;
    let user = translator.address(to).ok()?;
    let is_one = group.kind() == Kind::Resource && translator.is_xmpp(&group);
    is_one.then_some(Key { group, user })
}
