//! Which files there are and which are still to come: whose they are, and whether there is room.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::kinds;
use super::settings::ContentSettings;
use crate::element::Time;

/// Bytes of a file's name; our choice.
const MAX_NAME: usize = 200;

/// A file that somebody wants to share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The name to show, without folders.
    pub name: String,
    /// Its media type, as `image/png`.
    pub content_type: String,
    /// Its length in bytes.
    pub size: u64,
}

/// Where a file may be uploaded, once, and where it is then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The URL for its `PUT`; a secret of who uploads.
    pub put: String,
    /// The URL for those whom it is shared with.
    pub get: String,
    /// Seconds within which the upload begins.
    pub seconds: u64,
}

/// Why there is no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The node has no store for shared files.
    #[error("this node keeps no shared files: its operator has not set content.url")]
    Off,
    /// The name cannot be.
    #[error("the name of a file has 1 to {MAX_NAME} bytes, and no slash or control character")]
    Name,
    /// Files of this type are not taken.
    #[error("files of type {0} are not shared here")]
    Type(String),
    /// It is empty, or has more bytes than one file may have.
    #[error("a file has 1 to {0} bytes")]
    Size(u64),
    /// The user has as many files as one may have.
    #[error("there are {0} files of this user already, or uploads that were not made")]
    Files(usize),
    /// The user's files have as many bytes as they may have.
    #[error("the files of this user would have more than {0} bytes")]
    Bytes(u64),
    /// It cannot be written now.
    #[error("the file cannot be written now")]
    Disk,
    /// All files together have.
    #[error("there is no room for further files now")]
    Full,
}

/// A file that is there, or is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) user: String,
    #[serde(flatten)]
    pub(super) what: Wanted,
    /// When it is deleted; of a slot, until when the upload must begin.
    pub(super) until: Time,
}

/// A place for a file that was promised and is not complete yet.
#[derive(Debug)]
struct Pending {
    /// The token of the file.
    file: String,
    entry: Entry,
    /// An upload is under way.
    begun: bool,
}

/// All files and slots, by their tokens.
#[derive(Debug)]
pub(super) struct Shelf {
    settings: ContentSettings,
    files: HashMap<String, Entry>,
    slots: HashMap<String, Pending>,
    of_users: BTreeMap<String, Used>,
    bytes: u64,
}

/// What one user has, uploads to come included.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    files: usize,
    bytes: u64,
}

impl Shelf {
    pub(super) fn new(settings: ContentSettings) -> Self {
        Self {
            settings,
            files: HashMap::new(),
            slots: HashMap::new(),
            of_users: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn settings(&self) -> &ContentSettings {
        &self.settings
    }

    /// Gives a user a slot under two tokens that nobody can guess. Its room is taken from now on.
    pub(super) fn reserve(
        &mut self,
        user: &str,
        wanted: &Wanted,
        [put, file]: [String; 2],
        now: Time,
    ) -> Result<Slot, Refusal> {
        self.forget_slots(now);
        let what = self.checked(user, wanted)?;
        let settings = &self.settings;
        let entry = Entry {
            user: user.to_owned(),
            what,
            until: now.plus(settings.slot_life),
        };
        let url = |token: &str| format!("{}{token}", settings.url);
        let slot = Slot {
            put: url(&put),
            get: format!("{}/{}", url(&file), escaped(&entry.what.name)),
            seconds: settings.slot_life.as_secs(),
        };
        self.count(&entry);
        let begun = false;
        self.slots.insert(put, Pending { file, entry, begun });
        Ok(slot)
    }

    /// An upload begins; `None` if there is no such slot, or not any more.
    pub(super) fn begin(&mut self, put: &str, now: Time) -> Option<Entry> {
        let slot = self.slots.get_mut(put)?;
        if slot.begun || slot.entry.until <= now {
            return None;
        }
        slot.begun = true;
        Some(slot.entry.clone())
    }

    /// An upload has broken off; it may be begun again.
    pub(super) fn give_back(&mut self, put: &str) {
        if let Some(slot) = self.slots.get_mut(put) {
            slot.begun = false;
        }
    }

    /// The file of an upload that is all there, as it is to be kept, with its token. `None` if it is
    /// not wanted any more.
    pub(super) fn complete(&self, put: &str, now: Time) -> Option<(String, Entry)> {
        let slot = self.slots.get(put)?;
        let entry = Entry {
            until: now.plus(self.settings.keep),
            ..slot.entry.clone()
        };
        Some((slot.file.clone(), entry))
    }

    /// A file is on disk. Says whether it is still wanted.
    pub(super) fn stored(&mut self, put: &str, entry: Entry) -> bool {
        let Some(slot) = self.slots.remove(put) else {
            return false;
        };
        self.files.insert(slot.file, entry);
        true
    }

    /// A file was on disk at the start.
    pub(super) fn restore(&mut self, token: String, entry: Entry) {
        self.count(&entry);
        self.files.insert(token, entry);
    }

    pub(super) fn get(&self, token: &str, now: Time) -> Option<&Entry> {
        self.files.get(token).filter(|entry| entry.until > now)
    }

    /// Takes files away: of a user those with these tokens, or all, with what is still to come.
    pub(super) fn take(&mut self, user: &str, tokens: Option<&[String]>) -> Vec<String> {
        if tokens.is_none() {
            self.forget(|entry| entry.user == user, |_| true);
        }
        let is_named = |token: &String| tokens.is_none_or(|tokens| tokens.contains(token));
        let files = self.files.iter();
        let taken = files.filter(|(token, entry)| entry.user == user && is_named(token));
        let taken: Vec<String> = taken.map(|(token, _)| token.clone()).collect();
        self.remove(&taken);
        taken
    }

    /// Takes away what has expired.
    pub(super) fn expire(&mut self, now: Time) -> Vec<String> {
        self.forget_slots(now);
        let files = self.files.iter();
        let expired = files.filter(|(_, entry)| entry.until <= now);
        let expired: Vec<String> = expired.map(|(token, _)| token.clone()).collect();
        self.remove(&expired);
        expired
    }

    /// How many files there are, and their bytes with those of slots.
    pub(super) fn used(&self) -> (usize, u64) {
        (self.files.len(), self.bytes)
    }

    fn checked(&self, user: &str, wanted: &Wanted) -> Result<Wanted, Refusal> {
        let settings = &self.settings;
        let name = wanted.name.trim();
        let is_name = |c: char| !c.is_control() && !"/\\".contains(c);
        if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(is_name) {
            return Err(Refusal::Name);
        }
        let kind = kinds::checked(&wanted.content_type);
        let is_taken =
            |kind: &String| kinds::is_one_of(kind, &settings.types) && !kinds::is_active(kind);
        let Some(content_type) = kind.filter(is_taken) else {
            let shown = crate::text::cut(&wanted.content_type, 80).to_owned();
            return Err(Refusal::Type(shown));
        };
        if !(1..=settings.max_size).contains(&wanted.size) {
            return Err(Refusal::Size(settings.max_size));
        }
        let used = self.of_users.get(user).copied().unwrap_or_default();
        if used.files >= settings.max_files {
            return Err(Refusal::Files(settings.max_files));
        }
        if used.bytes + wanted.size > settings.max_user_bytes {
            return Err(Refusal::Bytes(settings.max_user_bytes));
        }
        if self.bytes + wanted.size > settings.max_bytes {
            return Err(Refusal::Full);
        }
        Ok(Wanted {
            name: name.to_owned(),
            content_type,
            size: wanted.size,
        })
    }

    /// Slots that were not used in time end; an upload that is under way goes on.
    fn forget_slots(&mut self, now: Time) {
        self.forget(|entry| entry.until <= now, |begun| !begun);
    }

    fn forget(&mut self, of: impl Fn(&Entry) -> bool, when: impl Fn(bool) -> bool) {
        let ended = self.slots.iter();
        let ended = ended.filter(|(_, slot)| of(&slot.entry) && when(slot.begun));
        let ended: Vec<String> = ended.map(|(put, _)| put.clone()).collect();
        for put in ended {
            if let Some(slot) = self.slots.remove(&put) {
                self.uncount(&slot.entry);
            }
        }
    }

    fn remove(&mut self, tokens: &[String]) {
        for token in tokens {
            if let Some(entry) = self.files.remove(token) {
                self.uncount(&entry);
            }
        }
    }

    fn count(&mut self, entry: &Entry) {
        let used = self.of_users.entry(entry.user.clone()).or_default();
        used.files += 1;
        used.bytes += entry.what.size;
        self.bytes += entry.what.size;
    }

    fn uncount(&mut self, entry: &Entry) {
        self.bytes -= entry.what.size;
        if let Some(used) = self.of_users.get_mut(&entry.user) {
            used.files -= 1;
            used.bytes -= entry.what.size;
            if used.files == 0 {
                self.of_users.remove(&entry.user);
            }
        }
    }
}

/// A name as it stands in a URL.
pub(super) fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
