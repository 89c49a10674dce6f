//! What the clients of an XMPP user in a group are told that ask for something.

use super::core::{Core, refuse_entry};
use super::occupant::Asking;
use super::room::{Room, address};
use crate::gateway::shared::Shared;
use crate::imps::Code;

/// The clients of the users in a room.
pub(super) struct Clients<'a> {
    room: &'a mut Room,
    core: &'a mut Core,
    shared: &'a mut Shared,
}

impl<'a> Clients<'a> {
    /// Of this room.
    pub(super) fn of(room: &'a mut Room, core: &'a mut Core, shared: &'a mut Shared) -> Self {
        Self { room, core, shared }
    }

    /// Tells the clients of a user that ask for something that they do not get it.
    pub(super) fn deny(&mut self, user: &str, code: Code) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        occupant.is_waited_for = false;
        let asking = occupant.sessions.iter_mut();
        let asking: Vec<(String, Asking)> = asking
            .filter_map(|(resource, s)| Some((resource.clone(), s.asking.take()?)))
            .collect();
        occupant.sessions.retain(|resource, session| {
            session.inside || !asking.iter().any(|(of, _)| of == resource)
        });
        for (resource, asking) in asking {
            let from = self.room.jid.with_resource_str(&asking.nick);
            if let (Some(to), Ok(from)) = (address(user, &resource), from) {
                let component = &self.room.component;
                let ends = (from.into(), to);
                refuse_entry(component, ends, asking.id, code, self.shared);
            }
        }
    }

    /// Shows the room to those clients of a user that have not seen it.
    pub(super) fn come_in(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        let (nick, is_new) = (occupant.nick.clone(), std::mem::take(&mut occupant.is_new));
        let outside = occupant.sessions.iter_mut().filter(|(_, s)| !s.inside);
        let outside: Vec<(String, bool)> = outside
            .map(|(resource, session)| {
                let asked = session.asking.take();
                session.inside = true;
                session.awaits_subject = true;
                (resource.clone(), asked.is_some_and(|a| a.nick != nick))
            })
            .collect();
        for (resource, is_renamed) in outside {
            let mut codes = Vec::new();
            codes.extend(is_new.then_some(201));
            codes.extend(is_renamed.then_some(210));
            let client = (user, resource.as_str());
            self.room.show_all(client, &codes, self.core, self.shared);
        }
    }

    /// Whether it is known what is talked about.
    pub(super) fn knows_subject(&self) -> bool {
        self.room.subject.is_some()
    }

    /// Tells the clients of a user that wait for it what is talked about; the welcome follows.
    pub(super) fn told_subject(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        let welcome = occupant.welcome.take();
        let waiting = occupant.sessions.iter_mut();
        let waiting: Vec<String> = waiting
            .filter_map(|(resource, session)| {
                let waits = session.inside && std::mem::take(&mut session.awaits_subject);
                waits.then(|| resource.clone())
            })
            .collect();
        for resource in waiting {
            let client = (user, resource.as_str());
            self.room.tell_subject(client, None, self.shared);
            if let Some(text) = &welcome {
                self.room.say(client, text, self.shared);
            }
        }
    }
}
