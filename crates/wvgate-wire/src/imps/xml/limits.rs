//! Bounds on one document.

use super::reader::Malformed;

/// Bounds on one document. The defaults suit SSP traffic; the body's size is
/// bounded earlier, by the HTTP floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of elements, the root counting as one; 256 at most.
    pub depth: usize,
    /// Elements in one document.
    pub elements: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of the document.
    pub bytes: usize,
    /// `Transaction` elements in one `Session`.
    pub transactions: usize,
    /// Elements directly in another one: the members or entries of a list.
    pub entries: usize,
    /// Lengths of texts.
    pub texts: Texts,
}

/// Longest texts, in bytes. What names something becomes a key of tables and stands in logs; what is
/// said in words is kept, and shown to people. Only content ends with the body alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts {
    /// The name of an element or attribute, its prefix included.
    pub name: usize,
    /// An id: of a transaction, session, message, invitation, search, agreement.
    pub id: usize,
    /// An address, blanks around it included.
    pub address: usize,
    /// Any other attribute's value.
    pub value: usize,
    /// What stands between the tags of an element that names somebody or something
    /// (`ScreenName`, `ClientID`, ...), as it is written.
    pub label: usize,
    /// The text of any other element, unless that holds content: a reason, note, description, value.
    /// As it is written, without what elements within hold; white space counts behind other text.
    pub text: usize,
}

/// Attributes that hold an address.
const ADDRESSES: &[&str] = &[
    "userID",
    "userid",
    "groupID",
    "serviceID",
    "contactListID",
    "pse",
];

/// Elements whose text names somebody or something.
const LABELS: &[&str] = &[
    "ScreenName",
    "ScreenNames",
    "SName",
    "Name",
    "ClientID",
    "URL",
    "Domain",
];

/// Elements whose text is content: of a message, welcome note, logo; a picture or business card in
/// presence.
const CONTENTS: &[&str] = &["ContentData", "DirectContent", "ContainedvCard"];

impl Limits {
    /// Our choice: a full `PresenceNotification` nests 11 deep, a group of a thousand members lists
    /// about 4 000 elements. A group of the home domain has at most 10 000 members.
    pub const STANDARD: Self = Self {
        depth: 32,
        elements: 50_000,
        attributes: 32,
        bytes: 1 << 20,
        transactions: 256,
        entries: 10_000,
        texts: Texts::STANDARD,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::STANDARD
    }
}

impl Texts {
    /// Our choice. An address has two parts of up to 255 bytes (wire profile, 4.1); an id
    /// of the deployed server has 12 bytes, one of ours at most 128.
    pub const STANDARD: Self = Self {
        name: 128,
        id: 256,
        address: 768,
        value: 2048,
        label: 1024,
        text: 8192,
    };
    /// As long as the document allows.
    pub const UNLIMITED: Self = Self {
        name: usize::MAX,
        id: usize::MAX,
        address: usize::MAX,
        value: usize::MAX,
        label: usize::MAX,
        text: usize::MAX,
    };

    /// The least of the bounds on attribute values: what is no longer needs no further look.
    pub(super) fn shortest_value(&self) -> usize {
        self.id.min(self.address).min(self.value)
    }

    /// What an attribute's value is, and how long it may be.
    pub fn of_attribute(&self, local: &str) -> (&'static str, usize) {
        if ADDRESSES.contains(&local) {
            ("an address", self.address)
        } else if local.ends_with("ID") {
            ("an id", self.id)
        } else {
            ("an attribute", self.value)
        }
    }

    /// Whether the text of the element called `local` names something.
    pub fn is_label(local: &str) -> bool {
        LABELS.iter().any(|name| local.eq_ignore_ascii_case(name))
    }

    /// Whether the text of the element called `local` is content, which ends with the body alone.
    pub fn is_content(local: &str) -> bool {
        CONTENTS.iter().any(|name| local.eq_ignore_ascii_case(name))
    }

    /// Whether a text that is no content is short enough, as it is written.
    pub fn has_room_for(&self, text: &str) -> bool {
        // Written as `&amp;` or the like it has up to four bytes more.
        let escaped = text.bytes().filter(|byte| b"&<>".contains(byte));
        text.len() + 4 * escaped.count() <= self.text
    }

    /// Checks an id that stands under another name than the profile's.
    pub(crate) fn check_id(&self, id: &str) -> Result<(), Malformed> {
        within("an id", id.len(), self.id)
    }
}

/// Checks a length against its bound.
pub(super) fn within(what: &'static str, length: usize, limit: usize) -> Result<(), Malformed> {
    if length > limit {
        return Err(Malformed::Long { what, limit });
    }
    Ok(())
}
