//! A group as XMPP users see it: who is shown, and to whom.

use std::collections::{BTreeMap, BTreeSet};

use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::message::{Lang, Message, MessageType};

use super::clients::Clients;
use super::core::{Core, bytes_of};
use super::occupant::{Occupant, Seen, State};
use super::records::{name_key, user_key};
use crate::gateway::shared::Shared;
use crate::gateway::shares::domain_of;
use crate::imps::{Address, Code};
use crate::store::Write;
use crate::text::Shown as Cut;
use crate::translate::room::{Affiliation, Shown, message_from, ns};
use crate::translate::stanza::{attribute, element};

/// Presences after which a link that has come back is told only what has changed; our choice.
const MOST_AT_ONCE: usize = 20_000;

/// A group with XMPP users in it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) group: Address,
    pub(super) jid: BareJid,
    /// The component through which it speaks.
    pub(super) component: String,
    /// Who is shown, by nickname.
    pub(super) names: BTreeMap<String, Seen>,
    /// XMPP users, by bare JID.
    pub(super) occupants: BTreeMap<String, Occupant>,
    /// What is talked about, if that is known.
    pub(super) subject: Option<String>,
    /// Whether it ends when the last one leaves.
    pub(super) is_fleeting: bool,
    /// Users who are being made to leave, and may come back.
    pub(super) kicked: BTreeSet<Address>,
    /// Who has gone while the link was away.
    missed: BTreeSet<String>,
}

impl Room {
    /// A room without anybody; `None` if the group has no JID or no component.
    pub(super) fn of(group: &Address, shared: &Shared) -> Option<Self> {
        let translator = &shared.translator;
        let component = translator.component_of(group)?.to_owned();
        Some(Self {
            jid: translator.jid(group).ok()?,
            group: group.clone(),
            component,
            names: BTreeMap::new(),
            occupants: BTreeMap::new(),
            subject: None,
            is_fleeting: false,
            kicked: BTreeSet::new(),
            missed: BTreeSet::new(),
        })
    }

    /// Occupants of whom the group and this side may think differently.
    pub(super) fn unsettled(&self) -> usize {
        let occupants = self.occupants.values();
        occupants.filter(|occupant| !occupant.is_settled()).count()
    }

    /// Writes down an occupant.
    pub(super) fn save(&self, user: &str, shared: &mut Shared) {
        if let Some(occupant) = self.occupants.get(user) {
            shared.write(Write::put_json(user_key(user, &self.group), occupant));
        }
    }

    /// Puts an occupant in; the caller knows that there is room.
    pub(super) fn put(&mut self, user: &str, occupant: Occupant, core: &mut Core) {
        core.shares
            .add(domain_of(user), bytes_of(user, &self.group));
        self.occupants.insert(user.to_owned(), occupant);
    }

    /// Forgets an occupant.
    pub(super) fn remove(&mut self, user: &str, core: &mut Core, shared: &mut Shared) {
        if self.occupants.remove(user).is_some() {
            core.shares
                .remove(domain_of(user), bytes_of(user, &self.group));
            shared.write(Write::delete(user_key(user, &self.group)));
        }
    }

    /// Forgets all who are shown: nobody is there to see it.
    pub(super) fn clear(&mut self, core: &mut Core, shared: &mut Shared) {
        for (nick, name) in std::mem::take(&mut self.names) {
            core.name_bytes = core.name_bytes.saturating_sub(name.bytes());
            shared.write(Write::delete(name_key(&self.group, &nick)));
        }
    }

    /// Puts in a name from a record.
    pub(super) fn put_name(&mut self, nick: &str, name: Seen, core: &mut Core) {
        core.name_bytes += name.bytes();
        if let Some(before) = self.names.insert(nick.to_owned(), name) {
            core.name_bytes = core.name_bytes.saturating_sub(before.bytes());
        }
    }

    /// The XMPP user here who has this nickname, or is about to have it.
    pub(super) fn own(&self, nick: &str) -> Option<&str> {
        if let Some(name) = self.names.get(nick).filter(|name| name.is_own) {
            return name.jid.as_deref();
        }
        let mut occupants = self.occupants.iter();
        let of_it = occupants.find(|(_, occupant)| occupant.nick == nick);
        of_it.map(|(user, _)| user.as_str())
    }

    /// The id of an occupant, which stays the same (XEP-0421).
    pub(super) fn occupant_id(&self, nick: &str, core: &Core) -> String {
        let name = self.names.get(nick).filter(|name| name.is_own);
        let who = name.and_then(|name| name.jid.as_deref());
        let kind = if who.is_some() { "user" } else { "name" };
        core.digest(&[self.group.as_str(), kind, who.unwrap_or(nick)])
    }

    /// Shows somebody from now on, or what has changed of them, to all who are inside. Says whether
    /// anything has changed.
    pub(super) fn show(
        &mut self,
        nick: &str,
        name: Seen,
        core: &mut Core,
        shared: &mut Shared,
    ) -> bool {
        let known = self.names.get(nick);
        if known == Some(&name) {
            return false;
        }
        let bounds = &shared.settings.rooms;
        let is_full = self.names.len() >= bounds.max_names
            || core.name_bytes.saturating_add(name.bytes()) > bounds.max_name_bytes;
        if known.is_none() && is_full && !name.is_own {
            if let Some(more) = shared.seldom.may("names", shared.links.now().0) {
                tracing::warn!(
                    group = %Cut(self.group.as_str()),
                    more,
                    "not all who are in a group are shown: there are too many"
                );
            }
            return false;
        }
        let is_kept = known.is_some_and(|known| {
            Seen {
                said: None,
                ..known.clone()
            } == Seen {
                said: None,
                ..name.clone()
            }
        });
        if !is_kept {
            shared.write(Write::put_json(name_key(&self.group, nick), &name));
        }
        self.put_name(nick, name, core);
        self.missed.remove(nick);
        self.tell(nick, &Shown::default(), None, core, shared);
        true
    }

    /// Shows somebody no more, for the reason in `how`.
    pub(super) fn hide(
        &mut self,
        nick: &str,
        how: &Shown<'_>,
        core: &mut Core,
        shared: &mut Shared,
    ) {
        if !self.names.contains_key(nick) {
            return;
        }
        let how = Shown {
            gone: true,
            ..how.clone()
        };
        self.tell(nick, &how, None, core, shared);
        if !shared.links.is_up(&self.component) {
            self.missed.insert(nick.to_owned());
        }
        if let Some(name) = self.names.remove(nick) {
            core.name_bytes = core.name_bytes.saturating_sub(name.bytes());
            shared.write(Write::delete(name_key(&self.group, nick)));
        }
    }

    /// Tells what is true of somebody to all who are inside, or to one user alone.
    pub(super) fn tell(
        &self,
        nick: &str,
        how: &Shown<'_>,
        only: Option<&str>,
        core: &Core,
        shared: &mut Shared,
    ) {
        for (user, occupant) in &self.occupants {
            if only.is_some_and(|only| only != user) {
                continue;
            }
            for (resource, session) in &occupant.sessions {
                if session.inside {
                    self.tell_one((user, resource), nick, how, core, shared);
                }
            }
        }
    }

    /// Tells it to one client.
    pub(super) fn tell_one(
        &self,
        (user, resource): (&str, &str),
        nick: &str,
        how: &Shown<'_>,
        core: &Core,
        shared: &mut Shared,
    ) {
        let Some(name) = self.names.get(nick) else {
            return;
        };
        let (Some(to), Some(occupant)) = (address(user, resource), self.occupants.get(user)) else {
            return;
        };
        let seen_by = self.names.get(&occupant.nick);
        let moderates = seen_by.is_some_and(|seen_by| seen_by.affiliation.moderates());
        let is_self = name.is_own && name.jid.as_deref() == Some(user);
        let is_seen = !name.is_own || moderates || is_self;
        let id = self.occupant_id(nick, core);
        let mut codes = how.codes.clone();
        if is_self {
            codes.insert(0, 110);
        }
        let affiliation = match how.affiliation {
            Affiliation::None => name.affiliation,
            other => other,
        };
        let shown = Shown {
            nick,
            affiliation,
            jid: name.jid.as_deref().filter(|_| is_seen),
            codes,
            occupant_id: &id,
            said: how.said.or(name.said.as_deref().filter(|_| !how.gone)),
            ..how.clone()
        };
        if let Some(presence) = shown.presence(&self.jid, &to) {
            shared.hand(&self.component, presence);
        }
    }

    /// Shows a client all who are there, itself last.
    pub(super) fn show_all(
        &self,
        (user, resource): (&str, &str),
        codes: &[u16],
        core: &Core,
        shared: &mut Shared,
    ) {
        let Some(occupant) = self.occupants.get(user) else {
            return;
        };
        for nick in self.names.keys().filter(|nick| **nick != occupant.nick) {
            let how = Shown::default();
            self.tell_one((user, resource), nick, &how, core, shared);
        }
        let how = Shown {
            codes: codes.to_vec(),
            ..Shown::default()
        };
        self.tell_one((user, resource), &occupant.nick, &how, core, shared);
    }

    /// The link is back: those who are inside see what they have missed, or all of it.
    pub(super) fn show_anew(&mut self, core: &Core, shared: &mut Shared) {
        let missed = std::mem::take(&mut self.missed);
        let inside: Vec<(String, String)> = self
            .inside()
            .map(|(user, resource)| (user.to_owned(), resource.to_owned()))
            .collect();
        for nick in missed.iter().filter(|nick| !self.names.contains_key(*nick)) {
            for (user, resource) in &inside {
                let shown = Shown {
                    nick,
                    gone: true,
                    ..Shown::default()
                };
                let presence =
                    address(user, resource).and_then(|to| shown.presence(&self.jid, &to));
                if let Some(presence) = presence {
                    shared.hand(&self.component, presence);
                }
            }
        }
        if inside.len().saturating_mul(self.names.len()) > MOST_AT_ONCE {
            return;
        }
        for (user, resource) in &inside {
            self.show_all((user, resource), &[], core, shared);
        }
    }

    /// Tells all who are inside that the room service stops, and those who wait to come in; nobody is
    /// inside any more.
    pub(super) fn close(&mut self, core: &mut Core, shared: &mut Shared) {
        let how = Shown {
            gone: true,
            codes: vec![332],
            ..Shown::default()
        };
        for (user, resource) in self.inside() {
            if let Some(nick) = self.occupants.get(user).map(Occupant::shown_as) {
                self.tell_one((user, resource), nick, &how, core, shared);
            }
        }
        let users: Vec<String> = self.occupants.keys().cloned().collect();
        for user in users {
            Clients::of(self, core, shared).deny(&user, Code::UNAVAILABLE);
            if let Some(occupant) = self.occupants.get_mut(&user) {
                occupant.sessions.clear();
                if occupant.state == State::Joining {
                    // They were told that they can't come in.
                    occupant.state = State::Leaving;
                    occupant.asked = None;
                }
            }
            self.save(&user, shared);
        }
    }

    /// Clients that are inside, each with its user.
    pub(super) fn inside(&self) -> impl Iterator<Item = (&str, &str)> {
        self.occupants.iter().flat_map(|(user, occupant)| {
            let inside = occupant.sessions.iter().filter(|(_, s)| s.inside);
            inside.map(move |(resource, _)| (user.as_str(), resource.as_str()))
        })
    }

    /// Tells a client what is talked about; that comes last of all when one enters.
    pub(super) fn tell_subject(
        &self,
        (user, resource): (&str, &str),
        by: Option<&str>,
        shared: &mut Shared,
    ) {
        let subject = self.subject.clone().unwrap_or_default();
        let id = shared.id();
        let to = address(user, resource);
        let message = to.and_then(|to| message_from(&self.jid, by, &to, &id));
        if let Some(mut message) = message {
            message.subjects.insert(Lang::new(), subject);
            shared.hand(&self.component, message);
        }
    }

    /// Tells all what is talked about from now on.
    pub(super) fn tell_all_subject(&self, by: Option<&str>, shared: &mut Shared) {
        for client in self.inside() {
            self.tell_subject(client, by, shared);
        }
    }

    /// Says something in the name of the room to a client.
    pub(super) fn say(&self, (user, resource): (&str, &str), text: &str, shared: &mut Shared) {
        let id = shared.id();
        let to = address(user, resource);
        if let Some(mut message) = to.and_then(|to| message_from(&self.jid, None, &to, &id)) {
            message.bodies.insert(Lang::new(), text.to_owned());
            shared.hand(&self.component, message);
        }
    }

    /// Tells all that something was set.
    pub(super) fn tell_set(&self, shared: &mut Shared) {
        for (user, resource) in self.inside() {
            let Some(to) = address(user, resource) else {
                continue;
            };
            let mut message = Message::new_with_type(MessageType::Groupchat, to);
            message.from = Some(self.jid.clone().into());
            let status = attribute(element("status", ns::MUC_USER), "code", "104");
            let x = element("x", ns::MUC_USER).append(status.build()).build();
            message.payloads.push(x);
            shared.hand(&self.component, message);
        }
    }
}

/// A client of a user.
pub(super) fn address(user: &str, resource: &str) -> Option<Jid> {
    let bare = BareJid::new(user).ok()?;
    bare.with_resource_str(resource).ok().map(Into::into)
}
