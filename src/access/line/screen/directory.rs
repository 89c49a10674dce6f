//! Who was found, and profiles.

use std::collections::BTreeMap;

use super::{clean, who};
use crate::imps::Address;
use crate::imps::primitive::common::SearchResponse;
use crate::imps::primitive::profile::UserProfile;

/// Users or groups found by some searches together, each once.
pub(in crate::access::line) fn found(pages: &[&SearchResponse], is_more: bool) -> String {
    let mut all: BTreeMap<&Address, Option<&String>> = BTreeMap::new();
    for result in pages.iter().filter_map(|page| page.result.as_ref()) {
        for user in result.users.iter().flatten() {
            let name = all.entry(&user.user).or_default();
            *name = name.or(user.friendly_name.as_ref());
        }
        let groups = result.groups.iter().flatten();
        all.extend(groups.map(|id| (&id.group, None)));
    }
    if all.is_empty() {
        return "* nobody is found by that".to_owned();
    }
    let line = |(address, name): (&Address, Option<&String>)| match name {
        Some(name) => format!("* {} \"{}\"", who(address), clean(name)),
        None => format!("* {}", who(address)),
    };
    let lines = all.into_iter().map(line);
    let more = is_more.then(|| "* there is more: /more".to_owned());
    lines.chain(more).collect::<Vec<_>>().join("\n")
}

/// A profile, a line for each entry.
pub(in crate::access::line) fn profile(profile: Option<&UserProfile>) -> String {
    let Some(profile) = profile else {
        return "* the profile is empty".to_owned();
    };
    let line = |what: &str, name: &str, is: Option<&String>| {
        let is = is.map_or_else(String::new, |is| clean(is));
        format!("* {what}{}: {is}", clean(name))
    };
    let services = profile.services.iter().flatten();
    let services = services.map(|entry| line("service ", &entry.name, entry.status.as_ref()));
    let privacy = profile.privacy.iter().flatten();
    let privacy = privacy.map(|entry| line("privacy ", &entry.name, entry.status.as_ref()));
    let terminals = profile.terminals.iter().flatten();
    let terminals = terminals.map(|entry| {
        let url = entry.url.as_deref().unwrap_or_default();
        line("terminal ", url, entry.client_type.as_ref())
    });
    let properties = profile.properties.iter().flatten();
    let properties = properties.map(|entry| line("", &entry.name, entry.value.as_ref()));
    let all = services.chain(privacy).chain(terminals).chain(properties);
    all.collect::<Vec<_>>().join("\n")
}
