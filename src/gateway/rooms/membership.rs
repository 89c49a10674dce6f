//! What a group and this side make of an XMPP user there: asked for, joined, gone (xmpp-mapping, 5.3).
//!
//! ```text
//!            ┌──────── 807: leave, and again ────────┐
//!            ▼                                       │
//!  presence ──▶ Joining ──200──▶ Joined ──presence──▶ Renaming ──200──▶ Joined
//!                  │               │                     │ refused
//!                  │ refused       │ last client gone    ▼
//!                  ▼               ▼                  Returning ──200──▶ Joined
//!                error          Leaving ──answer──▶ forgotten
//! ```

use std::time::Duration;

use xmpp_parsers::jid::BareJid;

use super::clients::Clients;
use super::core::{AGAIN, About, Asked, Core, Due, LOOK, Who, is_passing, leave_request, meta};
use super::occupant::{Occupant, Seen, State};
use super::room::Room;
use crate::element::Time;
use crate::gateway::shared::{Shared, verdict};
use crate::gateway::shares::domain_of;
use crate::imps::common::ScreenName;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group::{
    GetGroupSubStatusRequest, GetJoinedUsersRequest, JoinGroupRequest, JoinGroupResponse,
};
use crate::imps::primitive::group_admin::{CreateGroupRequest, GetGroupPropsRequest};
use crate::imps::{Address, Code};
use crate::translate::room::{Affiliation, Shown, names, settings};

/// Clients that were in a room when the node stopped may take so long after its start; our choice.
const COME_BACK: Duration = Duration::from_secs(120);

/// There is no such group.
pub(super) const NO_GROUP: Code = Code(800);

/// Who comes and goes, between the group and this side.
pub(super) struct Membership<'a> {
    room: &'a mut Room,
    core: &'a mut Core,
    shared: &'a mut Shared,
    now: Time,
}

impl<'a> Membership<'a> {
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

    /// Asks the group to let a user in.
    pub(super) fn join(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let group = self.room.group.clone();
        let request = JoinGroupRequest {
            joined_list: true,
            subscribe: true,
            meta: Some(meta(&occupant.user)),
            screen_name: Some(ScreenName {
                group: group.clone(),
                name: occupant.name.clone(),
            }),
            own: None,
            group,
        };
        self.ask(user, About::Join, request);
    }

    /// Asks the group something about an occupant, on which what they are depends.
    fn ask(&mut self, user: &str, about: About, primitive: impl Into<Primitive>) {
        let who = self.who(user);
        let token = self.core.ask(
            Asked::Occupant(who, about),
            primitive,
            self.now,
            self.shared,
        );
        if let Some(occupant) = self.room.occupants.get_mut(user) {
            occupant.asked = Some(token);
        }
        self.room.save(user, self.shared);
    }

    fn who(&self, user: &str) -> Who {
        Who {
            group: self.room.group.clone(),
            user: user.to_owned(),
        }
    }

    /// Whether an answer is to what was asked last; then nothing is asked any more.
    fn is_last(&mut self, user: &str, token: u64) -> bool {
        let occupant = self.room.occupants.get_mut(user);
        let asked = occupant.map(|occupant| &mut occupant.asked);
        let asked = asked.filter(|asked| **asked == Some(token));
        asked.and_then(Option::take).is_some()
    }

    /// The group has let a user in, or not.
    pub(super) fn joined(&mut self, user: &str, token: u64, answer: Primitive) {
        if !self.is_last(user, token) {
            return;
        }
        let code = verdict(&answer);
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        if code.is_success() {
            let response = match answer {
                Primitive::JoinGroupResponse(response) => Some(response),
                _ => None,
            };
            return self.is_in(user, response);
        }
        // The group still has them from before.
        if code == Code(807) && !occupant.is_again {
            occupant.is_again = true;
            let request = leave_request(&self.room.group, &occupant.user);
            let who = self.who(user);
            self.core.ask(
                Asked::Occupant(who, About::Still),
                request,
                self.now,
                self.shared,
            );
            return self.join(user);
        }
        let is_owner = self.room.group.user_part() == occupant.user.local();
        if code == NO_GROUP
            && is_owner
            && occupant.is_waited_for
            && occupant.state == State::Joining
        {
            return self.create(user);
        }
        self.refused(user, code);
    }

    /// Asks for a group that is not there yet: the user's own, by its name.
    fn create(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        let group = self.room.group.clone();
        let request = CreateGroupRequest {
            join: true,
            subscribe: true,
            meta: Some(meta(&occupant.user)),
            properties: None,
            own: None,
            screen_name: Some(ScreenName {
                group: group.clone(),
                name: occupant.name.clone(),
            }),
            group,
        };
        self.ask(user, About::Create, request);
    }

    /// The group was made, or not.
    pub(super) fn created(&mut self, user: &str, token: u64, answer: &Primitive) {
        if !self.is_last(user, token) {
            return;
        }
        let code = verdict(answer);
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        if code.is_success() {
            occupant.is_new = true;
            self.is_in(user, None);
        } else {
            // It was not there to be joined, whatever keeps it from being made.
            self.refused(user, if is_passing(code) { code } else { NO_GROUP });
        }
    }

    /// The group does not let a user in.
    fn refused(&mut self, user: &str, code: Code) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        if is_passing(code) && !occupant.is_waited_for {
            return self.later();
        }
        if let State::Renaming { nick, name } = &occupant.state {
            let (nick, name) = (nick.clone(), name.clone());
            occupant.nick = nick;
            occupant.name = name;
            occupant.state = State::Returning;
            self.clients().deny(user, code);
            return self.join(user);
        }
        self.clients().deny(user, code);
        let how = Shown {
            codes: vec![333],
            ..Shown::default()
        };
        self.take_out(user, &how);
    }

    /// A user is in the group: all see them, and they see all.
    fn is_in(&mut self, user: &str, response: Option<Box<JoinGroupResponse>>) {
        let response = response.map(|r| (r.joined.unwrap_or_default(), r.welcome));
        let (joined, welcome) = response.unwrap_or_default();
        for name in joined {
            let nick = names::nick(&name);
            if self.room.own(&nick).is_none() && !self.room.names.contains_key(&nick) {
                let name = Seen {
                    name,
                    ..Seen::default()
                };
                self.room.show(&nick, name, self.core, self.shared);
            }
        }
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        let translator = &self.shared.translator;
        occupant.welcome = welcome.and_then(|note| settings::welcome(translator, &note));
        let before = std::mem::replace(&mut occupant.state, State::Joined);
        occupant.is_sure = true;
        occupant.is_again = false;
        occupant.is_waited_for = false;
        let (nick, name) = (occupant.nick.clone(), occupant.name.clone());
        let came = (self.room.group.clone(), occupant.user.clone(), name.clone());
        self.core.came.push_back(came);
        let mut known = Seen::default();
        if let State::Renaming { nick: old, .. } = &before {
            known = self.room.names.get(old).cloned().unwrap_or_default();
            let how = Shown {
                codes: vec![303],
                new_nick: Some(&nick),
                affiliation: known.affiliation,
                ..Shown::default()
            };
            self.room.hide(old, &how, self.core, self.shared);
            if let Some(occupant) = self.room.occupants.get_mut(user) {
                let inside = occupant.sessions.values_mut().filter(|s| s.inside);
                inside.for_each(|session| session.asking = None);
            }
        } else if let Some(there) = self.room.names.get(&nick).filter(|there| there.is_own) {
            known = there.clone();
        }
        let shown = Seen {
            name,
            jid: Some(user.to_owned()),
            is_own: true,
            ..known
        };
        self.room.show(&nick, shown, self.core, self.shared);
        self.clients().come_in(user);
        self.learn(user);
        self.room.save(user, self.shared);
        self.look_by(LOOK);
    }

    /// Asks what the group is, what the user is in it, and who is there.
    pub(super) fn learn(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let (group, who) = (self.room.group.clone(), self.who(user));
        let meta = Some(meta(&occupant.user));
        let request = GetGroupPropsRequest {
            group: group.clone(),
            meta: meta.clone(),
        };
        let (core, shared) = (&mut *self.core, &mut *self.shared);
        core.ask(
            Asked::Occupant(who.clone(), About::Properties),
            request,
            self.now,
            shared,
        );
        let request = GetJoinedUsersRequest { group, meta };
        core.ask(
            Asked::Occupant(who, About::Joined),
            request,
            self.now,
            shared,
        );
    }

    /// Asks whether a user is still in the group.
    fn verify(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let request = GetGroupSubStatusRequest {
            group: self.room.group.clone(),
            meta: Some(meta(&occupant.user)),
        };
        let who = self.who(user);
        self.core.ask(
            Asked::Occupant(who, About::Still),
            request,
            self.now,
            self.shared,
        );
    }

    /// The group has said whether a user is joined.
    pub(super) fn heard_of(&mut self, user: &str, code: Code) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        if occupant.state != State::Joined {
            return;
        }
        if code.is_success() {
            occupant.is_sure = true;
        } else if code == NO_GROUP {
            let how = Shown {
                destroyed: true,
                ..Shown::default()
            };
            self.take_out(user, &how);
        } else if code == Code::NOT_JOINED {
            occupant.state = State::Joining;
            occupant.is_sure = false;
            self.join(user);
        } else {
            // Others cannot say; what they say of the rest is no reason to go.
            occupant.is_sure = !is_passing(code);
            self.later();
        }
    }

    /// Tells the group that a user has left.
    pub(super) fn leave(&mut self, user: &str) {
        let Some(occupant) = self.room.occupants.get_mut(user) else {
            return;
        };
        occupant.state = State::Leaving;
        occupant.is_sure = false;
        let request = leave_request(&self.room.group, &occupant.user);
        self.ask(user, About::Leave, request);
    }

    /// The group knows that a user has left, or did not hear it.
    pub(super) fn left(&mut self, user: &str, token: u64, code: Code) {
        if !self.is_last(user, token) {
            return;
        }
        if is_passing(code) {
            return self.later();
        }
        self.room.remove(user, self.core, self.shared);
    }

    /// The group has a user whom no client stands for.
    pub(super) fn is_nobody(&mut self, address: &Address) {
        let translator = &self.shared.translator;
        let Ok(jid) = translator.jid(address) else {
            return;
        };
        let user = BareJid::to_string(&jid);
        if !translator.is_xmpp(address)
            || self.room.occupants.contains_key(&user)
            || !self.core.has_room_for(&user, &self.room.group, self.shared)
        {
            return;
        }
        let occupant = Occupant::new(address.clone(), String::new(), String::new());
        self.room.put(&user, occupant, self.core);
        self.leave(&user);
    }

    /// A user is in the group no more, for the reason in `how`.
    pub(super) fn take_out(&mut self, user: &str, how: &Shown<'_>) {
        if self.room.occupants.contains_key(user) {
            self.hide(user, how);
            self.clients().deny(user, Code::UNAVAILABLE);
            self.room.remove(user, self.core, self.shared);
        }
    }

    /// A user is shown no more, for the reason in `how`.
    fn hide(&mut self, user: &str, how: &Shown<'_>) {
        let occupant = self.room.occupants.get(user);
        let Some(nick) = occupant.map(|occupant| occupant.shown_as().to_owned()) else {
            return;
        };
        if self.room.names.get(&nick).is_some_and(|name| name.is_own) {
            self.room.hide(&nick, how, self.core, self.shared);
        }
    }

    /// A user may not be in the group any more: their clients are told, and the group.
    pub(super) fn put_out(&mut self, user: &str) {
        let occupant = self.room.occupants.get(user);
        if occupant.is_none_or(|occupant| occupant.state == State::Leaving) {
            return;
        }
        let how = Shown {
            codes: vec![307],
            ..Shown::default()
        };
        self.hide(user, &how);
        self.clients().deny(user, Code::FORBIDDEN);
        if let Some(occupant) = self.room.occupants.get_mut(user) {
            occupant.sessions.clear();
        }
        self.leave(user);
    }

    /// What a user is in the group.
    pub(super) fn stands(&mut self, user: &str, affiliation: Affiliation) {
        let Some(occupant) = self.room.occupants.get(user) else {
            return;
        };
        let nick = occupant.nick.clone();
        if let Some(name) = self.room.names.get(&nick).filter(|name| name.is_own) {
            let name = Seen {
                affiliation,
                ..name.clone()
            };
            self.room.show(&nick, name, self.core, self.shared);
        }
    }

    /// Looks after all occupants: what was not answered is asked again, and whether they are still
    /// joined.
    pub(super) fn look_after_all(&mut self) {
        self.put_out_denied();
        let users: Vec<String> = self.room.occupants.keys().cloned().collect();
        let mut is_first = true;
        for user in users {
            let Some(occupant) = self.room.occupants.get(&user) else {
                continue;
            };
            if occupant.asked.is_some() {
                continue;
            }
            match occupant.state {
                State::Joining | State::Returning | State::Renaming { .. } => self.join(&user),
                State::Leaving => self.leave(&user),
                // All have gone when the node stopped.
                State::Joined if occupant.sessions.is_empty() => self.has_stayed_away(&user),
                State::Joined if is_first => {
                    is_first = false;
                    self.learn(&user);
                }
                State::Joined => self.verify(&user),
            }
        }
        let is_settled = self.room.unsettled() == 0;
        self.look_by(if is_settled { LOOK } else { AGAIN });
    }

    /// Users of domains with which there is nothing any more leave.
    pub(super) fn put_out_denied(&mut self) {
        let users = self.room.occupants.keys();
        let denied = users.filter(|user| !self.shared.gate.may_talk(domain_of(user)));
        let denied: Vec<String> = denied.cloned().collect();
        for user in denied {
            self.put_out(&user);
        }
    }

    /// A user whose clients have not come back after a stop of the node leaves in the end.
    fn has_stayed_away(&mut self, user: &str) {
        let up = Duration::from_secs(self.shared.uptime(self.now));
        if let Some(left) = COME_BACK.checked_sub(up).filter(|left| !left.is_zero()) {
            return self.look_by(left);
        }
        self.hide(user, &Shown::default());
        self.leave(user);
    }

    fn later(&mut self) {
        self.look_by(AGAIN);
    }

    fn look_by(&mut self, wait: Duration) {
        let due = Due::Room(self.room.group.clone());
        self.core.timers.by(self.now.plus(wait), due);
    }

    fn clients(&mut self) -> Clients<'_> {
        Clients::of(self.room, self.core, self.shared)
    }
}
