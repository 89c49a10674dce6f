//! A profile's parts, and what an `UpdateUserProfileRequest` makes of them (wire
//! profile, 11.4).
//!
//! Each of the four parts is a list of entries with names. *Merge* replaces the
//! entries of the same name and adds the others, *Replace* puts the given parts in
//! place of what was there, *Delete* takes out what is named. An entry that cannot
//! be is refused by itself (702); the others are taken.

use crate::imps::common::Property;
use crate::imps::primitive::profile::{
    PrivacyCapability, ProfileParts, ProfileService, Terminal, UserProfile,
};
use crate::imps::status::{Code, DetailedResult, Status};

/// An entry that cannot be taken into a profile.
const REFUSED_ENTRY: Code = Code(702);
/// Refused entries told one by one.
const MAX_DETAILS: usize = 32;
/// Bytes of a name, and of a word of a terminal.
const MAX_NAME: usize = 128;
/// Bytes of a property's value, and of a terminal's address.
const MAX_VALUE: usize = 1024;
/// Words in one list of a terminal.
const MAX_WORDS: usize = 32;
/// Bytes of one part, names and values.
const MAX_PART: usize = 8 * 1024;

/// The services a profile may name, each with the feature of the service tree.
pub const SERVICES: [(&str, &str); 6] = [
    ("Presence", "PresenceFeat"),
    ("IM", "IMFeat"),
    ("Group", "GroupFeat"),
    ("Content", "ContentFeat"),
    ("Common", "CommonFeat"),
    ("ContactList", "ContactListFeat"),
];

/// `UpdateUserProfileRequest@mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Entries replace those of the same name.
    Merge,
    /// Parts replace what was there.
    Replace,
    /// Named entries are removed.
    Delete,
}

impl UpdateMode {
    /// Reads the attribute, in any case; absent or empty is `Merge`, a word of no
    /// meaning `None`.
    pub fn read(text: Option<&str>) -> Option<Self> {
        let text = text.unwrap_or_default().trim();
        match text.to_ascii_lowercase().as_str() {
            "" | "merge" => Some(Self::Merge),
            "replace" => Some(Self::Replace),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Some of the four parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    services: bool,
    privacy: bool,
    terminals: bool,
    properties: bool,
}

impl Parts {
    /// All four parts of a profile.
    pub const ALL: Self = Self {
        services: true,
        privacy: true,
        terminals: true,
        properties: true,
    };

    /// Those asked for; none named means all.
    pub fn asked(parts: Option<&ProfileParts>) -> Self {
        let named = parts.map_or(Self::ALL, |parts| Self {
            services: parts.services.is_some(),
            privacy: parts.privacy.is_some(),
            terminals: parts.terminals.is_some(),
            properties: parts.properties.is_some(),
        });
        let none = !(named.services || named.privacy || named.terminals || named.properties);
        if none { Self::ALL } else { named }
    }

    /// Those a profile has something to say about.
    pub fn of(profile: &UserProfile) -> Self {
        Self {
            services: profile.services.is_some(),
            privacy: profile.privacy.is_some(),
            terminals: profile.terminals.is_some(),
            properties: profile.properties.is_some(),
        }
    }

    /// The parts that either has.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            services: self.services || other.services,
            privacy: self.privacy || other.privacy,
            terminals: self.terminals || other.terminals,
            properties: self.properties || other.properties,
        }
    }

    /// Whether all of `other` is in these.
    pub fn include(self, other: Self) -> bool {
        self.union(other) == self
    }

    /// The profile with nothing but these parts.
    pub fn select(self, mut profile: UserProfile) -> UserProfile {
        profile.services = profile.services.filter(|_| self.services);
        profile.privacy = profile.privacy.filter(|_| self.privacy);
        profile.terminals = profile.terminals.filter(|_| self.terminals);
        profile.properties = profile.properties.filter(|_| self.properties);
        profile
    }
}

/// A profile that says nothing.
pub fn empty() -> UserProfile {
    UserProfile {
        user: None,
        modified: None,
        services: None,
        privacy: None,
        terminals: None,
        properties: None,
    }
}

/// Bytes of names and values in a profile.
pub fn size(profile: &UserProfile) -> usize {
    fn part<E: Entry>(entries: Option<&Vec<E>>) -> usize {
        entries.into_iter().flatten().map(Entry::size).sum()
    }
    part(profile.services.as_ref())
        + part(profile.privacy.as_ref())
        + part(profile.terminals.as_ref())
        + part(profile.properties.as_ref())
}

/// What became of an update.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries taken, put in place or removed; those that changed nothing too.
    pub done: usize,
    /// Whether the profile is another one now.
    pub changed: bool,
    /// In words, with the part and the entry's name.
    refused: Vec<String>,
}

impl Changes {
    /// The answer: 200, 201 with a detail for each refused entry, or if nothing was
    /// taken the refusal itself: 702 for one entry, 900 for several.
    pub fn status(&self) -> Status {
        let detail = |why: &String| DetailedResult {
            description: Some(why.clone()),
            ..DetailedResult::new(REFUSED_ENTRY)
        };
        let code = match (self.done, self.refused.as_slice()) {
            (_, []) => return Status::ok(),
            (0, [only]) => return Status::new(REFUSED_ENTRY).because(only.clone()),
            (0, _) => Code::MULTIPLE,
            _ => Code::PARTIAL,
        };
        Status {
            details: self.refused.iter().take(MAX_DETAILS).map(detail).collect(),
            ..Status::new(code)
        }
    }

    /// Why entries were refused, in words, with their part and name.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    fn refuse(&mut self, part: &str, name: &str, why: &str) {
        let name: String = name.chars().take(MAX_NAME).collect();
        self.refused.push(format!("{part} {name}: {why}"));
    }
}

/// Changes a profile. `provided` says why a service cannot be as an entry wants it.
/// The times in the profile are the caller's business.
pub fn update(
    profile: &mut UserProfile,
    mode: UpdateMode,
    given: UserProfile,
    provided: impl Fn(&ProfileService) -> Result<(), &'static str>,
) -> Changes {
    let mut changes = Changes::default();
    let any = |_: &_| Ok(());
    let UserProfile {
        services,
        privacy,
        terminals,
        properties,
        ..
    } = given;
    change(
        &mut profile.services,
        mode,
        services,
        provided,
        &mut changes,
    );
    change(&mut profile.privacy, mode, privacy, any, &mut changes);
    let any = |_: &_| Ok(());
    change(&mut profile.terminals, mode, terminals, any, &mut changes);
    let any = |_: &_| Ok(());
    change(&mut profile.properties, mode, properties, any, &mut changes);
    changes
}

/// One entry of a part.
trait Entry: Clone + PartialEq {
    /// What it is called in an answer.
    const KIND: &'static str;
    /// Entries of a part.
    const MOST: usize;

    /// What tells it from the others of its part.
    fn name(&self) -> &str;

    /// Bytes of names and values.
    fn size(&self) -> usize;

    /// In the form that is kept; or why it cannot be.
    fn kept(self) -> Result<Self, &'static str>;

    fn is_called(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }
}

/// Changes one part.
fn change<E: Entry>(
    held: &mut Option<Vec<E>>,
    mode: UpdateMode,
    given: Option<Vec<E>>,
    allowed: impl Fn(&E) -> Result<(), &'static str>,
    changes: &mut Changes,
) {
    let Some(given) = given else { return };
    let mut entries = match mode {
        UpdateMode::Replace => Vec::new(),
        UpdateMode::Merge | UpdateMode::Delete => held.clone().unwrap_or_default(),
    };
    let (asked, before) = (given.len(), changes.done);
    for entry in given {
        if mode == UpdateMode::Delete {
            entries.retain(|known| !known.is_called(entry.name()));
            changes.done += 1;
            continue;
        }
        let name = entry.name().to_owned();
        let taken = entry.kept().and_then(|entry| {
            allowed(&entry)?;
            put(&mut entries, entry)
        });
        match taken {
            Ok(()) => changes.done += 1,
            Err(why) => changes.refuse(E::KIND, &name, why),
        }
    }
    // Nothing of it can be taken: what was there stays.
    if asked > 0 && changes.done == before {
        return;
    }
    // To take something out of a part nobody has told of is not to tell of it.
    if mode == UpdateMode::Delete && held.is_none() {
        return;
    }
    changes.changed |= held.as_ref() != Some(&entries);
    *held = Some(entries);
}

/// Puts an entry in the place of that of its name, or behind the others.
fn put<E: Entry>(entries: &mut Vec<E>, entry: E) -> Result<(), &'static str> {
    let place = entries
        .iter()
        .position(|known| known.is_called(entry.name()));
    let bytes: usize = entries.iter().map(Entry::size).sum();
    let freed = place.map_or(0, |at| entries[at].size());
    if place.is_none() && entries.len() >= E::MOST {
        return Err("too many entries");
    }
    if bytes - freed + entry.size() > MAX_PART {
        return Err("no room for it");
    }
    match place {
        Some(at) => entries[at] = entry,
        None => entries.push(entry),
    }
    Ok(())
}

/// The word of a list that is meant, in any case.
fn one_of(words: &[&'static str], text: &str) -> Option<String> {
    let text = text.trim();
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(text))
        .map(|word| (*word).to_owned())
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

impl Entry for ProfileService {
    const KIND: &'static str = "Service";
    const MOST: usize = SERVICES.len();

    fn name(&self) -> &str {
        self.name.trim()
    }

    fn size(&self) -> usize {
        let pse = self.pse.as_ref().map_or(0, |pse| pse.as_str().len());
        self.name.len() + pse
    }

    fn kept(self) -> Result<Self, &'static str> {
        let names = SERVICES.map(|(name, _)| name);
        let name = one_of(&names, &self.name).ok_or("there is no such service")?;
        let status = self.status.as_deref().unwrap_or("Active");
        let status =
            one_of(&["Active", "Inactive"], status).ok_or("neither Active nor Inactive")?;
        let is_domain = |pse: &crate::imps::Address| {
            pse.kind() == crate::imps::address::Kind::Service && pse.is_valid()
        };
        if !self.pse.as_ref().is_none_or(is_domain) {
            return Err("its PSE is no domain");
        }
        Ok(Self {
            name,
            status: Some(status),
            pse: self.pse,
        })
    }
}

impl Entry for PrivacyCapability {
    const KIND: &'static str = "Capability";
    const MOST: usize = 32;

    fn name(&self) -> &str {
        self.name.trim()
    }

    fn size(&self) -> usize {
        self.name.len()
    }

    fn kept(self) -> Result<Self, &'static str> {
        let name = self.name.trim().to_owned();
        if !is_name(&name) {
            return Err("not a usable name");
        }
        let status = self.status.as_deref().unwrap_or_default();
        let status =
            one_of(&["Allowed", "Denied", "Ask"], status).ok_or("not Allowed, Denied or Ask")?;
        Ok(Self {
            name,
            status: Some(status),
        })
    }
}

impl Entry for Terminal {
    const KIND: &'static str = "Terminal";
    const MOST: usize = 16;

    fn name(&self) -> &str {
        self.url.as_deref().unwrap_or_default().trim()
    }

    /// Addresses tell capitals from small letters.
    fn is_called(&self, name: &str) -> bool {
        self.name() == name
    }

    fn size(&self) -> usize {
        words(self).map(String::len).sum::<usize>() + self.name().len()
    }

    fn kept(self) -> Result<Self, &'static str> {
        let url = self.name().to_owned();
        if !(1..=MAX_VALUE).contains(&url.len()) || url.chars().any(char::is_control) {
            return Err("no usable address tells it from others");
        }
        let lists = [&self.content_types, &self.bearers, &self.cir_methods];
        if lists.iter().any(|list| list.len() > MAX_WORDS)
            || words(&self).any(|word| word.len() > MAX_NAME)
        {
            return Err("too long");
        }
        let delivery_method = match &self.delivery_method {
            Some(method) => Some(one_of(&["P", "N"], method).ok_or("delivers neither P nor N")?),
            None => None,
        };
        let is_number = |text: &String| text.trim().parse::<u64>().is_ok();
        if !self.content_length.as_ref().is_none_or(is_number) {
            return Err("its length of content is no number");
        }
        Ok(Self {
            url: Some(url),
            delivery_method,
            ..self
        })
    }
}

/// Everything a terminal says, but its address.
fn words(terminal: &Terminal) -> impl Iterator<Item = &String> {
    let single = [
        &terminal.client_type,
        &terminal.delivery_method,
        &terminal.transfer_encoding,
        &terminal.content_length,
    ];
    let lists = [
        &terminal.content_types,
        &terminal.bearers,
        &terminal.cir_methods,
    ];
    single
        .into_iter()
        .flatten()
        .chain(lists.into_iter().flatten())
}

impl Entry for Property {
    const KIND: &'static str = "Property";
    const MOST: usize = 64;

    fn name(&self) -> &str {
        self.name.trim()
    }

    fn size(&self) -> usize {
        self.name.len() + self.value.as_ref().map_or(0, String::len)
    }

    fn kept(self) -> Result<Self, &'static str> {
        let name = self.name.trim().to_owned();
        if !is_name(&name) {
            return Err("not a usable name");
        }
        let value = self.value.unwrap_or_default();
        if value.len() > MAX_VALUE {
            return Err("too long");
        }
        Ok(Self {
            name,
            value: Some(value),
        })
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
