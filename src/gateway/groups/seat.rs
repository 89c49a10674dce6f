//! A user's place in a room: to come in, to be seen, to leave (xmpp-mapping, 5.2).

use std::time::Duration;

use xmpp_parsers::jid::{BareJid, Jid};

use super::asking::{Question, What};
use super::core::{AGAIN, Core, Due, LOOK, is_passing};
use super::visit::{Key, Seen, State, Visit};
use crate::element::Time;
use crate::gateway::records::visit_key;
use crate::gateway::shared::{Ask, Shared};
use crate::imps::common::{MetaInfo, Property, ScreenName, User};
use crate::imps::primitive::group::{
    GroupChangeNotice, GroupProperties, JoinGroupResponse, LeaveGroupIndication, LeftBlocked,
    Member, MemberList,
};
use crate::imps::{Code, Status};
use crate::store::Write;
use crate::translate::room::visit::{self, Told};

/// A name is taken.
const TAKEN: Code = Code(811);
/// The room exists.
const EXISTS: Code = Code(801);
/// There is no such room, or not any more.
pub(super) const NO_GROUP: Code = Code(800);
/// Nobody may be there who is that.
const BARRED: Code = Code(809);
/// Somebody may not be there.
const NOT_ALLOWED: Code = Code(816);
/// Names that are tried for a user who has not chosen one; our choice.
const MOST_NAMES: u32 = 5;
/// How often it is tried to come in again, a minute apart; our choice.
const MOST_TRIES: u32 = 30;
/// How long a room may take to say that somebody has left.
const LEAVES: Duration = Duration::from_secs(5);

/// The place of a user in a room.
pub(super) struct Seat<'a> {
    pub(super) key: &'a Key,
    pub(super) visit: &'a mut Visit,
    pub(super) core: &'a mut Core,
    pub(super) shared: &'a mut Shared,
    pub(super) now: Time,
}

impl Seat<'_> {
    /// Asks the room to let the user in, and to show all who are there.
    pub(super) fn enter(&mut self) {
        self.visit.shown.clear();
        self.visit.is_sure = false;
        self.visit.ping = None;
        if let Some((from, room)) = self.ends()
            && let Some(entry) = visit::entry(&from, &room, &self.visit.nick)
        {
            self.shared.hand(&self.visit.component, entry);
        }
        let at = match &self.visit.waiting {
            Some(waiting) => waiting.until,
            None => self.now.plus(AGAIN),
        };
        self.look_by(at);
    }

    /// The address by which the user is in the room.
    pub(super) fn from(&self) -> Option<Jid> {
        self.ends().map(|(from, _)| from)
    }

    fn ends(&self) -> Option<(Jid, BareJid)> {
        let translator = &self.shared.translator;
        let from = translator
            .jid_from(&User::new(self.key.user.clone()))
            .ok()?;
        Some((from, translator.jid(&self.key.group).ok()?))
    }

    /// Writes the visit down.
    pub(super) fn save(&mut self) {
        let key = visit_key(&self.key.user, &self.key.group);
        self.shared.write(Write::put_json(key, &*self.visit));
    }

    fn look_by(&mut self, at: Time) {
        self.core.timers.by(at, Due::Visit(self.key.clone()));
    }

    /// The room tells of an occupant.
    pub(super) fn told(&mut self, told: &Told) {
        let is_self = told.has(110) || told.is_gone && told.nick == self.visit.nick;
        match (told.is_gone, is_self) {
            (true, true) if self.visit.state == State::Leaving => self.left(),
            (true, _) if told.has(303) && told.new_nick.is_some() => self.renamed(told, is_self),
            (true, true) => self.put_out(told),
            (true, false) => self.goes(told),
            (false, true) => self.is_in(told),
            (false, false) => {
                let is_new = self.seen(told);
                if is_new && self.visit.is_complete {
                    let name = self.visit.name_of(&told.nick, &self.shared.translator);
                    self.notice(|notice| notice.joined = Some(vec![name]));
                }
            }
        }
    }

    /// Takes down who is there; whether that is new.
    fn seen(&mut self, told: &Told) -> bool {
        let translator = self.shared.translator.clone();
        let seen = Seen {
            name: self.visit.name_of(&told.nick, &translator),
            affiliation: told.affiliation,
            jid: told.jid.as_ref().map(BareJid::to_string),
        };
        self.visit.shown.insert(told.nick.clone());
        let bounds = &self.shared.settings.rooms;
        let known = self.visit.names.get(&told.nick);
        let is_full = self.visit.names.len() >= bounds.max_names
            || self.core.name_bytes.saturating_add(seen.bytes()) > bounds.max_name_bytes;
        if known.is_none() && is_full {
            return false;
        }
        if known.is_none()
            && let Some(jid) = &told.jid
            && let Ok(user) = translator.address(&jid.clone().into())
            && translator.is_xmpp(&user)
        {
            let came = (self.key.group.clone(), user, seen.name.clone());
            self.core.came.push_back(came);
        }
        self.core.name_bytes += seen.bytes();
        let before = self.visit.names.insert(told.nick.clone(), seen);
        if let Some(before) = &before {
            self.core.name_bytes = self.core.name_bytes.saturating_sub(before.bytes());
        }
        before.is_none()
    }

    /// Takes somebody out; what they were called.
    fn unseen(&mut self, nick: &str) -> Option<String> {
        self.visit.shown.remove(nick);
        let seen = self.visit.names.remove(nick)?;
        self.core.name_bytes = self.core.name_bytes.saturating_sub(seen.bytes());
        Some(seen.name)
    }

    /// Nobody is seen any more.
    pub(super) fn forget_all(&mut self) {
        let nicks: Vec<String> = self.visit.names.keys().cloned().collect();
        for nick in nicks {
            self.unseen(&nick);
        }
    }

    /// The room shows the user: all others were shown before.
    fn is_in(&mut self, told: &Told) {
        let is_asked_for = !self.visit.is_sure;
        let before = std::mem::replace(&mut self.visit.affiliation, told.affiliation);
        let old = std::mem::replace(&mut self.visit.nick, told.nick.clone());
        self.seen(told);
        if !is_asked_for {
            if before != told.affiliation {
                let own = visit::own(told.affiliation);
                self.notice(|notice| notice.own = Some(own));
            }
            return;
        }
        self.visit.is_sure = true;
        self.visit.tries = 0;
        let gone = self.visit.names.keys();
        let gone = gone.filter(|nick| !self.visit.shown.contains(*nick));
        let gone: Vec<String> = gone.cloned().collect();
        let gone = gone.into_iter().filter_map(|nick| self.unseen(&nick));
        let gone: Vec<String> = gone.collect();
        if std::mem::replace(&mut self.visit.is_complete, true) && !gone.is_empty() {
            let new = (old != told.nick).then(|| vec![told.nick.clone()]);
            self.notice(|notice| {
                notice.left = Some(gone);
                notice.joined = new;
            });
        }
        let due = Due::Visit(self.key.clone());
        self.core.timers.put_off(self.now.plus(LOOK), due);
        let is_first = self.visit.state == State::Entering;
        self.visit.state = State::Inside;
        let waiting = self.visit.waiting.take();
        if is_first || old != told.nick {
            self.save();
        }
        let Some(waiting) = waiting else { return };
        match (waiting.makes, told.has(201)) {
            (Some(stays), true) => self.made(waiting.id, waiting.until, stays),
            (Some(_), false) => self.decline(waiting.id, EXISTS),
            // It was not there when it was looked for.
            (None, true) => self.decline(waiting.id, NO_GROUP),
            (None, false) => {
                let joined = waiting.wants_list.then(|| self.visit.listed());
                let response = JoinGroupResponse {
                    status: Status::ok(),
                    joined,
                    welcome: None,
                };
                self.shared.respond(waiting.id, response);
            }
        }
    }

    /// The room was made: it is set up, then who has made it hears so.
    fn made(&mut self, id: crate::element::RequestId, until: Time, stays: bool) {
        let Some((from, room)) = self.ends() else {
            return;
        };
        let question = Question {
            request: Some(id),
            key: self.key.clone(),
            component: self.visit.component.clone(),
            room,
            from,
            until,
            what: What::Made {
                stays,
                wanted: std::mem::take(&mut self.visit.wanted),
            },
            steps: [(visit::form_of(), false)].into(),
        };
        self.core.open(question, self.now, self.shared);
    }

    /// The user leaves again at once, for that reason.
    fn decline(&mut self, id: crate::element::RequestId, code: Code) {
        self.shared.respond_code(id, code);
        self.say_goodbye();
        self.visit.state = State::Over;
    }

    /// Tells the room that the user goes.
    pub(super) fn say_goodbye(&mut self) {
        if let Some((from, room)) = self.ends()
            && let Some(exit) = visit::exit(&from, &room, &self.visit.nick)
        {
            let component = self.visit.component.clone();
            self.shared.send(&component, exit, self.now);
        }
    }

    /// Somebody has another name.
    fn renamed(&mut self, told: &Told, is_self: bool) {
        let Some(new) = told.new_nick.clone() else {
            return;
        };
        let old = self.unseen(&told.nick);
        let moved = Told {
            nick: new.clone(),
            ..told.clone()
        };
        self.seen(&moved);
        if is_self {
            self.visit.nick.clone_from(&new);
            self.save();
        }
        let name = self.visit.name_of(&new, &self.shared.translator);
        self.notice(|notice| {
            notice.left = old.map(|old| vec![old]);
            notice.joined = Some(vec![name]);
        });
    }

    /// Somebody has gone, or had to.
    fn goes(&mut self, told: &Told) {
        let Some(name) = self.unseen(&told.nick) else {
            return;
        };
        if !self.visit.is_complete {
            return;
        }
        let group = self.key.group.clone();
        self.notice(|notice| {
            if told.has(301) || told.has(307) {
                let member = Member::ScreenName(ScreenName { group, name });
                notice.left_blocked = Some(LeftBlocked {
                    users: Some(MemberList {
                        members: vec![member],
                    }),
                });
            } else {
                notice.left = Some(vec![name]);
            }
        });
    }

    /// The room does not have the user any more.
    fn put_out(&mut self, told: &Told) {
        let code = if told.is_destroyed {
            Some(NO_GROUP)
        } else if told.has(301) {
            Some(BARRED)
        } else if told.has(307) || told.has(321) || told.has(322) {
            Some(NOT_ALLOWED)
        } else {
            None
        };
        match code {
            Some(code) => self.end(code, told.reason.as_deref()),
            // The service stops, or has lost the user: they come back.
            None => self.lost(),
        }
    }

    /// The room has lost the user, who comes in again.
    pub(super) fn lost(&mut self) {
        if self.visit.state != State::Inside {
            return;
        }
        self.visit.is_sure = false;
        self.visit.state = State::Entering;
        self.save();
        self.look_by(self.now.plus(Duration::from_secs(1)));
    }

    /// The visit ends, and the user hears why.
    pub(super) fn end(&mut self, code: Code, reason: Option<&str>) {
        if let Some(waiting) = self.visit.waiting.take() {
            self.shared.respond_code(waiting.id, code);
        } else if let Some(id) = self.visit.leaves.take() {
            self.respond_left(id);
        } else {
            let own = self.shared.translator.own_ssp_domain();
            let indication = LeaveGroupIndication {
                group: Some(self.key.group.clone()),
                meta: Some(MetaInfo::of_server(&own)),
                status: Status::new(code),
                reason: Some(reason.unwrap_or_default().to_owned()),
                users: vec![User::new(self.key.user.clone())],
            };
            self.shared.tell(indication, self.now);
        }
        self.visit.state = State::Over;
    }

    /// The room has refused what the user has shown it.
    pub(super) fn refused(&mut self, code: Code) {
        if self.visit.state == State::Leaving {
            return;
        }
        let is_free = self.visit.waiting.as_ref().is_none_or(|w| !w.is_named);
        if code == TAKEN && is_free && self.visit.tries < MOST_NAMES {
            self.visit.tries += 1;
            let number = self.visit.tries + 1;
            let base = self
                .visit
                .nick
                .trim_end_matches(|c: char| c.is_ascii_digit());
            self.visit.nick = format!("{base}{number}");
            self.save();
            return self.enter();
        }
        if self.visit.waiting.is_some() || !is_passing(code) {
            return self.end(code, None);
        }
        self.visit.state = State::Entering;
        self.visit.is_sure = false;
        self.look_by(self.now.plus(AGAIN));
    }

    /// The user wants to leave.
    pub(super) fn leave(&mut self, id: crate::element::RequestId) {
        self.visit.state = State::Leaving;
        self.visit.leaves = Some(id);
        self.visit.waiting = None;
        self.save();
        self.say_goodbye();
        self.look_by(self.now.plus(LEAVES));
    }

    /// The room knows that the user has left, or has not said so.
    fn left(&mut self) {
        if let Some(id) = self.visit.leaves.take() {
            self.respond_left(id);
        }
        self.visit.state = State::Over;
    }

    fn respond_left(&mut self, id: crate::element::RequestId) {
        let indication = LeaveGroupIndication {
            group: Some(self.key.group.clone()),
            meta: None,
            status: Status::ok(),
            reason: Some(String::new()),
            users: Vec::new(),
        };
        self.shared.respond(id, indication);
    }

    /// The user may be there no more: the room is told, and they are.
    pub(super) fn put_away(&mut self) {
        if self.visit.state == State::Leaving {
            return self.left();
        }
        self.say_goodbye();
        self.end(Code::FORBIDDEN, None);
    }

    /// Looks after the visit.
    pub(super) fn look(&mut self) {
        match self.visit.state {
            _ if self.key.is_denied(self.shared) => self.put_away(),
            State::Leaving => self.left(),
            State::Entering => {
                let waiting = self.visit.waiting.as_ref();
                if waiting.is_some_and(|waiting| waiting.until <= self.now) {
                    self.say_goodbye();
                    return self.end(Code::TIMEOUT, None);
                }
                self.visit.tries += u32::from(waiting.is_none());
                if self.visit.tries > MOST_TRIES {
                    return self.end(Code::UNAVAILABLE, None);
                }
                self.enter();
            }
            // Nothing was heard since the room was asked.
            State::Inside if !self.visit.is_sure || self.visit.ping.is_some() => self.enter(),
            State::Inside => self.ask(),
            State::Over => {}
        }
    }

    /// Asks the room whether it has the user (XEP-0410).
    fn ask(&mut self) {
        if let Some((from, room)) = self.ends()
            && let Ok(to) = room.with_resource_str(&self.visit.nick)
        {
            let question = Ask::Get(visit::ping());
            let ends = (from, to.into());
            let id = self.shared.ask(&self.visit.component, ends, question);
            let asked = id.clone().map(|id| (id, self.key.clone()));
            self.core.pings.extend(asked);
            self.visit.ping = id;
        }
        self.look_by(self.now.plus(AGAIN));
    }

    /// The room has said whether it has the user.
    pub(super) fn has_answered(&mut self, is_there: bool) {
        self.visit.ping = None;
        if is_there {
            self.core
                .timers
                .put_off(self.now.plus(LOOK), Due::Visit(self.key.clone()));
        } else {
            self.lost();
        }
    }

    /// The link is there again.
    pub(super) fn link_up(&mut self) {
        match self.visit.state {
            State::Entering | State::Inside => self.enter(),
            State::Leaving | State::Over => {}
        }
    }

    /// Tells the user what has changed, if they want to know.
    pub(super) fn notice(&mut self, say: impl FnOnce(&mut GroupChangeNotice)) {
        // Who comes in again was never away for the user.
        let is_inside = match self.visit.state {
            State::Inside => true,
            State::Entering => self.visit.waiting.is_none(),
            State::Leaving | State::Over => false,
        };
        if !self.visit.subscribes || !is_inside {
            return;
        }
        let own = self.shared.translator.own_ssp_domain();
        let mut notice = GroupChangeNotice {
            group: self.key.group.clone(),
            meta: Some(MetaInfo::of_server(&own)),
            users: vec![User::new(self.key.user.clone())],
            joined: None,
            left: None,
            joined_blocked: None,
            left_blocked: None,
            properties: None,
            own: None,
        };
        say(&mut notice);
        self.shared.tell(notice, self.now);
    }

    /// Tells the user which properties have changed.
    pub(super) fn are_set(&mut self, properties: Vec<Property>) {
        self.notice(|notice| {
            notice.properties = Some(GroupProperties {
                properties,
                welcome: None,
            });
        });
    }
}
