//! Texts in the character set of a document.

use std::borrow::Cow;

use crate::imps::xml::{Malformed, is_character};

/// How characters are written, by their number at IANA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// 106; also 3, which is part of it, and 0, which says nothing.
    Utf8,
    /// 4.
    Latin1,
}

impl Charset {
    /// By number; `None` if it is not known.
    pub(super) fn of(number: u32) -> Option<Self> {
        match number {
            0 | 3 | 106 => Some(Self::Utf8),
            4 => Some(Self::Latin1),
            _ => None,
        }
    }

    /// The text of these bytes, which begin `at`.
    pub(super) fn text(self, bytes: &[u8], at: usize) -> Result<Cow<'_, str>, Malformed> {
        let text = match self {
            Self::Latin1 if !bytes.is_ascii() => bytes.iter().copied().map(char::from).collect(),
            Self::Utf8 | Self::Latin1 => utf8(bytes, at)?,
        };
        match text.chars().find(|c| !is_character(*c)) {
            Some(bad) => Err(Malformed::Control(u32::from(bad))),
            None => Ok(text),
        }
    }
}

fn utf8(bytes: &[u8], at: usize) -> Result<Cow<'_, str>, Malformed> {
    let text = std::str::from_utf8(bytes);
    text.map(Cow::Borrowed)
        .map_err(|e| Malformed::Encoding(at + e.valid_up_to()))
}
