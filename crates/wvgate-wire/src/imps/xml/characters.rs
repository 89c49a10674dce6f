//! What XML 1.0 says of characters: which are allowed, which are white space, and which
//! stand in names.

use super::reader::{Limits, Malformed};

/// White space in the sense of XML.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Removes white space in the sense of XML at both ends.
#[inline]
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Whether XML 1.0 allows the character (production 2).
pub(crate) fn is_character(c: char) -> bool {
    c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r')
}

/// The text of a body, within the limit of bytes, of characters XML allows,
/// without byte order mark.
pub(super) fn characters<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, Malformed> {
    if bytes.len() > limits.bytes {
        return Err(Malformed::Size(limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| Malformed::Encoding(e.valid_up_to()))?;
    let suspicious = bytes.chunks(128).any(|chunk| {
        // Without branches, which the compiler makes fast.
        let (mut low, mut bad) = (0u8, 0u8);
        for b in chunk {
            low |= u8::from(*b < 0x20) | u8::from(*b == 0xEF);
        }
        if low != 0 {
            for b in chunk {
                bad |= u8::from(*b < 0x20)
                    & u8::from(*b != b'\n')
                    & u8::from(*b != b'\r')
                    & u8::from(*b != b'\t')
                    | u8::from(*b == 0xEF);
            }
        }
        bad != 0
    });
    if suspicious && let Some(bad) = text.chars().find(|c| !is_character(*c)) {
        return Err(Malformed::Control(u32::from(bad)));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Length of the run of ASCII characters of names that `bytes` start with.
#[inline]
fn name_length(bytes: &[u8]) -> usize {
    let class = |b: u8| NAME[usize::from(b)];
    // Four at a time: most of a tag is names.
    let mut length = 0;
    while let Some([a, b, c, d]) = bytes.get(length..length + 4) {
        if class(*a) & class(*b) & class(*c) & class(*d) & ANY == 0 {
            break;
        }
        length += 4;
    }
    while bytes.get(length).is_some_and(|b| class(*b) & ANY != 0) {
        length += 1;
    }
    length
}

const NONE: u8 = 0;
/// Allowed anywhere in a name.
const PART: u8 = ANY;
/// Allowed after the first character.
const LATER: u8 = ANY | 2;
/// Common to all that may stand in a name.
const ANY: u8 = 1;
/// Byte of a character beyond ASCII.
const BEYOND: u8 = 4;

#[expect(clippy::cast_possible_truncation)] // no larger than a byte
const NAME: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => PART,
            b'0'..=b'9' | b'-' | b'.' => LATER,
            0x80.. => BEYOND,
            _ => NONE,
        };
        b += 1;
    }
    table
};

/// Production 4 of XML 1.0 beyond ASCII.
#[inline]
fn is_name_start(c: char) -> bool {
    matches!(c, '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// What production 4a adds beyond ASCII.
#[inline]
fn is_name_later(c: char) -> bool {
    matches!(c, '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// The name without colon that `text` begins with, and what follows.
pub(super) fn plain_name(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let ascii = name_length(bytes);
    let end = match bytes.first() {
        Some(b) if NAME[usize::from(*b)] == LATER => 0,
        _ if bytes
            .get(ascii)
            .is_some_and(|b| NAME[usize::from(*b)] == BEYOND) =>
        {
            beyond_ascii(text, ascii)
        }
        _ => ascii,
    };
    text.split_at(end)
}

/// Where the name that is ASCII up to `end` ends.
fn beyond_ascii(text: &str, end: usize) -> usize {
    let first = end == 0;
    let more = text[end..].char_indices().find(|(at, c)| match c {
        '\0'..='\x7f' => NAME[*c as usize] & ANY == 0,
        c => !is_name_start(*c) && (first && *at == 0 || !is_name_later(*c)),
    });
    more.map_or(text.len(), |(at, _)| end + at)
}
