//! What is known of a user at rest without reading the whole record: its first line.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::address::Address;

use super::core::Core;
use super::relation::Shown;
use super::user::User;
use super::watchers::sweep;

/// What is known of a user at rest without reading all of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    /// Other domains in which they watch somebody, or somebody watches them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) domains: Vec<String>,
    /// Names and other texts that a search looks at, in lower case, a line each.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) searched: String,
    /// Whether they allow others to find them by anything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) allows: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) disabled: bool,
    /// Those who watch them and perhaps do not know what they may see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) unsure: Vec<Address>,
    /// When their watchers are looked through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sweep: Option<Time>,
}

impl Head {
    /// Of a user who goes to rest.
    pub(super) fn of(user: &User, core: &Core) -> Self {
        let mut domains = BTreeSet::new();
        user.concerned(&mut domains);
        domains.remove(core.domain());
        let profile = user.profile.as_deref();
        let properties = profile.and_then(|profile| profile.properties.as_ref());
        let values = properties.into_iter().flatten();
        let values = values.filter_map(|property| property.value.as_deref());
        let texts = user.account.alias.as_deref().into_iter().chain(values);
        let searched: Vec<String> = texts.map(str::to_lowercase).collect();
        let privacy = profile.and_then(|profile| profile.privacy.as_ref());
        let mut privacy = privacy.into_iter().flatten();
        let watchers = user.relations.iter().filter_map(|(other, relation)| {
            let until = relation.watcher.as_ref()?.until?;
            (!user.shows(core, other)).then(|| sweep(&user.name, until).0)
        });
        let unsure = user.relations.iter().filter(|(_, relation)| {
            let watcher = relation.watcher.as_ref();
            watcher.is_some_and(|watcher| watcher.shown == Shown::Unsure)
        });
        Self {
            domains: domains.into_iter().collect(),
            searched: searched.join("\n"),
            allows: privacy.any(|entry| entry.status.as_deref() == Some("Allowed")),
            disabled: user.account.disabled,
            unsure: unsure.map(|(other, _)| other.clone()).collect(),
            sweep: watchers.min(),
        }
    }

    /// That of a record.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(record: &[u8]) -> Result<Self, String> {
        let line = record.split(|byte| *byte == b'\n').next();
        serde_json::from_slice(line.unwrap_or_default()).map_err(|error| error.to_string())
    }
}
