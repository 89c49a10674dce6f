//! The lines of the channel that wakes over TCP.

/// Bytes of a line; the longest that clients send is `HELO` and a session id. Our choice.
const MAX: usize = 128;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Whose connection it is: the id of a session.
    Hello(String),
    /// Whether the connection still stands.
    Ping,
    /// Anything else.
    Other,
}

/// What came and is no whole line yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
}

/// A line is longer than any that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    /// Takes what came.
    ///
    /// # Errors
    /// There is no end of a line in all that came.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.bytes.extend_from_slice(bytes);
        let is_ended = self.bytes.iter().take(MAX).any(|byte| *byte == b'\n');
        if self.bytes.len() > MAX && !is_ended {
            return Err(TooLong);
        }
        Ok(())
    }

    /// The next whole line; an empty one is none.
    pub(super) fn next(&mut self) -> Option<Line> {
        loop {
            let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            if self.bytes.is_empty() {
                // An idle connection costs nothing here.
                self.bytes = Vec::new();
            }
            let text = String::from_utf8_lossy(&line);
            let mut words = text.split_whitespace();
            let Some(first) = words.next() else { continue };
            return Some(match (&*first.to_ascii_uppercase(), words.next()) {
                ("HELO", Some(id)) => Line::Hello(id.to_owned()),
                ("PING", None) => Line::Ping,
                _ => Line::Other,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_every_spelling_and_in_pieces() {
        let mut lines = Lines::default();
        lines.push(b"HELO ab").unwrap();
        assert_eq!(lines.next(), None);
        lines.push(b"c\r\nPING \r\n\r\nping\nQUIT\r\nPI").unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            all.push(line);
        }
        let hello = Line::Hello("abc".to_owned());
        assert_eq!(all, [hello, Line::Ping, Line::Ping, Line::Other]);
        lines.push(b"NG\n").unwrap();
        assert_eq!(lines.next(), Some(Line::Ping));
        assert_eq!(lines.bytes.capacity(), 0);
    }

    #[test]
    fn a_line_without_end_is_not_collected() {
        let mut lines = Lines::default();
        lines.push(&[b'x'; MAX]).unwrap();
        assert_eq!(lines.push(b"x"), Err(TooLong));
    }
}
