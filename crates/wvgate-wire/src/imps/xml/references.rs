//! References to characters, and ends of lines: what a text says, made of how it is written.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::characters::is_character;
use super::reader::{Malformed, syntax};

/// Character data with references resolved and line ends normalised.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(resolve(raw, '\n'))
}

/// A CDATA section's content with line ends normalised.
pub(crate) fn line_ends(raw: &str) -> Cow<'_, str> {
    if memchr(b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Why a reference stands for nothing.
enum Unresolved {
    /// It has not the form of a reference.
    Form,
    /// An entity that XML does not define.
    Name,
    /// A character that XML forbids.
    Character(u32),
}

/// What `&name;` stands for.
fn resolve_one(name: &str) -> Result<char, Unresolved> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => name.strip_prefix('#'),
    };
    let Some(number) = number else {
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        return Err(if named {
            Unresolved::Name
        } else {
            Unresolved::Form
        });
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(Unresolved::Form);
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| Unresolved::Form)?;
    char::from_u32(code)
        .filter(|c| is_character(*c))
        .ok_or(Unresolved::Character(code))
}

/// Resolves references that have been checked; each line end becomes `line_end`,
/// which for attributes is a space like every literal tab.
pub(super) fn resolve(raw: &str, line_end: char) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\r', '\n', '\t']) {
        out.push_str(&rest[..at]);
        let from = &rest[at..];
        let mut used = 1;
        match from.as_bytes()[0] {
            b'&' => {
                let end = from.find(';').unwrap_or(0);
                out.extend(resolve_one(from.get(1..end).unwrap_or_default()));
                used = end + 1;
            }
            b'\t' if line_end == '\n' => out.push('\t'),
            b'\r' => {
                out.push(line_end);
                used += usize::from(from.as_bytes().get(1) == Some(&b'\n'));
            }
            _ => out.push(line_end),
        }
        rest = &from[used..];
    }
    out.push_str(rest);
    out
}

/// Bytes of a value that is looked through one by one.
const SHORT: usize = 32;

/// What is wrong with a text, but for the place.
pub(super) enum Wrong {
    Form(&'static str),
    Fault(Malformed),
}

impl Wrong {
    pub(super) fn at(self, at: usize) -> Malformed {
        match self {
            Self::Form(why) => syntax(at, why),
            Self::Fault(fault) => fault,
        }
    }
}

/// Whether there are references in an attribute's value, which are checked. What is wrong stands
/// so many bytes behind its beginning.
pub(super) fn references(raw: &str) -> Result<bool, (usize, Wrong)> {
    let bytes = raw.as_bytes();
    // A search made for long texts costs more than it saves with ids and addresses.
    if bytes.len() < SHORT && !bytes.iter().any(|byte| matches!(byte, b'<' | b'&')) {
        return Ok(false);
    }
    let (mut at, mut referring) = (0, false);
    while let Some(step) = memchr2(b'<', b'&', &bytes[at..]) {
        at += step;
        if bytes[at] == b'<' {
            return Err((at, Wrong::Form("'<' in an attribute value")));
        }
        referring = true;
        let Some(length) = memchr(b';', &bytes[at..]) else {
            return Err((at, NO_REFERENCE));
        };
        let end = at + length + 1;
        reference(&raw[at..end]).map_err(|why| (at, why))?;
        at = end;
    }
    Ok(referring)
}

const NO_REFERENCE: Wrong = Wrong::Form("'&' that starts no reference");

pub(super) fn reference(raw: &str) -> Result<(), Wrong> {
    // Longer than any reference that means something.
    if raw.len() > 40 {
        return Err(NO_REFERENCE);
    }
    let name = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    match resolve_one(name) {
        Ok(_) => Ok(()),
        Err(Unresolved::Name) => Err(Wrong::Fault(Malformed::Entity(name.to_owned()))),
        Err(Unresolved::Character(c)) => Err(Wrong::Fault(Malformed::Control(c))),
        Err(Unresolved::Form) => Err(NO_REFERENCE),
    }
}
