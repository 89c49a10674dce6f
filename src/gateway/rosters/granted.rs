//! What the users' server has granted to the components of this node (XEP-0356).

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_parsers::jid::BareJid;
use xmpp_parsers::message::Message;

use crate::element::Time;
use crate::gateway::shared::Shared;
use crate::translate::privilege::Privileges;
use crate::translate::stanza::ns;

/// How long after a link is there its server may take to say what it grants; our choice. A server that
/// grants nothing need not say so.
const SILENCE: Duration = Duration::from_secs(10);

/// What is known of each component.
#[derive(Debug, Default)]
pub(super) struct Granted {
    of: BTreeMap<String, Known>,
}

/// What is known of one.
#[derive(Debug)]
enum Known {
    /// Nothing, since its link is there. Nothing is granted if that is so at this time.
    NotYet(Time),
    /// What its server has said, or what its silence says.
    Said(Privileges),
}

/// By which way something is done for users.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through this component their server is asked.
    Server(String),
    /// Their server is the one to ask, or may be, and cannot be asked now.
    Later,
    /// Their server does not let us: it is done here.
    Here,
}

impl Granted {
    /// The link of a component is there: what its server grants now is not known yet. Until when.
    pub(super) fn link_up(&mut self, component: &str, now: Time) -> Time {
        let until = now.plus(SILENCE);
        self.of.insert(component.to_owned(), Known::NotYet(until));
        until
    }

    /// The link of a component is down: nothing is waited for any more.
    pub(super) fn link_down(&mut self, component: &str) {
        if matches!(self.of.get(component), Some(Known::NotYet(_))) {
            self.of.remove(component);
        }
    }

    /// A component whose server has said nothing for so long is granted nothing.
    pub(super) fn hear_silence(&mut self, component: &str, now: Time) {
        if let Some(known) = self.of.get_mut(component)
            && matches!(known, Known::NotYet(until) if *until <= now)
        {
            *known = Known::Said(Privileges::default());
        }
    }

    /// What a message of the server grants; `None` if it is about something else, and otherwise whether
    /// it counts.
    pub(super) fn take(
        &mut self,
        component: &str,
        message: &Message,
        shared: &mut Shared,
    ) -> Option<bool> {
        let privileges = Privileges::read(message)?;
        let from = message.from.as_ref();
        if from.is_none_or(|from| from.as_str() != shared.translator.domain) {
            shared.dropped.count("privileges by a stranger");
            return Some(false);
        }
        let known = Known::Said(privileges);
        self.of.insert(component.to_owned(), known);
        Some(true)
    }

    /// The server has refused to let a component do what it had granted: it grants that no more.
    pub(super) fn forget(&mut self, component: &str, forget: impl FnOnce(&mut Privileges)) {
        if let Some(Known::Said(privileges)) = self.of.get_mut(component) {
            forget(privileges);
        }
    }

    /// What a component may do, as far as that is known.
    pub(super) fn of(&self, component: &str) -> Option<&Privileges> {
        match self.of.get(component)? {
            Known::Said(privileges) => Some(privileges),
            Known::NotYet(_) => None,
        }
    }

    /// Whether some component may read rosters.
    pub(super) fn lets_rosters_be_read(&self) -> bool {
        let mut known = self.of.values();
        known.any(|known| matches!(known, Known::Said(granted) if granted.roster.get))
    }

    /// The way to do something for a user. A server grants what is its own users'.
    fn way(&self, user: &BareJid, may: impl Fn(&Privileges) -> bool, shared: &Shared) -> Way {
        if user.domain().as_str() != shared.translator.domain {
            return Way::Here;
        }
        let (mut is_there, mut is_unknown, mut is_refused) = (false, false, false);
        for component in &shared.translator.components {
            let is_up = shared.links.is_up(component);
            match self.of.get(component) {
                Some(Known::Said(granted)) if may(granted) => {
                    if is_up {
                        return Way::Server(component.clone());
                    }
                    is_there = true;
                }
                Some(Known::Said(_)) => is_refused = true,
                Some(Known::NotYet(_)) if is_up => is_there = true,
                // Of a component whose link was not there yet another one may tell.
                Some(Known::NotYet(_)) | None => is_unknown = true,
            }
        }
        if is_there || is_unknown && !is_refused {
            Way::Later
        } else {
            Way::Here
        }
    }

    /// The way to the rosters of users.
    pub(super) fn to_rosters(&self, user: &BareJid, shared: &Shared) -> Way {
        self.way(user, |granted| granted.roster.get, shared)
    }

    /// The way to their block lists, to read them.
    pub(super) fn to_read_blocked(&self, user: &BareJid, shared: &Shared) -> Way {
        self.way(user, |granted| granted.questions(ns::BLOCKING).get, shared)
    }

    /// The way to their block lists, to change them.
    pub(super) fn to_block(&self, user: &BareJid, shared: &Shared) -> Way {
        self.way(user, |granted| granted.questions(ns::BLOCKING).set, shared)
    }
}
