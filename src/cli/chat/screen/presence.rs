//! Presence, and who sees it.

use std::collections::BTreeMap;

use super::{clean, who};
use crate::home::{Availability, Known};
use crate::imps::Address;

/// What somebody who watches may see.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::chat) enum Sees {
    Presence,
    Denied,
    Pending,
    Nothing,
}

/// Somebody wants to see the user's presence.
pub(in crate::cli::chat) fn question(user: &Address) -> String {
    let user = who(user);
    format!("* {user} wants to see your presence: /allow {user} or /deny {user}")
}

/// Somebody's presence.
pub(in crate::cli::chat) fn presence(user: &Address, presence: &Known) -> String {
    format!("* {} {}", who(user), known(presence))
}

/// Those who watch.
pub(in crate::cli::chat) fn watchers(watchers: &BTreeMap<Address, Sees>) -> String {
    if watchers.is_empty() {
        return "* nobody watches you".to_owned();
    }
    let line = |(user, sees): (&Address, &Sees)| {
        let sees = match sees {
            Sees::Presence => "sees your presence",
            Sees::Denied => "is denied",
            Sees::Pending => "waits for your decision",
            Sees::Nothing => "sees nothing",
        };
        format!("* {} {sees}", who(user))
    };
    watchers.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(super) fn known(presence: &Known) -> String {
    if !presence.authorized {
        return "is not shown to you".to_owned();
    }
    let mut words = vec![
        match (presence.online, presence.availability) {
            (Some(false), _) => "is offline",
            (_, Some(Availability::Discreet)) => "is busy",
            (_, Some(Availability::NotAvailable)) => "is away",
            (Some(true), _) | (_, Some(Availability::Available)) => "is online",
            (None, None) => "is of unknown presence",
        }
        .to_owned(),
    ];
    let quoted = presence.text.as_ref();
    words.extend(quoted.map(|text| format!("\"{}\"", clean(text))));
    let mood = presence.mood.as_ref();
    words.extend(mood.map(|mood| format!("({})", clean(mood))));
    let alias = presence.alias.as_ref();
    words.extend(alias.map(|alias| format!("alias {}", clean(alias))));
    words.join(" ")
}
