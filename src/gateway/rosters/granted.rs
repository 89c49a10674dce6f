//! What the users' server has granted to the components of this node (XEP-0356).

use std::collections::BTreeMap;

use xmpp_parsers::message::Message;

use crate::gateway::shared::Shared;
use crate::translate::privilege::Privileges;

/// What was granted, by component. It holds until the server says otherwise: while the link is down
/// nothing else is known.
#[derive(Debug, Default)]
pub(super) struct Granted {
    to: BTreeMap<String, Privileges>,
}

impl Granted {
    /// What a message of the server grants; `None` if it is about something else, and otherwise whether
    /// rosters may be read now.
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
        let may_read = privileges.roster.get;
        self.to.insert(component.to_owned(), privileges);
        Some(may_read)
    }

    /// It was refused to a component.
    pub(super) fn refused(&mut self, component: &str) {
        self.to.remove(component);
    }

    /// What a component may do.
    pub(super) fn of(&self, component: &str) -> Option<&Privileges> {
        self.to.get(component)
    }

    /// The component that may read rosters, and whether its link is up; `None` if none may.
    pub(super) fn reader(&self, shared: &Shared) -> Option<(String, bool)> {
        self.component(|privileges| privileges.roster.get, shared)
    }

    /// A component that may do something, and whether its link is up; `None` if none may.
    pub(super) fn component(
        &self,
        may: impl Fn(&Privileges) -> bool,
        shared: &Shared,
    ) -> Option<(String, bool)> {
        let granted = self.to.iter().filter(|(_, granted)| may(granted));
        let links = granted.map(|(name, _)| (name.clone(), shared.links.is_up(name)));
        links.max_by_key(|(_, is_up)| *is_up)
    }
}
