//! Groups of the SSP side as rooms, for XMPP users (xmpp-mapping, 5.3): we play the room service.
//!
//! | file | what |
//! |---|---|
//! | `all` | the rooms, by group |
//! | `room`, `occupant` | a group as it is shown; an XMPP user in it, and their clients |
//! | `entrance` | clients that come in, take another name, go |
//! | `membership` | what the group and this side make of a user |
//! | `clients` | what a user's clients are told that wait |
//! | `hearing` | what the group tells |
//! | `speaking`, `answers` | what users say, until the group has it; what the group answers |
//! | `asking`, `questions` | what is asked and changed by iq |
//! | `liveness`, `count` | whether clients are still there; how much there is |
//! | `core`, `records` | what all share, what is kept |
//!
//! An XMPP user is one user of the group, however many clients they have in it: these share a
//! nickname. Who is in a group, and who is shown there, is written down, so that a restart shows
//! what has changed meanwhile. Whether the group agrees is asked when it is reached again, and now
//! and then: who is not joined there joins again, and whom it has by mistake leaves.

mod all;
mod answers;
mod asking;
mod clients;
mod core;
mod count;
mod entrance;
mod hearing;
mod liveness;
mod membership;
mod occupant;
mod questions;
pub(in crate::gateway) mod records;
mod room;
mod speaking;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};
use xmpp_parsers::presence::{Presence, Type};

use self::core::{Core, Due, Who, refuse_entry};
use super::records::read;
use super::shared::Shared;
use crate::element::Time;
use crate::imps::address::Kind;
use crate::imps::primitive::group::{GroupChangeNotice, LeaveGroupIndication};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code};
use crate::translate::message::ToXmpp;
use crate::translate::receipt::error_of;
use crate::translate::room::join_of;
use crate::translate::stanza::{ns, payload};
use all::All;
use answers::Answers;
use asking::Asking;
pub use count::RoomCount;
use entrance::Entrance;
use hearing::Hearing;
use liveness::{is_gone, ping};
use membership::{Membership, NO_GROUP};
use speaking::{Speaking, nick_of};

/// The groups of WV domains in which XMPP users are.
#[derive(Debug)]
pub(super) struct Rooms {
    all: All,
    core: Core,
    speaking: Speaking,
    /// Whether the node stops.
    is_over: bool,
}

impl Rooms {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            all: All::default(),
            core: Core::new(own.clone()),
            speaking: Speaking::new(own),
            is_over: false,
        }
    }

    /// Takes back a record of rooms.
    pub(super) fn restore(
        &mut self,
        key: &str,
        value: &[u8],
        shared: &Shared,
    ) -> Result<(), String> {
        if let Some(rest) = key.strip_prefix(records::SAID) {
            return self.speaking.restore(rest, value, &mut self.core);
        }
        if key == records::SALT {
            return self.core.restore_salt(value);
        }
        let group = if let Some(rest) = key.strip_prefix(records::USER) {
            let (user, group) = records::parts(rest)?;
            let (occupant, group) = (read(value)?, Address::new(group));
            if let Some(room) = self.all.open(&group, shared) {
                room.put(user, occupant, &mut self.core);
            }
            group
        } else if let Some(rest) = key.strip_prefix(records::NAME) {
            let (group, nick) = records::parts(rest)?;
            let (name, group) = (read(value)?, Address::new(group));
            if let Some(room) = self.all.open(&group, shared) {
                room.put_name(nick, name, &mut self.core);
            }
            group
        } else {
            return Err(format!("{key} is no record of rooms"));
        };
        if self.all.contains_key(&group) {
            self.core.timers.by(Time(0), Due::Room(group));
        }
        Ok(())
    }

    /// How many there are.
    pub(super) fn count(&self) -> RoomCount {
        self.all.count()
    }

    /// Domains of the groups.
    pub(super) fn domains(&self) -> impl Iterator<Item = String> + '_ {
        self.all.keys().map(|group| group.domain().to_owned())
    }

    /// A presence stanza of an XMPP user; whether it was for a room.
    pub(super) fn presence(
        &mut self,
        component: &str,
        (from, to): (&Jid, &Jid),
        presence: &Presence,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let translator = shared.translator.clone();
        let is_entry = join_of(presence).is_some() && presence.type_ == Type::None;
        if !is_entry && !translator.is_room(to) {
            return false;
        }
        let ends = || (to.clone(), from.clone());
        let id = presence.id.clone();
        let group = match translator.group(to) {
            Ok(group) if group.kind() == Kind::Resource => group,
            found if is_entry => {
                let code = found.map_or_else(|error| error.code(), |_| NO_GROUP);
                refuse_entry(component, ends(), id, code, shared);
                return true;
            }
            _ => return false,
        };
        match presence.type_ {
            Type::None if self.is_over => {
                refuse_entry(component, ends(), id, Code::UNAVAILABLE, shared);
                return true;
            }
            Type::None if to.resource().is_none() => {
                if is_entry {
                    refuse_entry(component, ends(), id, Code::ADDRESS, shared);
                }
                return true;
            }
            Type::None => {
                self.core.begin(shared);
                let Some(room) = self.all.open(&group, shared) else {
                    refuse_entry(component, ends(), id, NO_GROUP, shared);
                    return true;
                };
                Entrance::of(room, &mut self.core, shared, now).present((from, to), presence);
            }
            Type::Unavailable => self.gone(&group, from, Some(presence), now, shared),
            Type::Error => {
                let error = payload(&presence.payloads, "error", ns::DEFAULT_NS);
                if error.is_none_or(is_gone) {
                    self.gone(&group, from, None, now, shared);
                }
            }
            Type::Probe => {}
            // Nobody watches a room.
            _ => return false,
        }
        self.tidy(&group, shared);
        true
    }

    /// A client is not in a room any more.
    fn gone(
        &mut self,
        group: &Address,
        from: &Jid,
        presence: Option<&Presence>,
        now: Time,
        shared: &mut Shared,
    ) {
        let user = from.to_bare().to_string();
        let Some(room) = self.all.get_mut(group) else {
            return shared.dropped.count("presence in rooms");
        };
        let resources: Vec<String> = match (from.resource(), room.occupants.get(&user)) {
            (Some(resource), _) => vec![resource.to_string()],
            // All of them have gone with the user.
            (None, Some(occupant)) => occupant.sessions.keys().cloned().collect(),
            (None, None) => return,
        };
        for resource in resources {
            Entrance::of(room, &mut self.core, shared, now).gone(&user, &resource, presence);
        }
    }

    /// The node stops: clients in rooms are told that they are not any more (XEP-0045, code 332).
    /// Their users stay in the groups for as long as clients take to come back; from now on nobody
    /// comes in or leaves.
    pub(super) fn farewell(&mut self, shared: &mut Shared) {
        self.is_over = true;
        for room in self.all.values_mut() {
            room.close(&mut self.core, shared);
        }
    }

    /// Users of domains with which there is nothing any more leave.
    pub(super) fn leave_denied(&mut self, now: Time, shared: &mut Shared) {
        for room in self.all.values_mut() {
            Membership::of(room, &mut self.core, shared, now).put_out_denied();
        }
    }

    /// A user who has come into a group: which, who, and under which name.
    pub(super) fn next_came(&mut self) -> Option<(Address, Address, String)> {
        self.core.came.pop_front()
    }

    /// The group to whose room itself a message goes, and whether its sender is inside.
    pub(super) fn place(&self, message: &Message, shared: &Shared) -> Option<(Address, bool)> {
        let to = message.to.as_ref().filter(|to| to.resource().is_none())?;
        if !shared.translator.is_room(to) {
            return None;
        }
        let group = shared.translator.group(to).ok()?;
        let room = self.all.get(&group);
        let nick = room.and_then(|room| nick_of(room, message.from.as_ref()));
        (group.kind() == Kind::Resource).then_some((group, nick.is_some()))
    }

    /// A message that has come back from a client: it is not there any more.
    pub(super) fn bounced(&mut self, message: &Message, now: Time, shared: &mut Shared) {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return;
        };
        let group = shared.translator.group(to);
        if let Ok(group) = group
            && self.all.contains_key(&group)
            && error_of(message).is_none_or(is_gone)
        {
            self.gone(&group, from, None, now, shared);
            self.tidy(&group, shared);
        }
    }

    /// A message stanza of an XMPP user, which is no error; gives it back if it is for no room.
    pub(super) fn message(
        &mut self,
        component: &str,
        message: Message,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Message> {
        let to = message.to.clone()?;
        if !shared.translator.is_room(&to) && message.type_ != MessageType::Groupchat {
            return Some(message);
        }
        let group = match shared.translator.group(&to) {
            Ok(group) if group.kind() == Kind::Resource => group,
            _ => return Some(message),
        };
        let room = self.all.get(&group);
        let nick = room.and_then(|room| nick_of(room, message.from.as_ref()));
        let (Some(room), Some(_)) = (room, nick) else {
            shared.refuse(component, message, Code::NOT_JOINED);
            return None;
        };
        let is_for_all = message.type_ == MessageType::Groupchat;
        let named = to.resource().map(ToString::to_string);
        let refusal = match &named {
            Some(_) if is_for_all => Some(Code::BAD_REQUEST),
            Some(nick) if !room.names.contains_key(nick) => Some(Code::UNKNOWN_USER),
            None if !is_for_all => Some(Code::BAD_REQUEST),
            _ => None,
        };
        if let Some(code) = refusal {
            shared.refuse(component, message, code);
            return None;
        }
        if is_for_all && message.bodies.is_empty() && !message.subjects.is_empty() {
            Asking::of(&mut self.all, &mut self.core, shared, now).set_topic(group, message);
            return None;
        }
        let (core, speaking) = (&mut self.core, &mut self.speaking);
        if let Some(kind) = speaking.say(room, message, (core, shared), now) {
            shared.dropped.count(kind);
        }
        None
    }

    /// A question or answer of an XMPP user; gives it back if it is about no room.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        (from, to): (&Jid, &Jid),
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        match &iq {
            Iq::Get { .. } | Iq::Set { .. } if self.is_over && shared.translator.is_room(to) => {
                shared.refuse(component, iq, Code::UNAVAILABLE);
                None
            }
            Iq::Get { .. } | Iq::Set { .. } => {
                let mut asking = Asking::of(&mut self.all, &mut self.core, shared, now);
                asking.ask(component, iq, (from, to))
            }
            Iq::Result { id, .. } => self.pong(id, from, true, now, shared).then_some(iq),
            Iq::Error { id, error, .. } => {
                let error: minidom::Element = error.clone().into();
                let is_there = !is_gone(&error);
                self.pong(id, from, is_there, now, shared).then_some(iq)
            }
        }
    }

    /// A client has answered whether it is there; says whether it was something else.
    fn pong(
        &mut self,
        id: &str,
        from: &Jid,
        is_there: bool,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let asked = self.core.pings.get(id);
        let is_from =
            |(who, resource): &(Who, String)| from.as_str() == format!("{}/{resource}", who.user);
        if !asked.is_some_and(is_from) {
            return true;
        }
        if let Some((who, _)) = self.core.pings.remove(id)
            && !is_there
        {
            self.gone(&who.group, from, None, now, shared);
            self.tidy(&who.group, shared);
        }
        false
    }

    /// A message from the SSP side: the stanzas for it, if a group has sent it to users here.
    pub(super) fn copies(
        &mut self,
        request: &SendMessageRequest,
        now: Time,
        shared: &mut Shared,
    ) -> Option<ToXmpp> {
        let group = hearing::group_of(request)?.clone();
        if self.is_over {
            return Some(hearing::later(request));
        }
        self.core.begin(shared);
        let room = self.all.open(&group, shared)?;
        let copies = Hearing::of(room, &mut self.core, shared, now).message(request);
        self.tidy(&group, shared);
        copies
    }

    /// Something has changed in a group.
    pub(super) fn changed(&mut self, notice: &GroupChangeNotice, now: Time, shared: &mut Shared) {
        if self.is_over {
            // Who comes back sees what there is by then.
            return;
        }
        let is_known = self.all.contains_key(&notice.group);
        // Nobody here is in it, or was shown there: whom it has by mistake leaves.
        if !is_known {
            shared.dropped.count("GroupChangeNotice");
        }
        if let Some(room) = self.all.open(&notice.group, shared) {
            Hearing::of(room, &mut self.core, shared, now).changed(notice, is_known);
        }
        self.tidy(&notice.group, shared);
    }

    /// Users have to leave a group.
    pub(super) fn must_leave(
        &mut self,
        notice: &LeaveGroupIndication,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(group) = &notice.group else { return };
        match self.all.get_mut(group) {
            Some(room) => Hearing::of(room, &mut self.core, shared, now).must_leave(notice),
            None => shared.dropped.count("LeaveGroupIndication"),
        }
        self.tidy(group, shared);
    }

    /// Whether the token is of a request of this room.
    pub(super) fn asked(&self, token: u64) -> bool {
        self.core.has_asked(token) || self.speaking.asked(token)
    }

    /// What groups answer.
    pub(super) fn answers<'a>(&'a mut self, shared: &'a mut Shared, now: Time) -> Answers<'a> {
        Answers::of(self, shared, now)
    }

    /// The link of `component` is there.
    pub(super) fn link_up(&mut self, component: &str, shared: &mut Shared) {
        let of_it = self.all.values_mut();
        for room in of_it.filter(|room| room.component == component) {
            room.show_anew(&self.core, shared);
            ping(room, &mut self.core, shared);
        }
    }

    /// The way to `domain` was established anew.
    pub(super) fn peer_up(&mut self, domain: &str, now: Time) {
        for room in self.all.values_mut() {
            if room.group.domain() == domain {
                for occupant in room.occupants.values_mut() {
                    occupant.is_sure = false;
                }
                self.core.timers.by(now, Due::Room(room.group.clone()));
            }
        }
    }

    fn tidy(&mut self, group: &Address, shared: &mut Shared) {
        self.all.tidy(group, &mut self.core, shared);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.core.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(due) = self.core.timers.pop(now) {
            match due {
                Due::Said(number) => self.speaking.give_up(number, now, shared),
                // After the next start.
                Due::Room(_) if self.is_over => {}
                Due::Room(group) => {
                    if let Some(room) = self.all.get_mut(&group) {
                        self.core.begin(shared);
                        Membership::of(room, &mut self.core, shared, now).look_after_all();
                        ping(room, &mut self.core, shared);
                    }
                    self.tidy(&group, shared);
                }
            }
        }
    }
}
