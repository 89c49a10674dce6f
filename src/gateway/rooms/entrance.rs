//! Clients of XMPP users that come into a room, take another name there, and go (xmpp-mapping, 5.3).

use std::time::Duration;

use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Presence;

use super::clients::Clients;
use super::core::{About, Asked, Core, Who, leave_request, refuse_entry};
use super::membership::Membership;
use super::occupant::{Asking, Occupant, Seen, Session, State};
use super::room::Room;
use crate::element::Time;
use crate::gateway::shared::Shared;
use crate::imps::Code;
use crate::translate::room::{Shown, join_of, names, occupant};

/// In which what a client gets may be of the time before it came.
const PAST: Duration = Duration::from_secs(30);
/// Bytes of what an occupant says of themselves in presence; more is not passed on.
const MAX_SAID: usize = 1024;

/// Clients at the door of a room.
pub(super) struct Entrance<'a> {
    room: &'a mut Room,
    core: &'a mut Core,
    shared: &'a mut Shared,
    now: Time,
}

impl<'a> Entrance<'a> {
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

    /// A client shows itself to an occupant's address: it wants to come in, or another name, or
    /// says what it does.
    pub(super) fn present(&mut self, (from, to): (&Jid, &Jid), presence: &Presence) {
        let user = from.to_bare().to_string();
        let (Some(resource), Some(wanted)) = (from.resource(), to.resource()) else {
            return self.refuse((from, to), presence, Code::ADDRESS);
        };
        let (resource, wanted) = (resource.to_string(), wanted.to_string());
        let join = join_of(presence);
        let Some(occupant) = self.room.occupants.get(&user) else {
            return match join {
                Some(_) => self.enter((from, to), &wanted, presence),
                None => self.refuse((from, to), presence, Code::NOT_JOINED),
            };
        };
        let is_inside = occupant.sessions.get(&resource).is_some_and(|s| s.inside);
        if !is_inside {
            return match join {
                Some(_) => self.enter((from, to), &wanted, presence),
                None => self.refuse((from, to), presence, Code::NOT_JOINED),
            };
        }
        if occupant.nick == wanted {
            return self.says(&user, &resource, presence, join.is_some());
        }
        let name = names::screen_name(&self.shared.translator, &wanted, &occupant.user);
        if occupant.state == State::Joined && occupant.name != name {
            self.rename((from, to), &user, &resource, (wanted, name), presence);
        } else if join.is_some() || occupant.name == name {
            // Whoever asks for what it has is told what it has.
            self.says(&user, &resource, presence, true);
        } else {
            self.refuse((from, to), presence, Code::UNAVAILABLE);
        }
    }

    /// A client that is inside says what it does, or wants to see all of it again.
    fn says(&mut self, user: &str, resource: &str, presence: &Presence, anew: bool) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let nick = occupant.nick.clone();
        if anew {
            let room = &*self.room;
            room.show_all((user, resource), &[], self.core, self.shared);
            room.tell_subject((user, resource), None, self.shared);
            return;
        }
        if let Some(known) = self.room.names.get(&nick) {
            let name = Seen {
                said: said(presence),
                ..known.clone()
            };
            self.room.show(&nick, name, self.core, self.shared);
        }
    }

    fn enter(&mut self, (from, to): (&Jid, &Jid), wanted: &str, presence: &Presence) {
        let user = from.to_bare().to_string();
        let resource = from.resource().map(ToString::to_string).unwrap_or_default();
        let since = join_of(presence).and_then(|x| {
            let wall = self.shared.skew.wall(self.now).0;
            occupant::history_since(x, wall)
        });
        let session = Session {
            asking: Some(Asking {
                nick: wanted.to_owned(),
                id: presence.id.clone(),
            }),
            past: since.map(|since| (self.now.plus(PAST), Time(since))),
            ..Session::default()
        };
        let most = self.shared.settings.rooms.max_sessions;
        if let Some(occupant) = self.room.occupants.get_mut(&user) {
            if occupant.sessions.len() >= most && !occupant.sessions.contains_key(&resource) {
                return self.refuse((from, to), presence, Code::QUEUE_FULL);
            }
            occupant.sessions.insert(resource.clone(), session);
            match occupant.state {
                State::Joined => {
                    let mut clients = Clients::of(self.room, self.core, self.shared);
                    clients.come_in(&user);
                    if clients.knows_subject() {
                        clients.told_subject(&user);
                    } else {
                        // The node has been started since.
                        self.membership().learn(&user);
                    }
                }

                State::Leaving => {
                    let name = names::screen_name(&self.shared.translator, wanted, &occupant.user);
                    occupant.nick = names::nick(&name);
                    occupant.name = name;
                    occupant.state = State::Joining;
                    occupant.is_waited_for = true;
                    self.membership().join(&user);
                }
                State::Joining | State::Renaming { .. } | State::Returning => {
                    occupant.is_waited_for = true;
                }
            }
            return self.room.save(&user, self.shared);
        }
        let translator = &self.shared.translator;
        let address = match translator.address(from) {
            Ok(address) => address,
            Err(error) => return self.refuse((from, to), presence, error.code()),
        };
        if !self.core.has_room_for(&user, &self.room.group, self.shared) {
            return self.refuse((from, to), presence, Code::QUEUE_FULL);
        }
        let name = names::screen_name(translator, wanted, &address);
        let mut occupant = Occupant::new(address, names::nick(&name), name);
        occupant.is_waited_for = true;
        occupant.sessions.insert(resource, session);
        self.room.put(&user, occupant, self.core);
        self.membership().join(&user);
    }

    fn rename(
        &mut self,
        ends: (&Jid, &Jid),
        user: &str,
        resource: &str,
        (wanted, name): (String, String),
        presence: &Presence,
    ) {
        // The group would end with the last who leaves.
        let is_alone = self.room.names.len() <= 1 && self.room.is_fleeting;
        let nick = names::nick(&name);
        let is_taken = self.room.names.contains_key(&nick);
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        if is_alone || is_taken {
            let code = if is_taken { Code(811) } else { Code(806) };
            return self.refuse(ends, presence, code);
        }
        occupant.state = State::Renaming {
            nick: std::mem::replace(&mut occupant.nick, nick),
            name: std::mem::replace(&mut occupant.name, name),
        };
        occupant.is_waited_for = true;
        if let Some(session) = occupant.sessions.get_mut(resource) {
            session.asking = Some(Asking {
                nick: wanted,
                id: presence.id.clone(),
            });
        }
        let request = leave_request(&self.room.group, &occupant.user);
        let who = Who {
            group: self.room.group.clone(),
            user: user.to_owned(),
        };
        self.core.ask(
            Asked::Occupant(who, About::Still),
            request,
            self.now,
            self.shared,
        );
        self.membership().join(user);
    }

    /// A client has gone, as it says itself, or as is seen (`is_told`: it need not be told).
    pub(super) fn gone(&mut self, user: &str, resource: &str, presence: Option<&Presence>) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let Some(session) = occupant.sessions.get(resource) else {
            return;
        };
        let (nick, was_inside) = (occupant.shown_as().to_owned(), session.inside);
        let said = presence.and_then(said);
        let is_last = occupant.sessions.len() == 1;
        let how = Shown {
            gone: true,
            said: said.as_deref(),
            ..Shown::default()
        };
        if was_inside && presence.is_some() && !is_last {
            let client = (user, resource);
            self.room
                .tell_one(client, &nick, &how, self.core, self.shared);
        }
        if is_last {
            if presence.is_none()
                && let Some(session) = self.session(user, resource)
            {
                session.inside = false;
            }
            self.room.hide(&nick, &how, self.core, self.shared);
        }
        if let Some(occupant) = self.room.occupants.get_mut(user) {
            occupant.sessions.remove(resource);
        }
        if is_last {
            self.membership().leave(user);
        } else {
            self.room.save(user, self.shared);
        }
    }

    fn session(&mut self, user: &str, resource: &str) -> Option<&mut Session> {
        let occupant = self.room.occupants.get_mut(user)?;
        occupant.sessions.get_mut(resource)
    }

    fn refuse(&mut self, (from, to): (&Jid, &Jid), presence: &Presence, code: Code) {
        let ends = (to.clone(), from.clone());
        let component = &self.room.component;
        refuse_entry(component, ends, presence.id.clone(), code, self.shared);
    }

    fn membership(&mut self) -> Membership<'_> {
        Membership::of(self.room, self.core, self.shared, self.now)
    }
}

/// What a presence says besides that somebody is there, if it is not too much.
fn said(presence: &Presence) -> Option<Box<Presence>> {
    if presence.show.is_none() && presence.statuses.is_empty() {
        return None;
    }
    let bytes: usize = presence.statuses.values().map(String::len).sum();
    let mut said = Presence::new(presence.type_.clone());
    said.show.clone_from(&presence.show);
    if bytes <= MAX_SAID {
        said.statuses.clone_from(&presence.statuses);
    }
    Some(Box::new(said))
}
