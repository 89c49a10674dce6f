//! Foreign text on its way to an operator's eyes.

use std::fmt::{self, Display, Write};

/// Longest foreign text that is shown whole, in bytes; our choice: an address or id of ordinary
/// length fits, a line of a log stays a line.
pub const LONGEST: usize = 120;

/// Characters shown of a session id; whoever knows the whole of it may speak in the session.
const OF_AN_ID: usize = 6;

/// Displays foreign text cut at [`LONGEST`] bytes, control characters and marks of direction as
/// `\u{…}`, so that it can neither fill a log nor steer a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a str);

/// Displays the first characters of a session id, which is a secret: whoever has it whole may
/// speak for the peer.
#[derive(Debug, Clone, Copy)]
pub struct IdShown<'a>(pub &'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = cut(self.0, LONGEST);
        for c in text.chars() {
            if steers(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        if text.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

impl IdShown<'_> {
    /// The characters that are shown, without the mark behind them; not yet freed of what steers
    /// a terminal.
    pub fn beginning(&self) -> &str {
        // Of a short id no more than half.
        cut(self.0, OF_AN_ID.min(self.0.len() / 2))
    }
}

impl Display for IdShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", Shown(self.beginning()))
    }
}

/// The text up to at most `bytes` bytes, cut between characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a character changes how those around it are shown, or is not shown at all.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Marks, embeddings, overrides and isolates of direction; separators of lines; what
            // has no width; tags.
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_its_length_said() {
        let long = "ß".repeat(500_000);
        let shown = Shown(&long).to_string();
        assert_eq!(shown, format!("{}… (1000000 bytes)", "ß".repeat(60)));
        assert_eq!(Shown("wv:bob@b.test").to_string(), "wv:bob@b.test");
    }

    #[test]
    fn what_steers_a_terminal_is_shown_as_its_number() {
        assert_eq!(
            Shown("a\u{202e}b\n\u{1b}[2J\u{200b}").to_string(),
            "a\\u{202e}b\\u{a}\\u{1b}[2J\\u{200b}"
        );
    }

    #[test]
    fn a_session_id_is_never_shown_whole() {
        assert_eq!(IdShown("1234567890@h.test").to_string(), "123456…");
        assert_eq!(IdShown("ab").to_string(), "a…");
        assert_eq!(IdShown("").to_string(), "…");
    }
}
