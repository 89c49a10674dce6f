//! The two ways to write characters where they may not stand: percent-coding in
//! WV addresses (xmpp-mapping, 2.1 and 2.2) and XEP-0106 in JIDs.

use super::tables::AddressTable;

/// Undoes percent-coding. Sequences that are none, or that are not UTF-8, stay
/// as they are.
pub fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        // A run of codes is decoded as a whole, since one character may need several.
        let mut run = Vec::new();
        let mut end = at;
        while let Some(byte) = code_at(bytes, end) {
            run.push(byte);
            end += 3;
        }
        if run.is_empty() {
            let next = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + next]);
            at += next;
            continue;
        }
        let mut rest = run.as_slice();
        let mut position = at;
        while !rest.is_empty() {
            let (valid, bad) = match std::str::from_utf8(rest) {
                Ok(valid) => (valid, 0),
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    let bad = error.error_len().unwrap_or(after.len());
                    (std::str::from_utf8(valid).unwrap_or(""), bad)
                }
            };
            out.push_str(valid);
            position += valid.len() * 3;
            out.push_str(&text[position..position + bad * 3]);
            position += bad * 3;
            rest = &rest[valid.len() + bad..];
        }
        at = end;
    }
    out
}

fn code_at(bytes: &[u8], at: usize) -> Option<u8> {
    let code = bytes.get(at..at + 3)?;
    if code[0] != b'%' {
        return None;
    }
    let high = char::from(code[1]).to_digit(16)?;
    let low = char::from(code[2]).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

/// Percent-codes what may not stand in a part of a WV address. A leading `+`
/// before nothing but digits stays: it marks a phone number.
pub fn percent_encode(text: &str, table: &AddressTable) -> String {
    let is_number = is_phone_number(text);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let plain = c.is_ascii()
            && !c.is_ascii_control()
            && !c.is_whitespace()
            && !table.percent_encode.contains(&c)
            || (at == 0 && is_number);
        if plain {
            out.push(c);
            continue;
        }
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            out.push('%');
            out.extend(char::from_digit(u32::from(byte >> 4), 16));
            out.extend(char::from_digit(u32::from(byte & 15), 16));
        }
    }
    out
}

/// Whether it is a phone number: `+` and digits.
pub fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Escapes the local part of a JID (XEP-0106). A backslash is escaped only where
/// it would otherwise begin an escape.
pub fn escape(text: &str, table: &AddressTable) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match table.escape.get(&c) {
            Some(code) if c != '\\' || escaped_at(&text[at..], table).is_some() => {
                out.push_str(code);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Undoes [`escape`].
pub fn unescape(text: &str, table: &AddressTable) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((plain, length)) = escaped_at(rest, table) {
            out.push(plain);
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The character whose escape `text` begins with, and the escape's length.
fn escaped_at(text: &str, table: &AddressTable) -> Option<(char, usize)> {
    if !text.starts_with('\\') {
        return None;
    }
    table
        .escape
        .iter()
        .find(|(_, code)| {
            text.get(..code.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(code))
        })
        .map(|(plain, code)| (*plain, code.len()))
}

#[cfg(test)]
mod tests {
    use super::super::Mappings;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_codes_are_utf_8_and_others_stay() {
        for (coded, plain) in [
            ("a%40b", "a@b"),
            ("caf%C3%A9", "café"),
            ("%C3x", "%C3x"),
            ("%zz", "%zz"),
            ("100%", "100%"),
            ("%e4%bd%a0%ff", "你%ff"),
            ("é%41", "éA"),
        ] {
            assert_eq!(percent_decode(coded), plain);
        }
    }

    #[test]
    fn only_reserved_characters_are_coded() {
        let mappings = Mappings::built_in();
        for (plain, coded) in [
            ("alice", "alice"),
            ("+358401234567", "+358401234567"),
            ("a+b", "a%2bb"),
            ("a/b@c", "a%2fb%40c"),
            ("é x%", "%c3%a9%20x%25"),
            ("+", "%2b"),
        ] {
            assert_eq!(percent_encode(plain, &mappings.addresses), coded);
        }
    }

    #[test]
    fn backslashes_are_escaped_only_before_what_looks_like_an_escape() {
        let mappings = Mappings::built_in();
        // Examples of XEP-0106.
        for (plain, escaped) in [
            ("space cadet", r"space\20cadet"),
            (r#"call me "ishmael""#, r"call\20me\20\22ishmael\22"),
            ("at&t guy", r"at\26t\20guy"),
            ("d'artagnan", r"d\27artagnan"),
            ("/.fanboy", r"\2f.fanboy"),
            ("::foo::", r"\3a\3afoo\3a\3a"),
            ("<foo>", r"\3cfoo\3e"),
            ("user@host", r"user\40host"),
            (r"c:\net", r"c\3a\net"),
            (r"c:\5commas", r"c\3a\5c5commas"),
            (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
        ] {
            assert_eq!(escape(plain, &mappings.addresses), escaped);
            assert_eq!(unescape(escaped, &mappings.addresses), plain);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(text in any::<String>()) {
            static MAPPINGS: std::sync::LazyLock<Mappings> =
                std::sync::LazyLock::new(Mappings::built_in);
            let table = &MAPPINGS.addresses;
            prop_assert_eq!(unescape(&escape(&text, table), table), text.clone());
            prop_assert_eq!(percent_decode(&percent_encode(&text, table)), text.clone());
            let _ = percent_decode(&text);
        }
    }
}
