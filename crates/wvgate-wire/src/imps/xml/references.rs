//! References to characters, and ends of lines: what a text says, made of how it is written.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::characters::is_character;

/// Character data with references resolved and line ends normalised.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(resolve(raw, '\n'))
}

/// A CDATA section's content with line ends normalised.
pub(super) fn line_ends(raw: &str) -> Cow<'_, str> {
    if memchr(b'\r', raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Why a reference stands for nothing.
pub(super) enum Unresolved {
    /// It has not the form of a reference.
    Form,
    /// An entity that XML does not define.
    Name,
    /// A character that XML forbids.
    Character(u32),
}

/// What `&name;` stands for.
pub(super) fn resolve_one(name: &str) -> Result<char, Unresolved> {
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
