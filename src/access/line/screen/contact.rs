//! The contact list.

use std::collections::BTreeMap;

use super::presence::known;
use super::{clean, who};
use crate::home::Known;
use crate::imps::Address;

/// One line of the contact list.
#[derive(Debug, Default)]
pub(in crate::access::line) struct Contact {
    /// The user's own name for them.
    pub(in crate::access::line) name: Option<String>,
    pub(in crate::access::line) blocked: bool,
    /// What is known of them, if they are watched.
    pub(in crate::access::line) watched: Option<Known>,
}

/// The contact list, and others with whom there is something.
pub(in crate::access::line) fn contacts(contacts: &BTreeMap<Address, Contact>) -> String {
    if contacts.is_empty() {
        return "* no contacts".to_owned();
    }
    let line = |(user, entry): (&Address, &Contact)| {
        let user = who(user);
        let mut text = format!("* {user}");
        if let Some(name) = &entry.name {
            text = format!("{text} \"{}\"", clean(name));
        }
        if entry.blocked {
            text.push_str(" (blocked)");
        }
        match &entry.watched {
            None => format!("{text} is not watched: /subscribe {user}"),
            Some(presence) if !presence.authorized => {
                format!("{text} has not allowed you to see their presence yet")
            }
            Some(presence) => format!("{text} {}", known(presence)),
        }
    };
    contacts.iter().map(line).collect::<Vec<_>>().join("\n")
}
