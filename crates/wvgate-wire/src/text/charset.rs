//! Bytes to text by the name of a charset: the one reader of foreign charsets.
//!
//! The charsets of the Encoding Standard are read by `encoding_rs`; names that standard lacks
//! (the numbers of WAP, old names of UTF-16) stand here. What senders get wrong is met leniently:
//! the name of a charset is missing or unknown, UTF-8 is CESU-8, UTF-16 has no byte order mark.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// A text, as far as its bytes could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Read. Single faults are U+FFFD.
    Text(String),
    /// Too little of it makes sense to be shown.
    Unreadable,
}

/// A charset that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// UTF-8, or ASCII, which is part of it.
    Utf8,
    /// UTF-16 in the order that its mark gives, or its zero bytes.
    Utf16,
    Other(&'static Encoding),
}

/// Names that the Encoding Standard lacks, or takes for something else than senders mean:
/// the numbers of IANA by which WAP names charsets, and those of ASCII, which is often UTF-8.
const NAMES: &[(&str, &str)] = &[
    ("us-ascii", "utf-8"),
    ("ascii", "utf-8"),
    ("ansi_x3.4-1968", "utf-8"),
    ("iso646-us", "utf-8"),
    ("cesu-8", "utf-8"),
    ("latin-1", "windows-1252"),
    ("utf16", "utf-16"),
    ("ucs-2", "utf-16"),
    ("iso-10646-ucs-2", "utf-16"),
    ("3", "utf-8"),
    ("4", "iso-8859-1"),
    ("5", "iso-8859-2"),
    ("6", "iso-8859-3"),
    ("7", "iso-8859-4"),
    ("8", "iso-8859-5"),
    ("9", "iso-8859-6"),
    ("10", "iso-8859-7"),
    ("11", "iso-8859-8"),
    ("12", "windows-1254"),
    ("17", "shift_jis"),
    ("18", "euc-jp"),
    ("38", "euc-kr"),
    ("39", "iso-2022-jp"),
    ("106", "utf-8"),
    ("111", "iso-8859-15"),
    ("113", "gbk"),
    ("114", "gb18030"),
    ("1000", "utf-16"),
    ("1013", "utf-16be"),
    ("1014", "utf-16le"),
    ("1015", "utf-16"),
    ("2025", "gb2312"),
    ("2026", "big5"),
    ("2084", "koi8-r"),
    ("2250", "windows-1250"),
    ("2251", "windows-1251"),
    ("2252", "windows-1252"),
];

impl Charset {
    /// The charset of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().trim_matches(['"', '\'']).trim();
        // By far the most.
        if name.eq_ignore_ascii_case("utf-8") {
            return Some(Self(Kind::Utf8));
        }
        let other = NAMES.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let label = other.map_or(name, |(_, label)| label);
        // The standard reads "utf-16" as little endian, RFC 2781 as big endian: by its look.
        let kind = if label.eq_ignore_ascii_case("utf-16") {
            Kind::Utf16
        } else {
            let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
            if encoding == UTF_8 {
                Kind::Utf8
            } else {
                Kind::Other(encoding)
            }
        };
        Some(Self(kind))
    }

    /// Whether ASCII stands in it as it is, and other characters otherwise than in UTF-8.
    pub fn is_bytewise(&self) -> bool {
        matches!(self.0, Kind::Other(encoding) if encoding.is_ascii_compatible())
    }

    /// The text that `bytes` are, without byte order mark; `None` if anything in it is not of
    /// this charset.
    pub fn strict<'b>(&self, bytes: &'b [u8]) -> Option<Cow<'b, str>> {
        let encoding = match (Encoding::for_bom(bytes), self.0) {
            (Some((marked, length)), _) => {
                return marked
                    .decode_without_bom_handling_and_without_replacement(&bytes[length..]);
            }
            (None, Kind::Utf8) => UTF_8,
            (None, Kind::Utf16) => order_of(bytes),
            (None, Kind::Other(encoding)) => encoding,
        };
        encoding.decode_without_bom_handling_and_without_replacement(bytes)
    }
}

/// The text of `bytes` whose sender names this charset, or none, or one that is not known.
/// Without byte order mark; zero bytes and other control characters stay.
pub fn read(charset: Option<Charset>, bytes: &[u8]) -> Reading {
    let text = match charset.map(|charset| charset.0) {
        Some(Kind::Utf8) => lossy(UTF_8, &surrogates_joined(bytes)),
        Some(Kind::Utf16) => lossy(order_of(bytes), bytes),
        Some(Kind::Other(encoding)) => lossy(encoding, bytes),
        None => guessed(bytes),
    };
    if makes_sense(&text) {
        Reading::Text(text)
    } else {
        Reading::Unreadable
    }
}

/// Stands for a text that could not be read.
pub fn notice(charset: Option<&str>, bytes: usize) -> String {
    match charset {
        Some(name) => {
            let name = super::Shown(name);
            format!("[a text of {bytes} bytes in charset {name} that cannot be read]")
        }
        None => format!("[a text of {bytes} bytes in an unknown charset that cannot be read]"),
    }
}

/// A text of which nothing is known: UTF-16 if its zero bytes say so, UTF-8 if it is that, else
/// of the West.
fn guessed(bytes: &[u8]) -> String {
    if Encoding::for_bom(bytes).is_some() {
        return lossy(UTF_8, bytes);
    }
    // A zero byte at the end says nothing: it is how some end their texts.
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let before_zeros = &bytes[..end.map_or(0, |at| at + 1)];
    let is_plain = !before_zeros.contains(&0) && std::str::from_utf8(before_zeros).is_ok();
    if !is_plain && looks_like_utf_16(bytes) {
        return lossy(order_of(bytes), bytes);
    }
    let joined = surrogates_joined(bytes);
    if std::str::from_utf8(&joined).is_ok() {
        lossy(UTF_8, &joined)
    } else {
        lossy(WINDOWS_1252, bytes)
    }
}

/// A byte order mark goes before the encoding.
fn lossy(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode(bytes).0.into_owned()
}

/// The order of bytes in UTF-16 without mark: seen by the zero bytes that text of the West, spaces
/// and line ends have in it; big endian where there are none (RFC 2781).
fn order_of(bytes: &[u8]) -> &'static Encoding {
    let (even, odd) = zeros(bytes);
    if odd > even { UTF_16LE } else { UTF_16BE }
}

/// Whether bytes of which nothing is known look like UTF-16: every second one is zero, often.
fn looks_like_utf_16(bytes: &[u8]) -> bool {
    let (even, odd) = zeros(bytes);
    bytes.len().is_multiple_of(2)
        && even.max(odd) > bytes.len() / 16
        && even.min(odd) * 4 <= even.max(odd)
}

/// Zero bytes in even and odd places.
fn zeros(bytes: &[u8]) -> (usize, usize) {
    let count = |first: usize| {
        let every_second = bytes.iter().skip(first).step_by(2);
        every_second.filter(|byte| **byte == 0).count()
    };
    (count(0), count(1))
}

/// CESU-8 to UTF-8: each pair of surrogates of three bytes each becomes its character. Other
/// bytes stay.
pub fn surrogates_joined(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut copied = 0;
    for at in memchr::memchr_iter(0xED, bytes) {
        let Some(
            &[
                0xED,
                a @ 0xA0..=0xAF,
                b @ 0x80..=0xBF,
                0xED,
                c @ 0xB0..=0xBF,
                d @ 0x80..=0xBF,
            ],
        ) = bytes.get(at..at + 6)
        else {
            continue;
        };
        let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
        let high = bits(a, 0x0F, 6) | bits(b, 0x3F, 0);
        let low = bits(c, 0x0F, 6) | bits(d, 0x3F, 0);
        if let Some(joined) = char::from_u32(0x1_0000 + (high << 10 | low)) {
            out.extend_from_slice(&bytes[copied..at]);
            out.extend_from_slice(joined.encode_utf8(&mut [0; 4]).as_bytes());
            copied = at + 6;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    out.extend_from_slice(&bytes[copied..]);
    Cow::Owned(out)
}

/// Whether most of a text can be read by a person: at most half of it are faults and
/// control characters.
fn makes_sense(text: &str) -> bool {
    let (mut faults, mut all) = (0, 0);
    for c in text.chars() {
        let is_fault = c == char::REPLACEMENT_CHARACTER
            || c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\0');
        faults += usize::from(is_fault);
        all += 1;
    }
    faults * 2 <= all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(charset: &str, bytes: &[u8]) -> String {
        match read(Charset::named(charset), bytes) {
            Reading::Text(text) => text,
            Reading::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn charsets_of_the_world_are_read_by_their_names() {
        for (charset, bytes, expected) in [
            ("windows-1252", &b"\x68\xe9\x80"[..], "h\u{e9}\u{20ac}"),
            ("ISO-8859-1", b"caf\xe9", "café"),
            ("\"latin1\"", b"caf\xe9", "café"),
            ("4", b"caf\xe9", "café"),
            ("iso-8859-15", b"\xa4", "€"),
            ("111", b"\xa4", "€"),
            ("windows-1251", b"\xcf\xf0\xe8", "При"),
            ("koi8-r", b"\xf0\xd2\xc9", "При"),
            ("Shift_JIS", b"\x93\xfa\x96\x7b", "日本"),
            ("gb18030", b"\xc4\xe3\xba\xc3", "你好"),
            ("113", b"\xc4\xe3\xba\xc3", "你好"),
            ("big5", b"\xa7\x41", "你"),
            ("us-ascii", "é".as_bytes(), "é"),
            ("utf-8", b"\xef\xbb\xbfa", "a"),
            ("utf-8", b"abc\xffdef", "abc\u{fffd}def"),
            ("106", "é".as_bytes(), "é"),
        ] {
            assert_eq!(text(charset, bytes), expected, "{charset}");
        }
        assert_eq!(Charset::named("klingon"), None);
        // It would hide what it holds.
        assert_eq!(Charset::named("iso-2022-kr"), None);
    }

    #[test]
    fn utf_16_is_read_in_the_order_of_its_mark_or_its_zeros() {
        for charset in ["utf-16", "UCS-2", "1000", "1015", "none at all"] {
            for bytes in [
                &b"\0a\0\xe9"[..],
                b"a\0\xe9\0",
                b"\xfe\xff\0a\0\xe9",
                b"\xff\xfea\0\xe9\0",
            ] {
                assert_eq!(text(charset, bytes), "aé", "{charset} {bytes:?}");
            }
        }
        assert_eq!(text("utf-16le", b"\xe5\x65\x2c\x67"), "日本");
        assert_eq!(text("utf-16be", b"\x65\xe5\x67\x2c"), "日本");
        assert_eq!(text("utf-16", b"\x65\xe5\x67\x2c"), "日本");
    }

    #[test]
    fn pairs_of_surrogates_in_utf_8_are_characters() {
        let cesu = b"\x61\xed\xa0\xbd\xed\xb8\x80\x62";
        for charset in ["utf-8", "", "klingon", "cesu-8"] {
            assert_eq!(text(charset, cesu), "a\u{1f600}b", "{charset}");
        }
        assert_eq!(
            text("utf-8", b"good night\xed\xa0\xbd"),
            "good night\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(
            surrogates_joined("日本\u{d7ff}".as_bytes()),
            "日本\u{d7ff}".as_bytes()
        );
    }

    #[test]
    fn a_text_without_a_known_charset_is_utf_8_or_of_the_west() {
        assert_eq!(text("", "é".as_bytes()), "é");
        assert_eq!(text("", b"caf\xe9 \x80"), "café €");
        assert_eq!(text("klingon", b"caf\xe9"), "café");
        assert_eq!(text("", b""), "");
        assert_eq!(text("", b"Hello\0"), "Hello\0");
        assert_eq!(text("", b"\xe5\x65\x2c\x67!\0"), "日本!");
    }

    #[test]
    fn what_makes_no_sense_is_said_and_not_shown() {
        assert_eq!(
            text("", &[0x89, 0x50, 0x01, 0x81, 0x8d, 0x02, 0x9d, 0x03]),
            "unreadable"
        );
        assert_eq!(text("utf-8", b"\xff\xfa\x80"), "unreadable");
        assert_eq!(
            notice(Some("utf-8\u{1b}"), 3),
            "[a text of 3 bytes in charset utf-8\\u{1b} that cannot be read]"
        );
        assert_eq!(
            notice(None, 3),
            "[a text of 3 bytes in an unknown charset that cannot be read]"
        );
    }

    #[test]
    fn strict_reading_refuses_what_is_not_of_the_charset() {
        let strict = |name: &str, bytes: &'static [u8]| Charset::named(name).unwrap().strict(bytes);
        assert_eq!(strict("iso-8859-1", b"\xc3\xa9").as_deref(), Some("Ã©"));
        assert_eq!(strict("utf-8", b"\xe9"), None);
        assert_eq!(strict("shift_jis", b"\x93"), None);
        assert_eq!(strict("utf-16", b"\xff\xfea\0").as_deref(), Some("a"));
        assert_eq!(strict("utf-16", b"\xff\xfea"), None);
    }
}
