//! A user at rest, on disk: a line of JSON that a start reads, and then a line for each row that the
//! user has when awake: what stands in its key behind the name, a tab, and the row, which is JSON.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::element::{Act, Time};
use crate::home::access_lists::InUse;
use crate::home::core::Core;
use crate::home::records;
use crate::home::relation::Shown;
use crate::home::user::User;
use crate::home::watchers::sweep;
use crate::imps::address::Address;
use crate::store::Write;

/// Bytes of a record; users with more stay awake. Our choice.
const MAX_BYTES: usize = 256 * 1024;

/// What is known of a user at rest without reading all of the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::home) struct Head {
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

/// The record of a user at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::home) struct Record(Vec<u8>);

impl Record {
    /// Of a user for whom nothing waits; `None` if there is too much for one record.
    pub(super) fn of(user: &User, core: &Core) -> Option<(Head, Self)> {
        let head = Head::of(user, core);
        let mut record = serde_json::to_vec(&head).ok()?;
        record.push(b'\n');
        let own = records::key_of_user(&user.name);
        for write in rows(user) {
            let Write::Put { key, value } = write else {
                continue;
            };
            let suffix = key.strip_prefix(&own)?;
            let one_line = !suffix.contains(['\n', '\t']) && !value.contains(&b'\n');
            if !one_line || record.len() + suffix.len() + value.len() > MAX_BYTES {
                return None;
            }
            record.extend_from_slice(suffix.as_bytes());
            record.push(b'\t');
            record.extend_from_slice(&value);
            record.push(b'\n');
        }
        Some((head, Self(record)))
    }

    /// As it was read.
    pub(super) fn read(record: Vec<u8>) -> Self {
        Self(record)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What a start must know.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn head(record: &[u8]) -> Result<Head, String> {
        let line = record.split(|byte| *byte == b'\n').next();
        serde_json::from_slice(line.unwrap_or_default()).map_err(|error| error.to_string())
    }

    /// The keys of all rows, behind the user's own, and the rows.
    ///
    /// # Errors
    /// A line is none.
    pub(in crate::home) fn rows(&self) -> Result<Vec<(&str, &[u8])>, String> {
        let lines = self.0.split(|byte| *byte == b'\n').skip(1);
        let lines = lines.filter(|line| !line.is_empty());
        let rows = lines.map(|line| {
            let tab = line.iter().position(|byte| *byte == b'\t');
            let (suffix, row) = line.split_at(tab.ok_or("a line without key")?);
            let suffix = std::str::from_utf8(suffix).map_err(|error| error.to_string())?;
            Ok((suffix, &row[1..]))
        });
        rows.collect()
    }

    /// Takes the record of a user apart into rows.
    pub(in crate::home) fn apart(&self, name: &str) -> Vec<Act> {
        let own = records::key_of_user(name);
        let rows = self.rows().unwrap_or_default().into_iter();
        let rows = rows.map(|(suffix, row)| Write::put(format!("{own}{suffix}"), row));
        let gone = Write::delete(records::key_at_rest(name));
        rows.chain([gone]).map(Act::Write).collect()
    }

    /// Puts what stands in rows into this record.
    pub(super) fn together(self, user: &User) -> Vec<Write> {
        let rows = rows(user).into_iter();
        let gone = rows.map(|write| Write::delete(write.key()));
        let kept = Write::put(records::key_at_rest(&user.name), self.0);
        gone.chain([kept]).collect()
    }
}

impl Head {
    fn of(user: &User, core: &Core) -> Self {
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
}

/// All rows of a user for whom nothing waits.
fn rows(user: &User) -> Vec<Write> {
    let name = &user.name;
    let mut acts = vec![records::put_account(name, &user.account)];
    let in_use = user.access.in_use();
    if in_use != InUse::default() {
        acts.push(records::put_access(name, in_use));
    }
    let listed = user.access.all();
    acts.extend(listed.map(|(key, listed)| records::put_listed(name, key, listed)));
    let arrivals = user.inbox.all();
    acts.extend(arrivals.map(|(number, arrival)| records::put_arrival(name, number, arrival)));
    acts.extend(
        user.lists
            .iter()
            .map(|lists| records::put_lists(name, lists)),
    );
    acts.extend(
        user.told
            .iter()
            .map(|told| records::put_presence(name, told)),
    );
    let profile = user.profile.iter();
    acts.extend(profile.map(|profile| records::put_profile(name, profile)));
    let relations = user.relations.iter();
    acts.extend(relations.map(|(other, relation)| records::put_relation(name, other, relation)));
    let sent = user.sent.all();
    acts.extend(sent.map(|(number, taken)| records::put_sent(name, number, taken)));
    let writes = acts.into_iter().filter_map(|act| match act {
        Act::Write(write) => Some(write),
        _ => None,
    });
    writes.collect()
}
