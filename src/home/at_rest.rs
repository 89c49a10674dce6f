//! A user at rest, on disk: a line of JSON that a start reads, and then a line for each row that the
//! user has when awake: what stands in its key behind the name, a tab, and the row, which is JSON.
//!
//! Most rows are of what stands between the user and somebody else. Their lines begin with the
//! address alone, an address of this domain with no domain: `zoe@`.

use std::borrow::Cow;

use crate::element::Act;
use crate::element::access::InUse;
use crate::store::Write;

use super::core::Core;
use super::head::Head;
use super::records::{self, Row};
use super::settings::HomeSettings;
use super::user::User;

/// Bytes of a record; users with more stay awake. Our choice.
const MAX_BYTES: usize = 256 * 1024;

/// What stands behind the user's name in the key of a row, and the row.
type Line<'a> = (Cow<'a, str>, &'a [u8]);

/// The record of a user at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtRest(Vec<u8>);

impl AtRest {
    /// Of a user of this domain for whom nothing waits; `None` if there is too much for one record.
    pub(super) fn of(user: &User, head: &Head, domain: &str) -> Option<Self> {
        let mut record = serde_json::to_vec(head).ok()?;
        record.push(b'\n');
        let own = records::key_of_user(&user.name);
        for write in rows(user) {
            let Write::Put { key, value, .. } = write else {
                continue;
            };
            let suffix = key.strip_prefix(&own)?;
            let one_line = !suffix.contains(['\n', '\t']) && !value.contains(&b'\n');
            if !one_line || record.len() + suffix.len() + value.len() > MAX_BYTES {
                return None;
            }
            record.extend_from_slice(short(suffix, domain).as_bytes());
            record.push(b'\t');
            record.extend_from_slice(&value);
            record.push(b'\n');
        }
        Some(Self(record))
    }

    /// As it was read.
    pub(super) fn read(record: Vec<u8>) -> Self {
        Self(record)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The keys of all rows, behind the user's own, and the rows.
    ///
    /// # Errors
    /// A line is none.
    pub(super) fn rows(&self, domain: &str) -> Result<Vec<Line<'_>>, String> {
        let lines = self.0.split(|byte| *byte == b'\n').skip(1);
        let lines = lines.filter(|line| !line.is_empty());
        let rows = lines.map(|line| {
            let tab = line.iter().position(|byte| *byte == b'\t');
            let (suffix, row) = line.split_at(tab.ok_or("a line without key")?);
            let suffix = std::str::from_utf8(suffix).map_err(|error| error.to_string())?;
            Ok((long(suffix, domain), &row[1..]))
        });
        rows.collect()
    }

    /// Looks whether everything in a record can be read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn look_into(
        record: &[u8],
        name: &str,
        settings: &HomeSettings,
    ) -> Result<(), String> {
        let record = Self::read(record.to_owned());
        let (mut user, mut core) = (User::new(name), Core::new(settings.clone(), 0));
        let rows = record.rows(&settings.domain)?;
        for (suffix, row) in &rows {
            Row::of_user(name, suffix)?.take_back(&mut user, &mut core, row)?;
        }
        let mut keys = rows.iter().map(|(suffix, _)| suffix);
        let account = keys.find(|suffix| suffix.is_empty());
        account
            .map(drop)
            .ok_or_else(|| "it has no account".to_owned())
    }

    /// Takes the record of a user apart into rows.
    pub(super) fn apart(&self, name: &str, domain: &str) -> Vec<Act> {
        let own = records::key_of_user(name);
        let rows = self.rows(domain).unwrap_or_default().into_iter();
        let rows = rows.map(|(suffix, row)| Write::put(format!("{own}{suffix}"), row));
        let gone = Write::delete(records::key_at_rest(name));
        rows.chain([gone]).map(Act::Write).collect()
    }

    /// Puts what stands in rows of a user into this record.
    pub(super) fn together(self, name: &str, domain: &str) -> Vec<Act> {
        let own = records::key_of_user(name);
        let rows = self.rows(domain).unwrap_or_default().into_iter();
        let gone = rows.map(|(suffix, _)| Write::delete(format!("{own}{suffix}")));
        let mut acts: Vec<Act> = gone.map(Act::Write).collect();
        acts.push(self.put(name));
        acts
    }

    /// Puts this record in the place of the one before.
    pub(super) fn put(self, name: &str) -> Act {
        Act::Write(Write::put(records::key_at_rest(name), self.0))
    }
}

/// What stands behind the name in a key, as it begins a line.
fn short<'a>(suffix: &'a str, domain: &str) -> &'a str {
    let address = suffix.strip_prefix(records::OTHER);
    // Those are no addresses, and would not be known from the rest.
    let plain =
        address.filter(|text| !text.is_empty() && !text.starts_with('/') && !text.ends_with('@'));
    let Some(address) = plain else {
        return suffix;
    };
    match address.strip_suffix(domain) {
        Some(ours) if ours.ends_with('@') => ours,
        _ => address,
    }
}

/// And as it stands in the key.
fn long<'a>(line: &'a str, domain: &str) -> Cow<'a, str> {
    if line.is_empty() || line.starts_with('/') {
        return Cow::Borrowed(line);
    }
    let ours = if line.ends_with('@') { domain } else { "" };
    Cow::Owned(format!("{}{line}{ours}", records::OTHER))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_the_same_when_it_comes_back_from_a_line() {
        for (suffix, line) in [
            ("", ""),
            ("/lists", "/lists"),
            ("/relation/wv:zoe@far.test", "zoe@far.test"),
            ("/relation/wv:zoe@home.test", "zoe@"),
            ("/relation/wv:zoe@at.home.test", "zoe@at.home.test"),
            ("/relation/wv:zoe/work@home.test", "zoe/work@"),
            ("/relation/wv:@home.test", "@"),
            ("/relation/wv:zoe", "zoe"),
            (
                "/relation/wv:/club@home.test",
                "/relation/wv:/club@home.test",
            ),
            ("/relation/wv:zoe@", "/relation/wv:zoe@"),
            ("/relation/wv:", "/relation/wv:"),
            ("/relation/zoe@home.test", "/relation/zoe@home.test"),
        ] {
            assert_eq!(short(suffix, "home.test"), line);
            assert_eq!(long(line, "home.test"), suffix);
            // As in a record of an older version.
            if suffix.starts_with('/') {
                assert_eq!(long(suffix, "home.test"), suffix);
            }
        }
    }
}
