//! The XMPP network as a service element: what must be remembered between a
//! primitive and its stanzas.
//!
//! ```text
//!            Deliver, Answer              Xmpp
//!   SAP  ───────────────────▶ ┌─────────┐ ◀──────────────────  component links
//!        ◀─────────────────── │ Gateway │ ──────────────────▶
//!          Respond, Request   └─────────┘  Stanza
//! ```
//!
//! Pure: values and a `now` in, [`Act`](crate::element::Act)s out. What it accepted it writes down before anybody is
//! told (see `records`); the joint commits the records of an input before it lets out its stanzas.
//!
//! `Gateway` hands each input to the room it is for. A room has its own state and times, and puts
//! what it wants done into what all of them share.
//!
//! | room | what |
//! |---|---|
//! | `message` | messages in both directions, receipts, reports |
//! | `commands` | what people and operators tell the gateway itself |
//! | `files` | what messages bring as files: uploads and links |
//! | `presence` | who watches whom, and what they see |
//! | `query` | questions for presence and ids, and those of XMPP |
//! | `invitation` | invitations, in both directions |
//! | `groups` | rooms of XMPP as groups, for SSP users |
//! | `rooms` | groups of the SSP side as rooms, for XMPP users |
//! | `rosters` | contact, attribute and block lists of XMPP users |
//! | `pictures` | pictures of XMPP users |
//! | `cards` | profiles of users, and who runs a domain |
//! | `search` | search for users and rooms, in both directions |
//! | `policy`, `gate` | what domains of XMPP may do, and what passes by that |
//! | `shared` | beneath them: settings, tables, numbers, the queue of acts, and the `links` |

mod capabilities;
mod cards;
mod commands;
mod delivered;
mod dropped;
mod element;
mod fate;
mod files;
mod from_links;
mod gate;
mod groups;
mod invitation;
mod kept;
mod lane;
mod latest;
mod link_view;
mod links;
mod message;
mod numbers;
mod pictures;
mod policy;
mod preferences;
mod presence;
mod query;
mod rates;
mod records;
mod reply;
mod rooms;
mod rosters;
mod search;
mod settings;
mod shared;
mod shares;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Message, MessageType};

pub use link_view::LinkView;
pub use policy::{Policies, Policy, PresencePolicy};
pub use rooms::RoomCount;
pub use settings::{FileSettings, GatewaySettings, RoomBounds};

use crate::element::{Element, Time};
use crate::imps::Code;
use crate::translate::Translator;
use crate::translate::stanza::ends;
use cards::Cards;
use commands::Commands;
use files::{Files, Ready, Words};
use gate::{Admission, Place};
use groups::Groups;
use invitation::Invitations;
use message::Messages;
use pictures::Pictures;
use presence::Watches;
use query::Queries;
use rooms::Rooms;
use rosters::Rosters;
use search::Searches;
use shared::Shared;

/// The name of the gateway's service element.
pub const ELEMENT: Element = Element::named("Gateway");

/// What the gateway serves.
pub const SERVES: &[&str] = &[
    "SUBPR",
    "GETPR",
    "SENDM",
    "MDELIV",
    "NOTIF",
    "VRID",
    "INVIT",
    "CAINV",
    "INVSC",
    "GroupFeat",
    "CASC",
    "SRCH",
    "STSRC",
    "GETSPI",
    "GETUP",
    "GCLI",
    "CCLI",
    "DCLI",
    "MCLS",
    "CALI",
    "DALI",
    "GALS",
    "GLBLU",
    "BLENT",
];

/// The longest id of a stanza, bytes; our choice: it is kept, and goes back with the answer.
pub const MAX_ID: usize = 1024;

/// The XMPP network behind one or more components.
#[derive(Debug)]
pub struct Gateway {
    shared: Shared,
    messages: Messages,
    files: Files,
    commands: Commands,
    watches: Watches,
    queries: Queries,
    rooms: Rooms,
    invitations: Invitations,
    groups: Groups,
    searches: Searches,
    cards: Cards,
    pictures: Pictures,
    rosters: Rosters,
}

impl Gateway {
    /// A gateway without any links yet. `seed` makes its ids differ from those of
    /// other nodes.
    pub fn new(settings: GatewaySettings, translator: Arc<Translator>, seed: u64) -> Self {
        let own = translator.own_ssp_domain();
        Self {
            shared: Shared::new(settings, translator, seed),
            messages: Messages::new(own.clone()),
            files: Files::new(own.clone()),
            commands: Commands::default(),
            watches: Watches::new(own.clone()),
            queries: Queries::default(),
            rooms: Rooms::new(own.clone()),
            invitations: Invitations::new(own.clone()),
            groups: Groups::default(),
            searches: Searches::new(own.clone()),
            cards: Cards::new(own),
            pictures: Pictures::default(),
            rosters: Rosters::default(),
        }
    }

    /// A stanza that came in by the link of `component`.
    fn stanza(&mut self, component: &str, stanza: Stanza, now: Time) {
        let (Some(from), Some(to)) = ends(&stanza) else {
            tracing::debug!(
                component,
                "a stanza without sender or recipient was dropped"
            );
            return;
        };
        let (from, to) = (from.clone(), to.clone());
        let translator = self.shared.translator.clone();
        // A server may hand it to the link of another component than the one it is for.
        let Some(own) = translator.component_named(to.domain().as_str()) else {
            self.misrouted(component, stanza, (&from, &to), now);
            return;
        };
        if own != component {
            // What another server brings it has no business with.
            if !self.shared.settings.is_one_server(component, own) {
                self.misrouted(component, stanza, (&from, &to), now);
                return;
            }
            self.shared.links.crossed(component, own);
        }
        let is_loop = translator.component_named(from.domain().as_str()).is_some();
        let place = Place::of((&from, &to), &translator);
        let domain = from.domain().as_str();
        let admission = self.shared.gate.admit(&stanza, domain, place, now);
        if id_of(&stanza).len() > MAX_ID {
            self.shared.refuse(own, stanza, Code::BAD_PARAMETER);
        } else if is_loop {
            // Between two of our own components there is no XMPP.
            self.shared.refuse(own, stanza, Code::DOMAIN_NOT_SUPPORTED);
        } else if let Admission::Refused(code) = admission {
            self.shared.refuse(own, stanza, code);
        } else if let Admission::Dropped(kind) = admission {
            self.shared.dropped.count(kind);
        } else {
            let shared = &mut self.shared;
            match stanza {
                Stanza::Message(message) => self.message(own, message, (&from, &to), now),
                Stanza::Presence(presence) => {
                    let ends = (&from, &to);
                    if self.groups.presence(ends, &presence, now, shared) {
                        return;
                    }
                    if !self.rooms.presence(own, ends, &presence, now, shared) {
                        self.invitations.presence(ends, &presence, now, shared);
                        self.watches.stanza(own, ends, presence, now, shared);
                    }
                }
                Stanza::Iq(iq) => {
                    let iq = self.rosters.iq(own, iq, now, shared);
                    let iq = iq.and_then(|iq| self.files.iq(iq, now, shared));
                    let iq = iq.and_then(|iq| self.pictures.iq(iq, now, shared));
                    let iq = iq.and_then(|iq| self.rooms.iq(own, iq, (&from, &to), now, shared));
                    let iq = iq.and_then(|iq| self.groups.iq(iq, now, shared));
                    let iq = iq.and_then(|iq| self.invitations.iq(own, iq, now, shared));
                    let iq = iq.and_then(|iq| self.commands.iq(own, iq, now, shared));
                    let (searches, watches) = (&mut self.searches, &self.watches);
                    let iq = iq.and_then(|iq| searches.iq(own, iq, watches, now, shared));
                    let iq = iq.and_then(|iq| self.cards.iq(own, iq, watches, now, shared));
                    if let Some(iq) = iq {
                        let known = (watches, self.cards.of(own));
                        self.queries.iq(own, iq, known, now, shared);
                    }
                }
            }
        }
    }

    fn message(&mut self, component: &str, message: Message, (from, to): (&Jid, &Jid), now: Time) {
        let shared = &mut self.shared;
        if self.rosters.granted(component, &message, now, shared) {
            return;
        }
        if self.commands.words(component, &message, now, shared) {
            return;
        }
        if message.type_ == MessageType::Error {
            self.rooms.bounced(&message, now, shared);
            self.groups.bounced(&message, now, shared);
            if self.invitations.bounced(&message, now, shared) {
                return;
            }
        }
        if self.messages.heard(&message, now, shared) {
            return;
        }
        if self.groups.message(&message, now, shared) {
            return;
        }
        let place = self.rooms.place(&message, shared);
        if let Some((group, is_inside)) = &place {
            let place = (group, *is_inside);
            let invitations = &mut self.invitations;
            if invitations.at_room(component, place, &message, now, shared) {
                return;
            }
        }
        let Some(message) = self.rooms.message(component, message, now, shared) else {
            return;
        };
        let invitations = &mut self.invitations;
        let Some(message) = invitations.message(component, message, now, shared) else {
            return;
        };
        self.watches.event(&message, now, shared);
        let words = Words {
            component: component.to_owned(),
            message,
            language: self.watches.language_of(from, to, shared),
            file: None,
        };
        if let Some(words) = self.files.fetch(words, now, shared) {
            self.messages.stanza(words, now, shared);
        }
    }

    /// A message from XMPP that is told as it is.
    fn words(&mut self, component: String, message: Message, now: Time) {
        let words = Words {
            component,
            message,
            language: None,
            file: None,
        };
        self.tell(words, now);
    }

    /// Tells the SSP side what a user of XMPP has written, and what was held for a while: their domain
    /// may have been denied by then.
    fn tell(&mut self, words: Words, now: Time) {
        let from = words.message.from.as_ref();
        if from.is_some_and(|from| !self.shared.gate.may_talk(from.domain().as_str())) {
            return self.shared.dropped.count("stanzas of denied domains");
        }
        self.messages.stanza(words, now, &mut self.shared);
    }

    /// What waits for the link of each component.
    pub fn links(&self) -> BTreeMap<String, LinkView> {
        self.shared.links.views()
    }

    /// What came in and has no counterpart, by kind.
    pub fn silent(&self) -> BTreeMap<&'static str, u64> {
        self.shared.dropped.kinds()
    }

    /// The node is about to stop: whoever is shown is away from now on, and rooms are closed.
    pub fn farewell(&mut self) {
        self.watches.farewell(&mut self.shared);
        self.rooms.farewell(&mut self.shared);
    }

    /// Takes over what domains of XMPP may do from now on.
    pub fn set_policies(&mut self, policies: Policies, now: Time) {
        let shared = &mut self.shared;
        if policies == *shared.gate.policies() {
            return;
        }
        shared.at(now);
        let before = shared.gate.replace(policies);
        shared.give_up_denied();
        let could_see = |domain: &str| before.of(domain).may_see();
        self.watches.policies_changed(&could_see, now, shared);
        self.rooms.leave_denied(now, shared);
        self.groups.leave_denied(now, shared);
        self.settle(now);
    }

    /// What domains of XMPP may do.
    pub fn policies(&self) -> &Policies {
        self.shared.gate.policies()
    }

    /// Groups with XMPP users in them, and rooms with SSP users in them.
    pub fn rooms(&self) -> RoomCount {
        let (visitors, unsettled) = self.groups.count();
        let rooms = self.rooms.count();
        RoomCount {
            visitors,
            unsettled: rooms.unsettled + unsettled,
            ..rooms
        }
    }

    /// Subscriptions kept: of XMPP users, and of WV users.
    #[cfg(test)]
    fn watches(&self) -> (usize, usize) {
        self.watches.count()
    }

    /// Carries between the rooms what one has for another, until nothing moves.
    fn settle(&mut self, now: Time) {
        while let Some(ready) = self.files.next_ready() {
            match ready {
                Ready::Message(ordered) => self.send(&ordered, now),
                Ready::Failed(ordered, code) => {
                    let message = (&*ordered.request, ordered.id);
                    message::fail(message, code, now, &mut self.shared);
                }
                Ready::Words(words) => self.tell(*words, now),
            }
        }
        while let Some(kind) = self.shared.links.next_lost() {
            self.shared.dropped.count(kind);
        }
        while let Some(fate) = self.shared.links.next_fate() {
            self.messages.settle(&fate, now, &mut self.shared);
        }
        while let Some((component, message)) = self.watches.next_words() {
            self.words(component, message, now);
        }
        let shared = &mut self.shared;
        let next = |rooms: &mut Rooms, groups: &mut Groups| {
            rooms.next_came().or_else(|| groups.next_came())
        };
        while let Some((group, user, name)) = next(&mut self.rooms, &mut self.groups) {
            let who = (&group, &user, name.as_str());
            self.invitations.came(who, now, shared);
        }
        while let Some((component, message)) = self.invitations.next_words() {
            self.words(component, message, now);
        }
        let shared = &mut self.shared;
        while let Some((pair, is_removed)) = self.rosters.next_ended() {
            self.watches.ended(&pair, is_removed, now, shared);
        }
        while let Some(jid) = self.rosters.next_changed() {
            self.watches.again(&jid, now, shared);
        }
        loop {
            if let Some((pair, told)) = self.watches.next_unseen() {
                self.pictures.want(pair, told, now, shared);
            } else if let Some((pair, told, picture)) = self.pictures.next_came() {
                let picture = (&told, &picture);
                self.watches.picture(&pair, picture, now, shared);
            } else {
                break;
            }
        }
        while let Some((component, iq)) = self.cards.next_ready() {
            let known = (&self.watches, self.cards.of(&component));
            self.queries.iq(&component, iq, known, now, shared);
        }
        while let Some(announcement) = self.commands.next_announcement() {
            let users = self.watches.people(&announcement.component, shared);
            announcement.tell(&users, now, shared);
        }
        while let Some(pair) = self.watches.next_heard() {
            self.queries.heard(&pair, self.watches.of_xmpp(), shared);
        }
    }
}

fn id_of(stanza: &Stanza) -> &str {
    match stanza {
        Stanza::Message(message) => message.id.as_ref().map_or("", |id| id.0.as_str()),
        Stanza::Presence(presence) => presence.id.as_deref().unwrap_or(""),
        Stanza::Iq(iq) => iq.id(),
    }
}
