//! Cards of people and services (xmpp-mapping, 8 and 9; XEP-0054, XEP-0292).
//!
//! | file | what |
//! |---|---|
//! | `temp` | vcard-temp, read and written |
//! | `vcard4` | vCard4 as XML, read |
//! | `profile` | a card as properties of a profile, and back |
//! | `provider` | who runs a domain |
//! | `ask` | what is asked for them |

pub mod ask;
pub mod profile;
pub mod provider;
mod temp;
mod vcard4;

use minidom::Element;

use crate::text::cut;
use crate::translate::stanza::ns;

/// The namespace of vCard4, which is the node of PEP as well but for its prefix.
pub const VCARD4: &str = "urn:ietf:params:xml:ns:vcard-4.0";
/// The node of PEP under which a vCard4 is published.
pub const VCARD4_NODE: &str = "urn:xmpp:vcard4";

/// Bytes of a picture that is taken; our choice, that of logos of our own.
pub const MAX_PHOTO: usize = 64 * 1024;
/// Bytes of a text of a card; our choice.
const MAX_TEXT: usize = 1024;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Its MIME type.
    pub content_type: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What is told of somebody, or of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// The whole name as it is shown.
    pub name: Option<String>,
    /// The given name.
    pub given: Option<String>,
    /// The family name.
    pub family: Option<String>,
    /// What friends say.
    pub nick: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The country.
    pub country: Option<String>,
    /// The day of birth, as `YYYY-MM-DD`.
    pub birthday: Option<String>,
    /// `M`, `F` or another letter of vCard4.
    pub gender: Option<String>,
    /// An address of e-mail.
    pub email: Option<String>,
    /// A number of a phone.
    pub phone: Option<String>,
    /// Words about it.
    pub description: Option<String>,
    /// Lines that have no field.
    pub notes: Vec<String>,
    /// A web site.
    pub url: Option<String>,
    /// How it looks.
    pub photo: Option<Photo>,
}

impl Card {
    /// The card in either form; `None` if the element is none of them.
    pub fn read(element: &Element) -> Option<Self> {
        if element.is("vCard", ns::VCARD) {
            return Some(temp::read(element));
        }
        element.is("vcard", VCARD4).then(|| vcard4::read(element))
    }

    /// As vcard-temp.
    pub fn to_temp(&self) -> Element {
        temp::write(self)
    }

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes from `other` what is missing here.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let fields = [
            (&mut self.name, other.name),
            (&mut self.given, other.given),
            (&mut self.family, other.family),
            (&mut self.nick, other.nick),
            (&mut self.city, other.city),
            (&mut self.country, other.country),
            (&mut self.birthday, other.birthday),
            (&mut self.gender, other.gender),
            (&mut self.email, other.email),
            (&mut self.phone, other.phone),
            (&mut self.description, other.description),
            (&mut self.url, other.url),
        ];
        for (own, other) in fields {
            if own.is_none() {
                *own = other;
            }
        }
        self.photo = self.photo.or(other.photo);
        if self.notes.is_empty() {
            self.notes = other.notes;
        }
        self
    }
}

/// The type of a picture, by how it begins.
pub(in crate::translate) fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

/// A text as a card has it: trimmed, not empty, and no longer than it may be.
fn text(text: &str) -> Option<String> {
    let text = cut(text.trim(), MAX_TEXT).trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A day, whichever way it is written; what follows it is left out.
fn day(text: &str) -> Option<String> {
    let text = text.trim();
    let digits: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '-')
        .filter(char::is_ascii_digit)
        .collect();
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, rest) = rest.split_at_checked(2)?;
    let (day, _) = rest.split_at_checked(2)?;
    let within = |text: &str, most: u8| text.parse::<u8>().is_ok_and(|n| n >= 1 && n <= most);
    (within(month, 12) && within(day, 31)).then(|| format!("{year}-{month}-{day}"))
}

/// Only what looks like a link of the web.
fn link(text: &str) -> Option<String> {
    let link = self::text(text)?;
    let is_link = link.starts_with("http://") || link.starts_with("https://");
    is_link.then_some(link)
}
