//! Presence, and who sees it.

use std::collections::BTreeMap;

use super::{clean, who};
use crate::home::{Availability, Known};
use crate::imps::Address;
use crate::imps::presence::{Item, PresenceSubList};

/// What somebody who watches may see.
#[derive(Debug, Clone, Copy)]
pub(in crate::access::line) enum Sees {
    Presence,
    Denied,
    Pending,
    Nothing,
}

/// Attributes of a question that are named; more are not told one by one.
const NAMED: usize = 3;

/// Somebody wants to see the user's presence, or these attributes of it.
pub(in crate::access::line) fn question(
    user: &Address,
    attributes: Option<&PresenceSubList>,
) -> String {
    let user = who(user);
    let few = attributes.filter(|list| list.attributes.len() <= NAMED);
    let what = few.map_or_else(String::new, |list| {
        let names = list.attributes.iter().map(|a| clean(a.name.as_str()));
        format!(" ({})", names.collect::<Vec<_>>().join(", "))
    });
    format!("* {user} wants to see your presence{what}: /allow {user} or /deny {user}")
}

/// What somebody tells besides what stands in one line.
pub(in crate::access::line) fn more(list: Option<&PresenceSubList>) -> String {
    fn words(item: &Item, into: &mut Vec<String>) {
        if !item.text.is_empty() {
            into.push(clean(&item.text));
        }
        for child in &item.children {
            words(child, into);
        }
    }
    let attributes = list.iter().flat_map(|list| &list.attributes);
    let attributes = attributes.filter(|a| a.is_valid() && !Known::has(&a.name));
    let lines = attributes.map(|attribute| {
        let mut texts = Vec::new();
        for field in &attribute.fields {
            words(field, &mut texts);
        }
        let name = clean(attribute.name.as_str());
        format!("\n*   {name}: {}", texts.join(" "))
    });
    lines.collect()
}

/// Somebody's presence.
pub(in crate::access::line) fn presence(user: &Address, presence: &Known) -> String {
    format!("* {} {}", who(user), known(presence))
}

pub(in crate::access::line) fn watchers(watchers: &BTreeMap<Address, Sees>) -> String {
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
